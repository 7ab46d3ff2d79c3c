//! What is refused before anything is sent, and what never leaves the process: other people's files, secrets, and
//! characters that would steer a terminal.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, When};

use crate::lab::{Lab, TOKEN, parse_csv};

/// A server with two keys, and a file that names one of them.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.server.preload(["a", "bystander"]);
    lab.write("keys.txt", "a\n");
    lab
}

fn files(lab: &Lab) -> Vec<String> {
    let entries = std::fs::read_dir(lab.folder()).expect("the folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[track_caller]
fn assert_nothing_sent(lab: &Lab) {
    assert_eq!((lab.server.requests(), lab.server.len()), (0, 2));
}

#[test]
fn nothing_is_deleted_that_nobody_confirmed() {
    for args in [
        &["delete", "keys.txt"][..],
        &["delete", "keys.txt", "--report", "report.csv", "--failures", "failures.csv", "--backup", "backup.ndjson"],
        &["delete", "--prefix", "a"],
        &["delete", "--all", "--namespace", "sandbox"],
        &["delete", "keys.txt", "--check"],
        &["restore", "keys.txt"],
        &["restore", "keys.txt", "--report", "report.csv", "--namespace", "sandbox", "--overwrite-values"],
    ] {
        let lab = lab();
        let done = lab.kvsweep(args).run().code(2);
        assert!(done.stderr.contains("no terminal to confirm on") && done.stderr.contains("--yes"), "{}", done.stderr);
        assert_nothing_sent(&lab);
        assert_eq!(files(&lab), ["keys.txt"]);
    }
    let lab = lab();
    // An answer on stdin is a key, not a yes.
    lab.kvsweep(["delete"]).stdin("yes\n").run().code(2);
    lab.kvsweep(["delete", "keys.txt"]).stdin("yes\n").run().code(2);
    assert_eq!((lab.deletes().len(), lab.server.len(), files(&lab)), (0, 2, vec!["keys.txt".to_owned()]));
}

#[test]
fn everything_that_is_missing_is_in_one_error() {
    let bare = |args: &[&str]| {
        let lab = lab();
        let run = lab.kvsweep(args).without_env("CLOUDFLARE_API_TOKEN").without_env("CLOUDFLARE_ACCOUNT_ID");
        let done = run.without_env("CLOUDFLARE_KV_NAMESPACE_ID").run().code(2);
        assert_nothing_sent(&lab);
        assert_eq!(done.stderr.matches("error: ").count(), 1, "{}", done.stderr);
        done.stderr
    };
    let hints = ["CLOUDFLARE_API_TOKEN", "--api-token-file", "CLOUDFLARE_ACCOUNT_ID", "--account-id"];
    for args in [
        &["delete", "keys.txt"][..],
        &["delete", "--prefix", "a", "--dry-run"],
        &["delete", "keys.txt", "--dry-run", "--check"],
        &["list"],
        &["restore", "backup.ndjson"],
    ] {
        let said = bare(args);
        assert!(said.starts_with("error: no API token; no account; no namespace\n"), "{args:?}: {said}");
        for hint in hints.into_iter().chain(["--namespace-id", "--namespace TITLE", "--binding NAME"]) {
            assert!(said.contains(hint), "{args:?}: {hint}: {said}");
        }
    }
    let said = bare(&["namespaces"]);
    assert!(said.starts_with("error: no API token; no account\n") && hints.iter().all(|hint| said.contains(hint)));
    // What is given and cannot be used counts too.
    let said = bare(&["delete", "keys.txt", "--base-url", "ftp://x", "--api-token-file", "none", "--binding", "KV"]);
    assert!(said.contains("--base-url") && said.contains("from none:") && said.contains("--binding: "), "{said}");
    let said = bare(&["delete", "keys.txt", "--account-id", "a", "--namespace-id", "n"]);
    assert!(said.starts_with("error: no API token\n"), "{said}");
    // And so does a profile.
    let said = bare(&["delete", "keys.txt", "--profile", "prod", "--account-id", "a"]);
    assert!(said.contains("prod") && said.contains("no API token; no namespace\n"), "{said}");
}

#[test]
fn every_wrong_value_of_a_profile_is_in_one_error() {
    let lab = lab();
    lab.write("k.toml", "[profile.p]\nretries = -1\nrate = 'fast'\nmax-failures = '0%'\n");
    let done = lab.delete(["keys.txt", "--config", "k.toml", "--profile", "p"]).run().code(2);
    for place in ["k.toml:2:1", "k.toml:3:1", "k.toml:4:1"] {
        assert!(done.stderr.contains(place), "{place}: {}", done.stderr);
    }
    assert_nothing_sent(&lab);
}

#[test]
fn an_existing_file_is_left_alone_unless_it_may_be_replaced() {
    let lab = lab();
    lab.write("mine.csv", "precious\n");
    for args in [["--report", "mine.csv"], ["--failures", "mine.csv"]] {
        let done = lab.delete(["keys.txt"]).args(args).run().code(2);
        assert!(done.stderr.contains("mine.csv") && done.stderr.contains("--overwrite"), "{}", done.stderr);
        assert_eq!(lab.read("mine.csv"), "precious\n");
    }
    assert_eq!(files(&lab), ["keys.txt", "mine.csv"]);
    assert_nothing_sent(&lab);
    lab.delete(["keys.txt", "--report", "mine.csv", "--overwrite"]).run().code(0);
    lab.assert_all_deleted(["a"], &lab.rows("mine.csv"));
    assert_eq!(lab.server.keys(), ["bystander"]);
}

#[test]
fn a_report_that_may_be_replaced_survives_a_job_that_does_not_begin() {
    let lab = lab();
    lab.write("mine.csv", "precious\n");
    let replace = ["delete", "keys.txt", "--report", "mine.csv", "--overwrite"];
    lab.kvsweep(replace).run().code(2);
    lab.kvsweep(replace).args(["--yes"]).env("CLOUDFLARE_API_TOKEN", "wrong-token-0123456789").run().code(7);
    lab.delete(["none.txt", "--report", "mine.csv", "--overwrite"]).run().code(1);
    assert_eq!((lab.read("mine.csv"), lab.deletes().len(), lab.server.len()), ("precious\n".to_owned(), 0, 2));
}

#[test]
fn a_report_over_its_own_input_is_refused() {
    let lab = lab();
    lab.write("keys.csv", "key\na\n");
    std::fs::hard_link(lab.path("keys.csv"), lab.path("hard.csv")).expect("a link");
    symlink(lab.path("keys.csv"), lab.path("soft.csv")).expect("a link");
    for (input, output) in
        [("keys.csv", "keys.csv"), ("keys.csv", "./keys.csv"), ("keys.csv", "hard.csv"), ("soft.csv", "keys.csv")]
    {
        for flag in ["--report", "--failures"] {
            let done = lab.delete([input, flag, output, "--overwrite"]).run().code(2);
            let message = ["the same file as the input", "names one of the inputs"];
            assert!(
                message.iter().any(|message| done.stderr.contains(message)),
                "{input} {flag} {output}: {}",
                done.stderr
            );
            lab.delete([input, flag, output]).run().code(2);
            assert_eq!(lab.read("keys.csv"), "key\na\n");
        }
    }
    assert_nothing_sent(&lab);
}

#[test]
fn a_report_and_failures_in_one_file_are_refused_however_they_are_spelled() {
    let lab = lab();
    std::fs::create_dir(lab.path("sub")).expect("a folder");
    let absolute = lab.path("r.csv");
    for exists in [false, true] {
        if exists {
            lab.write("r.csv", "");
            std::fs::hard_link(lab.path("r.csv"), lab.path("hard.csv")).expect("a link");
        }
        let spellings = ["r.csv", "./r.csv", "sub/../r.csv", absolute.to_str().expect("UTF-8")];
        for spelling in spellings.into_iter().chain(exists.then_some("hard.csv")) {
            let run = lab.delete(["keys.txt", "--report", "r.csv", "--failures", spelling, "--overwrite"]);
            let done = run.run().code(2);
            assert!(done.stderr.contains("same file"), "{spelling}: {}", done.stderr);
            assert_eq!(lab.path("r.csv").exists(), exists);
        }
    }
    assert_nothing_sent(&lab);
    std::fs::remove_file(lab.path("hard.csv")).expect("the link");
    lab.delete(["keys.txt", "--report", "r.csv", "--failures", "sub/r.csv", "--overwrite"]).run().code(0);
}

#[test]
fn a_symbolic_link_in_the_reports_place_is_not_followed() {
    for (target, exists) in [("theirs.csv", true), ("nowhere.csv", false)] {
        let lab = lab();
        lab.write("theirs.csv", "theirs\n");
        symlink(lab.path(target), lab.path("report.csv")).expect("a link");
        for how in [&[][..], &["--overwrite"][..], &["--resume"][..]] {
            for flag in ["--report", "--failures"] {
                if flag == "--report" || how != ["--resume"] {
                    lab.delete(["keys.txt", flag, "report.csv"]).args(how).run().code(2);
                }
            }
        }
        assert_eq!((lab.read("theirs.csv"), lab.path(target).exists()), ("theirs\n".to_owned(), exists));
        assert!(lab.path("report.csv").is_symlink());
        assert_nothing_sent(&lab);
    }
}

#[test]
fn files_are_for_the_owner_alone() {
    let bad = Fault::new(When::Key("b".to_owned()), Canned::error(400, 10_001, "no").into());
    let lab = Lab::with(SandboxOptions { faults: vec![bad], ..SandboxOptions::default() });
    lab.write("keys.txt", "a\nb\n");
    lab.delete(["keys.txt", "--report", "report.csv", "--failures", "failures.ndjson"]).run().code(3);
    lab.delete(["keys.txt"]).run().code(3);
    lab.kvsweep(["delete", "keys.txt", "--dry-run", "--report", "plan.ndjson"]).run().code(0);
    let written: Vec<String> = files(&lab).into_iter().filter(|name| name != "keys.txt").collect();
    let reports = written.iter().filter(|name| !name.ends_with(".job.json")).count();
    assert_eq!((reports, written.len()), (4, 7), "{written:?}");
    assert!(written.iter().any(|name| name.starts_with("kvsweep-report-2") && name.ends_with("Z.csv")), "{written:?}");
    for name in written {
        let mode = lab.path(&name).metadata().expect("the file").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
}

#[test]
fn a_wrong_flag_gets_a_suggestion() {
    let lab = lab();
    let done = lab.delete(["keys.txt", "--dry-rum"]).run().code(2);
    assert!(done.stderr.contains("--dry-run"), "{}", done.stderr);
    let done = lab.delete(["keys.txt", "--concurency", "3"]).run().code(2);
    assert!(done.stderr.contains("--concurrency"), "{}", done.stderr);
    assert_nothing_sent(&lab);
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    const SECRET: &str = "s3cr3t-0123456789-abcdefghijklmnop";
    let lab = lab();
    for flag in ["--api-token", "--token", "--api-key", "--key"] {
        for args in [vec![flag.to_owned(), SECRET.to_owned()], vec![format!("{flag}={SECRET}")]] {
            let done = lab.delete(["keys.txt"]).args(args).run().code(2);
            assert!(done.stderr.contains("CLOUDFLARE_API_TOKEN"), "{flag}: {}", done.stderr);
            assert!(!(done.stderr + &done.stdout).contains(SECRET), "{flag}");
        }
    }
    assert_nothing_sent(&lab);
}

#[test]
fn plain_http_goes_to_this_machine_alone() {
    let lab = lab();
    for url in [
        "http://203.0.113.1/client/v4",
        "http://api.cloudflare.com/client/v4",
        "http://localhost.example.com/client/v4",
        "http://127.0.0.1@203.0.113.1/client/v4",
        "ftp://127.0.0.1/",
        "nonsense",
        "",
    ] {
        let done = lab.delete(["keys.txt", "--base-url", url]).run().code(2);
        assert!(!done.stderr.is_empty() && !done.stderr.contains(TOKEN), "{url}: {}", done.stderr);
        if !url.is_empty() {
            lab.delete(["keys.txt"]).env("CLOUDFLARE_API_BASE_URL", url).run().code(2);
        }
    }
    assert_nothing_sent(&lab);
    assert_eq!(files(&lab), ["keys.txt"]);
}

#[test]
fn an_id_that_could_change_the_path_is_refused() {
    let lab = lab();
    let long = "a".repeat(33);
    for id in ["../x", "..", ".", "a/b", "a?b", "a#b", "%2e%2e", "a b", "", "é", "a\n", long.as_str()] {
        for (flag, variable) in
            [("--account-id", "CLOUDFLARE_ACCOUNT_ID"), ("--namespace-id", "CLOUDFLARE_KV_NAMESPACE_ID")]
        {
            lab.delete(["keys.txt", flag, id]).run().code(2);
            // An empty variable counts as unset, and the account can be looked up.
            if (variable, id) != ("CLOUDFLARE_ACCOUNT_ID", "") {
                lab.delete(["keys.txt"]).env(variable, id).run().code(2);
            }
        }
    }
    assert_nothing_sent(&lab);
}

#[test]
fn a_closed_stdout_ends_the_job_only_if_the_report_goes_there() {
    for args in [["--json", "--report", "report.csv"].as_slice(), &["--report", "-"], &["--report", "none"]] {
        let goes_there = args.contains(&"-");
        let lab = Lab::new();
        let keys: Vec<String> = (0..300).map(|index| format!("key:{index}")).collect();
        lab.server.preload(keys.iter().map(String::as_str).chain(["bystander"]));
        let mut child = lab.delete(["-"]).args(args).spawn(Stdio::piped());
        drop(child.stdout.take());
        // Only now is there anything to do, so nothing can have been written before.
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(keys.join("\n").as_bytes()).expect("the job reads");
        drop(stdin);
        let output = child.wait_with_output().expect("the end");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(i32::from(goes_there)), "{args:?}: {stderr}");
        assert!(!stderr.contains("panic"), "{stderr}");
        assert_eq!(stderr.contains("error: the report cannot be written to stdout"), goes_there, "{stderr}");
        if goes_there {
            assert!(lab.deletes().len() <= 32, "only what was in flight");
            continue;
        }
        assert_eq!((lab.deletes().len(), lab.server.keys()), (300, vec!["bystander".to_owned()]), "{args:?}");
        if args.contains(&"report.csv") {
            lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
        }
    }
}

/// Otherwise the next run would protect nothing.
#[test]
fn files_of_settings_are_never_written() {
    let lab = lab();
    lab.write("p.csv", "b\n");
    lab.write("conf.ndjson", "[profile.p]\nconcurrency = 1\n");
    lab.write("t.ndjson", "0123456789abcdefghijklmnopqrstuvwxyz_ABCD\n");
    lab.write("backup.ndjson", "{\"key\":\"a\",\"value\":\"v\"}\n");
    for args in [
        &["delete", "keys.txt", "--yes", "--protect-from", "p.csv", "--report", "p.csv", "--overwrite"][..],
        &["delete", "keys.txt", "--yes", "--protect-from", "p.csv", "--failures", "p.csv", "--overwrite"],
        &["delete", "keys.txt", "--dry-run", "--protect-from", "p.csv", "--report", "p.csv", "--overwrite"],
        &["delete", "keys.txt", "--yes", "--api-token-file", "t.ndjson", "--backup", "t.ndjson", "--overwrite"],
        &[
            "delete",
            "keys.txt",
            "--yes",
            "--config",
            "conf.ndjson",
            "--profile",
            "p",
            "--backup",
            "conf.ndjson",
            "--overwrite",
        ],
        &["restore", "backup.ndjson", "--yes", "--api-token-file", "t.ndjson", "--report", "t.ndjson", "--overwrite"],
        &["list", "--api-token-file", "t.ndjson", "--output", "t.ndjson", "--overwrite"],
    ] {
        let before = ["p.csv", "conf.ndjson", "t.ndjson"].map(|name| lab.read(name));
        let done = lab.kvsweep(args).run().code(2);
        assert!(done.stderr.contains("which settings are read from"), "{args:?}: {}", done.stderr);
        assert_eq!(["p.csv", "conf.ndjson", "t.ndjson"].map(|name| lab.read(name)), before, "{args:?}");
    }
    for args in [
        &["-", "--protect-from", "/dev/stdin"][..],
        &["-", "-"],
        &["/dev/stdin", "-"],
        &["-", "--dry-run", "/dev/fd/0"],
    ] {
        let done = lab.delete(args).stdin("a\n").run().code(2);
        assert!(done.stderr.contains("the same stream, which can be read only once"), "{args:?}: {}", done.stderr);
    }
    // What is empty can be read any number of times.
    lab.delete(["/dev/null", "/dev/null", "--report", "none"]).run().code(0);
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn a_report_on_stdout_is_alone_there() {
    let lab = lab();
    lab.write("keys.txt", "a\n..\na\n");
    let done = lab.delete(["keys.txt", "--report", "-"]).run().code(3);
    let mut rows = parse_csv(&done.stdout);
    rows.sort_by_key(|row| row.record);
    let states: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
    assert_eq!(states, ["deleted", "invalid", "duplicate"]);
    for message in ["deleted    1", "invalid    1", "duplicate  1", "3 records"] {
        assert!(done.stderr.contains(message), "{message:?} is not in {}", done.stderr);
    }
    assert!(!done.stderr.contains("--report PATH"), "there is a report already: {}", done.stderr);
    assert_eq!((lab.server.keys(), files(&lab)), (vec!["bystander".to_owned()], vec!["keys.txt".to_owned()]));
}

/// Characters that steer a terminal, or hide or reorder text.
fn steering(text: &str) -> Vec<char> {
    let steers =
        |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{200b}'..='\u{200f}');
    text.chars().filter(|c| steers(*c)).collect()
}

const STEERING: &str = "\x1b[31mred\x07\u{9b}2J\r\u{202e}\u{200b}\x08\n\x1b]0;title\x07";

#[test]
fn what_steers_a_terminal_is_exact_in_the_report_and_nowhere_else() {
    let bad = Fault::new(When::Prefix("bad".to_owned()), Canned::error(400, 10_001, STEERING).into());
    let lab = Lab::with(SandboxOptions { faults: vec![bad], title: STEERING.to_owned(), ..SandboxOptions::default() });
    let keys = [format!("good{STEERING}"), format!("bad{STEERING}"), format!("{STEERING}{}", "x".repeat(512))];
    let name = "k\x1b[31m\u{202e}.json";
    lab.write(name, serde_json::to_string(&keys).expect("JSON"));
    lab.server.preload([keys[0].as_str()]);
    for (report, args) in [("1.csv", &["-vvv"][..]), ("2.ndjson", &["-vvv", "--log-format", "json"][..])] {
        let done = lab.delete([name, "--report", report]).args(args).run().code(3);
        assert_eq!((steering(&done.stderr), steering(&done.stdout)), (vec![], vec![]), "{}", done.stderr);
        let mut rows = lab.rows(report);
        rows.sort_by_key(|row| row.record);
        assert_eq!(rows.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), keys);
        let states: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
        assert_eq!(states, ["deleted", "failed", "invalid"]);
        assert!(rows[1].error.contains(STEERING), "{:?}", rows[1].error);
    }
}

#[test]
fn what_steers_a_terminal_is_shown_harmlessly_where_a_job_ends_early() {
    let fatal = Fault::new(When::Probability(1.0), Canned::error(403, 10_000, STEERING).into());
    let lab = Lab::with(SandboxOptions { faults: vec![fatal.everywhere()], ..SandboxOptions::default() });
    lab.write("keys.txt", "a\n");
    let done = lab.delete(["keys.txt", "--report", "report.csv"]).run().code(7);
    assert!(done.stderr.contains(r"\u{1b}[31mred"), "{}", done.stderr);
    assert_eq!((steering(&done.stderr), steering(&done.stdout)), (vec![], vec![]), "{}", done.stderr);

    lab.write("b\x1b[31m.json", "[\"a\x1b[31m");
    lab.write("c\u{9b}.csv", "id,k\x1b[31m\u{202e}\n1,a\n");
    for (args, code) in [
        (&["none\x1b[31m\r\u{202e}.txt"][..], 1),
        (&["b\x1b[31m.json"], 1),
        (&["c\u{9b}.csv", "--column", "\x1b[31m\u{200b}"], 2),
        (&["keys.txt", "--report", "r\x1b[31m.txt"], 2),
        (&["keys.txt", "--report", "no\x1b[31m/r.csv"], 2),
        (&["keys.txt", "--base-url", "http://\x1b[31m/"], 2),
        (&["keys.txt", "--format", "\x1b[31m"], 2),
        (&["keys.txt", "--account-id", "\x1b[31m"], 2),
        (&["keys.txt", "--\x1b[31m"], 2),
    ] {
        let done = lab.delete(args).run().code(code);
        assert_eq!((steering(&done.stderr), steering(&done.stdout)), (vec![], vec![]), "{args:?}: {}", done.stderr);
    }
}

/// Nobody finds a flag that was never given.
#[test]
fn a_contradiction_names_the_variable_that_a_flag_comes_from() {
    let lab = lab();
    for (variable, value, args, named) in [
        ("KVSWEEP_DRY_RUN", "1", &["keys.txt", "--sandbox"][..], "--dry-run comes from"),
        ("KVSWEEP_BACKUP", "b.ndjson", &["keys.txt", "--sandbox"], "--backup comes from"),
        ("KVSWEEP_CHECK", "true", &["--prefix", "x"], "--check comes from"),
        ("KVSWEEP_MIN_KEYS", "1", &["--prefix", "x"], "--min-keys comes from"),
    ] {
        let done = lab.delete(args).env(variable, value).run().code(2);
        let origin = format!("{named} the environment variable {variable}\n");
        assert!(done.stderr.contains(&origin), "{variable}: {}", done.stderr);
        assert_eq!(done.stderr.matches("comes from").count(), 1, "{}", done.stderr);
    }
    let done = lab.delete(["keys.txt", "--sandbox", "--dry-run"]).run().code(2);
    assert!(!done.stderr.contains("comes from"), "{}", done.stderr);
    assert_nothing_sent(&lab);
}
