//! The wire protocols of the services: a call to an HTTP request, an HTTP answer to a reply or a fault.
//!
//! DynamoDB, SQS, EventBridge and Step Functions speak `awsJson`; Lambda's `Invoke` is REST with the payload as the
//! body; SNS's `Publish` is a form with an answer in XML. Other operations of the last two need the API's model and
//! are refused by name.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value as Json};
use stepwell_aws::{Call, Fault, Reply};

use super::http_client::{Answer, client_failure};

/// Carries the code of the older protocol beside that of the new one.
const QUERY_ERROR: &str = "x-amzn-query-error";

/// How a service is spoken to.
#[derive(Debug)]
pub(super) enum Protocol {
    /// `x-amz-target: <target>.<operation>`, JSON both ways.
    Json {
        content_type: &'static str,
        target: &'static str,
        /// Namespace of error types, for clients that this answer is passed on to.
        namespace: Option<&'static str>,
    },
    /// Lambda's `Invoke`.
    LambdaRest,
    /// SNS's `Publish`.
    SnsQuery,
}

impl Protocol {
    pub(super) fn of(service: &str) -> Protocol {
        const JSON_1_0: &str = "application/x-amz-json-1.0";
        match service {
            "lambda" => Protocol::LambdaRest,
            "sns" => Protocol::SnsQuery,
            "dynamodb" => Protocol::Json {
                content_type: JSON_1_0,
                target: "DynamoDB_20120810",
                namespace: Some("com.amazonaws.dynamodb.v20120810"),
            },
            "sqs" => Protocol::Json {
                content_type: JSON_1_0,
                target: "AmazonSQS",
                namespace: Some("com.amazonaws.sqs"),
            },
            "events" => Protocol::Json {
                content_type: "application/x-amz-json-1.1",
                target: "AWSEvents",
                namespace: None,
            },
            _ => Protocol::Json { content_type: JSON_1_0, target: "AWSStepFunctions", namespace: None },
        }
    }
}

/// A request before it is signed; always a `POST`.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) path_and_query: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

/// The request of a call.
///
/// Errors: an operation that the protocol cannot carry.
pub(super) fn encode(protocol: &Protocol, service: &str, call: &Call) -> Result<Outgoing, Fault> {
    match protocol {
        Protocol::Json { content_type, target, .. } => Ok(Outgoing {
            path_and_query: "/".to_owned(),
            headers: vec![
                ("content-type", (*content_type).to_owned()),
                ("x-amz-target", format!("{target}.{}", call.operation)),
            ],
            body: match &call.input {
                Json::Null => Bytes::from_static(b"{}"),
                input => Bytes::from(input.to_string()),
            },
        }),
        Protocol::LambdaRest if call.operation == "Invoke" => Ok(invoke(call)),
        Protocol::SnsQuery if call.operation == "Publish" => Ok(publish(call)),
        Protocol::LambdaRest | Protocol::SnsQuery => Err(Fault::new(
            "UnknownOperationException",
            format!(
                "This version of Stepwell does not forward {} to an endpoint of {service}",
                call.operation
            ),
        )),
    }
}

/// The reply in an answer.
///
/// Errors: the fault that the service reports, or a client failure where the answer is none of the service's.
pub(super) fn decode(protocol: &Protocol, operation: &str, answer: Answer) -> Result<Reply, Fault> {
    let request_id = request_id(&answer.headers);
    if !answer.status.is_success() {
        return Err(fault(protocol, &answer, request_id));
    }
    let mut reply = Reply::empty();
    reply.status = answer.status.as_u16();
    reply.headers = member_headers(&answer.headers);
    reply.request_id = request_id;
    match protocol {
        Protocol::LambdaRest => reply.body = Some(answer.body),
        Protocol::SnsQuery => {
            let text = String::from_utf8_lossy(&answer.body);
            let members = ["MessageId", "SequenceNumber"];
            let found =
                members.iter().filter_map(|m| Some(((*m).to_owned(), Json::from(element(&text, m)?))));
            reply.output = Json::Object(found.collect());
            reply.request_id = reply.request_id.or_else(|| element(&text, "RequestId"));
            if reply.output.get("MessageId").is_none() {
                return Err(no_answer(operation, &answer.body));
            }
        }
        Protocol::Json { .. } if answer.body.is_empty() => {}
        Protocol::Json { .. } => {
            let output: Json =
                serde_json::from_slice(&answer.body).map_err(|_| no_answer(operation, &answer.body))?;
            if !output.is_object() {
                return Err(no_answer(operation, &answer.body));
            }
            reply.output = output;
        }
    }
    Ok(reply)
}

