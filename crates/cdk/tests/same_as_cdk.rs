//! The same workflows built here and by the AWS CDK library give the same definitions.
//!
//! `cdk-library/definitions.json` holds what the CDK makes of them; `cdk-library/synthesize.js` beside it says how.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use stepwell_cdk::{
    Activity, Afterwards, CallAwsService, Catch, Chain, Choice, Condition, CsvHeaders, CustomState,
    DistributedMap, DynamoAttributeValue as Attribute, DynamoConsumedCapacity, DynamoDeleteItem,
    DynamoGetItem, DynamoItemCollectionMetrics, DynamoProjectionExpression, DynamoPutItem,
    DynamoReturnValues, DynamoUpdateItem, Environment, EventBridgePutEvents, EventEntry, ExecutionType, Fail,
    Function, IntegrationPattern, ItemBatcher, ItemReader, JitterType, JsonPath, LambdaInvocationType,
    LambdaInvoke, Map, Parallel, Pass, QueryLanguage, Queue, ResultWriter, Retry, RuleOptions, SnsPublish,
    SqsSendMessage, StateMachine, StateMachineRef, StepFunctionsInvokeActivity, StepFunctionsStartExecution,
    Succeed, Table, TaskInput, Text, Timeout, Topic, Wait, WaitTime,
};

#[test]
fn every_workflow_of_the_cdk_library_comes_out_the_same() {
    let expected: Value =
        serde_json::from_str(include_str!("cdk-library/definitions.json")).expect("definitions.json is JSON");
    let expected = expected.as_object().expect("an object of definitions");
    let cases = cases();

    let here: BTreeSet<&str> = cases.iter().map(|(name, _)| *name).collect();
    let there: BTreeSet<&str> = expected.keys().map(String::as_str).collect();
    assert_eq!(here, there, "both sides build the same workflows");

    for (name, machine) in cases {
        let ours = machine.to_json().unwrap_or_else(|errors| panic!("{name}: {errors}"));
        let theirs = &expected[name];
        for (state, definition) in theirs["States"].as_object().expect("States is an object") {
            assert_eq!(&ours["States"][state], definition, "{name}: state '{state}'");
        }
        assert_eq!(&ours, theirs, "{name}");
    }
}

fn cases() -> Vec<(&'static str, StateMachine)> {
    vec![
        ("lambda invoke, all settings", lambda_all_settings()),
        ("lambda invoke, bare function", lambda_bare()),
        ("lambda invoke, task token", lambda_task_token()),
        ("retry and catch", retry_and_catch()),
        ("pass", pass()),
        ("wait", wait()),
        ("fail", fail()),
        ("conditions", conditions()),
        ("choice, afterwards", choice_afterwards()),
        ("loops", loops()),
        ("parallel", parallel()),
        ("map", map()),
        ("dynamodb", dynamodb()),
        ("sqs", sqs()),
        ("more tasks", more_tasks()),
        ("distributed map", distributed_map()),
        ("jsonata machine", jsonata_machine()),
        ("jsonata states", jsonata_states()),
        ("jsonata containers", jsonata_containers()),
    ]
}

fn machine(definition: impl stepwell_cdk::Chainable) -> StateMachine {
    StateMachine::new("Machine", definition)
}

fn environment() -> Environment {
    Environment::new("us-east-1", "123456789012")
}

fn function() -> Function {
    environment().function("Work")
}

fn lambda_all_settings() -> StateMachine {
    let invoke = LambdaInvoke::new("Invoke", function())
        .comment("calls")
        .input_path("$.in")
        .output_path("$.out")
        .result_path("$.result")
        .result_selector(json!({"a.$": "$.Payload", "b": 1}))
        .payload(TaskInput::from_object(json!({"id.$": "$.id", "fixed": [1, 2.5, true, null]})))
        .invocation_type(LambdaInvocationType::Event)
        .client_context("e30=")
        .qualifier("live")
        .task_timeout(Timeout::duration(Duration::from_secs(120)))
        .heartbeat_timeout(Timeout::at("$.beat"))
        .credentials(JsonPath::string_at("$.role"))
        .assign(json!({"seen.$": "$.StatusCode", "n": 3}));
    machine(invoke).comment("every field").timeout(Duration::from_secs(300))
}

