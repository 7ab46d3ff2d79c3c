//! The end of a job: its summary, what to do next, its exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::exit::ExitCode;
use crate::outcome::{Status, Stop, StopReason, Tally};
use crate::pipeline::state::Totals;
use crate::report::{Cause, Facts, Summary, Target};
use crate::stderr;
use crate::terminal::{Escaped, columns, pluralized};

use super::earlier::Earlier;
use super::error::Error;
use super::job::{DeleteJob, Keys, Mode};
use super::job_file::RunEnd;
use super::preview::Preview;
use super::signals;

/// The width of what is printed where no terminal says its own.
const WIDTH: usize = 120;

/// What an error and its hint are told apart by.
const HINT: &str = "\nhint: ";

/// Why a job over the keys of a namespace needs no journal.
const GONE: &str = "what is deleted is no longer listed";

/// What is said at the end of a job.
#[derive(Debug)]
pub(super) struct JobSummary<'a> {
    pub(super) job: &'a DeleteJob,
    /// Of this run.
    pub(super) totals: Totals,
    pub(super) earlier: Earlier,
    /// Records of the input, where they were counted; those that were seen otherwise.
    pub(super) records: Option<u64>,
    pub(super) elapsed: std::time::Duration,
    pub(super) facts: Facts,
    pub(super) causes: Vec<Cause>,
    pub(super) stop: Option<&'a Stop>,
    pub(super) report: Option<&'a Path>,
    pub(super) failures: Option<&'a Path>,
    /// Where the backup is, and how many records this run added to it.
    pub(super) backup: Option<(&'a Path, u64)>,
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

impl JobSummary<'_> {
    /// Of the whole job.
    fn tally(&self) -> Tally {
        self.totals.tally.plus(&self.earlier.tally)
    }

    fn code(&self) -> ExitCode {
        let (reason, signal) = (self.stop.map(|stop| stop.reason), self.stop.and_then(|stop| stop.signal));
        ExitCode::for_job(reason, signal, &self.tally())
    }

    /// Whether no records before the break of an input are left that `--allow-partial` would process.
    fn has_no_unsent_part(&self) -> bool {
        self.totals.tally.sent() > 0 || self.job.allow_partial || self.records.unwrap_or_default() == 0
    }

    /// The job in numbers.
    pub(super) fn summary(&self) -> Summary {
        Summary {
            records: self.records.unwrap_or_else(|| self.earlier.records(self.totals.records)),
            tally: self.tally(),
            resumed: self.earlier.settled,
            sent: self.totals.tally.sent(),
            requests: self.totals.requests,
            retries: self.totals.retries,
            throttled: self.totals.throttled,
            elapsed: self.elapsed,
            stopped: self.stop.map(|stop| stop.reason),
            dry_run: matches!(self.job.mode, Mode::DryRun | Mode::Check(_)),
            exit_code: self.code().as_u8(),
            facts: Some(self.facts.clone()),
            report: self.report.map(|report| report.to_string_lossy().into_owned()),
            causes: self.causes.clone(),
        }
    }

    /// The same for the job file.
    pub(super) fn run_end(&self) -> RunEnd {
        RunEnd {
            records: self.records,
            tally: self.tally(),
            requests: self.totals.requests,
            stopped: self.stop.map(|stop| stop.reason),
            code: self.code(),
        }
    }

    /// Prints the summary and returns the exit code.
    pub(super) fn print(self) -> Result<ExitCode, Error> {
        self.print_with(None)
    }

    /// As [`JobSummary::print`], with what is planned.
    pub(super) fn print_with_plan(self, preview: &Preview<'_>) -> Result<ExitCode, Error> {
        self.print_with(Some(preview))
    }

    fn print_with(self, preview: Option<&Preview<'_>>) -> Result<ExitCode, Error> {
        let (code, summary) = (self.code(), self.summary());
        signals::decide(code);
        self.stop.into_iter().for_each(|stop| log_stop("job", stop));
        if self.job.json {
            let object = WithPlan { summary: &summary, plan: preview.map(Preview::value) };
            let json = serde_json::to_string(&object).map_err(io::Error::from);
            print_summary(Stream::Stdout, vec![json.map_err(Error::system("write the summary"))?]);
        }
        let wanted = !(self.job.quiet && code == ExitCode::Success);
        // Where stdout holds the report or the JSON, people are told on stderr; a script has the numbers already.
        match (self.job.json, self.job.report == Target::Stdout) {
            _ if !wanted => {}
            (true, _) => print_summary(Stream::Stderr, self.next_step(code)),
            (false, true) => {
                let lines = self.lines(&summary, preview, columns(io::stderr()), code);
                print_summary(Stream::Stderr, lines);
            }
            (false, false) => {
                let lines = self.lines(&summary, preview, columns(io::stdout()), code);
                print_summary(Stream::Stdout, lines);
            }
        }
        Ok(code)
    }

    fn lines(
        &self,
        summary: &Summary,
        preview: Option<&Preview<'_>>,
        columns: Option<usize>,
        code: ExitCode,
    ) -> Vec<String> {
        let mut lines = summary.to_text();
        if self.stop.is_some_and(|stop| !stop.from_api) {
            // The reason is only the nearest word for it.
            lines.pop();
            lines.push("stopped early: the server is not trusted, or does not answer as the API does".to_owned());
        }
        if let Some(shard) = self.job.shard() {
            lines.push(format!("shard: {shard}, and nothing of the others"));
        }
        if let Some(report) = self.report {
            lines.push(format!("report: {}", Escaped(&report.to_string_lossy())));
        }
        if let Some(failures) = self.failures
            && self.tally().failures() > 0
        {
            let keys = pluralized(self.tally().failures(), "key");
            lines.push(format!("failures: {} ({keys}, ready to be an INPUT)", Escaped(&failures.to_string_lossy())));
        }
        if let Some((backup, records)) = self.backup {
            lines.push(format!(
                "backup: {} ({} added)",
                Escaped(&backup.to_string_lossy()),
                pluralized(records, "record")
            ));
        }
        lines.extend(self.job.profile.iter().map(|profile| format!("profile: {profile}")));
        lines.extend(preview.into_iter().flat_map(|preview| preview.lines(columns.unwrap_or(WIDTH))));
        lines.extend(self.notes.iter().cloned());
        lines.extend(self.next_step(code));
        lines
    }

    /// What to do now, where something is left to do.
    fn next_step(&self, code: ExitCode) -> Vec<String> {
        let mut steps = Vec::new();
        steps.extend(self.stop.and_then(advice).map(str::to_owned));
        match self.stop.map(|stop| stop.reason) {
            Some(StopReason::DailyLimit) => steps.push(
                "next: the free plan's deletes of today are used up; they are counted anew from 00:00 UTC.".to_owned(),
            ),
            Some(StopReason::MaxKeys | StopReason::MinKeys | StopReason::Expect) => steps.push(
                "next: look at the input; if this number of keys is right, change --max-keys, --min-keys or --expect."
                    .to_owned(),
            ),
            Some(StopReason::InputError) => steps.push(if self.has_no_unsent_part() {
                "next: fix the input that is named above.".to_owned()
            } else {
                "next: fix the input that is named above, or pass --allow-partial to process the records before the break."
                    .to_owned()
            }),
            Some(StopReason::IoError) => {
                steps.push("next: fix the file that is named above, or make room for it.".to_owned());
            }
            None | Some(StopReason::MaxFailures | StopReason::Canary | StopReason::Outage)
                if self.tally().failures() > 0 =>
            {
                steps.extend(self.report.map(|report| {
                    let report = shell_word(&report.to_string_lossy());
                    format!("next: `kvsweep report {report}` tells why keys failed.")
                }));
            }
            _ => {}
        }
        let begun = self.tally().total() > 0;
        let unfinished = self.stop.is_some() || self.tally().failures() > 0;
        if matches!(self.job.mode, Mode::Real(_)) && unfinished && begun && code != ExitCode::Success {
            match (&self.job.keys, &self.job.report) {
                (Keys::Inputs(_), _) => steps.extend(self.report.map(|report| {
                    let report = shell_word(&report.to_string_lossy());
                    format!("go on: the same command with --resume --report {report}")
                })),
                (Keys::Namespace(_), Target::File(_)) => {
                    steps.push(format!("go on: the same command with another --report; {GONE}"));
                }
                (Keys::Namespace(_), _) => steps.push(format!("go on: the same command again; {GONE}")),
            }
        }
        if self.tally().get(Status::Invalid) > 0 && self.job.report == Target::Nowhere {
            steps.push("--report PATH lists the invalid records and why they are.".to_owned());
        }
        steps
    }
}

