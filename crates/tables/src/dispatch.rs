//! From an operation's name to the library's call.

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::decode;

/// Whether the library has this operation.
pub(crate) fn is_known(operation: &str) -> bool {
    OPERATIONS.contains(&operation)
}

const OPERATIONS: [&str; 28] = [
    "BatchExecuteStatement",
    "BatchGetItem",
    "BatchWriteItem",
    "CreateTable",
    "DeleteItem",
    "DeleteTable",
    "DescribeStream",
    "DescribeTable",
    "DescribeTimeToLive",
    "ExecuteStatement",
    "ExecuteTransaction",
    "GetItem",
    "GetRecords",
    "GetShardIterator",
    "ListStreams",
    "ListTables",
    "ListTagsOfResource",
    "PutItem",
    "Query",
    "Scan",
    "SearchVectors",
    "TagResource",
    "TransactGetItems",
    "TransactWriteItems",
    "UntagResource",
    "UpdateItem",
    "UpdateTable",
    "UpdateTimeToLive",
];

/// Runs a known operation to its end. Blocks: the library reads and writes the disk.
pub(crate) fn run(db: &Database, operation: &str, input: &Value) -> Result<Value, DynoxideError> {
    match operation {
        "BatchExecuteStatement" => with(input, |request| db.batch_execute_statement(request)),
        "BatchGetItem" => with(input, |request| db.batch_get_item(request)),
        "BatchWriteItem" => with(input, |request| db.batch_write_item(request)),
        "CreateTable" => with(input, |request| db.create_table(request)),
        "DeleteItem" => with(input, |request| db.delete_item(request)),
        "DeleteTable" => with(input, |request| db.delete_table(request)),
        "DescribeStream" => with(input, |request| db.describe_stream(request)),
        "DescribeTable" => with(input, |request| db.describe_table(request)),
        "DescribeTimeToLive" => with(input, |request| db.describe_time_to_live(request)),
        "ExecuteStatement" => with(input, |request| db.execute_statement(request)),
        "ExecuteTransaction" => with(input, |request| db.execute_transaction(request)),
        "GetItem" => with(input, |request| db.get_item(request)),
        "GetRecords" => with(input, |request| db.get_records(request)),
        "GetShardIterator" => with(input, |request| db.get_shard_iterator(request)),
        "ListStreams" => with(input, |request| db.list_streams(request)),
        "ListTables" => with(input, |request| db.list_tables(request)),
        "ListTagsOfResource" => with(input, |request| db.list_tags_of_resource(request)),
        "PutItem" => with(input, |request| db.put_item(request)),
        "Query" => with(input, |request| db.query(request)),
        "Scan" => with(input, |request| db.scan(request)),
        "SearchVectors" => with(input, |request| db.search_vectors(request)),
        "TagResource" => with(input, |request| db.tag_resource(request)),
        "TransactGetItems" => with(input, |request| db.transact_get_items(request)),
        "TransactWriteItems" => with(input, |request| db.transact_write_items(request)),
        "UntagResource" => with(input, |request| db.untag_resource(request)),
        "UpdateItem" => with(input, |request| db.update_item(request)),
        "UpdateTable" => with(input, |request| db.update_table(request)),
        "UpdateTimeToLive" => with(input, |request| db.update_time_to_live(request)),
        other => Err(DynoxideError::InternalServerError(format!("{other} is not an operation"))),
    }
}

fn with<Q: DeserializeOwned, R: Serialize>(
    input: &Value,
    call: impl FnOnce(Q) -> Result<R, DynoxideError>,
) -> Result<Value, DynoxideError> {
    let response = call(decode::request(input)?)?;
    serde_json::to_value(response).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
