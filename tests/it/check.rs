//! `--check`: what is there is told from what is not, before anything is deleted.

use kvsweep::sandbox::{Canned, Entry, Fault, SandboxOptions, Stored, What, When};

use crate::lab::Lab;

/// So many keys in `keys.txt`, of which every third is not there.
fn filled(options: SandboxOptions, count: usize) -> (Lab, Vec<String>) {
    let lab = Lab::with(options);
    let keys: Vec<String> = (0..count).map(|index| format!("key:{index}")).collect();
    lab.server.preload(keys.iter().enumerate().filter(|(index, _)| index % 3 != 0).map(|(_, key)| key.as_str()));
    lab.server.preload(["bystander"]);
    lab.write("keys.txt", keys.join("\n"));
    (lab, keys)
}

fn calls(lab: &Lab, method: &str) -> Vec<Entry> {
    lab.server.request_log().into_iter().filter(|entry| entry.method == method).collect()
}

#[test]
fn a_dry_run_tells_planned_from_absent_and_changes_nothing() {
    let (lab, keys) = filled(SandboxOptions::default(), 900);
    lab.write("keys.txt", keys.join("\n") + "\n..\n");
    let dry = ["delete", "keys.txt", "--dry-run", "--check", "--report", "plan.csv"];
    let done = lab.kvsweep(dry).args(["--overwrite"]).run().code(3);
    assert!(done.stdout.contains("would delete 600 keys") && done.stdout.contains("300 absent"), "{}", done.stdout);
    assert!(done.stdout.contains("nothing was deleted") && done.stdout.contains("one by one"), "{}", done.stdout);
    assert_eq!(
        lab.server.requests(),
        1 + 9 + 300,
        "the namespace, one for a hundred keys, and one for each that is absent"
    );
    assert_eq!((lab.server.len(), calls(&lab, "DELETE").len()), (601, 0));
    let again = lab.kvsweep(dry).args(["--overwrite", "--json"]).run().code(3);
    let plan = &again.summary()["plan"];
    assert_eq!((&plan["keys"], &plan["one_by_one"]["requests"]), (&600.into(), &601.into()), "{plan}");
    assert!(plan.to_string().contains("remove them"), "the record that is no key: {plan}");
    let rows = lab.rows("plan.csv");
    for row in rows.into_iter().filter(|row| row.status != "invalid") {
        let there = lab.server.contains(&row.key);
        assert_eq!(row.status, if there { "planned" } else { "absent" }, "{row:?}");
    }
    // What was reviewed is what is deleted.
    let done = lab.delete(["plan.csv", "--report", "done.csv", "--json"]).run().code(0);
    assert_eq!(done.summary()["deleted"], 600);
    assert_eq!(calls(&lab, "DELETE").len(), 600);
    assert_eq!(lab.server.keys(), ["bystander"]);
}

#[test]
fn what_is_not_there_gets_no_delete() {
    for bulk in [false, true] {
        let (lab, keys) = filled(SandboxOptions::default(), 600);
        let args = ["keys.txt", "--check", "--report", "r.csv", "--json"];
        let done = lab.delete(args).args(if bulk { vec!["--bulk"] } else { vec![] }).run().code(0);
        let summary = done.summary();
        assert_eq!((&summary["deleted"], &summary["absent"]), (&400.into(), &200.into()));
        assert_eq!(lab.server.keys(), ["bystander"]);
        let rows = lab.rows("r.csv");
        assert_eq!(rows.len(), keys.len());
        assert!(rows.iter().filter(|row| row.status == "absent").all(|row| row.error.contains("no delete was sent")));
        assert_eq!(lab.deletes().len(), if bulk { 0 } else { 400 });
    }
}

/// Cloudflare's runtime answers `null` for names that a JavaScript object keeps in another place.
#[test]
fn a_null_among_several_is_confirmed_before_the_key_is_absent() {
    let lost = ["0", "4294967294", "__proto__"];
    let nulls: serde_json::Map<_, _> =
        lost.iter().chain(&["gone"]).map(|name| ((*name).to_owned(), serde_json::Value::Null)).collect();
    let body = serde_json::json!({"success": true, "errors": [], "messages": [], "result": {"values": nulls}});
    let second = Fault::new(When::Nth(2..=2), Canned::raw(200, body.to_string()).into()).everywhere();
    let lab = Lab::with(SandboxOptions { faults: vec![second], ..SandboxOptions::default() });
    lab.server.preload(lost);
    lab.write("keys.txt", lost.join("\n") + "\ngone\n");
    let done = lab.delete(["keys.txt", "--check", "--report", "r.csv", "--json"]).run().code(0);
    assert_eq!((&done.summary()["deleted"], &done.summary()["absent"]), (&3.into(), &1.into()));
    assert_eq!(lab.rows("r.csv").into_iter().find(|row| row.status == "absent").expect("a row").key, "gone");
    assert!(lab.server.is_empty());
}

