import * as fs from "fs";
import * as path from "path";
import {
  Duration,
  Stack,
  StackProps,
  aws_lambda,
  aws_stepfunctions,
  aws_stepfunctions_tasks,
} from "aws-cdk-lib";
import { Construct } from "constructs";

// Submits a job, waits, asks for its status once, and ends by it.
export class StepfunctionsDemoStack extends Stack {
  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);

    const submit = new aws_lambda.Function(this, "SubmitLambda", {
      functionName: "SubmitFunction",
      code: inline("submit.py"),
      handler: "index.main",
      timeout: Duration.seconds(10),
      runtime: aws_lambda.Runtime.PYTHON_3_8,
    });

    const checkStatus = new aws_lambda.Function(this, "CheckStatusFunction", {
      functionName: "CheckStatusFunction",
      code: inline("check_status.py"),
      handler: "index.main",
      timeout: Duration.seconds(10),
      runtime: aws_lambda.Runtime.PYTHON_3_8,
    });

    const submitTask = new aws_stepfunctions_tasks.LambdaInvoke(this, "SubmitJob", {
      lambdaFunction: submit,
      outputPath: "$",
    });

    const waitX = new aws_stepfunctions.Wait(this, "WaitXSeconds", {
      time: aws_stepfunctions.WaitTime.duration(Duration.seconds(10)),
    });

    const checkStatusTask = new aws_stepfunctions_tasks.LambdaInvoke(this, "CheckStatusTask", {
      lambdaFunction: checkStatus,
      outputPath: "$.Payload",
    });

    const jobFailed = new aws_stepfunctions.Fail(this, "JobFailed", {
      cause: "AWS Batch Job Failed",
      error: "Described returned FAILED",
    });

    const finalStatus = new aws_stepfunctions_tasks.LambdaInvoke(this, "GetFinalJobStatus", {
      lambdaFunction: checkStatus,
      outputPath: "$.Payload",
    });

    const definition = submitTask
      .next(waitX)
      .next(checkStatusTask)
      .next(
        new aws_stepfunctions.Choice(this, "Job Complete?")
          .when(aws_stepfunctions.Condition.stringEquals("$.status", "FAILED"), jobFailed)
          .when(aws_stepfunctions.Condition.stringEquals("$.status", "SUCCEEDED"), finalStatus)
          .otherwise(jobFailed)
      );

    new aws_stepfunctions.StateMachine(this, "StateMachineDemo", {
      timeout: Duration.minutes(2),
      definition: definition,
    });
  }
}

function inline(file: string): aws_lambda.InlineCode {
  const source = fs.readFileSync(path.resolve(__dirname, "../lambda", file), { encoding: "utf-8" });
  return new aws_lambda.InlineCode(source);
}
