use std::fmt::Write;
use std::time::Duration;

use proptest::prelude::*;
use reqwest::header::HeaderValue;

use super::*;

fn head(status: u16, lines: &[(&'static str, &str)]) -> Head {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Head::read(StatusCode::from_u16(status).unwrap(), &headers, SystemTime::UNIX_EPOCH)
}

fn answer(status: u16, lines: &[(&'static str, &str)], body: &str) -> Answer {
    classify(Call::DeleteKey, &head(status, lines), &Body::Whole(body.into()))
}

fn with_code(code: u64) -> String {
    format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"m{code}"}}],"messages":[],"result":null}}"#)
}

fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Success => "DELETED",
        Answer::Absent(_) => "ABSENT",
        Answer::Refused(_) => "refused",
        Answer::Throttled { .. } => "throttled",
        Answer::DailyLimit(_) => "daily limit",
        Answer::Fatal(Fatal::Unauthorized, _) => "UNAUTHORIZED",
        Answer::Fatal(Fatal::NamespaceNotFound, _) => "NO NAMESPACE",
        Answer::Fatal(Fatal::AccountNotFound, _) => "NO ACCOUNT",
        Answer::Passing(Trouble::Refused(_)) => "retry, else failed",
        Answer::Passing(Trouble::NoAnswer(_) | Trouble::Unexpected(_)) => "retry, else unknown",
        Answer::Stale(_) => "stale",
    }
}

fn refusal(answer: &Answer) -> &Refusal {
    match answer {
        Answer::Absent(refusal)
        | Answer::Refused(refusal)
        | Answer::DailyLimit(refusal)
        | Answer::Fatal(_, refusal)
        | Answer::Throttled { trouble: Trouble::Refused(refusal), .. }
        | Answer::Passing(Trouble::Refused(refusal)) => refusal,
        other => panic!("no refusal: {other:?}"),
    }
}

