//! What each answer of the API leads to, one by one and through the real binary: the state of its key, or a retry.

mod failures;
mod stops;
mod unanswered;

use kvsweep::sandbox::{Canned, Fault, MissingKey, SandboxOptions, What, When};

use crate::lab::{Lab, Row};

/// Statuses that may pass.
const PASSING: [u16; 18] = [408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529, 530, 200, 201];

/// Requests for a bad key with one retry. The last ones, which fail after all others are deleted, may look like an outage,
/// which costs no retry, until the namespace is found.
const ATTEMPTS: std::ops::RangeInclusive<u32> = 2..=3;

/// A fault for one key.
fn at(key: &str, what: impl Into<What>) -> Fault {
    Fault::new(When::Key(key.to_owned()), what.into())
}

/// Good keys and bad ones in turns, so that bad ones never look like an outage when they go one at a time.
fn in_turns<'a>(bad: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    bad.into_iter().enumerate().flat_map(|(index, bad)| [format!("good:{index}"), bad.to_owned()]).collect()
}

/// A lab whose server has these keys and meets them with these faults; the keys are in `keys.txt`.
fn lab_with(keys: &[String], faults: Vec<Fault>) -> Lab {
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    lab.server.preload(keys.iter().map(String::as_str));
    lab.server.preload(["bystander"]);
    lab.write("keys.txt", keys.join("\n"));
    lab
}

/// `kvsweep delete keys.txt` with a report, one key at a time.
fn one_by_one(lab: &Lab) -> crate::lab::Kvsweep {
    lab.delete(["keys.txt", "--report", "report.csv", "--concurrency", "1"])
}

#[track_caller]
fn row<'a>(rows: &'a [Row], key: &str) -> &'a Row {
    let mut found = rows.iter().filter(|row| row.key == key);
    let row = found.next().unwrap_or_else(|| panic!("no row for {key}"));
    assert!(found.next().is_none(), "two rows for {key}");
    row
}

/// How often the server was asked to delete the key.
fn asked(lab: &Lab, key: &str) -> usize {
    lab.deletes().iter().filter(|entry| entry.key.as_deref() == Some(key)).count()
}

/// The keys that are named `good:…` are gone, and their rows say so.
fn assert_good_ones_deleted(lab: &Lab, rows: &[Row]) {
    let good: Vec<&Row> = rows.iter().filter(|row| row.key.starts_with("good:")).collect();
    assert!(!good.is_empty());
    for row in good {
        assert_eq!((row.status.as_str(), row.attempts), ("deleted", 1), "{row:?}");
        assert!(!lab.server.contains(&row.key));
    }
    assert!(lab.server.contains("bystander"));
}

#[test]
fn an_absent_key_is_absent_only_with_its_code() {
    for (missing_key, status, http_status, code) in
        [(MissingKey::Success, "deleted", 200, None), (MissingKey::NotFound, "absent", 404, Some(10_009))]
    {
        let lab = Lab::with(SandboxOptions { missing_key, ..SandboxOptions::default() });
        lab.server.preload(["here"]);
        lab.write("keys.txt", "here\nnot here\n");
        let done = lab.delete(["keys.txt", "--report", "report.csv", "--json"]).run().code(0);
        let rows = lab.rows("report.csv");
        assert_eq!(row(&rows, "here").status, "deleted");
        let absent = row(&rows, "not here");
        assert_eq!(
            (absent.status.as_str(), absent.http_status, absent.error_code, absent.attempts),
            (status, Some(http_status), code, 1)
        );
        assert_eq!(done.summary()["failed"], 0);
    }
}

