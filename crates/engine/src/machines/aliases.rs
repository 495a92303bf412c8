//! Aliases: names that route executions to one or two versions, by weight; and what an ARN starts.

use std::sync::Arc;

use stepwell_store::WriteBatch;

use super::record::AliasRecord;
use super::versions::{number_of, version_arn};
use super::{
    CreateAliasError, Entry, MachineRevision, MachineStatus, Machines, MachinesError, UpdateAliasError,
    split_qualifier,
};

/// Aliases of a machine. Source: quotas, "Number of aliases".
pub const ALIASES_MAX: usize = 100;

/// How many of a hundred executions an alias gives to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The version's number.
    pub version: u64,
    /// 0 to 100; the weights of an alias are 100 together.
    pub weight: u8,
}

/// What an alias is created from. The routes lead to different versions, and their weights are 100 together.
#[derive(Debug, Clone)]
pub struct NewAlias {
    /// A valid alias name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// One or two.
    pub routes: Vec<Route>,
}

/// A change of an alias; `None` keeps what is there.
#[derive(Debug, Clone, Default)]
pub struct AliasUpdate {
    /// Free text.
    pub description: Option<String>,
    /// As in [`NewAlias`].
    pub routes: Option<Vec<Route>>,
}

/// What [`Machines::alias`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasDescription {
    /// `…:stateMachine:<name>:<alias>`
    pub arn: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// In the order of creation within its machine.
    pub number: u64,
    /// Free text.
    pub description: Option<Arc<str>>,
    /// Version ARN and weight.
    pub routes: Vec<(Arc<str>, u8)>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was last updated, in milliseconds since 1970; `None` where it never was.
    pub updated_ms: Option<i64>,
}

/// What an execution that is started by some ARN runs.
#[derive(Debug, Clone)]
pub struct StartTarget {
    /// Whether the machine takes executions.
    pub status: MachineStatus,
    /// What runs.
    pub revision: Arc<MachineRevision>,
    /// The version, where the ARN was a version's or an alias's.
    pub version_arn: Option<Arc<str>>,
    /// The alias, where the ARN was one's.
    pub alias_arn: Option<Arc<str>>,
}

impl Machines {
    /// CreateStateMachineAlias; asked again with the same routes and description it answers as the first time.
    pub fn create_alias(
        &self,
        machine_arn: &str,
        new: NewAlias,
        now_ms: i64,
    ) -> Result<AliasDescription, CreateAliasError> {
        let _changing = self.begin_change();
        let Some(entry) = self.entry(machine_arn) else { return Err(CreateAliasError::VersionDoesNotExist) };
        if entry.record.deleting {
            return Err(CreateAliasError::Deleting { arn: machine_arn.into() });
        }
        if !entry.has_versions(&new.routes) {
            return Err(CreateAliasError::VersionDoesNotExist);
        }
        if let Some(known) = entry.alias(&new.name) {
            let same =
                known.routes == new.routes && known.description.as_deref() == new.description.as_deref();
            return if same { Ok(describe(machine_arn, known)) } else { Err(CreateAliasError::Differs) };
        }
        if entry.aliases.len() >= ALIASES_MAX {
            return Err(CreateAliasError::LimitExceeded);
        }
        let alias = AliasRecord {
            name: new.name.into(),
            number: entry.aliases.last().map_or(1, |newest| newest.number + 1),
            description: new.description.map(Arc::from),
            routes: new.routes,
            created_ms: now_ms,
            updated_ms: None,
        };
        let described = describe(machine_arn, &alias);
        let mut entry = (*entry).clone();
        let batch = self.put_alias(machine_arn, &alias);
        Arc::make_mut(&mut entry.aliases).push(Arc::new(alias));
        self.commit(machine_arn, entry, batch)?;
        Ok(described)
    }

    /// UpdateStateMachineAlias.
    pub fn update_alias(&self, arn: &str, update: AliasUpdate, now_ms: i64) -> Result<(), UpdateAliasError> {
        let _changing = self.begin_change();
        let (machine_arn, name) = split_qualifier(arn);
        let found = self.entry(machine_arn).zip(name);
        let Some((entry, name)) = found else { return Err(UpdateAliasError::DoesNotExist) };
        let Some(place) = entry.aliases.iter().position(|alias| *alias.name == *name) else {
            return Err(UpdateAliasError::DoesNotExist);
        };
        if entry.record.deleting {
            return Err(UpdateAliasError::Deleting { arn: machine_arn.into() });
        }
        let mut alias = AliasRecord::clone(&entry.aliases[place]);
        if let Some(routes) = update.routes {
            if !entry.has_versions(&routes) {
                return Err(UpdateAliasError::DoesNotExist);
            }
            alias.routes = routes;
        }
        if let Some(description) = update.description {
            alias.description = Some(description.into());
        }
        alias.updated_ms = Some(now_ms);
        let mut entry = (*entry).clone();
        let batch = self.put_alias(machine_arn, &alias);
        Arc::make_mut(&mut entry.aliases)[place] = Arc::new(alias);
        self.commit(machine_arn, entry, batch)?;
        Ok(())
    }

