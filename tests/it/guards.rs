//! What keeps a mistake small: each guard stops before the first delete where it can, and says so.

mod environment;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, What, When};

use crate::lab::Lab;

fn only_read(lab: &Lab) -> bool {
    lab.deletes().is_empty()
}

#[test]
fn expect_wants_exactly_so_many_keys() {
    let lab = Lab::new();
    let keys = lab.keys(20);
    for (expected, code) in [("19", 8), ("21", 8)] {
        let done = lab.delete(["keys.txt", "--report", "r.csv", "--json", "--expect", expected]).run().code(code);
        assert!(done.stderr.contains("--expect") && done.stderr.contains("nothing was sent"), "{}", done.stderr);
        assert_eq!(done.summary()["stopped"], "expect");
        assert!(only_read(&lab) && !lab.path("r.csv").exists());
    }
    lab.delete(["-", "--expect", "1"]).stdin("a\n").run().code(2);
    assert!(only_read(&lab));
    lab.delete(["keys.txt", "--report", "r.csv", "--expect", "20"]).run().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("r.csv"));
}

#[test]
fn a_canary_that_fails_saves_the_rest() {
    let bad = Fault::new(When::Key("key:2".to_owned()), What::from(Canned::error(400, 10_014, "no")));
    let lab = Lab::with(SandboxOptions { faults: vec![bad], ..SandboxOptions::default() });
    lab.keys(200);
    let done = lab.delete(["keys.txt", "--report", "r.csv", "--json", "--canary", "5"]).run().code(8);
    assert_eq!(lab.deletes().len(), 5, "more than the canaries were sent");
    assert!(done.stderr.contains("--canary"), "{}", done.stderr);
    assert_eq!(done.summary()["deleted"], 4);
    assert_eq!(lab.server.len(), 196);
}

#[test]
fn canaries_that_succeed_let_the_rest_go() {
    let lab = Lab::new();
    let keys = lab.keys(200);
    lab.delete(["keys.txt", "--report", "r.csv", "--canary", "5"]).run().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("r.csv"));
}

#[test]
fn protected_keys_are_never_sent() {
    let lab = Lab::new();
    lab.server.preload(["tmp:1", "tmp:2", "config", "user:1", "tmp:keep"]);
    lab.write("keys.txt", "tmp:1\nconfig\nuser:1\ntmp:keep\ntmp:2\n");
    lab.write("protected", "# never\n\n*:keep\n");
    let args =
        ["keys.txt", "--report", "r.csv", "--protect", "conf*", "--protect-from", "protected", "--only", "tmp:*"];
    let done = lab.delete(args).args(["--json"]).run().code(0);
    assert_eq!((&done.summary()["kept"], &done.summary()["invalid"]), (&3.into(), &0.into()));
    assert_eq!(lab.server.keys(), ["config", "tmp:keep", "user:1"]);
    let kept: Vec<_> = lab.rows("r.csv").into_iter().filter(|row| row.status == "kept").collect();
    let reasons: Vec<_> = kept.iter().map(|row| (row.key.as_str(), row.error.as_str())).collect();
    assert_eq!(
        reasons,
        [
            ("config", "matches --protect conf*"),
            ("user:1", "matches no --only"),
            ("tmp:keep", "matches *:keep of --protect-from protected"),
        ]
    );
    assert!(lab.deletes().iter().all(|entry| entry.key.as_deref().is_some_and(|key| key.starts_with("tmp:"))));
}

