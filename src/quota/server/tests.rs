use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::{Budget, NotYet, Permit};
use super::*;

const MS: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Fixed,
    Sliding,
}

/// A quota as a server keeps it, with the penalty for going over.
struct Simulated {
    kind: Kind,
    rate: Rate,
    start: Instant,
    seen: VecDeque<Instant>,
    blocked_until: Option<Instant>,
    refusals: usize,
}

struct Said {
    refused: bool,
    remaining: u64,
    reset_after: Duration,
}

impl Simulated {
    fn on_request(&mut self, now: Instant) -> Said {
        let window = self.rate.window();
        let since_start = now - self.start;
        let edge = self.start + (window * u32::try_from(since_start.as_nanos() / window.as_nanos()).unwrap());
        while self.seen.front().is_some_and(|at| match self.kind {
            Kind::Fixed => *at < edge,
            Kind::Sliding => *at + window <= now,
        }) {
            self.seen.pop_front();
        }
        let quota = u64::from(self.rate.count().get());
        let refused = self.blocked_until.is_some_and(|until| now < until) || self.seen.len() as u64 >= quota;
        if refused {
            self.refusals += 1;
            self.blocked_until.get_or_insert(now + window);
        } else {
            self.blocked_until = None;
            self.seen.push_back(now);
        }
        let reset = match (self.kind, self.seen.front()) {
            (Kind::Sliding, Some(oldest)) => *oldest + window - now,
            _ => edge + window - now,
        };
        // Whole seconds, rounded up, as the header has it.
        let reset_after = Duration::from_secs(u64::try_from(reset.as_millis().div_ceil(1_000)).unwrap());
        Said { refused, remaining: quota.saturating_sub(self.seen.len() as u64), reset_after }
    }
}

struct Client {
    budget: Budget,
    left: usize,
    in_flight: usize,
    wake: Option<Instant>,
    /// Whether its next answer goes unheard, as that of a call before the stream of keys does.
    deaf: bool,
}

struct Flight {
    at: Instant,
    client: usize,
    permit: Permit,
    said: Option<Said>,
}

/// Runs clients that share one quota and tells when the last was done and how often the server refused.
fn share(kind: Kind, rate: Rate, jobs: &[usize], ours: &[Rate], seed: u64) -> (Duration, usize) {
    let mut rng = StdRng::seed_from_u64(seed);
    let start = Instant::now();
    let mut now = start;
    let mut server = Simulated { kind, rate, start, seen: VecDeque::new(), blocked_until: None, refusals: 0 };
    let mut clients: Vec<Client> = jobs
        .iter()
        .map(|jobs| Client { budget: Budget::new(ours, start), left: *jobs, in_flight: 0, wake: None, deaf: true })
        .collect();
    let mut order = BinaryHeap::new();
    let mut flights: Vec<Option<Flight>> = Vec::new();
    loop {
        for (index, client) in clients.iter_mut().enumerate() {
            client.wake = None;
            let most = if client.deaf { 1 } else { 32 };
            while client.left > 0 && client.in_flight < most {
                match client.budget.try_take(now) {
                    Ok(permit) => {
                        client.left -= 1;
                        client.in_flight += 1;
                        let at = now + MS * rng.random_range(10..40);
                        order.push(Reverse((at, flights.len())));
                        flights.push(Some(Flight { at, client: index, permit, said: None }));
                    }
                    Err(NotYet::Until(moment, _)) => {
                        assert!(moment > now);
                        client.wake = Some(moment);
                        break;
                    }
                    Err(NotYet::AnAnswer) => {
                        assert!(client.in_flight > 0, "waits for an answer that cannot come");
                        break;
                    }
                }
            }
        }
        let next = order.peek().map(|Reverse((at, _))| *at);
        let Some(soonest) = clients.iter().filter_map(|client| client.wake).chain(next).min() else { break };
        now = soonest;
        while order.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((_, id))) = order.pop() else { break };
            let mut flight = flights[id].take().unwrap();
            let Some(said) = flight.said else {
                // It has reached the server; the answer is on its way back.
                flight.said = Some(server.on_request(flight.at));
                flight.at += MS * rng.random_range(10..40);
                order.push(Reverse((flight.at, id)));
                flights[id] = Some(flight);
                continue;
            };
            let client = &mut clients[flight.client];
            client.in_flight -= 1;
            let Said { refused, remaining, reset_after } = said;
            let info = RateLimitInfo { name: "default".to_owned(), remaining, reset_after, policy: Some(rate) };
            if !std::mem::take(&mut client.deaf) {
                client.budget.observe(&info, &flight.permit, now);
            }
            if refused {
                client.left += 1;
                client.budget.throttled(&flight.permit, Some(reset_after.max(rate.window())), now);
            }
            client.budget.give_back(flight.permit, now);
        }
    }
    (now - start, server.refusals)
}

#[test]
fn processes_that_share_a_token_finish_within_a_tenth_of_the_best_with_next_to_no_refusal() {
    let rate = Rate::new(1_200, Duration::from_mins(5)).unwrap();
    let ours = [Rate::PER_USER, Rate::PER_ADDRESS];
    for kind in [Kind::Fixed, Kind::Sliding] {
        for seed in 0..6 {
            // A few requests of a window are left to whoever comes next, so the last window must not be full.
            let (took, refusals) = share(kind, rate, &[3_950, 3_950, 3_950], &ours, seed);
            let best = super::super::least_time(&[rate], 11_850).as_secs_f64();
            let ratio = took.as_secs_f64() / best;
            eprintln!("{ratio} {refusals}");
            assert!(ratio < 1.3, "{ratio} of the best at seed {seed}");
            assert!(refusals <= 2, "{refusals} refusals at seed {seed}");
        }
    }
}

