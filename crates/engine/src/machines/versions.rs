//! Versions: numbers that point to revisions, for good.
//!
//! A version is published from the current revision. Its number is never used again while the machine exists; the
//! highest number given out is in the machine's record, so that deleting the newest version does not free it.

use std::sync::Arc;

use stepwell_store::WriteBatch;

use super::record::VersionRecord;
use super::{
    DeleteVersionError, Entry, MachineRevision, MachineStatus, Machines, MachinesError, PublishVersionError,
    split_qualifier,
};

/// Versions of a machine. Source: quotas, "Number of versions".
pub const VERSIONS_MAX: usize = 1_000;

/// That a new version shall be published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publication {
    /// `versionDescription`
    pub description: Option<String>,
}

/// An item of [`Machines::versions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSummary {
    /// `…:stateMachine:<name>:<number>`
    pub arn: Arc<str>,
    /// The first is 1.
    pub number: u64,
    /// When it was published, in milliseconds since 1970.
    pub created_ms: i64,
}

/// What [`Machines::version`] tells.
#[derive(Debug, Clone)]
pub struct VersionDescription {
    /// ARN, number and time.
    pub summary: VersionSummary,
    /// Whether the machine takes executions.
    pub status: MachineStatus,
    /// `versionDescription`
    pub description: Option<Arc<str>>,
    /// What it points to.
    pub revision: Arc<MachineRevision>,
}

/// The ARN of a version.
pub(super) fn version_arn(machine_arn: &str, number: u64) -> Arc<str> {
    format!("{machine_arn}:{number}").into()
}

/// The key of a version's record. The zero byte ends the ARN: no ARN has one.
pub(super) fn version_key(machine_arn: &str, number: u64) -> Vec<u8> {
    let mut key = machine_arn.as_bytes().to_vec();
    key.push(0);
    key.extend(number.to_be_bytes());
    key
}

/// The number that a qualifier gives, where it is a version's and not an alias's.
pub(super) fn number_of(qualifier: &str) -> Option<u64> {
    let plain = !qualifier.starts_with('0') && qualifier.bytes().all(|b| b.is_ascii_digit());
    if plain { qualifier.parse().ok() } else { None }
}

/// The machine has as many versions as it may.
pub(super) struct TooManyVersions;

impl Entry {
    /// The newest version of the current revision.
    pub(super) fn version_of_current(&self) -> Option<u64> {
        self.versions
            .iter()
            .rev()
            .find(|(_, v)| v.revision == self.record.revision)
            .map(|(number, _)| *number)
    }
}

impl Machines {
    /// PublishStateMachineVersion: a version of the current revision, which must be `revision_id` where that is given;
    /// the one that there is where it was published before. `INITIAL` names the revision before the first update.
    pub fn publish(
        &self,
        arn: &str,
        revision_id: Option<&str>,
        publication: Publication,
        now_ms: i64,
    ) -> Result<VersionSummary, PublishVersionError> {
        let _changing = self.begin_change();
        let Some(machine) = self.describe(arn)? else {
            return Err(PublishVersionError::DoesNotExist { arn: arn.to_owned() });
        };
        if machine.status == MachineStatus::Deleting {
            return Err(PublishVersionError::Deleting { arn: machine.revision.machine_arn.clone() });
        }
        let current = machine.revision.revision_id.as_deref().unwrap_or("INITIAL");
        if revision_id.is_some_and(|wanted| wanted != current) {
            return Err(PublishVersionError::OtherRevision { current: current.into() });
        }
        let Some(entry) = self.entry(arn) else {
            return Err(PublishVersionError::DoesNotExist { arn: arn.to_owned() });
        };
        let (mut entry, mut batch) = ((*entry).clone(), WriteBatch::new());
        let Ok(number) = self.add_version(arn, &mut entry, publication, now_ms, &mut batch) else {
            return Err(PublishVersionError::LimitExceeded);
        };
        let published = summary(arn, number, &entry.versions[&number]);
        if !batch.is_empty() {
            self.commit(arn, entry, batch)?;
        }
        Ok(published)
    }

    /// Adds a version of the current revision to `entry` and `batch`; neither changes where there is one.
    pub(super) fn add_version(
        &self,
        arn: &str,
        entry: &mut Entry,
        publication: Publication,
        now_ms: i64,
        batch: &mut WriteBatch,
    ) -> Result<u64, TooManyVersions> {
        if let Some(number) = entry.version_of_current() {
            return Ok(number);
        }
        if entry.versions.len() >= VERSIONS_MAX {
            return Err(TooManyVersions);
        }
        let number = entry.record.next_version;
        let version = VersionRecord {
            revision: entry.record.revision,
            created_ms: now_ms,
            description: publication.description.map(Arc::from),
        };
        batch.put(&self.versions, version_key(arn, number), version.to_bytes());
        entry.record.next_version += 1;
        Arc::make_mut(&mut entry.versions).insert(number, version);
        Ok(number)
    }

    /// The version with this ARN; `None` where there is none.
    pub fn version(&self, arn: &str) -> Result<Option<VersionDescription>, MachinesError> {
        let (machine_arn, qualifier) = split_qualifier(arn);
        let Some(number) = qualifier.and_then(number_of) else { return Ok(None) };
        let Some(entry) = self.entry(machine_arn) else { return Ok(None) };
        let Some(version) = entry.versions.get(&number) else { return Ok(None) };
        Ok(Some(VersionDescription {
            summary: summary(machine_arn, number, version),
            status: entry.status(),
            description: version.description.clone(),
            revision: self.present_revision(machine_arn, version.revision)?,
        }))
    }

    /// Up to `limit` versions of a machine, newest first, those below `below`; `None` where there is no such machine.
    #[must_use]
    pub fn versions(&self, arn: &str, below: Option<u64>, limit: usize) -> Option<Vec<VersionSummary>> {
        let entry = self.entry(arn)?;
        let range = entry.versions.range(..below.unwrap_or(u64::MAX)).rev();
        Some(range.take(limit).map(|(number, version)| summary(arn, *number, version)).collect())
    }

    /// DeleteStateMachineVersion; one that is not there is deleted already. Executions that run it go on.
    pub fn delete_version(&self, arn: &str) -> Result<(), DeleteVersionError> {
        let _changing = self.begin_change();
        let (machine_arn, qualifier) = split_qualifier(arn);
        let (Some(number), Some(entry)) = (qualifier.and_then(number_of), self.entry(machine_arn)) else {
            return Ok(());
        };
        let routing = entry.aliases.iter().filter(|alias| alias.routes.iter().any(|r| r.version == number));
        let aliases: Vec<Arc<str>> = routing.map(|alias| alias.name.clone()).collect();
        if !aliases.is_empty() {
            return Err(DeleteVersionError::Referenced { aliases });
        }
        if !entry.versions.contains_key(&number) {
            return Ok(());
        }
        let (mut entry, mut batch) = ((*entry).clone(), WriteBatch::new());
        batch.delete(&self.versions, version_key(machine_arn, number));
        Arc::make_mut(&mut entry.versions).remove(&number);
        self.commit(machine_arn, entry, batch)?;
        Ok(())
    }
}

fn summary(machine_arn: &str, number: u64, version: &VersionRecord) -> VersionSummary {
    VersionSummary { arn: version_arn(machine_arn, number), number, created_ms: version.created_ms }
}
