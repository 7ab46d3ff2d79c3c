//! `--bulk`: many keys in one request, and still one row and one fate for each.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvsweep::sandbox::{Canned, Entry, Fault, Quota, SandboxOptions, What, When};

use crate::lab::{Lab, Row, complete, final_rows, is_csv, parse_csv, parse_ndjson, wait_until};

fn calls(lab: &Lab) -> Vec<Entry> {
    lab.server.request_log().into_iter().filter(|entry| entry.path.ends_with("/bulk/delete")).collect()
}

/// Input, server log and report: every key was named, nothing else was, and every record has its row.
fn assert_logs_agree(lab: &Lab, keys: &[String], rows: &[Row]) {
    let named: BTreeSet<String> = calls(lab).into_iter().flat_map(|entry| entry.body_keys).collect();
    let input: BTreeSet<String> = keys.iter().cloned().collect();
    assert!(named.is_subset(&input), "a key of nobody was named");
    let last = final_rows(rows);
    assert_eq!(last.len(), keys.len(), "a row for every record");
    for (record, row) in &last {
        let key = &keys[usize::try_from(*record).expect("a small number") - 1];
        assert_eq!(&row.key, key, "record {record}");
        assert_eq!(row.status == "deleted", !lab.server.contains(key), "{row:?}");
        assert!(named.contains(key), "{key} was never named");
    }
    assert!(lab.deletes().is_empty(), "a key was deleted by itself");
    assert_eq!(lab.server.namespaces_deleted(), 0);
}

#[test]
fn a_batch_is_one_request_and_every_key_has_its_row() {
    let lab = Lab::new();
    let keys = lab.keys(2_500);
    lab.server.preload(["bystander"]);
    let done = lab.delete(["keys.txt", "--bulk=1000", "--report", "r.csv", "--json"]).run().code(0);
    let rows = lab.rows("r.csv");
    assert_eq!(rows.len(), 2_500);
    assert!(rows.iter().all(|row| row.status == "deleted" && row.attempts == 1));
    assert_logs_agree(&lab, &keys, &rows);
    assert_eq!(calls(&lab).iter().map(|call| call.body_keys.len()).collect::<Vec<_>>(), [1_000, 1_000, 500]);
    assert_eq!(lab.server.keys(), ["bystander"]);
    let summary: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((&summary["deleted"], &summary["requests"]), (&2_500.into(), &4.into()), "one for the namespace");
}

#[test]
fn awkward_names_travel_in_the_body_exactly() {
    let lab = Lab::new();
    let names = ["a/../b", "%2e%2e", "\"quoted\"\\", "new\nline", "tab\t", "é\u{301}", "😀", "?#&=+; ", "\u{1}\u{7f}"];
    lab.server.preload(names);
    let input: String = names.iter().map(|name| serde_json::to_string(name).unwrap() + "\n").collect();
    lab.write("keys.ndjson", input);
    lab.delete(["keys.ndjson", "--bulk", "--report", "r.ndjson"]).run().code(0);
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    assert_logs_agree(&lab, &names, &lab.rows("r.ndjson"));
    assert!(lab.server.keys().is_empty());
}

#[test]
fn what_the_server_leaves_is_sent_again_until_it_is_gone_or_given_up() {
    let faults = vec!["unsuccessfulx2@prefix:slow:".parse::<Fault>().unwrap()];
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    let keys: Vec<String> = (0..600).map(|n| format!("{}:{n}", if n % 100 == 7 { "slow" } else { "key" })).collect();
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    let args = ["keys.txt", "--bulk", "--report", "r.csv", "--failures", "f.csv", "--retries"];
    lab.delete(args).args(["1"]).run().code(3);
    let rows = lab.rows("r.csv");
    assert_logs_agree(&lab, &keys, &rows);
    for row in &rows {
        let expected = if row.key.starts_with("slow") { ("failed", 2) } else { ("deleted", 1) };
        assert_eq!((row.status.as_str(), row.attempts), expected, "{}", row.key);
    }
    assert_eq!(lab.read("f.csv").lines().count(), 1 + 6, "a heading and the keys that failed");
    lab.delete(args).args(["8", "--resume"]).run().code(0);
    assert_logs_agree(&lab, &keys, &lab.rows("r.csv"));
    assert!(lab.server.keys().is_empty());

    let lab = Lab::with(SandboxOptions {
        faults: vec!["unsuccessfulx2@prefix:slow:".parse::<Fault>().unwrap()],
        ..SandboxOptions::default()
    });
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    lab.delete(args).args(["2"]).run().code(0);
    assert!(lab.rows("r.csv").iter().all(|row| row.attempts == if row.key.starts_with("slow") { 3 } else { 1 }));
}

