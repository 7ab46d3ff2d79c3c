//! The job itself, for real or as a rehearsal: scan, ask, send, say what came of it.

use std::cell::RefCell;
use std::sync::Arc;

use futures::future::OptionFuture;
use indicatif::MultiProgress;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::api::Client;
use crate::backup::{self, BackupError};
use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::input::spawn_reader;
use crate::outcome::{Settled, Stop, StopReason, Tally};
use crate::pipeline::call::ApiCaller;
use crate::pipeline::state::State;
use crate::pipeline::{End, KeyAction, Options, Pages as _, run as run_pipeline};
use crate::plan::stats::Stats;
use crate::plan::{Approved, Consent, Plan};
use crate::progress::{Progress, ProgressOptions, stderr_is_terminal};
use crate::quota::least_time;
use crate::record::{Content, Record};
use crate::report::{self, ReportError, Writer, Written};

use super::dry_run::{discard, notes as dry_run_notes, refusal};
use super::earlier;
use super::error::Error;
use super::estimate;
use super::event_log::EventLogger;
use super::executor::{BackupSink, Executor};
use super::job::{Confirm, DeleteJob, Mode};
use super::job_input::JobInputError;
use super::limits::Limits;
use super::locate::Missed;
use super::monitor::Monitor;
use super::or_panicked;
use super::outputs::{Opened, Ready};
use super::overview::Overview;
use super::pages::{NamespacePages, next_page};
use super::preview::Preview;
use super::rehearsal::Rehearsal;
use super::runtime::runtime;
use super::signals;
use super::so_far::SoFar;
use super::summary::JobSummary;
use super::with_progress::with_progress;

mod collect_stats;
mod connect;
mod question;
mod scan;

use collect_stats::{InvalidCollector, collect_stats};
use connect::ConnectedTarget;
use question::ask;
use scan::{InputScan, KeySource, broken_off, open_and_scan};

/// Batches of records that are read ahead of files.
const FILES_AHEAD: usize = 2;

/// The same of a pipe, where each is one record.
const PIPE_AHEAD: usize = 1_024;

/// Rows on their way to the writer.
const ROWS: usize = 1_024;

/// Looks at the input, asks, deletes, and says what came of it, to others too.
pub(super) fn run(job: &Arc<DeleteJob>, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let mut monitor = Monitor::new(job);
    let ended = or_panicked(|| {
        let mut so_far = SoFar::of(job);
        let ended = carry_out(job, screen, &mut monitor, &mut so_far);
        so_far.end(job, ended, Some(&mut monitor))
    });
    monitor.end(&ended);
    ended
}

fn carry_out(
    job: &Arc<DeleteJob>,
    screen: &MultiProgress,
    monitor: &mut Monitor,
    so_far: &mut SoFar,
) -> Result<ExitCode, Missed> {
    let (mut opened, mut scan) = open_and_scan(job, monitor, so_far)?;
    monitor.continues(so_far.earlier);
    if let Some(plan) = &scan.plan {
        so_far.records = Some(plan.records);
        if let Some(stop) = broken_off(job, plan).or_else(|| refusal(job, plan)) {
            return Err(Missed::Stop(stop));
        }
        monitor.counted(plan.records);
    }

    let rehearsal = matches!(job.mode, Mode::Rehearsal).then(Rehearsal::start).transpose()?;
    let runtime = runtime()?;
    let mut sending = Sending { caller: ApiCaller::start(&job.rates, job.retry, job.max_wait), began: None };
    if let Some((journal, _)) = opened.journal.as_ref().filter(|_| rehearsal.is_none()) {
        let runs = opened.record.earlier_runs();
        earlier::count(&mut sending.caller.budget, journal, runs, job.concurrency, job.timeout);
    }
    let target = if scan.nothing_to_send {
        None
    } else {
        let connecting = sending.connect_in_time(job, rehearsal.as_ref(), &mut opened.record, &mut scan);
        let target = runtime.block_on(signals::unless_signalled(connecting)).map_err(Missed::Stop).flatten();
        (so_far.totals, so_far.facts) = (sending.caller.totals, opened.record.facts());
        Some(target?)
    };
    if let (Some(target), Confirm::Prompt, KeySource::Listing { pages, first }) =
        (&target, job.confirm, &mut scan.source)
    {
        let page = runtime.block_on(signals::unless_signalled(sending.page(&target.client, pages))).flatten();
        so_far.totals = sending.caller.totals;
        *first = page.map_err(Missed::Stop)?;
        let is_key = |record: &Record| matches!(record.content, Content::Key(_));
        scan.nothing_to_send = pages.request().is_none() && !first.iter().any(is_key);
    }
    let limits = target.as_ref().map_or_else(|| Limits::new(&job.rates), |target| target.limits.clone());
    let consent = consent(job, rehearsal.is_some(), target.as_ref(), &scan)?;
    let approved = match &scan.plan {
        Some(plan) => plan.approve(job.guards, consent).map_err(|refused| Error::Usage(refused.to_string()))?,
        None => Approved::streaming(job.guards, consent),
    };
    // One that came since the last wait.
    if let Some(signal) = signals::received() {
        return Err(Missed::Stop(Stop::signalled(signal)));
    }
    Ok(send(job, Agreed { opened, scan, rehearsal, target, limits, approved, sending, runtime }, screen, monitor)?)
}

