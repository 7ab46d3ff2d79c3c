use std::error::Error as _;
use std::io::{self, ErrorKind};

use serde_json::json;

use super::*;

fn always(what: What) -> SandboxOptions {
    SandboxOptions { faults: vec![Fault::new(When::Probability(1.0), what)], ..SandboxOptions::default() }
}

fn room_with(what: What) -> Lab {
    let lab = Lab::new(always(what));
    lab.sandbox.preload(["open", "k"]);
    lab
}

/// What the server wrote down of the only request: its status and whether it took effect.
fn seen(lab: &Lab) -> (u16, bool) {
    let request_log = lab.sandbox.request_log();
    assert_eq!(request_log.len(), 1);
    (request_log[0].status, request_log[0].applied)
}

#[tokio::test]
async fn a_reset_is_one_and_happens_before_or_after() {
    for (what, applied) in [(What::ResetBefore, false), (What::ResetAfter, true)] {
        let lab = room_with(what);
        let error = lab.raw_delete("k").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!((seen(&lab), lab.sandbox.contains("k")), ((0, applied), !applied));
    }
}

#[tokio::test]
async fn a_client_tells_a_reset_from_an_answer() {
    let lab = room_with(What::ResetAfter);
    let error = lab.delete("k").await.unwrap_err();
    let mut cause = error.source();
    let mut kinds = Vec::new();
    while let Some(error) = cause {
        kinds.extend(error.downcast_ref::<io::Error>().map(io::Error::kind));
        cause = error.source();
    }
    assert!(kinds.contains(&ErrorKind::ConnectionReset), "{error:?}");
}

#[tokio::test]
async fn hanging_answers_nothing() {
    for (what, applied) in [(What::Hang, false), (What::HangAfter, true)] {
        let lab = room_with(what);
        let mut stream = TcpStream::connect(lab.sandbox.addr()).await.unwrap();
        stream.write_all(raw_delete("k", "").as_bytes()).await.unwrap();
        let mut byte = [0];
        assert!(timeout(Duration::from_millis(100), stream.read(&mut byte)).await.is_err());
        assert_eq!((seen(&lab), lab.sandbox.contains("k")), ((0, applied), !applied));
    }
}

#[tokio::test]
async fn broken_answers_are_broken_after_the_effect() {
    let lab = room_with(What::Truncate);
    let answer = lab.raw_delete("k").await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-length: 54"), "{head}");
    assert_eq!(body, r#"{"success":true,"errors":[]"#);
    assert_eq!(seen(&lab), (200, true));
    assert!(lab.delete("open").await.unwrap_err().is_decode());

    let lab = room_with(What::Garbage);
    let reply = lab.delete("k").await.unwrap();
    assert_eq!((reply.status, seen(&lab)), (200, (200, true)));
    assert!(serde_json::from_slice::<Value>(&reply.body).is_err());
}

#[tokio::test]
async fn a_giant_answer_is_giant() {
    let lab = room_with(What::Giant);
    let reply = lab.delete("k").await.unwrap();
    assert_eq!((reply.status, seen(&lab)), (200, (200, true)));
    assert!(reply.body.len() > 100 << 20);
}

#[tokio::test]
async fn prepared_answers_have_no_effect() {
    let unauthorized = Canned::error(403, 10000, "Authentication error");
    for (what, status, mark) in [
        (unauthorized.into(), 403, "\"code\":10000"),
        (Canned::error(503, None, "later").with_header("Retry-After", "7").into(), 503, "retry-after: 7"),
        (Canned::html(403).into(), 403, "cf-mitigated: challenge"),
        (Canned::raw(502, "bad gateway").with_header("Content-Type", "text/plain").into(), 502, "text/plain"),
        (Canned::error(200, 10001, "in an envelope").into(), 200, "\"success\":false"),
        (Canned::redirect("https://elsewhere.invalid/").into(), 307, "location: https://elsewhere.invalid/"),
    ] {
        let lab = room_with(what);
        let answer = lab.raw_delete("k").await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(mark), "{answer}");
        assert_eq!((seen(&lab), lab.sandbox.contains("k")), ((status, false), true));
    }
}

