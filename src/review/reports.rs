//! One or more reports, open for reading.

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::jobs::{ReportedFile, ReportedJob};
use super::latest_rows::{LatestRows, MOST_FILES, RowIndex};
use super::timeline::millis;
use crate::report::{JobFile, ReportError, ReportReader, StoredRow};
use crate::terminal::Escaped;

/// Why reports cannot be reviewed.
#[derive(Debug, Error)]
pub enum ReviewError {
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("{0} reports are more than the {MOST_FILES} that can be read at once")]
    TooMany(usize),
    #[error(
        "{path} is not the report of a dry run\nhint: pass one to --diff: kvsweep delete … --dry-run --report PLAN writes it"
    )]
    NoPlan { path: PathBuf },
}

impl ReviewError {
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Report(error) => error.is_usage(),
            Self::TooMany(_) | Self::NoPlan { .. } => true,
        }
    }
}

/// One or more reports, of which the latest row of every record is known.
#[derive(Debug)]
pub(crate) struct Reports {
    readers: Vec<ReportReader>,
    files: Vec<ReportedFile>,
    latest_rows: LatestRows,
}

impl Reports {
    /// Reads every file once.
    pub(crate) fn open(paths: Vec<PathBuf>) -> Result<Self, ReviewError> {
        if paths.len() > MOST_FILES {
            return Err(ReviewError::TooMany(paths.len()));
        }
        let hasher = RandomState::new();
        let mut reports = Self { readers: Vec::new(), files: Vec::new(), latest_rows: LatestRows::default() };
        // All are opened before any is read: a wrong name is reported at once.
        for path in paths {
            reports.readers.push(ReportReader::open(path)?);
        }
        for (index, reader) in reports.readers.iter().enumerate() {
            let (mut rows, mut records) = (0, 0);
            let (mut finished, mut sent) = (None, None);
            let mut table = RowIndex::default();
            let mut job = job_of(reader.path());
            let extent = reader.rows(None, |row| {
                let at = millis(row.finished_at);
                let new = table.put(row.number, index, rows, at, hasher.hash_one(&*row.key));
                rows += 1;
                records += u64::from(new);
                finished = Some(widened(finished, row.finished_at));
                if let Some(job) = &mut job {
                    job.add(at);
                }
                if row.attempts > 0 {
                    sent = Some(widened(sent, at));
                }
            })?;
            let path = reader.path().to_owned();
            reports.files.push(ReportedFile { path, rows, records, finished, sent, extent, job });
            reports.latest_rows.add(table);
        }
        Ok(reports)
    }

    /// What each file holds, in the order given.
    pub(crate) fn files(&self) -> &[ReportedFile] {
        &self.files
    }

    pub(super) fn input_of(&self) -> &[usize] {
        self.latest_rows.input_of()
    }

    pub(crate) fn inputs(&self) -> usize {
        self.latest_rows.inputs()
    }

    /// Hands every row to `each`, file by file as it was read the first time, with the file's index and whether the row
    /// is the latest of its record.
    ///
    /// # Errors
    /// As [`ReportReader::rows`]: a file may have been changed since.
    pub(crate) fn rows(&self, mut each: impl FnMut(usize, &StoredRow<'_>, bool)) -> Result<(), ReportError> {
        for (index, (reader, file)) in self.readers.iter().zip(&self.files).enumerate() {
            let mut row_index = 0;
            reader.rows(Some(file.extent.complete), |row| {
                each(index, row, self.latest_rows.is_latest(row.number, index, row_index));
                row_index += 1;
            })?;
        }
        Ok(())
    }
}

/// What the job file beside a report says; what cannot be read says nothing.
fn job_of(report: &Path) -> Option<ReportedJob> {
    match JobFile::read(report) {
        Ok(file) => file.map(ReportedJob::new),
        Err(error) => {
            tracing::warn!("{}", Escaped(&error.to_string()));
            None
        }
    }
}

fn widened<T: Ord + Copy>(range: Option<(T, T)>, value: T) -> (T, T) {
    range.map_or((value, value), |(first, last)| (first.min(value), last.max(value)))
}
