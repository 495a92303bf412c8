"""A tour of Step Functions with an unmodified boto3: what a user's script does, and what a mistaken one gets."""

import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/r"
PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": {"a": 1}, "End": True}}})
WAIT = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}})

options = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "x", "endpoint_url": sys.argv[1]}
states = boto3.client("stepfunctions", **options)
unchecked = boto3.client("stepfunctions", config=Config(parameter_validation=False, retries={"max_attempts": 0}), **options)


def refused(code, message, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response
        assert found["Error"]["Code"] == code, found
        assert message in found["Error"]["Message"], found
        assert found["ResponseMetadata"]["HTTPStatusCode"] == 400, found
        assert found["ResponseMetadata"]["RequestId"], found
        return found
    raise AssertionError(f"{call} was not refused with {code}")


def closed(arn):
    for _ in range(3000):
        found = states.describe_execution(executionArn=arn)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.01)
    raise AssertionError(f"{arn} does not end")


sts = boto3.client("sts", **options)
assert sts.get_caller_identity()["Account"] == "000000000000"

created = states.create_state_machine(name="tour", definition=PASS, roleArn=ROLE, tags=[{"key": "k", "value": "v"}])
machine = created["stateMachineArn"]
assert states.create_state_machine(name="tour", definition=PASS, roleArn=ROLE)["creationDate"] == created["creationDate"]
described = states.describe_state_machine(stateMachineArn=machine)
assert described["definition"] == PASS and described["creationDate"] == created["creationDate"], described
assert states.list_tags_for_resource(resourceArn=machine)["tags"] == [{"key": "k", "value": "v"}]
states.tag_resource(resourceArn=machine, tags=[{"key": "k", "value": "w"}, {"key": "l", "value": ""}])
states.untag_resource(resourceArn=machine, tagKeys=["l"])
assert states.list_tags_for_resource(resourceArn=machine)["tags"] == [{"key": "k", "value": "w"}]

started = states.start_execution(stateMachineArn=machine, name="first", input='{"x": "\u00e4\U0001f600"}')
found = closed(started["executionArn"])
assert found["status"] == "SUCCEEDED" and json.loads(found["output"]) == {"a": 1}, found
assert found["input"] == '{"x": "\u00e4\U0001f600"}' and found["startDate"] == started["startDate"], found
events = [event["type"] for event in states.get_execution_history(executionArn=started["executionArn"])["events"]]
assert events == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"], events
for number in range(12):
    closed(states.start_execution(stateMachineArn=machine, name=f"n{number}")["executionArn"])
pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, PaginationConfig={"PageSize": 5})
names = [execution["name"] for page in pages for execution in page["executions"]]
assert names == [f"n{number}" for number in reversed(range(12))] + ["first"], names
pages = states.get_paginator("get_execution_history").paginate(
    executionArn=started["executionArn"], reverseOrder=True, PaginationConfig={"PageSize": 1}
)
assert [event["id"] for page in pages for event in page["events"]] == [4, 3, 2, 1]
pages = states.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 1})
assert [item["name"] for page in pages for item in page["stateMachines"]] == ["tour"]

updated = states.update_state_machine(stateMachineArn=machine, definition=WAIT)
assert states.describe_state_machine(stateMachineArn=machine)["revisionId"] == updated["revisionId"]
waiting = states.start_execution(stateMachineArn=machine)["executionArn"]
used = states.describe_state_machine_for_execution(executionArn=waiting)
assert used["definition"] == WAIT and used["revisionId"] == updated["revisionId"], used
old = states.describe_state_machine_for_execution(executionArn=started["executionArn"])
assert old["definition"] == PASS and "revisionId" not in old, old
stopped = states.stop_execution(executionArn=waiting, error="E", cause="C")
found = closed(waiting)
assert (found["status"], found["error"], found["cause"]) == ("ABORTED", "E", "C"), found
assert found["stopDate"] == stopped["stopDate"], found
checked = states.validate_state_machine_definition(definition="not a definition")
assert checked["result"] == "FAIL" and checked["diagnostics"][0]["code"] == "INVALID_JSON_DESCRIPTION", checked

