"""What the scripts share. Clients are made as users make them: without arguments."""

import io
import json
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/r"


def client(service):
    return boto3.client(service)


def zipped(files):
    """A zip archive with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def function(name, code, **settings):
    """A Python function whose module is `code`."""
    settings = {"Runtime": "python3.12", "Handler": "index.handler", "Timeout": 30, **settings}
    return client("lambda").create_function(
        FunctionName=name, Role=ROLE, Code={"ZipFile": zipped({"index.py": code})}, **settings
    )


def machine(name, states, start):
    """A state machine; its ARN."""
    definition = json.dumps({"StartAt": start, "States": states})
    answer = client("stepfunctions").create_state_machine(name=name, definition=definition, roleArn=ROLE)
    return answer["stateMachineArn"]


def ended(execution_arn, patience=60):
    """The description of an execution once it is over."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        described = client("stepfunctions").describe_execution(executionArn=execution_arn)
        if described["status"] != "RUNNING":
            return described
        time.sleep(0.05)
    raise AssertionError(f"{execution_arn} does not end")


def run(machine_arn, value=None):
    """Runs an execution to its end."""
    started = client("stepfunctions").start_execution(
        stateMachineArn=machine_arn, input=json.dumps({} if value is None else value)
    )
    return ended(started["executionArn"])


def refused(call, **arguments):
    """The code of the exception that the call raises."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError(f"{call.__name__} {arguments} is not refused")


def equal(one, other):
    assert one == other, f"{one!r} is not {other!r}"
