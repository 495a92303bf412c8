//! Signatures: requests signed by AWS's own signer, right ones, and one with each thing that can be wrong.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use stepwell_aws::{Account, BoxFuture, Call, Fault, Reply, Service};
use stepwell_engine::Clock;
use stepwell_server::{App, Authenticator, Credential, Keyring, Limits, Tls};

use super::{Rest, Server, app, json_request};

/// 2026-11-22T12:30:00Z
const NOW_S: u64 = 1_795_350_600;
const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

struct Fixed;

impl Clock for Fixed {
    fn now_ms(&self) -> i64 {
        i64::try_from(NOW_S * 1000).expect("fits")
    }
}

fn credential(id: &str, token: Option<&str>, account: &str) -> Credential {
    Credential {
        access_key_id: id.into(),
        secret_access_key: SECRET.into(),
        session_token: token.map(str::to_owned),
        account: account.into(),
    }
}

fn authenticator() -> Arc<Authenticator> {
    let keyring = Keyring::new([
        credential(KEY, None, "000000000000"),
        credential("ASIASESSION", Some("the-token"), "000000000000"),
        credential("AKIDOTHER", None, "111111111111"),
        credential("AKIDNOWHERE", None, "222222222222"),
    ]);
    Arc::new(Authenticator::new("us-east-1", keyring.expect("fits"), Arc::new(Fixed)))
}

fn guarded() -> App {
    let other = App::builder(Account { id: "111111111111".into(), ..Account::default() });
    let other = other.target("Echo_1", Arc::new(OtherEcho)).rest(Arc::new(Rest)).build();
    app().auth(authenticator()).account("111111111111", other).build()
}

/// The service of the other account.
struct OtherEcho;

impl Service for OtherEcho {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn call(&self, _: Call) -> BoxFuture<'_, Result<Reply, Fault>> {
        Box::pin(async { Ok(Reply::ok(serde_json::json!({"account": "other"}))) })
    }
}

/// How a request is signed.
struct Signer<'a> {
    key: &'a str,
    secret: &'a str,
    token: Option<&'a str>,
    region: &'a str,
    service: &'a str,
    at_s: u64,
    /// Signed in the URL, and good for so many seconds.
    presigned: Option<u64>,
    hash_header: bool,
    /// Instead of the body's hash.
    payload: Option<&'a str>,
}

const GOOD: Signer<'static> = Signer {
    key: KEY,
    secret: SECRET,
    token: None,
    region: "us-east-1",
    service: "echo",
    at_s: NOW_S,
    presigned: None,
    hash_header: false,
    payload: None,
};

impl Signer<'_> {
    fn sign(&self, mut request: Request<Bytes>) -> Request<Bytes> {
        let identity = aws_credential_types::Credentials::new(
            self.key,
            self.secret,
            self.token.map(str::to_owned),
            None,
            "test",
        );
        let identity = identity.into();
        let mut settings = SigningSettings::default();
        if let Some(seconds) = self.presigned {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(seconds));
        }
        if self.hash_header || self.payload.is_some() {
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(self.time())
            .settings(settings)
            .build()
            .expect("complete")
            .into();
        let url = format!("http://localhost:8083{}", request.uri());
        let headers = request.headers().clone();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("is text")));
        let body = match self.payload {
            Some(payload) => SignableBody::Precomputed(payload.to_owned()),
            None => SignableBody::Bytes(request.body().as_ref()),
        };
        let signable = SignableRequest::new(request.method().as_str(), &url, headers, body).expect("fits");
        let (instructions, _) = sign(signable, &parameters).expect("signs").into_parts();
        instructions.apply_to_request_http1x(&mut request);
        let relative = request.uri().path_and_query().expect("has a path").as_str().parse();
        *request.uri_mut() = relative.expect("is a URL");
        request
    }

    fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.at_s)
    }
}

fn json() -> Request<Bytes> {
    Request::post("/")
        .header("host", "localhost:8083")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "Echo_1.Do")
        .header("x-spaced", "  a   b ")
        .body(Bytes::from_static(b"{\"a\":1}"))
        .expect("a request")
}

