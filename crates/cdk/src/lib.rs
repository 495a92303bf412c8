//! Workflows as Rust code, written the way the AWS CDK writes them, giving the same definitions.
//!
//! Owns: the states, chains, conditions and tasks with which a program builds a workflow, and the Amazon States Language
//! text that comes out. It runs nothing and calls nothing: what it writes goes to a server, a template or a file.
//!
//! # How it works
//! A state is a cheap handle: cloning it, or passing a reference, means the same state, so a state can be the target of
//! several others and chains can lead back to it. Settings chain (`.output_path("$.Payload")`), and so do states:
//! [`next`](LambdaInvoke::next) gives a [`Chain`] whose open ends the following `next` continues. Mistakes (two states
//! of one name, a second `next`, a state that nothing leads to) do not interrupt: [`StateMachine::to_asl`] returns all of
//! them as [`BuildErrors`].
//!
//! # Iterate a Lambda function
//! ```
//! use stepwell_cdk::{Choice, Condition, Function, LambdaInvoke, StateMachine, Succeed};
//!
//! let get_num_iter =
//!     LambdaInvoke::new("GetNumIter", Function::from_name("GetNumIterLambda")).output_path("$.Payload");
//! let next_iter =
//!     LambdaInvoke::new("LambdaProcessJob", Function::from_name("IterLambda")).output_path("$.Payload");
//!
//! let definition = get_num_iter.next(
//!     Choice::new("Loop Completed?")
//!         .when(Condition::number_equals("$.counter", 0), Succeed::new("Finish"))
//!         .when(Condition::number_greater_than("$.counter", 0), next_iter),
//! );
//! let machine = StateMachine::new("LambdaIter", definition);
//! # assert_eq!(machine.to_json()?["States"].as_object().map(|states| states.len()), Some(4));
//! # Ok::<(), stepwell_cdk::BuildErrors>(())
//! ```
//!
//! # Poll a job
//! ```
//! use std::time::Duration;
//! use stepwell_cdk::{Choice, Condition, Fail, Function, LambdaInvoke, StateMachine, Wait, WaitTime};
//!
//! let submit = Function::from_name("SubmitFunction");
//! let check_status = Function::from_name("CheckStatusFunction");
//!
//! let submit_task = LambdaInvoke::new("SubmitJob", submit).output_path("$");
//! let wait_x = Wait::new("WaitXSeconds", WaitTime::duration(Duration::from_secs(10)));
//! let check_status_task = LambdaInvoke::new("CheckStatusTask", check_status.clone()).output_path("$.Payload");
//! let job_failed = Fail::new("JobFailed").cause("AWS Batch Job Failed").error("Described returned FAILED");
//! let final_status = LambdaInvoke::new("GetFinalJobStatus", check_status).output_path("$.Payload");
//!
//! let definition = submit_task.next(wait_x).next(check_status_task).next(
//!     Choice::new("Job Complete?")
//!         .when(Condition::string_equals("$.status", "FAILED"), &job_failed)
//!         .when(Condition::string_equals("$.status", "SUCCEEDED"), final_status)
//!         .otherwise(&job_failed),
//! );
//! let machine = StateMachine::new("JobPoller", definition).timeout(Duration::from_secs(120));
//! # assert_eq!(machine.to_json()?["TimeoutSeconds"], 120);
//! # Ok::<(), stepwell_cdk::BuildErrors>(())
//! ```
//!
//! # Transfer data records
//! A loop: the chain behind `otherwise` leads back to the Choice it hangs on.
//! ```
//! use serde_json::json;
//! use stepwell_cdk::{
//!     Choice, Condition, DynamoAttributeValue, DynamoGetItem, Function, LambdaInvoke, Pass, StateMachine, Succeed, Table,
//! };
//!
//! let seed_task = LambdaInvoke::new("SeedDDBTable", Function::from_name("SeedDDBFunction")).output_path("$.Payload");
//! let key = [("MessageId", DynamoAttributeValue::from_string("MessageNo1"))];
//! let read_next_item =
//!     DynamoGetItem::new("GetItemFromDb", Table::from_name("TableStepFuncDemo"), key).result_path("$.DynamoDB");
//! let pop_item_from_list = Pass::new("PopItemFromList").parameters(json!({"List.$": "$.List[1:]"}));
//! let condition_loop = Choice::new("ConditionLoop");
//!
//! let definition = seed_task.next(
//!     condition_loop
//!         .when(Condition::string_equals("$.List[0]", "DONE"), Succeed::new("Finish"))
//!         .otherwise(read_next_item.next(pop_item_from_list).next(&condition_loop)),
//! );
//! let machine = StateMachine::new("TransferRecord", definition);
//! # assert_eq!(machine.to_json()?["States"]["PopItemFromList"]["Next"], "ConditionLoop");
//! # Ok::<(), stepwell_cdk::BuildErrors>(())
//! ```
//!
//! # JSONata
//! States are in JSONPath unless they are made with `jsonata` instead of `new`, or their machine has
//! [`StateMachine::query_language`]. Strings in `{% %}` are then expressions, and `outputs` says what goes on.
//! ```
//! use stepwell_cdk::{Choice, Condition, Function, LambdaInvoke, QueryLanguage, StateMachine, Succeed, TaskInput};
//!
//! let check = LambdaInvoke::new("Check", Function::from_name("Check"))
//!     .payload(TaskInput::from_text("{% $states.input.order %}"))
//!     .outputs("{% $states.result.Payload %}");
//! let definition = check.next(
//!     Choice::new("Good?")
//!         .when(Condition::jsonata("{% $states.input.score > 80 %}"), Succeed::new("Good"))
//!         .otherwise(Succeed::new("Not so good")),
//! );
//! let machine = StateMachine::new("Score", definition).query_language(QueryLanguage::Jsonata);
//! # assert_eq!(machine.to_json()?["States"]["Check"]["Output"], "{% $states.result.Payload %}");
//! # Ok::<(), stepwell_cdk::BuildErrors>(())
//! ```

