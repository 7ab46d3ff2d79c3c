//! A secret reaches the server and nothing else: no log, no report, no error, whatever the server says.

use kvsweep::api::Credentials;
use kvsweep::sandbox::{Canned, Fault, SandboxOptions, When};

use crate::lab::{Done, Kvsweep, Lab, TOKEN};

/// A global key, to tell it from a token.
const EMAIL: &str = "somebody@example.com";

/// Every place where a run may have left something.
#[track_caller]
fn assert_kept(lab: &Lab, done: &Done, secret: &str) {
    assert!(!done.stdout.contains(secret), "stdout:\n{}", done.stdout);
    assert!(!done.stderr.contains(secret), "stderr:\n{}", done.stderr);
    for entry in std::fs::read_dir(lab.folder()).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.file_name().is_some_and(|name| name != "token") {
            let content = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
            assert!(!content.contains(secret), "{}:\n{content}", path.display());
        }
    }
}

fn lab_with(faults: Vec<Fault>) -> Lab {
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    lab.server.preload(["a", "b", "c"]);
    lab.write("keys.txt", "a\nb\nc\n");
    lab
}

/// As talkative as can be, with all that can be written.
fn talkative(lab: &Lab, format: &str) -> Kvsweep {
    let report = if format == "json" { "report.ndjson" } else { "report.csv" };
    lab.delete(["keys.txt", "-vvv", "--log-format", format, "--report", report, "--failures", "failures.csv"])
        .args(["--retries", "1", "--concurrency", "1", "--overwrite"])
        .env("RUST_LOG", "trace")
        .env("RUST_BACKTRACE", "1")
}

#[test]
fn a_talkative_job_keeps_the_token() {
    for format in ["text", "json"] {
        let lab = lab_with(Vec::new());
        let done = talkative(&lab, format).run().code(0);
        assert!(!done.stderr.is_empty(), "-vvv says nothing, so nothing was shown");
        assert!(lab.server.request_log().iter().all(|entry| entry.authorized));
        assert_kept(&lab, &done, TOKEN);
    }
}

#[test]
fn a_server_that_repeats_the_token_is_not_quoted() {
    let says = format!("no such token: {TOKEN}!");
    let elsewhere = Lab::new();
    let place = format!("{}/?token={TOKEN}", elsewhere.server.base_url());
    let page = format!("<html><head><title>{says}</title></head></html>");
    let answers = [
        Canned::error(400, 10_012, &says),
        Canned::error(403, 10_000, &says),
        Canned::error(403, None, &says).with_header("cf-mitigated", "challenge"),
        Canned::error(503, 10_001, &says),
        Canned::raw(500, says.clone()),
        Canned::raw(400, format!("{{\"token\":\"{TOKEN}\"")),
        Canned::raw(403, page).with_header("content-type", "text/html"),
        Canned::raw(307, "").with_header("location", &place),
        Canned::raw(200, says.clone()),
        // Cut in the middle of the token it must not be recognisable either.
        Canned::error(400, 10_012, format!("{}{TOKEN}", "x".repeat(1_015))),
    ];
    for (index, answer) in answers.into_iter().enumerate() {
        for format in ["text", "json"] {
            let in_the_middle = Fault::new(When::Key("b".to_owned()), answer.clone().into());
            let lab = lab_with(vec![in_the_middle]);
            let done = talkative(&lab, format).run();
            assert!(matches!(done.status.code(), Some(3 | 7)), "answer {index}: {}", done.stderr);
            assert_kept(&lab, &done, TOKEN);
            assert_kept(&lab, &done, &TOKEN[..10]);
            let report = lab.read(if format == "json" { "report.ndjson" } else { "report.csv" });
            assert!(report.lines().count() >= 2, "there is something to look through");
        }
        let from_the_start = Fault::new(When::Probability(1.0), answer.into()).everywhere();
        let lab = lab_with(vec![from_the_start]);
        let done = talkative(&lab, "text").args(["--max-wait", "1s"]).run();
        assert!(matches!(done.status.code(), Some(5 | 7)), "answer {index}: {}", done.stderr);
        assert_kept(&lab, &done, TOKEN);
        assert!(lab.deletes().is_empty());
    }
    assert_eq!(elsewhere.server.requests(), 0, "the secret went nowhere else");
}

/// A message of 1 MiB that repeats the token.
fn long_message() -> String {
    format!("{TOKEN} ").repeat((1 << 20) / TOKEN.len())
}

#[track_caller]
fn assert_short_errors(lab: &Lab, done: &Done, rows: usize) {
    assert_kept(lab, done, TOKEN);
    let found = lab.rows("r.csv");
    assert_eq!(found.len(), rows);
    for row in found {
        assert!(row.error.contains("[redacted]") && row.error.len() <= 1_024, "{row:?}");
    }
    // A line of the log per failed key, each with 1 KiB of the message at most.
    let most = (64 << 10) + rows * 1_536;
    assert!(done.stderr.len() < most, "{} bytes of messages", done.stderr.len());
}

