//! A restore runs as a delete does: several requests at once, with metrics and pings.

use kvsweep::sandbox::{Fault, What, When};
use rustix::process::Signal;
use serde_json::json;

use super::{backup, restore};
use crate::lab::{Hook, Lab, final_rows, wait_until};

#[test]
fn several_writes_are_in_flight_at_once() {
    let lab = Lab::new();
    backup(&lab, "b.ndjson", 25_000);
    lab.server.set_faults([Fault::new(When::Key("key:0".to_owned()), What::Hang)]);
    let args = ["b.ndjson", "--overwrite-values", "--report", "r.csv", "--timeout", "1h", "--grace", "0s"];
    let running = lab.start("restore", restore(&lab, &args));
    wait_until("all but the call that hangs are written", || lab.server.len() == 15_000);
    // A response that is under way when the signal comes is lost.
    wait_until("they have their rows", || lab.read("r.csv").matches(",restored,").count() == 15_000);
    running.signal(Signal::TERM);
    running.done().code(143);
    let unknown = final_rows(&lab.rows("r.csv")).values().filter(|row| row.status == "unknown").count();
    assert_eq!(unknown, 10_000);

    let alone = [&args[..], &["--resume", "--concurrency", "1", "--json"]].concat();
    lab.server.set_faults([]);
    let summary = restore(&lab, &alone).run().code(0).summary();
    assert_eq!(summary["restored"], 25_000);
}

#[test]
fn a_report_of_other_keys_is_not_gone_on_with() {
    let lab = Lab::new();
    let record = |key: &str| json!({"key": key, "value": "v"}).to_string() + "\n";
    lab.write("b.ndjson", ["a", "b", "c"].map(record).concat());
    lab.server.set_faults(["400@key:c".parse::<Fault>().expect("a fault")]);
    let resume = || lab.kvsweep(["restore", "b.ndjson", "--yes", "--rate", "none", "--report", "r.csv", "--resume"]);
    resume().run().code(3);
    lab.server.set_faults([]);
    // Its job file is that of this backup, but a row is about another key.
    let report = lab.read("r.csv").replace("2,b,restored", "2,other,restored");
    lab.write("r.csv", &report);
    let sent = lab.server.requests();
    let done = resume().run().code(2);
    assert!(done.stderr.contains("record 2") && done.stderr.contains("r.csv"), "{}", done.stderr);
    assert_eq!((lab.server.requests(), lab.read("r.csv")), (sent, report));
}

#[test]
fn metrics_and_pings_report_a_restore() {
    let lab = Lab::new();
    backup(&lab, "b.ndjson", 12);
    lab.server.preload(["key:3"]);
    let hook = Hook::answering(&[(200, "OK")]);
    let url = hook.url("ping");
    let monitored = ["--metrics-file", "kvsweep.prom", "--job-name", "undo", "--ping", &url];
    restore(&lab, &[&["b.ndjson", "--report", "r.csv"], &monitored[..]].concat()).run().code(0);
    let metrics = lab.read("kvsweep.prom");
    for (name, value) in [
        ("records", "status=\"restored\"} 11"),
        ("records", "status=\"kept\"} 1"),
        ("exit_code", "} 0"),
        ("in_progress", "} 0"),
    ] {
        let is_sample = |line: &str| line.starts_with(&format!("kvsweep_last_run_{name}{{")) && line.ends_with(value);
        assert!(metrics.lines().any(|line| is_sample(line) && line.contains("job_name=\"undo\"")), "{name}: {metrics}");
    }
    let last = hook.pings().pop().expect("a ping");
    assert_eq!(last.target, "/ping");
    assert!(last.body.contains("restored  11") && !last.body.contains("key:"), "{}", last.body);

    // The report exists.
    restore(&lab, &[&["b.ndjson", "--report", "r.csv"], &monitored[..]].concat()).run().code(2);
    assert_eq!(hook.pings().pop().map(|ping| ping.target), Some("/ping/2".to_owned()));
    for flag in [&monitored[..2], &monitored[4..]] {
        let done = lab.kvsweep(["restore", "b.ndjson", "--dry-run"]).args(flag).run().code(2);
        assert!(done.stderr.contains("cannot be used with --dry-run"), "{}", done.stderr);
    }
}
