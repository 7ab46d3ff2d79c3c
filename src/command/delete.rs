//! `kvsweep delete`: for real, as a rehearsal, or as a dry run that sends requests: it looks which keys exist (`--check`), or
//! lists those of a namespace.

use std::sync::Arc;

use futures::future::OptionFuture;
use indicatif::MultiProgress;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::api::Client;
use crate::backup;
use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::input::spawn_reader;
use crate::outcome::{Status, Stop, StopReason};
use crate::pipeline::state::State;
use crate::pipeline::{Batching, KeyAction, Options, Pages as _};
use crate::plan::Plan;
use crate::plan::stats::Stats;
use crate::progress::ProgressOptions;
use crate::quota::least_time;
use crate::record::{Content, Record};
use crate::report;
use crate::terminal::pluralized;

use super::confirm;
use super::connect::{ConnectedTarget, Limits, connect};
use super::dry_run::{self, discard, refusal};
use super::earlier;
use super::engine::Engine;
use super::error::Error;
use super::executor::Executor;
use super::job::{Confirm, DeleteJob, Keys, Mode};
use super::monitor::Monitor;
use super::outputs::{Opened, Ready};
use super::overview::Overview;
use super::pages::first_page;
use super::preview::{self, Preview};
use super::rehearsal::Rehearsal;
use super::same_job::JobRecord;
use super::session::Session;
use super::signals;
use super::summary::{JobSummary, monitored};

mod question;
mod scan;

use question::ask;
use scan::{InputScan, InvalidCollector, KeySource, broken_off, collect_stats, scan, warn_of_age};

/// Batches of records that are read ahead of files.
const FILES_AHEAD: usize = 2;

/// The same of a pipe, where each is one record.
const PIPE_AHEAD: usize = 1_024;

/// Deletes, prints what came of it, and reports that to metrics and pings.
pub(super) fn run(job: &Arc<DeleteJob>, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let monitor = Monitor::new(&job.run.monitoring, job.real(), job.shard());
    monitored(monitor, JobSummary::of(job), |monitor, summary| carry_out(job, screen, monitor, summary))
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
    let mut requests_before = opened.count_requests(&job.options, &mut session.caller.budget);
    if let Some((journal, _)) = opened.journal.as_ref().filter(|_| job.batching == Batching::Single && !job.check) {
        requests_before += journal.attempts();
    }
    let target = connect_to(job, rehearsal.as_ref(), &mut session, &mut opened, &mut scan, summary);
    opened.leave_requests(session.caller.totals.requests);
    let target = target?;
    let confirmed = confirm(job, target.as_ref(), &mut session, &mut scan, &opened.report_name(), summary);
    opened.leave_requests(session.caller.totals.requests);
    confirmed?;
    let limits = target.as_ref().map_or_else(|| Limits::new(&job.options.rates), |target| target.limits.clone());
    let overview =
        Overview::of(job, target.as_ref().map(|target| (&target.connection, &target.namespace)), &scan.formats());
    match (&rehearsal, &mut scan.source) {
        (Some(rehearsal), KeySource::Inputs(records)) => rehearsal.fill(records),
        (Some(_), KeySource::Listing { .. }) => {}
        // A dry run shows it among the rest.
        (None, _) if job.is_dry_run() => {}
        (None, _) => summary.notes.extend(target.iter().flat_map(ConnectedTarget::notes)),
    }
    log_start(job, &overview, summary.records, &limits);
    let deleted_before = opened.journal.as_ref().map_or(0, |(journal, _)| journal.deleted());
    let ready = opened.make(summary.records, session.caller.totals.requests)?;
    let client = target.map(|target| target.client);
    let max_keys = match &scan.plan {
        // The file may have grown since it was counted: no more keys are sent than were agreed to.
        Some(plan) => Some(deleted_before + plan.keys),
        // It counts all keys, and checks the guards when it is done.
        None if matches!(job.mode, Mode::DryRun) => None,
        None => job.guards.max_keys,
    };
    let run = Run { job, session, client, limits: &limits, max_keys, deleted_before, requests_before };
    let (stats, record) = run.send(scan, ready, (screen, monitor), summary)?;
    summary.notes.extend(rehearsal.iter().flat_map(Rehearsal::ending));
    if stats.is_some() {
        let discarded = summary.stop.as_ref().and_then(|stop| discard(job, stop, &mut summary.report));
        summary.notes.extend(discarded);
        summary.notes.extend(dry_run::notes(job));
        if let Mode::DryRun = job.mode {
            // Only now all keys were counted.
            let (records, keys) = (summary.totals.records, summary.totals.tally.get(Status::Planned));
            let plan = Plan { records, keys, distinct_keys: keys, ..Plan::default() };
            summary.stop = summary.stop.take().or_else(|| refusal(job, &plan));
        }
    }
    summary.facts = Some(record.facts());
    summary.record_end(record);
    Ok(stats.map(|stats| Preview { job, limits, overview, stats, now: wall_now() }))
}

