//! `aws-sdk:<service>:<api>`: any operation of a registered service, with the API's own parameters and answer.
//!
//! Parameters and results are written in PascalCase whatever the API's case; instants are ISO 8601 text in results
//! and may be so in parameters. Nothing is checked before: the service knows its own API.

use serde_json::{Map, Value as Json};
use stepwell_asl::payload::Payload;
use stepwell_asl::timestamp::Timestamp;
use stepwell_asl::value::{Object, Value};
use stepwell_aws::{Call, Reply, Service};

use super::lambda;
use crate::catalog::ServiceNames;
use crate::convert::{DEPTH_MAX, from_api, to_api};
use crate::failure::Failure;
use crate::parameters::unusable;
use crate::task::TaskRequest;

pub(crate) async fn call(
    service: &dyn Service,
    names: &ServiceNames,
    api: &str,
    request: &TaskRequest,
) -> Result<Payload, Failure> {
    let parameters = request.parameters.value();
    let malformed =
        || unusable(parameters, &["The value of the field 'Parameters' has an invalid format".to_owned()]);
    let operation = capitalized(api);
    let invocation = names.registry == "lambda" && operation == "Invoke";
    let mut members = input(names, parameters).ok_or_else(malformed)?;
    let mut call = Call::default();
    if invocation {
        members.remove("Payload");
        call.body = lambda::payload_to_send(parameters.get("Payload"));
    }
    call.operation = operation;
    call.input = Json::Object(members);
    let reply = service.call(call).await.map_err(|fault| Failure::sdk(names, &fault))?;
    let result = if invocation { invocation_result(&reply) } else { output(names, &reply.output) };
    Ok(Payload::from_value(result))
}

/// The members to send: `null` ones dropped, names in the API's case, JSON as text where the API wants text.
fn input(names: &ServiceNames, parameters: &Value) -> Option<Map<String, Json>> {
    let mut members = Map::new();
    for (name, value) in parameters.as_object()?.iter() {
        if matches!(value, Value::Null) {
            continue;
        }
        members.insert(api_name(names, name), input_member(names, name, value, DEPTH_MAX)?);
    }
    Some(members)
}

/// `None` where it is nested deeper than any API's structures.
fn input_member(names: &ServiceNames, name: &str, value: &Value, levels: usize) -> Option<Json> {
    if names.json_text.contains(&name) && !matches!(value, Value::String(_)) {
        return Some(Json::String(value.to_json()));
    }
    if names.opaque.contains(&name) {
        return to_api(value);
    }
    if let (true, Value::String(text)) = (names.timestamps.contains(&name), value) {
        #[allow(clippy::cast_precision_loss)] // Milliseconds of any year that can be written fit.
        let seconds = Timestamp::parse_rfc3339(text).map(|t| Json::from(t.epoch_ms() as f64 / 1000.0));
        return Some(seconds.unwrap_or_else(|| Json::from(&**text)));
    }
    match value {
        Value::Array(elements) => {
            let levels = levels.checked_sub(1)?;
            Some(Json::Array(
                elements.iter().map(|e| input_member(names, "", e, levels)).collect::<Option<_>>()?,
            ))
        }
        Value::Object(members) => {
            let levels = levels.checked_sub(1)?;
            let members =
                members.iter().map(|(n, v)| Some((api_name(names, n), input_member(names, n, v, levels)?)));
            Some(Json::Object(members.collect::<Option<_>>()?))
        }
        _ => to_api(value),
    }
}

fn output(names: &ServiceNames, json: &Json) -> Value {
    match json {
        Json::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let members = members.map(|(name, value)| {
                let name = if names.lower_camel { capitalized(name) } else { name.clone() };
                let value = output_member(names, &name, value);
                (name, value)
            });
            Value::from(members.collect::<Object>())
        }
        Json::Array(elements) => Value::from(elements.iter().map(|e| output(names, e)).collect::<Vec<_>>()),
        Json::Null => Value::empty_object(),
        other => from_api(other),
    }
}

