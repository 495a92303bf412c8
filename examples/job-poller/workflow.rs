//! Submits a job, waits, asks for its status once, and ends by it.
//!
//! Prints the definition: `cargo run -p stepwell-cdk --example job-poller`.

use std::error::Error;
use std::io::{Write, stdout};
use std::time::Duration;

use stepwell_cdk::{Choice, Condition, Fail, Function, LambdaInvoke, StateMachine, Wait, WaitTime};

fn main() -> Result<(), Box<dyn Error>> {
    Ok(writeln!(stdout(), "{}", state_machine().to_asl()?)?)
}

/// The state machine `JobPoller`; the template leaves its name to the deployment.
pub(crate) fn state_machine() -> StateMachine {
    let submit = Function::from_name("SubmitFunction");
    let check_status = Function::from_name("CheckStatusFunction");

    let submit_task = LambdaInvoke::new("SubmitJob", submit).output_path("$");

    let wait_x = Wait::new("WaitXSeconds", WaitTime::duration(Duration::from_secs(10)));

    let check_status_task =
        LambdaInvoke::new("CheckStatusTask", check_status.clone()).output_path("$.Payload");

    let job_failed = Fail::new("JobFailed").cause("AWS Batch Job Failed").error("Described returned FAILED");

    let final_status = LambdaInvoke::new("GetFinalJobStatus", check_status).output_path("$.Payload");

    let definition = submit_task.next(wait_x).next(check_status_task).next(
        Choice::new("Job Complete?")
            .when(Condition::string_equals("$.status", "FAILED"), &job_failed)
            .when(Condition::string_equals("$.status", "SUCCEEDED"), final_status)
            .otherwise(&job_failed),
    );

    StateMachine::new("JobPoller", definition).timeout(Duration::from_secs(120))
}
