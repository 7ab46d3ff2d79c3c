//! How a job ends before its input does.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_fatal_answer_ends_the_job_and_those_in_flight_are_finished() {
    let outcome = lab(500)
        .run(|key, _| {
            let fatal = key == "key-100" || key == "the namespace";
            (LATENCY, if fatal { Answer::Fatal(Fatal::Unauthorized, refusal(403)) } else { Answer::Success })
        })
        .await;
    assert_eq!(outcome.stopped(), Some(StopReason::Unauthorized));
    assert_eq!(outcome.seen.count("the namespace"), 1);
    assert_eq!(outcome.rows.len(), outcome.seen.requests.borrow().len() - 1);
    assert_eq!(outcome.count(Status::Failed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_signal_drains_and_the_second_ends_at_once() {
    let mut first = lab(500);
    first.signals = vec![(SECOND + LATENCY / 2, Signal::Terminate)];
    let outcome = first.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!((outcome.stopped(), outcome.end.elapsed), (Some(StopReason::Interrupted), SECOND + LATENCY));
    assert_eq!(outcome.count(Status::Deleted), outcome.seen.requests.borrow().len());

    let mut second = lab(500);
    second.signals = vec![(SECOND, Signal::Interrupt), (2 * SECOND, Signal::Interrupt)];
    let outcome = second.run(|_, _| (100 * SECOND, Answer::Success)).await;
    assert_eq!((outcome.count(Status::Unknown), outcome.end.elapsed), (8, 2 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn the_first_signal_after_a_deadline_still_waits_for_those_in_flight() {
    let mut lab = lab(500);
    lab.options.deadline = Some(Instant::now() + SECOND);
    lab.signals = vec![(2 * SECOND, Signal::Terminate)];
    let outcome = lab.run(|_, _| (5 * SECOND, Answer::Success)).await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (Some(StopReason::Deadline), 8));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_when_the_grace_ends_is_unknown() {
    let mut lab = lab(500);
    lab.signals = vec![(SECOND, Signal::Interrupt)];
    let outcome = lab.run(|_, _| (100 * SECOND, Answer::Success)).await;
    assert_eq!((outcome.count(Status::Unknown), outcome.end.elapsed), (8, 11 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn no_request_is_counted_that_was_not_sent() {
    let mut lab = lab(500);
    lab.options.concurrency = 2;
    lab.options.grace = Duration::ZERO;
    let outcome = lab
        .run(|key, _| {
            let pause = Some(Duration::from_hours(1));
            let slow_down = Answer::Throttled { error: TransientError::Refused(refusal(429)), pause };
            // Both are answered at the same moment: the job ends before the first has its row.
            (LATENCY, if key == "key-1" { slow_down } else { Answer::Success })
        })
        .await;
    assert_eq!((outcome.stopped(), outcome.rows.len()), (Some(StopReason::Outage), 2));
    assert_eq!(outcome.end.totals.requests, outcome.seen.requests.borrow().len() as u64);
}

#[tokio::test(start_paused = true)]
async fn guards_end_the_job() {
    let mut deadline = lab(5_000);
    deadline.options.deadline = Some(Instant::now() + 2 * SECOND);
    let outcome = deadline.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!((outcome.stopped(), outcome.end.elapsed), (Some(StopReason::Deadline), 2 * SECOND));

    let mut keys = lab(500);
    keys.max_keys = Some(100);
    let outcome = keys.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (Some(StopReason::MaxKeys), 100));

    let mut resumed = lab(500);
    (resumed.max_keys, resumed.options.deleted_before) = (Some(100), 40);
    let outcome = resumed.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!((outcome.stopped(), outcome.count(Status::Deleted)), (Some(StopReason::MaxKeys), 60));

    let mut failures = lab(500);
    failures.options.max_failures = Some(FailureLimit::Count(NonZeroU64::new(4).unwrap()));
    let outcome = failures
        .run(|key, _| (LATENCY, if key.ends_with('1') { Answer::Refused(refusal(400)) } else { Answer::Success }))
        .await;
    assert_eq!(outcome.stopped(), Some(StopReason::MaxFailures));
    assert!((4..=6).contains(&outcome.count(Status::Failed)));
}

#[tokio::test(start_paused = true)]
async fn canaries_go_alone() {
    let mut good = lab(500);
    good.options.canary = 5;
    let outcome = good.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!(outcome.count(Status::Deleted), 500);
    assert_eq!(outcome.seen.between(outcome.start, outcome.start + LATENCY), 5, "sent before they were all answered");

    let mut stormy = lab(500);
    stormy.options.canary = 5;
    let up = Instant::now() + 20 * SECOND;
    let outcome =
        stormy.run(move |_, _| (LATENCY, if Instant::now() < up { passing(503) } else { Answer::Success })).await;
    let tried: HashSet<_> =
        outcome.seen.requests.borrow().iter().filter(|(at, _)| *at < up).map(|(_, key)| key.clone()).collect();
    assert!(tried.iter().all(|key| key == "the namespace" || key.as_str() < "key-5"), "{tried:?} in the outage");
    assert_eq!(outcome.count(Status::Deleted), 500);

    let mut bad = lab(500);
    bad.options.canary = 5;
    let outcome =
        bad.run(|key, _| (LATENCY, if key == "key-3" { Answer::Refused(refusal(400)) } else { Answer::Success })).await;
    assert_eq!(outcome.stopped(), Some(StopReason::Canary));
    assert_eq!((outcome.count(Status::Deleted), outcome.count(Status::Failed)), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn when_the_report_is_gone_nothing_more_is_sent() {
    let mut lab = lab(5_000);
    lab.rows_until_closed = 100;
    let outcome = lab.run(|_, _| (LATENCY, Answer::Success)).await;
    assert_eq!(outcome.stopped(), Some(StopReason::IoError));
    // The last batch of rows that was taken may have made it up to seven more.
    assert!(outcome.seen.requests.borrow().len() <= 107 + 8, "{}", outcome.seen.requests.borrow().len());
}

#[tokio::test(start_paused = true)]
async fn a_slow_report_stops_the_sending() {
    let (record_sender, records) = mpsc::channel(8);
    let (row_sender, row_receiver) = mpsc::channel(16);
    let (_signal_sender, signals) = mpsc::channel(1);
    let requests = Rc::new(Cell::new(0));
    let send = |_| {
        requests.set(requests.get() + 1);
        async {
            sleep(LATENCY).await;
            Response::Delete(Reply { answer: Answer::Success, http_status: Some(200), rate_limits: Vec::new() })
        }
    };
    let state = State::new(options(), Budget::new(&[], Instant::now()), StdRng::seed_from_u64(1));
    let (_acknowledge, written) = watch::channel(0);
    let job = run::<Infallible, _>(state, records, row_sender, written, send, signals, |_| {});
    let feed = async {
        for record in keys(100_000) {
            record_sender.send(Ok(vec![record])).await.unwrap();
        }
    };
    let stalled = tokio::time::timeout(Duration::from_hours(1), async { tokio::join!(job, feed) }).await;
    assert!(stalled.is_err(), "no row is written, so it cannot end");
    assert_eq!(requests.get(), options().concurrency, "sent while no row was written");
    drop(row_receiver);
}
