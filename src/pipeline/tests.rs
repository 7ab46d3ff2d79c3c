//! The pipeline over a simulated server under tokio's paused clock: no socket, no real second.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::call::ApiCaller;
use super::max_wait::MaxWait;
use super::state::State;
use super::*;
use crate::api::answer::{Answer, Fatal, Refusal, Reply, TransientError};
use crate::api::{Accounting, BulkReply};
use crate::key::KeyName;
use crate::outcome::{Settled, Signal, Status, Stop, StopReason};
use crate::quota::Budget;
use crate::record::{Content, Invalid, Record, RecordNumber};

mod access;
mod accounting;
mod attempts;
mod backup;
mod bulk;
mod call;
mod check;
mod circuit_breaker;
mod ends;
mod exploration;
mod max_wait;
mod pages;
mod speculative_retry;

const SECOND: Duration = Duration::from_secs(1);
const LATENCY: Duration = Duration::from_millis(50);

/// What the server remembers of the requests that reached it.
#[derive(Default)]
struct Seen {
    requests: RefCell<Vec<(Instant, String)>>,
    in_flight: Cell<usize>,
    most_in_flight: Cell<usize>,
}

impl Seen {
    fn count(&self, key: &str) -> usize {
        self.requests.borrow().iter().filter(|(_, name)| name == key).count()
    }

    fn between(&self, from: Instant, to: Instant) -> usize {
        self.requests.borrow().iter().filter(|(at, _)| (from..to).contains(at)).count()
    }
}

struct Lab {
    options: Options,
    max_keys: Option<u64>,
    budget: Budget,
    keys: usize,
    /// Rows that the report takes before its reader goes away.
    rows_until_closed: usize,
    signals: Vec<(Duration, Signal)>,
    /// What was waited for before the first key.
    before: Option<MaxWait>,
}

struct Outcome {
    end: End<Infallible>,
    rows: Vec<Settled>,
    events: Vec<Event>,
    seen: Rc<Seen>,
    start: Instant,
}

impl Outcome {
    fn status(&self) -> HashMap<u64, Status> {
        let states: HashMap<_, _> = self.rows.iter().map(|row| (row.number.get(), row.status)).collect();
        assert_eq!(states.len(), self.rows.len(), "a record has two rows");
        assert_eq!(self.rows.len() as u64, self.end.totals.tally.total());
        states
    }

    fn count(&self, status: Status) -> usize {
        self.status().values().filter(|state| **state == status).count()
    }

    fn stopped(&self) -> Option<StopReason> {
        self.end.stop.as_ref().map(|stop| stop.reason)
    }
}

fn options() -> Options {
    Options { concurrency: 8, ..Options::default() }
}

fn lab(keys: usize) -> Lab {
    let budget = Budget::new(&[], Instant::now());
    Lab {
        options: options(),
        max_keys: None,
        budget,
        keys,
        rows_until_closed: usize::MAX,
        signals: Vec::new(),
        before: None,
    }
}

fn number(index: usize) -> RecordNumber {
    RecordNumber::new(index as u64 + 1).unwrap()
}

fn keys(count: usize) -> impl Iterator<Item = Record> {
    (0..count).map(|index| Record {
        number: number(index),
        content: Content::Key(KeyName::new(format!("key-{index}")).unwrap()),
    })
}

fn refusal(status: u16) -> Refusal {
    Refusal { http_status: Some(status), code: None, message: format!("answer {status}") }
}

fn passing(status: u16) -> Answer {
    Answer::Transient(TransientError::Refused(refusal(status)))
}

fn closed() -> Answer {
    Answer::ConnectionClosed { text: "closed".into(), unprocessed: false }
}

fn lost() -> Answer {
    Answer::Transient(TransientError::no_answer("connection reset"))
}

/// What the server does with the `nth` attempt (from 1) of a key.
type Script = dyn Fn(&str, usize) -> (Duration, Answer);

impl Lab {
    async fn run(self, script: impl Fn(&str, usize) -> (Duration, Answer) + 'static) -> Outcome {
        let records = keys(self.keys).collect();
        self.run_records(records, Rc::new(script)).await
    }

