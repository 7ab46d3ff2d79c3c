//! The job itself, for real or as a rehearsal: look, ask, send, say what came of it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use indicatif::MultiProgress;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval};

use crate::api::{BulkEndpoint, Client, ClientOptions, Namespace};
use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::input::feed;
use crate::outcome::{Settled, StopReason};
use crate::pipeline::state::{State, Totals};
use crate::pipeline::{End, Options, Pages as _, Request, Response, RetryPolicy, Stop, run as run_pipeline};
use crate::plan::{Approved, Consent, Plan};
use crate::progress::{Progress, ProgressOptions, stderr_is_terminal};
use crate::quota::{Budget, least_time};
use crate::record::{Content, Record};
use crate::report::{self, Journal, ReportError, Writer, Written};
use crate::terminal::{Shown, counted, duration};

use super::asking::Calls;
use super::closing::Closing;
use super::confirm::{self, Confirmation, ToType};
use super::error::Error;
use super::expected;
use super::job::{Connection, Job, Keys, Mode, Question, Wanted};
use super::locate::{Missed, locate};
use super::outputs::{Opened, Ready};
use super::pages::{NamespacePages, next_page};
use super::preflight;
use super::reading::{BoxedRecords, Broken, Notes, Reading};
use super::rehearsal::Rehearsal;
use super::signals;
use super::telling::Teller;
use super::watch::Watch;

/// Records read ahead.
const AHEAD: usize = 1_024;

/// Rows on their way to the writer: at full speed as many as are settled while a disk takes half a second to be in step.
const ROWS: usize = 16_384;

/// How often the display is brought up to date while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// An earlier run's report that is older than this is warned about.
const OLD_JOURNAL: Duration = Duration::from_hours(24);

/// Above so many keys the count itself has to be typed.
const MUST_TYPE_COUNT: u64 = 10_000;

/// Looks at the input, asks, deletes, and says what came of it, to others too.
pub(super) fn run(job: &Job, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let mut watch = Watch::new(job)?;
    let ended = carry_out(job, screen, &mut watch);
    watch.end(&ended);
    ended
}

fn carry_out(job: &Job, screen: &MultiProgress, watch: &mut Watch) -> Result<ExitCode, Error> {
    let opened = Opened::new(job)?;
    watch.begin();
    if let Some((journal, report)) = &opened.journal {
        warn_of_age(journal, report);
    }
    let mut look = look(job, opened.journal.clone())?;
    if let Some(refused) = look.plan.as_ref().and_then(|plan| plan.check(job.guards).err()) {
        let stop = Stop::new(StopReason::MaxKeys, refused.to_string());
        return watch.close(before(job, look.plan.as_ref(), Totals::default(), &stop));
    }
    if let Some(plan) = &look.plan {
        watch.counted(plan.records);
    }

    let rehearsal = matches!(job.mode, Mode::Rehearsal).then(Rehearsal::start).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::system("start the runtime"))?;
    let mut sending = Sending {
        budget: Budget::new(&job.rates, Instant::now()),
        totals: Totals::default(),
        rng: StdRng::from_rng(&mut rand::rng()),
    };
    let met = if look.nothing_to_send {
        None
    } else {
        match runtime.block_on(sending.meet(job, rehearsal.as_ref())) {
            Ok(met) => Some(met),
            Err(Missed::Stop(stop)) => return watch.close(before(job, look.plan.as_ref(), sending.totals, &stop)),
            Err(Missed::Error(error)) => return Err(error),
        }
    };
    if let (Some(met), Question::Ask, Supply::Asked { pages, first }) = (&met, job.question, &mut look.supply) {
        match runtime.block_on(sending.page(job, &met.client, pages)) {
            Ok(records) => *first = records,
            Err(stop) => return watch.close(before(job, None, sending.totals, &stop)),
        }
        let is_key = |record: &Record| matches!(record.content, Content::Key(_));
        look.nothing_to_send = pages.request().is_none() && !first.iter().any(is_key);
    }
    let consent = match (&rehearsal, job.question, &met) {
        (Some(_), ..) => Consent::Rehearsal,
        (None, Question::Answered, _) | (None, Question::Ask, None) => Consent::Flag,
        (None, Question::Ask, Some(_)) if look.nothing_to_send => Consent::Flag,
        (None, Question::Ask, Some(met)) => ask(job, met, &look)?,
    };
    let approved = match &look.plan {
        Some(plan) => plan.approve(job.guards, consent).map_err(|refused| Error::Usage(refused.to_string()))?,
        None => Approved::streaming(job.guards, consent),
    };

    let Ready { outputs, report, failures } = opened.make(job)?;
    let (rows, writer) = report::start(outputs, ROWS)?;
    let supply = match (&rehearsal, look.supply) {
        (Some(rehearsal), Supply::Read(records)) => Supply::Read(rehearsal.fill(records)),
        (_, supply) => supply,
    };
    let which = met.as_ref().filter(|_| rehearsal.is_none()).map(Met::note);
    let parts = Parts { approved, client: met.map(|met| met.client), supply, rows, writer };
    let (end, written) = sending.run(job, look.plan.as_ref(), parts, &runtime, (screen, watch))?;
    let stop = match (written, end.stop) {
        (Err(error), _) => Some(Stop::new(StopReason::IoError, Error::from(error).story())),
        (Ok(_), stop) => stop,
    };
    let closing = Closing {
        job,
        totals: end.totals,
        records: look.plan.as_ref().map(|plan| plan.records),
        elapsed: end.elapsed,
        stop: stop.as_ref(),
        report: report.as_deref(),
        failures: failures.as_deref(),
        notes: which.into_iter().chain(rehearsal.iter().flat_map(Rehearsal::ending)).collect(),
    };
    watch.close(closing)
}

