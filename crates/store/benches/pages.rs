//! What a page or a look-up costs where there is much on disk: it must not grow with that.
//!
//! Prints microseconds for a tenth of the executions and for all of them; `STEPWELL_EXECUTIONS` says how many (200,000).

#![allow(clippy::print_stdout, reason = "a measurement is shown to whoever asked for it")]

use std::sync::Arc;
use std::time::Instant;

use stepwell_asl::payload::Payload;
use stepwell_interpreter::{
    EventDetails, ExecutionInfo, ExecutionKind, ExecutionStatus, HistoryEvent, Record, Stored, ThreadId,
};
use stepwell_store::{
    ExecutionKey, ExecutionRow, Executions, HistoryPage, Outcome, Redrives, Store, WriteBatch,
};

const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:m";

/// Events of the one long history, each in a batch of its own.
const EVENTS: u64 = 25_000;

fn arn(number: u64) -> String {
    format!("arn:aws:states:us-east-1:000000000000:execution:m:{number:012}")
}

fn row(number: u64) -> ExecutionRow {
    let info = ExecutionInfo {
        execution_arn: arn(number).into(),
        name: format!("{number:012}").into(),
        state_machine_arn: MACHINE.into(),
        state_machine_name: "m".into(),
        role_arn: "arn:aws:iam::000000000000:role/r".into(),
        region: "us-east-1".into(),
        start_ms: 1_000 + number.cast_signed(),
        timeout_s: None,
        child_of: None,
        kind: ExecutionKind::Standard,
    };
    ExecutionRow {
        info: Arc::new(info),
        revision: 1,
        trace_header: None,
        state_machine_version_arn: None,
        state_machine_alias_arn: None,
        outcome: None,
        redrives: Redrives::default(),
    }
}

fn event(id: u64, details: EventDetails) -> Record {
    Record::Event(HistoryEvent {
        id,
        previous_event_id: id - 1,
        timestamp_ms: 7,
        thread: ThreadId(0),
        details,
    })
}

/// Starts and closes executions, each in two batches of the store, as those that wait for a task are.
fn fill(store: &Store, executions: &Executions, numbers: std::ops::Range<u64>) {
    let payload = Stored { batch: 0, index: 0, payload: Payload::empty_object() };
    for from in numbers.clone().step_by(500) {
        let (mut starts, mut ends) = (WriteBatch::new(), WriteBatch::new());
        for number in from..(from + 500).min(numbers.end) {
            let (key, mut row) = (executions.new_key(), row(number));
            executions.put_started(&mut starts, key, &row);
            let started = EventDetails::ExecutionStarted {
                input: payload.clone(),
                role_arn: row.info.role_arn.clone(),
            };
            executions.put_records(&mut starts, key, 0, &[event(1, started)]);
            let succeeded = EventDetails::ExecutionSucceeded { output: payload.clone() };
            executions.put_records(&mut ends, key, 1, &[event(2, succeeded)]);
            row.outcome = Some(Outcome {
                status: ExecutionStatus::Succeeded,
                stop_ms: row.info.start_ms + 5,
                output: Some((0, 0)),
                last_event_id: 2,
                error: None,
                cause: None,
            });
            executions.put_closed(&mut ends, key, &row);
        }
        store.commit(starts).expect("commits");
        store.commit(ends).expect("commits");
    }
}

/// The middle of many measurements, in microseconds.
fn measure(what: &str, mut run: impl FnMut()) {
    let mut times: Vec<_> = (0..101)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "  {what:<48} {:>9.1} µs, slowest {:>9.1}",
        times[50].as_secs_f64() * 1e6,
        times[100].as_secs_f64() * 1e6
    );
}

fn look(executions: &Executions, there: u64, long: ExecutionKey) {
    println!("{there} closed executions");
    let mut number = 0;
    measure("DescribeExecution", || {
        number = (number + 7919) % there;
        let (key, _) = executions.find(&arn(number)).expect("reads").expect("is there");
        executions.payload(key, 0, 0).expect("reads");
    });
    for (what, status) in [
        ("first page of 100, all", None),
        ("first page of 100, SUCCEEDED", Some(ExecutionStatus::Succeeded)),
        ("first page of 100, RUNNING (one)", Some(ExecutionStatus::Running)),
        ("first page of 100, FAILED (none)", Some(ExecutionStatus::Failed)),
    ] {
        measure(what, || drop(executions.list(MACHINE, status, None, 100).expect("reads")));
    }
    let mut cursor = None;
    measure("the pages after that, all", || {
        cursor = executions.list(MACHINE, None, cursor.as_ref(), 100).expect("reads").next;
    });
    measure("what runs, as a start of the engine reads it", || {
        assert_eq!(executions.running().count(), 1);
    });
    for (what, from_id, reverse) in [
        ("history, page of 100 from 1", 1, false),
        ("history, page of 100 from 24,000", 24_000, false),
        ("history, page of 100 from 12,000 backwards", 12_000, true),
    ] {
        let page = HistoryPage { from_id, reverse, limit: 100 };
        measure(what, || assert_eq!(executions.history(long, page).expect("reads").len(), 100));
    }
}

fn main() {
    let all = std::env::var("STEPWELL_EXECUTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(200_000);
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(directory.path()).expect("opens");
    let executions = Executions::open(&store).expect("opens");
    let long = executions.new_key();
    let mut batch = WriteBatch::new();
    executions.put_started(&mut batch, long, &row(u64::from(u32::MAX)));
    for id in 1..=EVENTS {
        let number = u32::try_from(id - 1).expect("small");
        executions.put_records(&mut batch, long, number, &[event(id, EventDetails::ParallelStateStarted)]);
    }
    store.commit(batch).expect("commits");
    fill(&store, &executions, 0..all / 10);
    look(&executions, all / 10, long);
    fill(&store, &executions, all / 10..all);
    look(&executions, all, long);
}
