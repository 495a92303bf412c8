"""A server that speaks TLS and takes signed requests only. AWS_CA_BUNDLE has its certificate; the environment's key is
of the server's own account, OTHER_KEY_ID and OTHER_SECRET are of the account 111111111111."""

import json
import os
import ssl
import urllib.error
import urllib.request

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from support import client, equal, function, machine, run, zipped

url = os.environ["AWS_ENDPOINT_URL"]
assert url.startswith("https://"), url


def refusal(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"{call.__name__} is not refused")


# Everything works with the right key.
states = client("stepfunctions")
arn = machine("m", {"A": {"Type": "Pass", "Result": 1, "End": True}}, "A")
equal(run(arn)["output"], "1")
equal(client("sts").get_caller_identity()["Account"], "000000000000")
queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
assert queue.startswith(url), queue
client("sqs").send_message(QueueUrl=queue, MessageBody="hello")
equal(client("sqs").receive_message(QueueUrl=queue)["Messages"][0]["Body"], "hello")
equal(client("dynamodb").list_tables()["TableNames"], [])
client("logs").describe_log_groups()

# Functions have credentials that work, and another way in than TLS, where they need to trust nobody.
code = """
import os
import boto3
def handler(event, context):
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:"), os.environ["AWS_ENDPOINT_URL"]
    return [m["name"] for m in boto3.client("stepfunctions").list_state_machines()["stateMachines"]]
"""
# The first start of a function takes as long as the machine is busy.
patient = Config(read_timeout=240)
created = function("f", code, Timeout=200)
equal(json.load(boto3.client("lambda", config=patient).invoke(FunctionName="f")["Payload"]), ["m"])
# Encoded twice in what is signed.
equal(client("lambda").get_function(FunctionName=created["FunctionArn"])["Configuration"]["FunctionName"], "f")

# Presigned, as curl and browsers would use it.
context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])


def get(address):
    try:
        with urllib.request.urlopen(address, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


presigned = client("lambda").generate_presigned_url("list_functions", Params={"MaxItems": 10}, ExpiresIn=60)
status, body = get(presigned)
equal((status, [f["FunctionName"] for f in json.loads(body)["Functions"]]), (200, ["f"]))
equal(get(presigned.replace("MaxItems=10", "MaxItems=11"))[0], 403)
equal(get(presigned + "0")[0], 403)
status, body = get(client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET"))
assert status == 200 and b"<Account>000000000000</Account>" in body, (status, body)
equal(get(url + "/healthz")[0], 200)
equal(get(url + "/_stepwell/info")[0], 403)

# Each kind of wrong signature, as boto3 tells of it.
wrong = boto3.client("stepfunctions", aws_secret_access_key="x" * 40, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"])
code, message = refusal(wrong.list_state_machines)
equal(code, "InvalidSignatureException")
assert message.startswith("The request signature we calculated does not match"), message
nobody = boto3.client("stepfunctions", aws_access_key_id="AKIANOBODY", aws_secret_access_key="x" * 40)
invalid = ("UnrecognizedClientException", "The security token included in the request is invalid.")
equal(refusal(nobody.list_state_machines), invalid)
session = boto3.client("stepfunctions", aws_session_token="t", aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
                       aws_secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"])
equal(refusal(session.list_state_machines), invalid)
unsigned = boto3.client("stepfunctions", config=Config(signature_version=UNSIGNED))
equal(refusal(unsigned.list_state_machines)[0], "MissingAuthenticationTokenException")
elsewhere = boto3.client("stepfunctions", region_name="eu-west-1")
equal(refusal(elsewhere.list_state_machines)[1], "Credential should be scoped to a valid region, not 'eu-west-1'. ")
for service, call, code in [
    ("dynamodb", "list_tables", "UnrecognizedClientException"),
    ("sqs", "list_queues", "UnrecognizedClientException"),
    ("lambda", "list_functions", "UnrecognizedClientException"),
    ("sts", "get_caller_identity", "InvalidClientTokenId"),
]:
    nobody = boto3.client(service, aws_access_key_id="AKIANOBODY", aws_secret_access_key="x" * 40)
    equal(refusal(getattr(nobody, call))[0], code)

# Another account sees nothing of this one, and has names of its own.
other = dict(aws_access_key_id=os.environ["OTHER_KEY_ID"], aws_secret_access_key=os.environ["OTHER_SECRET"])
equal(boto3.client("sts", **other).get_caller_identity()["Account"], "111111111111")
theirs = boto3.client("stepfunctions", **other)
equal(theirs.list_state_machines()["stateMachines"], [])
equal(refusal(theirs.describe_state_machine, stateMachineArn=arn)[0], "StateMachineDoesNotExist")
definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
role = "arn:aws:iam::111111111111:role/r"
made = theirs.create_state_machine(name="m", definition=definition, roleArn=role)["stateMachineArn"]
equal(made, "arn:aws:states:us-east-1:111111111111:stateMachine:m")
code = "import boto3\ndef handler(event, context): return boto3.client('sts').get_caller_identity()['Account']"
boto3.client("lambda", **other).create_function(
    FunctionName="g", Role=role, Runtime="python3.12", Handler="index.handler", Timeout=200,
    Code={"ZipFile": zipped({"index.py": code})},
)
invoked = boto3.client("lambda", config=patient, **other).invoke(FunctionName="g")
equal(json.load(invoked["Payload"]), "111111111111")
equal([m["stateMachineArn"] for m in states.list_state_machines()["stateMachines"]], [arn])
print("signed, by TLS: right and wrong, presigned, two accounts")
