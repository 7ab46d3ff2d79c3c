//! The job itself, for real or as a rehearsal: look, ask, send, say what came of it.

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
use crate::outcome::{Settled, StopReason, Tally};
use crate::pipeline::call::Calls;
use crate::pipeline::state::State;
use crate::pipeline::{Course, End, Options, Pages as _, Stop, run as run_pipeline};
use crate::plan::outline::Outline;
use crate::plan::{Approved, Consent, Plan};
use crate::progress::{Progress, ProgressOptions, stderr_is_terminal};
use crate::quota::least_time;
use crate::record::{Content, Record};
use crate::report::{self, ReportError, Writer, Written};

use super::answering::{Answering, Keeping};
use super::closing::Closing;
use super::dry_run::{discard, notes as dry_run_notes, refusal};
use super::earlier;
use super::error::Error;
use super::expected;
use super::job::{Job, Mode, Question};
use super::limits::Limits;
use super::locate::Missed;
use super::or_panicked;
use super::outputs::{Opened, Ready};
use super::overview::Overview;
use super::pages::{NamespacePages, next_page};
use super::preview::Preview;
use super::reading::Broken;
use super::rehearsal::Rehearsal;
use super::runtime::runtime;
use super::signals;
use super::so_far::SoFar;
use super::telling::Teller;
use super::ticking::ticking;
use super::watch::Watch;

mod look;
mod meet;
mod outlining;
mod question;

use look::{Look, Supply, broken_off, open_and_look};
use meet::Met;
use outlining::{Flawed, outlined};
use question::ask;

/// Batches of records that are read ahead of files.
const FILES_AHEAD: usize = 2;

/// The same of a pipe, where each is one record.
const PIPE_AHEAD: usize = 1_024;

/// Rows on their way to the writer.
const ROWS: usize = 1_024;

/// Looks at the input, asks, deletes, and says what came of it, to others too.
pub(super) fn run(job: &Arc<Job>, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let mut watch = Watch::new(job);
    let ended = or_panicked(|| {
        let mut so_far = SoFar::of(job);
        let ended = carry_out(job, screen, &mut watch, &mut so_far);
        so_far.end(job, ended, Some(&mut watch))
    });
    watch.end(&ended);
    ended
}

fn carry_out(
    job: &Arc<Job>,
    screen: &MultiProgress,
    watch: &mut Watch,
    so_far: &mut SoFar,
) -> Result<ExitCode, Missed> {
    let (mut opened, mut look) = open_and_look(job, watch, so_far)?;
    watch.continues(so_far.earlier);
    if let Some(plan) = &look.plan {
        so_far.records = Some(plan.records);
        if let Some(stop) = broken_off(job, plan).or_else(|| refusal(job, plan)) {
            return Err(Missed::Stop(stop));
        }
        watch.counted(plan.records);
    }

    let rehearsal = matches!(job.mode, Mode::Rehearsal).then(Rehearsal::start).transpose()?;
    let runtime = runtime()?;
    let mut sending = Sending { calls: Calls::start(&job.rates, job.retry, job.max_wait), began: None };
    if let Some((journal, _)) = opened.journal.as_ref().filter(|_| rehearsal.is_none()) {
        let runs = opened.record.earlier_runs();
        earlier::count(&mut sending.calls.budget, journal, runs, job.concurrency, job.timeout);
    }
    let met = if look.nothing_to_send {
        None
    } else {
        let meeting = sending.meet_in_time(job, rehearsal.as_ref(), &mut opened.record, &mut look);
        let met = runtime.block_on(signals::unless_signalled(meeting)).map_err(Missed::Stop).flatten();
        (so_far.totals, so_far.facts) = (sending.calls.totals, opened.record.facts());
        Some(met?)
    };
    if let (Some(met), Question::Ask, Supply::Asked { pages, first }) = (&met, job.question, &mut look.supply) {
        let page = runtime.block_on(signals::unless_signalled(sending.page(&met.client, pages))).flatten();
        so_far.totals = sending.calls.totals;
        *first = page.map_err(Missed::Stop)?;
        let is_key = |record: &Record| matches!(record.content, Content::Key(_));
        look.nothing_to_send = pages.request().is_none() && !first.iter().any(is_key);
    }
    let limits = met.as_ref().map_or_else(|| Limits::new(&job.rates), |met| met.limits.clone());
    let consent = consent(job, rehearsal.is_some(), met.as_ref(), &look)?;
    let approved = match &look.plan {
        Some(plan) => plan.approve(job.guards, consent).map_err(|refused| Error::Usage(refused.to_string()))?,
        None => Approved::streaming(job.guards, consent),
    };
    // One that came since the last wait.
    if let Some(signal) = signals::received() {
        return Err(Missed::Stop(Stop::signalled(signal)));
    }
    Ok(send(job, Agreed { opened, look, rehearsal, met, limits, approved, sending, runtime }, screen, watch)?)
}

