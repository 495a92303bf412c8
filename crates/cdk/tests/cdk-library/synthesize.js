// Writes definitions.json: what the AWS CDK library makes of the workflows that `tests/same_as_cdk.rs` builds in Rust.
//
//   npm install aws-cdk-lib@2.276.0 constructs && NODE_PATH=node_modules node synthesize.js > definitions.json
//
// Tokens are resolved as a deployment to partition aws, region us-east-1 and account 123456789012 would.
const { App, Stack, Duration, aws_stepfunctions: sfn, aws_stepfunctions_tasks: tasks, aws_lambda: lambda,
  aws_dynamodb: ddb, aws_sqs: sqs, aws_s3: s3, aws_sns: sns } = require("aws-cdk-lib");
const { JsonPath, Condition, TaskInput, Timeout, IntegrationPattern } = sfn;
const { DynamoAttributeValue: Attribute } = tasks;

const account = "123456789012", region = "us-east-1";
const cases = {};

function define(name, build) {
  const stack = new Stack(new App(), "Stack", { env: { account, region } });
  const resources = {
    stack,
    fn: lambda.Function.fromFunctionArn(stack, "Fn", `arn:aws:lambda:${region}:${account}:function:Work`),
    table: ddb.Table.fromTableName(stack, "Table", "Things"),
    queue: sqs.Queue.fromQueueAttributes(stack, "Queue", {
      queueArn: `arn:aws:sqs:${region}:${account}:Outbox`, queueUrl: `https://sqs.${region}.amazonaws.com/${account}/Outbox` }),
    fifo: sqs.Queue.fromQueueAttributes(stack, "Fifo", {
      queueArn: `arn:aws:sqs:${region}:${account}:Outbox.fifo`, queueUrl: `https://sqs.${region}.amazonaws.com/${account}/Outbox.fifo` }),
    bucket: s3.Bucket.fromBucketName(stack, "Bucket", "files"),
    topic: sns.Topic.fromTopicArn(stack, "Topic", `arn:aws:sns:${region}:${account}:News`),
    child: sfn.StateMachine.fromStateMachineArn(stack, "Child", `arn:aws:states:${region}:${account}:stateMachine:Child`),
    activity: sfn.Activity.fromActivityArn(stack, "Activity", `arn:aws:states:${region}:${account}:activity:Manual`),
  };
  const { definition, ...props } = build(resources);
  new sfn.StateMachine(stack, "Machine", { definitionBody: sfn.DefinitionBody.fromChainable(definition), ...props });
  const template = App.of(stack).synth().getStackByName("Stack").template;
  const machine = Object.values(template.Resources).find((r) => r.Type === "AWS::StepFunctions::StateMachine");
  cases[name] = JSON.parse(evaluate(machine.Properties.DefinitionString));
}

function evaluate(value) {
  if (typeof value === "string") return value;
  if (value["Fn::Join"]) return value["Fn::Join"][1].map(evaluate).join(value["Fn::Join"][0]);
  if (value.Ref === "AWS::Partition") return "aws";
  throw new Error("unresolved " + JSON.stringify(value));
}

