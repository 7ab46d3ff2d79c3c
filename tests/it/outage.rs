//! A server that goes away and comes back, or that fails now and then, costs no key.

use std::time::Duration;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, What, When};

use crate::lab::{Lab, pause, wait_until};

/// How many are in flight at most.
const CONCURRENCY: usize = 32;

/// How long the server is away: long enough for three probes; 20 s with `KVSWEEP_TEST_LONG`.
fn away() -> Duration {
    Duration::from_secs(if std::env::var_os("KVSWEEP_TEST_LONG").is_some() { 20 } else { 6 })
}

fn lab() -> Lab {
    let latency = Some((Duration::from_micros(500), Duration::from_micros(1_500)));
    Lab::with(SandboxOptions { latency, ..SandboxOptions::default() })
}

fn an_outage_costs_no_key(what: What) {
    let lab = lab();
    let keys = lab.keys(5_000);
    let args = ["keys.txt", "--report", "report.csv", "--json", "--retries", "2"];
    let running = lab.start("run", lab.delete(args));
    wait_until("the job is in its middle", || lab.deletes().len() >= 2_000);
    lab.server.set_faults([Fault::new(When::Probability(1.0), what).everywhere()]);
    pause(away());
    let during = lab.deletes().iter().filter(|entry| !(200..300).contains(&entry.status)).count();
    lab.server.set_faults([]);
    let done = running.done().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
    assert_eq!(done.summary()["deleted"], 5_000);
    // All of those in flight, each of them again at once where its connection was closed, as many again until the first
    // of them were heard of, and a few probes.
    assert!(during >= 8, "there was no outage: {during} requests met it");
    assert!(during <= 3 * CONCURRENCY + 8, "{during} requests were burnt");
    assert!(done.stderr.contains("API unreachable"), "{}", done.stderr);
}

#[test]
fn an_outage_of_refusals_costs_no_key() {
    an_outage_costs_no_key(Canned::html(503).into());
}

#[test]
fn an_outage_of_resets_costs_no_key() {
    an_outage_costs_no_key(What::ResetBefore);
}

#[test]
fn one_fault_in_five_costs_no_key() {
    let lab = lab();
    let keys = lab.keys(5_000);
    let faults = ["503=0.05", "reset=0.04", "reset-after=0.04", "truncate=0.04", "garbage=0.04"];
    lab.server.set_faults(faults.map(|fault| fault.parse::<Fault>().expect("a fault")));
    let done = lab.delete(["keys.txt", "--report", "report.csv", "--json", "--retries", "12"]).run().code(0);
    let rows = lab.rows("report.csv");
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
    let summary = done.summary();
    let (seen, attempts) = (lab.deletes().len() as u64, rows.iter().map(|row| u64::from(row.attempts)).sum::<u64>());
    assert_eq!(attempts, seen, "the report counts other attempts than the server");
    assert_eq!(summary["requests"], seen + 1, "the summary counts other requests than the server");
    assert_eq!(summary["retries"], seen - 5_000);
    assert!(seen > 5_800, "{seen} requests: there were hardly any faults");
}

#[test]
fn an_outage_that_does_not_end_ends_the_job() {
    let lab = lab();
    lab.keys(100);
    lab.server.set_faults([Fault::new(When::Nth(31..=u64::MAX), Canned::html(503).into())]);
    let args = ["keys.txt", "--report", "report.csv", "--json", "--max-wait", "2s", "--concurrency", "4"];
    let done = lab.delete(args).run().code(5);
    assert_eq!(done.summary()["stopped"], "outage");
    let deleted = lab.rows("report.csv").iter().filter(|row| row.status == "deleted").count();
    assert_eq!(deleted, 30);
    lab.server.set_faults([]);
    lab.delete(args).arg("--resume").run().code(0);
    assert!(lab.server.is_empty());
}
