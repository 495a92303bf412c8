//! The tables through [`Service`]: the shapes of answers and errors, ARNs, and what hostile requests meet.

#![allow(clippy::result_large_err)]

use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_aws::{Account, Call, Fault, Service as _};
use stepwell_tables::Tables;

struct Dynamo {
    tables: Arc<Tables>,
    _directory: tempfile::TempDir,
}

impl Dynamo {
    fn open() -> Dynamo {
        let directory = tempfile::tempdir().expect("a directory");
        let account =
            Account { region: "eu-central-1".into(), id: "123456789012".into(), ..Account::default() };
        let path = directory.path().join("new").join("tables.sqlite");
        Dynamo { tables: Tables::open(&path, account).expect("opens"), _directory: directory }
    }

    async fn call(&self, operation: &str, input: Value) -> Result<Value, Fault> {
        self.tables.call(Call::new(operation, input)).await.map(|reply| reply.output)
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        let shown = input.to_string();
        self.call(operation, input).await.unwrap_or_else(|fault| panic!("{operation} {shown}: {fault}"))
    }

    async fn fails(&self, operation: &str, input: Value) -> Fault {
        self.call(operation, input).await.expect_err(operation)
    }

    /// Creates the table `things` with key `pk`.
    async fn create(&self) -> Value {
        self.ok("CreateTable", table()).await
    }
}

fn table() -> Value {
    json!({
        "TableName": "things",
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    })
}

fn put(key: &str) -> Value {
    json!({"TableName": "things", "Item": {"pk": {"S": key}, "n": {"N": "1"}}})
}

const MODEL: Option<&str> = Some("com.amazonaws.dynamodb.v20120810");
const VALIDATE: Option<&str> = Some("com.amazon.coral.validate");
const CORAL: Option<&str> = Some("com.amazon.coral.service");