#[test]
fn a_refusal_fails_its_key_at_once_and_no_other() {
    let refusals = [
        ("404 of another code", Canned::error(404, 10_007, "not this one")),
        ("400", Canned::error(400, 10_012, "malformed request")),
        ("402", Canned::error(402, None, "payment required")),
        ("403 of an unknown code", Canned::error(403, 12_345, "not for you")),
        ("405", Canned::error(405, 7_001, "Method DELETE not available for that URI.")),
        ("409", Canned::error(409, 1, "conflict")),
        ("410", Canned::error(410, 3, "gone")),
        ("413", Canned::error(413, 10_012, "too large")),
        ("414", Canned::error(414, None, "too long")),
        ("418", Canned::error(418, None, "teapot")),
        ("422", Canned::error(422, 5, "unprocessable")),
        ("501", Canned::error(501, None, "not implemented")),
    ];
    let keys = in_turns(refusals.iter().map(|(key, _)| *key));
    let faults = refusals.iter().map(|(key, canned)| at(key, canned.clone())).collect();
    let lab = lab_with(&keys, faults);
    let done = one_by_one(&lab).arg("--json").run().code(3);
    let rows = lab.rows("report.csv");
    assert_eq!(rows.len(), keys.len());
    for (key, canned) in &refusals {
        let row = row(&rows, key);
        assert_eq!((row.status.as_str(), row.http_status, row.attempts), ("failed", Some(canned.status), 1), "{row:?}");
        assert_eq!(asked(&lab, key), 1, "{key}");
        let said: serde_json::Value = serde_json::from_slice(&canned.body).unwrap_or_default();
        let error = &said["errors"][0];
        if let Some(message) = error["message"].as_str() {
            assert_eq!((row.error_code, row.error.as_str()), (error["code"].as_u64(), message), "{key}");
        } else {
            assert!(!row.error.is_empty(), "{row:?}");
        }
    }
    assert_good_ones_deleted(&lab, &rows);
    let summary = done.summary();
    assert_eq!(
        (&summary["failed"], &summary["retries"], &summary["stopped"], &summary["exit_code"]),
        (&refusals.len().into(), &0.into(), &serde_json::Value::Null, &3.into())
    );
}

