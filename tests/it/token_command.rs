//! The API token comes from a command: at start, and again when the API no longer accepts it.

use std::time::Duration;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, When};
use rustix::process::Signal;

use crate::lab::{ACCOUNT, Kvsweep, Lab, NAMESPACE, TOKEN, wait_until};

/// What a flag or a variable has to hold for this script to be run, in the lab's folder.
fn shell(script: &str) -> String {
    format!("sh -c '{script}'")
}

/// Prints another token each time: `another-token-number-1` and so on; its runs are lines of `runs`.
const COUNTER: &str = "echo >>runs; echo another-token-number-$(wc -l <runs)";

fn runs(lab: &Lab) -> usize {
    std::fs::read(lab.path("runs")).map_or(0, |runs| runs.len())
}

/// A run without a token of its own.
fn bare<'a>(lab: &Lab, args: impl IntoIterator<Item = &'a str>) -> Kvsweep {
    lab.kvsweep(args).without_env("CLOUDFLARE_API_TOKEN").env("KVSWEEP_RATE", "none")
}

fn delete(lab: &Lab, script: &str) -> Kvsweep {
    bare(lab, ["delete", "keys.txt", "--yes", "--report", "r.csv", "--json", "--api-token-command", &shell(script)])
}

/// Each token is good for so many requests.
fn short_lived(requests: u64) -> Lab {
    Lab::for_any_token(SandboxOptions { token_expires_after: Some(requests), ..SandboxOptions::default() })
}

#[test]
fn a_command_gives_every_command_its_token() {
    let lab = Lab::new();
    lab.keys(20);
    lab.write("token", format!("{TOKEN}\n"));
    let script = shell("echo >>runs; cat - token; echo said on stderr: $(cat token) >&2");
    let commands = [
        &["list"][..],
        &["namespaces"],
        &["whoami"],
        &["delete", "keys.txt", "--yes", "--backup", "b.ndjson", "--report", "r.csv"],
        &["restore", "b.ndjson", "--yes", "--report", "restored.csv"],
    ];
    for (index, command) in (1..).zip(commands) {
        let run = bare(&lab, command.iter().copied()).args(["-vvv", "--api-token-command", &script]);
        let done = run.stdin("not for the command").run().code(0);
        assert_eq!(runs(&lab), index, "{command:?}");
        assert!(done.stderr.contains("sh: said on stderr: [redacted]"), "{}", done.stderr);
        assert!(!done.stderr.contains(TOKEN) && !done.stdout.contains(TOKEN), "{command:?}");
    }
    assert_eq!(lab.server.len(), 20);
    assert!(lab.server.request_log().iter().all(|entry| entry.authorized));
    for mode in ["--dry-run", "--sandbox"] {
        bare(&lab, ["delete", "keys.txt", mode, "--api-token-command", &script]).run().code(0);
    }
    assert_eq!(runs(&lab), commands.len(), "what sends nothing needs no token");
}

#[test]
fn a_token_that_expires_is_replaced_and_costs_no_retry() {
    for bulk in [&["--concurrency", "4"][..], &["--bulk=2"]] {
        let lab = short_lived(20);
        lab.keys(100);
        let args = ["--retries", "0", "--max-failures", "1"];
        let done = delete(&lab, COUNTER).args(args).args(bulk).run().code(0);
        assert_eq!((lab.server.len(), &done.summary()["deleted"]), (0, &100.into()), "{}", done.stderr);
        let accepted = lab.server.request_log().iter().filter(|entry| entry.authorized).count();
        assert_eq!(runs(&lab), accepted.div_ceil(20), "once at start and once for each token that was refused");
    }
    // A listing asks for its pages with the next token, too, and so does whatever is asked once.
    let lab = short_lived(1);
    lab.keys(2_500);
    let counter = shell(COUNTER);
    for command in [&["list"][..], &["whoami"], &["delete", "--all", "--dry-run", "--yes"]] {
        bare(&lab, command.iter().copied()).args(["--api-token-command", &counter]).run().code(0);
    }
}

