//! Keys that are backed up before they are deleted.

use super::*;
use crate::api::Metadata;

/// A request as the server sees it: its kind and its keys.
type Seen = Rc<RefCell<Vec<(&'static str, Vec<String>, Instant)>>>;

/// What becomes of a request of a kind for these keys; `nth` counts the requests of the kind for the first key, from 0.
type Say = Rc<dyn Fn(&'static str, &str, usize) -> Answer>;

struct Ran {
    end: End<Infallible>,
    rows: Vec<Settled>,
    seen: Vec<(&'static str, Vec<String>, Instant)>,
}

impl Ran {
    fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }

    fn requests(&self, kind: &str) -> usize {
        self.seen.iter().filter(|(seen, ..)| *seen == kind).count()
    }

    /// A delete was sent only for what had been kept before.
    fn assert_kept_before_deleted(&self) {
        let mut kept = HashSet::new();
        for (kind, keys, _) in &self.seen {
            match *kind {
                "kept" => kept.extend(keys.iter().cloned()),
                "delete" => assert!(keys.iter().all(|key| kept.contains(key)), "{keys:?} deleted before it was kept"),
                _ => {}
            }
        }
    }
}

fn backing_up() -> Options {
    Options { concurrency: 8, action: KeyAction::BackUpThenDelete, ..Options::default() }
}

/// Runs a job; the backup takes so many records before its disk is full.
async fn run_with(
    options: Options,
    budget: Budget,
    count: usize,
    disk: usize,
    say: impl Fn(&'static str, &str, usize) -> Answer + 'static,
) -> Ran {
    let (seen, say): (Seen, Say) = (Rc::default(), Rc::new(say));
    let send = |request: Request| {
        let (seen, say) = (Rc::clone(&seen), Rc::clone(&say));
        async move {
            let name = |key: &KeyName| key.as_str().to_owned();
            let (kind, keys) = match &request {
                Request::Metadata(key) => ("metadata", vec![name(key)]),
                Request::BackUp(key, _) => ("value", vec![name(key)]),
                Request::Delete(key) => ("delete", vec![name(key)]),
                Request::DeleteMany(keys) => ("delete", keys.iter().map(name).collect()),
                Request::Namespace => ("namespace", vec![String::new()]),
                _ => unreachable!("keys are backed up"),
            };
            let nth = seen.borrow().iter().filter(|(k, names, _)| *k == kind && names[0] == keys[0]).count();
            seen.borrow_mut().push((kind, keys.clone(), Instant::now()));
            sleep(LATENCY).await;
            let reply = Reply { answer: say(kind, &keys[0], nth), http_status: Some(200), rate_limits: Vec::new() };
            let good = reply.answer == Answer::Success;
            match request {
                Request::Metadata(_) => {
                    let raw = serde_json::value::to_raw_value(&keys[0]).unwrap();
                    Response::Metadata(reply, Metadata::new(&raw).filter(|_| good))
                }
                Request::BackUp(key, metadata) if good => {
                    assert_eq!(metadata.unwrap().as_json(), format!("{:?}", key.as_str()));
                    let kept = seen.borrow().iter().filter(|(kind, ..)| *kind == "kept").count();
                    if kept >= disk {
                        return Response::BackedUp(Err("the disk is full".to_owned()));
                    }
                    seen.borrow_mut().push(("kept", keys, Instant::now()));
                    Response::BackedUp(Ok(reply))
                }
                Request::BackUp(..) => Response::BackedUp(Ok(reply)),
                Request::Delete(_) => Response::Delete(reply),
                Request::DeleteMany(_) => Response::DeleteMany(bulk_reply(reply)),
                Request::Namespace if good => Response::Namespace(Ok(())),
                Request::Namespace => Response::Namespace(Err(reply)),
                _ => unreachable!("keys are backed up"),
            }
        }
    };
    let (end, rows) = drive(options, budget, keys(count), Duration::ZERO, send).await;
    let seen = seen.borrow().clone();
    let ran = Ran { end, rows, seen };
    ran.assert_kept_before_deleted();
    ran
}

async fn ran(options: Options, count: usize, say: impl Fn(&'static str, &str, usize) -> Answer + 'static) -> Ran {
    run_with(options, Budget::new(&[], Instant::now()), count, usize::MAX, say).await
}

#[tokio::test(start_paused = true)]
async fn each_key_takes_three_requests_in_their_order() {
    let ran = ran(backing_up(), 500, |_, _, _| Answer::Success).await;
    assert_eq!(ran.count(Status::Deleted), 500);
    assert_eq!(["metadata", "value", "delete"].map(|kind| ran.requests(kind)), [500; 3]);
    assert_eq!((ran.end.totals.requests, ran.end.totals.retries), (1_500, 0));
    assert!(ran.rows.iter().all(|row| row.attempts == 3));
    assert!(ran.end.elapsed <= LATENCY * 1_500 / 8 + 2 * LATENCY, "not always eight in flight: {:?}", ran.end.elapsed);
}

/// A key is not begun if its delete would have to wait until the window of the rate is over.
#[tokio::test(start_paused = true)]
async fn what_was_backed_up_is_deleted_before_the_rate_is_used_up() {
    let bulk = Batching::Bulk(BatchLimit { keys: 10_000.try_into().unwrap(), bytes: usize::MAX });
    for (batching, most) in [(Batching::Single, SECOND), (bulk, 11 * SECOND)] {
        let budget = Budget::new(&["61/5m".parse().unwrap()], Instant::now());
        let start = Instant::now();
        let ran =
            run_with(Options { batching, ..backing_up() }, budget, 100, usize::MAX, |_, _, _| Answer::Success).await;
        assert_eq!((ran.count(Status::Deleted), ran.end.totals.throttled), (100, 0));
        let mut kept = HashMap::new();
        for (kind, keys, at) in &ran.seen {
            for key in keys {
                match *kind {
                    "kept" => _ = kept.insert(key, *at),
                    "delete" => assert!(*at - kept[key] <= most, "{key} waited {:?}", *at - kept[key]),
                    _ => {}
                }
            }
        }
        // And the rate is used.
        let (requests, elapsed) = (ran.end.totals.requests, start.elapsed().as_secs());
        assert!(elapsed <= 301 * (requests / 58) + 11, "{requests} requests took {elapsed} s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_not_deleted_and_says_why() {
    let ran = ran(backing_up(), 100, |kind, key, _| match (kind, key) {
        ("metadata", "key-1") | ("value", "key-2") => Answer::Refused(refusal(403)),
        ("metadata", "key-3") | ("value", "key-4") => Answer::Absent(refusal(404)),
        ("value", "key-5") => lost(),
        ("value", "key-6") => passing(503),
        _ => Answer::Success,
    })
    .await;
    let row = |number: u64| ran.rows.iter().find(|row| row.number.get() == number).unwrap();
    for (number, status, why) in [
        (2, Status::Failed, "its metadata could not be backed up: answer 403"),
        (3, Status::Failed, "its value could not be backed up: answer 403"),
        (4, Status::Absent, "answer 404"),
        (5, Status::Absent, "answer 404"),
        (6, Status::Unknown, "its value could not be backed up: connection reset"),
        (7, Status::Failed, "its value could not be backed up: answer 503"),
    ] {
        let row = row(number);
        assert_eq!(row.status, status, "{row:?}");
        assert!(row.detail.as_ref().unwrap().error.contains(why), "{row:?}");
    }
    assert_eq!((ran.count(Status::Deleted), ran.requests("delete")), (94, 94));
    assert_eq!(row(6).attempts, 1 + 9, "its metadata, one attempt at its value and eight retries");
}

#[tokio::test(start_paused = true)]
async fn each_request_has_its_own_retries() {
    let mut options = backing_up();
    options.retry.retries = 1;
    let ran = ran(options, 50, |kind, key, nth| match (kind, nth) {
        ("metadata" | "value" | "delete", 0) if key.ends_with('7') => passing(503),
        _ => Answer::Success,
    })
    .await;
    assert_eq!((ran.count(Status::Deleted), ran.end.totals.retries), (50, 15));
    assert!(ran.rows.iter().all(|row| row.attempts == if row.key.ends_with('7') { 6 } else { 3 }));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_of_the_backup_ends_the_job_and_costs_nothing_that_is_not_kept() {
    for batching in [Batching::Single, Batching::Bulk(BatchLimit { keys: 10.try_into().unwrap(), bytes: 1_000_000 })] {
        let options = Options { batching, ..backing_up() };
        let ran = run_with(options, Budget::new(&[], Instant::now()), 500, 60, |_, _, _| Answer::Success).await;
        assert_eq!(ran.end.stop.as_ref().map(|stop| stop.reason), Some(StopReason::IoError));
        let why = "no delete was sent, because its value could not be backed up: the disk is full";
        let failed: Vec<_> = ran.rows.iter().filter(|row| row.status == Status::Unknown).collect();
        assert!((1..=8).contains(&failed.len()));
        assert!(failed.iter().all(|row| row.detail.as_ref().unwrap().error == why));
        assert!(ran.count(Status::Deleted) <= 60);
        assert_eq!(ran.rows.len(), failed.len() + ran.count(Status::Deleted));
    }
}

#[tokio::test(start_paused = true)]
async fn in_bulk_many_backed_up_keys_share_one_delete_and_none_waits_long() {
    let batch = Batching::Bulk(BatchLimit { keys: 100.try_into().unwrap(), bytes: 1_000_000 });
    let options = Options { batching: batch, ..backing_up() };
    let full = ran(options, 1_000, |_, _, _| Answer::Success).await;
    assert_eq!((full.count(Status::Deleted), full.requests("delete")), (1_000, 10));
    let budget = Budget::new(&["8/2s".parse().unwrap()], Instant::now());
    let slow = run_with(options, budget, 200, usize::MAX, |_, _, _| Answer::Success).await;
    assert_eq!(slow.count(Status::Deleted), 200);
    assert!((8..=13).contains(&slow.requests("delete")), "{} deletes", slow.requests("delete"));
    let mut kept = HashMap::new();
    for (kind, keys, at) in &slow.seen {
        for key in keys {
            match *kind {
                "kept" => drop(kept.insert(key.clone(), *at)),
                "delete" => assert!(*at - kept[key] < 13 * SECOND, "{key} waited {:?}", *at - kept[key]),
                _ => {}
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn deletes_that_are_down_are_waited_out_while_reads_are_answered() {
    let mut options = backing_up();
    options.retry.retries = 1;
    let (from, to) = (Instant::now() + 3 * SECOND, Instant::now() + 63 * SECOND);
    let ran = ran(options, 1_000, move |kind, _, _| {
        let down = kind == "delete" && (from..to).contains(&Instant::now());
        if down { passing(503) } else { Answer::Success }
    })
    .await;
    assert_eq!(ran.count(Status::Deleted), 1_000);
    let during = ran.seen.iter().filter(|(kind, _, at)| *kind == "delete" && (from..to).contains(at)).count();
    assert!(during < 60, "{during} deletes into a server that does none");
}

#[tokio::test(start_paused = true)]
async fn canaries_are_backed_up_and_deleted_before_any_other_key_is_read() {
    for batching in [Batching::Single, Batching::Bulk(BatchLimit { keys: 100.try_into().unwrap(), bytes: 1_000_000 })] {
        let options = Options { canary: 3, batching, ..backing_up() };
        let ran = ran(options, 50, |_, _, _| Answer::Success).await;
        assert_eq!(ran.count(Status::Deleted), 50);
        let deleted = |upto: &[(&str, Vec<String>, Instant)]| -> usize {
            upto.iter().filter(|(kind, ..)| *kind == "delete").map(|(_, keys, _)| keys.len()).sum()
        };
        let fourth = ran.seen.iter().position(|(_, keys, _)| keys[0] == "key-3").unwrap();
        assert_eq!(deleted(&ran.seen[..fourth]), 3);
    }
}
