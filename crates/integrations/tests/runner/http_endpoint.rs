//! Services behind HTTP, against a server on the loopback that answers what the test says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::support::server::{Behaviour, serve};
use crate::support::{request, resource};
use stepwell_aws::{Account, Call, Service};
use stepwell_integrations::{
    Credentials, Endpoint, EndpointError, Endpoints, HttpService, Integrations, TaskOutcome, TaskRunner,
};
use tokio::net::TcpListener;

/// Longer than anything here takes; a test that reaches it hangs.
const DEADLINE: Duration = Duration::from_secs(20);

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::Url(format!("http://{address}").parse().expect("a URL"))
}

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "very secret".into(),
        session_token: Some("a-token".into()),
    }
}

fn client(service: &str, address: SocketAddr) -> Arc<HttpService> {
    let service = HttpService::new(service, &endpoint(address), &Account::default(), Some(credentials()));
    Arc::new(service.expect("a client"))
}

/// Runs a task whose service is at `address`.
async fn run(service: &str, address: SocketAddr, arn: &str, parameters: &str) -> TaskOutcome {
    let integrations = Integrations::new();
    integrations.register(client(service, address));
    let run = integrations.run(request(resource(arn), parameters));
    tokio::time::timeout(DEADLINE, run).await.expect("an outcome in time")
}

fn failed(outcome: TaskOutcome) -> (String, String) {
    match outcome {
        TaskOutcome::Failed { error: Some(error), cause: Some(cause) } => (error, cause),
        other => panic!("{other:?}"),
    }
}

const GET_ITEM: &str = "arn:aws:states:::dynamodb:getItem";
const KEY: &str = r#"{"TableName":"t","Key":{"id":{"S":"1"}}}"#;