#[tokio::test]
async fn arns_are_those_of_the_account() {
    let dynamo = Dynamo::open();
    let arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/things";
    let mut request = table();
    request["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
    let created = dynamo.ok("CreateTable", request).await;
    assert_eq!(created["TableDescription"]["TableArn"], arn);
    let described = dynamo.ok("DescribeTable", json!({"TableName": "things"})).await;
    assert_eq!(described["Table"]["TableArn"], arn);
    assert_eq!(described["Table"]["TableStatus"], "ACTIVE");
    let stream = described["Table"]["LatestStreamArn"].as_str().expect("an ARN");
    assert!(stream.starts_with(&format!("{arn}/stream/")), "{stream}");
    assert_eq!(dynamo.ok("ListStreams", json!({})).await["Streams"][0]["StreamArn"], stream);
    let stream = dynamo.ok("DescribeStream", json!({"StreamArn": stream})).await["StreamDescription"].clone();
    dynamo.ok("PutItem", put("a")).await;
    let iterator = json!({
        "StreamArn": stream["StreamArn"],
        "ShardId": stream["Shards"][0]["ShardId"],
        "ShardIteratorType": "TRIM_HORIZON",
    });
    let iterator = dynamo.ok("GetShardIterator", iterator).await["ShardIterator"].clone();
    let records = dynamo.ok("GetRecords", json!({"ShardIterator": iterator})).await["Records"].clone();
    assert_eq!(records[0]["dynamodb"]["NewImage"]["pk"]["S"], "a");

    // ARNs lead back to the table, also in place of its name.
    dynamo.ok("TagResource", json!({"ResourceArn": arn, "Tags": [{"Key": "k", "Value": "v"}]})).await;
    let tags = dynamo.ok("ListTagsOfResource", json!({"ResourceArn": arn})).await;
    assert_eq!(tags["Tags"], json!([{"Key": "k", "Value": "v"}]));
    let item = dynamo.ok("GetItem", json!({"TableName": arn, "Key": {"pk": {"S": "a"}}})).await;
    assert_eq!(item["Item"]["n"]["N"], "1");
}

#[tokio::test]
async fn errors_are_those_of_aws() {
    let dynamo = Dynamo::open();
    dynamo.create().await;
    let again = dynamo.fails("CreateTable", table()).await;
    assert_eq!((again.code.as_str(), again.namespace, again.status), ("ResourceInUseException", MODEL, 400));
    assert_eq!(again.message, "Table already exists: things");

    let missing = dynamo.fails("DescribeTable", json!({"TableName": "none"})).await;
    assert_eq!((missing.code.as_str(), missing.namespace), ("ResourceNotFoundException", MODEL));
    assert_eq!(missing.message, "Requested resource not found: Table: none not found");
    for (operation, input) in [
        ("PutItem", json!({"TableName": "none", "Item": {"pk": {"S": "a"}}})),
        ("GetItem", json!({"TableName": "none", "Key": {"pk": {"S": "a"}}})),
    ] {
        let fault = dynamo.fails(operation, input).await;
        assert_eq!(fault.code, "ResourceNotFoundException");
        assert_eq!(fault.message, "Requested resource not found");
    }

    dynamo.ok("PutItem", put("a")).await;
    let mut conditional = put("a");
    conditional["ConditionExpression"] = json!("attribute_not_exists(pk)");
    let failed = dynamo.fails("PutItem", conditional.clone()).await;
    assert_eq!((failed.code.as_str(), failed.namespace), ("ConditionalCheckFailedException", MODEL));
    assert_eq!(failed.message, "The conditional request failed");
    assert!(failed.members.is_empty());
    conditional["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
    let failed = dynamo.fails("PutItem", conditional).await;
    assert_eq!(failed.members["Item"], json!({"pk": {"S": "a"}, "n": {"N": "1"}}));

    let action = |key: &str| {
        json!({"Put": {"TableName": "things", "Item": {"pk": {"S": key}},
                       "ConditionExpression": "attribute_not_exists(pk)"}})
    };
    let cancelled =
        dynamo.fails("TransactWriteItems", json!({"TransactItems": [action("b"), action("a")]})).await;
    assert_eq!((cancelled.code.as_str(), cancelled.namespace), ("TransactionCanceledException", MODEL));
    assert_eq!(
        cancelled.message,
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]"
    );
    assert_eq!(
        cancelled.members["CancellationReasons"],
        json!([
            {"Code": "None"},
            {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"},
        ])
    );
    let none = dynamo.ok("GetItem", json!({"TableName": "things", "Key": {"pk": {"S": "b"}}})).await;
    assert_eq!(none, json!({}), "nothing of it was written");
}

#[tokio::test]
async fn malformed_requests_are_answered_as_aws_answers_them() {
    let dynamo = Dynamo::open();
    dynamo.create().await;
    for (operation, input, code, namespace, part) in [
        ("PutItem", json!([]), "SerializationException", CORAL, "Unrecognized collection type"),
        (
            "PutItem",
            json!({"TableName": 1}),
            "SerializationException",
            CORAL,
            "NUMBER_VALUE cannot be converted",
        ),
        (
            "PutItem",
            json!({"TableName": "things", "Item": []}),
            "SerializationException",
            CORAL,
            "Unrecognized collection type class java.util.Map",
        ),
        ("PutItem", json!({}), "ValidationException", VALIDATE, "null at 'tableName'"),
        (
            "DescribeTable",
            Value::Null,
            "ValidationException",
            VALIDATE,
            "The parameter 'TableName' is required",
        ),
        (
            "GetItem",
            json!({"TableName": "things"}),
            "ValidationException",
            VALIDATE,
            "Member must not be null",
        ),
        (
            "PutItem",
            json!({"TableName": "things", "Item": {"pk": {"S": 1}}}),
            "SerializationException",
            CORAL,
            "NUMBER_VALUE cannot be converted to String",
        ),
        (
            "PutItem",
            json!({"TableName": "things", "Item": {"pk": {"X": "a"}}}),
            "ValidationException",
            VALIDATE,
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            "PutItem",
            json!({"TableName": "things", "Item": {"pk": {"N": "1"}}}),
            "ValidationException",
            VALIDATE,
            "Type mismatch for key pk expected: S actual: N",
        ),
        (
            "PutItem",
            json!({"TableName": "things", "Item": {"other": {"S": "a"}}}),
            "ValidationException",
            VALIDATE,
            "Missing the key pk in the item",
        ),
        (
            "UpdateItem",
            json!({"TableName": "things", "Key": {"pk": {"S": "a"}}, "UpdateExpression": "SET ("}),
            "ValidationException",
            VALIDATE,
            "Invalid UpdateExpression",
        ),
    ] {
        let fault = dynamo.fails(operation, input.clone()).await;
        assert_eq!(
            (fault.code.as_str(), fault.namespace, fault.status),
            (code, namespace, 400),
            "{input} {fault}"
        );
        assert!(fault.message.contains(part), "{input}: {}", fault.message);
    }
    let unknown = dynamo.fails("CreateBackup", json!({})).await;
    assert_eq!(unknown.code, "UnknownOperationException");
    assert!(unknown.message.contains("CreateBackup"), "{}", unknown.message);
}

/// Valid requests, each of whose members is replaced by values of every type, alone: never a failure of ours, and the
/// tables go on.
#[tokio::test]
async fn no_request_makes_the_service_fail() {
    let dynamo = Dynamo::open();
    dynamo.create().await;
    dynamo.ok("PutItem", put("a")).await;
    let key = json!({"pk": {"S": "a"}});
    let values = json!({":v": {"S": "a"}, ":n": {"N": "1"}});
    let requests = [
        ("CreateTable", {
            let mut table = table();
            table["TableName"] = json!("other");
            table["AttributeDefinitions"] = json!([{"AttributeName": "pk", "AttributeType": "S"},
                                                   {"AttributeName": "g", "AttributeType": "N"}]);
            table["GlobalSecondaryIndexes"] = json!([{"IndexName": "by-g", "Projection": {"ProjectionType": "ALL"},
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}]}]);
            table["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
            table["ProvisionedThroughput"] = json!({"ReadCapacityUnits": 1, "WriteCapacityUnits": 1});
            table["SSESpecification"] = json!({"Enabled": true});
            table["Tags"] = json!([{"Key": "k", "Value": "v"}]);
            table
        }),
        (
            "PutItem",
            json!({"TableName": "things", "Item": {"pk": {"S": "b"}, "l": {"L": [{"BOOL": true}]},
            "m": {"M": {"x": {"B": "AAEC"}}}, "ss": {"SS": ["a"]}, "ns": {"NS": ["1"]}, "nul": {"NULL": true}},
            "ConditionExpression": "attribute_not_exists(#p)", "ExpressionAttributeNames": {"#p": "pk"},
            "ReturnValues": "ALL_OLD", "ReturnConsumedCapacity": "TOTAL"}),
        ),
        (
            "UpdateItem",
            json!({"TableName": "things", "Key": key, "UpdateExpression": "SET x = :v ADD c :n",
            "ExpressionAttributeValues": values, "ReturnValues": "UPDATED_NEW"}),
        ),
        (
            "Query",
            json!({"TableName": "things", "KeyConditionExpression": "pk = :v", "Limit": 1,
            "ExpressionAttributeValues": {":v": {"S": "a"}}, "ScanIndexForward": false, "ConsistentRead": true,
            "ExclusiveStartKey": key, "Select": "ALL_ATTRIBUTES"}),
        ),
        (
            "Scan",
            json!({"TableName": "things", "FilterExpression": "pk <> :v", "Segment": 0, "TotalSegments": 2,
            "ExpressionAttributeValues": {":v": {"S": "a"}}}),
        ),
        ("BatchGetItem", json!({"RequestItems": {"things": {"Keys": [key], "ConsistentRead": true}}})),
        ("BatchWriteItem", json!({"RequestItems": {"things": [{"PutRequest": {"Item": key}}]}})),
        (
            "TransactWriteItems",
            json!({"ClientRequestToken": "t", "TransactItems": [{"Delete": {"TableName": "things",
            "Key": {"pk": {"S": "z"}}}}]}),
        ),
        ("TransactGetItems", json!({"TransactItems": [{"Get": {"TableName": "things", "Key": key}}]})),
        (
            "ExecuteStatement",
            json!({"Statement": "SELECT * FROM things WHERE pk = ?", "Parameters": [{"S": "a"}]}),
        ),
        (
            "UpdateTimeToLive",
            json!({"TableName": "things", "TimeToLiveSpecification": {"AttributeName": "t",
            "Enabled": true}}),
        ),
        ("DeleteItem", json!({"TableName": "things", "Key": key, "Expected": {"n": {"Value": {"N": "2"}}}})),
    ];
    let wrong = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(""),
        json!("\u{0}"),
        json!("((((((((((("),
        json!([]),
        json!([null]),
        json!({}),
        json!({"S": "x", "N": "y"}),
    ];
    for (operation, request) in requests {
        let mut paths = Vec::new();
        collect_paths(&request, String::new(), &mut paths);
        for path in paths {
            for value in &wrong {
                let mut request = request.clone();
                *request.pointer_mut(&path).expect("the path is one of its own") = value.clone();
                if let Err(fault) = dynamo.call(operation, request.clone()).await {
                    assert!(fault.status < 500, "{operation} {request}: {fault}");
                }
            }
        }
    }
    dynamo.ok("PutItem", put("still here")).await;
}

