//! A namespace in instant mode accepts one write per second: that is its default rate, and nothing has a price there.

use std::time::Duration;

use kvsweep::sandbox::SandboxOptions;

use crate::lab::{Done, Kvsweep, Lab};

const NOTE: &str = "the namespace is in instant mode and accepts 1 write per second: the default --rate is 1/1s";

fn instant() -> Lab {
    Lab::with(SandboxOptions { mode: Some("instant".to_owned()), ..SandboxOptions::default() })
}

fn least_gap(lab: &Lab) -> Duration {
    let mut arrivals: Vec<Duration> = lab.server.request_log().iter().map(|entry| entry.at).collect();
    arrivals.sort_unstable();
    arrivals.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).min().expect("two requests")
}

/// Three requests, a second apart: the first, which learned the mode, counts too.
#[track_caller]
fn assert_slow(lab: &Lab, run: Kvsweep) -> Done {
    let done = run.run().code(0);
    assert!(done.stderr.contains(NOTE), "{}", done.stderr);
    assert_eq!(lab.server.requests(), 3);
    let gap = least_gap(lab);
    assert!(gap >= Duration::from_secs(1), "{gap:?} between two requests");
    done
}

#[test]
fn deletes_are_a_second_apart_unless_a_rate_is_given() {
    let lab = instant();
    lab.keys(2);
    assert_slow(&lab, lab.kvsweep(["delete", "--yes", "keys.txt", "--report", "a.csv"]));
    lab.keys(2);
    for (nth, run) in [
        lab.kvsweep(["delete", "--yes", "keys.txt", "--report", "b.csv", "--rate", "1200/5m"]),
        lab.kvsweep(["delete", "--yes", "keys.txt", "--report", "c.csv", "--rate", "none"]),
        lab.kvsweep(["delete", "--yes", "keys.txt", "--report", "d.csv"]).env("KVSWEEP_RATE", "1200/5m"),
        lab.kvsweep(["delete", "--yes", "keys.txt", "--report", "e.csv", "--config", "k.toml", "--profile", "p"]),
    ]
    .into_iter()
    .enumerate()
    {
        lab.write("k.toml", "[profile.p]\nrate = '1200/5m'\n");
        let done = run.run().code(0);
        assert!(!done.stderr.contains("instant"), "run {nth}: {}", done.stderr);
    }
}

#[test]
fn bulk_calls_are_a_second_apart() {
    let lab = instant();
    lab.keys(2);
    assert_slow(&lab, lab.kvsweep(["delete", "--yes", "keys.txt", "--report", "a.csv", "--bulk=1"]));
}

#[test]
fn a_restore_is_as_slow() {
    let lab = instant();
    lab.write("b.ndjson", "{\"key\":\"a\",\"value\":\"1\"}\n");
    assert_slow(&lab, lab.kvsweep(["restore", "--yes", "b.ndjson", "--report", "r.csv"]));
}

#[test]
fn a_plan_has_its_time_and_no_price() {
    let lab = instant();
    lab.keys(61);
    for keys in [&["keys.txt", "--check"][..], &["--prefix", "key:"]] {
        let plan = |args: &[&str]| lab.kvsweep(["delete", "--dry-run"]).args(keys).args(args).run().code(0);
        let done = plan(&[]);
        assert!(done.stdout.contains("at least 1m") && done.stdout.contains("instant mode"), "{}", done.stdout);
        assert!(!done.stdout.contains("cost: "), "{}", done.stdout);
        let summary = plan(&["--json"]).summary();
        assert_eq!(summary["plan"].get("price"), None);
        let seconds = summary["plan"]["one_by_one"]["at_least_s"].as_f64().expect("a number");
        assert!(seconds >= 61.0, "{seconds}");
        // With a rate of one's own it is as fast as that, and still without a price.
        let done = plan(&["--rate", "1200/5m"]);
        assert!(!done.stdout.contains("cost: ") && !done.stdout.contains("instant mode"), "{}", done.stdout);
    }
}
