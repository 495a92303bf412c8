"""Drives the tables through boto3, as applications do. Ends with status 0 if every check holds."""

from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

client = boto3.client("dynamodb")
resource = boto3.resource("dynamodb")


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def fails(code, function, **arguments):
    try:
        answer = function(**arguments)
    except ClientError as error:
        equal(error.response["Error"]["Code"], code)
        return error.response
    raise AssertionError(f"{arguments} succeeded: {answer}")


DEFINITION = dict(
    TableName="orders",
    KeySchema=[{"AttributeName": "customer", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
    AttributeDefinitions=[
        {"AttributeName": "customer", "AttributeType": "S"},
        {"AttributeName": "number", "AttributeType": "N"},
        {"AttributeName": "state", "AttributeType": "S"},
    ],
    GlobalSecondaryIndexes=[
        {
            "IndexName": "by-state",
            "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}, {"AttributeName": "number", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    BillingMode="PAY_PER_REQUEST",
)


def tables():
    created = client.create_table(**DEFINITION)["TableDescription"]
    equal(created["TableArn"], "arn:aws:dynamodb:us-east-1:000000000000:table/orders")
    client.get_waiter("table_exists").wait(TableName="orders", WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    error = fails("ResourceInUseException", client.create_table, **DEFINITION)
    equal(error["Error"]["Message"], "Table already exists: orders")
    equal(client.list_tables()["TableNames"], ["orders"])
    fails("ResourceNotFoundException", client.describe_table, TableName="none")
    try:
        client.describe_table(TableName="none")
    except client.exceptions.ResourceNotFoundException:
        pass
    client.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"AttributeName": "expires", "Enabled": True}
    )
    description = client.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    equal(description["AttributeName"], "expires")
    client.tag_resource(ResourceArn=created["TableArn"], Tags=[{"Key": "a", "Value": "b"}])
    equal(client.list_tags_of_resource(ResourceArn=created["TableArn"])["Tags"], [{"Key": "a", "Value": "b"}])


def items():
    table = resource.Table("orders")
    item = {
        "customer": "ann",
        "number": 1,
        "state": "new",
        "price": Decimal("12345678901234567890.123456789012345678"),
        "raw": bytes(range(256)),
        "tags": {"x", "y"},
        "lines": [{"sku": "a", "count": 2, "ok": True, "none": None}],
        "blank": "",
    }
    table.put_item(Item=item)
    found = table.get_item(Key={"customer": "ann", "number": 1}, ConsistentRead=True)["Item"]
    equal(found["raw"].value, item["raw"])
    found["raw"] = item["raw"]
    equal(found, item)
    assert "Item" not in table.get_item(Key={"customer": "ann", "number": 2})
    updated = table.update_item(
        Key={"customer": "ann", "number": 1},
        UpdateExpression="SET #s = :s, #l[0].#c = #l[0].#c + :one, extra = if_not_exists(extra, :l) "
        "REMOVE blank ADD hits :one DELETE tags :x",
        ExpressionAttributeNames={"#s": "state", "#c": "count", "#l": "lines"},
        ExpressionAttributeValues={":s": "paid", ":one": 1, ":l": [1], ":x": {"x"}},
        ConditionExpression=Attr("state").eq("new") & Attr("price").exists(),
        ReturnValues="ALL_NEW",
    )["Attributes"]
    equal(updated["state"], "paid")
    equal(updated["lines"][0]["count"], 3)
    equal((updated["hits"], updated["extra"], updated["tags"]), (1, [1], {"y"}))
    assert "blank" not in updated
    error = fails(
        "ConditionalCheckFailedException",
        client.put_item,
        TableName="orders",
        Item={"customer": {"S": "ann"}, "number": {"N": "1"}},
        ConditionExpression="attribute_not_exists(customer)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    equal(error["Error"]["Message"], "The conditional request failed")
    equal(error["Item"]["state"], {"S": "paid"})
    fails("ValidationException", table.put_item, Item={"customer": "ann"})
    old = table.delete_item(Key={"customer": "ann", "number": 1}, ReturnValues="ALL_OLD")["Attributes"]
    equal(old["state"], "paid")


def queries():
    table = resource.Table("orders")
    with table.batch_writer() as batch:
        for number in range(60):
            state = "even" if number % 2 == 0 else "odd"
            batch.put_item(Item={"customer": "bob", "number": number, "state": state, "third": number % 3 == 0})
    page = table.query(KeyConditionExpression=Key("customer").eq("bob") & Key("number").between(10, 19), Limit=4)
    equal([item["number"] for item in page["Items"]], [10, 11, 12, 13])
    rest = table.query(
        KeyConditionExpression=Key("customer").eq("bob") & Key("number").between(10, 19),
        ExclusiveStartKey=page["LastEvaluatedKey"],
    )
    equal([item["number"] for item in rest["Items"]], [14, 15, 16, 17, 18, 19])
    assert "LastEvaluatedKey" not in rest
    back = table.query(KeyConditionExpression=Key("customer").eq("bob"), ScanIndexForward=False, Limit=2)
    equal([item["number"] for item in back["Items"]], [59, 58])
    index = table.query(
        IndexName="by-state",
        KeyConditionExpression=Key("state").eq("odd") & Key("number").lt(6),
        FilterExpression=Attr("third").eq(False),
    )
    equal([item["number"] for item in index["Items"]], [1, 5])
    equal((index["Count"], index["ScannedCount"]), (2, 3))
    pages = client.get_paginator("scan").paginate(TableName="orders", PaginationConfig={"PageSize": 7})
    equal(sum(page["Count"] for page in pages), 60)
    equal(table.scan(Select="COUNT")["Count"], 60)
    keys = [{"customer": "bob", "number": number} for number in (1, 2, 999)]
    found = resource.batch_get_item(RequestItems={"orders": {"Keys": keys}})["Responses"]["orders"]
    equal(sorted(item["number"] for item in found), [1, 2])
    found = client.execute_statement(
        Statement="SELECT \"state\" FROM orders WHERE customer = ? AND number = ?", Parameters=[{"S": "bob"}, {"N": "3"}]
    )
    equal(found["Items"], [{"state": {"S": "odd"}}])


def transactions():
    def put(number, condition=None):
        action = {"TableName": "orders", "Item": {"customer": {"S": "cy"}, "number": {"N": str(number)}}}
        if condition:
            action["ConditionExpression"] = condition
        return {"Put": action}

    client.transact_write_items(TransactItems=[put(1), put(2)], ClientRequestToken="token")
    client.transact_write_items(TransactItems=[put(1), put(2)], ClientRequestToken="token")
    fails(
        "IdempotentParameterMismatchException",
        client.transact_write_items,
        TransactItems=[put(1)],
        ClientRequestToken="token",
    )
    error = fails(
        "TransactionCanceledException",
        client.transact_write_items,
        TransactItems=[put(3), put(1, "attribute_not_exists(customer)")],
    )
    equal([reason["Code"] for reason in error["CancellationReasons"]], ["None", "ConditionalCheckFailed"])
    equal(
        error["Error"]["Message"],
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]",
    )
    found = client.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": "orders", "Key": {"customer": {"S": "cy"}, "number": {"N": str(number)}}}}
            for number in (1, 3)
        ]
    )["Responses"]
    equal([("Item" in response) for response in found], [True, False])


tables()
items()
queries()
transactions()
client.delete_table(TableName="orders")
client.get_waiter("table_not_exists").wait(TableName="orders", WaiterConfig={"Delay": 1, "MaxAttempts": 5})
print("ok")
