//! Every status with every kind of body, for every call.

use std::fmt::Write;

use super::*;

/// Statuses with what they come to.
type Policy = Vec<(u16, &'static str)>;

/// What every status comes to with this body.
fn policy(call: Endpoint, lines: &[(&'static str, &str)], body: &Body) -> Policy {
    let answer = |status| classify(call, &head(status, lines), body);
    (100..=599).map(|status| (status, word(&answer(status)))).collect()
}

/// A line for each kind of answer, with its statuses.
fn write_policy(out: &mut String, title: &str, policy: &[(u16, &'static str)]) {
    writeln!(out, "{title}").unwrap();
    let mut lines: Vec<(&str, String)> = Vec::new();
    for run in policy.chunk_by(|one, next| one.0 + 1 == next.0 && one.1 == next.1) {
        let (first, last) = (run[0].0, run[run.len() - 1].0);
        let statuses = if first == last { format!(" {first}") } else { format!(" {first}-{last}") };
        match lines.iter_mut().find(|(word, _)| *word == run[0].1) {
            Some((_, line)) => line.push_str(&statuses),
            None => lines.push((run[0].1, statuses)),
        }
    }
    for (word, statuses) in lines {
        writeln!(out, "  {word}:{statuses}").unwrap();
    }
}

/// What it is, headers, and a body.
type Kind = (&'static str, Vec<(&'static str, &'static str)>, Body);

pub(super) fn kinds() -> Vec<Kind> {
    let whole = |text: &str| Body::Whole(text.into());
    let page = "<!DOCTYPE html><title>Attention</title>";
    let done = r#"{"success":true,"errors":[],"result":{}}"#;
    let code = |code| whole(&with_code(code));
    vec![
        ("an unknown code", vec![], code(10_001)),
        ("success: true", vec![], whole(done)),
        ("success: true, of a challenge", vec![("cf-mitigated", "challenge")], whole(done)),
        ("success is missing", vec![], whole(r#"{"errors":[{"code":10000,"message":"m"}],"result":{}}"#)),
        ("success is null", vec![], whole(r#"{"success":null,"errors":[{"code":10013}],"result":{}}"#)),
        ("no body", vec![], whole("")),
        ("a page", vec![("content-type", "text/html")], whole(page)),
        ("a page of a challenge", vec![("cf-mitigated", "challenge")], whole(page)),
        ("text", vec![("content-type", "text/plain")], whole("error code: 1020")),
        ("JSON of another API", vec![], whole(r#"{"error":"not found"}"#)),
        ("a body cut off", vec![], Body::Cut(done.into(), "cut".into())),
        ("a page cut off", vec![("content-type", "text/html")], Body::Cut(page.into(), "cut".into())),
        ("a body too long", vec![], Body::TooLong(done.into(), "longer".into())),
        ("an encoded body", vec![], Body::Encoded("gzip".into())),
        ("code 10000", vec![], code(10_000)),
        ("code 9109", vec![], code(9_109)),
        ("code 10009", vec![], code(10_009)),
        ("code 10013", vec![], code(10_013)),
        ("code 7003", vec![], code(7_003)),
        ("code 7001", vec![], code(7_001)),
        ("code 10014", vec![], code(10_014)),
        ("code 10046", vec![], code(TOO_MANY_BULK_CALLS)),
        ("code 10048", vec![], code(10_048)),
    ]
}

/// The whole policy in one place: a change of it is a change of these lines.
#[test]
fn every_status_with_every_kind_of_body() {
    let mut out = String::new();
    let mut with_envelope = Vec::new();
    let mut without = Vec::new();
    for (title, lines, body) in kinds() {
        let policy = policy(Endpoint::DeleteKey, &lines, &body);
        let is_envelope = matches!(&body, Body::Whole(bytes) if Envelope::parse(bytes).is_ok())
            && !lines.contains(&("cf-mitigated", "challenge"));
        let base = if is_envelope { &mut with_envelope } else { &mut without };
        if base.is_empty() {
            write_policy(&mut out, title, &policy);
            *base = policy;
        } else {
            let other: Vec<_> = policy.into_iter().filter(|line| !base.contains(line)).collect();
            let kind = if is_envelope { "an unknown code" } else { "a challenge" };
            let differs = if other.is_empty() { "the same" } else { "where it differs" };
            write_policy(&mut out, &format!("{title}, as for {kind}: {differs}"), &other);
        }
    }
    insta::assert_snapshot!(out, @r"
    an unknown code
      refused: 100-199 300-400 402-406 409-424 426-428 430-499 501 505-519 528 531-599
      retry, else failed: 200-299 408 425 500 502-504 520-527 529-530
      UNAUTHORIZED: 401
      not the API: 407
      pause, else failed: 429
    success: true, as for an unknown code: where it differs
      retry, else unknown: 100-199 300-406 408-428 430-599
      SUCCESS: 200-299
    success: true, of a challenge
      not the API: 100-407 409-424 426-428 430-499 501 505-519 528 531-599
      retry, else unknown: 408 425 500 502-504 520-527 529-530
      pause, else unknown: 429
    success is missing, as for a challenge: the same
    success is null, as for a challenge: the same
    no body, as for a challenge: the same
    a page, as for a challenge: the same
    a page of a challenge, as for a challenge: the same
    text, as for a challenge: the same
    JSON of another API, as for a challenge: the same
    a body cut off, as for a challenge: where it differs
      retry, else unknown: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    a page cut off, as for a challenge: where it differs
      retry, else unknown: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    a body too long, as for a challenge: the same
    an encoded body, as for a challenge: where it differs
      retry, else unknown: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    code 10000, as for an unknown code: where it differs
      UNAUTHORIZED: 200-299 400 403 405
    code 9109, as for an unknown code: where it differs
      UNAUTHORIZED: 200-299 400 403
    code 10009, as for an unknown code: where it differs
      ABSENT: 404
    code 10013, as for an unknown code: where it differs
      NO NAMESPACE: 200-299 404
    code 7003, as for an unknown code: where it differs
      NO ACCOUNT: 200-299 400 404-405
    code 7001, as for an unknown code: where it differs
      refused: 200-299
    code 10014, as for an unknown code: where it differs
      refused: 200-299
    code 10046, as for an unknown code: where it differs
      pause, else failed: 100-406 408-428 430-599
    code 10048, as for an unknown code: where it differs
      daily limit: 100-406 408-599
    ");
}

/// Where another call than a delete differs.
#[test]
fn every_call_with_every_status_and_body() {
    let mut out = String::new();
    for call in CALLS {
        let mut differences: Vec<(Policy, Vec<&str>)> = Vec::new();
        for (title, lines, body) in kinds() {
            let of_delete = policy(Endpoint::DeleteKey, &lines, &body);
            let other: Vec<_> =
                policy(call, &lines, &body).into_iter().filter(|line| !of_delete.contains(line)).collect();
            match differences.iter_mut().find(|(known, _)| *known == other) {
                Some((_, titles)) => titles.push(title),
                None => differences.push((other, vec![title])),
            }
        }
        for (other, titles) in differences.iter().filter(|(other, _)| !other.is_empty()) {
            write_policy(&mut out, &format!("{call:?}: {}", titles.join(", ")), other);
        }
    }
    insta::assert_snapshot!(out, @r"
    DeleteMany: an unknown code
      NO ACCOUNT: 404-405
    DeleteMany: code 10009
      refused: 404
    GetNamespace: an encoded body
      not the API: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    GetNamespace: code 10009
      refused: 404
    ListKeys: an encoded body
      not the API: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    ListKeys: code 10009
      refused: 404
    ReadValue: an unknown code, success is missing, success is null, no body, text, JSON of another API, code 10000, code 9109, code 10009, code 10013, code 7003, code 7001, code 10014, code 10046, code 10048
      SUCCESS: 200
    ReadValue: success: true
      retry, else unknown: 201-299
    ReadValue: a body too long
      retry, else unknown: 200
    ReadMany: a body too long
      refused: 200
    ReadMany: code 10009
      refused: 404
    PutMany: code 10009
      refused: 404
    ListNamespaces: an encoded body
      not the API: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    ListNamespaces: code 10009
      refused: 404
    ListAccounts: an encoded body
      not the API: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    ListAccounts: code 10009
      refused: 404
    GetWorkerSettings: an encoded body
      not the API: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    GetWorkerSettings: code 10009
      refused: 404
    VerifyToken: an encoded body
      not the API: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    VerifyToken: code 10009
      refused: 404
    GetToken: an encoded body
      not the API: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    GetToken: code 10009
      refused: 404
    GetUser: an encoded body
      not the API: 100-406 409-424 426-428 430-499 501 505-519 528 531-599
    GetUser: code 10009
      refused: 404
    ");
}
