//! Durations, rates and latencies.

use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::quota::{Rate, RateError};

/// The longest duration that is taken: far beyond any job, far below where adding it to a moment overflows.
const MAX_DURATION: Duration = Duration::from_hours(366 * 24);

/// A text that is no duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DurationError {
    /// A number alone.
    #[error("{0} what? for example {0}s or {0}m")]
    Unit(String),
    /// Zero, where that makes no sense.
    #[error("expected more than nothing, for example 30s")]
    Zero,
    /// More than a year.
    #[error("at most 366 days are allowed")]
    TooLong,
    /// Not readable.
    #[error("expected a duration such as 500ms, 30s, 5m or 1h30m")]
    Unreadable,
}

/// A duration with its unit, from nothing to 366 days.
pub fn duration(text: &str) -> Result<Duration, DurationError> {
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
pub fn nonzero_duration(text: &str) -> Result<Duration, DurationError> {
    match duration(text)? {
        Duration::ZERO => Err(DurationError::Zero),
        duration => Ok(duration),
    }
}

/// One `--rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateArg {
    /// `none`: no limit at all. Stands alone.
    Unlimited,
    /// A limit.
    Limit(Rate),
}

impl FromStr for RateArg {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        match text {
            "none" => Ok(Self::Unlimited),
            _ => text.parse().map(Self::Limit),
        }
    }
}

/// One `--quota` of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaArg {
    /// How much is allowed.
    pub rate: Rate,
    /// In which windows.
    pub window: QuotaWindow,
}

/// How a quota's windows lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaWindow {
    /// Any window of that length.
    Sliding,
    /// One after the other, each beginning with nothing used.
    Fixed,
}

impl FromStr for QuotaArg {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (rate, window) = match text.strip_suffix("/fixed") {
            Some(rate) => (rate, QuotaWindow::Fixed),
            None => (text, QuotaWindow::Sliding),
        };
        let rate = rate.parse()?;
        Ok(Self { rate, window })
    }
}

/// `--latency` of the sandbox: how long an answer takes, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencyArg {
    /// At least.
    pub low: Duration,
    /// At most; not below `low`.
    pub high: Duration,
}

/// A text that is no latency.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LatencyError {
    /// One of the durations is none.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// The wrong way round.
    #[error("the lower end comes first, for example 20ms..80ms")]
    Order,
}

impl FromStr for LatencyArg {
    type Err = LatencyError;

    fn from_str(text: &str) -> Result<Self, LatencyError> {
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let (low, high) = (duration(low)?, duration(high)?);
        if low > high {
            return Err(LatencyError::Order);
        }
        Ok(Self { low, high })
    }
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
        assert_eq!("none".parse(), Ok(RateArg::Unlimited));
        assert_eq!("1200/5m".parse(), Ok(RateArg::Limit(Rate::PER_USER)));
        assert_eq!("None".parse::<RateArg>(), Err(RateError::Shape));
    }

    #[test]
    fn quotas_slide_unless_fixed() {
        let quota = |window| QuotaArg { rate: Rate::PER_USER, window };
        assert_eq!("1200/5m".parse(), Ok(quota(QuotaWindow::Sliding)));
        assert_eq!("1200/5m/fixed".parse(), Ok(quota(QuotaWindow::Fixed)));
        assert_eq!("fixed".parse::<QuotaArg>(), Err(RateError::Shape));
        assert!("1200/5m/fluid".parse::<QuotaArg>().is_err());
    }

    #[test]
    fn a_latency_is_one_duration_or_a_range() {
        let latency = |low, high| LatencyArg { low: Duration::from_millis(low), high: Duration::from_millis(high) };
        assert_eq!("20ms".parse(), Ok(latency(20, 20)));
        assert_eq!("0..80ms".parse(), Ok(latency(0, 80)));
        assert_eq!("80ms..20ms".parse::<LatencyArg>(), Err(LatencyError::Order));
        assert_eq!("20..80ms".parse::<LatencyArg>(), Err(DurationError::Unit("20".to_owned()).into()));
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
