//! The registry of state machines: their records, every revision of their definitions, and the compiled programs.
//!
//! A *machine* is a name with settings that points to its current *revision*; a revision is a definition with role and
//! configurations, never changed once made and never removed while an execution may need it. Executions refer to
//! revisions by key, so an update or a deletion does not touch them. A version is a number that points to a revision,
//! an alias a name that points to versions: both are records beside the machine's.
//!
//! Owns the keyspaces `engine.machines`, `engine.revisions`, `engine.versions` and `engine.aliases`. Every change is durable before it is visible. Times
//! and ids come in from the caller. The methods that write block the thread until the disk has it; call them from a
//! thread that may block.

mod aliases;
mod cache;
mod errors;
mod logging;
mod record;
mod versions;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use stepwell_asl::{MachineType, Program, compile_as};
use stepwell_aws::Account;
use stepwell_store::{Keyspace, Store, WriteBatch};

use aliases::alias_key;
pub use aliases::{ALIASES_MAX, AliasDescription, AliasUpdate, NewAlias, Route, StartTarget};
use cache::RevisionCache;
pub use errors::{
    CreateAliasError, CreateMachineError, DeleteVersionError, MachinesError, PublishVersionError,
    TagMachineError, UpdateAliasError, UpdateMachineError,
};
pub use logging::ExecutionLog;
use record::{AliasRecord, MachineRecord, RevisionRecord, VersionRecord};
pub use versions::{Publication, VERSIONS_MAX, VersionDescription, VersionSummary};
use versions::{TooManyVersions, version_arn, version_key};

/// State machines of an account. Source: quotas, "Maximum number of registered state machines".
pub const MACHINES_MAX: usize = 100_000;
/// Tags of a machine. Source: quotas, "Maximum number of tags".
pub const TAGS_MAX: usize = 50;

/// In `engine.machines`, before all ARNs: the next free revision key.
const NEXT_KEY: &[u8] = b"\0next-revision";

/// A revision of a state machine, compiled.
#[derive(Debug)]
pub struct MachineRevision {
    /// Its key: unique over all machines of a data directory, never used again.
    pub key: u64,
    /// The unqualified ARN of the machine.
    pub machine_arn: Arc<str>,
    /// The machine's name.
    pub name: Arc<str>,
    /// The role that executions assume; recorded and shown, not enforced.
    pub role_arn: Arc<str>,
    /// The definition's text, exactly as given.
    pub definition: Arc<str>,
    /// Whether the machine's type is `EXPRESS`.
    pub express: bool,
    /// The compiled definition.
    pub program: Arc<Program>,
    /// The `revisionId`, a UUID; absent until the machine's first update.
    pub revision_id: Option<Arc<str>>,
    /// When it was made, in milliseconds since 1970: the `updateDate`.
    pub created_ms: i64,
    /// Logging, tracing, encryption.
    pub configurations: Configurations,
}

/// The configurations of a revision, each as JSON text in the caller's normal form; compared as text, not read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configurations {
    /// `loggingConfiguration`
    pub logging: Arc<str>,
    /// `tracingConfiguration`
    pub tracing: Arc<str>,
    /// `encryptionConfiguration`
    pub encryption: Arc<str>,
}

/// Whether a machine takes executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineStatus {
    /// `ACTIVE`
    Active,
    /// `DELETING`: its executions are being ended; then it is gone.
    Deleting,
}

/// What [`Machines::describe`] tells.
#[derive(Debug, Clone)]
pub struct MachineDescription {
    /// Whether it takes executions.
    pub status: MachineStatus,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// Its current revision.
    pub revision: Arc<MachineRevision>,
}

/// An item of [`Machines::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSummary {
    /// The unqualified ARN.
    pub arn: Arc<str>,
    /// The name.
    pub name: Arc<str>,
    /// Whether its type is `EXPRESS`.
    pub express: bool,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
}

