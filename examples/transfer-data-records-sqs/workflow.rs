//! Seeds a table, then reads one item after the other and sends its text to a queue.
//!
//! The CDK app leaves the names of its resources to the deployment; this definition expects them to be called
//! `SeedingFunction`, `DDBTable` and `SQSQueue`.
//!
//! Prints the definition: `cargo run -p stepwell-cdk --example transfer-data-records-sqs`.

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

use serde_json::json;
use stepwell_cdk::{
    Choice, Condition, DynamoAttributeValue, DynamoGetItem, Function, JsonPath, LambdaInvoke, Pass, Queue,
    SqsSendMessage, StateMachine, Succeed, Table, TaskInput,
};

fn main() -> Result<(), Box<dyn Error>> {
    Ok(writeln!(stdout(), "{}", state_machine().to_asl()?)?)
}

/// The state machine `TransferRecordSqs`.
pub(crate) fn state_machine() -> StateMachine {
    let table = Table::from_name("DDBTable");
    let queue = Queue::from_name("SQSQueue");

    let seed_table = LambdaInvoke::new("Seed the DynamoDB Table", Function::from_name("SeedingFunction"))
        .payload_response_only()
        .result_path("$.List");

    let loop_condition = Choice::new("For Loop Condition");

    let key = [("MessageId", DynamoAttributeValue::from_string(JsonPath::string_at("$.List[0]")))];
    let read_next_message =
        DynamoGetItem::new("Read Next Message from DynamoDB", table, key).result_path("$.DynamoDB");

    let body = TaskInput::from_json_path_at("$.DynamoDB.Item.Message.S");
    let send_message = SqsSendMessage::new("Send Message to SQS", queue, body).result_path("$.SQS");

    let pop_element = Pass::new("Pop Element from List").parameters(json!({"List.$": "$.List[1:]"}));

    let definition = seed_table.next(
        loop_condition
            .when(
                Condition::not(Condition::string_equals("$.List[0]", "DONE")),
                read_next_message.next(send_message).next(pop_element).next(&loop_condition),
            )
            .otherwise(Succeed::new("Succeed")),
    );

    StateMachine::new("TransferRecordSqs", definition).timeout(Duration::from_secs(3600))
}
