//! What a request presents as its signature, in the `Authorization` header or in the query (presigned); read, and not
//! yet believed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::{HeaderMap, header};
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};
use stepwell_aws::Fault;

use super::query::Query;
use super::refusal::{incomplete, invalid, missing};

/// How times are written in signatures.
pub(super) const STAMP: &str = "%Y%m%dT%H%M%SZ";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// A week, in seconds. Source: "X-Amz-Expires" in the documentation of presigned requests.
const LIFETIME_MAX_S: i64 = 604_800;
/// Characters of a request's own words that a text repeats.
const SHOWN_CHARS_MAX: usize = 200;

/// A signature with all that it says about itself.
#[derive(Debug)]
pub(super) struct Presented {
    pub(super) access_key_id: String,
    /// Date, region, service, `aws4_request`: what the key was made for.
    pub(super) scope: [String; 4],
    /// In lower case, in the order given.
    pub(super) signed_headers: Vec<String>,
    /// Hexadecimal digits.
    pub(super) signature: String,
    /// `20261122T123000Z`
    pub(super) stamp: String,
    /// The same in seconds since 1970.
    pub(super) signed_at: i64,
    /// Seconds that a presigned request is good for.
    pub(super) lifetime: Option<i64>,
    pub(super) session_token: Option<String>,
    /// What the request says about its body: a hash, or words that stand for none.
    pub(super) payload: Option<String>,
}

/// The signature of a request.
///
/// Errors: there is none, or not all of one.
pub(super) fn read(head: &Parts, query: &Query) -> Result<Presented, Fault> {
    let presigned = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"];
    let presigned = presigned.iter().find(|name| query.get(name).is_some());
    let mut given = head.headers.get_all(header::AUTHORIZATION).iter();
    match (given.next(), given.next(), presigned) {
        (None, _, None) => Err(missing()),
        (None, _, Some(_)) => from_query(head, query),
        (Some(_), _, Some(name)) => Err(invalid(format!(
            "Found both '{name}' as a query-string param and 'Authorization' as HTTP header."
        ))),
        (Some(_), Some(_), None) => Err(incomplete("A request must have one Authorization header.")),
        (Some(value), None, None) => from_header(&head.headers, value.to_str().unwrap_or_default()),
    }
}

fn from_header(headers: &HeaderMap, value: &str) -> Result<Presented, Fault> {
    // Another scheme is none that AWS knows: as good as no signature.
    if !value.starts_with("AWS4-") {
        return Err(missing());
    }
    let (algorithm, rest) = value.split_once(' ').unwrap_or((value, ""));
    check_algorithm(algorithm)?;
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let Some((name, value)) = part.split_once('=') else {
            return Err(incomplete(format!(
                "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and \
                 encoded with Base64): '{}'.",
                hashed(value)
            )));
        };
        let place = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(incomplete(format!("Authorization header has more than one '{name}' parameter.")));
        }
    }
    let date = text(headers, "x-amz-date").or_else(|| text(headers, "date"));
    let (Some(credential), Some(signed_headers), Some(signature), Some(date)) =
        (credential, signed_headers, signature, date)
    else {
        let mut message = String::new();
        for (name, given) in
            [("Credential", credential), ("Signature", signature), ("SignedHeaders", signed_headers)]
        {
            if given.is_none() {
                message.push_str(&format!("Authorization header requires '{name}' parameter. "));
            }
        }
        if date.is_none() {
            message.push_str(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
            );
        }
        message.push_str(&format!(
            "(Hashed with SHA-256 and encoded with Base64) Authorization={}",
            hashed(value)
        ));
        return Err(incomplete(message));
    };
    let (signed_at, stamp) = time(date)?;
    let (access_key_id, scope) = scope(credential)?;
    Ok(Presented {
        access_key_id,
        scope,
        signed_headers: names(signed_headers),
        signature: signature.to_owned(),
        stamp,
        signed_at,
        lifetime: None,
        session_token: text(headers, "x-amz-security-token").map(str::to_owned),
        payload: text(headers, "x-amz-content-sha256").map(str::to_owned),
    })
}

fn from_query(head: &Parts, query: &Query) -> Result<Presented, Fault> {
    let wanted =
        ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"];
    let [Some(algorithm), Some(credential), Some(signature), Some(signed_headers), Some(date)] =
        wanted.map(|name| query.get(name))
    else {
        let absent = wanted.iter().filter(|name| query.get(name).is_none());
        let texts: String =
            absent.map(|name| format!("AWS query-string parameters must include '{name}'. ")).collect();
        return Err(incomplete(format!("{texts}Re-examine the query-string parameters.")));
    };
    check_algorithm(algorithm)?;
    let lifetime = match query.get("X-Amz-Expires").map(str::parse) {
        None => None,
        Some(Ok(seconds @ 0..=LIFETIME_MAX_S)) => Some(seconds),
        Some(_) => {
            return Err(incomplete(format!("X-Amz-Expires must be a number from 0 to {LIFETIME_MAX_S}.")));
        }
    };
    let (signed_at, stamp) = time(date)?;
    let (access_key_id, scope) = scope(credential)?;
    let payload = text(&head.headers, "x-amz-content-sha256").or_else(|| query.get("X-Amz-Content-Sha256"));
    Ok(Presented {
        access_key_id,
        scope,
        signed_headers: names(signed_headers),
        signature: signature.to_owned(),
        stamp,
        signed_at,
        lifetime,
        session_token: query.get("X-Amz-Security-Token").map(str::to_owned),
        payload: payload.map(str::to_owned),
    })
}

fn check_algorithm(algorithm: &str) -> Result<(), Fault> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    Err(incomplete(format!(
        "Unsupported AWS 'algorithm': '{}', only {ALGORITHM} is served.",
        shown(algorithm)
    )))
}

fn scope(credential: &str) -> Result<(String, [String; 4]), Fault> {
    // A key id has no slash, so that the last four parts are the scope.
    let parts: Vec<&str> = credential.split('/').collect();
    match parts.as_slice() {
        [id, date, region, service, end] => {
            Ok(((*id).to_owned(), [date, region, service, end].map(|part| (*part).to_owned())))
        }
        _ => Err(incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
            shown(credential)
        ))),
    }
}

fn names(signed_headers: &str) -> Vec<String> {
    signed_headers.split(';').filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect()
}

/// Seconds since 1970, and the same as signatures write it.
fn time(text: &str) -> Result<(i64, String), Fault> {
    let basic = DateTime::strptime(STAMP, text).ok().and_then(|time| time.to_zoned(TimeZone::UTC).ok());
    let read = basic.map(|time| time.timestamp()).or_else(|| {
        let parsed = rfc2822::DateTimeParser::new().parse_timestamp(text);
        parsed.ok()
    });
    let Some(time) = read else {
        return Err(incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601",
            shown(text)
        )));
    };
    Ok((time.as_second(), time.strftime(STAMP).to_string()))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The header's hash: enough to find it in a client's log, and of no use to whoever reads ours.
fn hashed(value: &str) -> String {
    STANDARD.encode(Sha256::digest(value))
}

pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect()
}