/// What a machine is created from.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// A valid name.
    pub name: String,
    /// ASL text.
    pub definition: String,
    /// Recorded, not enforced.
    pub role_arn: String,
    /// `STANDARD` or `EXPRESS`.
    pub machine_type: MachineType,
    /// In normal form.
    pub configurations: Configurations,
    /// Key and value, no key twice.
    pub tags: Vec<(String, String)>,
    /// Whether to publish version 1.
    pub publish: Option<Publication>,
}

/// What [`Machines::create`] made, or found made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedMachine {
    /// The unqualified ARN.
    pub arn: Arc<str>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: i64,
    /// The version, where one was asked for.
    pub version_arn: Option<Arc<str>>,
}

/// A change of a machine; `None` keeps what is there.
#[derive(Debug, Clone, Default)]
pub struct MachineUpdate {
    /// ASL text.
    pub definition: Option<String>,
    /// The role.
    pub role_arn: Option<String>,
    /// `loggingConfiguration` in normal form.
    pub logging: Option<String>,
    /// `tracingConfiguration` in normal form.
    pub tracing: Option<String>,
    /// `encryptionConfiguration` in normal form.
    pub encryption: Option<String>,
    /// Whether to publish a version of what then is the current revision.
    pub publish: Option<Publication>,
}

/// What [`Machines::update`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdatedMachine {
    /// The time of the update, in milliseconds since 1970.
    pub updated_ms: i64,
    /// The current revision's id; `None` where nothing was ever changed.
    pub revision_id: Option<Arc<str>>,
    /// The current revision's key.
    pub revision: u64,
    /// The version, where one was asked for.
    pub version_arn: Option<Arc<str>>,
}

/// A machine in memory.
#[derive(Debug, Clone)]
struct Entry {
    record: MachineRecord,
    versions: Arc<BTreeMap<u64, VersionRecord>>,
    /// In the order of creation.
    aliases: Arc<Vec<Arc<AliasRecord>>>,
}

impl Entry {
    fn status(&self) -> MachineStatus {
        if self.record.deleting { MachineStatus::Deleting } else { MachineStatus::Active }
    }
}

/// The registry. Share it by reference or in an [`Arc`].
#[derive(Debug)]
pub struct Machines {
    account: Account,
    store: Store,
    machines: Keyspace,
    revisions: Keyspace,
    versions: Keyspace,
    aliases: Keyspace,
    /// Every machine by ARN; what is here is durable.
    entries: RwLock<BTreeMap<Arc<str>, Arc<Entry>>>,
    cache: Mutex<RevisionCache>,
    log: OnceLock<Arc<dyn ExecutionLog>>,
    /// Held over every change, so that a check and its write are one; the value is the next free revision key.
    next_key: Mutex<u64>,
}

impl Machines {
    /// Opens the registry in `store` for `account`.
    pub fn open(store: &Store, account: Account) -> Result<Machines, MachinesError> {
        let machines = store.keyspace("engine.machines")?;
        let versions = store.keyspace("engine.versions")?;
        let aliases = store.keyspace("engine.aliases")?;
        let next_key = match machines.get(NEXT_KEY)? {
            Some(bytes) => record::read_key(&bytes)?,
            None => 1,
        };
        let mut entries = BTreeMap::new();
        for pair in machines.prefix(b"arn:") {
            let (arn, bytes) = pair?;
            let arn = String::from_utf8_lossy(&arn).into_owned();
            let record = MachineRecord::read(&arn, &bytes)?;
            let entry = Entry {
                record,
                versions: Arc::new(read_versions(&versions, &arn)?),
                aliases: Arc::new(read_aliases(&aliases, &arn)?),
            };
            entries.insert(Arc::from(arn), Arc::new(entry));
        }
        Ok(Machines {
            account,
            store: store.clone(),
            machines,
            revisions: store.keyspace("engine.revisions")?,
            versions,
            aliases,
            entries: RwLock::new(entries),
            cache: Mutex::new(RevisionCache::default()),
            log: OnceLock::new(),
            next_key: Mutex::new(next_key),
        })
    }