#[test]
fn filters_that_keep_every_key_of_an_input_are_warned_about() {
    let lab = Lab::new();
    lab.server.preload(["tmp:1", "tmp:2", "user:1"]);
    lab.write("tmp.txt", "tmp:1\ntmp:2\n\n");
    lab.write("user.txt", "user:1\n");
    lab.write("empty.txt", "");
    let warning = "filters keep every key of tmp.txt (2 keys); the first one matches no --only";
    for args in [&["tmp.txt"][..], &["tmp.txt", "user.txt"], &["user.txt", "tmp.txt"], &["empty.txt", "tmp.txt"]] {
        let args = [&["delete", "--dry-run", "--only", "usr:*", "--only", "user:*"], args].concat();
        let done = lab.kvsweep(args).run();
        assert_eq!(done.stderr.matches(warning).count(), 1, "{}", done.stderr);
        assert_eq!(done.stderr.matches("filters keep every key of").count(), 1, "{}", done.stderr);
    }
    lab.write("one.txt", "tmp:1\n");
    let done = lab.delete(["one.txt", "--protect", "tmp:*", "--report", "r.csv"]).run().code(0);
    assert!(done.stderr.contains("every key of one.txt (1 key); the first one matches --protect tmp:*"));
    let done = lab.delete(["one.txt", "--protect", "tmp:*", "--report", "r.csv", "--resume"]).run().code(0);
    assert!(done.stderr.contains("every key of one.txt"), "{}", done.stderr);
    assert_eq!((lab.rows("r.csv").len(), lab.deletes().len()), (1, 0), "a kept key is settled");
    let done = lab.delete(["-", "--only", "usr:*", "--report", "none"]).stdin("tmp:1\ntmp:2\n").run().code(0);
    assert!(done.stderr.contains("every key of stdin (2 keys)"), "{}", done.stderr);
    let done = lab.delete(["--prefix", "tmp:", "--only", "usr:*", "--report", "none"]).run().code(0);
    assert!(done.stderr.contains("none of the 2 keys listed is selected by the filters"), "{}", done.stderr);
    let done = lab.delete(["--prefix", "none:", "--only", "usr:*", "--report", "none"]).run().code(0);
    assert!(!done.stderr.contains("filters"), "{}", done.stderr);
    assert_eq!(lab.server.len(), 3);
}

#[test]
fn a_kept_key_counts_wherever_records_are_counted() {
    let lab = Lab::new();
    lab.server.preload(["a", "b", "keep:1", "keep:2"]);
    lab.write("keys.txt", "a\nkeep:1\nb\nkeep:2\n");
    let plan = ["delete", "keys.txt", "--dry-run", "--protect", "keep:*", "--report", "plan.csv"];
    let done = lab.kvsweep(plan).run().code(0);
    assert!(done.stdout.contains("would delete 2 keys"), "{}", done.stdout);
    assert!(done.stdout.contains("kept keys, by rule\n  2  matches --protect keep:*\n"), "{}", done.stdout);
    let done = lab.kvsweep(plan).args(["--overwrite", "--json"]).run().code(0);
    assert_eq!((&done.summary()["kept"], &done.summary()["plan"]["kept"][0]["records"]), (&2.into(), &2.into()));
    // What the plan keeps is not deleted, without the filter either.
    let done = lab
        .delete(["plan.csv", "--report", "r.csv", "--json", "--max-keys", "2", "--failures", "f.csv", "--canary", "1"])
        .args(["--metrics-file", "m.prom"])
        .run()
        .code(0);
    assert_eq!((&done.summary()["deleted"], lab.server.keys()), (&2.into(), vec!["keep:1".into(), "keep:2".into()]));
    let args = ["keys.txt", "--protect", "keep:*", "--report", "again.csv", "--failures", "f.csv", "--overwrite"];
    lab.delete(args).args(["--metrics-file", "m.prom", "--max-failures", "1"]).run().code(0);
    assert!(
        lab.read("m.prom").contains("kvsweep_last_run_records{") && lab.read("m.prom").contains("status=\"kept\"} 2")
    );
    assert_eq!(lab.read("f.csv"), "key\n");
    let done = lab.kvsweep(["report", "again.csv"]).run().code(0);
    assert!(done.stdout.contains("kept, by rule\n        2  kept: matches --protect keep:*\n"), "{}", done.stdout);
    assert!(!done.stdout.contains("not deleted"), "{}", done.stdout);
    let done = lab.kvsweep(["report", "again.csv", "--json"]).run().code(0);
    assert_eq!((&done.summary()["kept"], &done.summary()["kept_by_rule"][0]["count"]), (&2.into(), &2.into()));
    lab.kvsweep(["report", "again.csv", "--html", "page.html"]).run().code(0);
    assert!(lab.read("page.html").contains("matches --protect keep:*"));
}

