//! One process: from its first request to its end, or to the moment when it is killed.

use std::cell::RefCell;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::time::Duration;

use kvsweep::internals::{
    ApiCaller, CallError, End, Event, FailureLimit, Options, Record, Request, Response, RetryPolicy, Settled, State,
    run_pipeline,
};
use kvsweep::{Signal, Stop, StopReason};
use rand::rngs::StdRng;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::faults::Faults;
use crate::log::Log;
use crate::network::send;
use crate::pages::Book;
use crate::server::Shared;
use crate::world::World;

/// No run may take longer: it hangs.
const HANGS_AFTER: Duration = Duration::from_hours(48);

/// What one process did.
pub(crate) struct Ran {
    pub(crate) began: Instant,
    pub(crate) over: Instant,
    /// When signals came, and how many requests had been sent before.
    pub(crate) signals: Vec<(Instant, usize)>,
    /// How many requests were sent before the first key.
    pub(crate) preflight: usize,
    /// When and why the job began to end early.
    pub(crate) drains: Vec<(Instant, StopReason)>,
    /// The moment that was set as the deadline.
    pub(crate) deadline: Option<Instant>,
    /// None where it was killed.
    pub(crate) end: Option<End<String>>,
    /// Rows that the report's writer had taken.
    pub(crate) rows: Vec<Settled>,
    pub(crate) log: Log,
}

fn policy(world: &World) -> RetryPolicy {
    RetryPolicy { retries: world.retries, ..RetryPolicy::default() }
}

fn options(world: &World, faults: &Faults, deadline: Option<Instant>, deleted_before: bool) -> Options {
    Options {
        concurrency: world.concurrency,
        batching: world.batching(),
        action: world.action,
        retry: policy(world),
        max_wait: faults.max_wait,
        max_keys: faults.max_keys,
        max_failures: faults.max_failures.and_then(NonZeroU64::new).map(FailureLimit::Count),
        canary: faults.canary,
        deadline,
        grace: faults.grace,
        most_rows: world.room.rows,
        most_waiting: world.room.waiting,
        deleted_before: u64::from(deleted_before),
    }
}

/// What the outside of a process sees of it while it runs.
#[derive(Default)]
struct Seen {
    rows: Vec<Settled>,
    signals: Vec<(Instant, usize)>,
    preflight: Option<usize>,
    drains: Vec<(Instant, StopReason)>,
    over: Option<Instant>,
}

/// What a process has to do with.
struct Process<'a> {
    world: &'a World,
    faults: &'a Faults,
    server: Shared,
    seen: RefCell<Seen>,
    deadline: Option<Instant>,
    deleted_before: bool,
}

/// Runs `records`; `deleted_before` says whether an earlier process has deleted any.
pub(crate) async fn process(
    world: &World,
    faults: &Faults,
    server: &Shared,
    (records, deleted_before): (Vec<Record>, bool),
    rng: StdRng,
) -> Ran {
    let began = Instant::now();
    server.borrow_mut().begin(faults.clone(), began);
    let deadline = faults.deadline.map(|deadline| began + deadline);
    let (server, seen) = (Rc::clone(server), RefCell::default());
    let process = Process { world, faults, server, seen, deadline, deleted_before };
    let killed = async {
        match faults.crash {
            Some(after) => sleep_until(began + after).await,
            None => std::future::pending().await,
        }
    };
    let job = async {
        tokio::select! {
            biased;
            () = killed => None,
            end = process.run(records, rng, began) => Some(end),
        }
    };
    let end = timeout(HANGS_AFTER, Box::pin(job)).await.expect("a run ends");
    let Process { server, seen, .. } = process;
    let log = server.borrow_mut().end();
    let Seen { rows, signals, preflight, drains, over } = seen.into_inner();
    let preflight = preflight.unwrap_or(log.sent.len());
    let over = over.unwrap_or_else(Instant::now);
    Ran { began, over, signals, preflight, drains, deadline, end, rows, log }
}