/// What the first look at the input showed.
struct Look {
    /// What the first pass found, where the input can be read twice.
    plan: Option<Plan<Broken>>,
    /// The records, for the job.
    supply: Supply,
    nothing_to_send: bool,
}

/// How the records of a job are had.
enum Supply {
    /// They are read.
    Read(BoxedRecords),
    /// They are listed.
    Asked {
        pages: Box<NamespacePages>,
        /// Those that were shown to the one who was asked.
        first: Vec<Record>,
    },
}

/// Counts and checks files; of a pipe it waits for the first record, so that a command that was wrong is told from an
/// input before anything is sent.
fn look(job: &Job, journal: Option<(Arc<Journal>, PathBuf)>) -> Result<Look, Error> {
    let reading = match &job.keys {
        Keys::Inputs(inputs) => Reading::new(inputs, journal),
        Keys::Namespace(wanted) => {
            let supply = Supply::Asked { pages: Box::new(NamespacePages::new(wanted)), first: Vec::new() };
            return Ok(Look { plan: None, supply, nothing_to_send: false });
        }
    };
    if let Some(prints) = reading.fingerprints()? {
        let plan = survey(&reading)?;
        let nothing_to_send = plan.keys == 0;
        return Ok(Look { plan: Some(plan), supply: Supply::Read(reading.records_unchanged(prints)), nothing_to_send });
    }
    if job.guards.expect.is_some() {
        return Err(Error::Usage("--expect needs inputs that can be counted first: files, not a pipe".to_owned()));
    }
    let mut records = reading.records(Notes::Given);
    let first = records.next().transpose()?;
    let nothing_to_send = first.is_none();
    let supply = Supply::Read(Box::new(first.into_iter().map(Ok).chain(records)));
    Ok(Look { plan: None, supply, nothing_to_send })
}

/// The parts of a job that are ready to run.
struct Parts {
    approved: Approved,
    /// None where nothing has to be sent.
    client: Option<Client>,
    supply: Supply,
    rows: mpsc::Sender<Settled>,
    writer: Writer,
}

/// What all requests of a job draw on, the first one included.
struct Sending {
    budget: Budget,
    totals: Totals,
    rng: StdRng,
}

/// The namespace, found and seen, and the way to it.
struct Met {
    connection: Connection,
    client: Client,
    namespace: Namespace,
}

impl Met {
    fn note(&self) -> String {
        format!("namespace: {} ({})", Shown(&self.namespace.title), self.connection.namespace)
    }
}

impl Sending {
    async fn meet(&mut self, job: &Job, rehearsal: Option<&Rehearsal>) -> Result<Met, Missed> {
        let mut calls = Calls {
            budget: &mut self.budget,
            totals: &mut self.totals,
            rng: &mut self.rng,
            retry: job.retry,
            max_pause: job.max_pause,
        };
        let connection = match (rehearsal, &job.mode) {
            (Some(rehearsal), _) => rehearsal.connection()?,
            (None, Mode::Real(connection)) => locate(connection, job.timeout, &mut calls).await?,
            (None, Mode::DryRun | Mode::Rehearsal) => {
                return Err(Error::Usage("a dry run has no connection".to_owned()).into());
            }
        };
        let client = client(job, &connection)?;
        let namespace = preflight::namespace(&mut calls, &client).await.map_err(Missed::Stop)?;
        Ok(Met { connection, client, namespace })
    }

