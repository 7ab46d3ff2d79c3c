//! `REPORT.job.json`: a report is continued, and a plan carried out, only as the job that it belongs to.

mod inputs;
mod plans;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use clap::CommandFactory as _;
use kvsweep::sandbox::Fault;
use serde_json::Value;

use crate::lab::{ACCOUNT, Done, Kvsweep, Lab, NAMESPACE, TOKEN};

/// Five of twenty keys are deleted before the deadline of a canary ends it.
fn begun() -> Lab {
    let lab = Lab::new();
    lab.keys(20);
    lab.server.set_faults(["400@key:key:5".parse::<Fault>().expect("a fault")]);
    lab.delete(["keys.txt", "--report", "r.csv", "--canary", "20", "--concurrency", "1"]).run().code(8);
    lab.server.set_faults([]);
    lab
}

fn job_file(lab: &Lab, report: &str) -> Value {
    serde_json::from_str(&lab.read(&format!("{report}.job.json"))).expect("JSON")
}

/// Nothing is sent and nothing is changed, and the message has these parts.
fn refused(lab: &Lab, run: Kvsweep, parts: &[&str]) -> Done {
    let (requests, report) = (lab.server.requests(), fs::read(lab.path("r.csv")).ok());
    let done = run.run().code(2);
    for part in parts.iter().chain(&["hint: "]) {
        assert!(done.stderr.contains(part), "{part} is not in\n{}", done.stderr);
    }
    assert_eq!((lab.server.requests(), fs::read(lab.path("r.csv")).ok()), (requests, report), "{parts:?}");
    done
}

fn resume(lab: &Lab) -> Kvsweep {
    lab.delete(["--report", "r.csv", "--resume"])
}

#[test]
fn it_says_which_job_a_report_belongs_to_and_what_each_run_did() {
    let lab = begun();
    let file = job_file(&lab, "r.csv");
    for (member, value) in [
        ("kind", "delete"),
        ("base_url", lab.server.base_url().as_str()),
        ("account_id", ACCOUNT),
        ("namespace_id", NAMESPACE),
        ("version", env!("CARGO_PKG_VERSION")),
    ] {
        assert_eq!(file[member], value, "{member}");
    }
    let input = &file["inputs"][0];
    assert_eq!((&file["schema"], &input["path"], &input["records"]), (&1.into(), &"keys.txt".into(), &20.into()));
    let run = &file["runs"][0];
    assert_eq!((&run["counts"]["deleted"], &run["counts"]["failed"]), (&5.into(), &1.into()));
    assert_eq!((&run["requests"], &run["stopped"], &run["exit_code"]), (&7.into(), &"canary".into(), &8.into()));
    assert!(!lab.read("r.csv.job.json").contains(TOKEN));
    let mode = fs::metadata(lab.path("r.csv.job.json")).expect("the job file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    resume(&lab).arg("keys.txt").run().code(0);
    let file = job_file(&lab, "r.csv");
    let runs = file["runs"].as_array().expect("the runs");
    assert_eq!((runs.len(), &runs[1]["exit_code"], &runs[1]["stopped"]), (2, &0.into(), &Value::Null));
    assert!(runs.iter().all(|run| run["ended_at"].as_str() >= run["started_at"].as_str()));
    // A fresh report has a fresh job file.
    lab.delete(["keys.txt", "--report", "r.csv", "--overwrite"]).run().code(0);
    assert_eq!(job_file(&lab, "r.csv")["runs"].as_array().map(Vec::len), Some(1));
}

#[test]
fn every_report_that_is_a_file_has_one_of_its_kind() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--dry-run", "--report", "plan.csv"]).run().code(0);
    lab.delete(["keys.txt", "--dry-run", "--check", "--report", "looked.csv"]).run().code(0);
    lab.delete(["--prefix", "key:", "--dry-run", "--report", "listed.csv"]).run().code(0);
    lab.delete(["keys.txt", "--sandbox", "--report", "rehearsal.csv"]).run().code(0);
    lab.delete(["keys.txt", "--report", "r.csv", "--backup", "b.ndjson"]).run().code(0);
    lab.kvsweep(["restore", "b.ndjson", "--dry-run", "--report", "restorable.csv"]).run().code(0);
    lab.kvsweep(["restore", "b.ndjson", "--yes", "--rate", "none", "--report", "restored.csv"]).run().code(0);
    for (report, kind) in [
        ("plan.csv", "dry_run"),
        ("looked.csv", "dry_run"),
        ("listed.csv", "dry_run"),
        ("rehearsal.csv", "rehearsal"),
        ("r.csv", "delete"),
        ("restorable.csv", "restore_dry_run"),
        ("restored.csv", "restore"),
    ] {
        let file = job_file(&lab, report);
        assert_eq!((&file["kind"], &file["runs"][0]["exit_code"]), (&kind.into(), &0.into()), "{report}");
    }
    assert_eq!(job_file(&lab, "rehearsal.csv")["namespace_id"], Value::Null);
    assert_eq!(job_file(&lab, "listed.csv")["filters"]["prefix"], serde_json::json!(["key:"]));
    // Nothing is written beside what is no file.
    let files = fs::read_dir(lab.folder()).expect("the folder").count();
    lab.delete(["keys.txt", "--report", "-"]).run().code(0);
    lab.delete(["keys.txt", "--report", "none"]).run().code(0);
    assert_eq!(fs::read_dir(lab.folder()).expect("the folder").count(), files);
}

