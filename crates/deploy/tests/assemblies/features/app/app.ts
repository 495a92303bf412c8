// Constructs around state machines that the examples do not use. Synthesized with aws-cdk-lib 2.276.0 into ../cdk.out.
import * as path from "path";
import {
  App,
  CfnCondition,
  CfnMapping,
  CfnOutput,
  CfnParameter,
  Duration,
  Fn,
  NestedStack,
  RemovalPolicy,
  Stack,
  Stage,
  aws_dynamodb as dynamodb,
  aws_lambda as lambda,
  aws_logs as logs,
  aws_sqs as sqs,
  aws_stepfunctions as sfn,
  aws_stepfunctions_tasks as tasks,
} from "aws-cdk-lib";
import { Construct } from "constructs";

class Data extends Stack {
  readonly queue: sqs.Queue;
  readonly table: dynamodb.TableV2;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const dead = new sqs.Queue(this, "Dead", { fifo: true });
    this.queue = new sqs.Queue(this, "Queue", {
      fifo: true,
      contentBasedDeduplication: true,
      deadLetterQueue: { queue: dead, maxReceiveCount: 3 },
      visibilityTimeout: Duration.minutes(2),
    });
    this.table = new dynamodb.TableV2(this, "Table", {
      partitionKey: { name: "pk", type: dynamodb.AttributeType.STRING },
      sortKey: { name: "sk", type: dynamodb.AttributeType.NUMBER },
      globalSecondaryIndexes: [
        { indexName: "by-sk", partitionKey: { name: "sk", type: dynamodb.AttributeType.NUMBER } },
      ],
      timeToLiveAttribute: "ttl",
      dynamoStream: dynamodb.StreamViewType.NEW_IMAGE,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }
}

class Inner extends NestedStack {
  readonly queue: sqs.Queue;

  constructor(scope: Construct, id: string, fn: lambda.IFunction) {
    super(scope, id);
    this.queue = new sqs.Queue(this, "Plain", { deliveryDelay: Duration.seconds(1) });
    new sfn.StateMachine(this, "Inside", {
      definitionBody: sfn.DefinitionBody.fromChainable(
        new tasks.LambdaInvoke(this, "Invoke", { lambdaFunction: fn })
      ),
    });
  }
}

class Machines extends Stack {
  constructor(scope: Construct, id: string, data: Data) {
    super(scope, id);
    const stage = new CfnParameter(this, "StageName", { default: "beta", allowedValues: ["beta", "prod"] });
    const isProd = new CfnCondition(this, "IsProd", { expression: Fn.conditionEquals(stage.valueAsString, "prod") });
    const sizes = new CfnMapping(this, "Sizes", {
      mapping: { beta: { memory: 256 }, prod: { memory: 1024 } },
    });
    const group = new logs.LogGroup(this, "Logs", { retention: logs.RetentionDays.ONE_WEEK });
    const fn = new lambda.Function(this, "Function", {
      code: lambda.Code.fromAsset(path.join(__dirname, "code")),
      handler: "app.main",
      runtime: lambda.Runtime.PYTHON_3_12,
      logGroup: group,
      environment: {
        QUEUE: data.queue.queueUrl,
        TABLE: data.table.tableName,
        SIZE: Fn.conditionIf(isProd.logicalId, "large", "small").toString(),
      },
    });
    (fn.node.defaultChild as lambda.CfnFunction).addPropertyOverride(
      "MemorySize",
      sizes.findInMap(stage.valueAsString, "memory")
    );
    const live = new lambda.Alias(this, "Live", { aliasName: "live", version: fn.currentVersion });
    const approval = new sfn.Activity(this, "Approval", { activityName: "approval" });

    const fromFile = new sfn.StateMachine(this, "FromFile", {
      definitionBody: sfn.DefinitionBody.fromFile(path.join(__dirname, "code/machine.asl.json")),
      definitionSubstitutions: { Function: live.functionArn },
    });
    const perItem = new sfn.Map(this, "PerItem", { itemsPath: "$.items" }).itemProcessor(
      new tasks.SqsSendMessage(this, "Send", {
        queue: data.queue,
        messageBody: sfn.TaskInput.fromJsonPathAt("$"),
        messageGroupId: "all",
      })
    );
    const express = new sfn.StateMachine(this, "Express", {
      stateMachineType: sfn.StateMachineType.EXPRESS,
      logs: { destination: group, level: sfn.LogLevel.ALL, includeExecutionData: true },
      tracingEnabled: true,
      definitionBody: sfn.DefinitionBody.fromChainable(
        new tasks.DynamoPutItem(this, "Put", {
          table: data.table,
          item: { pk: tasks.DynamoAttributeValue.fromString("a"), sk: tasks.DynamoAttributeValue.fromNumber(1) },
        })
      ),
    });
    const wide = new sfn.StateMachine(this, "Wide", {
      definitionBody: sfn.DefinitionBody.fromChainable(
        perItem
          .next(new tasks.StepFunctionsInvokeActivity(this, "Ask", { activity: approval }))
          .next(
            new tasks.StepFunctionsStartExecution(this, "Child", {
              stateMachine: fromFile,
              integrationPattern: sfn.IntegrationPattern.RUN_JOB,
            })
          )
      ),
    });
    const version = new sfn.CfnStateMachineVersion(this, "Version", {
      stateMachineArn: wide.stateMachineArn,
      stateMachineRevisionId: wide.stateMachineRevisionId,
    });
    new sfn.CfnStateMachineAlias(this, "Stable", {
      name: "stable",
      routingConfiguration: [{ stateMachineVersionArn: version.attrArn, weight: 100 }],
    });
    const inner = new Inner(this, "Inner", fn);
    new CfnOutput(this, "InnerQueue", { value: inner.queue.queueName });
    new CfnOutput(this, "ExpressName", { value: Fn.select(6, Fn.split(":", express.stateMachineArn)) });
    const onlyProd = new CfnOutput(this, "OnlyProd", { value: fn.functionArn });
    onlyProd.condition = isProd;
  }
}

const app = new App();
const stage = new Stage(app, "Test");
const data = new Data(stage, "Data");
new Machines(stage, "Machines", data);
app.synth();
