use std::time::Duration;

use proptest::prelude::*;
use reqwest::header::HeaderValue;

use super::*;

mod table;

use table::kinds;

fn head(status: u16, lines: &[(&'static str, &str)]) -> Head {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    Head::read(StatusCode::from_u16(status).unwrap(), &headers, SystemTime::UNIX_EPOCH)
}

fn answer(status: u16, lines: &[(&'static str, &str)], body: &str) -> Answer {
    classify(Endpoint::DeleteKey, &head(status, lines), &Body::Whole(body.into()))
}

fn with_code(code: u64) -> String {
    format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"m{code}"}}],"messages":[],"result":null}}"#)
}

fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Success => "SUCCESS",
        Answer::Absent(_) => "ABSENT",
        Answer::Refused(_) => "refused",
        Answer::Throttled { error: TransientError::Refused(_), .. } => "pause, else failed",
        Answer::Throttled { .. } => "pause, else unknown",
        Answer::DailyLimit(_) => "daily limit",
        Answer::Fatal(Fatal::Unauthorized, _) => "UNAUTHORIZED",
        Answer::Fatal(Fatal::NamespaceNotFound, _) => "NO NAMESPACE",
        Answer::Fatal(Fatal::AccountNotFound, _) => "NO ACCOUNT",
        Answer::Fatal(Fatal::NoToken, _) | Answer::TokenReplaced(_) => "only after the token's command ran",
        Answer::Transient(TransientError::Refused(_)) => "retry, else failed",
        Answer::Transient(TransientError::NoAnswer(_)) => "retry, else unknown",
        Answer::Transient(TransientError::Unexpected(_)) => "not the API",
        Answer::ConnectionClosed { .. } => "stale",
    }
}

fn refusal(answer: &Answer) -> Refusal {
    answer.clone().refusal_mut().cloned().unwrap_or_else(|| panic!("no refusal: {answer:?}"))
}