fn get(path_and_query: &str) -> Request<Bytes> {
    Request::get(path_and_query).header("host", "localhost:8083").body(Bytes::new()).expect("a request")
}

async fn answer(app: &App, request: Request<Bytes>) -> (u16, HeaderMap, String) {
    let (head, body) = request.into_parts();
    let (head, body) = app.respond(head, body).await.map(|body| body.collect()).into_parts();
    let text = String::from_utf8_lossy(&body.await.expect("is whole").to_bytes()).into_owned();
    (head.status.as_u16(), head.headers, text)
}

/// What is wrong, as the JSON protocols say it: `Code: message`; the status where nothing is.
async fn verdict(app: &App, request: Request<Bytes>) -> String {
    let (status, _, text) = answer(app, request).await;
    if (200..300).contains(&status) {
        return status.to_string();
    }
    let body: Value = serde_json::from_str(&text).expect(&text);
    let code = body["__type"].as_str().expect(&text).rsplit('#').next().expect("splits").to_owned();
    format!("{code}: {}", body["message"].as_str().expect(&text))
}

fn replace_header(request: &mut Request<Bytes>, name: &'static str, from: &str, to: &str) {
    let value = request.headers()[name].to_str().expect("is text").to_owned();
    assert!(value.contains(from), "{value} has no {from}");
    let value = HeaderValue::from_str(&value.replace(from, to)).expect("a header");
    request.headers_mut().insert(HeaderName::from_static(name), value);
}

fn replace_uri(request: &mut Request<Bytes>, from: &str, to: &str) {
    let uri = request.uri().to_string();
    assert!(uri.contains(from), "{uri} has no {from}");
    *request.uri_mut() = uri.replace(from, to).parse().expect("a URL");
}

const MISMATCH: &str = "InvalidSignatureException: The request signature we calculated does not match the signature \
                        you provided. Check your AWS Secret Access Key and signing method. Consult the service \
                        documentation for details.";
const UNRECOGNIZED: &str =
    "UnrecognizedClientException: The security token included in the request is invalid.";
const MISSING: &str = "MissingAuthenticationTokenException: Request is missing Authentication Token";

#[tokio::test]
async fn what_aws_signs_is_accepted() {
    let app = guarded();
    let session = Signer { key: "ASIASESSION", token: Some("the-token"), ..GOOD };
    let hashed = Signer { hash_header: true, ..GOOD };
    let presigned = Signer { presigned: Some(600), at_s: NOW_S - 590, ..GOOD };
    for signer in [&GOOD, &session, &hashed, &presigned] {
        assert_eq!(verdict(&app, signer.sign(json())).await, "200");
    }
    for at_s in [NOW_S - 300, NOW_S + 300] {
        assert_eq!(verdict(&app, Signer { at_s, ..GOOD }.sign(json())).await, "200", "{at_s}");
    }
    // Sent again, it is served again.
    let request = GOOD.sign(json());
    assert_eq!(verdict(&app, request.clone()).await, "200");
    assert_eq!(verdict(&app, request).await, "200");

    // Names of signed headers in another case, parameters in another order and with other blanks.
    let mut request = GOOD.sign(json());
    replace_header(
        &mut request,
        "authorization",
        "SignedHeaders=content-type;host",
        "SignedHeaders=Content-Type;Host",
    );
    assert_eq!(verdict(&app, request).await, "200");
    let mut request = GOOD.sign(json());
    let value = request.headers()["authorization"].to_str().expect("is text").to_owned();
    let mut parts: Vec<&str> =
        value.strip_prefix("AWS4-HMAC-SHA256 ").expect("the scheme").split(", ").collect();
    parts.reverse();
    let value = format!("AWS4-HMAC-SHA256   {}", parts.join(","));
    request.headers_mut().insert("authorization", HeaderValue::from_str(&value).expect("a header"));
    assert_eq!(verdict(&app, request).await, "200");
}

