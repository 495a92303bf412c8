"""Puts ten messages into the table and returns their ids, with DONE as the last element."""

import os

import boto3

client = boto3.client("dynamodb")


def handler(event, context):
    names = []
    for number in range(10):
        name = f"MessageNo{number}"
        client.put_item(
            TableName=os.environ["TABLE_NAME"],
            Item={
                "MessageId": {"S": name},
                "Message": {"S": f"Hello This is message {number}"},
            },
        )
        names.append(name)
    names.append("DONE")
    return {"List": names}


# Runs once at import as well, so a cold start writes the items twice.
handler({}, None)
