//! What a dry run says about its keys: as text for a person, as an object for a script, and both of them true.

use std::time::Duration;

use kvsweep::internals::wall_now;
use kvsweep::sandbox::SandboxOptions;
use serde_json::{Value, json};

use crate::lab::{ACCOUNT, Done, Lab, NAMESPACE};

fn plan(done: &Done) -> Value {
    done.summary()["plan"].clone()
}

/// 600 keys in three groups, two duplicates, three records that are no keys.
fn mixed() -> Lab {
    let lab = Lab::new();
    let group = |prefix: &str, count| (0..count).map(|n| format!("{prefix}{n:04}\n")).collect::<Vec<_>>().concat();
    let text = [
        group("session:web:", 300),
        group("session:app:", 150),
        "session:web:0000\nsession:web:0001\n".to_owned(),
        group("cache/", 120),
        format!("..\n{}\n{}\n", "k".repeat(513), "k".repeat(600)),
        group("loose", 30),
    ];
    lab.write("keys.txt", text.concat());
    lab
}

fn dry_run(lab: &Lab, args: &[&str]) -> Done {
    lab.kvsweep(["delete", "--dry-run"]).args(args).run()
}

#[test]
fn a_dry_run_shows_what_it_would_delete() {
    let lab = mixed();
    let done = dry_run(&lab, &["keys.txt"]).code(3);
    let from = done.stdout.find("\nfirst keys").expect("an outline");
    insta::assert_snapshot!(&done.stdout[from..], @r"

    first keys
      session:web:0000
      session:web:0001
      session:web:0002
    last keys
      loose0027
      loose0028
      loose0029
    name length  9 to 16 bytes, median 16
    largest prefixes
      450  75.0%  session:
      300  50.0%    session:web:
      150  25.0%    session:app:
      120  20.0%  cache/
       30   5.0%  (others)
    invalid records, by reason
      2  the key is longer than 512 bytes
         record 574: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk… (keys.txt line 574)
         record 575: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk… (keys.txt line 575)
      1  `.` and `..` cannot be sent: URL parsers remove them
         record 573: .. (keys.txt line 573)

    Dry run: nothing was sent, 600 keys would be deleted.
    ");
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn the_object_is_the_same_plan() {
    let lab = mixed();
    let done = dry_run(&lab, &["keys.txt", "--json"]).code(3);
    assert_eq!(done.stdout.lines().count(), 1, "{}", done.stdout);
    assert!(!done.stderr.contains("session:"), "{}", done.stderr);
    let (summary, plan) = (done.summary(), plan(&done));
    assert_eq!((&summary["planned"], &plan["keys"]), (&600.into(), &600.into()));
    assert_eq!(plan["first_keys"][0], "session:web:0000");
    assert_eq!(plan["last_keys"], json!(["loose0027", "loose0028", "loose0029"]));
    assert_eq!(plan["name_bytes"], json!({"shortest": 9, "median": 16, "longest": 16}));
    let prefixes = plan["prefixes"].as_array().expect("prefixes");
    let found: Vec<_> = prefixes.iter().map(|prefix| (&prefix["prefix"], &prefix["keys"], &prefix["share"])).collect();
    assert_eq!(found, [(&json!("session:"), &json!(450), &json!(0.75)), (&json!("cache/"), &json!(120), &json!(0.2)),]);
    assert_eq!(plan["prefixes_error"], 0);
    let invalid = plan["invalid"].as_array().expect("reasons");
    let counts: Vec<_> = invalid.iter().map(|reason| reason["records"].as_u64().expect("a count")).collect();
    assert_eq!((counts.iter().sum::<u64>(), counts), (summary["invalid"].as_u64().expect("a count"), vec![2, 1]));
    assert_eq!(invalid[1]["examples"][0]["record"], 573);
    assert_eq!((&plan["way"], &plan["one_by_one"]["requests"]), (&"one_by_one".into(), &601.into()));
    assert_eq!(plan["bulk"]["requests"], 2);
    assert_eq!((&plan["price"]["usd_at_least"], &plan["price"]["usd_at_most"]), (&0.0.into(), &0.003.into()));
    assert_eq!(plan["price"]["free_plan_days"], 1);
}

#[test]
fn the_end_is_as_far_away_as_the_rate_makes_it() {
    let lab = mixed();
    let before = wall_now();
    let args = ["keys.txt", "--json", "--rate", "100/1h"];
    let slow = plan(&dry_run(&lab, &args).code(3));
    let after = wall_now();
    assert_eq!(
        (&slow["one_by_one"]["at_least_s"], &slow["bulk"]["at_least_s"]),
        (&(6.0 * 3_600.0).into(), &0.0.into())
    );
    let end = slow["one_by_one"]["ends_at"].as_str().expect("an end");
    let end = humantime::parse_rfc3339(end).expect("a moment");
    let began = end - Duration::from_hours(6);
    // It is written in whole seconds.
    assert!((before - Duration::from_secs(1)..=after).contains(&began), "{before:?} {began:?} {after:?}");
    let said = dry_run(&lab, &["keys.txt", "--rate", "100/1h", "--deadline", "2h"]).code(3).stdout;
    let words = "one by one   601 requests, at least 6h at this rate, longer than --deadline 2h (ends at ";
    assert!(said.contains(words), "{said}");
    let free = plan(&dry_run(&lab, &["keys.txt", "--json", "--rate", "none"]).code(3));
    assert_eq!(free["one_by_one"]["ends_at"], Value::Null);
}

#[test]
fn a_plan_for_bulk_says_so() {
    let lab = mixed();
    let plan = plan(&dry_run(&lab, &["keys.txt", "--json", "--bulk=100"]).code(3));
    let found = (&plan["way"], &plan["one_by_one"]["requests"], &plan["bulk"]["requests"]);
    assert_eq!(found, (&"bulk".into(), &601.into(), &7.into()));
}

#[test]
fn the_keys_of_a_namespace_are_outlined_too() {
    let lab = Lab::with(SandboxOptions::default());
    let names: Vec<String> = (0..2_500).map(|n| format!("tmp:{}/{n}", n % 4)).collect();
    lab.server.preload(names.iter().map(String::as_str).chain(["keep"]));
    let done = dry_run(&lab, &["--prefix", "tmp:", "--json", "--rate", "none"]).code(0);
    let plan = plan(&done);
    assert_eq!((&plan["keys"], &plan["first_keys"][0]), (&2_500.into(), &"tmp:0/0".into()));
    assert_eq!((&plan["prefixes"][0]["prefix"], &plan["prefixes"][0]["share"]), (&"tmp:".into(), &1.0.into()));
    let longer = plan["prefixes"][0]["longer"].as_array().expect("longer ones");
    assert!(longer.iter().all(|prefix| prefix["keys"] == 625) && longer.len() == 4, "{longer:?}");
    // Three pages, the keys, and the proof of the namespace.
    assert_eq!((&plan["one_by_one"]["requests"], &plan["bulk"]["requests"]), (&2_504.into(), &5.into()));
    let said = dry_run(&lab, &["--prefix", "tmp:", "--rate", "none"]).code(0).stdout;
    assert!(said.contains("  2,500   100%  tmp:\n    625  25.0%    tmp:0/\n"), "{said}");
    assert!(lab.deletes().is_empty());
}

#[test]
fn stdout_holds_nothing_but_what_was_asked_for() {
    let lab = mixed();
    let done = dry_run(&lab, &["keys.txt", "--report", "-"]).code(3);
    assert!(!done.stdout.contains("would delete") && done.stderr.contains("would delete 600 keys"), "{}", done.stderr);
    lab.write("good.txt", "a:1\na:2\n");
    let done = dry_run(&lab, &["good.txt", "-q"]).code(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    lab.server.preload(["a:1", "a:2"]);
    let done = lab.delete(["good.txt", "--report", "none", "--json"]).run().code(0);
    assert_eq!(done.summary().get("plan"), None, "only a plan has a plan");
}

#[test]
fn duplicates_that_were_not_looked_for_are_owned_up_to() {
    let lab = mixed();
    let done = dry_run(&lab, &["keys.txt", "--no-dedupe"]).code(3);
    assert!(done.stdout.contains("(--no-dedupe)"), "{}", done.stdout);
    assert!(!dry_run(&lab, &["keys.txt"]).code(3).stdout.contains("no-dedupe"));
}

#[test]
fn an_input_without_a_key_has_no_outline() {
    let lab = Lab::new();
    lab.write("keys.txt", "");
    let done = dry_run(&lab, &["keys.txt"]).code(0);
    assert!(!done.stdout.contains("one by one") && !done.stdout.contains("first keys"), "{}", done.stdout);
    let plan = plan(&dry_run(&lab, &["keys.txt", "--json"]).code(0));
    assert_eq!((&plan["keys"], &plan["name_bytes"]), (&0.into(), &Value::Null));
}

#[test]
fn the_dry_run_and_the_question_show_what_is_meant_and_every_guard() {
    let lab = Lab::new();
    lab.server.preload(["a", "config:1"]);
    lab.write("keys.csv", "id;Key Name\n1;a\n2;config:1\n");
    lab.write("more.txt", "b\n");
    lab.write("p.txt", "secret:*\n");
    lab.write("q.txt", "other:*\n");
    lab.write("k.toml", "[profile.p]\nprotect = [\"feature:*\"]\nprotect-from = \"q.txt\"\nonly = \"*\"\n");
    let args = [
        "delete",
        "keys.csv",
        "more.txt",
        "--column",
        "Key Name",
        "--delimiter",
        ";",
        "--format",
        "csv",
        "--protect",
        "config:*",
        "--protect-from",
        "p.txt",
        "--only",
        "config:?",
        "--only",
        "[!z]*",
        "--config",
        "k.toml",
        "--profile",
        "p",
        "--max-keys",
        "10",
        "--allow-partial",
        "--canary",
        "1",
        "--max-failures",
        "5",
        "--deadline",
        "1h",
        "--backup",
        "b.ndjson",
        "--report",
        "none",
        "--shard",
        "1/1",
    ];
    lab.write("more.txt", "Key Name\nb\n");
    let plain = |text: &str| text.replace("\x1b[1m", "").replace("\x1b[0m", "");
    let flat = |text: &str| plain(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = [
        format!("account {ACCOUNT}"),
        "input keys.csv (csv, column 2: Key Name)".to_owned(),
        "more.txt (csv, column 1: Key Name)".to_owned(),
        "protect config:* (--protect)".to_owned(),
        "secret:* (--protect-from p.txt)".to_owned(),
        "only config:?, [!z]* (--only)".to_owned(),
        "protect feature:* (protect of the profile p)".to_owned(),
        format!("other:* (protect-from {} of the profile p)", lab.path("q.txt").display()),
        "only * (only of the profile p)".to_owned(),
        "guards --max-keys 10, --max-failures 5, --canary 1, --backup b.ndjson, --deadline 1h, --shard 1/1, \
         --allow-partial"
            .to_owned(),
    ];
    let dry = lab.kvsweep(args).arg("--dry-run").run();
    let asked = lab.kvsweep(args).on_terminal().stdin("no\n").run().code(2);
    for (said, namespace) in [
        (flat(&dry.stdout), format!("namespace {NAMESPACE}")),
        (flat(&asked.stdout), format!("namespace sandbox ({NAMESPACE})")),
    ] {
        for line in shown.iter().chain([&namespace]) {
            assert!(said.contains(line.as_str()), "{line}: {said}");
        }
    }
    assert!(flat(&asked.stdout).contains("Delete 2 keys? [y/N]"));
    assert!(asked.stdout.contains(&format!("\x1b[1msandbox ({NAMESPACE})\x1b[0m")), "{}", asked.stdout);
    let dry = lab.kvsweep(["delete", "more.txt", "--dry-run", "--min-keys", "1", "--report", "none"]).run().code(0);
    assert!(flat(&dry.stdout).contains("guards --min-keys 1, --max-failures 50%"), "{}", dry.stdout);
    assert_eq!(lab.server.len(), 2);
}
