//! Writes what a backup holds to a namespace: a job of the pipeline, with a row for each record.

use std::num::NonZeroU32;
use std::sync::Arc;

use indicatif::MultiProgress;
use tokio::time::Instant;

use crate::api::MAX_PUT_KEYS;
use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::files::IfExists;
use crate::input::{Source, spawn_reader};
use crate::outcome::{Status, Stop, StopReason};
use crate::pipeline::call::ApiCaller;
use crate::pipeline::state::State;
use crate::pipeline::{BatchLimit, Batching, KeyAction, OnExisting, Options};
use crate::progress::ProgressOptions;
use crate::record::{Content, Record};
use crate::report;
use crate::terminal::pluralized;

use super::confirm::{self, Action};
use super::connect;
use super::connect::{ConnectedTarget, connect};
use super::earlier;
use super::engine::Engine;
use super::error::{Error, with_nothing_sent};
use super::executor::Executor;
use super::job::{Confirm, RestoreJob};
use super::job_input::JobInputError;
use super::monitor::Monitor;
use super::outputs::Opened;
use super::overview::Overview;
use super::preview::{SendEstimate, reads};
use super::same_job::JobRecord;
use super::session::Session;
use super::signals;
use super::summary::{JobSummary, monitored};

mod records;

use records::{BoxedRecords, Plan, check_is_file};

/// The most keys of a bulk write.
#[expect(clippy::cast_possible_truncation, reason = "ten thousand")]
const PUT_KEYS: NonZeroU32 = NonZeroU32::new(MAX_PUT_KEYS as u32).unwrap();

/// The same if each is looked for before, so that little time passes in between.
const CHECKED_KEYS: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

/// The most bytes of a bulk write, of the 100 megabytes that the API takes; a single record may be larger.
const PUT_BYTES: usize = 50_000_000;

const BATCHES_AHEAD: usize = 2;

/// The most records of a batch, and from how many bytes on no more are added to it.
const BATCH_RECORDS: usize = 256;
const BATCH_BYTES: usize = 1_000_000;

impl RestoreJob {
    /// What is done about a key that exists.
    fn on_existing(&self) -> OnExisting {
        match self.run.existing {
            _ if self.overwrite_values => OnExisting::Overwrite,
            IfExists::Resume => OnExisting::Compare,
            _ => OnExisting::Keep,
        }
    }

    fn keys_per_request(&self) -> NonZeroU32 {
        if self.overwrite_values { PUT_KEYS } else { CHECKED_KEYS }
    }

    /// How many requests `keys` take, the one that proves the namespace included.
    fn requests(&self, keys: u64) -> u64 {
        reads(KeyAction::Put(self.on_existing()), keys) + keys.div_ceil(self.keys_per_request().get().into()) + 1
    }

    fn action(&self) -> Action {
        Action::Restore { overwrite: self.overwrite_values }
    }
}

/// Reads the backups, asks, writes, and prints what came of it.
pub(super) fn run(job: &RestoreJob, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let monitor = Monitor::new(&job.run.monitoring, job.connection.as_ref(), None);
    monitored(monitor, JobSummary::of_restore(job), |monitor, summary| {
        carry_out(job, screen, monitor, summary).map(|()| None)
    })
}

