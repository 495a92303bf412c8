//! Real clients against a real port.

mod support;

use std::path::Path;
use std::process::Stdio;

use support::DEADLINE;
use support::engine::Home;
use tokio::process::Command;

/// Runs `tests/boto3_tour.py`.
#[tokio::test(flavor = "multi_thread")]
async fn boto3_tours_step_functions() {
    let boto3 = Command::new("python3").args(["-c", "import boto3"]).stderr(Stdio::null()).status().await;
    if !boto3.is_ok_and(|status| status.success()) {
        let _ =
            std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: python3 with boto3 is not here\n");
        return;
    }
    let home = Home::new();
    let server = home.serve().await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/boto3_tour.py");
    let tour = Command::new("python3")
        .arg(script)
        .arg(format!("http://{}", server.address))
        .env_remove("AWS_ENDPOINT_URL")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .kill_on_drop(true)
        .output();
    let tour = tokio::time::timeout(DEADLINE * 2, tour).await.expect("does not hang").expect("runs");
    let (stdout, stderr) = (String::from_utf8_lossy(&tour.stdout), String::from_utf8_lossy(&tour.stderr));
    assert!(tour.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("the tour is complete"), "{stdout}");
    server.stop().await;
}
