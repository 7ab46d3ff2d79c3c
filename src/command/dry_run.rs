//! `--dry-run` of files and stdin: the same way up to the client, and no further. There is no client here.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::outcome::{Settled, Stop, StopReason};
use crate::pipeline::call::Totals;
use crate::plan::Plan;
use crate::plan::stats::Stats;
use crate::record::Record;
use crate::report::{self, Causes, JobFile, ReportError, Writer};
use crate::terminal::{Escaped, count, pluralized};

use super::connect::Limits;
use super::error::Error;
use super::job::{DeleteJob, Inputs, Keys};
use super::job_input::{JobInput, JobInputError, Warnings};
use super::outputs::Opened;
use super::overview::Overview;
use super::preview::Preview;
use super::same_job::JobRecord;
use super::session::runtime;
use super::signals;
use super::summary::JobSummary;

/// How long the writer of an interrupted dry run is waited for.
const LAST_ROWS: Duration = Duration::from_secs(1);

/// Reads everything, sends nothing, prints what would be done.
pub(super) fn run(job: &DeleteJob, inputs: &Inputs) -> Result<ExitCode, Error> {
    let mut summary = JobSummary::of(job);
    let ended = carry_out(job, inputs, &mut summary);
    summary.end(ended, None)
}

fn carry_out<'a>(
    job: &'a DeleteJob,
    inputs: &Inputs,
    summary: &mut JobSummary<'_>,
) -> Result<Option<Preview<'a>>, Error> {
    let start = Instant::now();
    let mut opened = Opened::new(job.run.clone(), &inputs.sources, JobRecord::of(job))?;
    let mut input = JobInput::new(inputs, None);
    // What is wrong from the first record on (no such file or column, a report that is no plan) leaves no file behind
    // that would be in the way of the next try.
    let mut record = opened.record.clone();
    let looks_ahead = opened.replaces_report() && !job.run.allow_partial;
    let mut records;
    (records, opened.record) = signals::blocking(move || {
        let are_files = input.take_fingerprints()?;
        record.read_inputs(&input.inputs.sources)?;
        input.inputs.options.plans = record.plans();
        if are_files && looks_ahead {
            // What breaks off does not cost the report that is there.
            let (mut plan, mut records) = (Plan::default(), input.records(Warnings::Off));
            plan.survey(|batch| records.next_batch(batch), |_, _| true);
            plan.broken.map_or(Ok(()), Err)?;
        }
        let mut records = input.records(Warnings::On);
        let mut first = Vec::new();
        match records.next_batch(&mut first).err() {
            Some(error) if first.is_empty() => return Err(error.into()),
            error => records.put_back(first, error),
        }
        Ok::<_, Error>((records, record))
    })??;
    let mut ready = opened.make(None, 0)?;
    let rows = if ready.outputs.report.is_some() { Some(report::start(ready.outputs)?) } else { None };
    let (sender, writer) = rows.unzip();
    let (counts, written) = (BatchCounts::default(), writer.as_ref().map(Writer::written));
    let (counted, of_writer) = (counts.clone(), written.clone());
    let rows_written = move || of_writer.as_ref().map(|written| *written.borrow());
    // The reading thread may be left alone, and must not keep the writer.
    let rows = sender.as_ref().map(mpsc::Sender::downgrade);
    let surveyed = signals::blocking(move || {
        let (mut plan, mut stats) = (Plan::<Box<JobInputError>>::default(), Stats::default());
        let mut causes = Causes::default();
        plan.survey(
            |batch| records.next_batch(batch),
            |plan, records| {
                for record in records.iter() {
                    causes.add_unsent(record);
                }
                let goes_on = match &rows {
                    None => {
                        records.drain(..).for_each(|record| stats.take(record));
                        true
                    }
                    Some(rows) => {
                        for record in records.iter() {
                            stats.add(record);
                        }
                        rows.upgrade().is_some_and(|sender| sender.blocking_send(unsent(records)).is_ok())
                    }
                };
                counted.add(planned(plan), rows_written());
                goes_on
            },
        );
        let formats = records.formats();
        (plan, stats, causes, records.counts.get(), formats)
    });
    drop(sender);
    let unwritten = match (writer, &surveyed) {
        (None, _) => Ok(None),
        (Some(writer), Ok(_)) => runtime()?.block_on(signals::unless_signalled(writer.finish())).map(Result::err),
        (Some(writer), Err(_)) => {
            // It closes the file within a moment, unless nobody reads stdout.
            let _ = runtime()?.block_on(async { timeout(LAST_ROWS, writer.finish()).await });
            Ok(None)
        }
    };
    let ((mut plan, stats, causes, counts, formats), unwritten) = match surveyed
        .and_then(|surveyed| Ok((surveyed, unwritten?)))
    {
        Ok(done) => done,
        Err(stop) => {
            summary.notes.extend(discard(job, &stop, &mut ready.report));
            (summary.totals, summary.elapsed) = (counts.written(written.map(|rows| *rows.borrow())), start.elapsed());
            return Err(stop.into());
        }
    };
    if let Some(broken) = plan.broken.take_if(|broken| broken.is_usage()) {
        ready.report.as_deref().map(remove);
        return Err(broken.into());
    }
    if plan.records == 0 && plan.broken.is_none() {
        warn_of_emptiness(job.guards.min_keys);
    }
    ready.record.counted(&counts);
    (summary.report, summary.elapsed, summary.causes) = (ready.report, start.elapsed(), causes.most_frequent());
    close(job, &plan, unwritten, summary);
    summary.record_end(ready.record);
    let (limits, overview) = (Limits::new(&job.options.rates), Overview::of(job, None, &formats));
    Ok(Some(Preview { job, limits, overview, stats, now: wall_now() }))
}

