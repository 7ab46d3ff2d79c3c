//! How a job ends: its summary as text or JSON, what to do next, its exit code.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::exit::ExitCode;
use crate::outcome::{Status, Stop, StopReason, Tally};
use crate::pipeline::call::Totals;
use crate::report::{Cause, Facts, Kind, Summary, Target};
use crate::shard::Shard;
use crate::stderr;
use crate::terminal::{Escaped, columns, pluralized};

use super::earlier::Earlier;
use super::error::{Error, advice, escaped};
use super::job::{DeleteJob, Keys};
use super::job_file::{JobRecord, RunEnd};
use super::monitor::Monitor;
use super::preview::Preview;
use super::session::JobOptions;
use super::signals;

/// The width of what is printed where no terminal says its own.
const WIDTH: usize = 120;

/// Why a job over the keys of a namespace needs no journal.
const NOT_RESUMED: &str = "what is deleted is no longer listed";

/// What is known of a job, filled in while it runs, for its summary, its job file and its metrics.
#[derive(Debug)]
pub(super) struct JobSummary<'a> {
    options: &'a JobOptions,
    target: &'a Target,
    shard: Option<Shard>,
    allow_partial: bool,
    /// Whether the keys come from the namespace.
    is_listing: bool,
    /// Of this run.
    pub(super) totals: Totals,
    pub(super) earlier: Earlier,
    /// Records of the input, where they were counted; those that were seen otherwise.
    pub(super) records: Option<u64>,
    pub(super) elapsed: Duration,
    pub(super) facts: Facts,
    pub(super) causes: Vec<Cause>,
    pub(super) stop: Option<Stop>,
    pub(super) report: Option<PathBuf>,
    pub(super) failures: Option<PathBuf>,
    /// Where the backup is, and how many records this run added to it.
    pub(super) backup: Option<(PathBuf, u64)>,
    /// What else there is to say, a line each.
    pub(super) notes: Vec<String>,
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
        let new = Self::new(&job.options, &job.report, job.allow_partial, JobRecord::of(job).facts());
        Self { shard: job.shard(), is_listing, ..new }
    }

    pub(super) fn new(options: &'a JobOptions, target: &'a Target, allow_partial: bool, facts: Facts) -> Self {
        Self {
            options,
            target,
            shard: None,
            allow_partial,
            is_listing: false,
            totals: Totals::default(),
            earlier: Earlier::default(),
            records: None,
            elapsed: Duration::ZERO,
            facts,
            causes: Vec::new(),
            stop: None,
            report: None,
            failures: None,
            backup: None,
            notes: Vec::new(),
        }
    }

    /// Records in the job file how the run ended; the job has stopped if that fails.
    pub(super) fn record_end(&mut self, record: JobRecord) {
        if self.report.is_some() {
            let failed = record.end(RunEnd {
                records: self.records,
                tally: self.tally(),
                requests: self.totals.requests,
                stopped: self.stop.as_ref().map(|stop| stop.reason),
                code: self.code(),
            });
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
        self.totals.tally.plus(&self.earlier.tally)
    }

    fn code(&self) -> ExitCode {
        let stop = self.stop.as_ref();
        ExitCode::for_job(stop.map(|stop| stop.reason), stop.and_then(|stop| stop.signal), &self.tally())
    }

    fn summary(&self) -> Summary {
        Summary {
            records: self.records.unwrap_or_else(|| self.earlier.records(self.totals.records)),
            tally: self.tally(),
            resumed: self.earlier.settled,
            sent: self.totals.tally.sent(),
            requests: self.totals.requests,
            retries: self.totals.retries,
            throttled: self.totals.throttled,
            elapsed: self.elapsed,
            stopped: self.stop.as_ref().map(|stop| stop.reason),
            exit_code: self.code().as_u8(),
            facts: Some(self.facts.clone()),
            report: self.report.as_ref().map(|report| report.to_string_lossy().into_owned()),
            causes: self.causes.clone(),
        }
    }

    fn print(&self, preview: Option<&Preview<'_>>) -> ExitCode {
        let (code, summary) = (self.code(), self.summary());
        let json = || serde_json::to_string(&WithPlan { summary: &summary, plan: preview.map(Preview::value) });
        // Where stdout holds the report or the JSON, people read stderr; a script has the numbers already.
        let (stream, lines) = match (self.options.json, self.target) {
            (true, _) => (Stream::Stderr, self.next_steps(code)),
            (false, Target::Stdout) => (Stream::Stderr, self.lines(&summary, preview, columns(io::stderr()), code)),
            (false, _) => (Stream::Stdout, self.lines(&summary, preview, columns(io::stdout()), code)),
        };
        print_end(self.options, "job", self.stop.as_ref(), code, json, (stream, lines))
    }

    fn lines(
        &self,
        summary: &Summary,
        preview: Option<&Preview<'_>>,
        columns: Option<usize>,
        code: ExitCode,
    ) -> Vec<String> {
        let shown = |path: &Path| Escaped(&path.to_string_lossy()).to_string();
        let mut lines = summary.to_text();
        if self.stop.as_ref().is_some_and(|stop| !stop.from_api) {
            // The reason is only the nearest word for it.
            lines.pop();
            lines.push("stopped early: the server is not trusted, or does not answer as the API does".to_owned());
        }
        lines.extend(self.shard.map(|shard| format!("shard: {shard}, and nothing of the others")));
        lines.extend(self.report.as_deref().map(|report| format!("report: {}", shown(report))));
        let failures = self.tally().failures();
        if let Some(path) = self.failures.as_deref().filter(|_| failures > 0) {
            lines.push(format!("failures: {} ({}, ready to be an INPUT)", shown(path), pluralized(failures, "key")));
        }
        if let Some((path, records)) = &self.backup {
            lines.push(format!("backup: {} ({} added)", shown(path), pluralized(*records, "record")));
        }
        lines.extend(self.options.profile.iter().map(|profile| format!("profile: {profile}")));
        lines.extend(preview.into_iter().flat_map(|preview| preview.lines(columns.unwrap_or(WIDTH))));
        lines.extend(self.notes.iter().cloned());
        lines.extend(self.next_steps(code));
        lines
    }

    /// What to do now, where something is left to do.
    fn next_steps(&self, code: ExitCode) -> Vec<String> {
        let stop = self.stop.as_ref();
        let mut steps: Vec<String> = stop.and_then(advice).map(str::to_owned).into_iter().collect();
        let report = self.report.as_ref().map(|report| shell_word(&report.to_string_lossy()));
        let (failures, begun) = (self.tally().failures(), self.tally().total() > 0);
        match stop.map(|stop| stop.reason) {
            Some(StopReason::DailyLimit) => steps.push(
                "next: the free plan's deletes of today are used up; they are counted anew from 00:00 UTC.".to_owned(),
            ),
            Some(StopReason::MaxKeys | StopReason::MinKeys | StopReason::Expect) => steps.push(
                "next: look at the input; if this number of keys is right, change --max-keys, --min-keys or --expect."
                    .to_owned(),
            ),
            Some(StopReason::InputError) => steps.push(self.fix_input().to_owned()),
            Some(StopReason::IoError) => {
                steps.push("next: fix the file that is named above, or make room for it.".to_owned());
            }
            None | Some(StopReason::MaxFailures | StopReason::Canary | StopReason::Outage) if failures > 0 => {
                let why = |report: &String| format!("next: `kvsweep report {report}` tells why keys failed.");
                steps.extend(report.as_ref().map(why));
            }
            _ => {}
        }
        let unfinished = (stop.is_some() || failures > 0) && begun && code != ExitCode::Success;
        match (self.facts.kind, report) {
            (Kind::Delete, _) if unfinished && self.is_listing => {
                let again = if matches!(self.target, Target::File(_)) { "with another --report" } else { "again" };
                steps.push(format!("go on: the same command {again}; {NOT_RESUMED}"));
            }
            (Kind::Delete | Kind::Restore, Some(report)) if unfinished => {
                steps.push(format!("go on: the same command with --resume --report {report}"));
            }
            _ => {}
        }
        if self.tally().get(Status::Invalid) > 0 && *self.target == Target::Nowhere {
            steps.push("--report PATH lists the invalid records and why they are.".to_owned());
        }
        steps
    }

    fn fix_input(&self) -> &'static str {
        let has_unsent_part =
            self.totals.tally.sent() == 0 && !self.allow_partial && self.records.unwrap_or_default() > 0;
        match (self.facts.kind, has_unsent_part) {
            (Kind::Restore | Kind::RestoreDryRun, true) => {
                "next: get the backup again whole, or pass --allow-partial to restore the records before the break."
            }
            (_, true) => {
                "next: fix the input that is named above, or pass --allow-partial to process the records before the break."
            }
            (_, false) => "next: fix the input that is named above.",
        }
    }
}

