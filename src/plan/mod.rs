//! What a job is going to do, known before it does it: the first pass over the input, and the guards.
//!
//! [`Plan::survey`] counts, and [`Plan::refusal`] compares that with the guards; a dry run shows [`stats`] and a [`price`].

use crate::key::KeyName;
use crate::outcome::{Status, Tally};
use crate::record::{Content, Record};
use crate::terminal::is_padded;

pub(crate) mod filter;
pub(crate) mod glob;
mod guards;
pub(crate) mod price;
pub(crate) mod stats;

pub use guards::Guards;

/// How many keys are kept as examples.
const SAMPLES: usize = 5;

/// What the first pass found.
#[derive(Debug)]
pub(crate) struct Plan<E> {
    /// Records of any kind, up to where the input broke.
    pub records: u64,
    /// Keys to be deleted; those that an earlier run settled are not among them.
    pub keys: u64,
    /// The same with those that an earlier run settled: what `--expect`, `--min-keys` and `--max-keys` count.
    pub distinct_keys: u64,
    /// Records in each state that is known before anything is sent: `kept`, `invalid`, `duplicate`, and `planned` for keys.
    pub tally: Tally,
    /// Keys to be deleted that begin or end with a blank.
    pub padded_keys: u64,
    pub first_keys: Vec<KeyName>,
    /// Keys that have to be encoded to stand in a URL, and the first of them.
    pub encoded: u64,
    /// See [`Plan::encoded`].
    pub first_encoded: Option<KeyName>,
    /// What broke the input, if something did; nothing after it was read.
    pub broken: Option<E>,
}

impl<E> Default for Plan<E> {
    fn default() -> Self {
        Self {
            records: 0,
            keys: 0,
            distinct_keys: 0,
            tally: Tally::default(),
            padded_keys: 0,
            first_keys: Vec::new(),
            encoded: 0,
            first_encoded: None,
            broken: None,
        }
    }
}

impl<E> Plan<E> {
    /// Reads all records without sending anything. `each` gets every batch, and what has been counted with it; `false` ends
    /// the reading.
    pub(crate) fn survey(
        &mut self,
        mut next_batch: impl FnMut(&mut Vec<Record>) -> Result<bool, E>,
        mut each: impl FnMut(&Self, &mut Vec<Record>) -> bool,
    ) {
        let mut batch = Vec::new();
        loop {
            let read = next_batch(&mut batch);
            for record in &batch {
                self.count(record);
            }
            if !each(self, &mut batch) {
                return;
            }
            batch.clear();
            match read {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    self.broken = Some(error);
                    return;
                }
            }
        }
    }

    pub(crate) fn count(&mut self, record: &Record) {
        self.records += 1;
        match &record.content {
            Content::Key(key) => {
                self.keys += 1;
                self.distinct_keys += 1;
                self.padded_keys += u64::from(is_padded(key.as_str()));
                self.tally.add(Status::Planned);
                if self.first_keys.len() < SAMPLES {
                    self.first_keys.push(key.clone());
                }
                if key.needs_encoding() {
                    self.encoded += 1;
                    self.first_encoded.get_or_insert_with(|| key.clone());
                }
            }
            Content::Pair(_) => self.tally.add(Status::Restorable),
            Content::Duplicate(_) | Content::Superseded(_) => self.tally.add(Status::Duplicate),
            Content::Kept(_) => self.tally.add(Status::Kept),
            Content::Invalid(_) => self.tally.add(Status::Invalid),
            Content::Settled => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Invalid, Kept, RecordNumber};

    fn record(number: u64, content: Content) -> Record {
        Record { number: RecordNumber::new(number).unwrap(), content }
    }

    fn key(name: &str) -> Content {
        Content::Key(KeyName::new(name).unwrap())
    }

    #[test]
    fn a_survey_counts_every_kind() {
        let why = "the key is empty";
        let invalid = Invalid { key: String::new(), rule: why.into(), reason: why.into() };
        let records = [
            record(1, key("a")),
            record(2, Content::Duplicate(KeyName::new("a").unwrap())),
            record(3, Content::Invalid(Box::new(invalid))),
            record(4, Content::Settled),
            record(5, key("b")),
            record(7, key(" c")),
            record(8, key("d\t")),
            record(6, Content::Kept(Box::new(Kept { key: KeyName::new("c").unwrap(), rule: String::new() }))),
        ];
        let mut plan = Plan::<()>::default();
        let mut records = records.into_iter();
        let next_batch = |batch: &mut Vec<Record>| {
            batch.extend(records.next());
            Ok(!batch.is_empty())
        };
        plan.survey(next_batch, |_, _| true);
        assert_eq!((plan.records, plan.keys, plan.padded_keys), (8, 4, 2));
        assert_eq!([Status::Invalid, Status::Duplicate, Status::Kept].map(|status| plan.tally.get(status)), [1, 1, 1]);
    }

    #[test]
    fn a_broken_input_keeps_what_came_before() {
        let mut plan = Plan::default();
        let next_batch = |batch: &mut Vec<Record>| {
            batch.push(record(1, key("a")));
            Err("cut off")
        };
        plan.survey(next_batch, |_, _| true);
        assert_eq!((plan.records, plan.broken), (1, Some("cut off")));
    }

    #[test]
    fn a_survey_can_be_ended() {
        let mut plan = Plan::<()>::default();
        let next_batch = |batch: &mut Vec<Record>| {
            batch.extend((1..=3).map(|number| record(number, key("a"))));
            Ok(true)
        };
        plan.survey(next_batch, |_, _| false);
        assert_eq!(plan.records, 3);
    }
}
