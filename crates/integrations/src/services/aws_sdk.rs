//! `aws-sdk:<service>:<api>`: any operation of a registered service, with the API's own parameters and answer.
//!
//! Parameters and results are written in PascalCase whatever the API's case; instants are ISO 8601 text in results
//! and may be so in parameters; a blob that is a whole body is the JSON text of its parameter and plain text in the
//! result, any other blob Base64. What the API takes and answers is in `stepwell_models`; values are not checked before:
//! the service says what it makes of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value as Json};
use stepwell_asl::integration::invalid_format;
use stepwell_asl::payload::Payload;
use stepwell_asl::value::{Object, Value};
use stepwell_aws::{Call, Reply, Service};
use stepwell_models::{Reference, Service as Model, Shape, ShapeType, epoch_seconds};

use super::lambda;
use crate::convert::{DEPTH_MAX, from_api, to_api};
use crate::failure::Failure;
use crate::parameters::unusable;
use crate::task::TaskRequest;

pub(crate) async fn call(
    service: &dyn Service,
    model: &Model,
    api: &str,
    request: &TaskRequest,
) -> Result<Payload, Failure> {
    let operation = capitalized(api);
    let described = model.operations.get(&operation);
    let shape = |of: &Option<Reference>| of.as_ref().map(|of| model.shape(of));
    let parameters = request.parameters.value();
    let mut call = described
        .map_or(Ok(Call::default()), |o| input(model, shape(&o.input), parameters))
        .map_err(|problem| unusable(parameters, &[problem]))?;
    if operation == "Invoke" && service.name() == "lambda" {
        call.body = lambda::payload_to_send(parameters.get("Payload"));
    }
    call.operation = operation;
    let reply = service.call(call).await.map_err(|fault| Failure::sdk(model, &fault))?;
    Ok(Payload::from_value(match described.and_then(|o| shape(&o.output)) {
        Some(shape) => result(model, shape, &reply),
        None => Value::empty_object(),
    }))
}

/// The call's members, `null` ones dropped, and the blob that is the body.
///
/// Errors: the parameter that the API does not have, or that is nested deeper than any API's.
fn input(model: &Model, shape: Option<&Shape>, parameters: &Value) -> Result<Call, String> {
    let mut call = Call::default();
    let given = parameters.as_object().ok_or_else(|| invalid_format("Parameters"))?;
    let mut members = Map::new();
    for (name, value) in given.iter().filter(|(_, value)| !matches!(value, Value::Null)) {
        let (member, of) = shape.and_then(|shape| member(shape, name)).ok_or_else(|| unsupported(name))?;
        let is_body = shape.and_then(Shape::payload) == Some(member);
        if is_body && model.shape(of).kind == ShapeType::Blob {
            call.body = Bytes::from(value.to_json());
        } else {
            members.insert(member.to_owned(), input_value(model, of, name, value, DEPTH_MAX)?);
        }
    }
    call.input = Json::Object(members);
    Ok(call)
}

fn unsupported(name: &str) -> String {
    format!("The field \"{name}\" is not supported by Step Functions")
}

/// The member that a parameter of this name sets.
fn member<'a>(shape: &'a Shape, parameter: &str) -> Option<(&'a str, &'a Reference)> {
    shape.members.iter().find(|(member, _)| {
        let (mut member, mut parameter) = (member.chars(), parameter.chars());
        let first = member.next().map(|first| first.to_ascii_uppercase());
        first == parameter.next() && member.eq(parameter)
    })
}

