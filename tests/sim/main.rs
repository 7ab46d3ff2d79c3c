//! A deterministic simulation of whole jobs: the pipeline, its limiter, retries, breaker and the real journal over a
//! simulated server, under tokio's paused clock.
//!
//! A seed draws a world: keys, rates, the server's quotas, faults, an outage, a token that expires, signals, a full
//! stop as by kill -9 with a torn report, and how often the job is resumed until it is done. What the contract promises
//! in its section 5 is checked in every run of it. The same seed runs the same way, to the nanosecond.
//!
//! ```text
//! cargo test --test sim                                      300 seeds
//! KVSWEEP_SIM_SEEDS=20000 cargo test --release --test sim    as many as you like
//! KVSWEEP_SIM_SEED=123 cargo test --test sim one_seed        one of them, printed as it runs
//! ```

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a simulation that cannot go on says so")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a failing seed is printed")]

mod check;
mod faults;
mod journal;
mod log;
mod network;
mod pages;
mod process;
mod scenario;
mod server;
mod sum;
mod world;

use scenario::{Verbosity, live};
use sum::Sum;

/// How many seeds `cargo test` runs.
const SEEDS: u64 = 300;

/// Prints the seed when a promise is broken.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {0} breaks it: KVSWEEP_SIM_SEED={0} cargo test --test sim one_seed", self.0);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn run(seed: u64, verbosity: Verbosity) -> Sum {
    let _named = Named(seed);
    live(seed, verbosity)
}

#[test]
fn every_promise_holds_for_many_seeds() {
    let first = number("KVSWEEP_SIM_FIRST").unwrap_or(0);
    let count = number("KVSWEEP_SIM_SEEDS").unwrap_or(SEEDS);
    let mut sum = Sum::default();
    for seed in first..first + count {
        sum += run(seed, Verbosity::Quiet);
    }
    println!("{count} seeds: {sum:?}");
    // A simulation in which something never happens proves nothing about it.
    if count >= SEEDS {
        for (what, times) in sum.each() {
            assert!(times > 0, "in {count} seeds there was never any of {what}");
        }
    }
}

#[test]
fn one_seed() {
    let sum = run(number("KVSWEEP_SIM_SEED").unwrap_or(0), Verbosity::Full);
    println!("{sum:?}");
}

#[test]
fn a_seed_runs_the_same_way_every_time() {
    for seed in 0..10 {
        assert_eq!(run(seed, Verbosity::Quiet), run(seed, Verbosity::Quiet), "seed {seed}");
    }
}
