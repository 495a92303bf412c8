//! HTTP tasks: what reaches the server, how connections let requests in, and what comes of the answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::server::{Behaviour, Server, serve};
use crate::support::{request, resource};
use serde_json::{Value as Json, json};
use stepwell_aws::BoxFuture;
use stepwell_integrations::connections::{
    Authorization, Connection, ConnectionError, Connections, HttpParameters,
};
use stepwell_integrations::{Host, HttpTrace, Integrations, TaskOutcome, TaskRequest, TaskRunner};

const HTTP: &str = "arn:aws:states:::http:invoke";

struct Kept(BTreeMap<String, Connection>);

impl Connections for Kept {
    fn connection(&self, arn: &str) -> BoxFuture<'_, Result<Connection, ConnectionError>> {
        let found = match arn {
            "revoked" => {
                Err(ConnectionError::InvalidState { arn: arn.to_owned(), state: "DEAUTHORIZED".to_owned() })
            }
            _ => {
                let found = self.0.get(arn).cloned();
                found.ok_or_else(|| ConnectionError::NotFound { arn: arn.to_owned() })
            }
        };
        Box::pin(async { found })
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn integrations(authorization_server: &str) -> Integrations {
    let basic = Authorization::Basic { username: "user".into(), password: "pass:word".into() };
    let key = Authorization::ApiKey { name: "X-Key".into(), value: "k".into() };
    let oauth = |method: &str| Authorization::OAuth {
        endpoint: format!("{authorization_server}/token"),
        method: method.to_owned(),
        client_id: "id".into(),
        client_secret: "s&cret".into(),
        parameters: HttpParameters {
            headers: pairs(&[("X-Tenant", "t")]),
            query: pairs(&[("v", "2")]),
            body: pairs(&[("scope", "all")]),
        },
    };
    let added = HttpParameters {
        headers: pairs(&[("X-One", "connection")]),
        query: pairs(&[("q", "connection")]),
        body: pairs(&[("b", "connection")]),
    };
    let plain = HttpParameters::default();
    let kept = [
        ("basic", basic, plain.clone()),
        ("key", key, added),
        ("oauth", oauth("POST"), plain.clone()),
        ("oauth-get", oauth("GET"), plain),
    ];
    let kept = kept
        .into_iter()
        .map(|(arn, authorization, parameters)| (arn.to_owned(), Connection { authorization, parameters }));
    let integrations = Integrations::new();
    integrations.connect(Arc::new(Kept(kept.collect())));
    integrations
}

async fn run(integrations: &Integrations, parameters: &Json) -> TaskOutcome {
    integrations.run(request(resource(HTTP), &parameters.to_string())).await
}

/// The parameters with those that every task needs.
fn to(server: &Server, path: &str, connection: &str, more: Json) -> Json {
    let mut parameters = json!({
        "ApiEndpoint": format!("http://{}{path}", server.address),
        "Method": "POST",
        "Authentication": {"ConnectionArn": connection},
    });
    for (name, value) in more.as_object().expect("members") {
        parameters[name] = value.clone();
    }
    parameters
}

fn error(outcome: &TaskOutcome) -> (&str, &str) {
    match outcome {
        TaskOutcome::Failed { error: Some(error), cause: Some(cause) } => (error, cause),
        other => panic!("{other:?}"),
    }
}

/// Start line, headers by lower-case name, body.
fn taken_apart(request: &str) -> (String, BTreeMap<String, String>, String) {
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    let (line, headers) = head.split_once("\r\n").expect("headers");
    let headers = headers.lines().filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    (line.to_owned(), headers, body.to_owned())
}

#[tokio::test]
async fn a_request_is_the_tasks_with_the_connections_parameters() {
    let mut server = serve(Behaviour::Answer("200 OK", "{}")).await;
    let integrations = integrations("http://127.0.0.1:1");
    let form = |format: &str| json!({"RequestBodyEncoding": "URL_ENCODED", "RequestEncodingOptions": {"ArrayFormat": format}});
    let cases = [
        (
            to(
                &server,
                "/a?x=1",
                "key",
                json!({
                    "Method": "PUT",
                    "QueryParameters": {"q": "task", "r": [1, "ü"]},
                    "Headers": {"x-one": "task", "X-Two": 2},
                    "RequestBody": {"a": 1, "b": "task"},
                }),
            ),
            "PUT /a?x=1&r=1&r=%C3%BC&q=connection HTTP/1.1",
            vec![
                ("x-one", "connection"),
                ("x-two", "2"),
                ("x-key", "k"),
                ("content-type", "application/json"),
                ("user-agent", "Amazon|StepFunctions|HttpInvoke|us-east-1"),
                ("range", "bytes=0-262144"),
            ],
            r#"{"a":1,"b":"connection"}"#,
        ),
        (
            to(&server, "", "basic", json!({"Method": "GET"})),
            "GET / HTTP/1.1",
            vec![("authorization", "Basic dXNlcjpwYXNzOndvcmQ=")],
            "",
        ),
        (
            to(
                &server,
                "/",
                "basic",
                json!({"RequestBody": "as it is", "Headers": {"Content-Type": "text/plain"}}),
            ),
            "POST / HTTP/1.1",
            vec![("content-type", "text/plain")],
            "as it is",
        ),
        (
            to(&server, "/", "basic", json!({"RequestBody": {"a": [1, 2]}, "Transform": form("BRACKETS")})),
            "POST / HTTP/1.1",
            vec![("content-type", "application/x-www-form-urlencoded")],
            "a%5B%5D=1&a%5B%5D=2",
        ),
    ];
    for (parameters, line, headers, body) in cases {
        let outcome = run(&integrations, &parameters).await;
        assert!(matches!(outcome, TaskOutcome::Succeeded(_)), "{outcome:?}");
        let (found_line, found_headers, found_body) =
            taken_apart(&server.requests.recv().await.expect("a request"));
        assert_eq!((&*found_line, &*found_body), (line, body));
        for (name, value) in headers {
            assert_eq!(found_headers.get(name).map(String::as_str), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn a_token_is_got_before_the_request() {
    let answer = r#"{"access_token":"t-1","token_type":"bearer"}"#;
    let mut authorization_server = serve(Behaviour::Answer("200 OK", answer)).await;
    let mut server = serve(Behaviour::Answer("204 No Content", "")).await;
    let integrations = integrations(&format!("http://{}", authorization_server.address));
    let credentials = "grant_type=client_credentials&client_id=id&client_secret=s%26cret&scope=all";
    for (connection, line, body) in [
        ("oauth", "POST /token?v=2 HTTP/1.1".to_owned(), credentials),
        ("oauth-get", format!("GET /token?v=2&{credentials} HTTP/1.1"), ""),
    ] {
        let outcome = run(&integrations, &to(&server, "/", connection, json!({}))).await;
        let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
        assert!(
            result.text().ends_with(r#""ResponseBody":"","StatusCode":204,"StatusText":"No Content"}"#),
            "{result:?}"
        );
        let asked = taken_apart(&authorization_server.requests.recv().await.expect("a request"));
        assert_eq!((&asked.0, &*asked.2), (&line, body));
        assert_eq!(asked.1["x-tenant"], "t");
        let (_, headers, _) = taken_apart(&server.requests.recv().await.expect("a request"));
        assert_eq!(headers["authorization"], "Bearer t-1");
    }
    for (head, body) in
        [("401 Unauthorized", "s&cret"), ("200 OK", "{}"), ("200 OK", r#"{"access_token":"a\nb"}"#)]
    {
        let refusing = serve(Behaviour::Answer(head, body)).await;
        let integrations = self::integrations(&format!("http://{}", refusing.address));
        let outcome = run(&integrations, &to(&server, "/", "oauth", json!({}))).await;
        let (name, cause) = error(&outcome);
        assert_eq!(name, "Events.ConnectionResource.InvalidConnectionState");
        assert!(!cause.contains("cret"), "{cause}");
    }
}

/// Connection, the task's own parameters, and the headers, query and body of the trace with and without secrets.
#[tokio::test]
async fn a_trace_has_the_connections_secrets_only_where_it_reveals_them() {
    let answer = r#"{"access_token":"t-1"}"#;
    let authorization_server = serve(Behaviour::Answer("200 OK", answer)).await;
    let mut server = serve(Behaviour::Answer("500 Internal Server Error", "")).await;
    let integrations = integrations(&format!("http://{}", authorization_server.address));
    let form = json!({"RequestBodyEncoding": "URL_ENCODED"});
    let cases = [
        ("basic", json!({}), ("Authorization: Basic dXNlcjpwYXNzOndvcmQ=", "", None), ("", "", None)),
        ("oauth", json!({}), ("Authorization: Bearer t-1", "", None), ("", "", None)),
        (
            "key",
            json!({"RequestBody": {"b": 1, "c": 2}, "Transform": form}),
            ("X-Key: k\nX-One: connection", "?q=connection", Some("c=2&b=connection")),
            ("", "", Some("c=2")),
        ),
        (
            "key",
            json!({"Headers": {"X-KEY": "task", "X-Two": "task", "Range": "none"}}),
            (
                "X-Two: task\nRange: none\nX-Key: k\nX-One: connection",
                "?q=connection",
                Some(r#"{"b":"connection"}"#),
            ),
            ("X-Two: task\nRange: none", "", None),
        ),
    ];
    for (connection, more, revealed, hidden) in cases {
        for (reveals, (headers, query, body)) in [(true, revealed), (false, hidden)] {
            let trace = Arc::new(HttpTrace::new(reveals));
            let parameters = to(&server, "/", connection, more.clone()).to_string();
            let traced = TaskRequest {
                host: Host::traced(Arc::clone(&trace)),
                ..request(resource(HTTP), &parameters)
            };
            let outcome = integrations.run(traced).await;
            assert_eq!(error(&outcome).0, "States.Http.StatusCode.500");
            let exchange = trace.exchange();
            let seen = exchange.request.expect("was sent");
            let lines: Vec<_> = seen.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let general = ["User-Agent: Amazon|StepFunctions|HttpInvoke|us-east-1", "Range: bytes=0-262144"];
            let lines: Vec<_> =
                lines.iter().map(String::as_str).filter(|line| !general.contains(line)).collect();
            assert_eq!(lines.join("\n"), headers, "{connection} {more} {reveals}");
            assert_eq!(
                seen.url,
                format!("http://{}/{query}", server.address),
                "{connection} {more} {reveals}"
            );
            assert_eq!(seen.body.as_deref(), body, "{connection} {more} {reveals}");
            let response = exchange.response.expect("was answered");
            assert_eq!((response.status_code, response.status_message), (500, "Internal Server Error"));
            assert!(!format!("{trace:?}").contains(&seen.url), "{trace:?}");
            // What is shown does not change what is sent.
            let (_, sent, _) = taken_apart(&server.requests.recv().await.expect("a request"));
            assert!(sent.contains_key("authorization") || sent["x-key"] == "k", "{sent:?}");
        }
    }
}

#[tokio::test]
async fn answers_become_results_or_errors() {
    let cases = [
        (
            "200 OK\r\nContent-Type: application/json\r\nX-A: 1\r\nX-A: 2",
            r#"{"n": 1.10}"#,
            Ok(
                r#"{"Headers":{"content-type":["application/json"],"x-a":["1","2"],"content-length":["11"]},"ResponseBody":{"n":1.10},"StatusCode":200,"StatusText":"OK"}"#,
            ),
        ),
        (
            "200 OK\r\nContent-Type: text/plain",
            "1",
            Ok(
                r#"{"Headers":{"content-type":["text/plain"],"content-length":["1"]},"ResponseBody":"1","StatusCode":200,"StatusText":"OK"}"#,
            ),
        ),
        (
            "200 OK\r\nContent-Type: application/problem+json",
            "{",
            Ok(
                r#"{"Headers":{"content-type":["application/problem+json"],"content-length":["1"]},"ResponseBody":"{","StatusCode":200,"StatusText":"OK"}"#,
            ),
        ),
        ("200 OK\r\nContent-Type: image/png", "x", Err(("States.Runtime", "The content type"))),
        ("404 Not Found", "no such pet", Err(("States.Http.StatusCode.404", "no such pet"))),
        ("503 Service Unavailable", "", Err(("States.Http.StatusCode.503", "Service Unavailable"))),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", "", Err(("States.Http.StatusCode.302", "Found"))),
    ];
    let integrations = integrations("http://127.0.0.1:1");
    for (head, body, expected) in cases {
        let server = serve(Behaviour::Answer(head, body)).await;
        let outcome = run(&integrations, &to(&server, "/", "basic", json!({}))).await;
        match (&outcome, expected) {
            (TaskOutcome::Succeeded(result), Ok(expected)) => {
                assert_eq!(&**result.text(), expected, "{head}")
            }
            (TaskOutcome::Failed { .. }, Err((name, cause))) => {
                assert_eq!(error(&outcome).0, name, "{head}");
                assert!(error(&outcome).1.starts_with(cause), "{outcome:?}");
            }
            _ => panic!("{head}: {outcome:?}"),
        }
    }
    let gone = serve(Behaviour::Raw("")).await;
    let outcome = run(&integrations, &to(&gone, "/", "basic", json!({}))).await;
    assert_eq!(error(&outcome).0, "States.Http.Socket");
}

#[tokio::test]
async fn what_makes_no_request_says_why() {
    let mut server = serve(Behaviour::Answer("200 OK", "{}")).await;
    let integrations = integrations("http://127.0.0.1:1");
    let runtime = "States.Runtime";
    let cases = [
        (json!({"Method": "TRACE"}), runtime, "The value of the field 'Method' has an invalid format"),
        (json!({"ApiEndpoint": "ftp://h/"}), runtime, "field 'ApiEndpoint' has an invalid format"),
        (json!({"ApiEndpoint": "/path"}), runtime, "field 'ApiEndpoint' has an invalid format"),
        (json!({"Authentication": {}}), runtime, "field 'Authentication' has an invalid format"),
        (json!({"Headers": {"Authorization": "x"}}), runtime, "The header 'authorization' is not supported"),
        (json!({"Headers": {"X-Amz-Date": "x"}}), runtime, "The header 'x-amz-date' is not supported"),
        (json!({"Headers": {"a b": "x"}}), runtime, "field 'Headers' has an invalid format"),
        (json!({"Headers": {"a": "x\r\ny: z"}}), runtime, "field 'Headers' has an invalid format"),
        (json!({"QueryParameters": "?a=b"}), runtime, "field 'QueryParameters' has an invalid format"),
        (
            json!({"Transform": {"RequestBodyEncoding": "X"}}),
            runtime,
            "field 'Transform' has an invalid format",
        ),
        (
            json!({"Authentication": {"ConnectionArn": "key"}, "RequestBody": "text"}),
            runtime,
            "field 'RequestBody' has an invalid format",
        ),
        (
            json!({"Authentication": {"ConnectionArn": "none"}}),
            "Events.ConnectionResource.ResourceNotFound",
            "Connection 'none' does not exist.",
        ),
        (
            json!({"Authentication": {"ConnectionArn": "revoked"}}),
            "Events.ConnectionResource.InvalidConnectionState",
            "DEAUTHORIZED",
        ),
    ];
    for (more, name, part) in cases {
        let outcome = run(&integrations, &to(&server, "/", "basic", more.clone())).await;
        assert_eq!(error(&outcome).0, name, "{more}");
        assert!(error(&outcome).1.contains(part), "{more}: {outcome:?}");
    }
    let outcome = run(&integrations, &json!({})).await;
    for field in ["ApiEndpoint", "Method", "Authentication"] {
        let problem = format!("The field '{field}' is required but was missing");
        assert!(error(&outcome).1.contains(&problem), "{outcome:?}");
    }
    let outcome = run(&Integrations::new(), &to(&server, "/", "basic", json!({}))).await;
    assert_eq!(error(&outcome).0, runtime);
    assert!(server.requests.try_recv().is_err(), "nothing was sent");
}

#[tokio::test]
async fn an_api_of_api_gateway_is_called_and_answers() {
    let mut server =
        serve(Behaviour::Answer("200 OK\r\nContent-Type: application/json", r#"{"hello":"world"}"#)).await;
    let endpoint = format!("http://{}", server.address);
    let cases = [
        (
            json!({"Method": "POST", "Stage": "dev", "Path": "/pets/1", "RequestBody": {"a": null, "b": [{"c": null}]},
                   "Headers": {"X-A": ["1", "2"]}, "QueryParameters": {"p": ["x y"]}}),
            "POST /dev/pets/1?p=x%20y HTTP/1.1",
            r#"{"b":[{}]}"#,
        ),
        (
            json!({"Method": "POST", "AllowNullValues": true, "AuthType": "NO_AUTH", "RequestBody": {"a": null}}),
            "POST / HTTP/1.1",
            r#"{"a":null}"#,
        ),
        (json!({"Method": "PUT", "RequestBody": "text"}), "PUT / HTTP/1.1", r#""text""#),
        (json!({"Method": "GET", "RequestBody": null}), "GET / HTTP/1.1", ""),
    ];
    let call = |more: &Json| {
        let mut parameters = json!({ "ApiEndpoint": endpoint });
        for (name, value) in more.as_object().expect("members") {
            parameters[name] = value.clone();
        }
        request(resource("arn:aws:states:::apigateway:invoke"), &parameters.to_string())
    };
    for (more, line, body) in cases {
        let TaskOutcome::Succeeded(result) = Integrations::new().run(call(&more)).await else {
            panic!("{more}")
        };
        let expected = r#"{"Headers":{"Content-Type":["application/json"],"Content-Length":["17"]},"ResponseBody":{"hello":"world"},"StatusCode":200,"StatusText":"OK"}"#;
        assert_eq!(&**result.text(), expected);
        let (found, _, found_body) = taken_apart(&server.requests.recv().await.expect("a request"));
        assert_eq!((&*found, &*found_body), (line, body));
    }
    let refusals = [
        (json!({"Method": "POST", "Headers": {"a": "b"}}), "field 'Headers' has an invalid format"),
        (json!({"Method": "POST", "Headers": {"Host": ["b"]}}), "field 'Headers' has an invalid format"),
        (json!({"Method": "P T"}), "field 'Method' has an invalid format"),
        (json!({"Method": "GET", "ApiEndpoint": ""}), "field 'ApiEndpoint' has an invalid format"),
        (json!({"Method": "GET", "AuthType": "IAM_ROLE"}), "AuthType 'IAM_ROLE' is not supported"),
    ];
    for (more, part) in refusals {
        let outcome = Integrations::new().run(call(&more)).await;
        assert_eq!(error(&outcome).0, "States.Runtime");
        assert!(error(&outcome).1.contains(part), "{outcome:?}");
    }
    let refusing =
        serve(Behaviour::Answer("403 Forbidden", r#"{"message":"Missing Authentication Token"}"#)).await;
    let more = json!({"Method": "GET", "ApiEndpoint": format!("http://{}", refusing.address)});
    let outcome = Integrations::new().run(call(&more)).await;
    assert_eq!(error(&outcome), ("ApiGateway.403", r#"{"message":"Missing Authentication Token"}"#));
}
