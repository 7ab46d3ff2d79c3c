//! `--dry-run` of files and stdin: the same way up to the client, and no further. There is no client here.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::outcome::{Settled, Stop, StopReason};
use crate::pipeline::call::Totals;
use crate::plan::Plan;
use crate::plan::stats::Stats;
use crate::record::Record;
use crate::report::{Causes, JobFile, ReportError, RowWriter};
use crate::terminal::{Escaped, count, pluralized};

use super::connect::Limits;
use super::error::Error;
use super::job::{DeleteJob, Inputs, Keys};
use super::job_input::{JobInput, JobInputError, RecordBatches, Warnings};
use super::outputs::Opened;
use super::overview::Overview;
use super::preview::Preview;
use super::same_job::JobRecord;
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
    let records;
    (records, opened.record) = signals::blocking(move || {
        let are_files = input.take_fingerprints()?;
        record.read_inputs(&input.inputs.sources)?;
        input.inputs.options.plans = record.plans();
        if are_files && looks_ahead {
            // What breaks off does not cost the report that is there.
            let (plan, _) = input.survey(Warnings::Off, &mut Causes::default())?;
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
    let rows = ready.outputs.report.is_some().then(|| RowWriter::begin(ready.outputs)).transpose()?;
    let so_far = Arc::new(SoFar::default());
    let (shared, has_rows, (open, closed)) = (Arc::clone(&so_far), rows.is_some(), mpsc::channel::<()>());
    let surveyed = signals::blocking(move || {
        let _open = open;
        Survey::of(records, rows, &shared)
    });
    let mut survey = match surveyed {
        Ok(survey) => survey,
        Err(stop) => {
            so_far.is_given_up.store(true, Ordering::Relaxed);
            if has_rows {
                // The thread closes the report within a moment, unless nobody reads stdout or nothing comes to be read.
                let _ = closed.recv_timeout(LAST_ROWS);
            }
            (summary.totals, summary.elapsed) = (*so_far.totals(), start.elapsed());
            summary.notes.extend(discard(job, &stop, &mut ready.report));
            return Err(stop.into());
        }
    };
    let plan = &mut survey.plan;
    if let Some(broken) = plan.broken.take_if(|broken| broken.is_usage()) {
        ready.report.as_deref().map(remove);
        return Err(broken.into());
    }
    if plan.records == 0 && plan.broken.is_none() {
        warn_of_emptiness(job.guards.min_keys);
    }
    ready.record.counted(&survey.counts);
    (summary.report, summary.elapsed, summary.causes) = (ready.report, start.elapsed(), survey.causes.most_frequent());
    close(job, plan, survey.unwritten, summary);
    summary.record_end(ready.record);
    let (limits, overview) = (Limits::new(&job.options.rates), Overview::of(job, None, &survey.formats));
    Ok(Some(Preview { job, limits, overview, stats: survey.stats, now: wall_now() }))
}

/// What was read, up to the end of the input or to what ended the dry run before.
struct Survey {
    plan: Plan<Box<JobInputError>>,
    stats: Stats,
    causes: Causes,
    /// Of each input that was read to its end, how many records it has.
    counts: Vec<u64>,
    formats: Vec<Option<String>>,
    /// Why the report could not be written, if it could not.
    unwritten: Option<ReportError>,
}

impl Survey {
    /// Reads all records, and writes a row for each.
    fn of(mut records: RecordBatches, mut rows: Option<RowWriter>, so_far: &SoFar) -> Self {
        let (mut plan, mut stats, mut causes) = (Plan::default(), Stats::default(), Causes::default());
        let mut unwritten = None;
        plan.survey(
            |batch| records.next_batch(batch),
            |plan, records| {
                match &mut rows {
                    None => {
                        for record in records.drain(..) {
                            causes.add_unsent(&record);
                            stats.take(record);
                        }
                    }
                    Some(rows) => {
                        for record in records.iter() {
                            causes.add_unsent(record);
                            stats.add(record);
                        }
                        unwritten = rows.write(&unsent(records)).err();
                    }
                }
                if unwritten.is_none() {
                    *so_far.totals() = planned(plan);
                }
                unwritten.is_none() && !so_far.is_given_up.load(Ordering::Relaxed)
            },
        );
        let unwritten = unwritten.or_else(|| rows?.finish().err());
        let counts = records.counts.get();
        Self { plan, stats, causes, counts, formats: records.formats(), unwritten }
    }
}

/// How far the reading is, for the one who may give it up.
#[derive(Debug, Default)]
struct SoFar {
    /// What is planned, without what is not written yet.
    totals: Mutex<Totals>,
    is_given_up: AtomicBool,
}

impl SoFar {
    fn totals(&self) -> MutexGuard<'_, Totals> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

/// Of inputs without any record: mostly the command that wrote them failed.
pub(super) fn warn_of_emptiness(min_keys: Option<u64>) {
    if min_keys.is_none() {
        tracing::warn!("the input is empty\nhint: pass --min-keys 1 to make that exit code 8");
    }
}

/// The guard that stands against a plan.
pub(super) fn refusal(job: &DeleteJob, plan: &Plan<Box<JobInputError>>) -> Option<Stop> {
    let mut stop = plan.refusal(job.guards)?;
    // A job that lists has sent requests, and does not count first.
    if let (Keys::Namespace(_), Some(most), StopReason::MaxKeys) = (&job.keys, job.guards.max_keys, stop.reason) {
        let (keys, most) = (pluralized(plan.keys, "key"), count(most));
        stop.why = format!("{keys}, more than --max-keys {most}: the job would delete {most} and stop");
    }
    Some(stop)
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
