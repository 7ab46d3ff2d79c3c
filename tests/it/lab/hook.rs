//! A server for pings: records every request, and answers what the test wants.

use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

/// The first line of the next request, whose body is skipped; `None` once the client has left.
pub fn next_request(requests: &mut impl BufRead) -> io::Result<Option<String>> {
    let (mut first, mut length) = (String::new(), 0);
    if requests.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        requests.read_line(&mut line)?;
        if let Some((_, number)) = line.split_once("content-length: ") {
            length = number.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    io::copy(&mut requests.take(length), &mut io::sink())?;
    Ok(Some(first))
}

/// What was asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub body: String,
}

/// A server that serves until the process ends.
pub struct Hook {
    port: u16,
    pings: Receiver<Ping>,
}

impl Hook {
    /// Answers the first request with the first of `answers` (status and body), and so on; the last one serves for all
    /// that follow. Status 0 is no answer at all: the connection stays open.
    pub fn answering(answers: &[(u16, &str)]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let answers: Vec<(u16, String)> = answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        let (sender, pings) = channel();
        std::thread::spawn(move || {
            let mut open = Vec::new();
            for (index, stream) in listener.incoming().enumerate() {
                let mut stream = stream.expect("a connection");
                let Some(request) = read(&mut stream) else { continue };
                if sender.send(request).is_err() {
                    return;
                }
                let (status, body) = &answers[index.min(answers.len() - 1)];
                if *status == 0 {
                    open.push(stream);
                    continue;
                }
                let answer =
                    format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                // Who asked may be gone.
                let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            }
        });
        Self { port, pings }
    }

    /// A URL of it, with a path that is a secret.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Every ping so far.
    pub fn pings(&self) -> Vec<Ping> {
        self.pings.try_iter().collect()
    }
}

/// One request with its body, unless the connection ends before that.
fn read(stream: &mut TcpStream) -> Option<Ping> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let taken = stream.read(&mut buffer).ok().filter(|taken| *taken > 0)?;
        bytes.extend_from_slice(&buffer[..taken]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            let mut words = head.split(' ').map(str::to_owned);
            return Some(Ping { method: words.next()?, target: words.next()?, body: body.to_owned() });
        }
    }
}
