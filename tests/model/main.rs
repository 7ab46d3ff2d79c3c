//! Random jobs against a model: a seed draws inputs, flags, a server and what happens to a job; the real binary runs it; and
//! what it did is compared with the contract.
//!
//! ```text
//! cargo test --test model                                   a few seeds
//! KVSWEEP_MODEL_SEEDS=20000 cargo test --test model         as many as you like
//! KVSWEEP_MODEL_SEED=123 cargo test --test model            one of them
//! ```

// Signals, links and permissions as Unix has them.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]
#![expect(clippy::print_stderr, reason = "a failing seed prints how to repeat it")]

mod case;
mod contract;
mod draw;
mod files;
mod flags;
mod front;
mod glob;
#[path = "../it/lab/mod.rs"]
#[allow(unused_imports, unreachable_pub, reason = "the tests of tests/it use all of it")]
mod lab;
mod run;
mod settle;
mod shrink;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use case::Case;
use run::Run;

/// How many seeds `cargo test` draws.
const SEEDS: u64 = 200;

/// How many failing seeds are made smaller.
const SHRUNK: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// How to repeat it and what went wrong, if the case fails.
fn failure(case: &Case, keep: bool) -> Option<(String, String)> {
    let mut case = case.clone();
    settle::settle(&mut case);
    let mut run = Run::new(&case);
    let payload = catch_unwind(AssertUnwindSafe(|| run.live())).err()?;
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    let commands = if keep { run.keep() } else { String::new() };
    Some((commands, text.unwrap_or_default()))
}

/// Whether the seed holds; if not, how to repeat it by hand is printed, made smaller if asked to.
fn holds(seed: u64, shrink: bool) -> bool {
    let mut case = Case::draw(seed);
    let Some(mut found) = failure(&case, !shrink) else { return true };
    let mut tries = if shrink { 60 } else { 0 };
    'shrinking: while tries > 0 {
        for smaller in shrink::smaller(&case) {
            tries -= 1;
            if format!("{smaller:?}") != format!("{case:?}")
                && let Some(failure) = failure(&smaller, false)
            {
                (case, found) = (smaller, failure);
                continue 'shrinking;
            }
            if tries <= 0 {
                break;
            }
        }
        break;
    }
    if shrink {
        // What depends on a moment may not fail again.
        let again = (0..5).find_map(|_| failure(&case, true));
        found = again.unwrap_or((format!("(not every time) {:?}", case.chain), found.1));
    }
    let (commands, text) = found;
    settle::settle(&mut case);
    let names: usize = case.inputs.iter().map(Vec::len).sum();
    let shown = if names <= 12 { format!("{case:#?}\n") } else { format!("{:?}\n", case.chain) };
    let text = text.chars().take(8_000).collect::<String>();
    eprintln!("seed {seed} fails (KVSWEEP_MODEL_SEED={seed} cargo test --test model):\n{shown}{commands}\n{text}\n");
    false
}

#[test]
fn every_job_does_what_the_contract_says() {
    let one = number("KVSWEEP_MODEL_SEED").map(|seed| (seed, 1));
    let several = (number("KVSWEEP_MODEL_FIRST").unwrap_or(0), number("KVSWEEP_MODEL_SEEDS").unwrap_or(SEEDS));
    let (first, count) = one.unwrap_or(several);
    let failing = Mutex::new(Vec::new());
    let next = AtomicU64::new(first);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    // Jobs wait more than they compute.
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    let shrink = failing.lock().expect("no thread panics").len() < SHRUNK;
                    if !holds(seed, shrink) {
                        failing.lock().expect("no thread panics").push(seed);
                    }
                }
            });
        }
    });
    std::panic::set_hook(hook);
    let mut failing = failing.into_inner().expect("no thread panics");
    failing.sort_unstable();
    assert!(failing.is_empty(), "these seeds fail: {failing:?}");
}
