//! What reading a report back comes to, whatever its format.

use std::io;
use std::time::SystemTime;

use crate::outcome::Status;
use crate::record::RecordNumber;

/// The longest row that is read back, in bytes; a row of ours holds a key and an error text of at most a few
/// hundred kilobytes. Keeps a file of another kind from filling the memory.
pub(super) const MAX_ROW_BYTES: usize = 16 << 20;

/// What the journal needs of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JournalRow<'a> {
    pub(super) number: RecordNumber,
    pub(super) key: &'a str,
    pub(super) status: Status,
    pub(super) attempts: u32,
    pub(super) finished_at: SystemTime,
}

impl<'a> JournalRow<'a> {
    /// Checks a row's columns; the error says which is wrong.
    pub(super) fn new(
        record: u64,
        key: &'a str,
        status: &str,
        attempts: u32,
        finished_at: &str,
    ) -> Result<Self, String> {
        Ok(Self {
            number: RecordNumber::new(record).ok_or("record numbers begin at 1")?,
            key,
            status: status.parse().map_err(|()| format!("`{status}` is not a status"))?,
            attempts,
            finished_at: humantime::parse_rfc3339(finished_at)
                .map_err(|_| format!("`{finished_at}` is not a time in UTC"))?,
        })
    }
}

/// Why a report could not be read to its end.
#[derive(Debug)]
pub(super) enum ScanError {
    Io(io::Error),
    Damaged { line: u64, why: String },
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// `bytes` without the zeros that a power cut can leave at the end of a file.
pub(super) fn without_zeros(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// Whether `torn`, all that a file holds, can be the beginning of `expected`.
pub(super) fn begins_as(torn: &[u8], expected: &[u8]) -> bool {
    let torn = without_zeros(torn);
    torn.starts_with(expected) || expected.starts_with(torn)
}

#[cfg(test)]
pub(super) mod tests;
