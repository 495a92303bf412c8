//! The fold of the events is the live state after every command, and goes on as that does ([`drive`] asserts both).

use std::path::Path;

use proptest::prelude::*;
use stepwell_interpreter::{EventDetails, ExecutionStatus, Record};

use super::bytes::Bytes;
use super::{drive, machine};

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn replay_gives_the_live_state_at_every_prefix(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        drive::decide_bytes(&bytes);
    }

    #[test]
    fn definitions_alone_run_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        // A short byte string is used up by the definition, so that nearly all of the run is undisturbed.
        drive::decide_bytes(&bytes);
    }
}

#[test]
fn what_the_fuzzer_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/generated/inputs/decide");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        println!("{}", file.display());
        drive::decide_bytes(&std::fs::read(&file).unwrap());
    }
}

/// The drawing is worth something: most definitions are valid, all state types and all ends occur.
#[test]
fn the_drawn_cases_are_manifold() {
    let mut seed = 7_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 56) as u8
    };
    let (mut valid, mut events, mut statuses) = (0, std::collections::BTreeSet::new(), Vec::new());
    let total = 400;
    for _ in 0..total {
        let bytes: Vec<u8> = (0..120).map(|_| next()).collect();
        let Some(run) = drive::run(&bytes) else {
            let text = machine::definition(&mut Bytes::new(&bytes));
            println!("{}\n  {text}", stepwell_asl::compile(&text).unwrap_err());
            continue;
        };
        valid += 1;
        if !statuses.contains(&run.live.status()) {
            statuses.push(run.live.status());
        }
        for record in run.batches.iter().flatten() {
            if let Record::Event(event) = record {
                events.insert(name(&event.details));
            }
        }
    }
    assert!(valid * 4 > total * 3, "only {valid} of {total} definitions are valid");
    let ends = ExecutionStatus::ALL.iter().filter(|status| **status != ExecutionStatus::Running);
    assert!(ends.clone().all(|status| statuses.contains(status)), "only {statuses:?}");
    assert!(events.len() > 30, "only {events:?}");
}

/// The variant's name.
fn name(details: &EventDetails) -> String {
    let text = format!("{details:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}