fn invoke(call: &Call) -> Outgoing {
    let text = |name: &str| call.input.get(name).and_then(Json::as_str);
    let mut path_and_query = format!(
        "/2015-03-31/functions/{}/invocations",
        percent_encoded(text("FunctionName").unwrap_or_default())
    );
    if let Some(qualifier) = text("Qualifier") {
        path_and_query.push_str("?Qualifier=");
        path_and_query.push_str(&percent_encoded(qualifier));
    }
    let mut headers = vec![("content-type", "application/json".to_owned())];
    for (member, header) in [
        ("InvocationType", "x-amz-invocation-type"),
        ("LogType", "x-amz-log-type"),
        ("ClientContext", "x-amz-client-context"),
    ] {
        if let Some(value) = text(member) {
            headers.push((header, value.to_owned()));
        }
    }
    Outgoing { path_and_query, headers, body: call.body.clone() }
}

fn publish(call: &Call) -> Outgoing {
    let mut form = String::from("Action=Publish&Version=2010-03-31");
    let mut field = |name: &str, value: &Json| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        form.push('&');
        form.push_str(&percent_encoded(name));
        form.push('=');
        form.push_str(&percent_encoded(&value));
    };
    for (name, value) in call.input.as_object().into_iter().flatten() {
        match value {
            Json::Null => {}
            Json::Object(attributes) => {
                for (number, (attribute, members)) in (1..).zip(attributes) {
                    field(&format!("{name}.entry.{number}.Name"), &Json::from(attribute.as_str()));
                    for (member, value) in members.as_object().into_iter().flatten() {
                        field(&format!("{name}.entry.{number}.Value.{member}"), value);
                    }
                }
            }
            value => field(name, value),
        }
    }
    Outgoing {
        path_and_query: "/".to_owned(),
        headers: vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
        body: Bytes::from(form),
    }
}

/// Everything but the unreserved characters of RFC 3986 as `%XX`.
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn fault(protocol: &Protocol, answer: &Answer, request_id: Option<String>) -> Fault {
    let mut fault = match protocol {
        Protocol::SnsQuery => xml_fault(answer),
        Protocol::Json { .. } | Protocol::LambdaRest => json_fault(answer),
    };
    fault.status = answer.status.as_u16();
    fault.request_id = request_id.or(fault.request_id);
    if let Protocol::Json { namespace, .. } = protocol {
        fault.namespace = *namespace;
    }
    if let Some(code) = answer.headers.get(QUERY_ERROR).and_then(|value| value.to_str().ok()) {
        fault.headers.push((QUERY_ERROR.to_owned(), code.to_owned()));
    }
    fault
}

fn json_fault(answer: &Answer) -> Fault {
    let mut members: Map<String, Json> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let mut take = |names: &[&str]| {
        names.iter().find_map(|name| match members.shift_remove(*name) {
            Some(Json::String(text)) => Some(text),
            _ => None,
        })
    };
    let header = answer.headers.get("x-amzn-errortype").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let in_body = take(&["__type", "code"]);
    let message = take(&["message", "Message", "errorMessage"]);
    match header.or(in_body) {
        Some(code) => {
            Fault { members, ..Fault::new(short_code(&code), message.unwrap_or_else(|| "null".to_owned())) }
        }
        None => foreign_fault(answer),
    }
}

/// `namespace#Code:http://…` as some services and proxies write it.
fn short_code(code: &str) -> &str {
    let code = code.rsplit_once('#').map_or(code, |(_, code)| code);
    code.split(':').next().unwrap_or(code)
}

fn xml_fault(answer: &Answer) -> Fault {
    let text = String::from_utf8_lossy(&answer.body);
    match element(&text, "Code") {
        Some(code) => {
            let message = element(&text, "Message").unwrap_or_else(|| "null".to_owned());
            Fault { request_id: element(&text, "RequestId"), ..Fault::new(code, message) }
        }
        None => foreign_fault(answer),
    }
}

/// A status that no service explains: a proxy's page, or an endpoint that is something else.
fn foreign_fault(answer: &Answer) -> Fault {
    let reason = answer.status.canonical_reason().unwrap_or("Unknown");
    Fault::new(
        code_of_status(answer.status),
        format!("{} {reason}: {}", answer.status.as_u16(), excerpt(&answer.body)),
    )
}

fn code_of_status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        s if s.is_server_error() => "InternalFailure",
        _ => "UnknownError",
    }
}

fn no_answer(operation: &str, body: &[u8]) -> Fault {
    client_failure(format!("Unable to read the HTTP response to {operation}: {}", excerpt(body)))
}

/// The first characters of a body, for a person to recognize what answered.
fn excerpt(body: &[u8]) -> String {
    let shown: String = String::from_utf8_lossy(&body[..body.len().min(1024)]).chars().take(200).collect();
    if shown.is_empty() { "empty body".to_owned() } else { shown }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-amzn-requestid").or_else(|| headers.get("x-amz-request-id"))?;
    id.to_str().ok().map(str::to_owned)
}

