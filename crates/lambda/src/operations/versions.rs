//! Published versions and aliases.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use stepwell_aws::Fault;

use super::functions::check_revision;
use super::read::page_size;
use super::{change, named};
use crate::Inner;
use crate::faults;
use crate::names::{FunctionId, LATEST, function_arn};
use crate::record::{Alias, FunctionRecord};
use crate::validate::{Input, Problems};

pub(super) async fn publish(inner: &Arc<Inner>, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let description = input.text("Description")?;
    let mut problems = Problems::new();
    problems.length("description", description.unwrap_or_default(), 0, 256);
    problems.fault()?;
    let _changing = inner.catalog.changing.lock().await;
    let mut record = FunctionRecord::clone(&*inner.latest(&id)?.record());
    check_revision(&record, input)?;
    if let Some(expected) = input.text("CodeSha256")?
        && expected != record.code_sha256
    {
        return Err(faults::invalid_parameter(format!(
            "CodeSHA256 ({expected}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the \
             CodeSHA256 in $LATEST.",
            record.code_sha256
        )));
    }
    // What has not changed since the last version is not published again.
    let last = inner.catalog.get(&format!("{}:{}", record.name, record.last_version)).map(|e| e.record());
    if let Some(last) = last.filter(|last| last.runs_like(&record)) {
        return Ok(last.configuration(&inner.ground.account));
    }
    record.last_version += 1;
    let version = record.published(record.last_version, description);
    let answer = version.configuration(&inner.ground.account);
    inner.catalog.put(vec![record, version], None).await?;
    Ok(answer)
}

pub(super) fn list(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let mut latest = inner.latest(&id)?.record().configuration(&inner.ground.account);
    latest["FunctionArn"] = json!(format!("{}:{LATEST}", function_arn(&inner.ground.account, &id.name)));
    let mut all = vec![latest];
    let published = inner.catalog.versions(&id.name);
    all.extend(published.iter().map(|entry| entry.record().configuration(&inner.ground.account)));
    page("Versions", all, input)
}

/// A page of `all`; the marker is the number of those before it.
fn page(member: &str, all: Vec<Value>, input: &Input<'_>) -> Result<Value, Fault> {
    let count = page_size(input)?;
    let start = match input.text("Marker")? {
        None | Some("") => 0,
        Some(marker) => marker
            .parse::<usize>()
            .map_err(|_| faults::invalid_parameter("The Marker is not one that was returned"))?,
    };
    let total = all.len();
    let items: Vec<Value> = all.into_iter().skip(start).take(count).collect();
    let end = start.saturating_add(items.len());
    let mut output = json!({ member: items });
    if end < total {
        output["NextMarker"] = json!(end.to_string());
    }
    Ok(output)
}

fn alias_arn(inner: &Inner, id: &FunctionId, alias: &str) -> String {
    format!("{}:{alias}", function_arn(&inner.ground.account, &id.name))
}

fn shown(inner: &Inner, id: &FunctionId, name: &str, alias: &Alias) -> Value {
    let mut output = json!({
        "AliasArn": alias_arn(inner, id, name),
        "Name": name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    });
    if !alias.weights.is_empty() {
        output["RoutingConfig"] = json!({"AdditionalVersionWeights": alias.weights});
    }
    output
}

fn alias_name<'a>(input: &Input<'a>) -> Result<&'a str, Fault> {
    let name = input.required_text("Name")?;
    let mut problems = Problems::new();
    problems.length("name", name, 1, 128);
    let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !word || name.bytes().all(|b| b.is_ascii_digit()) {
        problems.pattern("name", name, "(?!^[0-9]+$)([a-zA-Z0-9-_]+)");
    }
    problems.fault()?;
    Ok(name)
}

/// Takes the members of CreateAlias and UpdateAlias over.
fn apply(inner: &Inner, id: &FunctionId, alias: &mut Alias, input: &Input<'_>) -> Result<(), Fault> {
    let there = |version: &str| {
        let published = inner.catalog.get(&format!("{}:{version}", id.name)).is_some();
        if published || version == LATEST {
            return Ok(());
        }
        let arn = alias_arn(inner, id, version);
        Err(faults::resource_not_found(format!("Function not found: {arn}")))
    };
    if let Some(version) = input.text("FunctionVersion")? {
        there(version)?;
        alias.version = version.to_owned();
    }
    if let Some(description) = input.text("Description")? {
        alias.description = description.to_owned();
    }
    if let Some(routing) = input.structure("RoutingConfig")? {
        let mut weights = BTreeMap::new();
        for (version, weight) in
            routing.structure("AdditionalVersionWeights")?.map(weights_of).unwrap_or_default()
        {
            there(&version)?;
            match weight.as_f64() {
                Some(weight @ 0.0..=1.0) => weights.insert(version, weight),
                _ => return Err(faults::invalid_parameter("A weight must be a number from 0.0 to 1.0")),
            };
        }
        alias.weights = weights;
    }
    alias.revision_id = uuid::Uuid::new_v4().to_string();
    Ok(())
}

fn weights_of(input: Input<'_>) -> Map<String, Value> {
    input.members().clone()
}

fn no_alias(inner: &Inner, id: &FunctionId, name: &str) -> Fault {
    faults::resource_not_found(format!("Cannot find alias arn: {}", alias_arn(inner, id, name)))
}

pub(super) async fn create_alias(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let name = alias_name(input)?;
    input.required_text("FunctionVersion")?;
    change(inner, &id, |record| {
        if record.aliases.contains_key(name) {
            let arn = alias_arn(inner, &id, name);
            return Err(faults::conflict(format!("Alias already exists: {arn}")));
        }
        let mut alias = Alias {
            version: String::new(),
            description: String::new(),
            weights: BTreeMap::new(),
            revision_id: String::new(),
        };
        apply(inner, &id, &mut alias, input)?;
        let answer = shown(inner, &id, name, &alias);
        record.aliases.insert(name.to_owned(), alias);
        Ok(answer)
    })
    .await
}

pub(super) async fn update_alias(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let name = alias_name(input)?;
    change(inner, &id, |record| {
        let alias = record.aliases.get_mut(name).ok_or_else(|| no_alias(inner, &id, name))?;
        if input.text("RevisionId")?.is_some_and(|given| given != alias.revision_id) {
            return Err(faults::precondition_failed());
        }
        apply(inner, &id, alias, input)?;
        Ok(shown(inner, &id, name, alias))
    })
    .await
}

/// Succeeds also where there is no such alias, as on AWS.
pub(super) async fn delete_alias(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let name = alias_name(input)?;
    change(inner, &id, |record| {
        record.aliases.remove(name);
        Ok(json!({}))
    })
    .await
}

pub(super) fn get_alias(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let name = alias_name(input)?;
    let record = inner.latest(&id)?.record();
    let alias = record.aliases.get(name).ok_or_else(|| no_alias(inner, &id, name))?;
    Ok(shown(inner, &id, name, alias))
}

pub(super) fn list_aliases(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let version = input.text("FunctionVersion")?;
    let record = inner.latest(&id)?.record();
    let aliases = record.aliases.iter().filter(|(_, a)| version.is_none_or(|v| a.version == v));
    page("Aliases", aliases.map(|(name, alias)| shown(inner, &id, name, alias)).collect(), input)
}
