//! Who sends a request: Signature Version 4, in the `Authorization` header or presigned in the URL, verified against
//! the configured credentials.
//!
//! Owns the canonical form of a request, the checks in their order and the texts of refusals. The signature proper is
//! computed by `aws-sigv4`. Whoever has a credential may do everything in its account: there are no policies.
//!
//! A request is looked at twice: [`Authenticator::claim`] needs only its head, so that strangers are turned away before
//! a body of theirs takes memory; [`Authenticator::accept`] needs the body.
//!
//! A request that is sent again within the time it is good for is served again, as AWS does: two equal requests of the
//! same second have the same signature, so that refusing the second would refuse honest clients. What keeps others from
//! recording requests is TLS.

mod canonical;
mod keyring;
mod presented;
mod query;
mod refusal;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use bytes::Bytes;
use http::request::Parts;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use stepwell_aws::Fault;
use stepwell_engine::Clock;
use subtle::ConstantTimeEq as _;

pub use keyring::{Credential, Keyring, KeyringError};
use presented::{Presented, STAMP, shown};
use query::Query;
use refusal::{incomplete, invalid, mismatch, unrecognized};

/// How far a client's clock may be off. Source: the texts of AWS's services ("- 5 min.").
const SKEW_S: i64 = 5 * 60;
/// What follows the service in a credential's scope.
const TERMINATOR: &str = "aws4_request";
/// Bodies above this are hashed on another thread, so that no other request waits for it.
const HASHED_IN_PLACE_BYTES_MAX: usize = 256 * 1024;
/// Milliseconds between two log lines about refused requests.
const LOG_PAUSE_MS: i64 = 1000;

/// Verifies signatures.
pub struct Authenticator {
    region: String,
    clock: Arc<dyn Clock>,
    keyring: RwLock<Keyring>,
    log: RefusalLog,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("region", &self.region).finish_non_exhaustive()
    }
}

/// Who signed a request.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The account that the request acts for.
    pub(crate) account: String,
}

/// A request whose head is in order; what remains is its body.
pub(crate) struct Claim {
    credential: Arc<Credential>,
    proof: Proof,
}

enum Proof {
    /// The signature was made over the body's hash, which no header gave.
    Signature { canonical: Sha256, presented: Box<Presented> },
    /// The signature is right if the body has this hash.
    Hash(String),
    /// The signature is right, and says nothing about the body.
    Unsigned,
}

impl Authenticator {
    /// Takes requests that are signed for `region` with one of these credentials.
    #[must_use]
    pub fn new(region: impl Into<String>, keyring: Keyring, clock: Arc<dyn Clock>) -> Authenticator {
        Authenticator {
            region: region.into(),
            clock,
            keyring: RwLock::new(keyring),
            log: RefusalLog::default(),
        }
    }

    /// From now on these credentials count, and no others.
    pub fn replace(&self, keyring: Keyring) {
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = keyring;
    }

    /// Checks all of a request that can be checked without its body. `service` is what it must be signed for; `None`
    /// where no service answers it. `secure` is whether it came by TLS.
    ///
    /// Errors: AWS's own exceptions.
    pub(crate) fn claim(&self, head: &Parts, service: Option<&str>, secure: bool) -> Result<Claim, Fault> {
        let query = Query::of(&head.uri);
        let presented = presented::read(head, &query).inspect_err(|fault| self.log(fault, ""))?;
        let key = presented.access_key_id.clone();
        self.check_head(head, &query, presented, service, secure).inspect_err(|fault| self.log(fault, &key))
    }