/// Keys from `key:100` to `key:199` meet a fault of this kind.
fn lab_with_hundred(kind: &str) -> (Lab, Vec<String>) {
    let faults = vec![format!("{kind}@prefix:key:1").parse::<Fault>().expect("a fault")];
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    let keys: Vec<String> = (100..400).map(|number| format!("key:{number}")).collect();
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    (lab, keys)
}

#[test]
fn what_a_failed_call_says_that_it_deleted_is_deleted() {
    for status in [400, 403, 409, 429, 500, 503] {
        let kind = format!("unsuccessful{status}");
        let (lab, keys) = lab_with_hundred(&(kind.clone() + "x1"));
        lab.delete(["keys.txt", "--bulk", "--report", "r.csv"]).run().code(0);
        let rows = lab.rows("r.csv");
        assert_logs_agree(&lab, &keys, &rows);
        for row in rows {
            let wanted = if row.key.starts_with("key:1") { (Some(200), 2) } else { (Some(status), 1) };
            assert_eq!((row.status.as_str(), (row.http_status, row.attempts)), ("deleted", wanted), "{kind} {row:?}");
        }
        let named: usize = calls(&lab).iter().map(|call| call.body_keys.len()).sum();
        assert_eq!(named, 400, "{kind}: only what was left is named again");
    }
}

#[test]
fn what_a_failed_call_leaves_for_good_is_failed_and_the_rest_deleted() {
    for kind in ["unsuccessful400", "unsuccessful500"] {
        let (lab, keys) = lab_with_hundred(kind);
        lab.delete(["keys.txt", "--bulk", "--report", "r.csv", "--retries", "1"]).run().code(3);
        let rows = lab.rows("r.csv");
        assert_logs_agree(&lab, &keys, &rows);
        for row in rows {
            let wanted = if row.key.starts_with("key:1") { "failed" } else { "deleted" };
            assert_eq!(row.status, wanted, "{kind} {row:?}");
        }
    }
}

#[test]
fn a_response_that_contradicts_itself_deletes_nothing_for_sure() {
    for kind in ["wrong-names", "wrong-count"] {
        let (lab, keys) = lab_with_hundred(&format!("{kind}x1"));
        lab.delete(["keys.txt", "--bulk", "--report", "r.csv"]).run().code(0);
        let rows = lab.rows("r.csv");
        assert_logs_agree(&lab, &keys, &rows);
        assert!(rows.iter().all(|row| row.attempts >= 2), "{kind}: all are sent again");
    }
}

#[test]
fn one_bad_name_is_isolated_by_halving() {
    let refused = What::Answer(Canned::error(400, 10_014, "no such luck"));
    let faults = vec![Fault::new(When::Key("key:777".to_owned()), refused)];
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    let keys = lab.keys(2_000);
    lab.delete(["keys.txt", "--bulk=1000", "--report", "r.csv"]).run().code(3);
    let rows = lab.rows("r.csv");
    assert_logs_agree(&lab, &keys, &rows);
    let failed: Vec<_> = rows.iter().filter(|row| row.status != "deleted").map(|row| row.key.as_str()).collect();
    assert_eq!(failed, ["key:777"]);
    assert!(calls(&lab).len() <= 2 + 2 * 11, "{} calls", calls(&lab).len());
}

#[test]
fn too_many_calls_at_once_pause_the_job_and_cost_no_key_a_retry() {
    let headers = vec![("Retry-After".to_owned(), "1".to_owned())];
    let busy = Canned { headers, ..Canned::error(400, 10_046, "too many bulk requests") };
    let faults = vec![Fault::new(When::Nth(2..=4), What::Answer(busy))];
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    let keys = lab.keys(1_000);
    let args = ["keys.txt", "--bulk=100", "--retries", "0", "--report", "r.csv", "--json"];
    let done = lab.delete(args).run().code(0);
    assert_logs_agree(&lab, &keys, &lab.rows("r.csv"));
    let summary: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(summary["throttled"], 3);
}

