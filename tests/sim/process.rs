//! One process: from its first request to its end, or to the moment when it is killed.

use std::cell::RefCell;
use std::convert::Infallible;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::time::Duration;

use kvsweep::outcome::{Settled, StopReason};
use kvsweep::pipeline::call::{Calls, Failed};
use kvsweep::pipeline::state::State;
use kvsweep::pipeline::{End, FailureLimit, Options, Request, Response, RetryPolicy, Signal, Stop, run};
use kvsweep::plan::{Approved, Consent, Guards};
use kvsweep::record::Record;
use rand::rngs::StdRng;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::server::{Log, Shared, send};
use crate::world::{Weather, World};

pub(crate) const MAX_WAIT: Duration = Duration::from_mins(15);
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// No run may take longer: it hangs.
const HANGS_AFTER: Duration = Duration::from_hours(48);

/// What one process did.
pub(crate) struct Ran {
    pub(crate) began: Instant,
    pub(crate) over: Instant,
    /// When signals came.
    pub(crate) signals: Vec<Instant>,
    /// The moment that was set as the deadline, once the input was worked through.
    pub(crate) deadline: Option<Instant>,
    /// None where it was killed.
    pub(crate) end: Option<End<Infallible>>,
    /// Rows that the report's writer had taken.
    pub(crate) rows: Vec<Settled>,
    pub(crate) log: Log,
}

pub(crate) fn policy(world: &World) -> RetryPolicy {
    RetryPolicy { retries: world.retries, ..RetryPolicy::default() }
}

fn options(world: &World, weather: &Weather, now: Instant) -> Options {
    Options {
        concurrency: world.concurrency,
        batching: world.batching(),
        course: world.course,
        retry: policy(world),
        max_wait: MAX_WAIT,
        max_failures: weather.max_failures.and_then(NonZeroU64::new).map(FailureLimit::Count),
        deadline: weather.deadline.map(|deadline| now + deadline),
        grace: GRACE,
        ..Options::default()
    }
}

/// What the outside of a process sees of it while it runs.
#[derive(Default)]
struct Seen {
    rows: Vec<Settled>,
    signals: Vec<Instant>,
    deadline: Option<Instant>,
    over: Option<Instant>,
}

/// As the command does it: the namespace is asked for, then the input is worked through.
pub(crate) async fn process(
    world: &World,
    weather: &Weather,
    server: &Shared,
    records: Vec<Record>,
    rng: StdRng,
) -> Ran {
    let began = Instant::now();
    server.borrow_mut().begin(weather.clone(), began);
    let seen = Rc::new(RefCell::new(Seen::default()));
    let job = async {
        let call = || async {
            match send(Rc::clone(server), Request::Namespace).await {
                Response::Namespace(answer) => answer,
                other => unreachable!("{other:?} when the namespace was asked for"),
            }
        };
        let mut calls = Calls::new(&world.rates, policy(world), MAX_WAIT, rng);
        let found = calls.find_namespace(|_| {}, call).await;
        let stop = match found {
            Ok(()) => None,
            Err(Failed::Stop(stop)) => Some(stop),
            Err(Failed::Refused(_)) => Some(Stop::new(StopReason::Unauthorized, "the namespace cannot be read")),
        };
        let totals = calls.totals;
        if stop.is_some() {
            return End { totals, stop, broken: None, elapsed: began.elapsed() };
        }
        let job = stream(world, weather, server, records, calls, Rc::clone(&seen));
        let mut end = Box::pin(job).await;
        end.totals.requests += totals.requests;
        end.totals.retries += totals.retries;
        end.totals.throttled += totals.throttled;
        end
    };
    let killed = async {
        match weather.crash {
            Some(after) => sleep_until(began + after).await,
            None => std::future::pending().await,
        }
    };
    let job = async {
        tokio::select! {
            biased;
            () = killed => None,
            end = job => Some(end),
        }
    };
    let end = timeout(HANGS_AFTER, Box::pin(job)).await.expect("a run ends");
    let log = server.borrow_mut().end();
    let Seen { rows, signals, deadline, over } = std::mem::take(&mut *seen.borrow_mut());
    Ran { began, over: over.unwrap_or_else(Instant::now), signals, deadline, end, rows, log }
}

async fn stream(
    world: &World,
    weather: &Weather,
    server: &Shared,
    input: Vec<Record>,
    calls: Calls,
    seen: Rc<RefCell<Seen>>,
) -> End<Infallible> {
    let began = Instant::now();
    let (record_sender, records) = mpsc::channel(16);
    let (row_sender, mut rows) = mpsc::channel(16);
    let (signal_sender, signals) = mpsc::channel(4);
    let approved = Approved::streaming(Guards::default(), Consent::Rehearsal);
    let options = options(world, weather, began);
    seen.borrow_mut().deadline = options.deadline;
    let Calls { budget, max_wait, rng, .. } = calls;
    let state = State::new(options, &approved, budget, rng).after_preflight(max_wait);
    let job = run(state, records, row_sender, |request| send(Rc::clone(server), request), signals, |_| {});
    let job = async {
        let end = job.await;
        seen.borrow_mut().over = Some(Instant::now());
        end
    };
    let reader = async {
        for record in input {
            pass(weather.input).await;
            if record_sender.send(Ok(vec![record])).await.is_err() {
                break;
            }
        }
        drop(record_sender);
    };
    let writer = async {
        while let Some(row) = rows.recv().await {
            pass(weather.disk).await;
            seen.borrow_mut().rows.push(row);
        }
    };
    let signaller = async {
        for at in &weather.signals {
            sleep_until(began + *at).await;
            seen.borrow_mut().signals.push(Instant::now());
            let _ = signal_sender.send(Signal::Terminate).await;
        }
        // The process listens as long as it lives.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        biased;
        (end, (), ()) = async { tokio::join!(job, reader, writer) } => end,
        () = signaller => unreachable!("it never ends"),
    }
}

async fn pass(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}