#[tokio::test]
async fn a_json_call_is_signed_and_its_answer_is_the_result() {
    let answer = Behaviour::Answer(
        "200 OK\r\nx-amzn-RequestId: r-1\r\nServer: Jetty\r\nx-amz-crc32: 7",
        r#"{"Item":{"id":{"S":"1"}}}"#,
    );
    let mut server = serve(answer).await;
    let outcome = run("dynamodb", server.address, GET_ITEM, KEY).await;
    let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    let text = result.text();
    assert!(text.starts_with(r#"{"Item":{"id":{"S":"1"}},"SdkHttpMetadata":{"AllHttpHeaders":"#), "{text}");
    assert!(text.contains(r#","x-amzn-RequestId":"r-1"},"HttpStatusCode":200}"#), "{text}");
    // What described the transfer is not the answer's.
    assert!(!text.contains("Jetty") && !text.contains(r#""x-amz-crc32":"7""#), "{text}");
    assert!(text.ends_with(r#""SdkResponseMetadata":{"RequestId":"r-1"}}"#), "{text}");

    let sent = server.requests.recv().await.expect("a request");
    let (head, body) = sent.split_once("\r\n\r\n").expect("a head");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post / http/1.1\r\n"), "{head}");
    for line in [
        "content-type: application/x-amz-json-1.0",
        "x-amz-target: dynamodb_20120810.getitem",
        &format!("host: {}", server.address),
        "x-amz-security-token: a-token",
        "authorization: aws4-hmac-sha256 credential=akidexample/",
        "/us-east-1/dynamodb/aws4_request, signedheaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
    ] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    assert!(!head.contains("very secret"), "{head}");
    assert_eq!(body, r#"{"TableName":"t","Key":{"id":{"S":"1"}}}"#);
}

#[tokio::test]
async fn a_function_gets_and_gives_its_own_text() {
    let mut server = serve(Behaviour::Answer("200 OK\r\nX-Amz-Executed-Version: 3", r#"{"n": 1.10}"#)).await;
    let arn = "arn:aws:lambda:us-east-1:111111111111:function:f";
    let outcome = run("lambda", server.address, arn, r#"{"big": 12345678901234567890123, "x":1.50}"#).await;
    let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    assert_eq!(&**result.text(), r#"{"n": 1.10}"#);
    let sent = server.requests.recv().await.expect("a request");
    assert!(
        sent.starts_with("POST /2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A111111111111%3A"),
        "{sent}"
    );
    assert!(sent.ends_with(r#"{"big": 12345678901234567890123, "x":1.50}"#), "{sent}");

    let outcome = run(
        "lambda",
        server.address,
        "arn:aws:states:::lambda:invoke",
        r#"{"FunctionName":"f","Payload":{"x":1.50},"InvocationType":"RequestResponse"}"#,
    )
    .await;
    let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    assert!(result.text().starts_with(r#"{"ExecutedVersion":"3","Payload":{"n":1.10},"#), "{result:?}");
    assert!(server.requests.recv().await.expect("a request").ends_with(r#"{"x":1.50}"#));
}

#[tokio::test]
async fn a_functions_exception_is_the_error() {
    let report = r#"{"errorMessage":"'id'","errorType":"KeyError","requestId":"r","stackTrace":[]}"#;
    let server = serve(Behaviour::Answer("200 OK\r\nX-Amz-Function-Error: Unhandled", report)).await;
    let parameters = r#"{"FunctionName":"f"}"#;
    let outcome = run("lambda", server.address, "arn:aws:states:::lambda:invoke", parameters).await;
    assert_eq!(failed(outcome), ("KeyError".to_owned(), report.to_owned()));
}

#[tokio::test]
async fn refusals_and_bad_answers_are_named() {
    let cases = [
        (
            Behaviour::Answer(
                "400 Bad Request\r\nx-amzn-requestid: r-1",
                r#"{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"no"}"#,
            ),
            "DynamoDB.ConditionalCheckFailedException",
            "no (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ConditionalCheckFailedException; \
             Request ID: r-1; Proxy: null)",
        ),
        (
            Behaviour::Answer("502 Bad Gateway", "<html>proxy</html>"),
            "DynamoDB.AmazonDynamoDBException",
            "502 Bad Gateway: <html>proxy</html> (Service: AmazonDynamoDBv2; Status Code: 502;",
        ),
        (
            Behaviour::Answer("200 OK", "<html>not a table</html>"),
            "DynamoDB.SdkClientException",
            "Unable to read the HTTP response to GetItem: <html>not a table</html>",
        ),
        (
            Behaviour::Raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"),
            "DynamoDB.SdkClientException",
            "Unable to read",
        ),
        (
            Behaviour::Raw("SSH-2.0-OpenSSH\r\n"),
            "DynamoDB.SdkClientException",
            "Unable to execute HTTP request:",
        ),
        (Behaviour::Raw(""), "DynamoDB.SdkClientException", "Unable to execute HTTP request:"),
        (Behaviour::Endless, "DynamoDB.SdkClientException", "it is larger than"),
    ];
    for (behaviour, error, cause_part) in cases {
        let server = serve(behaviour).await;
        let (actual, cause) = failed(run("dynamodb", server.address, GET_ITEM, KEY).await);
        assert_eq!(actual, error, "{cause}");
        assert!(cause.contains(cause_part), "{cause}");
    }
}

#[tokio::test]
async fn an_unreachable_endpoint_is_a_client_exception() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let (error, cause) = failed(run("dynamodb", address, GET_ITEM, KEY).await);
    assert_eq!(error, "DynamoDB.SdkClientException");
    assert_eq!(
        cause,
        format!("Unable to execute HTTP request: Connect to {address} failed: Connection refused")
    );
    let sdk =
        run("dynamodb", address, "arn:aws:states:::aws-sdk:dynamodb:query", r#"{"TableName":"t"}"#).await;
    assert_eq!(failed(sdk).0, "DynamoDb.SdkClientException");
}

#[tokio::test]
async fn giving_up_a_hung_call_closes_it() {
    let mut server = serve(Behaviour::Hang).await;
    let integrations = Integrations::new();
    integrations.register(client("dynamodb", server.address));
    let run = integrations.run(request(resource(GET_ITEM), KEY));
    tokio::select! {
        outcome = run => panic!("{outcome:?}"),
        sent = server.requests.recv() => assert!(sent.is_some()),
    }
    // The future is dropped here; the server sees the end of its connection.
    tokio::time::timeout(DEADLINE, server.closed.recv()).await.expect("closed in time").expect("closed");
}

#[tokio::test]
async fn a_hung_endpoint_times_out_by_itself() {
    let server = serve(Behaviour::Hang).await;
    let client =
        HttpService::new("sqs", &endpoint(server.address), &Account::default(), None).expect("a client");
    let client = client.with_answer_timeout(Duration::from_millis(50));
    let fault =
        client.call(Call::new("SendMessage", serde_json::json!({}))).await.expect_err("no answer ever");
    assert_eq!(
        (fault.code.as_str(), fault.message.as_str()),
        ("SdkClientException", "Unable to execute HTTP request: Read timed out")
    );
}

#[tokio::test]
async fn credentials_are_needed_by_aws_only() {
    let account = Account::default();
    let aws = HttpService::new("sqs", &Endpoint::Aws, &account, None).expect("a client");
    let fault = aws.call(Call::new("ListQueues", serde_json::json!({}))).await.expect_err("no credentials");
    assert!(fault.message.contains("Unable to load AWS credentials"), "{}", fault.message);

    let mut server = serve(Behaviour::Answer("200 OK", "{}")).await;
    let custom = HttpService::new("sqs", &endpoint(server.address), &account, None).expect("a client");
    custom.call(Call::new("ListQueues", serde_json::json!({}))).await.expect("an answer");
    let sent = server.requests.recv().await.expect("a request").to_ascii_lowercase();
    assert!(sent.contains("authorization: aws4-hmac-sha256 credential=stepwell/"), "{sent}");

    let unknown = HttpService::new("s4", &Endpoint::Aws, &account, None).err();
    assert!(matches!(unknown, Some(EndpointError::UnknownService { .. })), "{unknown:?}");
}

#[tokio::test]
async fn settings_become_clients() {
    let mut server = serve(Behaviour::Answer("200 OK", r#"{"MessageId":"m","MD5OfMessageBody":"x"}"#)).await;
    let settings = [format!("sqs=http://{}/base/", server.address), "lambda=embedded".to_owned()];
    let endpoints = Endpoints::from_env(&settings, None, |_| None).expect("endpoints");
    let integrations = Integrations::new();
    for client in endpoints.clients(&Account::default(), |_| None).expect("clients") {
        integrations.register(client);
    }
    assert!(integrations.service("lambda").is_none() && integrations.service("sqs").is_some());
    let parameters = r#"{"QueueUrl":"http://q","MessageBody":{"a":[1.0]}}"#;
    let outcome = integrations.run(request(resource("arn:aws:states:::sqs:sendMessage"), parameters)).await;
    assert!(matches!(outcome, TaskOutcome::Succeeded(_)), "{outcome:?}");
    let sent = server.requests.recv().await.expect("a request");
    assert!(sent.starts_with("POST /base/ HTTP/1.1"), "{sent}");
    assert!(sent.ends_with(r#"{"QueueUrl":"http://q","MessageBody":"{\"a\":[1.0]}"}"#), "{sent}");
}
