//! A report's file, from opening to the moment when its writer takes it.

use std::io::{BufReader, Seek as _};
use std::path::{Path, PathBuf};

use super::error::ReportError;
use super::journal::Journal;
use super::output::OutputFile;
use super::scan::ScanError;
use super::target::{Existing, Format};
use super::{csv, ndjson};

/// Where the rows of a run go.
#[derive(Debug)]
pub enum Destination {
    /// The standard output, as CSV.
    Stdout,
    /// A file.
    File(ReportFile),
}

/// A report that is opened and locked. What it holds stays untouched until [`start`](super::start); dropped before
/// that, a file that was made for it is removed.
#[derive(Debug)]
pub struct ReportFile {
    output: OutputFile,
    format: Format,
    existing: Existing,
    /// Where the last complete row of the journal ends, in bytes, once that is known.
    journal_end: Option<u64>,
}

impl ReportFile {
    /// Opens `path`, or makes it with mode 0600, and locks it against other processes until this is dropped or its
    /// writer has finished.
    ///
    /// # Errors
    /// [`ReportError::Exists`] where it may not exist; [`ReportError::Symlink`] and [`ReportError::NotRegular`] for
    /// what is no file; [`ReportError::Locked`] where another process has it; [`ReportError::Io`].
    pub fn open(path: PathBuf, format: Format, existing: Existing) -> Result<Self, ReportError> {
        let mut output = OutputFile::open(path, existing)?;
        output.leave_note();
        Ok(Self { output, format, existing, journal_end: None })
    }

    /// The path that it was opened by.
    pub fn path(&self) -> &Path {
        self.output.path()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.output.file().metadata().is_ok_and(|file| file.len() == 0)
    }

    /// Whether `path` names this very file, by whatever name (an input that is also the report, say).
    pub fn is_same_file(&self, path: &Path) -> bool {
        self.output.is_same_file(path)
    }

    /// Reads what an earlier run wrote; empty unless it was opened to be resumed. A torn last row is left out; it is
    /// cut off when writing starts.
    ///
    /// # Errors
    /// [`ReportError::Damaged`] where a row other than a torn last one cannot be read, [`ReportError::Io`].
    pub fn read_journal(&mut self) -> Result<Journal, ReportError> {
        let mut journal = Journal::default();
        if self.existing != Existing::Resume {
            return Ok(journal);
        }
        let (path, mut file) = (self.output.path(), self.output.file());
        file.rewind().map_err(ReportError::io(path, "read"))?;
        let input = BufReader::with_capacity(256 << 10, file);
        let end = match self.format {
            Format::Csv => csv::scan(input, |entry| journal.add(&entry)),
            Format::Ndjson => ndjson::scan(input, |entry| journal.add(&entry)),
        };
        let end = end.map_err(|error| match error {
            ScanError::Io(source) => ReportError::io(path, "read")(source),
            ScanError::Damaged { line, why } => ReportError::Damaged { path: path.to_owned(), line, why },
        })?;
        self.journal_end = Some(end);
        Ok(journal)
    }

    /// Makes the file ready for rows. Returns it with its format and how many bytes of it stay, 0 meaning that a
    /// header has to be written.
    pub(super) fn begin(mut self) -> Result<(OutputFile, Format, u64), ReportError> {
        if self.existing == Existing::Resume && self.journal_end.is_none() {
            self.read_journal()?;
        }
        let keep = self.journal_end.unwrap_or(0);
        self.output.begin(keep)?;
        Ok((self.output, self.format, keep))
    }
}

#[cfg(test)]
mod tests;