    /// DeleteStateMachineAlias; one that is not there is deleted already. Executions that it started go on.
    pub fn delete_alias(&self, arn: &str) -> Result<(), MachinesError> {
        let _changing = self.begin_change();
        let (machine_arn, name) = split_qualifier(arn);
        let Some((entry, name)) = self.entry(machine_arn).zip(name) else { return Ok(()) };
        if entry.alias(name).is_none() {
            return Ok(());
        }
        let (mut entry, mut batch) = ((*entry).clone(), WriteBatch::new());
        batch.delete(&self.aliases, alias_key(machine_arn, name));
        Arc::make_mut(&mut entry.aliases).retain(|alias| *alias.name != *name);
        self.commit(machine_arn, entry, batch)
    }

    /// The alias with this ARN.
    #[must_use]
    pub fn alias(&self, arn: &str) -> Option<AliasDescription> {
        let (machine_arn, name) = split_qualifier(arn);
        self.entry(machine_arn)?.alias(name?).map(|alias| describe(machine_arn, alias))
    }

    /// Up to `limit` aliases of a machine in the order of their creation, those after number `after`; of those that
    /// route to one version only, where it is given. `None` where there is no such machine.
    #[must_use]
    pub fn aliases(
        &self,
        machine_arn: &str,
        version: Option<u64>,
        after: u64,
        limit: usize,
    ) -> Option<Vec<AliasDescription>> {
        let entry = self.entry(machine_arn)?;
        let routes_there = |a: &AliasRecord| version.is_none_or(|v| a.routes.iter().any(|r| r.version == v));
        let wanted = entry.aliases.iter().filter(|alias| alias.number > after && routes_there(alias));
        Some(wanted.take(limit).map(|alias| describe(machine_arn, alias)).collect())
    }

    /// What StartExecution of `arn`, in any form, runs; an alias chooses among its versions by `entropy`. `None` where
    /// the ARN names nothing.
    pub fn start_target(&self, arn: &str, entropy: u64) -> Result<Option<StartTarget>, MachinesError> {
        let (machine_arn, qualifier) = split_qualifier(arn);
        let Some(entry) = self.entry(machine_arn) else { return Ok(None) };
        let (revision, version, alias_arn) = match qualifier {
            None => (entry.record.revision, None, None),
            Some(qualifier) => {
                let alias = entry.alias(qualifier);
                let number = alias.map_or_else(|| number_of(qualifier), |alias| alias.pick(entropy));
                let Some((number, version)) = number.and_then(|n| Some((n, entry.versions.get(&n)?))) else {
                    return Ok(None);
                };
                (version.revision, Some(number), alias.map(|_| Arc::from(arn)))
            }
        };
        Ok(Some(StartTarget {
            status: entry.status(),
            revision: self.present_revision(machine_arn, revision)?,
            version_arn: version.map(|number| version_arn(machine_arn, number)),
            alias_arn,
        }))
    }

    fn put_alias(&self, machine_arn: &str, alias: &AliasRecord) -> WriteBatch {
        let mut batch = WriteBatch::new();
        batch.put(&self.aliases, alias_key(machine_arn, &alias.name), alias.to_bytes());
        batch
    }
}

impl Entry {
    fn alias(&self, name: &str) -> Option<&AliasRecord> {
        self.aliases.iter().find(|alias| *alias.name == *name).map(|alias| &**alias)
    }

    fn has_versions(&self, routes: &[Route]) -> bool {
        routes.iter().all(|route| self.versions.contains_key(&route.version))
    }
}

impl AliasRecord {
    /// The version for an execution; each is chosen as often as its weight says.
    fn pick(&self, entropy: u64) -> Option<u64> {
        let mut point = entropy % 100;
        for route in &self.routes {
            let weight = u64::from(route.weight);
            if point < weight {
                return Some(route.version);
            }
            point -= weight;
        }
        None
    }
}

/// The key of an alias's record. The zero byte ends the ARN: no ARN has one.
pub(super) fn alias_key(machine_arn: &str, name: &str) -> Vec<u8> {
    let mut key = machine_arn.as_bytes().to_vec();
    key.push(0);
    key.extend(name.as_bytes());
    key
}

fn describe(machine_arn: &str, alias: &AliasRecord) -> AliasDescription {
    AliasDescription {
        arn: format!("{machine_arn}:{}", alias.name).into(),
        name: alias.name.clone(),
        number: alias.number,
        description: alias.description.clone(),
        routes: alias.routes.iter().map(|r| (version_arn(machine_arn, r.version), r.weight)).collect(),
        created_ms: alias.created_ms,
        updated_ms: alias.updated_ms,
    }
}