#[test]
fn files_of_patterns_are_read_as_an_editor_shows_them() {
    let lab = Lab::new();
    lab.write("keys.txt", "config:1\nuser:1\n");
    for (number, file) in [
        "\u{feff}config:*\r\nuser:*\r\n",
        "\u{feff}config:*\nuser:*",
        "config:*\r\n\r\n# users\r\nuser:*\r",
        "#\nconfig:?\nuser:[[:digit:]]\n",
    ]
    .iter()
    .enumerate()
    {
        lab.server.preload(["config:1", "user:1"]);
        lab.write("p.txt", file);
        lab.write("k.toml", "\u{feff}[profile.p]\r\nprotect-from = 'p.txt'\r");
        let args: &[&str] =
            if number % 2 == 0 { &["--protect-from", "p.txt"] } else { &["--config", "k.toml", "--profile", "p"] };
        lab.delete(["keys.txt", "--report", "none"]).args(args).run().code(0);
        assert_eq!(lab.server.keys(), ["config:1", "user:1"], "{file:?}");
    }
}

#[test]
fn patterns_that_would_protect_nothing_are_refused() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("good.txt", "x\n");
    let refused = |args: &[&str], variable: Option<(&str, &str)>, why: &str| {
        let mut run = lab.delete(["keys.txt", "--report", "none"]).args(args);
        if let Some((name, value)) = variable {
            run = run.env(name, value);
        }
        let done = run.run().code(2);
        assert!(done.stderr.contains(why), "{args:?} {variable:?}: {}", done.stderr);
    };
    for (pattern, why) in [
        ("", "the pattern is empty"),
        (" a", "the blank at character 1 is not escaped"),
        ("a ", "the blank at character 2 is not escaped"),
        ("a\t", "the blank at character 2"),
        ("é[", "the `[` at character 2 is never closed"),
        ("a{b", "the `{` at character 2 is never closed"),
        ("{id}", "contain no comma"),
        ("{a, b}", "the blank at character 4"),
        ("\u{feff}key*", "U+FEFF (byte order mark) at character 1"),
        ("key*\u{feff}key", "U+FEFF (byte order mark) at character 5"),
        ("key*\u{200b}", "U+200B (zero-width space) at character 5"),
    ] {
        for flag in ["protect", "only"] {
            refused(&[&format!("--{flag}"), pattern], None, why);
            let toml = format!("[profile.p]\n{flag} = ['x', '''{pattern}''']\n");
            lab.write("k.toml", toml);
            refused(&["--config", "k.toml", "--profile", "p"], None, why);
            // What is read as a text: the mark at its beginning is none of it.
            let why = if pattern.is_empty() { "contains no pattern" } else { why };
            let text = format!("{pattern}\n{pattern}");
            refused(&[], Some((&format!("KVSWEEP_{}", flag.to_uppercase()), &text)), why);
        }
        if !pattern.is_empty() {
            lab.write("p.txt", format!("# patterns\nx\n{pattern}\n"));
            refused(&["--protect-from", "p.txt"], None, &format!("p.txt, line 3: {pattern:?}: invalid pattern: "));
        }
    }
    for (file, why) in [
        (&b""[..], "p.txt contains no pattern"),
        (b"\xef\xbb\xbf", "p.txt contains no pattern"),
        (b"# nothing\r\n\r\n", "p.txt contains no pattern"),
        (b"config:*\rother\r", "line 1 contains a carriage return"),
        (b"\xff\xfec\0*\0", "UTF-16"),
        (b"c\0*\0\n\0", "NUL"),
        (b"caf\xe9\n", "not UTF-8, at line 1"),
    ] {
        lab.write("p.txt", file);
        refused(&["--protect-from", "p.txt"], None, why);
        lab.write("k.toml", "[profile.p]\nprotect-from = 'p.txt'\n");
        refused(&["--config", "k.toml", "--profile", "p"], None, why);
    }
    refused(&[], Some(("KVSWEEP_PROTECT_FROM", "")), "KVSWEEP_PROTECT_FROM");
    assert_eq!((lab.server.requests(), lab.server.len()), (0, 3));
    let run = lab.delete(["keys.txt", "--report", "r.csv"]).env("KVSWEEP_PROTECT", "key*");
    run.run().code(0);
    assert_eq!((lab.deletes().len(), lab.rows("r.csv")[0].status.as_str()), (0, "kept"));
}

