//! One pass over a counter: the processing task has no `next`, so it ends the execution.
//!
//! The CDK app leaves the names of the functions to the deployment; this definition expects them to be called
//! `GetNumIterLambda` and `IterLambda`.
//!
//! Prints the definition: `cargo run -p stepwell-cdk --example lambda-iteration`.

use std::error::Error;
use std::io::{Write, stdout};

use stepwell_cdk::{Choice, Condition, Function, LambdaInvoke, StateMachine, Succeed};

fn main() -> Result<(), Box<dyn Error>> {
    Ok(writeln!(stdout(), "{}", state_machine().to_asl()?)?)
}

/// The state machine `LambdaIter`.
pub(crate) fn state_machine() -> StateMachine {
    let get_num_iter =
        LambdaInvoke::new("GetNumIter", Function::from_name("GetNumIterLambda")).output_path("$.Payload");

    let next_iter =
        LambdaInvoke::new("LambdaProcessJob", Function::from_name("IterLambda")).output_path("$.Payload");

    let definition = get_num_iter.next(
        Choice::new("Loop Completed?")
            .when(Condition::number_equals("$.counter", 0), Succeed::new("Finish"))
            .when(Condition::number_greater_than("$.counter", 0), next_iter),
    );

    StateMachine::new("LambdaIter", definition)
}