const CALLS: [Endpoint; 14] = [
    Endpoint::DeleteKey,
    Endpoint::DeleteMany,
    Endpoint::GetNamespace,
    Endpoint::ListKeys,
    Endpoint::ReadValue,
    Endpoint::ReadMetadata,
    Endpoint::ReadMany,
    Endpoint::PutMany,
    Endpoint::ListNamespaces,
    Endpoint::ListAccounts,
    Endpoint::GetWorkerSettings,
    Endpoint::VerifyToken,
    Endpoint::GetToken,
    Endpoint::GetUser,
];

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
        assert_eq!(word(&answer(429, &[], &with_code(code))), "pause, else failed", "{code}");
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
    assert_eq!(word(&classify(Endpoint::GetNamespace, &head(404, &[]), &body)), "refused");
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
        // Even with a code that would otherwise end the job: it was not the API that spoke.
        (vec![challenge], &with_code(10_000)[..]),
        (vec![("content-type", "text/plain")], "error code: 1020"),
    ] {
        let answer = answer(403, &lines, body);
        let message = &refusal(&answer).message;
        let is_explained = message.contains("--bulk") && message.contains("firewall");
        assert!(word(&answer) == "not the API" && is_explained, "{answer:?}");
        let namespace = classify(Endpoint::GetNamespace, &head(403, &lines), &Body::Whole(body.into()));
        assert!(!refusal(&namespace).message.contains("--bulk"), "{namespace:?}");
    }
    assert!(
        refusal(&answer(403, &[], page))
            .message
            .contains("saw it (Forbidden: an HTML page, \"Attention Required! | Cloudflare\"); the key's name")
    );
    // JSON decides, whatever the header calls it.
    assert_eq!(word(&answer(403, &[html], &with_code(10_000))), "UNAUTHORIZED");
    assert_eq!(word(&answer(403, &[html], r#"{"success":false,"errors":[]}"#)), "refused");
    let other = answer(403, &[], &with_code(1));
    assert_eq!((word(&other), &refusal(&other).message[..]), ("refused", "m1"));
    let long = Body::TooLong(page.into(), "longer".into());
    assert!(refusal(&classify(Endpoint::DeleteKey, &head(403, &[html]), &long)).message.contains("firewall"));
}

#[test]
fn a_proxy_that_wants_a_password_is_not_the_api() {
    for (_, lines, body) in kinds() {
        for call in CALLS {
            let answer = classify(call, &head(407, &lines), &body);
            assert_eq!(word(&answer), "not the API", "{call:?} {body:?}");
            assert!(refusal(&answer).message.starts_with("the proxy requires authentication"), "{answer:?}");
        }
    }
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
    let envelope = &with_code(1)[..];
    for (status, body) in [(408, ""), (429, "<html>"), (503, ""), (503, envelope), (530, "<html>"), (200, envelope)] {
        match answer(status, &[("retry-after", "7")], body) {
            Answer::Throttled { pause, error } => {
                assert_eq!(seconds(pause), Some(7));
                assert_eq!(matches!(error, TransientError::Refused(_)), body == envelope, "{status} {body}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(answer(429, &[], ""), Answer::Throttled { pause: None, error: TransientError::NoAnswer(_) }));
    // A page of something else does not set the pace of the job.
    assert_eq!(word(&answer(200, &[("retry-after", "7")], "nonsense")), "not the API");
}

#[test]
fn messages_say_what_is_known() {
    for (status, lines, body, wanted) in [
        (
            302,
            vec![("location", "https://else.example/x")],
            "",
            "not a response of the API: redirect to https://else.example/x, never followed",
        ),
        (301, vec![], "<html>", "not a response of the API: redirect without a target, never followed"),
        (301, vec![], r#"{"success":false}"#, "redirect without a target, never followed"),
        (404, vec![], "", "not a response of the API: Not Found: no body"),
        (404, vec![], " \n", "not a response of the API: Not Found: no body"),
        (404, vec![], "nothing here\nat all", "not a response of the API: Not Found: nothing here"),
        (404, vec![], "<html></html>", "not a response of the API: Not Found: an HTML page"),
        (404, vec![], "<title> </title>", "not a response of the API: Not Found: an HTML page"),
        (522, vec![("content-type", "text/html")], "<title>x | 522</title>", "an HTML page, \"x | 522\""),
        (400, vec![], r#"{"success":false}"#, r#"Bad Request: no error in the body: {"success":false}"#),
        (400, vec![], r#"{"errors":1}"#, r#"not a response of the API: Bad Request: {"errors":1}"#),
        (400, vec![], r#"{"success":false,"errors":[{"message":"bad","source":{"pointer":"/a"}}]}"#, "bad (at /a)"),
        (407, vec![], "", "the proxy requires authentication (Proxy Authentication Required: no body)"),
    ] {
        let answer = answer(status, &lines, body);
        assert_eq!((refusal(&answer).http_status, &refusal(&answer).message[..]), (Some(status), wanted));
    }
    let text = refusal(&answer(200, &[], "")).to_string();
    assert!(text.starts_with("HTTP 200: the body is not the API's JSON: it is cut off"), "{text}");
    for call in [Endpoint::DeleteMany, Endpoint::PutMany, Endpoint::DeleteKey] {
        let unknown = classify(call, &head(404, &[]), &Body::Whole(with_code(1).into()));
        assert_eq!(refusal(&unknown).message.contains("omit --bulk"), call == Endpoint::DeleteMany, "{unknown:?}");
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
    fn without_an_envelope_nothing_is_settled(
        status in 100u16..=999,
        bytes in anything(),
        kind in 0..4,
        call in prop::sample::select(&CALLS[..]),
    ) {
        // Values have none, and a bulk read that is too long is asked for in parts.
        prop_assume!(status != 200 || !matches!(call, Endpoint::ReadValue | Endpoint::ReadMany));
        let is_envelope = kind < 2 && Envelope::parse(&bytes).is_ok();
        let lines = if kind == 1 { &[("cf-mitigated", "challenge")][..] } else { &[] };
        let body = match kind {
            0 | 1 => Body::Whole(bytes),
            2 => Body::Cut(bytes, "cut".into()),
            _ => Body::TooLong(bytes, "long".into()),
        };
        let answer = classify(call, &head(status, lines), &body);
        if !is_envelope || kind == 1 || status == 407 {
            let is_open = matches!(
                &answer,
                Answer::Transient(TransientError::NoAnswer(_) | TransientError::Unexpected(_))
                    | Answer::Throttled { error: TransientError::NoAnswer(_), .. }
            );
            prop_assert!(is_open, "{:?}", answer);
        }
        prop_assert_ne!(&answer, &Answer::Success);
        if let Answer::Absent(refusal) = &answer {
            prop_assert_eq!((refusal.http_status, refusal.code), (Some(404), Some(10_009)));
            prop_assert!(call.is_about_a_key());
        }
    }
}