    async fn page(&mut self, job: &Job, client: &Client, pages: &mut NamespacePages) -> Result<Vec<Record>, Stop> {
        next_page(job, client, pages, (&mut self.budget, &mut self.totals, &mut self.rng), |_| {}).await
    }

    fn run(
        self,
        job: &Job,
        plan: Option<&Plan<Broken>>,
        parts: Parts,
        runtime: &Runtime,
        (screen, watch): (&MultiProgress, &Watch),
    ) -> Result<(End<Broken>, Result<Written, ReportError>), Error> {
        let (rates, batching) = (job.rates.clone(), job.batching);
        let progress = ProgressOptions {
            mode: job.progress,
            stderr_is_terminal: stderr_is_terminal(),
            lines: job.lines,
            total: plan.map(|plan| plan.records),
            expected: Some(Box::new({
                let rates = rates.clone();
                move |keys| least_time(&rates, batching.requests(keys))
            })),
            in_bulk: Some(Box::new(move |keys| expected::in_bulk(&rates, batching, keys))),
        };
        let state = State::new(options(job, Instant::now()), &parts.approved, self.budget, self.rng);
        let (client, bulk_endpoint) = (parts.client, job.bulk_endpoint);
        watch.sent_before(&self.totals);
        let send = |request| {
            let client = client.clone();
            async move {
                let response = answer(client.as_ref(), bulk_endpoint, request).await;
                watch.answered(&response);
                response
            }
        };
        runtime.block_on(async {
            let signals = signals::listen().map_err(Error::system("listen to signals"))?;
            let (state, records) = match parts.supply {
                Supply::Read(records) => (state, feed(records, AHEAD)),
                Supply::Asked { pages, first } => (state.asking(pages, first, Instant::now()), mpsc::channel(1).1),
            };
            let progress = RefCell::new(Progress::new(progress, screen));
            let mut teller = Teller::default();
            let listener = |event| {
                teller.on(&event);
                watch.on(&event);
                progress.borrow_mut().on(&event);
            };
            let ticking = async {
                let mut ticks = interval(TICK);
                loop {
                    ticks.tick().await;
                    progress.borrow_mut().tick();
                }
            };
            let mut end = tokio::select! {
                end = run_pipeline(state, records, parts.rows, send, signals, listener) => end,
                never = ticking => match never {},
                never = watch.keep() => match never {},
            };
            progress.borrow_mut().finish();
            end.totals.requests += self.totals.requests;
            end.totals.retries += self.totals.retries;
            end.totals.throttled += self.totals.throttled;
            Ok((end, parts.writer.finish().await))
        })
    }
}

/// Sends one request of the pipeline.
async fn answer(client: Option<&Client>, bulk_endpoint: BulkEndpoint, request: Request) -> Response {
    let Some(client) = client else { return Response::Namespace(Ok(())) };
    match request {
        // The loop keeps and moves these futures; in boxes they are small. The usual one is the one that counts.
        Request::Delete(key) => Response::Delete(Box::pin(client.delete(&key)).await),
        Request::DeleteMany(keys) => Response::DeleteMany(Box::pin(client.delete_many(&keys, bulk_endpoint)).await),
        Request::Namespace => Response::Namespace(Box::pin(client.namespace()).await.map(drop)),
        Request::Page(request) => Response::Page(Box::pin(client.page(&request)).await),
    }
}

fn options(job: &Job, now: Instant) -> Options {
    Options {
        concurrency: job.concurrency,
        batching: job.batching,
        retry: RetryPolicy { longest_asked: job.max_pause, ..job.retry },
        max_pause: job.max_pause,
        max_outage: job.max_outage,
        max_failures: job.max_failures,
        canary: job.canary.unwrap_or(0),
        deadline: job.deadline.map(|deadline| now + deadline),
        grace: job.grace,
    }
}

pub(super) fn client(job: &Job, connection: &Connection) -> Result<Client, Error> {
    Ok(Client::new(ClientOptions {
        base_url: connection.base_url.clone(),
        credentials: connection.credentials.clone(),
        account: connection.account.clone(),
        namespace: connection.namespace.clone(),
        timeout: job.timeout,
        concurrency: job.concurrency,
        ca_file: connection.ca_file.clone(),
    })?)
}

/// The first pass. What is broken in the middle of an input is warned about, and what came before is still done; a
/// command that was wrong is not carried out at all.
fn survey(reading: &Reading) -> Result<Plan<Broken>, Error> {
    let mut plan = Plan::default();
    plan.survey(reading.records(Notes::Given), &AtomicBool::new(false), |_| true);
    if let Some(broken) = plan.broken.take_if(|broken| broken.is_usage() || plan.records == 0) {
        return Err(broken.into());
    }
    if let Some(broken) = &plan.broken {
        let records = counted(plan.records, "record");
        tracing::warn!("{}; only the {records} before it can be processed", Shown(&broken.to_string()));
    }
    Ok(plan)
}

