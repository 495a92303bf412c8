"""One life of everything that Step Functions has, told with every operation and every member of its requests.

`model.py` holds the answers against the model and sees to it that no operation and no member is forgotten.
"""

import http.server
import json
import threading
import time

import boto3

ROLE = "arn:aws:iam::000000000000:role/r"
PASS = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
FAIL = json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "C"}}})
WAIT = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}})
VARIABLES = json.dumps({"StartAt": "A", "QueryLanguage": "JSONata", "States": {
    "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "B"}, "B": {"Type": "Pass", "Output": "{% $x %}", "End": True}}})
KEY = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "arn:aws:kms:us-east-1:000000000000:key/k", "kmsDataKeyReusePeriodSeconds": 60}
TAGS = [{"key": "k", "value": "v"}]

# What the model does not require and the operation does.
ALSO_NEEDED = {
    "ListExecutions": {"stateMachineArn"},
    "UpdateStateMachine": {"definition"},
    "UpdateStateMachineAlias": {"description"},
}


def eventually(look, patience=60):
    """What `look` gives once it gives something."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it does not happen")


def ended(ok, execution):
    def look():
        described = ok("DescribeExecution", executionArn=execution)
        return described if described["status"] != "RUNNING" else None

    return eventually(look)


def send(ok):
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="/valid")
    group = logs.describe_log_groups(logGroupNamePrefix="/valid")["logGroups"][0]["arn"]
    logging = {
        "level": "ALL", "includeExecutionData": True, "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}],
    }
    live = machines(ok, logging)
    executions(ok, live)
    activities(ok)
    definitions(ok)
    redrive(ok)
    express(ok)
    map_runs(ok)


def machines(ok, logging):
    """State machines with versions and aliases; gives the ARN of an alias."""
    plain = ok("CreateStateMachine", name="plain", definition=PASS, roleArn=ROLE)["stateMachineArn"]
    full = {"name": "full", "definition": PASS, "roleArn": ROLE, "type": "STANDARD", "tags": TAGS, "publish": True}
    full |= {"versionDescription": "d", "loggingConfiguration": logging, "tracingConfiguration": {"enabled": True}}
    created = ok("CreateStateMachine", **full, encryptionConfiguration=KEY)
    machine, version = created["stateMachineArn"], created["stateMachineVersionArn"]
    ok("DescribeStateMachine", stateMachineArn=machine)
    ok("UpdateStateMachine", stateMachineArn=plain, definition=FAIL)
    change = {"stateMachineArn": machine, "definition": VARIABLES, "roleArn": ROLE + "2", "versionDescription": "d2"}
    change |= {"loggingConfiguration": {**logging, "level": "ERROR"}, "tracingConfiguration": {"enabled": False}}
    updated = ok("UpdateStateMachine", **change, publish=True, encryptionConfiguration={**KEY, "kmsDataKeyReusePeriodSeconds": 900})
    ok("DescribeStateMachine", stateMachineArn=machine, includedData="METADATA_ONLY")
    for arn in (machine, version):
        ok("DescribeStateMachine", stateMachineArn=arn, includedData="ALL_DATA")
    ok("PublishStateMachineVersion", stateMachineArn=plain)
    published = ok("PublishStateMachineVersion", stateMachineArn=machine, revisionId=updated["revisionId"], description="d2")

    routing = [{"stateMachineVersionArn": version, "weight": 0}, {"stateMachineVersionArn": published["stateMachineVersionArn"], "weight": 100}]
    live = ok("CreateStateMachineAlias", name="live", routingConfiguration=routing, description="d")["stateMachineAliasArn"]
    bare = ok("CreateStateMachineAlias", name="bare", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}])
    ok("UpdateStateMachineAlias", stateMachineAliasArn=live, description="e")
    ok("UpdateStateMachineAlias", stateMachineAliasArn=live, description="f", routingConfiguration=routing[::-1])
    ok("DescribeStateMachineAlias", stateMachineAliasArn=live)
    for operation in ("ListStateMachineAliases", "ListStateMachineVersions"):
        ok(operation, stateMachineArn=machine)
        first = ok(operation, stateMachineArn=machine, maxResults=1)
        ok(operation, stateMachineArn=machine, maxResults=1, nextToken=first["nextToken"])
    ok("ListStateMachines")
    first = ok("ListStateMachines", maxResults=1)
    ok("ListStateMachines", maxResults=1000, nextToken=first["nextToken"])

    ok("TagResource", resourceArn=machine, tags=[{"key": "k", "value": "w"}, {"key": "l", "value": ""}])
    ok("UntagResource", resourceArn=machine, tagKeys=["l"])
    assert ok("ListTagsForResource", resourceArn=machine)["tags"] == [{"key": "k", "value": "w"}]
    ok("DeleteStateMachineAlias", stateMachineAliasArn=bare["stateMachineAliasArn"])
    last = ok("PublishStateMachineVersion", stateMachineArn=plain)["stateMachineVersionArn"]
    ok("DeleteStateMachineVersion", stateMachineVersionArn=last)
    ok("DeleteStateMachine", stateMachineArn=plain)
    return live


def executions(ok, live):
    machine = live.rpartition(":")[0]
    ok("StartExecution", stateMachineArn=machine)
    execution = ok("StartExecution", stateMachineArn=live, name="full", input='{"a": 1}', traceHeader="t")["executionArn"]
    ended(ok, execution)
    for included in ("ALL_DATA", "METADATA_ONLY"):
        ok("DescribeExecution", executionArn=execution, includedData=included)
        ok("DescribeStateMachineForExecution", executionArn=execution, includedData=included)
    ok("DescribeStateMachineForExecution", executionArn=execution)
    ok("GetExecutionHistory", executionArn=execution)
    history = {"executionArn": execution, "maxResults": 2, "reverseOrder": True, "includeExecutionData": False}
    first = ok("GetExecutionHistory", **history)
    ok("GetExecutionHistory", **history, nextToken=first["nextToken"])
    ok("ListExecutions", stateMachineArn=machine)
    listing = {"stateMachineArn": machine, "statusFilter": "SUCCEEDED", "redriveFilter": "NOT_REDRIVEN", "maxResults": 1}
    first = eventually(lambda: (page := ok("ListExecutions", **listing)).get("nextToken") and page)
    ok("ListExecutions", **listing, nextToken=first["nextToken"])


def redrive(ok):
    waits = ok("CreateStateMachine", name="waits", definition=WAIT, roleArn=ROLE)["stateMachineArn"]
    stopped = ok("StartExecution", stateMachineArn=waits)["executionArn"]
    ok("StopExecution", executionArn=stopped, error="E", cause="C")
    ok("RedriveExecution", executionArn=stopped, clientToken="token")
    ok("StopExecution", executionArn=stopped)
    ok("RedriveExecution", executionArn=stopped)
    ok("DescribeExecution", executionArn=stopped)
    ok("ListExecutions", stateMachineArn=waits, redriveFilter="REDRIVEN")
    ok("StopExecution", executionArn=stopped)


def activities(ok):
    ok("CreateActivity", name="bare")
    activity = ok("CreateActivity", name="full", tags=TAGS, encryptionConfiguration=KEY)["activityArn"]
    ok("DescribeActivity", activityArn=activity)
    ok("ListActivities")
    first = ok("ListActivities", maxResults=1)
    ok("ListActivities", maxResults=1, nextToken=first["nextToken"])
    works = json.dumps({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": activity, "End": True}}})
    machine = ok("CreateStateMachine", name="works", definition=works, roleArn=ROLE)["stateMachineArn"]
    answers = [
        ("SendTaskSuccess", {"output": "{}"}),
        ("SendTaskFailure", {}),
        ("SendTaskFailure", {"error": "E", "cause": "C"}),
    ]
    for number, (operation, answer) in enumerate(answers):
        execution = ok("StartExecution", stateMachineArn=machine)["executionArn"]
        task = ok("GetActivityTask", activityArn=activity, **({"workerName": "w"} if number else {}))
        ok("SendTaskHeartbeat", taskToken=task["taskToken"])
        ok(operation, taskToken=task["taskToken"], **answer)
        ended(ok, execution)
    ok("DeleteActivity", activityArn=activity)


def express(ok):
    new = {"definition": PASS, "roleArn": ROLE, "type": "EXPRESS"}
    machine = ok("CreateStateMachine", name="express", **new)["stateMachineArn"]
    ok("StartExecution", stateMachineArn=machine)
    ok("StartSyncExecution", stateMachineArn=machine)
    full = {"stateMachineArn": machine, "name": "full", "input": '{"a": 1}', "traceHeader": "t"}
    for included in ("ALL_DATA", "METADATA_ONLY"):
        ok("StartSyncExecution", **full, includedData=included)
    fails = ok("CreateStateMachine", name="express-fails", **{**new, "definition": FAIL})["stateMachineArn"]
    ok("StartSyncExecution", stateMachineArn=fails)


def map_runs(ok):
    def distributed(item, **settings):
        processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": item}}
        states = {"M": {"Type": "Map", "Label": "L", "ItemProcessor": processor, "End": True, **settings}}
        return json.dumps({"StartAt": "M", "States": {**states}})

    definition = distributed({"Type": "Wait", "Seconds": 3600, "End": True}, MaxConcurrency=1)
    machine = ok("CreateStateMachine", name="maps", definition=definition, roleArn=ROLE)["stateMachineArn"]
    ok("DescribeStateMachine", stateMachineArn=f"{machine}/L")
    execution = ok("StartExecution", stateMachineArn=machine, input="[1, 2]")["executionArn"]
    run = eventually(lambda: ok("ListMapRuns", executionArn=execution)["mapRuns"])[0]["mapRunArn"]
    ok("DescribeMapRun", mapRunArn=run)
    ok("UpdateMapRun", mapRunArn=run)
    ok("UpdateMapRun", mapRunArn=run, maxConcurrency=2, toleratedFailurePercentage=1.5, toleratedFailureCount=1)
    child = eventually(lambda: ok("ListExecutions", mapRunArn=run)["executions"])[0]["executionArn"]
    ok("DescribeExecution", executionArn=child)
    ok("DescribeStateMachineForExecution", executionArn=child)
    ok("StopExecution", executionArn=execution)
    eventually(lambda: "stopDate" in ok("DescribeMapRun", mapRunArn=run))
    ok("RedriveExecution", executionArn=execution)
    eventually(lambda: "redriveDate" in ok("DescribeMapRun", mapRunArn=run))
    ok("StopExecution", executionArn=execution)

    twice = json.loads(distributed({"Type": "Pass", "End": True}))
    states = twice["States"]
    states["N"] = json.loads(json.dumps(states["M"]).replace('"I"', '"J"').replace('"L"', '"K"'))
    states["M"] = {**{k: v for k, v in states["M"].items() if k != "End"}, "Next": "N"}
    machine = ok("CreateStateMachine", name="maps-twice", definition=json.dumps(twice), roleArn=ROLE)["stateMachineArn"]
    execution = ok("StartExecution", stateMachineArn=machine, input="[1]")["executionArn"]
    ended(ok, execution)
    first = ok("ListMapRuns", executionArn=execution, maxResults=1)
    rest = ok("ListMapRuns", executionArn=execution, maxResults=1, nextToken=first["nextToken"])
    for listed in first["mapRuns"] + rest["mapRuns"]:
        ok("DescribeMapRun", mapRunArn=listed["mapRunArn"])


def definitions(ok):
    """What is tried and checked without being made."""
    ok("ValidateStateMachineDefinition", definition=PASS)
    wrong = json.dumps({"StartAt": "X", "States": {"A": {"Type": "Pass", "End": True}, "B": {"Type": "Pass", "Next": "Y"}}})
    for kind in ("STANDARD", "EXPRESS"):
        ok("ValidateStateMachineDefinition", definition=wrong, type=kind, severity="WARNING", maxResults=1)
    state = {"Type": "Pass", "Result": {"a": 1}, "Next": "N"}
    ok("TestState", definition=json.dumps(state))
    ok("TestState", definition=json.dumps(state), inspectionLevel="TRACE", revealSecrets=True, roleArn=ROLE)
    catch = [{"ErrorEquals": ["E"], "Next": "N"}]
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "Next": "N"}
    task |= {"ResultSelector": {"p.$": "$.Payload"}, "ResultPath": "$.r", "Assign": {"y.$": "$.p"}}
    answers = [
        {"result": '{"Payload": 1, "StatusCode": 200}', "fieldValidationMode": "STRICT"},
        {"errorOutput": {"error": "E", "cause": "C"}},
    ]
    for answer in answers:
        for more in ({"Catch": catch}, {"Retry": [{"ErrorEquals": ["E"]}]}):
            definition = {"StartAt": "T", "States": {"T": {**task, **more}, "N": {"Type": "Succeed"}}}
            ok(
                "TestState", definition=json.dumps(definition), stateName="T", input='{"i": 1}', mock=answer,
                variables='{"x": 1}', context='{"Execution": {"Name": "n"}}', inspectionLevel="DEBUG",
                stateConfiguration={"retrierRetryCount": 1},
            )
    queries = {"Type": "Task", "QueryLanguage": "JSONata", "Resource": task["Resource"], "Arguments": task["Parameters"]}
    ok("TestState", definition=json.dumps({**queries, "End": True}), inspectionLevel="DEBUG", mock=answers[0])
    item = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSON", "ItemsPointer": "/items"}, "Parameters": {"Bucket": "b", "Key": "k"}}
    settings = {"ItemBatcher": {"MaxItemsPerBatch": 2}, "ItemSelector": {"v.$": "$$.Map.Item.Value"}, "ItemReader": reader}
    settings |= {"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 50, "MaxConcurrency": 3}
    for more in (settings, {"ItemsPath": "$.items"}):
        definition = {"Type": "Map", "ItemProcessor": {"ProcessorConfig": config, **item}, "End": True, **more}
        configuration = {"mapIterationFailureCount": 0, "errorCausedByState": "I"}
        if "ItemReader" in more:
            configuration["mapItemReaderData"] = '{"items": [1, 2, 3]}'
        ok(
            "TestState", definition=json.dumps(definition), input='{"items": [1, 2]}', inspectionLevel="DEBUG",
            mock={"result": "[1, 2]"}, stateConfiguration=configuration,
        )
    ok(
        "TestState", definition=json.dumps({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input %}", "End": True}),
        inspectionLevel="DEBUG",
    )
    http_task(ok)


class Pets(http.server.BaseHTTPRequestHandler):
    """What an HTTP task calls."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"id": 1}'
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def http_task(ok):
    """A trace has the request and its response; the connection's key only on demand."""
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "the-key"}}
    connection = boto3.client("events").create_connection(Name="pets", AuthorizationType="API_KEY", AuthParameters=key)
    with http.server.HTTPServer(("127.0.0.1", 0), Pets) as pets:
        threading.Thread(target=pets.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{pets.server_port}/pets"
        task = {"Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": True, "Parameters": {
            "ApiEndpoint": url, "Method": "POST", "RequestBody": {"name": "x"},
            "Authentication": {"ConnectionArn": connection["ConnectionArn"]}}}
        for reveals in (False, True):
            tested = ok("TestState", definition=json.dumps(task), roleArn=ROLE, inspectionLevel="TRACE", revealSecrets=reveals)
            request, response = (tested["inspectionData"][name] for name in ("request", "response"))
            assert ("X-Key: the-key" in request["headers"]) == reveals, request
            assert (request["url"], request["body"]) == (url, '{"name":"x"}'), request
            assert (response["statusCode"], response["statusMessage"], response["body"]) == ("201", "Created", '{"id": 1}'), response
        pets.shutdown()
