"""Requests that are wrong: a clear error each time, and the server goes on."""

import json
import os
import urllib.error
import urllib.request

from support import ROLE, client, equal, machine, refused, run

states = client("stepfunctions")
functions = client("lambda")
ok = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
account = "us-east-1:000000000000"

equal(refused(states.create_state_machine, name="m", definition="{", roleArn=ROLE), "InvalidDefinition")
equal(refused(states.create_state_machine, name="m", definition="{}", roleArn=ROLE), "InvalidDefinition")
equal(refused(states.create_state_machine, name="a b", definition=ok, roleArn=ROLE), "InvalidName")
equal(refused(states.describe_state_machine, stateMachineArn="nonsense"), "InvalidArn")
missing = f"arn:aws:states:{account}:stateMachine:missing"
equal(refused(states.describe_state_machine, stateMachineArn=missing), "StateMachineDoesNotExist")
equal(refused(states.start_execution, stateMachineArn=missing), "StateMachineDoesNotExist")
equal(refused(states.update_state_machine, stateMachineArn=missing, definition=ok), "StateMachineDoesNotExist")
states.delete_state_machine(stateMachineArn=missing)  # As on AWS, that is no error.
execution = f"arn:aws:states:{account}:execution:m:missing"
equal(refused(states.describe_execution, executionArn=execution), "ExecutionDoesNotExist")
equal(refused(states.get_execution_history, executionArn=execution), "ExecutionDoesNotExist")
equal(refused(states.stop_execution, executionArn=execution), "ExecutionDoesNotExist")

arn = machine("m", {"A": {"Type": "Pass", "End": True}}, "A")
equal(refused(states.start_execution, stateMachineArn=arn, input="{"), "InvalidExecutionInput")
equal(refused(states.start_execution, stateMachineArn=arn, name="a/b"), "InvalidName")
equal(refused(states.list_executions, stateMachineArn=arn, nextToken="nonsense"), "InvalidToken")

equal(refused(functions.invoke, FunctionName="missing"), "ResourceNotFoundException")
arguments = {"FunctionName": "f", "Role": ROLE, "Runtime": "python3.12", "Handler": "index.handler"}
equal(refused(functions.create_function, Code={"ZipFile": b"no zip"}, **arguments), "InvalidParameterValueException")
task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
task["Parameters"] = {"FunctionName": "missing"}
equal(run(machine("t", {"T": task}, "T"))["error"], "Lambda.ResourceNotFoundException")


def raw(body, target="AWSStepFunctions.ListStateMachines", path="/", method="POST"):
    """Status and body of a request that no SDK would send."""
    headers = {"Content-Type": "application/x-amz-json-1.0"}
    if target:
        headers["X-Amz-Target"] = target
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


for body in [b"{", b"", b"[]", b"null", b"\xff\xfe", b"{" * 100_000, b'{"maxResults":"many"}', b"x" * 20_000_000]:
    status, _ = raw(body)
    assert status in (200, 400, 413), (body[:20], status)
status, body = raw(b"{}", target="AWSStepFunctions.Nonsense")
equal((status, json.loads(body)["__type"].split("#")[-1]), (400, "UnknownOperationException"))
for target, path, method in [
    ("Nonsense", "/", "POST"),
    (None, "/", "POST"),
    (None, "/nowhere", "GET"),
    (None, "/2015-03-31/functions/f/nowhere", "POST"),
    (None, "/2015-03-31/functions/%ff", "GET"),
    (None, "/_stepwell/nowhere", "GET"),
]:
    status, body = raw(b"{}" if method == "POST" else None, target, path, method)
    assert 400 <= status < 500, (target, path, status)
    assert json.loads(body), (target, path, body)
equal(raw(b'{"unknown": 1}')[0], 200)