/// A job that may begin.
struct Agreed {
    opened: Opened,
    scan: InputScan,
    rehearsal: Option<Rehearsal>,
    target: Option<ConnectedTarget>,
    limits: Limits,
    approved: Approved,
    sending: Sending,
    runtime: &'static Runtime,
}

/// Begins the report, sends, and says what came of it.
fn send(job: &DeleteJob, agreed: Agreed, screen: &MultiProgress, monitor: &mut Monitor) -> Result<ExitCode, Error> {
    let Agreed { opened, scan, rehearsal, target, limits, approved, sending, runtime } = agreed;
    let earlier = opened.earlier();
    let deleted_before = opened.journal.as_ref().map_or(0, |(journal, _)| journal.deleted());
    let Ready { outputs, report, failures, backup, record } = opened.make(job)?;
    let (backup_sink, backup) = match backup.map(backup::start).transpose()? {
        Some((backup, writer)) => (Some(BackupSink::new(backup)), Some(writer)),
        None => (None, None),
    };
    let (rows, writer) = report::start(outputs, ROWS)?;
    let source = match (&rehearsal, scan.source) {
        (Some(rehearsal), KeySource::Inputs(mut records)) => {
            rehearsal.fill(&mut records);
            KeySource::Inputs(records)
        }
        (_, source) => source,
    };
    let overview = Overview::of(job, target.as_ref().map(|target| (&target.connection, &target.namespace)));
    let mut notes: Vec<_> =
        target.as_ref().filter(|_| rehearsal.is_none()).map(ConnectedTarget::note).into_iter().collect();
    let executor = Executor { client: target.map(|target| target.client), backup_sink };
    let parts = Parts { approved, executor, source, rows, writer, backup, deleted_before };
    let Ended { end, written, kept, stats } =
        sending.run(job, &limits, scan.plan.as_ref(), parts, runtime, (screen, monitor))?;
    let (replaced, causes) = match &written {
        Some(Ok(written)) => (written.replaced, written.causes.clone()),
        Some(Err(_)) | None => (Tally::default(), Vec::new()),
    };
    let stop = stop_of(written, end.stop);
    let (kept, stop) = match kept {
        Some(Err(error)) => (None, Some(Stop::new(StopReason::IoError, Error::from(error).error_chain()))),
        kept => (kept.and_then(Result::ok), stop),
    };
    notes.extend(rehearsal.iter().flat_map(Rehearsal::ending));
    let mut report = report.as_deref();
    if stats.is_some() {
        notes.extend(stop.as_ref().and_then(|stop| discard(job, stop, &mut report)));
        notes.extend(dry_run_notes(job));
    }
    let is_kept = report.is_some();
    let mut summary = JobSummary {
        job,
        totals: end.totals,
        earlier: earlier.without(&replaced),
        facts: record.facts(),
        causes,
        records: scan.plan.as_ref().map(|plan| plan.records),
        elapsed: end.elapsed,
        stop: stop.as_ref(),
        report,
        failures: failures.as_deref(),
        backup: job.backup.as_deref().zip(kept),
        notes,
    };
    let unrecorded = if is_kept { record.end(summary.run_end()).err() } else { None };
    summary.stop = summary.stop.or(unrecorded.as_ref());
    match stats {
        Some(stats) => {
            monitor.close_planned(summary, &Preview { job, limits: &limits, overview, stats, now: wall_now() })
        }
        None => monitor.close(summary),
    }
}

/// Why the job ended early, if it did: a report that cannot be written outweighs everything else.
fn stop_of(written: Option<Result<Written, ReportError>>, stop: Option<Stop>) -> Option<Stop> {
    match written {
        Some(Err(error)) => Some(Stop::new(StopReason::IoError, Error::from(error).error_chain())),
        Some(Ok(_)) => stop,
        None => {
            tracing::warn!("the last rows of the report were not written: its disk or its reader does not take them");
            stop.or_else(|| signals::received().map(Stop::signalled))
        }
    }
}

/// Who agreed to the job, and how.
fn consent(
    job: &DeleteJob,
    rehearses: bool,
    target: Option<&ConnectedTarget>,
    scan: &InputScan,
) -> Result<Consent, Missed> {
    Ok(match (job.confirm, target) {
        _ if rehearses => Consent::Rehearsal,
        _ if matches!(job.mode, Mode::Check(_)) => Consent::DryRun,
        (Confirm::AssumeYes, _) | (Confirm::Prompt, None) => Consent::Flag,
        (Confirm::Prompt, Some(_)) if scan.nothing_to_send => Consent::Flag,
        (Confirm::Prompt, Some(target)) => ask(job, target, scan)?,
    })
}

/// The parts of a job that are ready to run.
struct Parts {
    approved: Approved,
    executor: Executor,
    source: KeySource,
    rows: mpsc::Sender<Settled>,
    writer: Writer,
    backup: Option<backup::Writer>,
    /// How many keys earlier runs of this job deleted or found absent.
    deleted_before: u64,
}