fn lambda_bare() -> StateMachine {
    machine(
        LambdaInvoke::new("Invoke", function())
            .payload_response_only()
            .result_path("$.List")
            .next(
                LambdaInvoke::new("With payload", function())
                    .payload_response_only()
                    .payload(TaskInput::from_object(json!({"a": 1}))),
            )
            .next(
                LambdaInvoke::new("Path payload", function()).payload(TaskInput::from_json_path_at("$.guid")),
            )
            .next(
                LambdaInvoke::new("Text payload", function())
                    .payload(TaskInput::from_text("hello"))
                    .retry_on_service_exceptions(false),
            ),
    )
}

fn lambda_task_token() -> StateMachine {
    let payload = json!({
        "token.$": JsonPath::task_token().as_str(),
        "input.$": JsonPath::entire_payload().as_str(),
        "context.$": JsonPath::entire_context().as_str(),
        "execution.$": JsonPath::execution_name().as_str(),
    });
    machine(
        LambdaInvoke::new("Ask", function())
            .integration_pattern(IntegrationPattern::WaitForTaskToken)
            .payload(TaskInput::from_object(payload))
            .heartbeat_timeout(Timeout::duration(Duration::from_secs(30)))
            .task_timeout(Timeout::at("$.limit")),
    )
}

fn retry_and_catch() -> StateMachine {
    let recover = Pass::new("Recover");
    machine(
        LambdaInvoke::new("Invoke", function())
            .add_retry(Retry::on_all())
            .add_retry(
                Retry::on(["Custom", "States.Timeout"])
                    .interval(Duration::from_secs(5))
                    .max_attempts(0)
                    .backoff_rate(1.5)
                    .max_delay(Duration::from_secs(60))
                    .jitter_strategy(JitterType::Full),
            )
            .add_retry(Retry::on(["Late"]).max_attempts(3).jitter_strategy(JitterType::None))
            .add_catch(&recover, Catch::all().result_path("$.error"))
            .add_catch(
                Fail::new("Broken").error("E").cause("C").comment("over"),
                Catch::on(["States.TaskFailed"]),
            )
            .add_catch(
                recover.next(
                    Succeed::new("Saved").comment("ok").input_path("$.x").output_path(JsonPath::DISCARD),
                ),
                Catch::on(["KeyError"]).result_path(JsonPath::DISCARD).assign(json!({"why.$": "$.Cause"})),
            ),
    )
}

fn pass() -> StateMachine {
    let parameters = json!({"List.$": "$.List[1:]", "deep": {"id.$": "$$.Execution.Id", "list": [1, "x"]}});
    machine(
        Pass::new("Object")
            .result(json!({"a": [1, {"b": null}]}))
            .result_path("$.r")
            .comment("fixed")
            .next(Pass::new("Text").result("text").input_path(JsonPath::DISCARD))
            .next(Pass::new("Number").result(1.5).result_path(JsonPath::DISCARD))
            .next(Pass::new("Flag").result(false).output_path("$.x"))
            .next(Pass::new("List").result(json!(["a", 2])))
            .next(Pass::new("Parameters").parameters(parameters).assign(json!({"all.$": "$"})))
            .next(Pass::new("Another Name")),
    )
}

fn wait() -> StateMachine {
    machine(
        Wait::new("Duration", WaitTime::duration(Duration::from_secs(600)))
            .comment("a while")
            .next(Wait::new("Seconds path", WaitTime::seconds_path("$.delay")))
            .next(Wait::new("Timestamp", WaitTime::timestamp("2030-01-01T00:00:00Z")))
            .next(Wait::new("Timestamp path", WaitTime::timestamp_path("$.at"))),
    )
}

