//! Answers after which no request of the job can succeed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, When};

use super::{asked, lab_with, one_by_one, row};
use crate::lab::{Lab, NAMESPACE};

/// Status, code, why the job stops, and a word of the advice.
const FATAL: [(u16, Option<u64>, &str, &str); 14] = [
    (401, None, "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (401, Some(10_000), "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (403, Some(10_000), "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (403, Some(9_103), "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (403, Some(9_106), "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (403, Some(9_109), "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (403, Some(6_003), "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (403, Some(10_026), "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (403, Some(10_037), "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (405, Some(10_000), "unauthorized", "CLOUDFLARE_API_TOKEN"),
    (404, Some(10_013), "namespace_not_found", "--namespace-id"),
    (404, Some(7_000), "account_not_found", "--account-id"),
    (404, Some(7_003), "account_not_found", "--account-id"),
    (400, Some(7_003), "account_not_found", "--account-id"),
];

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("key:{index}")).collect()
}

#[test]
fn a_fatal_answer_to_the_first_request_ends_the_job_before_it_begins() {
    for (status, code, stopped, advice) in FATAL {
        let answer = Canned::error(status, code, "so the server says");
        let lab = lab_with(&keys(3), vec![Fault::new(When::Nth(1..=1), answer.into()).everywhere()]);
        let done = one_by_one(&lab).run().code(7);
        assert!(done.stderr.contains(advice), "{status} {code:?}: {}", done.stderr);
        assert!(done.stderr.contains("so the server says"), "{status} {code:?}: {}", done.stderr);
        assert_eq!((lab.server.requests(), lab.deletes().len()), (1, 0), "{status} {code:?}");
        let done = lab.delete(["keys.txt", "--report", "none", "--json"]).run().code(0);
        assert_eq!(done.summary()["stopped"], serde_json::Value::Null, "{stopped}");
    }
}

#[test]
fn a_fatal_answer_in_the_middle_ends_the_job_there() {
    for (status, code, stopped, advice) in FATAL {
        let answer = Canned::error(status, code, "so the server says");
        // The seventh request is for the sixth key, and the one after it for the namespace.
        let from_there = When::Nth(7..=u64::MAX);
        let lab = lab_with(&keys(12), vec![Fault::new(from_there, answer.into()).everywhere()]);
        let done = one_by_one(&lab).arg("--json").run().code(7);
        let summary = done.summary();
        assert_eq!(
            (&summary["stopped"], &summary["exit_code"], &summary["deleted"], &summary["failed"]),
            (&stopped.into(), &7.into(), &5.into(), &1.into()),
            "{status} {code:?}"
        );
        assert!(done.stderr.contains("so the server says"), "{}", done.stderr);
        let rows = lab.rows("report.csv");
        assert_eq!(rows.len(), 6, "keys that were not attempted have no row");
        let failed = row(&rows, "key:5");
        assert_eq!((failed.status.as_str(), failed.http_status, failed.error_code), ("failed", Some(status), code));
        assert_eq!((lab.deletes().len(), asked(&lab, "key:5")), (6, 1));

        let again = one_by_one(&lab).arg("--resume").run().code(7);
        assert!(again.stderr.contains(advice), "{}", again.stderr);
    }
}

#[test]
fn a_wrong_id_deletes_nothing() {
    for (variable, stopped) in
        [("CLOUDFLARE_KV_NAMESPACE_ID", "namespace_not_found"), ("CLOUDFLARE_ACCOUNT_ID", "account_not_found")]
    {
        let lab = lab_with(&keys(5), Vec::new());
        let wrong = NAMESPACE.replace('f', "0");
        let done = one_by_one(&lab).arg("--json").env(variable, wrong).run().code(7);
        assert_eq!(done.summary()["stopped"], stopped);
        assert_eq!((lab.deletes().len(), lab.server.len()), (0, 6), "{stopped}");
    }
}

#[test]
fn the_daily_limit_ends_the_job_and_says_when_to_go_on() {
    let lab = Lab::with(SandboxOptions { daily_deletes: Some(20), ..SandboxOptions::default() });
    let keys = keys(50);
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    let done = one_by_one(&lab).run().code(5);
    assert!(done.stderr.contains("00:00 UTC"), "{}", done.stderr);
    let rows = lab.rows("report.csv");
    let deleted = rows.iter().filter(|row| row.status == "deleted").count();
    assert_eq!((rows.len(), deleted, lab.server.len()), (21, 20, 30));
    let refused = row(&rows, "key:20");
    assert_eq!((refused.status.as_str(), refused.error_code), ("failed", Some(10_048)));
    let done = one_by_one(&lab).args(["--resume", "--json"]).run().code(5);
    assert_eq!(done.summary()["stopped"], "daily_limit");
}

#[test]
fn a_token_that_expires_midway_ends_the_job_and_a_new_one_finishes_it() {
    let latency = Some((Duration::from_millis(1), Duration::from_millis(9)));
    let lab = Lab::with(SandboxOptions { token_expires_after: Some(101), latency, ..SandboxOptions::default() });
    let keys = keys(300);
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    let done = lab.delete(["keys.txt", "--report", "report.csv", "--json"]).run().code(7);
    let summary = done.summary();
    assert_eq!((&summary["stopped"], &summary["deleted"]), (&"unauthorized".into(), &100.into()));
    let first_rows = lab.rows("report.csv");
    let first: BTreeSet<String> =
        lab.deletes().into_iter().filter(|entry| entry.applied).filter_map(|entry| entry.key).collect();
    let reported = |status: &str| -> BTreeSet<String> {
        first_rows.iter().filter(|row| row.status == status).map(|row| row.key.clone()).collect()
    };
    assert_eq!((first.len(), &first), (100, &reported("deleted")), "what was done, and nothing else, is reported so");
    for row in first_rows.iter().filter(|row| row.status != "deleted") {
        assert_eq!((row.status.as_str(), row.http_status, row.error_code), ("failed", Some(401), Some(10_000)));
    }

    // A server that knows the token, with what the first one has left.
    let renewed = Lab::new();
    renewed.server.preload(lab.server.keys());
    let job = lab.read("report.csv.job.json");
    lab.write("report.csv.job.json", job.replace(&lab.server.base_url(), &renewed.server.base_url()));
    let resume = lab.delete(["keys.txt", "--report", "report.csv", "--resume", "--json"]);
    let done = resume.env("CLOUDFLARE_API_BASE_URL", renewed.server.base_url()).run().code(0);
    assert_eq!(done.summary()["resumed"], 100);
    let second: Vec<String> = renewed.deletes().into_iter().filter_map(|entry| entry.key).collect();
    assert_eq!(second.len(), 200, "each once");
    let second: BTreeSet<String> = second.into_iter().collect();
    assert!(first.is_disjoint(&second) && renewed.server.is_empty());
    let last: BTreeMap<u64, String> = lab.rows("report.csv").into_iter().map(|row| (row.record, row.status)).collect();
    assert_eq!(last.len(), 300);
    assert!(last.values().all(|status| status == "deleted"));
}
