//! Services outside of this process: where each one is, and the client that speaks to it.
//!
//! Any service of AWS can be named, and `*` stands for all that are not embedded. One that can be embedded is so unless a setting (`dynamodb=http://127.0.0.1:8000`, `dynamodb=aws`) or the SDKs' own variable
//! for that service (`AWS_ENDPOINT_URL_DYNAMODB`) says otherwise. The general `AWS_ENDPOINT_URL` never counts: it is
//! how clients find Stepwell, and a server that honoured it would call itself.

mod credentials;
pub(crate) mod http_client;
mod http_service;
mod signing;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::Uri;
use stepwell_aws::{Account, Service};

use crate::catalog;

pub use credentials::Credentials;
use http_client::HttpClient;
pub use http_service::HttpService;
pub use signing::{Scope, Style, signature};

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// In this process, whatever the environment says.
    Embedded,
    /// AWS's own endpoint of the account's region.
    Aws,
    /// This `http` or `https` URL.
    Url(Uri),
}

/// A setting that names no usable endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// No `=` in it.
    #[error("endpoint setting '{0}' must be SERVICE=URL, SERVICE=aws or SERVICE=embedded")]
    Malformed(String),
    /// No service of that name.
    #[error(
        "endpoint setting for the unknown service '{name}'; services are named as in aws-sdk:<service>:<api> (s3, \
         secretsmanager, sfn ...), or * for all that are not embedded"
    )]
    UnknownService {
        /// As given.
        name: String,
    },
    /// `*=embedded`.
    #[error("endpoint setting '{0}': only some services can be embedded")]
    AllEmbedded(String),
    /// Not an absolute `http` or `https` URL.
    #[error("endpoint of {service}: '{url}' is no http or https URL with a host")]
    BadUrl {
        /// Which service.
        service: &'static str,
        /// As given.
        url: String,
    },
    /// The URL leads back to the server that asks.
    #[error("endpoint of {service}: '{url}' is this server itself")]
    OwnAddress {
        /// Which service.
        service: &'static str,
        /// As given.
        url: String,
    },
    /// The client could not be set up.
    #[error("the HTTPS client could not be set up: {0}")]
    Client(String),
}

/// The endpoints that were set, by service; the others are embedded.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    set: BTreeMap<&'static str, Endpoint>,
    /// Of all services that were not set and are not embedded.
    others: Option<Endpoint>,
}

/// Names of the services that can be embedded; `*` leaves them alone.
const EMBEDDED: &[&str] = &["dynamodb", "lambda", "logs", "sqs", "states"];

