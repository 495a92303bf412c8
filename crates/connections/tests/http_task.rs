//! An HTTP task with a connection that was made over the API.

use std::sync::Arc;

use serde_json::json;
use stepwell_asl::payload::Payload;
use stepwell_asl::program::{IntegrationPattern, Resource, ResourceKind};
use stepwell_aws::{Account, Call, Service};
use stepwell_connections::EventConnections;
use stepwell_integrations::{Host, Integrations, Progress, TaskOutcome, TaskRequest, TaskRunner};
use stepwell_store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn task(parameters: &str) -> TaskRequest {
    let kind = ResourceKind::Service {
        resource_type: "http".into(),
        resource: "invoke".into(),
        api: "invoke".into(),
        pattern: IntegrationPattern::RequestResponse,
    };
    TaskRequest {
        attempt_id: "a".into(),
        resource: Resource { arn: "arn:aws:states:::http:invoke".into(), kind },
        parameters: Payload::parse(parameters).expect("JSON"),
        execution_arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".into(),
        state_machine_arn: "arn:aws:states:us-east-1:000000000000:stateMachine:m".into(),
        role_arn: "arn:aws:iam::000000000000:role/r".into(),
        progress: Progress::New,
        host: Host::default(),
    }
}

/// Answers one request, and gives its text.
async fn serve_once(listener: TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.expect("a client");
    let mut text = String::new();
    while !text.contains("\r\n\r\n") {
        let mut part = [0; 4096];
        let read = stream.read(&mut part).await.expect("a request");
        text.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.expect("is heard");
    text.to_ascii_lowercase()
}

#[tokio::test]
async fn a_connection_lets_a_request_in_until_it_is_deleted() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("the store opens");
    let events = EventConnections::open(&store, Account::default(), Arc::new(|| 1_700_000_000_000), None)
        .expect("the connections open");
    let connection = json!({
        "Name": "c",
        "AuthorizationType": "API_KEY",
        "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "the-key"}},
    });
    let created = events.call(Call::new("CreateConnection", connection)).await.expect("is created").output;
    let integrations = Integrations::new();
    integrations.connect(events.clone());

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let parameters = json!({
        "ApiEndpoint": format!("http://{address}/pets"),
        "Method": "GET",
        "Authentication": {"ConnectionArn": created["ConnectionArn"]},
    })
    .to_string();
    let (request, outcome) = tokio::join!(serve_once(listener), integrations.run(task(&parameters)));
    assert!(
        request.starts_with("get /pets http/1.1\r\n") && request.contains("\r\nx-key: the-key\r\n"),
        "{request}"
    );
    let TaskOutcome::Succeeded(result) = outcome else { panic!("{outcome:?}") };
    assert!(result.text().contains(r#""ResponseBody":"ok""#), "{result:?}");

    events.call(Call::new("DeleteConnection", json!({"Name": "c"}))).await.expect("is there");
    let TaskOutcome::Failed { error, .. } = integrations.run(task(&parameters)).await else {
        panic!("is gone")
    };
    assert_eq!(error.as_deref(), Some("Events.ConnectionResource.ResourceNotFound"));
}
