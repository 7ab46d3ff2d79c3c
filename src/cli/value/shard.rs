//! `--shard`.

use std::num::NonZeroU32;
use std::str::FromStr;

use thiserror::Error;

use crate::shard::{Shard, ShardError};

/// `--shard`: which part of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardArg {
    /// `2/4`
    Part(Shard),
    /// `auto/4`: the scheduler numbers this task among so many.
    Auto(NonZeroU32),
}

/// A text that names no part.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShardArgError {
    /// Neither `K/N` nor `auto/N`.
    #[error("expected K/N, for example 2/4 for the second of four, or auto/N to take K from the scheduler")]
    Shape,
    /// A number out of range.
    #[error(transparent)]
    Range(ShardError),
}

impl FromStr for ShardArg {
    type Err = ShardArgError;

    fn from_str(text: &str) -> Result<Self, ShardArgError> {
        let shard = match text.strip_prefix("auto/") {
            Some(count) => format!("1/{count}").parse::<Shard>().map(|shard| Self::Auto(shard.count())),
            None => text.parse().map(Self::Part),
        };
        shard.map_err(|error| match error {
            ShardError::Shape => ShardArgError::Shape,
            ShardError::Count | ShardError::Number { .. } => ShardArgError::Range(error),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_given_or_taken_from_the_scheduler() {
        assert_eq!("2/4".parse(), Ok(ShardArg::Part(Shard::new(1, 4).unwrap())));
        assert_eq!("auto/4".parse(), Ok(ShardArg::Auto(NonZeroU32::new(4).unwrap())));
        for text in ["", "auto", "auto/", "auto4", "Auto/4", "auto/2/4", "auto/-4", "auto/ 4", "2", "auto/auto"] {
            assert_eq!(text.parse::<ShardArg>(), Err(ShardArgError::Shape), "{text:?}");
        }
        for text in ["auto/0", "auto/100001", "auto/4294967296", "5/4", "0/4"] {
            assert!(matches!(text.parse::<ShardArg>(), Err(ShardArgError::Range(_))), "{text:?}");
        }
    }
}
