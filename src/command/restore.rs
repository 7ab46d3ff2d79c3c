//! Puts back what a backup holds: looks which keys are there, writes the others by the thousand, a row for each record.
//!
//! One request at a time: a bulk write holds so many keys that more at once would be no quicker at the API's rate.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use indicatif::MultiProgress;
use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use tokio::time::{Instant, sleep_until};

use crate::api::answer::Reply;
use crate::api::{Client, MAX_GET_KEYS, MAX_PUT_KEYS};
use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::input::Source;
use crate::outcome::{Detail, Settled, Status, Stop, StopReason};
use crate::pipeline::call::{ApiCaller, CallError, RetryNotice};
use crate::pipeline::retry::Failure;
use crate::pipeline::{Event, PauseCause};
use crate::progress::{Progress, ProgressOptions, with_progress};
use crate::report::{self, Causes, Destination, Journal, Sync};
use crate::terminal::{Escaped, duration};

use super::confirm::{self, Action, ConfirmWith};
use super::connect;
use super::connect::{ConnectedTarget, connect};
use super::earlier::{self, Earlier};
use super::error::{Error, with_nothing_sent};
use super::job::{Confirm, RestoreJob};
use super::job_file::JobRecord;
use super::overview::Overview;
use super::session::Session;
use super::signals;
use super::summary::JobSummary;

mod comparing;
mod expiry;
mod records;
mod sending;

use records::{Found, Item, Plan};
use sending::PUT_BYTES;

/// The most keys of a bulk write where each is looked for before, so that little time passes in between.
const CHECKED_KEYS: usize = 1_000;

/// The most bytes of records that wait to be looked for.
const ASKED_BYTES: usize = 8_000_000;

/// How long the request under way has once the job is to end.
const GRACE: Duration = Duration::from_secs(10);

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
        return Err(Stop::new(StopReason::InputError, with_nothing_sent(broken)).into());
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
    // Only now: a bar would be drawn over the question.
    let shown = ProgressOptions { total: Some(plan.records), ..job.options.progress_options() };
    let mut run = Run {
        job,
        client,
        deadline: session.deadline(),
        caller: session.caller,
        rows,
        progress: Rc::new(RefCell::new(Progress::new(shown, screen))),
        in_flight: Vec::new(),
        stopping: Rc::default(),
    };
    summary.stop = session.runtime.block_on(run.finish(&plan))?;
    let Run { caller, rows, progress, .. } = run;
    drop(rows);
    match session.runtime.block_on(signals::in_time(writer.finish())) {
        Some(Ok(written)) => {
            summary.earlier = summary.earlier.without(&written.replaced);
            summary.causes = written.causes;
        }
        Some(Err(error)) => summary.stop = Some(Stop::new(StopReason::IoError, Error::from(error).error_chain())),
        None => summary.stop = summary.stop.take().or_else(|| signals::received().map(Stop::signalled)),
    }
    progress.borrow_mut().finish();
    (summary.totals, summary.elapsed, summary.facts) = (caller.totals, started.elapsed(), record.facts());
    summary.record_end(record);
    Ok(())
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

/// No new request is made.
fn ending() -> Stop {
    Stop::new(StopReason::Interrupted, "the job is to end")
}

struct Run<'a> {
    job: &'a RestoreJob,
    /// None where nothing is sent.
    client: Option<Client>,
    caller: ApiCaller,
    rows: mpsc::Sender<Settled>,
    progress: Rc<RefCell<Progress>>,
    /// What the write under way holds.
    in_flight: Vec<Item>,
    deadline: Option<Instant>,
    /// No new request is made.
    stopping: Rc<Cell<bool>>,
}

