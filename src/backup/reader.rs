//! Reads a backup record by record, with one of them in memory.

use super::record::BackupRecord;
use crate::input::{Fingerprint, InputError, JsonValues, Source};

/// The longest record: a value of 25 MiB, each byte of it escaped in six, with the rest.
const MAX_RECORD_BYTES: usize = (6 * 25 + 1) << 20;

#[derive(Debug)]
pub(crate) enum BackupLine {
    Record(BackupRecord),
    /// Not a record; with its key, if that can be read, and why.
    Invalid {
        key: String,
        why: String,
    },
}

/// The records of a file: NDJSON as kvsweep writes it, or a JSON array as `wrangler kv bulk put` reads it, compressed or not.
pub(crate) struct BackupReader(JsonValues);

impl BackupReader {
    /// Opens a file that was `expected` when it was looked at.
    pub(crate) fn open(source: &Source, expected: Fingerprint) -> Result<Self, InputError> {
        JsonValues::open(source, expected, MAX_RECORD_BYTES).map(Self)
    }
}

impl Iterator for BackupReader {
    type Item = Result<BackupLine, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = |value: &[u8]| {
            BackupRecord::read(value).map_or_else(|(key, why)| BackupLine::Invalid { key, why }, BackupLine::Record)
        };
        self.0.next_value().map(|value| value.map(read)).transpose()
    }
}