fn fail() -> StateMachine {
    machine(
        Choice::new("Which")
            .when(Condition::is_present("$.a"), Fail::new("Bare"))
            .when(
                Condition::is_present("$.b"),
                Fail::new("Paths").error_path("$.e").cause_path("States.Format('c {}', $.c)"),
            )
            .otherwise(Fail::new("Literal").error("E").cause("C")),
    )
}

fn conditions() -> StateMachine {
    let (v, p, t) = ("$.v", "$.p", "2030-01-01T00:00:00Z");
    let end = Succeed::new("End");
    let choice = Choice::new("Choice").comment("which").input_path("$.in").output_path("$.out");
    for condition in [
        Condition::is_present(v),
        Condition::is_not_present(v),
        Condition::is_string(v),
        Condition::is_not_string(v),
        Condition::is_numeric(v),
        Condition::is_not_numeric(v),
        Condition::is_boolean(v),
        Condition::is_not_boolean(v),
        Condition::is_timestamp(v),
        Condition::is_not_timestamp(v),
        Condition::is_null(v),
        Condition::is_not_null(v),
        Condition::boolean_equals(v, true),
        Condition::boolean_equals_json_path(v, p),
        Condition::string_equals(v, "s"),
        Condition::string_equals_json_path(v, p),
        Condition::string_less_than(v, "s"),
        Condition::string_less_than_json_path(v, p),
        Condition::string_less_than_equals(v, "s"),
        Condition::string_less_than_equals_json_path(v, p),
        Condition::string_greater_than(v, "s"),
        Condition::string_greater_than_json_path(v, p),
        Condition::string_greater_than_equals(v, "s"),
        Condition::string_greater_than_equals_json_path(v, p),
        Condition::number_equals(v, 1),
        Condition::number_equals_json_path(v, p),
        Condition::number_less_than(v, -2.5),
        Condition::number_less_than_json_path(v, p),
        Condition::number_less_than_equals(v, 3),
        Condition::number_less_than_equals_json_path(v, p),
        Condition::number_greater_than(v, 4.0),
        Condition::number_greater_than_json_path(v, p),
        Condition::number_greater_than_equals(v, 5_u32),
        Condition::number_greater_than_equals_json_path(v, p),
        Condition::timestamp_equals(v, t),
        Condition::timestamp_equals_json_path(v, p),
        Condition::timestamp_less_than(v, t),
        Condition::timestamp_less_than_json_path(v, p),
        Condition::timestamp_less_than_equals(v, t),
        Condition::timestamp_less_than_equals_json_path(v, p),
        Condition::timestamp_greater_than(v, t),
        Condition::timestamp_greater_than_json_path(v, p),
        Condition::timestamp_greater_than_equals(v, t),
        Condition::timestamp_greater_than_equals_json_path(v, p),
        Condition::string_matches(v, "log-*.txt"),
        Condition::and([Condition::is_string(v), Condition::string_equals("$.w", "x")]),
        Condition::or([Condition::is_null(v), Condition::not(Condition::is_present("$.w"))]),
        Condition::not(Condition::and([
            Condition::is_numeric(v),
            Condition::or([Condition::is_null(v), Condition::boolean_equals("$.w", false)]),
        ])),
    ] {
        choice.when(condition, &end);
    }
    let options =
        RuleOptions { comment: Some("the last".into()), assign: Some(json!({"x.$": "$.v"})), outputs: None };
    machine(choice.when_with(Condition::is_null("$.last"), &end, options))
}

fn choice_afterwards() -> StateMachine {
    let choice = Choice::new("Choice")
        .when(Condition::number_equals("$.n", 1), Pass::new("One").next(Pass::new("One more")))
        .when(Condition::number_equals("$.n", 2), Pass::new("Two"))
        .when(Condition::number_equals("$.n", 3), Fail::new("Three"));
    let options = Afterwards { include_otherwise: true, ..Afterwards::default() };
    machine(choice.afterwards(options).next(Pass::new("Together")))
}

