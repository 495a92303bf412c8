import { App } from "aws-cdk-lib";
import { LambdaLoopBackStack } from "../lib/lambda-loop-back-stack";

const app = new App();
new LambdaLoopBackStack(app, "LambdaLoopBack");
app.synth();
