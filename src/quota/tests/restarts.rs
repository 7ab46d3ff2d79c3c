//! The rates hold over restarts, whether a process ends in order or is killed.

use super::*;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Run after run on one job, each ended after `requests` of it were sent. The first is killed: requests that are under way
/// arrive nevertheless, and have no row. The others end once the responses came. Returns when requests arrived.
fn runs(rates: &[Rate], requests: &[usize], concurrency: usize, seed: u64) -> Vec<Duration> {
    let mut rng = StdRng::seed_from_u64(seed);
    let start = Instant::now();
    let (mut now, mut arrivals, mut rows) = (start, Vec::new(), Vec::new());
    for (nth, &requests) in requests.iter().enumerate() {
        let mut budget = Budget::new(rates, now);
        if nth > 0 {
            let mut earlier: Vec<Instant> = rows.clone();
            earlier.extend(std::iter::repeat_n(now + TIMEOUT, concurrency));
            budget.count_earlier(&earlier[earlier.len().saturating_sub(LATEST)..]);
        }
        let (mut sent, mut in_flight) = (0, Vec::<(Instant, Permit)>::new());
        loop {
            let mut wake = None;
            while sent < requests && in_flight.len() < concurrency {
                match budget.try_take(now) {
                    Ok(permit) => {
                        let latency = (MS * 3_000).mul_f64(rng.random_range(0.0..=1.0)).min(TIMEOUT);
                        arrivals.push(now + latency.mul_f64(rng.random_range(0.0..=1.0)) - start);
                        in_flight.push((now + latency, permit));
                        sent += 1;
                    }
                    Err(NotYet::Until(moment, _)) => {
                        assert!(moment > now, "told to ask again in the past");
                        wake = Some(moment);
                        break;
                    }
                    Err(NotYet::AnAnswer) => break,
                }
            }
            if sent == requests && (nth == 0 || in_flight.is_empty()) {
                break;
            }
            let answer = in_flight.iter().map(|(moment, _)| *moment).min();
            now = wake.into_iter().chain(answer).min().unwrap();
            let (over, rest): (Vec<_>, Vec<_>) = in_flight.into_iter().partition(|(moment, _)| *moment <= now);
            in_flight = rest;
            for (_, permit) in over {
                budget.give_back(permit, now);
                rows.push(now);
            }
        }
        now += MS * rng.random_range(0..500);
    }
    arrivals.sort_unstable();
    arrivals
}

proptest! {
    #[test]
    fn no_window_holds_more_than_its_rate_over_restarts(
        counts in prop::collection::vec((1_u32..40, 1_u32..8_000), 1..3),
        requests in prop::collection::vec(0_usize..60, 2..6),
        concurrency in 1_usize..20,
        seed: u64,
    ) {
        let rates: Vec<Rate> = counts.iter().map(|(count, ms)| Rate::new(*count, MS * *ms).unwrap()).collect();
        let arrivals = runs(&rates, &requests, concurrency, seed);
        for rate in &rates {
            let most = most_in_any(&arrivals, rate.window());
            prop_assert!(most <= rate.count().get() as usize, "{most} of {rate}");
        }
    }
}

#[test]
fn requests_that_are_not_remembered_are_taken_to_have_been_as_many_as_allowed() {
    let now = Instant::now() + Duration::from_hours(1);
    let full_until = |text: &str, answered: &[Instant]| {
        let mut budget = Budget::new(&[rate(text)], now);
        budget.count_earlier(answered);
        budget.full_until(now).map(|moment| moment - now)
    };
    let ago = |seconds: u32, count: usize| vec![now - Duration::from_secs(seconds.into()); count];
    assert_eq!(full_until("2000/1m", &ago(10, LATEST - 1)), None);
    // There may have been others, ten seconds ago or before.
    let full = full_until("2000/1m", &ago(10, LATEST)).unwrap();
    assert!((50..51).contains(&full.as_secs()), "{full:?}");
    assert_eq!(full_until("2000/1m", &ago(61, LATEST)), None);
    // The others are no matter to a rate that those suffice for.
    assert_eq!(full_until("1200/1m", &ago(10, LATEST)), Some(full));
    assert_eq!(full_until("1200/1m", &[ago(61, 1), ago(10, LATEST - 1)].concat()), None);
}

#[test]
fn other_rates_count_what_was_sent_before_them() {
    let start = Instant::now();
    let mut budget = Budget::new(&[rate("100/1m")], start);
    for second in 0..5 {
        let now = start + Duration::from_secs(second);
        let permit = budget.try_take(now).unwrap();
        budget.give_back(permit, now);
    }
    let now = start + Duration::from_secs(4);
    budget.set_rates(&[rate("1/1s")], now);
    assert!(matches!(budget.try_take(now), Err(NotYet::Until(moment, _)) if moment >= now + Duration::from_secs(1)));
    budget.set_rates(&[rate("6/1m")], now);
    let permit = budget.try_take(now).unwrap();
    assert_eq!(budget.try_take(now).unwrap_err(), NotYet::Until(start + Duration::from_mins(1) + MS * 60, Limit::Rate));
    budget.set_rates(&[], now);
    let others = [budget.try_take(now).unwrap(), permit];
    for permit in others {
        budget.give_back(permit, now);
    }
}
