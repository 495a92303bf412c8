//! Times as people read them.

use std::time::Duration;

/// `2026-11-22 10:00:00.123` in UTC, from seconds since 1970 as the API gives them.
pub(crate) fn date_and_time(seconds: f64) -> String {
    match timestamp(seconds) {
        Some(timestamp) => timestamp.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        None => "-".into(),
    }
}

/// `10:00:00.123` in UTC.
pub(crate) fn time_of_day(seconds: f64) -> String {
    match timestamp(seconds) {
        Some(timestamp) => timestamp.strftime("%H:%M:%S%.3f").to_string(),
        None => "-".into(),
    }
}

fn timestamp(seconds: f64) -> Option<jiff::Timestamp> {
    // Beyond what a date can be, the conversion saturates and `from_millisecond` refuses.
    #[allow(clippy::cast_possible_truncation)]
    let milliseconds = (seconds * 1000.0).round() as i64;
    jiff::Timestamp::from_millisecond(milliseconds).ok()
}

/// `3 ms`, `1.42 s`, `1 min 03 s`, `2 h 05 min`.
pub(crate) fn length(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    // Not negative, and far below what an integer holds for any time that an execution may take.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = seconds as u64;
    match whole {
        0 => format!("{:.0} ms", seconds * 1000.0),
        1..60 => format!("{seconds:.2} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// The present, in seconds since 1970.
pub(crate) fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(date_and_time(1_700_000_000.123), "2023-11-14 22:13:20.123");
        assert_eq!(time_of_day(1_700_000_000.0), "22:13:20.000");
        assert_eq!(date_and_time(f64::MAX), "-");
        for (seconds, text) in [
            (0.0, "0 ms"),
            (-1.0, "0 ms"),
            (0.42, "420 ms"),
            (9.994, "9.99 s"),
            (63.2, "1 min 03 s"),
            (7500.0, "2 h 05 min"),
        ] {
            assert_eq!(length(seconds), text);
        }
    }
}
