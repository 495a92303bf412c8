//! Instants, which every protocol writes another way. In calls and replies they are seconds since 1970.

use serde::Deserialize;
use serde_json::Value as Json;

/// How an instant is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum TimestampFormat {
    /// `1600000000.5`.
    #[serde(rename = "unixTimestamp")]
    Unix,
    /// `2020-09-13T12:26:40Z`.
    #[serde(rename = "iso8601")]
    Iso8601,
    /// `Sun, 13 Sep 2020 12:26:40 GMT`.
    #[serde(rename = "rfc822")]
    Rfc822,
}

/// The seconds since 1970 that `value` names, in whichever form.
#[must_use]
pub fn epoch_seconds(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => parse(text),
        _ => None,
    }
}

fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let instant = text
        .parse::<jiff::Timestamp>()
        .ok()
        .or_else(|| Some(jiff::fmt::rfc2822::DateTimeParser::new().parse_zoned(text).ok()?.timestamp()))?;
    #[allow(clippy::cast_precision_loss)] // Milliseconds of any year that can be written fit.
    Some(instant.as_millisecond() as f64 / 1000.0)
}

/// The instant in a format, as JSON: a number for [`TimestampFormat::Unix`], else text. `None` where `value` names none.
pub(crate) fn written(value: &Json, format: TimestampFormat) -> Option<Json> {
    let seconds = epoch_seconds(value)?;
    if format == TimestampFormat::Unix {
        // Whole seconds without a fraction, as SDKs write them.
        #[allow(clippy::cast_possible_truncation)]
        return Some(if seconds.fract() == 0.0 && seconds.abs() < 9e15 {
            Json::from(seconds as i64)
        } else {
            Json::from(seconds)
        });
    }
    #[allow(clippy::cast_possible_truncation)] // Saturates; what is no instant is refused by the next line.
    let instant = jiff::Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()?;
    let form = match format {
        TimestampFormat::Rfc822 => "%a, %d %b %Y %H:%M:%S GMT",
        _ if instant.subsec_millisecond() == 0 => "%Y-%m-%dT%H:%M:%SZ",
        _ => "%Y-%m-%dT%H:%M:%S.%3fZ",
    };
    Some(Json::from(instant.strftime(form).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn instants_are_read_in_every_form_and_written_in_the_wanted_one() {
        for (given, seconds) in [
            (json!(1600000000), Some(1.6e9)),
            (json!(1600000000.5), Some(1_600_000_000.5)),
            (json!("2020-09-13T12:26:40.500Z"), Some(1_600_000_000.5)),
            (json!("2020-09-13T14:26:40+02:00"), Some(1.6e9)),
            (json!("Sun, 13 Sep 2020 12:26:40 GMT"), Some(1.6e9)),
            (json!("1600000000"), Some(1.6e9)),
            (json!("soon"), None),
            (json!("inf"), None),
            (json!([1]), None),
        ] {
            assert_eq!(epoch_seconds(&given), seconds, "{given}");
        }
        let instant = json!(1600000000.25);
        assert_eq!(written(&instant, TimestampFormat::Unix), Some(json!(1600000000.25)));
        assert_eq!(written(&json!(1.6e9), TimestampFormat::Unix), Some(json!(1600000000)));
        assert_eq!(written(&instant, TimestampFormat::Iso8601), Some(json!("2020-09-13T12:26:40.250Z")));
        assert_eq!(written(&instant, TimestampFormat::Rfc822), Some(json!("Sun, 13 Sep 2020 12:26:40 GMT")));
        assert_eq!(written(&json!(1e300), TimestampFormat::Iso8601), None);
    }
}
