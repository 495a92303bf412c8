"""DynamoDB and SQS, called by a client and by a state machine."""

import json

from support import client, equal, machine, refused, run

tables = client("dynamodb")
queues = client("sqs")

tables.create_table(
    TableName="tab",
    KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    BillingMode="PAY_PER_REQUEST",
)
tables.get_waiter("table_exists").wait(TableName="tab")
described = tables.describe_table(TableName="tab")["Table"]
equal(described["TableArn"], "arn:aws:dynamodb:us-east-1:000000000000:table/tab")
tables.put_item(TableName="tab", Item={"id": {"S": "a"}, "n": {"N": "1"}})
equal(tables.get_item(TableName="tab", Key={"id": {"S": "a"}})["Item"]["n"], {"N": "1"})
equal(
    refused(tables.put_item, TableName="tab", Item={"id": {"S": "a"}}, ConditionExpression="attribute_not_exists(id)"),
    "ConditionalCheckFailedException",
)
equal(refused(tables.get_item, TableName="no-such-table", Key={"id": {"S": "a"}}), "ResourceNotFoundException")

url = queues.create_queue(QueueName="q")["QueueUrl"]
fifo = queues.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
queues.send_message(QueueUrl=url, MessageBody="one")
received = queues.receive_message(QueueUrl=url)["Messages"]
equal([message["Body"] for message in received], ["one"])
queues.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])
for body in ["1", "2", "3"]:
    queues.send_message(QueueUrl=fifo, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=body)
in_order = queues.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"]
equal([message["Body"] for message in in_order], ["1", "2", "3"])
equal(refused(queues.send_message, QueueUrl=url + "x", MessageBody="m"), "AWS.SimpleQueueService.NonExistentQueue")

states = {
    "Get": {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:getItem",
        "Parameters": {"TableName": "tab", "Key": {"id": {"S.$": "$.id"}}},
        "ResultPath": "$.read",
        "Next": "Put",
    },
    "Put": {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName": "tab", "Item": {"id": {"S": "b"}, "n.$": "$.read.Item.n"}},
        "ResultPath": None,
        "Next": "Send",
    },
    "Send": {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": url, "MessageBody": {"read.$": "$.read.Item.n.N"}},
        "End": True,
    },
}
arn = machine("m", states, "Get")
ended = run(arn, {"id": "a"})
equal(ended["status"], "SUCCEEDED")
assert json.loads(ended["output"])["MessageId"]
equal(tables.get_item(TableName="tab", Key={"id": {"S": "b"}})["Item"]["n"], {"N": "1"})
equal(json.loads(queues.receive_message(QueueUrl=url)["Messages"][0]["Body"]), {"read": "1"})
tables.delete_table(TableName="tab")
equal(run(arn, {"id": "a"})["error"], "DynamoDB.ResourceNotFoundException")