fn loops() -> StateMachine {
    let wait = Wait::new("Wait", WaitTime::duration(Duration::from_secs(5)));
    let check = LambdaInvoke::new("Check", function());
    let done = Choice::new("Done?")
        .when(Condition::boolean_equals("$.done", true), Succeed::new("Yes"))
        .otherwise(&wait);
    machine(Chain::start(&wait).next(check).next(done)).timeout(Duration::from_secs(300)).comment("polls")
}

fn parallel() -> StateMachine {
    machine(
        Parallel::new("Both")
            .comment("two")
            .result_selector(json!({"first.$": "$[0]"}))
            .result_path("$.both")
            .input_path("$.in")
            .output_path("$.out")
            .parameters(json!({"x.$": "$.y"}))
            .branch(Pass::new("Left").next(Pass::new("Left 2")))
            .branch(Wait::new("Right", WaitTime::duration(Duration::from_secs(1))))
            .add_retry(Retry::on_all().max_attempts(1))
            .add_catch(Fail::new("Neither"), Catch::all())
            .next(Pass::new("After")),
    )
}

fn map() -> StateMachine {
    machine(
        Map::new("Each")
            .comment("items")
            .items_path("$.items")
            .max_concurrency(4)
            .item_selector(json!({"item.$": "$$.Map.Item.Value", "index.$": "$$.Map.Item.Index"}))
            .result_selector(json!({"n.$": "$"}))
            .result_path("$.mapped")
            .input_path("$.in")
            .output_path("$.out")
            .item_processor(Pass::new("One").next(Pass::new("Two")))
            .add_retry(Retry::on(["E"]))
            .add_catch(Pass::new("Caught"), Catch::all())
            .next(Map::new("Plain").max_concurrency_path("$.n").item_processor(Pass::new("Inner"))),
    )
}

fn dynamodb() -> StateMachine {
    let table = || Table::from_name("Things");
    let get = DynamoGetItem::new("Get", table(), [("MessageId", Attribute::from_string("MessageNo1"))])
        .result_path("$.DynamoDB");
    let key = [("MessageId", Attribute::from_string(JsonPath::string_at("$.List[0]")))];
    let get_by_path = DynamoGetItem::new("Get by path", table(), key)
        .consistent_read(true)
        .expression_attribute_names([("#a", "Message")])
        .projection_expression([
            DynamoProjectionExpression::new().with_attribute("#a"),
            DynamoProjectionExpression::new().with_attribute("List").at_index(0).with_attribute("x"),
        ])
        .return_consumed_capacity(DynamoConsumedCapacity::Total);
    let put = DynamoPutItem::new("Put", table(), every_attribute())
        .condition_expression("attribute_not_exists(Id)")
        .expression_attribute_names([("#b", "b")])
        .expression_attribute_values([(":x", Attribute::from_number(1))])
        .return_consumed_capacity(DynamoConsumedCapacity::Indexes)
        .return_item_collection_metrics(DynamoItemCollectionMetrics::Size)
        .return_values(DynamoReturnValues::AllOld);
    let update = DynamoUpdateItem::new("Update", table(), [("Id", Attribute::from_string("a"))])
        .update_expression("SET n = n + :one")
        .condition_expression("n < :one")
        .expression_attribute_values([(":one", Attribute::from_number(1))])
        .return_values(DynamoReturnValues::UpdatedNew)
        .result_selector(json!({"n.$": "$.Attributes.n.N"}));
    let key = [("Id", Attribute::from_string("a")), ("Sort", Attribute::from_number(3))];
    let delete = DynamoDeleteItem::new("Delete", table(), key)
        .condition_expression("attribute_exists(Id)")
        .return_consumed_capacity(DynamoConsumedCapacity::None)
        .result_path(JsonPath::DISCARD);
    machine(get.next(get_by_path).next(put).next(update).next(delete))
}

