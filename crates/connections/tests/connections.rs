//! Connections over a real store.

#![allow(clippy::result_large_err, reason = "the shared contract's Fault is large")]

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_connections::EventConnections;
use stepwell_integrations::connections::{Authorization, ConnectionError, Connections};
use stepwell_store::Store;

fn open(dir: &Path, elsewhere: Option<Arc<dyn Service>>) -> Arc<EventConnections> {
    let store = Store::open(dir).expect("the store opens");
    let now = Arc::new(|| 1_700_000_000_500);
    EventConnections::open(&store, Account::default(), now, elsewhere).expect("the connections open")
}

async fn call(events: &EventConnections, operation: &str, input: Json) -> Result<Json, Fault> {
    events.call(Call::new(operation, input)).await.map(|reply| reply.output)
}

fn basic(name: &str) -> Json {
    json!({
        "Name": name,
        "AuthorizationType": "BASIC",
        "AuthParameters": {
            "BasicAuthParameters": {"Username": "user", "Password": "secret-1"},
            "InvocationHttpParameters": {
                "HeaderParameters": [
                    {"Key": "X-A", "Value": "shown", "IsValueSecret": false},
                    {"Key": "X-B", "Value": "secret-2", "IsValueSecret": true},
                ],
            },
        },
    })
}

#[tokio::test]
async fn a_connection_lives_across_a_restart_and_shows_no_secret() {
    let dir = tempfile::tempdir().expect("a directory");
    let events = open(dir.path(), None);
    let created = call(&events, "CreateConnection", basic("c.1")).await.expect("is created");
    let arn = created["ConnectionArn"].as_str().expect("an ARN").to_owned();
    assert!(arn.starts_with("arn:aws:events:us-east-1:000000000000:connection/c.1/"), "{arn}");
    assert_eq!(
        created,
        json!({"ConnectionArn": arn, "ConnectionState": "AUTHORIZED", "CreationTime": 1_700_000_000.5,
               "LastModifiedTime": 1_700_000_000.5}),
    );
    let again = call(&events, "CreateConnection", basic("c.1")).await.expect_err("is there");
    assert_eq!(again.code, "ResourceAlreadyExistsException");
    drop(events);

    let events = open(dir.path(), None);
    let described = call(&events, "DescribeConnection", json!({"Name": "c.1"})).await.expect("is there");
    assert_eq!(
        described["AuthParameters"],
        json!({
            "BasicAuthParameters": {"Username": "user"},
            "InvocationHttpParameters": {"HeaderParameters": [
                {"Key": "X-A", "Value": "shown", "IsValueSecret": false}, {"Key": "X-B", "IsValueSecret": true},
            ]},
        }),
    );
    assert!(!described.to_string().contains("secret-"), "{described}");
    let connection = events.connection(&arn).await.expect("can be used");
    assert!(!format!("{connection:?}").contains("secret-"), "{connection:?}");
    assert_eq!(connection.parameters.headers[1], ("X-B".to_owned(), "secret-2".to_owned()));
    let Authorization::Basic { username, password } = connection.authorization else { panic!("is basic") };
    assert_eq!((&*username, &*password), ("user", "secret-1"));
    let other = events.connection(&format!("{arn}x")).await.expect_err("is another");
    assert_eq!(other.name(), "Events.ConnectionResource.ResourceNotFound");
}

