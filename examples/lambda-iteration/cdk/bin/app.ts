import { App } from "aws-cdk-lib";
import { LambdaLoopStack } from "../lib/lambda-loop-stack";

const app = new App();
new LambdaLoopStack(app, "LambdaLoop");
app.synth();
