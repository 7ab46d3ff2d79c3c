//! What finished reports say: counts, causes of failure, times, pauses; and whether a plan was carried out.
//!
//! - [`Reports`]: one or more files, read once to learn which row of a record counts, then as often as it takes.
//! - [`Review`]: what they come to, for a person ([`Review::lines`]) and a script (serialized).
//! - [`Diff`]: a dry run's report compared with what was done.
//! - [`page`]: the same as one page of HTML, and [`heading`] its top.
//!
//! Knows no command line and prints nothing.

mod diff;
mod heading;
mod jobs;
mod json;
mod latest_rows;
mod markdown;
pub(crate) mod page;
mod reports;
mod text;
mod timeline;

use std::path::PathBuf;

use hdrhistogram::Histogram;

pub(crate) use diff::Diff;
pub(crate) use jobs::{Progress, ReportedFile, ReportedJob};
pub(crate) use reports::Reports;
pub use reports::ReviewError;
pub(crate) use timeline::{Bin, Pause, Timeline};

use crate::outcome::{Status, Tally};
pub use crate::report::{Cause, Causes};
use crate::report::{Kind, ReportError, StoredRow};
use crate::text::truncated;
use timeline::millis;

pub(crate) const FAILURE_ROWS: usize = 1_000;

/// Attempts are counted one by one up to here; the last count holds this many and more.
const MOST_ATTEMPTS: usize = 32;

#[derive(Debug)]
pub(crate) struct Review {
    /// Each file, in the order given.
    pub files: Vec<ReportedFile>,
    /// How many different inputs the reports are about: two files with another key for the same record are about two.
    pub inputs: usize,
    pub progress: Progress,
    pub rows: u64,
    pub tally: Tally,
    pub causes: Causes,
    /// Which rules kept records from being sent.
    pub kept: Causes,
    /// Requests for a record: `attempts[n]` records took n, the last one that many or more. Only what was sent.
    pub attempts: Vec<u64>,
    /// From the first request for a record to the last answer, in milliseconds. Only what was sent.
    pub elapsed: Histogram<u64>,
    /// What was sent, over time: every row, those that a later one replaced too.
    pub timeline: Timeline,
    /// The first [`FAILURE_ROWS`] failures.
    pub failures: Vec<StoredRow<'static>>,
    pub resumable: Vec<PathBuf>,
}

impl Review {
    /// Reads the rows once more; each that counts and is failed or unknown is handed to `each`.
    pub(crate) fn of(reports: &Reports, mut each: impl FnMut(&StoredRow<'_>)) -> Result<Self, ReportError> {
        let files = reports.files();
        let span = files.iter().filter_map(|file| file.sent).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let progress = Progress::of(files, reports.input_of());
        let mut review = Self {
            inputs: reports.inputs(),
            rows: files.iter().map(|file| file.rows).sum(),
            files: files.to_vec(),
            tally: Tally::default(),
            causes: Causes::default(),
            kept: Causes::default(),
            attempts: vec![0; MOST_ATTEMPTS + 1],
            elapsed: histogram(),
            timeline: Timeline::new(span, &progress.idle),
            progress,
            failures: Vec::new(),
            resumable: Vec::new(),
        };
        let mut open = vec![false; files.len()];
        reports.rows(|file, row, is_latest| {
            if row.attempts > 0 {
                review.timeline.add(millis(row.finished_at), row.status, row.attempts > 1);
            }
            if is_latest {
                review.add(row);
                if matches!(row.status, Status::Failed | Status::Unknown) {
                    open[file] = true;
                    each(row);
                }
            }
        })?;
        let is_unfinished = |file: &&ReportedFile| file.job.as_ref().is_some_and(|job| !job.is_finished());
        let open = files.iter().zip(open).filter(|(file, open)| *open || is_unfinished(file));
        review.resumable = open.map(|(file, _)| file.path.clone()).collect();
        Ok(review)
    }

    /// What the reports are of, if all are of one kind. Without a job file, rows tell a restore from a delete.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let (restored, gone) = (self.restored() > 0, self.gone() > 0);
        let mut kinds = self.files.iter().map(|file| match &file.job {
            Some(job) => Some(job.file.identity.kind),
            None if gone && !restored => Some(Kind::Delete),
            None => None,
        });
        let first = kinds.next().flatten()?;
        kinds.all(|kind| kind == Some(first)).then_some(first)
    }

    /// How many keys it was done with, and what was done.
    fn done(&self) -> (u64, &'static str) {
        let is_restore = matches!(self.kind(), Some(Kind::Restore | Kind::RestoreDryRun)) || self.restored() > 0;
        if is_restore { (self.tally.get(Status::Restored), "restored") } else { (self.gone(), "deleted") }
    }

    fn gone(&self) -> u64 {
        self.tally.get(Status::Deleted) + self.tally.get(Status::Absent)
    }

    fn restored(&self) -> u64 {
        self.tally.get(Status::Restored) + self.tally.get(Status::Restorable)
    }

    pub(crate) fn superseded(&self) -> u64 {
        self.rows - self.tally.total()
    }

    /// Records sent a second while a job was running; none where no time passed.
    pub(crate) fn rate(&self) -> Option<f64> {
        let seconds = self.timeline.span().saturating_sub(self.timeline.idle()).as_secs_f64();
        (seconds > 0.0).then(|| self.tally.sent() as f64 / seconds)
    }

    /// Below how many milliseconds this share of the records took, and the most.
    pub(crate) fn elapsed_ms(&self, quantile: f64) -> u64 {
        self.elapsed.value_at_quantile(quantile).min(self.elapsed.max())
    }

    fn add(&mut self, row: &StoredRow<'_>) {
        self.tally.add(row.status);
        if row.attempts > 0 {
            let attempts = usize::try_from(row.attempts).unwrap_or(MOST_ATTEMPTS).min(MOST_ATTEMPTS);
            self.attempts[attempts] += 1;
            // It grows with what is recorded; only a time that no counter can hold is clamped.
            if self.elapsed.record(row.elapsed_ms).is_err() {
                self.elapsed.saturating_record(row.elapsed_ms);
            }
        }
        if row.status == Status::Kept {
            self.kept.add(row);
        }
        if !row.status.is_trouble() {
            return;
        }
        self.causes.add(row);
        if self.failures.len() < FAILURE_ROWS {
            let &StoredRow { number, status, http_status, error_code, attempts, elapsed_ms, finished_at, .. } = row;
            let [key, error] = [&row.key, &row.error].map(|text| truncated(text).into_owned().into());
            let row =
                StoredRow { number, key, status, http_status, error_code, error, attempts, elapsed_ms, finished_at };
            self.failures.push(row);
        }
    }
}

/// Three digits over any range; it grows as it has to.
#[expect(clippy::expect_used, reason = "an error is for more than five digits")]
fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits are allowed");
    histogram.auto(true);
    histogram
}

#[cfg(test)]
mod tests;
