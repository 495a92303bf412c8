//! An HTTP answer to a reply or a fault.
//!
//! [`body`] reads JSON and XML by the shapes of the model; here is what the protocols put around it.

mod body;
mod fault;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value as Json};
use stepwell_aws::{Fault, Reply};

use crate::service::{Location, Operation, Protocol, Service, Shape, ShapeType};

/// Code of a fault that no service gave.
const UNREADABLE: &str = "SdkClientException";

impl Service {
    /// The reply in an answer: members named as in the model, instants numbers of seconds, blobs Base64 text, in
    /// [`Reply::body`] the one that is the whole body. Members that the model does not know are left out.
    ///
    /// Errors: the fault that the service reports; `SdkClientException` where the answer is none of the service's.
    pub fn decode(
        &self,
        operation: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Reply, Fault> {
        let request_id = request_id(headers);
        if !status.is_success() {
            return Err(fault::of(self, status, headers, body, request_id));
        }
        let mut reply = Reply::empty();
        reply.status = status.as_u16();
        reply.headers = member_headers(headers);
        reply.request_id = request_id;
        let Some(described) = self.operations.get(operation) else { return Ok(reply) };
        let Some(output) = &described.output else { return Ok(reply) };
        let shape = self.shape(output);
        let mut members = Map::new();
        if matches!(self.protocol, Protocol::RestJson | Protocol::RestXml) {
            self.members_of_head(shape, status, headers, &mut members);
        }
        let read = Read { service: self, operation: described, shape };
        let unreadable = || {
            let text = format!("Unable to read the HTTP response to {operation}: {}", excerpt(body));
            Fault::new(UNREADABLE, text).with_status(502)
        };
        match read.body(body, &mut members).ok_or_else(unreadable)? {
            Found::Members(id) => reply.request_id = reply.request_id.take().or(id),
            Found::Blob => reply.body = Some(body.clone()),
        }
        reply.output = Json::Object(members);
        Ok(reply)
    }

    fn members_of_head(
        &self,
        shape: &Shape,
        status: StatusCode,
        headers: &HeaderMap,
        members: &mut Map<String, Json>,
    ) {
        for (name, of) in shape.members.iter() {
            let wire = of.name.as_deref().unwrap_or(name);
            let value = match of.location {
                Some(Location::StatusCode) => Some(Json::from(status.as_u16())),
                Some(Location::Header) => {
                    let text = headers.get(wire).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
                    text.map(|text| body::scalar(self, of, &text))
                }
                // Always there, as in the SDK for Java: empty where no header begins like that.
                Some(Location::Headers) => {
                    let wire = wire.to_ascii_lowercase();
                    let found = headers.iter().filter_map(|(name, value)| {
                        let suffix = name.as_str().strip_prefix(&wire)?;
                        Some((suffix.to_owned(), Json::from(value.to_str().ok()?)))
                    });
                    Some(Json::Object(found.collect()))
                }
                _ => None,
            };
            members.extend(value.map(|value| (name.to_owned(), value)));
        }
    }
}

/// What a body turned out to be.
enum Found {
    /// Members, and the request id where the document has it.
    Members(Option<String>),
    /// The bytes of a blob.
    Blob,
}

struct Read<'a> {
    service: &'a Service,
    operation: &'a Operation,
    shape: &'a Shape,
}

