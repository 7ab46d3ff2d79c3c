//! The question on the terminal: without the right answer nothing is changed, whichever command asks.

use serde_json::json;

use crate::lab::{ACCOUNT, Lab, NAMESPACE};

/// A namespace without its keys, a list of them, and a backup.
fn lab(keys: usize) -> Lab {
    let lab = Lab::new();
    let names: Vec<String> = (0..keys).map(|number| format!("key:{number}")).collect();
    lab.write("keys.txt", names.join("\n"));
    let backup = names.iter().map(|name| json!({ "key": name, "value": "v" }).to_string() + "\n");
    lab.write("b.ndjson", backup.collect::<String>());
    lab
}

#[test]
fn a_restore_asks_as_a_delete_does() {
    for (keys, no, yes, question) in [
        (3, &["n\n", "\n", "3\n"][..], "y\n", "3 keys? [y/N]"),
        (10_000, &["10,001\n"], "yes\n", "10,000 keys? [y/N]"),
        (10_001, &["yes\n", "10000\n"], "10001\n", "Type the number of keys (10,001) to "),
    ] {
        let lab = lab(keys);
        for (args, left) in [
            (&["restore", "b.ndjson"][..], keys),
            (&["restore", "b.ndjson", "--overwrite-values"], keys),
            (&["delete", "keys.txt", "--bulk"], 0),
        ] {
            let before = lab.server.len();
            let asked = |answer: &str| {
                lab.kvsweep(args).args(["--report", "none", "--rate", "none"]).on_terminal().stdin(answer).run()
            };
            for no in no {
                let done = asked(no).code(2);
                assert!(done.stdout.contains(question) && done.stdout.contains(NAMESPACE), "{args:?}: {}", done.stdout);
                assert_eq!(lab.server.len(), before, "{args:?} {no:?}");
            }
            asked(yes).code(0);
            assert_eq!(lab.server.len(), left, "{args:?}");
        }
    }
}

/// Whether the lines of a dry run or a question have this one, however wide its label is.
#[track_caller]
fn assert_shown(shown: &str, label: &str, text: &str) {
    let is_it = |line: &str| line.trim().strip_prefix(label).is_some_and(|rest| rest.trim() == text);
    assert!(shown.lines().any(is_it), "{label}: {text} is not in\n{shown}");
}

#[test]
fn what_comes_through_a_pipe_is_shown_with_its_format_and_column() {
    let lab = lab(3);
    for (keys, how) in [
        ("id,Key Name\n1,key:0\n", "csv, column 2: Key Name"),
        ("{\"key\":\"key:0\"}\n", "ndjson"),
        ("[\"key:0\"]", "json"),
        ("key:0\n", "lines"),
    ] {
        let done = lab.kvsweep(["delete", "-", "--dry-run"]).stdin(keys).run().code(0);
        assert_shown(&done.stdout, "input", &format!("stdin ({how})"));
        let path = lab.path("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        let writer = std::thread::spawn({
            let (path, keys) = (path.clone(), keys.to_owned());
            move || std::fs::write(path, keys)
        });
        let asked = lab.kvsweep(["delete", "pipe", "keys.txt", "--report", "none"]).on_terminal().stdin("n\n").run();
        writer.join().expect("a thread").expect("a reader");
        assert_shown(&asked.stdout, "input", &format!("pipe ({how})"));
        assert_shown(&asked.stdout, "", "keys.txt (lines)");
        std::fs::remove_file(path).expect("the pipe");
    }
    // Of what holds nothing, nothing is known.
    let done = lab.kvsweep(["delete", "-", "--dry-run"]).stdin("").run().code(0);
    assert_shown(&done.stdout, "input", "stdin");
}

#[test]
fn a_restore_shows_where_it_goes_and_what_bounds_it_before_and_in_a_dry_run() {
    let lab = lab(3);
    lab.write("wrangler.json", "[{\"key\":\"a\",\"value\":\"v\"}]");
    let args = ["restore", "b.ndjson", "wrangler.json", "--deadline", "1h", "--allow-partial", "--overwrite-values"];
    let dry = || lab.kvsweep(args).arg("--dry-run");
    let asked = lab.kvsweep(args).args(["--report", "none"]).on_terminal().stdin("n\n").run().code(2);
    for shown in [&dry().run().code(0).stdout, &asked.stdout] {
        assert_shown(shown, "backup", "b.ndjson (ndjson)");
        assert_shown(shown, "", "wrangler.json (json)");
        assert_shown(shown, "guards", "--deadline 1h, --allow-partial, --overwrite-values");
    }
    let done = dry().args(["--report", "plan.csv"]).run().code(0);
    assert_shown(&done.stdout, "account", ACCOUNT);
    assert_shown(&done.stdout, "namespace", NAMESPACE);
    let job: serde_json::Value = serde_json::from_str(&lab.read("plan.csv.job.json")).expect("JSON");
    assert_eq!((&job["account_id"], &job["namespace_id"]), (&ACCOUNT.into(), &NAMESPACE.into()));
    let nameless = dry().without_env("CLOUDFLARE_ACCOUNT_ID").without_env("CLOUDFLARE_KV_NAMESPACE_ID");
    let done = nameless.without_env("CLOUDFLARE_API_TOKEN").run().code(0);
    assert_shown(&done.stdout, "account", "not given");
    assert_shown(&done.stdout, "namespace", "not given");
    assert_eq!(lab.server.len(), 0);
}
