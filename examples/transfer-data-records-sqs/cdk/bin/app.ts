import { App } from "aws-cdk-lib";
import { TransferDataRecordsSqsStack } from "../lib/transfer-data-records-sqs-stack";

const app = new App();
new TransferDataRecordsSqsStack(app, "TransferDataRecordsSqs");
app.synth();
