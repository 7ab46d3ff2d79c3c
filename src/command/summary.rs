//! How a job ends: its summary as text or JSON, what to do next, its exit code.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::exit::ExitCode;
use crate::input::Source;
use crate::outcome::{Status, Stop, StopReason, Tally};
use crate::pipeline::End;
use crate::pipeline::call::Totals;
use crate::progress::clear_line;
use crate::report::{Cause, Causes, Facts, Kind, ReportError, Summary, Target, Written};
use crate::shard::Shard;
use crate::terminal::{Escaped, count, duration, pluralized};

use super::connect;
use super::earlier::{self, Earlier};
use super::error::{Error, message};
use super::job::{DeleteJob, JobOptions, Keys, ListJob, RestoreJob, RunOptions};
use super::monitor::Monitor;
use super::overview::Overview;
use super::preview::Preview;
use super::print::{Stream, print_json, print_summary, warn_of};
use super::same_job::JobRecord;
use super::session::or_panicked;
use super::signals;

mod hints;

/// The width of what is printed where no terminal says its own.
const WIDTH: usize = 120;

/// What is known of a job, filled in while it runs, for its summary, its job file and its metrics.
#[derive(Debug)]
pub(super) struct JobSummary<'a> {
    options: &'a JobOptions,
    target: &'a Target,
    shard: Option<Shard>,
    allow_partial: bool,
    /// Whether the keys come from the namespace.
    is_listing: bool,
    reads_stdin: bool,
    /// What to do about keys that are not to be put into a URL; `None` where none is.
    encoding_hint: Option<&'static str>,
    /// Of this run.
    pub(super) totals: Totals,
    pub(super) earlier: Earlier,
    /// Records without a row that were found invalid before the job began.
    unsent: Tally,
    /// Records of the input, where they were counted; those that were seen otherwise.
    pub(super) records: Option<u64>,
    pub(super) elapsed: Duration,
    /// `None` of a listing.
    pub(super) facts: Option<Facts>,
    /// What was listed, if that is what the job is for.
    pub(super) listed: Option<Listed>,
    pub(super) causes: Vec<Cause>,
    pub(super) stop: Option<Stop>,
    pub(super) report: Option<PathBuf>,
    pub(super) failures: Option<PathBuf>,
    pub(super) begun: Begun,
    /// Where the backup is, and how many records this run added to it.
    pub(super) backup: Option<(PathBuf, u64)>,
    /// What a dry run without a [`Preview`] is about.
    pub(super) overview: Option<Overview>,
    /// What else there is to say, a line each.
    pub(super) notes: Vec<String>,
}

/// Whether a run has begun to write.
#[derive(Debug)]
pub(super) enum Begun {
    /// With what a resumed run would write.
    NotYet(Option<Box<RunOptions>>),
    Yes,
}

/// What a listing came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Listed {
    pub(super) keys: u64,
    /// Names that the format cannot hold.
    pub(super) skipped: u64,
    pub(super) pages: u64,
}

/// The summary; of a dry run with what is planned.
#[derive(Serialize)]
struct WithPlan<'a, P> {
    #[serde(flatten)]
    summary: &'a Summary,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<P>,
}

impl<'a> JobSummary<'a> {
    /// Of a job of which nothing is known yet.
    pub(super) fn of(job: &'a DeleteJob) -> Self {
        let is_listing = matches!(job.keys, Keys::Namespace(_));
        let new = Self::new(&job.options, &job.run.report, job.run.allow_partial);
        let reads_stdin = matches!(&job.keys, Keys::Inputs(inputs) if inputs.sources.contains(&Source::Stdin));
        let facts = Some(JobRecord::of(job).facts());
        let encoding_hint = Some(connect::encoding_hint(job));
        Self { shard: job.shard(), is_listing, reads_stdin, encoding_hint, facts, ..new }
    }

