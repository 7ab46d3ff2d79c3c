//! Signals at random moments of a job, as PID 1 and not: input, server log and report agree each time.
//!
//! A moment is an event, never a time, so that the same seed does the same on any machine.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use kvsweep::sandbox::{Fault, SandboxOptions, What, When};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;

use super::{fifo, metrics, open_for_writing};
use crate::lab::{Kvsweep, Lab, Running, unshare_works, wait_until};

const KEYS: usize = 60;
const CONCURRENCY: usize = 4;

/// When the signal is sent.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The job has asked for the namespace and gets no answer.
    Preflight,
    /// It asks whether it may delete.
    Prompt,
    /// It has read so many keys from a pipe that stays open.
    Reading(usize),
    /// The server has seen so many keys.
    Sending(usize),
    /// So many keys are in flight, will never be answered, and a first signal has come.
    Draining(usize),
    /// It has told how it ended, and waits for the answer.
    Closing,
}

impl Moment {
    fn draw(rng: &mut StdRng) -> Self {
        match rng.random_range(0..10) {
            0 => Self::Preflight,
            1 => Self::Prompt,
            2 | 3 => Self::Reading(rng.random_range(0..20)),
            4..=6 => Self::Sending(rng.random_range(1..KEYS / 2)),
            7 | 8 => Self::Draining(rng.random_range(1..=CONCURRENCY)),
            _ => Self::Closing,
        }
    }
}

#[test]
fn a_signal_at_any_moment_leaves_input_server_and_report_in_agreement() {
    let count = if std::env::var_os("KVSWEEP_TEST_LONG").is_some() { 200 } else { 24 };
    let can_be_init = unshare_works();
    for seed in 0..count {
        let mut rng = StdRng::seed_from_u64(seed);
        let moment = Moment::draw(&mut rng);
        let (signal, code) = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)][rng.random_range(0..3)];
        let init = can_be_init && rng.random();
        eprintln!("seed {seed}: {moment:?}, code {code}, PID 1: {init}");
        scenario(moment, signal, code, init);
    }
}

fn scenario(moment: Moment, signal: Signal, code: i32, init: bool) {
    let latency = Duration::from_millis(20);
    let lab = Lab::with(SandboxOptions { latency: Some((latency, latency)), ..SandboxOptions::default() });
    let keys = lab.keys(KEYS);
    let hang = Fault::new(When::Probability(1.0), What::Hang);
    match moment {
        Moment::Preflight => lab.server.set_faults([hang.everywhere()]),
        Moment::Draining(_) => lab.server.set_faults([hang]),
        _ => {}
    }
    let way = |run: Kvsweep| if init { run.unshared() } else { run };
    let concurrency = if let Moment::Draining(count) = moment { count } else { CONCURRENCY };
    let flags = ["--report", "report.csv", "--metrics-file", "kvsweep.prom", "-v", "--timeout", "1h", "--grace", "1h"];
    let job = |input: &str| {
        let run = lab.kvsweep(["delete", input, "--rate", "none"]).args(flags);
        run.args(["--concurrency", &concurrency.to_string()])
    };
    let confirmed = |input: &str| way(job(input).arg("--yes"));
    let sent_at_signal;
    let done = match moment {
        Moment::Preflight => {
            let running = lab.start("run", confirmed("keys.txt"));
            wait_until("the namespace is asked for", || lab.server.requests() == 1);
            sent_at_signal = send(&lab, &running, signal);
            running.done()
        }
        Moment::Prompt => {
            // It stays open, or the terminal would end.
            let running = lab.start_with("run", way(job("keys.txt")).on_terminal(), Stdio::piped());
            wait_until("it asks", || running.stdout().contains("? [y/N] "));
            sent_at_signal = send(&lab, &running, signal);
            running.done()
        }
        Moment::Reading(count) => {
            let path = fifo(&lab, "fifo.txt");
            let running = lab.start("run", confirmed("fifo.txt"));
            let mut writer = open_for_writing(&path);
            for key in &keys[..count] {
                writeln!(writer, "{key}").expect("a reader");
            }
            wait_until("they are sent", || lab.deletes().len() == count);
            sent_at_signal = send(&lab, &running, signal);
            let done = running.done();
            drop(writer);
            done
        }
        Moment::Sending(count) => {
            let running = lab.start("run", confirmed("keys.txt"));
            wait_until("so many are sent", || lab.deletes().len() >= count);
            sent_at_signal = send(&lab, &running, signal);
            running.done()
        }
        Moment::Draining(count) => {
            let running = lab.start("run", confirmed("keys.txt"));
            wait_until("so many are in flight", || lab.deletes().len() == count);
            running.signal(signal);
            wait_until("it drains", || running.stderr().contains("in flight"));
            sent_at_signal = send(&lab, &running, Signal::TERM);
            running.done()
        }
        Moment::Closing => {
            let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
            let url = format!("http://{}/x", listener.local_addr().expect("its address"));
            let running = lab.start("run", confirmed("keys.txt").args(["--ping", &url]));
            let _open = wait_for_last_ping(&listener);
            sent_at_signal = send(&lab, &running, signal);
            running.done().code(0)
        }
    };
    let code = if matches!(moment, Moment::Closing) { 0 } else { code };
    let done = done.code(code);
    assert_eq!(metrics(&lab, "in_progress").as_deref(), Some("0"), "{}", done.stderr);
    assert_eq!(metrics(&lab, "exit_code"), Some(code.to_string()), "{}", done.stderr);
    assert_agreement(&lab, &keys, moment);
    let sent = lab.deletes().len();
    match moment {
        Moment::Preflight | Moment::Prompt => assert_eq!(sent, 0),
        // All that was read, or may be in flight, was sent before.
        Moment::Reading(count) | Moment::Draining(count) => assert_eq!(sent, count),
        // What left before the signal was seen, and what its answers let go; not the rest of the keys.
        Moment::Sending(_) => assert!(sent <= sent_at_signal + 3 * CONCURRENCY, "{sent} after {sent_at_signal}"),
        Moment::Closing => assert_eq!(sent, KEYS),
    }
}