#[test]
fn large_values_do_not_hide_their_keys() {
    let lab = Lab::new();
    let keys: Vec<String> = (0..12).map(|index| format!("key:{index}")).collect();
    for key in keys.iter().step_by(2) {
        lab.server.put_stored(key.as_str(), Stored::new(vec![b'x'; 9 << 20]));
    }
    lab.write("keys.txt", keys.join("\n"));
    let args = ["delete", "keys.txt", "--dry-run", "--check", "--json", "--report", "plan.csv", "--rate", "none"];
    let done = lab.kvsweep(args).run().code(0);
    assert_eq!((&done.summary()["planned"], &done.summary()["absent"]), (&6.into(), &6.into()));
    assert_eq!(lab.server.len(), 6);
}

#[test]
fn a_key_that_cannot_be_looked_for_is_not_deleted() {
    let refused = What::Answer(Canned::error(403, 10_001, "not for you"));
    let faults = vec![Fault::new(When::Key("key:4".to_owned()), refused)];
    let (lab, _) = filled(SandboxOptions { faults, ..SandboxOptions::default() }, 6);
    lab.delete(["keys.txt", "--check", "--report", "r.csv"]).run().code(3);
    assert_eq!(lab.server.keys(), ["bystander", "key:4"]);
    let row = lab.rows("r.csv").into_iter().find(|row| row.status == "failed").expect("a row");
    assert!(row.key == "key:4" && row.error.contains("whether it exists is unknown: not for you"), "{row:?}");
}

#[test]
fn a_dry_run_that_stops_leaves_no_half_plan() {
    let faults = vec!["503@nth:3-999999".parse::<Fault>().expect("a fault")];
    let (lab, _) = filled(SandboxOptions { faults, ..SandboxOptions::default() }, 300);
    let args = ["delete", "keys.txt", "--dry-run", "--check", "--report", "plan.csv", "--retries", "1"];
    let done = lab.kvsweep(args).args(["--max-wait", "1s"]).run().code(5);
    assert!(!lab.path("plan.csv").exists() && done.stdout.contains("part of the plan"), "{}", done.stdout);
    let (lab, _) = filled(SandboxOptions::default(), 300);
    let slow = ["--rate", "1/1s", "--deadline", "1500ms"];
    let done = lab.kvsweep(args).args(slow).run().code(5);
    assert!(!lab.path("plan.csv").exists() && done.stdout.contains("part of the plan"), "{}", done.stdout);
}

#[test]
fn what_is_asked_for_makes_sense() {
    let (lab, _) = filled(SandboxOptions::default(), 3);
    for args in [&["--prefix", "key:"][..], &["--all"]] {
        let done = lab.delete(["--check"]).args(args).run().code(2);
        assert!(done.stderr.contains("only existing keys are listed"), "{}", done.stderr);
    }
    let dry = lab.kvsweep(["delete", "keys.txt", "--dry-run", "--check"]);
    let done = dry.without_env("CLOUDFLARE_API_TOKEN").run().code(2);
    assert!(done.stderr.contains("CLOUDFLARE_API_TOKEN") && done.stderr.contains("without --check"), "{}", done.stderr);
    assert_eq!(lab.server.requests(), 0);
    let rehearsed = lab.kvsweep(["delete", "keys.txt", "--sandbox", "--check", "--report", "none", "--json"]);
    assert_eq!(rehearsed.run().code(0).summary()["deleted"], 3);
}

#[test]
fn a_plan_with_failed_checks_is_executed_while_its_job_file_says_that_it_is_one() {
    for name in ["plan.csv", "plan.ndjson"] {
        let (lab, _) = filled(SandboxOptions::default(), 30);
        lab.server.set_faults(["403@key:key:7", "500@key:key:9"].map(|fault| fault.parse::<Fault>().expect("a fault")));
        let dry = ["delete", "keys.txt", "--dry-run", "--check", "--report", name, "--retries", "1", "--rate", "none"];
        lab.kvsweep(dry).run().code(3);
        let rows = lab.rows(name);
        let failed = rows.iter().filter(|row| row.status == "failed" || row.status == "unknown").count();
        let planned = rows.iter().filter(|row| row.status == "planned").count();
        assert!(failed > 0 && planned > 0, "{rows:?}");
        lab.server.set_faults([]);
        let before = lab.server.len();
        // Away from its job file it may be the report of a job that ran.
        lab.write(&format!("copy-{name}"), lab.read(name));
        let copy = lab.delete([format!("copy-{name}").as_str(), "--report", "none"]).run().code(2);
        assert!(copy.stderr.contains("hint: keep the job file"), "{}", copy.stderr);
        assert_eq!(lab.server.len(), before);
        for mode in [&["--dry-run"][..], &["--sandbox"], &[]] {
            let done = lab.delete([name, "--report", "none", "--json"]).args(mode.iter().copied()).run().code(0);
            assert_eq!(done.summary()["records"], planned, "{mode:?}");
        }
        assert_eq!(lab.server.len(), before - planned);
        // The report of a job that ran stays one, whatever its rows.
        lab.server.preload(["key:7"]);
        lab.server.set_faults(["403@key:key:7".parse::<Fault>().expect("a fault")]);
        lab.write("seven.txt", "key:7\n");
        lab.delete(["seven.txt", "--report", "ran.csv"]).run().code(3);
        lab.delete(["ran.csv", "--report", "none"]).run().code(2);
    }
}
