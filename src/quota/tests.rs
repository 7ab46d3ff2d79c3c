use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

mod restarts;

const MS: Duration = Duration::from_millis(1);

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

/// One request as the simulated server saw it, relative to the start.
struct Simulated {
    arrivals: Vec<Duration>,
    finished: Duration,
}

/// Sends `requests` as fast as `budget` allows, at most `concurrency` at once, each arriving at the server at a
/// random moment of its random latency.
fn simulate(
    rates: &[Rate],
    requests: usize,
    concurrency: usize,
    latency: (Duration, Duration),
    seed: u64,
) -> Simulated {
    let mut rng = StdRng::seed_from_u64(seed);
    let start = Instant::now();
    let mut budget = Budget::new(rates, start);
    let mut now = start;
    let mut in_flight: BinaryHeap<Reverse<Instant>> = BinaryHeap::new();
    let mut permits = Vec::new();
    let mut arrivals = Vec::new();
    let mut sent = 0;
    while sent < requests || !in_flight.is_empty() {
        let mut wake = None;
        while sent < requests && in_flight.len() < concurrency {
            match budget.try_take(now) {
                Ok(permit) => {
                    let latency = rng.random_range(latency.0..=latency.1);
                    arrivals.push(now + latency.mul_f64(rng.random_range(0.0..=1.0)) - start);
                    in_flight.push(Reverse(now + latency));
                    permits.push(permit);
                    sent += 1;
                }
                Err(NotYet::Until(moment, _)) => {
                    assert!(moment > now, "told to ask again in the past");
                    wake = Some(moment);
                    break;
                }
                Err(NotYet::AnAnswer) => {
                    assert!(!in_flight.is_empty(), "told to wait for an answer that cannot come");
                    break;
                }
            }
        }
        let answer = in_flight.peek().map(|Reverse(moment)| *moment);
        now = match (wake, answer) {
            (Some(wake), Some(answer)) => wake.min(answer),
            (wake, answer) => wake.or(answer).unwrap(),
        };
        while in_flight.peek().is_some_and(|Reverse(moment)| *moment <= now) {
            in_flight.pop();
            budget.give_back(permits.pop().unwrap(), now);
        }
    }
    arrivals.sort();
    Simulated { arrivals, finished: now - start }
}

/// The most arrivals in any window of this length, sliding.
fn most_in_any(arrivals: &[Duration], window: Duration) -> usize {
    let mut oldest = 0;
    (0..arrivals.len())
        .map(|newest| {
            while arrivals[oldest] + window <= arrivals[newest] {
                oldest += 1;
            }
            newest - oldest + 1
        })
        .max()
        .unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_window_ever_holds_more_than_the_rate(
        seed: u64,
        long in (1u32..200, 500u64..20_000),
        short in (1u32..60, 20u64..2_000),
        requests in 1usize..800,
        concurrency in 1usize..80,
        low in 0u64..200,
        spread in 0u64..2_000,
    ) {
        let rates = [long, short].map(|(count, ms)| Rate::new(count, MS * u32::try_from(ms).unwrap()).unwrap());
        let latency = (Duration::from_millis(low), Duration::from_millis(low + spread));
        let seen = simulate(&rates, requests, concurrency, latency, seed);
        prop_assert_eq!(seen.arrivals.len(), requests);
        for rate in rates {
            prop_assert!(most_in_any(&seen.arrivals, rate.window()) <= rate.count().get() as usize);
        }
    }

    #[test]
    fn the_promised_moment_is_neither_late_nor_early(seed: u64, count in 1u32..50, ms in 10u32..2_000) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut now = Instant::now();
        let mut budget = Budget::new(&[Rate::new(count, MS * ms).unwrap()], now);
        for _ in 0..200 {
            match budget.try_take(now) {
                Ok(permit) => {
                    now += MS * rng.random_range(0..20);
                    budget.give_back(permit, now);
                }
                Err(NotYet::Until(moment, _)) => {
                    prop_assert!(budget.try_take(moment - Duration::from_nanos(1)).is_err());
                    now = moment;
                    // The window may open before the pace does; a second moment has to be the last one.
                    let again = budget.try_take(now);
                    if let Err(NotYet::Until(later, _)) = again {
                        prop_assert!(later > now);
                        now = later;
                        let permit = budget.try_take(now);
                        prop_assert!(permit.is_ok());
                        budget.give_back(permit.unwrap(), now);
                    } else {
                        budget.give_back(again.unwrap(), now);
                    }
                }
                Err(NotYet::AnAnswer) => prop_assert!(false, "nothing is in flight"),
            }
        }
    }
}

#[test]
fn a_job_smaller_than_the_budget_runs_at_once() {
    let seen = simulate(&[Rate::PER_USER, Rate::PER_ADDRESS], 1_200, 32, (20 * MS, 80 * MS), 1);
    assert!(seen.finished < Duration::from_secs(8), "took {:?}", seen.finished);
}