/// Logs why the `job` ended early, with its hint on a line of its own.
pub(super) fn log_stop(job: &str, stop: &Stop) {
    let (what, hint) = stop.why.split_once(HINT).map_or((&*stop.why, None), |(what, hint)| (what, Some(hint)));
    let hint = hint.map(|hint| format!("{HINT}{}", Escaped(hint))).unwrap_or_default();
    tracing::error!("the {job} stopped early: {}{hint}", Escaped(what));
}

/// The message of an error after which nothing was sent.
pub(super) fn with_nothing_sent(error: &impl Display) -> String {
    let message = error.to_string();
    let (what, hint) = message.split_at(message.find(HINT).unwrap_or(message.len()));
    format!("{what}; nothing was sent{hint}")
}

/// What to do about credentials, an account or a namespace that the server does not take, and about a server that does
/// not answer.
pub(super) fn advice(stop: &Stop) -> Option<&'static str> {
    Some(match stop.reason {
        _ if !stop.from_api => return None,
        StopReason::Unauthorized => {
            "next: check CLOUDFLARE_API_TOKEN (or --api-token-file): it needs the permission \"Workers KV Storage: \
             Edit\" on this account, and must not have expired; `kvsweep whoami` shows what it is."
        }
        StopReason::NamespaceNotFound => {
            "next: check --namespace-id (the id), or --namespace (the title, taken exactly): `kvsweep namespaces` lists \
             those of this account."
        }
        StopReason::AccountNotFound => {
            "next: check --account-id and --namespace-id: `wrangler whoami` shows the account's id."
        }
        StopReason::Outage => {
            "next: wait until it has passed (https://www.cloudflarestatus.com tells of outages), then run it again; if it \
             does not pass, check the network and --base-url."
        }
        _ => return None,
    })
}

/// A word that a shell reads as it is.
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
    fn that_nothing_was_sent_is_no_part_of_a_hint() {
        assert_eq!(with_nothing_sent(&"it broke"), "it broke; nothing was sent");
        assert_eq!(with_nothing_sent(&"it broke\nhint: fix it"), "it broke; nothing was sent\nhint: fix it");
    }

    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(shell_word("reports/today.csv"), "reports/today.csv");
        assert_eq!(shell_word("to day's.csv"), r"'to day'\''s.csv'");
        assert_eq!(shell_word("a\u{1b}b"), r"'a\u{1b}b'");
    }
}
