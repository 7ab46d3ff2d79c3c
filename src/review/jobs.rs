//! What the job files beside reports say: which job each belongs to, how far it came, and when it was running.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::timeline::millis;
use crate::report::{Identity, JobFile, ReadExtent, Run};
use crate::terminal::{Escaped, count, pluralized, title_and_id};

const DESCRIBED: usize = 20;

#[derive(Debug, Clone)]
pub(crate) struct ReportedFile {
    pub path: PathBuf,
    pub rows: u64,
    pub records: u64,
    pub finished: Option<(SystemTime, SystemTime)>,
    /// The same of rows that were sent, in milliseconds since 1970.
    pub(super) sent: Option<(u64, u64)>,
    pub extent: ReadExtent,
    /// The job that it belongs to, if there is a job file.
    pub job: Option<ReportedJob>,
}

#[derive(Debug, Clone)]
pub(crate) struct ReportedJob {
    pub file: JobFile,
    /// When each run wrote its last row, in milliseconds since 1970.
    last_rows: Vec<Option<u64>>,
}

impl ReportedJob {
    pub(super) fn new(file: JobFile) -> Self {
        Self { last_rows: vec![None; file.runs.len()], file }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.file.identity
    }

    pub(super) fn add(&mut self, at_ms: u64) {
        let begun = self.file.runs.iter().rposition(|run| millis(run.started_at) <= at_ms);
        if let Some(last) = begun.and_then(|run| self.last_rows.get_mut(run)) {
            *last = (*last).max(Some(at_ms));
        }
    }

    /// When it was running. A run that was killed ran until its last row, as far as is known.
    pub(super) fn running(&self) -> impl Iterator<Item = (u64, u64)> {
        self.file.runs.iter().zip(&self.last_rows).map(|(run, last_row)| {
            let start = millis(run.started_at);
            let end = run.ended_at.map(millis).max(*last_row);
            (start, end.unwrap_or(start).max(start))
        })
    }

    /// How many records the job has, if a run counted them.
    pub(super) fn records(&self) -> Option<u64> {
        self.file.runs.iter().rev().find_map(|run| run.records)
    }

    /// Its title and id, as far as they are known; a rehearsal has none.
    pub(super) fn namespace(&self) -> Option<String> {
        let identity = &self.file.identity;
        match (&identity.namespace_title, &identity.namespace_id) {
            (title, Some(id)) => Some(title_and_id(title.as_deref(), Escaped(id))),
            (title, None) => title.as_ref().map(|title| Escaped(title).to_string()),
        }
    }

    /// `finished`, or why it did not.
    pub(super) fn state(&self) -> String {
        match self.file.last_run() {
            None => "not begun".to_owned(),
            Some(Run { ended_at: None, .. }) => "not finished: the last run was killed, or is still running".to_owned(),
            Some(Run { stopped: Some(reason), .. }) => format!("stopped early: {}", Escaped(reason)),
            Some(Run { stopped: None, exit_code: None | Some(0 | 3), .. }) => "finished".to_owned(),
            Some(Run { exit_code: Some(code), .. }) => format!("ended with exit code {code}"),
        }
    }

    pub(super) fn runs(&self) -> String {
        match self.file.runs.len() {
            0 | 1 => String::new(),
            runs => format!(" after {}", pluralized(runs as u64, "run")),
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.file.last_run().is_some_and(|run| run.ended_at.is_some() && run.stopped.is_none())
    }
}

impl ReportedFile {
    fn job_line(&self) -> String {
        let path = self.path.to_string_lossy();
        let Some(job) = &self.job else {
            return format!("{}: no job file, so namespace, kind and end are unknown", Escaped(&path));
        };
        let identity = &job.file.identity;
        let namespace = job.namespace().map(|namespace| format!(", namespace {namespace}")).unwrap_or_default();
        let account = identity.account_id.as_ref().map(|id| format!(", account {}", Escaped(id))).unwrap_or_default();
        let shard = identity.shard.as_ref().map(|shard| format!(", shard {}", Escaped(shard))).unwrap_or_default();
        let runs = job.runs();
        format!("{}: {}{namespace}{account}{shard}, {}{runs}", Escaped(&path), identity.kind.in_words(), job.state())
    }