    /// Of `kvsweep restore`.
    pub(super) fn of_restore(job: &'a RestoreJob) -> Self {
        let facts = Some(JobRecord::of_restore(job).facts());
        Self { facts, ..Self::new(&job.options, &job.run.report, job.run.allow_partial) }
    }

    /// Of `kvsweep list`, whose list may be on stdout.
    pub(super) fn of_list(job: &'a ListJob) -> Self {
        Self { listed: Some(Listed::default()), ..Self::new(&job.options, &Target::Stdout, false) }
    }

    fn new(options: &'a JobOptions, target: &'a Target, allow_partial: bool) -> Self {
        Self {
            options,
            target,
            shard: None,
            allow_partial,
            is_listing: false,
            reads_stdin: false,
            encoding_hint: None,
            totals: Totals::default(),
            earlier: Earlier::default(),
            unsent: Tally::default(),
            records: None,
            elapsed: Duration::ZERO,
            facts: None,
            listed: None,
            causes: Vec::new(),
            stop: None,
            report: None,
            failures: None,
            begun: Begun::NotYet(None),
            backup: None,
            overview: None,
            notes: Vec::new(),
        }
    }

    /// Takes in what is wrong with records before the job begins: in rows of earlier runs, and in the input.
    pub(super) fn set_scanned(&mut self, causes: &Causes) {
        self.causes = causes.most_frequent();
        self.unsent = Tally::of(Status::Invalid, causes.unsent());
    }

    /// Takes in how the pipeline ended, and what became of the report.
    pub(super) fn set_end<E>(&mut self, end: End<E>, written: Option<Result<Written, ReportError>>) {
        (self.totals, self.elapsed, self.stop) = (end.totals, end.elapsed, end.stop);
        self.begun = Begun::Yes;
        self.unsent = Tally::default();
        match written {
            Some(Ok(written)) => {
                self.earlier = self.earlier.without(&written.replaced);
                self.causes = written.causes;
            }
            // A report that cannot be written outweighs everything else.
            Some(Err(error)) => {
                // There is nothing to resume from.
                self.report.take_if(|report| error.is_loss_of(report));
                self.stop = Some(Stop::of_error(StopReason::IoError, &Error::from(error).error_chain()));
            }
            None => {
                tracing::warn!(
                    "the last rows of the report were not written: its disk or its reader does not take them"
                );
                self.stop = self.stop.take().or_else(|| signals::received().map(Stop::signalled));
            }
        }
    }

    /// Records in the job file how the run ended; the job has stopped if that fails.
    pub(super) fn record_end(&mut self, record: JobRecord) {
        if self.report.is_some() {
            let failed = record.end(self.records, &self.summary());
            self.stop = self.stop.take().or(failed.err());
        }
    }

    /// Prints the summary and returns the exit code. `ended` is what a dry run planned, or what kept the job from its end.
    ///
    /// # Errors
    /// Those that need another command line, and leave no summary.
    pub(super) fn end(
        mut self,
        ended: Result<Option<Preview<'_>>, Error>,
        monitor: Option<&mut Monitor>,
    ) -> Result<ExitCode, Error> {
        let preview = match ended {
            Ok(preview) => preview,
            Err(error) => {
                self.stop = Some(error.into_stop()?);
                let resumed = if let Begun::NotYet(run) = &mut self.begun { run.take() } else { None };
                match resumed.map(|run| earlier::write_failures(*run)).transpose() {
                    Ok(failures) => self.failures = failures.flatten(),
                    Err(error) => {
                        tracing::warn!("the failures of earlier runs were not written: {}", error.error_chain());
                    }
                }
                None
            }
        };
        // Metrics come first, because printing may take for ever.
        if let Some(monitor) = monitor {
            monitor.set_end(self.summary());
        }
        Ok(self.print(preview.as_ref()))
    }

    /// Of the whole job.
    fn tally(&self) -> Tally {
        self.totals.tally.plus(&self.earlier.tally).plus(&self.unsent)
    }