#[test]
fn a_million_keys_with_everything_going_wrong_stay_within_the_quota() {
    // As the issue has it: 1 % of the keys are left undeleted once, 5 % of the calls fail.
    let count = if std::env::var_os("KVSWEEP_TEST_LONG").is_some() { 1_000_000 } else { 60_000 };
    let faults = vec!["503=0.05".parse::<Fault>().unwrap(), "unsuccessfulx1@prefix:left:".parse::<Fault>().unwrap()];
    let (limit, window) = (20, Duration::from_secs(1));
    let quotas = vec![Quota::sliding(limit, window)];
    let lab = Lab::with(SandboxOptions { faults, quotas, seed: 4, ..SandboxOptions::default() });
    let keys: Vec<String> = (0..count).map(|n| format!("{}:{n}", if n % 100 == 3 { "left" } else { "key" })).collect();
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.csv", format!("key\n{}\n", keys.join("\n")));
    let bulk = format!("--bulk={}", count / 100);
    let args = ["delete", "keys.csv", "--yes", "--rate", "20/1s", &bulk, "--report", "r.csv"];
    lab.kvsweep(args).run().code(0);
    let rows = lab.rows("r.csv");
    assert_eq!(rows.len(), count, "one row each");
    assert_logs_agree(&lab, &keys, &rows);
    assert!(lab.server.keys().is_empty());
    let request_log = lab.server.request_log();
    assert!(request_log.iter().all(|entry| entry.status != 429), "never over the quota");
    assert!(request_log.iter().any(|entry| entry.status == 503));
}

#[test]
fn a_bulk_job_that_is_killed_midway_is_resumed_exactly() {
    for (format, kill_after) in [("csv", 2), ("ndjson", 5), ("csv", 9)] {
        let latency = Some((Duration::from_millis(20), Duration::from_millis(40)));
        let faults = vec!["unsuccessfulx1@prefix:key:7".parse::<Fault>().unwrap()];
        let lab = Lab::with(SandboxOptions { latency, faults, ..SandboxOptions::default() });
        let keys = lab.keys(5_000);
        let report = format!("r.{format}");
        let args = ["keys.txt", "--bulk=250", "--concurrency", "2", "--report", &report, "--resume"];
        let running = lab.start("killed", lab.delete(args));
        wait_until("so many calls", || calls(&lab).len() >= kill_after);
        running.kill();
        let written = std::fs::read(lab.path(&report)).unwrap_or_default();
        let written = complete(&written, is_csv(&report));
        let before = if is_csv(&report) { parse_csv(&written) } else { parse_ndjson(&written) };
        let settled: BTreeMap<u64, Row> =
            before.into_iter().filter(|row| row.status == "deleted").map(|row| (row.record, row)).collect();
        assert!(settled.len() < 5_000, "it was over before it was killed");
        let (seen, done) = (calls(&lab).len(), lab.delete(args).run());
        done.code(0);
        assert_logs_agree(&lab, &keys, &lab.rows(&report));
        assert!(lab.server.keys().is_empty());
        let again: BTreeSet<String> = calls(&lab).drain(seen..).flat_map(|entry| entry.body_keys).collect();
        let settled: BTreeSet<String> = settled.into_values().map(|row| row.key).collect();
        assert!(again.is_disjoint(&settled), "what was settled was named again");
        assert_eq!(again.len() + settled.len(), 5_000, "and everything else was");
    }
}

#[test]
fn a_server_without_bulk_deletes_is_fatal() {
    let unknown = Canned::error(404, None, "no such call");
    let faults = vec![Fault::new(When::Probability(1.0), unknown.into())];
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    lab.keys(10);
    let done = lab.delete(["keys.txt", "--bulk"]).run().code(7);
    assert!(done.stderr.contains("the server does not support bulk deletes: omit --bulk"), "{}", done.stderr);
    assert_eq!(lab.server.keys().len(), 10);
}

#[test]
fn a_long_job_is_told_what_bulk_would_take() {
    let lab = Lab::new();
    lab.write("keys.txt", (0..5_000).map(|n| format!("key:{n}")).collect::<Vec<_>>().join("\n"));
    let said = |args: &[&str]| lab.kvsweep(["delete", "keys.txt", "--dry-run"]).args(args).run().code(0).stdout;
    assert!(said(&[]).contains("one by one   5,001 requests, at least 20m"), "{}", said(&[]));
    assert!(said(&[]).contains("with --bulk  2 requests, under a second\n"), "{}", said(&[]));
    assert!(said(&["--rate", "none"]).contains("with --bulk  2 requests, as fast as the server responds"));
    assert!(said(&["--bulk=10"]).contains("with --bulk  501 requests"));
}

