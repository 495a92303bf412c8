//! Reserved concurrency: how many invocations of one function may be in progress.

use serde_json::{Value, json};
use stepwell_aws::Fault;

use super::{change, named};
use crate::Inner;
use crate::validate::{Input, Problems};

pub(super) async fn put(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    let mut problems = Problems::new();
    let asked = input.integer("ReservedConcurrentExecutions")?;
    match asked {
        Some(number) => problems.range("reservedConcurrentExecutions", number, 0, i64::from(u32::MAX)),
        None => problems.missing("reservedConcurrentExecutions"),
    }
    problems.fault()?;
    change(inner, &id, |record| {
        record.reserved_concurrency = asked.and_then(|n| u32::try_from(n).ok());
        Ok(json!({"ReservedConcurrentExecutions": record.reserved_concurrency}))
    })
    .await
}

pub(super) fn get(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    Ok(match inner.latest(&id)?.record().reserved_concurrency {
        Some(limit) => json!({ "ReservedConcurrentExecutions": limit }),
        None => json!({}),
    })
}

pub(super) async fn delete(inner: &Inner, input: &Input<'_>) -> Result<Value, Fault> {
    let (id, _) = named(inner, input)?;
    change(inner, &id, |record| {
        record.reserved_concurrency = None;
        Ok(json!({}))
    })
    .await
}
