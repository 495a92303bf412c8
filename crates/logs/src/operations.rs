//! The operations of CloudWatch Logs.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stepwell_aws::Fault;
use stepwell_store::WriteBatch;

use crate::events::{self, Event, Position};
use crate::groups::{self, Group, NEXT_ID};
use crate::pattern::Pattern;
use crate::{Logs, fault};

/// Items of a page of groups or streams.
const PAGE_MAX: usize = 50;
/// Events of a page, and of one PutLogEvents. Source: API reference.
const EVENTS_MAX: usize = 10_000;
/// Bytes of the events of a page, and of one PutLogEvents. Source: API reference.
const EVENTS_BYTES_MAX: usize = 1_048_576;
/// What AWS counts for an event besides its message.
const EVENT_BYTES: usize = 26;
/// Events removed in one batch.
const REMOVAL_BATCH: usize = 10_000;

type Operation = fn(&Logs, Value) -> Result<Value, Fault>;

/// The operation of this name; `None` where Stepwell does not serve it.
pub(crate) fn of(name: &str) -> Option<Operation> {
    Some(match name {
        "CreateLogGroup" => create_group,
        "DeleteLogGroup" => delete_group,
        "DescribeLogGroups" => describe_groups,
        "PutRetentionPolicy" => put_retention,
        "DeleteRetentionPolicy" => delete_retention,
        "CreateLogStream" => create_stream,
        "DeleteLogStream" => delete_stream,
        "DescribeLogStreams" => describe_streams,
        "PutLogEvents" => put_events,
        "GetLogEvents" => get_events,
        "FilterLogEvents" => filter_events,
        _ => return None,
    })
}

/// Which group, and which stream of it, a request is about.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
}

impl Target {
    /// The group's name; an identifier is a name or an ARN.
    fn group(&self, logs: &Logs) -> Result<String, Fault> {
        let given = self.log_group_name.as_ref().or(self.log_group_identifier.as_ref());
        let given = given.ok_or_else(|| missing("logGroupName"))?;
        match given.starts_with("arn:") {
            true => logs.group_name(given).map(str::to_owned).ok_or_else(fault::no_group),
            false => Ok(given.clone()),
        }
    }

    fn stream(&self) -> Result<&str, Fault> {
        self.log_stream_name.as_deref().ok_or_else(|| missing("logStreamName"))
    }
}

