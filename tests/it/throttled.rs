//! A 429 pauses everybody for as long as the server asks, and costs no key a retry.
//!
//! Where the server's word is not taken, the pause is five seconds: `--max-wait 4s` tells the two apart without a
//! clock, because a longer pause ends the job.

use std::time::{Duration, SystemTime};

use kvsweep::internals::wall_now;
use kvsweep::sandbox::{Canned, Entry, Fault, SandboxOptions, What, When};

use crate::lab::{Done, Lab};

/// How many keys come before the one that is refused, and how many there are.
const BEFORE: usize = 20;
const KEYS: usize = 30;

fn refusal() -> Canned {
    Canned::error(429, 971, "Please wait and consider throttling your request speed")
}

/// A server that answers so to one request in the middle.
fn lab_with(refusal: impl Into<What>) -> Lab {
    let lab = Lab::new();
    let keys: Vec<String> = (0..KEYS).map(|index| format!("key:{index}")).collect();
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    lab.server.set_script((0..BEFORE).map(|_| None).chain([Some(refusal.into())]));
    lab
}

/// Runs the job without a single retry. The rate is no limit to so few keys; after a pause it is what the careful
/// start goes by.
fn run(lab: &Lab, concurrency: &str, max_pause: &str) -> Done {
    let args = ["delete", "--yes", "keys.txt", "--report", "report.csv", "--json", "--retries", "0"];
    lab.kvsweep(args).args(["--rate", "200/1s", "--concurrency", concurrency, "--max-wait", max_pause]).run()
}

/// Every key is deleted although none had a retry, and somebody was throttled. `retries` of a summary counts every
/// request that repeats another.
#[track_caller]
fn assert_paused_and_finished(lab: &Lab, done: Done) {
    let summary = done.code(0).summary();
    assert_eq!((&summary["retries"], &summary["deleted"], &summary["throttled"]), (&1.into(), &KEYS.into(), &1.into()));
    let rows = lab.rows("report.csv");
    assert_eq!(rows.len(), KEYS);
    assert!(rows.iter().all(|row| row.status == "deleted"));
    assert_eq!(rows.iter().filter(|row| row.attempts == 2).count(), 1, "the one that was refused was sent again");
    assert!(lab.server.is_empty());
}

/// How long the server saw nothing after it had refused a request of a job that sends one at a time.
#[track_caller]
fn silence(request_log: &[Entry]) -> Duration {
    let refused = request_log.iter().position(|entry| entry.status == 429).expect("a refusal");
    request_log[refused + 1].at.saturating_sub(request_log[refused].at)
}

#[test]
fn the_server_is_left_alone_for_as_long_as_it_asks() {
    let in_body = r#"{"success":false,"errors":[{"code":971,"message":"wait"}],"messages":[],"retry_after":1}"#;
    let cases = [
        ("Retry-After", refusal().with_header("retry-after", "1")),
        ("Ratelimit", refusal().with_header("ratelimit", "\"default\";r=0;t=1")),
        ("the body", Canned::raw(429, in_body)),
        // What cannot be meant is passed over.
        ("Ratelimit, not 0", refusal().with_header("retry-after", "0").with_header("ratelimit", "\"a\";r=0;t=1")),
        ("Ratelimit, not years", {
            refusal().with_header("retry-after", "999999999").with_header("ratelimit", "\"a\";r=0;t=1")
        }),
        ("whatever its code", { Canned::error(429, 10_000, "Authentication error").with_header("retry-after", "1") }),
        ("without a code", Canned::html(429).with_header("retry-after", "1")),
    ];
    // Most of it is waiting, so they wait together.
    std::thread::scope(|scope| {
        for (name, refusal) in cases {
            scope.spawn(move || {
                let lab = lab_with(refusal);
                let done = run(&lab, "1", "4s");
                assert_paused_and_finished(&lab, done);
                let silence = silence(&lab.server.request_log());
                assert!(silence >= Duration::from_secs(1), "{name}: {silence:?}");
            });
        }
    });
}