fn input_value(
    model: &Model,
    of: &Reference,
    name: &str,
    value: &Value,
    levels: usize,
) -> Result<Json, String> {
    let too_deep = || invalid_format(name);
    let levels = levels.checked_sub(1).ok_or_else(too_deep)?;
    let shape = model.shape(of);
    match (shape.kind, value) {
        (ShapeType::Structure, Value::Object(given)) if shape.members.iter().next().is_some() => {
            let mut members = Map::new();
            for (name, value) in given.iter().filter(|(_, value)| !matches!(value, Value::Null)) {
                let (member, of) = member(shape, name).ok_or_else(|| unsupported(name))?;
                members.insert(member.to_owned(), input_value(model, of, name, value, levels)?);
            }
            Ok(Json::Object(members))
        }
        (ShapeType::List, Value::Array(elements)) => {
            let of = shape.element.as_ref().unwrap_or(of);
            let elements = elements.iter().map(|element| input_value(model, of, name, element, levels));
            Ok(Json::Array(elements.collect::<Result<_, _>>()?))
        }
        (ShapeType::Map, Value::Object(entries)) => {
            let of = shape.value.as_ref().unwrap_or(of);
            let entries = entries
                .iter()
                .map(|(key, value)| Ok((key.to_string(), input_value(model, of, key, value, levels)?)));
            Ok(Json::Object(entries.collect::<Result<_, String>>()?))
        }
        (ShapeType::Timestamp, Value::String(text)) => {
            let text = Json::from(&**text);
            Ok(epoch_seconds(&text).map_or(text, Json::from))
        }
        (ShapeType::String, Value::Array(_) | Value::Object(_)) => Ok(Json::from(value.to_json())),
        // Base64 as in the API; what is none is meant as the bytes themselves.
        (ShapeType::Blob, Value::String(text)) if STANDARD.decode(&**text).is_ok() => Ok(Json::from(&**text)),
        (ShapeType::Blob, Value::String(text)) => Ok(Json::from(STANDARD.encode(&**text))),
        (ShapeType::Blob, value) => Ok(Json::from(STANDARD.encode(value.to_json()))),
        _ => to_api(value).ok_or_else(too_deep),
    }
}

/// The answer's members in alphabetical order, as AWS writes them, a body that is a stream behind them.
fn result(model: &Model, shape: &Shape, reply: &Reply) -> Value {
    let no_members = Map::new();
    let mut result = structure(model, shape, reply.output.as_object().unwrap_or(&no_members));
    // A Lambda service in this process says these in its headers only.
    if model.id == "Lambda" && reply.body.is_some() {
        for (name, value) in [
            ("ExecutedVersion", lambda::executed_version(reply)),
            ("FunctionError", reply.header("X-Amz-Function-Error")),
            ("LogResult", reply.header("X-Amz-Log-Result")),
        ] {
            if let Some(value) = value {
                result.insert(name, value);
            }
        }
        result.insert("StatusCode", i64::from(reply.status));
    }
    let body = shape.payload().and_then(|name| Some((name, shape.members.get(name)?)));
    let body = body.filter(|(_, of)| model.shape(of).kind == ShapeType::Blob);
    if let Some((name, _)) = body {
        result.insert(capitalized(name), String::from_utf8_lossy(lambda::body(reply)).into_owned());
    }
    match body {
        Some((_, of)) if of.streaming || model.shape(of).streaming => Value::from(result),
        _ => Value::from(sorted_members(result.iter().map(|(n, v)| (n.to_string(), v.clone())).collect())),
    }
}

fn sorted_members(mut members: Vec<(String, Value)>) -> Object {
    members.sort_by(|a, b| a.0.cmp(&b.0));
    members.into_iter().collect()
}

fn structure(model: &Model, shape: &Shape, answer: &Map<String, Json>) -> Object {
    let members = answer
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let value = match shape.members.get(name) {
                Some(of) => output_value(model, of, value),
                None => from_api(value),
            };
            (capitalized(name), value)
        })
        .collect();
    sorted_members(members)
}

