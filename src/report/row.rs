//! One row of the report: its columns, how a settled record fills them, and what a reader makes of them.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::error::ReportError;
use super::rfc3339;
use crate::clock::rfc3339_millis;
use crate::outcome::{Settled, Status};
use crate::record::RecordNumber;
use crate::text::truncated;

/// The columns, in order; the members of an NDJSON row have the same names.
pub(super) const COLUMNS: [&str; 9] =
    ["record", "key", "status", "http_status", "error_code", "error", "attempts", "elapsed_ms", "finished_at"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, with a header (RFC 4180 with `\n` as the line end).
    Csv,
    Ndjson,
}

impl Format {
    /// The format that the extension of `path` names: `.csv`, or `.ndjson` or `.jsonl`, in any case.
    pub fn of(path: &Path) -> Result<Self, ReportError> {
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match extension.as_str() {
            "csv" => Ok(Self::Csv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            _ => Err(ReportError::Extension { path: path.to_owned() }),
        }
    }
}

/// A row: a settled record, as it is written and read back. The fields' order is that of the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredRow<'a> {
    #[serde(rename = "record")]
    pub number: RecordNumber,
    /// The exact key, or what could be shown of an invalid one.
    pub key: Cow<'a, str>,
    #[serde(serialize_with = "displayed")]
    pub status: Status,
    pub http_status: Option<u16>,
    pub error_code: Option<u64>,
    /// What went wrong; empty where nothing did.
    #[serde(serialize_with = "null_if_empty")]
    pub error: Cow<'a, str>,
    pub attempts: u32,
    /// From the first request for it to the last answer, in milliseconds.
    pub elapsed_ms: u64,
    #[serde(serialize_with = "rfc3339::serialize")]
    pub finished_at: SystemTime,
}

fn displayed<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn null_if_empty<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if text.is_empty() { serializer.serialize_none() } else { serializer.serialize_str(text) }
}

impl<'a> From<&'a Settled> for StoredRow<'a> {
    fn from(settled: &'a Settled) -> Self {
        let detail = settled.detail.as_deref();
        Self {
            number: settled.number,
            key: Cow::Borrowed(&settled.key),
            status: settled.status,
            http_status: settled.http_status,
            error_code: detail.and_then(|detail| detail.error_code),
            error: detail.map(|detail| truncated(&detail.error)).unwrap_or_default(),
            attempts: settled.attempts,
            elapsed_ms: u64::try_from(settled.elapsed.as_millis()).unwrap_or(u64::MAX),
            finished_at: settled.finished_at,
        }
    }
}

impl<'a> StoredRow<'a> {
    /// What the columns hold, as text.
    pub(super) fn cells(&self) -> [Cow<'_, str>; COLUMNS.len()] {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default().into();
        [
            number(Some(self.number.get())),
            Cow::Borrowed(&self.key),
            self.status.as_str().into(),
            number(self.http_status.map(u64::from)),
            number(self.error_code),
            Cow::Borrowed(&self.error),
            number(Some(self.attempts.into())),
            number(Some(self.elapsed_ms)),
            rfc3339_millis(self.finished_at).to_string().into(),
        ]
    }

    /// A row with these columns, which are checked whatever the format, and no others.
    pub(super) fn new(record: u64, key: Cow<'a, str>, status: &str, finished_at: &str) -> Result<Self, String> {
        Ok(Self {
            number: RecordNumber::new(record).ok_or("record numbers begin at 1")?,
            key,
            status: status.parse().map_err(|()| format!("`{status}` is not a status"))?,
            http_status: None,
            error_code: None,
            error: Cow::default(),
            attempts: 1,
            elapsed_ms: 0,
            finished_at: humantime::parse_rfc3339(finished_at)
                .map_err(|_| format!("`{finished_at}` is not a time in UTC"))?,
        })
    }
}

/// The longest row that is read back, in bytes; a row of ours holds a key and an error text of at most a few
/// hundred kilobytes. Keeps a file of another kind from filling the memory.
pub(super) const MAX_ROW_BYTES: usize = 16 << 20;

#[derive(Debug)]
pub(super) enum ReadError {
    Io(io::Error),
    Damaged { line: u64, why: String },
}

impl From<io::Error> for ReadError {
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
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::outcome::Detail;

    #[test]
    fn an_error_is_at_most_a_kibibyte_wherever_it_comes_from() {
        let mut settled = Settled {
            number: RecordNumber::FIRST,
            key: "k".into(),
            status: Status::Failed,
            http_status: None,
            detail: Some(Box::new(Detail { error_code: None, error: "é".repeat(1 << 20) })),
            attempts: 1,
            elapsed: Duration::ZERO,
            finished_at: UNIX_EPOCH,
        };
        assert_eq!(StoredRow::from(&settled).error, "é".repeat(510) + "…");
        settled.detail = Some(Box::default());
        assert_eq!(StoredRow::from(&settled).error, "");
    }
}
