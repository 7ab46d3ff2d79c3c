//! A refusal that may be one key's or the whole job's.

use super::*;

fn denied(fatal: Fatal, status: u16) -> Answer {
    Answer::Fatal(fatal, refusal(status))
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_while_the_namespace_is_found_fails_alone() {
    for (fatal, status) in [
        (Fatal::Unauthorized, 401),
        (Fatal::Unauthorized, 403),
        (Fatal::AccountNotFound, 404),
        (Fatal::NamespaceNotFound, 404),
    ] {
        let outcome = lab(500)
            .run(move |key, _| (LATENCY, if key == "key-100" { denied(fatal, status) } else { Answer::Success }))
            .await;
        assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (None, 499));
        assert_eq!((outcome.status()[&101], outcome.seen.count("key-100")), (Status::Failed, 1));
        assert_eq!(outcome.seen.count("the namespace"), 1, "it is requested once");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_key_of_a_job_may_be_the_one_that_is_refused() {
    for keys in [1, 2, 500] {
        let outcome = lab(keys)
            .run(|key, _| (LATENCY, if key == "key-0" { denied(Fatal::Unauthorized, 403) } else { Answer::Success }))
            .await;
        assert_eq!((outcome.stopped(), outcome.count(Status::Failed)), (None, 1), "{keys} keys");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_may_read_but_not_delete_end_the_job() {
    let read_only = |key: &str, _| {
        (LATENCY, if key == "the namespace" { Answer::Success } else { denied(Fatal::Unauthorized, 403) })
    };
    let outcome = lab(5_000).run(read_only).await;
    assert_eq!(outcome.stopped(), Some(StopReason::Unauthorized));
    assert!((8..=16).contains(&outcome.count(Status::Failed)), "{}", outcome.count(Status::Failed));
}

#[tokio::test(start_paused = true)]
async fn credentials_that_deleted_keys_before_are_believed() {
    let mut lab = lab(500);
    lab.options.deleted_before = 1;
    let denies = |key: &str| key.len() == "key-0".len();
    let outcome =
        lab.run(move |key, _| (LATENCY, if denies(key) { denied(Fatal::Unauthorized, 403) } else { Answer::Success }));
    let outcome = outcome.await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Failed), outcome.count(Status::Deleted)), (None, 10, 490));
}

#[tokio::test(start_paused = true)]
async fn one_key_of_a_bulk_call_that_is_refused_over_and_over_fails_alone() {
    let batch = BatchLimit { keys: 400.try_into().unwrap(), bytes: 1_000_000 };
    let options = Options { batching: Batching::Bulk(batch), concurrency: 1, ..options() };
    let send = |request| async move {
        sleep(LATENCY).await;
        let Request::DeleteMany(keys) = request else { return Response::Namespace(Ok(())) };
        let is_denied = keys.iter().any(|key| key.as_str() == "key-0");
        let answer = if is_denied { denied(Fatal::Unauthorized, 403) } else { Answer::Success };
        let accounting = if is_denied { Accounting::Missing } else { Accounting::Complete { unprocessed: Vec::new() } };
        Response::DeleteMany(BulkReply {
            reply: Reply { answer, http_status: Some(403), rate_limits: Vec::new() },
            accounting,
        })
    };
    let (end, rows) = drive(options, Budget::new(&[], Instant::now()), keys(400), Duration::ZERO, send).await;
    let deleted = rows.iter().filter(|row| row.status == Status::Deleted).count();
    assert_eq!((end.stop, deleted, rows.len()), (None, 399, 400));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_until_the_namespace_has_answered() {
    let outcome = lab(500)
        .run(|key, nth| match key {
            "key-100" => (LATENCY, denied(Fatal::Unauthorized, 401)),
            "the namespace" if nth < 3 => (SECOND, passing(503)),
            "the namespace" => (SECOND, Answer::Success),
            _ => (LATENCY, Answer::Success),
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted), outcome.count(Status::Failed)), (None, 499, 1));
    let requests = outcome.seen.requests.borrow();
    let checks: Vec<_> = requests.iter().filter(|(_, key)| key == "the namespace").map(|(at, _)| *at).collect();
    assert_eq!(checks.len(), 3);
    assert_eq!(outcome.seen.between(checks[0] + LATENCY, checks[2] + SECOND), 2, "only the checks");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_stops_the_job_whatever_else_is_in_flight() {
    let start = Instant::now();
    let outcome = lab(500)
        .run(move |_, _| {
            let expired = Instant::now() > start + SECOND;
            (LATENCY, if expired { denied(Fatal::Unauthorized, 401) } else { Answer::Success })
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.seen.count("the namespace")), (Some(StopReason::Unauthorized), 1));
    assert_eq!(outcome.count(Status::Failed), 8, "those that were in flight");
}

#[tokio::test(start_paused = true)]
async fn a_signal_while_the_namespace_is_requested_ends_the_job() {
    let mut lab = lab(500);
    lab.signals = vec![(SECOND, Signal::Terminate)];
    let outcome = lab
        .run(|key, _| match key {
            "key-3" => (LATENCY, denied(Fatal::Unauthorized, 401)),
            "the namespace" => (100 * SECOND, Answer::Success),
            _ => (LATENCY, Answer::Success),
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.end.elapsed), (Some(StopReason::Interrupted), SECOND));
    assert_eq!(outcome.status()[&4], Status::Failed, "what the server said of it stands");
}

/// Seed 3002961 of the simulation.
#[tokio::test(start_paused = true)]
async fn keys_that_are_denied_when_they_are_read_end_no_job_that_reads_others() {
    let options = Options { action: KeyAction::BackUpThenDelete, ..options() };
    let send = |request| async move {
        sleep(LATENCY).await;
        let reply = |answer| Reply { answer, http_status: Some(200), rate_limits: Vec::new() };
        match request {
            Request::Metadata(key) if key.as_str().ends_with(['1', '2', '3', '4', '5']) => {
                Response::Metadata(reply(denied(Fatal::Unauthorized, 403)), None)
            }
            Request::Metadata(_) => Response::Metadata(reply(Answer::Success), None),
            // Reading takes so long that all others are denied before the first key is deleted.
            Request::BackUp(..) => {
                sleep(100 * SECOND).await;
                Response::BackedUp(Ok(reply(Answer::Success)))
            }
            Request::Namespace => Response::Namespace(Ok(())),
            _ => Response::Delete(reply(Answer::Success)),
        }
    };
    let (end, rows) = drive(options, Budget::new(&[], Instant::now()), keys(40), Duration::ZERO, send).await;
    let deleted = rows.iter().filter(|row| row.status == Status::Deleted).count();
    assert_eq!((end.stop, deleted, rows.len()), (None, 20, 40));
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_with_a_token_that_is_replaced_is_sent_again() {
    let outcome = lab(200)
        .run(|key, nth| {
            let answer = match key {
                "key-100" if nth == 1 => denied(Fatal::Unauthorized, 401),
                "the namespace" if nth == 1 => Answer::TokenReplaced(refusal(401)),
                _ => Answer::Success,
            };
            (LATENCY, answer)
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (None, 200));
    assert_eq!(outcome.seen.count("key-100"), 2);
}
