//! Reports of parts, and plans beside reports: only what belongs together is added up or compared.

use serde_json::Value;

use super::{lab_with_failures, refused};
use crate::lab::{ACCOUNT, Lab, NAMESPACE};

#[test]
fn parts_come_to_the_same_totals_as_the_whole() {
    let lab = lab_with_failures();
    let report = lab.read("sweep.csv");
    let (header, rows) = report.split_once('\n').expect("a header");
    let (even, odd): (Vec<_>, Vec<_>) = rows.lines().enumerate().partition(|(index, _)| index % 2 == 0);
    for (name, part) in [("even.csv", even), ("odd.csv", odd)] {
        let rows: Vec<_> = part.into_iter().map(|(_, row)| row).collect();
        lab.write(name, format!("{header}\n{}\n", rows.join("\n")));
    }
    let whole = lab.kvsweep(["report", "sweep.csv", "--json"]).run().code(0).summary();
    let parts = lab.kvsweep(["report", "odd.csv", "even.csv", "--json"]).run().code(0).summary();
    for member in ["records", "deleted", "failed", "attempts", "elapsed_ms", "first_finished_at", "timeline", "inputs"]
    {
        assert_eq!(whole[member], parts[member], "{member}");
    }
}

#[test]
fn a_rehearsal_and_a_missing_part_are_told() {
    let lab = Lab::new();
    lab.keys(30);
    lab.delete(["keys.txt", "--sandbox", "--report", "rehearsal.csv"]).run().code(0);
    let done = lab.kvsweep(["report", "rehearsal.csv", "--html", "page.html"]).run().code(0);
    assert!(done.stdout.contains("rehearsal, finished"), "{}", done.stdout);
    assert!(lab.read("page.html").contains("<dd><bdi>rehearsal</bdi></dd>"));
    for shard in ["1/3", "3/3"] {
        let report = format!("part-{}.csv", &shard[..1]);
        lab.delete(["keys.txt", "--shard", shard, "--report", &report]).run().code(0);
    }
    let done = lab.kvsweep(["report", "part-1.csv", "part-3.csv"]).run().code(0);
    assert!(done.stdout.contains("missing: the report of shard 2/3"), "{}", done.stdout);
    let json = lab.kvsweep(["report", "part-1.csv", "part-3.csv", "--json"]).run().code(0).summary();
    assert_eq!(json["missing_shards"], serde_json::json!(["2/3"]));
}

#[test]
fn reports_are_combined_only_if_they_are_of_one_kind_and_namespace() {
    let lab = lab_with_failures();
    let other = "1".repeat(32);
    lab.delete(["keys.txt", "--sandbox", "--report", "rehearsal.csv"]).run().code(0);
    let restored = ["restore", "b.ndjson", "--yes", "--rate", "none", "--report", "restored.csv"];
    lab.write("b.ndjson", "{\"key\":\"key:0\",\"value\":\"v\"}\n");
    lab.kvsweep(restored).run().code(0);
    let job_file = lab.read("sweep.csv.job.json");
    for (report, from, to) in [
        ("namespace.csv", NAMESPACE.to_owned(), other.clone()),
        ("account.csv", ACCOUNT.to_owned(), other.clone()),
        ("url.csv", lab.server.base_url(), "https://other.test/v4".to_owned()),
    ] {
        lab.write(report, lab.read("sweep.csv"));
        lab.write(&format!("{report}.job.json"), job_file.replace(&from, &to));
        refused(&lab, &["sweep.csv", report], &["sweep.csv", report, &from, &to]);
        refused(&lab, &[report, "sweep.csv"], &["sweep.csv", report, &from, &to]);
    }
    for (report, kind) in [("rehearsal.csv", "rehearsal"), ("restored.csv", "restore"), ("plan.csv", "dry run")] {
        refused(&lab, &["sweep.csv", report], &["sweep.csv", report, "is delete", &format!("kind is {kind}")]);
    }
    // One that knows less is between them.
    let mut unknown: Value = serde_json::from_str(&job_file).expect("JSON");
    for member in ["account_id", "namespace_id", "namespace_title"] {
        unknown[member] = Value::Null;
    }
    unknown["runs"][0]["requests"] = 0.into();
    lab.write("unknown.csv", lab.read("sweep.csv"));
    lab.write("unknown.csv.job.json", unknown.to_string());
    lab.kvsweep(["report", "unknown.csv", "sweep.csv"]).run().code(0);
    refused(&lab, &["unknown.csv", "sweep.csv", "namespace.csv"], &["sweep.csv", "namespace.csv", NAMESPACE, &other]);
    // A later job over what failed belongs to it.
    lab.kvsweep(["report", "sweep.csv", "--failures", "failed.csv"]).run().code(0);
    lab.server.set_faults([]);
    lab.delete(["failed.csv", "--report", "again.csv"]).run().code(0);
    let done = lab.kvsweep(["report", "sweep.csv", "again.csv"]).run().code(0);
    assert_eq!(done.stderr, "");
}

