//! A finished report, read back row by row, as often as it takes. Nothing in it is changed, and it is not locked: a job
//! may still be writing it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use super::error::ReportError;
use super::row::Format;
use super::row::{ReadError, StoredRow};
use super::{csv, ndjson};
use crate::files::FileError;

const BUFFER: usize = 256 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadExtent {
    /// Where the last complete row ends, in bytes.
    pub complete: u64,
    /// Bytes after that: a last row that was cut off, or that is being written.
    pub torn: u64,
}

#[derive(Debug)]
pub(crate) struct ReportReader {
    path: PathBuf,
    file: File,
    format: Format,
}

impl ReportReader {
    /// Opens `path`. CSV is distinguished from NDJSON by the first byte, whatever the name.
    pub(crate) fn open(path: PathBuf) -> Result<Self, ReportError> {
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

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Hands every complete row to `each`, from the first on; `until`, where it is given, is where to stop, in bytes: a
    /// job may have written more since the last time.
    ///
    /// # Errors
    /// [`ReportError::NoReport`] where a row other than a torn last one cannot be read; [`ReportError::File`].
    pub(crate) fn rows(&self, until: Option<u64>, each: impl FnMut(&StoredRow<'_>)) -> Result<ReadExtent, ReportError> {
        let io = |source| ReportError::io(&self.path, "read")(source);
        let length = match until {
            Some(until) => until,
            None => self.file.metadata().map_err(io)?.len(),
        };
        let complete = read_file(self.format, &self.file, length, each).map_err(|error| match error {
            ReadError::Io(source) => io(source),
            ReadError::Damaged { line, why } => ReportError::NoReport { path: self.path.clone(), line, why },
        })?;
        Ok(ReadExtent { complete, torn: length.saturating_sub(complete) })
    }
}

/// As [`read_rows`], of the first `length` bytes of a file.
pub(super) fn read_file(
    format: Format,
    mut file: &File,
    length: u64,
    each: impl FnMut(&StoredRow<'_>),
) -> Result<u64, ReadError> {
    file.rewind()?;
    read_rows(format, BufReader::with_capacity(BUFFER, file.take(length)), each)
}

/// Hands every complete row to `each`, in order, and returns where the last one ends, in bytes.
pub(super) fn read_rows(
    format: Format,
    input: impl BufRead,
    mut each: impl FnMut(&StoredRow<'_>),
) -> Result<u64, ReadError> {
    match format {
        Format::Csv => csv::read_rows(input, &mut each),
        Format::Ndjson => ndjson::read_rows(input, &mut each),
    }
}

#[cfg(test)]
pub(super) mod tests;
