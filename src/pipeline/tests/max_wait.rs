//! `--max-wait`: one limit for everything that the server makes a job wait for.

use super::*;
use crate::api::Presence;
use crate::quota::Rate;

fn patient(keys: usize, most: Duration) -> Lab {
    let mut lab = lab(keys);
    lab.options.max_wait = most;
    lab.options.grace = Duration::ZERO;
    lab
}

/// How a job ends whose every request is answered like that, and after how long.
async fn end_of(
    lab: Lab,
    script: impl Fn(&str, usize) -> (Duration, Answer) + 'static,
) -> (Option<StopReason>, Duration) {
    let outcome = lab.run(script).await;
    (outcome.stopped(), outcome.end.elapsed)
}

fn asks_for(pause: Duration) -> Answer {
    Answer::Throttled { error: TransientError::Refused(refusal(429)), pause: Some(pause) }
}

const OUTAGE: Option<StopReason> = Some(StopReason::Outage);

#[tokio::test(start_paused = true)]
async fn a_pause_of_a_second_for_ever_ends() {
    let (stopped, elapsed) = end_of(patient(100, 60 * SECOND), |_, _| (LATENCY, asks_for(SECOND))).await;
    assert_eq!((stopped, elapsed), (OUTAGE, 60 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_longer_pause_ends_the_job_at_once() {
    let (stopped, elapsed) = end_of(patient(100, 60 * SECOND), |_, _| (LATENCY, asks_for(61 * SECOND))).await;
    assert_eq!((stopped, elapsed), (OUTAGE, LATENCY));
}

#[tokio::test(start_paused = true)]
async fn a_pause_as_long_as_that_is_no_longer_one() {
    let (stopped, elapsed) = end_of(patient(100, 60 * SECOND), |_, _| (LATENCY, asks_for(60 * SECOND))).await;
    assert_eq!((stopped, elapsed), (OUTAGE, 60 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_used_up_for_longer_ends_the_job_at_once() {
    let info = crate::quota::RateLimitInfo {
        name: "default".to_owned(),
        remaining: 0,
        reset_after: 31_000_000 * SECOND,
        policy: None,
    };
    // The keys are found, so nothing else happens that would have the loop ask again.
    let send = |_| async {
        sleep(LATENCY).await;
        let reply = Reply { answer: Answer::Success, http_status: Some(200), rate_limits: vec![info.clone()] };
        Response::Presence(reply, vec![Presence::Present; 100])
    };
    let options = Options { action: KeyAction::CheckThenDelete, ..options() };
    let (end, rows) = drive(options, Budget::new(&[], Instant::now()), keys(100), Duration::ZERO, send).await;
    assert_eq!((end.stop.map(|stop| stop.reason), rows.len(), end.elapsed), (OUTAGE, 0, LATENCY));
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_waits_for_its_retry_is_a_wait() {
    let mut lab = patient(100, 10 * SECOND);
    lab.options.canary = 1;
    lab.options.retry.base = 100 * SECOND;
    lab.options.retry.cap = 100 * SECOND;
    let (stopped, elapsed) = end_of(lab, |_, _| (LATENCY, passing(500))).await;
    assert_eq!((stopped, elapsed), (OUTAGE, 10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_report_that_takes_no_rows_is_no_wait_for_the_server() {
    let (row_sender, mut rows) = mpsc::channel(1);
    let (record_sender, records) = mpsc::channel(16);
    let (_signal_sender, signals) = mpsc::channel(1);
    let options = Options { most_rows: 1, max_wait: 10 * SECOND, ..options() };
    let state = State::new(options, Budget::new(&[], Instant::now()), StdRng::seed_from_u64(1));
    let send = |_| async {
        sleep(LATENCY).await;
        Response::Delete(Reply { answer: Answer::Success, http_status: Some(200), rate_limits: Vec::new() })
    };
    let (acknowledge, written) = watch::channel(0);
    let job = run::<Infallible, _>(state, records, row_sender, written, send, signals, |_| {});
    let writer = async {
        sleep(100 * SECOND).await;
        while let Some(batch) = rows.recv().await {
            acknowledge.send_modify(|rows| *rows += batch.len() as u64);
        }
    };
    record_sender.send(Ok(keys(16).collect())).await.unwrap();
    drop(record_sender);
    let (end, ()) = tokio::join!(job, writer);
    assert_eq!((end.stop, end.totals.tally.get(Status::Deleted)), (None, 16));
}

#[tokio::test(start_paused = true)]
async fn deletes_that_hang_while_the_namespace_is_found_are_no_progress() {
    let hang = |key: &str, _| match key {
        "the namespace" => (LATENCY, Answer::Success),
        _ => (5 * SECOND, Answer::Transient(TransientError::no_answer("timed out"))),
    };
    for most in [8, 60] {
        let (stopped, elapsed) = end_of(patient(100, most * SECOND), hang).await;
        assert_eq!((stopped, elapsed), (OUTAGE, most * SECOND));
    }
}

#[tokio::test(start_paused = true)]
async fn responses_that_never_come_end_the_job() {
    let (stopped, elapsed) = end_of(patient(100, 8 * SECOND), |_, _| (1_000 * SECOND, Answer::Success)).await;
    assert_eq!((stopped, elapsed), (OUTAGE, 8 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_wait_before_the_first_key_counts() {
    let mut lab = patient(100, 10 * SECOND);
    let start = Instant::now();
    let mut max_wait = MaxWait::new(10 * SECOND);
    max_wait.set_running(true, start);
    max_wait.namespace_found();
    max_wait.set_running(false, start + 7 * SECOND);
    lab.before = Some(max_wait);
    let (stopped, elapsed) = end_of(lab, |_, _| (LATENCY, passing(503))).await;
    assert_eq!((stopped, elapsed), (OUTAGE, 3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_rate_of_ours_is_no_wait_for_the_server() {
    let mut lab = patient(10, 60 * SECOND);
    lab.budget = Budget::new(&[Rate::new(1, Duration::from_mins(10)).unwrap()], Instant::now());
    let outcome = lab.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (None, 10));
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_refused_for_good_are_no_wait() {
    let outcome = patient(100, 2 * SECOND).run(|_, _| (SECOND, Answer::Refused(refusal(400)))).await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Failed)), (None, 100));
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_denied_one_by_one_are_no_wait() {
    let mut lab = patient(20, 3 * SECOND);
    lab.options.deleted_before = 1;
    let outcome = lab
        .run(|key, _| match key {
            "the namespace" => (SECOND, Answer::Success),
            _ => (SECOND, Answer::Fatal(Fatal::Unauthorized, refusal(403))),
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Failed)), (None, 20));
}

#[tokio::test(start_paused = true)]
async fn a_503_with_retry_after_pauses_an_outage_too() {
    let start = Instant::now();
    let asked = 20 * SECOND;
    let outcome = lab(200)
        .run(move |_, _| {
            let answer = match Instant::now() - start {
                time if time < 10 * SECOND => passing(503),
                time if time < 30 * SECOND => {
                    Answer::Throttled { error: TransientError::Refused(refusal(503)), pause: Some(asked) }
                }
                _ => Answer::Success,
            };
            (LATENCY, answer)
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (None, 200));
    let requests = outcome.seen.requests.borrow();
    let paused = requests.iter().find(|(at, _)| *at >= start + 10 * SECOND).unwrap().0;
    assert_eq!(outcome.seen.between(paused + LATENCY, paused + LATENCY + asked), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_every_first_attempt_starves_no_retry() {
    let outcome = lab(400).run(|_, nth| (LATENCY, if nth == 1 { passing(500) } else { Answer::Success })).await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (None, 400));
    assert!(outcome.end.elapsed < 100 * SECOND, "{:?}", outcome.end.elapsed);
}

#[tokio::test(start_paused = true)]
async fn keys_that_always_fail_at_the_head_of_a_job_hold_up_no_other() {
    let bad = |key: &str| key.strip_prefix("key-").and_then(|n| n.parse::<u32>().ok()).is_some_and(|n| n < 20);
    let outcome = lab(400).run(move |key, _| (LATENCY, if bad(key) { passing(500) } else { Answer::Success })).await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Failed), outcome.count(Status::Deleted)), (None, 20, 380));
}