#[test]
fn a_process_that_is_alone_is_not_slowed_down() {
    let rate = Rate::new(500, Duration::from_secs(10)).unwrap();
    for kind in [Kind::Fixed, Kind::Sliding] {
        for seed in 0..5 {
            let (took, refusals) = share(kind, rate, &[10_000], &[rate], seed);
            let ratio = took.as_secs_f64() / super::super::least_time(&[rate], 10_000).as_secs_f64();
            assert!(ratio < 1.02 && refusals == 0, "{ratio} of the best, {refusals} refusals at seed {seed}");
        }
    }
}

/// Clients with so many requests each share a small quota without a refusal, in at most 1.6 of the best time.
fn share_a_small_quota(count: u32, seconds: u64, jobs: &[usize]) {
    let rate = Rate::new(count, Duration::from_secs(seconds)).unwrap();
    let best = super::super::least_time(&[rate], jobs.iter().sum::<usize>() as u64).as_secs_f64();
    for kind in [Kind::Fixed, Kind::Sliding] {
        for seed in 0..20 {
            let (took, refusals) = share(kind, rate, jobs, &[rate], seed);
            let ratio = took.as_secs_f64() / best;
            assert!(ratio < 1.6 && refusals == 0, "{rate}: {ratio} of the best, {refusals} refusals at seed {seed}");
        }
    }
}

#[test]
fn a_small_quota_is_not_crawled_through_by_a_process_that_is_alone() {
    for (count, seconds) in [(3, 1), (10, 1), (10, 2), (10, 60), (20, 2), (33, 10), (100, 10)] {
        share_a_small_quota(count, seconds, &[5 * count as usize]);
    }
}

#[test]
fn one_that_shared_a_small_quota_is_soon_alone_again() {
    for (count, seconds) in [(10, 1), (10, 2), (20, 2)] {
        share_a_small_quota(count, seconds, &[10 * count as usize, 2 * count as usize]);
    }
}

#[test]
fn the_first_request_of_a_window_does_not_say_that_the_others_are_gone() {
    let rate = Rate::new(10, Duration::from_secs(10)).unwrap();
    let start = Instant::now();
    let mut server = Server::default();
    let mut tell = |remaining, now| {
        let reset_after = Duration::from_secs(10);
        let info = RateLimitInfo { name: "default".to_owned(), remaining, reset_after, policy: Some(rate) };
        server.observe(&info, &[rate], now - MS, 0, now);
        server.answered(now);
        server.opening(1, now)
    };
    assert_eq!(tell(4, start), Opening::AfterAnAnswer, "five are of others");
    assert_eq!(tell(9, start + MS * 10_100), Opening::AfterAnAnswer);
    assert_eq!(tell(8, start + MS * 10_200), Opening::AfterAnAnswer);
    assert_eq!(tell(7, start + MS * 10_300), Opening::Now, "all three are ours");
}

#[test]
fn a_policy_that_was_named_once_does_not_cost_memory_for_every_request() {
    let rate = Rate::new(500, Duration::from_hours(24)).unwrap();
    let now = Instant::now();
    let mut server = Server::default();
    let info =
        RateLimitInfo { name: "default".to_owned(), remaining: 100, reset_after: rate.window(), policy: Some(rate) };
    server.observe(&info, &[], now, 0, now);
    (0..5_000).for_each(|_| server.answered(now));
    let window = server.policies[0].own.as_mut().unwrap();
    assert_eq!((window.used(0, now), server.before.len()), (500, LATEST));
}

#[test]
fn policies_take_a_fixed_amount_of_memory_whatever_a_server_names() {
    let now = Instant::now();
    let mut server = Server::default();
    for (index, count) in [10_000_000, MOST_COUNTED + 1, MOST_COUNTED, 500].into_iter().cycle().take(1_000).enumerate()
    {
        let name = format!("policy-{index}");
        let policy = Rate::new(count, Duration::from_hours(24));
        server.observe(&RateLimitInfo { name, remaining: 1, reset_after: MS, policy }, &[], now, 0, now);
    }
    (0..2 * MOST_COUNTED).for_each(|_| server.answered(now));
    assert_eq!(server.policies.len(), MOST_POLICIES);
    let held = server.policies.iter_mut().filter_map(|policy| policy.own.as_mut()).map(|own| own.used(0, now));
    assert!(held.sum::<usize>() <= MOST_POLICIES * MOST_COUNTED as usize);
    assert!(server.policies[0].own.is_none() && server.policies[2].own.is_some());
    // One that is not counted is still kept to.
    assert_eq!(server.policies[0].most_in_flight(true), 1);
}

#[test]
fn a_server_that_allows_less_than_we_were_told_is_believed() {
    let (told, real) = (Rate::new(1_000, MS * 10_000).unwrap(), Rate::new(300, MS * 10_000).unwrap());
    for seed in 0..5 {
        let (_, refusals) = share(Kind::Fixed, real, &[3_000], &[told], seed);
        assert!(refusals <= 2, "{refusals} refusals at seed {seed}");
    }
}

#[test]
fn a_process_that_lost_a_window_to_the_others_gets_its_share_of_the_next() {
    let rate = Rate::new(300, MS * 6_000).unwrap();
    for kind in [Kind::Fixed, Kind::Sliding] {
        for seed in 0..20 {
            let (took, _) = share(kind, rate, &[401, 401, 401], &[rate], seed);
            assert!(took < MS * 36_000, "{took:?} for what can be done in 24 s, at seed {seed}");
        }
    }
}