activity = states.create_activity(name="work", tags=[{"key": "k", "value": "v"}])["activityArn"]
assert [item["name"] for item in states.list_activities()["activities"]] == ["work"]
assert states.list_tags_for_resource(resourceArn=activity)["tags"] == [{"key": "k", "value": "v"}]
worked = json.dumps({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": activity, "End": True}}})
worked = states.create_state_machine(name="worked", definition=worked, roleArn=ROLE, publish=True, versionDescription="first")
version = worked["stateMachineVersionArn"]
assert states.describe_state_machine(stateMachineArn=version)["description"] == "first"
alias = states.create_state_machine_alias(
    name="live", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
)["stateMachineAliasArn"]
states.update_state_machine_alias(stateMachineAliasArn=alias, description="d")
assert states.describe_state_machine_alias(stateMachineAliasArn=alias)["description"] == "d"
for answer in ("send_task_success", "send_task_failure"):
    running = states.start_execution(stateMachineArn=alias, input='{"n": 1}')["executionArn"]
    task = states.get_activity_task(activityArn=activity, workerName="w")
    assert task["input"] == '{"n": 1}', task
    states.send_task_heartbeat(taskToken=task["taskToken"])
    if answer == "send_task_success":
        states.send_task_success(taskToken=task["taskToken"], output='"done"')
        assert closed(running)["output"] == '"done"'
    else:
        states.send_task_failure(taskToken=task["taskToken"], error="E", cause="C")
        assert closed(running)["error"] == "E"
    found = states.describe_execution(executionArn=running)
    assert (found["stateMachineAliasArn"], found["stateMachineVersionArn"]) == (alias, version), found
    refused("TaskTimedOut", "Provided task does not exist anymore", states.send_task_heartbeat, taskToken=task["taskToken"])
assert len(states.list_executions(stateMachineArn=alias)["executions"]) == 2
assert [item["stateMachineAliasArn"] for item in states.list_state_machine_aliases(stateMachineArn=version)["stateMachineAliases"]] == [alias]
assert [item["stateMachineVersionArn"] for item in states.list_state_machine_versions(stateMachineArn=worked["stateMachineArn"])["stateMachineVersions"]] == [version]
refused("ConflictException", "[live]", states.delete_state_machine_version, stateMachineVersionArn=version)
states.delete_state_machine_alias(stateMachineAliasArn=alias)
states.delete_state_machine_version(stateMachineVersionArn=version)
refused("StateMachineDoesNotExist", version, states.start_execution, stateMachineArn=version)
states.delete_activity(activityArn=activity)
refused("ActivityDoesNotExist", activity, states.describe_activity, activityArn=activity)
states.delete_state_machine(stateMachineArn=worked["stateMachineArn"])

# The SDK would put `sync-` before the host, which here is an address.
direct = boto3.client("stepfunctions", config=Config(inject_host_prefix=False), **options)
tested = direct.test_state(
    definition=json.dumps({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"},
        "Retry": [{"ErrorEquals": ["E"], "IntervalSeconds": 3}], "End": True}),
    mock={"errorOutput": {"error": "E", "cause": "C"}}, inspectionLevel="DEBUG",
)
assert (tested["status"], tested["error"]) == ("RETRIABLE", "E"), tested
assert tested["inspectionData"]["errorDetails"] == {"retryIndex": 0, "retryBackoffIntervalSeconds": 3}, tested

logs = boto3.client("logs", **options)
logs.create_log_group(logGroupName="/tour")
group = logs.describe_log_groups(logGroupNamePrefix="/tour")["logGroups"][0]["arn"]
logged = states.create_state_machine(
    name="logged", definition=PASS, roleArn=ROLE,
    loggingConfiguration={"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]},
)["stateMachineArn"]
closed(states.start_execution(stateMachineArn=logged, input='{"secret": 1}')["executionArn"])
pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/tour", PaginationConfig={"PageSize": 3})
records = [json.loads(event["message"]) for page in pages for event in page["events"]]
assert [record["type"] for record in records] == events, records
assert "secret" not in json.dumps(records), records
refused("InvalidLoggingConfiguration", "Log Destination not found.", states.update_state_machine, stateMachineArn=logged,
    loggingConfiguration={"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group.replace("tour", "x")}}]})
states.delete_state_machine(stateMachineArn=logged)

absent = machine + "x"
refused("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{absent}'", states.start_execution, stateMachineArn=absent)
refused("StateMachineAlreadyExists", machine, states.create_state_machine, name="tour", definition=PASS, roleArn=ROLE)
refused("InvalidName", "Invalid Name: 'a b'", states.create_state_machine, name="a b", definition=PASS, roleArn=ROLE)
refused("ValidationException", "3 validation errors detected: ", unchecked.create_state_machine)
refused("ValidationException", "less than or equal to 1000", unchecked.list_executions, stateMachineArn=machine, maxResults=1001)
refused("SerializationException", "NUMBER_VALUE", unchecked.list_executions, stateMachineArn=5)
refused("InvalidToken", "Invalid Token: 'Invalid token'", states.list_state_machines, nextToken="nonsense")
redriven = states.redrive_execution(executionArn=waiting, clientToken="once")
assert states.redrive_execution(executionArn=waiting, clientToken="once")["redriveDate"] == redriven["redriveDate"]
described = states.describe_execution(executionArn=waiting)
assert (described["status"], described["redriveCount"], described["redriveDate"]) == ("RUNNING", 1, redriven["redriveDate"]), described
refused("ExecutionNotRedrivable", "Execution is RUNNING and cannot be redriven", states.redrive_execution, executionArn=waiting)
assert isinstance(
    refused("ResourceNotFound", "Resource not found", states.tag_resource, resourceArn=absent, tags=[])["resourceName"], str
)
try:
    states.describe_execution(executionArn="nothing")
    raise AssertionError("was not refused")
except states.exceptions.InvalidArn as error:
    assert error.response["Error"]["Message"] == "Invalid Arn: 'Invalid ARN prefix: nothing'", error.response

states.delete_state_machine(stateMachineArn=machine)
assert states.list_state_machines()["stateMachines"] == []
print("the tour is complete")
