//! Requests that get no readable answer, and connections that are gone when they are needed.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use kvsweep::sandbox::{Fault, SandboxOptions, What, When};

use super::{asked, assert_good_ones_deleted, at, in_turns, lab_with, one_by_one, row};
use crate::lab::Lab;

#[test]
fn without_a_readable_answer_a_key_is_unknown() {
    // Which key, what happens to it, whether it is done, how often it is sent with one retry: a closed connection
    // may be an accident of keep-alive and is sent again once more.
    let cases = [
        ("reset before", What::ResetBefore, false, 3),
        ("reset after", What::ResetAfter, true, 3),
        ("truncated", What::Truncate, true, 2),
        ("garbage", What::Garbage, true, 2),
        ("giant", What::Giant, true, 2),
    ];
    let keys = in_turns(cases.iter().map(|(key, ..)| *key));
    let lab = lab_with(&keys, cases.iter().map(|(key, what, ..)| at(key, what.clone())).collect());
    let done = one_by_one(&lab).args(["--retries", "1", "--json"]).run().code(3);
    let rows = lab.rows("report.csv");
    for (key, _, applied, attempts) in &cases {
        let row = row(&rows, key);
        assert_eq!((row.status.as_str(), row.attempts, row.error_code), ("unknown", *attempts, None), "{row:?}");
        assert!((1..=1_024).contains(&row.error.len()), "{row:?}");
        assert_eq!(asked(&lab, key), *attempts as usize, "{key}");
        assert_eq!(lab.server.contains(key), !applied, "{key}");
    }
    assert!(row(&rows, "giant").error.contains("longer than 64 KiB"));
    assert_good_ones_deleted(&lab, &rows);
    let summary = done.summary();
    assert_eq!((&summary["unknown"], &summary["failed"]), (&cases.len().into(), &0.into()));
}

#[test]
fn a_passing_silence_is_retried_and_then_deleted() {
    let cases = [
        ("reset before", What::ResetBefore),
        ("reset after", What::ResetAfter),
        ("truncated", What::Truncate),
        ("garbage", What::Garbage),
        ("giant", What::Giant),
    ];
    let keys = in_turns(cases.iter().map(|(key, _)| *key));
    let lab = lab_with(&keys, cases.iter().map(|(key, what)| at(key, what.clone()).times(1)).collect());
    one_by_one(&lab).args(["--retries", "1"]).run().code(0);
    let rows = lab.rows("report.csv");
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
    for (key, _) in &cases {
        assert_eq!((row(&rows, key).attempts, asked(&lab, key)), (2, 2), "{key}");
    }
}

#[test]
fn a_server_that_hangs_leaves_a_key_unknown() {
    let cases = [("hangs", What::Hang, false), ("hangs after", What::HangAfter, true)];
    let keys = in_turns(cases.iter().map(|(key, ..)| *key));
    let lab = lab_with(&keys, cases.iter().map(|(key, what, _)| at(key, what.clone())).collect());
    one_by_one(&lab).args(["--retries", "0", "--timeout", "2s"]).run().code(3);
    let rows = lab.rows("report.csv");
    for (key, _, applied) in &cases {
        let row = row(&rows, key);
        assert_eq!((row.status.as_str(), row.http_status, row.attempts), ("unknown", None, 1), "{row:?}");
        assert!(row.elapsed_ms >= 2_000 && row.error.contains("2s"), "{row:?}");
        assert_eq!(lab.server.contains(key), !applied, "{key}");
    }
    assert_good_ones_deleted(&lab, &rows);
}

#[test]
fn connections_that_the_server_closes_cost_no_retry() {
    let keys: Vec<String> = (0..300).map(|index| format!("key:{index}")).collect();
    let faults = vec![Fault::new(When::Probability(0.3), What::CloseIdle)];
    let lab = lab_with(&keys, faults);
    lab.delete(["keys.txt", "--report", "report.csv", "--retries", "0"]).run().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
}

#[test]
fn a_connection_closed_while_it_was_idle_costs_no_retry() {
    // The server loses patience at about the moment when the next request is sent.
    let idle_close = Some(Duration::from_millis(100));
    let lab = Lab::with(SandboxOptions { idle_close, ..SandboxOptions::default() });
    let keys: Vec<String> = (0..20).map(|index| format!("key:{index}")).collect();
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    let args = ["delete", "--yes", "keys.txt", "--report", "report.csv", "--retries", "0"];
    lab.kvsweep(args).args(["--rate", "1/100ms"]).run().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
}

#[test]
fn nobody_at_the_address_is_an_outage() {
    let lab = lab_with(&["key".to_owned()], Vec::new());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    // How often it is tried again is up to --max-wait alone.
    let run = one_by_one(&lab).args(["--retries", "0", "--max-wait", "2s", "--json"]);
    let done = run.env("CLOUDFLARE_API_BASE_URL", format!("http://{address}/client/v4")).run().code(5);
    let summary = done.summary();
    assert_eq!(summary["stopped"], "outage");
    assert!(summary["retries"].as_u64() > Some(0), "{summary}");
    assert!(lab.server.contains("key"));
    assert!(!lab.path("report.csv").exists() || lab.rows("report.csv").is_empty());
}
