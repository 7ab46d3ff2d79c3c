//! What a bulk call's response accounts for is settled whatever its status; what it does not account for is unknown.

use std::collections::BTreeMap;

use super::*;

/// A job of 40 keys in calls of 10, whose nth call with these keys is answered like that.
async fn run(
    retries: u32,
    say: impl Fn(usize, &[KeyName]) -> (Answer, Accounting),
) -> (End<Infallible>, BTreeMap<u64, Settled>, usize) {
    let batch = BatchLimit { keys: std::num::NonZeroU32::new(10).unwrap(), bytes: 10_000 };
    let mut options = Options { batching: Batching::Bulk(batch), ..options() };
    options.retry.retries = retries;
    let calls = Cell::new(0);
    let (calls, say) = (&calls, &say);
    let send = |request| async move {
        sleep(LATENCY).await;
        match request {
            Request::DeleteMany(keys) => {
                calls.set(calls.get() + 1);
                let (answer, accounting) = say(calls.get(), &keys);
                Response::DeleteMany(BulkReply {
                    reply: Reply { answer, http_status: Some(500), rate_limits: Vec::new() },
                    accounting,
                })
            }
            Request::Namespace => Response::Namespace(Ok(())),
            other => unreachable!("{other:?}"),
        }
    };
    let (end, rows) = drive(options, Budget::new(&[], Instant::now()), keys(40), Duration::ZERO, send).await;
    (end, rows.into_iter().map(|row| (row.number.get(), row)).collect(), calls.get())
}

fn count(rows: &BTreeMap<u64, Settled>, status: Status) -> usize {
    rows.values().filter(|row| row.status == status).count()
}

fn all_but(names: &[&str], keys: &[KeyName]) -> Accounting {
    let unprocessed = keys.iter().filter(|key| names.contains(&key.as_str()));
    Accounting::Complete { unprocessed: unprocessed.map(|key| key.as_str().into()).collect() }
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_that_accounts_for_its_keys_settles_them() {
    let failures: [fn() -> Answer; 4] = [
        || passing(500),
        || passing(503),
        || Answer::Refused(refusal(400)),
        || Answer::Transient(TransientError::Unexpected(refusal(410))),
    ];
    for failure in failures {
        let (end, rows, _) = run(2, |_, keys| (failure(), all_but(&["key-3", "key-17"], keys))).await;
        assert_eq!((end.stop, count(&rows, Status::Deleted)), (None, 38));
        for number in [4, 18] {
            assert_eq!((rows[&number].status, rows[&number].attempts), (Status::Failed, 3), "the server named it");
            let error = &rows[&number].detail.as_ref().unwrap().error;
            assert!(error.contains("unsuccessful_keys"), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_were_left_are_deleted_by_a_retry() {
    let (end, rows, calls) = run(2, |nth, keys| {
        (
            if nth == 1 { passing(500) } else { Answer::Success },
            if nth == 1 { all_but(&["key-3"], keys) } else { all_but(&[], keys) },
        )
    })
    .await;
    assert_eq!((end.stop, count(&rows, Status::Deleted), calls), (None, 40, 5));
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_without_accounting_ends_as_unknown_and_never_as_failed() {
    let failures: [fn() -> Answer; 3] =
        [|| passing(500), || Answer::Refused(refusal(400)), || Answer::Fatal(Fatal::Unauthorized, refusal(403))];
    for failure in failures {
        let bad = |keys: &[KeyName]| keys.iter().any(|key| key.as_str() == "key-5");
        let (end, rows, _) =
            run(
                3,
                |_, keys| {
                    if bad(keys) { (failure(), Accounting::Missing) } else { (Answer::Success, all_but(&[], keys)) }
                },
            )
            .await;
        assert_eq!((end.stop, count(&rows, Status::Deleted), rows[&6].status), (None, 39, Status::Unknown));
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_makes_its_call_fail_takes_no_other_with_it() {
    let batch = BatchLimit { keys: std::num::NonZeroU32::new(1_000).unwrap(), bytes: 1_000_000 };
    let mut options = Options { batching: Batching::Bulk(batch), ..options() };
    options.retry.retries = 3;
    let send = |request| async move {
        sleep(LATENCY).await;
        let Request::DeleteMany(keys) = request else { return Response::Namespace(Ok(())) };
        let fails = keys.iter().any(|key| key.as_str() == "key-4321");
        let (answer, accounting) =
            if fails { (passing(500), Accounting::Missing) } else { (Answer::Success, all_but(&[], &keys)) };
        Response::DeleteMany(BulkReply {
            reply: Reply { answer, http_status: Some(500), rate_limits: Vec::new() },
            accounting,
        })
    };
    let (end, rows) = drive(options, Budget::new(&[], Instant::now()), keys(20_000), Duration::ZERO, send).await;
    let deleted = rows.iter().filter(|row| row.status == Status::Deleted).count();
    assert_eq!((end.stop, deleted), (None, 19_999));
}

#[tokio::test(start_paused = true)]
async fn a_success_that_contradicts_itself_is_sent_again_and_ends_as_unknown() {
    let (_, rows, _) = run(1, |_, _| (Answer::Success, Accounting::Missing)).await;
    assert_eq!(count(&rows, Status::Deleted) + count(&rows, Status::Failed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pause_and_the_daily_limit_keep_what_was_deleted() {
    let pause = || Answer::Throttled { error: TransientError::Refused(refusal(429)), pause: Some(SECOND) };
    let (end, rows, _) = run(0, |nth, keys| {
        (if nth == 1 { pause() } else { Answer::Success }, all_but(if nth == 1 { &["key-3"] } else { &[] }, keys))
    })
    .await;
    assert_eq!((end.stop, count(&rows, Status::Deleted)), (None, 40), "a pause costs no retry");
    let (end, rows, _) = run(0, |_, keys| (Answer::DailyLimit(refusal(429)), all_but(&["key-3"], keys))).await;
    assert_eq!(end.stop.map(|stop| stop.reason), Some(StopReason::DailyLimit));
    assert_eq!(rows[&1].status, Status::Deleted);
    assert_eq!(rows[&4].status, Status::Failed);
}