    /// The ARN that a machine called `name` has.
    #[must_use]
    pub fn arn_of(&self, name: &str) -> Arc<str> {
        self.account.arn("states", &format!("stateMachine:{name}")).into()
    }

    /// Creates a machine. Asked again with the same name, definition, type and configurations it answers as the first
    /// time; a different role or different tags are then ignored, as at AWS.
    pub fn create(&self, new: NewMachine, now_ms: i64) -> Result<CreatedMachine, CreateMachineError> {
        let program = Arc::new(compile_as(&new.definition, new.machine_type)?);
        if new.tags.len() > TAGS_MAX {
            return Err(CreateMachineError::TooManyTags);
        }
        let arn = self.arn_of(&new.name);
        let express = new.machine_type == MachineType::Express;
        let mut next_key = self.begin_change();
        if let Some(entry) = self.entry(&arn) {
            return self.created_before(arn, &entry, &new, express);
        }
        if self.read_entries().len() >= MACHINES_MAX {
            return Err(CreateMachineError::LimitExceeded);
        }
        let revision = MachineRevision {
            key: *next_key,
            machine_arn: arn.clone(),
            name: new.name.as_str().into(),
            role_arn: new.role_arn.into(),
            definition: new.definition.into(),
            express,
            program,
            revision_id: None,
            created_ms: now_ms,
            configurations: new.configurations,
        };
        let record = MachineRecord {
            name: revision.name.clone(),
            express,
            created_ms: now_ms,
            revision: revision.key,
            deleting: false,
            tags: new.tags,
            next_version: 1,
            published_at_creation: new.publish.is_some(),
            creation_description: new.publish.iter().find_map(|p| p.description.as_deref().map(Arc::from)),
        };
        let mut entry = Entry { record, versions: Arc::default(), aliases: Arc::default() };
        let mut batch = WriteBatch::new();
        let version_arn = new.publish.and_then(|publication| {
            let first = self.add_version(&arn, &mut entry, publication, now_ms, &mut batch).ok()?;
            Some(version_arn(&arn, first))
        });
        self.commit_revision(&mut next_key, entry, revision, batch)?;
        Ok(CreatedMachine { arn, created_ms: now_ms, version_arn })
    }

    /// The answer to a CreateStateMachine whose name is taken.
    fn created_before(
        &self,
        arn: Arc<str>,
        entry: &Entry,
        new: &NewMachine,
        express: bool,
    ) -> Result<CreatedMachine, CreateMachineError> {
        let record = &entry.record;
        if record.deleting {
            return Err(CreateMachineError::Deleting { arn });
        }
        let revision = self.present_revision(&arn, record.revision)?;
        let description = new.publish.as_ref().and_then(|p| p.description.as_deref());
        let same = revision.express == express
            && *revision.definition == *new.definition
            && revision.configurations == new.configurations
            && record.published_at_creation == new.publish.is_some()
            && record.creation_description.as_deref() == description;
        if !same {
            return Err(CreateMachineError::AlreadyExists { arn });
        }
        let version = entry.version_of_current().filter(|_| new.publish.is_some());
        let version_arn = version.map(|number| version_arn(&arn, number));
        Ok(CreatedMachine { arn, created_ms: record.created_ms, version_arn })
    }

