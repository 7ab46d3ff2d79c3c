//! Single calls: what they count, when they give up, and what a first response that is not the API's leads to.

use super::*;
use crate::pipeline::call::{ApiCaller, CallError};

fn calls(retries: u32, max_wait: Duration) -> ApiCaller {
    let policy = RetryPolicy { retries, ..RetryPolicy::default() };
    ApiCaller::new(&[], policy, max_wait, StdRng::seed_from_u64(3))
}

/// Makes a call that succeeds at attempt `last`, and otherwise gets this answer.
async fn call(calls: &mut ApiCaller, last: usize, answer: &Answer) -> Result<usize, CallError> {
    let attempts = Cell::new(0);
    let once = || async {
        attempts.set(attempts.get() + 1);
        let failed = Reply { answer: answer.clone(), http_status: None, rate_limits: Vec::new() };
        if attempts.get() == last { Ok(last) } else { Err(failed) }
    };
    calls.call_with_retry(|_| {}, once).await
}

fn stopped(result: Result<usize, CallError>) -> StopReason {
    match result {
        Err(CallError::Stop(stop)) => stop.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_a_request_and_all_but_the_first_are_retries() {
    let mut calls = calls(8, Duration::from_hours(1));
    assert_eq!(call(&mut calls, 1, &lost()).await, Ok(1));
    assert_eq!((calls.totals.requests, calls.totals.retries), (1, 0));
    assert_eq!(call(&mut calls, 4, &lost()).await, Ok(4));
    assert_eq!((calls.totals.requests, calls.totals.retries), (5, 3));
}

#[tokio::test(start_paused = true)]
async fn few_retries_are_used_up_and_many_end_with_max_wait_alone() {
    let begun = Instant::now();
    let mut few = calls(2, Duration::from_hours(1));
    assert_eq!(stopped(call(&mut few, usize::MAX, &lost()).await), StopReason::Outage);
    assert!(few.totals.requests == 3 && begun.elapsed() < Duration::from_mins(1), "{:?}", few.totals);

    let begun = Instant::now();
    let mut many = calls(8, Duration::from_hours(1));
    assert_eq!(stopped(call(&mut many, usize::MAX, &lost()).await), StopReason::Outage);
    assert!(many.totals.requests > 100, "{:?}", many.totals);
    assert_eq!(begun.elapsed(), Duration::from_hours(1));
}

#[tokio::test(start_paused = true)]
async fn a_page_of_another_server_ends_the_job_at_once_unless_something_has_worked() {
    let page = Answer::Transient(TransientError::Unexpected(refusal(200)));
    let mut calls = calls(8, Duration::from_hours(1));
    assert_eq!(stopped(call(&mut calls, 2, &page).await), StopReason::UnexpectedResponse);
    assert_eq!(calls.totals.requests, 1);
    assert_eq!(call(&mut calls, 1, &lost()).await, Ok(1));
    assert_eq!(call(&mut calls, 5, &page).await, Ok(5), "waited out");
}

/// Responses that say nothing about the server's health have it probed again at once, each time.
#[tokio::test(start_paused = true)]
async fn a_429_to_a_probe_is_no_failed_probe() {
    use crate::pipeline::call::Evidence;
    use crate::pipeline::circuit_breaker::{Allowance, Health};

    let mut calls = calls(8, Duration::from_hours(1));
    let throttled = Answer::Throttled { error: TransientError::Refused(refusal(429)), pause: Some(SECOND) };
    let observe = |calls: &mut ApiCaller, answer: &Answer, health, probe| {
        let permit = calls.budget.try_take(Instant::now()).unwrap();
        let evidence = Evidence { health, read: false, probe, requests: 1_000 };
        calls.observe(answer, &[], evidence, &permit, Instant::now()).unwrap();
        calls.budget.give_back(permit, Instant::now());
    };
    for _ in 0..8 {
        observe(&mut calls, &lost(), Some(Health::Down { first_attempt: true }), false);
    }
    sleep(SECOND).await;
    for _ in 0..3 {
        assert_eq!(calls.breaker.allowance(Instant::now()), Allowance::Probe);
        calls.breaker.probe_sent();
        observe(&mut calls, &throttled, None, true);
        // Longer than the pause, and shorter than the wait after a probe that failed.
        sleep(3 * SECOND / 2).await;
    }
}
