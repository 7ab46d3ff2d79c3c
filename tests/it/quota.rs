//! Never more requests than a rate allows in any window, measured at the server, and no needless waiting.

use std::time::Duration;

use kvsweep::sandbox::{Canned, Entry, Fault, Quota, SandboxOptions, What, When};
use rustix::process::Signal;

use crate::lab::{Lab, wait_until};

/// The rate of the long jobs here.
const COUNT: u32 = 60;
const WINDOW: Duration = Duration::from_secs(1);
const RATE: &str = "60/1s";

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("key:{index}")).collect()
}

fn lab_with(options: SandboxOptions, count: usize) -> Lab {
    let lab = Lab::with(options);
    let keys = keys(count);
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    lab
}

/// The most arrivals that any window of this length holds; one that comes exactly a window later is outside.
fn fullest(request_log: &[Entry], window: Duration) -> usize {
    let mut arrivals: Vec<Duration> = request_log.iter().map(|entry| entry.at).collect();
    arrivals.sort_unstable();
    let held =
        |first: usize| arrivals[first..].iter().take_while(|at| at.saturating_sub(arrivals[first]) < window).count();
    (0..arrivals.len()).map(held).max().unwrap_or_default()
}

/// 200 keys against these quotas and faults.
fn quota_is_kept(quotas: Vec<Quota>, faults: &[&str]) {
    let is_faulty = !faults.is_empty();
    let latency = Some((Duration::from_millis(5), Duration::from_millis(25)));
    let parsed: Vec<Fault> = faults.iter().map(|fault| fault.parse().expect("a fault")).collect();
    let lab = lab_with(SandboxOptions { quotas, faults: parsed, latency, ..SandboxOptions::default() }, 200);
    let args = ["delete", "--yes", "keys.txt", "--report", "report.csv", "--json", "--rate", RATE];
    let summary = lab.kvsweep(args).run().code(0).summary();
    lab.assert_all_deleted(keys(200).iter().map(String::as_str), &lab.rows("report.csv"));
    let request_log = lab.server.request_log();
    assert_eq!((lab.server.refused_by_quota(), &summary["throttled"]), (0, &0.into()));
    let fullest = fullest(&request_log, WINDOW);
    assert!(fullest <= COUNT as usize, "{fullest} requests in {WINDOW:?}");
    // What met a closed connection was counted and never seen; nothing was seen that was not counted.
    let counted = summary["requests"].as_u64().expect("a number");
    let lost = faults.iter().any(|fault| fault.starts_with("reset") || fault.starts_with("close"));
    assert!(
        counted == request_log.len() as u64 || (lost && counted > request_log.len() as u64),
        "{counted}, {}",
        request_log.len()
    );
    assert_eq!(summary["retries"].as_u64().is_some_and(|retries| retries > 0), is_faulty);
    assert_eq!(request_log.len() > 201, is_faulty, "retries are requests, too");
}

#[test]
fn a_sliding_window_is_kept() {
    quota_is_kept(vec![Quota::sliding(COUNT, WINDOW)], &[]);
}

#[test]
fn a_fixed_window_is_kept() {
    quota_is_kept(vec![Quota::fixed(COUNT, WINDOW)], &[]);
}

#[test]
fn retries_keep_a_sliding_window_too() {
    quota_is_kept(vec![Quota::sliding(COUNT, WINDOW)], &["503=0.1"]);
}

#[test]
fn retries_keep_a_fixed_window_too() {
    quota_is_kept(vec![Quota::fixed(COUNT, WINDOW)], &["503=0.1"]);
}

#[test]
fn a_rate_is_kept_without_a_word_from_the_server() {
    quota_is_kept(Vec::new(), &["503=0.1"]);
}

#[test]
fn connections_that_break_keep_the_rate_too() {
    quota_is_kept(vec![Quota::sliding(COUNT, WINDOW)], &["reset=0.05", "truncate=0.05", "close=0.1"]);
}

#[test]
fn a_job_that_fits_the_budget_does_not_wait() {
    // With the first request these are 50: the 51st would wait for an hour.
    let lab = lab_with(SandboxOptions::default(), 49);
    let args = ["delete", "--yes", "keys.txt", "--report", "report.csv", "--rate", "50/1h"];
    lab.kvsweep(args).args(["--deadline", "10m"]).run().code(0);
    assert_eq!(lab.server.requests(), 50);
}