#[tokio::test]
async fn changes_are_merged_and_deauthorizing_forgets() {
    let dir = tempfile::tempdir().expect("a directory");
    let events = open(dir.path(), None);
    let created = call(&events, "CreateConnection", basic("c")).await.expect("is created");
    let arn = created["ConnectionArn"].as_str().expect("an ARN").to_owned();
    let update = json!({"Name": "c", "Description": "d",
                        "AuthParameters": {"BasicAuthParameters": {"Password": "secret-3"}}});
    let updated = call(&events, "UpdateConnection", update).await.expect("is updated");
    assert_eq!(updated["ConnectionArn"], arn.as_str());
    let connection = events.connection(&arn).await.expect("can be used");
    let Authorization::Basic { username, password } = connection.authorization else { panic!("is basic") };
    assert_eq!((&*username, &*password), ("user", "secret-3"));
    assert_eq!(connection.parameters.headers.len(), 2);

    let other_type = json!({"Name": "c", "AuthorizationType": "API_KEY",
        "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "k"}}});
    call(&events, "UpdateConnection", other_type).await.expect("is updated");
    let connection = events.connection(&arn).await.expect("can be used");
    assert!(matches!(connection.authorization, Authorization::ApiKey { .. }));
    assert!(connection.parameters.headers.is_empty());

    let gone = call(&events, "DeauthorizeConnection", json!({"Name": "c"})).await.expect("is there");
    assert_eq!(gone["ConnectionState"], "DEAUTHORIZED");
    let error = events.connection(&arn).await.expect_err("cannot be used");
    assert_eq!(error, ConnectionError::InvalidState { arn: arn.clone(), state: "DEAUTHORIZED".into() });
    call(&events, "DeleteConnection", json!({"Name": "c"})).await.expect("is there");
    for operation in ["DescribeConnection", "DeleteConnection", "DeauthorizeConnection", "UpdateConnection"] {
        let missing = call(&events, operation, json!({"Name": "c"})).await.expect_err("is gone");
        assert_eq!(missing.code, "ResourceNotFoundException", "{operation}");
    }
}

#[tokio::test]
async fn lists_are_pages_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let events = open(dir.path(), None);
    for name in ["a1", "a2", "a3", "b"] {
        call(&events, "CreateConnection", basic(name)).await.expect("is created");
    }
    let (mut names, mut token) = (Vec::new(), Json::Null);
    loop {
        let page = json!({"NamePrefix": "a", "Limit": 2, "NextToken": token});
        let page = call(&events, "ListConnections", page).await.expect("a page");
        let page_names = page["Connections"].as_array().expect("a list").iter();
        names.extend(page_names.map(|c| c["Name"].as_str().expect("a name").to_owned()));
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(names, ["a1", "a2", "a3"]);
    let none = call(&events, "ListConnections", json!({"ConnectionState": "DEAUTHORIZED"})).await;
    assert_eq!(none.expect("a page"), json!({"Connections": []}));
}

#[tokio::test]
async fn what_is_malformed_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let events = open(dir.path(), None);
    let with = |change: fn(&mut Json)| {
        let mut input = basic("c");
        change(&mut input);
        input
    };
    let cases = [
        with(|i| i["Name"] = json!("a b")),
        with(|i| i["Name"] = json!("")),
        with(|i| i["Name"] = json!("x".repeat(65))),
        with(|i| i["Name"] = Json::Null),
        with(|i| i["AuthorizationType"] = json!("NONE")),
        with(|i| i["AuthorizationType"] = Json::Null),
        with(|i| i["AuthorizationType"] = json!("API_KEY")),
        with(|i| i["AuthParameters"] = Json::Null),
        with(|i| i["AuthParameters"] = json!([])),
        with(|i| i["AuthParameters"]["BasicAuthParameters"]["Password"] = Json::Null),
        with(|i| i["AuthParameters"]["BasicAuthParameters"]["Password"] = json!("x".repeat(513))),
        with(|i| i["AuthParameters"]["BasicAuthParameters"]["Username"] = json!("a\nb")),
        with(|i| {
            i["AuthParameters"]["InvocationHttpParameters"]["HeaderParameters"][0]["Key"] = json!("a b")
        }),
        with(|i| {
            i["AuthParameters"]["InvocationHttpParameters"]["HeaderParameters"][0]["Value"] = json!("a\r\nb")
        }),
        with(|i| i["InvocationConnectivityParameters"] = json!({"ResourceParameters": {}})),
        with(|i| {
            i["AuthorizationType"] = json!("OAUTH_CLIENT_CREDENTIALS");
            i["AuthParameters"] = json!({"OAuthParameters": {
                "ClientParameters": {"ClientID": "i", "ClientSecret": "s"},
                "AuthorizationEndpoint": "https://h/", "HttpMethod": "DELETE",
            }});
        }),
    ];
    for input in cases {
        let fault = call(&events, "CreateConnection", input.clone()).await.expect_err("is malformed");
        assert_eq!(fault.code, "ValidationException", "{input}: {}", fault.message);
    }
    for input in [json!(null), json!([]), json!({"Name": 7})] {
        assert!(call(&events, "DescribeConnection", input.clone()).await.is_err(), "{input}");
    }
}

struct Elsewhere;

impl Service for Elsewhere {
    fn name(&self) -> &'static str {
        "events"
    }

    fn call(&self, call: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        Box::pin(async move { Ok(Reply::ok(json!({ "asked": call.operation }))) })
    }
}

#[tokio::test]
async fn other_operations_go_elsewhere() {
    let dir = tempfile::tempdir().expect("a directory");
    let events = open(dir.path(), None);
    let fault = call(&events, "PutEvents", json!({})).await.expect_err("nobody serves it");
    assert!(fault.message.contains("--endpoint events=URL"), "{}", fault.message);
    drop(events);
    let events = open(dir.path(), Some(Arc::new(Elsewhere)));
    assert_eq!(
        call(&events, "PutEvents", json!({})).await.expect("an answer"),
        json!({"asked": "PutEvents"})
    );
}
