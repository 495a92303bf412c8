"""The life of a state machine and its executions."""

import json

from support import ROLE, client, ended, equal, machine, refused, run

states = client("stepfunctions")

arn = machine("m", {"A": {"Type": "Pass", "Result": {"n": 1}, "ResultPath": "$.a", "End": True}}, "A")
equal(arn, "arn:aws:states:us-east-1:000000000000:stateMachine:m")
described = states.describe_state_machine(stateMachineArn=arn)
equal((described["name"], described["status"], described["type"]), ("m", "ACTIVE", "STANDARD"))
equal([m["name"] for m in states.list_state_machines()["stateMachines"]], ["m"])

# The same again is no new one; another definition under the same name is refused.
equal(states.create_state_machine(name="m", definition=described["definition"], roleArn=ROLE)["stateMachineArn"], arn)
other = json.dumps({"StartAt": "B", "States": {"B": {"Type": "Succeed"}}})
equal(refused(states.create_state_machine, name="m", definition=other, roleArn=ROLE), "StateMachineAlreadyExists")

first = run(arn, {"x": True})
equal((first["status"], json.loads(first["output"])), ("SUCCEEDED", {"x": True, "a": {"n": 1}}))
history = states.get_execution_history(executionArn=first["executionArn"])["events"]
equal([e["type"] for e in history], ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"])
equal([e["id"] for e in history], [1, 2, 3, 4])
equal([e.get("previousEventId", 0) for e in history], [0, 0, 2, 3])
newest = states.get_execution_history(executionArn=first["executionArn"], reverseOrder=True, maxResults=1)
equal((newest["events"][0]["id"], "nextToken" in newest), (4, True))

# A name is an execution's for good; asked again while it runs, the answer is the same.
waits = machine("w", {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}, "W")
started = states.start_execution(stateMachineArn=waits, name="once", input="{}")
again = states.start_execution(stateMachineArn=waits, name="once", input="{}")
equal((again["executionArn"], again["startDate"]), (started["executionArn"], started["startDate"]))
equal(
    refused(states.start_execution, stateMachineArn=waits, name="once", input='{"other":1}'), "ExecutionAlreadyExists"
)
states.stop_execution(executionArn=started["executionArn"], error="E", cause="C")
stopped = ended(started["executionArn"])
equal((stopped["status"], stopped["error"], stopped["cause"]), ("ABORTED", "E", "C"))
equal(refused(states.start_execution, stateMachineArn=waits, name="once", input="{}"), "ExecutionAlreadyExists")

# Pages.
for number in range(5):
    states.start_execution(stateMachineArn=arn, name=f"page{number}")
pages = states.get_paginator("list_executions").paginate(
    stateMachineArn=arn, PaginationConfig={"PageSize": 2}
)
names = [e["name"] for page in pages for e in page["executions"]]
equal(len(names), 6)
equal(sorted(n for n in names if n.startswith("page")), [f"page{number}" for number in range(5)])

# An update is what later executions run.
states.update_state_machine(stateMachineArn=arn, definition=other)
equal(json.loads(run(arn, {"y": 2})["output"]), {"y": 2})
equal(states.describe_state_machine_for_execution(executionArn=first["executionArn"])["definition"], described["definition"])

# Tags.
states.tag_resource(resourceArn=arn, tags=[{"key": "k", "value": "v"}])
equal(states.list_tags_for_resource(resourceArn=arn)["tags"], [{"key": "k", "value": "v"}])
states.untag_resource(resourceArn=arn, tagKeys=["k"])
equal(states.list_tags_for_resource(resourceArn=arn)["tags"], [])

# A check without a machine.
checked = states.validate_state_machine_definition(definition='{"StartAt":"X","States":{}}')
equal(checked["result"], "FAIL")
assert checked["diagnostics"]

states.delete_state_machine(stateMachineArn=arn)
