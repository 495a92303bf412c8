//! `GetQueueUrl`, `ListQueues` and `ListDeadLetterSourceQueues`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use stepwell_aws::Fault;

use crate::address;
use crate::fault;
use crate::input::Input;
use crate::limits::LIST_PAGE;
use crate::queue::Queue;
use crate::service::Queues;

pub(crate) fn get_url(queues: &Queues, input: Input<'_>, origin: Option<&str>) -> Result<Value, Fault> {
    let name = input.required_text("QueueName")?;
    let owner = input.text("QueueOwnerAWSAccountId")?;
    if owner.is_some_and(|owner| owner != queues.account.id) {
        return Err(fault::queue_does_not_exist());
    }
    let queue = queues.find(name)?;
    Ok(json!({"QueueUrl": address::url(origin, &queues.account, &queue.name)}))
}

pub(crate) fn list(queues: &Queues, input: Input<'_>, origin: Option<&str>) -> Result<Value, Fault> {
    let prefix = input.text("QueueNamePrefix")?.unwrap_or_default();
    page(queues, input, origin, "QueueUrls", |queue| queue.name.starts_with(prefix))
}

pub(crate) fn dead_letter_sources(
    queues: &Queues,
    input: Input<'_>,
    origin: Option<&str>,
) -> Result<Value, Fault> {
    let target = queues.addressed(input)?;
    page(queues, input, origin, "queueUrls", |queue| {
        queue.record().settings.redrive.as_ref().is_some_and(|redrive| redrive.target == target.arn)
    })
}

/// One page of the queues that `wanted` wants, in order of name. Only a caller that gives `MaxResults` gets a token
/// for the next page; the token is the name of the last queue.
fn page(
    queues: &Queues,
    input: Input<'_>,
    origin: Option<&str>,
    member: &str,
    wanted: impl Fn(&Queue) -> bool,
) -> Result<Value, Fault> {
    let reason = "MaxResults must be between 1 and 1000, if provided.";
    let size = input.integer_in("MaxResults", &LIST_PAGE, reason)?;
    let after = match input.text("NextToken")?.filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => {
            let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
            Some(name.ok_or_else(|| fault::invalid_parameter("Invalid or expired next token."))?)
        }
    };
    let directory = queues.directory();
    let mut found = directory
        .values()
        .filter(|queue| after.as_ref().is_none_or(|after| queue.name > *after))
        .filter(|queue| queue.is_durable() && wanted(queue));
    let limit = usize::try_from(size.unwrap_or(*LIST_PAGE.end())).unwrap_or(usize::MAX);
    let names: Vec<&str> = found.by_ref().take(limit).map(|queue| queue.name.as_str()).collect();
    let mut output = Map::new();
    if size.is_some()
        && found.next().is_some()
        && let Some(last) = names.last()
    {
        output.insert("NextToken".into(), URL_SAFE_NO_PAD.encode(last).into());
    }
    if !names.is_empty() {
        let urls: Vec<String> =
            names.iter().map(|name| address::url(origin, &queues.account, name)).collect();
        output.insert(member.into(), urls.into());
    }
    Ok(Value::Object(output))
}
