//! What a state does, in a few words for the line above its name, and the type by which it is coloured.

use stepwell_asl::program::{
    CountField, IntegrationPattern, Items, Map, ProcessorMode, Resource, ResourceKind, StateKind, Task, Wait,
    WaitUntil,
};
use stepwell_asl::template::Template;

use crate::model::StateType;

/// Expressions longer than this are cut; a picture is no place for a whole program.
const EXPRESSION_CHARS_MAX: usize = 400;

/// Type and details; no details where the type says it all.
pub(crate) fn describe(kind: &StateKind) -> (StateType, String) {
    match kind {
        StateKind::Pass(_) => (StateType::Pass, String::new()),
        StateKind::Choice(_) => (StateType::Choice, String::new()),
        StateKind::Succeed(_) => (StateType::Succeed, String::new()),
        StateKind::Fail(_) => (StateType::Fail, String::new()),
        StateKind::Wait(wait) => (StateType::Wait, wait_detail(wait)),
        StateKind::Task(task) => task_detail(task),
        StateKind::Parallel(_) => (StateType::Parallel, String::new()),
        StateKind::Map(map) => (StateType::Map, map_detail(map)),
    }
}

fn wait_detail(wait: &Wait) -> String {
    match &wait.until {
        WaitUntil::Seconds(seconds) => format!("Wait {}", duration(*seconds)),
        WaitUntil::SecondsPath(path) => format!("Wait {} s", path.text()),
        WaitUntil::Timestamp(until) => format!("Wait until {}", until.to_iso8601()),
        WaitUntil::TimestampPath(path) => format!("Wait until {}", path.text()),
        WaitUntil::SecondsQuery(template) => format!("Wait {} s", expression(template)),
        WaitUntil::TimestampQuery(template) => format!("Wait until {}", expression(template)),
    }
}

/// The expression that `template` consists of, on one line.
pub(crate) fn expression(template: &Template) -> String {
    let Some(expression) = template.as_query() else { return "an expression".to_owned() };
    let mut text = String::new();
    for word in expression.text().split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
        if text.len() > EXPRESSION_CHARS_MAX * 4 {
            break;
        }
    }
    if let Some((cut, _)) = text.char_indices().nth(EXPRESSION_CHARS_MAX) {
        text.truncate(cut);
        text.push('…');
    }
    text
}

/// `Map $.orders (4 at once)`.
fn map_detail(map: &Map) -> String {
    let mut detail = match map.processor.mode {
        ProcessorMode::Inline => "Map".to_owned(),
        ProcessorMode::Distributed(_) => "Distributed Map".to_owned(),
    };
    let items = match (&map.distributed.item_reader, &map.items) {
        (Some(reader), _) => match &reader.resource.kind {
            ResourceKind::Service { resource_type, api, .. } => Some(format!("{resource_type}:{api}")),
            ResourceKind::LambdaFunction | ResourceKind::Activity => None,
        },
        (None, Items::Path(path)) => Some(path.text().to_owned()),
        (None, Items::Template(items)) => items.as_query().map(|_| expression(items)),
        (None, Items::Input) => None,
    };
    if let Some(items) = items {
        detail.push(' ');
        detail.push_str(&items);
    }
    let at_once = match &map.max_concurrency {
        None | Some(CountField::Literal(0)) => None,
        Some(CountField::Literal(count)) => Some(count.to_string()),
        Some(CountField::Path(path)) => Some(path.text().to_owned()),
        Some(CountField::Query(count)) => Some(expression(count)),
    };
    if let Some(count) = at_once {
        detail.push_str(&format!(" ({count} at once)"));
    }
    detail
}

/// `90 s` as `1 min 30 s`: the two largest units that are there.
fn duration(seconds: u32) -> String {
    const UNITS: [(u32, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in UNITS {
        if rest >= size {
            parts.push(format!("{} {unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

fn task_detail(task: &Task) -> (StateType, String) {
    let Resource { arn, kind } = &task.resource;
    match kind {
        ResourceKind::LambdaFunction => {
            (StateType::Lambda, format!("Lambda {}", last_part(arn, "function:")))
        }
        ResourceKind::Activity => (StateType::Activity, format!("Activity {}", last_part(arn, "activity:"))),
        ResourceKind::Service { resource_type, api, pattern, .. } => {
            let (state_type, service) = service(resource_type);
            let waits = match pattern {
                IntegrationPattern::RequestResponse => "",
                IntegrationPattern::Sync | IntegrationPattern::Sync2 => " (sync)",
                IntegrationPattern::WaitForTaskToken => " (task token)",
            };
            (state_type, format!("{service} {api}{waits}"))
        }
    }
}

/// What follows `mark` in `arn`.
fn last_part<'a>(arn: &'a str, mark: &str) -> &'a str {
    arn.split_once(mark).map_or(arn, |(_, name)| name)
}

/// Colour group and name of a service.
fn service(resource_type: &str) -> (StateType, &str) {
    match resource_type {
        "lambda" => (StateType::Lambda, "Lambda"),
        "dynamodb" => (StateType::Database, "DynamoDB"),
        "sqs" => (StateType::Messaging, "SQS"),
        "sns" => (StateType::Messaging, "SNS"),
        "events" => (StateType::Messaging, "EventBridge"),
        "states" => (StateType::Execution, "States"),
        "http" => (StateType::Service, "HTTP"),
        other => (StateType::Service, other),
    }
}