#[test]
fn a_response_that_is_not_the_apis_leaves_its_key_unknown() {
    let mitigated = |canned: Canned| canned.with_header("cf-mitigated", "challenge");
    let page = |status| {
        let mut page = Canned::html(status);
        page.headers.retain(|(name, _)| name == "content-type");
        page
    };
    let plain = |status, text: &str| Canned::raw(status, text).with_header("content-type", "text/plain");
    let firewall = [
        ("page", page(403)),
        ("page of a challenge", mitigated(page(403))),
        ("challenge without a page", mitigated(Canned::raw(403, "{}"))),
        // Even with a code that would otherwise end the job: it was not the API that spoke.
        ("challenge with a code", mitigated(Canned::error(403, 10_000, "Authentication error"))),
        ("edge error", plain(403, "error code: 1020")),
    ];
    let others = [
        ("page with 200", page(200)),
        ("204", Canned::raw(204, "")),
        ("no success", Canned::raw(200, r#"{"errors":[{"code":10000}]}"#)),
        ("bare 400", Canned::raw(400, "")),
        ("bare 401", plain(401, "who are you?")),
        ("bare 403", Canned::raw(403, "")),
        ("bare 404", Canned::raw(404, "")),
        ("page with 404", page(404)),
        ("code without success", Canned::raw(404, r#"{"errors":[{"code":10013,"message":"no"}]}"#)),
        ("405", Canned::raw(405, "")),
        ("407 of the API", Canned::error(407, 10_000, "Authentication error")),
        ("410", Canned::raw(410, "{}")),
        ("413", page(413)),
        ("501", Canned::raw(501, "")),
        ("507", Canned::raw(507, "")),
        ("511", page(511)),
        ("gateway", page(502)),
        ("bare 503", Canned::raw(503, "")),
        ("530", plain(530, "error code: 1016")),
    ];
    let answers: Vec<_> = firewall.iter().chain(&others).collect();
    let keys = in_turns(answers.iter().map(|(key, _)| *key));
    let lab = lab_with(&keys, answers.iter().map(|(key, canned)| at(key, canned.clone())).collect());
    one_by_one(&lab).args(["--retries", "1"]).run().code(3);
    let rows = lab.rows("report.csv");
    for (key, canned) in &answers {
        let row = row(&rows, key);
        assert_eq!((row.status.as_str(), row.http_status), ("unknown", Some(canned.status)), "{row:?}");
        assert!(ATTEMPTS.contains(&row.attempts), "{row:?}");
        let explained = row.error.contains("firewall") && row.error.contains("--bulk");
        assert_eq!(explained, firewall.iter().any(|(other, _)| other == key), "{row:?}");
        assert!(row.error_code.is_none() && lab.server.contains(key), "{row:?}");
    }
    assert_good_ones_deleted(&lab, &rows);
}

#[test]
fn what_passes_is_retried_and_then_deleted() {
    let bad: Vec<String> = PASSING.iter().map(|status| format!("bad:{status}")).collect();
    let keys = in_turns(bad.iter().map(String::as_str));
    let faults = PASSING.iter().zip(&bad);
    let faults = faults.map(|(status, key)| at(key, Canned::error(*status, 10_001, "later")).times(1)).collect();
    let lab = lab_with(&keys, faults);
    let done = one_by_one(&lab).args(["--retries", "1", "--json"]).run().code(0);
    let rows = lab.rows("report.csv");
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
    for key in &bad {
        assert_eq!((row(&rows, key).attempts, asked(&lab, key)), (2, 2), "{key}");
    }
    assert_good_ones_deleted(&lab, &rows);
    assert_eq!(done.summary()["retries"], PASSING.len());
}

#[test]
fn what_does_not_pass_in_time_is_failed_with_the_last_words() {
    let bad: Vec<String> = PASSING.iter().map(|status| format!("bad:{status}")).collect();
    let keys = in_turns(bad.iter().map(String::as_str));
    let faults = PASSING.iter().zip(&bad);
    let faults = faults.map(|(status, key)| at(key, Canned::error(*status, 10_001, format!("no, {key}")))).collect();
    let lab = lab_with(&keys, faults);
    one_by_one(&lab).args(["--retries", "1"]).run().code(3);
    let rows = lab.rows("report.csv");
    for (status, key) in PASSING.iter().zip(&bad) {
        let row = row(&rows, key);
        assert_eq!(
            (row.status.as_str(), row.http_status, row.error_code),
            ("failed", Some(*status), Some(10_001)),
            "{row:?}"
        );
        assert_eq!(row.error, format!("no, {key}"));
        assert!(ATTEMPTS.contains(&row.attempts) && asked(&lab, key) == row.attempts as usize, "{row:?}");
        assert!(lab.server.contains(key));
    }
    assert_good_ones_deleted(&lab, &rows);
}

#[test]
fn a_redirect_is_never_followed() {
    let elsewhere = Lab::new();
    let statuses = [301, 302, 303, 307, 308];
    let bad: Vec<String> = statuses.iter().map(|status| format!("bad:{status}")).collect();
    let keys = in_turns(bad.iter().map(String::as_str));
    elsewhere.server.preload(keys.iter().map(String::as_str));
    let place = elsewhere.server.base_url();
    let redirect = |status: u16| Canned::raw(status, "").with_header("location", &place);
    let faults = statuses.iter().zip(&bad).map(|(status, key)| at(key, redirect(*status))).collect();
    let lab = lab_with(&keys, faults);
    one_by_one(&lab).args(["--retries", "0"]).run().code(3);
    let rows = lab.rows("report.csv");
    for (status, key) in statuses.iter().zip(&bad) {
        let row = row(&rows, key);
        assert_eq!((row.status.as_str(), row.http_status, row.attempts), ("unknown", Some(*status), 1));
        assert!(row.error.contains(&place), "{row:?}");
    }
    assert_good_ones_deleted(&lab, &rows);
    assert_eq!((elsewhere.server.requests(), elsewhere.server.len()), (0, keys.len()));
}

#[test]
fn a_resumed_job_passes_keys_that_are_denied_one_by_one() {
    let denied: Vec<_> = (0..12).map(|nth| format!("denied:{nth}")).collect();
    let good = |from: usize, to: usize| (from..to).map(|nth| format!("good:{nth}"));
    let keys: Vec<_> = good(0, 3).chain(denied.iter().cloned()).chain(good(3, 30)).collect();
    let faults = denied.iter().map(|key| at(key, Canned::error(403, 10_000, "Authentication error"))).collect();
    let lab = lab_with(&keys, faults);
    one_by_one(&lab).args(["--max-failures", "10"]).run().code(8);
    one_by_one(&lab).args(["--max-failures", "100", "--resume"]).run().code(3);
    let left = lab.server.keys();
    assert!(left.iter().all(|key| key.starts_with("denied:") || key == "bystander"), "{left:?}");
}
