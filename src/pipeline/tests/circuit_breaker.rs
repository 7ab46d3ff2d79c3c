//! Outages that looked like the trouble of single keys: found by seeds of the simulation that lost dozens of keys.

use super::*;
use crate::api::Presence;
use crate::quota::Rate;

/// A job over `count` keys that are looked for before they are deleted, with three retries. The server is down in the
/// given span, finds every key and takes `latency` for each response.
async fn lost(concurrency: usize, count: usize, down: [Duration; 2], latency: Duration) -> usize {
    let mut options = Options { concurrency, action: KeyAction::CheckThenDelete, ..Options::default() };
    options.retry.retries = 3;
    let start = Instant::now();
    let send = |request: Request| async move {
        sleep(latency).await;
        let is_down = (down[0]..down[1]).contains(&start.elapsed());
        let answer = if is_down { passing(503) } else { Answer::Success };
        let reply = Reply { answer, http_status: Some(200), rate_limits: Vec::new() };
        match request {
            Request::Presence(keys) => Response::Presence(reply, vec![Presence::Present; keys.len()]),
            Request::Delete(_) => Response::Delete(reply),
            Request::Namespace => Response::Namespace(if is_down { Err(reply) } else { Ok(()) }),
            other => unreachable!("{other:?}"),
        }
    };
    let (end, rows) = drive(options, Budget::new(&[], start), keys(count), Duration::ZERO, send).await;
    assert_eq!(end.stop, None);
    rows.iter().filter(|row| row.status != Status::Deleted).count()
}

/// Seeds 57977 and 428702. The failure of a request for many keys counted as the first failure of each of them, and so
/// none of their later ones counted as a sign of an outage.
#[tokio::test(start_paused = true)]
async fn keys_whose_request_failed_together_still_show_an_outage_alone() {
    let latency = Duration::from_millis(7);
    assert_eq!(lost(5, 30, [Duration::ZERO, 14 * SECOND], latency).await, 0);
}

/// Seeds 166905 and 597797. Eight failures were waited for in jobs that make fewer requests than that to look for their
/// keys, each of which may lose its keys a retry.
#[tokio::test(start_paused = true)]
async fn a_job_that_looks_for_its_keys_with_few_requests_sees_an_outage_in_few_failures() {
    for (concurrency, count) in [(17, 100), (1, 250), (6, 400)] {
        let lost = lost(concurrency, count, [SECOND / 2, 70 * SECOND], SECOND).await;
        assert!(lost < 8, "{lost} of {count} keys are lost with {concurrency} at once");
    }
}

/// Seed 427497. Failed reads and failed deletes were counted apart, even with no success of either between them.
#[tokio::test(start_paused = true)]
async fn reads_and_deletes_that_fail_in_turn_are_one_outage() {
    let mut outage = crate::pipeline::circuit_breaker::CircuitBreaker::new(1);
    let first = crate::pipeline::circuit_breaker::Health::Down { first_attempt: true };
    let now = Instant::now();
    let is_down: Vec<_> = (0..8)
        .map(|nth| {
            if nth % 2 == 0 {
                outage.observe(first, false, 1_000, now);
            } else {
                outage.observe_read(first, false, 1_000, now);
            }
            outage.is_down()
        })
        .collect();
    assert_eq!(is_down, [[false; 7].as_slice(), &[true]].concat());
}

/// Seed 177780. A request for the namespace that was still unanswered when keys were sent again did not count as in flight.
#[tokio::test(start_paused = true)]
async fn a_slow_probe_of_the_namespace_is_in_flight() {
    let start = Instant::now();
    let mut lab = lab(9);
    lab.options.concurrency = 2;
    let outcome = lab
        .run(move |key, _| match key {
            "the namespace" => (30 * SECOND, Answer::Success),
            // Sent before the outage, and answered while the namespace is not.
            "key-0" => (15 * SECOND, Answer::Success),
            _ if start.elapsed() < 12 * SECOND => (LATENCY, passing(503)),
            _ => (5 * SECOND, Answer::Success),
        })
        .await;
    assert_eq!((outcome.count(Status::Deleted), outcome.seen.count("the namespace")), (9, 1));
    assert_eq!(outcome.seen.most_in_flight.get(), 2);
}

