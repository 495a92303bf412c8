import { App } from "aws-cdk-lib";
import { StepfunctionsDemoStack } from "../lib/stepfunctions-demo-stack";

const app = new App();
new StepfunctionsDemoStack(app, "StepfunctionsDemoStack");
app.synth();