#[test]
fn a_date_is_a_time_to_come_back_too() {
    let begun = wall_now();
    let lab = Lab::new();
    let started = wall_now();
    // Later than the five seconds of a date that is not understood; whole seconds, as a date has.
    let whole = |time: SystemTime| httpdate::parse_http_date(&httpdate::fmt_http_date(time)).expect("a date");
    let date = whole(begun + Duration::from_secs(9));
    let refused = refusal().with_header("retry-after", httpdate::fmt_http_date(date));
    let keys: Vec<String> = (0..KEYS).map(|index| format!("key:{index}")).collect();
    lab.server.preload(keys.iter().map(String::as_str));
    lab.write("keys.txt", keys.join("\n"));
    lab.server.set_script((0..BEFORE).map(|_| None).chain([Some(refused.into())]));
    let done = run(&lab, "1", "1m");
    assert_paused_and_finished(&lab, done);
    let request_log = lab.server.request_log();
    let refused = request_log.iter().position(|entry| entry.status == 429).expect("a refusal");
    // The server started before `started`, so its clock is at most this far.
    assert!(started + request_log[refused + 1].at >= date, "a request came before the date");
}

#[test]
fn a_zero_alone_is_not_believed() {
    let lab = lab_with(refusal().with_header("retry-after", "0"));
    let done = run(&lab, "1", "1m");
    assert_paused_and_finished(&lab, done);
    let silence = silence(&lab.server.request_log());
    assert!(silence >= Duration::from_secs(5), "{silence:?}");
}

#[test]
fn everybody_pauses() {
    let lab = lab_with(refusal().with_header("retry-after", "2"));
    let done = run(&lab, "8", "4s");
    assert_paused_and_finished(&lab, done);
    let request_log = lab.server.request_log();
    let refused = request_log.iter().position(|entry| entry.status == 429).expect("a refusal");
    let gaps = request_log.windows(2).map(|pair| pair[1].at.saturating_sub(pair[0].at));
    let silences: Vec<usize> =
        gaps.enumerate().filter(|(_, gap)| *gap >= Duration::from_secs(2)).map(|(index, _)| index).collect();
    let [silence] = silences[..] else { panic!("{silences:?}") };
    // Those that were under way with it may arrive after it, and no other.
    assert!((refused..refused + 8).contains(&silence), "refused {refused}, silent after {silence}");
}

#[test]
fn a_pause_that_is_too_long_ends_the_job() {
    for (max_pause, refusal) in [
        ("15m", refusal().with_header("retry-after", "3600")),
        ("4s", refusal().with_header("retry-after", "0")),
        ("4s", refusal()),
    ] {
        let lab = lab_with(refusal);
        let done = run(&lab, "1", max_pause).code(5);
        let summary = done.summary();
        assert_eq!(
            (&summary["stopped"], &summary["deleted"], &summary["throttled"]),
            (&"outage".into(), &BEFORE.into(), &1.into())
        );
        assert!(
            done.stderr.contains("Cloudflare asked for a ") && done.stderr.contains("--max-wait"),
            "{}",
            done.stderr
        );
        assert_eq!(lab.deletes().len(), BEFORE + 1, "nothing is sent after it");
        run_again(&lab);
    }
}

/// What is left is done by a resumed run.
fn run_again(lab: &Lab) {
    lab.delete(["keys.txt", "--report", "report.csv", "--resume"]).run().code(0);
    assert!(lab.server.is_empty());
    assert_eq!(lab.deletes().len(), KEYS + 1, "only the refused one was asked for twice");
}

#[test]
fn the_first_request_waits_as_well() {
    let faults = vec![Fault::new(When::Nth(1..=1), refusal().with_header("retry-after", "1").into()).everywhere()];
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    lab.server.preload(["key"]);
    lab.write("keys.txt", "key\n");
    let done = lab.delete(["keys.txt", "--report", "none", "--json", "--retries", "0", "--max-wait", "4s"]).run();
    let summary = done.code(0).summary();
    assert_eq!((&summary["retries"], &summary["throttled"], &summary["requests"]), (&1.into(), &1.into(), &3.into()));
    assert!(silence(&lab.server.request_log()) >= Duration::from_secs(1));
}