/// So many keys waited for a retry that no other was tried, and the retries of those counted for nothing.
#[tokio::test(start_paused = true)]
async fn keys_that_hold_back_all_others_show_an_outage_too() {
    let start = Instant::now();
    let mut lab = lab(300);
    (lab.options.concurrency, lab.options.most_waiting) = (2, 4);
    let outcome = lab
        .run(move |key, nth| {
            let is_down = (SECOND..61 * SECOND).contains(&start.elapsed());
            // Every other key has failed before, and so these wait when it begins.
            let is_slow = nth < 4 && key.ends_with(['0', '2', '4', '6', '8']);
            (LATENCY, if is_down || is_slow { passing(503) } else { Answer::Success })
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (None, 300));
}

/// Seed 21022578. Where keys are read first, two that are never deleted were the only probes for ever.
#[tokio::test(start_paused = true)]
async fn the_last_keys_of_a_job_that_reads_are_no_outage_either() {
    let options = Options { action: KeyAction::CheckThenDelete, ..options() };
    for count in [2, 3, 400] {
        let send = |request| async move {
            sleep(LATENCY).await;
            let reply = |answer| Reply { answer, http_status: Some(500), rate_limits: Vec::new() };
            match request {
                Request::Presence(keys) => {
                    Response::Presence(reply(Answer::Success), vec![Presence::Present; keys.len()])
                }
                Request::Delete(key) if matches!(key.as_str(), "key-0" | "key-1") => {
                    Response::Delete(reply(passing(500)))
                }
                Request::Delete(_) => Response::Delete(reply(Answer::Success)),
                _ => Response::Namespace(Ok(())),
            }
        };
        let (end, rows) = drive(options, Budget::new(&[], Instant::now()), keys(count), Duration::ZERO, send).await;
        let failed = rows.iter().filter(|row| row.status == Status::Failed).count();
        assert_eq!((end.stop, failed, rows.len()), (None, 2, count));
    }
}

/// Seed 60002407. At a low rate a retry was always due, so that no other key showed that the server was down.
#[tokio::test(start_paused = true)]
async fn a_low_rate_does_not_hide_an_outage() {
    for period in [1, 2, 4] {
        let start = Instant::now();
        let mut lab = lab(100);
        lab.budget = Budget::new(&[Rate::new(1, period * SECOND).unwrap()], start);
        let outcome = lab
            .run(move |_, _| {
                let is_down = (5 * SECOND..200 * SECOND).contains(&start.elapsed());
                (LATENCY, if is_down { passing(503) } else { Answer::Success })
            })
            .await;
        assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (None, 100), "one request per {period} s");
    }
}

/// As long as a few keys fail, the others are deleted between their retries.
#[tokio::test(start_paused = true)]
async fn bad_keys_fail_and_the_others_are_deleted_at_a_low_rate() {
    for bad in [1, 3] {
        let mut lab = lab(100);
        lab.budget = Budget::new(&[Rate::new(1, SECOND).unwrap()], Instant::now());
        let outcome = lab
            .run(move |key, _| {
                let is_bad = ["key-0", "key-1", "key-2"][..bad].contains(&key);
                (LATENCY, if is_bad { passing(500) } else { Answer::Success })
            })
            .await;
        assert_eq!((outcome.count(Status::Failed), outcome.count(Status::Deleted)), (bad, 100 - bad));
        let requests = outcome.end.totals.requests;
        assert!(requests <= 100 + 8 * bad as u64 + 8, "{requests} requests with {bad} bad keys");
    }
}

