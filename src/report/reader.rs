//! A finished report, read back row by row, as often as it takes. Nothing in it is changed, and it is not locked: a job
//! may still be writing it.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::ReportError;
use super::scan::ScanError;
use super::target::Format;
use super::{csv, ndjson};
use crate::files::FileError;
use crate::outcome::Status;
use crate::record::RecordNumber;

/// What is read at once.
const BUFFER: usize = 256 << 10;

/// A row as it stands in the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow<'a> {
    /// Which record.
    pub number: RecordNumber,
    /// The exact key, or what could be shown of an invalid one.
    pub key: Cow<'a, str>,
    /// What became of it.
    pub status: Status,
    /// The HTTP status of the answer that settled it.
    pub http_status: Option<u16>,
    /// The API's own code.
    pub error_code: Option<u64>,
    /// What went wrong; empty where nothing did.
    pub error: Cow<'a, str>,
    /// How many requests were sent for it.
    pub attempts: u32,
    /// From the first request for it to the last answer, in milliseconds.
    pub elapsed_ms: u64,
    /// When its state was known.
    pub finished_at: SystemTime,
}

/// How much of a file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadExtent {
    /// Where the last complete row ends, in bytes.
    pub complete: u64,
    /// Bytes behind that: a last row that was cut off, or that is being written.
    pub torn: u64,
}

/// A report that is open for reading.
#[derive(Debug)]
pub struct ReportReader {
    path: PathBuf,
    file: File,
    format: Format,
}

impl ReportReader {
    /// Opens `path`. CSV is told from NDJSON by the first byte, whatever the name.
    ///
    /// # Errors
    /// [`ReportError::File`], also for what cannot be read twice.
    pub fn open(path: PathBuf) -> Result<Self, ReportError> {
        let mut file = File::open(&path).map_err(ReportError::io(&path, "read"))?;
        let metadata = file.metadata().map_err(ReportError::io(&path, "read"))?;
        if !metadata.is_file() {
            let what = if metadata.is_dir() { "a folder" } else { "no regular file, and has to be read twice" };
            return Err(FileError::NotRegular { path, what }.into());
        }
        let mut first = [0];
        let read = file.read(&mut first).map_err(ReportError::io(&path, "read"))?;
        let format = if first[..read] == *b"{" { Format::Ndjson } else { Format::Csv };
        Ok(Self { path, file, format })
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands every complete row to `each`, from the first on; `until`, where it is given, is where to stop, in bytes: a
    /// job may have gone on writing since the last time.
    ///
    /// # Errors
    /// [`ReportError::NoReport`] where a row other than a torn last one cannot be read; [`ReportError::File`].
    pub fn rows(&self, until: Option<u64>, each: impl FnMut(&StoredRow<'_>)) -> Result<ReadExtent, ReportError> {
        let io = |source| ReportError::io(&self.path, "read")(source);
        let mut file = &self.file;
        file.rewind().map_err(io)?;
        let length = match until {
            Some(until) => until,
            None => file.metadata().map_err(io)?.len(),
        };
        let input = BufReader::with_capacity(BUFFER, file.take(length));
        let complete = match self.format {
            Format::Csv => csv::scan_whole(input, each),
            Format::Ndjson => ndjson::scan_whole(input, each),
        };
        let complete = complete.map_err(|error| match error {
            ScanError::Io(source) => io(source),
            ScanError::Damaged { line, why } => ReportError::NoReport { path: self.path.clone(), line, why },
        })?;
        Ok(ReadExtent { complete, torn: length.saturating_sub(complete) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::encode::tests::{any_settled, encode};
    use super::*;
    use crate::outcome::Settled;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, ReportReader) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        std::fs::write(&path, bytes).unwrap();
        let reader = ReportReader::open(path).unwrap();
        (folder, reader)
    }

    fn owned(row: &StoredRow<'_>) -> StoredRow<'static> {
        let key = Cow::Owned(row.key.clone().into_owned());
        StoredRow { key, error: Cow::Owned(row.error.clone().into_owned()), ..*row }
    }

    fn expected(settled: &Settled) -> StoredRow<'static> {
        let detail = settled.detail.as_deref();
        StoredRow {
            number: settled.number,
            key: Cow::Owned(settled.key.to_string()),
            status: settled.status,
            http_status: settled.http_status,
            error_code: detail.and_then(|detail| detail.error_code),
            error: Cow::Owned(detail.map(|detail| detail.error.clone()).unwrap_or_default()),
            attempts: settled.attempts,
            elapsed_ms: u64::try_from(settled.elapsed.as_millis()).unwrap(),
            finished_at: settled.finished_at,
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back_whole(rows in prop::collection::vec(any_settled(), 1..6), cut in 1..20_usize) {
            for format in [Format::Csv, Format::Ndjson] {
                let bytes = encode(format, &rows);
                let (_folder, reader) = written(&bytes);
                let mut read = Vec::new();
                let extent = reader.rows(None, |row| read.push(owned(row))).unwrap();
                prop_assert_eq!(&read, &rows.iter().map(expected).collect::<Vec<_>>());
                prop_assert_eq!(extent, ReadExtent { complete: bytes.len() as u64, torn: 0 });

                // A torn last row is left out, and said.
                let torn = &bytes[..bytes.len() - cut];
                let (_folder, reader) = written(torn);
                let mut read = Vec::new();
                let extent = reader.rows(None, |row| read.push(owned(row))).unwrap();
                prop_assert_eq!(&read, &rows[..rows.len() - 1].iter().map(expected).collect::<Vec<_>>());
                prop_assert_eq!(extent.complete + extent.torn, torn.len() as u64);
                prop_assert!(extent.torn > 0);
                // The second time it is the same, where the first one ended.
                let mut again = 0;
                reader.rows(Some(extent.complete), |_| again += 1).unwrap();
                prop_assert_eq!(again, read.len());
            }
        }
    }

    #[test]
    fn what_is_no_report_is_refused_with_its_line() {
        for (bytes, line) in [(&b"a,b\n1,2\n"[..], 1), (b"{\"record\":1}\n", 1), (b"\x1f\x8b\x08\x00", 1)] {
            let (_folder, reader) = written(bytes);
            let error = reader.rows(None, |_| ()).unwrap_err();
            assert!(matches!(error, ReportError::NoReport { line: l, .. } if l == line), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let error = ReportReader::open(folder.path().to_owned()).unwrap_err();
        assert!(matches!(error, ReportError::File(FileError::NotRegular { .. })));
    }
}
