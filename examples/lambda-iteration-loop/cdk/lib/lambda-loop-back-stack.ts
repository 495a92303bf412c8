import * as fs from "fs";
import * as path from "path";
import {
  Stack,
  StackProps,
  aws_lambda,
  aws_stepfunctions,
  aws_stepfunctions_tasks,
} from "aws-cdk-lib";
import { Construct } from "constructs";

// The lambda-iteration machine with a way back: the processing task returns to the Choice until the counter is 0.
export class LambdaLoopBackStack extends Stack {
  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);

    const getNumIterLambda = new aws_lambda.Function(this, "GetNumIterLambda", {
      code: inline("get-num-iter-lambda.py"),
      handler: "index.main",
      runtime: aws_lambda.Runtime.PYTHON_3_8,
    });

    const iterLambda = new aws_lambda.Function(this, "IterLambda", {
      code: inline("iter-lambda.py"),
      handler: "index.main",
      runtime: aws_lambda.Runtime.PYTHON_3_8,
    });

    const getNumIter = new aws_stepfunctions_tasks.LambdaInvoke(this, "GetNumIter", {
      lambdaFunction: getNumIterLambda,
      outputPath: "$.Payload",
    });

    const nextIter = new aws_stepfunctions_tasks.LambdaInvoke(this, "LambdaProcessJob", {
      lambdaFunction: iterLambda,
      outputPath: "$.Payload",
    });

    const loopCompleted = new aws_stepfunctions.Choice(this, "Loop Completed?");
    const definition = getNumIter.next(
      loopCompleted
        .when(
          aws_stepfunctions.Condition.numberEquals("$.counter", 0),
          new aws_stepfunctions.Succeed(this, "Finish")
        )
        .when(
          aws_stepfunctions.Condition.numberGreaterThan("$.counter", 0),
          nextIter.next(loopCompleted)
        )
    );

    new aws_stepfunctions.StateMachine(this, "LambdaIterMachine", {
      stateMachineName: "LambdaIterLoop",
      definition: definition,
    });
  }
}

function inline(file: string): aws_lambda.InlineCode {
  const source = fs.readFileSync(path.resolve(__dirname, "../lambda", file), { encoding: "utf-8" });
  return aws_lambda.Code.fromInline(source);
}