#[test]
fn a_401_with_the_fresh_token_is_handled_like_any_other() {
    let lab = short_lived(0);
    lab.keys(3);
    let done = delete(&lab, COUNTER).run().code(7);
    assert_eq!((&done.summary()["stopped"], runs(&lab)), (&"unauthorized".into(), 2), "{}", done.stderr);
    // The same token again is no other.
    let same = "echo >>runs; echo a-token-that-never-changes";
    let lab = short_lived(2);
    lab.keys(30);
    let done = delete(&lab, same).args(["--concurrency", "1"]).run().code(7);
    assert_eq!((&done.summary()["deleted"], runs(&lab)), (&1.into(), 2), "{}", done.stderr);
    // A single key may be refused with any token: only that key fails.
    let refused = Fault::new(When::Key("key:7".to_owned()), Canned::error(401, 10_000, "not this one").into());
    let lab = Lab::for_any_token(SandboxOptions { faults: vec![refused], ..SandboxOptions::default() });
    lab.keys(30);
    let done = delete(&lab, COUNTER).run().code(3);
    let summary = done.summary();
    assert_eq!((&summary["deleted"], &summary["failed"], runs(&lab)), (&29.into(), &1.into(), 2), "{}", done.stderr);
}

#[test]
fn a_command_that_fails_at_start_sends_nothing() {
    let lab = Lab::new();
    lab.keys(3);
    for (command, why) in [
        (shell("echo hunter2; exit 3"), "sh ended with exit code 3"),
        (shell("echo hunter2 and more"), "what sh printed is not usable"),
        (shell("printf \"hunter2\\n\\n\""), "what sh printed is not usable"),
        (shell("true"), "the API token is empty"),
        ("./none hunter2".to_owned(), "cannot run ./none: "),
        ("sh -c \"hunter2".to_owned(), "a quote that is never closed"),
        (" ".to_owned(), "the command is empty"),
    ] {
        for args in [&["delete", "keys.txt", "--yes"][..], &["list"], &["whoami"], &["namespaces"]] {
            let done = bare(&lab, args.iter().copied()).env("KVSWEEP_API_TOKEN_COMMAND", &command).run().code(2);
            assert!(done.stderr.contains(why) && !done.stderr.contains("hunter2"), "{command}: {}", done.stderr);
        }
    }
    // It may ask somebody to unlock a vault, so it is not run while something else is missing.
    let counter = shell(COUNTER);
    let run = bare(&lab, ["delete", "keys.txt", "--yes", "--api-token-command", &counter]);
    run.without_env("CLOUDFLARE_KV_NAMESPACE_ID").run().code(2);
    assert_eq!((runs(&lab), lab.server.requests()), (0, 0));
}

#[test]
fn a_command_that_fails_later_stops_the_job() {
    for (args, deleted) in [(&["--concurrency", "1"][..], 9), (&["--bulk=2", "--concurrency", "1"], 18)] {
        let lab = short_lived(10);
        lab.keys(40);
        let script = "test -e runs && echo vault is sealed >&2 && exit 1; echo >runs; echo the-first-token-of-all";
        let done = delete(&lab, script).args(args).run().code(7);
        let summary = done.summary();
        assert_eq!((&summary["stopped"], &summary["deleted"]), (&"unauthorized".into(), &deleted.into()));
        for said in ["--api-token-command gave no other: sh ended with exit code 1", "sh: vault is sealed"] {
            assert!(done.stderr.contains(said), "{}", done.stderr);
        }
        assert_eq!(lab.server.requests(), 11, "after the 401 nothing is sent");
    }
}

#[test]
fn what_a_command_says_cannot_steer_the_terminal() {
    let lab = Lab::new();
    let script = format!("printf \"\\033[2Jcleared\\n\" >&2; echo {TOKEN}");
    let done = bare(&lab, ["list", "--api-token-command", &shell(&script)]).run().code(0);
    assert!(done.stderr.contains("[2Jcleared") && !done.stderr.contains('\u{1b}'), "{}", done.stderr);
}