#[tokio::test]
async fn a_connection_closes_without_a_word() {
    let idle = SandboxOptions { idle_close: Some(Duration::from_millis(20)), ..SandboxOptions::default() };
    for options in [always(What::CloseIdle), idle] {
        let lab = Lab::new(options);
        lab.sandbox.preload(["open"]);
        let answer = lab.raw(raw_delete("open", "").as_bytes()).await.unwrap();
        assert!(answer.ends_with(r#""result":{}}"#), "{answer}");
        assert!(!answer.to_lowercase().contains("connection:"), "{answer}");
        assert_eq!(seen(&lab), (200, true));
    }
}

#[tokio::test]
async fn a_busy_connection_is_not_idle() {
    let options = SandboxOptions {
        idle_close: Some(Duration::from_millis(50)),
        latency: Some((Duration::from_millis(100), Duration::from_millis(100))),
        ..SandboxOptions::default()
    };
    let lab = Lab::new(options);
    // Both are there at once, so that between them there is no idle moment, but each takes longer than one may last.
    let requests = raw_delete("a", "") + &raw_delete("b", "");
    let answers = lab.raw(requests.as_bytes()).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
}

#[tokio::test]
async fn over_http2_only_the_stream_ends() {
    let lab = Lab::with_client(SandboxOptions::default(), reqwest::ClientBuilder::http2_prior_knowledge);
    lab.sandbox.preload(["a", "b", "c"]);
    lab.sandbox.set_script([Some(What::ResetAfter), None]);
    assert!(lab.delete("a").await.is_err());
    assert_eq!(lab.delete("b").await.unwrap().status, 200);
    assert_eq!(lab.sandbox.keys(), ["c"]);
}

#[tokio::test]
async fn a_key_fails_as_often_as_told_and_only_there() {
    let once = Fault::new(When::Key("a/b".into()), Canned::error(500, 10001, "no").into()).times(1);
    let lab = Lab::new(SandboxOptions { faults: vec![once], ..SandboxOptions::default() });
    lab.sandbox.preload(["a/b", "c"]);
    assert_eq!(lab.delete("c").await.unwrap().status, 200);
    assert_eq!(lab.get("").await.status, 200);
    assert_eq!(lab.delete("a%2Fb").await.unwrap().refusal(), (500, Some(10001)));
    assert_eq!(lab.delete("a%2Fb").await.unwrap().status, 200);
    assert!(lab.sandbox.is_empty());
}

#[tokio::test]
async fn the_namespace_fails_only_where_the_scope_is_all() {
    let fault = Fault::new(When::Probability(1.0), Canned::error(500, 10001, "no").into());
    let lab = Lab::new(SandboxOptions::default());
    lab.sandbox.set_faults([fault.clone()]);
    assert_eq!((lab.get("").await.status, lab.get("/keys").await.status), (200, 500));
    lab.sandbox.set_faults([fault.everywhere()]);
    assert_eq!(lab.get("").await.status, 500);
    lab.sandbox.set_faults([]);
    assert_eq!(lab.get("").await.status, 200);
}

#[tokio::test]
async fn a_bulk_delete_can_leave_some_behind() {
    let fault = "unsuccessfulx1@prefix:b".parse().unwrap();
    let lab = Lab::new(SandboxOptions { faults: vec![fault], ..SandboxOptions::default() });
    lab.sandbox.preload(["a", "b1", "b2"]);
    let result = lab.post("/bulk/delete", &json!(["a", "b1", "b2"])).await.result();
    assert_eq!(result, json!({"successful_key_count": 1, "unsuccessful_keys": ["b1", "b2"]}));
    assert_eq!(lab.sandbox.keys(), ["b1", "b2"]);
    let result = lab.post("/bulk/delete", &json!(["b1", "b2"])).await.result();
    assert_eq!(result, json!({"successful_key_count": 2, "unsuccessful_keys": []}));
}

#[tokio::test]
async fn a_bulk_call_can_fail_in_part_or_contradict_itself() {
    let right = json!({"successful_key_count": 1, "unsuccessful_keys": ["b1", "b2"]});
    let wrong_names = json!({"successful_key_count": 1, "unsuccessful_keys": ["b1 (never sent)", "b2 (never sent)"]});
    let wrong_count = json!({"successful_key_count": 1, "unsuccessful_keys": []});
    for (kind, status, result) in [
        ("unsuccessful", 200, &right),
        ("unsuccessful400", 400, &right),
        ("unsuccessful500", 500, &right),
        ("wrong-names", 200, &wrong_names),
        ("wrong-count", 200, &wrong_count),
    ] {
        let fault = format!("{kind}@prefix:b").parse().unwrap();
        let lab = Lab::new(SandboxOptions { faults: vec![fault], ..SandboxOptions::default() });
        let names = ["a", "b1", "b2"];
        let pairs = json!(names.map(|name| json!({"key": name, "value": "v"}))).to_string();
        for delete in [false, true] {
            let reply = if delete {
                lab.post("/bulk/delete", &json!(names)).await
            } else {
                lab.put("/bulk", pairs.clone()).await
            };
            let body = reply.json();
            assert_eq!((reply.status, &body["result"]), (status, result), "{kind}");
            assert_eq!((&body["success"], body["errors"] == json!([])), (&(status == 200).into(), status == 200));
            assert_eq!(lab.sandbox.keys(), if delete { vec![] } else { vec!["a"] }, "{kind}");
        }
    }
}
