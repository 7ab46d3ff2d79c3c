//! One of N parts of an input, so that N machines can share it: each key belongs to exactly one.
//!
//! The part of a key is a function of its bytes and N alone: SipHash-2-4 with a key of zeros, 64 bits, modulo N, plus 1.
//! It never changes with the version, the machine or the order of the input, because a job that is resumed has to find
//! its keys again. The same hash serves a record that is no key: what its row in the report shows as `key` counts.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use siphasher::sip::SipHasher24;
use thiserror::Error;

use crate::record::Record;

/// The most parts there may be.
const MOST: u32 = 100_000;

/// Part `number` of `count`, counted from 1; written `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    /// From 0, below `count`.
    index: u32,
    count: NonZeroU32,
}

/// A text or two numbers that name no part.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShardError {
    /// Not `K/N`.
    #[error("expected K/N, for example 2/4 for the second of four")]
    Shape,
    /// N out of range.
    #[error("there can be 1 to {MOST} shards")]
    Count,
    /// K out of range.
    #[error("shards are counted from 1 to {count}, so there is no number {number}")]
    Number {
        /// Which one was asked for.
        number: u64,
        /// How many there are.
        count: u32,
    },
}

impl Shard {
    /// The part that has `index` others before it, of `count`.
    ///
    /// # Errors
    /// [`ShardError`] where there is none.
    pub fn new(index: u64, count: u32) -> Result<Self, ShardError> {
        let count = NonZeroU32::new(count).filter(|count| count.get() <= MOST).ok_or(ShardError::Count)?;
        match u32::try_from(index) {
            Ok(index) if index < count.get() => Ok(Self { index, count }),
            _ => Err(ShardError::Number { number: index.saturating_add(1), count: count.get() }),
        }
    }

    /// Which one it is, from 1.
    pub fn number(self) -> u32 {
        self.index + 1
    }

    /// Which one it is, from 0.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// Whether the key of this name belongs to it.
    pub fn owns(self, name: &str) -> bool {
        let hash = SipHasher24::new().hash(name.as_bytes());
        hash % u64::from(self.count.get()) == u64::from(self.index)
    }

    /// Whether this record belongs to it; one whose content is not known any more does.
    pub fn owns_record(self, record: &Record) -> bool {
        record.content.key().is_none_or(|key| self.owns(key))
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (number, count) = text.split_once('/').ok_or(ShardError::Shape)?;
        let read = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u64>().ok().filter(|_| digits).ok_or(ShardError::Shape)
        };
        let (number, count) = (read(number)?, u32::try_from(read(count)?).map_err(|_| ShardError::Count)?);
        let index = number.checked_sub(1).ok_or(ShardError::Number { number, count });
        // What is wrong with the count comes first.
        Self::new(0, count)?;
        Self::new(index?, count)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number(), self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyName;
    use crate::record::{Content, Invalid, RecordNumber};

    fn shards(count: u32) -> impl Iterator<Item = Shard> {
        (0..count).map(move |index| Shard::new(index.into(), count).unwrap())
    }

    /// Computed with another implementation (the reference algorithm in Python): these may never change.
    #[test]
    fn the_part_of_a_key_is_for_ever() {
        let long = "x".repeat(512);
        for (name, expected) in [
            ("", [2, 3, 4, 3, 368]),
            ("a", [2, 1, 2, 7, 906]),
            ("session:1", [2, 1, 2, 3, 66]),
            ("session:2", [1, 1, 3, 2, 643]),
            ("user/42/profile", [1, 1, 1, 1, 381]),
            ("ключ", [2, 2, 4, 4, 268]),
            ("key\n\0", [2, 3, 4, 7, 968]),
            (&long, [2, 2, 2, 5, 822]),
        ] {
            let owners = [2, 3, 4, 7, 1000].map(|count| {
                let owners: Vec<_> = shards(count).filter(|shard| shard.owns(name)).map(Shard::number).collect();
                assert_eq!(owners.len(), 1, "{name:?}");
                owners[0]
            });
            assert_eq!(owners, expected, "{name:?}");
        }
    }

    #[test]
    fn keys_are_spread_evenly() {
        for count in [2, 4, 10] {
            for shard in shards(count) {
                let owned = (0..20_000).filter(|number| shard.owns(&format!("session:{number}"))).count();
                let fair = 20_000 / count as usize;
                assert!(owned.abs_diff(fair) < fair / 10, "{shard}: {owned}");
            }
        }
    }

    #[test]
    fn a_record_belongs_where_its_row_says() {
        let shard = shards(2).find(|shard| shard.owns("a")).unwrap();
        let of = |content| shard.owns_record(&Record { number: RecordNumber::FIRST, content });
        assert!(of(Content::Key(KeyName::new("a").unwrap())));
        assert!(of(Content::Duplicate(KeyName::new("a").unwrap())));
        assert!(of(Content::Invalid(Box::new(Invalid {
            key: "a".to_owned(),
            rule: "odd".into(),
            reason: "odd".to_owned()
        }))));
        assert!(!of(Content::Key(KeyName::new("session:2").unwrap())));
    }

    #[test]
    fn what_names_no_part_says_why() {
        assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
        assert_eq!("1/1".parse::<Shard>().map(Shard::index), Ok(0));
        for (text, error) in [
            ("", ShardError::Shape),
            ("3", ShardError::Shape),
            ("/4", ShardError::Shape),
            ("a/4", ShardError::Shape),
            ("+1/4", ShardError::Shape),
            ("1/4/2", ShardError::Shape),
            ("1/0", ShardError::Count),
            ("0/0", ShardError::Count),
            ("1/100001", ShardError::Count),
            ("1/9999999999", ShardError::Count),
            ("0/4", ShardError::Number { number: 0, count: 4 }),
            ("5/4", ShardError::Number { number: 5, count: 4 }),
            ("4294967297/4", ShardError::Number { number: 4_294_967_297, count: 4 }),
        ] {
            assert_eq!(text.parse::<Shard>(), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_has_one_owner(name in any::<String>(), count in 1_u32..50) {
            prop_assert_eq!(shards(count).filter(|shard| shard.owns(&name)).count(), 1);
        }
    }
}
