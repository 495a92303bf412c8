//! The tables as the Python SDK sees them: `boto3_dynamodb.py` against a small HTTP server. Skipped, and said so, where
//! the machine has no Python with boto3.

#![allow(clippy::result_large_err)]

// The one server for tests of this kind lives with the queue's tests.
#[allow(dead_code, unreachable_pub, clippy::print_stderr)]
#[path = "../../queue/tests/support/shim.rs"]
mod shim;

use stepwell_aws::Account;
use stepwell_tables::Tables;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_works_unchanged() {
    let directory = tempfile::tempdir().expect("a directory");
    let tables = Tables::open(&directory.path().join("tables.sqlite"), Account::default()).expect("opens");
    let address = shim::serve(tables).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boto3_dynamodb.py");
    let ended = tokio::task::spawn_blocking(move || shim::run_python(script, address)).await.expect("runs");
    assert!(ended, "the script failed");
}
