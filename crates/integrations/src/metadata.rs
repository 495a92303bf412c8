//! `SdkHttpMetadata` and `SdkResponseMetadata`: what optimized integrations add to a result about the HTTP answer.
//!
//! An embedded service answers without HTTP. The headers are then those that AWS's endpoint of that service sends,
//! with values that describe this answer.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use stepwell_asl::value::{Object, Value};
use stepwell_aws::Reply;
use uuid::Uuid;

/// Which endpoint's headers an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderSet {
    Lambda,
    DynamoDb,
    /// SQS and Step Functions.
    Json,
    /// SNS
    Xml,
}

/// Adds both members to `result`. `body` is the answer's body, or what it would have been.
pub(crate) fn append(result: &mut Vec<(String, Value)>, set: HeaderSet, reply: &Reply, body: &[u8]) {
    let request_id = reply.request_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    result.push(("SdkHttpMetadata".to_owned(), http_metadata(set, reply, body, &request_id)));
    result.push(("SdkResponseMetadata".to_owned(), object([("RequestId", Value::from(request_id))])));
}

fn http_metadata(set: HeaderSet, reply: &Reply, body: &[u8], request_id: &str) -> Value {
    let mut headers: Vec<(&'static str, String)> = header_names(set)
        .iter()
        .filter_map(|name| {
            let given = reply.header(name).map(str::to_owned);
            given.or_else(|| default_value(set, name, reply, body, request_id)).map(|value| (*name, value))
        })
        .collect();
    let all =
        headers.iter().map(|(n, v)| (*n, Value::from(vec![Value::from(v.as_str())]))).collect::<Object>();
    headers.sort_by_key(|(name, _)| name.to_ascii_lowercase());
    let single = headers.into_iter().map(|(n, v)| (n, Value::from(v))).collect::<Object>();
    object([
        ("AllHttpHeaders", Value::from(all)),
        ("HttpHeaders", Value::from(single)),
        ("HttpStatusCode", Value::from(i64::from(reply.status))),
    ])
}

/// In the order in which AWS lists them under `AllHttpHeaders`.
fn header_names(set: HeaderSet) -> &'static [&'static str] {
    match set {
        HeaderSet::Lambda => &[
            "X-Amz-Executed-Version",
            "X-Amz-Log-Result",
            "x-amzn-Remapped-Content-Length",
            "Connection",
            "x-amzn-RequestId",
            "Content-Length",
            "Date",
            "X-Amzn-Trace-Id",
            "Content-Type",
        ],
        HeaderSet::DynamoDb => &[
            "Server",
            "Connection",
            "x-amzn-RequestId",
            "x-amz-crc32",
            "Content-Length",
            "Date",
            "Content-Type",
        ],
        HeaderSet::Json | HeaderSet::Xml => {
            &["x-amzn-RequestId", "connection", "Content-Length", "Date", "Content-Type"]
        }
    }
}

fn default_value(set: HeaderSet, name: &str, reply: &Reply, body: &[u8], request_id: &str) -> Option<String> {
    let now = Timestamp::now();
    Some(match name {
        "Server" => "Server".to_owned(),
        "Connection" | "connection" => "keep-alive".to_owned(),
        "x-amzn-RequestId" => request_id.to_owned(),
        "x-amz-crc32" => crc32(body).to_string(),
        "Content-Length" => body.len().to_string(),
        "Date" => now.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        "x-amzn-Remapped-Content-Length" => "0".to_owned(),
        "X-Amzn-Trace-Id" => {
            let id: String =
                request_id.bytes().filter(u8::is_ascii_alphanumeric).take(24).map(char::from).collect();
            format!("root=1-{:08x}-{id:0<24};sampled=0", now.as_second())
        }
        // What does not answer an invocation has no version.
        "X-Amz-Executed-Version" if reply.status == 200 => "$LATEST".to_owned(),
        "Content-Type" => match set {
            HeaderSet::Lambda => "application/json".to_owned(),
            HeaderSet::DynamoDb | HeaderSet::Json => "application/x-amz-json-1.0".to_owned(),
            HeaderSet::Xml => "text/xml".to_owned(),
        },
        _ => return None,
    })
}

/// An object of these members.
pub(crate) fn object<const N: usize>(members: [(&'static str, Value); N]) -> Value {
    Value::from(members.into_iter().collect::<Object>())
}

/// CRC-32 as in `x-amz-crc32` (polynomial of IEEE 802.3, reflected).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| CRC_TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        #[allow(clippy::cast_possible_truncation)]
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn headers_are_sorted_and_describe_the_answer() {
        let mut reply = Reply::empty();
        reply.request_id = Some("11111111-2222-3333-4444-555555555555".into());
        let mut result = Vec::new();
        append(&mut result, HeaderSet::DynamoDb, &reply, b"{}");
        let metadata = &result[0].1;
        let headers = metadata.get("HttpHeaders").and_then(Value::as_object).expect("headers");
        let names: Vec<_> = headers.iter().map(|(n, _)| n.to_string()).collect();
        assert_eq!(
            names,
            [
                "Connection",
                "Content-Length",
                "Content-Type",
                "Date",
                "Server",
                "x-amz-crc32",
                "x-amzn-RequestId"
            ]
        );
        assert_eq!(headers.get("x-amz-crc32").and_then(Value::as_str), Some("2745614147"));
        assert_eq!(
            metadata
                .get("AllHttpHeaders")
                .and_then(|h| h.get("Content-Length"))
                .map(Value::to_json)
                .as_deref(),
            Some(r#"["2"]"#)
        );
        assert_eq!(result[1].1.to_json(), r#"{"RequestId":"11111111-2222-3333-4444-555555555555"}"#);
    }
}
