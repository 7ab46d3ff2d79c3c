//! One or more reports, open for reading.

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::jobs::{ReportedFile, ReportedJob};
use super::latest_rows::{LatestRow, LatestRows, MOST_FILES, RowIndex};
use super::timeline::millis;
use crate::outcome::Status;
use crate::report::{Difference, JobFile, Kind, ReportError, ReportReader, Role, StoredRow};
use crate::terminal::Escaped;
use crate::text::split_hints;

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
    #[error("{report} cannot be combined with {first}: its {} is {}, and that of {first} is {}\nhint: run kvsweep report once for each job", .difference.what, .difference.now, .difference.then)]
    OtherJob { report: PathBuf, first: PathBuf, difference: Box<Difference> },
    #[error("{plan} is not the plan of {report}: its {} is {}, and that of {report} is {}\nhint: pass the plan of this job to --diff", .difference.what, .difference.then, .difference.now)]
    OtherPlan { plan: PathBuf, report: PathBuf, difference: Box<Difference> },
    #[error("{report} is the report of a {}, which does not execute a plan\nhint: pass a report of kvsweep delete", .kind.in_words())]
    NotExecuted { report: PathBuf, kind: Kind },
}

impl ReviewError {
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Report(error) => error.is_usage(),
            _ => true,
        }
    }
}

/// One or more reports, of which the latest row of every record is known.
#[derive(Debug)]
pub(crate) struct Reports {
    readers: Vec<ReportReader>,
    files: Vec<ReportedFile>,
    latest_rows: LatestRows,
    /// By a job file or by a row.
    are_of_restore: bool,
}

impl Reports {
    /// Reads every file once.
    pub(crate) fn open(paths: Vec<PathBuf>) -> Result<Self, ReviewError> {
        if paths.len() > MOST_FILES {
            return Err(ReviewError::TooMany(paths.len()));
        }
        let hasher = RandomState::new();
        let mut reports =
            Self { readers: Vec::new(), files: Vec::new(), latest_rows: LatestRows::default(), are_of_restore: false };
        // All are opened before any is read: a wrong name is reported at once.
        for path in paths {
            reports.readers.push(ReportReader::open(path)?);
        }
        let jobs: Vec<_> = reports.readers.iter().map(|reader| job_of(reader.path())).collect();
        check_same_target(&reports.readers, &jobs)?;
        let mut are_of_restore = false;
        for ((index, reader), mut job) in reports.readers.iter().enumerate().zip(jobs) {
            let (mut rows, mut records) = (0, 0);
            let (mut finished, mut sent) = (None, None);
            let mut table = RowIndex::default();
            let extent = reader.rows(None, |row| {
                let at = millis(row.finished_at);
                let latest = LatestRow::new(index, rows, at, hasher.hash_one(&*row.key));
                records += u64::from(table.replace(row.number, Some(latest)).is_none());
                rows += 1;
                finished = Some(widened(finished, row.finished_at));
                if let Some(job) = &mut job {
                    job.add(at);
                }
                if row.attempts > 0 {
                    sent = Some(widened(sent, at));
                }
                are_of_restore |= matches!(row.status, Status::Restored | Status::Restorable);
            })?;
            let kind = job.as_ref().map(|job| job.identity().kind);
            are_of_restore |= matches!(kind, Some(Kind::Restore | Kind::RestoreDryRun));
            let path = reader.path().to_owned();
            let identity = job.as_ref().map(ReportedJob::identity);
            let identities = reports.files.iter().map(|file| file.job.as_ref().map(ReportedJob::identity));
            let may_be_same: Vec<_> = identities
                .map(|other| !identity.zip(other).is_some_and(|(one, other)| one.has_other_inputs(other)))
                .collect();
            reports.latest_rows.add(table, |file| may_be_same[file]);
            reports.are_of_restore = are_of_restore;
            reports.files.push(ReportedFile { path, rows, records, finished, sent, extent, job });
        }
        Ok(reports)
    }

    /// What each file holds, in the order given.
    pub(crate) fn files(&self) -> &[ReportedFile] {
        &self.files
    }

    pub(crate) fn are_of_restore(&self) -> bool {
        self.are_of_restore
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

/// Rows of one report replace those of another, so all have to be of one kind and one namespace, as far as job files say.
fn check_same_target(readers: &[ReportReader], jobs: &[Option<ReportedJob>]) -> Result<(), ReviewError> {
    let files = || readers.iter().map(ReportReader::path).zip(jobs);
    let known = || files().filter_map(|(path, job)| Some((path, job.as_ref()?.identity())));
    let Some(mut together) = known().next().map(|(_, identity)| identity.clone()) else { return Ok(()) };
    for (report, identity) in known() {
        let differs = together.other_target(identity).is_some();
        let first = known().filter(|_| differs).find_map(|(path, first)| Some((path, first.other_target(identity)?)));
        if let Some((first, difference)) = first {
            let (report, first) = (report.to_owned(), first.to_owned());
            return Err(ReviewError::OtherJob { report, first, difference: Box::new(difference) });
        }
        together.complete(identity);
    }
    files().filter(|(_, job)| job.is_none()).for_each(|(path, _)| warn_unchecked(path));
    Ok(())
}

pub(super) fn warn_unchecked(report: &Path) {
    let report = report.to_string_lossy();
    tracing::warn!("{} has no job file, so it cannot be checked whether it belongs to the same job", Escaped(&report));
}

/// What the job file beside a report says; what cannot be read says nothing.
fn job_of(report: &Path) -> Option<ReportedJob> {
    match JobFile::read_all(report, Role::Summarised) {
        Ok(mut files) => files.pop().map(ReportedJob::new),
        Err(error) => {
            let error = error.to_string();
            let (what, hints) = split_hints(&error);
            tracing::warn!("{}{hints}", Escaped(what));
            None
        }
    }
}

fn widened<T: Ord + Copy>(range: Option<(T, T)>, value: T) -> (T, T) {
    range.map_or((value, value), |(first, last)| (first.min(value), last.max(value)))
}
