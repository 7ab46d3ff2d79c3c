//! Something about each record, by its number: little more than the thing itself takes, however large the numbers are.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::record::RecordNumber;

/// Records per chunk. Small, so that far-flung numbers cost a few times the size of their rows and no more.
const CHUNK: usize = 64;

/// What a chunk costs besides its records: its place in the map (a node is at least half full) and the allocator's own words.
const CHUNK_OVERHEAD: usize = 64;

/// A table of all records; those without an entry have the default.
#[derive(Debug, Default)]
pub(crate) struct RecordTable<T> {
    chunks: BTreeMap<u64, Box<[T; CHUNK]>>,
}

impl<T: Copy + Default> RecordTable<T> {
    pub(crate) fn get(&self, number: RecordNumber) -> T {
        let (chunk, index) = place(number);
        self.chunks.get(&chunk).map_or_else(T::default, |records| records[index])
    }

    /// Sets the entry of a record and returns the one before.
    pub(crate) fn replace(&mut self, number: RecordNumber, entry: T) -> T {
        let (chunk, index) = place(number);
        let records = self.chunks.entry(chunk).or_insert_with(|| Box::new([T::default(); CHUNK]));
        std::mem::replace(&mut records[index], entry)
    }

    /// Whether `holds` for both entries of every record that both tables may have one for.
    pub(crate) fn agrees_with(&self, other: &Self, holds: impl Fn(T, T) -> bool) -> bool {
        let agree = |ours: &[T; CHUNK], theirs: &[T; CHUNK]| ours.iter().zip(theirs).all(|(a, b)| holds(*a, *b));
        other.chunks.iter().all(|(chunk, theirs)| self.chunks.get(chunk).is_none_or(|ours| agree(ours, theirs)))
    }

    /// Takes the entries of `other`, where both may have one that which `choose` gives.
    pub(crate) fn merge(&mut self, other: Self, choose: impl Fn(T, T) -> T) {
        for (chunk, theirs) in other.chunks {
            match self.chunks.entry(chunk) {
                Entry::Vacant(vacant) => {
                    vacant.insert(theirs);
                }
                Entry::Occupied(mut ours) => {
                    ours.get_mut().iter_mut().zip(*theirs).for_each(|(ours, theirs)| *ours = choose(*ours, theirs));
                }
            }
        }
    }

    pub(crate) fn memory(&self) -> usize {
        self.chunks.len() * (size_of::<[T; CHUNK]>() + CHUNK_OVERHEAD)
    }
}

fn place(number: RecordNumber) -> (u64, usize) {
    let index = number.get() - 1;
    #[expect(clippy::cast_possible_truncation, reason = "a remainder below CHUNK")]
    let within = (index % CHUNK as u64) as usize;
    (index / CHUNK as u64, within)
}
