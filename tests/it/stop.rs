//! Whatever ends a job early, those in flight are answered and reported, nothing new is sent, and a resumed job ends it.

use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use kvsweep::sandbox::{Fault, SandboxOptions, What, When};
use rustix::process::Signal;

use crate::lab::{Lab, Running, final_rows, wait_until};

const MANY: [&str; 4] = ["keys.txt", "--report", "report.csv", "--json"];

/// A server that takes long for every request, so that no answer comes before a signal that follows at once.
fn slow() -> Lab {
    let second = Duration::from_secs(1);
    Lab::with(SandboxOptions { latency: Some((second, second)), ..SandboxOptions::default() })
}

/// A server that never answers about keys.
fn silent() -> Lab {
    let hang = Fault::new(When::Probability(1.0), What::Hang);
    Lab::with(SandboxOptions { faults: vec![hang], ..SandboxOptions::default() })
}

fn in_flight(lab: &Lab, count: usize) {
    wait_until("that many are in flight", || lab.deletes().len() == count);
}

fn assert_reported(lab: &Lab, status: &str) {
    let mut asked: Vec<String> = lab.deletes().into_iter().filter_map(|entry| entry.key).collect();
    let rows = lab.rows("report.csv");
    assert!(rows.iter().all(|row| row.status == status), "{rows:?}");
    let mut reported: Vec<String> = rows.into_iter().map(|row| row.key).collect();
    asked.sort_unstable();
    reported.sort_unstable();
    assert_eq!(reported, asked);
}

fn resume(lab: &Lab, keys: &[String]) {
    lab.delete(MANY).args(["--resume", "--concurrency", "64"]).run().code(0);
    let rows = lab.rows("report.csv");
    let by_record = final_rows(&rows);
    assert_eq!(by_record.len(), keys.len());
    assert!(by_record.into_values().all(|row| row.status == "deleted"));
    assert!(lab.server.is_empty());
}

fn a_signal_lets_those_in_flight_finish(signal: Signal, code: i32) {
    let lab = slow();
    let keys = lab.keys(20);
    let running = lab.start("run", lab.delete(MANY).args(["--concurrency", "8"]));
    in_flight(&lab, 8);
    running.signal(signal);
    let done = running.done().code(code);
    assert_eq!(lab.deletes().len(), 8, "a request began after the signal");
    assert_reported(&lab, "deleted");
    let summary = done.summary();
    assert_eq!((&summary["stopped"], &summary["deleted"]), (&"interrupted".into(), &8.into()));
    assert_eq!((&summary["records"], &summary["exit_code"]), (&20.into(), &code.into()));
    resume(&lab, &keys);
    assert_eq!(lab.deletes().len(), 20, "a key was asked for twice");
}

#[test]
fn sigint_lets_those_in_flight_finish() {
    a_signal_lets_those_in_flight_finish(Signal::INT, 130);
}

#[test]
fn sigterm_lets_those_in_flight_finish() {
    a_signal_lets_those_in_flight_finish(Signal::TERM, 143);
}

#[test]
fn sighup_lets_those_in_flight_finish() {
    a_signal_lets_those_in_flight_finish(Signal::HUP, 129);
}

/// Both are told apart only once the first one was taken.
fn signal_and_see(running: &Running, signal: Signal) {
    running.signal(signal);
    wait_until("the signal is taken", || running.stderr().contains("in flight"));
}

#[test]
fn a_second_signal_ends_at_once() {
    let lab = silent();
    let keys = lab.keys(20);
    let running =
        lab.start("run", lab.delete(MANY).args(["--concurrency", "4", "--grace", "1h", "--timeout", "1h", "-v"]));
    in_flight(&lab, 4);
    signal_and_see(&running, Signal::TERM);
    running.signal(Signal::TERM);
    running.done().code(143);
    assert_eq!(lab.deletes().len(), 4);
    assert_reported(&lab, "unknown");
    lab.server.set_faults([]);
    resume(&lab, &keys);
}

#[test]
fn the_grace_ends() {
    let lab = silent();
    let keys = lab.keys(20);
    let running = lab.start("run", lab.delete(MANY).args(["--concurrency", "4", "--grace", "1s", "--timeout", "1h"]));
    in_flight(&lab, 4);
    running.signal(Signal::INT);
    running.done().code(130);
    assert_eq!(lab.deletes().len(), 4);
    assert_reported(&lab, "unknown");
    lab.server.set_faults([]);
    resume(&lab, &keys);
}

