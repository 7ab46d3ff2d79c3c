//! One key that is refused as if the whole job was, and pages that are not the API's.

use std::time::Duration;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, When};

use crate::lab::{Lab, final_rows, pause, wait_until};

const REPORT: [&str; 4] = ["keys.txt", "--report", "report.csv", "--json"];

/// What looks like the end of every job: the credentials, the account, the namespace.
fn refusals() -> [Canned; 5] {
    [
        Canned::error(404, 7_003, "Could not route to /…, perhaps your object identifier is invalid?"),
        Canned::error(403, 10_000, "Authentication error"),
        Canned::error(401, 10_000, "Authentication error"),
        Canned::error(400, 7_000, "No route for that URI"),
        Canned::error(404, 10_013, "namespace not found"),
    ]
}

#[test]
fn a_single_refused_key_never_stops_the_job_nor_a_resumed_one() {
    for refusal in refusals() {
        for (bulk, status) in [(false, "failed"), (true, "unknown")] {
            let fault = Fault::new(When::Key("key:0".to_owned()), refusal.clone().into());
            let lab = Lab::with(SandboxOptions { faults: vec![fault], ..SandboxOptions::default() });
            let keys = lab.keys(300);
            let args = if bulk { &["--bulk"][..] } else { &[] };
            for resume in [&[][..], &["--resume"]] {
                let done = lab.delete(REPORT).args(args).args(resume).run().code(3);
                assert_eq!(done.summary()["stopped"], serde_json::Value::Null, "{refusal:?}: {}", done.stderr);
                let rows = lab.rows("report.csv");
                for (record, row) in final_rows(&rows) {
                    let expected = if record == 1 { status } else { "deleted" };
                    assert_eq!(row.status, expected, "{row:?}");
                }
                assert_eq!(lab.server.keys(), ["key:0"]);
            }
            lab.server.set_faults([]);
            lab.delete(REPORT).args(args).arg("--resume").run().code(0);
            assert_eq!((lab.server.is_empty(), keys.len()), (true, 300));
        }
    }
}

#[test]
fn credentials_that_may_only_read_stop_the_job() {
    for bulk in [false, true] {
        let refused = Fault::new(When::Nth(1..=u64::MAX), Canned::error(403, 10_000, "Authentication error").into());
        let lab = Lab::with(SandboxOptions { faults: vec![refused], ..SandboxOptions::default() });
        lab.keys(2_000);
        let done = lab.delete(REPORT).args(if bulk { &["--bulk"][..] } else { &[] }).run().code(7);
        assert_eq!(done.summary()["stopped"], "unauthorized");
        let asked = lab.server.requests();
        assert!(asked < 400, "{asked} requests to find out");
    }
}

/// Responses without the API's envelope.
fn foreign() -> Vec<(u16, Canned)> {
    let plain = |status: u16, body: &str| Canned::raw(status, body).with_header("Content-Type", "text/plain");
    vec![
        (302, Canned::raw(302, "").with_header("Location", "http://portal.invalid/")),
        (400, Canned::raw(400, "")),
        (401, plain(401, "log in first")),
        (403, Canned::html(403)),
        (404, Canned::html(404)),
        (407, plain(407, "proxy authentication required")),
        (410, Canned::html(410)),
        (501, plain(501, "not implemented")),
        (507, plain(507, "")),
        (511, Canned::html(511)),
        (200, Canned::html(200)),
    ]
}

#[test]
fn pages_that_are_not_the_apis_are_an_outage_in_the_middle_of_a_job() {
    for (status, page) in foreign() {
        let latency = Some((Duration::from_micros(500), Duration::from_micros(1_500)));
        let lab = Lab::with(SandboxOptions { latency, ..SandboxOptions::default() });
        let keys = lab.keys(1_000);
        let running = lab.start("run", lab.delete(REPORT).args(["--retries", "1", "--concurrency", "8"]));
        wait_until("the job is in its middle", || lab.deletes().len() >= 300);
        lab.server.set_faults([Fault::new(When::Probability(1.0), page.into()).everywhere()]);
        wait_until("it has met the page", || {
            lab.server.request_log().iter().any(|entry| entry.status == status && entry.key.is_some() && !entry.applied)
        });
        pause(Duration::from_secs(1));
        lab.server.set_faults([]);
        let done = running.done().code(0);
        assert_eq!(done.summary()["deleted"], 1_000, "{status}: {}", done.stderr);
        lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
    }
}

#[test]
fn before_anything_has_worked_they_stop_the_job() {
    for (status, page) in foreign() {
        let fault = Fault::new(When::Probability(1.0), page.into()).everywhere();
        let lab = Lab::with(SandboxOptions { faults: vec![fault], ..SandboxOptions::default() });
        lab.keys(10);
        let done = lab.delete(REPORT).run().code(7);
        assert_eq!(done.summary()["stopped"], "unexpected_response", "{status}");
        assert!(done.stderr.contains(&status.to_string()), "{}", done.stderr);
        assert_eq!((lab.server.requests(), lab.deletes().len()), (1, 0), "{status}");
    }
}

#[test]
fn a_page_for_one_key_alone_stops_nothing_and_leaves_it_unknown() {
    let fault = Fault::new(When::Key("key:7".to_owned()), Canned::html(403).into());
    let lab = Lab::with(SandboxOptions { faults: vec![fault], ..SandboxOptions::default() });
    lab.keys(200);
    lab.delete(REPORT).args(["--retries", "2"]).run().code(3);
    for (_, row) in final_rows(&lab.rows("report.csv")) {
        assert_eq!(row.status, if row.key == "key:7" { "unknown" } else { "deleted" }, "{row:?}");
    }
}