fn output_value(model: &Model, of: &Reference, value: &Json) -> Value {
    let shape = model.shape(of);
    match (shape.kind, value) {
        (ShapeType::Structure, Json::Object(answer)) if shape.members.iter().next().is_some() => {
            Value::from(structure(model, shape, answer))
        }
        (ShapeType::List, Json::Array(elements)) => {
            let of = shape.element.as_ref().unwrap_or(of);
            Value::from(elements.iter().map(|element| output_value(model, of, element)).collect::<Vec<_>>())
        }
        (ShapeType::Map, Json::Object(entries)) => {
            let of = shape.value.as_ref().unwrap_or(of);
            let entries = entries.iter().map(|(key, value)| (key.as_str(), output_value(model, of, value)));
            Value::from(entries.collect::<Object>())
        }
        (ShapeType::Timestamp, value) => match epoch_seconds(value) {
            Some(seconds) => Value::from(iso8601(seconds)),
            None => from_api(value),
        },
        _ => from_api(value),
    }
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

pub(crate) fn capitalized(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> std::sync::Arc<Model> {
        stepwell_models::service(name).expect(name)
    }

    #[test]
    fn parameters_take_the_case_and_the_text_of_the_api() {
        let cases = [
            (
                ("sfn", "StartExecution"),
                r#"{"StateMachineArn":"a","Input":{"A":1.0},"Name":null}"#,
                r#"{"stateMachineArn":"a","input":"{\"A\":1.0}"}"#,
                "",
            ),
            (
                ("sfn", "TagResource"),
                r#"{"ResourceArn":"a","Tags":[{"Key":"k","Value":"V"}]}"#,
                r#"{"resourceArn":"a","tags":[{"key":"k","value":"V"}]}"#,
                "",
            ),
            (
                ("dynamodb", "PutItem"),
                r#"{"TableName":"t","Item":{"StartTime":{"S":"2020-01-01T00:00:00Z"}}}"#,
                r#"{"TableName":"t","Item":{"StartTime":{"S":"2020-01-01T00:00:00Z"}}}"#,
                "",
            ),
            (("dynamodb", "Query"), r#"{"Limit":3.0}"#, r#"{"Limit":3}"#, ""),
            (
                ("eventbridge", "PutEvents"),
                r#"{"Entries":[{"Detail":{"a":1},"Time":"1970-01-01T00:00:01.500Z"}]}"#,
                r#"{"Entries":[{"Detail":"{\"a\":1}","Time":1.5}]}"#,
                "",
            ),
            // Recorded: the object's bytes are the JSON text, quotes included.
            (("s3", "PutObject"), r#"{"Bucket":"b","Body":"text"}"#, r#"{"Bucket":"b"}"#, "\"text\""),
            (("s3", "PutObject"), r#"{"Bucket":"b","Body":{"a":1}}"#, r#"{"Bucket":"b"}"#, r#"{"a":1}"#),
            (("kms", "Encrypt"), r#"{"Plaintext":"no base 64"}"#, r#"{"Plaintext":"bm8gYmFzZSA2NA=="}"#, ""),
            (("kms", "Decrypt"), r#"{"CiphertextBlob":"AAEC"}"#, r#"{"CiphertextBlob":"AAEC"}"#, ""),
        ];
        for ((service, operation), parameters, expected, body) in cases {
            let model = model(service);
            let shape = model.operations[operation].input.as_ref().map(|of| model.shape(of));
            let parameters = Payload::parse(parameters).expect("JSON");
            let call = input(&model, shape, parameters.value()).expect("a call");
            assert_eq!((call.input.to_string().as_str(), &*call.body), (expected, body.as_bytes()));
        }
    }

    #[test]
    fn parameters_that_the_api_does_not_have_are_named() {
        let model = model("sfn");
        let shape = model.operations["TagResource"].input.as_ref().map(|of| model.shape(of));
        for (parameters, name) in
            [(r#"{"resourceArn":"a"}"#, "resourceArn"), (r#"{"Tags":[{"Kye":"k"}]}"#, "Kye")]
        {
            let parameters = Payload::parse(parameters).expect("JSON");
            let problem = input(&model, shape, parameters.value()).expect_err(name);
            assert_eq!(problem, format!("The field \"{name}\" is not supported by Step Functions"));
        }
    }

    #[test]
    fn results_are_pascal_case_with_iso_instants() {
        let cases = [
            (
                ("sfn", "DescribeExecution"),
                r#"{"executionArn":"a","startDate":1.5,"stopDate":2,"mapRunArn":null,"inputDetails":{"included":true}}"#,
                "",
                r#"{"ExecutionArn":"a","InputDetails":{"Included":true},"StartDate":"1970-01-01T00:00:01.500Z","StopDate":"1970-01-01T00:00:02Z"}"#,
            ),
            (
                ("dynamodb", "Query"),
                r#"{"Items":[{"EndTime":{"N":"1"},"x":{"NULL":true}}],"Count":1}"#,
                "",
                r#"{"Count":1,"Items":[{"EndTime":{"N":"1"},"x":{"NULL":true}}]}"#,
            ),
            (("dynamodb", "Query"), "null", "", "{}"),
            (
                ("s3", "GetObject"),
                r#"{"Metadata":{},"ETag":"\"e\"","LastModified":0,"ContentLength":4}"#,
                "text",
                r#"{"ContentLength":4,"ETag":"\"e\"","LastModified":"1970-01-01T00:00:00Z","Metadata":{},"Body":"text"}"#,
            ),
        ];
        for ((service, operation), answer, body, expected) in cases {
            let model = model(service);
            let shape = model.shape(model.operations[operation].output.as_ref().expect("an output"));
            let mut reply = Reply::ok(serde_json::from_str(answer).expect("JSON"));
            reply.body = Some(Bytes::from_static(body.as_bytes()));
            assert_eq!(result(&model, shape, &reply).to_json(), expected);
        }
    }
}
