//! The credentials that requests may be signed with. Nothing here shows a secret: not `Debug`, not an error.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Letters of an access key id. AWS's own have 20.
const KEY_ID_CHARS_MAX: usize = 128;

/// An access key, and the account that its requests act for.
#[derive(Clone)]
pub struct Credential {
    /// `AKIA…`; no secret.
    pub access_key_id: String,
    /// Secret.
    pub secret_access_key: String,
    /// Secret. Where it is given, requests must carry it, as those with temporary credentials of AWS do; where it is
    /// not, they must carry none.
    pub session_token: Option<String>,
    /// Twelve digits.
    pub account: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// A credential that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// Its id cannot stand in an `Authorization` header.
    #[error(
        "an access key id must have 1 to {KEY_ID_CHARS_MAX} letters, digits, '-', '_' or '.'; '{0}' has not"
    )]
    BadId(String),
    /// No secret.
    #[error("the access key {0} has no secret access key")]
    NoSecret(String),
    /// The same id twice.
    #[error("there are two different credentials with the access key {0}")]
    Twice(String),
}

/// Credentials by access key id. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    credentials: Arc<HashMap<String, Arc<Credential>>>,
}

impl Keyring {
    /// All of these credentials.
    ///
    /// Errors: one cannot be taken, or two have the same id.
    pub fn new(credentials: impl IntoIterator<Item = Credential>) -> Result<Keyring, KeyringError> {
        let mut all = HashMap::new();
        for credential in credentials {
            let id = credential.access_key_id.clone();
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            if id.is_empty() || id.len() > KEY_ID_CHARS_MAX || !id.bytes().all(fits) {
                return Err(KeyringError::BadId(id.chars().take(KEY_ID_CHARS_MAX).collect()));
            }
            if credential.secret_access_key.is_empty() {
                return Err(KeyringError::NoSecret(id));
            }
            if all.insert(id.clone(), Arc::new(credential)).is_some() {
                return Err(KeyringError::Twice(id));
            }
        }
        Ok(Keyring { credentials: Arc::new(all) })
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.credentials.is_empty()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Credential> {
        self.credentials.values().map(Arc::as_ref)
    }

    /// The credential with this id.
    pub(crate) fn get(&self, access_key_id: &str) -> Option<&Arc<Credential>> {
        self.credentials.get(access_key_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(id: &str, secret: &str) -> Credential {
        Credential {
            access_key_id: id.into(),
            secret_access_key: secret.into(),
            session_token: Some("TOKEN".into()),
            account: "000000000000".into(),
        }
    }

    #[test]
    fn what_cannot_be_signed_with_is_refused() {
        let long = "A".repeat(129);
        for (credentials, error) in [
            (vec![credential("", "s")], KeyringError::BadId(String::new())),
            (vec![credential("a/b", "s")], KeyringError::BadId("a/b".into())),
            (vec![credential(&long, "s")], KeyringError::BadId(long[..128].into())),
            (vec![credential("AKID", "")], KeyringError::NoSecret("AKID".into())),
            (vec![credential("AKID", "s"), credential("AKID", "t")], KeyringError::Twice("AKID".into())),
        ] {
            assert_eq!(Keyring::new(credentials).expect_err("refused"), error);
        }
        assert!(Keyring::new([credential("AKID", "s"), credential("other_1", "s")]).is_ok());
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = format!("{:?}", Keyring::new([credential("AKID", "hush")]).expect("fits"));
        assert!(text.contains("AKID") && !text.contains("hush") && !text.contains("TOKEN"), "{text}");
    }
}