#[test]
fn a_report_without_a_job_file_is_combined_with_a_warning() {
    let lab = lab_with_failures();
    let warning = "copy.csv has no job file, so it cannot be checked whether it belongs to the same job";
    lab.write("copy.csv", lab.read("sweep.csv"));
    let done = lab.kvsweep(["report", "copy.csv", "sweep.csv"]).run().code(0);
    assert_eq!(done.stderr.matches(warning).count(), 1, "{}", done.stderr);
    lab.write("copy of a copy.csv", lab.read("sweep.csv"));
    for reports in [&["copy.csv"][..], &["copy.csv", "copy of a copy.csv"], &["sweep.csv"]] {
        assert_eq!(lab.kvsweep(["report"]).args(reports).run().code(0).stderr, "", "{reports:?}");
    }
    let done = lab.kvsweep(["report", "copy.csv", "--diff", "plan.csv"]).run().code(3);
    assert!(done.stderr.contains(warning), "{}", done.stderr);
    lab.write("copy.csv", lab.read("plan.csv"));
    let done = lab.kvsweep(["report", "sweep.csv", "--diff", "copy.csv"]).run().code(3);
    assert!(done.stderr.contains(warning), "{}", done.stderr);
}

#[test]
fn a_plan_is_compared_only_with_the_job_that_it_was_made_for() {
    let lab = lab_with_failures();
    let other = "1".repeat(32);
    let dry_run = |report: &str| lab.delete(["keys.txt", "--dry-run", "--report", report]);
    dry_run("other.csv").env("CLOUDFLARE_KV_NAMESPACE_ID", &other).run().code(0);
    refused(&lab, &["sweep.csv", "--diff", "other.csv"], &["sweep.csv", "other.csv", NAMESPACE, &other]);
    dry_run("account.csv").env("CLOUDFLARE_ACCOUNT_ID", &other).run().code(0);
    refused(&lab, &["sweep.csv", "--diff", "account.csv"], &["sweep.csv", "account.csv", ACCOUNT, &other]);
    // As when it is executed, one without a namespace may be of any.
    dry_run("any.csv").without_env("CLOUDFLARE_KV_NAMESPACE_ID").run().code(0);
    assert!(lab.kvsweep(["report", "sweep.csv", "--diff", "any.csv"]).run().code(3).stdout.contains("5 keys planned"));
    // A rehearsal deleted nothing.
    lab.delete(["plan.csv", "--sandbox", "--report", "rehearsal.csv"]).run().code(0);
    refused(&lab, &["rehearsal.csv", "--diff", "plan.csv"], &["rehearsal.csv is the report of a rehearsal"]);
    // Its rows say that it is a plan, and its job file that it is not.
    lab.write("any.csv.job.json", lab.read("rehearsal.csv.job.json"));
    refused(&lab, &["sweep.csv", "--diff", "any.csv"], &["any.csv is not the report of a dry run"]);
}

#[test]
fn a_part_of_another_input_is_not_the_missing_one() {
    let lab = Lab::new();
    let keys = lab.keys(60);
    lab.write("keys.txt", keys.join("\n"));
    lab.write("other.txt", "x\ny\nz\n");
    lab.delete(["keys.txt", "--shard", "1/3", "--report", "1.csv"]).run().code(0);
    lab.delete(["other.txt", "--shard", "2/3", "--report", "2.csv"]).run().code(0);
    let done = lab.kvsweep(["report", "1.csv", "2.csv"]).run().code(0);
    assert!(done.stdout.contains("missing: the reports of shard 2/3, 3/3"), "{}", done.stdout);
}