fn carry_out(
    job: &RestoreJob,
    screen: &MultiProgress,
    monitor: &mut Monitor,
    summary: &mut JobSummary<'_>,
) -> Result<(), Error> {
    monitor.open()?;
    if job.connection.is_some() && job.run.confirm == Confirm::Prompt {
        confirm::terminal(job.action())?;
    }
    job.files.iter().try_for_each(|file| check_is_file(file))?;
    let inputs: Vec<_> = job.files.iter().cloned().map(Source::File).collect();
    let mut opened = Opened::open(&job.run, inputs.clone(), JobRecord::of_restore(job), monitor, summary)?;
    let (files, journal, mut record) = (job.files.clone(), opened.journal.clone(), opened.record.clone());
    let causes = opened.causes()?;
    let plan;
    (plan, opened.record) = signals::blocking(move || {
        record.read_inputs(&inputs)?;
        let plan = Plan::of(&files, journal, causes)?;
        record.counted(&plan.counts);
        Ok::<_, Error>((plan, record))
    })??;
    summary.records = Some(plan.records);
    summary.set_scanned(&plan.causes);
    if let Some(broken) = plan.broken.as_ref().filter(|_| !job.run.allow_partial || plan.records == 0) {
        return Err(Stop::of_error(StopReason::InputError, &with_nothing_sent(broken)).into());
    }
    monitor.set_records(plan.records);
    let mut session = Session::new(&job.options)?;
    let without_row = opened.count_requests(&job.options, &mut session.caller.budget);
    let mut client = None;
    if let Some(connection) = job.connection.as_ref().filter(|_| plan.keys > 0) {
        let connected =
            session.run(async |caller| connect(caller, connection, &job.options, job.run.concurrency, None).await);
        summary.totals = session.caller.totals;
        opened.leave_requests(summary.totals.requests);
        let target = connected?;
        opened.record.located(&target.connection, &target.namespace.title)?;
        let (keys, notes) = (pluralized(plan.keys, "key"), target.notes().join(", "));
        tracing::info!("restoring {keys}: {notes}");
        confirm_restore(job, &plan, &target, opened.report_name(), &mut session.caller)?;
        summary.notes.extend(target.notes());
        client = Some(target.client);
    }
    if job.connection.is_none() {
        summary.overview = Some(Overview::of_restore(job, None, &plan.formats));
        let note = "Dry run: nothing was sent, and it was not checked which keys exist.";
        summary.notes.push(note.to_owned());
    }
    let ready = opened.make(summary.records, session.caller.totals.requests)?;
    summary.report = ready.report;
    let requests = earlier::count_requests_of(ready.outputs.report.as_ref(), without_row)?;
    let (rows, writer) = report::start(ready.outputs)?;
    let runtime = session.runtime;
    monitor.add_preflight(&session.caller.totals);
    let options = Options {
        batching: Batching::Bulk(BatchLimit { keys: job.keys_per_request(), bytes: PUT_BYTES }),
        action: if client.is_some() { KeyAction::Put(job.on_existing()) } else { KeyAction::Plan },
        deleted_before: summary.earlier.tally.get(Status::Restored),
        ..session.pipeline_options(&job.run)
    };
    let pipeline = State::after(session.caller, options);
    let executor = Executor { client, backup: None };
    let mut records = Arc::new(plan).records(job.files.clone());
    let progress = ProgressOptions { total: summary.records, ..job.options.progress_options() };
    let (end, written) = runtime.block_on(async {
        let records = spawn_reader(move |batch| next_batch(&mut records, batch), BATCHES_AHEAD);
        let max_wait = job.options.max_wait;
        let engine = Engine { pipeline, executor, monitor, progress, max_wait, screen, requests };
        let end = engine.run(records, rows, writer.written()).await;
        (end, signals::in_time(writer.finish()).await)
    });
    summary.set_end(end, written);
    summary.facts = Some(ready.record.facts());
    summary.record_end(ready.record);
    Ok(())
}

/// Some records; one of them alone if it is large.
fn next_batch(records: &mut BoxedRecords, batch: &mut Vec<Record>) -> Result<bool, Box<JobInputError>> {
    let mut bytes = 0;
    while batch.len() < BATCH_RECORDS && bytes < BATCH_BYTES {
        let Some(record) = records.next().transpose()? else { return Ok(false) };
        bytes += if let Content::Pair(pair) = &record.content { pair.json.len() } else { 0 };
        batch.push(record);
    }
    Ok(true)
}

/// Asks, if anybody is to be asked, and keeps to what the namespace supports.
fn confirm_restore(
    job: &RestoreJob,
    plan: &Plan,
    target: &ConnectedTarget,
    report: String,
    caller: &mut ApiCaller,
) -> Result<(), Error> {
    if !job.overwrite_values {
        let hint = "pass --overwrite-values, which does not look first which keys exist";
        connect::check_encoding(&target.namespace, plan.encoded, plan.first_encoded.as_ref(), hint)?;
    }
    if target.limits.rates != job.options.rates {
        caller.budget.set_rates(&target.limits.rates, Instant::now());
    }
    if job.run.confirm == Confirm::AssumeYes {
        target.limits.warn();
        return Ok(());
    }
    let mut overview = Overview::of_restore(job, Some((&target.connection, &target.namespace)), &plan.formats);
    let (requests, deadline) = (job.requests(plan.keys), job.options.deadline);
    let estimate = SendEstimate::new("in bulk", requests, &target.limits.rates, deadline, wall_now());
    overview.push("duration", estimate.in_words());
    let first_keys = plan.first_keys.clone();
    let question = confirm::Question::new(job.action(), Some(plan.keys), overview, report, &target.limits);
    confirm::ask(&confirm::Question { first_keys, ..question })
}
