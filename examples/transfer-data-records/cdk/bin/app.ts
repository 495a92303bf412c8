import { App } from "aws-cdk-lib";
import { TransferDataRecordStack } from "../lib/transfer-data-record-stack";

const app = new App();
// The stack is spelled like this by the app it follows.
new TransferDataRecordStack(app, "TransferDataRecordStrack");
app.synth();
