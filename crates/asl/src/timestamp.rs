//! An instant of time and its RFC 3339 text. Arithmetic on the calendar only; nobody here asks a clock.

use std::fmt;

/// An instant, exact to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z, negative before.
    seconds: i64,
    /// Nanoseconds after that second, below 1,000,000,000.
    nanos: u32,
}

impl Timestamp {
    /// The instant `ms` milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_epoch_ms(ms: i64) -> Timestamp {
        let nanos = u32::try_from(ms.rem_euclid(1000)).expect("a remainder of 1000 is small") * 1_000_000;
        Timestamp { seconds: ms.div_euclid(1000), nanos }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; what is finer is dropped.
    #[must_use]
    pub fn epoch_ms(&self) -> i64 {
        self.seconds.saturating_mul(1000).saturating_add(i64::from(self.nanos / 1_000_000))
    }

    /// Reads an RFC 3339 date-time as AWS does: `T` and `Z` in upper case or a numeric offset, seconds required,
    /// any number of fraction digits (those past the ninth are dropped).
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        let mut rest = Cursor(text.as_bytes());
        let year = rest.digits(4)?;
        rest.byte(b'-')?;
        let month = rest.digits(2)?;
        rest.byte(b'-')?;
        let day = rest.digits(2)?;
        rest.byte(b'T')?;
        let hour = rest.digits(2)?;
        rest.byte(b':')?;
        let minute = rest.digits(2)?;
        rest.byte(b':')?;
        let second = rest.digits(2)?;
        let nanos = if rest.byte(b'.').is_some() { rest.fraction()? } else { 0 };
        let offset = rest.offset()?;
        let in_range = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range || !rest.0.is_empty() {
            return None;
        }
        let seconds =
            days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
        Some(Timestamp { seconds, nanos })
    }

    /// `2024-08-05T12:34:56.789Z`: UTC with 0, 3, 6 or 9 fraction digits, as few as keep the instant.
    #[must_use]
    pub fn to_iso8601(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(86_400));
        let second = self.seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let nanos = self.nanos;
        if nanos == 0 {
            f.write_str("Z")
        } else if nanos.is_multiple_of(1_000_000) {
            write!(f, ".{:03}Z", nanos / 1_000_000)
        } else if nanos.is_multiple_of(1000) {
            write!(f, ".{:06}Z", nanos / 1000)
        } else {
            write!(f, ".{nanos:09}Z")
        }
    }
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn byte(&mut self, expected: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        (*first == expected).then(|| self.0 = rest)
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let mut number = 0;
        for digit in digits {
            number = number * 10 + i64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        }
        self.0 = rest;
        Some(number)
    }

    /// Nanoseconds from one or more fraction digits.
    fn fraction(&mut self) -> Option<u32> {
        let count = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let nine = digits.iter().map(|d| u32::from(d - b'0')).chain(std::iter::repeat(0)).take(9);
        (count > 0).then(|| nine.fold(0, |n, digit| n * 10 + digit))
    }

    /// `Z` or `+hh:mm` in seconds east of UTC, at most 18 hours as in Java.
    fn offset(&mut self) -> Option<i64> {
        if self.byte(b'Z').is_some() {
            return Some(0);
        }
        let sign = if self.byte(b'+').is_some() {
            1
        } else {
            self.byte(b'-')?;
            -1
        };
        let hours = self.digits(2)?;
        self.byte(b':')?;
        let minutes = self.digits(2)?;
        let seconds = hours * 3600 + minutes * 60;
        (minutes < 60 && seconds <= 18 * 3600).then_some(sign * seconds)
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that the leap day is
/// the last of its year.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[track_caller]
    fn check(text: &str, epoch_ms: Option<i64>) {
        assert_eq!(Timestamp::parse_rfc3339(text).map(|t| t.epoch_ms()), epoch_ms, "{text}");
    }

    #[test]
    fn reads_what_aws_reads() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2000-02-29T12:00:00Z", Some(951_825_600_000));
        check("2016-03-14T01:59:00.123456789Z", Some(1_457_920_740_123));
        check("2016-03-14T01:59:00+01:00", Some(1_457_917_140_000));
        check("2016-03-14T01:59:00-01:30", Some(1_457_926_140_000));
        check("1969-12-31T23:59:59.999Z", Some(-1));
        for bad in [
            "",
            "2016-03-14",
            "2016-03-14T01:59Z",
            "2016-03-14t01:59:00Z",
            "2016-03-14T01:59:00z",
            "2016-03-14 01:59:00Z",
            "2016-03-14T01:59:00",
            "2016-03-14T01:59:00.Z",
            "2016-02-30T01:59:00Z",
            "2015-02-29T01:59:00Z",
            "2016-13-01T01:59:00Z",
            "2016-03-14T24:00:00Z",
            "2016-03-14T01:59:60Z",
            "2016-03-14T01:59:00+0100",
            "2016-03-14T01:59:00+19:00",
            "2016-03-14T01:59:00Z ",
            "+016-03-14T01:59:00Z",
            "２016-03-14T01:59:00Z",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn writes_as_few_fraction_groups_as_needed() {
        for text in [
            "2016-03-14T01:59:00Z",
            "2016-03-14T01:59:00.100Z",
            "2016-03-14T01:59:00.000100Z",
            "2016-03-14T01:59:00.000000001Z",
            "0000-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text).unwrap().to_iso8601(), text);
        }
        for ms in [0, 1, -1, 1_700_000_000_123, -62_167_219_200_000] {
            let t = Timestamp::from_epoch_ms(ms);
            assert_eq!(t.epoch_ms(), ms);
            assert_eq!(Timestamp::parse_rfc3339(&t.to_iso8601()), Some(t));
        }
        assert!(!Timestamp::from_epoch_ms(i64::MAX).to_iso8601().is_empty());
        assert!(!Timestamp::from_epoch_ms(i64::MIN).to_iso8601().is_empty());
    }
}
