//! Many keys in one request: how they are put together, and what becomes of each.

use std::collections::BTreeMap;

use super::*;
use crate::api::answer::TOO_MANY_BULK_CALLS;
use crate::api::{Accounting, BulkReply};

/// The keys of each call, and when it was made.
type ApiCaller = Rc<RefCell<Vec<(Instant, Vec<String>)>>>;

/// What the server says to the `nth` call (from 0): of all its keys, and which of them it leaves.
type Saying = Rc<dyn Fn(usize, &[String]) -> (Answer, Vec<String>)>;

struct Bulk {
    options: Options,
    records: Vec<Record>,
    /// How long the reader takes for each record.
    reading: Duration,
    budget: Budget,
}

struct Ran {
    end: End<Infallible>,
    rows: BTreeMap<u64, Settled>,
    calls: Vec<(Instant, Vec<String>)>,
}

impl Ran {
    fn count(&self, status: Status) -> usize {
        self.rows.values().filter(|row| row.status == status).count()
    }

    fn sizes(&self) -> Vec<usize> {
        self.calls.iter().map(|(_, keys)| keys.len()).collect()
    }
}

fn bulk(count: usize, most: u32) -> Bulk {
    let batch = BatchLimit { keys: most.try_into().unwrap(), bytes: 1_000_000 };
    let options = Options { concurrency: 4, batching: Batching::Bulk(batch), ..Options::default() };
    let budget = Budget::new(&[], Instant::now());
    Bulk { options, records: keys(count).collect(), reading: Duration::ZERO, budget }
}

impl Bulk {
    async fn run(self, say: impl Fn(usize, &[String]) -> (Answer, Vec<String>) + 'static) -> Ran {
        let say: Saying = Rc::new(say);
        let calls = ApiCaller::default();
        let send = |request: Request| {
            let (calls, say) = (Rc::clone(&calls), Rc::clone(&say));
            async move {
                let names: Vec<String> = match request {
                    Request::DeleteMany(keys) => keys.iter().map(|key| key.as_str().to_owned()).collect(),
                    Request::Namespace => return Response::Namespace(Ok(())),
                    request => unreachable!("{request:?} in a job in bulk"),
                };
                let nth = calls.borrow().len();
                calls.borrow_mut().push((Instant::now(), names.clone()));
                sleep(LATENCY).await;
                let (answer, left) = say(nth, &names);
                let reply = Reply { answer, http_status: Some(200), rate_limits: Vec::new() };
                let accounting = match &reply.answer {
                    Answer::Success => Accounting::Complete { unprocessed: left.into_iter().map(Into::into).collect() },
                    _ => Accounting::Missing,
                };
                Response::DeleteMany(BulkReply { reply, accounting })
            }
        };
        let (end, rows) = drive(self.options, self.budget, self.records, self.reading, send).await;
        let rows = rows.into_iter().map(|row| (row.number.get(), row)).collect();
        let calls = calls.borrow().clone();
        Ran { end, rows, calls }
    }
}

fn good(_: usize, _: &[String]) -> (Answer, Vec<String>) {
    (Answer::Success, Vec::new())
}

#[tokio::test(start_paused = true)]
async fn requests_are_as_full_as_they_may_be() {
    let ran = bulk(1_050, 100).run(good).await;
    assert_eq!(ran.count(Status::Deleted), 1_050);
    assert_eq!(ran.sizes(), [[100; 10].as_slice(), &[50]].concat());
    assert_eq!((ran.end.totals.requests, ran.end.totals.retries), (11, 0));
    assert!(ran.rows.values().all(|row| row.attempts == 1 && row.elapsed == LATENCY));
}

#[tokio::test(start_paused = true)]
async fn a_slow_input_is_gathered_for_a_moment_and_not_for_ever() {
    let slow = Bulk { reading: Duration::from_millis(10), ..bulk(100, 100) };
    let ran = slow.run(good).await;
    assert_eq!(ran.count(Status::Deleted), 100);
    assert!((4..=6).contains(&ran.calls.len()), "{:?}", ran.sizes());
}

