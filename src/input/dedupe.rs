//! Marks the keys that an earlier record named.

use std::mem;

use crate::key_index::KeySet;
use crate::record::{Content, Record};

/// Turns each [`Content::Key`] that an earlier record holds into a [`Content::Duplicate`]. Numbers and everything else
/// stay as they are.
#[derive(Debug, Default)]
pub struct Dedupe {
    seen: KeySet,
}

impl Dedupe {
    /// Marks the next record.
    pub fn mark(&mut self, record: &mut Record) {
        if let Content::Key(key) = &record.content
            && !self.seen.insert(key.as_str())
        {
            let content = mem::replace(&mut record.content, Content::Settled);
            record.content = if let Content::Key(key) = content { Content::Duplicate(key) } else { content };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyName;
    use crate::record::RecordNumber;

    proptest! {
        #[test]
        fn it_answers_as_a_hash_set_whatever_the_order(names in proptest::collection::vec("[a-c]{1,3}", 0..300)) {
            let (mut dedupe, mut model) = (Dedupe::default(), HashSet::new());
            for (number, name) in (1..).zip(names) {
                let key = KeyName::new(name.clone()).unwrap();
                let mut record = Record { number: RecordNumber::new(number).unwrap(), content: Content::Key(key.clone()) };
                dedupe.mark(&mut record);
                let expected = if model.insert(name) { Content::Key(key) } else { Content::Duplicate(key) };
                prop_assert_eq!((record.number.get(), record.content), (number, expected));
            }
        }
    }
}
