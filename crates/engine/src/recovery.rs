//! What a start of the engine finds in the store, and gives to the shards.

use std::sync::mpsc;

use stepwell_store::{Executions, ExpressStarts, ReadError};

use crate::engine::{index_of, shard_index};
use crate::shard::{Message, Shard};

/// Lets the executions that ran when the engine stopped go on.
pub(crate) fn recover(
    executions: &Executions,
    shards: &mut [(Shard, mpsc::Receiver<Message>)],
) -> Result<(), ReadError> {
    let (mut recovered, mut parked_count) = (0u64, 0u64);
    let count = shards.len();
    for entry in executions.running() {
        // What cannot be understood costs only the execution it belongs to; a disk that cannot be read costs all.
        let (key, parked) = match entry {
            Err(error @ ReadError::Corrupt { .. }) => {
                tracing::error!(%error, "cannot go on with an execution");
                continue;
            }
            entry => entry?,
        };
        if let Some(parked) = parked {
            shards[index_of(parked.arn_hash, count)].0.recover_parked(key, parked.due_ms);
            parked_count += 1;
            continue;
        }
        let row = match executions.row(key) {
            Ok(Some(row)) => row,
            Ok(None) => continue,
            Err(error @ ReadError::Corrupt { .. }) => {
                tracing::error!(execution = key.0, %error, "cannot go on with an execution");
                continue;
            }
            Err(error) => return Err(error),
        };
        let shard = &mut shards[shard_index(&row.info.execution_arn, count)].0;
        if row.info.kind.is_express() {
            shard.recover_express_child(key);
            continue;
        }
        match shard.recover(key) {
            Ok(()) => recovered += 1,
            Err(error) => {
                tracing::error!(execution = %row.info.execution_arn, %error, "cannot go on with an execution");
            }
        }
    }
    for arn in executions.orphans() {
        let arn = arn?;
        shards[shard_index(&arn, count)].0.recover_orphan(arn);
    }
    if recovered + parked_count > 0 {
        tracing::info!(executions = recovered, waiting = parked_count, "running executions go on");
    }
    Ok(())
}

/// Lets the asynchronous Express executions that have not ended run again.
pub(crate) fn recover_express(
    starts: &ExpressStarts,
    shards: &mut [(Shard, mpsc::Receiver<Message>)],
) -> Result<(), ReadError> {
    let count = shards.len();
    for start in starts.all() {
        match start {
            Ok(start) => shards[shard_index(&start.info.execution_arn, count)].0.recover_express(start),
            Err(error @ ReadError::Corrupt { .. }) => {
                tracing::error!(%error, "cannot run an Express execution again");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
