//! Parts of one job: each key belongs to exactly one, together they keep the rate, and their reports make one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kvsweep::sandbox::{Quota, SandboxOptions};

use crate::lab::{Lab, final_rows};

/// Sums of a member over summaries.
fn sum(summaries: &[serde_json::Value], member: &str) -> u64 {
    summaries.iter().map(|summary| summary[member].as_u64().expect("a number")).sum()
}

fn merged(lab: &Lab, reports: &[String]) -> serde_json::Value {
    lab.kvsweep(["report", "--json"]).args(reports).run().code(0).summary()
}

/// Four processes side by side, one input, one quota.
#[test]
fn four_shards_delete_each_of_40000_keys_once_within_one_quota() {
    const KEYS: usize = 40_000;
    const WINDOW: Duration = Duration::from_secs(5);
    let lab = Lab::with(SandboxOptions { quotas: vec![Quota::sliding(8_000, WINDOW)], ..SandboxOptions::default() });
    let keys = lab.keys(KEYS);
    let reports: Vec<_> = (1..=4).map(|number| format!("part-{number}.csv")).collect();
    let runs: Vec<_> = (1..=4)
        .zip(&reports)
        .map(|(number, report)| {
            let shard = format!("{number}/4");
            let args = ["delete", "--yes", "--json", "keys.txt", "--rate", "8000/5s", "--shard", &shard];
            lab.start(&shard.replace('/', "-of-"), lab.kvsweep(args).args(["--report", report]))
        })
        .collect();
    let summaries: Vec<_> = runs.into_iter().map(|run| run.done().code(0).summary()).collect();

    // At the server: every key once, nothing else, and nobody was refused.
    let mut times = BTreeMap::new();
    for entry in lab.deletes() {
        *times.entry(entry.key.expect("a key")).or_insert(0) += 1;
    }
    assert_eq!(times.len(), KEYS);
    assert!(keys.iter().all(|key| times.get(key) == Some(&1)), "a key was asked for more than once");
    assert!(lab.server.is_empty());
    assert_eq!((lab.server.refused_by_quota(), sum(&summaries, "throttled")), (0, 0));
    // One request each proves the namespace.
    assert_eq!(lab.server.requests(), KEYS as u64 + 4);

    let request_log = lab.server.request_log();
    let took = request_log.last().zip(request_log.first()).map(|(last, first)| last.at.saturating_sub(first.at));
    let best = WINDOW * (u32::try_from(KEYS + 3).expect("a few") / 8_000);
    println!("{KEYS} keys by four processes in {:.1?}; the quota allows {best:.1?}", took.unwrap_or_default());

    // In the parts: each about a quarter, and together all of it.
    for summary in &summaries {
        let records = summary["records"].as_u64().expect("a number");
        assert!(records.abs_diff(10_000) < 500, "{summary}");
        assert_eq!(summary["records"], summary["deleted"]);
    }
    assert_eq!(sum(&summaries, "deleted"), KEYS as u64);
    let rows: Vec<_> = reports.iter().flat_map(|report| lab.rows(report)).collect();
    let final_rows = final_rows(&rows);
    assert_eq!((rows.len(), final_rows.len()), (KEYS, KEYS));
    assert!((1..).zip(&keys).all(|(record, key)| final_rows.get(&record).is_some_and(|row| row.key == *key)));

    // And their reports together.
    let review = merged(&lab, &reports);
    assert_eq!((&review["inputs"], &review["records"]), (&1.into(), &KEYS.into()), "{review}");
    assert_eq!(review["deleted"], KEYS, "{review}");
}

/// Of a quota that every machine reaches, some parts have a request more than others.
#[test]
fn the_shares_of_three_shards_are_never_more_than_the_quota() {
    const KEYS: usize = 1_000;
    let lab = Lab::with(SandboxOptions {
        quotas: vec![Quota::sliding(200, Duration::from_secs(3))],
        latency: Some((Duration::from_millis(5), Duration::from_millis(25))),
        ..SandboxOptions::default()
    });
    let keys = lab.keys(KEYS);
    let reports = ["1.csv", "2.csv", "3.csv"].map(str::to_owned);
    let runs: Vec<_> = (1..=3)
        .zip(&reports)
        .map(|(number, report)| {
            let args = ["delete", "--yes", "--json", "keys.txt", "--rate", "200/3s", "--report", report];
            lab.start(report, lab.kvsweep(args).env("KVSWEEP_SHARD", format!("{number}/3")))
        })
        .collect();
    let summaries: Vec<_> = runs.into_iter().map(|run| run.done().code(0).summary()).collect();
    assert_eq!((lab.server.refused_by_quota(), sum(&summaries, "throttled")), (0, 0));
    let rows: Vec<_> = reports.iter().flat_map(|report| lab.rows(report)).collect();
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
}