#[test]
fn the_size_of_a_batch_is_part_of_bulk() {
    let lab = Lab::new();
    let keys = lab.keys(25);
    let sizes = |args: &[&str], variable: Option<&str>| {
        lab.server.preload(keys.iter().map(String::as_str));
        let before = calls(&lab).len();
        let mut run = lab.delete(["keys.txt", "--report", "none"]).args(args);
        if let Some(value) = variable {
            run = run.env("KVSWEEP_BULK", value);
        }
        run.run().code(0);
        assert!(lab.server.keys().is_empty());
        calls(&lab)[before..].iter().map(|call| call.body_keys.len()).collect::<Vec<_>>()
    };
    lab.write("p.toml", "[profile.p]\nbulk = 20\n\n[profile.on]\nbulk = true\n");
    assert_eq!(sizes(&["--bulk"], None), [25]);
    assert_eq!(sizes(&["--bulk=10"], None), [10, 10, 5]);
    assert_eq!(sizes(&["--bulk=10", "--no-bulk"], None), [0; 0]);
    assert_eq!(sizes(&["--bulk"], Some("10")), [25], "a flag wins");
    assert_eq!(sizes(&[], Some("10")), [10, 10, 5]);
    assert_eq!(sizes(&[], Some("true")), [25]);
    assert_eq!(sizes(&["--config", "p.toml", "--profile", "p"], Some("false")), [0; 0]);
    assert_eq!(sizes(&["--config", "p.toml", "--profile", "p"], None), [20, 5]);
    assert_eq!(sizes(&["--config", "p.toml", "--profile", "on"], None), [25]);
    assert_eq!(sizes(&["--config", "p.toml", "--profile", "p", "--no-bulk"], None), [0; 0]);
}

#[test]
fn a_batch_size_out_of_range_and_removed_flags_are_refused() {
    let lab = Lab::new();
    lab.keys(1);
    for size in ["--bulk=0", "--bulk=10001", "--bulk=many", "--bulk="] {
        let done = lab.delete(["keys.txt", size]).run().code(2);
        assert!(done.stderr.contains("--bulk"), "{size}: {}", done.stderr);
    }
    let done = lab.delete(["keys.txt"]).env("KVSWEEP_BULK", "yes").run().code(2);
    assert!(done.stderr.contains("from 1 to 10000") && done.stderr.contains("KVSWEEP_BULK"), "{}", done.stderr);
    for flag in ["--batch-size=10", "--bulk-endpoint=legacy", "--shards=3", "--max-pause=1m", "--max-outage=1m"] {
        let done = lab.delete(["keys.txt", "--bulk", flag]).run().code(2);
        assert!(done.stderr.contains("unexpected argument"), "{flag}: {}", done.stderr);
    }
    // The value belongs to the flag: a word after it is an input.
    let done = lab.delete(["--bulk", "keys.txt"]).run();
    done.code(0);
    assert_eq!(lab.server.requests(), 2);
}

#[test]
fn with_v_every_retry_names_its_keys_with_status_code_and_message() {
    let fault = |keys| Fault::new(keys, Canned::error(503, 10_001, "busy").into());
    let lab = Lab::new();
    let keys = lab.keys(4);
    let single = |args: &[&str]| lab.delete(["keys.txt", "--report", "none", "-v"]).args(args).run();
    lab.server.set_faults([fault(When::Nth(2..=2))]);
    let log = single(&["--concurrency", "1"]).code(0).stderr;
    let retries: Vec<_> = log.lines().filter(|line| line.contains("info: retrying ")).collect();
    assert_eq!(retries.len(), 1, "{log}");
    assert!(retries[0].contains("retrying key:") && retries[0].ends_with(": HTTP 503, code 10001: busy"), "{log}");
    // Many keys of one request are one line.
    lab.server.preload(keys.iter().map(String::as_str));
    lab.server.set_faults([fault(When::Nth(1..=1))]);
    let log = single(&["--bulk"]).code(0).stderr;
    assert!(
        log.contains("info: retrying 4 keys (such as key:") && log.contains(": HTTP 503, code 10001: busy"),
        "{log}"
    );
    lab.server.set_faults(["unsuccessfulx1@prefix:key:".parse::<Fault>().unwrap()]);
    let log = single(&["--bulk"]).code(0).stderr;
    assert_eq!(log.matches("info: retrying 4 keys (such as key:").count(), 1, "{log}");
    lab.server.set_faults([fault(When::Probability(1.0))]);
    let log = single(&["--retries", "0", "--max-failures", "none"]).code(3).stderr;
    for key in &keys {
        assert!(log.contains(&format!("info: failed {key}: HTTP 503, code 10001: busy")), "{key}: {log}");
    }
}