/// Takes into the summary what is planned, and why the dry run ends: because of a report that cannot be written, of an input
/// that breaks off, or of a guard.
fn close(
    job: &DeleteJob,
    plan: &Plan<Box<JobInputError>>,
    unwritten: Option<ReportError>,
    summary: &mut JobSummary<'_>,
) {
    let unwritten = || Some(Stop::of_error(StopReason::IoError, &Error::from(unwritten?).error_chain()));
    let broken = || Some(Stop::of_error(StopReason::InputError, &plan.broken.as_ref()?.to_string()));
    let cut = unwritten().or_else(broken);
    summary.notes.extend(cut.as_ref().and_then(|stop| discard(job, stop, &mut summary.report)));
    summary.notes.extend(notes(job));
    summary.stop = cut.or_else(|| refusal(job, plan));
    summary.records = Some(plan.records);
    summary.totals = planned(plan);
}

fn planned<E>(plan: &Plan<E>) -> Totals {
    Totals { tally: plan.tally, records: plan.records, keys: plan.keys, ..Totals::default() }
}

/// What was counted with each batch whose rows may not be written yet, and with the last one before: a dry run that is stopped
/// counts what it has written, or read if it writes nothing.
#[derive(Debug, Clone, Default)]
struct BatchCounts(Arc<Mutex<VecDeque<Totals>>>);

impl BatchCounts {
    fn add(&self, totals: Totals, rows_written: Option<u64>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.push_back(totals);
        while counts.get(1).is_some_and(|next| is_written(next, rows_written)) {
            counts.pop_front();
        }
    }

    fn written(&self, rows_written: Option<u64>) -> Totals {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().rfind(|totals| is_written(totals, rows_written)).copied().unwrap_or_default()
    }
}

/// Each record of a dry run has a row.
fn is_written(totals: &Totals, rows_written: Option<u64>) -> bool {
    rows_written.is_none_or(|rows| totals.records <= rows)
}

/// Of inputs without any record: mostly the command that wrote them failed.
pub(super) fn warn_of_emptiness(min_keys: Option<u64>) {
    if min_keys.is_none() {
        tracing::warn!("the input is empty\nhint: pass --min-keys 1 to make that exit code 8");
    }
}

/// The guard that stands against a plan.
pub(super) fn refusal(job: &DeleteJob, plan: &Plan<Box<JobInputError>>) -> Option<Stop> {
    let refused = plan.check(job.guards).err()?;
    let why = match (&job.keys, job.guards.max_keys) {
        // A job that lists has sent requests, and does not count first.
        (Keys::Namespace(_), Some(most)) if refused.reason() == StopReason::MaxKeys => {
            let (keys, most) = (pluralized(plan.keys, "key"), count(most));
            format!("{keys}, more than --max-keys {most}: the job would delete {most} and stop")
        }
        _ => refused.to_string(),
    };
    Some(Stop { hint: Some(refused.hint()), ..Stop::new(refused.reason(), why) })
}

/// Removes the report of a dry run that `stop` cut off, unless a part of it is what was asked for; what is to be said of it.
pub(super) fn discard(job: &DeleteJob, stop: &Stop, report: &mut Option<PathBuf>) -> Option<String> {
    let shown = |path: &Path| Escaped(&path.to_string_lossy()).to_string();
    if job.run.allow_partial && stop.reason == StopReason::InputError {
        return report
            .as_deref()
            .map(|part| format!("{} contains the plan for the records before the break.", shown(part)));
    }
    let part = report.take_if(|part| remove(part))?;
    Some(format!("{} was removed, because it contained only a part of the plan.", shown(&part)))
}

/// Half a plan would be in the way of the next try, or worse, pass for a whole one. Whether it is gone; where not, that
/// is said.
fn remove(report: &Path) -> bool {
    let removed = fs::remove_file(report);
    // Without its report it means nothing.
    let _ = fs::remove_file(JobFile::path(report));
    if let Err(error) = &removed {
        let report = report.to_string_lossy();
        tracing::warn!("{} contains only a part of the plan and cannot be removed: {error}", Escaped(&report));
    }
    removed.is_ok()
}

fn unsent(records: &mut Vec<Record>) -> Vec<Settled> {
    let now = wall_now();
    records.drain(..).filter_map(|record| Settled::unsent(record.number, record.content, now)).collect()
}

/// What has to be said at the end of any dry run.
pub(super) fn notes(job: &DeleteJob) -> Vec<String> {
    let is_doubled = matches!(job.keys, Keys::Inputs(Inputs { dedupe: false, .. }));
    let note = is_doubled.then(|| "Duplicate keys were not removed (--no-dedupe).".to_owned());
    note.into_iter().collect()
}