fn ask(job: &Job, met: &Met, look: &Look) -> Result<Consent, Error> {
    let plan = look.plan.as_ref();
    let keys = plan.map(|plan| plan.keys);
    let first = plan.map(|plan| plan.first_keys.iter().map(|key| key.as_str().to_owned()).collect());
    let question = confirm::Question {
        keys,
        uncounted: "as many keys as stdin holds",
        prefixes: Vec::new(),
        title: Some(met.namespace.title.clone()),
        namespace: met.connection.namespace.clone(),
        account: met.connection.account.clone(),
        first_keys: first.unwrap_or_default(),
        note: keys.and_then(|keys| expected::bulk_note(job, keys)),
        to_type: if keys.is_some_and(|keys| keys > MUST_TYPE_COUNT) { ToType::Count } else { ToType::Yes },
    };
    let question = match (&job.keys, &look.supply) {
        (Keys::Namespace(wanted), Supply::Asked { pages, first }) => listed(question, wanted, first, pages),
        _ => question,
    };
    let part = job.shard().map(|shard| format!("these are the keys of shard {shard}; no others are deleted here"));
    let note = part.into_iter().chain(question.note).reduce(|part, note| format!("{part}; {note}"));
    let question = confirm::Question { note, ..question };
    let answer = confirm::ask(&question, stderr_is_terminal());
    match answer.map_err(Error::system("ask on the terminal"))? {
        Confirmation::Granted => Ok(Consent::Typed),
        Confirmation::Declined => Err(Error::Usage("not confirmed: nothing was deleted".to_owned())),
        Confirmation::NobodyToAsk => Err(Error::Usage(
            "nobody can be asked here, so nothing was deleted; look with --dry-run, then give --yes".to_owned(),
        )),
    }
}

/// The same question about keys that are listed, of which `first` are known.
fn listed(question: confirm::Question, wanted: &Wanted, first: &[Record], pages: &NamespacePages) -> confirm::Question {
    let known: Vec<&str> = first
        .iter()
        .filter_map(|record| match &record.content {
            Content::Key(key) => Some(key.as_str()),
            Content::Duplicate(_) | Content::Invalid(_) | Content::Settled => None,
        })
        .collect();
    let whole = pages.request().is_none();
    let everything = wanted.prefixes.cover_everything();
    confirm::Question {
        keys: whole.then_some(known.len() as u64),
        uncounted: if everything { "every key" } else { "every key that begins with a prefix below" },
        prefixes: wanted.prefixes.iter().filter(|_| !everything).map(str::to_owned).collect(),
        first_keys: known.into_iter().take(confirm::SHOWN_KEYS).map(str::to_owned).collect(),
        note: (!whole)
            .then(|| "how many they are is not known before all are listed: --dry-run counts them".to_owned()),
        to_type: match (everything, &question.title) {
            (false, _) => ToType::Yes,
            (true, Some(title)) if can_be_typed(title) => ToType::Name(title.clone()),
            (true, _) => ToType::Name(question.namespace.to_string()),
        },
        ..question
    }
}

fn can_be_typed(title: &str) -> bool {
    !title.is_empty() && title.trim() == title && Shown(title).to_string() == title
}

fn warn_of_age(journal: &Journal, report: &Path) {
    let age = journal.first_finished_at().and_then(|first| wall_now().duration_since(first).ok());
    if let Some(age) = age.filter(|age| *age > OLD_JOURNAL) {
        tracing::warn!(
            "{} was begun {} ago: keys that it says are deleted are not sent again, even if they were made again since",
            Shown(&report.to_string_lossy()),
            duration(age)
        );
    }
}

/// A job that ended before its first delete.
pub(super) fn stopped_before(
    job: &Job,
    plan: Option<&Plan<Broken>>,
    totals: Totals,
    stop: &Stop,
) -> Result<ExitCode, Error> {
    before(job, plan, totals, stop).say()
}

fn before<'a>(job: &'a Job, plan: Option<&Plan<Broken>>, totals: Totals, stop: &'a Stop) -> Closing<'a> {
    Closing {
        job,
        totals,
        records: plan.map(|plan| plan.records),
        elapsed: Duration::ZERO,
        stop: Some(stop),
        report: None,
        failures: None,
        notes: Vec::new(),
    }
}
