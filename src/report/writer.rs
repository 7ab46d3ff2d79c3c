//! The one writer of rows: [`RowWriter`] writes settled records out, and [`start`] puts one on a thread of its own, behind a
//! channel.
//!
//! Rows are handed to the system a batch at a time, and then counted as written: what a killed process can lose is what was
//! not counted.
//! When that fails, the channel closes, so that the sender of rows notices at once, and [`Writer::finish`] returns the error; nothing
//! is written after an error.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::causes::{Cause, Causes};
use super::error::ReportError;
use super::failures::FailuresFile;
use super::file::{Destination, each_failure};
use super::journal::Journal;
use super::row::{COLUMNS, StoredRow};
use super::sink::Sink;
use super::target::Sync;
use crate::outcome::{Settled, Status, Tally};

/// The longest time before a row is on the disk.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// Everything that a run writes besides its summary.
#[derive(Debug)]
pub struct Outputs {
    pub report: Option<Destination>,
    pub failures: Option<FailuresFile>,
    pub sync: Sync,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How many settled records were written.
    pub rows: u64,
    /// By the rows of earlier runs, the records that this run gave a new row.
    pub replaced: Tally,
    /// Why records of the job are failed, unknown or invalid, the most frequent cause first.
    pub causes: Vec<Cause>,
}

#[derive(Debug)]
pub struct Writer {
    done: oneshot::Receiver<Result<Written, ReportError>>,
    written: watch::Receiver<u64>,
}

/// Starts to write what is sent. One batch of rows waits while another is written.
pub fn start(outputs: Outputs) -> Result<(mpsc::Sender<Vec<Settled>>, Writer), ReportError> {
    let rows = RowWriter::begin(outputs)?;
    let thread_failed = || ReportError::io(Path::new("the report"), "start a thread for");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(thread_failed())?;
    let (sender, received) = mpsc::channel(1);
    let (tell, done) = oneshot::channel();
    let written = rows.written.subscribe();
    std::thread::Builder::new()
        .name("report".to_owned())
        .spawn(move || {
            // The files are closed, and so unlocked, when `run` returns. The receiver may be gone.
            let _ = tell.send(runtime.block_on(rows.run(received)));
        })
        .map_err(thread_failed())?;
    Ok((sender, Writer { done, written }))
}

impl Writer {
    /// How many rows the system has: a killed process does not lose them. Closed once nothing more is written.
    pub fn written(&self) -> watch::Receiver<u64> {
        self.written.clone()
    }

    /// Waits until all rows are written. Ends only after every sender is gone, or on an error; then the files are
    /// unlocked.
    pub async fn finish(self) -> Result<Written, ReportError> {
        self.done.await.unwrap_or(Err(ReportError::WriterDied))
    }
}

/// Writes rows where the caller is.
#[derive(Debug)]
pub(crate) struct RowWriter {
    report: Option<Sink>,
    failures: Option<Sink>,
    /// The failures of a resumed job, which are written at its end.
    late: Option<FailuresFile>,
    journal: Option<Arc<Journal>>,
    sync: Sync,
    taken: u64,
    /// How many of those taken the system has.
    written: watch::Sender<u64>,
    /// When what is written has to be on the disk; `None` if everything is.
    due: Option<Instant>,
    replaced: Tally,
    causes: Causes,
}

impl RowWriter {
    fn new(report: Option<Sink>, failures: Option<Sink>, sync: Sync) -> Self {
        Self {
            report,
            failures,
            late: None,
            journal: None,
            sync,
            taken: 0,
            written: watch::Sender::new(0),
            due: None,
            replaced: Tally::default(),
            causes: Causes::default(),
        }
    }

