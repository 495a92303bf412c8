//! The credentials that a server's clients sign with: from a file in the format of `~/.aws/credentials`, and from the
//! environment. Never from the command line, which everybody on the machine can read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use stepwell_server::{Credential, Keyring, KeyringError};

/// The variables that give one access key.
const ID_VARIABLE: &str = "STEPWELL_ACCESS_KEY_ID";
const SECRET_VARIABLE: &str = "STEPWELL_SECRET_ACCESS_KEY";

/// Shorter secrets can be guessed. AWS's have 40 letters.
const SECRET_CHARS_SAFE: usize = 16;

/// Credentials that cannot be used. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeysError {
    /// The file.
    #[error("cannot read credentials from {}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// One of the two variables.
    #[error("{ID_VARIABLE} and {SECRET_VARIABLE} must be set together")]
    HalfAKey,
    /// What they say.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// Where a server's credentials come from.
#[derive(Debug, Clone)]
pub(crate) struct KeySource {
    /// A credentials file.
    pub(crate) file: Option<PathBuf>,
    /// The account of a key that names none.
    pub(crate) account: String,
}

impl KeySource {
    /// All credentials; none where no source names any.
    ///
    /// Errors: a source is there and cannot be used.
    pub(crate) fn read(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Keyring, KeysError> {
        let mut credentials = Vec::new();
        match (variable(ID_VARIABLE), variable(SECRET_VARIABLE)) {
            (None, None) => {}
            (Some(id), Some(secret)) => credentials.push(Credential {
                access_key_id: id,
                secret_access_key: secret,
                session_token: None,
                account: self.account.clone(),
            }),
            _ => return Err(KeysError::HalfAKey),
        }
        if let Some(path) = &self.file {
            let failed = |reason: String| KeysError::File { path: path.clone(), reason };
            let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
            let found = profiles(&text, &self.account).map_err(failed)?;
            if found.is_empty() {
                return Err(failed("no profile in it has an access key".to_owned()));
            }
            warn_of_readers(path);
            credentials.extend(found);
        }
        for credential in &credentials {
            if credential.secret_access_key.len() < SECRET_CHARS_SAFE {
                let access_key_id = &credential.access_key_id;
                tracing::warn!(%access_key_id, "a secret access key is short enough to be guessed");
            }
        }
        Ok(Keyring::new(credentials)?)
    }
}

fn warn_of_readers(path: &Path) {
    let mode = std::fs::metadata(path).map(|data| data.permissions().mode() & 0o777);
    if let Ok(mode) = mode
        && mode & 0o077 != 0
    {
        let path = path.display();
        tracing::warn!(%path, mode = %format!("{mode:o}"), "other users can read the credentials; chmod 600 it");
    }
}

/// A profile that is being read.
#[derive(Default)]
struct Profile {
    name: String,
    id: Option<String>,
    secret: Option<String>,
    token: Option<String>,
    account: Option<String>,
}

impl Profile {
    /// Its credential; `None` where it has nothing of one, as profiles that only name a role or a region.
    fn finish(self, account: &str) -> Result<Option<Credential>, String> {
        let name = self.name;
        match (self.id, self.secret) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(format!("profile '{name}' has no aws_secret_access_key")),
            (None, Some(_)) => Err(format!("profile '{name}' has no aws_access_key_id")),
            (Some(access_key_id), Some(secret_access_key)) => Ok(Some(Credential {
                access_key_id,
                secret_access_key,
                session_token: self.token,
                account: self.account.unwrap_or_else(|| account.to_owned()),
            })),
        }
    }
}

/// The credentials of all profiles of a file's text. `account` is for those that have no `aws_account_id`.
fn profiles(text: &str, account: &str) -> Result<Vec<Credential>, String> {
    let mut found = Vec::new();
    let mut profile: Option<Profile> = None;
    for (line, number) in text.trim_start_matches('\u{feff}').lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.split(']').next().unwrap_or_default().trim().to_owned();
            let next = Profile { name, ..Profile::default() };
            found.extend(profile.replace(next).map(|last| last.finish(account)).transpose()?.flatten());
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| format!("line {number} has no '='"))?;
        let profile = profile.as_mut().ok_or_else(|| format!("line {number} comes before any [profile]"))?;
        let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        match key.trim() {
            "aws_access_key_id" => profile.id = value,
            "aws_secret_access_key" => profile.secret = value,
            "aws_session_token" => profile.token = value,
            "aws_account_id" => {
                let digits = |id: &String| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
                if !value.as_ref().is_some_and(digits) {
                    return Err(format!("line {number}: an account id has twelve digits"));
                }
                profile.account = value;
            }
            // Files that are shared with AWS's tools have regions, roles and the like.
            _ => {}
        }
    }
    found.extend(profile.map(|last| last.finish(account)).transpose()?.flatten());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_profiles_of_a_file_are_read() {
        let text = "# mine\n[default]\naws_access_key_id = AKID\naws_secret_access_key=S=1\nregion = x\n\n[ team ]\n\
                    aws_access_key_id=B\naws_secret_access_key=T\naws_session_token=U\naws_account_id = 123456789012\n\
                    [role]\nrole_arn = arn\n";
        let found = profiles(text, "000000000000").expect("is read");
        let seen: Vec<_> = found
            .iter()
            .map(|c| (&*c.access_key_id, &*c.secret_access_key, c.session_token.as_deref(), &*c.account))
            .collect();
        assert_eq!(seen, [("AKID", "S=1", None, "000000000000"), ("B", "T", Some("U"), "123456789012")]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named_without_secrets() {
        for (text, expected) in [
            ("[a]\naws_access_key_id=x\n", "profile 'a' has no aws_secret_access_key"),
            ("[a]\naws_secret_access_key=hush\n[b]\n", "profile 'a' has no aws_access_key_id"),
            ("[a]\nhush\n", "line 2 has no '='"),
            ("aws_secret_access_key=hush\n", "line 1 comes before any [profile]"),
            ("[a]\naws_account_id=1\n", "line 2: an account id has twelve digits"),
        ] {
            assert_eq!(profiles(text, "0").expect_err("is refused"), expected);
        }
    }

    #[test]
    fn the_environment_gives_one_key() {
        let source = KeySource { file: None, account: "000000000000".into() };
        assert!(source.read(|_| None).expect("nothing").is_empty());
        let both = source.read(|name| Some(format!("value.of.{name}"))).expect("a key");
        assert_eq!(both.iter().next().expect("one").access_key_id, "value.of.STEPWELL_ACCESS_KEY_ID");
        let half = source.read(|name| (name == SECRET_VARIABLE).then(|| "hush".to_owned()));
        assert!(!half.expect_err("half").to_string().contains("hush"));
        let nowhere = KeySource { file: Some("/nowhere/at/all".into()), ..source };
        assert!(nowhere.read(|_| None).expect_err("no file").to_string().contains("/nowhere/at/all"));
    }
}
