use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::api::answer::{Answer, Fatal, TransientError};
use crate::quota::Rate;
use crate::text::MAX_TEXT_BYTES;

mod over_tls;

const SECRET: &str = "hunter2-hunter2-hunter2";
const DONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"success\":true}";

fn options(address: SocketAddr) -> ClientOptions {
    ClientOptions {
        access: Access {
            base_url: format!("http://{address}/client/v4").parse().unwrap(),
            credentials: Credentials::token(SECRET).unwrap(),
            ca_file: None,
        },
        account: "acc".parse().unwrap(),
        namespace: "ns".parse().unwrap(),
        timeout: Duration::from_secs(30),
        concurrency: 4,
    }
}

fn key(name: &str) -> KeyName {
    KeyName::new(name).unwrap()
}

/// Reads one request's head; empty where the client closed the connection instead.
async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Answers each connection's requests with the texts of one list, then closes it; gives back the heads it read.
async fn serve(connections: Vec<Vec<String>>) -> (Client, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(options(listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let mut heads = Vec::new();
        for answers in connections {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                heads.push(read_head(&mut stream).await);
                // A client that has read enough hangs up, which is its right.
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
        heads
    });
    (client, server)
}

async fn delete_once(answer: &str) -> (Reply, String) {
    let (client, server) = serve(vec![vec![answer.to_owned()]]).await;
    let reply = client.delete(&key("k")).await;
    drop(client);
    (reply, server.await.unwrap().concat())
}

fn no_answer_text(reply: &Reply) -> &str {
    match &reply.answer {
        Answer::Transient(TransientError::NoAnswer(refusal)) => &refusal.message,
        other => panic!("{other:?}"),
    }
}

fn unexpected_text(reply: &Reply) -> &str {
    match &reply.answer {
        Answer::Transient(TransientError::Unexpected(refusal)) => &refusal.message,
        other => panic!("{other:?}"),
    }
}

fn refused_text(reply: &Reply) -> &str {
    match &reply.answer {
        Answer::Refused(refusal) => &refusal.message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_delete_is_exactly_one_request() {
    let (client, server) = serve(vec![vec![DONE.to_owned()]]).await;
    let reply = client.delete(&key("../a/%2e?ü\t")).await;
    assert_eq!(reply.answer, Answer::Success);
    assert_eq!((reply.http_status, reply.rate_limits.len()), (Some(200), 0));
    let heads = server.await.unwrap();
    assert_eq!(heads.len(), 1);
    let mut lines: Vec<_> = heads[0].trim_end().split("\r\n").collect();
    assert_eq!(
        lines.remove(0),
        "DELETE /client/v4/accounts/acc/storage/kv/namespaces/ns/values/..%2Fa%2F%252e%3F%C3%BC%09 HTTP/1.1"
    );
    lines.retain(|line| !line.starts_with("host: 127.0.0.1:"));
    lines.sort_unstable();
    let agent = format!("user-agent: kvsweep/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(lines, ["accept: */*", &format!("authorization: Bearer {SECRET}"), &agent]);
}

/// Proxies come from the environment, so this is asked in a process of its own.
#[test]
fn no_proxy_is_used_for_this_machine() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "api::client::tests::a_delete_is_exactly_one_request"])
        .envs(["http_proxy", "HTTP_PROXY", "all_proxy"].map(|name| (name, "http://127.0.0.1:1")))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
}

#[tokio::test]
async fn a_global_key_is_sent_in_its_own_headers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut options = options(listener.local_addr().unwrap());
    options.access.credentials = Credentials::global_key("me@example.com", SECRET).unwrap();
    let client = Client::new(options).unwrap();
    let name = key("k");
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        stream.write_all(DONE.as_bytes()).await.unwrap();
        head
    };
    let (reply, head) = tokio::join!(client.delete(&name), server);
    assert_eq!(reply.answer, Answer::Success);
    assert!(head.contains("x-auth-email: me@example.com\r\n") && head.contains(&format!("x-auth-key: {SECRET}\r\n")));
    assert!(!head.contains("authorization"));
}

#[tokio::test]
async fn headers_reach_the_reply() {
    let (reply, _) = delete_once(
        "HTTP/1.1 429 Too Many\r\nratelimit: \"default\";r=0;t=30\r\nratelimit-policy: \"default\";q=9;w=60\r\ncontent-length: 0\r\n\r\n",
    )
    .await;
    assert!(matches!(reply.answer, Answer::Throttled { pause: Some(pause), .. } if pause.as_secs() == 30), "{reply:?}");
    assert_eq!(reply.rate_limits[0].policy, Rate::new(9, Duration::from_mins(1)));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/", other.local_addr().unwrap());
    for status in [301, 302, 303, 307, 308] {
        let (reply, _) =
            delete_once(&format!("HTTP/1.1 {status} X\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n")).await;
        assert!(unexpected_text(&reply).ends_with(&format!(": redirect to {target}, never followed")), "{reply:?}");
        assert_eq!(reply.http_status, Some(status));
    }
    // Who is asked is connected to before the reply comes, so an empty queue proves that nobody was.
    let nobody = other.into_std().unwrap().accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_body_is_read_to_a_limit_and_no_further() {
    let fitting = format!("{{\"success\":true,\"x\":\"{}\"}}", "x".repeat(Endpoint::DeleteKey.max_answer() - 23));
    assert_eq!(fitting.len(), Endpoint::DeleteKey.max_answer());
    let answer = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    assert_eq!(delete_once(&answer(&fitting)).await.0.answer, Answer::Success);
    let (reply, _) = delete_once(&answer(&format!("{fitting} "))).await;
    assert_eq!(unexpected_text(&reply), "the body is longer than 64 KiB");
    let endless = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n{}",
        " ".repeat(8 * Endpoint::DeleteKey.max_answer())
    );
    assert!(unexpected_text(&delete_once(&endless).await.0).contains("longer than 64 KiB"));
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_no_answer() {
    for start in [
        "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n",
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 17\r\n\r\n",
    ] {
        let (reply, _) = delete_once(&format!("{start}{{\"success\":true}}")).await;
        assert!(no_answer_text(&reply).starts_with("the body was cut off"), "{reply:?}");
        assert!(matches!(reply.http_status, Some(200 | 401)));
    }
}

#[tokio::test]
async fn a_value_ends_where_the_response_says_it_does() {
    for (answer, is_whole) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nvalue", true),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nvalue\r\n0\r\n\r\n", true),
        ("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nvalue", false),
        ("HTTP/1.0 200 OK\r\n\r\nvalue", false),
    ] {
        let (client, _server) = serve(vec![vec![answer.to_owned()]]).await;
        let (reply, value) = client.value(&key("k")).await;
        assert_eq!((value.is_some(), reply.answer == Answer::Success), (is_whole, is_whole), "{reply:?}");
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_stale() {
    let (client, server) = serve(vec![vec![DONE.to_owned(), String::new()], vec![DONE.to_owned()]]).await;
    assert_eq!(client.delete(&key("a")).await.answer, Answer::Success);
    let second = client.delete(&key("b")).await;
    assert!(matches!(second.answer, Answer::ConnectionClosed { unprocessed: false, .. }), "{second:?}");
    assert_eq!(second.http_status, None);
    assert_eq!(client.delete(&key("b")).await.answer, Answer::Success);
    let names: Vec<_> = server.await.unwrap().iter().map(|head| head.contains("/values/a ")).collect();
    assert_eq!(names, [true, false, false], "nothing is sent unseen");
}

#[tokio::test]
async fn a_refused_connection_may_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(options(listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let reply = client.delete(&key("k")).await;
    let text = no_answer_text(&reply);
    assert!(text.contains("refused") && !text.contains("http://"), "{text}");
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(options(listener.local_addr().unwrap())).unwrap();
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n{\"succ"] {
        let name = key("k");
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            // From here on only the clock can move things.
            tokio::time::pause();
            stream
        };
        let start = tokio::time::Instant::now();
        let (reply, _stream) = tokio::join!(client.delete(&name), server);
        assert_eq!(start.elapsed().as_secs(), 30);
        tokio::time::resume();
        assert_eq!(no_answer_text(&reply), "no complete response within 30s");
    }
}

#[tokio::test]
async fn the_namespace_is_described() {
    let described = |result: &str| {
        let body = format!("{{\"success\":true,\"result\":{result}}}");
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let (client, server) = serve(vec![vec![
        described(r#"{"id":"ns","title":"my keys","supports_url_encoding":true,"mode":"instant","jurisdiction":"eu"}"#),
        described(r#"{"id":"ns","title":"old"}"#),
        described("{}"),
        described(r#"{"title":"no id"}"#),
        described(r#"{"id":"another","title":"production"}"#),
        "HTTP/1.1 401 Unauthorized\r\ncontent-length: 17\r\n\r\n{\"success\":false}".to_owned(),
    ]])
    .await;
    let wanted = |title: &str, supports_url_encoding| Namespace::new("ns", title, supports_url_encoding);
    let (jurisdiction, mode) = (Some("eu".to_owned()), Some("instant".to_owned()));
    assert_eq!(client.namespace().await, Ok(Namespace { jurisdiction, mode, ..wanted("my keys", Some(true)) }));
    assert_eq!(client.namespace().await, Ok(wanted("old", None)));
    let reply = client.namespace().await.unwrap_err();
    assert!(unexpected_text(&reply).contains("id"), "{reply:?}");
    assert!(unexpected_text(&client.namespace().await.unwrap_err()).contains("id"));
    let other = client.namespace().await.unwrap_err();
    let text = "the response describes the namespace \"another\", and ns was requested";
    assert_eq!(unexpected_text(&other), text);
    let reply = client.namespace().await.unwrap_err();
    assert!(matches!(reply.answer, Answer::Fatal(Fatal::Unauthorized, _)), "{reply:?}");
    let heads = server.await.unwrap();
    assert!(heads[0].starts_with("GET /client/v4/accounts/acc/storage/kv/namespaces/ns HTTP/1.1\r\n"), "{heads:?}");
}

#[tokio::test]
async fn foreign_words_are_short_and_hold_no_secret() {
    let body = format!(r#"{{"success":false,"errors":[{{"code":1,"message":"{}{SECRET}"}}]}}"#, "é".repeat(506));
    let answer = format!("HTTP/1.1 400 Bad\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (reply, _) = delete_once(&answer).await;
    assert_eq!(refused_text(&reply), format!("{}[redacted]", "é".repeat(506)));
    let (reply, _) = delete_once(&answer.replace(SECRET, "some twenty-three bytes")).await;
    assert_eq!(refused_text(&reply), format!("{}some twen…", "é".repeat(506)));
}

#[tokio::test]
async fn a_namespace_that_makes_no_sense_is_quoted_as_carefully() {
    let body = format!(r#"{{"success":true,"result":"{SECRET}{}"}}"#, "x".repeat(9_000));
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (client, _server) = serve(vec![vec![answer]]).await;
    let reply = client.namespace().await.unwrap_err();
    let text = unexpected_text(&reply);
    assert!(text.contains("[redacted]xxx") && text.len() == MAX_TEXT_BYTES, "{text}");
}

/// A 200 with this body, and a rate limit policy with the secret for its name.
fn with_policy(body: &str) -> String {
    let policy = format!("ratelimit: \"{SECRET}\";r=1;t=1\r\n");
    format!("HTTP/1.1 200 OK\r\n{policy}content-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn no_call_lets_the_secret_or_a_long_text_out() {
    let long = format!("{SECRET}{}", "x".repeat(9_000));
    // What each call cannot read, said with the text itself.
    let quoting =
        with_policy(&format!(r#"{{"success":true,"result":"{long}","result_info":{{"cursor":"{SECRET}"}}}}"#));
    let metadata = with_policy(&format!(r#"{{"success":true,"{long}":1}}"#));
    let keys = [key("a"), key("b")];
    let (client, _server) = serve(vec![vec![quoting.clone(); 4], vec![metadata; 1], vec![quoting; 1]]).await;
    let mut replies = vec![
        client.namespace().await.unwrap_err(),
        client.page(&PageRequest::default()).await.unwrap_err(),
        client.presence(&keys).await.0,
        client.delete_many(&keys).await.reply,
    ];
    replies.push(client.metadata(&keys[0]).await.0);
    for reply in replies {
        let refusal = reply.answer.clone().refusal_mut().cloned().unwrap();
        assert!(refusal.message.len() <= MAX_TEXT_BYTES, "{reply:?}");
        assert!(!format!("{reply:?}").contains("hunter2"), "{reply:?}");
        assert_eq!((refusal.http_status, reply.rate_limits.len()), (Some(200), 1));
    }
}

#[tokio::test]
async fn a_title_is_shown_without_the_secret_and_compared_with_it() {
    let long = "x".repeat(9_000);
    let body = format!(r#"{{"success":true,"result":{{"id":"ns","title":"{SECRET}{long}"}}}}"#);
    let (client, _server) = serve(vec![vec![with_policy(&body)]]).await;
    let namespace = client.namespace().await.unwrap();
    assert!(namespace.title.starts_with("[redacted]xxx") && namespace.title.len() == MAX_TEXT_BYTES, "{namespace:?}");
    assert!(namespace.is_titled(&format!("{SECRET}{long}")) && !namespace.is_titled(&namespace.title));
    let shown = serde_json::to_string(&namespace).unwrap() + &format!("{namespace:?}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn neither_options_nor_client_show_a_secret() {
    let options = options("127.0.0.1:1".parse().unwrap());
    let shown = format!("{options:?} {:?}", Client::new(options.clone()).unwrap());
    assert!(shown.contains("namespaces/ns") && !shown.contains("hunter2"), "{shown}");
    let bad = Access { credentials: Credentials::Token("hunter2\nx: y".into()), ..options.access.clone() };
    let bad = ClientOptions { access: bad, ..options };
    let error = Client::new(bad).unwrap_err();
    assert!(matches!(error, ClientError::Credentials(_)));
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_key_that_needs_encoding_is_never_put_into_a_url_that_is_not_decoded() {
    // Nothing listens there: a request would get no response.
    let client = Client::new(options("127.0.0.1:1".parse().unwrap())).unwrap().without_url_encoding();
    for name in ["a:b", "é", "a b", "100%", "a/b"] {
        let key = key(name);
        let replies = [
            client.delete(&key).await,
            client.value(&key).await.0,
            client.metadata(&key).await.0,
            client.presence(std::slice::from_ref(&key)).await.0,
        ];
        for reply in replies {
            assert!(
                matches!(&reply.answer, Answer::Refused(why) if why.to_string().contains("URL encoding")),
                "{name}"
            );
        }
    }
    assert!(!matches!(client.delete(&key("A-z_0.~")).await.answer, Answer::Refused(_)));
}

/// Bodies are never decompressed: a value that is compressed on the way is not the value.
#[tokio::test]
async fn an_encoding_that_was_not_requested_is_no_conclusive_response() {
    let with = |status: &str, encoding: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let done = r#"{"success":true,"result":{"id":"ns","title":"t"}}"#;
    for encoding in ["gzip", "br", "identity, gzip", "x"] {
        let why = format!("the body has the Content-Encoding {}, which", encoding.trim_start_matches("identity, "));
        let answers = [with("200 OK", encoding, "v"), with("200 OK", encoding, done), with("404 No", encoding, done)];
        let (client, _server) = serve(vec![[answers.to_vec(), answers.to_vec()].concat()]).await;
        let (reply, value) = client.value(&key("k")).await;
        assert!(no_answer_text(&reply).starts_with(&why) && value.is_none(), "{reply:?}");
        assert!(no_answer_text(&client.delete(&key("k")).await).starts_with(&why));
        assert!(no_answer_text(&client.delete(&key("k")).await).contains(&why));
        assert!(client.delete_many(&[key("k")]).await.accounting == crate::api::Accounting::Missing);
        assert!(unexpected_text(&client.namespace().await.unwrap_err()).contains(&why));
    }
    let (client, _server) = serve(vec![vec![with("200 OK", "identity", "v"), with("200 OK", "", "v")]]).await;
    for _ in 0..2 {
        assert_eq!(client.value(&key("k")).await.1.unwrap().bytes, b"v");
    }
}

#[tokio::test]
async fn a_response_that_contradicts_itself_is_not_conclusive() {
    for status in [301, 400, 401, 403, 404, 405, 500, 503] {
        let body = r#"{"success":true,"errors":[{"code":10009,"message":"m"}],"result":{"successful_key_count":1}}"#;
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (client, _server) = serve(vec![vec![answer; 5]]).await;
        let why = format!("the response contradicts itself: its status is {status}, its body says \"success\": true");
        assert_eq!(no_answer_text(&client.delete(&key("k")).await), why);
        assert_eq!(no_answer_text(&client.value(&key("k")).await.0), why);
        assert_eq!(no_answer_text(&client.namespace().await.unwrap_err()), why);
        assert_eq!(no_answer_text(&client.page(&PageRequest::default()).await.unwrap_err()), why);
        let many = client.delete_many(&[key("k")]).await;
        assert_eq!((no_answer_text(&many.reply), many.accounting), (&*why, crate::api::Accounting::Missing));
    }
}
