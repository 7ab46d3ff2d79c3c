//! `kvsweep sandbox`: usable at once with the lines that it prints.

use std::io::{Read, Write};
use std::net::TcpStream;

use assert_cmd::cargo::cargo_bin;
use rustix::process::Signal;

use crate::lab::{ACCOUNT, Done, Kvsweep, Lab, NAMESPACE, Running, wait_until};

fn start(lab: &Lab, args: &[&str]) -> Running {
    let sandbox =
        Kvsweep::new(cargo_bin("kvsweep"), lab.folder()).args(["sandbox", "--port", "0", "--keys", "keys.txt"]);
    let running = lab.start("sandbox", sandbox.args(args));
    wait_until("it prints its lines", || running.stdout().matches("export ").count() == 3);
    running
}

/// Runs a command in a shell into which the lines were pasted.
fn pasted(lab: &Lab, running: &Running, command: &str) -> Done {
    let stdout = running.stdout();
    let exports: Vec<_> = stdout.lines().filter(|line| line.starts_with("export ")).collect();
    let script = format!("{}\n'{}' {command}", exports.join("\n"), cargo_bin("kvsweep").display());
    Kvsweep::new("sh".into(), lab.folder()).args(["-c", &script]).run()
}

/// Sends one request with curl's habits and returns the response.
fn request(base_url: &str, method: &str, path: &str, body: &str) -> String {
    let (authority, prefix) = base_url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a URL");
    let mut stream = TcpStream::connect(authority).expect("the sandbox listens");
    let length = body.len();
    let head = format!("{method} /{prefix}{path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer t\r\n");
    write!(stream, "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").expect("it takes a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it responds");
    response
}

fn end(running: Running) -> Done {
    running.signal(Signal::TERM);
    running.done()
}

#[test]
fn the_lines_that_it_prints_make_it_usable_at_once() {
    for args in [&[][..], &["--token", "it's", "--account-id", ACCOUNT, "--namespace-id", NAMESPACE]] {
        let lab = Lab::new();
        lab.keys(3);
        let running = start(&lab, args);
        let done = pasted(&lab, &running, "delete keys.txt --yes --report none").code(0);
        assert!(!done.stderr.contains("warning"), "{}", done.stderr);
        pasted(&lab, &running, "whoami").code(0);
        assert!(pasted(&lab, &running, "list").code(0).stdout.is_empty());
        let ended = end(running);
        assert!(ended.stdout.contains("0 keys left"), "{}", ended.stdout);
        assert!(!ended.stderr.contains("DELETE"), "without -v nothing is logged: {}", ended.stderr);
    }
}

#[test]
fn ids_are_checked_if_they_are_given() {
    let lab = Lab::new();
    lab.keys(1);
    let running = start(&lab, &["--account-id", ACCOUNT, "--namespace-id", NAMESPACE]);
    let other = "0".repeat(32);
    let done = pasted(&lab, &running, &format!("delete keys.txt --yes --namespace-id {other}")).code(7);
    assert!(done.stderr.contains("code 10013"), "{}", done.stderr);
    let done = pasted(&lab, &running, &format!("delete keys.txt --yes --account-id {other}")).code(7);
    assert!(done.stderr.contains("code 7003"), "{}", done.stderr);
    end(running);
}

#[test]
fn requests_are_logged_with_v() {
    let lab = Lab::new();
    lab.write("keys.txt", "a/b\n");
    let running = start(&lab, &["-v"]);
    pasted(&lab, &running, "delete keys.txt --yes --report none").code(0);
    let ended = end(running);
    for line in ["info: GET /client/v4/accounts/", "info: DELETE /client/v4/accounts/", "/values/a%2Fb: 200\n"] {
        assert!(ended.stderr.contains(line), "{line:?} in {}", ended.stderr);
    }
    // A rehearsal logs what it did before.
    let done = Kvsweep::new(cargo_bin("kvsweep"), lab.folder()).args(["delete", "keys.txt", "--sandbox", "-v"]).run();
    assert!(!done.code(0).stderr.contains("info: DELETE "));
}

#[test]
fn a_namespace_that_is_deleted_is_gone_and_the_terminal_says_so() {
    let lab = Lab::new();
    lab.keys(3);
    let running = start(&lab, &["--account-id", ACCOUNT, "--namespace-id", NAMESPACE, "--title", "a\u{1b}[2J"]);
    let stdout = running.stdout();
    let base_url = stdout.lines().find_map(|line| line.strip_prefix("export CLOUDFLARE_API_BASE_URL="));
    let base_url = base_url.expect("its address").to_owned();
    let namespaces = format!("/accounts/{ACCOUNT}/storage/kv/namespaces");
    let created = request(&base_url, "POST", &namespaces, r#"{"title": "new"}"#);
    assert!(created.starts_with("HTTP/1.1 200 "), "{created}");
    // What `wrangler kv key delete ..` sends.
    let deleted = request(&base_url, "DELETE", &format!("{namespaces}/{NAMESPACE}/values/.."), "");
    assert!(deleted.starts_with("HTTP/1.1 200 "), "{deleted}");
    let done = pasted(&lab, &running, "delete keys.txt --yes --report none").code(7);
    assert!(done.stderr.contains("code 10013"), "{}", done.stderr);
    let listed = pasted(&lab, &running, "namespaces").code(0).stdout;
    assert!(listed.contains("new") && !listed.contains(NAMESPACE), "{listed}");
    let ended = end(running);
    let warning = format!("warning: namespace a\\x1b[2J ({NAMESPACE}) was deleted with 3 keys\n");
    assert!(ended.stderr.contains(&warning), "{}", ended.stderr);
    assert!(ended.stdout.contains("0 keys left"), "{}", ended.stdout);
}

#[test]
fn each_namespace_has_keys_of_its_own() {
    let lab = Lab::new();
    lab.keys(3);
    let running = start(&lab, &[]);
    let other = format!("--namespace-id {}", "0".repeat(32));
    assert_eq!(pasted(&lab, &running, &format!("list {other}")).code(0).stdout, "");
    pasted(&lab, &running, &format!("delete keys.txt --yes --report none {other}")).code(0);
    assert_eq!(pasted(&lab, &running, "list").code(0).stdout.lines().count(), 3);
    let ended = end(running);
    assert!(ended.stdout.contains("3 keys left in 2 namespaces"), "{}", ended.stdout);
}