impl Endpoints {
    /// Reads `settings` (each `SERVICE=URL`, `SERVICE=aws` or `SERVICE=embedded`) and, for the services without one,
    /// the variables `AWS_ENDPOINT_URL_<SERVICE>` that `variable` gives. `own` is where this server listens: a
    /// variable that leads there is meant for clients and passed over. So is `AWS_ENDPOINT_URL_SFN`, because Step
    /// Functions is this server.
    ///
    /// Errors: the first setting or variable that names no usable endpoint.
    pub fn from_env<S: AsRef<str>>(
        settings: &[S],
        own: Option<SocketAddr>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Endpoints, EndpointError> {
        let mut endpoints = Endpoints::default();
        for service in catalog::registry_names().filter(|service| *service != "states") {
            let name = format!("AWS_ENDPOINT_URL_{}", catalog::endpoint_variable(service));
            let Some(url) = variable(&name) else { continue };
            match url_endpoint(service, &url, own) {
                Ok(endpoint) => _ = endpoints.set.insert(service, endpoint),
                Err(EndpointError::OwnAddress { .. }) => {
                    tracing::info!(service, name, %url, "endpoint variable leads to this server, ignored");
                }
                Err(error) => return Err(error),
            }
        }
        for setting in settings {
            endpoints.apply(setting.as_ref(), own)?;
        }
        Ok(endpoints)
    }

    /// Where the service is; `None` where nothing was set, so that it is embedded if it can be.
    #[must_use]
    pub fn get(&self, service: &str) -> Option<&Endpoint> {
        self.set.get(service)
    }

    /// Whether the service is to run in this process: nothing else was set for it.
    #[must_use]
    pub fn is_embedded(&self, service: &str) -> bool {
        matches!(self.get(service), None | Some(Endpoint::Embedded))
    }

    /// Clients for all services that are outside, ready to be registered; `variable` gives the credentials.
    /// Connects to nothing yet.
    ///
    /// Errors: [`EndpointError::Client`].
    pub fn clients(
        &self,
        account: &Account,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<Arc<dyn Service>>, EndpointError> {
        let credentials = Credentials::from_env(variable);
        let mut clients: Vec<Arc<dyn Service>> = Vec::new();
        let client = HttpClient::new()?;
        let others = self.others.iter().flat_map(|endpoint| {
            let left = catalog::registry_names().filter(|name| !EMBEDDED.contains(name));
            left.filter(|name| !self.set.contains_key(name)).map(move |name| (name, endpoint))
        });
        for (service, endpoint) in self.set.iter().map(|(name, endpoint)| (*name, endpoint)).chain(others) {
            if *endpoint != Endpoint::Embedded {
                let service =
                    HttpService::with_client(service, endpoint, account, credentials.clone(), client.clone());
                clients.push(Arc::new(service?));
            }
        }
        Ok(clients)
    }

    fn apply(&mut self, setting: &str, own: Option<SocketAddr>) -> Result<(), EndpointError> {
        let (name, value) =
            setting.split_once('=').ok_or_else(|| EndpointError::Malformed(setting.to_owned()))?;
        let all = name.trim() == "*";
        let service = match all {
            true => "*",
            false => catalog::setting(name).ok_or_else(|| unknown_service(name))?,
        };
        let endpoint = match value.trim() {
            "aws" => Endpoint::Aws,
            "embedded" if all => return Err(EndpointError::AllEmbedded(setting.to_owned())),
            "embedded" => Endpoint::Embedded,
            url => url_endpoint(service, url, own)?,
        };
        if all {
            self.others = Some(endpoint);
        } else {
            self.set.insert(service, endpoint);
        }
        Ok(())
    }
}

fn unknown_service(name: &str) -> EndpointError {
    EndpointError::UnknownService { name: name.to_owned() }
}

fn url_endpoint(
    service: &'static str,
    url: &str,
    own: Option<SocketAddr>,
) -> Result<Endpoint, EndpointError> {
    let bad = || EndpointError::BadUrl { service, url: url.to_owned() };
    let uri: Uri = url.parse().map_err(|_| bad())?;
    let credentials_in_url = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if !matches!(uri.scheme_str(), Some("http" | "https")) || !has_host || credentials_in_url {
        return Err(bad());
    }
    if own.is_some_and(|own| leads_to(&uri, own)) {
        return Err(EndpointError::OwnAddress { service, url: url.to_owned() });
    }
    Ok(Endpoint::Url(uri))
}

/// Whether a request to `uri` would arrive at a server that listens on `own`, as far as names tell.
fn leads_to(uri: &Uri, own: SocketAddr) -> bool {
    let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    if uri.port_u16().unwrap_or(default_port) != own.port() {
        return false;
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let local = host == "localhost" || host.ends_with(".localhost");
    match host.parse::<IpAddr>() {
        Ok(ip) => {
            ip == own.ip() || ip.is_unspecified() || (ip.is_loopback() && own_is_reachable_locally(own))
        }
        Err(_) => local && own_is_reachable_locally(own),
    }
}

fn own_is_reachable_locally(own: SocketAddr) -> bool {
    own.ip().is_loopback() || own.ip().is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[&str], variables: &[(&str, &str)]) -> Result<Endpoints, EndpointError> {
        let own = SocketAddr::from(([127, 0, 0, 1], 8083));
        Endpoints::from_env(settings, Some(own), |name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn settings_win_over_variables_and_the_general_variable_does_not_count() {
        let url = |text: &str| Endpoint::Url(text.parse().expect("a URL"));
        let endpoints = read(
            &[
                "dynamodb=http://127.0.0.1:8000",
                "sns=aws",
                "lambda=embedded",
                "eventbridge=https://e.example/base",
            ],
            &[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:9999"),
                ("AWS_ENDPOINT_URL_DYNAMODB", "http://other:1"),
                ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9324"),
                ("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9001"),
                ("AWS_ENDPOINT_URL_SFN", "http://127.0.0.1:9002"),
            ],
        )
        .expect("endpoints");
        assert_eq!(endpoints.get("dynamodb"), Some(&url("http://127.0.0.1:8000")));
        assert_eq!(endpoints.get("sqs"), Some(&url("http://127.0.0.1:9324")));
        assert_eq!(endpoints.get("sns"), Some(&Endpoint::Aws));
        assert_eq!(endpoints.get("events"), Some(&url("https://e.example/base")));
        assert!(endpoints.is_embedded("lambda") && endpoints.is_embedded("states"));
    }

    #[test]
    fn a_server_does_not_call_itself() {
        for url in ["http://127.0.0.1:8083", "http://localhost:8083/", "http://[::1]:8083"] {
            let endpoints = read(&[], &[("AWS_ENDPOINT_URL_SQS", url)]).expect("passed over");
            assert!(endpoints.is_embedded("sqs"), "{url}");
            let error = read(&[&format!("sqs={url}")], &[]).expect_err("refused");
            assert!(matches!(error, EndpointError::OwnAddress { service: "sqs", .. }), "{error}");
        }
        assert!(!read(&["sqs=http://10.0.0.1:8083"], &[]).expect("elsewhere").is_embedded("sqs"));
    }

    #[test]
    fn bad_settings_are_named() {
        let cases = [
            ("dynamodb", "must be SERVICE=URL"),
            ("s4=http://x:1", "unknown service 's4'; services are named as in aws-sdk:<service>:<api>"),
            ("*=embedded", "only some services can be embedded"),
            ("*=nonsense", "is no http or https URL"),
            ("sqs=ftp://x", "'ftp://x' is no http or https URL"),
            ("sqs=localhost:9324", "is no http or https URL"),
            ("sqs=http://user:secret@x:1", "is no http or https URL with a host"),
            ("sqs=", "is no http or https URL"),
        ];
        for (setting, part) in cases {
            let error = read(&[setting], &[]).expect_err(setting).to_string();
            assert!(error.contains(part), "{setting}: {error}");
        }
        assert!(read(&[], &[("AWS_ENDPOINT_URL_SQS", "nonsense")]).is_err());
    }
}