impl Process<'_> {
    /// As the command does it: the namespace is asked for, then the input is worked through.
    async fn run(&self, records: Vec<Record>, rng: StdRng, began: Instant) -> End<String> {
        let (signal_sender, mut signals) = mpsc::channel(4);
        let signaller = async {
            for at in &self.faults.signals {
                sleep_until(began + *at).await;
                self.signal(&signal_sender).await;
            }
            // The process listens as long as it lives.
            std::future::pending::<()>().await;
        };
        let job = async {
            // Fewer retries than open the circuit breaker end a preflight before --max-wait does.
            let patient = RetryPolicy { retries: 8, ..policy(self.world) };
            let mut calls = ApiCaller::new(&self.world.rates, patient, self.faults.max_wait, rng);
            let found = self.preflight(&mut calls, &mut signals).await;
            let totals = calls.totals;
            if let Err(stop) = found {
                return End { totals, stop: Some(stop), broken: None, elapsed: began.elapsed() };
            }
            self.seen.borrow_mut().preflight = Some(self.server.borrow().log.sent.len());
            if self.faults.signal_between {
                self.signal(&signal_sender).await;
            }
            Box::pin(self.stream(records, calls, signals)).await
        };
        tokio::select! {
            biased;
            end = job => end,
            () = signaller => unreachable!("it never ends"),
        }
    }

    async fn signal(&self, signals: &mpsc::Sender<Signal>) {
        let sent = self.server.borrow().log.sent.len();
        self.seen.borrow_mut().signals.push((Instant::now(), sent));
        let _ = signals.send(Signal::Terminate).await;
    }

    async fn preflight(&self, calls: &mut ApiCaller, signals: &mut mpsc::Receiver<Signal>) -> Result<(), Stop> {
        let call = || async {
            match send(Rc::clone(&self.server), Request::Namespace).await {
                Response::Namespace(answer) => answer,
                other => unreachable!("{other:?} when the namespace was asked for"),
            }
        };
        let deadline = self.deadline.unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            Some(signal) = signals.recv() => Err(Stop::signalled(signal)),
            () = sleep_until(deadline), if self.deadline.is_some() => {
                Err(Stop::new(StopReason::Deadline, "the deadline came"))
            }
            found = calls.find_namespace(|_| {}, call) => found.map_err(|failed| match failed {
                CallError::Stop(stop) => stop,
                CallError::Refused(_) => Stop::new(StopReason::Unauthorized, "the namespace cannot be read"),
            }),
        }
    }

    async fn stream(&self, input: Vec<Record>, calls: ApiCaller, signals: mpsc::Receiver<Signal>) -> End<String> {
        let Self { world, faults, server, seen, .. } = self;
        let (record_sender, records) = mpsc::channel(world.room.record_channel);
        let (row_sender, mut rows) = mpsc::channel(world.room.row_channel);
        let options = options(world, faults, self.deadline, self.deleted_before);
        let mut state = State::after(calls, options);
        let mut read = Vec::new();
        match world.page {
            Some(size) => {
                let book = Book::new(&input, size, faults.breaks);
                state = state.with_pages(Box::new(book), Vec::new(), Instant::now());
            }
            None => read = input,
        }
        let listener = |event| {
            if let Event::Draining { reason, .. } = event {
                seen.borrow_mut().drains.push((Instant::now(), reason));
            }
        };
        let (acknowledge, written) = watch::channel(0);
        let send = |request| send(Rc::clone(server), request);
        let job = run_pipeline(state, records, row_sender, written, send, signals, listener);
        let job = async {
            let end = job.await;
            seen.borrow_mut().over = Some(Instant::now());
            end
        };
        let reader = async {
            let breaks = faults.breaks.filter(|after| *after < read.len());
            for batch in read[..breaks.unwrap_or(read.len())].chunks(world.room.records) {
                pass(faults.input * u32::try_from(batch.len()).expect("a few")).await;
                if record_sender.send(Ok(batch.to_vec())).await.is_err() {
                    return;
                }
            }
            if breaks.is_some() {
                let _ = record_sender.send(Err("the input breaks".to_owned())).await;
            }
            drop(record_sender);
        };
        let writer = async {
            while let Some(batch) = rows.recv().await {
                for row in batch {
                    pass(faults.disk).await;
                    seen.borrow_mut().rows.push(row);
                    acknowledge.send_modify(|rows| *rows += 1);
                }
            }
        };
        tokio::join!(job, reader, writer).0
    }
}

async fn pass(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
