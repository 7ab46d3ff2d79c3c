//! What an answer came to, from its status, headers and body.

use std::hint::black_box;

use criterion::Criterion;
use kvsweep::internals::answer_to_delete;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

pub(crate) fn measure(criterion: &mut Criterion) {
    let mut plain = HeaderMap::new();
    plain.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut rated = plain.clone();
    rated.insert("ratelimit", HeaderValue::from_static("\"default\";r=50;t=30"));
    rated.insert("ratelimit-policy", HeaderValue::from_static("\"burst\";q=100;w=60"));
    let done = br#"{"success":true,"errors":[],"messages":[],"result":{}}"#.as_slice();
    let absent =
        br#"{"success":false,"errors":[{"code":10009,"message":"key not found"}],"messages":[],"result":null}"#;
    let page = b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>";
    let mut group = criterion.benchmark_group("answer");
    for (what, status, headers, body) in [
        ("deleted", 200, &plain, done),
        ("deleted, with rate limit headers", 200, &rated, done),
        ("absent", 404, &plain, absent.as_slice()),
        ("a gateway's page", 502, &plain, page),
    ] {
        group.bench_function(what, |bencher| {
            bencher.iter(|| answer_to_delete(black_box(status), black_box(headers), black_box(body)));
        });
    }
    group.finish();
}