/// What every status comes to with this body.
fn policy(body: &Body) -> Vec<(u16, &'static str)> {
    let answer = |status| classify(Call::DeleteKey, &head(status, &[]), body);
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

/// The whole policy in one place: a change of it is a change of these lines.
#[test]
fn every_status_with_every_kind_of_body() {
    let whole = |text: &str| policy(&Body::Whole(text.into()));
    let unknown = whole(&with_code(10_001));
    let mut out = String::new();
    write_policy(&mut out, "an unknown code", &unknown);
    let success = whole(r#"{"success":true,"errors":[],"result":{}}"#);
    for (title, policy) in [
        ("success: true", success),
        ("no body", whole("")),
        ("HTML", whole("<!DOCTYPE html><title>Attention</title>")),
        ("a body cut off", policy(&Body::Cut(b"{\"succ".to_vec(), "cut".into()))),
        ("code 10000", whole(&with_code(10_000))),
        ("code 9109", whole(&with_code(9_109))),
        ("code 10009", whole(&with_code(10_009))),
        ("code 10013", whole(&with_code(10_013))),
        ("code 7003", whole(&with_code(7_003))),
        ("code 10014", whole(&with_code(10_014))),
        ("code 10048", whole(&with_code(10_048))),
    ] {
        let other: Vec<_> = policy.into_iter().filter(|line| !unknown.contains(line)).collect();
        write_policy(&mut out, &format!("{title}, where it differs"), &other);
    }
    insta::assert_snapshot!(out, @r"
    an unknown code
      refused: 100-199 300-400 402-407 409-424 426-428 430-499 501 505-519 528 531-599
      retry, else failed: 200-299 408 425 500 502-504 520-527 529-530
      UNAUTHORIZED: 401
      throttled: 429
    success: true, where it differs
      DELETED: 200-299
    no body, where it differs
      retry, else unknown: 200-299
    HTML, where it differs
      retry, else unknown: 200-299
    a body cut off, where it differs
      retry, else unknown: 200-299 400 403-405
    code 10000, where it differs
      UNAUTHORIZED: 200-299 400 403 405
    code 9109, where it differs
      UNAUTHORIZED: 200-299 400 403
    code 10009, where it differs
      ABSENT: 404
    code 10013, where it differs
      NO NAMESPACE: 200-299 404
    code 7003, where it differs
      NO ACCOUNT: 200-299 400 404-405
    code 10014, where it differs
      refused: 200-299
    code 10048, where it differs
      daily limit: 100-599
    ");
}

#[test]
fn all_codes_of_a_kind_mean_the_same() {
    for code in [6_003, 6_102, 6_103, 6_111, 9_103, 9_106, 9_107, 9_109, 10_000, 10_026, 10_037] {
        for status in [200, 400, 401, 403] {
            assert_eq!(word(&answer(status, &[], &with_code(code))), "UNAUTHORIZED", "{status} {code}");
        }
        let others = word(&answer(405, &[], &with_code(code)));
        assert_eq!(others, if code == 10_000 { "UNAUTHORIZED" } else { "refused" }, "{code}");
    }
    for code in [7_000, 7_003] {
        for status in [200, 400, 404, 405] {
            assert_eq!(word(&answer(status, &[], &with_code(code))), "NO ACCOUNT", "{status} {code}");
        }
    }
    for code in [971, 10_100, 10_022, 10_000, 10_009] {
        assert_eq!(word(&answer(429, &[], &with_code(code))), "throttled", "{code}");
    }
}

#[test]
fn the_first_error_that_is_known_speaks() {
    let two = |one: u64, other: u64| {
        format!(
            r#"{{"success":false,"errors":[{{"code":{one},"message":"m{one}"}},{{"code":{other},"message":"m{other}"}}]}}"#
        )
    };
    for (status, one, other, wanted, code) in [
        (404, 1, 10_009, "ABSENT", 10_009),
        (404, 10_009, 10_013, "ABSENT", 10_009),
        (404, 1, 2, "refused", 1),
        (403, 10_000, 10_048, "daily limit", 10_048),
        (500, 10_048, 1, "daily limit", 10_048),
    ] {
        let answer = answer(status, &[], &two(one, other));
        assert_eq!(word(&answer), wanted, "{status} {one} {other}");
        assert_eq!(refusal(&answer).code, Some(code));
        assert_eq!(refusal(&answer).message, format!("m{code}"));
    }
}

#[test]
fn absent_is_said_of_keys_only() {
    let body = Body::Whole(with_code(10_009).into());
    assert_eq!(word(&classify(Call::GetNamespace, &head(404, &[]), &body)), "refused");
}

#[test]
fn a_firewall_is_told_from_the_api() {
    let html = ("content-type", "Text/HTML; charset=UTF-8");
    let challenge = ("cf-mitigated", "challenge");
    let page = "<!DOCTYPE html>\n<html><head><TITLE class=a>\n Attention Required! |\n Cloudflare</TITLE>";
    for (lines, body) in [
        (vec![html], page),
        (vec![], page),
        (vec![html], ""),
        (vec![challenge], ""),
        (vec![challenge], &with_code(10_000)[..]),
        (vec![("content-type", "text/plain")], "error code: 1020"),
    ] {
        let answer = answer(403, &lines, body);
        let message = &refusal(&answer).message;
        assert!(word(&answer) == "refused" && message.contains("--bulk") && message.contains("firewall"), "{answer:?}");
        let namespace = classify(Call::GetNamespace, &head(403, &lines), &Body::Whole(body.into()));
        assert!(!refusal(&namespace).message.contains("--bulk"), "{namespace:?}");
    }
    assert!(
        refusal(&answer(403, &[], page))
            .message
            .ends_with("(Forbidden: an HTML page, \"Attention Required! | Cloudflare\")")
    );
    // JSON decides, whatever the header calls it.
    assert_eq!(word(&answer(403, &[html], &with_code(10_000))), "UNAUTHORIZED");
    let other = answer(403, &[], &with_code(1));
    assert_eq!((word(&other), &refusal(&other).message[..]), ("refused", "m1"));
    let cut = Body::Cut(page.into(), "longer".into());
    assert!(refusal(&classify(Call::DeleteKey, &head(403, &[html]), &cut)).message.contains("firewall"));
}

#[test]
fn waits_are_passed_on() {
    let seconds = |wait: Option<Duration>| wait.map(|wait| wait.as_secs());
    let body = r#"{"success":false,"errors":[{"code":971,"message":"slow down"}],"retry_after":40}"#;
    let limits = ("ratelimit", "\"default\";r=0;t=30");
    for (lines, wanted) in [
        (vec![("retry-after", "7"), limits], Some(7)),
        (vec![("retry-after", "0"), limits], Some(30)),
        (vec![], Some(40)),
    ] {
        match answer(429, &lines, body) {
            Answer::Throttled { pause, .. } => assert_eq!(seconds(pause), wanted, "{lines:?}"),
            other => panic!("{other:?}"),
        }
    }
    for (status, body) in [(503, ""), (200, "nonsense"), (200, &with_code(1)[..])] {
        match answer(status, &[("retry-after", "7")], body) {
            Answer::Throttled { pause, .. } => assert_eq!(seconds(pause), Some(7)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn messages_say_what_is_known() {
    for (status, lines, body, wanted) in [
        (302, vec![("location", "https://else.example/x")], "", "redirect to https://else.example/x, never followed"),
        (301, vec![], "<html>", "redirect without a target, never followed"),
        (404, vec![], "", "Not Found: no body"),
        (404, vec![], " \n", "Not Found: no body"),
        (404, vec![], "nothing here\nat all", "Not Found: nothing here"),
        (404, vec![], "<html></html>", "Not Found: an HTML page"),
        (404, vec![], "<title> </title>", "Not Found: an HTML page"),
        (522, vec![("content-type", "text/html")], "<title>x | 522</title>", "an HTML page, \"x | 522\""),
        (400, vec![], r#"{"success":false}"#, r#"Bad Request: no error in the body: {"success":false}"#),
        (400, vec![], r#"{"errors":[{"code":5}]}"#, r#"Bad Request: no error in the body: {"errors":[{"code":5}]}"#),
        (400, vec![], r#"{"errors":[{"code":5,"message":"bad","source":{"pointer":"/a"}}]}"#, "bad (at /a)"),
    ] {
        let answer = answer(status, &lines, body);
        assert_eq!((refusal(&answer).http_status, &refusal(&answer).message[..]), (Some(status), wanted));
    }
    match answer(200, &[], "") {
        Answer::Passing(Trouble::NoAnswer(Refusal { message: text, .. })) => {
            assert!(text.starts_with("HTTP 200, but the body is not the API's JSON: EOF"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

fn anything() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Vec<u8>>(),
        "[{}\\[\\]\":,a-z0-9]{0,60}".prop_map(String::into_bytes),
        "<(title|TITLE|ı|ſ)[^>]{0,9}>?[a-zİſ ]{0,9}(</title>)?".prop_map(String::into_bytes),
        (0u64..20_000).prop_map(|code| with_code(code).into_bytes()),
    ]
}

proptest! {
    #[test]
    fn no_answer_is_too_odd_and_none_is_a_success_by_accident(status in 100u16..=999, bytes in anything(), cut in any::<bool>()) {
        let body = if cut { Body::Cut(bytes, "cut".into()) } else { Body::Whole(bytes) };
        for call in [Call::DeleteKey, Call::GetNamespace] {
            let answer = classify(call, &head(status, &[]), &body);
            prop_assert_ne!(&answer, &Answer::Success);
            if let Answer::Absent(refusal) = answer {
                prop_assert_eq!((refusal.http_status, refusal.code, call), (Some(404), Some(10_009), Call::DeleteKey));
            }
        }
    }
}
