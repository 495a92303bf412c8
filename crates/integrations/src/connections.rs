//! What a connection of EventBridge is to an HTTP task: whom it lets in as, and what it adds to each request.
//!
//! Who keeps connections is not this crate's: it asks [`Connections`].

use std::fmt;

use stepwell_aws::BoxFuture;

/// Looks connections up.
pub trait Connections: Send + Sync {
    /// The connection with this ARN, its secrets included.
    fn connection(&self, arn: &str) -> BoxFuture<'_, Result<Connection, ConnectionError>>;
}

/// A connection. Its `Debug` shows no values, for any of them may be secret.
#[derive(Clone)]
pub struct Connection {
    /// How requests are let in.
    pub authorization: Authorization,
    /// What each request gets besides; wins over what the task gives.
    pub parameters: HttpParameters,
}

/// How a request is let in.
#[derive(Clone)]
pub enum Authorization {
    /// A user's name and password.
    Basic {
        /// The name.
        username: String,
        /// Secret.
        password: String,
    },
    /// A header.
    ApiKey {
        /// The header's name.
        name: String,
        /// Secret.
        value: String,
    },
    /// A bearer token, got with client credentials (RFC 6749, 4.4).
    OAuth {
        /// URL of the authorization server.
        endpoint: String,
        /// `GET`, `POST` or `PUT`.
        method: String,
        /// The client.
        client_id: String,
        /// Secret.
        client_secret: String,
        /// What the request for a token gets besides.
        parameters: HttpParameters,
    },
}

/// Names and values that are added to a request.
#[derive(Clone, Default)]
pub struct HttpParameters {
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Members of the query.
    pub query: Vec<(String, String)>,
    /// Members of the body.
    pub body: Vec<(String, String)>,
}

/// Why a connection cannot be used. The text is the task's cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// There is none with this ARN: `Events.ConnectionResource.ResourceNotFound`.
    #[error("Connection '{arn}' does not exist.")]
    NotFound {
        /// The ARN.
        arn: String,
    },
    /// It lets nobody in: `Events.ConnectionResource.InvalidConnectionState`.
    #[error("Connection '{arn}' is in state {state} and cannot be used.")]
    InvalidState {
        /// The ARN.
        arn: String,
        /// `DEAUTHORIZED` …
        state: String,
    },
    /// It could not be read: `Events.ConnectionResource.InternalError`.
    #[error("Connection '{arn}' cannot be read: {reason}")]
    Unreadable {
        /// The ARN.
        arn: String,
        /// Nothing secret.
        reason: String,
    },
}

impl ConnectionError {
    /// The name of the error in `ErrorEquals`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            ConnectionError::NotFound { .. } => "Events.ConnectionResource.ResourceNotFound",
            ConnectionError::InvalidState { .. } => "Events.ConnectionResource.InvalidConnectionState",
            ConnectionError::Unreadable { .. } => "Events.ConnectionResource.InternalError",
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authorization = match &self.authorization {
            Authorization::Basic { .. } => "BASIC",
            Authorization::ApiKey { .. } => "API_KEY",
            Authorization::OAuth { .. } => "OAUTH_CLIENT_CREDENTIALS",
        };
        f.debug_struct("Connection").field("authorization", &authorization).finish_non_exhaustive()
    }
}