impl Read<'_> {
    /// `None` where it is not what the service answers.
    fn body(&self, bytes: &Bytes, members: &mut Map<String, Json>) -> Option<Found> {
        let Read { service, operation, shape } = self;
        match service.protocol {
            Protocol::Json => {
                if !bytes.is_empty() {
                    let answer: Json = serde_json::from_slice(bytes).ok()?;
                    members.extend(body::json_structure(service, shape, answer.as_object()?));
                }
                Some(Found::Members(None))
            }
            Protocol::Query | Protocol::Ec2 => {
                let text = std::str::from_utf8(bytes).ok()?;
                let document = roxmltree::Document::parse(text).ok()?;
                let mut root = document.root_element();
                let id = body::descendant_text(root, &["RequestId", "requestId"]);
                if let Some(wrapper) = &operation.wrapper {
                    root = body::child(root, wrapper)?;
                }
                members.extend(body::xml_structure(service, shape, root));
                Some(Found::Members(id))
            }
            Protocol::RestJson | Protocol::RestXml => self.rest_body(bytes, members),
        }
    }

    fn rest_body(&self, bytes: &Bytes, members: &mut Map<String, Json>) -> Option<Found> {
        let Read { service, shape, .. } = self;
        let payload = shape.payload.as_ref().and_then(|name| Some((name, shape.members.get(name)?)));
        let Some((name, of)) = payload else {
            let any_in_body = shape.members.iter().any(|(_, of)| of.location.is_none());
            if any_in_body && !bytes.is_empty() {
                members.extend(match service.protocol {
                    Protocol::RestJson => {
                        let answer: Json = serde_json::from_slice(bytes).ok()?;
                        body::json_structure(service, shape, answer.as_object()?)
                    }
                    _ => body::xml_document(service, shape, bytes)?,
                });
            }
            return Some(Found::Members(None));
        };
        let payload_shape = service.shape(of);
        match payload_shape.kind {
            ShapeType::Blob => return Some(Found::Blob),
            ShapeType::String => {
                members.insert(name.clone(), Json::from(String::from_utf8_lossy(bytes).into_owned()));
            }
            _ if bytes.is_empty() || payload_shape.event_stream => {}
            ShapeType::Structure if service.protocol == Protocol::RestXml => {
                let document = body::xml_document(service, payload_shape, bytes)?;
                members.insert(name.clone(), Json::Object(document));
            }
            _ => {
                let answer: Json = serde_json::from_slice(bytes).ok()?;
                members.insert(name.clone(), body::json_value(service, of, &answer));
            }
        }
        Some(Found::Members(None))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn headers(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(n, v)| (http::HeaderName::from_static(n), v.parse().expect("a header")))
            .collect()
    }

    fn decoded(
        service: &str,
        operation: &str,
        status: u16,
        given: &[(&'static str, &str)],
        body: &str,
    ) -> Result<Reply, Fault> {
        let service = crate::service(service).expect(service);
        let status = StatusCode::from_u16(status).expect("a status");
        service.decode(operation, status, &headers(given), &Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn answers_of_every_protocol_become_replies() {
        type Case<'a> = (&'a str, &'a str, &'a [(&'static str, &'a str)], &'a str, Json);
        let cases: &[Case<'_>] = &[
            (
                "dynamodb",
                "GetItem",
                &[],
                r#"{"Item":{"a":{"N":"1"}},"unknown":1}"#,
                json!({"Item": {"a": {"N": "1"}}}),
            ),
            ("dynamodb", "GetItem", &[], "", json!({})),
            (
                "secretsmanager",
                "GetSecretValue",
                &[],
                r#"{"CreatedDate":1.5,"Name":null}"#,
                json!({"CreatedDate": 1.5}),
            ),
            (
                "sns",
                "Publish",
                &[],
                "<PublishResponse xmlns=\"http://sns\"><PublishResult><MessageId>m</MessageId></PublishResult>\
                 <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>",
                json!({"MessageId": "m"}),
            ),
            (
                "iam",
                "ListUsers",
                &[],
                "<ListUsersResponse><ListUsersResult><Users><member><UserName>u</UserName>\
                 <CreateDate>1970-01-01T00:00:02Z</CreateDate></member></Users><IsTruncated>false</IsTruncated>\
                 </ListUsersResult></ListUsersResponse>",
                json!({"Users": [{"UserName": "u", "CreateDate": 2.0}], "IsTruncated": false}),
            ),
            (
                "ec2",
                "DescribeInstances",
                &[],
                "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>\
                 </item></instancesSet></item></reservationSet></DescribeInstancesResponse>",
                json!({"Reservations": [{"Instances": [{"InstanceId": "i-1"}]}]}),
            ),
            (
                "s3",
                "GetObject",
                &[
                    ("content-length", "3"),
                    ("last-modified", "Thu, 01 Jan 1970 00:00:05 GMT"),
                    ("x-amz-meta-color", "red"),
                ],
                "abc",
                json!({"LastModified": 5.0, "ContentLength": 3, "Metadata": {"color": "red"}}),
            ),
            (
                "s3",
                "ListObjectsV2",
                &[],
                "<?xml version=\"1.0\"?><ListBucketResult><KeyCount>2</KeyCount><Contents><Key>a&amp;b</Key><Size>1</Size>\
                 </Contents><Contents><Key>c</Key></Contents></ListBucketResult>",
                json!({"Contents": [{"Key": "a&b", "Size": 1}, {"Key": "c"}], "KeyCount": 2}),
            ),
            (
                "s3",
                "GetBucketLocation",
                &[],
                "<LocationConstraint xmlns=\"http://s3\">eu-west-1</LocationConstraint>",
                json!({"LocationConstraint": "eu-west-1"}),
            ),
            (
                "lambda",
                "Invoke",
                &[("x-amz-function-error", "Unhandled"), ("x-amz-executed-version", "$LATEST")],
                "1",
                json!({"StatusCode": 200, "FunctionError": "Unhandled", "ExecutedVersion": "$LATEST"}),
            ),
            ("apigateway", "GetApiKeys", &[], r#"{"item":[{"id":"k"}]}"#, json!({"items": [{"id": "k"}]})),
        ];
        for (service, operation, given, body, expected) in cases {
            let reply = decoded(service, operation, 200, given, body).expect(operation);
            assert_eq!(&reply.output, expected, "{service} {operation}");
        }
        let reply = decoded("s3", "GetObject", 200, &[], "abc").expect("a reply");
        assert_eq!(reply.body.as_deref(), Some(&b"abc"[..]));
    }

    #[test]
    fn what_no_service_answers_is_a_failure_of_the_client() {
        for (service, operation, body) in [
            ("dynamodb", "GetItem", "<html>"),
            ("dynamodb", "GetItem", "[1]"),
            ("sns", "Publish", "{"),
            ("sns", "Publish", "<PublishResponse/>"),
            ("s3", "ListObjectsV2", "nothing"),
        ] {
            let fault = decoded(service, operation, 200, &[], body).expect_err(body);
            assert_eq!(fault.code, UNREADABLE, "{service}");
            assert!(fault.message.contains(body), "{}", fault.message);
        }
    }

    #[test]
    fn error_answers_become_faults() {
        type Case<'a> = (&'a str, u16, &'a [(&'static str, &'a str)], &'a str, &'a str, &'a str);
        let cases: &[Case<'_>] = &[
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
                "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic &amp;lt; is &quot;gone&quot;\
                 </Message></Error><RequestId>r</RequestId></ErrorResponse>",
                "NotFound",
                "Topic &lt; is \"gone\"",
            ),
            (
                "s3",
                404,
                &[],
                "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>",
                "NoSuchKey",
                "The specified key does not exist.",
            ),
            (
                "ec2",
                400,
                &[],
                "<Response><Errors><Error><Code>InvalidID</Code><Message>m</Message></Error></Errors>\
                 <RequestID>r</RequestID></Response>",
                "InvalidID",
                "m",
            ),
            ("sqs", 502, &[], "<html>Bad</html>", "InternalFailure", "502 Bad Gateway: <html>Bad</html>"),
            ("s3", 503, &[], "", "ServiceUnavailable", "503 Service Unavailable: empty body"),
            ("sns", 301, &[], "moved", "UnknownError", "301 Moved Permanently: moved"),
        ];
        for (service, status, given, body, code, message) in cases {
            let fault = decoded(service, "X", *status, given, body).expect_err("a fault");
            assert_eq!((&*fault.code, &*fault.message, fault.status), (*code, *message, *status));
        }
    }
}