mod chain;
mod choice;
mod condition;
mod custom;
mod distributed_map;
mod draft;
mod end;
mod errors;
mod language;
mod machine;
mod map;
mod parallel;
mod pass;
mod render;
mod resources;
mod retry;
mod state;
mod tasks;
mod values;
mod wait;

pub use chain::{Chain, Chainable, OpenEnd};
pub use choice::{Afterwards, Choice, RuleOptions};
pub use condition::Condition;
pub use custom::CustomState;
pub use distributed_map::{CsvHeaders, DistributedMap, ExecutionType, ItemBatcher, ItemReader, ResultWriter};
pub use draft::Handle;
pub use end::{Fail, Succeed};
pub use errors::{BuildError, BuildErrors};
pub use language::QueryLanguage;
pub use machine::StateMachine;
pub use map::Map;
pub use parallel::Parallel;
pub use pass::Pass;
pub use resources::{Activity, Environment, Function, Queue, StateMachineRef, Table, Topic};
pub use retry::{Catch, JitterType, Retry, errors as error_names};
pub use tasks::{
    CallAwsService, DynamoAttributeValue, DynamoConsumedCapacity, DynamoDeleteItem, DynamoGetItem,
    DynamoItemCollectionMetrics, DynamoProjectionExpression, DynamoPutItem, DynamoReturnValues,
    DynamoUpdateItem, EventBridgePutEvents, EventEntry, IntegrationPattern, LambdaInvocationType,
    LambdaInvoke, SnsPublish, SqsSendMessage, StepFunctionsInvokeActivity, StepFunctionsStartExecution,
};
pub use values::{Discard, JsonPath, Number, PathSetting, TaskInput, Text, Timeout};
pub use wait::{Wait, WaitTime};

/// How deep conditions and containers may be nested; far more than a definition of 1 MB has use for.
const NESTING_MAX: usize = 64;