    fn code(&self) -> ExitCode {
        let stop = self.stop.as_ref();
        if stop.is_none() && self.listed.is_some_and(|listed| listed.skipped > 0) {
            return ExitCode::Incomplete;
        }
        ExitCode::for_job(stop.map(|stop| stop.reason), stop.and_then(|stop| stop.signal), &self.tally())
    }

    fn summary(&self) -> Summary {
        Summary {
            records: self
                .records
                .unwrap_or_else(|| self.earlier.records(self.totals.records).max(self.tally().total())),
            tally: self.tally(),
            resumed: self.earlier.settled,
            sent: self.totals.tally.sent(),
            requests: self.totals.requests,
            retries: self.totals.retries,
            throttled: self.totals.throttled,
            elapsed: self.elapsed,
            stopped: self.stop.as_ref().map(|stop| stop.reason),
            exit_code: self.code().as_u8(),
            facts: self.facts.clone(),
            report: self.report.as_ref().map(|report| report.to_string_lossy().into_owned()),
            causes: self.causes.clone(),
        }
    }

    /// Prints the summary, as JSON if that is asked for, and why the job stopped with its hints.
    fn print(&self, preview: Option<&Preview<'_>>) -> ExitCode {
        // Of a dry run whose report cannot be written, the keys were not all counted.
        let preview = preview.filter(|_| self.stop.as_ref().is_none_or(|stop| stop.reason != StopReason::IoError));
        let (code, summary) = (self.code(), self.summary());
        // If stdout holds the report or the JSON, people read stderr; a script has the numbers already.
        let is_silent =
            (self.options.json && self.listed.is_none()) || (self.options.quiet && code == ExitCode::Success);
        let on_stderr = self.options.json || *self.target == Target::Stdout;
        let stream = if on_stderr { Stream::Stderr } else { Stream::Stdout };
        let lines = if is_silent { Vec::new() } else { self.lines(&summary, preview, stream) };
        signals::decide(code);
        if self.stop.as_ref().is_some_and(|stop| stop.reason == StopReason::Interrupted) {
            clear_line();
        }
        if self.options.json {
            warn_of(match self.listed {
                Some(listed) => print_json(&listing_json(listed, &summary)),
                None => print_json(&WithPlan { summary: &summary, plan: preview.map(Preview::value) }),
            });
        }
        print_summary(stream, lines);
        let why = self.stop.as_ref().map(|stop| self.why(stop)).or_else(|| self.unfinished(code));
        let message = message(why.as_deref(), &self.hints(code));
        if !message.is_empty() {
            tracing::error!("{message}");
        }
        code
    }

    fn lines(&self, summary: &Summary, preview: Option<&Preview<'_>>, stream: Stream) -> Vec<String> {
        let shown = |path: &Path| Escaped(&path.to_string_lossy()).to_string();
        if let Some(listed) = self.listed {
            let (keys, requests) = (pluralized(listed.keys, "key"), pluralized(summary.requests, "request"));
            let mut lines = vec![format!("listed {keys} in {requests}, {}", duration(summary.elapsed))];
            lines.extend(self.options.profile.iter().map(|profile| format!("profile: {profile}")));
            return lines;
        }
        let width = stream.columns().unwrap_or(WIDTH);
        let refused = self.stop.as_ref().is_some_and(|stop| self.deletes_nothing(stop));
        let mut lines = preview.map_or_else(|| summary.to_text(), |preview| preview.lines(summary, width, refused));
        lines.extend(self.overview.iter().flat_map(|overview| overview.lines(width, false)));
        // A plan says itself why records are invalid.
        let is_told = |label: &str| preview.is_some() && label == Status::Invalid.as_str();
        let causes = summary.causes_to_text().into_iter().filter(|(label, _)| !is_told(label));
        lines.extend(causes.map(|(label, cause)| format!("{label}: {cause}")));
        lines.extend(self.shard.map(|shard| format!("shard: {shard}")));
        lines.extend(self.report.as_deref().map(|report| format!("report: {}", shown(report))));
        let failures = self.tally().failures();
        if let Some(path) = self.failures.as_deref().filter(|_| failures > 0) {
            lines.push(format!(
                "failures: {} ({} for another run of delete)",
                shown(path),
                pluralized(failures, "key")
            ));
        }
        if let Some((path, records)) = &self.backup {
            lines.push(format!("backup: {} ({} added)", shown(path), pluralized(*records, "record")));
        }
        lines.extend(self.options.profile.iter().map(|profile| format!("profile: {profile}")));
        lines.extend(self.notes.iter().cloned());
        lines.extend(preview.map(|preview| preview.conclusion(refused)));
        lines
    }

