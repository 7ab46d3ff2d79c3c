//! Numbers that stop a job.

use std::num::{NonZeroU32, NonZeroU64};

use thiserror::Error;

use crate::api::{MAX_BULK_BYTES, MAX_BULK_KEYS};
use crate::pipeline::{BatchLimit, Batching, FailureLimit};
use crate::terminal::count as count_of;

/// A text that is no count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a whole number from 1, for example 5000 or 10_000_000")]
pub(crate) struct CountError;

/// A whole number from 1; `_` may separate its digits.
pub(crate) fn count(text: &str) -> Result<NonZeroU64, CountError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return Err(CountError);
    }
    text.replace('_', "").parse().map_err(|_| CountError)
}

/// A text that is not a number, or out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a whole number from {} to {}", count_of(*.min), count_of(*.max))]
pub(crate) struct WholeError {
    min: u64,
    max: u64,
}

/// Reads a whole number within bounds: what clap and Rust say of others is not for users.
pub(crate) fn whole<T: TryFrom<u64>>(
    min: u64,
    max: u64,
) -> impl Fn(&str) -> Result<T, WholeError> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| (min..=max).contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or(WholeError { min, max })
    }
}

/// A text that is neither a batch size nor a switch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a whole number from 1 to {MAX_BULK_KEYS}, true or false")]
pub(crate) struct BulkError;

/// `--bulk`: how many keys a request may name, [`MAX_BULK_KEYS`] for `true`.
pub(crate) fn bulk(text: &str) -> Result<Batching, BulkError> {
    let keys = match text {
        "false" => return Ok(Batching::Single),
        "true" => NonZeroU32::new(MAX_BULK_KEYS),
        _ => count(text).ok().and_then(|count| NonZeroU32::try_from(count).ok()),
    };
    let keys = keys.filter(|keys| keys.get() <= MAX_BULK_KEYS).ok_or(BulkError)?;
    Ok(Batching::Bulk(BatchLimit { keys, bytes: MAX_BULK_BYTES }))
}

/// A text that is neither a count nor a share.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum MaxFailuresError {
    /// Not a number from 1.
    #[error("expected a number of keys from 1, a percentage such as 5%, or none")]
    Count,
    /// A percentage out of its range.
    #[error("a percentage must be above 0% and at most 100%")]
    Share,
}

/// `--max-failures`; `None` is no limit.
pub(crate) fn max_failures(text: &str) -> Result<Option<FailureLimit>, MaxFailuresError> {
    if text == "none" {
        return Ok(None);
    }
    let Some(percent) = text.strip_suffix('%') else {
        return count(text).map(|count| Some(FailureLimit::Count(count))).map_err(|_| MaxFailuresError::Count);
    };
    // Without this `1e1`, `inf` and `+5` would be numbers too.
    if !percent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(MaxFailuresError::Share);
    }
    match percent.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Some(FailureLimit::Percent(percent))),
        _ => Err(MaxFailuresError::Share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_and_not_zero() {
        assert_eq!(count("10_000_000").unwrap().get(), 10_000_000);
        for text in ["", "0", "-1", "+1", "1.5", "1e6", "_", "ten", "18446744073709551616", "1,000"] {
            assert_eq!(count(text), Err(CountError), "{text:?}");
        }
    }

    #[test]
    fn bulk_is_a_switch_or_a_batch_size() {
        let keys =
            |count| Ok(Batching::Bulk(BatchLimit { keys: NonZeroU32::new(count).unwrap(), bytes: MAX_BULK_BYTES }));
        assert_eq!(bulk("false"), Ok(Batching::Single));
        assert_eq!(bulk("true"), keys(10_000));
        assert_eq!(bulk("10_000"), keys(10_000));
        assert_eq!(bulk("1"), keys(1), "a number, not a yes");
        for text in ["", "0", "10001", "-1", "yes", "on", "True", "1.5", "4294967297"] {
            assert_eq!(bulk(text), Err(BulkError), "{text:?}");
        }
    }

    #[test]
    fn failures_are_counted_or_a_share() {
        assert_eq!(max_failures("7"), Ok(Some(FailureLimit::Count(NonZeroU64::new(7).unwrap()))));
        assert_eq!(max_failures("2.5%"), Ok(Some(FailureLimit::Percent(2.5))));
        assert_eq!(max_failures("100%"), Ok(Some(FailureLimit::Percent(100.0))));
        assert_eq!(max_failures("none"), Ok(None));
        for text in ["0%", "0.0%", "100.1%", "-5%", "nan%", "inf%", "%", "1e1%", "+5%", "5 %"] {
            assert_eq!(max_failures(text), Err(MaxFailuresError::Share), "{text:?}");
        }
        for text in ["", "0", "5%%%", "None", "none%"] {
            assert!(max_failures(text).is_err(), "{text:?}");
        }
    }
}
