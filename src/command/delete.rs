//! `kvsweep delete`: for real, as a rehearsal, or as a dry run that looks which keys exist (`--check`).

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

use futures::future::OptionFuture;
use indicatif::MultiProgress;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::api::Client;
use crate::backup::{self, BackupError};
use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::input::spawn_reader;
use crate::outcome::{Stop, StopReason};
use crate::pipeline::state::State;
use crate::pipeline::{End, KeyAction, Options, Pages as _, run as run_pipeline};
use crate::plan::stats::Stats;
use crate::plan::{Approved, Consent};
use crate::progress::{Progress, ProgressOptions, with_progress};
use crate::quota::{Rate, least_time};
use crate::record::{Content, Record};
use crate::report::{self, ReportError, Written};

use super::confirm;
use super::connect::Limits;
use super::connect::{ConnectedTarget, connect};
use super::dry_run::{self, discard, refusal};
use super::earlier;
use super::error::{Error, stop_of};
use super::event_log::EventLogger;
use super::executor::{BackupSink, Executor};
use super::job::{Confirm, DeleteJob, Mode};
use super::job_file::JobRecord;
use super::job_input::JobInputError;
use super::monitor::Monitor;
use super::outputs::{Opened, Ready};
use super::overview::Overview;
use super::pages::next_page;
use super::preview;
use super::preview::Preview;
use super::rehearsal::Rehearsal;
use super::session::{Session, or_panicked};
use super::signals;
use super::summary::JobSummary;

mod collect_stats;
mod question;
mod scan;

use collect_stats::{InvalidCollector, collect_stats};
use question::ask;
use scan::{InputScan, KeySource, broken_off, scan, warn_of_age};

/// Batches of records that are read ahead of files.
const FILES_AHEAD: usize = 2;

/// The same of a pipe, where each is one record.
const PIPE_AHEAD: usize = 1_024;

/// Deletes, prints what came of it, and reports that to metrics and pings.
pub(super) fn run(job: &Arc<DeleteJob>, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let mut monitor = Monitor::new(job);
    let ended = or_panicked(|| {
        let mut summary = JobSummary::of(job);
        let ended = carry_out(job, screen, &mut monitor, &mut summary);
        summary.end(ended, Some(&mut monitor))
    });
    monitor.end(&ended);
    ended
}

fn carry_out<'a>(
    job: &'a Arc<DeleteJob>,
    screen: &MultiProgress,
    monitor: &mut Monitor,
    summary: &mut JobSummary<'_>,
) -> Result<Option<Preview<'a>>, Error> {
    let mut opened = open(job, monitor, summary)?;
    let mut scan = scan(job, &mut opened, summary)?;
    guard(job, &scan, monitor, summary)?;
    let rehearsal = matches!(job.mode, Mode::Rehearsal).then(Rehearsal::start).transpose()?;
    let mut session = Session::new(&job.options)?;
    if let Some((journal, _)) = opened.journal.as_ref().filter(|_| rehearsal.is_none()) {
        let (runs, budget) = (opened.record.earlier_runs(), &mut session.caller.budget);
        earlier::count(budget, journal, runs, job.concurrency, job.options.timeout);
    }
    let target = connect_to(job, rehearsal.as_ref(), &mut session, &mut opened, &mut scan, summary)?;
    let approved = approve(job, target.as_ref(), &mut session, &mut scan, summary)?;
    let limits = target.as_ref().map_or_else(|| Limits::new(&job.options.rates), |target| target.limits.clone());
    let overview = Overview::of(job, target.as_ref().map(|target| (&target.connection, &target.namespace)));
    match (&rehearsal, &mut scan.source) {
        (Some(rehearsal), KeySource::Inputs(records)) => rehearsal.fill(records),
        (Some(_), KeySource::Listing { .. }) => {}
        (None, _) => summary.notes.extend(target.as_ref().map(ConnectedTarget::note)),
    }
    let deleted_before = opened.journal.as_ref().map_or(0, |(journal, _)| journal.deleted());
    let ready = opened.make(job)?;
    let run =
        Run { job, session, client: target.map(|target| target.client), limits: &limits, approved, deleted_before };
    let (stats, ready) = run.send(scan, ready, (screen, monitor), summary)?;
    summary.notes.extend(rehearsal.iter().flat_map(Rehearsal::ending));
    (summary.report, summary.failures) = (ready.report, ready.failures);
    if stats.is_some() {
        let discarded = summary.stop.as_ref().and_then(|stop| discard(job, stop, &mut summary.report));
        summary.notes.extend(discarded);
        summary.notes.extend(dry_run::notes(job));
    }
    summary.facts = ready.record.facts();
    summary.record_end(ready.record);
    Ok(stats.map(|stats| Preview { job, limits, overview, stats, now: wall_now() }))
}

