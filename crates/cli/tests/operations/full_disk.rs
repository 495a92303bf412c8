//! A disk on which there is no room: clients are told, the server ends with the reason, and nothing is lost.

use std::time::Instant;

use serde_json::json;

use crate::support::{PATIENCE, Server, http};

/// What a file may have, in KiB.
const FILE_KIB: u32 = 2048;

const WAIT: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","SecondsPath":"$.s","End":true}}}"#;

#[test]
fn a_full_disk_is_told_and_costs_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().expect("a directory");
    // Once with room enough: the database's log is made larger than it needs to be.
    let server = Server::start(directory.path());
    let machine = server.create("m", WAIT, false);
    assert_eq!(server.terminate(), Some(0));

    let server = Server::start_cramped(directory.path(), FILE_KIB);
    let mut acknowledged = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    let refusal = loop {
        assert!(Instant::now() < deadline, "the disk is never full");
        let s = acknowledged.len() % 2 * 3600;
        let input = json!({"s": s, "text": noise(acknowledged.len())}).to_string();
        let start = json!({"stateMachineArn": machine, "input": input});
        match server.try_call("AWSStepFunctions", "StartExecution", &start).expect("it answers") {
            Ok(started) => acknowledged.push((started["executionArn"].clone(), input)),
            Err(refusal) => break refusal,
        }
    };
    assert!(refusal["__type"].as_str().is_some_and(|name| name.ends_with("InternalFailure")), "{refusal}");
    assert!(refusal["message"].as_str().is_some_and(|text| text.contains("data directory")), "{refusal}");
    // It ends soon; until then it says that it has to.
    for path in ["/readyz", "/healthz"] {
        if let Ok((status, _)) = http(&server.host, "GET", path, &[], b"") {
            assert_eq!(status, 503, "{path}");
        }
    }
    let (code, log) = server.ended_with_log();
    assert_eq!(code, Some(2));
    assert!(log.contains("File too large"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.lines().count() < 50, "{log}");
    assert!(acknowledged.len() > 5, "{} executions", acknowledged.len());

    let server = Server::start(directory.path());
    for (arn, input) in &acknowledged {
        let described = server.states("DescribeExecution", &json!({"executionArn": arn}));
        assert_eq!(&described["input"], input);
        let arn = arn.as_str().expect("an ARN");
        if input.contains(r#""s":0,"#) {
            assert_eq!(server.ended(arn)["status"], "SUCCEEDED");
        } else {
            assert_eq!(described["status"], "RUNNING");
        }
    }
    let listed = server.states("ListExecutions", &json!({"stateMachineArn": machine, "maxResults": 1000}));
    let listed = listed["executions"].as_array().map_or(0, Vec::len);
    // The one that was refused may have made it.
    assert!((acknowledged.len()..=acknowledged.len() + 1).contains(&listed), "{listed}");
    assert_eq!(server.terminate(), Some(0));
}

/// A text that does not get smaller by compression.
fn noise(seed: usize) -> String {
    let mut bits = seed as u64 + 1;
    let mut next = || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        char::from(b'!' + u8::try_from(bits % 90).expect("small"))
    };
    (0..40_000).map(|_| next()).collect()
}
