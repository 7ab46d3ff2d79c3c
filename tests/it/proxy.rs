//! A proxy of the environment is used as it is named, or not at all.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::lab::{Kvsweep, Lab};

const SECRET: &str = "hunter2-hunter2";

/// Not on this machine; whatever is sent there goes through the proxy or nowhere.
const ELSEWHERE: &str = "https://api.kvsweep.invalid/client/v4";

/// A proxy that answers each request with `status`, and how many there were.
fn proxy(status: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            if head.first().is_some_and(|first| first.starts_with("CONNECT api.kvsweep.invalid:443 ")) {
                count.fetch_add(1, Ordering::SeqCst);
            }
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (address, requests)
}

/// With a certificate to trust, so that none of the machine is needed.
fn through(lab: &Lab, args: &[&str], variable: &str, value: &str) -> Kvsweep {
    lab.write("ca.pem", crate::tls::STRANGER);
    let run = lab.kvsweep(args).env("SSL_CERT_FILE", lab.path("ca.pem"));
    run.env("CLOUDFLARE_API_BASE_URL", ELSEWHERE).env(variable, value)
}

const COMMANDS: [&[&str]; 4] =
    [&["delete", "keys.txt", "--yes", "--report", "none"], &["list"], &["namespaces"], &["whoami"]];

#[test]
fn a_proxy_that_cannot_be_used_is_exit_2_before_any_request() {
    let lab = Lab::new();
    lab.keys(1);
    for (variable, value, reason) in [
        ("HTTPS_PROXY", format!("socks5://user:{SECRET}@proxy:1080"), "its scheme is socks5"),
        ("https_proxy", format!("http://user:{SECRET}@"), "it is not a URL"),
        ("ALL_PROXY", format!("http://user:{SECRET}@proxy:port"), "it is not a URL"),
    ] {
        for args in COMMANDS {
            let done = through(&lab, args, variable, &value).run().code(2);
            let wanted = format!("error: {variable} is not a usable proxy: {reason}");
            assert!(done.stderr.contains(&wanted) && done.stderr.contains("hint: "), "{}", done.stderr);
            assert!(!done.stderr.contains(SECRET), "{}", done.stderr);
        }
        // It has no part in what is sent to this machine, and a ping is only left out.
        let run = lab.delete(["keys.txt", "--report", "none", "--ping", "https://ping.kvsweep.invalid/"]);
        let done = run.env(variable, &value).run().code(0);
        assert!(done.stderr.contains("warning: ping.kvsweep.invalid cannot be pinged: "), "{}", done.stderr);
        assert!(done.stderr.contains(variable) && !done.stderr.contains(SECRET), "{}", done.stderr);
    }
}

#[test]
fn a_proxy_is_used_and_says_if_it_wants_a_password() {
    let (address, requests) = proxy("407 Proxy Authentication Required");
    let lab = Lab::new();
    lab.keys(1);
    for args in COMMANDS {
        let before = requests.load(Ordering::SeqCst);
        let value = format!("http://user:{SECRET}@{address}");
        let done = through(&lab, args, "HTTPS_PROXY", &value).args(["--retries", "0"]).run();
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(said.contains("the proxy requires authentication (HTTP 407)"), "{args:?}: {said}");
        assert!(!said.contains(SECRET) && !done.status.success(), "{args:?}: {said}");
        assert!(requests.load(Ordering::SeqCst) > before, "{args:?}");
    }
    // Excluded, it is not asked.
    let before = requests.load(Ordering::SeqCst);
    let run = through(&lab, &["namespaces"], "HTTPS_PROXY", &format!("http://{address}")).env("NO_PROXY", ".invalid");
    run.args(["--retries", "0"]).run().code(5);
    assert_eq!(requests.load(Ordering::SeqCst), before);
}