    async fn run_records(self, input: Vec<Record>, script: Rc<Script>) -> Outcome {
        let start = Instant::now();
        let seen = Rc::new(Seen::default());
        let (record_sender, records) = mpsc::channel(16);
        let (row_sender, mut row_receiver) = mpsc::channel(16);
        let (signal_sender, signals) = mpsc::channel(4);
        let mut events = Vec::new();
        let send = |request: Request| {
            let (seen, script) = (Rc::clone(&seen), Rc::clone(&script));
            let key = match request {
                Request::Delete(key) => key,
                Request::Namespace => KeyName::new("the namespace").unwrap(),
                request => unreachable!("{request:?} in a job of keys that are read, without bulk and backup"),
            };
            async move {
                let nth = seen.count(key.as_str()) + 1;
                seen.requests.borrow_mut().push((Instant::now(), key.as_str().to_owned()));
                seen.in_flight.set(seen.in_flight.get() + 1);
                seen.most_in_flight.set(seen.most_in_flight.get().max(seen.in_flight.get()));
                let (latency, answer) = script(key.as_str(), nth);
                sleep(latency).await;
                seen.in_flight.set(seen.in_flight.get() - 1);
                let is_up = matches!(answer, Answer::Success);
                let reply = Reply { answer, http_status: Some(200), rate_limits: Vec::new() };
                match key.as_str() {
                    "the namespace" if is_up => Response::Namespace(Ok(())),
                    "the namespace" => Response::Namespace(Err(reply)),
                    _ => Response::Delete(reply),
                }
            }
        };
        let before = self.before.unwrap_or_else(|| MaxWait::new(self.options.max_wait));
        let (policy, max_wait, rng) = (self.options.retry, self.options.max_wait, StdRng::seed_from_u64(11));
        let caller = ApiCaller::with_budget(self.budget, policy, max_wait, rng);
        let options = Options { max_keys: self.max_keys, ..self.options };
        let state = State::after(ApiCaller { max_wait: before, ..caller }, options);
        let (acknowledge, written) = watch::channel(0);
        let job = run(state, records, row_sender, written, send, signals, |event| events.push(event));
        let reader = async {
            for record in input {
                if record_sender.send(Ok(vec![record])).await.is_err() {
                    break;
                }
            }
            drop(record_sender);
        };
        let writer = async {
            let mut rows = Vec::new();
            while rows.len() < self.rows_until_closed {
                match row_receiver.recv().await {
                    Some(batch) => rows.extend(batch),
                    None => break,
                }
                acknowledge.send_replace(rows.len() as u64);
            }
            drop((row_receiver, acknowledge));
            rows
        };
        let signaller = async {
            for (at, signal) in self.signals {
                tokio::time::sleep_until(start + at).await;
                let _ = signal_sender.send(signal).await;
            }
        };
        let (end, (), rows, ()) = tokio::join!(job, reader, writer, signaller);
        Outcome { end, rows, events, seen, start }
    }
}

/// Runs a job over `input`, a record each `pace`, whose requests `send` answers; no record has two rows.
async fn drive<Fut: Future<Output = Response>>(
    options: Options,
    budget: Budget,
    input: impl IntoIterator<Item = Record>,
    pace: Duration,
    send: impl Fn(Request) -> Fut,
) -> (End<Infallible>, Vec<Settled>) {
    let (record_sender, records) = mpsc::channel(16);
    let (row_sender, mut row_receiver) = mpsc::channel(16);
    let (_signal_sender, signals) = mpsc::channel(1);
    let state = State::new(options, budget, StdRng::seed_from_u64(5));
    let (acknowledge, written) = watch::channel(0);
    let job = run(state, records, row_sender, written, send, signals, |_| {});
    let reader = async {
        for record in input {
            if !pace.is_zero() {
                sleep(pace).await;
            }
            if record_sender.send(Ok(vec![record])).await.is_err() {
                break;
            }
        }
        drop(record_sender);
    };
    let writer = async {
        let mut rows = Vec::new();
        while let Some(batch) = row_receiver.recv().await {
            rows.extend(batch);
            acknowledge.send_replace(rows.len() as u64);
        }
        rows
    };
    let (end, (), rows) = tokio::join!(job, reader, writer);
    let numbers: HashSet<_> = rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers.len(), rows.len(), "a record has two rows");
    (end, rows)
}

