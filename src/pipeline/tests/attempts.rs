//! Keys, pages, probes and single calls are retried alike.

use super::pages::listing;
use super::*;
use crate::api::Page;
use crate::pipeline::call::{ApiCaller, CallError};
use crate::quota::RateLimitInfo;

fn caller(retries: u32) -> ApiCaller {
    let policy = RetryPolicy { retries, ..RetryPolicy::default() };
    ApiCaller::new(&[], policy, Duration::from_mins(15), StdRng::seed_from_u64(3))
}

/// Makes a call that is always answered like this; the waits in between, and how it ended.
async fn waits_of(mut caller: ApiCaller, reply: impl Fn(usize) -> Reply) -> (Vec<Duration>, Stop) {
    let (mut waits, calls) = (Vec::new(), Cell::new(0));
    let call = || async {
        calls.set(calls.get() + 1);
        Err::<(), _>(reply(calls.get()))
    };
    match caller.call_with_retry(|notice| waits.push(notice.wait), call).await {
        Err(CallError::Stop(stop)) => (waits, stop),
        other => panic!("{other:?}"),
    }
}

fn reply(answer: Answer) -> Reply {
    Reply { answer, http_status: None, rate_limits: Vec::new() }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_job_names_the_last_attempt_whatever_it_was() {
    let keys = lab(100).run(|_, _| (LATENCY, closed())).await.end.stop.unwrap();
    let pages = listing(3, 10).run(|_, _| (LATENCY, closed())).await.end.stop.unwrap();
    let (_, call) = waits_of(caller(8), |_| reply(closed())).await;
    for stop in [keys, pages, call] {
        let why = &stop.why;
        assert!(
            why.starts_with("no request succeeded within --max-wait 15m: closed (") && why.ends_with(" attempts)"),
            "{why}"
        );
        assert_eq!(stop.reason, StopReason::Outage);
    }
}

#[tokio::test(start_paused = true)]
async fn each_request_that_is_sent_again_is_one_event() {
    for answer in [closed(), lost(), passing(503)] {
        let outcome =
            lab(20).run(move |_, nth| (LATENCY, if nth == 1 { answer.clone() } else { Answer::Success })).await;
        let events = outcome.events.iter().filter(|event| **event == Event::Retrying).count();
        assert_eq!(events as u64, outcome.end.totals.retries);
        assert!(events >= 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_call_keeps_to_the_quota_that_a_failed_response_names() {
    let start = Instant::now();
    let info = RateLimitInfo { name: "default".into(), remaining: 0, reset_after: 60 * SECOND, policy: None };
    let mut caller = caller(8);
    let first = Cell::new(true);
    let call = || async {
        if first.replace(false) {
            Err(Reply { rate_limits: vec![info.clone()], ..reply(passing(503)) })
        } else {
            Ok(start.elapsed())
        }
    };
    let sent_again = caller.call_with_retry(|_| {}, call).await.unwrap();
    assert!(sent_again >= 60 * SECOND, "{sent_again:?}");
}

#[tokio::test(start_paused = true)]
async fn a_single_call_probes_a_server_that_is_down_as_a_job_does() {
    let (waits, _) = waits_of(caller(8), |_| reply(passing(503))).await;
    let probes: Vec<_> = waits[7..15].iter().map(Duration::as_secs).collect();
    assert_eq!(probes, [1, 2, 4, 8, 16, 30, 30, 30], "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_check_of_the_namespace_that_fails_is_an_outage_too() {
    let outcome = lab(500)
        .run(|key, nth| match key {
            "key-100" => (LATENCY, Answer::Fatal(Fatal::Unauthorized, refusal(401))),
            "the namespace" if nth < 12 => (LATENCY, passing(503)),
            _ => (LATENCY, Answer::Success),
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted), outcome.count(Status::Failed)), (None, 499, 1));
    assert_eq!(outcome.seen.count("the namespace"), 12);
    assert!(outcome.events.iter().any(|event| matches!(event, Event::Paused { cause: PauseCause::Outage, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_single_page_that_names_the_quota_is_heeded() {
    let start = Instant::now();
    let info = RateLimitInfo { name: "default".into(), remaining: 0, reset_after: 60 * SECOND, policy: None };
    let mut caller = caller(8);
    let page = || async { Ok(Page { keys: Vec::new(), next: None, rate_limits: vec![info.clone()] }) };
    caller.fetch_page(|_| {}, page).await.unwrap();
    caller.fetch_page(|_| {}, page).await.unwrap();
    assert!(start.elapsed() >= 60 * SECOND, "{:?}", start.elapsed());
}