#[tokio::test(start_paused = true)]
async fn what_a_call_leaves_undeleted_is_sent_again_and_nothing_else_is() {
    let met = RefCell::new(HashSet::new());
    let ran = bulk(1_000, 100)
        .run(move |_, keys| {
            let mut met = met.borrow_mut();
            let left = |key: &&String| met.insert((*key).clone()) && key.ends_with('7') || *key == "key-500";
            (Answer::Success, keys.iter().filter(left).cloned().collect())
        })
        .await;
    assert_eq!((ran.count(Status::Deleted), ran.count(Status::Failed)), (999, 1));
    for (number, row) in &ran.rows {
        let expected = if *number == 501 { 9 } else { 1 + u32::from(row.key.ends_with('7')) };
        assert_eq!(row.attempts, expected, "{}", row.key);
    }
    let failed = &ran.rows[&501];
    assert!(failed.detail.as_ref().unwrap().error.contains("unsuccessful_keys"));
    assert!(ran.calls.len() < 30, "retries are gathered too: {:?}", ran.sizes());
}

#[tokio::test(start_paused = true)]
async fn one_bad_name_is_found_by_halving_and_costs_no_other_a_retry() {
    let mut job = bulk(1_000, 100);
    job.options.retry.retries = 0;
    let ran = job
        .run(|_, keys| {
            let bad = keys.iter().any(|key| key == "key-333");
            (if bad { Answer::Refused(refusal(400)) } else { Answer::Success }, Vec::new())
        })
        .await;
    assert_eq!((ran.count(Status::Deleted), ran.count(Status::Unknown)), (999, 1));
    assert_eq!(ran.rows[&334].status, Status::Unknown, "no call accounted for it");
    assert!(ran.calls.len() <= 10 + 2 * 8, "{:?}", ran.sizes());
}

#[tokio::test(start_paused = true)]
async fn calls_that_keep_failing_are_made_smaller() {
    // Too much for the server in its time: it answers only small calls.
    let ran =
        bulk(2_000, 100).run(|_, keys| (if keys.len() > 60 { lost() } else { Answer::Success }, Vec::new())).await;
    assert_eq!(ran.count(Status::Deleted), 2_000, "{:?}", ran.end.stop);
}

#[tokio::test(start_paused = true)]
async fn too_many_calls_at_once_are_a_pause_and_then_fewer() {
    let refusal = || Refusal { http_status: Some(400), code: Some(TOO_MANY_BULK_CALLS), message: "too many".into() };
    let mut job = bulk(10_000, 100);
    job.options.retry.retries = 0;
    let ran = job
        .run(move |nth, _| {
            let pause = Some(SECOND);
            (
                if nth < 4 {
                    Answer::Throttled { error: TransientError::Refused(refusal()), pause }
                } else {
                    Answer::Success
                },
                Vec::new(),
            )
        })
        .await;
    assert_eq!(ran.count(Status::Deleted), 10_000);
    assert_eq!(ran.end.totals.throttled, 4);
    let again = ran.calls[4].0;
    assert!(again >= ran.calls[0].0 + SECOND, "everybody waits");
    let at_once = |at: Instant| ran.calls.iter().filter(|(sent, _)| (at..at + LATENCY).contains(sent)).count();
    assert!(ran.calls[4..].iter().all(|(at, _)| at_once(*at) == 1), "four halved twice and more is one at a time");
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_no_key_a_retry() {
    let mut job = bulk(5_000, 100);
    job.options.retry.retries = 0;
    let (from, to) = (Instant::now() + 2 * LATENCY, Instant::now() + 60 * SECOND);
    let ran = job
        .run(move |_, _| {
            let down = (from..to).contains(&Instant::now());
            (if down { passing(503) } else { Answer::Success }, Vec::new())
        })
        .await;
    // Without a single retry, those that failed before it was seen to be one are lost.
    assert!(ran.count(Status::Failed) <= 800, "{} failed", ran.count(Status::Failed));
    let mut patient = bulk(5_000, 100);
    patient.options.retry.retries = 2;
    let ran = patient
        .run(move |_, _| {
            let down = (from..to).contains(&Instant::now());
            (if down { passing(503) } else { Answer::Success }, Vec::new())
        })
        .await;
    assert_eq!((ran.count(Status::Deleted), ran.end.stop), (5_000, None));
}

#[tokio::test(start_paused = true)]
async fn canaries_go_alone_in_bulk_too() {
    let mut job = bulk(1_000, 100);
    job.options.canary = 5;
    let ran = job.run(good).await;
    assert_eq!((ran.sizes()[0], ran.count(Status::Deleted)), (5, 1_000));
    assert_eq!(ran.calls[1].0, ran.calls[0].0 + LATENCY);
}
