//! Keeps web pages out.
//!
//! A server on loopback is within reach of every page that a browser on the machine has open. A page may send it
//! simple requests without asking, and one of those could deploy a function. Only browsers send `Origin`; AWS clients
//! do not. So a request that names another origin than the server itself is refused, and so is one whose page only
//! claims, by a name that was pointed at loopback, to be of the server itself.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use stepwell_aws::Fault;

/// Refuses the request of a page that the server did not serve itself.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Fault> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = headers.get(HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
    if own && is_address_or_localhost(host) {
        return Ok(());
    }
    Err(Fault::new("AccessDeniedException", "Requests from web pages of other origins are refused")
        .with_status(403))
}

/// Whether a `Host` is an IP address or `localhost`, which nobody else's name server can point elsewhere.
fn is_address_or_localhost(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.ends_with(".localhost") || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_servers_own_pages_may_ask() {
        for (origin, host, allowed) in [
            (None, "localhost:8083", true),
            (None, "anything", true),
            (Some("http://localhost:8083"), "localhost:8083", true),
            (Some("http://console.localhost:8083"), "console.localhost:8083", true),
            (Some("http://127.0.0.1:8083"), "127.0.0.1:8083", true),
            (Some("http://[::1]:8083"), "[::1]:8083", true),
            (Some("http://localhost:3000"), "localhost:8083", false),
            (Some("https://example.com"), "localhost:8083", false),
            (Some("http://rebound.example.com:8083"), "rebound.example.com:8083", false),
            (Some("null"), "localhost:8083", false),
            (Some(""), "", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(check(&headers).is_ok(), allowed, "{origin:?} at {host}");
        }
    }
}
