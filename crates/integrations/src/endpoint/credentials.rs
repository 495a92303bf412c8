//! Static AWS credentials: from the environment's variables, else from a profile of the shared credentials file.
//!
//! Nothing that needs a call (single sign-on, roles, instance metadata) is looked up.

use std::fmt;
use std::path::PathBuf;

/// An access key. Its `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `AKIA…`
    pub access_key_id: String,
    /// Secret.
    pub secret_access_key: String,
    /// Secret; for temporary keys.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

impl Credentials {
    /// `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`; without them the profile
    /// `AWS_PROFILE` (default `default`) of `AWS_SHARED_CREDENTIALS_FILE` (default `~/.aws/credentials`).
    /// `None` where there is neither.
    #[must_use]
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Option<Credentials> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let (Some(access_key_id), Some(secret_access_key)) =
            (given("AWS_ACCESS_KEY_ID"), given("AWS_SECRET_ACCESS_KEY"))
        {
            return Some(Credentials {
                access_key_id,
                secret_access_key,
                session_token: given("AWS_SESSION_TOKEN"),
            });
        }
        let file = given("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from).or_else(|| {
            let home = given("HOME").or_else(|| given("USERPROFILE"))?;
            Some(PathBuf::from(home).join(".aws").join("credentials"))
        })?;
        let text = std::fs::read_to_string(file).ok()?;
        Credentials::from_profile(&text, &given("AWS_PROFILE").unwrap_or_else(|| "default".to_owned()))
    }

    /// The profile `name` of the text of a credentials file.
    fn from_profile(text: &str, name: &str) -> Option<Credentials> {
        let mut inside = false;
        let (mut id, mut secret, mut token) = (None, None, None);
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[').and_then(|l| l.split(']').next()) {
                inside = section.trim() == name;
            } else if inside && let Some((key, value)) = line.split_once('=') {
                let value = Some(value.trim().to_owned()).filter(|v| !v.is_empty());
                match key.trim() {
                    "aws_access_key_id" => id = value,
                    "aws_secret_access_key" => secret = value,
                    "aws_session_token" => token = value,
                    _ => {}
                }
            }
        }
        Some(Credentials { access_key_id: id?, secret_access_key: secret?, session_token: token })
    }
}

#[cfg(test)]
mod tests {
    use super::Credentials;

    const FILE: &str = "# a comment\n[default]\naws_access_key_id = AKID\naws_secret_access_key=SECRET=with=equals\n\
        \n[ other ]\naws_access_key_id=OTHER\naws_secret_access_key=S2\naws_session_token=T\n[half]\n\
        aws_access_key_id=X\n";

    #[test]
    fn a_profile_is_read() {
        let default = Credentials::from_profile(FILE, "default").expect("the profile");
        assert_eq!((&*default.access_key_id, &*default.secret_access_key), ("AKID", "SECRET=with=equals"));
        let other = Credentials::from_profile(FILE, "other").expect("the profile");
        assert_eq!(other.session_token.as_deref(), Some("T"));
        assert_eq!(Credentials::from_profile(FILE, "half"), None);
        assert_eq!(Credentials::from_profile(FILE, "none"), None);
    }

    #[test]
    fn variables_come_first_and_debug_hides_secrets() {
        let variables = |name: &str| {
            (name.starts_with("AWS_ACCESS") || name.starts_with("AWS_SECRET")).then(|| name.to_owned())
        };
        let credentials = Credentials::from_env(variables).expect("credentials");
        assert_eq!(credentials.secret_access_key, "AWS_SECRET_ACCESS_KEY");
        assert!(!format!("{credentials:?}").contains("SECRET"), "{credentials:?}");
        assert_eq!(Credentials::from_env(|_| None), None);
    }
}