#[test]
fn patterns_match_characters() {
    let lab = Lab::new();
    let all = ["café", "cafe\u{301}", "école", "é", "a:b", "x9", "x]", "user", "user:1"];
    lab.write("keys.ndjson", all.map(|key| format!("{key:?}\n").replace("\\u{301}", "\u{301}")).concat());
    for (flag, pattern, kept) in [
        ("--protect", "caf?", &["café"][..]),
        ("--protect", "[é]cole", &["école"]),
        ("--protect", "?", &["é"]),
        ("--protect", "x[[:digit:]]", &["x9"]),
        ("--protect", r"x[\]]", &["x]"]),
        ("--protect", "user{,:*}", &["user", "user:1"]),
        ("--protect", "**:b", &["a:b"]),
        ("--only", "??", &["café", "cafe\u{301}", "école", "é", "a:b", "user", "user:1"]),
    ] {
        let args = ["delete", "keys.ndjson", "--dry-run", "--report", "plan.csv", "--overwrite", flag, pattern];
        lab.kvsweep(args).run().code(0);
        let rows = lab.rows("plan.csv").into_iter().filter(|row| row.status == "kept");
        assert_eq!(rows.map(|row| row.key).collect::<Vec<_>>(), kept, "{flag} {pattern}");
    }
}

#[test]
fn a_list_of_protected_keys_that_is_missing_or_broken_protects_everything() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("broken", "a[\n");
    for path in ["missing", "broken"] {
        let done = lab.delete(["keys.txt", "--protect-from", path]).run().code(2);
        assert!(done.stderr.contains(if path == "missing" { "missing" } else { "a[" }), "{}", done.stderr);
    }
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn fewer_keys_than_required_delete_none() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("twice.txt", "key:0\nkey:0\n..\n");
    lab.write("empty.txt", "");
    for (input, least, code) in [("keys.txt", "4", 8), ("twice.txt", "2", 8), ("empty.txt", "1", 8)] {
        let args = [input, "--min-keys", least, "--json", "--report", "r.csv"];
        let done = lab.delete(args).run().code(code);
        assert_eq!(done.summary()["stopped"], "min_keys", "{input}");
        assert!(done.stderr.contains("fewer than --min-keys"), "{}", done.stderr);
        assert!(only_read(&lab) && !lab.path("r.csv").exists());
        lab.kvsweep(["delete", input, "--min-keys", least, "--dry-run"]).run().code(code);
        let piped = lab.delete(["-", "--min-keys", least, "--report", "r.csv"]).stdin(lab.read(input)).run();
        piped.code(code);
        assert!(only_read(&lab) && !lab.path("r.csv").exists());
    }
    let done = lab.delete(["keys.txt", "--only", "key:1", "--min-keys", "2"]).run().code(8);
    assert!(done.stderr.contains("has 1 key"), "{}", done.stderr);
    lab.delete(["-", "--min-keys", "3", "--report", "none"]).stdin(lab.read("keys.txt")).run().code(0);
    assert!(lab.server.is_empty());
    lab.delete(["keys.txt", "--report", "none"]).env("KVSWEEP_MIN_KEYS", "4").run().code(8);
    lab.write("kvsweep.toml", "[profile.p]\nmin-keys = 4\nallow-partial = true\n");
    lab.write("broken.json", "[\"a\", nope]");
    lab.delete(["keys.txt", "--report", "none", "--profile", "p"]).run().code(8);
    let sent = lab.deletes().len();
    lab.delete(["broken.json", "--report", "none", "--profile", "p", "--min-keys", "1"]).run().code(1);
    assert_eq!(lab.deletes().len(), sent + 1, "the part before the break");
}

