import * as fs from "fs";
import * as path from "path";
import {
  CfnOutput,
  Duration,
  RemovalPolicy,
  Stack,
  StackProps,
  aws_dynamodb,
  aws_lambda,
  aws_sqs,
  aws_stepfunctions,
  aws_stepfunctions_tasks,
} from "aws-cdk-lib";
import { Construct } from "constructs";

// Seeds a table, then reads one item after the other and sends its text to a queue.
export class TransferDataRecordsSqsStack extends Stack {
  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);

    const table = new aws_dynamodb.Table(this, "DDBTable", {
      partitionKey: { name: "MessageId", type: aws_dynamodb.AttributeType.STRING },
      removalPolicy: RemovalPolicy.DESTROY,
    });

    const queue = new aws_sqs.Queue(this, "SQSQueue", {
      visibilityTimeout: Duration.seconds(30),
    });

    const seed = new aws_lambda.Function(this, "SeedingFunction", {
      code: aws_lambda.Code.fromInline(
        fs.readFileSync(path.join(__dirname, "../lambda/seed_table.py"), { encoding: "utf-8" })
      ),
      handler: "index.handler",
      runtime: aws_lambda.Runtime.PYTHON_3_8,
      environment: { TABLE_NAME: table.tableName },
    });
    table.grantWriteData(seed);

    // `payloadResponseOnly` makes the function's ARN itself the task's Resource.
    const seedTable = new aws_stepfunctions_tasks.LambdaInvoke(this, "Seed the DynamoDB Table", {
      lambdaFunction: seed,
      payloadResponseOnly: true,
      resultPath: "$.List",
    });

    const loopCondition = new aws_stepfunctions.Choice(this, "For Loop Condition");

    const readNextMessage = new aws_stepfunctions_tasks.DynamoGetItem(
      this,
      "Read Next Message from DynamoDB",
      {
        table: table,
        key: {
          MessageId: aws_stepfunctions_tasks.DynamoAttributeValue.fromString(
            aws_stepfunctions.JsonPath.stringAt("$.List[0]")
          ),
        },
        resultPath: "$.DynamoDB",
      }
    );

    const sendMessage = new aws_stepfunctions_tasks.SqsSendMessage(this, "Send Message to SQS", {
      queue: queue,
      messageBody: aws_stepfunctions.TaskInput.fromJsonPathAt("$.DynamoDB.Item.Message.S"),
      resultPath: "$.SQS",
    });

    const popElement = new aws_stepfunctions.Pass(this, "Pop Element from List", {
      parameters: { "List.$": "$.List[1:]" },
    });

    const definition = seedTable.next(
      loopCondition
        .when(
          aws_stepfunctions.Condition.not(
            aws_stepfunctions.Condition.stringEquals("$.List[0]", "DONE")
          ),
          readNextMessage.next(sendMessage).next(popElement).next(loopCondition)
        )
        .otherwise(new aws_stepfunctions.Succeed(this, "Succeed"))
    );

    const stateMachine = new aws_stepfunctions.StateMachine(this, "TransferRecordStateMachine", {
      stateMachineName: "TransferRecordSqs",
      definition: definition,
      timeout: Duration.seconds(3600),
    });

    new CfnOutput(this, "StateMachineArn", { value: stateMachine.stateMachineArn });
    new CfnOutput(this, "QueueUrl", { value: queue.queueUrl });
    new CfnOutput(this, "TableName", { value: table.tableName });
  }
}