/// Logs what is done, where and how fast.
fn log_start(job: &DeleteJob, overview: &Overview, records: Option<u64>, limits: &Limits) {
    let what = if job.key_action() == KeyAction::Check { "checking" } else { "deleting" };
    let keys = records.map_or("keys".to_owned(), |records| pluralized(records, "record"));
    let place = overview.namespace().unwrap_or("the rehearsal's server in memory");
    let url = job.target.as_ref().map(|target| format!(" at {}", target.base_url)).unwrap_or_default();
    let way = if job.batching == Batching::Single { "one by one" } else { "in bulk" };
    let rates: Vec<_> = limits.rates.iter().map(ToString::to_string).collect();
    let rate = if rates.is_empty() { "no --rate".to_owned() } else { format!("--rate {}", rates.join(" --rate ")) };
    tracing::info!("{what} {keys} of {place}{url}: {way}, {rate}, --concurrency {}", job.run.concurrency);
}

/// Opens what exists of the outputs, and warns of a report that is old.
fn open(job: &DeleteJob, monitor: &mut Monitor, summary: &mut JobSummary<'_>) -> Result<Opened, Error> {
    monitor.open()?;
    if job.run.confirm == Confirm::Prompt && job.real().is_some() {
        confirm::terminal(confirm::Action::Delete { backup: job.run.backup.is_some() })?;
    }
    let inputs = match &job.keys {
        Keys::Inputs(inputs) => inputs.sources.clone(),
        Keys::Namespace(_) => Vec::new(),
    };
    let opened = Opened::open(&job.run, inputs, JobRecord::of(job), monitor, summary)?;
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
    let connection = match (rehearsal, &job.mode, &job.keys) {
        (Some(rehearsal), ..) => &rehearsal.connection()?,
        (None, Mode::Real(connection) | Mode::Check(connection), _) => connection,
        (None, Mode::DryRun, Keys::Namespace(selection)) => &selection.connection,
        (None, Mode::DryRun | Mode::Rehearsal, _) => return Ok(None),
    };
    let connected =
        session.run(async |caller| connect(caller, connection, &job.options, job.run.concurrency, job.shard()).await);
    summary.totals = session.caller.totals;
    let target = connected?;
    scan.check_encoding(job, &target.namespace)?;
    if matches!(job.mode, Mode::Real(_)) && target.limits.rates != job.options.rates {
        session.caller.budget.set_rates(&target.limits.rates, Instant::now());
        if job.run.confirm == Confirm::AssumeYes {
            target.limits.warn();
        }
    }
    if rehearsal.is_none() {
        let located = opened.record.located(&target.connection, &target.namespace.title);
        summary.facts = Some(opened.record.facts());
        located?;
    }
    Ok(Some(target))
}

/// Asks, if anybody is to be asked.
fn confirm(
    job: &DeleteJob,
    target: Option<&ConnectedTarget>,
    session: &mut Session<'_>,
    scan: &mut InputScan,
    report: &str,
    summary: &mut JobSummary<'_>,
) -> Result<(), Error> {
    if let (Some(target), Confirm::Prompt, KeySource::Listing { pages, first }) =
        (target, job.run.confirm, &mut scan.source)
        && !job.is_dry_run()
    {
        let page = session.run(async |caller| Ok(first_page(&target.client, pages, caller).await?));
        summary.totals = session.caller.totals;
        *first = page?;
        let is_key = |record: &Record| matches!(record.content, Content::Key(_));
        scan.nothing_to_send = pages.request().is_none() && !first.iter().any(is_key);
    }
    if let (Some(target), Confirm::Prompt, Mode::Real(_)) = (target, job.run.confirm, &job.mode)
        && !scan.nothing_to_send
    {
        ask(job, target, scan, report)?;
    }
    // One that came since the last wait.
    signals::received().map_or(Ok(()), |signal| Err(Stop::signalled(signal).into()))
}

/// A job that may send.
struct Run<'a> {
    job: &'a DeleteJob,
    session: Session<'a>,
    /// `None` where nothing has to be sent.
    client: Option<Client>,
    limits: &'a Limits,
    /// The most keys of the whole job.
    max_keys: Option<u64>,
    /// How many keys earlier runs of this job deleted or found absent.
    deleted_before: u64,
    /// Requests of earlier runs, as [`earlier::count_requests_of`] takes them.
    requests_before: u64,
}