#[test]
fn bulk_responses_are_quoted_as_carefully_as_others() {
    // A success whose result cannot be read, which is quoted in the reason.
    let unreadable = format!(r#"{{"success":true,"errors":[],"result":"{}"}}"#, long_message());
    for answer in [Canned::raw(200, unreadable), Canned::error(500, 10_001, long_message())] {
        let faults = vec![Fault::new(When::Prefix("key:".to_owned()), answer.into())];
        let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
        let line = |number| format!("{{\"key\":\"key:{number}\",\"value\":\"v\"}}\n");
        lab.write("b.ndjson", (0..200).map(line).collect::<String>());
        let args =
            ["restore", "--yes", "b.ndjson", "--overwrite-values", "--retries", "0", "--report", "r.csv", "-vvv"];
        assert_short_errors(&lab, &lab.kvsweep(args).run().code(3), 200);
    }
    let refused = Canned::error(400, 10_012, long_message());
    let faults = vec![Fault::new(When::Prefix("key:".to_owned()), refused.into())];
    let lab = Lab::with(SandboxOptions { faults, ..SandboxOptions::default() });
    lab.keys(16);
    let done = lab.delete(["keys.txt", "--bulk", "--retries", "0", "--report", "r.csv", "-v"]).run();
    assert_short_errors(&lab, &done, 16);
}

#[test]
fn titles_and_ids_are_shown_without_the_token() {
    let title = format!("sessions {TOKEN}{}", "x".repeat(4_000));
    let options = SandboxOptions {
        title: title.clone(),
        other_namespaces: vec![(format!("{:032}", 1), format!("{TOKEN} sessions"))],
        ..SandboxOptions::default()
    };
    let lab = Lab::with(options);
    lab.keys(1);
    for args in [
        &["namespaces"][..],
        &["namespaces", "--json"],
        &["whoami"],
        &["whoami", "--json"],
        &["delete", "keys.txt", "--namespace", "session", "--yes", "--report", "none"],
        &["delete", "keys.txt", "--yes", "--report", "r.csv", "--json"],
        &["delete", "keys.txt", "--yes", "--report", "none"],
    ] {
        let done = lab.kvsweep(args).args(["-vvv"]).run();
        assert_kept(&lab, &done, TOKEN);
        let shown = done.stdout.clone() + &done.stderr;
        assert!(!shown.contains(&"x".repeat(1_024)), "{args:?}: {shown}");
        assert!(args.contains(&"r.csv") || shown.contains("[redacted]"), "{args:?}: {shown}");
    }
    // The exact title finds the namespace, what is shown of it does not.
    lab.keys(1);
    let shown = title.replace(TOKEN, "[redacted]");
    let named = |title: &str| lab.delete(["keys.txt", "--report", "none", "--namespace", title]).run();
    assert_eq!(named(&shown).status.code(), Some(7));
    named(&title).code(0);
    assert!(lab.server.is_empty());

    let lab = Lab::with(SandboxOptions {
        other_namespaces: vec![(TOKEN.to_owned(), "other".to_owned())],
        ..SandboxOptions::default()
    });
    assert_kept(&lab, &lab.kvsweep(["namespaces", "--retries", "0"]).run(), TOKEN);
}

#[test]
fn a_wrong_token_is_not_repeated() {
    let wrong = "wrong-token-9876543210";
    let lab = lab_with(Vec::new());
    let done = talkative(&lab, "text").env("CLOUDFLARE_API_TOKEN", wrong).run().code(7);
    assert_kept(&lab, &done, wrong);
    for unusable in ["wrong token with spaces 9876543210", "wrong\u{7}token-9876543210", "wröng-token-9876543210"] {
        let done = talkative(&lab, "text").env("CLOUDFLARE_API_TOKEN", unusable).run().code(2);
        assert_kept(&lab, &done, unusable);
        assert_kept(&lab, &done, "9876543210");
    }
    assert_eq!(lab.server.len(), 3);
}

#[test]
fn a_token_file_is_read_and_kept() {
    let lab = lab_with(Vec::new());
    lab.write("token", format!("{TOKEN}\n"));
    // It wins over the environment.
    let run = talkative(&lab, "text").args(["--api-token-file", "token"]);
    let done = run.env("CLOUDFLARE_API_TOKEN", "wrong-token-9876543210").run().code(0);
    assert_kept(&lab, &done, TOKEN);
    assert!(lab.server.is_empty());

    lab.write("token", format!("{TOKEN} and more\n"));
    let run = talkative(&lab, "text").args(["--api-token-file", "token"]).without_env("CLOUDFLARE_API_TOKEN");
    let done = run.run().code(2);
    assert!(done.stderr.contains("token"), "{}", done.stderr);
    assert_kept(&lab, &done, TOKEN);
}

#[test]
fn a_global_key_works_and_is_kept() {
    let says = Canned::error(400, 10_012, format!("unknown key {TOKEN}"));
    let lab = lab_with(vec![Fault::new(When::Key("b".to_owned()), says.into())]);
    let run = talkative(&lab, "text").without_env("CLOUDFLARE_API_TOKEN");
    let done = run.env("CLOUDFLARE_EMAIL", EMAIL).env("CLOUDFLARE_API_KEY", TOKEN).run().code(3);
    assert_kept(&lab, &done, TOKEN);
    assert_eq!(lab.server.keys(), ["b"]);
    assert!(lab.server.request_log().iter().all(|entry| entry.authorized));
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    for flag in ["--api-token", "--token", "--api-key", "--key"] {
        let lab = lab_with(Vec::new());
        let spellings = [vec![flag.to_owned(), TOKEN.to_owned()], vec![format!("{flag}={TOKEN}")]];
        for args in spellings {
            let done = lab.delete(["keys.txt"]).args(args).run().code(2);
            assert_kept(&lab, &done, TOKEN);
            assert!(done.stderr.contains("--api-token-file"), "{}", done.stderr);
        }
        assert_eq!(lab.server.requests(), 0);
    }
}

#[test]
fn credentials_do_not_show_in_debug() {
    let token = Credentials::token(TOKEN).expect("a token");
    let key = Credentials::global_key(EMAIL, TOKEN).expect("a key");
    for shown in [format!("{token:?}"), format!("{token:#?}"), format!("{key:?}"), format!("{key:#?}")] {
        assert!(!shown.contains(TOKEN), "{shown}");
    }
}
