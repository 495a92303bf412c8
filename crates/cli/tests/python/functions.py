"""The life of a Lambda function, and how state machines call it."""

import json

from support import client, equal, function, machine, refused, run, zipped

functions = client("lambda")

code = """
import os
def handler(event, context):
    return {"got": event, "name": context.function_name, "region": os.environ["AWS_REGION"], "VALUE": os.environ.get("VALUE")}
"""
created = function("f", code, Environment={"Variables": {"VALUE": "1"}})
arn = created["FunctionArn"]
equal(arn, "arn:aws:lambda:us-east-1:000000000000:function:f")
functions.get_waiter("function_active_v2").wait(FunctionName="f")
equal(functions.get_function(FunctionName="f")["Configuration"]["Handler"], "index.handler")
equal([f["FunctionName"] for f in functions.list_functions()["Functions"]], ["f"])

answer = functions.invoke(FunctionName="f", Payload=b'{"x": 1}')
equal(answer["StatusCode"], 200)
equal(json.load(answer["Payload"]), {"got": {"x": 1}, "name": "f", "region": "us-east-1", "VALUE": "1"})
equal(functions.invoke(FunctionName="f", InvocationType="Event", Payload=b"{}")["StatusCode"], 202)

functions.update_function_configuration(FunctionName="f", Environment={"Variables": {"VALUE": "2"}})
functions.get_waiter("function_updated_v2").wait(FunctionName="f")
equal(json.load(functions.invoke(FunctionName="f")["Payload"])["VALUE"], "2")
functions.update_function_code(FunctionName="f", ZipFile=zipped({"index.py": "def handler(event, context): return 7"}))
functions.get_waiter("function_updated_v2").wait(FunctionName="f")
equal(json.load(functions.invoke(FunctionName="f")["Payload"]), 7)

# By its own ARN, and through the optimized integration.
direct = machine("direct", {"T": {"Type": "Task", "Resource": arn, "End": True}}, "T")
equal(json.loads(run(direct)["output"]), 7)
task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
task["Parameters"] = {"FunctionName": arn, "Payload.$": "$"}
invoked = json.loads(run(machine("invoked", {"T": task}, "T"))["output"])
equal((invoked["Payload"], invoked["StatusCode"], invoked["ExecutedVersion"]), (7, 200, "$LATEST"))

# Node as well.
functions.create_function(
    FunctionName="n",
    Role=created["Role"],
    Runtime="nodejs20.x",
    Handler="index.handler",
    Timeout=30,
    Code={"ZipFile": zipped({"index.mjs": "export const handler = async (event) => ({ node: event.x + 1 });"})},
)
equal(json.load(functions.invoke(FunctionName="n", Payload=b'{"x": 1}')["Payload"]), {"node": 2})

functions.delete_function(FunctionName="f")
equal(refused(functions.get_function, FunctionName="f"), "ResourceNotFoundException")
equal(refused(functions.invoke, FunctionName="f"), "ResourceNotFoundException")
gone = run(direct)
equal((gone["status"], gone["error"]), ("FAILED", "Lambda.ResourceNotFoundException"))