    /// Changes a machine. Where nothing differs no revision is made and `revision_id`, called only for a new
    /// revision, is not called.
    pub fn update(
        &self,
        arn: &str,
        update: MachineUpdate,
        now_ms: i64,
        revision_id: impl FnOnce() -> String,
    ) -> Result<UpdatedMachine, UpdateMachineError> {
        let mut next_key = self.begin_change();
        let Some(existing) = self.describe(arn)? else {
            return Err(UpdateMachineError::DoesNotExist { arn: arn.to_owned() });
        };
        let old = &existing.revision;
        if existing.status == MachineStatus::Deleting {
            return Err(UpdateMachineError::Deleting { arn: old.machine_arn.clone() });
        }
        let configurations = Configurations {
            logging: changed(update.logging, &old.configurations.logging),
            tracing: changed(update.tracing, &old.configurations.tracing),
            encryption: changed(update.encryption, &old.configurations.encryption),
        };
        let definition = changed(update.definition, &old.definition);
        let role_arn = changed(update.role_arn, &old.role_arn);
        let Some(entry) = self.entry(arn) else {
            return Err(UpdateMachineError::DoesNotExist { arn: arn.to_owned() });
        };
        let (mut entry, mut batch) = ((*entry).clone(), WriteBatch::new());
        if definition == old.definition && role_arn == old.role_arn && configurations == old.configurations {
            let version_arn = self.publish_updated(&mut entry, update.publish, old, now_ms, &mut batch)?;
            if !batch.is_empty() {
                self.commit(arn, entry, batch)?;
            }
            return Ok(UpdatedMachine {
                updated_ms: now_ms,
                revision_id: old.revision_id.clone(),
                revision: old.key,
                version_arn,
            });
        }
        let program = match definition == old.definition {
            true => old.program.clone(),
            false => Arc::new(compile_as(&definition, machine_type(old.express))?),
        };
        let revision = MachineRevision {
            key: *next_key,
            machine_arn: old.machine_arn.clone(),
            name: old.name.clone(),
            role_arn,
            definition,
            express: old.express,
            program,
            revision_id: Some(revision_id().into()),
            created_ms: now_ms,
            configurations,
        };
        entry.record.revision = revision.key;
        let updated = UpdatedMachine {
            updated_ms: now_ms,
            revision_id: revision.revision_id.clone(),
            revision: revision.key,
            version_arn: self.publish_updated(&mut entry, update.publish, &revision, now_ms, &mut batch)?,
        };
        self.commit_revision(&mut next_key, entry, revision, batch)?;
        Ok(updated)
    }

    /// The version that an update asks for, if it does.
    fn publish_updated(
        &self,
        entry: &mut Entry,
        publish: Option<Publication>,
        current: &MachineRevision,
        now_ms: i64,
        batch: &mut WriteBatch,
    ) -> Result<Option<Arc<str>>, UpdateMachineError> {
        let Some(publication) = publish else { return Ok(None) };
        let arn = &*current.machine_arn;
        match self.add_version(arn, entry, publication, now_ms, batch) {
            Ok(number) => Ok(Some(version_arn(arn, number))),
            Err(TooManyVersions) => Err(UpdateMachineError::VersionLimitExceeded),
        }
    }

    /// Marks a machine as being deleted; `false` where there is none. It takes no executions from then on; whoever
    /// ended its running ones calls [`Machines::finish_delete`].
    pub fn begin_delete(&self, arn: &str) -> Result<bool, MachinesError> {
        let _changing = self.begin_change();
        let Some(entry) = self.entry(arn) else { return Ok(false) };
        if !entry.record.deleting {
            let mut entry = (*entry).clone();
            entry.record.deleting = true;
            self.commit(arn, entry, WriteBatch::new())?;
        }
        Ok(true)
    }

    /// Removes a machine that is being deleted, with its versions and aliases. Its revisions stay for the executions that refer to them.
    pub fn finish_delete(&self, arn: &str) -> Result<(), MachinesError> {
        let _changing = self.begin_change();
        let Some(entry) = self.entry(arn).filter(|entry| entry.record.deleting) else { return Ok(()) };
        let mut batch = WriteBatch::new();
        batch.delete(&self.machines, arn);
        for number in entry.versions.keys() {
            batch.delete(&self.versions, version_key(arn, *number));
        }
        for alias in entry.aliases.iter() {
            batch.delete(&self.aliases, alias_key(arn, &alias.name));
        }
        self.store.commit(batch)?;
        self.entries.write().unwrap_or_else(PoisonError::into_inner).remove(arn);
        Ok(())
    }

    /// The machines whose deletion has begun and not finished, perhaps before a crash.
    #[must_use]
    pub fn deleting(&self) -> Vec<Arc<str>> {
        self.read_entries().iter().filter(|(_, e)| e.record.deleting).map(|(arn, _)| arn.clone()).collect()
    }

