//! Writes what a backup holds to a namespace: a job of the pipeline, with a row for each record.

use std::cell::RefCell;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use indicatif::MultiProgress;
use tokio::time::Instant;

use crate::api::MAX_PUT_KEYS;
use crate::exit::ExitCode;
use crate::files::IfExists;
use crate::input::{Source, spawn_reader};
use crate::outcome::{Status, Stop, StopReason};
use crate::pipeline::call::ApiCaller;
use crate::pipeline::state::State;
use crate::pipeline::{BatchLimit, Batching, KeyAction, OnExisting, Options, run as run_pipeline};
use crate::plan::{Approved, Consent, Guards};
use crate::progress::{Progress, ProgressOptions, with_progress};
use crate::record::{Content, Record};
use crate::report::{self, Causes, Destination, Journal, Sync};

use super::confirm::{self, Action, ConfirmWith};
use super::connect;
use super::connect::{ConnectedTarget, connect};
use super::earlier::{self, Earlier};
use super::error::{Error, stop_of, with_nothing_sent};
use super::event_log::EventLogger;
use super::executor::Executor;
use super::job::{Confirm, RestoreJob};
use super::job_file::JobRecord;
use super::job_input::JobInputError;
use super::overview::Overview;
use super::session::Session;
use super::signals;
use super::summary::JobSummary;

mod records;

use records::{BoxedRecords, Plan};

/// The most keys of a bulk write.
#[expect(clippy::cast_possible_truncation, reason = "ten thousand")]
const PUT_KEYS: NonZeroU32 = NonZeroU32::new(MAX_PUT_KEYS as u32).unwrap();

/// The same if each is looked for before, so that little time passes in between.
const CHECKED_KEYS: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

/// The most bytes of a bulk write, of the 100 megabytes that the API takes; a single record may be larger.
const PUT_BYTES: usize = 50_000_000;

/// A bulk write holds so many keys that more at once would be no quicker at the API's rate.
const CONCURRENCY: usize = 1;

const BATCHES_AHEAD: usize = 2;

/// The most records of a batch, and from how many bytes on no more are added to it.
const BATCH_RECORDS: usize = 256;
const BATCH_BYTES: usize = 1_000_000;

/// Rows on their way to the writer.
const ROWS: usize = 1_024;

impl RestoreJob {
    fn action(&self) -> Action {
        Action::Restore { over: self.overwrite_values }
    }
}

/// Reads the backups, asks, writes, and prints what came of it.
pub(super) fn run(job: &RestoreJob, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let mut summary = JobSummary::new(&job.options, &job.report, job.allow_partial, JobRecord::of_restore(job).facts());
    let ended = carry_out(job, screen, &mut summary).map(|()| None);
    summary.end(ended, None)
}

