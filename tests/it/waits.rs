//! `--max-wait` bounds every wait for the server, from the first request on; `--deadline` counts from there too; a pause
//! that the server asks for is kept, and a key that is due again is not starved.

use std::time::Duration;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, What, When};

use crate::lab::{Lab, pause, wait_until};

const REPORT: [&str; 4] = ["keys.txt", "--report", "report.csv", "--json"];

/// Every request about keys, or every request at all, is answered like that from the `first` on.
fn from(first: u64, what: impl Into<What>) -> Fault {
    Fault::new(When::Nth(first..=u64::MAX), what.into())
}

fn lab_with(faults: Vec<Fault>) -> Lab {
    Lab::with(SandboxOptions { faults, ..SandboxOptions::default() })
}

/// A success that says of the quota that nothing is left for a long time.
fn used_up(seconds: u64) -> Canned {
    Canned::raw(200, r#"{"success":true,"errors":[],"messages":[],"result":{}}"#)
        .with_header("Ratelimit", format!("\"default\";r=0;t={seconds}"))
}

#[test]
fn whatever_the_server_makes_a_job_wait_for_ends_with_max_wait() {
    let pauses = || Canned::error(429, 971, "slow down").with_header("Retry-After", "1");
    for (name, faults) in [
        ("a quota that is used up for a year", vec![from(1, used_up(31_000_000))]),
        ("one pause after the other", vec![from(11, pauses())]),
        ("deletes that hang while the namespace is found", vec![from(11, What::Hang)]),
        ("a server that is down from the first request on", vec![from(1, Canned::html(503)).everywhere()]),
        ("a first request that hangs", vec![from(1, What::Hang).everywhere()]),
        ("pauses before the first delete", vec![from(1, pauses()).everywhere()]),
        ("connections that are closed", vec![from(1, What::ResetBefore).everywhere()]),
    ] {
        let lab = lab_with(faults);
        lab.keys(100);
        let args = ["--max-wait", "3s", "--grace", "1s", "--concurrency", "4"];
        let done = lab.start("run", lab.delete(REPORT).args(args)).done();
        assert_eq!(done.status.code(), Some(5), "{name}: {}", done.stderr);
        let summary = done.summary();
        assert_eq!(summary["stopped"], "outage", "{name}");
        assert!(done.stderr.contains("--max-wait"), "{name}: {}", done.stderr);
        let elapsed = summary["elapsed_s"].as_f64().expect("seconds");
        assert!(elapsed < 60.0, "{name}: {elapsed} s");
    }
}

/// Each attempt, with `-v`.
#[test]
fn a_call_that_waits_for_the_server_says_so_once() {
    for command in [&["whoami"][..], &["list"], &["namespaces"], &["delete", "keys.txt", "--yes", "--report", "none"]] {
        for (verbose, most) in [(&[][..], 1), (&["-v"], 20)] {
            let lab = lab_with(vec![from(1, Canned::html(503)).everywhere()]);
            lab.keys(10);
            let done = lab.kvsweep(command).args(["--max-wait", "6s"]).args(verbose).run().code(5);
            let said = done.stderr.matches("cannot be read yet").count();
            assert!((most.min(2)..=most).contains(&said), "{command:?} {verbose:?}: {said}: {}", done.stderr);
        }
    }
}

#[test]
fn a_pause_that_is_longer_ends_the_job_at_once_and_says_how_it_was_asked_for() {
    for (fault, said) in [
        (from(1, Canned::error(429, 971, "wait").with_header("Retry-After", "3600")), "asked for a 1-hour pause"),
        (from(1, Canned::html(503).with_header("Retry-After", "3600")), "asked for a 1-hour pause"),
        (from(1, used_up(3_600)), "rate limit (Ratelimit) is used up"),
        (from(1, Canned::error(429, 971, "wait")), "without saying how long"),
    ] {
        let lab = lab_with(vec![fault]);
        lab.keys(40);
        let done = lab.delete(REPORT).args(["--max-wait", "4s", "--concurrency", "1"]).run().code(5);
        assert!(done.stderr.contains(said) && done.stderr.contains("longer than --max-wait 4"), "{}", done.stderr);
        assert_eq!(done.summary()["stopped"], "outage");
    }
}

#[test]
fn an_outage_before_the_first_delete_is_waited_out_too() {
    let lab = lab_with(vec![from(1, Canned::html(503)).everywhere()]);
    let keys = lab.keys(10);
    let running = lab.start("run", lab.delete(REPORT));
    wait_until("it has tried more than once", || lab.server.requests() >= 3);
    lab.server.set_faults([]);
    running.done().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
}

#[test]
fn the_deadline_counts_from_the_first_request() {
    let slow = Some((Duration::from_secs(2), Duration::from_secs(2)));
    let lab = Lab::with(SandboxOptions { latency: slow, ..SandboxOptions::default() });
    lab.keys(100);
    let done = lab.delete(REPORT).args(["--deadline", "3s", "--concurrency", "1"]).run().code(5);
    assert_eq!(done.summary()["stopped"], "deadline");
    assert_eq!(lab.rows("report.csv").len(), 1, "two seconds of the three were the namespace's");
}

#[test]
fn a_server_that_fails_every_first_attempt_starves_no_retry() {
    let fails = Fault::new(When::Prefix("key:".to_owned()), Canned::error(500, None, "busy").into()).times(1);
    let lab = lab_with(vec![fails]);
    let keys = lab.keys(100);
    lab.start("run", lab.delete(REPORT).args(["--max-wait", "20s"])).done().code(0);
    let rows = lab.rows("report.csv");
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
    assert!(rows.iter().all(|row| row.attempts >= 2), "{rows:?}");
}

#[test]
fn a_503_with_retry_after_pauses_the_job_and_costs_no_retry() {
    let asks = Canned::html(503).with_header("Retry-After", "2");
    let lab = lab_with(vec![Fault::new(When::Nth(20..=27), asks.into())]);
    let keys = lab.keys(200);
    let done = lab.delete(REPORT).args(["--retries", "0"]).run().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
    let asked = lab.server.request_log().into_iter().filter(|entry| entry.status == 503).map(|entry| entry.at);
    let (first, last) = (asked.clone().min().expect("a pause"), asked.max().expect("a pause"));
    let during = lab.deletes().into_iter().filter(|entry| entry.at > last && entry.at < first + Duration::from_secs(2));
    // Those that were in flight when the first of these responses came.
    assert!(during.count() < 32, "{}", done.stderr);
}

#[test]
fn during_an_outage_it_is_kept_as_well() {
    let lab = Lab::new();
    lab.keys(1_000);
    let args = ["delete", "--yes", "--rate", "200/1s", "--concurrency", "4"];
    let running = lab.start("run", lab.kvsweep(args).args(REPORT));
    wait_until("the job is in its middle", || lab.deletes().len() >= 100);
    lab.server.set_faults([from(1, Canned::html(503))]);
    wait_until("the job notices the outage", || running.stderr().contains("unreachable"));
    lab.server.set_faults([from(1, Canned::html(503).with_header("Retry-After", "4"))]);
    let before = lab.deletes().len();
    wait_until("a probe is asked to wait", || lab.deletes().len() > before);
    let asked = lab.deletes().len();
    pause(Duration::from_secs(3));
    assert_eq!(lab.deletes().len(), asked, "a probe was sent in the pause");
    lab.server.set_faults([]);
    running.done().code(0);
    assert!(lab.server.is_empty());
}