    /// Whether the job of a dry run that ends so would send nothing.
    fn deletes_nothing(&self, stop: &Stop) -> bool {
        match stop.reason {
            StopReason::MaxKeys | StopReason::MinKeys | StopReason::Expect => !self.is_listing,
            StopReason::InputError => !self.allow_partial,
            _ => false,
        }
    }

    /// `interrupted: 999 of 20,000 keys deleted, 19,001 not attempted`, or what stopped the job otherwise.
    fn why(&self, stop: &Stop) -> String {
        let summary = self.summary();
        let (status, done) = match self.kind() {
            Some(Kind::Delete) => (Status::Deleted, "deleted"),
            Some(Kind::Restore) => (Status::Restored, "restored"),
            Some(Kind::DryRun | Kind::Rehearsal | Kind::RestoreDryRun) | None => return stop.why.clone(),
        };
        if stop.reason != StopReason::Interrupted || summary.records == 0 {
            return stop.why.clone();
        }
        let (number, left) = (count(summary.tally.get(status)), count(summary.not_attempted()));
        let keys = pluralized(summary.records, "key");
        if summary.tally == self.unsent {
            return format!("{} before the first key, nothing {done}", stop.why);
        }
        format!("{}: {number} of {keys} {done}, {left} not attempted", stop.why)
    }

    /// `finished with errors: 1 failed, 2 invalid (of 12 records)`, of a job that came to its end.
    fn unfinished(&self, code: ExitCode) -> Option<String> {
        let (tally, records) = (self.tally(), pluralized(self.summary().records, "record"));
        let states = Status::ALL.into_iter().filter(|status| status.is_trouble() && tally.get(*status) > 0);
        let states: Vec<_> = states.map(|status| format!("{} {status}", count(tally.get(status)))).collect();
        let is_whole = code == ExitCode::Incomplete && self.listed.is_none();
        is_whole.then(|| format!("finished with errors: {} (of {records})", states.join(", ")))
    }

    fn kind(&self) -> Option<Kind> {
        self.facts.as_ref().map(|facts| facts.kind)
    }
}

/// Runs a job, prints how it ended, and reports that to metrics and pings.
pub(super) fn monitored<'a>(
    mut monitor: Monitor,
    mut summary: JobSummary<'_>,
    work: impl FnOnce(&mut Monitor, &mut JobSummary<'_>) -> Result<Option<Preview<'a>>, Error>,
) -> Result<ExitCode, Error> {
    let ended = or_panicked(|| {
        let ended = work(&mut monitor, &mut summary);
        summary.end(ended, Some(&mut monitor))
    });
    monitor.end(ended.as_ref().map_or_else(Error::exit_code, |code| *code));
    ended
}

fn listing_json(listed: Listed, summary: &Summary) -> serde_json::Value {
    json!({
        "listed": listed.keys, "skipped": listed.skipped, "pages": listed.pages,
        "requests": summary.requests, "retries": summary.retries, "throttled": summary.throttled,
        "elapsed_s": (summary.elapsed.as_secs_f64() * 1_000.0).round() / 1_000.0,
        "stopped": summary.stopped, "exit_code": summary.exit_code,
    })
}