#[test]
fn a_long_job_is_within_two_percent_of_the_best() {
    for seed in 0..4 {
        let seen = simulate(&[rate("500/10s")], 20_000, 64, (20 * MS, 80 * MS), seed);
        let best = least_time(&[rate("500/10s")], 20_000).as_secs_f64();
        let ratio = seen.finished.as_secs_f64() / best;
        assert!(ratio < 1.02, "{ratio} of the best at seed {seed}");
    }
    let seen = simulate(&[Rate::PER_USER, Rate::PER_ADDRESS], 60_000, 32, (20 * MS, 300 * MS), 9);
    let ratio = seen.finished.as_secs_f64() / least_time(&[Rate::PER_USER], 60_000).as_secs_f64();
    assert!(ratio < 1.003, "{ratio} of the best");
}

#[test]
fn a_short_window_is_not_spent_in_its_first_moment() {
    let seen = simulate(&[rate("200/1s")], 200, 200, (MS, MS), 3);
    assert!(most_in_any(&seen.arrivals, 100 * MS) <= 41, "a tenth at once and a tenth spread");
}

fn first_permit(budget: &mut Budget, now: Instant) -> Permit {
    budget.try_take(now).unwrap()
}

#[test]
fn a_429_pauses_everybody_as_asked_and_those_under_way_extend_it_only() {
    let start = Instant::now();
    let mut budget = Budget::new(&[rate("100/10s")], start);
    let permits: Vec<_> = (0..3).map(|_| first_permit(&mut budget, start)).collect();
    let now = start + 50 * MS;
    let pause = budget.throttled(&permits[0], Some(Duration::from_secs(7)), now);
    assert!(pause >= Duration::from_secs(7) && pause < Duration::from_secs(8));
    let shorter = budget.throttled(&permits[1], Some(Duration::from_secs(2)), now);
    assert_eq!(shorter, pause, "a shorter wish does not shorten the pause");
    assert!(budget.throttled(&permits[2], Some(Duration::from_secs(9)), now) > pause);
    assert_eq!(budget.try_take(now + MS).unwrap_err(), NotYet::Until(budget.paused_until(now).unwrap(), Limit::Server));
}

#[test]
fn unasked_pauses_double_once_a_refusal_not_once_an_answer() {
    let mut now = Instant::now();
    let mut budget = Budget::new(&[rate("200/1s")], now);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let permits = [first_permit(&mut budget, now), first_permit(&mut budget, now + 10 * MS)];
        now += 20 * MS;
        let longest = permits.iter().map(|permit| budget.throttled(permit, None, now)).max().unwrap();
        for permit in permits {
            budget.give_back(permit, now);
        }
        pauses.push(longest.as_secs());
        now = budget.paused_until(now).unwrap();
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
}

#[test]
fn after_a_pause_requests_start_evenly_and_never_in_a_burst() {
    for (rates, most) in [(vec![rate("100/10s")], 11), (vec![], 5)] {
        let start = Instant::now();
        let mut budget = Budget::new(&rates, start);
        let permit = first_permit(&mut budget, start);
        let pause = budget.throttled(&permit, Some(Duration::from_secs(30)), start);
        budget.give_back(permit, start);
        let mut now = start + pause;
        let end = now + Duration::from_secs(1);
        let mut sent = 0;
        while now < end {
            match budget.try_take(now) {
                Ok(permit) => {
                    sent += 1;
                    budget.give_back(permit, now);
                }
                Err(NotYet::Until(moment, _)) => now = moment,
                Err(NotYet::AnAnswer) => unreachable!(),
            }
        }
        assert!((2..=most).contains(&sent), "{sent} in the first second after the pause");
    }
}

#[test]
fn without_rates_the_careful_start_ends() {
    let start = Instant::now();
    let mut budget = Budget::new(&[], start);
    let permit = first_permit(&mut budget, start);
    let mut now = start + budget.throttled(&permit, Some(Duration::from_secs(1)), start);
    budget.give_back(permit, now);
    while let Err(NotYet::Until(moment, _)) = budget.try_take(now).map(|permit| budget.give_back(permit, now)) {
        now = moment;
    }
    now += Duration::from_mins(2);
    for _ in 0..1_000 {
        let permit = first_permit(&mut budget, now);
        budget.give_back(permit, now);
    }
}

#[test]
fn the_estimate_is_what_the_windows_allow() {
    let both = [Rate::PER_USER, Rate::PER_ADDRESS];
    assert_eq!(least_time(&both, 0), Duration::ZERO);
    assert_eq!(least_time(&both, 1), Duration::ZERO);
    assert_eq!(least_time(&both, 1_200).as_secs(), 5);
    assert_eq!(least_time(&both, 1_201), Duration::from_mins(5));
    assert_eq!(least_time(&both, 12_000), Duration::from_mins(45));
    assert_eq!(least_time(&[], 12_000), Duration::ZERO);
}
