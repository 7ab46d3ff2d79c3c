//! `--dry-run` of the keys of a namespace: they are listed, and nothing else is sent.

use std::cell::RefCell;

use indicatif::MultiProgress;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::api::Client;
use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::outcome::{Settled, Status, Stop, StopReason};
use crate::pipeline::call::ApiCaller;
use crate::pipeline::call::RetryNotice;
use crate::pipeline::state::Totals;
use crate::pipeline::{Event, Pages as _, PauseCause};
use crate::plan::Plan;
use crate::plan::stats::Stats;
use crate::progress::{Progress, ProgressOptions, stderr_is_terminal};
use crate::report::{self, Causes};

use super::dry_run::{ROWS, end, notes};
use super::earlier::Earlier;
use super::encoding;
use super::error::Error;
use super::job::{DeleteJob, KeySelection};
use super::job_input::JobInputError;
use super::limits::Limits;
use super::locate::{Missed, client, locate};
use super::outputs::Opened;
use super::overview::Overview;
use super::pages::{NamespacePages, next_page};
use super::preflight;
use super::preview::Preview;
use super::runtime::runtime;
use super::signals;
use super::so_far::SoFar;
use super::summary::JobSummary;
use super::with_progress::with_progress;

/// Lists everything, deletes nothing, says what would be done.
pub(super) fn run(job: &DeleteJob, selection: &KeySelection, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let mut so_far = SoFar::of(job);
    let ended = carry_out(job, selection, screen, &mut so_far);
    so_far.end(job, ended, None)
}

fn carry_out(
    job: &DeleteJob,
    selection: &KeySelection,
    screen: &MultiProgress,
    so_far: &mut SoFar,
) -> Result<ExitCode, Missed> {
    let start = Instant::now();
    let mut opened = Opened::new(job)?;
    let runtime = runtime()?;
    let mut caller = ApiCaller::start(&job.rates, job.retry, job.max_wait);
    let located = locate(&selection.connection, job.timeout, &mut caller);
    let connection = runtime.block_on(signals::unless_signalled(located)).map_err(Missed::Stop).flatten();
    so_far.totals = caller.totals;
    let connection = connection?;
    let client = client(&connection, job.timeout, job.concurrency)?;
    let found = signals::unless_signalled(preflight::namespace(&mut caller, &client));
    let namespace = runtime.block_on(found).flatten();
    so_far.totals = caller.totals;
    let namespace = namespace.map_err(Missed::Stop)?;
    opened.record.located(&connection, &namespace.title)?;
    so_far.facts = opened.record.facts();
    // The pages are only read, which the mode does not slow down.
    let limits = Limits::over(&namespace, &job.rates, job.rates_from, job.shard());
    let overview = Overview::of(job, Some((&connection, &namespace)));
    let mut pages = NamespacePages::new(selection);
    if !encoding::is_supported(&namespace) && job.puts_keys_into_urls() {
        pages.refuse_encoded();
    }
    let (plan, stats, causes) = (Plan::default(), Stats::default(), Causes::default());
    let mut survey = Survey { job, client, pages, caller, plan, stats, causes };
    let ready = opened.make(job)?;
    let rows = if ready.outputs.report.is_some() { Some(report::start(ready.outputs, ROWS)?) } else { None };
    let (sender, writer) = rows.unzip();
    let (stop, unwritten) = runtime.block_on(async {
        let mut signals = signals::listen();
        let deadline = job.deadline.map(|deadline| start + deadline);
        let stop = tokio::select! {
            biased;
            Some(signal) = signals.recv() => Some(Stop::signalled(signal)),
            stop = survey.list(sender, screen) => stop,
            () = sleep_until(deadline.unwrap_or(start)), if deadline.is_some() => {
                Some(Stop::new(StopReason::Deadline, "the deadline came"))
            }
        };
        let Some(writer) = writer else { return (stop, None) };
        tokio::select! {
            written = writer.finish() => (stop, written.err()),
            // Nobody may be reading the report.
            Some(signal) = signals.recv() => (stop.or(Some(Stop::signalled(signal))), None),
        }
    });
    let Survey { caller, plan, stats, causes, .. } = survey;
    let mut report = ready.report.as_deref();
    let (stop, mut said) = end(job, &plan, stop, unwritten, &mut report);
    said.extend(notes(job));
    let mut summary = JobSummary {
        job,
        totals: Totals { tally: plan.tally, records: plan.records, keys: plan.keys, ..caller.totals },
        earlier: Earlier::default(),
        facts: ready.record.facts(),
        causes: causes.most_frequent(),
        records: Some(plan.records),
        elapsed: start.elapsed(),
        stop: stop.as_ref(),
        report,
        failures: None,
        backup: None,
        notes: said,
    };
    let unrecorded = if summary.report.is_some() { ready.record.end(summary.run_end()).err() } else { None };
    summary.stop = summary.stop.or(unrecorded.as_ref());
    Ok(summary.print_with_plan(&Preview { job, limits: &limits, overview, stats, now: wall_now() })?)
}

struct Survey<'a> {
    job: &'a DeleteJob,
    client: Client,
    pages: NamespacePages,
    caller: ApiCaller,
    plan: Plan<Box<JobInputError>>,
    stats: Stats,
    causes: Causes,
}

impl Survey<'_> {
    /// Takes every page; `None` at the end, or where the report takes no more rows.
    async fn list(&mut self, rows: Option<mpsc::Sender<Settled>>, screen: &MultiProgress) -> Option<Stop> {
        let shown = ProgressOptions {
            mode: self.job.progress,
            stderr_is_terminal: stderr_is_terminal(),
            lines: self.job.lines,
            ..ProgressOptions::default()
        };
        let progress = RefCell::new(Progress::new(shown, screen));
        let stop = with_progress(&progress, self.pages(rows, &progress)).await;
        progress.borrow_mut().finish();
        stop
    }

    async fn pages(&mut self, rows: Option<mpsc::Sender<Settled>>, progress: &RefCell<Progress>) -> Option<Stop> {
        while self.pages.request().is_some() {
            let on_wait = |waiting: &RetryNotice<'_>| {
                let throttled = waiting.failure.http_status == Some(429);
                let cause = if throttled { PauseCause::Throttled } else { PauseCause::Outage };
                progress.borrow_mut().on(&Event::Paused { until: Instant::now() + waiting.wait, cause });
            };
            let records = match next_page(&self.client, &mut self.pages, &mut self.caller, on_wait).await {
                Ok(records) => records,
                Err(stop) => return Some(stop),
            };
            progress.borrow_mut().on(&Event::Running);
            let before = self.plan.tally.get(Status::Planned);
            let mut planned = Vec::with_capacity(records.len());
            for record in records {
                self.plan.count(&record);
                self.stats.add(&record);
                self.causes.add_unsent(&record);
                planned.extend(Settled::unsent(record.number, record.content, wall_now()));
            }
            progress.borrow_mut().listed(self.plan.tally.get(Status::Planned) - before);
            for row in planned {
                if let Some(rows) = &rows
                    && rows.send(row).await.is_err()
                {
                    return None;
                }
            }
        }
        None
    }
}