    /// Checks the body against what its head claims.
    ///
    /// Errors: AWS's own exceptions.
    pub(crate) async fn accept(&self, claim: Claim, body: &Bytes) -> Result<Identity, Fault> {
        let Claim { credential, proof } = claim;
        let right = match proof {
            Proof::Unsigned => true,
            Proof::Hash(hash) => same(&hash, &hash_of(body).await),
            Proof::Signature { canonical, presented } => {
                is_signature(&credential, canonical, &presented, &hash_of(body).await)
            }
        };
        if !right {
            let fault = mismatch();
            self.log(&fault, &credential.access_key_id);
            return Err(fault);
        }
        Ok(Identity { account: credential.account.clone() })
    }

    fn check_head(
        &self,
        head: &Parts,
        query: &Query,
        presented: Presented,
        service: Option<&str>,
        secure: bool,
    ) -> Result<Claim, Fault> {
        let credential = {
            let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
            keyring.get(&presented.access_key_id).cloned().ok_or_else(unrecognized)?
        };
        if !is_session(&credential, presented.session_token.as_deref()) {
            return Err(unrecognized());
        }
        self.check_scope(&presented, service)?;
        self.check_time(&presented)?;
        check_signed_headers(head, &presented)?;
        if !canonical::is_plain(head.uri.path()) {
            return Err(invalid("The path of a signed request must not have empty, '.' or '..' segments."));
        }
        let canonical = canonical::hash(head, query, &presented.signed_headers).ok_or_else(mismatch)?;
        let proof = match presented.payload.as_deref() {
            None => Proof::Signature { canonical, presented: Box::new(presented) },
            Some(payload) => {
                let proof = proof_of(payload, secure)?;
                if !is_signature(&credential, canonical, &presented, payload) {
                    return Err(mismatch());
                }
                proof
            }
        };
        Ok(Claim { credential, proof })
    }

    /// Whether the key was made for this day, region and service.
    fn check_scope(&self, presented: &Presented, service: Option<&str>) -> Result<(), Fault> {
        let [date, region, scoped_service, end] = &presented.scope;
        let mut text = String::new();
        if end != TERMINATOR {
            text.push_str(&format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'. ",
                shown(end)
            ));
        }
        let day = presented.stamp.get(..8).unwrap_or_default();
        if date != day {
            text.push_str(&format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != \
                 '{day}', from '{}'. ",
                shown(date),
                presented.stamp
            ));
        }
        if *region != self.region {
            text.push_str(&format!(
                "Credential should be scoped to a valid region, not '{}'. ",
                shown(region)
            ));
        }
        if let Some(service) = service.filter(|service| service != scoped_service) {
            text.push_str(&format!("Credential should be scoped to correct service: '{service}'. "));
        }
        if text.is_empty() { Ok(()) } else { Err(invalid(text)) }
    }

    /// Whether the signature is good now.
    fn check_time(&self, presented: &Presented) -> Result<(), Fault> {
        let now = self.clock.now_ms().div_euclid(1000);
        let (stamp, signed_at) = (&presented.stamp, presented.signed_at);
        let (lifetime, unit) = match presented.lifetime {
            Some(seconds) => (seconds, format!("{seconds} sec.")),
            None => (SKEW_S, "5 min.".to_owned()),
        };
        if signed_at < now - lifetime {
            let (earliest, now) = (stamp_of(now - lifetime), stamp_of(now));
            return Err(invalid(format!(
                "Signature expired: {stamp} is now earlier than {earliest} ({now} - {unit})"
            )));
        }
        if signed_at > now + SKEW_S {
            let (latest, now) = (stamp_of(now + SKEW_S), stamp_of(now));
            return Err(invalid(format!(
                "Signature not yet current: {stamp} is still later than {latest} ({now} + 5 min.)"
            )));
        }
        Ok(())
    }

    fn log(&self, fault: &Fault, access_key_id: &str) {
        // A flood of bad requests must not become a flood of lines.
        if let Some(others) = self.log.turn(self.clock.now_ms()) {
            let access_key_id = shown(access_key_id);
            tracing::warn!(code = %fault.code, %access_key_id, others, "a request was not let in");
        }
    }
}

