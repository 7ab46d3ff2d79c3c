//! Keys that are looked for before they are deleted, or instead.

use std::sync::Arc;

use super::*;
use crate::api::Presence;
use crate::api::Presence::{Absent, Present, Unknown};
use crate::record::Pair;

/// A request: `look` or `delete`, its keys, and when it was made.
type Seen = Rc<RefCell<Vec<(&'static str, Vec<String>, Instant)>>>;

struct Ran {
    end: End<Infallible>,
    rows: Vec<Settled>,
    seen: Vec<(&'static str, Vec<String>, Instant)>,
}

impl Ran {
    fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }

    /// How many keys each request of a kind named.
    fn sizes(&self, kind: &str) -> Vec<usize> {
        self.seen.iter().filter(|(seen, ..)| *seen == kind).map(|(_, keys, _)| keys.len()).collect()
    }
}

fn checking(action: KeyAction) -> Options {
    Options { concurrency: 8, action, ..Options::default() }
}

/// Runs a job over `count` keys. `look` says what comes of the `nth` look (from 0) at so many keys, and then `is` what is
/// found of each.
async fn ran(
    options: Options,
    count: usize,
    look: impl Fn(usize, usize) -> Answer,
    is: impl Fn(&str, usize) -> Presence,
) -> Ran {
    let seen = Seen::default();
    let send = |request: Request| {
        let (seen, look, is) = (Rc::clone(&seen), &look, &is);
        async move {
            let names = |keys: &[KeyName]| keys.iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>();
            let (kind, keys) = match &request {
                Request::Presence(keys) => ("look", names(keys)),
                Request::Delete(key) => ("delete", names(std::slice::from_ref(key))),
                Request::DeleteMany(keys) => ("delete", names(keys)),
                Request::Namespace => ("namespace", Vec::new()),
                _ => unreachable!("keys are looked for"),
            };
            let nth = seen.borrow().iter().filter(|(seen, ..)| *seen == kind).count();
            seen.borrow_mut().push((kind, keys.clone(), Instant::now()));
            sleep(LATENCY).await;
            let answer = if kind == "look" { look(nth, keys.len()) } else { Answer::Success };
            let reply = Reply { answer, http_status: Some(200), rate_limits: Vec::new() };
            match request {
                Request::Presence(_) => {
                    let found = keys.iter().map(|key| is(key, keys.len())).collect();
                    Response::Presence(reply, found)
                }
                Request::Delete(_) => Response::Delete(reply),
                Request::DeleteMany(_) => Response::DeleteMany(bulk_reply(reply)),
                _ => Response::Namespace(Ok(())),
            }
        }
    };
    let (end, rows) = drive(options, Budget::new(&[], Instant::now()), keys(count), Duration::ZERO, send).await;
    let seen = seen.borrow().clone();
    Ran { end, rows, seen }
}

fn is_third(key: &str) -> bool {
    key.strip_prefix("key-").unwrap().parse::<u32>().unwrap().is_multiple_of(3)
}

fn thirds(key: &str, _: usize) -> Presence {
    if is_third(key) { Absent } else { Present }
}

#[tokio::test(start_paused = true)]
async fn only_what_is_there_is_deleted_and_a_hundred_are_looked_for_at_once() {
    let ran = ran(checking(KeyAction::CheckThenDelete), 3_000, |_, _| Answer::Success, thirds).await;
    assert_eq!((ran.count(Status::Deleted), ran.count(Status::Absent)), (2_000, 1_000));
    assert_eq!(ran.sizes("look"), [100; 30]);
    assert_eq!(ran.sizes("delete"), [1; 2_000]);
    let asked_for = |(_, keys, _): &(_, Vec<String>, _)| keys.iter().any(|key| is_third(key));
    assert!(!ran.seen.iter().filter(|(kind, ..)| *kind == "delete").any(asked_for));
    assert!(ran.rows.iter().all(|row| row.attempts == if row.status == Status::Absent { 1 } else { 2 }));
}

#[tokio::test(start_paused = true)]
async fn in_bulk_what_was_found_shares_its_deletes() {
    let batch = Batching::Bulk(BatchLimit { keys: 500.try_into().unwrap(), bytes: 1_000_000 });
    let options = Options { batching: batch, ..checking(KeyAction::CheckThenDelete) };
    let ran = ran(options, 3_000, |_, _| Answer::Success, thirds).await;
    assert_eq!((ran.count(Status::Deleted), ran.sizes("delete")), (2_000, vec![500; 4]));
}

#[tokio::test(start_paused = true)]
async fn a_check_alone_deletes_nothing() {
    let ran = ran(checking(KeyAction::Check), 950, |_, _| Answer::Success, thirds).await;
    assert_eq!((ran.count(Status::Planned), ran.count(Status::Absent)), (633, 317));
    assert!(ran.sizes("delete").is_empty());
    assert_eq!(ran.end.totals.requests, 10);
}

#[tokio::test(start_paused = true)]
async fn where_the_values_are_too_much_fewer_are_asked_for_and_none_loses_a_retry() {
    let mut options = checking(KeyAction::CheckThenDelete);
    options.retry.retries = 0;
    let refusing = |_, keys| if keys > 30 { Answer::Refused(refusal(413)) } else { Answer::Success };
    let ran = ran(options, 3_000, refusing, thirds).await;
    assert_eq!((ran.count(Status::Deleted), ran.count(Status::Absent)), (2_000, 1_000));
    let presence_batch = ran.sizes("look");
    assert!(presence_batch.len() < 250, "{presence_batch:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_said_of_a_key_among_others_is_asked_of_it_alone() {
    let is = |key: &str, company| if company > 1 && key == "key-7" { Unknown } else { thirds(key, company) };
    let ran = ran(checking(KeyAction::CheckThenDelete), 100, |_, _| Answer::Success, is).await;
    assert_eq!((ran.count(Status::Deleted), ran.count(Status::Absent)), (66, 34));
    assert_eq!(ran.sizes("look"), [100, 1]);
    assert_eq!(ran.end.totals.retries, 0, "nothing went wrong");
}

#[tokio::test(start_paused = true)]
async fn a_key_of_which_nothing_is_said_when_it_is_alone_is_unknown_after_its_retries() {
    let mut options = checking(KeyAction::CheckThenDelete);
    options.retry.retries = 2;
    let is = |key: &str, company| if key == "key-7" { Unknown } else { thirds(key, company) };
    let ran = ran(options, 100, |_, _| Answer::Success, is).await;
    assert_eq!((ran.count(Status::Deleted), ran.count(Status::Absent), ran.count(Status::Unknown)), (65, 34, 1));
    assert_eq!(ran.sizes("look"), [100, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_looked_for_is_not_deleted_and_says_why() {
    let mut options = checking(KeyAction::CheckThenDelete);
    options.retry.retries = 1;
    let ran = ran(options, 3, |_, _| passing(503), thirds).await;
    assert_eq!(ran.count(Status::Deleted), 0);
    let lost = |row: &Settled| row.detail.as_ref().unwrap().error.contains("whether it exists is unknown: answer 503");
    assert!(ran.rows.iter().all(|row| row.status == Status::Failed && lost(row)), "{:?}", ran.rows);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_looks_is_waited_out() {
    let mut options = checking(KeyAction::CheckThenDelete);
    options.retry.retries = 1;
    let (from, to) = (Instant::now() + 3 * SECOND, Instant::now() + 63 * SECOND);
    let look = move |_, _| if (from..to).contains(&Instant::now()) { passing(503) } else { Answer::Success };
    let ran = ran(options, 20_000, look, thirds).await;
    assert_eq!(ran.count(Status::Deleted) + ran.count(Status::Absent), 20_000);
    assert!(ran.end.elapsed > 60 * SECOND);
}

/// No look-up takes the request of the rate that writes what was found not to exist.
#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_written_before_the_rate_is_used_up() {
    const KEYS: usize = 600;
    let seen = Seen::default();
    let send = |request: Request| {
        let seen = Rc::clone(&seen);
        async move {
            let names = |keys: &[KeyName]| keys.iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>();
            let (kind, keys) = match &request {
                Request::Presence(keys) => ("look", names(keys)),
                Request::PutMany(pairs) => ("put", pairs.iter().map(|pair| pair.key.as_str().to_owned()).collect()),
                _ => unreachable!("keys are looked for and written"),
            };
            seen.borrow_mut().push((kind, keys.clone(), Instant::now()));
            sleep(LATENCY).await;
            let reply = Reply { answer: Answer::Success, http_status: Some(200), rate_limits: Vec::new() };
            if kind == "put" {
                return Response::PutMany(bulk_reply(reply));
            }
            // Every third key does not exist, which only a look-up of its own says.
            let absent = if keys.len() == 1 { Absent } else { Unknown };
            let found = keys.iter().map(|key| if is_third(key) { absent } else { Present }).collect();
            Response::Presence(reply, found)
        }
    };
    let limit = BatchLimit { keys: 1_000.try_into().unwrap(), bytes: usize::MAX };
    let action = KeyAction::Put(OnExisting::Keep);
    let options = Options { concurrency: 8, action, batching: Batching::Bulk(limit), ..Options::default() };
    let budget = Budget::new(&["61/5m".parse().unwrap()], Instant::now());
    let pairs = keys(KEYS).map(|record| {
        let Content::Key(key) = record.content else { unreachable!() };
        let pair =
            Pair { json: format!("{{\"key\":\"{}\"}}", key.as_str()).into_bytes().into(), key, expiration: None };
        Record { number: record.number, content: Content::Pair(Arc::new(pair)) }
    });
    let start = Instant::now();
    let (end, rows) = drive(options, budget, pairs, Duration::ZERO, send).await;
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    assert_eq!((count(Status::Kept), count(Status::Restored)), (KEYS * 2 / 3, KEYS / 3));
    let mut looked = HashMap::new();
    for (kind, keys, at) in seen.borrow().iter() {
        for key in keys {
            match *kind {
                "look" => _ = looked.insert(key.clone(), *at),
                _ => assert!(*at - looked[key] <= 11 * SECOND, "{key} waited {:?}", *at - looked[key]),
            }
        }
    }
    // A hundred keys per look-up, and one more for each that does not exist.
    let (requests, elapsed) = (end.totals.requests, start.elapsed().as_secs());
    assert!(requests <= (KEYS / 100 + KEYS / 3 + 10) as u64, "{requests} requests");
    assert!(elapsed <= 301 * (requests / 59) + 11, "{requests} requests took {elapsed} s");
}