/// Opens what exists of the outputs. From here on this process has the report for itself, and the job has begun.
fn open(job: &Arc<DeleteJob>, monitor: &mut Monitor, summary: &mut JobSummary<'_>) -> Result<Opened, Error> {
    monitor.open(job)?;
    if job.confirm == Confirm::Prompt && matches!(job.mode, Mode::Real(_)) {
        confirm::terminal(confirm::Action::Delete)?;
    }
    let opened = {
        let job = Arc::clone(job);
        signals::blocking(move || Opened::new(&job))??
    };
    (summary.earlier, summary.facts) = (opened.earlier(), opened.record.facts());
    monitor.begin();
    monitor.resume_from(summary.earlier);
    if let Some((journal, report)) = &opened.journal {
        warn_of_age(journal, report);
    }
    Ok(opened)
}

/// Nothing is sent of an input that breaks off, or that a guard stands against.
fn guard(job: &DeleteJob, scan: &InputScan, monitor: &Monitor, summary: &mut JobSummary<'_>) -> Result<(), Error> {
    let Some(plan) = &scan.plan else { return Ok(()) };
    summary.records = Some(plan.records);
    if let Some(stop) = broken_off(job, plan).or_else(|| refusal(job, plan)) {
        return Err(stop.into());
    }
    monitor.set_records(plan.records);
    Ok(())
}

/// Makes the first request, and checks that its namespace is that of the report and of a plan.
fn connect_to(
    job: &DeleteJob,
    rehearsal: Option<&Rehearsal>,
    session: &mut Session<'_>,
    opened: &mut Opened,
    scan: &mut InputScan,
    summary: &mut JobSummary<'_>,
) -> Result<Option<ConnectedTarget>, Error> {
    if scan.nothing_to_send {
        return Ok(None);
    }
    let connection = match (rehearsal, &job.mode) {
        (Some(rehearsal), _) => &rehearsal.connection()?,
        (None, Mode::Real(connection) | Mode::Check(connection)) => connection,
        (None, Mode::DryRun | Mode::Rehearsal) => return Ok(None),
    };
    let connected =
        session.run(async |caller| connect(caller, connection, &job.options, job.concurrency, job.shard()).await);
    summary.totals = session.caller.totals;
    let target = connected?;
    scan.check_encoding(job, &target.namespace)?;
    if matches!(job.mode, Mode::Real(_)) && target.limits.rates != job.options.rates {
        session.caller.budget.set_rates(&target.limits.rates, Instant::now());
        if job.confirm == Confirm::AssumeYes {
            target.limits.warn();
        }
    }
    if rehearsal.is_none() {
        let located = opened.record.located(&target.connection, &target.namespace.title);
        summary.facts = opened.record.facts();
        located?;
    }
    Ok(Some(target))
}