define("lambda invoke, all settings", ({ stack, fn }) => ({
  comment: "every field", timeout: Duration.minutes(5),
  definition: new tasks.LambdaInvoke(stack, "Invoke", {
    lambdaFunction: fn, comment: "calls", inputPath: "$.in", outputPath: "$.out", resultPath: "$.result",
    resultSelector: { "a.$": "$.Payload", "b": 1 }, payload: TaskInput.fromObject({ id: JsonPath.stringAt("$.id"), fixed: [1, 2.5, true, null] }),
    invocationType: tasks.LambdaInvocationType.EVENT, clientContext: "e30=", qualifier: "live",
    taskTimeout: Timeout.duration(Duration.minutes(2)), heartbeatTimeout: Timeout.at("$.beat"),
    credentials: { role: sfn.TaskRole.fromRoleArnJsonPath("$.role") }, assign: { seen: JsonPath.stringAt("$.StatusCode"), n: 3 },
  }),
}));
define("lambda invoke, bare function", ({ stack, fn }) => ({
  definition: new tasks.LambdaInvoke(stack, "Invoke", { lambdaFunction: fn, payloadResponseOnly: true, resultPath: "$.List" })
    .next(new tasks.LambdaInvoke(stack, "With payload", { lambdaFunction: fn, payloadResponseOnly: true, payload: TaskInput.fromObject({ a: 1 }) }))
    .next(new tasks.LambdaInvoke(stack, "Path payload", { lambdaFunction: fn, payload: TaskInput.fromJsonPathAt("$.guid") }))
    .next(new tasks.LambdaInvoke(stack, "Text payload", { lambdaFunction: fn, payload: TaskInput.fromText("hello"), retryOnServiceExceptions: false })),
}));
define("lambda invoke, task token", ({ stack, fn }) => ({
  definition: new tasks.LambdaInvoke(stack, "Ask", {
    lambdaFunction: fn, integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
    payload: TaskInput.fromObject({ token: JsonPath.taskToken, input: JsonPath.entirePayload, context: JsonPath.entireContext, execution: JsonPath.executionName }),
    heartbeatTimeout: Timeout.duration(Duration.seconds(30)), taskTimeout: Timeout.at("$.limit"),
  }),
}));
define("retry and catch", ({ stack, fn }) => {
  const invoke = new tasks.LambdaInvoke(stack, "Invoke", { lambdaFunction: fn });
  const recover = new sfn.Pass(stack, "Recover");
  invoke.addRetry()
    .addRetry({ errors: ["Custom", "States.Timeout"], interval: Duration.seconds(5), maxAttempts: 0, backoffRate: 1.5, maxDelay: Duration.minutes(1), jitterStrategy: sfn.JitterType.FULL })
    .addRetry({ errors: ["Late"], maxAttempts: 3, jitterStrategy: sfn.JitterType.NONE })
    .addCatch(recover, { resultPath: "$.error" })
    .addCatch(new sfn.Fail(stack, "Broken", { error: "E", cause: "C", comment: "over" }), { errors: ["States.TaskFailed"] })
    .addCatch(recover.next(new sfn.Succeed(stack, "Saved", { comment: "ok", inputPath: "$.x", outputPath: JsonPath.DISCARD })), { errors: ["KeyError"], resultPath: JsonPath.DISCARD, assign: { why: JsonPath.stringAt("$.Cause") } });
  return { definition: invoke };
});
define("pass", ({ stack }) => ({
  definition: new sfn.Pass(stack, "Object", { result: sfn.Result.fromObject({ a: [1, { b: null }] }), resultPath: "$.r", comment: "fixed" })
    .next(new sfn.Pass(stack, "Text", { result: sfn.Result.fromString("text"), inputPath: JsonPath.DISCARD }))
    .next(new sfn.Pass(stack, "Number", { result: sfn.Result.fromNumber(1.5), resultPath: JsonPath.DISCARD }))
    .next(new sfn.Pass(stack, "Flag", { result: sfn.Result.fromBoolean(false), outputPath: "$.x" }))
    .next(new sfn.Pass(stack, "List", { result: sfn.Result.fromArray(["a", 2]) }))
    .next(new sfn.Pass(stack, "Parameters", { parameters: { "List.$": "$.List[1:]", "deep": { "id.$": "$$.Execution.Id", "list": [1, "x"] } }, assign: { "all.$": "$" } }))
    .next(new sfn.Pass(stack, "Named", { stateName: "Another Name" })),
}));
define("wait", ({ stack }) => ({
  definition: new sfn.Wait(stack, "Duration", { time: sfn.WaitTime.duration(Duration.minutes(10)), comment: "a while" })
    .next(new sfn.Wait(stack, "Seconds path", { time: sfn.WaitTime.secondsPath("$.delay") }))
    .next(new sfn.Wait(stack, "Timestamp", { time: sfn.WaitTime.timestamp("2030-01-01T00:00:00Z") }))
    .next(new sfn.Wait(stack, "Timestamp path", { time: sfn.WaitTime.timestampPath("$.at") })),
}));
define("fail", ({ stack }) => ({
  definition: new sfn.Choice(stack, "Which")
    .when(Condition.isPresent("$.a"), new sfn.Fail(stack, "Bare"))
    .when(Condition.isPresent("$.b"), new sfn.Fail(stack, "Paths", { errorPath: "$.e", causePath: "States.Format('c {}', $.c)" }))
    .otherwise(new sfn.Fail(stack, "Literal", { error: "E", cause: "C" })),
}));
define("conditions", ({ stack }) => {
  const end = new sfn.Succeed(stack, "End");
  const v = "$.v", p = "$.p", t = "2030-01-01T00:00:00Z";
  const all = [
    Condition.isPresent(v), Condition.isNotPresent(v), Condition.isString(v), Condition.isNotString(v), Condition.isNumeric(v),
    Condition.isNotNumeric(v), Condition.isBoolean(v), Condition.isNotBoolean(v), Condition.isTimestamp(v), Condition.isNotTimestamp(v),
    Condition.isNull(v), Condition.isNotNull(v), Condition.booleanEquals(v, true), Condition.booleanEqualsJsonPath(v, p),
    Condition.stringEquals(v, "s"), Condition.stringEqualsJsonPath(v, p), Condition.stringLessThan(v, "s"), Condition.stringLessThanJsonPath(v, p),
    Condition.stringLessThanEquals(v, "s"), Condition.stringLessThanEqualsJsonPath(v, p), Condition.stringGreaterThan(v, "s"),
    Condition.stringGreaterThanJsonPath(v, p), Condition.stringGreaterThanEquals(v, "s"), Condition.stringGreaterThanEqualsJsonPath(v, p),
    Condition.numberEquals(v, 1), Condition.numberEqualsJsonPath(v, p), Condition.numberLessThan(v, -2.5), Condition.numberLessThanJsonPath(v, p),
    Condition.numberLessThanEquals(v, 3), Condition.numberLessThanEqualsJsonPath(v, p), Condition.numberGreaterThan(v, 4),
    Condition.numberGreaterThanJsonPath(v, p), Condition.numberGreaterThanEquals(v, 5), Condition.numberGreaterThanEqualsJsonPath(v, p),
    Condition.timestampEquals(v, t), Condition.timestampEqualsJsonPath(v, p), Condition.timestampLessThan(v, t), Condition.timestampLessThanJsonPath(v, p),
    Condition.timestampLessThanEquals(v, t), Condition.timestampLessThanEqualsJsonPath(v, p), Condition.timestampGreaterThan(v, t),
    Condition.timestampGreaterThanJsonPath(v, p), Condition.timestampGreaterThanEquals(v, t), Condition.timestampGreaterThanEqualsJsonPath(v, p),
    Condition.stringMatches(v, "log-*.txt"), Condition.and(Condition.isString(v), Condition.stringEquals("$.w", "x")),
    Condition.or(Condition.isNull(v), Condition.not(Condition.isPresent("$.w"))),
    Condition.not(Condition.and(Condition.isNumeric(v), Condition.or(Condition.isNull(v), Condition.booleanEquals("$.w", false)))),
  ];
  const choice = new sfn.Choice(stack, "Choice", { comment: "which", inputPath: "$.in", outputPath: "$.out" });
  for (const condition of all) choice.when(condition, end);
  choice.when(Condition.isNull("$.last"), end, { comment: "the last", assign: { x: JsonPath.stringAt("$.v") } });
  return { definition: choice };
});
define("choice, afterwards", ({ stack }) => {
  const choice = new sfn.Choice(stack, "Choice").when(Condition.numberEquals("$.n", 1), new sfn.Pass(stack, "One").next(new sfn.Pass(stack, "One more")))
    .when(Condition.numberEquals("$.n", 2), new sfn.Pass(stack, "Two")).when(Condition.numberEquals("$.n", 3), new sfn.Fail(stack, "Three"));
  return { definition: choice.afterwards({ includeOtherwise: true }).next(new sfn.Pass(stack, "Together")) };
});
define("loops", ({ stack, fn }) => {
  const wait = new sfn.Wait(stack, "Wait", { time: sfn.WaitTime.duration(Duration.seconds(5)) });
  const check = new tasks.LambdaInvoke(stack, "Check", { lambdaFunction: fn });
  const done = new sfn.Choice(stack, "Done?");
  done.when(Condition.booleanEquals("$.done", true), new sfn.Succeed(stack, "Yes")).otherwise(wait);
  return { timeout: Duration.minutes(5), comment: "polls", definition: sfn.Chain.start(wait).next(check).next(done) };
});
define("parallel", ({ stack }) => ({
  definition: new sfn.Parallel(stack, "Both", { comment: "two", resultSelector: { "first.$": "$[0]" }, resultPath: "$.both", inputPath: "$.in", outputPath: "$.out", parameters: { "x.$": "$.y" } })
    .branch(new sfn.Pass(stack, "Left").next(new sfn.Pass(stack, "Left 2")), new sfn.Wait(stack, "Right", { time: sfn.WaitTime.duration(Duration.seconds(1)) }))
    .addRetry({ maxAttempts: 1 }).addCatch(new sfn.Fail(stack, "Neither")).next(new sfn.Pass(stack, "After")),
}));
define("map", ({ stack }) => ({
  definition: new sfn.Map(stack, "Each", { comment: "items", itemsPath: "$.items", maxConcurrency: 4, itemSelector: { "item.$": "$$.Map.Item.Value", index: JsonPath.numberAt("$$.Map.Item.Index") }, resultSelector: { "n.$": "$" }, resultPath: "$.mapped", inputPath: "$.in", outputPath: "$.out" })
    .itemProcessor(new sfn.Pass(stack, "One").next(new sfn.Pass(stack, "Two")))
    .addRetry({ errors: ["E"] }).addCatch(new sfn.Pass(stack, "Caught"), { errors: ["States.ALL"] })
    .next(new sfn.Map(stack, "Plain", { maxConcurrencyPath: "$.n" }).itemProcessor(new sfn.Pass(stack, "Inner"))),
}));
define("dynamodb", ({ stack, table }) => ({
  definition: new tasks.DynamoGetItem(stack, "Get", { table, key: { MessageId: Attribute.fromString("MessageNo1") }, resultPath: "$.DynamoDB" })
    .next(new tasks.DynamoGetItem(stack, "Get by path", { table, consistentRead: true,
      key: { MessageId: Attribute.fromString(JsonPath.stringAt("$.List[0]")) }, expressionAttributeNames: { "#a": "Message" },
      projectionExpression: [new tasks.DynamoProjectionExpression().withAttribute("#a"), new tasks.DynamoProjectionExpression().withAttribute("List").atIndex(0).withAttribute("x")],
      returnConsumedCapacity: tasks.DynamoConsumedCapacity.TOTAL }))
    .next(new tasks.DynamoPutItem(stack, "Put", { table, conditionExpression: "attribute_not_exists(Id)", expressionAttributeNames: { "#b": "b" },
      expressionAttributeValues: { ":x": Attribute.fromNumber(1) }, returnConsumedCapacity: tasks.DynamoConsumedCapacity.INDEXES,
      returnItemCollectionMetrics: tasks.DynamoItemCollectionMetrics.SIZE, returnValues: tasks.DynamoReturnValues.ALL_OLD,
      item: {
        s: Attribute.fromString("text"), n: Attribute.fromNumber(1.5), n2: Attribute.numberFromString("12"), n3: Attribute.numberFromString(JsonPath.stringAt("$.n")),
        b: Attribute.fromBinary("aGVsbG8="), ss: Attribute.fromStringSet(["a", "b"]), ns: Attribute.fromNumberSet([1, 2.5]),
        ns2: Attribute.numberSetFromStrings(["1", "2"]), bs: Attribute.fromBinarySet(["YQ=="]), m: Attribute.fromMap({ k: Attribute.fromString("v"), p: Attribute.fromString(JsonPath.stringAt("$.k")) }),
        m2: Attribute.mapFromJsonPath("$.map"), l: Attribute.fromList([Attribute.fromString("x"), Attribute.fromNumber(2)]), l2: Attribute.listFromJsonPath(JsonPath.stringAt("$.list")),
        nul: Attribute.fromNull(true), t: Attribute.fromBoolean(true), t2: Attribute.booleanFromJsonPath(JsonPath.stringAt("$.flag")),
      } }))
    .next(new tasks.DynamoUpdateItem(stack, "Update", { table, key: { Id: Attribute.fromString("a") }, updateExpression: "SET n = n + :one", conditionExpression: "n < :one",
      expressionAttributeValues: { ":one": Attribute.fromNumber(1) }, returnValues: tasks.DynamoReturnValues.UPDATED_NEW, resultSelector: { "n.$": "$.Attributes.n.N" } }))
    .next(new tasks.DynamoDeleteItem(stack, "Delete", { table, key: { Id: Attribute.fromString("a"), Sort: Attribute.fromNumber(3) }, conditionExpression: "attribute_exists(Id)", returnConsumedCapacity: tasks.DynamoConsumedCapacity.NONE, resultPath: JsonPath.DISCARD })),
}));
define("sqs", ({ stack, queue, fifo }) => ({
  definition: new tasks.SqsSendMessage(stack, "Path", { queue, messageBody: TaskInput.fromJsonPathAt("$.DynamoDB.Item.Message.S"), resultPath: "$.SQS" })
    .next(new tasks.SqsSendMessage(stack, "Text", { queue, messageBody: TaskInput.fromText("hello"), delay: Duration.seconds(15) }))
    .next(new tasks.SqsSendMessage(stack, "Object", { queue: fifo, messageBody: TaskInput.fromObject({ token: JsonPath.taskToken, "x.$": "$.x" }), integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN,
      messageDeduplicationId: JsonPath.stringAt("$.dedup"), messageGroupId: "group" })),
}));
define("more tasks", ({ stack, topic, child, activity }) => ({
  definition: new tasks.SnsPublish(stack, "Publish", { topic, message: TaskInput.fromJsonPathAt("$.m"), subject: "News" })
    .next(new tasks.StepFunctionsStartExecution(stack, "Start", { stateMachine: child, input: TaskInput.fromObject({ "a.$": "$.a" }), name: "fixed" }))
    .next(new tasks.StepFunctionsStartExecution(stack, "Run", { stateMachine: child, integrationPattern: IntegrationPattern.RUN_JOB }))
    .next(new tasks.StepFunctionsStartExecution(stack, "Run with parent", { stateMachine: child, integrationPattern: IntegrationPattern.RUN_JOB, associateWithParent: true, input: TaskInput.fromObject({ b: 2 }) }))
    .next(new tasks.StepFunctionsInvokeActivity(stack, "Manual", { activity, parameters: { "a.$": "$.a" }, heartbeatTimeout: Timeout.duration(Duration.seconds(10)) }))
    .next(new tasks.CallAwsService(stack, "Any", { service: "transcribe", action: "getTranscriptionJob", iamResources: ["*"], parameters: { TranscriptionJobName: JsonPath.stringAt("$.job"), Limit: 1 } }))
    .next(new tasks.EventBridgePutEvents(stack, "Event", { entries: [{ detail: TaskInput.fromObject({ "x.$": "$.x" }), detailType: "Done", source: "my.app" }] }))
    .next(new sfn.CustomState(stack, "Custom", { stateJson: { Type: "Task", Resource: "arn:aws:states:::aws-sdk:s3:listBuckets", Parameters: {} } }).addCatch(new sfn.Fail(stack, "Oh"))),
}));