/// Sends a signal; returns how many keys the server had seen by then.
fn send(lab: &Lab, running: &Running, signal: Signal) -> usize {
    running.signal(signal);
    lab.deletes().len()
}

/// Accepts pings until the last one, which is left without an answer as long as the connection is kept.
fn wait_for_last_ping(listener: &TcpListener) -> TcpStream {
    loop {
        let (mut stream, _) = listener.accept().expect("a ping");
        let (mut head, mut buffer) = (String::new(), [0; 4096]);
        while !head.contains("\r\n\r\n") {
            let taken = stream.read(&mut buffer).expect("a request");
            if taken == 0 {
                // A job that is quick gives up its first ping.
                break;
            }
            head += &String::from_utf8_lossy(&buffer[..taken]);
        }
        if head.starts_with("POST /x HTTP") {
            return stream;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
}

/// Only keys of the input were asked for; what is reported as deleted was asked for and is gone; what was not asked for is
/// still there; after an orderly end every key that was asked for has its row.
fn assert_agreement(lab: &Lab, keys: &[String], moment: Moment) {
    let input: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
    let deletes = lab.deletes();
    let asked: BTreeSet<&str> = deletes.iter().filter_map(|entry| entry.key.as_deref()).collect();
    assert!(asked.is_subset(&input) && asked.len() == deletes.len(), "{asked:?}");
    let rows = if lab.path("report.csv").exists() { lab.rows("report.csv") } else { Vec::new() };
    let reported: BTreeSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(reported.len(), rows.len(), "two rows of a key");
    for row in &rows {
        assert_eq!(keys[usize::try_from(row.record).expect("a number") - 1], row.key);
        let expected = if matches!(moment, Moment::Draining(_)) { "unknown" } else { "deleted" };
        assert_eq!(row.status, expected, "{row:?}");
        assert!(row.status != "deleted" || !lab.server.contains(&row.key), "{row:?}");
    }
    if matches!(moment, Moment::Draining(_)) {
        // A machine that is busy for a second may cost rows of what was in flight.
        assert!(reported.is_subset(&asked));
    } else {
        assert_eq!(reported, asked);
    }
    for key in input.difference(&asked) {
        assert!(lab.server.contains(key), "{key} was never asked for and is gone");
    }
}
