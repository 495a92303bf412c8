//! CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration, DeleteFunction.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use stepwell_aws::Fault;

use super::{named, new_code, shown};
use crate::Inner;
use crate::catalog::Entry;
use crate::faults;
use crate::names::{self, FunctionId, LATEST};
use crate::record::{Alias, Code, FunctionRecord};
use crate::settings;
use crate::validate::{Input, Problems, label};

/// Seconds, AWS's default.
const TIMEOUT_DEFAULT_S: u32 = 3;

/// MB, AWS's default.
const MEMORY_DEFAULT_MB: u32 = 128;

pub(super) async fn create(inner: &Arc<Inner>, input: &Input<'_>) -> Result<Value, Fault> {
    let mut problems = Problems::new();
    for name in ["FunctionName", "Role", "Code"] {
        if input.get(name).is_none() {
            problems.missing(&label(name));
        }
    }
    problems.fault()?;
    let id = names::parse(input.required_text("FunctionName")?, None, &inner.ground.account)?;
    settings::check(input)?;
    if input.text("Runtime")?.is_none() || input.text("Handler")?.is_none() {
        return Err(faults::invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    let code_input =
        input.structure("Code")?.ok_or_else(|| faults::service("Code was checked to be there"))?;
    let code = new_code::read(inner, &code_input).await?;
    let mut record = FunctionRecord {
        name: id.name.clone(),
        version: None,
        last_version: 0,
        aliases: BTreeMap::new(),
        runtime: String::new(),
        role: String::new(),
        handler: String::new(),
        description: String::new(),
        timeout_s: TIMEOUT_DEFAULT_S,
        memory_mb: MEMORY_DEFAULT_MB,
        environment: None,
        code: Code::Archive(String::new()),
        code_sha256: String::new(),
        code_bytes: 0,
        last_modified: String::new(),
        revision_id: String::new(),
        tags: input.text_map("Tags")?.unwrap_or_else(Map::new),
        recorded: Map::new(),
        policy: Vec::new(),
        reserved_concurrency: None,
    };
    settings::apply(&mut record, input)?;
    code.apply(&mut record);
    record.touch();
    let (records, answer) =
        with_version(inner, record, input, |record| record.configuration(&inner.ground.account))?;
    {
        let _changing = inner.catalog.changing.lock().await;
        if inner.catalog.get(&id.name).is_some() {
            return Err(faults::conflict(format!("Function already exist: {}", id.name)));
        }
        inner.catalog.put(records, code.archive.as_deref()).await?;
    }
    warm_up(inner, &id.name);
    Ok(answer)
}

/// Unpacks code and installs packages in the background, so that the first invocation waits less.
fn warm_up(inner: &Arc<Inner>, name: &str) {
    if let Some(entry) = inner.catalog.get(name) {
        let inner = inner.clone();
        tokio::spawn(async move {
            // A failure comes back, with its reason, at the first invocation.
            let _ = entry.launch().blueprint(&inner.ground, &inner.catalog).await;
        });
    }
}

pub(super) async fn update_code(inner: &Arc<Inner>, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, entry) = changeable(inner, input)?;
    settings::check(input)?;
    check_revision(&entry.record(), input)?;
    let code = new_code::read(inner, input).await?;
    let dry_run = input.boolean("DryRun")?.unwrap_or(false);
    let answer = {
        let _changing = inner.catalog.changing.lock().await;
        let entry = inner.function(&id)?;
        let mut record = FunctionRecord::clone(&entry.record());
        check_revision(&record, input)?;
        if let Some(architectures) = input.get("Architectures") {
            record.recorded.insert("Architectures".into(), architectures.clone());
        }
        code.apply(&mut record);
        record.touch();
        let (records, answer) = with_version(inner, record, input, |record| shown(inner, &id, record))?;
        if dry_run {
            return Ok(answer);
        }
        inner.catalog.put(records, code.archive.as_deref()).await?;
        inner.pool.retire(entry.uid, None);
        answer
    };
    warm_up(inner, &id.name);
    Ok(answer)
}

pub(super) async fn update_configuration(inner: &Arc<Inner>, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = changeable(inner, input)?;
    settings::check(input)?;
    let _changing = inner.catalog.changing.lock().await;
    let entry = inner.function(&id)?;
    let mut record = FunctionRecord::clone(&entry.record());
    check_revision(&record, input)?;
    settings::apply(&mut record, input)?;
    record.touch();
    let answer = shown(inner, &id, &record);
    inner.catalog.put(vec![record], None).await?;
    inner.pool.retire(entry.uid, None);
    Ok(answer)
}

pub(super) async fn delete(inner: &Arc<Inner>, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let _changing = inner.catalog.changing.lock().await;
    let latest = inner.latest(&id)?;
    let gone = match id.qualifier.as_deref() {
        None => {
            let mut all = inner.catalog.versions(&id.name);
            all.push(latest);
            all
        }
        Some(LATEST) => {
            return Err(faults::invalid_parameter(
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        Some(alias) if latest.record().aliases.contains_key(alias) => {
            return Err(faults::invalid_parameter("Deletion of aliases is not currently supported."));
        }
        Some(number) => {
            let record = latest.record();
            let uses = |a: &Alias| a.version == number || a.weights.contains_key(number);
            if let Some((alias, _)) = record.aliases.iter().find(|(_, a)| uses(a)) {
                return Err(faults::conflict(format!("Version {number} is used by the alias {alias}")));
            }
            vec![inner.function(&id)?]
        }
    };
    inner.catalog.remove(&gone).await?;
    for entry in gone {
        inner.pool.retire(entry.uid, None);
    }
    Ok(json!({}))
}

/// The function that the members name, where they name no published version.
fn changeable(inner: &Inner, input: &Input<'_>) -> Result<(FunctionId, Arc<Entry>), Fault> {
    let (id, entry) = named(inner, input)?;
    if id.qualifier.as_deref().is_some_and(|q| q != LATEST) {
        return Err(faults::invalid_parameter(
            "Published versions cannot be changed; name the function without a version or alias.",
        ));
    }
    Ok((id, entry))
}

/// The records to store and the answer: with `Publish` also a version of what `$LATEST` is now.
fn with_version(
    inner: &Inner,
    mut record: FunctionRecord,
    input: &Input<'_>,
    show: impl Fn(&FunctionRecord) -> Value,
) -> Result<(Vec<FunctionRecord>, Value), Fault> {
    if input.boolean("Publish")? != Some(true) {
        let answer = show(&record);
        return Ok((vec![record], answer));
    }
    record.last_version += 1;
    let version = record.published(record.last_version, None);
    let answer = version.configuration(&inner.ground.account);
    Ok((vec![record, version], answer))
}

pub(super) fn check_revision(record: &FunctionRecord, input: &Input<'_>) -> Result<(), Fault> {
    match input.text("RevisionId")? {
        Some(revision) if revision != record.revision_id => Err(faults::precondition_failed()),
        _ => Ok(()),
    }
}
