use std::time::UNIX_EPOCH;

use serde_json::json;

use super::*;

fn quota(text: &str, retry_after: RetryAfter) -> SandboxOptions {
    SandboxOptions { quotas: vec![text.parse().unwrap()], retry_after, ..SandboxOptions::default() }
}

#[tokio::test]
async fn a_quota_refuses_and_says_for_how_long() {
    let lab = Lab::new(quota("2/5m", RetryAfter::Seconds));
    lab.sandbox.preload(["a"]);
    let first = lab.get("").await;
    assert_eq!(first.headers["ratelimit"], "\"default\";r=1;t=300");
    assert_eq!(first.headers["ratelimit-policy"], "\"default\";q=2;w=300");
    assert_eq!(lab.get("").await.status, 200);
    let refused = lab.delete("a").await.unwrap();
    assert_eq!(refused.refusal(), (429, Some(971)));
    assert_eq!(refused.headers["retry-after"], "300");
    assert_eq!(refused.headers["ratelimit"], "\"default\";r=0;t=300");
    assert_eq!(lab.get("").await.status, 429, "every call is blocked");
    assert!(lab.sandbox.contains("a"));
    assert_eq!((lab.sandbox.requests(), lab.sandbox.refused_by_quota()), (4, 2));
}

#[tokio::test]
async fn retry_after_has_several_styles() {
    for style in [RetryAfter::HttpDate, RetryAfter::Zero, RetryAfter::Absent] {
        let lab = Lab::new(quota("1/5m", style));
        lab.get("").await;
        let before = crate::clock::wall_now();
        let refused = lab.get("").await;
        let value = refused.headers.get("retry-after").map(|value| value.to_str().unwrap());
        match style {
            RetryAfter::HttpDate => {
                let date = httpdate::parse_http_date(value.unwrap()).unwrap();
                assert!(
                    date.duration_since(UNIX_EPOCH).unwrap()
                        >= before.duration_since(UNIX_EPOCH).unwrap() + Duration::from_mins(5)
                );
            }
            RetryAfter::Zero => assert_eq!(value, Some("0")),
            _ => assert_eq!(value, None),
        }
        assert_eq!(refused.status, 429);
    }
}

#[tokio::test]
async fn credentials_are_asked_for_and_expire() {
    let options =
        SandboxOptions { token: Some("token".into()), token_expires_after: Some(1), ..SandboxOptions::default() };
    let lab = Lab::new(options);
    lab.sandbox.preload(["a", "b"]);
    let url = format!("{}{NAMESPACE}/values/a", lab.sandbox.base_url());
    let send = async |token: Option<&str>| {
        let mut request = lab.client.delete(&url);
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!([send(None).await, send(Some("token")).await, send(Some("Bearer other")).await], [401, 400, 403]);
    assert_eq!(lab.delete("a").await.unwrap().status, 200);
    assert_eq!(lab.delete("b").await.unwrap().refusal(), (401, Some(10000)));
    assert_eq!(lab.sandbox.keys(), ["b"]);
    let authorized: Vec<_> = lab.sandbox.request_log().iter().map(|entry| entry.authorized).collect();
    assert_eq!(authorized, [false, false, false, true, false]);
}

#[tokio::test]
async fn a_free_plan_deletes_so_many_names_a_day() {
    let options = SandboxOptions { daily_deletes: Some(3), ..SandboxOptions::default() };
    let lab = Lab::new(options);
    lab.sandbox.preload(["a", "b", "c", "d"]);
    assert_eq!(lab.delete("a").await.unwrap().status, 200);
    assert_eq!(lab.post("/bulk/delete", &json!(["b", "c", "d"])).await.refusal(), (429, Some(10048)));
    assert_eq!(lab.post("/bulk/delete", &json!(["b", "c"])).await.status, 200);
    assert_eq!(lab.delete("d").await.unwrap().refusal(), (429, Some(10048)));
    assert_eq!(lab.sandbox.keys(), ["d"]);
}

#[tokio::test]
async fn latency_lies_between_arrival_and_effect() {
    let options = SandboxOptions {
        latency: Some((Duration::from_hours(1), Duration::from_hours(1))),
        ..SandboxOptions::default()
    };
    let lab = Lab::new(options);
    lab.sandbox.preload(["a"]);
    assert!(timeout(Duration::from_millis(100), lab.delete("a")).await.is_err());
    let request_log = lab.sandbox.request_log();
    assert_eq!((request_log.len(), request_log[0].status, request_log[0].applied), (1, 0, false));
    assert!(lab.sandbox.contains("a"));
}

#[tokio::test]
async fn a_server_stops_and_another_takes_its_port() {
    let lab = Lab::new(SandboxOptions::default());
    let port = lab.sandbox.addr().port();
    assert_eq!(lab.get("").await.status, 200);
    drop(lab.sandbox);
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    let options = SandboxOptions { port, ..SandboxOptions::default() };
    let taken = Sandbox::start(options.clone()).unwrap();
    assert_eq!(taken.addr().port(), port);
    assert!(Sandbox::start(options).is_err());
}

#[test]
fn a_server_needs_no_runtime() {
    use std::io::{Read, Write};
    let namespace = Some("ns".to_owned());
    let options = SandboxOptions { namespace, request_log: false, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(options).unwrap();
    sandbox.preload(["a"]);
    let addr = sandbox.addr();
    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    let request = raw_delete(
        "a",
        "Connection: close
",
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(sandbox.is_empty() && sandbox.request_log().is_empty());
    assert_eq!(sandbox.requests(), 1);
    drop(sandbox);
    assert!(std::net::TcpStream::connect(addr).is_err());
}
