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
    assert!(slowest < SECOND * 2 / 5, "{slowest:?} beyond the requests");
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
            let slow_down =
                Answer::Throttled { error: TransientError::Refused(refusal(503)), pause: Some(30 * SECOND) };
            (LATENCY, if key == "key-3" && nth == 1 { slow_down } else { Answer::Success })
        })
        .await;
    assert_eq!((outcome.count(Status::Deleted), outcome.seen.count("key-3")), (20, 2));
    assert!(outcome.end.elapsed > 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_key_tried_in_haste_is_given_up_no_sooner() {
    let mut sums = Vec::new();
    for retries in [3, 4, 6] {
        let mut lab = lab(20);
        let policy = RetryPolicy { retries, base: 8 * SECOND, ..lab.options.retry };
        lab.options.retry = policy;
        let outcome = lab.run(|key, _| (LATENCY, if key == "key-3" { passing(500) } else { Answer::Success })).await;
        let requests = outcome.seen.requests.borrow();
        let tried: Vec<_> = requests.iter().filter(|(_, key)| key == "key-3").map(|(at, _)| *at).collect();
        assert_eq!(tried.len(), retries as usize + 1);
        assert!(tried[1] - tried[0] < SECOND, "it is tried in haste");
        // What all of its backoffs come to.
        let mut rng = StdRng::seed_from_u64(11);
        let waits: Duration = (0..retries).map(|failures| policy.backoff(failures, &mut rng)).sum();
        sums.push((*tried.last().unwrap() - tried[0], waits));
    }
    assert!(sums.iter().all(|(lasted, waits)| lasted >= waits), "{sums:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_down_at_the_end_takes_no_retries_in_haste() {
    const KEYS: usize = 4_000;
    let quick = Duration::from_millis(1);
    let (rng, begun) = (RefCell::new(StdRng::seed_from_u64(5)), Cell::new(0));
    let down_at = Rc::new(Cell::new(None::<Instant>));
    let went_down = Rc::clone(&down_at);
    let outcome = lab(KEYS)
        .run(move |_, nth| {
            begun.set(begun.get() + usize::from(nth == 1));
            if begun.get() == KEYS && went_down.get().is_none() {
                went_down.set(Some(Instant::now()));
            }
            let is_down = went_down.get().is_some_and(|at| at.elapsed() < SECOND);
            // Up to then half of the first attempts fail, and so hundreds of keys wait.
            let fails = is_down || (nth == 1 && rng.borrow_mut().random_ratio(1, 2));
            (quick, if fails { passing(503) } else { Answer::Success })
        })
        .await;
    assert_eq!(outcome.count(Status::Deleted), KEYS);
    let at = down_at.get().unwrap();
    let (early, later) = (at + SECOND / 10, at + SECOND);
    // In haste they would be as many as eight at once can be: eight hundred in a tenth of a second.
    let (soon, all) = (outcome.seen.between(at, early), outcome.seen.between(at, later));
    assert!(soon < 400 && all < 1_000, "{soon}, {all}");
}
