//! How a connection lets a request in: the headers that it takes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use stepwell_asl::payload::Payload;
use stepwell_asl::value::Value;

use super::{ANSWER_TIMEOUT, form};
use crate::connections::{Authorization, Connection, HttpParameters};
use crate::endpoint::http_client::HttpClient;
use crate::failure::Failure;

/// The headers that let a request in. A token is got for each attempt: none is kept, so none is ever out of date.
pub(super) async fn headers(
    client: &HttpClient,
    arn: &str,
    connection: &Connection,
) -> Result<Vec<(String, String)>, Failure> {
    Ok(match &connection.authorization {
        Authorization::Basic { username, password } => {
            let both = STANDARD.encode(format!("{username}:{password}"));
            vec![("Authorization".to_owned(), format!("Basic {both}"))]
        }
        Authorization::ApiKey { name, value } => vec![(name.clone(), value.clone())],
        Authorization::OAuth { endpoint, method, client_id, client_secret, parameters } => {
            let request = token_request(endpoint, method, (client_id, client_secret), parameters)
                .ok_or_else(|| no_token(arn, "its request for a token is malformed"))?;
            let answer = client.send(request, ANSWER_TIMEOUT).await;
            let answer = answer.map_err(|fault| no_token(arn, &fault.message))?;
            if !answer.status.is_success() {
                let reason = format!("the authorization server answered {}", answer.status.as_u16());
                return Err(no_token(arn, &reason));
            }
            let token = token(&answer.body)
                .ok_or_else(|| no_token(arn, "the authorization server's answer holds no access_token"))?;
            vec![("Authorization".to_owned(), token)]
        }
    })
}

fn no_token(arn: &str, reason: &str) -> Failure {
    Failure::new(
        "Events.ConnectionResource.InvalidConnectionState",
        format!("Connection '{arn}' is not authorized: {reason}"),
    )
}

/// A form in the body; with `GET` in the query.
fn token_request(
    endpoint: &str,
    method: &str,
    (client_id, client_secret): (&str, &str),
    parameters: &HttpParameters,
) -> Option<Request<Full<Bytes>>> {
    let mut members = vec![
        ("grant_type".to_owned(), "client_credentials".to_owned()),
        ("client_id".to_owned(), client_id.to_owned()),
        ("client_secret".to_owned(), client_secret.to_owned()),
    ];
    members.retain(|(name, _)| !parameters.body.iter().any(|(given, _)| given == name));
    members.extend(parameters.body.iter().cloned());
    let mut query = parameters.query.clone();
    let body = if method == "GET" {
        query.append(&mut members);
        String::new()
    } else {
        form::encoded(&members)
    };
    let mut uri = endpoint.to_owned();
    if !query.is_empty() {
        uri.push(if uri.contains('?') { '&' } else { '?' });
        uri.push_str(&form::encoded(&query));
    }
    let mut request = Request::builder().method(method).uri(uri);
    let mut given = parameters.headers.iter();
    if !given.any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    for (name, value) in &parameters.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from(body))).ok()
}

/// The value of the header: `Bearer …`.
fn token(body: &[u8]) -> Option<String> {
    let document = Payload::parse(String::from_utf8_lossy(body).into_owned()).ok()?;
    let token = document.value().get("access_token").and_then(Value::as_str)?;
    let is_header = !token.is_empty() && token.bytes().all(|b| (0x21..0x7f).contains(&b));
    is_header.then(|| format!("Bearer {token}"))
}
