//! Seeds a table, then works off a list of message ids. Every round reads the same item: the key is a literal.
//!
//! Prints the definition: `cargo run -p stepwell-cdk --example transfer-data-records`.

use std::error::Error;
use std::io::{Write, stdout};

use serde_json::json;
use stepwell_cdk::{
    Choice, Condition, DynamoAttributeValue, DynamoGetItem, Function, LambdaInvoke, Pass, StateMachine,
    Succeed, Table,
};

fn main() -> Result<(), Box<dyn Error>> {
    Ok(writeln!(stdout(), "{}", state_machine().to_asl()?)?)
}

/// The state machine `TransferRecord`.
pub(crate) fn state_machine() -> StateMachine {
    let table = Table::from_name("TableStepFuncDemo");

    let seed_task =
        LambdaInvoke::new("SeedDDBTable", Function::from_name("SeedDDBFunction")).output_path("$.Payload");

    let key = [("MessageId", DynamoAttributeValue::from_string("MessageNo1"))];
    let read_next_item = DynamoGetItem::new("GetItemFromDb", table, key).result_path("$.DynamoDB");

    let pop_item_from_list = Pass::new("PopItemFromList").parameters(json!({"List.$": "$.List[1:]"}));

    let condition_loop = Choice::new("ConditionLoop");

    let definition = seed_task.next(
        condition_loop
            .when(Condition::string_equals("$.List[0]", "DONE"), Succeed::new("Finish"))
            .otherwise(read_next_item.next(pop_item_from_list).next(&condition_loop)),
    );

    StateMachine::new("TransferRecord", definition)
}