fn every_attribute() -> Vec<(&'static str, Attribute)> {
    vec![
        ("s", Attribute::from_string("text")),
        ("n", Attribute::from_number(1.5)),
        ("n2", Attribute::number_from_string("12")),
        ("n3", Attribute::number_from_string(JsonPath::string_at("$.n"))),
        ("b", Attribute::from_binary("aGVsbG8=")),
        ("ss", Attribute::from_string_set(["a", "b"])),
        ("ns", Attribute::from_number_set([1.0, 2.5])),
        ("ns2", Attribute::number_set_from_strings(["1", "2"])),
        ("bs", Attribute::from_binary_set(["YQ=="])),
        (
            "m",
            Attribute::from_map([
                ("k", Attribute::from_string("v")),
                ("p", Attribute::from_string(JsonPath::string_at("$.k"))),
            ]),
        ),
        ("m2", Attribute::map_from_json_path("$.map")),
        ("l", Attribute::from_list([Attribute::from_string("x"), Attribute::from_number(2)])),
        ("l2", Attribute::list_from_json_path("$.list")),
        ("nul", Attribute::from_null(true)),
        ("t", Attribute::from_boolean(true)),
        ("t2", Attribute::boolean_from_json_path("$.flag")),
    ]
}

fn sqs() -> StateMachine {
    let queue = environment().queue("Outbox");
    let fifo = Queue::from_url("https://sqs.us-east-1.amazonaws.com/123456789012/Outbox.fifo");
    let body = TaskInput::from_object(json!({"token.$": "$$.Task.Token", "x.$": "$.x"}));
    machine(
        SqsSendMessage::new("Path", queue.clone(), TaskInput::from_json_path_at("$.DynamoDB.Item.Message.S"))
            .result_path("$.SQS")
            .next(
                SqsSendMessage::new("Text", queue, TaskInput::from_text("hello"))
                    .delay(Duration::from_secs(15)),
            )
            .next(
                SqsSendMessage::new("Object", fifo, body)
                    .integration_pattern(IntegrationPattern::WaitForTaskToken)
                    .message_deduplication_id(JsonPath::string_at("$.dedup"))
                    .message_group_id("group"),
            ),
    )
}

fn more_tasks() -> StateMachine {
    let topic = Topic::from_arn("arn:aws:sns:us-east-1:123456789012:News");
    let child = || -> StateMachineRef { environment().state_machine("Child") };
    let activity: Activity = environment().activity("Manual");
    let publish =
        SnsPublish::new("Publish", topic, TaskInput::Text(Text::from(JsonPath::at("$.m")))).subject("News");
    let start = StepFunctionsStartExecution::new("Start", child())
        .input(TaskInput::from_object(json!({"a.$": "$.a"})))
        .execution_name("fixed");
    let run =
        StepFunctionsStartExecution::new("Run", child()).integration_pattern(IntegrationPattern::RunJob);
    let run_with_parent = StepFunctionsStartExecution::new("Run with parent", child())
        .integration_pattern(IntegrationPattern::RunJob)
        .associate_with_parent()
        .input(TaskInput::from_object(json!({"b": 2})));
    let manual = StepFunctionsInvokeActivity::new("Manual", activity)
        .parameters(json!({"a.$": "$.a"}))
        .heartbeat_timeout(Timeout::duration(Duration::from_secs(10)));
    let any = CallAwsService::new("Any", "transcribe", "getTranscriptionJob")
        .parameters(json!({"TranscriptionJobName.$": "$.job", "Limit": 1}));
    let event = EventBridgePutEvents::new(
        "Event",
        [EventEntry::new("my.app", "Done", TaskInput::from_object(json!({"x.$": "$.x"})))],
    );
    let custom = CustomState::new(
        "Custom",
        json!({"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:listBuckets", "Parameters": {}}),
    )
    .add_catch(Fail::new("Oh"), Catch::all());
    machine(
        publish.next(start).next(run).next(run_with_parent).next(manual).next(any).next(event).next(custom),
    )
}

