//! Mistakes in a workflow are reported, all of them, and never panic.

use std::time::Duration;

use serde_json::json;
use stepwell_cdk::{
    BuildError, CallAwsService, Catch, Chain, Choice, Condition, CustomState, DynamoAttributeValue,
    DynamoPutItem, Fail, Function, IntegrationPattern, LambdaInvoke, Map, Parallel, Pass, QueryLanguage,
    Retry, StateMachine, Succeed, Table, TaskInput, Timeout, Wait, WaitTime,
};

fn mistakes(definition: impl stepwell_cdk::Chainable) -> Vec<String> {
    match StateMachine::new("Machine", definition).to_json() {
        Ok(definition) => panic!("no mistake found in {definition:#}"),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn two_states_with_one_name() {
    let twice = Pass::new("A").next(Pass::new("B")).next(Parallel::new("P").branch(Pass::new("A")));
    assert_eq!(
        mistakes(twice),
        ["two states are called 'A'; all states of a state machine need different names"]
    );
}

#[test]
fn names_have_a_length() {
    let long = "n".repeat(81);
    let found = mistakes(Pass::new("").next(Pass::new(long.clone())));
    assert_eq!(
        found,
        [
            "the state name '' is not 1 to 80 characters long".to_owned(),
            format!("the state name '{long}' is not 1 to 80 characters long"),
        ]
    );
}

#[test]
fn a_second_next() {
    let first = Pass::new("First");
    first.next(Pass::new("Second"));
    assert_eq!(
        mistakes(first.next(Pass::new("Third"))),
        ["state 'First' already goes to 'Second' and cannot also go to 'Third'"]
    );
}

#[test]
fn a_second_default() {
    let choice = Choice::new("C")
        .when(Condition::is_null("$.a"), Succeed::new("S"))
        .otherwise(Pass::new("D"))
        .otherwise(Pass::new("E"));
    assert_eq!(mistakes(choice), ["choice 'C' already has the default 'D' and cannot also have 'E'"]);
}

#[test]
fn nothing_follows_an_end() {
    let chain = Chain::sequence(Pass::new("A"), Succeed::new("B")).next(Pass::new("C"));
    assert_eq!(
        mistakes(chain),
        ["'C' cannot follow: the chain that starts at 'A' ends only in states without a next state"]
    );
}

#[test]
fn a_state_to_which_nothing_leads() {
    let shared = Succeed::new("End");
    let start = Pass::new("Start");
    start.next(&shared);
    Pass::new("Aside").next(&shared);
    assert_eq!(mistakes(start), ["state 'Aside' cannot be reached from the start"]);
}

#[test]
fn branches_share_nothing() {
    let shared = Pass::new("Shared");
    let parallel = Parallel::new("P").branch(&shared).branch(Pass::new("Left").next(&shared));
    assert_eq!(
        mistakes(parallel),
        ["state 'Shared' is used inside 'P' and elsewhere; a branch cannot share states"]
    );
}

#[test]
fn a_container_inside_itself() {
    let parallel = Parallel::new("P");
    parallel.branch(Pass::new("Inside").next(&parallel));
    assert_eq!(
        mistakes(parallel),
        ["state 'P' is used inside 'the state machine' and elsewhere; a branch cannot share states"]
    );
}

#[test]
fn empty_choices_and_containers() {
    let empty = Parallel::new("P").next(Map::new("M")).next(Choice::new("C"));
    assert_eq!(
        mistakes(empty),
        [
            "'P' contains no states; give it a branch with branch()",
            "'M' contains no states; give it states with item_processor()",
            "choice 'C' has no rules; give it at least one with when()",
        ]
    );
}

#[test]
fn durations_are_whole_seconds() {
    let wait = Wait::new("W", WaitTime::duration(Duration::from_millis(1500)));
    let task = LambdaInvoke::new("T", Function::from_name("F"))
        .task_timeout(Timeout::duration(Duration::from_secs(100_000_000)))
        .add_retry(Retry::on(["E"]).interval(Duration::from_nanos(1)));
    let found = mistakes(wait.next(task));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().any(|error| error.starts_with("Seconds of 'W' is 1.5s;")), "{found:#?}");
    assert!(
        found.iter().any(|error| error.starts_with("TimeoutSeconds of 'T' is 100000000s;")),
        "{found:#?}"
    );
    assert!(found.iter().any(|error| error.starts_with("IntervalSeconds of 'T' is 1ns;")), "{found:#?}");

    let machine = StateMachine::new("M", Pass::new("A")).timeout(Duration::from_millis(1));
    assert!(matches!(
        machine.to_json().map_err(|errors| errors.0).expect_err("refused").as_slice(),
        [BuildError::InvalidDuration { field: "TimeoutSeconds", .. }]
    ));
}

#[test]
fn numbers_that_json_does_not_have() {
    let choice = Choice::new("C").when(
        Condition::not(Condition::number_equals("$.n", f64::NAN)),
        DynamoPutItem::new(
            "Put",
            Table::from_name("T"),
            [("a", DynamoAttributeValue::from_list([DynamoAttributeValue::from_number(f64::INFINITY)]))],
        ),
    );
    assert_eq!(
        mistakes(choice),
        ["a number of 'C' is infinite or not a number", "a number of 'Put' is infinite or not a number"]
    );
}

#[test]
fn nesting_has_a_limit() {
    let mut condition = Condition::is_null("$.a");
    for _ in 0..100_000 {
        condition = Condition::not(condition);
    }
    let choice = Choice::new("C").when(condition, Succeed::new("S"));
    assert_eq!(mistakes(choice), ["'C' nests deeper than 64 levels"]);

    let mut inner = Chain::start(Pass::new("Innermost"));
    for level in 0..1_000 {
        inner = Chain::start(Parallel::new(format!("P{level}")).branch(inner));
    }
    assert_eq!(mistakes(inner), ["'P935' nests deeper than 64 levels"]);
}

#[test]
fn settings_that_exclude_each_other() {
    let refused = Map::new("M")
        .max_concurrency(1)
        .max_concurrency_path("$.n")
        .item_processor(Pass::new("I"))
        .next(LambdaInvoke::new("Bare", Function::from_name("F")).payload_response_only().qualifier("1"))
        .next(
            LambdaInvoke::new("Text", Function::from_name("F"))
                .payload_response_only()
                .payload(TaskInput::from_text("x")),
        )
        .next(
            LambdaInvoke::new("Token", Function::from_name("F"))
                .integration_pattern(IntegrationPattern::WaitForTaskToken),
        )
        .next(CallAwsService::new("Call", "s3", "ListBuckets"))
        .next(CustomState::new("Custom", json!({"Type": "Pass", "Next": "X"})))
        .next(Fail::new("Fail").error("E").error_path("$.e"));
    assert_eq!(
        mistakes(refused),
        [
            "state 'M': max_concurrency and max_concurrency_path exclude each other",
            "state 'Bare': payload_response_only excludes an integration pattern, invocation type, client context and qualifier",
            "state 'Text': payload_response_only takes an object as payload; select a part with input_path",
            "state 'Token': a task that waits for its token must pass it on: use JsonPath::task_token()",
            "state 'Call': the action 'ListBuckets' must be in camelCase",
            "state 'Custom': Next in the JSON of a custom state; use next() instead",
            "state 'Fail': error and error_path exclude each other",
        ]
    );
}

#[test]
fn all_stands_alone() {
    let task = LambdaInvoke::new("T", Function::from_name("F"))
        .add_retry(Retry::on(["States.ALL", "E"]))
        .add_catch(Pass::new("H"), Catch::on(["E", "States.ALL"]));
    assert_eq!(mistakes(task), ["state 'T': States.ALL must be the only error of a retrier or catcher"; 2]);
}

#[test]
fn a_long_chain_is_no_problem() {
    let mut chain = Chain::start(Pass::new("0"));
    for number in 1..20_000 {
        chain = chain.next(Pass::new(number.to_string()));
    }
    let definition = StateMachine::new("Long", chain).to_json().expect("a definition");
    assert_eq!(definition["States"].as_object().map(serde_json::Map::len), Some(20_000));

    // And put together from the other end.
    let mut chain = Chain::start(Pass::new("0"));
    for number in 1..20_000 {
        chain = Pass::new(number.to_string()).next(chain);
    }
    let definition = StateMachine::new("Long", chain).to_json().expect("a definition");
    assert_eq!(definition["States"].as_object().map(serde_json::Map::len), Some(20_000));
}

#[test]
fn older_libraries_retry_fewer_errors() {
    let task = LambdaInvoke::new("T", Function::from_name("F"))
        .add_retry(Retry::on(["Mine"]))
        .without_client_execution_timeout();
    let definition = StateMachine::new("M", task).to_json().expect("a definition");
    assert_eq!(
        definition["States"]["T"]["Retry"],
        json!([
            {
                "ErrorEquals": ["Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException"],
                "IntervalSeconds": 2, "MaxAttempts": 6, "BackoffRate": 2,
            },
            {"ErrorEquals": ["Mine"]},
        ])
    );
}

#[test]
fn the_language_has_the_last_word() {
    let wait = Wait::new("W", WaitTime::timestamp("tomorrow")).input_path("no path");
    let errors = StateMachine::new("M", wait).to_json().expect_err("refused").0;
    assert_eq!(errors.len(), 2, "{errors:#?}");
    for error in errors {
        assert!(matches!(&error, BuildError::Definition(text) if text.contains("/States/W")), "{error}");
    }

    let endless = Pass::new("A");
    let definition = endless.next(&endless);
    assert_eq!(mistakes(definition), ["MISSING_END_STATE: Workflow has no terminal state at null"]);
}

#[test]
fn what_is_inside_of_containers_is_validated_too() {
    let both = Parallel::new("Both").branch(Pass::new("Left").input_path("no path"));
    let each = Map::new("Each").item_processor(Wait::new("W", WaitTime::timestamp("tomorrow")));
    let errors = mistakes(both.next(each));
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors[0].contains("/States/Both/Branches[0]/States/Left"), "{errors:#?}");
    assert!(errors[1].contains("/States/Each/ItemProcessor/States/W"), "{errors:#?}");
}