fn collect_paths(value: &Value, path: String, paths: &mut Vec<String>) {
    paths.push(path.clone());
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect_paths(member, format!("{path}/{name}"), paths);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                collect_paths(item, format!("{path}/{i}"), paths);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn a_nest_without_end_is_refused() {
    let dynamo = Dynamo::open();
    dynamo.create().await;
    let mut deep = json!({"S": "x"});
    for _ in 0..300 {
        deep = json!({"L": [deep]});
    }
    let fault =
        dynamo.fails("PutItem", json!({"TableName": "things", "Item": {"pk": {"S": "a"}, "d": deep}})).await;
    assert_eq!(fault.code, "ValidationException");
    assert!(fault.message.starts_with("Nesting Levels have exceeded supported limits"), "{}", fault.message);
}

#[tokio::test]
async fn many_callers_at_once_are_served() {
    let dynamo = Arc::new(Dynamo::open());
    dynamo.create().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let dynamo = dynamo.clone();
        tasks.spawn(async move {
            let add = json!({"TableName": "things", "Key": {"pk": {"S": "counter"}}, "UpdateExpression": "ADD n :one",
                             "ExpressionAttributeValues": {":one": {"N": "1"}}});
            dynamo.ok("UpdateItem", add).await;
        });
    }
    tasks.join_all().await;
    let item = dynamo.ok("GetItem", json!({"TableName": "things", "Key": {"pk": {"S": "counter"}}})).await;
    assert_eq!(item["Item"]["n"]["N"], "50");
}

#[test]
fn what_is_not_a_database_is_refused_and_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tables.sqlite");
    std::fs::write(&path, "this is not a database, but long enough to be read as one").expect("writes");
    let error = Tables::open(&path, Account::default()).expect_err("is refused");
    assert!(error.to_string().contains("tables.sqlite"), "{error}");
}
