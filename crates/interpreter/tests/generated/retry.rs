//! The delays of a retrier: `min(MaxDelaySeconds, IntervalSeconds × BackoffRate ^ n)`, as often as `MaxAttempts` says,
//! and with FULL jitter anything between 0 and that.

use proptest::prelude::*;
use stepwell_interpreter::{EventDetails, ExecutionStatus, PrivateRecord, Record};

use super::drive::{Reply, Run, Step};

/// Longest delay there is: a year is the longest an execution may run.
const DELAY_MS_MAX: u64 = 366 * 86_400_000;

#[derive(Debug, Clone)]
struct Retrier {
    interval_s: u32,
    /// In hundredths, so that the text is exact.
    rate: u32,
    attempts: u32,
    max_delay_s: Option<u32>,
    jitter: bool,
}

fn retriers() -> impl Strategy<Value = Retrier> {
    let max_delay = prop::option::of(1..40_000_u32);
    (1..5000_u32, 100..500_u32, 0..12_u32, max_delay, any::<bool>()).prop_map(
        |(interval_s, rate, attempts, max_delay_s, jitter)| Retrier {
            interval_s,
            rate,
            attempts,
            // Must be greater than the interval.
            max_delay_s: max_delay_s.map(|max| max.max(interval_s + 1).min(31_622_400)),
            jitter,
        },
    )
}

impl Retrier {
    fn json(&self, error: &str) -> String {
        let Retrier { interval_s, rate, attempts, max_delay_s, jitter } = self;
        let max_delay = max_delay_s.map_or(String::new(), |max| format!(r#","MaxDelaySeconds":{max}"#));
        let jitter = if *jitter { r#","JitterStrategy":"FULL""# } else { "" };
        format!(
            r#"{{"ErrorEquals":["{error}"],"IntervalSeconds":{interval_s},"BackoffRate":{}.{:02},"MaxAttempts":{attempts}{max_delay}{jitter}}}"#,
            rate / 100,
            rate % 100
        )
    }

    /// The delay before retry `n`, from 0, without jitter; by repeated multiplication.
    fn delay_ms(&self, n: usize) -> u64 {
        let mut seconds = f64::from(self.interval_s);
        for _ in 0..n {
            seconds *= f64::from(self.rate) / 100.0;
        }
        let seconds = self.max_delay_s.map_or(seconds, |max| seconds.min(f64::from(max)));
        ((seconds * 1000.0) as u64).min(DELAY_MS_MAX)
    }

    fn check(&self, delays: &[u64]) -> Result<(), TestCaseError> {
        prop_assert_eq!(delays.len(), self.attempts as usize);
        for (n, delay) in delays.iter().enumerate() {
            let expected = self.delay_ms(n);
            // The rounding of a product may differ from that of a power by the last digit.
            let tolerance = expected / 1_000_000 + 1;
            if self.jitter {
                prop_assert!(*delay <= expected + tolerance, "retry {n}: {delay} of {expected}");
            } else {
                prop_assert!(delay.abs_diff(expected) <= tolerance, "retry {n}: {delay}, not {expected}");
            }
        }
        Ok(())
    }
}

/// The delays of each retrier of a task that fails with these errors in turn until nothing is left to retry.
fn delays(retriers: &[&Retrier], errors: &[&'static str]) -> Vec<Vec<u64>> {
    let list: Vec<String> = retriers.iter().zip(["E", "F"]).map(|(r, error)| r.json(error)).collect();
    let text = format!(
        r#"{{"StartAt":"T","States":{{"T":{{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Retry":[{}],"End":true}}}}}}"#,
        list.join(",")
    );
    let mut run = Run::new(stepwell_asl::compile(&text).unwrap());
    run.hand_in(&Step::Start);
    let mut delays = vec![Vec::new(); retriers.len()];
    let mut turn = errors.iter().cycle();
    while run.live.status() == ExecutionStatus::Running {
        let attempt = *run.in_flight().first().expect("an attempt is under way");
        let error = turn.next().expect("there are errors");
        run.hand_in(&Step::CallEnded(attempt, Reply::Failed(error)));
        let scheduled = run.batches.last().into_iter().flatten().find_map(|record| match record {
            Record::Private(PrivateRecord::RetryScheduled { retrier, due_ms, .. }) => {
                Some((*retrier, *due_ms))
            }
            _ => None,
        });
        let Some((retrier, due_ms)) = scheduled else { break };
        delays[retrier as usize].push((due_ms - run.now_ms).unsigned_abs());
        // Not a moment earlier.
        run.now_ms = due_ms - 1;
        run.hand_in(&Step::Tick);
        if due_ms > run.now_ms + 1 || delays[retrier as usize].last() != Some(&0) {
            assert!(run.in_flight().is_empty(), "the retry came early");
        }
        run.now_ms = due_ms;
        run.hand_in(&Step::Tick);
    }
    assert_eq!(run.live.status(), ExecutionStatus::Failed);
    let last = run.batches.last().and_then(|records| records.last());
    assert!(
        matches!(last, Some(Record::Event(e)) if matches!(e.details, EventDetails::ExecutionFailed { .. })),
        "{last:?}"
    );
    delays
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn delays_are_as_the_retrier_says(retrier in retriers()) {
        retrier.check(&delays(&[&retrier], &["E"])[0])?;
    }

    #[test]
    fn every_retrier_counts_for_itself(first in retriers(), second in retriers()) {
        // The errors alternate, so the one with fewer attempts ends it all.
        let found = delays(&[&first, &second], &["E", "F"]);
        let rounds = first.attempts.min(second.attempts + u32::from(first.attempts > second.attempts));
        prop_assert_eq!(found[0].len(), rounds as usize);
        prop_assert_eq!(found[1].len(), rounds.min(second.attempts) as usize);
        Retrier { attempts: found[0].len() as u32, ..first }.check(&found[0])?;
        Retrier { attempts: found[1].len() as u32, ..second }.check(&found[1])?;
    }
}
