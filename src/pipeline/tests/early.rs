//! The last keys of a job whose server is well.

use super::*;

#[tokio::test(start_paused = true)]
async fn the_end_of_a_job_is_not_held_up_by_backoffs() {
    let mut slowest = Duration::ZERO;
    for seed in 0..20 {
        let rng = RefCell::new(StdRng::seed_from_u64(seed));
        let outcome = lab(2_000)
            .run(move |_, _| {
                (LATENCY, if rng.borrow_mut().random_ratio(1, 10) { passing(503) } else { Answer::Success })
            })
            .await;
        assert_eq!(outcome.count(Status::Deleted), 2_000);
        // As long as all its requests take, eight at once.
        let busy = LATENCY * u32::try_from(outcome.end.totals.requests.div_ceil(8)).unwrap();
        slowest = slowest.max(outcome.end.elapsed.saturating_sub(busy));
    }
    assert!(slowest < SECOND / 2, "{slowest:?} beyond the requests");
}

#[tokio::test(start_paused = true)]
async fn no_key_is_tried_more_often_than_its_retries_allow_nor_much_sooner() {
    for retries in 1..9 {
        let mut lab = lab(20);
        lab.options.retry.retries = retries;
        let outcome = lab.run(|key, _| (LATENCY, if key == "key-3" { passing(500) } else { Answer::Success })).await;
        assert_eq!(outcome.seen.count("key-3"), retries as usize + 1);
        assert_eq!((outcome.count(Status::Failed), outcome.count(Status::Deleted)), (1, 19));
        if retries == 8 {
            assert!(outcome.end.elapsed > 10 * SECOND, "the waits are no shorter: {:?}", outcome.end.elapsed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_the_server_asked_for_is_not_cut_short() {
    let outcome = lab(20)
        .run(|key, nth| {
            let retry_after = Some(30 * SECOND);
            let asks = Answer::Passing { trouble: Trouble::Refused(refusal(503)), retry_after };
            (LATENCY, if key == "key-3" && nth == 1 { asks } else { Answer::Success })
        })
        .await;
    assert_eq!((outcome.count(Status::Deleted), outcome.seen.count("key-3")), (20, 2));
    assert!(outcome.end.elapsed > 30 * SECOND);
}
