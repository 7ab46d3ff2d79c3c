//! Durations, rates and latencies.

use std::time::Duration;

use thiserror::Error;

use crate::quota::{Rate, RateError};
use crate::sandbox::Quota;

/// The longest duration that is taken: far beyond any job, far below where adding it to a moment overflows.
const MAX_DURATION: Duration = Duration::from_hours(366 * 24);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum DurationError {
    /// A number alone.
    #[error("{0} what? for example {0}s or {0}m")]
    Unit(String),
    /// Zero, where that makes no sense.
    #[error("expected a duration above zero, for example 30s")]
    Zero,
    /// More than a year.
    #[error("at most 366 days are allowed")]
    TooLong,
    /// Not readable.
    #[error("expected a duration such as 500ms, 30s, 5m or 1h30m")]
    Unreadable,
}

/// A duration with its unit, from nothing to 366 days.
pub(crate) fn duration(text: &str) -> Result<Duration, DurationError> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(DurationError::Unit(text.to_owned()));
    }
    match humantime::parse_duration(text) {
        Ok(duration) if duration <= MAX_DURATION => Ok(duration),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err(DurationError::TooLong),
        Err(_) => Err(DurationError::Unreadable),
    }
}

/// As [`duration`], but more than nothing.
pub(crate) fn nonzero_duration(text: &str) -> Result<Duration, DurationError> {
    match duration(text)? {
        Duration::ZERO => Err(DurationError::Zero),
        duration => Ok(duration),
    }
}

/// One `--rate`; `None` is `none`, no limit at all, which stands alone.
pub(crate) fn rate(text: &str) -> Result<Option<Rate>, RateError> {
    if text == "none" { Ok(None) } else { text.parse().map(Some) }
}

/// One `--quota` of the sandbox: `1200/5m` in any window of that length, `1200/5m/fixed` in one window after the other.
pub(crate) fn quota(text: &str) -> Result<Quota, RateError> {
    let fixed = text.strip_suffix("/fixed");
    let rate: Rate = fixed.unwrap_or(text).parse()?;
    let quota = if fixed.is_some() { Quota::fixed } else { Quota::sliding };
    Ok(quota(rate.count().get(), rate.window()))
}

/// A text that is no latency.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum LatencyError {
    /// One of the durations is none.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// The wrong way round.
    #[error("the lower end comes first, for example 20ms..80ms")]
    Order,
}

/// `--latency` of the sandbox: the least and the most time that a response takes.
pub(crate) fn latency(text: &str) -> Result<(Duration, Duration), LatencyError> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let (low, high) = (duration(low)?, duration(high)?);
    if low > high { Err(LatencyError::Order) } else { Ok((low, high)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, millis) in [("30s", 30_000), ("1h30m", 5_400_000), ("500ms", 500), ("0", 0), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text:?}");
        }
        assert_eq!(duration("30").unwrap_err().to_string(), "30 what? for example 30s or 30m");
        assert_eq!(duration("1.5"), Err(DurationError::Unit("1.5".to_owned())));
        for text in ["", " ", "s", "-5s", "5 parsecs", "5s-", "1e3s"] {
            assert_eq!(duration(text), Err(DurationError::Unreadable), "{text:?}");
        }
        for text in ["367days", "99999999999999999999s", "1000y", "18446744073709551615h"] {
            assert_eq!(duration(text), Err(DurationError::TooLong), "{text:?}");
        }
        assert_eq!(nonzero_duration("0s"), Err(DurationError::Zero));
        assert_eq!(nonzero_duration("1ms"), Ok(Duration::from_millis(1)));
    }

    #[test]
    fn rates_may_be_none() {
        assert_eq!(rate("none"), Ok(None));
        assert_eq!(rate("1200/5m"), Ok(Some(Rate::PER_USER)));
        assert_eq!(rate("None"), Err(RateError::Shape));
    }

    #[test]
    fn quotas_slide_unless_fixed() {
        let window = Rate::PER_USER.window();
        assert_eq!(quota("1200/5m"), Ok(Quota::sliding(1200, window)));
        assert_eq!(quota("1200/5m/fixed"), Ok(Quota::fixed(1200, window)));
        assert_eq!(quota("fixed"), Err(RateError::Shape));
        assert!(quota("1200/5m/fluid").is_err());
    }

    #[test]
    fn a_latency_is_one_duration_or_a_range() {
        let millis = |low, high| (Duration::from_millis(low), Duration::from_millis(high));
        assert_eq!(latency("20ms"), Ok(millis(20, 20)));
        assert_eq!(latency("0..80ms"), Ok(millis(0, 80)));
        assert_eq!(latency("80ms..20ms"), Err(LatencyError::Order));
        assert_eq!(latency("20..80ms"), Err(DurationError::Unit("20".to_owned()).into()));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_or_passes_the_limit(text in "[0-9a-z. %/-]{0,12}") {
            if let Ok(duration) = duration(&text) {
                proptest::prop_assert!(duration <= MAX_DURATION);
            }
        }
    }
}
