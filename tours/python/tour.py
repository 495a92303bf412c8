"""The tour with boto3."""

import json
import pathlib
import time

import boto3

ROLE = "arn:aws:iam::000000000000:role/tour"
STATES = "arn:aws:states:us-east-1:000000000000"
states = boto3.client("stepfunctions")


def short(arn):
    return arn.removeprefix(f"{STATES}:")


def definition(name):
    return pathlib.Path(__file__).parent.with_name("definitions").joinpath(f"{name}.asl.json").read_text()


def machine(name, of, **more):
    return states.create_state_machine(name=name, definition=definition(of), roleArn=ROLE, **more)


def start(arn, name, value):
    return states.start_execution(stateMachineArn=arn, name=name, input=json.dumps(value, separators=(",", ":")))["executionArn"]


def show_tags(arn):
    tags = states.list_tags_for_resource(resourceArn=arn)["tags"]
    print("tags:", *(f"{tag['key']}={tag['value']}" for tag in tags))


def show_end(execution):
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.1)
    details = [found["output"]] if "output" in found else [found["error"], found["cause"]]
    print(f"{found['name']}:", found["status"], *details)
    return found


def show_alias(arn):
    routes = states.describe_state_machine_alias(stateMachineAliasArn=arn)["routingConfiguration"]
    print(short(arn), "routes to", *(f"{short(route['stateMachineVersionArn'])}={route['weight']}" for route in routes))


def take():
    task = states.get_activity_task(activityArn=f"{STATES}:activity:work", workerName="tour")
    print("worker of activity:work took", task["input"])
    return task["taskToken"]


def nested_input(execution):
    while True:
        try:
            return json.loads(states.describe_execution(executionArn=execution)["input"])
        except states.exceptions.ExecutionDoesNotExist:
            time.sleep(0.1)


# A state machine, its tags, an execution and its history.
created = machine("tour", "pass", publish=True, tags=[{"key": "team", "value": "a"}])
tour, first_version = created["stateMachineArn"], created["stateMachineVersionArn"]
print("created", short(tour), "and", short(first_version))
show_tags(tour)
states.tag_resource(resourceArn=tour, tags=[{"key": "team", "value": "b"}, {"key": "env", "value": "dev"}])
show_tags(tour)
states.untag_resource(resourceArn=tour, tagKeys=["team"])
show_tags(tour)
first = start(tour, "first", {})
print("started", short(first))
show_end(first)
history = states.get_execution_history(executionArn=first)["events"]
print("history:", *(event["type"] for event in history))
newest = states.get_execution_history(executionArn=first, reverseOrder=True, maxResults=1)["events"]
print("newest event:", newest[0]["type"])

# A second version, an alias, an execution that is stopped.
updated = states.update_state_machine(stateMachineArn=tour, definition=definition("wait"), publish=True)
second_version = updated["stateMachineVersionArn"]
print("published", short(second_version))
versions = states.list_state_machine_versions(stateMachineArn=tour)["stateMachineVersions"]
print("versions:", *(short(version["stateMachineVersionArn"]) for version in versions))
routes = [{"stateMachineVersionArn": first_version, "weight": 100}]
alias = states.create_state_machine_alias(name="live", routingConfiguration=routes)["stateMachineAliasArn"]
show_alias(alias)
routes = [{"stateMachineVersionArn": second_version, "weight": 100}]
states.update_state_machine_alias(stateMachineAliasArn=alias, routingConfiguration=routes)
show_alias(alias)
second = start(alias, "second", {})
found = states.describe_execution(executionArn=second)
print("started", short(second), "by", short(found["stateMachineAliasArn"]) + ", which is", short(found["stateMachineVersionArn"]))
states.stop_execution(executionArn=second, error="Tour", cause="it has been seen")
show_end(second)
executions = states.list_executions(stateMachineArn=tour)["executions"]
print("executions:", *(f"{execution['name']}={execution['status']}" for execution in executions))

# A worker of an activity: one task succeeds, one fails.
states.create_activity(name="work")
worked = machine("worked", "activity")["stateMachineArn"]
third = start(worked, "third", {"n": 1})
token = take()
states.send_task_heartbeat(taskToken=token)
print("heard its heartbeat")
states.send_task_success(taskToken=token, output='"done"')
show_end(third)
fourth = start(worked, "fourth", {"n": 2})
states.send_task_failure(taskToken=take(), error="Broken", cause="the worker said so")
show_end(fourth)

# A callback: a nested execution is given the task token, and somebody answers.
asked = machine("asked", "wait")["stateMachineArn"]
asks = machine("asks", "callback")["stateMachineArn"]
fifth = start(asks, "fifth", {})
question = f"{STATES}:execution:asked:question"
token = nested_input(question)["token"]
print("fifth waits for the token of", short(question))
states.send_task_success(taskToken=token, output='{"approved":true}')
show_end(fifth)
states.stop_execution(executionArn=question)

# An Express state machine, to its end in one call.
express = machine("express", "pass", type="EXPRESS")["stateMachineArn"]
found = states.start_sync_execution(stateMachineArn=express, input="{}")
print("express:", found["status"], found["output"])

# A mistake, and the end.
try:
    states.start_execution(stateMachineArn=f"{STATES}:stateMachine:missing")
except states.exceptions.StateMachineDoesNotExist as error:
    print("refused:", error.response["Error"]["Code"])
states.delete_state_machine_alias(stateMachineAliasArn=alias)
states.delete_state_machine_version(stateMachineVersionArn=first_version)
for arn in (tour, worked, asked, asks, express):
    states.delete_state_machine(stateMachineArn=arn)
states.delete_activity(activityArn=f"{STATES}:activity:work")
while left := states.list_state_machines()["stateMachines"]:
    time.sleep(0.1)
print("machines left:", len(left))