#[test]
fn the_first_request_counts() {
    let lab = lab_with(SandboxOptions::default(), 50);
    let args = ["delete", "--yes", "keys.txt", "--report", "report.csv", "--json", "--rate", "50/1h"];
    let done = lab.kvsweep(args).args(["--deadline", "3s"]).run().code(5);
    assert_eq!(done.summary()["stopped"], "deadline");
    let requests = lab.server.requests();
    assert!(requests <= 50, "{requests} requests");
    assert_eq!(lab.rows("report.csv").len() as u64, requests - 1);
}

#[test]
fn all_rates_hold_at_once() {
    let lab = lab_with(SandboxOptions::default(), 100);
    let args = ["delete", "--yes", "keys.txt", "--report", "report.csv", "--rate", "90/2s", "--rate", "10/100ms"];
    lab.kvsweep(args).run().code(0);
    let request_log = lab.server.request_log();
    for (count, window) in [(90, Duration::from_secs(2)), (10, Duration::from_millis(100))] {
        let fullest = fullest(&request_log, window);
        assert!(fullest <= count, "{fullest} requests in {window:?}");
    }
}

/// A job that is interrupted and killed in turn and resumed at once.
fn restarts_keep_the_rate(lab: &Lab, args: &[&str]) {
    const COUNT: u64 = 12;
    const WINDOW: Duration = Duration::from_secs(2);
    let run = || lab.kvsweep(args).args(["--resume", "--rate", "12/2s", "--timeout", "2s"]);
    for (nth, signal) in [Signal::INT, Signal::KILL, Signal::INT].into_iter().enumerate() {
        let before = lab.server.requests();
        let running = lab.start("run", run());
        wait_until("some requests", || lab.server.requests() >= before + [9, 5, 12][nth]);
        running.signal(signal);
        running.done();
    }
    run().run().code(0);
    let fullest = fullest(&lab.server.request_log(), WINDOW) as u64;
    assert!(fullest <= COUNT, "{fullest} requests in {WINDOW:?}");
}

#[test]
fn a_resumed_job_keeps_the_rate_of_the_runs_before() {
    let lab = lab_with(SandboxOptions::default(), 70);
    restarts_keep_the_rate(&lab, &["delete", "--yes", "--report", "report.csv", "keys.txt"]);
}

#[test]
fn a_resumed_bulk_job_keeps_the_rate_of_the_runs_before() {
    let lab = lab_with(SandboxOptions::default(), 70);
    restarts_keep_the_rate(&lab, &["delete", "--yes", "--report", "report.csv", "keys.txt", "--bulk=2"]);
}

#[test]
fn a_resumed_listing_keeps_the_rate_of_the_runs_before() {
    let lab = Lab::new();
    let names: Vec<String> = (0..40_000).map(|number| format!("key:{number}")).collect();
    lab.server.preload(names.iter().map(String::as_str));
    restarts_keep_the_rate(&lab, &["list", "--prefix", "key:", "--output", "names.csv"]);
    assert_eq!(lab.read("names.csv").lines().count(), 40_001);
}

#[test]
fn the_rows_of_the_run_before_count() {
    let lab = lab_with(SandboxOptions::default(), 10);
    // The job's file, without the requests of its runs.
    lab.delete(["keys.txt", "--report", "report.csv"]).run().code(0);
    let mut job: serde_json::Value = serde_json::from_str(&lab.read("report.csv.job.json")).expect("JSON");
    job["runs"] = serde_json::json!([]);
    lab.write("report.csv.job.json", job.to_string());
    lab.keys(10);
    let now = humantime::format_rfc3339_millis(kvsweep::internals::wall_now());
    let header = "record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at\n";
    let resume = |attempts: u32, old: &str| {
        let rows = format!("1,key:0,deleted,200,,,{attempts},5,{now}\n2,key:1,failed,500,,x,2,5,{old}\n");
        lab.write("report.csv", format!("{header}{rows}"));
        let run = lab.kvsweep(["delete", "--yes", "keys.txt", "--report", "report.csv", "--resume", "--rate", "15/1h"]);
        run.args(["--deadline", "1s", "--concurrency", "1"]).run()
    };
    // The first request and nine keys, after four.
    resume(4, "2020-02-02T02:02:02.000Z").code(0);
    let before = lab.server.requests();
    let done = resume(20, "2020-02-02T02:02:02.000Z").code(5);
    assert!(done.stderr.contains("still count towards --rate"), "{}", done.stderr);
    assert_eq!(lab.server.requests(), before);
}