/// Asks, if anybody is to be asked.
fn approve(
    job: &DeleteJob,
    target: Option<&ConnectedTarget>,
    session: &mut Session<'_>,
    scan: &mut InputScan,
    summary: &mut JobSummary<'_>,
) -> Result<Approved, Error> {
    if let (Some(target), Confirm::Prompt, KeySource::Listing { pages, first }) =
        (target, job.confirm, &mut scan.source)
    {
        let page = session.run(async |caller| Ok(next_page(&target.client, pages, caller, |_| {}).await?));
        summary.totals = session.caller.totals;
        *first = page?;
        let is_key = |record: &Record| matches!(record.content, Content::Key(_));
        scan.nothing_to_send = pages.request().is_none() && !first.iter().any(is_key);
    }
    let consent = match (job.confirm, target) {
        _ if matches!(job.mode, Mode::Rehearsal) => Consent::Rehearsal,
        _ if matches!(job.mode, Mode::Check(_)) => Consent::DryRun,
        (Confirm::Prompt, Some(target)) if !scan.nothing_to_send => ask(job, target, scan)?,
        (Confirm::AssumeYes | Confirm::Prompt, _) => Consent::Flag,
    };
    let approved = match &scan.plan {
        Some(plan) => plan.approve(job.guards, consent).map_err(|violation| Error::Usage(violation.to_string()))?,
        None => Approved::streaming(job.guards, consent),
    };
    // One that came since the last wait.
    signals::received().map_or(Ok(approved), |signal| Err(Stop::signalled(signal).into()))
}

/// A job that may send.
struct Run<'a> {
    job: &'a DeleteJob,
    session: Session<'a>,
    /// `None` where nothing has to be sent.
    client: Option<Client>,
    limits: &'a Limits,
    approved: Approved,
    /// How many keys earlier runs of this job deleted or found absent.
    deleted_before: u64,
}

/// The outputs after a run.
struct Done {
    report: Option<PathBuf>,
    failures: Option<PathBuf>,
    record: JobRecord,
}

