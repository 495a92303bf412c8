//! Which error names match, and how long a retry waits.

use std::sync::Arc;

use stepwell_asl::program::{JitterStrategy, Retrier};

/// A failure of a state, as `Retry` and `Catch` see it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub error: Option<Arc<str>>,
    pub cause: Option<Arc<str>>,
    /// A missed heartbeat is reported as `States.Timeout` but also answers to `States.HeartbeatTimeout`.
    pub is_heartbeat: bool,
}

impl Failure {
    /// Whether one of the names in `ErrorEquals` means this failure.
    pub(crate) fn matches(&self, error_equals: &[Arc<str>]) -> bool {
        let error = self.error.as_deref().unwrap_or("");
        // Nothing ever catches a definition that cannot run.
        if error == "States.Runtime" {
            return false;
        }
        error_equals.iter().any(|name| match &**name {
            name if name == error => true,
            "States.ALL" => true,
            "States.TaskFailed" => !matches!(error, "States.Timeout" | "States.DataLimitExceeded"),
            "States.HeartbeatTimeout" => self.is_heartbeat,
            _ => false,
        })
    }
}

/// Milliseconds before retry number `retries_made + 1`:
/// `min(MaxDelaySeconds, IntervalSeconds * BackoffRate ^ retries_made)`, with FULL jitter a random part of it.
pub(crate) fn delay_ms(retrier: &Retrier, retries_made: u32, random: u64) -> u64 {
    let exponent = i32::try_from(retries_made).unwrap_or(i32::MAX);
    let mut seconds = f64::from(retrier.interval_seconds) * retrier.backoff_rate.powi(exponent);
    if let Some(max) = retrier.max_delay_seconds {
        seconds = seconds.min(f64::from(max));
    }
    // A year is the longest an execution may run; a delay beyond it never ends anyway.
    let ms = (seconds * 1000.0).clamp(0.0, 366.0 * 86_400_000.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let ms = ms as u64;
    match retrier.jitter_strategy {
        JitterStrategy::None => ms,
        JitterStrategy::Full => random % (ms + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retrier(interval_seconds: u32, backoff_rate: f64, max_delay_seconds: Option<u32>) -> Retrier {
        Retrier {
            error_equals: vec!["States.ALL".into()],
            interval_seconds,
            max_attempts: 3,
            backoff_rate,
            max_delay_seconds,
            jitter_strategy: JitterStrategy::None,
        }
    }

    #[test]
    fn delays_grow_by_the_rate_up_to_the_maximum() {
        for (interval, rate, max, expected) in [
            (1, 2.0, None, [1000, 2000, 4000, 8000]),
            (2, 1.0, None, [2000, 2000, 2000, 2000]),
            (3, 1.5, None, [3000, 4500, 6750, 10125]),
            (3, 2.0, Some(7), [3000, 6000, 7000, 7000]),
        ] {
            let retrier = retrier(interval, rate, max);
            let delays: Vec<u64> = (0..4).map(|n| delay_ms(&retrier, n, 0)).collect();
            assert_eq!(delays, expected, "{interval} {rate} {max:?}");
        }
    }

    #[test]
    fn a_huge_backoff_stays_finite() {
        assert_eq!(delay_ms(&retrier(99_999_999, 1e300, None), 99_999_999, 0), 366 * 86_400_000);
    }

    #[test]
    fn full_jitter_stays_within_the_delay() {
        let mut retrier = retrier(2, 2.0, None);
        retrier.jitter_strategy = JitterStrategy::Full;
        for random in [0, 1, 1999, 2000, 2001, u64::MAX] {
            assert!(delay_ms(&retrier, 0, random) <= 2000);
        }
    }

    #[test]
    fn names_match_as_aws_matches_them() {
        let failure = |error: &str| Failure { error: Some(error.into()), cause: None, is_heartbeat: false };
        for (error, name, expected) in [
            ("KeyError", "KeyError", true),
            ("KeyError", "keyerror", false),
            ("KeyError", "States.ALL", true),
            ("KeyError", "States.TaskFailed", true),
            ("States.Timeout", "States.TaskFailed", false),
            ("States.Timeout", "States.ALL", true),
            ("States.Timeout", "States.HeartbeatTimeout", false),
            ("States.DataLimitExceeded", "States.ALL", true),
            ("States.DataLimitExceeded", "States.TaskFailed", false),
            ("States.DataLimitExceeded", "States.DataLimitExceeded", true),
            ("States.Runtime", "States.ALL", false),
            ("States.Runtime", "States.Runtime", false),
        ] {
            assert_eq!(failure(error).matches(&[name.into()]), expected, "{error} / {name}");
        }
        let heartbeat = Failure { is_heartbeat: true, ..failure("States.Timeout") };
        assert!(heartbeat.matches(&["States.HeartbeatTimeout".into()]));
    }
}