#[tokio::test]
async fn odd_paths_and_queries_are_read_as_clients_mean_them() {
    let app = guarded();
    let rest = Signer { service: "lambda", ..GOOD };
    let presigned = Signer { presigned: Some(60), service: "lambda", ..GOOD };
    for path in [
        "/2015-03-31/functions",
        "/2015-03-31/functions/",
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations",
        "/2015-03-31/functions/a%20b~c(d)*e'!;=@$,",
        "/2015-03-31/functions/%C3%A4%2F%2f",
        "/2015-03-31/functions?a=1&b=2",
        "/2015-03-31/functions?b=2&a=1&B=0&a=0&a-b=3&a%2Db=4",
        "/2015-03-31/functions?Qualifier=%24LATEST&Marker=a%2Fb%3D%3D&x=%20&empty=&none",
        "/2015-03-31/functions?a=1+2&b=~*'()&c=%7e",
    ] {
        assert_eq!(verdict(&app, rest.sign(get(path))).await, "201", "{path}");
        assert_eq!(verdict(&app, presigned.sign(get(path))).await, "201", "{path}, presigned");
    }
    // Clients sign these as /2015-03-31/functions/f, so only one reading may be served.
    for path in [
        "/2015-03-31/functions/./f",
        "/2015-03-31/functions/x/../f",
        "/2015-03-31//functions/f",
        "//2015-03-31/functions/f",
    ] {
        let verdict = verdict(&app, rest.sign(get(path))).await;
        assert!(
            verdict.starts_with("InvalidSignatureException: The path of a signed request"),
            "{path}: {verdict}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_signature_is_said_as_aws_says_it() {
    type Spoil = fn(&mut Request<Bytes>);
    let app = guarded();
    let cases: &[(&str, Spoil, &str)] = &[
        ("body", |r| *r.body_mut() = Bytes::from_static(b"{\"a\":2}"), MISMATCH),
        ("body cut", |r| *r.body_mut() = Bytes::new(), MISMATCH),
        ("method", |r| *r.method_mut() = http::Method::PUT, MISMATCH),
        ("path", |r| replace_uri(r, "/", "/x"), MISMATCH),
        ("query", |r| replace_uri(r, "/", "/?a=1"), MISMATCH),
        ("host", |r| replace_header(r, "host", "localhost", "elsewhere"), MISMATCH),
        ("target", |r| replace_header(r, "x-amz-target", "Do", "Delete"), MISMATCH),
        ("signed header", |r| replace_header(r, "x-spaced", "a   b", "ab"), MISMATCH),
        ("signed header taken away", |r| _ = r.headers_mut().remove("x-spaced"), MISMATCH),
        (
            "signed header twice",
            |r| _ = r.headers_mut().append("x-spaced", HeaderValue::from_static("a b")),
            MISMATCH,
        ),
        ("time", |r| replace_header(r, "x-amz-date", "T123000Z", "T123001Z"), MISMATCH),
        ("signature", |r| spoil_signature(r), MISMATCH),
        ("signature cut", |r| replace_header(r, "authorization", "Signature=", "Signature=, x="), MISMATCH),
        ("signature longer", |r| replace_header(r, "authorization", "Signature=", "Signature=0"), MISMATCH),
        ("key", |r| replace_header(r, "authorization", KEY, "AKIDNOBODY"), UNRECOGNIZED),
        ("key in lower case", |r| replace_header(r, "authorization", KEY, "akidexample"), UNRECOGNIZED),
        ("somebody else's key", |r| replace_header(r, "authorization", KEY, "ASIASESSION"), UNRECOGNIZED),
        (
            "a token where there is none",
            |r| _ = r.headers_mut().insert("x-amz-security-token", HeaderValue::from_static("t")),
            UNRECOGNIZED,
        ),
        ("no signature", |r| _ = r.headers_mut().remove("authorization"), MISSING),
        (
            "another scheme",
            |r| _ = r.headers_mut().insert("authorization", HeaderValue::from_static("Bearer AWS4")),
            MISSING,
        ),
        (
            "two signatures",
            |r| _ = r.headers_mut().append("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256 x")),
            "IncompleteSignatureException: A request must have one Authorization header.",
        ),
        (
            "a signature in the URL, too",
            |r| replace_uri(r, "/", "/?X-Amz-Algorithm=AWS4-HMAC-SHA256"),
            "InvalidSignatureException: Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as \
             HTTP header.",
        ),
        (
            "no credential",
            |r| replace_header(r, "authorization", "Credential=", "credential="),
            "IncompleteSignatureException: Authorization header requires 'Credential' parameter. (Hashed with SHA-256 \
             and encoded with Base64) Authorization=",
        ),
        (
            "nothing",
            |r| {
                r.headers_mut().remove("x-amz-date");
                r.headers_mut().insert("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256"));
            },
            "IncompleteSignatureException: Authorization header requires 'Credential' parameter. Authorization header \
             requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization \
             header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed",
        ),
        (
            "no equal-sign",
            |r| replace_header(r, "authorization", "Signature=", "Signature"),
            "IncompleteSignatureException: Invalid key=value pair (missing equal-sign) in Authorization header \
             (hashed with SHA-256 and encoded with Base64): '",
        ),
        (
            "a parameter twice",
            |r| replace_header(r, "authorization", "Signature=", "Signature=0,Signature="),
            "IncompleteSignatureException: Authorization header has more than one 'Signature' parameter.",
        ),
        (
            "another algorithm",
            |r| replace_header(r, "authorization", "HMAC-SHA256", "ECDSA-P256-SHA256"),
            "IncompleteSignatureException: Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'",
        ),
        (
            "half a scope",
            |r| replace_header(r, "authorization", "/echo/", "/"),
            "IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got 'AKIDEXAMPLE/20261122/us-east-1/aws4_request'",
        ),
        (
            "another terminator",
            |r| replace_header(r, "authorization", "aws4_request", "aws5_request"),
            "InvalidSignatureException: Credential should be scoped with a valid terminator: 'aws4_request', not \
             'aws5_request'. ",
        ),
        (
            "another day",
            |r| replace_header(r, "authorization", "20261122", "20261121"),
            "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
             from HTTP: '20261121' != '20261122', from '20261122T123000Z'. ",
        ),
        (
            "a date that is none",
            |r| replace_header(r, "x-amz-date", "20261122T123000Z", "2026-11-22"),
            "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got '2026-11-22'. See \
             http://en.wikipedia.org/wiki/ISO_8601",
        ),
        (
            "host not signed",
            |r| replace_header(r, "authorization", "host;", ""),
            "InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ),
        (
            "target not signed",
            |r| replace_header(r, "authorization", ";x-amz-target", ""),
            "InvalidSignatureException: 'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.",
        ),
        (
            "another header of AWS's added",
            |r| _ = r.headers_mut().insert("x-amz-invocation-type", HeaderValue::from_static("Event")),
            "InvalidSignatureException: 'x-amz-invocation-type' must be a 'SignedHeader' in the AWS Authorization.",
        ),
    ];
    for (what, spoil, expected) in cases {
        let mut request = GOOD.sign(json());
        spoil(&mut request);
        let verdict = verdict(&app, request).await;
        assert!(verdict.starts_with(expected), "{what}: {verdict}");
        assert!(!verdict.contains(SECRET), "{what}: {verdict}");
    }
}

fn spoil_signature(request: &mut Request<Bytes>) {
    let value = request.headers()["authorization"].to_str().expect("is text").to_owned();
    let last = if value.ends_with('0') { "1" } else { "0" };
    let value = format!("{}{last}", &value[..value.len() - 1]);
    request.headers_mut().insert("authorization", HeaderValue::from_str(&value).expect("a header"));
}

#[tokio::test]
async fn signers_with_something_wrong_are_told() {
    let app = guarded();
    let presigned = Signer { presigned: Some(60), ..GOOD };
    for (what, signer, expected) in [
        ("secret", Signer { secret: "another", ..GOOD }, MISMATCH),
        ("no secret", Signer { secret: "", ..GOOD }, MISMATCH),
        (
            "region and service",
            Signer { region: "eu-west-1", service: "s3", ..GOOD },
            "InvalidSignatureException: Credential should be scoped to a valid region, not 'eu-west-1'. Credential \
             should be scoped to correct service: 'echo'. ",
        ),
        (
            "expired",
            Signer { at_s: NOW_S - 301, ..GOOD },
            "InvalidSignatureException: Signature expired: 20261122T122459Z is now earlier than 20261122T122500Z \
             (20261122T123000Z - 5 min.)",
        ),
        (
            "future",
            Signer { at_s: NOW_S + 301, ..GOOD },
            "InvalidSignatureException: Signature not yet current: 20261122T123501Z is still later than \
             20261122T123500Z (20261122T123000Z + 5 min.)",
        ),
        ("another token", Signer { key: "ASIASESSION", token: Some("the-tokem"), ..GOOD }, UNRECOGNIZED),
        ("no token", Signer { key: "ASIASESSION", ..GOOD }, UNRECOGNIZED),
        (
            "an account that is not served",
            Signer { key: "AKIDNOWHERE", ..GOOD },
            "AccessDeniedException: There is no account 222222222222 here",
        ),
        (
            "an unsigned payload without TLS",
            Signer { payload: Some("UNSIGNED-PAYLOAD"), ..GOOD },
            "InvalidSignatureException: An unsigned payload is accepted by TLS only",
        ),
        (
            "chunks",
            Signer { payload: Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ..GOOD },
            "InvalidSignatureException: A payload that is signed in chunks (STREAMING-AWS4-HMAC-SHA256-PAYLOAD) is \
             not supported",
        ),
        (
            "a hash that is none",
            Signer { payload: Some("abc"), ..GOOD },
            "IncompleteSignatureException: X-Amz-Con",
        ),
        (
            "another body's hash",
            Signer {
                payload: Some("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
                ..GOOD
            },
            MISMATCH,
        ),
        (
            "presigned, expired",
            Signer { at_s: NOW_S - 61, ..presigned },
            "InvalidSignatureException: Signature expired: 20261122T122859Z is now earlier than 20261122T122900Z \
             (20261122T123000Z - 60 sec.)",
        ),
        (
            "presigned, future",
            Signer { at_s: NOW_S + 301, presigned: Some(60), ..GOOD },
            "InvalidSignatureException: Signature not yet current",
        ),
        ("presigned, secret", Signer { secret: "another", presigned: Some(60), ..GOOD }, MISMATCH),
    ] {
        let verdict = verdict(&app, signer.sign(json())).await;
        assert!(verdict.starts_with(expected), "{what}: {verdict}");
    }
    for (what, from, to, expected) in [
        ("signature", "X-Amz-Signature=", "X-Amz-Signature=0", MISMATCH),
        ("added", "/?", "/?a=b&", MISMATCH),
        ("longer life", "X-Amz-Expires=60", "X-Amz-Expires=61", MISMATCH),
        (
            "life",
            "X-Amz-Expires=60",
            "X-Amz-Expires=604801",
            "IncompleteSignatureException: X-Amz-Expires must",
        ),
        ("life", "X-Amz-Expires=60", "X-Amz-Expires=-1", "IncompleteSignatureException: X-Amz-Expires must"),
        ("key", KEY, "AKIDNOBODY", UNRECOGNIZED),
        (
            "parts",
            "X-Amz-Date=",
            "x=",
            "IncompleteSignatureException: AWS query-string parameters must include 'X-Amz-Date'. Re-examine the \
             query-string parameters.",
        ),
    ] {
        let mut request = Signer { presigned: Some(60), ..GOOD }.sign(json());
        replace_uri(&mut request, from, to);
        let verdict = verdict(&app, request).await;
        assert!(verdict.starts_with(expected), "presigned, {what}: {verdict}");
    }
}

#[tokio::test]
async fn every_protocol_has_its_own_words() {
    let app = guarded();
    let (status, headers, text) = answer(&app, json()).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (400, &HeaderValue::from_static("application/x-amz-json-1.0"))
    );
    assert_eq!(
        text,
        r#"{"__type":"com.amazon.coral.service#MissingAuthenticationTokenException","message":"Request is missing Authentication Token"}"#
    );
    let (status, headers, text) = answer(&app, get("/2015-03-31/functions")).await;
    assert_eq!(
        (status, &headers["x-amzn-errortype"]),
        (403, &HeaderValue::from_static("MissingAuthenticationTokenException"))
    );
    assert!(text.contains("Request is missing Authentication Token"), "{text}");

    let who = "/?Action=GetCallerIdentity&Version=2011-06-15";
    let sts = Signer { service: "sts", presigned: Some(60), ..GOOD };
    for (request, status, words) in [
        (get(who), 403, "<Code>MissingAuthenticationToken</Code>"),
        (GOOD.sign(get(who)), 403, "<Code>SignatureDoesNotMatch</Code>"),
        (Signer { key: "AKIDNOBODY", ..GOOD }.sign(get(who)), 403, "<Code>InvalidClientTokenId</Code>"),
        (get(&format!("{who}&X-Amz-Algorithm=x")), 400, "<Code>IncompleteSignature</Code>"),
        (sts.sign(get(who)), 200, "<Account>000000000000</Account>"),
        (Signer { key: "AKIDOTHER", ..sts }.sign(get(who)), 200, "<Account>111111111111</Account>"),
    ] {
        let (given, headers, text) = answer(&app, request).await;
        assert_eq!(
            (given, &headers["content-type"]),
            (status, &HeaderValue::from_static("text/xml")),
            "{text}"
        );
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn a_key_acts_for_its_account() {
    let app = guarded();
    let (status, _, text) = answer(&app, Signer { key: "AKIDOTHER", ..GOOD }.sign(json())).await;
    assert_eq!((status, text.as_str()), (200, r#"{"account":"other"}"#));
}

#[tokio::test]
async fn credentials_are_exchanged_while_requests_come() {
    let authenticator = authenticator();
    let app = app().auth(authenticator.clone()).build();
    assert_eq!(verdict(&app, GOOD.sign(json())).await, "200");
    authenticator.replace(Keyring::new([credential("AKIDNEW", None, "000000000000")]).expect("fits"));
    assert_eq!(verdict(&app, GOOD.sign(json())).await, UNRECOGNIZED);
    assert_eq!(verdict(&app, Signer { key: "AKIDNEW", ..GOOD }.sign(json())).await, "200");
}

/// Strangers are turned away before their body is read, everybody is told how the server is.
#[tokio::test]
async fn strangers_are_turned_away_at_the_door() {
    let server = Server::start(guarded(), Limits::default()).await;
    let mut client = server.connect().await;
    let request = "POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: Echo_1.Do\r\nexpect: 100-continue\r\ncontent-length: \
                   1000000\r\n\r\n";
    client.send(request.as_bytes()).await;
    let refused = client.response().await.expect("is told");
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(server.call("Echo_1.Do", "{}").await.status, 400);
    assert_eq!(server.get("/healthz").await.status, 200);
    assert_eq!(server.get("/readyz").await.status, 200);
    // Whoever is refused may go on with the same connection.
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.send(&json_request("Echo_1.Do", "{}")).await;
        assert_eq!(client.response().await.expect("is told").status, 400);
    }
    server.stop().await;
}

#[test]
fn certificates_that_are_none_are_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let (certificate, key) = (directory.path().join("c.pem"), directory.path().join("k.pem"));
    let error = Tls::load(&certificate, &key).expect_err("is not there").to_string();
    assert!(error.starts_with("cannot read a certificate from "), "{error}");
    std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("writes");
    std::fs::write(&key, "hush, hush").expect("writes");
    let error = Tls::load(&certificate, &key).expect_err("is none").to_string();
    assert!(error.starts_with("cannot read a private key from ") && !error.contains("hush"), "{error}");
    std::fs::write(&key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").expect("writes");
    let error = Tls::load(&certificate, &key).expect_err("are none").to_string();
    assert!(error.contains("cannot be used"), "{error}");
}