/// A job that may begin.
struct Agreed {
    opened: Opened,
    look: Look,
    rehearsal: Option<Rehearsal>,
    met: Option<Met>,
    limits: Limits,
    approved: Approved,
    sending: Sending,
    runtime: &'static Runtime,
}

/// Begins the report, sends, and says what came of it.
fn send(job: &Job, agreed: Agreed, screen: &MultiProgress, watch: &mut Watch) -> Result<ExitCode, Error> {
    let Agreed { opened, look, rehearsal, met, limits, approved, sending, runtime } = agreed;
    let earlier = opened.earlier();
    let deleted_before = opened.journal.as_ref().map_or(0, |(journal, _)| journal.deleted());
    let Ready { outputs, report, failures, backup, record } = opened.make(job)?;
    let (keeping, backup) = match backup.map(backup::start).transpose()? {
        Some((backup, writer)) => (Some(Keeping::new(backup)), Some(writer)),
        None => (None, None),
    };
    let (rows, writer) = report::start(outputs, ROWS)?;
    let supply = match (&rehearsal, look.supply) {
        (Some(rehearsal), Supply::Read(records)) => Supply::Read(rehearsal.fill(records)),
        (_, supply) => supply,
    };
    let overview = Overview::of(job, met.as_ref().map(|met| (&met.connection, &met.namespace)));
    let mut notes: Vec<_> = met.as_ref().filter(|_| rehearsal.is_none()).map(Met::note).into_iter().collect();
    let answering = Answering { client: met.map(|met| met.client), keeping };
    let parts = Parts { approved, answering, supply, rows, writer, backup, deleted_before };
    let Ended { end, written, kept, outline } =
        sending.run(job, &limits, look.plan.as_ref(), parts, runtime, (screen, watch))?;
    let (replaced, causes) = match &written {
        Some(Ok(written)) => (written.replaced, written.causes.clone()),
        Some(Err(_)) | None => (Tally::default(), Vec::new()),
    };
    let stop = stop_of(written, end.stop);
    let (kept, stop) = match kept {
        Some(Err(error)) => (None, Some(Stop::new(StopReason::IoError, Error::from(error).story()))),
        kept => (kept.and_then(Result::ok), stop),
    };
    notes.extend(rehearsal.iter().flat_map(Rehearsal::ending));
    let mut report = report.as_deref();
    if outline.is_some() {
        notes.extend(stop.as_ref().and_then(|stop| discard(job, stop, &mut report)));
        notes.extend(dry_run_notes(job));
    }
    let is_kept = report.is_some();
    let mut closing = Closing {
        job,
        totals: end.totals,
        earlier: earlier.without(&replaced),
        facts: record.facts(),
        causes,
        records: look.plan.as_ref().map(|plan| plan.records),
        elapsed: end.elapsed,
        stop: stop.as_ref(),
        report,
        failures: failures.as_deref(),
        backup: job.backup.as_deref().zip(kept),
        notes,
    };
    let unrecorded = if is_kept { record.end(closing.run_end()).err() } else { None };
    closing.stop = closing.stop.or(unrecorded.as_ref());
    match outline {
        Some(outline) => {
            watch.close_planned(closing, &Preview { job, limits: &limits, overview, outline, now: wall_now() })
        }
        None => watch.close(closing),
    }
}

/// Why the job ended early, if it did: a report that cannot be written outweighs everything else.
fn stop_of(written: Option<Result<Written, ReportError>>, stop: Option<Stop>) -> Option<Stop> {
    match written {
        Some(Err(error)) => Some(Stop::new(StopReason::IoError, Error::from(error).story())),
        Some(Ok(_)) => stop,
        None => {
            tracing::warn!("the last rows of the report were not written: its disk or its reader does not take them");
            stop.or_else(|| signals::received().map(Stop::signalled))
        }
    }
}

/// Who agreed to the job, and how.
fn consent(job: &Job, rehearses: bool, met: Option<&Met>, look: &Look) -> Result<Consent, Missed> {
    Ok(match (job.question, met) {
        _ if rehearses => Consent::Rehearsal,
        _ if matches!(job.mode, Mode::Check(_)) => Consent::DryRun,
        (Question::Answered, _) | (Question::Ask, None) => Consent::Flag,
        (Question::Ask, Some(_)) if look.nothing_to_send => Consent::Flag,
        (Question::Ask, Some(met)) => ask(job, met, look)?,
    })
}