/// The request for the namespace has no row.
#[test]
fn what_a_killed_run_sent_before_its_first_key_counts() {
    let lab = lab_with(SandboxOptions::default(), 10);
    lab.server.set_faults([Fault::new(When::Key("key:3".to_owned()), What::Hang)]);
    let run = || {
        let args = ["delete", "--yes", "keys.txt", "--report", "report.csv", "--resume", "--rate", "5/1h"];
        lab.kvsweep(args).args(["--concurrency", "1"])
    };
    let killed = lab.start("killed", run().args(["--timeout", "1h"]));
    wait_until("three keys have a row, and the fourth is in flight", || {
        lab.server.requests() == 5 && lab.read("report.csv").matches(",deleted,").count() == 3
    });
    killed.kill();
    run().args(["--timeout", "1s", "--deadline", "1s"]).run().code(5);
    assert_eq!(lab.server.requests(), 5);
}

/// Neither have reads before a delete, as long as their keys are not deleted.
#[test]
fn what_a_killed_run_read_before_it_had_a_row_counts() {
    for more in [&["--bulk"][..], &[]] {
        let lab = lab_with(SandboxOptions::default(), 10);
        lab.server.set_faults([Fault::new(When::Key("key:3".to_owned()), What::Hang)]);
        let run = |rate: &str| {
            let args =
                ["delete", "--yes", "keys.txt", "--report", "report.csv", "--resume", "--backup", "backup.ndjson"];
            lab.kvsweep(args).args(["--concurrency", "1", "--rate", rate]).args(more)
        };
        let killed = lab.start("killed", run("1000/1h").args(["--timeout", "1h"]));
        wait_until("the fourth key is being read", || {
            lab.server.request_log().iter().any(|entry| entry.key.as_deref() == Some("key:3"))
        });
        killed.kill();
        let sent = lab.server.requests();
        assert!(sent > 4, "{sent} requests");
        // And for the run after one that ended in order.
        for _ in 0..3 {
            run(&format!("{sent}/1h")).args(["--timeout", "1s", "--deadline", "1s"]).run().code(5);
            assert_eq!(lab.server.requests(), sent);
        }
    }
}

#[test]
fn what_runs_sent_that_ended_before_their_first_key_counts() {
    let restored = ["restore", "backup.ndjson", "--overwrite-values"];
    for args in [&["delete", "keys.txt"][..], &["delete", "keys.txt", "--bulk"], &restored] {
        let lab = lab_with(SandboxOptions::default(), 10);
        let record = |key: &String| format!("{{\"key\":\"{key}\",\"value\":\"v\"}}\n");
        lab.write("backup.ndjson", keys(10).iter().map(record).collect::<String>());
        let run = |rate: &str, more: &[&str]| {
            let args = [args, &["--yes", "--report", "report.csv", "--rate", rate, "--retries", "0"], more].concat();
            lab.kvsweep(args).run()
        };
        lab.server.set_faults(["400@key:key:3".parse::<Fault>().expect("a fault")]);
        run("1000/1h", &[]).code(3);
        lab.server
            .set_faults([Fault::new(When::Probability(1.0), Canned::error(401, 10_000, "no").into()).everywhere()]);
        let sent = lab.server.requests();
        let codes: Vec<_> = (1..=6)
            .map(|_| run(&format!("{}/1h", sent + 3), &["--resume", "--deadline", "1s"]).status.code())
            .collect();
        assert_eq!(codes, [Some(7), Some(7), Some(7), Some(5), Some(5), Some(5)], "{args:?}");
        assert_eq!(lab.server.requests(), sent + 3, "{args:?}");
        // None of them is left out or counted twice once a run has begun to write.
        lab.server.set_faults([]);
        run(&format!("{}/1h", sent + 6), &["--resume", "--deadline", "5s"]).code(0);
        assert!(!lab.path("report.csv.lock").exists());
    }
}