    /// Whether the machine `arn` is gone or about to go.
    #[must_use]
    pub fn is_deleted(&self, arn: &str) -> bool {
        self.entry(arn).is_none_or(|entry| entry.record.deleting)
    }

    /// The machine `arn` with its current revision; `None` where there is none.
    pub fn describe(&self, arn: &str) -> Result<Option<MachineDescription>, MachinesError> {
        let Some(entry) = self.entry(arn) else { return Ok(None) };
        let revision = self.present_revision(arn, entry.record.revision)?;
        Ok(Some(MachineDescription { status: entry.status(), created_ms: entry.record.created_ms, revision }))
    }

    /// A revision that a record of the machine `arn` names.
    fn present_revision(&self, arn: &str, key: u64) -> Result<Arc<MachineRevision>, MachinesError> {
        self.load_revision(key)?.ok_or_else(|| {
            let reason = format!("its revision {key} is missing");
            MachinesError::Record { what: arn.to_owned(), reason }
        })
    }

    /// Up to `limit` machines in the order of their ARNs, those after the ARN `after`.
    #[must_use]
    pub fn list(&self, after: Option<&str>, limit: usize) -> Vec<MachineSummary> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.read_entries()
            .range::<str, _>((start, Bound::Unbounded))
            .take(limit)
            .map(|(arn, entry)| MachineSummary {
                arn: arn.clone(),
                name: entry.record.name.clone(),
                express: entry.record.express,
                created_ms: entry.record.created_ms,
            })
            .collect()
    }

    /// The tags of a machine in the order in which they were set; `None` where there is no such machine.
    #[must_use]
    pub fn tags(&self, arn: &str) -> Option<Vec<(String, String)>> {
        self.entry(arn).map(|entry| entry.record.tags.clone())
    }

    /// Adds tags, or gives new values to those that are there.
    pub fn tag(&self, arn: &str, tags: Vec<(String, String)>) -> Result<(), TagMachineError> {
        self.change_tags(arn, |present| {
            for (key, value) in tags {
                match present.iter_mut().find(|(k, _)| *k == key) {
                    Some((_, old)) => *old = value,
                    None => present.push((key, value)),
                }
            }
        })
    }

    /// Removes tags by key; a key that is not there is ignored.
    pub fn untag(&self, arn: &str, keys: &[String]) -> Result<(), TagMachineError> {
        self.change_tags(arn, |present| present.retain(|(key, _)| !keys.contains(key)))
    }

    /// The current revision of the machine `arn`, where there is such a machine and it is not being deleted. A failure
    /// of the store is logged and reads as absence; [`Machines::describe`] tells them apart.
    #[must_use]
    pub fn current(&self, arn: &str) -> Option<Arc<MachineRevision>> {
        match self.describe(arn) {
            Ok(found) => found.filter(|m| m.status == MachineStatus::Active).map(|m| m.revision),
            Err(error) => {
                tracing::error!(%arn, %error, "a state machine cannot be loaded");
                None
            }
        }
    }

    /// The revision `key`, also of a machine that was deleted. A failure of the store is logged and reads as absence;
    /// [`Machines::load_revision`] tells them apart.
    #[must_use]
    pub fn revision(&self, key: u64) -> Option<Arc<MachineRevision>> {
        self.load_revision(key).unwrap_or_else(|error| {
            tracing::error!(key, %error, "a state machine revision cannot be loaded");
            None
        })
    }

    /// The revision `key`, read and compiled where it is not in memory; `None` where there never was one.
    pub fn load_revision(&self, key: u64) -> Result<Option<Arc<MachineRevision>>, MachinesError> {
        if let Some(revision) = self.lock_cache().get(key) {
            return Ok(Some(revision));
        }
        let Some(bytes) = self.revisions.get(key.to_be_bytes())? else { return Ok(None) };
        let record = RevisionRecord::read(key, &bytes)?;
        let program = match compile_as(&record.definition, machine_type(record.express)) {
            Ok(program) => program,
            Err(diagnostics) => {
                let arn = record.machine_arn;
                return Err(MachinesError::Definition { key, arn, diagnostics });
            }
        };
        let revision = Arc::new(record.into_revision(key, Arc::new(program)));
        // Two threads may have loaded it; all go on with the one that got in first.
        Ok(Some(self.lock_cache().insert(revision)))
    }

    fn change_tags(
        &self,
        arn: &str,
        change: impl FnOnce(&mut Vec<(String, String)>),
    ) -> Result<(), TagMachineError> {
        let _changing = self.begin_change();
        let Some(old) = self.entry(arn) else {
            return Err(TagMachineError::DoesNotExist { arn: arn.to_owned() });
        };
        let mut entry = (*old).clone();
        change(&mut entry.record.tags);
        if entry.record.tags.len() > TAGS_MAX {
            return Err(TagMachineError::TooManyTags);
        }
        if entry.record.tags != old.record.tags {
            self.commit(arn, entry, WriteBatch::new())?;
        }
        Ok(())
    }

    /// Makes a new revision, the record that points to it and what is in `batch` durable, then visible.
    fn commit_revision(
        &self,
        next_key: &mut u64,
        entry: Entry,
        revision: MachineRevision,
        mut batch: WriteBatch,
    ) -> Result<(), MachinesError> {
        let following = *next_key + 1;
        batch.put(&self.machines, NEXT_KEY, record::key_bytes(following));
        batch.put(&self.revisions, revision.key.to_be_bytes(), RevisionRecord::of(&revision).to_bytes());
        self.commit(&revision.machine_arn, entry, batch)?;
        *next_key = following;
        self.lock_cache().insert(Arc::new(revision));
        Ok(())
    }

    /// Makes a machine's record and what is in `batch` durable, then visible.
    fn commit(&self, arn: &str, entry: Entry, mut batch: WriteBatch) -> Result<(), MachinesError> {
        batch.put(&self.machines, arn, entry.record.to_bytes());
        self.store.commit(batch)?;
        self.entries.write().unwrap_or_else(PoisonError::into_inner).insert(arn.into(), Arc::new(entry));
        Ok(())
    }

    fn entry(&self, arn: &str) -> Option<Arc<Entry>> {
        self.read_entries().get(arn).cloned()
    }

    // A panic elsewhere leaves these maps whole: every change of them is one insertion or removal.

    fn read_entries(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Arc<str>, Arc<Entry>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_cache(&self) -> MutexGuard<'_, RevisionCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_change(&self) -> MutexGuard<'_, u64> {
        self.next_key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The machine's own ARN and the qualifier after it: a version's number or an alias's name.
fn split_qualifier(arn: &str) -> (&str, Option<&str>) {
    match arn.match_indices(':').nth(6) {
        Some((colon, _)) => (&arn[..colon], Some(&arn[colon + 1..])),
        None => (arn, None),
    }
}

fn read_versions(versions: &Keyspace, arn: &str) -> Result<BTreeMap<u64, VersionRecord>, MachinesError> {
    let mut found = BTreeMap::new();
    let prefix = alias_key(arn, "");
    for pair in versions.prefix(&prefix) {
        let (key, bytes) = pair?;
        found.insert(record::read_key(&key[prefix.len()..])?, VersionRecord::read(arn, &bytes)?);
    }
    Ok(found)
}

fn read_aliases(aliases: &Keyspace, arn: &str) -> Result<Vec<Arc<AliasRecord>>, MachinesError> {
    let mut found = Vec::new();
    for pair in aliases.prefix(&alias_key(arn, "")) {
        found.push(Arc::new(AliasRecord::read(arn, &pair?.1)?));
    }
    found.sort_by_key(|alias| alias.number);
    Ok(found)
}

fn changed(new: Option<String>, old: &Arc<str>) -> Arc<str> {
    match new {
        Some(new) if *new != **old => new.into(),
        _ => old.clone(),
    }
}

fn machine_type(express: bool) -> MachineType {
    if express { MachineType::Express } else { MachineType::Standard }
}
