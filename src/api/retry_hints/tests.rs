use proptest::prelude::*;
use reqwest::header::{HeaderName, HeaderValue};

use super::*;

/// Tue, 24 Nov 2026 03:00:00 GMT.
const NOW: Duration = Duration::from_hours(498_747);

fn retry_after(value: &str) -> Option<u64> {
    parse_retry_after(value, SystemTime::UNIX_EPOCH + NOW).map(|wait| wait.as_secs())
}

fn entry(name: &str, remaining: u64, reset: u64, policy: Option<(u32, u64)>) -> RateLimitInfo {
    RateLimitInfo {
        name: name.to_owned(),
        remaining,
        reset_after: Duration::from_secs(reset),
        policy: policy.and_then(|(count, window)| Rate::new(count, Duration::from_secs(window))),
    }
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    lines.iter().map(pair).collect()
}

fn retry_hints(lines: &[(&str, &str)]) -> RetryHints {
    RetryHints::read(&headers(lines), SystemTime::UNIX_EPOCH + NOW)
}

#[test]
fn a_date_counts_from_the_servers_own_clock() {
    let wait = |date: &str| {
        let lines = [("date", date), ("retry-after", "Tue, 24 Nov 2026 05:02:05 GMT")];
        retry_hints(&lines[usize::from(date.is_empty())..]).retry_after.map(|wait| wait.as_secs())
    };
    // The server's clock is two hours ahead of ours.
    assert_eq!(wait("Tue, 24 Nov 2026 05:00:00 GMT"), Some(125));
    assert_eq!(wait("Tue, 24 Nov 2026 05:02:05 GMT"), None);
    for none in ["", "today"] {
        assert_eq!(wait(none), Some(7_325), "{none:?}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    for (value, seconds) in [
        ("1", Some(1)),
        (" 300 ", Some(300)),
        ("86400", Some(86_400)),
        ("Tue, 24 Nov 2026 03:02:05 GMT", Some(125)),
        ("Tuesday, 24-Nov-26 03:02:05 GMT", Some(125)),
        ("Tue Nov 24 03:02:05 2026", Some(125)),
        // Not believed: nothing, the past, more than a day.
        ("0", None),
        ("86401", None),
        ("18446744073709551616", None),
        ("Tue, 24 Nov 2026 03:00:00 GMT", None),
        ("Tue, 24 Nov 2026 02:59:59 GMT", None),
        ("Thu, 24 Nov 2033 03:00:00 GMT", None),
        // Not read.
        ("", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("5s", None),
        ("5, 10", None),
        ("soon", None),
        ("Tue, 24 Nov 2026 03:02:05", None),
        ("٣", None),
    ] {
        assert_eq!(retry_after(value), seconds, "{value:?}");
    }
}

#[test]
fn a_date_counts_from_the_fraction_of_a_second_that_it_is() {
    let now = SystemTime::UNIX_EPOCH + NOW + Duration::from_millis(400);
    let wait = parse_retry_after("Tue, 24 Nov 2026 03:00:01 GMT", now);
    assert_eq!(wait, Some(Duration::from_millis(600)));
}

#[test]
fn lists_are_read_in_all_their_spellings() {
    for (limits, policies, wanted) in [
        (r#""default";r=50;t=30"#, "", vec![entry("default", 50, 30, None)]),
        (
            r#""default";r=50;t=30, "burst";r=0;t=3"#,
            r#""burst";q=100;w=60"#,
            vec![entry("default", 50, 30, None), entry("burst", 0, 3, Some((100, 60)))],
        ),
        (
            " default ; t = 30 ;r= 50,burst;r=1;t=2;pk=:cHsdsRa894==:",
            "burst;w=60;q=100;qu=\"requests\", default;q=1200;w=300",
            vec![entry("default", 50, 30, Some((1200, 300))), entry("burst", 1, 2, Some((100, 60)))],
        ),
        (r#""a,b;c\"d\\";r=1;t=2"#, "", vec![entry("a,b;c\"d\\", 1, 2, None)]),
        (r#""d";r=1;t=2;r=3"#, "", vec![entry("d", 3, 2, None)]),
        (r#""d";r=1;t=2"#, r#""d";q=0;w=60"#, vec![entry("d", 1, 2, None)]),
        (r#""d";r=1;t=2"#, r#""d";q=5"#, vec![entry("d", 1, 2, None)]),
        // Junk is left out, its neighbours stay.
        (r#", ,"";r=1;t=2,"d";r=1;t=2,,"#, "", vec![entry("d", 1, 2, None)]),
        (r#""a";r=x;t=2, "b";r=1, "c";t=1, "d";r=-1;t=1, "e";r=1.0;t=1"#, "", vec![]),
        (r#""a";r=1;t=99999999999999"#, "", vec![]),
        ("limit=100, remaining=50, reset=30", "", vec![]),
        (r#""never closed;r=1;t=2"#, "", vec![]),
        ("", r#""d";q=5;w=5"#, vec![]),
    ] {
        assert_eq!(parse_quota(limits, policies), wanted, "{limits}");
    }
}

#[test]
fn headers_may_come_in_several_lines() {
    let read = retry_hints(&[
        ("ratelimit", r#""default";r=50;t=30"#),
        ("ratelimit", r#""burst";r=0;t=3"#),
        ("ratelimit-policy", r#""burst";q=100;w=60"#),
        ("retry-after", "soon"),
        ("retry-after", "7"),
    ]);
    let rate_limits = vec![entry("default", 50, 30, None), entry("burst", 0, 3, Some((100, 60)))];
    assert_eq!(read, RetryHints { retry_after: Some(Duration::from_secs(7)), rate_limits });
}

#[test]
fn a_pause_comes_from_the_first_source_that_can_be_believed() {
    let limits = ("ratelimit", r#""a";r=5;t=900, "b";r=0;t=3, "c";r=0;t=20"#);
    for (lines, in_body, seconds) in [
        (vec![("retry-after", "7"), limits], Some(9), Some(7)),
        (vec![("retry-after", "0"), limits], Some(9), Some(20)),
        (vec![limits], None, Some(20)),
        (vec![("ratelimit", r#""a";r=5;t=900, "b";r=1;t=3"#)], Some(9), Some(900)),
        (vec![("ratelimit", r#""a";r=5;t=900, "b";r=0;t=0"#)], Some(9), Some(9)),
        (vec![("ratelimit", r#""a";r=0;t=90000"#)], Some(9), Some(9)),
        (vec![], Some(9), Some(9)),
        (vec![], Some(0), None),
        (vec![], Some(86_401), None),
        (vec![("retry-after", "99999999")], None, None),
        (vec![], None, None),
    ] {
        let pause = retry_hints(&lines).pause(in_body.map(Duration::from_secs));
        assert_eq!(pause.map(|pause| pause.as_secs()), seconds, "{lines:?} {in_body:?}");
    }
}

proptest! {
    #[test]
    fn no_header_is_too_odd(values in proptest::collection::vec(any::<Vec<u8>>(), 3)) {
        let mut headers = HeaderMap::new();
        for (name, value) in ["retry-after", "ratelimit", "ratelimit-policy"].into_iter().zip(values) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.insert(name, value);
            }
        }
        let retry_hints = RetryHints::read(&headers, SystemTime::UNIX_EPOCH + NOW);
        prop_assert!(retry_hints.pause(None).is_none_or(|pause| pause > Duration::ZERO && pause <= LONGEST_PAUSE));
    }

    #[test]
    fn nearly_right_lists_are_read_without_a_panic(list in "[\"\\\\a-c;,= rtqw0-9]{0,40}") {
        let news = parse_quota(&list, &list);
        prop_assert!(news.iter().all(|entry| entry.reset_after.as_secs() <= LONGEST_WINDOW && !entry.name.is_empty()));
    }

    #[test]
    fn what_is_written_is_read(entries in proptest::collection::vec(("[ -~]{1,20}", any::<u64>(), 0..LONGEST_WINDOW), 0..5)) {
        let written: Vec<_> = entries
            .iter()
            .map(|(name, remaining, reset)| {
                let name = name.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{name}\";r={remaining};t={reset}")
            })
            .collect();
        let wanted: Vec<_> = entries.iter().map(|(name, remaining, reset)| entry(name, *remaining, *reset, None)).collect();
        prop_assert_eq!(parse_quota(&written.join(", "), ""), wanted);
    }
}
