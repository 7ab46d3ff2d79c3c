//! Random jobs against a model: a seed draws inputs, flags, a server and what happens to a job; the real binary runs it; and
//! what it did is compared with the contract.
//!
//! ```text
//! cargo test --test model                                   a few seeds
//! KVSWEEP_MODEL_SEEDS=20000 cargo test --test model         as many as you like
//! KVSWEEP_MODEL_SEED=123 cargo test --test model            one of them
//! ```

#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]
#![expect(clippy::print_stderr, reason = "a failing seed prints how to repeat it")]

mod case;
mod contract;
mod draw;
mod files;
mod flags;
mod glob;
#[path = "../it/lab/mod.rs"]
#[allow(unused_imports, unreachable_pub, reason = "the tests of tests/it use all of it")]
mod lab;
mod run;

use std::panic::{AssertUnwindSafe, catch_unwind};

use case::Case;
use run::Run;

/// How many seeds `cargo test` draws.
const SEEDS: u64 = 200;

/// How many failing seeds are made smaller.
const SHRUNK: usize = 3;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// The commands and the failure, if the case fails.
fn failure(case: &Case) -> Option<(Vec<String>, String)> {
    let mut case = case.clone();
    run::settle(&mut case);
    let mut run = Run::new(&case);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = catch_unwind(AssertUnwindSafe(|| run.live()));
    std::panic::set_hook(hook);
    let payload = result.err()?;
    let text = payload.downcast_ref::<String>().cloned();
    let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Some((run.commands, text.unwrap_or_default()))
}

/// Smaller cases that may fail as well.
fn smaller(case: &Case) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut with = |change: &dyn Fn(&mut Case)| {
        let mut smaller = case.clone();
        change(&mut smaller);
        cases.push(smaller);
    };
    let longest = case.inputs.iter().map(Vec::len).max().unwrap_or(0);
    if longest > 0 {
        for part in [longest / 2, longest / 4, 1] {
            let part = part.max(1);
            for from in (0..longest).step_by(part).take(4) {
                with(&|case| {
                    for names in &mut case.inputs {
                        let to = (from + part).min(names.len());
                        names.drain(from.min(to)..to);
                    }
                });
            }
        }
    }
    with(&|case| case.inputs.truncate(1));
    with(&|case| case.others.clear());
    with(&|case| case.server.temporary.clear());
    with(&|case| case.server.refused.clear());
    with(&|case| case.protect.clear());
    with(&|case| case.only.clear());
    with(&|case| case.bulk = None);
    with(&|case| case.limits = case::Limits::default());
    with(&|case| (case.check, case.backup) = (false, false));
    with(&|case| (case.form.bom, case.form.crlf) = (false, false));
    with(&|case| case.form.compression = case::Compression::None);
    cases
}

/// Whether the seed holds; if not, how to repeat it by hand is printed, made smaller if asked to.
fn holds(seed: u64, shrink: bool) -> bool {
    let mut case = Case::draw(seed);
    let Some(mut found) = failure(&case) else { return true };
    // What depends on a moment may not fail again: then the case stays as it is.
    let mut tries = if shrink { 60 } else { 0 };
    'shrinking: while tries > 0 {
        for smaller in smaller(&case) {
            tries -= 1;
            if format!("{smaller:?}") != format!("{case:?}")
                && let Some(failure) = failure(&smaller)
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
    let (commands, text) = found;
    run::settle(&mut case);
    let names: usize = case.inputs.iter().map(Vec::len).sum();
    if names <= 12 {
        eprintln!("{case:#?}");
    }
    let commands = commands.join("\n");
    eprintln!("seed {seed} fails (KVSWEEP_MODEL_SEED={seed} cargo test --test model):\n{commands}\n{text}\n");
    false
}

#[test]
fn every_job_does_what_the_contract_says() {
    let one = number("KVSWEEP_MODEL_SEED").map(|seed| (seed, 1));
    let several = (number("KVSWEEP_MODEL_FIRST").unwrap_or(0), number("KVSWEEP_MODEL_SEEDS").unwrap_or(SEEDS));
    let (first, count) = one.unwrap_or(several);
    let seeds = first..first + count;
    let mut failing = Vec::new();
    for seed in seeds {
        if !holds(seed, failing.len() < SHRUNK) {
            failing.push(seed);
        }
    }
    assert!(failing.is_empty(), "these seeds fail: {failing:?}");
}
