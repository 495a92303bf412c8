//! What an HTTP task sends and gets, for whoever tests it. Ordinary attempts have no [`HttpTrace`], and make no notes.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Takes note of the exchange of one HTTP task; what a connection adds to a request is secret.
pub struct HttpTrace {
    reveals_secrets: bool,
    exchange: Mutex<HttpExchange>,
}

/// As far as it came: a task whose parameters make no request has neither, an unreachable server leaves no response.
#[derive(Clone, Default)]
pub struct HttpExchange {
    /// What was sent.
    pub request: Option<HttpRequestSeen>,
    /// What came back, whatever its status.
    pub response: Option<HttpResponseSeen>,
}

/// A request. Without secrets, it is what the task's own parameters make of it.
#[derive(Clone)]
pub struct HttpRequestSeen {
    /// `http` or `https`.
    pub protocol: String,
    /// `GET` …
    pub method: String,
    /// With the query.
    pub url: String,
    /// As they are written in the task and its connection; those that HTTP itself needs are not among them.
    pub headers: Vec<(String, String)>,
    /// Absent where there is none.
    pub body: Option<String>,
}

/// A response. Nothing of it is secret.
#[derive(Clone)]
pub struct HttpResponseSeen {
    /// `http` or `https`.
    pub protocol: String,
    /// `200` …
    pub status_code: u16,
    /// `OK` …; empty for a status without a known name.
    pub status_message: &'static str,
    /// In the order of their arrival.
    pub headers: Vec<(String, String)>,
    /// As text.
    pub body: String,
}

impl HttpTrace {
    /// A trace of nothing yet.
    #[must_use]
    pub fn new(reveals_secrets: bool) -> HttpTrace {
        HttpTrace { reveals_secrets, exchange: Mutex::default() }
    }

    /// What was seen so far.
    #[must_use]
    pub fn exchange(&self) -> HttpExchange {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether what a connection adds is noted as well.
    pub(crate) fn reveals_secrets(&self) -> bool {
        self.reveals_secrets
    }

    pub(crate) fn sent(&self, request: HttpRequestSeen) {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner).request = Some(request);
    }

    pub(crate) fn answered(&self, response: HttpResponseSeen) {
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner).response = Some(response);
    }
}

impl fmt::Debug for HttpTrace {
    /// Shows nothing that was seen, for it may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTrace").field("reveals_secrets", &self.reveals_secrets).finish_non_exhaustive()
    }
}
