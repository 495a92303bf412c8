"""Puts ten messages into the table and returns the list of their ids, with DONE as the last element."""

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
    return names
