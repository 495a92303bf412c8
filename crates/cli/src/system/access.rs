//! Who may use a system whose requests must be signed: its clients, whose credentials come from outside and may change,
//! and its functions, whose credentials are made at every start and are never written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stepwell_aws::Account;
use stepwell_engine::SystemClock;
use stepwell_lambda::Credentials;
use stepwell_server::{Authenticator, Credential, Keyring};
use uuid::Uuid;

/// Credentials of an account that a system was not started with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the access key {access_key_id} is of the account {account}, which this server learns of only by a restart"
)]
pub struct UnknownAccount {
    /// Whose.
    pub access_key_id: String,
    /// Which.
    pub account: String,
}

/// Who may use a system. Cheap to clone; the clones are one.
#[derive(Clone)]
pub(crate) struct Access {
    authenticator: Arc<Authenticator>,
    /// By account; the server's own and all that clients have credentials of.
    functions: Arc<BTreeMap<String, Credential>>,
    own: String,
}

impl Access {
    /// For the server's account and those of the clients; `None` where there is no credential at all, so that nothing
    /// is to be signed.
    pub(super) fn new(account: &Account, clients: &Keyring) -> Option<Access> {
        if clients.is_empty() {
            return None;
        }
        let accounts: BTreeSet<&String> = clients.iter().map(|c| &c.account).chain([&account.id]).collect();
        let functions = accounts.into_iter().map(|id| (id.clone(), function_credential(id))).collect();
        let access = Access {
            authenticator: Arc::new(Authenticator::new(
                &account.region,
                Keyring::default(),
                Arc::new(SystemClock),
            )),
            functions: Arc::new(functions),
            own: account.id.clone(),
        };
        access.install(clients);
        Some(access)
    }

    pub(super) fn authenticator(&self) -> Arc<Authenticator> {
        self.authenticator.clone()
    }

    /// The accounts besides the server's own.
    pub(super) fn other_accounts(&self) -> impl Iterator<Item = &String> {
        self.functions.keys().filter(|id| **id != self.own)
    }

    /// What the functions of an account sign with.
    pub(super) fn of_functions(&self, account: &str) -> Option<Credentials> {
        let credential = self.functions.get(account)?;
        Some(Credentials {
            access_key_id: credential.access_key_id.clone(),
            secret_access_key: credential.secret_access_key.clone(),
            session_token: credential.session_token.clone().unwrap_or_default(),
        })
    }

    /// From now on clients sign with these.
    pub(super) fn replace(&self, clients: &Keyring) -> Result<(), UnknownAccount> {
        match clients.iter().find(|client| !self.functions.contains_key(&client.account)) {
            Some(stranger) => Err(UnknownAccount {
                access_key_id: stranger.access_key_id.clone(),
                account: stranger.account.clone(),
            }),
            None => {
                self.install(clients);
                Ok(())
            }
        }
    }

    fn install(&self, clients: &Keyring) {
        let of_function = |id: &str| self.functions.values().any(|function| function.access_key_id == id);
        let clients = clients.iter().filter(|client| !of_function(&client.access_key_id));
        let all = clients.chain(self.functions.values()).cloned();
        let keyring = Keyring::new(all).expect("keys that were taken are joined, and none is there twice");
        self.authenticator.replace(keyring);
    }
}

/// Temporary credentials, as functions have on AWS.
fn function_credential(account: &str) -> Credential {
    let random = || Uuid::new_v4().simple().to_string();
    Credential {
        access_key_id: format!("ASIA{}", random()[..16].to_uppercase()),
        secret_access_key: random() + &random(),
        session_token: Some(random() + &random()),
        account: account.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str, account: &str) -> Credential {
        Credential { access_key_id: id.into(), account: account.into(), ..function_credential(account) }
    }

    #[test]
    fn accounts_are_those_of_the_start() {
        let own = Account::default();
        assert!(Access::new(&own, &Keyring::default()).is_none());
        let clients = Keyring::new([client("A", &own.id), client("B", "111111111111")]).expect("fits");
        let access = Access::new(&own, &clients).expect("is guarded");
        assert_eq!(access.other_accounts().collect::<Vec<_>>(), ["111111111111"]);
        let first = access.of_functions(&own.id).expect("there are functions");
        let second = access.of_functions("111111111111").expect("there are functions");
        assert_ne!(first.secret_access_key, second.secret_access_key);
        assert_eq!(first.access_key_id.len(), 20);
        assert_eq!(access.replace(&Keyring::new([client("C", "111111111111")]).expect("fits")), Ok(()));
        let strange = Keyring::new([client("D", "222222222222")]).expect("fits");
        assert_eq!(access.replace(&strange).expect_err("is new").account, "222222222222");
    }
}
