import * as fs from "fs";
import * as path from "path";
import {
  Stack,
  StackProps,
  aws_dynamodb,
  aws_lambda,
  aws_stepfunctions,
  aws_stepfunctions_tasks,
} from "aws-cdk-lib";
import { Construct } from "constructs";

// Seeds a table, then works off a list of message ids. Every round reads the same item: the key is a literal.
export class TransferDataRecordStack extends Stack {
  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);

    const table = new aws_dynamodb.Table(this, "TableStepFuncDemo", {
      tableName: "TableStepFuncDemo",
      partitionKey: { name: "MessageId", type: aws_dynamodb.AttributeType.STRING },
    });

    const func = new aws_lambda.Function(this, "SeedDDBFunction", {
      functionName: "SeedDDBFunction",
      code: aws_lambda.Code.fromInline(
        fs.readFileSync(path.join(__dirname, "../lambda/seed_ddb.py"), { encoding: "utf-8" })
      ),
      handler: "index.handler",
      runtime: aws_lambda.Runtime.PYTHON_3_8,
      environment: { TABLE_NAME: table.tableName },
    });
    table.grantWriteData(func);

    const seedTask = new aws_stepfunctions_tasks.LambdaInvoke(this, "SeedDDBTable", {
      lambdaFunction: func,
      outputPath: "$.Payload",
    });

    const readNextItem = new aws_stepfunctions_tasks.DynamoGetItem(this, "GetItemFromDb", {
      table: table,
      key: { MessageId: aws_stepfunctions_tasks.DynamoAttributeValue.fromString("MessageNo1") },
      resultPath: "$.DynamoDB",
    });

    const popItemFromList = new aws_stepfunctions.Pass(this, "PopItemFromList", {
      parameters: { "List.$": "$.List[1:]" },
    });

    const conditionLoop = new aws_stepfunctions.Choice(this, "ConditionLoop", {});

    const definition = seedTask.next(
      conditionLoop
        .when(
          aws_stepfunctions.Condition.stringEquals("$.List[0]", "DONE"),
          new aws_stepfunctions.Succeed(this, "Finish")
        )
        .otherwise(readNextItem.next(popItemFromList).next(conditionLoop))
    );

    new aws_stepfunctions.StateMachine(this, "TransferRecordStateMachine", {
      stateMachineName: "TransferRecord",
      definition: definition,
    });
  }
}