/// How it ended.
struct Ended {
    end: End<Box<JobInputError>>,
    /// What came of the report; `None` if it was still stuck after the second signal.
    written: Option<Result<Written, ReportError>>,
    /// How many records the backup got, if it still has them.
    kept: Option<Result<u64, BackupError>>,
    /// What is planned, where keys were only looked for.
    stats: Option<Stats>,
}

/// What all requests of a job draw on, the first one included.
struct Sending {
    caller: ApiCaller,
    /// When the first request was made.
    began: Option<Instant>,
}

impl Sending {
    async fn page(&mut self, client: &Client, pages: &mut NamespacePages) -> Result<Vec<Record>, Stop> {
        next_page(client, pages, &mut self.caller, |_| {}).await
    }

    fn run(
        self,
        job: &DeleteJob,
        limits: &Limits,
        plan: Option<&Plan<Box<JobInputError>>>,
        parts: Parts,
        runtime: &Runtime,
        (screen, monitor): (&MultiProgress, &Monitor),
    ) -> Result<Ended, Error> {
        // A look at the keys writes nothing.
        let rates = if matches!(job.mode, Mode::Real(_)) { &limits.rates } else { &job.rates };
        let (rates, batching) = (rates.clone(), job.batching);
        let progress = ProgressOptions {
            mode: job.progress,
            stderr_is_terminal: stderr_is_terminal(),
            lines: job.lines,
            total: plan.map(|plan| plan.records),
            expected: Some(Box::new({
                let (rates, action) = (rates.clone(), job.key_action());
                let deletes = move |keys| if action == KeyAction::Check { 0 } else { batching.requests(keys) };
                move |keys| least_time(&rates, estimate::reads(action, keys) + deletes(keys))
            })),
            in_bulk: matches!(job.key_action(), KeyAction::Delete | KeyAction::CheckThenDelete)
                .then_some(Box::new(move |keys| estimate::in_bulk(&rates, batching, keys))),
        };
        let ApiCaller { budget, rng, max_wait, totals, .. } = self.caller;
        let options = options(job, self.began.unwrap_or_else(Instant::now), parts.deleted_before);
        let state = State::new(options, &parts.approved, budget, rng).after_preflight(max_wait);
        let executor = parts.executor;
        monitor.sent_before(&totals);
        // It owns what keeps the backup open, so that the pipeline's end closes it.
        let send = move |request| {
            let answer = executor.clone().answer(request);
            async move {
                let response = answer.await;
                monitor.answered(&response);
                response
            }
        };
        runtime.block_on(async {
            let invalid_records = (job.key_action() == KeyAction::Check).then(InvalidCollector::default);
            let (state, records) = match parts.source {
                KeySource::Inputs(mut records) => {
                    if let Some(invalid_records) = &invalid_records {
                        invalid_records.tap(&mut records);
                    }
                    // What was looked at as a whole is files.
                    let ahead = if plan.is_some() { FILES_AHEAD } else { PIPE_AHEAD };
                    (state, spawn_reader(move |batch| records.next_batch(batch), ahead))
                }
                KeySource::Listing { pages, first } => {
                    (state.with_pages(pages, first, Instant::now()), mpsc::channel(1).1)
                }
            };
            let progress = RefCell::new(Progress::new(progress, screen));
            let mut events = EventLogger::default();
            let listener = |event| {
                events.on(&event);
                monitor.on(&event);
                progress.borrow_mut().on(&event);
            };
            let (rows, outlining) = match invalid_records {
                Some(invalid_records) => {
                    let (rows, settled) = mpsc::channel(super::dry_run::ROWS);
                    (rows, Some(collect_stats(invalid_records, settled, parts.rows)))
                }
                None => (parts.rows, None),
            };
            let written = parts.writer.written();
            let job = run_pipeline(state, records, rows, written, send, signals::listen(), listener);
            let both = Box::pin(async { tokio::join!(job, OptionFuture::from(outlining)) });
            let (mut end, stats) = tokio::select! {
                both = with_progress(&progress, both) => both,
                never = monitor.keep() => match never {},
            };
            progress.borrow_mut().finish();
            end.totals.requests += totals.requests;
            end.totals.retries += totals.retries;
            end.totals.throttled += totals.throttled;
            let kept = match parts.backup {
                Some(writer) => signals::in_time(writer.finish()).await,
                None => None,
            };
            Ok(Ended { end, written: signals::in_time(parts.writer.finish()).await, kept, stats })
        })
    }
}

fn options(job: &DeleteJob, began: Instant, deleted_before: u64) -> Options {
    Options {
        concurrency: job.concurrency,
        batching: job.batching,
        action: job.key_action(),
        retry: job.retry,
        max_wait: job.max_wait,
        max_failures: job.max_failures,
        // Nothing is tried out where nothing is deleted.
        canary: job.canary.filter(|_| job.key_action() != KeyAction::Check).unwrap_or(0),
        deadline: job.deadline.map(|deadline| began + deadline),
        grace: job.grace,
        deleted_before,
        ..Options::default()
    }
}