fn carry_out(job: &RestoreJob, screen: &MultiProgress, summary: &mut JobSummary<'_>) -> Result<(), Error> {
    let started = Instant::now();
    if job.connection.is_some() && job.confirm == Confirm::Prompt {
        confirm::terminal(job.action())?;
    }
    let opened = records::open_report(job)?;
    summary.earlier = Earlier::of(opened.journal.as_ref().map(|(journal, _)| &**journal));
    summary.report.clone_from(&opened.path);
    summary.facts = opened.record.facts();
    let (files, journal, record, causes) = (job.files.clone(), opened.journal, opened.record, opened.causes);
    let (plan, mut record) = signals::blocking(move || plan(&files, journal, record, causes))??;
    summary.records = Some(plan.records);
    summary.causes = plan.causes.most_frequent();
    if let Some(broken) = plan.broken.as_ref().filter(|_| !job.allow_partial || plan.records == 0) {
        return Err(stop_of(StopReason::InputError, &with_nothing_sent(broken)).into());
    }
    let mut session = Session::new(&job.options)?;
    if let Some(journal) = plan.journal() {
        let budget = &mut session.caller.budget;
        earlier::count(budget, journal, record.earlier_runs(), 1, job.options.timeout);
    }
    let mut client = None;
    if let Some(connection) = job.connection.as_ref().filter(|_| plan.keys > 0) {
        let connected = session.run(async |caller| connect(caller, connection, &job.options, 1, None).await);
        summary.totals = session.caller.totals;
        let target = connected?;
        record.located(&target.connection, &target.namespace.title)?;
        confirm_restore(job, &plan, &target, &mut session.caller)?;
        summary.notes.push(target.note());
        client = Some(target.client);
    }
    if job.connection.is_none() {
        let note = "This was a dry run: nothing was sent, and whether a key is there was not looked at.";
        summary.notes.push(note.to_owned());
    }
    if let Some(Destination::File(file)) = &opened.destination {
        record.begin(file.path())?;
    }
    let outputs = report::Outputs { report: opened.destination, failures: None, sync: Sync::default() };
    let (rows, writer) = report::start(outputs, ROWS)?;
    let runtime = session.runtime;
    let state = state(job, summary, client.is_some(), session);
    let executor = Executor { client, backup_sink: None };
    let mut records = Arc::new(plan).records(job.files.clone());
    // Only now: a bar would be drawn over the question.
    let shown = ProgressOptions { total: summary.records, ..job.options.progress_options() };
    let (end, written) = runtime.block_on(async {
        let progress = RefCell::new(Progress::new(shown, screen));
        let mut log = EventLogger::new(job.options.max_wait);
        let listener = |event| {
            log.on(&event);
            progress.borrow_mut().on(&event);
        };
        let records = spawn_reader(move |batch| next_batch(&mut records, batch), BATCHES_AHEAD);
        let send = |request| executor.clone().execute(request);
        let sending = run_pipeline(state, records, rows, writer.written(), send, signals::listen(), listener);
        let end = with_progress(&progress, Box::pin(sending)).await;
        progress.borrow_mut().finish();
        (end, signals::in_time(writer.finish()).await)
    });
    summary.stop = end.stop;
    match written {
        Some(Ok(written)) => {
            summary.earlier = summary.earlier.without(&written.replaced);
            summary.causes = written.causes;
        }
        Some(Err(error)) => summary.stop = Some(stop_of(StopReason::IoError, &Error::from(error).error_chain())),
        None => summary.stop = summary.stop.take().or_else(|| signals::received().map(Stop::signalled)),
    }
    (summary.totals, summary.elapsed, summary.facts) = (end.totals, started.elapsed(), record.facts());
    summary.record_end(record);
    Ok(())
}

/// The pipeline's part, which continues the calls of `session`.
fn state(job: &RestoreJob, summary: &JobSummary<'_>, sends: bool, mut session: Session<'_>) -> State {
    let on_existing = match job.existing {
        _ if job.overwrite_values => OnExisting::Overwrite,
        IfExists::Resume => OnExisting::Compare,
        _ => OnExisting::Keep,
    };
    let keys = if job.overwrite_values { PUT_KEYS } else { CHECKED_KEYS };
    let options = Options {
        concurrency: CONCURRENCY,
        batching: Batching::Bulk(BatchLimit { keys, bytes: PUT_BYTES }),
        action: if sends { KeyAction::Put(on_existing) } else { KeyAction::Plan },
        retry: job.options.retry,
        max_wait: job.options.max_wait,
        deadline: session.deadline(),
        deleted_before: summary.earlier.tally.get(Status::Restored),
        ..Options::default()
    };
    // All keys were counted and agreed to.
    let approved = Approved::streaming(Guards::default(), Consent::Flag);
    State::after(session.caller, options, &approved)
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

/// Looks at the backups before anybody is asked.
fn plan(
    files: &[PathBuf],
    journal: Option<(Arc<Journal>, PathBuf)>,
    mut record: JobRecord,
    causes: Causes,
) -> Result<(Plan, JobRecord), Error> {
    let sources: Vec<_> = files.iter().cloned().map(Source::File).collect();
    record.read_inputs(&sources)?;
    Ok((Plan::of(files, journal, causes)?, record))
}

/// Asks, if anybody is to be asked, and keeps to what the namespace supports.
fn confirm_restore(
    job: &RestoreJob,
    plan: &Plan,
    target: &ConnectedTarget,
    caller: &mut ApiCaller,
) -> Result<(), Error> {
    if !job.overwrite_values {
        let hint = "pass --overwrite-values, which does not look first which keys exist";
        connect::check_encoding(&target.namespace, plan.encoded, plan.first_encoded.as_ref(), hint)?;
    }
    if target.limits.rates != job.options.rates {
        caller.budget.set_rates(&target.limits.rates, Instant::now());
    }
    if job.confirm == Confirm::AssumeYes {
        target.limits.warn();
        return Ok(());
    }
    confirm::ask(&confirm::Question {
        action: job.action(),
        keys: Some(plan.keys),
        uncounted: "",
        overview: Overview::of_restore(job, &target.connection, &target.namespace),
        first_keys: plan.first_keys.clone(),
        note: target.limits.note(),
        confirm_with: ConfirmWith::for_keys(Some(plan.keys)),
    })
}