    /// Makes the files ready: cuts off a torn row, empties what is replaced, writes headers.
    pub(crate) fn begin(outputs: Outputs) -> Result<Self, ReportError> {
        let (report, journal) = match outputs.report {
            None => (None, None),
            Some(Destination::Stdout) => (Some(Sink::stdout().with_header(&COLUMNS)), None),
            Some(Destination::File(file)) => {
                let (sink, journal) = file.begin()?;
                (Some(sink), journal)
            }
        };
        let (failures, late) = match outputs.failures {
            Some(file) if journal.is_some() => (None, Some(file)),
            Some(file) => (Some(file.begin()?), None),
            None => (None, None),
        };
        let mut rows = Self { late, journal, ..Self::new(report, failures, outputs.sync) };
        rows.flush()?;
        if rows.sync != Sync::Never {
            rows.sinks().for_each(|sink| sink.sync_name());
        }
        Ok(rows)
    }

    async fn run(mut self, mut received: mpsc::Receiver<Vec<Settled>>) -> Result<Written, ReportError> {
        loop {
            let arriving = received.recv();
            let batch = match self.due {
                None => arriving.await,
                Some(moment) => {
                    let Ok(batch) = timeout_at(moment, arriving).await else {
                        self.flush()?;
                        continue;
                    };
                    batch
                }
            };
            let Some(batch) = batch else { return self.finish() };
            self.write(&batch)?;
        }
    }

    /// Hands some rows to the system.
    pub(crate) fn write(&mut self, batch: &[Settled]) -> Result<(), ReportError> {
        batch.iter().try_for_each(|settled| self.add(settled))?;
        self.sinks().map(Sink::flush).fold(Ok(()), Result::and)?;
        self.written.send_replace(self.taken);
        let now = Instant::now();
        if self.sync == Sync::Always || self.due.is_some_and(|due| due <= now) {
            return self.flush();
        }
        self.due = self.due.or(Some(now + FLUSH_AFTER));
        Ok(())
    }

    /// Ends the files, and closes them.
    pub(crate) fn finish(mut self) -> Result<Written, ReportError> {
        self.flush()?;
        self.finish_job()?;
        self.sinks().map(|sink| sink.check_in_place()).fold(Ok(()), Result::and)?;
        let causes = self.causes.most_frequent();
        Ok(Written { rows: self.taken, replaced: self.replaced, causes })
    }

    /// What is only known at the end of a resumed job, from the rows of all its runs: why records failed, and which.
    fn finish_job(&mut self) -> Result<(), ReportError> {
        let (Some(_), Some(report)) = (&self.journal, &self.report) else { return Ok(()) };
        let Some((output, format)) = report.output() else { return Ok(()) };
        let mut failures = self.late.take().map(FailuresFile::begin).transpose()?;
        let (mut causes, mut written) = (Causes::default(), Ok(()));
        each_failure(output, format, |row| {
            causes.add(row);
            if let Some(failures) = &mut failures
                && row.status != Status::Invalid
                && written.is_ok()
            {
                written = failures.key(&row.key);
            }
        })?;
        written?;
        (self.causes, self.failures) = (causes, failures);
        self.flush()
    }

    fn add(&mut self, settled: &Settled) -> Result<(), ReportError> {
        self.taken += 1;
        let row = StoredRow::from(settled);
        if row.status.is_trouble() {
            self.causes.add(&row);
        }
        if let Some(before) = self.journal.as_ref().and_then(|journal| journal.status(row.number)) {
            self.replaced.add(before);
        }
        if let Some(report) = &mut self.report {
            report.row(&row)?;
        }
        if let Some(failures) = &mut self.failures
            && matches!(row.status, Status::Failed | Status::Unknown)
        {
            failures.key(&row.key)?;
        }
        Ok(())
    }

    /// Hands everything on, and onto the disk as the policy says. Tries all of it, and returns the first error.
    fn flush(&mut self) -> Result<(), ReportError> {
        self.due = None;
        let policy = self.sync;
        let mut result = Ok(());
        for sink in self.sinks() {
            let flushed = sink.flush().and_then(|()| match policy {
                Sync::Never => Ok(()),
                Sync::EverySecond | Sync::Always => sink.sync(),
            });
            result = result.and(flushed);
        }
        result
    }

    fn sinks(&mut self) -> impl Iterator<Item = &mut Sink> {
        self.report.iter_mut().chain(&mut self.failures)
    }
}

// Full disks and pipes, as Unix has them.
#[cfg(test)]
#[cfg(unix)]
mod tests;
