//! The end of a restoration: its summary, what to do next, its exit code.

use std::path::PathBuf;
use std::time::Duration;

use super::RestoreJob;
use crate::command::earlier::Earlier;
use crate::command::job_file::{JobRecord, RunEnd};
use crate::command::signals;
use crate::command::summary::{Stream, advice, log_stop, print_summary, shell_word};
use crate::exit::ExitCode;
use crate::outcome::{Status, Stop, StopReason, Tally};
use crate::pipeline::state::Totals;
use crate::report::{Cause, Facts, Summary, Target};
use crate::terminal::{Escaped, count, duration, pluralized};

/// What is said at the end.
#[derive(Clone)]
pub(super) struct JobSummary<'a> {
    pub(super) job: &'a RestoreJob,
    /// Of this run.
    pub(super) totals: Totals,
    pub(super) earlier: Earlier,
    pub(super) records: u64,
    pub(super) elapsed: Duration,
    pub(super) stop: Option<&'a Stop>,
    pub(super) report: Option<PathBuf>,
    pub(super) facts: Facts,
    pub(super) causes: Vec<Cause>,
    /// Where the keys went, for people.
    pub(super) namespace: Option<String>,
}

/// What a record of a backup may come to, in the order of the summary.
const STATES: [Status; 7] = [
    Status::Restored,
    Status::Kept,
    Status::Failed,
    Status::Unknown,
    Status::Invalid,
    Status::Duplicate,
    Status::Restorable,
];

impl<'a> JobSummary<'a> {
    /// Of a job of which nothing is known yet.
    pub(super) fn new(job: &'a RestoreJob) -> Self {
        Self {
            job,
            totals: Totals::default(),
            earlier: Earlier::default(),
            records: 0,
            elapsed: Duration::ZERO,
            stop: None,
            report: None,
            facts: JobRecord::of_restore(job).facts(),
            causes: Vec::new(),
            namespace: None,
        }
    }
}

impl JobSummary<'_> {
    /// For the job file.
    pub(super) fn run_end(&self) -> RunEnd {
        RunEnd {
            records: Some(self.records),
            tally: self.tally(),
            requests: self.totals.requests,
            stopped: self.stop.map(|stop| stop.reason),
            code: self.code(),
        }
    }

    /// Of the whole job.
    fn tally(&self) -> Tally {
        self.totals.tally.plus(&self.earlier.tally)
    }

    fn code(&self) -> ExitCode {
        let (reason, signal) = (self.stop.map(|stop| stop.reason), self.stop.and_then(|stop| stop.signal));
        ExitCode::for_job(reason, signal, &self.tally())
    }

    /// Prints the summary and returns the exit code.
    pub(super) fn print(self) -> ExitCode {
        let Totals { requests, retries, throttled, .. } = self.totals;
        let (tally, resumed) = (self.tally(), self.earlier.settled);
        let (reason, code) = (self.stop.map(|stop| stop.reason), self.code());
        signals::decide(code);
        self.stop.into_iter().for_each(|stop| log_stop("job", stop));
        if self.job.json {
            let summary = Summary {
                records: self.records,
                tally,
                resumed,
                sent: self.totals.tally.sent(),
                requests,
                retries,
                throttled,
                elapsed: self.elapsed,
                stopped: reason,
                dry_run: self.job.connection.is_none(),
                exit_code: code.as_u8(),
                facts: Some(self.facts.clone()),
                report: self.report.as_ref().map(|report| report.to_string_lossy().into_owned()),
                causes: self.causes.clone(),
            };
            let json = serde_json::to_string(&summary).unwrap_or_default();
            print_summary(Stream::Stdout, vec![json]);
        }
        if self.job.quiet && code == ExitCode::Success {
            return code;
        }
        let mut lines = Vec::new();
        if !self.job.json {
            let main = if self.job.connection.is_some() { Status::Restored } else { Status::Restorable };
            for status in STATES.into_iter().filter(|&status| status == main || tally.get(status) > 0) {
                lines.push(format!("{:<10}  {}", status.as_str(), count(tally.get(status))));
            }
            if resumed > 0 {
                lines.push(format!("resumed: an earlier run had settled {}", pluralized(resumed, "record")));
            }
            let (records, requests) = (pluralized(self.records, "record"), pluralized(requests, "request"));
            lines.push(format!("{records} in {}; {requests}", duration(self.elapsed)));
            lines.extend(self.report.as_ref().map(|report| format!("report: {}", Escaped(&report.to_string_lossy()))));
            lines.extend(self.namespace);
            lines.extend(self.job.profile.iter().map(|profile| format!("profile: {profile}")));
            if self.job.connection.is_none() {
                lines.push(
                    "This was a dry run: nothing was sent, and whether a key is there was not looked at.".to_owned(),
                );
            }
        }
        lines.extend(self.stop.and_then(advice).map(str::to_owned));
        if reason == Some(StopReason::InputError) && !self.job.allow_partial && self.records > 0 {
            let what =
                "next: get the backup again whole, or pass --allow-partial to restore the records before the break.";
            lines.push(what.to_owned());
        }
        let unfinished = self.stop.is_some() || tally.failures() > 0;
        if let (true, Some(report)) = (unfinished && tally.total() > 0, &self.report) {
            lines.push(format!(
                "go on: the same command with --resume --report {}",
                shell_word(&report.to_string_lossy())
            ));
        }
        if self.job.json || self.job.report == Target::Stdout {
            print_summary(Stream::Stderr, lines);
        } else {
            print_summary(Stream::Stdout, lines);
        }
        code
    }
}