fn output_member(names: &ServiceNames, name: &str, value: &Json) -> Value {
    if names.timestamps.contains(&name)
        && let Some(seconds) = value.as_f64()
    {
        return Value::from(iso8601(seconds));
    }
    if names.opaque.contains(&name) {
        return from_api(value);
    }
    output(names, value)
}

/// Unlike the optimized integration: the payload stays text, and an exception of the function fails nothing.
fn invocation_result(reply: &Reply) -> Value {
    let mut result = Object::new();
    if let Some(version) = lambda::executed_version(reply) {
        result.insert("ExecutedVersion", version);
    }
    if let Some(error) = reply.header("X-Amz-Function-Error") {
        result.insert("FunctionError", error);
    }
    if let Some(log) = reply.header("X-Amz-Log-Result") {
        result.insert("LogResult", log);
    }
    result.insert("Payload", String::from_utf8_lossy(lambda::body(reply)).into_owned());
    result.insert("StatusCode", i64::from(reply.status));
    Value::from(result)
}

/// As Java's `Instant` writes it: milliseconds only where there are some.
fn iso8601(seconds: f64) -> String {
    #[allow(clippy::cast_possible_truncation)] // Saturates, and what is no instant is shown at the edge.
    let instant =
        jiff::Timestamp::from_millisecond((seconds * 1000.0).round() as i64).unwrap_or(jiff::Timestamp::MAX);
    let format =
        if instant.subsec_millisecond() == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S.%3fZ" };
    instant.strftime(format).to_string()
}

fn api_name(names: &ServiceNames, name: &str) -> String {
    if names.lower_camel { with_first(name, char::to_ascii_lowercase) } else { name.to_owned() }
}

fn capitalized(name: &str) -> String {
    with_first(name, char::to_ascii_uppercase)
}

fn with_first(name: &str, change: impl Fn(&char) -> char) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| change(&first)).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{DYNAMODB, EVENTS, STATES};

    #[test]
    fn parameters_take_the_case_and_the_text_of_the_api() {
        let cases = [
            (
                &STATES,
                r#"{"StateMachineArn":"a","Input":{"A":1.0},"Name":null,"Tags":[{"Key":"k","Value":"V"}]}"#,
                r#"{"stateMachineArn":"a","input":"{\"A\":1.0}","tags":[{"key":"k","value":"V"}]}"#,
            ),
            (
                &DYNAMODB,
                r#"{"TableName":"t","Item":{"StartTime":{"S":"2020-01-01T00:00:00Z"}},"Limit":3.0}"#,
                r#"{"TableName":"t","Item":{"StartTime":{"S":"2020-01-01T00:00:00Z"}},"Limit":3}"#,
            ),
            (
                &EVENTS,
                r#"{"Entries":[{"Detail":{"a":1}}],"EventStartTime":"1970-01-01T00:00:01.500Z"}"#,
                r#"{"Entries":[{"Detail":"{\"a\":1}"}],"EventStartTime":1.5}"#,
            ),
        ];
        for (names, parameters, expected) in cases {
            let parameters = Payload::parse(parameters).expect("JSON");
            let members = input(names, parameters.value()).expect("members");
            assert_eq!(Json::Object(members).to_string(), expected);
        }
    }

    #[test]
    fn results_are_pascal_case_with_iso_instants() {
        let cases = [
            (
                &STATES,
                r#"{"executionArn":"a","startDate":1.5,"stopDate":2,"mapRunArn":null,"inputDetails":{"included":true}}"#,
                r#"{"ExecutionArn":"a","StartDate":"1970-01-01T00:00:01.500Z","StopDate":"1970-01-01T00:00:02Z","InputDetails":{"Included":true}}"#,
            ),
            (
                &DYNAMODB,
                r#"{"Items":[{"EndTime":{"N":"1"},"x":{"NULL":true}}],"Count":1}"#,
                r#"{"Items":[{"EndTime":{"N":"1"},"x":{"NULL":true}}],"Count":1}"#,
            ),
            (&DYNAMODB, "null", "{}"),
        ];
        for (names, answer, expected) in cases {
            let answer: Json = serde_json::from_str(answer).expect("JSON");
            assert_eq!(output(names, &answer).to_json(), expected);
        }
    }
}