#[test]
fn an_empty_input_is_warned_about() {
    let lab = Lab::new();
    lab.write("empty.txt", "\n\n");
    for run in [
        lab.delete(["empty.txt", "--report", "none"]),
        lab.delete(["-", "--report", "none"]).stdin(""),
        lab.kvsweep(["delete", "empty.txt", "--dry-run"]),
    ] {
        let done = run.run().code(0);
        assert!(done.stderr.contains("warning: the input is empty"), "{}", done.stderr);
    }
}

#[test]
fn every_guard_counts_the_distinct_keys_of_a_resumed_job() {
    let bad = Fault::new(When::Key("key:2".to_owned()), What::from(Canned::error(400, 10_014, "no")));
    let lab = Lab::with(SandboxOptions { faults: vec![bad], ..SandboxOptions::default() });
    lab.keys(5);
    lab.write("keys.txt", "key:0\nkey:1\nkey:0\n..\nkey:2\nkey:3\n");
    let job = |args: &[&str]| lab.delete(["keys.txt", "--report", "r.csv", "--resume", "--json"]).args(args);
    job(&[]).run().code(3);
    for (flag, number, code) in [
        ("--expect", "4", 3),
        ("--expect", "6", 8),
        ("--expect", "1", 8),
        ("--min-keys", "4", 3),
        ("--min-keys", "5", 8),
        ("--max-keys", "4", 3),
        ("--max-keys", "3", 8),
    ] {
        job(&[flag, number]).run().code(code);
    }
}

#[test]
fn the_most_keys_of_a_pipe_are_those_of_all_runs() {
    for more in [&[][..], &["--bulk"], &["--check"]] {
        let lab = Lab::new();
        let keys = lab.keys(12).join("\n");
        let run = |most: &str| {
            let args = ["-", "--report", "r.csv", "--resume", "--max-keys", most];
            lab.delete(args).args(more).stdin(keys.as_str()).run()
        };
        for (most, code, left) in [("5", 8, 7), ("5", 8, 7), ("4", 8, 7), ("7", 8, 5), ("11", 8, 1), ("12", 0, 0)] {
            let done = run(most).code(code);
            assert_eq!(lab.server.len(), left, "--max-keys {most} {more:?}");
            assert!(code == 0 || done.stderr.contains(&format!("--max-keys {most}")), "{}", done.stderr);
        }
    }
}

#[test]
fn keys_with_blanks_at_their_ends_are_counted_and_quoted() {
    let lab = Lab::new();
    lab.write("keys.csv", "key\n a\nb \nc d\n");
    let done = lab.kvsweep(["delete", "keys.csv", "--dry-run"]).run().code(0);
    assert!(done.stdout.contains("\" a\"\n") && done.stdout.contains("\"b \"\n"), "{}", done.stdout);
    assert!(
        done.stdout.contains("  c d\n") && done.stdout.contains("2 keys begin or end with a blank"),
        "{}",
        done.stdout
    );
    let done = lab.kvsweep(["delete", "keys.csv", "--dry-run", "--json"]).run().code(0);
    assert_eq!(done.summary()["plan"]["padded_keys"], 2);
}