#[test]
fn one_source_of_the_token_is_used() {
    let lab = Lab::new();
    lab.write("token", TOKEN);
    let (good, bad) = ("cat token", "false");
    let list = |args: &[&str]| bare(&lab, ["list"]).args(args);
    let conflict = "--api-token-file and --api-token-command both give the API token";
    for run in [
        list(&["--api-token-file", "token", "--api-token-command", good]),
        list(&[]).env("KVSWEEP_API_TOKEN_FILE", "token").env("KVSWEEP_API_TOKEN_COMMAND", good),
    ] {
        let done = run.run().code(2);
        assert!(done.stderr.contains(conflict), "{}", done.stderr);
    }
    // A flag wins over the environment, and that over the profile.
    list(&["--api-token-command", good]).env("CLOUDFLARE_API_TOKEN", "another").run().code(0);
    list(&["--api-token-command", good]).env("KVSWEEP_API_TOKEN_FILE", "none").run().code(0);
    list(&["--api-token-file", "token"]).env("KVSWEEP_API_TOKEN_COMMAND", bad).run().code(0);
    let profile = |name: &str, setting: &str| {
        lab.write(name, format!("[profile.p]\naccount-id = '{ACCOUNT}'\nnamespace-id = '{NAMESPACE}'\n{setting}\n"))
    };
    profile("good.toml", &format!("api-token-command = '{good}'"));
    profile("bad.toml", &format!("api-token-command = '{bad}'"));
    let own = |file: &str| list(&["--config", file, "--profile", "p"]);
    own("good.toml").run().code(0);
    own("bad.toml").run().code(2);
    own("bad.toml").env("CLOUDFLARE_API_TOKEN", TOKEN).run().code(0);
    own("bad.toml").env("KVSWEEP_API_TOKEN_FILE", "token").run().code(0);
    own("bad.toml").args(["--api-token-file", "token"]).run().code(0);
    own("bad.toml").args(["--api-token-command", good]).run().code(0);
    profile("both.toml", "api-token-file = 'token'\napi-token-command = 'cat token'");
    profile("pasted.toml", &format!("api-token-command = '{TOKEN}'"));
    for (file, why) in
        [("both.toml", "both give the API token"), ("pasted.toml", "secrets are not allowed in this file")]
    {
        let done = own(file).run().code(2);
        assert!(done.stderr.contains(why) && !done.stderr.contains(TOKEN), "{}", done.stderr);
    }
    // A file that came with a project runs nothing.
    profile("kvsweep.toml", "api-token-command = 'touch ran'");
    let done = list(&["--profile", "p"]).run().code(2);
    assert!(done.stderr.contains("api-token-command is not allowed in a file found in a folder"), "{}", done.stderr);
    assert!(!lab.path("ran").exists());
}

#[test]
fn a_signal_ends_kvsweep_while_the_command_runs() {
    let lab = Lab::new();
    lab.keys(3);
    let running = lab.start("start", delete(&lab, "echo >runs; exec sleep 1000"));
    wait_until("the command runs", || runs(&lab) == 1);
    running.signal(Signal::TERM);
    assert_eq!(running.done().status.code(), Some(143));
    assert_eq!(lab.server.requests(), 0);
    // Later, too; meanwhile the runtime is not blocked.
    let lab = short_lived(5);
    lab.keys(40);
    let script = "echo >>runs; test $(wc -l <runs) = 1 || exec sleep 1000; echo the-first-token-of-all";
    let slow = delete(&lab, script).args(["--concurrency", "1", "--grace", "50ms"]);
    let running = lab.start("later", slow);
    wait_until("the command runs again", || runs(&lab) == 2);
    running.signal(Signal::INT);
    let done = running.done();
    assert_eq!(done.status.code(), Some(130), "{}", done.stderr);
    assert_eq!(done.summary()["deleted"], 4);
}

#[test]
fn other_keys_are_deleted_while_a_slow_command_runs() {
    let latency = Some((Duration::from_millis(1), Duration::from_millis(3)));
    let refused = Fault::new(When::Nth(3..=3), Canned::error(401, 10_000, "Authentication error").into());
    let lab = Lab::for_any_token(SandboxOptions { latency, faults: vec![refused], ..SandboxOptions::default() });
    lab.keys(200);
    // It ends once the other keys are gone.
    let script =
        "echo >>runs; test $(wc -l <runs) = 1 || until test -e gone; do sleep 0.01; done; echo token-$(wc -l <runs)";
    let running = lab.start("slow", delete(&lab, script));
    wait_until("all other keys are gone", || lab.server.len() <= 1);
    assert_eq!(runs(&lab), 2);
    lab.write("gone", "");
    assert_eq!((running.done().status.code(), lab.server.len(), runs(&lab)), (Some(0), 0, 2));
}
