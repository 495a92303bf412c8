"""Functions that raise, hang, exit, and print without end: a clear error each time, and the server goes on."""

import json
import time

from support import client, equal, function, machine, run

functions = client("lambda")


def task(name, **settings):
    resource = "arn:aws:states:::lambda:invoke"
    state = {"Type": "Task", "Resource": resource, "Parameters": {"FunctionName": name}, "End": True, **settings}
    return run(machine(name, {"T": state}, "T"))


function("raises", "def handler(event, context):\n    raise ValueError('no good')\n")
answer = functions.invoke(FunctionName="raises")
equal(answer["FunctionError"], "Unhandled")
error = json.load(answer["Payload"])
equal((error["errorType"], error["errorMessage"]), ("ValueError", "no good"))
ended = task("raises")
equal((ended["status"], ended["error"]), ("FAILED", "ValueError"))
equal(json.loads(ended["cause"])["errorMessage"], "no good")

function("hangs", "import time\ndef handler(event, context):\n    time.sleep(600)\n", Timeout=1)
began = time.monotonic()
ended = task("hangs")
equal(ended["status"], "FAILED")
assert "timed out" in ended["cause"], ended
assert time.monotonic() - began < 30
# The state's own time, shorter than the function's.
function("slow", "import time\ndef handler(event, context):\n    time.sleep(600)\n", Timeout=60)
equal(task("slow", TimeoutSeconds=1)["error"], "States.Timeout")

function("exits", "import os\ndef handler(event, context):\n    os._exit(3)\n")
ended = task("exits")
equal(ended["status"], "FAILED")
assert ended["error"], ended

function("prints", "def handler(event, context):\n    for _ in range(5000): print('x' * 1000)\n    return 'done'\n")
equal(json.loads(task("prints")["output"])["Payload"], "done")

function("broken", "def handler(event, context:\n")
ended = task("broken")
equal(ended["status"], "FAILED")
assert "SyntaxError" in ended["error"] + ended["cause"], ended

function("nameless", "x = 1\n")
ended = task("nameless")
equal((ended["status"], ended["error"]), ("FAILED", "Runtime.HandlerNotFound"))

function("large", "def handler(event, context):\n    return 'x' * 300000\n")
equal(task("large")["error"], "States.DataLimitExceeded")

# All of them are still there to be caught and retried.
catch = [{"ErrorEquals": ["ValueError"], "ResultPath": "$.error", "Next": "Caught"}]
resource = "arn:aws:states:::lambda:invoke"
retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
first = {"Type": "Task", "Resource": resource, "Parameters": {"FunctionName": "raises"}, "Next": "Caught"}
states = {"T": {**first, "Retry": retry, "Catch": catch}, "Caught": {"Type": "Pass", "End": True}}
ended = run(machine("catches", states, "T"))
equal((ended["status"], json.loads(ended["output"])["error"]["Error"]), ("SUCCEEDED", "ValueError"))
history = client("stepfunctions").get_execution_history(executionArn=ended["executionArn"])["events"]
equal(sum(1 for event in history if event["type"] == "TaskFailed"), 2)