/// Prints how a `job` ended and returns its exit code: why it stopped, its summary as JSON on stdout if that is asked for,
/// and the lines for people.
pub(super) fn print_end(
    options: &JobOptions,
    job: &str,
    stop: Option<&Stop>,
    code: ExitCode,
    json: impl FnOnce() -> serde_json::Result<String>,
    (stream, lines): (Stream, Vec<String>),
) -> ExitCode {
    signals::decide(code);
    if let Some(stop) = stop {
        tracing::error!("the {job} stopped early: {}", escaped(&stop.why));
    }
    if options.json {
        match json() {
            Ok(json) => print_summary(Stream::Stdout, vec![json]),
            Err(error) => tracing::warn!("the summary cannot be printed: {error}"),
        }
    }
    if !(options.quiet && code == ExitCode::Success) {
        print_summary(stream, lines);
    }
    code
}

pub(super) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    let shown = Escaped(word).to_string();
    if !shown.is_empty() && shown.chars().all(plain) { shown } else { format!("'{}'", shown.replace('\'', r"'\''")) }
}

/// Where a summary goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// Prints the summary of a job that has ended: whatever comes of that, its exit code stays.
pub(super) fn print_summary(stream: Stream, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    if stream == Stream::Stderr {
        stderr::flush();
        // It never fails.
        let _ = stderr::lines().write_all(text(&lines).as_bytes());
    } else if let Err(error) = print_lines(lines) {
        tracing::warn!("the summary cannot be printed: {error}");
    }
}

/// Prints lines on stdout; a reader that went away does not matter any more, and one that takes nothing is waited for until
/// the second signal.
pub(super) fn print_lines(lines: Vec<String>) -> io::Result<()> {
    let write = move || {
        let mut out = io::stdout().lock();
        out.write_all(text(&lines).as_bytes()).and_then(|()| out.flush())
    };
    // Both may be one terminal, and the bar has to be gone.
    stderr::flush();
    match signals::to_the_end(write) {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        Some(_) => Ok(()),
        None => Err(io::Error::new(io::ErrorKind::TimedOut, "stdout is not read")),
    }
}

fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(shell_word("reports/today.csv"), "reports/today.csv");
        assert_eq!(shell_word("to day's.csv"), r"'to day'\''s.csv'");
        assert_eq!(shell_word("a\u{1b}b"), r"'a\u{1b}b'");
    }
}