    pub(super) fn job_value(&self) -> Value {
        let Some(job) = &self.job else { return Value::Null };
        let identity = &job.file.identity;
        json!({
            "kind": identity.kind, "base_url": identity.base_url, "account_id": identity.account_id,
            "namespace_id": identity.namespace_id, "namespace_title": identity.namespace_title,
            "shard": identity.shard, "records": job.records(), "finished": job.is_finished(), "runs": job.file.runs,
        })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// How many records the jobs have; `None` if one of them is not known.
    pub total: Option<u64>,
    pub missing_shards: Vec<String>,
    /// Times at which no job was running, between the first run and the last, in milliseconds since 1970.
    pub idle: Vec<(u64, u64)>,
}

impl Progress {
    pub(super) fn of(files: &[ReportedFile], input_of: &[usize]) -> Self {
        Self { total: total(files, input_of), missing_shards: missing_shards(files, input_of), idle: idle(files) }
    }
}

/// Each part of each input counts once.
fn total(files: &[ReportedFile], input_of: &[usize]) -> Option<u64> {
    let mut parts = BTreeMap::new();
    for (file, input) in files.iter().zip(input_of) {
        let job = file.job.as_ref()?;
        let records: &mut u64 = parts.entry((input, &job.file.identity.shard)).or_default();
        *records = (*records).max(job.records()?);
    }
    Some(parts.values().sum())
}

fn missing_shards(files: &[ReportedFile], input_of: &[usize]) -> Vec<String> {
    let mut present = BTreeMap::<_, BTreeSet<u64>>::new();
    for (file, input) in files.iter().zip(input_of) {
        let shard = file.job.as_ref().and_then(|job| job.file.identity.shard.as_deref());
        if let Some((part, parts)) = shard.and_then(|shard| shard.split_once('/'))
            && let (Ok(part), Ok(parts)) = (part.parse(), parts.parse::<u64>())
        {
            present.entry((input, parts)).or_default().insert(part);
        }
    }
    let missing = present.into_iter().flat_map(|((_, parts), present)| {
        (1..=parts).filter(move |part| !present.contains(part)).map(move |part| format!("{part}/{parts}"))
    });
    missing.collect()
}

fn idle(files: &[ReportedFile]) -> Vec<(u64, u64)> {
    let mut running = Vec::new();
    for file in files {
        match &file.job {
            Some(job) => running.extend(job.running()),
            // Nothing says that it was not.
            None => running.extend(file.sent),
        }
    }
    running.sort_unstable();
    let (mut idle, mut until) = (Vec::new(), None::<u64>);
    for (start, end) in running {
        if let Some(before) = until.filter(|before| *before < start) {
            idle.push((before, start));
        }
        until = until.max(Some(end));
    }
    idle
}

impl super::Review {
    /// Records that are in no report because the jobs did not come to them, if that is known.
    pub(crate) fn not_attempted(&self) -> Option<u64> {
        self.progress.total.map(|total| total.saturating_sub(self.tally.total()))
    }

    /// `1,080 of 20,000 records`, or `1,080 records` if no job file says how many there are.
    pub(super) fn records(&self) -> String {
        match self.progress.total.filter(|total| *total > self.tally.total()) {
            Some(total) => format!("{} of {}", count(self.tally.total()), pluralized(total, "record")),
            None => pluralized(self.tally.total(), "record"),
        }
    }

    /// `Stopped early` or `Not finished`, if one of the jobs did not come to its end.
    pub(super) fn unfinished(&self) -> Option<&'static str> {
        let mut jobs = self.files.iter().filter_map(|file| file.job.as_ref()).filter(|job| !job.is_finished());
        let job = jobs.next()?;
        Some(if job.file.last_run().is_some_and(|run| run.stopped.is_some()) {
            "Stopped early"
        } else {
            "Not finished"
        })
    }

    /// What the shares are of; `None` if it is not known.
    pub(super) fn whole(&self) -> Option<u64> {
        self.progress.total.map(|total| total.max(self.tally.total()))
    }

    /// The job file of a report.
    pub(crate) fn job_of(&self, report: &Path) -> Option<&JobFile> {
        self.files.iter().find(|file| file.path == report)?.job.as_ref().map(|job| &job.file)
    }

    pub(super) fn job_lines(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.files.iter().take(DESCRIBED).map(ReportedFile::job_line).collect();
        if self.files.len() > DESCRIBED {
            lines.push(format!("and {}", pluralized((self.files.len() - DESCRIBED) as u64, "more report")));
        }
        let missing = &self.progress.missing_shards;
        if !missing.is_empty() {
            lines.push(format!(
                "missing: the {} of shard {}",
                if missing.len() == 1 { "report" } else { "reports" },
                missing.join(", ")
            ));
        }
        lines
    }
}
