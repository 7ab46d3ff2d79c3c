//! A server cannot fill the memory of the machine, whatever it answers.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::lab::{Lab, next_request, wait_until};

const DONE: &str =
    r#"{"success":true,"result":{"id":"fedcba9876543210fedcba9876543210","title":"t","supports_url_encoding":true}}"#;

/// Nearly as much as is read of the answer to a bulk call, in bytes.
const LARGE: usize = 31 << 20;

/// Serves for both calls of a bulk job: the namespace, and a delete of many keys whose answer is large.
fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(&stream));
        }
    });
    address
}

fn answer(mut stream: &TcpStream) -> io::Result<()> {
    let mut requests = BufReader::new(stream);
    while let Some(first) = next_request(&mut requests)? {
        if first.starts_with("GET ") {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{DONE}", DONE.len())?;
            continue;
        }
        let (start, end) = (r#"{"success":true,"errors":[],"result":null,"messages":[""#, r#""]}"#);
        let length = LARGE + start.len() + end.len();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{start}")?;
        let piece = vec![b'x'; 64 << 10];
        for _ in 0..LARGE / piece.len() {
            stream.write_all(&piece)?;
        }
        write!(stream, "{end}")?;
    }
    Ok(())
}

/// The most memory that a process had so far, in MiB; `None` once it has ended.
fn peak(process: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<usize>().ok()? >> 10)
}

#[test]
fn large_answers_to_many_requests_at_once_share_one_budget() {
    let address = serve();
    let lab = Lab::new();
    lab.keys(48);
    let args = ["keys.txt", "--bulk=2", "--concurrency", "32", "--report", "r.csv", "--json"];
    let run = lab.delete(args).env("CLOUDFLARE_API_BASE_URL", format!("http://{address}/client/v4"));
    let mut running = lab.start("large", run);
    let process = running.child().id();
    let mut most = 0;
    wait_until("the job ends", || {
        most = most.max(peak(process).unwrap_or_default());
        running.has_ended()
    });
    let done = running.done().code(0);
    assert_eq!(done.summary()["deleted"], 48, "{}", done.stderr);
    assert!((90..300).contains(&most), "{most} MiB");
}