#[test]
fn a_report_is_resumed_only_as_the_job_that_wrote_it() {
    let lab = begun();
    let other = "1".repeat(32);
    lab.write("profile.toml", "[profile.p]\nprotect = [\"key:9\"]\n");
    lab.write("other.txt", "key:0\nkey:1\nother\n");
    let url = lab.server.base_url();
    for (args, parts) in [
        (&["--namespace-id", &other][..], [NAMESPACE, &other]),
        (&["--account-id", &other], [ACCOUNT, &other]),
        (&["--base-url", "http://127.0.0.1:9"], [&url, "http://127.0.0.1:9"]),
        (&["--shard", "1/2"], ["shard is none", "1/2"]),
        (&["--only", "key:*"], ["--only is none", "key:*"]),
        (&["--protect", "key:7"], ["--protect is none", "key:7"]),
        (&["--config", "profile.toml", "--profile", "p"], ["--protect is none", "key:9"]),
        (&["--protect-from", "other.txt"], ["--protect is none", "key:0 key:1 other"]),
        (&["other.txt"], ["keys.txt (20 records", "other.txt"]),
    ] {
        let input = if args[0] == "other.txt" { resume(&lab) } else { resume(&lab).arg("keys.txt") };
        refused(&lab, input.args(args), &parts);
    }
    // The same job is recognised under another name of its input, and with flags that do not matter.
    fs::rename(lab.path("keys.txt"), lab.path("moved.txt")).expect("another name");
    resume(&lab).args(["moved.txt", "--bulk", "--retries", "1"]).run().code(0);
    assert!(lab.server.is_empty());
}

#[test]
fn an_empty_report_belongs_to_its_job_too() {
    let lab = Lab::new();
    lab.server.preload(["a"]);
    lab.write("keys.txt", "");
    let args = ["keys.txt", "--report", "report.ndjson"];
    lab.delete(args).run().code(0);
    assert_eq!(lab.read("report.ndjson"), "");
    lab.write("keys.txt", "a\n");
    let done = lab.delete(args).arg("--resume").run().code(2);
    assert!(done.stderr.contains("report.ndjson is the report of another job"), "{}", done.stderr);
    assert!(lab.server.contains("a"));
}

#[test]
fn a_report_whose_job_file_cannot_be_read_is_not_resumed() {
    let whole = begun().read("r.csv.job.json");
    let torn = &whole[..whole.len() / 2];
    let newer = whole.replace("\"schema\": 1", "\"schema\": 9");
    for (content, part) in [(None, "has no job file"), (Some(torn), "is not a job file"), (Some(&newer), "schema 9")] {
        let lab = begun();
        match content {
            None => fs::remove_file(lab.path("r.csv.job.json")).expect("the job file"),
            Some(content) => drop(lab.write("r.csv.job.json", content)),
        }
        refused(&lab, resume(&lab).arg("keys.txt"), &["r.csv.job.json", part]);
    }
}

#[test]
fn a_job_file_that_does_not_say_which_namespace_it_was_is_not_resumed() {
    let whole = begun().read("r.csv.job.json");
    for member in ["base_url", "account_id", "namespace_id"] {
        let mut missing: Value = serde_json::from_str(&whole).expect("JSON");
        missing.as_object_mut().expect("an object").remove(member);
        let mut null = missing.clone();
        null[member] = Value::Null;
        for file in [missing, null] {
            let lab = begun();
            lab.write("r.csv.job.json", file.to_string());
            let why = format!("it has no {member}");
            refused(&lab, resume(&lab).arg("keys.txt"), &["r.csv.job.json", "is not a job file", &why]);
        }
    }
}