fn missing(member: &str) -> Fault {
    fault::invalid(format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

fn read<T: DeserializeOwned>(input: &Value) -> Result<T, Fault> {
    T::deserialize(input).map_err(|error| Fault::new("SerializationException", error.to_string()))
}

fn create_group(logs: &Logs, input: Value) -> Result<Value, Fault> {
    let name = read::<Target>(&input)?.log_group_name.ok_or_else(|| missing("logGroupName"))?;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/' | '#');
    if name.is_empty() || name.len() > 512 || !name.chars().all(is_allowed) {
        return Err(fault::invalid(format!(
            "1 validation error detected: Value '{name:.600}' at 'logGroupName' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    let mut groups = logs.write();
    if groups.get(&name).is_some() {
        return Err(fault::exists("group"));
    }
    let id = groups.next_id();
    let group = Group { id, created_ms: logs.now_ms(), retention_days: None, streams: Default::default() };
    let mut batch = WriteBatch::new();
    batch.put(&logs.groups_keyspace, NEXT_ID, (id + 1).to_be_bytes());
    batch.put(&logs.groups_keyspace, name.as_bytes(), group.to_bytes());
    logs.commit(batch)?;
    groups.insert(name, group);
    Ok(json!({}))
}

fn delete_group(logs: &Logs, input: Value) -> Result<Value, Fault> {
    let name = read::<Target>(&input)?.group(logs)?;
    let group = {
        let mut groups = logs.write();
        let group = groups.get(&name).ok_or_else(fault::no_group)?.clone();
        let mut batch = WriteBatch::new();
        batch.delete(&logs.groups_keyspace, name.as_bytes());
        for stream in group.streams.keys() {
            batch.delete(&logs.streams_keyspace, groups::stream_key(group.id, stream));
        }
        logs.commit(batch)?;
        groups.remove(&name);
        group
    };
    remove_events(logs, &group.id.to_be_bytes())?;
    Ok(json!({}))
}

fn remove_events(logs: &Logs, prefix: &[u8]) -> Result<(), Fault> {
    loop {
        let mut batch = WriteBatch::new();
        for pair in logs.events_keyspace.prefix(prefix).take(REMOVAL_BATCH) {
            batch.delete(&logs.events_keyspace, pair.map_err(|error| fault::store(&error))?.0);
        }
        if batch.is_empty() {
            return Ok(());
        }
        logs.commit(batch)?;
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listing {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_stream_name_prefix: Option<String>,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<usize>,
}

impl Listing {
    fn size(&self) -> usize {
        self.limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX)
    }
}

fn describe_groups(logs: &Logs, input: Value) -> Result<Value, Fault> {
    let listing: Listing = read(&input)?;
    let (prefix, part) = (
        listing.log_group_name_prefix.clone().unwrap_or_default(),
        listing.log_group_name_pattern.clone().unwrap_or_default().to_lowercase(),
    );
    let after = listing.next_token.clone().unwrap_or_default();
    let groups = logs.read();
    let mut wanted = groups.iter().filter(|(name, _)| {
        name.starts_with(&prefix) && name.to_lowercase().contains(&part) && **name > after
    });
    let page: Vec<(&String, &Group)> = wanted.by_ref().take(listing.size()).collect();
    let items: Vec<Value> = page.iter().map(|(name, group)| described(logs, name, group)).collect();
    let mut answer = json!({ "logGroups": items });
    if let (Some(_), Some((last, _))) = (wanted.next(), page.last()) {
        answer["nextToken"] = last.as_str().into();
    }
    Ok(answer)
}

fn described(logs: &Logs, name: &str, group: &Group) -> Value {
    let arn = logs.group_arn(name);
    let mut item = json!({
        "logGroupName": name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "logGroupArn": arn,
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
    });
    if let Some(days) = group.retention_days {
        item["retentionInDays"] = days.into();
    }
    item
}

fn put_retention(logs: &Logs, input: Value) -> Result<Value, Fault> {
    let days = input["retentionInDays"].as_u64().filter(|days| *days > 0);
    let days = days.ok_or_else(|| missing("retentionInDays"))?;
    set_retention(logs, &input, Some(days))
}

fn delete_retention(logs: &Logs, input: Value) -> Result<Value, Fault> {
    set_retention(logs, &input, None)
}

fn set_retention(logs: &Logs, input: &Value, retention_days: Option<u64>) -> Result<Value, Fault> {
    let name = read::<Target>(input)?.group(logs)?;
    let mut groups = logs.write();
    let group = Group { retention_days, ..groups.get(&name).ok_or_else(fault::no_group)?.clone() };
    let mut batch = WriteBatch::new();
    batch.put(&logs.groups_keyspace, name.as_bytes(), group.to_bytes());
    logs.commit(batch)?;
    groups.insert(name, group);
    Ok(json!({}))
}

fn create_stream(logs: &Logs, input: Value) -> Result<Value, Fault> {
    let target: Target = read(&input)?;
    let (group, stream) = (target.group(logs)?, target.stream()?);
    if stream.is_empty() || stream.len() > 512 || stream.contains([':', '*', '\0']) {
        return Err(fault::invalid(format!(
            "1 validation error detected: Value '{stream:.600}' at 'logStreamName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [^:*]*"
        )));
    }
    let mut groups = logs.write();
    let found = groups.get(&group).ok_or_else(fault::no_group)?;
    if found.streams.contains_key(stream) {
        return Err(fault::exists("stream"));
    }
    let now_ms = logs.now_ms();
    let (key, record) = groups::stream_record(found.id, stream, now_ms);
    let mut batch = WriteBatch::new();
    batch.put(&logs.streams_keyspace, key, record);
    logs.commit(batch)?;
    groups.add_stream(&group, stream, now_ms);
    Ok(json!({}))
}

fn delete_stream(logs: &Logs, input: Value) -> Result<Value, Fault> {
    let target: Target = read(&input)?;
    let (group, stream) = (target.group(logs)?, target.stream()?);
    let id = stream_group(logs, &group, stream)?;
    remove_events(logs, &events::prefix(id, stream))?;
    let mut batch = WriteBatch::new();
    batch.delete(&logs.streams_keyspace, groups::stream_key(id, stream));
    logs.commit(batch)?;
    logs.write().remove_stream(&group, stream);
    Ok(json!({}))
}

/// The id of the group, in which the stream exists.
fn stream_group(logs: &Logs, group: &str, stream: &str) -> Result<u64, Fault> {
    let groups = logs.read();
    let group = groups.get(group).ok_or_else(fault::no_group)?;
    if !group.streams.contains_key(stream) {
        return Err(fault::no_stream());
    }
    Ok(group.id)
}

fn describe_streams(logs: &Logs, input: Value) -> Result<Value, Fault> {
    let (target, listing): (Target, Listing) = (read(&input)?, read(&input)?);
    let name = target.group(logs)?;
    let (id, mut streams) = {
        let groups = logs.read();
        let group = groups.get(&name).ok_or_else(fault::no_group)?;
        let prefix = listing.log_stream_name_prefix.clone().unwrap_or_default();
        let wanted = group.streams.iter().filter(|(stream, _)| stream.starts_with(&prefix));
        (group.id, wanted.map(|(name, stream)| (name.clone(), stream.created_ms)).collect::<Vec<_>>())
    };
    // In the order of names, whatever `orderBy` says: streams are named by time.
    let descending = listing.descending.unwrap_or(false);
    if descending {
        streams.reverse();
    }
    if let Some(after) = &listing.next_token {
        streams.retain(|(stream, _)| if descending { stream < after } else { stream > after });
    }
    let more = streams.len() > listing.size();
    streams.truncate(listing.size());
    let mut items = Vec::with_capacity(streams.len());
    for (stream, created_ms) in &streams {
        let mut item = json!({
            "logStreamName": stream,
            "creationTime": created_ms,
            "arn": format!("{}:log-stream:{stream}", logs.group_arn(&name)),
            "storedBytes": 0,
        });
        let mut all = events::between(&logs.events_keyspace, id, stream, Position::FIRST, Position::LAST);
        let first = all.next().transpose().map_err(|error| fault::store(&error))?;
        let last = all.next_back().transpose().map_err(|error| fault::store(&error))?;
        if let Some(first) = first {
            let last = last.unwrap_or_else(|| first.clone());
            item["firstEventTimestamp"] = first.position.timestamp_ms.into();
            item["lastEventTimestamp"] = last.position.timestamp_ms.into();
            item["lastIngestionTime"] = last.ingested_ms.into();
        }
        items.push(item);
    }
    let mut answer = json!({ "logStreams": items });
    if let Some((last, _)) = streams.last().filter(|_| more) {
        answer["nextToken"] = last.as_str().into();
    }
    Ok(answer)
}

#[derive(Deserialize)]
struct InputEvent {
    timestamp: i64,
    message: String,
}

fn put_events(logs: &Logs, mut input: Value) -> Result<Value, Fault> {
    let target: Target = read(&input)?;
    let given: Vec<InputEvent> = read(&input["logEvents"].take())?;
    let (group, stream) = (target.group(logs)?, target.stream()?);
    if given.is_empty() || given.len() > EVENTS_MAX {
        return Err(fault::invalid(format!("logEvents must have 1 to {EVENTS_MAX} log events")));
    }
    if given.iter().map(|event| event.message.len() + EVENT_BYTES).sum::<usize>() > EVENTS_BYTES_MAX {
        return Err(fault::invalid(format!("Upload too large: more than {EVENTS_BYTES_MAX} bytes")));
    }
    if given.iter().any(|event| event.message.is_empty() || event.timestamp < 0) {
        return Err(fault::invalid("A log event has no message, or a timestamp before 1970"));
    }
    if given.windows(2).any(|pair| pair[1].timestamp < pair[0].timestamp) {
        return Err(fault::invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let id = stream_group(logs, &group, stream)?;
    let (now_ms, mut batch) = (logs.now_ms(), WriteBatch::new());
    for event in &given {
        logs.put_event(&mut batch, id, stream, event.timestamp, now_ms, &event.message);
    }
    logs.commit(batch)?;
    Ok(json!({ "nextSequenceToken": "0" }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reading {
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<usize>,
    start_from_head: Option<bool>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    filter_pattern: Option<String>,
}

impl Reading {
    /// From the first position to the one that is no longer wanted; events that the group keeps no more are not.
    fn bounds(&self, logs: &Logs, group: &Group) -> (Position, Position) {
        let kept_from = group
            .retention_days
            .map_or(0, |days| logs.now_ms().saturating_sub_unsigned(days.saturating_mul(86_400_000)));
        let from = Position::at(self.start_time.unwrap_or(0).max(kept_from));
        (from, self.end_time.map_or(Position::LAST, Position::at))
    }

    fn limit(&self) -> usize {
        self.limit.unwrap_or(EVENTS_MAX).clamp(1, EVENTS_MAX)
    }
}

/// As many events as a page holds.
fn page(
    all: impl Iterator<Item = Result<Event, stepwell_store::ReadError>>,
    limit: usize,
) -> Result<Vec<Event>, Fault> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for event in all.take(limit) {
        let event = event.map_err(|error| fault::store(&error))?;
        bytes += event.message.len() + EVENT_BYTES;
        if bytes > EVENTS_BYTES_MAX && !page.is_empty() {
            break;
        }
        page.push(event);
    }
    Ok(page)
}

fn get_events(logs: &Logs, input: Value) -> Result<Value, Fault> {
    let (target, reading): (Target, Reading) = (read(&input)?, read(&input)?);
    let (name, stream) = (target.group(logs)?, target.stream()?);
    stream_group(logs, &name, stream)?;
    let group = logs.read().get(&name).cloned().ok_or_else(fault::no_group)?;
    let (from, to) = reading.bounds(logs, &group);
    let token = reading.next_token.as_deref().map(|token| {
        let (direction, position) = token.split_once('/')?;
        Some((direction == "f", Position::parse(position)?))
    });
    let token =
        token.map(|t| t.ok_or_else(|| fault::invalid("The specified nextToken is invalid."))).transpose()?;
    let (forward, from, to) = match token {
        Some((true, position)) => (true, from.max(position.next()), to),
        Some((false, position)) => (false, from, to.min(position)),
        None => (reading.start_from_head.unwrap_or(false), from, to),
    };
    let all = events::between(&logs.events_keyspace, group.id, stream, from, to);
    let events = if forward {
        page(all, reading.limit())?
    } else {
        let mut newest = page(all.rev(), reading.limit())?;
        newest.reverse();
        newest
    };
    // A client goes on until it gets the token it gave.
    let here = token.map_or(if forward { from } else { to }, |(_, position)| position);
    let first = events.first().map_or(here, |event| event.position);
    let last = events.last().map_or(here, |event| event.position);
    let items: Vec<Value> = events.iter().map(shown).collect();
    Ok(json!({
        "events": items,
        "nextForwardToken": format!("f/{}", last.to_text()),
        "nextBackwardToken": format!("b/{}", first.to_text()),
    }))
}

fn shown(event: &Event) -> Value {
    json!({
        "timestamp": event.position.timestamp_ms,
        "message": event.message,
        "ingestionTime": event.ingested_ms,
    })
}

fn filter_events(logs: &Logs, input: Value) -> Result<Value, Fault> {
    let (target, reading): (Target, Reading) = (read(&input)?, read(&input)?);
    let name = target.group(logs)?;
    let group = logs.read().get(&name).cloned().ok_or_else(fault::no_group)?;
    let pattern = Pattern::parse(reading.filter_pattern.as_deref().unwrap_or(""))?;
    let (from, to) = reading.bounds(logs, &group);
    let prefix = reading.log_stream_name_prefix.as_deref().unwrap_or("");
    let is_wanted = |stream: &str| match &reading.log_stream_names {
        Some(names) => names.iter().any(|name| name == stream),
        None => stream.starts_with(prefix),
    };
    // A token is a position and the stream in which it is.
    let begin = match reading.next_token.as_deref() {
        None => None,
        Some(token) => {
            let parts = token.split_at_checked(32).and_then(|(p, s)| Some((Position::parse(p)?, s)));
            Some(parts.ok_or_else(|| fault::invalid("The specified nextToken is invalid."))?)
        }
    };
    let (mut found, mut next_token) = (Vec::new(), None);
    let (limit, mut bytes) = (reading.limit(), 0);
    'streams: for stream in group.streams.keys().filter(|stream| is_wanted(stream)) {
        let from = match begin {
            Some((_, first)) if stream.as_str() < first => continue,
            Some((position, first)) if stream == first => from.max(position),
            _ => from,
        };
        for event in events::between(&logs.events_keyspace, group.id, stream, from, to) {
            let event = event.map_err(|error| fault::store(&error))?;
            if !pattern.matches(&event.message) {
                continue;
            }
            bytes += event.message.len() + EVENT_BYTES;
            if found.len() == limit || (bytes > EVENTS_BYTES_MAX && !found.is_empty()) {
                next_token = Some(format!("{}{stream}", event.position.to_text()));
                break 'streams;
            }
            found.push((stream, event));
        }
    }
    found.sort_by_key(|(_, event)| event.position);
    let items = found.iter().map(|(stream, event)| {
        let mut item = shown(event);
        item["logStreamName"] = stream.as_str().into();
        item["eventId"] = event.position.to_text().into();
        item
    });
    let mut answer = json!({ "events": items.collect::<Vec<_>>(), "searchedLogStreams": [] });
    if let Some(token) = next_token {
        answer["nextToken"] = token.into();
    }
    Ok(answer)
}