impl Run<'_> {
    /// Runs the pipeline to its end. What is planned comes back where keys were only looked for.
    fn send(
        self,
        scan: InputScan,
        ready: Ready,
        (screen, monitor): (&MultiProgress, &Monitor),
        summary: &mut JobSummary<'_>,
    ) -> Result<(Option<Stats>, Done), Error> {
        let Ready { outputs, report, failures, backup, record } = ready;
        let (backup_sink, backup) = backup.map(backup::start).transpose()?.unzip();
        let (rows, writer) = report::start(outputs, dry_run::ROWS)?;
        let executor = Executor { client: self.client.clone(), backup_sink: backup_sink.map(BackupSink::new) };
        let progress = RefCell::new(Progress::new(self.progress_options(summary.records), screen));
        let sent_before = self.session.caller.totals;
        let (runtime, job) = (self.session.runtime, self.job);
        let pipeline = self.state();
        monitor.add_preflight(&sent_before);
        // It owns what keeps the backup open, so that the pipeline's end closes it.
        let send = move |request| {
            let response = executor.clone().execute(request);
            async move {
                let response = response.await;
                monitor.on_response(&response);
                response
            }
        };
        let invalid = (job.key_action() == KeyAction::Check).then(InvalidCollector::default);
        let (end, stats, written, backed_up) = runtime.block_on(async {
            let (pipeline, records) = match scan.source {
                KeySource::Inputs(mut records) => {
                    if let Some(invalid) = &invalid {
                        invalid.tap(&mut records);
                    }
                    // What was scanned as a whole is files.
                    let ahead = if scan.plan.is_some() { FILES_AHEAD } else { PIPE_AHEAD };
                    (pipeline, spawn_reader(move |batch| records.next_batch(batch), ahead))
                }
                KeySource::Listing { pages, first } => {
                    (pipeline.with_pages(pages, first, Instant::now()), mpsc::channel(1).1)
                }
            };
            let mut log = EventLogger::new(job.options.max_wait);
            let listener = |event| {
                log.on(&event);
                monitor.on(&event);
                progress.borrow_mut().on(&event);
            };
            let (rows, stats) = match invalid {
                Some(invalid) => {
                    let (sender, settled) = mpsc::channel(dry_run::ROWS);
                    (sender, Some(collect_stats(invalid, settled, rows)))
                }
                None => (rows, None),
            };
            let sending = run_pipeline(pipeline, records, rows, writer.written(), send, signals::listen(), listener);
            let both = Box::pin(async { tokio::join!(sending, OptionFuture::from(stats)) });
            let (end, stats) = tokio::select! {
                both = with_progress(&progress, both) => both,
                never = monitor.keep_writing() => match never {},
            };
            progress.borrow_mut().finish();
            let backed_up = match backup {
                Some(writer) => signals::in_time(writer.finish()).await,
                None => None,
            };
            (end, stats, signals::in_time(writer.finish()).await, backed_up)
        });
        close(job, summary, end, written, backed_up);
        Ok((stats, Done { report, failures, record }))
    }

    fn progress_options(&self, total: Option<u64>) -> ProgressOptions {
        let (rates, batching, action) = (self.rates().to_vec(), self.job.batching, self.job.key_action());
        let deletes = move |keys| if action == KeyAction::Check { 0 } else { batching.requests(keys) };
        let expected = {
            let rates = rates.clone();
            move |keys| least_time(&rates, preview::reads(action, keys) + deletes(keys))
        };
        let in_bulk = move |keys| preview::in_bulk(&rates, batching, keys);
        ProgressOptions {
            total,
            expected: Some(Box::new(expected)),
            in_bulk: matches!(action, KeyAction::Delete | KeyAction::CheckThenDelete).then_some(Box::new(in_bulk)),
            ..self.job.options.progress_options()
        }
    }

    /// Looking for keys writes nothing, which a namespace's mode does not slow down.
    fn rates(&self) -> &[Rate] {
        if matches!(self.job.mode, Mode::Real(_)) { &self.limits.rates } else { &self.job.options.rates }
    }

    fn state(mut self) -> State {
        let (job, deadline) = (self.job, self.session.deadline());
        let options = Options {
            concurrency: job.concurrency,
            batching: job.batching,
            action: job.key_action(),
            retry: job.options.retry,
            max_wait: job.options.max_wait,
            max_failures: job.max_failures,
            // Nothing is tried out where nothing is deleted.
            canary: job.canary.filter(|_| job.key_action() != KeyAction::Check).unwrap_or(0),
            deadline,
            grace: job.grace,
            deleted_before: self.deleted_before,
            ..Options::default()
        };
        State::after(self.session.caller, options, &self.approved)
    }
}

/// Takes what came of the run into the summary.
fn close(
    job: &DeleteJob,
    summary: &mut JobSummary<'_>,
    end: End<Box<JobInputError>>,
    written: Option<Result<Written, ReportError>>,
    backed_up: Option<Result<u64, BackupError>>,
) {
    (summary.totals, summary.elapsed, summary.stop) = (end.totals, end.elapsed, end.stop);
    let unwritten = |error: Error| Some(stop_of(StopReason::IoError, &error.error_chain()));
    match written {
        Some(Ok(written)) => {
            summary.earlier = summary.earlier.without(&written.replaced);
            summary.causes = written.causes;
        }
        // A report that cannot be written outweighs everything else.
        Some(Err(error)) => summary.stop = unwritten(error.into()),
        None => {
            tracing::warn!("the last rows of the report were not written: its disk or its reader does not take them");
            let signalled = || signals::received().map(Stop::signalled);
            summary.stop = summary.stop.take().or_else(signalled);
        }
    }
    match backed_up {
        Some(Ok(records)) => summary.backup = job.backup.clone().map(|backup| (backup, records)),
        Some(Err(error)) => summary.stop = unwritten(error.into()),
        None => {}
    }
}