/// Seed 80127129. A success that was on its way when the server went down made the failures before it count for nothing,
/// and so few keys were left that had never failed that no more failures showed the outage.
#[tokio::test(start_paused = true)]
async fn an_outage_shows_at_the_end_of_a_job_too() {
    for left in [12, 16, 20] {
        let start = Instant::now();
        let mut lab = lab(30);
        (lab.options.concurrency, lab.options.retry.retries) = (2, 3);
        let outcome = lab
            .run(move |key, nth| {
                // The namespace, whose name holds no number, is down like the last keys.
                let index = key.trim_start_matches("key-").parse().unwrap_or(usize::MAX);
                let is_down = index >= 30 - left && start.elapsed() < 60 * SECOND;
                let is_slow = nth == 1 && index == 30 - left;
                let answer = if is_down && !is_slow { passing(503) } else { Answer::Success };
                (if is_slow { 7 * LATENCY } else { LATENCY }, answer)
            })
            .await;
        assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (None, 30), "{left} keys were left");
    }
}

/// Keys that lost a retry while the server went down get it back: their next failure is not their last.
#[tokio::test(start_paused = true)]
async fn a_retry_lost_while_the_server_went_down_is_given_back() {
    let start = Instant::now();
    let mut lab = lab(400);
    lab.options.retry.retries = 1;
    let failed = RefCell::new(HashSet::new());
    let outcome = lab
        .run(move |key, nth| {
            let is_down = (SECOND..20 * SECOND).contains(&start.elapsed());
            if is_down && nth == 1 {
                failed.borrow_mut().insert(key.to_owned());
            }
            // Each of them fails once more after the outage, between keys that are deleted.
            let fails = is_down || start.elapsed() >= 20 * SECOND && failed.borrow_mut().remove(key);
            (LATENCY, if fails { passing(503) } else { Answer::Success })
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (None, 400));
}

/// The pause begins when the breaker opens, and not with the first probe that fails.
#[tokio::test(start_paused = true)]
async fn an_outage_is_reported_at_once_and_so_is_its_end() {
    let start = Instant::now();
    let outcome = lab(400)
        .run(move |_, _| {
            let is_down = (SECOND..20 * SECOND).contains(&start.elapsed());
            (LATENCY, if is_down { passing(503) } else { Answer::Success })
        })
        .await;
    let pauses = outcome.events.iter().filter_map(|event| match event {
        Event::Paused { until, cause: PauseCause::Outage } => Some(*until),
        _ => None,
    });
    let pauses: Vec<_> = pauses.collect();
    // The keys in flight fail one latency after they were sent, and nothing is sent until the first pause is over.
    assert_eq!(outcome.seen.between(start + SECOND + 2 * LATENCY, pauses[0]), 0);
    assert_eq!(outcome.seen.between(pauses[0], pauses[0] + LATENCY), 1, "the probe");
    let resumed = outcome.events.iter().filter(|event| **event == Event::Running).count();
    assert_eq!(resumed, 1, "{:?}", outcome.events);
}

/// One request for all keys, which has no first attempt but one.
#[tokio::test(start_paused = true)]
async fn a_bulk_job_of_one_request_rides_out_an_outage() {
    let start = Instant::now();
    let limit = BatchLimit { keys: 10.try_into().unwrap(), bytes: 1_000_000 };
    let mut options = Options { batching: Batching::Bulk(limit), ..options() };
    options.retry.retries = 3;
    let send = |request: Request| async move {
        sleep(LATENCY).await;
        let is_down = start.elapsed() < 100 * SECOND;
        let answer = if is_down { passing(503) } else { Answer::Success };
        let reply = Reply { answer, http_status: Some(200), rate_limits: Vec::new() };
        match request {
            Request::DeleteMany(_) if is_down => {
                Response::DeleteMany(BulkReply { reply, accounting: Accounting::Missing })
            }
            Request::DeleteMany(_) => {
                let accounting = Accounting::Complete { unprocessed: Vec::new() };
                Response::DeleteMany(BulkReply { reply, accounting })
            }
            Request::Namespace => Response::Namespace(if is_down { Err(reply) } else { Ok(()) }),
            other => unreachable!("{other:?}"),
        }
    };
    let (end, rows) = drive(options, Budget::new(&[], start), keys(10), Duration::ZERO, send).await;
    assert_eq!((end.stop, rows.iter().filter(|row| row.status == Status::Deleted).count()), (None, 10));
}