/// What a header says about the body, as far as it is accepted.
fn proof_of(payload: &str, secure: bool) -> Result<Proof, Fault> {
    if payload.len() == 64 && payload.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(Proof::Hash(payload.to_owned()));
    }
    match payload {
        "UNSIGNED-PAYLOAD" if secure => Ok(Proof::Unsigned),
        "UNSIGNED-PAYLOAD" => Err(invalid(
            "An unsigned payload is accepted by TLS only, because anybody on the way could change it; send its hash \
             in X-Amz-Content-Sha256.",
        )),
        other if other.starts_with("STREAMING-") => Err(invalid(format!(
            "A payload that is signed in chunks ({}) is not supported; send the hash of the whole in \
             X-Amz-Content-Sha256.",
            shown(other)
        ))),
        other => Err(incomplete(format!(
            "X-Amz-Content-Sha256 must be UNSIGNED-PAYLOAD or a SHA-256 hash in lower case, got '{}'.",
            shown(other)
        ))),
    }
}

/// That nobody on the way could have changed where the request goes and what it means.
fn check_signed_headers(head: &Parts, presented: &Presented) -> Result<(), Fault> {
    let is_signed = |name: &str| presented.signed_headers.iter().any(|signed| signed == name);
    if !is_signed("host") {
        return Err(invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."));
    }
    let ours = |name: &&str| name.starts_with("x-amz-");
    match head.headers.keys().map(http::HeaderName::as_str).filter(ours).find(|name| !is_signed(name)) {
        Some(name) => Err(invalid(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."))),
        None => Ok(()),
    }
}

/// Whether the session token is the one that belongs to the key.
fn is_session(credential: &Credential, given: Option<&str>) -> bool {
    match (&credential.session_token, given) {
        (None, None) => true,
        (Some(own), Some(given)) => same(own, given),
        _ => false,
    }
}

/// Whether `presented` holds the signature over the canonical request with this hash of the payload.
fn is_signature(
    credential: &Credential,
    mut canonical: Sha256,
    presented: &Presented,
    payload_hash: &str,
) -> bool {
    canonical.update(payload_hash);
    let [_, region, service, _] = &presented.scope;
    let text =
        format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", presented.stamp, presented.scope.join("/"), hex(canonical));
    let seconds = u64::try_from(presented.signed_at).unwrap_or_default();
    let signed_at = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let key = generate_signing_key(&credential.secret_access_key, signed_at, region, service);
    same(&calculate_signature(key, text.as_bytes()), &presented.signature)
}

/// Compares in a time that tells nothing about where they differ.
fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

async fn hash_of(body: &Bytes) -> String {
    if body.len() <= HASHED_IN_PLACE_BYTES_MAX {
        return hex(Sha256::new_with_prefix(body));
    }
    let body = body.clone();
    let hashed = tokio::task::spawn_blocking(move || hex(Sha256::new_with_prefix(&body))).await;
    // Only a runtime that stops gives no result; nothing has an empty hash, so the request is refused.
    hashed.unwrap_or_default()
}

fn hex(hash: Sha256) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn stamp_of(seconds: i64) -> String {
    Timestamp::from_second(seconds).map(|time| time.strftime(STAMP).to_string()).unwrap_or_default()
}

/// Lets one refusal in a second be logged, and counts the others.
#[derive(Default)]
struct RefusalLog {
    last_ms: AtomicI64,
    others: AtomicU64,
}

impl RefusalLog {
    /// How many were not logged since the last that was; `None` where this one is not, either.
    fn turn(&self, now_ms: i64) -> Option<u64> {
        let last = self.last_ms.load(Ordering::Relaxed);
        let due = (now_ms - last).abs() >= LOG_PAUSE_MS;
        if due && self.last_ms.compare_exchange(last, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(self.others.swap(0, Ordering::Relaxed));
        }
        self.others.fetch_add(1, Ordering::Relaxed);
        None
    }
}
