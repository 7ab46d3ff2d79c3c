//! A small limit of open files (`ulimit -n`) is raised where that is allowed, and kept otherwise.

use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use kvsweep::sandbox::SandboxOptions;

use crate::lab::{Done, Kvsweep, Lab};

const KEYS: usize = 600;

/// Deletes with 300 requests at once under `limit`, a command of the shell.
fn run(limit: &str) -> (Lab, Done) {
    // So slow that 300 are in flight at once.
    let latency = Some((Duration::from_millis(50), Duration::from_millis(60)));
    let lab = Lab::with(SandboxOptions { latency, ..SandboxOptions::default() });
    lab.keys(KEYS);
    let script = format!("{limit} && exec \"$0\" \"$@\"");
    let shell = lab.like(Kvsweep::new("/bin/sh".into(), lab.folder())).args(["-c", &script]).arg(cargo_bin("kvsweep"));
    let args = ["delete", "keys.txt", "--yes", "--rate", "none", "--concurrency", "300", "--json", "--retries", "0"];
    let done = shell.args(args).args(["--report", "r.csv"]).run().code(0);
    (lab, done)
}

#[test]
fn a_soft_limit_is_raised() {
    let (lab, done) = run("ulimit -Sn 64");
    assert_eq!(done.stderr, "");
    assert_eq!((done.summary()["deleted"].clone(), lab.server.len()), (KEYS.into(), 0));
}

#[test]
fn within_a_hard_limit_fewer_requests_are_sent_at_once() {
    for (limit, fitting) in [(64, 16), (40, 4)] {
        let (lab, done) = run(&format!("ulimit -n {limit}"));
        assert!(done.stderr.contains(&format!("at most {fitting} requests at once instead of 300")), "{}", done.stderr);
        let summary = done.summary();
        assert_eq!((&summary["deleted"], &summary["requests"]), (&KEYS.into(), &(KEYS + 1).into()), "{}", done.stderr);
        assert!(lab.server.is_empty());
    }
}