/// The headers that carry output members. The others describe this transfer, not the answer: passed on with it, a
/// length or a checksum of other bytes would make the next client refuse them.
fn member_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let carries_member = |name: &str| {
        name.starts_with("x-amz") && !["x-amz-crc32", "x-amzn-requestid", "x-amz-request-id"].contains(&name)
    };
    headers
        .iter()
        .filter(|(name, _)| carries_member(name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}

/// The text of the first element `name` without attributes; enough for answers whose members are flat.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(text.replace("&#39;", "'").replace("&#34;", "\"").replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header"));
        }
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: map,
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    #[test]
    fn an_invocation_is_a_path_and_headers() {
        let mut call = Call::new(
            "Invoke",
            json!({"FunctionName": "arn:aws:lambda:us-east-1:1:function:f", "Qualifier": "a/b", "LogType": "Tail"}),
        );
        call.body = Bytes::from_static(b"1.10");
        let outgoing = encode(&Protocol::of("lambda"), "lambda", &call).expect("a request");
        assert_eq!(
            outgoing.path_and_query,
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Af/invocations?Qualifier=a%2Fb"
        );
        assert!(outgoing.headers.contains(&("x-amz-log-type", "Tail".to_owned())));
        assert_eq!(outgoing.body, "1.10");
        let other = encode(&Protocol::of("lambda"), "lambda", &Call::new("ListFunctions", json!({})));
        assert_eq!(other.expect_err("refused").code, "UnknownOperationException");
    }

    #[test]
    fn a_message_is_a_form() {
        let call = Call::new(
            "Publish",
            json!({"TopicArn": "arn:t", "Message": "a b&c", "Subject": null,
                   "MessageAttributes": {"k": {"DataType": "String", "StringValue": "ü"}}}),
        );
        let outgoing = encode(&Protocol::of("sns"), "sns", &call).expect("a request");
        assert_eq!(
            outgoing.body,
            "Action=Publish&Version=2010-03-31&TopicArn=arn%3At&Message=a%20b%26c&MessageAttributes.entry.1.Name=k\
             &MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=%C3%BC"
        );
    }

    #[test]
    fn answers_become_replies() {
        let json = Protocol::of("dynamodb");
        let reply = decode(&json, "GetItem", answer(200, &[("x-amzn-requestid", "r")], r#"{"Item":{}}"#))
            .expect("ok");
        assert_eq!((reply.output, reply.request_id.as_deref()), (json!({"Item": {}}), Some("r")));
        assert_eq!(decode(&json, "X", answer(200, &[], "")).expect("ok").output, json!({}));
        for body in ["<html>", "[1]", "{"] {
            let fault = decode(&json, "GetItem", answer(200, &[], body)).expect_err("not JSON");
            assert_eq!(fault.code, "SdkClientException");
            assert!(fault.message.contains("GetItem"), "{}", fault.message);
        }
        let xml = "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult><ResponseMetadata>\
                   <RequestId>r</RequestId></ResponseMetadata></PublishResponse>";
        let reply = decode(&Protocol::of("sns"), "Publish", answer(200, &[], xml)).expect("ok");
        assert_eq!((reply.output, reply.request_id.as_deref()), (json!({"MessageId": "m"}), Some("r")));
        let reply = decode(
            &Protocol::of("lambda"),
            "Invoke",
            answer(202, &[("x-amz-function-error", "Unhandled")], "1"),
        )
        .expect("ok");
        assert_eq!((reply.status, reply.header("X-Amz-Function-Error")), (202, Some("Unhandled")));
        assert_eq!(reply.body.as_deref(), Some(&b"1"[..]));
    }

    #[test]
    fn error_answers_become_faults() {
        type Case<'a> = (&'a str, u16, &'a [(&'static str, &'a str)], &'a str, &'a str, &'a str);
        let cases: [Case<'_>; 7] = [
            (
                "dynamodb",
                400,
                &[],
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"not found"}"#,
                "ResourceNotFoundException",
                "not found",
            ),
            (
                "dynamodb",
                400,
                &[],
                r#"{"__type":"ValidationException","Message":"m"}"#,
                "ValidationException",
                "m",
            ),
            (
                "lambda",
                404,
                &[("x-amzn-errortype", "ResourceNotFoundException:http://x/")],
                r#"{"Type":"User","Message":"Function not found: f"}"#,
                "ResourceNotFoundException",
                "Function not found: f",
            ),
            (
                "sns",
                404,
                &[],
                "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic &amp;lt; is \
                 &quot;gone&quot;</Message></Error><RequestId>r</RequestId></ErrorResponse>",
                "NotFound",
                "Topic &lt; is \"gone\"",
            ),
            ("sqs", 502, &[], "<html>Bad</html>", "InternalFailure", "502 Bad Gateway: <html>Bad</html>"),
            ("sqs", 503, &[], "", "ServiceUnavailable", "503 Service Unavailable: empty body"),
            ("sns", 301, &[], "moved", "UnknownError", "301 Moved Permanently: moved"),
        ];
        for (service, status, headers, body, code, message) in cases {
            let fault =
                decode(&Protocol::of(service), "X", answer(status, headers, body)).expect_err("a fault");
            assert_eq!((&*fault.code, &*fault.message, fault.status), (code, message, status));
        }
    }
}
