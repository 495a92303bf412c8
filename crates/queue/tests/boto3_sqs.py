"""Drives the queue service through boto3, as applications do. Ends with status 0 if every check holds."""

import hashlib
import json
import struct
import time

import boto3
from botocore.exceptions import ClientError

sqs = boto3.client("sqs")
resource = boto3.resource("sqs")


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def fails(code, function, **arguments):
    try:
        answer = function(**arguments)
    except ClientError as error:
        equal(error.response["Error"]["Code"], code)
        return error.response
    raise AssertionError(f"{arguments} succeeded: {answer}")


def attributes_md5(attributes):
    """The digest as the developer guide describes it, written independently of the service."""
    digest = hashlib.md5()

    def add(data):
        digest.update(struct.pack("!I", len(data)))
        digest.update(data)

    for name in sorted(attributes):
        value = attributes[name]
        add(name.encode())
        add(value["DataType"].encode())
        if "BinaryValue" in value:
            digest.update(b"\x02")
            add(value["BinaryValue"])
        else:
            digest.update(b"\x01")
            add(value["StringValue"].encode())
    return digest.hexdigest()


def queues():
    url = sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "2"}, tags={"team": "a"})["QueueUrl"]
    equal(sqs.create_queue(QueueName="plain")["QueueUrl"], url)
    equal(sqs.get_queue_url(QueueName="plain")["QueueUrl"], url)
    equal(sqs.list_queues(QueueNamePrefix="pl")["QueueUrls"], [url])
    equal(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "a"})
    error = fails("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName="none")
    equal(error["Error"]["Message"], "The specified queue does not exist.")
    equal(error["Error"]["QueryErrorCode"], "QueueDoesNotExist")
    equal(error["Error"]["Type"], "Sender")
    try:
        sqs.get_queue_url(QueueName="none")
    except sqs.exceptions.QueueDoesNotExist:
        pass
    fails("QueueAlreadyExists", sqs.create_queue, QueueName="plain", Attributes={"VisibilityTimeout": "3"})
    fails("InvalidAttributeName", sqs.create_queue, QueueName="p2", Attributes={"Nonsense": "3"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    equal(attributes["VisibilityTimeout"], "2")
    equal(attributes["QueueArn"], "arn:aws:sqs:us-east-1:000000000000:plain")
    paginator = sqs.get_paginator("list_queues")
    for i in range(5):
        sqs.create_queue(QueueName=f"page{i}")
    pages = paginator.paginate(QueueNamePrefix="page", PaginationConfig={"PageSize": 2})
    equal(len([url for page in pages for url in page["QueueUrls"]]), 5)
    return url


def messages(url):
    attributes = {
        "text": {"DataType": "String", "StringValue": "grün"},
        "number": {"DataType": "Number.int", "StringValue": "42"},
        "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    }
    body = "Grüße, 世界 \U0001f600 \t\n"
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    equal(sent["MD5OfMessageBody"], hashlib.md5(body.encode()).hexdigest())
    equal(sent["MD5OfMessageAttributes"], attributes_md5(attributes))
    received = sqs.receive_message(QueueUrl=url, AttributeNames=["All"], MessageAttributeNames=["All"])
    (message,) = received["Messages"]
    equal(message["Body"], body)
    equal(message["MD5OfBody"], sent["MD5OfMessageBody"])
    equal(message["MessageAttributes"], attributes)
    equal(message["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
    equal(message["Attributes"]["ApproximateReceiveCount"], "1")
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    (again,) = sqs.receive_message(QueueUrl=url)["Messages"]
    equal(again["MessageId"], message["MessageId"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    fails("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="nonsense")
    error = fails("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="")
    equal(error["Error"]["QueryErrorCode"], "MissingRequiredParameterException")
    fails("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x" * (1024 * 1024 + 1))
    fails("InvalidMessageContents", sqs.send_message, QueueUrl=url, MessageBody="\x00")

    start = time.monotonic()
    sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=1)
    (late,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert 0.9 < time.monotonic() - start < 8, "a long poll ends when the message is due"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=late["ReceiptHandle"])


def batches(url):
    entries = [{"Id": f"e{i}", "MessageBody": f"body {i}"} for i in range(9)] + [{"Id": "bad", "MessageBody": "\x01"}]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    equal([entry["Id"] for entry in answer["Successful"]], [f"e{i}" for i in range(9)])
    equal([(entry["Id"], entry["Code"]) for entry in answer["Failed"]], [("bad", "InvalidMessageContents")])
    for entry, sent in zip(entries, answer["Successful"]):
        equal(sent["MD5OfMessageBody"], hashlib.md5(entry["MessageBody"].encode()).hexdigest())
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    equal(sorted(message["Body"] for message in received), [f"body {i}" for i in range(9)])
    entries = [
        {"Id": str(i), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 60}
        for i, message in enumerate(received)
    ]
    equal(len(sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)["Successful"]), 9)
    for entry in entries:
        del entry["VisibilityTimeout"]
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    equal(len(answer["Successful"]), 9)
    assert "Failed" not in answer
    fails("AWS.SimpleQueueService.EmptyBatchRequest", sqs.delete_message_batch, QueueUrl=url, Entries=[])
    entries = [{"Id": str(i), "MessageBody": "x"} for i in range(11)]
    fails("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=entries)


def fifo():
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName="orders.fifo", Attributes=attributes)["QueueUrl"]
    sent = [
        sqs.send_message(QueueUrl=url, MessageBody=f"{group}{i}", MessageGroupId=group) for i in range(3) for group in "ab"
    ]
    numbers = [int(answer["SequenceNumber"]) for answer in sent]
    equal(numbers, sorted(set(numbers)))
    duplicate = sqs.send_message(QueueUrl=url, MessageBody="a0", MessageGroupId="a")
    equal(duplicate["MessageId"], sent[0]["MessageId"])
    equal(duplicate["SequenceNumber"], sent[0]["SequenceNumber"])
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    equal([message["Body"] for message in received], ["a0", "a1", "a2", "b0", "b1", "b2"])
    equal(received[0]["Attributes"]["MessageGroupId"], "a")
    equal(received[0]["Attributes"]["SequenceNumber"], sent[0]["SequenceNumber"])
    sqs.send_message(QueueUrl=url, MessageBody="a3", MessageGroupId="a")
    assert "Messages" not in sqs.receive_message(QueueUrl=url), "the group is locked"
    for message in received[:3]:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    equal([message["Body"] for message in sqs.receive_message(QueueUrl=url)["Messages"]], ["a3"])
    fails("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="x")


def dead_letters():
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    url = sqs.create_queue(QueueName="source", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        equal(len(sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]), 1)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    (message,) = sqs.receive_message(QueueUrl=dead, MessageSystemAttributeNames=["All"])["Messages"]
    equal(message["Body"], "poison")
    equal(message["Attributes"]["DeadLetterQueueSourceArn"], "arn:aws:sqs:us-east-1:000000000000:source")
    equal(sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])


def the_resource_api():
    queue = resource.create_queue(QueueName="objects")
    queue.send_message(MessageBody="hello")
    (message,) = queue.receive_messages(WaitTimeSeconds=1)
    equal(message.body, "hello")
    message.delete()
    queue.load()
    equal(queue.attributes["ApproximateNumberOfMessages"], "0")
    queue.purge()
    fails("AWS.SimpleQueueService.PurgeQueueInProgress", queue.purge)
    queue.delete()
    fails("AWS.SimpleQueueService.NonExistentQueue", queue.load)


url = queues()
messages(url)
batches(url)
fifo()
dead_letters()
the_resource_api()
print("ok")