fn distributed_map() -> StateMachine {
    let objects = DistributedMap::new("Objects")
        .comment("objects")
        .label("Objects")
        .map_execution_type(ExecutionType::Express)
        .max_concurrency(100)
        .item_reader(ItemReader::s3_objects("files").prefix("in/").max_items(10))
        .tolerated_failure_count(3)
        .result_writer(ResultWriter::new("files").prefix("out/"))
        .item_batcher(
            ItemBatcher::new()
                .max_items_per_batch(5)
                .max_input_bytes_per_batch_path("$.bytes")
                .batch_input(json!({"a.$": "$.a"})),
        )
        .result_path("$.r")
        .item_processor(Pass::new("Object"));
    let json = DistributedMap::new("Json")
        .item_reader(ItemReader::s3_json("files", JsonPath::string_at("$.key")))
        .tolerated_failure_percentage(25)
        .item_processor(Pass::new("Json item"));
    let json_lines = DistributedMap::new("Json lines")
        .item_reader(ItemReader::s3_json_lines("files", "items.jsonl"))
        .tolerated_failure_count_path("$.n")
        .item_processor(Pass::new("Line"));
    let csv = DistributedMap::new("Csv with header")
        .item_reader(ItemReader::s3_csv("files", "items.csv", CsvHeaders::FirstRow).csv_delimiter("PIPE"))
        .tolerated_failure_percentage_path("$.p")
        .item_processor(Pass::new("Row"));
    let headers = CsvHeaders::Given(vec!["a".into(), "b".into()]);
    let given = DistributedMap::new("Csv with given headers")
        .item_reader(ItemReader::s3_csv("files", "items.csv", headers))
        .item_processor(Pass::new("Row too"));
    let manifest = DistributedMap::new("Manifest")
        .item_reader(ItemReader::s3_manifest("files", "manifest.json"))
        .item_processor(Pass::new("Entry"));
    let input = DistributedMap::new("Input")
        .items_path("$.items")
        .max_concurrency_path("$.c")
        .item_selector(json!({"v.$": "$$.Map.Item.Value"}))
        .item_processor(Pass::new("Value"));
    machine(objects.next(json).next(json_lines).next(csv).next(given).next(manifest).next(input))
}

fn jsonata_machine() -> StateMachine {
    let late = Fail::jsonata("Late").error("{% $states.input.code %}").cause("too late");
    let ready = RuleOptions {
        comment: Some("ready".into()),
        assign: Some(json!({"at": "{% $now() %}"})),
        outputs: Some(json!({"ready": true})),
    };
    let choice = Choice::jsonata("Ready?")
        .outputs("{% $states.input.part %}")
        .assign(json!({"chosen": "{% $states.input.id %}"}))
        .when_with(
            Condition::jsonata("{% $states.input.status = 'READY' %}"),
            Succeed::jsonata("Done").outputs("{% $n %}"),
            ready,
        )
        .when(Condition::jsonata("{% $states.input.n > 3 %}"), &late)
        .otherwise(Succeed::new("Otherwise"));
    let pass = Pass::jsonata("Pass")
        .comment("shapes")
        .outputs(json!({"id": "{% $states.input.id %}", "list": [1, "{% $n %}"]}))
        .assign(json!({"n": "{% $states.input.n %}", "m": 2}));
    let wait = Wait::jsonata("Wait", WaitTime::seconds("{% $states.input.delay %}"))
        .outputs(json!({"waited": true}));
    let until = Wait::jsonata("Wait until", WaitTime::timestamp("{% $states.input.at %}"));
    let definition = jsonata_tasks(pass, &late).next(wait).next(until).next(choice);
    machine(definition).query_language(QueryLanguage::Jsonata).comment("expressions")
}

