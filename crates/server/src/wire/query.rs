//! The query protocol, as far as tools need it to ask who they are: STS `GetCallerIdentity`.

use std::fmt::Write as _;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, header};
use stepwell_aws::{Account, Fault};

use super::{response, set_request_id};
use crate::app::Answer;

/// What requests are signed for.
pub(crate) const SIGNING_NAME: &str = "sts";

const XML: &str = "text/xml";
const FORM: &[u8] = b"application/x-www-form-urlencoded";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Whether a request speaks this protocol, as far as its head tells.
pub(crate) fn is_query(head: &Parts) -> bool {
    let form = head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(FORM));
    let action = |query: &str| query.split('&').any(|pair| pair.starts_with("Action="));
    head.uri.path() == "/"
        && match head.method {
            Method::POST => form,
            Method::GET => head.uri.query().is_some_and(action),
            _ => false,
        }
}

/// The answer to a request that goes no further. The codes of this protocol are older than those of the others.
pub(crate) fn refuse(fault: &Fault) -> Answer {
    let (code, status) = match fault.code.as_str() {
        "MissingAuthenticationTokenException" => ("MissingAuthenticationToken", 403),
        "IncompleteSignatureException" => ("IncompleteSignature", 400),
        "InvalidSignatureException" => ("SignatureDoesNotMatch", 403),
        "UnrecognizedClientException" => ("InvalidClientTokenId", 403),
        "AccessDeniedException" => ("AccessDenied", 403),
        "ThrottlingException" => ("Throttling", 400),
        other => (other, fault.status),
    };
    let request_id = uuid::Uuid::new_v4().to_string();
    let text = error(code, &fault.message, &request_id);
    let mut answer = response(status, XML, Bytes::from(text));
    set_request_id(&mut answer, Some(request_id));
    answer
}

/// The parameters of a query request: a form, or `?Action=` in the URL. `None` where it is no such request.
pub(crate) fn parameters(head: &Parts, body: &[u8]) -> Option<Vec<(String, String)>> {
    if !is_query(head) {
        return None;
    }
    let text = match head.method {
        Method::POST => std::str::from_utf8(body).ok()?,
        Method::GET => head.uri.query()?,
        _ => return None,
    };
    let parameters: Vec<(String, String)> = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(name, value)| Some((decode(name)?, decode(value)?)))
        .collect();
    parameters.iter().any(|(name, _)| name == "Action").then_some(parameters)
}

/// Answers a query request.
pub(crate) fn answer(account: &Account, parameters: &[(String, String)]) -> Answer {
    let value = |name: &str| parameters.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str());
    let request_id = uuid::Uuid::new_v4().to_string();
    let (status, text) = match value("Action") {
        "GetCallerIdentity" => (200, caller_identity(account, &request_id)),
        action => (400, unknown_action(action, value("Version"), &request_id)),
    };
    let mut answer = response(status, XML, Bytes::from(text));
    set_request_id(&mut answer, Some(request_id));
    answer
}

fn caller_identity(account: &Account, request_id: &str) -> String {
    let (id, partition) = (escape(&account.id), escape(&account.partition));
    format!(
        "<GetCallerIdentityResponse xmlns=\"{STS_NAMESPACE}\">\n  <GetCallerIdentityResult>\n    \
         <Arn>arn:{partition}:iam::{id}:root</Arn>\n    <UserId>{id}</UserId>\n    <Account>{id}</Account>\n  \
         </GetCallerIdentityResult>\n  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  \
         </ResponseMetadata>\n</GetCallerIdentityResponse>\n"
    )
}

fn unknown_action(action: &str, version: &str, request_id: &str) -> String {
    let shown = |text: &str| text.chars().take(200).collect::<String>();
    let (action, version) = (shown(action), shown(version));
    let message = format!(
        "Could not find operation {action} for version {version}; Stepwell serves only GetCallerIdentity on the query \
         protocol"
    );
    error("InvalidAction", &message, request_id)
}

fn error(code: &str, message: &str, request_id: &str) -> String {
    let (code, message) = (escape(code), escape(message));
    format!(
        "<ErrorResponse xmlns=\"{STS_NAMESPACE}\">\n  <Error>\n    <Type>Sender</Type>\n    <Code>{code}</Code>\n    \
         <Message>{message}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 has no way to write the other control characters.
            c if c.is_control() => {
                let _ = write!(escaped, "\\u{:04x}", c as u32);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Undoes percent encoding and `+`; `None` where the result is not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = match first {
            b'%' => after.get(..2).and_then(|h| std::str::from_utf8(h).ok()),
            _ => None,
        };
        match (first, hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        for (text, expected) in [
            ("a+b", Some("a b")),
            ("%41%2b", Some("A+")),
            ("%4", Some("%4")),
            ("%zz", Some("%zz")),
            ("%ff", None),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn nothing_of_the_request_becomes_markup() {
        let text = unknown_action("<x>&\u{1}", "\"", "id");
        assert!(text.contains("operation &lt;x&gt;&amp;\\u0001 for version &quot;"), "{text}");
    }
}
