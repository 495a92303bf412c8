//! The service as the Python SDK sees it: `boto3_sqs.py` against a small HTTP server. Skipped, and said so, where the
//! machine has no Python with boto3.

mod support;

use std::sync::Arc;

use stepwell_aws::Service;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_works_unchanged() {
    let directory = tempfile::tempdir().expect("a directory");
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        i64::try_from(now.as_millis()).expect("fits")
    };
    let queues: Arc<dyn Service> = support::open(directory.path(), Arc::new(now));
    let address = support::shim::serve(queues).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boto3_sqs.py");
    let ended =
        tokio::task::spawn_blocking(move || support::shim::run_python(script, address)).await.expect("runs");
    assert!(ended, "the script failed");
}