#[test]
fn the_deadline_comes() {
    let hundredth = Duration::from_millis(100);
    let lab = Lab::with(SandboxOptions { latency: Some((hundredth, hundredth)), ..SandboxOptions::default() });
    let keys = lab.keys(400);
    let done = lab.delete(MANY).args(["--concurrency", "4", "--deadline", "1s"]).run().code(5);
    assert_eq!(done.summary()["stopped"], "deadline");
    assert!(lab.deletes().len() < 400, "four at a time for a second, ten a second each, are forty");
    assert_reported(&lab, "deleted");
    resume(&lab, &keys);
}

#[test]
fn so_many_failures_end_it() {
    let lab = Lab::new();
    let keys = lab.keys(50);
    lab.server.set_faults(["400@prefix:key:1".parse::<Fault>().expect("a fault")]);
    let run = lab.delete(MANY).args(["--concurrency", "1", "--max-failures", "3"]);
    let done = run.run().code(8);
    let summary = done.summary();
    assert_eq!((&summary["stopped"], &summary["failed"]), (&"max_failures".into(), &3.into()));
    // 1, 10 and 11 are refused.
    assert_eq!((lab.deletes().len(), &summary["deleted"]), (12, &9.into()));
    lab.server.set_faults([]);
    resume(&lab, &keys);
}

/// `count` keys, of which those from `good` on are refused.
fn refusing(lab: &Lab, good: usize, count: usize) {
    let name = |index| if index < good { format!("good:{index}") } else { format!("bad:{index}") };
    let keys: Vec<_> = (0..count).map(name).collect();
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    lab.server.set_faults(["400@prefix:bad:".parse::<Fault>().expect("a fault")]);
}

#[test]
fn a_share_of_failures_ends_it_from_a_thousand_keys_on() {
    let run = |count, args: &[&str]| {
        let lab = Lab::new();
        refusing(&lab, 0, count);
        let done = lab.delete(MANY).args(["--concurrency", "1"]).args(args).run();
        (done.status.code(), done.summary()["failed"].as_u64(), done.stderr)
    };
    let (code, failed, said) = run(1_100, &[]);
    assert_eq!((code, failed), (Some(8), Some(1_000)));
    assert!(
        said.contains("stopped by --max-failures 50%: 1,000 of 1,000 keys attempted failed or are unknown"),
        "{said}"
    );
    let (code, failed, _) = run(1_100, &["--max-failures", "none"]);
    assert_eq!((code, failed), (Some(3), Some(1_100)));
    let (code, failed, _) = run(999, &["--max-failures", "1%"]);
    assert_eq!((code, failed), (Some(3), Some(999)), "of fewer keys a share says nothing, at the end too");
}

#[test]
fn a_share_of_failures_is_one_of_the_whole_job() {
    let lab = Lab::new();
    refusing(&lab, 1_200, 2_300);
    lab.delete(MANY).run().code(3);
    // 1,100 keys are left, and all of them fail again: less than half of the job.
    let done = lab.delete(MANY).arg("--resume").run().code(3);
    assert_eq!((&done.summary()["stopped"], &done.summary()["failed"]), (&serde_json::Value::Null, &1_100.into()));
    let done = lab.delete(MANY).args(["--resume", "--max-failures", "40%"]).run().code(8);
    assert_eq!(done.summary()["stopped"], "max_failures");
}

#[test]
fn more_keys_on_stdin_than_allowed_end_it() {
    let lab = Lab::new();
    let keys = lab.keys(100).join("\n");
    let run = lab.delete(["-", "--format", "lines", "--report", "report.csv", "--json", "--max-keys", "10"]);
    let done = run.stdin(keys).run().code(8);
    assert_eq!(done.summary()["stopped"], "max_keys");
    assert_eq!(lab.deletes().len(), 10);
    assert_reported(&lab, "deleted");
}

#[test]
fn more_keys_in_a_file_than_allowed_send_nothing() {
    let lab = Lab::new();
    lab.keys(11);
    let done = lab.delete(MANY).args(["--max-keys", "10"]).run().code(8);
    assert_eq!(done.summary()["stopped"], "max_keys");
    assert_eq!(lab.server.requests(), 0);
    assert!(!lab.path("report.csv").exists());
}

#[test]
fn a_pipe_that_says_nothing_keeps_nobody_from_ending() {
    let lab = Lab::new();
    lab.server.preload(["one"]);
    let args = ["-", "--format", "lines", "--report", "report.csv", "--grace", "1h"];
    let mut running = lab.start_with("run", lab.delete(args), Stdio::piped());
    let mut pipe = running.child().stdin.take().expect("a pipe");
    pipe.write_all(b"one\n").expect("room in the pipe");
    in_flight(&lab, 1);
    running.signal(Signal::TERM);
    running.done().code(143);
    assert_reported(&lab, "deleted");
    drop(pipe);
}
