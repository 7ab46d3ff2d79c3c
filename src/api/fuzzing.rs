//! What must hold for any bytes as an answer's body, as its headers, and as the name of a key.

#![expect(clippy::missing_panics_doc, reason = "a panic is how a target says what it found")]

use std::collections::HashMap;
use std::time::{Duration, UNIX_EPOCH};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::value::RawValue;

use super::answer::Answer;
use super::classify::{Body, Endpoint, Head, classify};
use super::envelope::Envelope;
use super::retry_hints::{RetryHints, parse_quota, parse_retry_after};
use super::url::{BaseUrl, Urls};
use crate::key::{KeyName, MAX_KEY_BYTES};

const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(366 * 24);

/// Two bytes choose the status, the rest is the body.
pub fn envelope(data: &[u8]) {
    let Some((&[high, low], body)) = data.split_first_chunk() else { return };
    let status = 100 + u16::from_be_bytes([high, low]) % 500;
    let Ok(status) = StatusCode::from_u16(status) else { return };
    // A map of members, which knows nothing of our types.
    let document = serde_json::from_slice::<HashMap<String, Box<RawValue>>>(body).unwrap_or_default();
    let success = document.get("success").and_then(|value| value.get().parse::<bool>().ok());
    let is_success = success == Some(true);
    let envelope = Envelope::parse(body);
    if let Ok(envelope) = &envelope {
        assert_eq!(Some(envelope.success), success, "the body does not say so");
        assert!(envelope.faults.len() <= 32);
    }
    let head = Head::read(status, &HeaderMap::new(), UNIX_EPOCH);
    for call in [Endpoint::DeleteKey, Endpoint::GetNamespace] {
        let cut = classify(call, &head, &Body::Cut(body.to_vec(), "cut".to_owned()));
        assert!(!matches!(cut, Answer::Success | Answer::Absent(_)), "{cut:?} out of a cut body");
        let answer = classify(call, &head, &Body::Whole(body.to_vec()));
        match &answer {
            Answer::Success => assert!(status.is_success() && is_success, "{status}: {answer:?}"),
            Answer::Absent(refusal) => {
                assert_eq!((status.as_u16(), refusal.code, call), (404, Some(10_009), Endpoint::DeleteKey));
            }
            Answer::Throttled { pause, .. } => {
                assert!(pause.is_none_or(|pause| !pause.is_zero() && pause <= DAY), "{answer:?}");
            }
            Answer::ConnectionClosed { .. } | Answer::TokenReplaced(_) => panic!("an answer came: {answer:?}"),
            Answer::Refused(_) | Answer::Fatal(..) | Answer::DailyLimit(_) => {
                assert!(envelope.is_ok(), "{status}: {answer:?} without an envelope");
            }
            Answer::Transient(_) => {}
        }
    }
}

/// Lines are `Retry-After`, `Ratelimit`, `Ratelimit-Policy`.
pub fn headers(data: &[u8]) {
    let mut lines = data.splitn(3, |&byte| byte == b'\n');
    let mut headers = HeaderMap::new();
    for name in ["retry-after", "ratelimit", "ratelimit-policy"] {
        if let Some(Ok(value)) = lines.next().map(HeaderValue::from_bytes) {
            headers.append(name, value);
        }
    }
    let retry_hints = RetryHints::read(&headers, UNIX_EPOCH);
    let waits = [retry_hints.retry_after, retry_hints.pause(None), retry_hints.pause(Some(Duration::MAX))];
    assert!(waits.into_iter().flatten().all(|wait| !wait.is_zero() && wait <= DAY), "{waits:?}");
    assert!(retry_hints.rate_limits.len() <= 16);
    for entry in &retry_hints.rate_limits {
        assert!((1..=64).contains(&entry.name.len()) && entry.reset_after <= YEAR, "{entry:?}");
        assert!(entry.policy.is_none_or(|policy| policy.window() <= YEAR), "{entry:?}");
    }
    // Text that no HTTP library would let through, too.
    let text = String::from_utf8_lossy(data);
    let _ = (parse_retry_after(&text, UNIX_EPOCH), parse_quota(&text, &text));
}

/// A key; with a line end in it, a base URL and after it the key.
pub fn url(data: &[u8]) {
    let line_end = data.iter().position(|&byte| byte == b'\n');
    let (base, key) = line_end.map_or((&b""[..], data), |end| (&data[..end], &data[end + 1..]));
    let bases = [Some(BaseUrl::CLOUDFLARE), std::str::from_utf8(base).ok()];
    for (base, key) in bases.into_iter().flatten().flat_map(|base| [(base, key), (base, data)]) {
        let (Ok(base), Ok(account), Ok(namespace)) = (base.parse::<BaseUrl>(), "acc".parse(), "ns".parse()) else {
            continue;
        };
        let endpoint = Urls::new(&base, &account, &namespace);
        let endpoint = endpoint.unwrap_or_else(|error| panic!("{base}: {error}"));
        let Ok(key) = KeyName::from_bytes(key) else {
            let may_be_refused = std::str::from_utf8(key).is_err() || matches!(key, b"" | b"." | b"..");
            assert!(may_be_refused || key.len() > MAX_KEY_BYTES, "{key:?} is a key");
            continue;
        };
        let url = endpoint.value(&key);
        let url = url.unwrap_or_else(|error| panic!("{base} and {key:?}: {error}"));
        let place = format!("{base}/accounts/acc/storage/kv/namespaces/ns/values/");
        let segment = url.as_str().strip_prefix(&place).unwrap_or_else(|| panic!("{url} is not below {place}"));
        assert!(!segment.contains(['/', '\\', '?', '#']), "{url}");
        assert_eq!(decoded(segment), key.as_str().as_bytes(), "{url}");
        assert_eq!((url.query(), url.fragment(), url.username(), url.password()), (None, None, "", None));
        let segments: Vec<_> = url.path_segments().into_iter().flatten().collect();
        assert!(segments.ends_with(&["namespaces", "ns", "values", segment]), "{url}");
    }
}

fn decoded(segment: &str) -> Vec<u8> {
    let mut rest = segment.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(value.unwrap_or_else(|| panic!("{segment} is not percent-encoded")));
        rest = &rest[2..];
    }
    out
}