#[test]
fn a_run_that_has_nothing_to_send_forgets_nothing() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("wrangler.json", r#"{"name":"w","kv_namespaces":[{"binding":"KV"}]}"#);
    let title = || lab.delete(["keys.txt", "--report", "r.csv", "--resume"]).without_env("CLOUDFLARE_KV_NAMESPACE_ID");
    lab.delete(["keys.txt", "--report", "r.csv"]).run().code(0);
    let known =
        |file: &Value| ["base_url", "account_id", "namespace_id", "namespace_title"].map(|member| file[member].clone());
    let before = known(&job_file(&lab, "r.csv"));
    assert!(before.iter().all(Value::is_string), "{before:?}");
    let requests = lab.server.requests();
    let named = before[3].as_str().expect("a title").to_owned();
    for run in [
        lab.delete(["keys.txt", "--report", "r.csv", "--resume"]),
        title().args(["--binding", "KV"]),
        title().args(["--namespace", &named]),
        title().args(["--namespace", &named]).without_env("CLOUDFLARE_ACCOUNT_ID"),
    ] {
        let summary = run.arg("--json").run().code(0).summary();
        assert_eq!(known(&job_file(&lab, "r.csv")), before);
        for (member, value) in ["account_id", "namespace_id", "namespace_title"].iter().zip(&before[1..]) {
            assert_eq!(&summary[member], value, "{member}");
        }
    }
    assert_eq!(lab.server.requests(), requests);
    refused(&lab, title().args(["--namespace-id", &"1".repeat(32)]), &[NAMESPACE, &"1".repeat(32)]);
    refused(&lab, title().args(["--namespace", "another"]), &["another", &named]);
}

#[test]
fn a_job_that_never_had_anything_to_send_learns_its_namespace_later() {
    let lab = Lab::new();
    lab.write("keys.txt", "..\n");
    let title = |lab: &Lab, args: &[&str]| {
        let run = lab.delete(["keys.txt", "--report", "r.csv"]).args(args);
        run.without_env("CLOUDFLARE_KV_NAMESPACE_ID").args(["--namespace", "a title"])
    };
    title(&lab, &[]).run().code(3);
    assert_eq!(job_file(&lab, "r.csv")["namespace_id"], Value::Null);
    title(&lab, &["--resume"]).run().code(3);
    let file = job_file(&lab, "r.csv");
    assert_eq!((&file["namespace_title"], file["runs"].as_array().map(Vec::len)), (&"a title".into(), Some(2)));
}

#[test]
fn a_job_file_is_never_followed_nor_a_file_of_somebody_else_replaced() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("mine", "precious");
    symlink("mine", lab.path("r.csv.job.json")).expect("a link");
    refused(&lab, lab.delete(["keys.txt", "--report", "r.csv"]), &["r.csv.job.json"]);
    fs::remove_file(lab.path("r.csv.job.json")).expect("the link");
    lab.write("r.csv.job.json", "precious");
    refused(&lab, lab.delete(["keys.txt", "--report", "r.csv"]), &["not a job file"]);
    assert_eq!((lab.read("mine"), lab.read("r.csv.job.json")), ("precious".to_owned(), "precious".to_owned()));
    // Not even to the right one.
    let lab = begun();
    fs::rename(lab.path("r.csv.job.json"), lab.path("elsewhere.json")).expect("the job file");
    symlink("elsewhere.json", lab.path("r.csv.job.json")).expect("a link");
    refused(&lab, resume(&lab).arg("keys.txt"), &["r.csv.job.json is not a regular file"]);
}

#[test]
fn a_rehearsal_is_never_resumed_and_never_appends_to_a_report() {
    let lab = Lab::new();
    lab.keys(20);
    lab.delete(["keys.txt", "--sandbox", "--report", "r.csv"]).run().code(0);
    refused(&lab, resume(&lab).arg("keys.txt"), &["rehearsal", "delete"]);
    assert_eq!(lab.server.len(), 20);

    let lab = begun();
    let before = lab.read("r.csv");
    lab.delete(["keys.txt", "--sandbox", "--resume", "--report", "r.csv"]).run().code(2);
    assert_eq!(lab.read("r.csv"), before);
}

#[test]
fn the_report_of_another_kind_is_not_continued() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--dry-run", "--report", "r.csv"]).run().code(0);
    refused(&lab, resume(&lab).arg("keys.txt"), &["dry run", "delete"]);
    lab.delete(["keys.txt", "--report", "deleted.csv", "--backup", "b.ndjson"]).run().code(0);
    // Without a row that tells: every record of the restore failed.
    lab.server.set_faults(["400@prefix:key:".parse::<Fault>().expect("a fault")]);
    let restore = |report: &'static str| {
        lab.kvsweep(["restore", "b.ndjson", "--yes", "--rate", "none", "--retries", "0", "--report", report])
    };
    restore("restored.csv").run().code(3);
    assert!(!lab.read("restored.csv").contains(",restored,"));
    lab.server.set_faults([]);
    let run = lab.delete(["keys.txt", "--report", "restored.csv", "--resume"]);
    refused(&lab, run, &["kind is restore", "delete"]);
    refused(&lab, restore("deleted.csv").arg("--resume"), &["kind is delete", "restore"]);
}

