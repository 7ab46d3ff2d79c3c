//! What is known of a job that ends before it begins: its summary is printed all the same.

use std::time::Duration;

use crate::exit::ExitCode;
use crate::pipeline::state::Totals;
use crate::report::{Causes, Facts};

use super::earlier::Earlier;
use super::error::Error;
use super::job::DeleteJob;
use super::job_file::JobRecord;
use super::locate::Missed;
use super::monitor::Monitor;
use super::outputs::Opened;
use super::summary::JobSummary;

/// A job before its first record is sent, or planned.
#[derive(Debug)]
pub(super) struct SoFar {
    pub(super) totals: Totals,
    pub(super) facts: Facts,
    pub(super) earlier: Earlier,
    /// Why records failed in earlier runs, and which cannot be sent.
    pub(super) causes: Causes,
    pub(super) records: Option<u64>,
    pub(super) notes: Vec<String>,
}

impl SoFar {
    pub(super) fn of(job: &DeleteJob) -> Self {
        Self {
            totals: Totals::default(),
            facts: JobRecord::of(job).facts(),
            earlier: Earlier::default(),
            causes: Causes::default(),
            records: None,
            notes: Vec::new(),
        }
    }

    /// The outputs are open, with what earlier runs left.
    ///
    /// # Errors
    /// Those of the report that is resumed.
    pub(super) fn opened(&mut self, opened: &Opened) -> Result<(), Error> {
        self.earlier = opened.earlier();
        self.causes = opened.causes()?;
        self.facts = opened.record.facts();
        Ok(())
    }

    /// Ends the job if it ended too early to do so itself, and shows that to the monitor.
    ///
    /// # Errors
    /// Those that need another command line, and leave no summary.
    pub(super) fn end(
        self,
        job: &DeleteJob,
        ended: Result<ExitCode, Missed>,
        monitor: Option<&mut Monitor>,
    ) -> Result<ExitCode, Error> {
        let stop = match ended {
            Ok(code) => return Ok(code),
            Err(missed) => missed.into_stop()?,
        };
        let summary = JobSummary {
            job,
            totals: self.totals,
            earlier: self.earlier,
            facts: self.facts,
            causes: self.causes.most_frequent(),
            records: self.records,
            elapsed: Duration::ZERO,
            stop: Some(&stop),
            report: None,
            failures: None,
            backup: None,
            notes: self.notes,
        };
        match monitor {
            Some(monitor) => monitor.close(summary),
            None => summary.print(),
        }
    }
}
