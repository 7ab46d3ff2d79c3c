//! A report's file, from opening until its writer takes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::causes::Causes;
use super::error::ReportError;
use super::journal::Journal;
use super::reader::read_file;
use super::row::{COLUMNS, Format, ReadError, StoredRow};
use super::sink::Sink;
use crate::files::{IfExists, OutputFile};

#[derive(Debug)]
pub enum Destination {
    Stdout,
    File(ReportFile),
}

impl Destination {
    /// As [`ReportFile::open`].
    pub(crate) fn open(path: PathBuf, if_exists: IfExists) -> Result<Self, ReportError> {
        ReportFile::open(path, if_exists).map(Self::File)
    }
}

/// A report that is opened and locked. What it holds stays untouched until [`start`](super::start); dropped before
/// that, a file that was made for it is removed.
#[derive(Debug)]
pub struct ReportFile {
    output: OutputFile,
    format: Format,
    if_exists: IfExists,
    /// What an earlier run wrote and where its last complete row ends, in bytes, once that is known.
    journal: Option<(Arc<Journal>, u64)>,
}

impl ReportFile {
    /// Opens `path`, or makes it with mode 0600, and locks it against other processes until this is dropped or its
    /// writer has finished. The extension gives the format.
    pub fn open(path: PathBuf, if_exists: IfExists) -> Result<Self, ReportError> {
        let format = Format::of(&path)?;
        let mut output = OutputFile::open(path, if_exists)?;
        output.write_lock_owner();
        Ok(Self { output, format, if_exists, journal: None })
    }

    pub fn path(&self) -> &Path {
        self.output.path()
    }

    /// Beside which requests are counted.
    pub(crate) fn output(&self) -> &OutputFile {
        &self.output
    }

    pub fn is_empty(&self) -> bool {
        self.output.file().metadata().is_ok_and(|file| file.len() == 0)
    }

    /// Reads what an earlier run wrote; empty unless it was opened to be resumed. A torn last row is left out; it is
    /// cut off when writing starts.
    ///
    /// # Errors
    /// [`ReportError::Damaged`] if a row other than a torn last one cannot be read, [`ReportError::File`].
    pub fn read_journal(&mut self) -> Result<Arc<Journal>, ReportError> {
        if self.if_exists != IfExists::Resume {
            return Ok(Arc::default());
        }
        let (journal, end) = journal(&self.output, self.format)?;
        let journal = Arc::new(journal);
        self.journal = Some((Arc::clone(&journal), end));
        Ok(journal)
    }

    /// Why records of an earlier run failed, are unknown or invalid, by their last rows.
    pub fn causes(&self) -> Result<Causes, ReportError> {
        let mut causes = Causes::default();
        each_failure(&self.output, self.format, |row| causes.add(row))?;
        Ok(causes)
    }

    /// Ready for rows, with what an earlier run wrote, if it is resumed.
    pub(super) fn begin(mut self) -> Result<(Sink, Option<Arc<Journal>>), ReportError> {
        if self.if_exists == IfExists::Resume && self.journal.is_none() {
            self.read_journal()?;
        }
        let (journal, keep) = self.journal.unzip();
        let keep = keep.unwrap_or(0);
        self.output.begin(keep)?;
        let sink = Sink::file(self.output, self.format);
        Ok((if keep == 0 { sink.with_header(&COLUMNS) } else { sink }, journal))
    }
}

fn journal(report: &OutputFile, format: Format) -> Result<(Journal, u64), ReportError> {
    let mut journal = Journal::default();
    let end = each_row(report, format, |row| journal.add(row))?;
    Ok((journal, end))
}

/// Where the last complete one ends, in bytes.
fn each_row(report: &OutputFile, format: Format, each: impl FnMut(&StoredRow<'_>)) -> Result<u64, ReportError> {
    let path = report.path();
    read_file(format, report.file(), u64::MAX, each).map_err(|error| match error {
        ReadError::Io(source) => ReportError::io(path, "read")(source),
        ReadError::Damaged { line, why } => ReportError::Damaged { path: path.to_owned(), line, why },
    })
}

/// The last row of every record that failed, is unknown or invalid.
pub(super) fn each_failure(
    report: &OutputFile,
    format: Format,
    mut each: impl FnMut(&StoredRow<'_>),
) -> Result<(), ReportError> {
    let (mut last, _) = journal(report, format)?;
    each_row(report, format, |row| {
        if row.status.is_trouble() && last.status(row.number) == Some(row.status) {
            // A later row may say the same of it.
            last.forget(row.number);
            each(row);
        }
    })
    .map(drop)
}

#[cfg(test)]
mod tests;