/// What can be wrong with a record, and keys that are named twice.
const MESSY: &[u8] = b"key\na\nb\na\n\"\"\n..\nc\n\xff\xfe\nb\nd\ne\nf\n\xff\xfd\nprotected:1\n";

#[test]
fn every_record_has_a_row_in_exactly_one_part_under_its_own_number() {
    let lab = Lab::new();
    lab.write("keys.csv", MESSY);
    let dry = |report: &str, shard: &[&str]| {
        let args = ["delete", "keys.csv", "--dry-run", "--json", "--protect", "protected:*", "--report", report];
        let done = lab.kvsweep(args).args(shard).run();
        assert!(matches!(done.status.code(), Some(0 | 3)), "{}", done.stderr);
        done.summary()
    };
    let whole = dry("whole.csv", &[]);
    let expected: BTreeSet<_> =
        lab.rows("whole.csv").into_iter().map(|row| (row.record, row.key, row.status)).collect();
    let mut found = BTreeSet::new();
    let mut parts = Vec::new();
    for number in 1..=3 {
        let (report, shard) = (format!("{number}.csv"), format!("{number}/3"));
        let summary = dry(&report, &["--shard", &shard]);
        let rows = lab.rows(&report);
        assert_eq!(summary["records"], rows.len(), "{summary}");
        assert_eq!(
            sum(std::slice::from_ref(&summary), "planned"),
            rows.iter().filter(|row| row.status == "planned").count() as u64
        );
        for row in rows {
            assert!(found.insert((row.record, row.key, row.status)), "record {} is in two parts", row.record);
        }
        parts.push(summary);
    }
    assert_eq!(found, expected);
    for member in ["records", "planned", "invalid", "duplicate"] {
        assert_eq!(whole[member], sum(&parts, member), "{member}");
    }
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn a_part_is_resumed_as_itself_and_not_as_another() {
    let lab = Lab::new();
    lab.keys(40);
    let run = |shard: &str| lab.delete(["keys.txt", "--report", "part.csv", "--resume", "--json", "--shard", shard]);
    run("1/2").run().code(0);
    let before = (lab.server.requests(), lab.read("part.csv"));
    for other in ["2/2", "1/3"] {
        let done = run(other).run().code(2);
        assert!(done.stderr.contains(&format!("its shard is 1/2, and this job's is {other}")), "{}", done.stderr);
    }
    assert_eq!((lab.server.requests(), lab.read("part.csv")), before, "nothing was sent or written");
    let again = run("1/2").run().code(0).summary();
    assert_eq!(
        (&again["resumed"], &again["records"], &again["requests"]),
        (&again["records"], &again["records"], &0.into())
    );
    lab.delete(["keys.txt", "--report", "part.csv", "--resume"]).run().code(2);
}

#[test]
fn a_part_from_a_pipe_that_goes_on_with_anothers_report_sends_nothing_of_it() {
    let lab = Lab::new();
    lab.keys(40);
    lab.delete(["keys.txt", "--report", "part.csv", "--shard", "1/2"]).run().code(0);
    let left = lab.server.len();
    let run = lab.delete(["-", "--report", "part.csv", "--resume", "--shard", "2/2"]);
    let done = run.stdin(lab.read("keys.txt")).run().code(2);
    assert!(done.stderr.contains("2/2"), "{}", done.stderr);
    assert_eq!(lab.server.len(), left);
}

#[test]
fn the_scheduler_says_which_part_it_is() {
    let lab = Lab::new();
    let keys = lab.keys(60);
    for (index, variables) in [
        &[("JOB_COMPLETION_INDEX", "0")][..],
        &[("CLOUD_RUN_TASK_INDEX", "1"), ("CLOUD_RUN_TASK_COUNT", "3")],
        &[("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_MIN", "5"), ("SLURM_ARRAY_TASK_COUNT", "3")],
    ]
    .into_iter()
    .enumerate()
    {
        let mut run = lab.delete(["keys.txt", "--shard", "auto/3"]);
        for (name, value) in variables {
            run = run.env(name, value);
        }
        let done = run.run().code(0);
        let said = format!("shard: {}/3\n", index + 1);
        assert!(done.stdout.contains(&said), "{}", done.stdout);
        assert!(done.stdout.contains(&format!("Z-shard-{}-of-3.csv", index + 1)), "{}", done.stdout);
    }
    let names = std::fs::read_dir(lab.folder()).expect("the folder").map(|entry| entry.expect("an entry").file_name());
    let names = names.filter_map(|name| name.into_string().ok());
    let reports: Vec<_> = names.filter(|name| name.starts_with("kvsweep-report-") && !name.contains(".job")).collect();
    assert_eq!(reports.len(), 3, "{reports:?}");
    let rows: Vec<_> = reports.iter().flat_map(|report| lab.rows(report)).collect();
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
}

#[test]
fn what_is_not_certain_or_leaves_nothing_is_refused() {
    let lab = Lab::new();
    lab.keys(3);
    for (args, variables, said) in [
        (&["--shard", "auto/3"][..], &[][..], "none of JOB_COMPLETION_INDEX, AWS_BATCH_JOB_ARRAY_INDEX, "),
        (
            &["--shard", "auto/3"],
            &[("JOB_COMPLETION_INDEX", "0"), ("CLOUD_RUN_TASK_INDEX", "1")],
            "JOB_COMPLETION_INDEX says that this is task 0 (from 0), CLOUD_RUN_TASK_INDEX says 1",
        ),
        (&["--shard", "auto/3"], &[("JOB_COMPLETION_INDEX", "3")], "JOB_COMPLETION_INDEX is out of range"),
        (&["--shard", "4/3"], &[], "no number 4"),
        (&["--shard", "auto/3", "--expect", "3"], &[("JOB_COMPLETION_INDEX", "0")], "not known in advance"),
        (&["--shard", "1/3", "--expect", "3"], &[], "not known in advance"),
        (&["--shard", "3/3", "--rate", "2/1s"], &[], "--rate 2/1s has no request for shard 3/3"),
    ] {
        let mut run = lab.kvsweep(["delete", "--yes", "keys.txt"]).args(args);
        for (name, value) in variables {
            run = run.env(name, value);
        }
        let done = run.run().code(2);
        assert!(done.stderr.contains(said), "{args:?}: {}", done.stderr);
    }
    assert_eq!(lab.server.requests(), 0);
    // A flag wins over the environment.
    let run = lab.delete(["keys.txt", "--shard", "1/1", "--report", "none"]).env("KVSWEEP_SHARD", "auto/5");
    run.run().code(0);
    assert!(lab.server.is_empty());
}

#[test]
fn parts_of_what_is_listed_have_numbers_of_their_own() {
    let lab = Lab::new();
    let keys: Vec<_> = (0..2_500).map(|index| format!("tmp:{index:05}")).collect();
    lab.server.preload(keys.iter().map(String::as_str).chain(["keep"]));
    let reports = ["1.csv", "2.csv", "3.csv"].map(str::to_owned);
    let runs: Vec<_> = (1..=3)
        .zip(&reports)
        .map(|(number, report)| {
            let shard = format!("{number}/3");
            lab.start(report, lab.delete(["--prefix", "tmp:", "--shard", &shard, "--report", report, "--json"]))
        })
        .collect();
    let summaries: Vec<_> = runs.into_iter().map(|run| run.done().code(0).summary()).collect();
    assert_eq!(lab.server.keys(), ["keep"]);
    assert_eq!(sum(&summaries, "deleted"), 2_500);
    let rows: Vec<_> = reports.iter().flat_map(|report| lab.rows(report)).collect();
    lab.assert_all_deleted(keys.iter().map(String::as_str), &rows);
    let review = merged(&lab, &reports);
    assert_eq!((&review["inputs"], &review["deleted"]), (&1.into(), &2_500.into()), "{review}");
}
