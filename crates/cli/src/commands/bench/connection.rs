//! A connection that costs the client little: HTTP/1.1 kept alive, requests prepared as bytes, answers in one buffer.
//!
//! A client that spends more on a request than the server would measure itself.

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::error::BenchError;

/// Headers of an answer; a server of ours sends a handful.
const HEADERS_MAX: usize = 32;

/// Bytes of an answer, far above what is asked for here.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A connection to `host`, which is `name:port`.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A request as it goes on the wire.
#[derive(Debug, Clone)]
pub(super) struct Request(Vec<u8>);

impl Request {
    /// An operation of Step Functions.
    pub(super) fn states(host: &str, operation: &str, body: &str) -> Request {
        let target = format!("X-Amz-Target: AWSStepFunctions.{operation}\r\n");
        Request::new("POST / HTTP/1.1", host, &target, body)
    }

    /// The same bytes, but for the echo.
    pub(super) fn echo(host: &str, operation: &str, body: &str) -> Request {
        let target = format!("X-Ech-Target: AWSStepFunctions.{operation}\r\n");
        Request::new("POST /echo HTTP/1.1", host, &target, body)
    }

    /// Whether the server is ready.
    pub(super) fn ready(host: &str) -> Request {
        Request::new("GET /readyz HTTP/1.1", host, "", "")
    }

    fn new(line: &str, host: &str, target: &str, body: &str) -> Request {
        let length = body.len();
        Request(
            format!(
                "{line}\r\nHost: {host}\r\n{target}Content-Type: application/x-amz-json-1.0\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }
}

/// An answer, as long as nothing else is asked.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

impl Answer<'_> {
    /// The body as JSON.
    ///
    /// Errors: the server refused, or the body is no JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, BenchError> {
        if self.status != 200 {
            return Err(self.refusal());
        }
        let wrong = |error| BenchError::Wrong(format!("an answer is not what it should be: {error}"));
        serde_json::from_slice(self.body).map_err(wrong)
    }

    fn refusal(&self) -> BenchError {
        let body: Value = serde_json::from_slice(self.body).unwrap_or_default();
        let code = body["__type"].as_str().or_else(|| body["code"].as_str()).unwrap_or("no exception");
        let code = code.rsplit('#').next().unwrap_or(code).to_owned();
        let message = body["message"].as_str().or_else(|| body["Message"].as_str()).unwrap_or_default();
        BenchError::Refused { status: self.status, code, message: message.to_owned() }
    }
}

impl Connection {
    /// Connects.
    pub(super) async fn open(host: &str) -> Result<Connection, BenchError> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends one request and reads its answer.
    pub(super) async fn exchange(&mut self, request: &Request) -> Result<Answer<'_>, BenchError> {
        self.stream.write_all(&request.0).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            if let Some((status, start, length)) = head(&self.buffer)? {
                let end = start.saturating_add(length);
                if end > ANSWER_BYTES_MAX {
                    return Err(BenchError::Wrong(format!("an answer has {length} bytes")));
                }
                while self.buffer.len() < end {
                    self.buffer.reserve(end - self.buffer.len());
                    if self.stream.read_buf(&mut self.buffer).await? == 0 {
                        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                    }
                }
                return Ok(Answer { status, body: &self.buffer[start..end] });
            }
            if self.buffer.len() > ANSWER_BYTES_MAX {
                return Err(BenchError::Wrong("an answer has no end of its headers".to_owned()));
            }
        }
    }

    /// An operation of Step Functions, and its answer.
    pub(super) async fn call(
        &mut self,
        host: &str,
        operation: &str,
        input: &Value,
    ) -> Result<Value, BenchError> {
        let request = Request::states(host, operation, &input.to_string());
        self.exchange(&request).await?.json()
    }
}

/// Status, where the body begins and how long it is; `None` while the headers are not complete.
fn head(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>, BenchError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let wrong = |what: String| BenchError::Wrong(format!("an answer is not HTTP as expected: {what}"));
    let start = match answer.parse(bytes).map_err(|error| wrong(error.to_string()))? {
        httparse::Status::Complete(start) => start,
        httparse::Status::Partial => return Ok(None),
    };
    let named = |name: &str| answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let length =
        named("content-length").and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    let length = length.ok_or_else(|| wrong("it has no length".to_owned()))?;
    Ok(Some((answer.code.unwrap_or_default(), start, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_once_they_are_complete() {
        let text = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nx: y\r\n\r\n{}";
        for end in 0..text.len() {
            let whole = end >= text.len() - 2;
            let expected = whole.then_some((400, text.len() - 2, 2));
            assert_eq!(head(&text[..end]).expect("HTTP"), expected, "{end}");
        }
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "without a length");
        assert!(head(b"SSH-2.0-x\r\n\r\n").is_err());
    }

    #[test]
    fn refusals_have_their_names() {
        let body = br#"{"__type":"com.amazonaws.swf.service.v2.model#InvalidArn","message":"Invalid Arn"}"#;
        let refused = Answer { status: 400, body }.json::<Value>().expect_err("refused");
        assert_eq!(refused.to_string(), "Invalid Arn (InvalidArn)");
        assert_eq!(Answer { status: 200, body: b"[1]" }.json::<Vec<u8>>().expect("JSON"), [1]);
    }
}
