//! Marks the keys that an earlier record named.

use super::key_set::KeySet;
use crate::record::{Content, Record};

/// Turns each [`Content::Key`] that is in `seen` already into a [`Content::Duplicate`] and adds the others to it.
/// Numbers and everything else stay as they are.
pub fn dedupe<E>(
    records: impl Iterator<Item = Result<Record, E>>,
    mut seen: KeySet,
) -> impl Iterator<Item = Result<Record, E>> {
    records.map(move |record| {
        record.map(|record| match record.content {
            Content::Key(key) if !seen.insert(key.as_str()) => Record { content: Content::Duplicate(key), ..record },
            content => Record { content, ..record },
        })
    })
}
