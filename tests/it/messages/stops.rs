//! A job that ends early says why, and how to go on.

use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use kvsweep::sandbox::{Canned, Fault, SandboxOptions, What, When};
use rustix::process::Signal;

use super::Messages;
use crate::lab::{Kvsweep, Lab, NAMESPACE, wait_until};

fn with(faults: Vec<Fault>) -> Lab {
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    lab.keys(12);
    lab
}

const ONE_BY_ONE: [&str; 7] = ["keys.txt", "--report", "report.csv", "--concurrency", "1", "--retries", "0"];

/// Every request fails so.
fn always(what: impl Into<What>) -> Lab {
    with(vec![Fault::new(When::Probability(1.0), what.into()).everywhere()])
}

/// The sixth key fails so.
fn midway(what: impl Into<What>) -> Lab {
    with(vec![Fault::new(When::Key("key:5".to_owned()), what.into())])
}

#[test]
fn a_job_that_is_stopped_says_how_to_go_on() {
    let mut messages = Messages::new();
    let hear = |messages: &mut Messages, phrase: &str, lab: &Lab, args: &[&str]| {
        messages.check(phrase, lab, lab.delete(ONE_BY_ONE).args(args));
    };

    let lab = with(Vec::new());
    messages.check(
        "Authentication error",
        &lab,
        lab.delete(ONE_BY_ONE).env("CLOUDFLARE_API_TOKEN", "wrong-0123456789"),
    );
    let wrong = NAMESPACE.replace('f', "0");
    let account = lab.delete(ONE_BY_ONE).env("CLOUDFLARE_ACCOUNT_ID", &wrong);
    messages.check("code 7003", &lab, account);
    messages.check("code 10013", &lab, lab.delete(ONE_BY_ONE).env("CLOUDFLARE_KV_NAMESPACE_ID", &wrong));
    hear(&mut messages, "more than --max-keys", &lab, &["--max-keys", "5"]);
    hear(&mut messages, "but --expect is", &lab, &["--expect", "5"]);
    hear(&mut messages, "the --deadline passed before the first key", &always(What::Hang), &["--deadline", "1s"]);

    let denied = || Canned::error(403, 10_000, "Authentication error");
    // The seventh request is for the sixth key, and the one after it for the namespace.
    let gone = with(vec![Fault::new(When::Nth(7..=u64::MAX), denied().into()).everywhere()]);
    hear(&mut messages, "Authentication error", &gone, &[]);
    let read_only = with(vec![Fault::new(When::Probability(1.0), denied().into())]);
    hear(&mut messages, "every request for a key is refused", &read_only, &[]);
    let lab = Lab::for_any_token(SandboxOptions { token_expires_after: Some(6), ..SandboxOptions::default() });
    lab.keys(12);
    let sealed = ["--api-token-command", "sh -c 'test ! -e ran && touch ran && echo the-first-token'"];
    hear(&mut messages, "--api-token-command gave no other", &lab, &sealed);
    let lab = Lab::with(SandboxOptions { daily_deletes: Some(5), ..SandboxOptions::default() });
    lab.keys(12);
    hear(&mut messages, "code 10048", &lab, &[]);
    let refused = Canned::error(400, 10_001, "so the server says");
    hear(&mut messages, "stopped by --max-failures", &midway(refused.clone()), &["--max-failures", "1"]);
    let first = with(vec![Fault::new(When::Key("key:1".to_owned()), refused.clone().into())]);
    hear(&mut messages, "was not deleted (--canary", &first, &["--canary", "3"]);
    hear(&mut messages, "to resume, run", &midway(refused), &["--failures", "failures.csv"]);
    hear(&mut messages, "unknown", &midway(What::Garbage), &[]);

    let lab = with(Vec::new());
    let stdin = lab.delete(["-", "--report", "report.csv", "--concurrency", "1", "--max-keys", "2"]).stdin("a\nb\nc\n");
    messages.check("there are more keys than --max-keys", &lab, stdin);

    let down = || vec![Fault::new(When::Nth(6..=99_999), Canned::html(503).into()).everywhere()];
    let args = ["keys.txt", "--report", "report.csv", "--concurrency", "8", "--max-wait", "1s"];
    let lab = with(down());
    messages.check("no request succeeded within --max-wait", &lab, lab.delete(args));
    let throttled = Canned::error(429, 10_000, "Please wait").with_header("Retry-After", "3600");
    hear(&mut messages, "longer than --max-wait", &midway(throttled), &[]);
    hear(&mut messages, "the --deadline passed", &midway(What::Hang), &["--deadline", "1s", "--grace", "1s"]);

    // A report that may not grow, as on a full disk.
    let lab = with(Vec::new());
    let shell = ["-c", "ulimit -f 0 && exec \"$0\" \"$@\""];
    let full = lab.like(Kvsweep::new("/bin/sh".into(), lab.folder())).args(shell).arg(cargo_bin("kvsweep"));
    let full = full.args(["delete", "--yes", "--rate", "none"]).args(ONE_BY_ONE);
    messages.check_as("cannot write", "kvsweep delete keys.txt … (on a full disk)", &lab, full);
    let lab = with(Vec::new());
    let shell = ["-c", "exec \"$0\" \"$@\" >/dev/full"];
    let full = lab.like(Kvsweep::new("/bin/sh".into(), lab.folder())).args(shell).arg(cargo_bin("kvsweep"));
    let full = full.args(["delete", "--yes", "--rate", "none"]).args(ONE_BY_ONE);
    messages.check_as("the summary cannot be printed", "kvsweep delete keys.txt … >/dev/full", &lab, full);
    messages.assert("stops");
}

#[test]
fn a_signal_is_answered_with_the_way_to_go_on() {
    let mut messages = Messages::new();
    for (signal, phrase) in
        [(Signal::INT, "interrupted:"), (Signal::TERM, "interrupted (SIGTERM)"), (Signal::HUP, "interrupted (SIGHUP)")]
    {
        let slow = Duration::from_millis(500);
        let lab = Lab::with(SandboxOptions { latency: Some((slow, slow)), ..SandboxOptions::default() });
        lab.keys(12);
        let running = lab.start("run", lab.delete(ONE_BY_ONE));
        wait_until("a key is sent", || !lab.deletes().is_empty());
        running.signal(signal);
        messages.check_running(phrase, &lab, "kvsweep delete keys.txt …", running);
    }
    messages.assert("signals");
}