/// The parts of a job that are ready to run.
struct Parts {
    approved: Approved,
    answering: Answering,
    supply: Supply,
    rows: mpsc::Sender<Settled>,
    writer: Writer,
    backup: Option<backup::Writer>,
    /// How many keys earlier runs of this job deleted or found absent.
    deleted_before: u64,
}

/// How it ended.
struct Ended {
    end: End<Box<Broken>>,
    /// What came of the report; `None` if it was still stuck after the second signal.
    written: Option<Result<Written, ReportError>>,
    /// How many records the backup got, if it still has them.
    kept: Option<Result<u64, BackupError>>,
    /// What is planned, where keys were only looked for.
    outline: Option<Outline>,
}

/// What all requests of a job draw on, the first one included.
struct Sending {
    calls: Calls,
    /// When the first request was made.
    began: Option<Instant>,
}

impl Sending {
    async fn page(&mut self, client: &Client, pages: &mut NamespacePages) -> Result<Vec<Record>, Stop> {
        next_page(client, pages, &mut self.calls, |_| {}).await
    }

    fn run(
        self,
        job: &Job,
        limits: &Limits,
        plan: Option<&Plan<Box<Broken>>>,
        parts: Parts,
        runtime: &Runtime,
        (screen, watch): (&MultiProgress, &Watch),
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
                let (rates, course) = (rates.clone(), job.course());
                let deletes = move |keys| if course == Course::Check { 0 } else { batching.requests(keys) };
                move |keys| least_time(&rates, expected::reads(course, keys) + deletes(keys))
            })),
            in_bulk: matches!(job.course(), Course::Delete | Course::CheckAndDelete)
                .then_some(Box::new(move |keys| expected::in_bulk(&rates, batching, keys))),
        };
        let Calls { budget, rng, max_wait, totals, .. } = self.calls;
        let options = options(job, self.began.unwrap_or_else(Instant::now), parts.deleted_before);
        let state = State::new(options, &parts.approved, budget, rng).after_preflight(max_wait);
        let answering = parts.answering;
        watch.sent_before(&totals);
        // It owns what keeps the backup open, so that the pipeline's end closes it.
        let send = move |request| {
            let answer = answering.clone().answer(request);
            async move {
                let response = answer.await;
                watch.answered(&response);
                response
            }
        };
        runtime.block_on(async {
            let flawed = (job.course() == Course::Check).then(Flawed::default);
            let (state, records) = match parts.supply {
                Supply::Read(records) => {
                    let records = match &flawed {
                        Some(flawed) => flawed.among(records),
                        None => records,
                    };
                    // What was looked at as a whole is files.
                    (state, spawn_reader(records, if plan.is_some() { FILES_AHEAD } else { PIPE_AHEAD }))
                }
                Supply::Asked { pages, first } => (state.asking(pages, first, Instant::now()), mpsc::channel(1).1),
            };
            let progress = RefCell::new(Progress::new(progress, screen));
            let mut teller = Teller::default();
            let listener = |event| {
                teller.on(&event);
                watch.on(&event);
                progress.borrow_mut().on(&event);
            };
            let (rows, outlining) = match flawed {
                Some(flawed) => {
                    let (rows, settled) = mpsc::channel(super::dry_run::ROWS);
                    (rows, Some(outlined(flawed, settled, parts.rows)))
                }
                None => (parts.rows, None),
            };
            let written = parts.writer.written();
            let job = run_pipeline(state, records, rows, written, send, signals::listen(), listener);
            let both = Box::pin(async { tokio::join!(job, OptionFuture::from(outlining)) });
            let (mut end, outline) = tokio::select! {
                both = ticking(&progress, both) => both,
                never = watch.keep() => match never {},
            };
            progress.borrow_mut().finish();
            end.totals.requests += totals.requests;
            end.totals.retries += totals.retries;
            end.totals.throttled += totals.throttled;
            let kept = match parts.backup {
                Some(writer) => signals::in_time(writer.finish()).await,
                None => None,
            };
            Ok(Ended { end, written: signals::in_time(parts.writer.finish()).await, kept, outline })
        })
    }
}

fn options(job: &Job, began: Instant, deleted_before: u64) -> Options {
    Options {
        concurrency: job.concurrency,
        batching: job.batching,
        course: job.course(),
        retry: job.retry,
        max_wait: job.max_wait,
        max_failures: job.max_failures,
        // Nothing is tried out where nothing is deleted.
        canary: job.canary.filter(|_| job.course() != Course::Check).unwrap_or(0),
        deadline: job.deadline.map(|deadline| began + deadline),
        grace: job.grace,
        deleted_before,
        ..Options::default()
    }
}