fn jsonata_tasks(first: Pass, late: &Fail) -> Chain {
    let expression = |text: &str| TaskInput::from_text(text);
    let invoke = LambdaInvoke::new("Invoke", function()).outputs("{% $states.result.Payload %}");
    let with_payload = LambdaInvoke::jsonata("Invoke with payload", function())
        .payload(TaskInput::from_object(json!({"id": "{% $states.input.id %}"})))
        .invocation_type(LambdaInvocationType::Event)
        .task_timeout(Timeout::jsonata("{% $states.input.limit %}"))
        .heartbeat_timeout(Timeout::duration(Duration::from_secs(5)))
        .assign(json!({"seen": "{% $states.result.StatusCode %}"}))
        .add_catch(
            late,
            Catch::on(["Late"])
                .outputs(json!({"why": "{% $states.errorOutput.Cause %}"}))
                .assign(json!({"failed": true})),
        );
    let ask = LambdaInvoke::jsonata("Ask", function())
        .integration_pattern(IntegrationPattern::WaitForTaskToken)
        .payload(TaskInput::from_object(json!({"token": "{% $states.context.Task.Token %}"})));
    let bare = LambdaInvoke::jsonata("Bare", function())
        .payload_response_only()
        .payload(expression("{% $states.input.part %}"));
    let key = [("Id", Attribute::from_string("{% $states.input.id %}"))];
    let get =
        DynamoGetItem::jsonata("Get", Table::from_name("Things"), key).outputs("{% $states.result.Item %}");
    let queue = environment().queue("Outbox");
    let send = SqsSendMessage::jsonata("Send", queue, expression("{% $states.input.text %}"));
    let run = StepFunctionsStartExecution::jsonata("Run", environment().state_machine("Child"))
        .integration_pattern(IntegrationPattern::RunJob)
        .associate_with_parent()
        .input(TaskInput::from_object(json!({"b": "{% $n %}"})));
    let manual = StepFunctionsInvokeActivity::jsonata("Manual", environment().activity("Manual"))
        .arguments(json!({"a": "{% $n %}"}));
    let any = CallAwsService::jsonata("Any", "s3", "listBuckets")
        .parameters(json!({"Prefix": "{% $states.input.prefix %}"}));
    first
        .next(invoke)
        .next(with_payload)
        .next(ask)
        .next(bare)
        .next(get)
        .next(send)
        .next(run)
        .next(manual)
        .next(any)
}

fn jsonata_states() -> StateMachine {
    machine(
        Pass::new("Path")
            .parameters(json!({"a.$": "$.a"}))
            .next(Pass::jsonata("Expression").outputs("{% $states.input.a %}"))
            .next(LambdaInvoke::jsonata("Invoke", function()))
            .next(
                Choice::jsonata("Which?")
                    .when(Condition::jsonata("{% $states.input.ok %}"), Succeed::jsonata("Good"))
                    .otherwise(Fail::jsonata("Bad")),
            ),
    )
}

fn jsonata_containers() -> StateMachine {
    let both = Parallel::jsonata("Both")
        .arguments(json!({"x": "{% $states.input.x %}"}))
        .outputs("{% $states.result[0] %}")
        .assign(json!({"all": "{% $states.result %}"}))
        .branch(Pass::jsonata("Left").outputs(1))
        .branch(Pass::new("Right"))
        .add_catch(Fail::new("Neither"), Catch::all().outputs("{% $states.errorOutput %}"));
    let each = Map::jsonata("Each")
        .items("{% $states.input.items %}")
        .jsonata_max_concurrency("{% $states.input.limit %}")
        .item_selector(json!({"v": "{% $states.context.Map.Item.Value %}"}))
        .outputs(json!({"n": "{% $count($states.result) %}"}))
        .item_processor(Pass::jsonata("One").outputs("{% $states.input.v %}"));
    let fixed = Map::jsonata("Fixed")
        .items(json!([1, "{% $states.input.two %}"]))
        .max_concurrency(2)
        .jsonata_item_selector("{% {'i': $states.context.Map.Item.Index} %}")
        .item_processor(Pass::new("Two"));
    let batcher =
        ItemBatcher::new().max_items_per_batch(5).batch_input(json!({"a": "{% $states.input.a %}"}));
    let objects = DistributedMap::jsonata("Objects")
        .item_reader(ItemReader::s3_objects("files").prefix("in/"))
        .result_writer(ResultWriter::new("files").prefix("out/"))
        .tolerated_failure_count(2)
        .item_batcher(batcher)
        .item_processor(Pass::new("Object"));
    machine(both.next(each).next(fixed).next(objects)).query_language(QueryLanguage::Jsonata)
}
