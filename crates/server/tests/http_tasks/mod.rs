//! TestState with `TRACE`: what an HTTP task sends and gets.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use stepwell_aws::{Account, BoxFuture};
use stepwell_integrations::Integrations;
use stepwell_integrations::connections::{
    Authorization, Connection, ConnectionError, Connections, HttpParameters,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::engine::{Home, ROLE};

/// One connection, whatever its ARN.
struct Keys;

impl Connections for Keys {
    fn connection(&self, _: &str) -> BoxFuture<'_, Result<Connection, ConnectionError>> {
        let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let connection = Connection {
            authorization: Authorization::ApiKey { name: "X-Key".into(), value: "the-key".into() },
            parameters: HttpParameters {
                headers: pair("X-More", "header"),
                query: pair("q", "secret"),
                body: pair("b", "secret"),
            },
        };
        Box::pin(async { Ok(connection) })
    }
}

/// `/missing` is not there, everything else answers `ok`.
async fn answer(mut stream: TcpStream) {
    let (mut text, mut part) = (Vec::new(), [0; 4096]);
    // All requests here have a JSON object for a body.
    while !text.ends_with(b"}") {
        let read = stream.read(&mut part).await.expect("a request");
        text.extend_from_slice(&part[..read]);
    }
    let status = if text.starts_with(b"POST /missing") { "404 Not Found" } else { "200 OK" };
    let answer = format!("HTTP/1.1 {status}\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nok");
    stream.write_all(answer.as_bytes()).await.expect("is heard");
}

async fn serve() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let running = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    (address, running)
}

fn test(url: &str, method: &str, more: Value) -> Value {
    let state = json!({
        "Type": "Task", "Resource": "arn:aws:states:::http:invoke", "End": true, "Parameters": {
            "ApiEndpoint": url, "Method": method, "Authentication": {"ConnectionArn": "c"},
            "Headers": {"X-Task": "t", "x-more": "task"}, "QueryParameters": {"p": "1", "q": "task"},
            "RequestBody": {"a": 1, "b": "task"},
        },
    });
    let mut request = json!({"definition": state.to_string(), "roleArn": ROLE});
    for (name, value) in more.as_object().expect("members") {
        request[name] = value.clone();
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_shows_what_an_http_task_sends_and_gets() {
    let integrations = Integrations::new();
    integrations.connect(Arc::new(Keys));
    let directory = tempfile::tempdir().expect("a directory");
    let home = Home::with_runner(directory, Account::default(), Arc::new(integrations));
    let (address, running) = serve().await;
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");

    let agent = "User-Agent: Amazon|StepFunctions|HttpInvoke|us-east-1, Range: bytes=0-262144";
    let request = |address: SocketAddr, path: &str, reveals: bool| {
        let (query, headers, body) = if reveals {
            ("?p=1&q=secret", "X-Task: t, X-Key: the-key, X-More: header, ", r#"{"a":1,"b":"secret"}"#)
        } else {
            ("?p=1", "X-Task: t, ", r#"{"a":1}"#)
        };
        json!({
            "protocol": "http", "method": "POST", "url": format!("http://{address}{path}{query}"),
            "headers": format!("[{headers}{agent}]"), "body": body,
        })
    };
    let response = |code: &str, message: &str| {
        json!({
            "protocol": "http", "statusCode": code, "statusMessage": message,
            "headers": "[x-a: 1, x-a: 2, content-length: 2]", "body": "ok",
        })
    };
    let (ok, missing) = (response("200", "OK"), response("404", "Not Found"));
    let nothing = Value::Null;
    let trace = json!({"inspectionLevel": "TRACE"});
    let reveal = json!({"inspectionLevel": "TRACE", "revealSecrets": true});
    let cases = [
        (address, "/a", &trace, "SUCCEEDED", request(address, "/a", false), &ok),
        (address, "/a", &reveal, "SUCCEEDED", request(address, "/a", true), &ok),
        (address, "/missing", &reveal, "FAILED", request(address, "/missing", true), &missing),
        (closed, "/a", &trace, "FAILED", request(closed, "/a", false), &nothing),
    ];
    for (address, path, more, status, request, response) in cases {
        let input = test(&format!("http://{address}{path}"), "POST", more.clone());
        let answer = home.ok("TestState", input).await;
        let seen = &answer["inspectionData"];
        assert_eq!(answer["status"], status, "{path} {more}: {answer}");
        assert_eq!((&seen["request"], &seen["response"]), (&request, response), "{path} {more}");
        assert!(seen["afterParameters"].is_string(), "{seen}");
    }

    let url = format!("http://{address}/a");
    for (method, more) in [
        ("POST", json!({"inspectionLevel": "DEBUG"})),
        ("POST", json!({"inspectionLevel": "TRACE", "mock": {"errorOutput": {"error": "E"}}})),
        ("NONE", trace.clone()),
    ] {
        let answer = home.ok("TestState", test(&url, method, more.clone())).await;
        let seen = &answer["inspectionData"];
        assert!(seen["input"].is_string(), "{method} {more}: {answer}");
        assert_eq!((&seen["request"], &seen["response"]), (&Value::Null, &Value::Null), "{method} {more}");
    }
    for more in [json!({}), json!({"inspectionLevel": "INFO"}), json!({"inspectionLevel": "DEBUG"})] {
        let mut input = test(&url, "POST", more.clone());
        input["revealSecrets"] = true.into();
        let refusal = home.call("TestState", input).await.expect_err("is refused");
        assert_eq!(
            refusal,
            "ValidationException: TestState does not support RevealSecrets when InspectionLevel is not TRACE.",
            "{more}"
        );
    }
    running.abort();
}