define("distributed map", ({ stack, bucket }) => ({
  definition: new sfn.DistributedMap(stack, "Objects", { comment: "objects", label: "Objects", mapExecutionType: sfn.StateMachineType.EXPRESS, maxConcurrency: 100,
      itemReader: new sfn.S3ObjectsItemReader({ bucket, prefix: "in/", maxItems: 10 }), toleratedFailureCount: 3,
      resultWriter: new sfn.ResultWriter({ bucket, prefix: "out/" }),
      itemBatcher: new sfn.ItemBatcher({ maxItemsPerBatch: 5, maxInputBytesPerBatchPath: "$.bytes", batchInput: { "a.$": "$.a" } }), resultPath: "$.r" })
    .itemProcessor(new sfn.Pass(stack, "Object"))
    .next(new sfn.DistributedMap(stack, "Json", { itemReader: new sfn.S3JsonItemReader({ bucket, key: JsonPath.stringAt("$.key") }), toleratedFailurePercentage: 25 }).itemProcessor(new sfn.Pass(stack, "Json item")))
    .next(new sfn.DistributedMap(stack, "Json lines", { itemReader: new sfn.S3JsonLItemReader({ bucket, key: "items.jsonl" }), toleratedFailureCountPath: "$.n" }).itemProcessor(new sfn.Pass(stack, "Line")))
    .next(new sfn.DistributedMap(stack, "Csv with header", { itemReader: new sfn.S3CsvItemReader({ bucket, key: "items.csv", csvHeaders: sfn.CsvHeaders.useFirstRow(), csvDelimiter: sfn.CsvDelimiter.PIPE }), toleratedFailurePercentagePath: "$.p" }).itemProcessor(new sfn.Pass(stack, "Row")))
    .next(new sfn.DistributedMap(stack, "Csv with given headers", { itemReader: new sfn.S3CsvItemReader({ bucket, key: "items.csv", csvHeaders: sfn.CsvHeaders.use(["a", "b"]) }) }).itemProcessor(new sfn.Pass(stack, "Row too")))
    .next(new sfn.DistributedMap(stack, "Manifest", { itemReader: new sfn.S3ManifestItemReader({ bucket, key: "manifest.json" }) }).itemProcessor(new sfn.Pass(stack, "Entry")))
    .next(new sfn.DistributedMap(stack, "Input", { itemsPath: "$.items", maxConcurrencyPath: "$.c", itemSelector: { "v.$": "$$.Map.Item.Value" } }).itemProcessor(new sfn.Pass(stack, "Value"), { mode: sfn.ProcessorMode.DISTRIBUTED, executionType: sfn.ProcessorType.STANDARD })),
}));

