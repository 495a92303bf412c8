//! The wire protocols, bytes in and bytes out, with a service that only echoes.

#[path = "wire/signatures.rs"]
mod signatures;
mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Map, json};
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_server::{App, AppBuilder, Limits, RestService};
use support::{Server, json_request};

/// Answers with the call itself, or as the operation's name says.
struct Echo;

impl Service for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        Box::pin(async move {
            match call.operation.as_str() {
                "Panic" => panic!("on purpose"),
                "Never" => std::future::pending().await,
                "Slow" => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Ok(Reply::empty())
                }
                "Raw" => Ok(Reply {
                    status: 202,
                    headers: vec![("X-Extra".into(), "1".into()), ("bad name".into(), "x".into())],
                    body: Some(Bytes::from_static(b"raw")),
                    request_id: Some("given-id".into()),
                    ..Reply::empty()
                }),
                "Refuse" => Err(Fault {
                    members: Map::from_iter([("reason".to_owned(), json!("WHY"))]),
                    headers: vec![("x-amzn-query-error".into(), "Old.Code;Sender".into())],
                    ..Fault::new("Bad", "as \"asked\"").in_namespace("com.example")
                }),
                "Fail" => Err(Fault::internal("broken")),
                _ => Ok(Reply::ok(json!({
                    "operation": call.operation, "input": call.input, "host": call.host, "body": call.body.len(),
                }))),
            }
        })
    }
}

struct Rest;

impl RestService for Rest {
    fn signing_name(&self) -> &'static str {
        "lambda"
    }

    fn handles(&self, method: &Method, path: &str) -> bool {
        *method != Method::DELETE && path.starts_with("/2015-03-31/functions")
    }

    fn body_bytes_max(&self, _: &Method, _: &str) -> usize {
        10
    }

    fn handle(&self, head: Parts, body: Bytes) -> BoxFuture<'_, (StatusCode, HeaderMap, Bytes)> {
        Box::pin(async move {
            let mut headers = HeaderMap::new();
            headers.insert("x-path", HeaderValue::from_str(head.uri.path()).expect("is printable"));
            (StatusCode::CREATED, headers, body)
        })
    }
}

fn app() -> AppBuilder {
    App::builder(Account::default())
        .target("Echo_1", Arc::new(Echo))
        .target("DynamoDB_1", Arc::new(Echo))
        .rest(Arc::new(Rest))
}

async fn server() -> Server {
    Server::start(app().build(), Limits::default()).await
}