#[test]
fn each_language_has_its_own_fields() {
    let choice = Choice::jsonata("No braces").when(Condition::jsonata("true"), Succeed::new("S"));
    let token = LambdaInvoke::jsonata("Token", Function::from_name("F"))
        .integration_pattern(IntegrationPattern::WaitForTaskToken)
        .payload(TaskInput::from_text("{% $states.context.Execution.Id %}"));
    assert_eq!(
        mistakes(token.next(choice)),
        [
            "state 'No braces': a condition in JSONata must begin with '{%' and end with '%}'",
            "state 'Token': a task that waits for its token must pass it on: use '{% $states.context.Task.Token %}'",
        ]
    );

    let path_in_jsonata = Pass::jsonata("A").input_path("$.a");
    let output_in_json_path = Pass::new("B").outputs("{% 1 %}");
    let syntax = Pass::jsonata("C").outputs("{% 1 + %}");
    let errors = mistakes(path_in_jsonata.next(output_in_json_path).next(syntax));
    for (error, state) in errors.iter().zip(["/States/A", "/States/B", "/States/C"]) {
        assert!(error.contains(state), "{errors:#?}");
    }
    assert_eq!(errors.len(), 3, "{errors:#?}");
}

#[test]
fn states_without_a_language_have_that_of_the_machine() {
    let invoke = LambdaInvoke::new("Inside", Function::from_name("F"));
    let machine = StateMachine::new("M", Map::new("Each").item_processor(invoke));
    let definition = machine.clone().to_json().expect("a definition");
    let inside = |definition: &serde_json::Value| {
        definition["States"]["Each"]["ItemProcessor"]["States"]["Inside"].clone()
    };
    assert_eq!(inside(&definition)["Parameters"]["Payload.$"], "$");
    let definition = machine.query_language(QueryLanguage::Jsonata).to_json().expect("a definition");
    assert_eq!(inside(&definition)["Arguments"]["Payload"], "{% $states.input %}");
}
