//! Numbers that stop a job.

use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;

use thiserror::Error;

use crate::api::MAX_BULK_KEYS;

/// A text that is no count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a whole number from 1, for example 5000 or 10_000_000")]
pub struct CountError;

/// A whole number from 1; `_` may separate its digits.
pub fn count(text: &str) -> Result<NonZeroU64, CountError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return Err(CountError);
    }
    text.replace('_', "").parse().map_err(|_| CountError)
}

/// `--bulk`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkArg {
    /// `false`: one key per request.
    Off,
    /// At most so many keys per request, 1 to [`MAX_BULK_KEYS`]; `true` is the most.
    Keys(NonZeroU32),
}

/// A text that is neither a batch size nor a switch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a whole number from 1 to {MAX_BULK_KEYS}, true or false")]
pub struct BulkArgError;

impl FromStr for BulkArg {
    type Err = BulkArgError;

    fn from_str(text: &str) -> Result<Self, BulkArgError> {
        let keys = match text {
            "false" => return Ok(Self::Off),
            "true" => NonZeroU32::new(MAX_BULK_KEYS),
            _ => count(text).ok().and_then(|count| NonZeroU32::try_from(count).ok()),
        };
        keys.filter(|keys| keys.get() <= MAX_BULK_KEYS).map(Self::Keys).ok_or(BulkArgError)
    }
}

/// `--max-failures`: how much may go wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFailures {
    /// So many keys.
    Count(NonZeroU64),
    /// So many percent of the keys, over 0 and at most 100.
    Share(f64),
    /// No limit.
    None,
}

/// A text that is neither a count nor a share.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MaxFailuresError {
    /// Not a number from 1.
    #[error("expected a number of keys from 1, a share such as 5%, or none")]
    Count,
    /// A percentage out of its range.
    #[error("a share has to be over 0% and at most 100%")]
    Share,
}

impl FromStr for MaxFailures {
    type Err = MaxFailuresError;

    fn from_str(text: &str) -> Result<Self, MaxFailuresError> {
        if text == "none" {
            return Ok(Self::None);
        }
        let Some(percent) = text.strip_suffix('%') else {
            return count(text).map(Self::Count).map_err(|_| MaxFailuresError::Count);
        };
        // Without this `1e1`, `inf` and `+5` would be numbers too.
        if !percent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(MaxFailuresError::Share);
        }
        match percent.parse::<f64>() {
            Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Self::Share(percent)),
            _ => Err(MaxFailuresError::Share),
        }
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
        let keys = |count| Ok(BulkArg::Keys(NonZeroU32::new(count).unwrap()));
        assert_eq!("false".parse(), Ok(BulkArg::Off));
        assert_eq!("true".parse(), keys(10_000));
        assert_eq!("10_000".parse(), keys(10_000));
        assert_eq!("1".parse(), keys(1), "a number, not a yes");
        for text in ["", "0", "10001", "-1", "yes", "on", "True", "1.5", "4294967297"] {
            assert_eq!(text.parse::<BulkArg>(), Err(BulkArgError), "{text:?}");
        }
    }

    #[test]
    fn failures_are_counted_or_a_share() {
        assert_eq!("7".parse(), Ok(MaxFailures::Count(NonZeroU64::new(7).unwrap())));
        assert_eq!("2.5%".parse(), Ok(MaxFailures::Share(2.5)));
        assert_eq!("100%".parse(), Ok(MaxFailures::Share(100.0)));
        assert_eq!("none".parse(), Ok(MaxFailures::None));
        for text in ["0%", "0.0%", "100.1%", "-5%", "nan%", "inf%", "%", "1e1%", "+5%", "5 %"] {
            assert_eq!(text.parse::<MaxFailures>(), Err(MaxFailuresError::Share), "{text:?}");
        }
        for text in ["", "0", "5%%%", "None", "none%"] {
            assert!(text.parse::<MaxFailures>().is_err(), "{text:?}");
        }
    }
}