#[tokio::test(start_paused = true)]
async fn every_key_is_settled_once_within_the_concurrency() {
    let outcome = lab(1_000).run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!(outcome.count(Status::Deleted), 1_000);
    assert_eq!(outcome.seen.most_in_flight.get(), 8);
    assert_eq!(outcome.end.totals.requests, 1_000);
    assert_eq!(outcome.end.elapsed, LATENCY * 125, "always eight in flight");
    assert!(!outcome.events.contains(&Event::Running), "it was never paused");
}

#[tokio::test(start_paused = true)]
async fn keys_that_wait_for_a_retry_hold_no_place() {
    let outcome = lab(400)
        .run(|key, nth| {
            let slow = key.ends_with('0') && nth == 1;
            (100 * LATENCY / 50, if slow { passing(503) } else { Answer::Success })
        })
        .await;
    assert_eq!(outcome.count(Status::Deleted), 400);
    assert_eq!(outcome.end.totals.retries, 40);
    assert!(outcome.end.elapsed < 16 * SECOND, "took {:?}", outcome.end.elapsed);
}

#[tokio::test(start_paused = true)]
async fn mixed_faults_fail_no_key() {
    for seed in 0..20 {
        let rng = RefCell::new(StdRng::seed_from_u64(seed));
        let outcome = lab(2_000)
            .run(move |_, _| {
                let mut rng = rng.borrow_mut();
                let latency = rng.random_range(Duration::ZERO..LATENCY);
                let answer = match rng.random_range(0..25) {
                    0 => passing(500),
                    1 => passing(503),
                    2 | 3 => lost(),
                    4 => closed(),
                    _ => Answer::Success,
                };
                (latency, answer)
            })
            .await;
        assert_eq!(outcome.count(Status::Deleted), 2_000, "seed {seed}");
        assert_eq!(outcome.end.totals.requests, 2_000 + outcome.end.totals.retries);
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_the_server_cannot_delete_fails_alone_and_is_no_outage() {
    let outcome = lab(300)
        .run(|key, _| {
            (
                LATENCY,
                // The last ten keys among them: nothing else is left to show that the server is up.
                if key.starts_with("key-29") { passing(500) } else { Answer::Success },
            )
        })
        .await;
    assert_eq!((outcome.count(Status::Failed), outcome.count(Status::Deleted)), (11, 289));
    let attempts = outcome.seen.count("key-29");
    assert!((9..=10).contains(&attempts), "one attempt, eight retries, one at most given back: {attempts}");
    assert_eq!(outcome.stopped(), None);
    let row = outcome.rows.iter().find(|row| &*row.key == "key-29").unwrap();
    assert_eq!((row.attempts as usize, row.http_status), (attempts, Some(500)));
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_the_state_is_unknown() {
    let outcome = lab(50).run(|key, _| (LATENCY, if key == "key-7" { lost() } else { Answer::Success })).await;
    assert_eq!(outcome.status()[&8], Status::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_stale_connection_costs_no_retry() {
    let mut lab = lab(20);
    lab.options.retry.retries = 0;
    let outcome = lab.run(|_, nth| (LATENCY, if nth == 1 { closed() } else { Answer::Success })).await;
    assert_eq!(outcome.count(Status::Deleted), 20);
}

#[tokio::test(start_paused = true)]
async fn a_429_pauses_every_worker_and_costs_no_retry() {
    let mut lab = lab(400);
    lab.options.retry.retries = 0;
    let start = Instant::now();
    let from = start + SECOND;
    let outcome = lab
        .run(move |_, _| {
            let blocked = Instant::now() > from && Instant::now() < from + 60 * SECOND;
            let pause = Some(60 * SECOND);
            (
                LATENCY,
                if blocked {
                    Answer::Throttled { error: TransientError::Refused(refusal(429)), pause }
                } else {
                    Answer::Success
                },
            )
        })
        .await;
    assert_eq!(outcome.count(Status::Deleted), 400);
    assert!((1..=8).contains(&outcome.end.totals.throttled), "{} refusals", outcome.end.totals.throttled);
    assert_eq!(outcome.seen.between(from + 2 * LATENCY, from + 60 * SECOND), 0, "sent while it was told to pause");
    assert!(outcome.events.iter().any(|event| matches!(event, Event::Paused { cause: PauseCause::Throttled, .. })));
    assert!(outcome.events.contains(&Event::Running));
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_for_the_rate_is_told() {
    let mut lab = lab(25);
    lab.budget = Budget::new(&["10/60s".parse().unwrap()], Instant::now());
    let outcome = lab.run(|_, _| (LATENCY, Answer::Success)).await;
    let told = outcome.events.iter().filter(|event| matches!(event, Event::Paused { cause: PauseCause::Rate, .. }));
    assert_eq!((told.count(), outcome.count(Status::Deleted)), (2, 25));
}

#[tokio::test(start_paused = true)]
async fn a_pause_beyond_the_limit_ends_the_job() {
    let outcome = lab(50)
        .run(|_, _| {
            (
                LATENCY,
                Answer::Throttled {
                    error: TransientError::Refused(refusal(429)),
                    pause: Some(Duration::from_hours(1)),
                },
            )
        })
        .await;
    assert_eq!(outcome.stopped(), Some(StopReason::Outage));
    assert!(outcome.seen.requests.borrow().len() <= 8);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_with_probes() {
    for answer in [lost(), closed(), passing(503)] {
        wait_out_an_outage(answer).await;
    }
}

async fn wait_out_an_outage(answer: Answer) {
    let mut lab = lab(3_000);
    lab.options.retry.retries = 1;
    let (from, to) = (Instant::now() + 3 * SECOND, Instant::now() + 63 * SECOND);
    let outcome = lab
        .run(move |_, _| (LATENCY, if (from..to).contains(&Instant::now()) { answer.clone() } else { Answer::Success }))
        .await;
    assert_eq!(outcome.count(Status::Deleted), 3_000);
    let during = outcome.seen.between(from, to);
    assert!(during < 40, "{during} requests into a dead server");
    assert!(outcome.end.elapsed < 120 * SECOND, "took {:?}", outcome.end.elapsed);
    assert!(outcome.events.iter().any(|event| matches!(event, Event::Paused { cause: PauseCause::Outage, .. })));
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_lasts_too_long_ends_the_job() {
    let outcome = lab(500).run(|_, _| (LATENCY, passing(503))).await;
    assert_eq!(outcome.stopped(), Some(StopReason::Outage));
    let mut sent: HashSet<_> = outcome.seen.requests.borrow().iter().map(|(_, key)| key.clone()).collect();
    sent.remove("the namespace");
    assert_eq!(outcome.count(Status::Failed), sent.len(), "a key that was sent has a row, others have none");
    assert!(sent.len() < 80, "{} keys burnt", sent.len());
    assert!(outcome.end.elapsed < Duration::from_mins(16));
}

#[tokio::test(start_paused = true)]
async fn records_that_are_not_sent_have_their_rows_too() {
    let invalid = Invalid { key: "..".into(), rule: "no".into(), reason: "keys.csv line 2: no".into() };
    let input = [
        Content::Key(KeyName::new("a").unwrap()),
        Content::Invalid(Box::new(invalid)),
        Content::Duplicate(KeyName::new("a").unwrap()),
        Content::Settled,
    ];
    let records = input.into_iter().enumerate().map(|(index, content)| Record { number: number(index), content });
    let outcome = lab(0).run_records(records.collect(), Rc::new(|_: &str, _| (LATENCY, Answer::Success))).await;
    let status = outcome.status();
    assert_eq!((status[&1], status[&2], status[&3]), (Status::Deleted, Status::Invalid, Status::Duplicate));
    let totals = outcome.end.totals;
    assert_eq!((totals.resumed, totals.records, totals.requests), (1, 4, 1));
    assert!(outcome.start.elapsed() < SECOND);
}

/// All keys of the call were processed.
fn bulk_reply(reply: Reply) -> BulkReply {
    BulkReply { reply, accounting: Accounting::Complete { unprocessed: Vec::new() } }
}