#[test]
fn a_namespace_that_is_named_by_its_title_is_compared_by_its_id() {
    let lab = begun();
    let title = job_file(&lab, "r.csv")["namespace_title"].as_str().expect("a title").to_owned();
    let named = |title: &str| {
        let run = resume(&lab).arg("keys.txt").without_env("CLOUDFLARE_KV_NAMESPACE_ID");
        run.args(["--namespace", title])
    };
    refused(&lab, named("another"), &["another", &title]);
    named(&title).run().code(0);
    // The namespace of that title is another one by now.
    let lab = begun();
    let file = lab.read("r.csv.job.json").replace(NAMESPACE, &"1".repeat(32));
    lab.write("r.csv.job.json", file);
    let before = lab.deletes().len();
    let run = resume(&lab).arg("keys.txt").without_env("CLOUDFLARE_KV_NAMESPACE_ID").args(["--namespace", &title]);
    let done = run.run().code(2);
    assert!(done.stderr.contains(NAMESPACE) && done.stderr.contains(&"1".repeat(32)), "{}", done.stderr);
    assert_eq!(lab.deletes().len(), before);
}

/// Flags that are not under `flags`, and why.
const ELSEWHERE: [(&str, &str); 34] = [
    ("prefix", "a filter"),
    ("all", "a filter"),
    ("expiring-before", "a filter"),
    ("without-expiration", "a filter"),
    ("metadata", "a filter"),
    ("protect", "a filter"),
    ("protect-from", "a filter"),
    ("allow-protected", "a filter"),
    ("only", "a filter"),
    ("shard", "`shard`"),
    ("dry-run", "`kind`"),
    ("sandbox", "`kind`"),
    ("namespace-id", "`namespace_id`"),
    ("namespace", "`namespace_id`"),
    ("binding", "`namespace_id`"),
    ("env", "`namespace_id`"),
    ("preview", "`namespace_id`"),
    ("account-id", "`account_id`"),
    ("base-url", "`base_url`"),
    ("report", "the job file is beside it"),
    ("no-bulk", "`bulk` is null"),
    ("api-token", "a secret"),
    ("api-key", "a secret"),
    ("api-token-file", "credentials"),
    ("api-token-command", "credentials"),
    ("cacert", "credentials"),
    ("ping", "its URL is a secret"),
    ("json", "changes what is shown only"),
    ("progress", "changes what is shown only"),
    ("quiet", "changes what is shown only"),
    ("verbose", "changes what is shown only"),
    ("log-format", "changes what is shown only"),
    ("help", "runs no job"),
    ("page", "runs no job"),
];

#[test]
fn the_job_file_has_every_flag() {
    let lab = Lab::new();
    lab.write("k.txt", "a\n");
    lab.server.preload(["a"]);
    lab.delete(["k.txt", "--report", "r.csv", "--min-keys", "1", "--allow-partial", "--backup", "b.ndjson"])
        .run()
        .code(0);
    lab.kvsweep(["restore", "b.ndjson", "--yes", "--report", "b.csv", "--allow-partial"]).run().code(0);
    let cli = kvsweep::internals::Cli::command();
    for (command, report) in [("delete", "r.csv"), ("restore", "b.csv")] {
        let job: Value = serde_json::from_str(&lab.read(&format!("{report}.job.json"))).expect("JSON");
        let flags = &job["flags"];
        assert_eq!(flags["allow_partial"], true, "{flags}");
        assert!(command == "restore" || flags["min_keys"] == 1, "{flags}");
        let arguments = cli.find_subcommand(command).expect("a command").get_arguments();
        for name in arguments.filter_map(clap::Arg::get_long) {
            let is_there = flags.get(name.replace('-', "_")).is_some();
            let is_elsewhere = ELSEWHERE.iter().any(|(flag, _)| *flag == name);
            assert!(is_there != is_elsewhere, "{command} --{name}: add it to `flags` or to the table");
        }
    }
}

#[test]
fn the_job_file_counts_the_records_of_each_input() {
    for args in [&[][..], &["--shard", "1/2"], &["--dry-run"], &["--dry-run", "--shard", "2/2"]] {
        let lab = Lab::new();
        lab.write("a.txt", "a\nb\nc\n");
        lab.write("none.txt", "");
        lab.write("b.ndjson", "\"k\"\n".repeat(700));
        lab.delete(["a.txt", "none.txt", "b.ndjson", "--report", "r.csv"]).args(args.iter().copied()).run().code(0);
        let job: Value = serde_json::from_str(&lab.read("r.csv.job.json")).expect("JSON");
        let counts: Vec<_> = (0..3).map(|input| job["inputs"][input]["records"].as_u64()).collect();
        assert_eq!(counts, [Some(3), Some(0), Some(700)], "{args:?}");
    }
}
