//! The breaker alone, attempt by attempt.

use super::*;

const FIRST: Health = Health::Down { first_attempt: true };
const AGAIN: Health = Health::Down { first_attempt: false };

impl CircuitBreaker {
    /// Whether this attempt opens it.
    fn opens(&mut self, health: Health, probe: bool, requests: u64, now: Instant) -> bool {
        let was_down = self.is_down();
        self.observe(health, probe, requests, now);
        !was_down && self.is_down()
    }

    fn opens_reading(&mut self, health: Health, probe: bool, requests: u64, now: Instant) -> bool {
        let was_down = self.is_down();
        self.observe_read(health, probe, requests, now);
        !was_down && self.is_down()
    }
}

fn opened(now: Instant) -> CircuitBreaker {
    let mut breaker = CircuitBreaker::new(32);
    assert!(!(1..8).any(|_| breaker.opens(FIRST, false, 1_000, now)));
    assert!(breaker.opens(FIRST, false, 1_000, now));
    breaker
}

#[test]
fn keys_that_fail_among_good_ones_never_open_it() {
    let now = Instant::now();
    let mut breaker = CircuitBreaker::new(32);
    for _ in 0..1_000 {
        assert!(!(0..7).any(|_| breaker.opens(FIRST, false, 1_000, now)));
        breaker.observe(Health::Up, false, 1_000, now);
    }
}

#[test]
fn reads_that_are_answered_do_not_hide_that_deletes_are_not() {
    let now = Instant::now();
    let mut breaker = CircuitBreaker::new(32);
    for attempt in 1..=8 {
        assert!(!breaker.opens_reading(Health::Up, false, 1_000, now));
        assert_eq!(breaker.opens(FIRST, false, 1_000, now), attempt == 8);
    }
    let successes = breaker.successes;
    assert!(!breaker.opens_reading(Health::Up, false, 1_000, now));
    assert_eq!(breaker.successes, successes + 1);
    assert!(breaker.is_down(), "what was under way says nothing of deletes");
    assert_eq!(breaker.allowance(now + PROBE.0), Allowance::Probe);
    breaker.probe_sent();
    breaker.observe_read(Health::Up, true, 1_000, now);
    assert_eq!(breaker.allowance(now), Allowance::InFlight(1));
    assert!(breaker.opens(FIRST, false, 1_000, now), "one more is enough");
}

#[test]
fn reads_that_fail_open_it_and_a_deleted_key_does_not_excuse_them() {
    let now = Instant::now();
    let mut breaker = CircuitBreaker::new(32);
    for attempt in 1..=8 {
        assert!(!breaker.opens(Health::Up, false, 1_000, now));
        assert_eq!(breaker.opens_reading(FIRST, false, 1_000, now), attempt == 8);
    }
    let mut breaker = CircuitBreaker::new(32);
    for attempt in 1..1_000 {
        let health = if attempt % 8 == 0 { Health::Up } else { FIRST };
        assert!(!breaker.opens_reading(health, false, 1_000, now), "some error among good reads");
    }
}

#[test]
fn retries_of_the_last_bad_keys_never_open_it() {
    let mut breaker = CircuitBreaker::new(32);
    assert!(!(0..1_000).any(|_| breaker.opens(AGAIN, false, 1_000, Instant::now())));
}

#[test]
fn a_failure_or_two_among_good_answers_do_not_make_a_server_unwell() {
    let now = Instant::now();
    let mut breaker = CircuitBreaker::new(32);
    assert!(!breaker.is_well(), "nothing was heard of it");
    breaker.observe(AGAIN, false, 1_000, now);
    assert!(!breaker.is_well(), "nothing good was heard of it");
    for _ in 0..2 {
        breaker.observe(Health::Up, false, 1_000, now);
        let well: Vec<_> = [AGAIN; 4]
            .map(|health| {
                breaker.observe(health, false, 1_000, now);
                breaker.is_well()
            })
            .into();
        assert_eq!(well, [true, true, false, false]);
    }
}

/// Seed 4010324 of the simulation.
#[test]
fn retries_count_until_the_server_is_up_again() {
    let now = Instant::now();
    let mut breaker = opened(now);
    breaker.observe(Health::Up, false, 1_000, now);
    assert!(!(1..8).any(|_| breaker.opens(AGAIN, false, 1_000, now)));
    assert!(breaker.opens(AGAIN, false, 1_000, now));
    breaker.namespace_answered();
    assert!(!(0..100).any(|_| breaker.opens(AGAIN, false, 1_000, now)), "the keys are tried on their own account");
}

#[test]
fn one_key_alone_is_not_an_outage_and_two_of_two_are() {
    let now = Instant::now();
    assert!(!CircuitBreaker::new(32).opens(FIRST, false, 1, now));
    let mut breaker = CircuitBreaker::new(32);
    assert!(!breaker.opens(FIRST, false, 2, now));
    assert!(breaker.opens(FIRST, false, 2, now));
}

#[test]
fn probes_grow_apart_up_to_the_cap_and_go_one_at_a_time() {
    let mut now = Instant::now();
    let mut breaker = opened(now);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let Allowance::NotBefore(at) = breaker.allowance(now) else { panic!("not waiting") };
        waits.push((at - now).as_secs());
        now = at;
        assert_eq!(breaker.allowance(now), Allowance::Probe);
        breaker.probe_sent();
        assert_eq!(breaker.allowance(now), Allowance::AwaitProbe);
        assert!(!breaker.opens(FIRST, false, 1_000, now), "what was under way before says nothing new");
        assert_eq!(breaker.allowance(now), Allowance::AwaitProbe);
        breaker.observe(AGAIN, true, 1_000, now);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
}

#[test]
fn a_probe_that_is_cut_off_is_repeated_once_and_then_waited_for() {
    let mut now = Instant::now();
    let mut breaker = opened(now);
    for wait in [1, 2, 4] {
        let Allowance::NotBefore(at) = breaker.allowance(now) else { panic!("not waiting") };
        assert_eq!((at - now).as_secs(), wait);
        now = at;
        for _ in 0..2 {
            assert_eq!(breaker.allowance(now), Allowance::Probe);
            breaker.probe_sent();
            breaker.probe_was_reset(now);
        }
    }
}

#[test]
fn a_sign_of_life_ramps_up() {
    let now = Instant::now();
    let mut breaker = opened(now);
    breaker.observe(Health::Up, false, 1_000, now);
    assert_eq!(breaker.allowance(now), Allowance::InFlight(1));
    for _ in 0..30 {
        breaker.observe(Health::Up, false, 1_000, now);
    }
    assert_eq!(breaker.allowance(now), Allowance::InFlight(31));
    breaker.observe(Health::Up, false, 1_000, now);
    assert_eq!((breaker.state, breaker.allowance(now)), (State::Closed, Allowance::InFlight(32)));
}

#[test]
fn a_probe_whose_connection_is_closed_twice_is_a_failure_whatever_else_fails_between() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let probe_at = now + PROBE.0;
    assert_eq!(breaker.allowance(probe_at), Allowance::Probe);
    breaker.probe_sent();
    breaker.probe_was_reset(probe_at);
    assert_eq!(breaker.allowance(probe_at), Allowance::Probe, "the first time it proves nothing");
    breaker.probe_sent();
    breaker.observe(FIRST, false, 1_000, probe_at);
    breaker.probe_was_reset(probe_at);
    assert_eq!(breaker.allowance(probe_at), Allowance::NotBefore(probe_at + 2 * PROBE.0));
}