define("jsonata machine", ({ stack, fn, table, queue, child, activity }) => {
  const late = sfn.Fail.jsonata(stack, "Late", { error: "{% $states.input.code %}", cause: "too late" });
  const choice = sfn.Choice.jsonata(stack, "Ready?", { outputs: "{% $states.input.part %}", assign: { chosen: "{% $states.input.id %}" } });
  return {
    queryLanguage: sfn.QueryLanguage.JSONATA, comment: "expressions",
    definition: sfn.Pass.jsonata(stack, "Pass", { comment: "shapes", outputs: { id: "{% $states.input.id %}", list: [1, "{% $n %}"] }, assign: { n: "{% $states.input.n %}", m: 2 } })
      .next(new tasks.LambdaInvoke(stack, "Invoke", { lambdaFunction: fn, outputs: "{% $states.result.Payload %}" }))
      .next(tasks.LambdaInvoke.jsonata(stack, "Invoke with payload", { lambdaFunction: fn, payload: TaskInput.fromObject({ id: "{% $states.input.id %}" }), invocationType: tasks.LambdaInvocationType.EVENT,
        taskTimeout: Timeout.jsonata("{% $states.input.limit %}"), heartbeatTimeout: Timeout.duration(Duration.seconds(5)), assign: { seen: "{% $states.result.StatusCode %}" } })
        .addCatch(late, { errors: ["Late"], outputs: { why: "{% $states.errorOutput.Cause %}" }, assign: { failed: true } }))
      .next(tasks.LambdaInvoke.jsonata(stack, "Ask", { lambdaFunction: fn, integrationPattern: IntegrationPattern.WAIT_FOR_TASK_TOKEN, payload: TaskInput.fromObject({ token: "{% $states.context.Task.Token %}" }) }))
      .next(tasks.LambdaInvoke.jsonata(stack, "Bare", { lambdaFunction: fn, payloadResponseOnly: true, payload: TaskInput.fromText("{% $states.input.part %}") }))
      .next(tasks.DynamoGetItem.jsonata(stack, "Get", { table, key: { Id: Attribute.fromString("{% $states.input.id %}") }, outputs: "{% $states.result.Item %}" }))
      .next(tasks.SqsSendMessage.jsonata(stack, "Send", { queue, messageBody: TaskInput.fromText("{% $states.input.text %}") }))
      .next(tasks.StepFunctionsStartExecution.jsonata(stack, "Run", { stateMachine: child, integrationPattern: IntegrationPattern.RUN_JOB, associateWithParent: true, input: TaskInput.fromObject({ b: "{% $n %}" }) }))
      .next(tasks.StepFunctionsInvokeActivity.jsonata(stack, "Manual", { activity, arguments: { a: "{% $n %}" } }))
      .next(tasks.CallAwsService.jsonata(stack, "Any", { service: "s3", action: "listBuckets", iamResources: ["*"], parameters: { Prefix: "{% $states.input.prefix %}" } }))
      .next(sfn.Wait.jsonata(stack, "Wait", { time: sfn.WaitTime.seconds("{% $states.input.delay %}"), outputs: { waited: true } }))
      .next(sfn.Wait.jsonata(stack, "Wait until", { time: sfn.WaitTime.timestamp("{% $states.input.at %}") }))
      .next(choice
        .when(Condition.jsonata("{% $states.input.status = 'READY' %}"), sfn.Succeed.jsonata(stack, "Done", { outputs: "{% $n %}" }), { outputs: { ready: true }, assign: { at: "{% $now() %}" }, comment: "ready" })
        .when(Condition.jsonata("{% $states.input.n > 3 %}"), late)
        .otherwise(new sfn.Succeed(stack, "Otherwise"))),
  };
});
define("jsonata states", ({ stack, fn }) => ({
  definition: new sfn.Pass(stack, "Path", { parameters: { "a.$": "$.a" } })
    .next(sfn.Pass.jsonata(stack, "Expression", { outputs: "{% $states.input.a %}" }))
    .next(tasks.LambdaInvoke.jsonata(stack, "Invoke", { lambdaFunction: fn }))
    .next(sfn.Choice.jsonata(stack, "Which?").when(Condition.jsonata("{% $states.input.ok %}"), sfn.Succeed.jsonata(stack, "Good")).otherwise(sfn.Fail.jsonata(stack, "Bad"))),
}));
define("jsonata containers", ({ stack, bucket }) => ({
  queryLanguage: sfn.QueryLanguage.JSONATA,
  definition: sfn.Parallel.jsonata(stack, "Both", { arguments: { x: "{% $states.input.x %}" }, outputs: "{% $states.result[0] %}", assign: { all: "{% $states.result %}" } })
    .branch(sfn.Pass.jsonata(stack, "Left", { outputs: 1 }), new sfn.Pass(stack, "Right"))
    .addCatch(new sfn.Fail(stack, "Neither"), { outputs: "{% $states.errorOutput %}" })
    .next(sfn.Map.jsonata(stack, "Each", { items: sfn.ProvideItems.jsonata("{% $states.input.items %}"), jsonataMaxConcurrency: "{% $states.input.limit %}", itemSelector: { v: "{% $states.context.Map.Item.Value %}" }, outputs: { n: "{% $count($states.result) %}" } })
      .itemProcessor(sfn.Pass.jsonata(stack, "One", { outputs: "{% $states.input.v %}" })))
    .next(sfn.Map.jsonata(stack, "Fixed", { items: sfn.ProvideItems.jsonArray([1, "{% $states.input.two %}"]), maxConcurrency: 2, jsonataItemSelector: "{% {'i': $states.context.Map.Item.Index} %}" })
      .itemProcessor(new sfn.Pass(stack, "Two")))
    .next(sfn.DistributedMap.jsonata(stack, "Objects", { itemReader: new sfn.S3ObjectsItemReader({ bucket, prefix: "in/" }), resultWriter: new sfn.ResultWriter({ bucket, prefix: "out/" }), toleratedFailureCount: 2,
        itemBatcher: new sfn.ItemBatcher({ maxItemsPerBatch: 5, batchInput: { a: "{% $states.input.a %}" } }) })
      .itemProcessor(new sfn.Pass(stack, "Object"))),
}));

process.stdout.write(JSON.stringify(cases, null, 1) + "\n");