impl Run<'_> {
    /// Runs the pipeline to its end. What is planned comes back where keys were only looked for.
    fn send(
        self,
        mut scan: InputScan,
        ready: Ready,
        (screen, monitor): (&MultiProgress, &Monitor),
        summary: &mut JobSummary<'_>,
    ) -> Result<(Option<Stats>, JobRecord), Error> {
        let Ready { outputs, report, failures, backup, mut record } = ready;
        let (backup, backup_writer) = backup.map(backup::start).transpose()?.unzip();
        let requests = earlier::count_requests_of(outputs.report.as_ref(), self.requests_before)?;
        let (rows, writer) = report::start(outputs)?;
        let executor = Executor { client: self.client.clone(), backup };
        let progress = self.progress_options(summary.records);
        let sent_before = self.session.caller.totals;
        let (runtime, job) = (self.session.runtime, self.job);
        let mut pipeline = self.state();
        monitor.add_preflight(&sent_before);
        let collector = job.is_dry_run().then(InvalidCollector::default);
        if let Some(collector) = &collector {
            collector.tap(&mut scan.source);
        }
        let counts = match &scan.source {
            KeySource::Inputs(records) => Some(records.counts.clone()),
            KeySource::Listing { .. } => None,
        };
        let (end, stats, written, backed_up) = runtime.block_on(async {
            let records = match scan.source {
                KeySource::Inputs(mut records) => {
                    // What was scanned as a whole is files.
                    let ahead = if scan.plan.is_some() { FILES_AHEAD } else { PIPE_AHEAD };
                    spawn_reader(move |batch| records.next_batch(batch), ahead)
                }
                KeySource::Listing { pages, first } => {
                    pipeline = pipeline.with_pages(pages, first, Instant::now());
                    mpsc::channel(1).1
                }
            };
            let (rows, stats) = match collector {
                Some(collector) => {
                    let (sender, settled) = mpsc::channel(1);
                    (sender, Some(collect_stats(collector, settled, rows)))
                }
                None => (rows, None),
            };
            let max_wait = job.options.max_wait;
            let engine = Engine { pipeline, executor, monitor, progress, max_wait, screen, requests };
            let running = engine.run(records, rows, writer.written());
            let (end, stats) = tokio::join!(running, OptionFuture::from(stats));
            let backed_up = match backup_writer {
                Some(writer) => signals::in_time(writer.finish()).await,
                None => None,
            };
            (end, stats, signals::in_time(writer.finish()).await, backed_up)
        });
        // An input that ends before it did is another one.
        let counts = counts.filter(|_| end.broken.is_none()).map(|counts| counts.get());
        record.counted(&counts.unwrap_or_default());
        summary.set_end(end, written);
        (summary.report, summary.failures) = (report, failures);
        match backed_up {
            Some(Ok(records)) => summary.backup = job.run.backup.clone().map(|backup| (backup, records)),
            Some(Err(error)) => {
                summary.stop = Some(Stop::of_error(StopReason::IoError, &Error::from(error).error_chain()));
            }
            None => {}
        }
        Ok((stats, record))
    }

    fn progress_options(&self, total: Option<u64>) -> ProgressOptions {
        let (batching, action, is_dry_run) = (self.job.batching, self.job.pipeline_action(), self.job.is_dry_run());
        // Looking for keys writes nothing, which a namespace's mode does not slow down.
        let rates = if self.job.real().is_some() { &self.limits.rates } else { &self.job.options.rates };
        let (rates, others) = (rates.clone(), rates.clone());
        let deletes = move |keys| if is_dry_run { 0 } else { batching.requests(keys) };
        let expected = move |keys| least_time(&others, preview::reads(action, keys) + deletes(keys));
        let in_bulk = move |keys| preview::in_bulk(&rates, batching, keys);
        ProgressOptions {
            total,
            expected: Some(Box::new(expected)),
            in_bulk: matches!(action, KeyAction::Delete | KeyAction::CheckThenDelete).then_some(Box::new(in_bulk)),
            ..self.job.options.progress_options()
        }
    }

    fn state(mut self) -> State {
        let options = Options {
            batching: self.job.batching,
            action: self.job.pipeline_action(),
            max_keys: self.max_keys,
            max_failures: self.job.max_failures,
            // Nothing is tried out where nothing is deleted.
            canary: self.job.canary.filter(|_| !self.job.is_dry_run()).unwrap_or(0),
            deleted_before: self.deleted_before,
            ..self.session.pipeline_options(&self.job.run)
        };
        State::after(self.session.caller, options)
    }
}
