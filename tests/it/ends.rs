//! Every end of a job that has read its flags well has a summary, with the reason and the causes.

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, When};
use serde_json::Value;

use crate::lab::{Kvsweep, Lab};

/// `printf 'key\na\n' | gzip -n`, cut off.
const CUT_GZIP: [u8; 12] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x4e];

fn restore<'a>(lab: &Lab, args: impl IntoIterator<Item = &'a str>) -> Kvsweep {
    lab.kvsweep(["restore", "--yes", "--rate", "none"]).args(args)
}

/// The status, count and text of each cause.
fn causes(summary: &Value) -> Vec<(String, u64, String)> {
    let causes = summary["causes"].as_array().expect("causes");
    let cause = |cause: &Value| {
        let text = |name: &str| cause[name].as_str().expect("a text").to_owned();
        (text("status"), cause["count"].as_u64().expect("a count"), text("message"))
    };
    causes.iter().map(cause).collect()
}

#[test]
fn an_input_that_cannot_be_read_from_its_first_record_on_has_a_summary() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("folder.csv")).expect("a folder");
    lab.write("unclosed.csv", "key\n\"a\nb\n");
    lab.write("cut.csv.gz", CUT_GZIP);
    lab.write("nope.ndjson", "nope\n\"a\"\n");
    lab.write("nope.json", "[nope]");
    lab.write("good.txt", "a\n");
    let inputs = [
        &["none.csv"][..],
        &["folder.csv"],
        &["unclosed.csv"],
        &["cut.csv.gz"],
        &["nope.ndjson"],
        &["nope.json"],
        &["good.txt", "none.csv"],
    ];
    let modes = [&[][..], &["--dry-run"], &["--sandbox"], &["--check", "--dry-run"], &["--allow-partial"]];
    for (input, mode) in inputs.iter().flat_map(|input| modes.iter().map(move |mode| (input, mode))) {
        if input.len() > 1 && mode.contains(&"--allow-partial") {
            continue;
        }
        let report = ["--report", "r.csv", "--json"];
        let done = lab.delete(input.iter().copied()).args(mode.iter().copied()).args(report).run().code(1);
        let summary = done.summary();
        assert_eq!(
            (&summary["stopped"], &summary["exit_code"]),
            (&"input_error".into(), &1.into()),
            "{input:?} {mode:?}"
        );
        assert!(
            done.stderr.contains(input[input.len() - 1]) && done.stderr.contains("nothing was sent"),
            "{}",
            done.stderr
        );
        assert_eq!((lab.server.requests(), lab.path("r.csv").exists()), (0, false), "{input:?} {mode:?}");
    }
    for input in ["none.ndjson", "nope.ndjson", "nope.json", "cut.csv.gz"] {
        for mode in [&[][..], &["--dry-run"], &["--allow-partial"]] {
            let done = restore(&lab, [input, "--report", "r.csv", "--json"]).args(mode.iter().copied()).run().code(1);
            assert_eq!(done.summary()["stopped"], "input_error", "{input} {mode:?}");
        }
    }
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn stdin_that_breaks_before_its_first_record_has_a_summary() {
    let lab = Lab::new();
    for (content, format) in [("nope\n\"a\"\n", "ndjson"), ("[nope]", "json"), ("key\n\"a\nb", "csv")] {
        let done = lab.delete(["-", "--format", format, "--report", "none", "--json"]).stdin(content).run().code(1);
        assert_eq!(done.summary()["stopped"], "input_error", "{format}");
    }
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn an_output_that_cannot_be_made_has_a_summary() {
    let lab = Lab::new();
    lab.write("k.txt", "a\n");
    lab.write("b.ndjson", "{\"key\":\"a\",\"value\":\"v\"}\n");
    // Longer than a name may be.
    let name = format!("{}.csv", "r".repeat(300));
    let report = ["--report", &name, "--json"];
    for run in [lab.delete(["k.txt"]), lab.delete(["k.txt", "--dry-run"]), restore(&lab, ["b.ndjson"])] {
        let done = run.args(report).run().code(1);
        assert_eq!(done.summary()["stopped"], "io_error");
        assert!(done.stderr.contains(&name), "{}", done.stderr);
    }
    assert!(lab.deletes().is_empty());
}

#[test]
fn a_dry_run_names_the_causes() {
    let lab = Lab::new();
    lab.write("k.ndjson", "\"a\"\n7\n\"..\"\n8\n");
    for report in ["none", "plan.csv", "plan.ndjson"] {
        let done = lab.delete(["k.ndjson", "--dry-run", "--report", report, "--json"]).run().code(3);
        let found = causes(&done.summary());
        assert_eq!((found.len(), &*found[0].0, found[0].1), (2, "invalid", 2), "{found:?}");
        assert!(found[0].2.contains("neither a string nor an object") && found[1].2.contains(".."), "{found:?}");
    }
}

#[test]
fn a_dry_run_of_a_backup_names_the_causes_without_a_report_too() {
    let lab = Lab::new();
    lab.write("b.ndjson", "{\"key\":\"a\",\"value\":\"v\"}\n{\"key\":\"b\"}\n7\n{\"key\":\"c\"}\n");
    for report in ["none", "r.csv"] {
        for mode in [&["--dry-run"][..], &["--overwrite"]] {
            let done =
                restore(&lab, ["b.ndjson", "--report", report, "--json"]).args(mode.iter().copied()).run().code(3);
            let found = causes(&done.summary());
            assert_eq!((found.len(), found[0].1, found[1].1), (2, 2, 1), "{mode:?}: {found:?}");
        }
    }
}

#[test]
fn a_job_that_stops_before_it_begins_names_the_causes() {
    let unauthorized =
        Fault::new(When::Nth(1..=u64::MAX), Canned::error(401, 10_000, "Authentication error").into()).everywhere();
    let lab = Lab::with(SandboxOptions { faults: vec![unauthorized], ..SandboxOptions::default() });
    lab.write("k.ndjson", "\"a\"\n7\n\"b\"\n8\n");
    lab.write("b.ndjson", "{\"key\":\"a\",\"value\":\"v\"}\n{\"key\":\"b\"}\n");
    for (stopped, args) in
        [("max_keys", &["--max-keys", "1"][..]), ("expect", &["--expect", "1"]), ("unauthorized", &[])]
    {
        for mode in [&[][..], &["--dry-run"]] {
            if (stopped, mode.len()) == ("unauthorized", 1) {
                continue;
            }
            let done =
                lab.delete(["k.ndjson", "--report", "none", "--json"]).args(args).args(mode.iter().copied()).run();
            let summary = done.summary();
            assert_eq!(summary["stopped"], stopped);
            let found = causes(&summary);
            assert_eq!((found.len(), &*found[0].0, found[0].1), (1, "invalid", 2), "{stopped}: {found:?}");
            assert_counted(&summary);
        }
    }
    let summary = restore(&lab, ["b.ndjson", "--report", "none", "--json"]).run().code(7).summary();
    assert_eq!(causes(&summary).len(), 1, "{summary:#}");
    assert_counted(&summary);
    // A pipe, of which the first records are read.
    let args = ["-", "--report", "none", "--json"];
    let done = lab.delete(args).stdin("7\n\"a\"\n").arg("--format").arg("ndjson").run().code(7);
    assert_counted(&done.summary());
}

/// Causes and counts are of the same records.
fn assert_counted(summary: &Value) {
    let count = |member: &str| summary[member].as_u64().unwrap_or_default();
    for status in ["failed", "unknown", "invalid"] {
        let caused = causes(summary).into_iter().filter(|(of, ..)| of == status).map(|(_, records, _)| records);
        assert_eq!(caused.sum::<u64>(), count(status), "{status}: {summary:#}");
    }
    assert!(count("invalid") + count("not_attempted") <= count("records"), "{summary:#}");
}

#[test]
fn a_resumed_job_that_stops_before_it_begins_counts_the_records_of_its_causes() {
    let lab = Lab::new();
    lab.write("k.ndjson", "\"a\"\n7\n\"b\"\n");
    lab.write("b.ndjson", "{\"key\":\"a\",\"value\":\"v\"}\n{\"key\":\"b\"}\n");
    lab.server.preload(["a", "b"]);
    lab.delete(["k.ndjson", "--report", "r.csv"]).run().code(3);
    let expect = ["k.ndjson", "--report", "r.csv", "--resume", "--json", "--expect", "5"];
    let summary = lab.delete(expect).run().code(8).summary();
    assert_eq!((&summary["invalid"], causes(&summary).len()), (&1.into(), 1), "{summary:#}");
    assert_counted(&summary);
    let summary = lab.delete(["k.ndjson", "--report", "none", "--json", "--expect", "5"]).run().code(8).summary();
    assert_eq!((&summary["invalid"], &summary["not_attempted"]), (&1.into(), &2.into()), "{summary:#}");
    assert_counted(&summary);
    restore(&lab, ["b.ndjson", "--report", "restored.csv"]).run().code(3);
    let resumed = restore(&lab, ["b.ndjson", "--report", "restored.csv", "--resume", "--json"]).run().code(3);
    assert_counted(&resumed.summary());
}

#[test]
fn a_resumed_job_that_stops_before_it_begins_names_the_causes_of_its_earlier_runs() {
    let refused = Fault::new(When::Key("b".to_owned()), Canned::error(400, 10_012, "malformed key").into());
    let lab = Lab::with(SandboxOptions { faults: vec![refused], ..SandboxOptions::default() });
    lab.write("k.ndjson", "\"a\"\n7\n\"b\"\n");
    lab.server.preload(["a", "b"]);
    lab.delete(["k.ndjson", "--report", "r.csv"]).run().code(3);
    let done = lab.delete(["k.ndjson", "--report", "r.csv", "--resume", "--max-keys", "1", "--json"]).run().code(8);
    let summary = done.summary();
    assert_eq!(
        (&summary["failed"], &summary["invalid"], &summary["stopped"]),
        (&1.into(), &1.into(), &"max_keys".into())
    );
    let statuses: Vec<_> = causes(&summary).into_iter().map(|(status, ..)| status).collect();
    assert_eq!(statuses, ["failed", "invalid"], "{summary:#}");
}
