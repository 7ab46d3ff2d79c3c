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
use crate::pipeline::{Event, Pages as _, PauseCause};
use crate::plan::Plan;
use crate::plan::stats::Stats;
use crate::progress::{Progress, with_progress};
use crate::report::{self, Causes};

use super::connect;
use super::connect::{ConnectedTarget, connect};
use super::dry_run::{ROWS, close};
use super::error::Error;
use super::job::{DeleteJob, KeySelection};
use super::job_input::JobInputError;
use super::outputs::Opened;
use super::overview::Overview;
use super::pages::{NamespacePages, next_page};
use super::preview::Preview;
use super::session::Session;
use super::signals;
use super::summary::JobSummary;

/// Lists everything, deletes nothing, prints what would be done.
pub(super) fn run(job: &DeleteJob, selection: &KeySelection, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let mut summary = JobSummary::of(job);
    let ended = carry_out(job, selection, screen, &mut summary);
    summary.end(ended, None)
}

fn carry_out<'a>(
    job: &'a DeleteJob,
    selection: &KeySelection,
    screen: &MultiProgress,
    summary: &mut JobSummary<'_>,
) -> Result<Option<Preview<'a>>, Error> {
    let start = Instant::now();
    let mut opened = Opened::new(job)?;
    let mut session = Session::new(&job.options)?;
    let connected = session
        .run(async |caller| connect(caller, &selection.connection, &job.options, job.concurrency, job.shard()).await);
    summary.totals = session.caller.totals;
    let ConnectedTarget { connection, client, namespace, limits } = connected?;
    opened.record.located(&connection, &namespace.title)?;
    summary.facts = opened.record.facts();
    let overview = Overview::of(job, Some((&connection, &namespace)));
    let mut pages = NamespacePages::new(selection);
    if !connect::supports_encoding(&namespace) && job.puts_keys_into_urls() {
        pages.refuse_encoded();
    }
    let ready = opened.make(job)?;
    let rows = if ready.outputs.report.is_some() { Some(report::start(ready.outputs, ROWS)?) } else { None };
    let (sender, writer) = rows.unzip();
    let (deadline, runtime) = (session.deadline(), session.runtime);
    let (plan, stats, causes) = (Plan::default(), Stats::default(), Causes::default());
    let mut survey = Survey { job, client, pages, caller: session.caller, plan, stats, causes };
    let (stop, unwritten) = runtime.block_on(async {
        let mut signals = signals::listen();
        let stop = tokio::select! {
            biased;
            Some(signal) = signals.recv() => Some(Stop::signalled(signal)),
            stop = survey.list(sender, screen) => stop,
            () = sleep_until(deadline.unwrap_or(start)), if deadline.is_some() => {
                Some(Stop::new(StopReason::Deadline, "the --deadline passed"))
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
    (summary.report, summary.elapsed, summary.causes) = (ready.report, start.elapsed(), causes.most_frequent());
    summary.totals = caller.totals;
    close(job, &plan, stop, unwritten, summary);
    summary.record_end(ready.record);
    Ok(Some(Preview { job, limits, overview, stats, now: wall_now() }))
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
        let progress = RefCell::new(Progress::new(self.job.options.progress_options(), screen));
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