#[tokio::test]
async fn json_calls_are_routed_by_target() {
    let server = server().await;
    let mut client = server.connect().await;
    let answer = client.call("Echo_1.Do", r#" {"a": [1, "ä"]} "#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/x-amz-json-1.0");
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    assert_eq!(answer.header("x-amz-crc32"), "");
    let expected = json!({"operation": "Do", "input": {"a": [1, "ä"]}, "host": "localhost:8083", "body": 0});
    assert_eq!(answer.json(), expected);

    // The same connection goes on, also after errors; an empty body is an empty structure.
    let answer = client.call("Echo_1.Do", "").await;
    assert_eq!(answer.json()["input"], json!({}));
    let request = "POST / HTTP/1.1\r\ncontent-type: application/x-amz-json-1.1\r\nhost: sync-localhost\r\nx-amz-target: Echo_1.Do\r\n\r\n";
    let answer = client.exchange(request.as_bytes()).await;
    assert_eq!(answer.header("content-type"), "application/x-amz-json-1.1");
    assert_eq!(answer.json()["host"], "sync-localhost");

    let answer = client.call("DynamoDB_1.Raw", "{}").await;
    assert_eq!((answer.status, answer.text().as_str()), (202, "raw"));
    assert_eq!(answer.header("x-extra"), "1");
    assert_eq!(answer.header("x-amzn-requestid"), "given-id");
    assert_eq!(answer.header("x-amz-crc32"), "447994709");
    server.stop().await;
}

#[tokio::test]
async fn faults_have_their_shape() {
    let server = server().await;
    let mut client = server.connect().await;
    let answer = client.call("Echo_1.Refuse", "{}").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.text(), r#"{"__type":"com.example#Bad","message":"as \"asked\"","reason":"WHY"}"#);
    assert_eq!(answer.header("x-amzn-query-error"), "Old.Code;Sender");
    assert_eq!(client.call("Echo_1.Fail", "{}").await.status, 500);
    let answer = client.call("Echo_1.Panic", "{}").await;
    assert_eq!((answer.status, answer.json()["__type"].clone()), (500, json!("InternalFailure")));
    for (target, body, code) in [
        ("Nobody_1.Do", "{}", "UnknownOperationException"),
        ("", "{}", "UnknownOperationException"),
        ("Echo_1", "{}", "UnknownOperationException"),
        ("Echo_1.Do", "{", "SerializationException"),
        ("Echo_1.Do", "[]", "SerializationException"),
        ("Echo_1.Do", "\"x\"", "SerializationException"),
        ("Echo_1.Do", "{} {}", "SerializationException"),
        ("Echo_1.Do", "{\"a\":\u{1}}", "SerializationException"),
    ] {
        let answer = client.call(target, body).await;
        let expected = if target == "Echo_1" { (200, json!(null)) } else { (400, json!(code)) };
        assert_eq!((answer.status, answer.json()["__type"].clone()), expected, "{target:?} {body:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn rest_query_and_health_have_their_paths() {
    let ready = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let app = app().ready({
        let ready = ready.clone();
        Arc::new(move || match ready.load(std::sync::atomic::Ordering::Relaxed) {
            true => Ok(()),
            false => Err("recovering".into()),
        })
    });
    let server = Server::start(app.build(), Limits::default()).await;
    let answer = server.get("/readyz").await;
    assert_eq!((answer.status, answer.text().as_str()), (503, "recovering\n"));
    ready.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(server.get("/readyz").await.status, 200);
    assert_eq!(server.get("/healthz").await.text(), "ok\n");

    let answer = server.get("/2015-03-31/functions/f").await;
    assert_eq!((answer.status, answer.header("x-path")), (201, "/2015-03-31/functions/f"));
    assert_eq!(answer.header("x-amzn-requestid").len(), 36);
    let request = "POST /2015-03-31/functions HTTP/1.1\r\nhost: h\r\ncontent-length: 11\r\n\r\n12345678901";
    assert_eq!(server.connect().await.exchange(request.as_bytes()).await.status, 413);
    for path in ["/", "/nothing", "/?Version=1"] {
        let answer = server.get(path).await;
        assert_eq!(
            (answer.status, answer.header("x-amzn-errortype")),
            (404, "UnknownOperationException"),
            "{path}"
        );
    }

    for (method, status) in [("POST", 200), ("PUT", 404), ("GET", 404), ("DELETE", 404), ("OPTIONS", 404)] {
        let request = format!("{method} /q HTTP/1.1\r\nhost: h\r\nx-amz-target: Echo_1.Do\r\n\r\n");
        assert_eq!(server.connect().await.exchange(request.as_bytes()).await.status, status, "{method}");
    }

    let form = |body: &str| {
        format!(
            "POST / HTTP/1.1\r\nhost: h\r\ncontent-type: application/x-www-form-urlencoded; charset=utf-8\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut client = server.connect().await;
    let answer = client.exchange(form("Action=GetCallerIdentity&Version=2011-06-15").as_bytes()).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/xml"));
    assert!(answer.text().contains("<Account>000000000000</Account>"), "{}", answer.text());
    assert!(answer.text().contains(answer.header("x-amzn-requestid")), "{}", answer.text());
    let answer = client.exchange(form("Action=Assume%3CRole&Version=1").as_bytes()).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("<Code>InvalidAction</Code>"), "{}", answer.text());
    assert!(answer.text().contains("Assume&lt;Role"), "{}", answer.text());
    let answer = server.get("/?Action=GetCallerIdentity").await;
    assert_eq!(answer.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn bodies_are_bounded_in_size_time_and_sum() {
    let limits = Limits {
        body_timeout: Duration::from_millis(200),
        headers_timeout: Duration::from_millis(300),
        headers_bytes_max: 8192,
        buffered_bytes_max: 1024 * 1024,
        ..Limits::default()
    };
    let server = Server::start(app().build(), limits).await;
    // Announced too large; too large without announcement; more than the memory budget.
    let large = "x".repeat(stepwell_server::BODY_BYTES_MAX + 1);
    assert_eq!(server.call("Echo_1.Do", &large).await.status, 413);
    let chunked = format!(
        "POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: Echo_1.Do\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    let status = server.connect().await.exchange(chunked.as_bytes()).await.status;
    assert!(matches!(status, 413 | 503), "{status}");
    let answer = server.call("Echo_1.Do", &format!("\"{}\"", "x".repeat(2 * 1024 * 1024))).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));

    // A body that stops coming, headers that stop coming, headers without end.
    let mut client = server.connect().await;
    client.send(b"POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: Echo_1.Do\r\ncontent-length: 5\r\n\r\n{").await;
    assert_eq!(client.response().await.expect("is told").status, 408);
    let mut client = server.connect().await;
    client.send(b"POST / HTT").await;
    assert!(client.response().await.is_none_or(|r| r.status == 408));
    let mut client = server.connect().await;
    client.send(format!("POST / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(20_000)).as_bytes()).await;
    assert!(client.response().await.is_none_or(|r| r.status == 431));

    assert_eq!(server.call("Echo_1.Do", "{}").await.status, 200);
    server.stop().await;
}

/// One request too many gets the API's throttling answer, whichever protocol it speaks; who asks for health does not.
#[tokio::test]
async fn requests_beyond_the_cap_are_throttled() {
    let server = Server::start(app().build(), Limits { requests_max: 1, ..Limits::default() }).await;
    let mut busy = server.connect().await;
    busy.send(&json_request("Echo_1.Never", "{}")).await;
    let mut client = server.connect().await;
    let throttled = loop {
        let answer = client.call("Echo_1.Do", "{}").await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert_eq!(throttled.status, 400);
    assert_eq!(throttled.text(), r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#);
    let answer = server.get("/2015-03-31/functions").await;
    assert_eq!((answer.status, answer.header("x-amzn-errortype")), (429, "ThrottlingException"));
    let answer = server.get("/?Action=GetCallerIdentity").await;
    assert!(answer.text().contains("<Code>Throttling</Code>"), "{}", answer.text());
    assert_eq!(server.get("/healthz").await.status, 200);
    drop(busy);
    while client.call("Echo_1.Do", "{}").await.status != 200 {}
    server.stop().await;
}

/// A client that asks and reads nothing loses its connection, and with it its place.
#[tokio::test]
async fn clients_that_read_nothing_are_given_up() {
    let limits =
        Limits { stall_timeout: Duration::from_millis(200), connections_max: 1, ..Limits::default() };
    let server = Server::start(app().build(), limits).await;
    let mut deaf = server.connect().await;
    let body = format!("\"{}\"", "x".repeat(10 * 1024 * 1024));
    deaf.send(&json_request("Echo_1.Do", &format!("{{\"a\":{body}}}"))).await;
    assert_eq!(server.call("Echo_1.Do", "{}").await.status, 200);
    drop(deaf);
    server.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_a_place() {
    let server = Server::start(app().build(), Limits { connections_max: 1, ..Limits::default() }).await;
    let mut first = server.connect().await;
    assert_eq!(first.call("Echo_1.Do", "{}").await.status, 200);
    let mut second = server.connect().await;
    second.send(&json_request("Echo_1.Do", "{}")).await;
    assert_eq!(first.call("Echo_1.Do", "{}").await.status, 200);
    drop(first);
    assert_eq!(second.response().await.expect("gets its turn").status, 200);
    server.stop().await;
}

#[tokio::test]
async fn a_stop_lets_requests_finish_but_not_for_ever() {
    let limits = Limits { drain_timeout: Duration::from_millis(500), ..Limits::default() };
    let server = Server::start(app().build(), limits).await;
    let address = server.address;
    let mut idle = server.connect().await;
    assert_eq!(idle.call("Echo_1.Do", "{}").await.status, 200);
    let mut slow = server.connect().await;
    slow.send(&json_request("Echo_1.Slow", "{}")).await;
    let mut never = server.connect().await;
    never.send(&json_request("Echo_1.Never", "{}")).await;
    // Both are being worked on once a later request on another connection is answered.
    assert_eq!(server.call("Echo_1.Slow", "{}").await.status, 200);
    let mut slow_again = server.connect().await;
    slow_again.send(&json_request("Echo_1.Slow", "{}")).await;
    tokio::task::yield_now().await;
    server.stop().await;
    assert_eq!(slow.response().await.expect("is answered").status, 200);
    assert!(idle.response().await.is_none());
    let given_up = never.response().await.expect("is answered");
    assert_eq!((given_up.status, given_up.json()["__type"].clone()), (503, json!("ServiceUnavailable")));
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

/// Every prefix of a good request, and every request with one byte changed, gets an answer or a closed connection;
/// never a 500, never a hang.
#[tokio::test]
async fn damaged_requests_are_refused() {
    let limits = Limits {
        headers_timeout: Duration::from_millis(500),
        body_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let server = Server::start(app().build(), limits).await;
    let good = json_request("Echo_1.Do", r#"{"a":"b","c":[1,2.5,null]}"#);
    let mut requests: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    for index in 0..good.len() {
        for byte in [0, b'"', b'\n', b':', 0xff] {
            let mut damaged = good.clone();
            damaged[index] = byte;
            requests.push(damaged);
        }
    }
    for request in requests {
        let mut client = server.connect().await;
        client.send(&request).await;
        client.finish_sending().await;
        if let Some(answer) = client.response().await {
            assert!(answer.status < 500, "{} to {}", answer.status, String::from_utf8_lossy(&request));
        }
    }
    assert_eq!(server.call("Echo_1.Do", "{}").await.status, 200);
    server.stop().await;
}