impl Run<'_> {
    /// Until all records have their rows, or something ends the job. Once it is to end, no new request is made, and the
    /// one under way has some time left.
    async fn finish(&mut self, plan: &Plan) -> Result<Option<Stop>, Error> {
        let mut signals = signals::listen();
        let deadline = self.deadline;
        let (progress, stopping) = (Rc::clone(&self.progress), Rc::clone(&self.stopping));
        let mut asked: Option<Stop> = None;
        let stop = {
            let all = with_progress(&progress, self.all(plan));
            tokio::pin!(all);
            let mut end = deadline;
            loop {
                tokio::select! {
                    biased;
                    Some(signal) = signals.recv() => {
                        if let Some(stop) = asked.replace(Stop::signalled(signal)) {
                            break Some(stop);
                        }
                    }
                    done = &mut all => break done.err(),
                    () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                        if let Some(stop) = asked.take() {
                            break Some(stop);
                        }
                        asked = Some(Stop::new(StopReason::Deadline, "the deadline came"));
                    }
                }
                if asked.is_some() && !stopping.replace(true) {
                    end = Some(Instant::now() + GRACE);
                }
            }
        };
        let stop = match (stop, asked) {
            // It only says that no new request was made.
            (Some(stop), Some(asked)) if stop.reason == StopReason::Interrupted => Some(asked),
            (stop, _) => stop,
        };
        for item in std::mem::take(&mut self.in_flight) {
            let failure = Failure::unanswered("no answer came before the job ended".to_owned());
            // A report that cannot be written has ended the job already.
            let _ = self.settle(item, Status::Unknown, Some(failure)).await;
        }
        Ok(stop)
    }

    async fn all(&mut self, plan: &Plan) -> Result<(), Stop> {
        let (mut asked, mut asked_bytes) = (Vec::new(), 0);
        let (mut group, mut group_bytes) = (Vec::new(), 0);
        let mut broken = None;
        let most = if self.job.overwrite_values { MAX_PUT_KEYS } else { CHECKED_KEYS };
        for found in plan.records(&self.job.files) {
            // A dry run waits for nothing; signals are seen all the same.
            consume_budget().await;
            if self.stopping.get() {
                return Err(ending());
            }
            let found = match found {
                Ok(found) => found,
                // What came before it is still written.
                Err(error) => {
                    broken = Some(Stop::new(StopReason::InputError, error.to_string()));
                    break;
                }
            };
            match found {
                Found::Settled => {
                    self.caller.totals.resumed += 1;
                    self.progress.borrow_mut().on(&Event::Resumed);
                }
                Found::Unsent(row) => self.hand_over(row).await?,
                Found::Item(item) if self.client.is_none() => self.settle(item, Status::Restorable, None).await?,
                Found::Item(item) => {
                    asked_bytes += item.json.len();
                    asked.push(item);
                }
            }
            if asked.len() >= MAX_GET_KEYS || asked_bytes >= ASKED_BYTES {
                asked_bytes = 0;
                let absent = self.absent(std::mem::take(&mut asked)).await?;
                group_bytes += absent.iter().map(|item| item.json.len()).sum::<usize>();
                group.extend(absent);
            }
            if group.len() + MAX_GET_KEYS > most || group_bytes >= PUT_BYTES {
                group_bytes = 0;
                self.put(std::mem::take(&mut group)).await?;
            }
        }
        group.extend(self.absent(asked).await?);
        self.put(group).await?;
        broken.map_or(Ok(()), Err)
    }

    /// One request, within budget, repeated where it is worth it.
    async fn call_with_retry<T, Fut>(&mut self, call: impl Fn() -> Fut) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<T, Reply>>,
    {
        if self.stopping.get() {
            return Err(CallError::Stop(ending()));
        }
        let progress = &self.progress;
        let waited = Cell::new(false);
        let tell = |waiting: RetryNotice<'_>| {
            waited.set(true);
            let cause =
                if waiting.failure.http_status == Some(429) { PauseCause::Throttled } else { PauseCause::Outage };
            let (error, time) = (&waiting.failure.detail.error, duration(waiting.wait));
            tracing::warn!("{}; trying again in {time}", Escaped(error));
            progress.borrow_mut().on(&Event::Paused { until: Instant::now() + waiting.wait, cause });
        };
        let result = self.caller.call_with_retry(tell, call).await;
        if waited.get() {
            self.progress.borrow_mut().on(&Event::Running);
        }
        result
    }

    fn count_attempts(&self, items: &mut [Item], before: u64) {
        let made = u32::try_from(self.caller.totals.requests - before).unwrap_or(u32::MAX);
        for item in items {
            item.attempts = item.attempts.saturating_add(made);
        }
    }

    async fn settle(&mut self, item: Item, status: Status, failure: Option<Failure>) -> Result<(), Stop> {
        let (http_status, detail) = failure.map_or((None, None), |failure| (failure.http_status, Some(failure.detail)));
        self.settle_with(item, status, http_status, detail).await
    }

    async fn settle_with(
        &mut self,
        item: Item,
        status: Status,
        http_status: Option<u16>,
        detail: Option<Detail>,
    ) -> Result<(), Stop> {
        let elapsed = if item.attempts > 0 { item.begun.elapsed() } else { Duration::ZERO };
        self.hand_over(Settled {
            number: item.number,
            key: item.key.into_boxed_str(),
            status,
            http_status,
            detail: detail.map(Box::new),
            attempts: item.attempts,
            elapsed,
            finished_at: wall_now(),
        })
        .await
    }

    async fn hand_over(&mut self, row: Settled) -> Result<(), Stop> {
        self.caller.totals.tally.add(row.status);
        self.progress.borrow_mut().on(&Event::Settled(row.status));
        let sent = self.rows.send(row).await;
        sent.map_err(|_| Stop::new(StopReason::IoError, "the report cannot be written"))
    }
}
