//! Every mode over sizes around the program's own limits, each with a time limit: a job ends, and input, server log and
//! report agree. `KVSWEEP_TEST_LONG=1` runs the whole grid, otherwise a share of it.

use std::collections::BTreeSet;

use kvsweep::sandbox::Stored;
use serde_json::json;

use crate::lab::{Lab, Row};

/// Powers of two, the most names of a request, the most rows and records that wait, and their neighbours.
const SIZES: [usize; 22] = [
    0, 1, 2, 63, 64, 65, 999, 1_000, 1_001, 1_023, 1_024, 1_025, 4_095, 4_096, 4_097, 9_999, 10_000, 10_001, 11_000,
    20_001, 33_000, 40_000,
];

/// The default rates let so many requests through at once.
const DEFAULT_RATE: usize = 1_200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Single,
    Bulk,
    SmallBatches,
    Check,
    CheckInBulk,
    Backup,
    Prefix,
    PrefixInBulk,
    Restore,
    RestoreOver,
    DryRun,
    Shard,
    Stdin,
}

impl Mode {
    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Single | Self::Stdin | Self::Prefix | Self::Restore => &[],
            Self::Bulk | Self::PrefixInBulk => &["--bulk"],
            Self::SmallBatches => &["--bulk=100"],
            Self::Check => &["--check"],
            Self::CheckInBulk => &["--check", "--bulk"],
            Self::Backup => &["--backup", "backup.ndjson"],
            Self::RestoreOver => &["--overwrite-values"],
            Self::DryRun => &["--dry-run"],
            Self::Shard => &["--shard", "1/2"],
        }
    }

    fn restores(self) -> bool {
        matches!(self, Self::Restore | Self::RestoreOver)
    }

    /// How many requests `keys` take at most.
    fn requests(self, keys: usize) -> usize {
        1 + match self {
            Self::Bulk | Self::RestoreOver => keys.div_ceil(10_000),
            // A key that is not there is confirmed by a request of its own.
            Self::Restore => keys + keys.div_ceil(100) + keys.div_ceil(10_000),
            Self::SmallBatches => keys.div_ceil(100),
            Self::CheckInBulk => keys.div_ceil(100) + keys.div_ceil(10_000),
            Self::PrefixInBulk => 2 * keys.div_ceil(1_000) + 1,
            Self::Single | Self::Stdin | Self::Shard => keys,
            Self::Check => keys + keys.div_ceil(100),
            Self::Prefix => keys + keys.div_ceil(1_000),
            Self::Backup => 3 * keys,
            Self::DryRun => 0,
        }
    }

    /// The largest size outside of the whole grid: a key takes a request or three, and this is a debug build.
    fn largest(self) -> usize {
        match self {
            Self::Bulk | Self::PrefixInBulk | Self::RestoreOver | Self::DryRun => 11_000,
            Self::SmallBatches | Self::CheckInBulk => 4_097,
            Self::Single | Self::Stdin | Self::Shard | Self::Prefix | Self::Check | Self::Restore => 1_025,
            Self::Backup => 65,
        }
    }

    fn sizes(self) -> Vec<usize> {
        if std::env::var_os("KVSWEEP_TEST_LONG").is_some() {
            return SIZES.into_iter().filter(|size| *size <= 33_000).collect();
        }
        let share = [0, 1, 2, 65, 1_001, 1_025, 4_097, 11_000];
        share.into_iter().filter(|size| *size <= self.largest()).collect()
    }
}

/// One job: it ends in time, and input, server log and report agree.
fn run(mode: Mode, size: usize, concurrency: &str, rate: Option<&str>) {
    let what = format!("{mode:?}, {size} keys, concurrency {concurrency}, rate {rate:?}");
    let lab = Lab::new();
    let keys: Vec<String> = (0..size).map(|number| format!("key:{number}")).collect();
    lab.server.preload(["other:1"]);
    if mode.restores() {
        let lines = keys.iter().map(|key| json!({"key": key, "value": key}).to_string() + "\n");
        lab.write("backup.ndjson", lines.collect::<String>());
    } else {
        lab.server.preload(keys.iter().map(String::as_str));
        lab.write("keys.txt", keys.iter().flat_map(|key| [key, "\n"]).collect::<String>());
    }
    let command = if mode.restores() { "restore" } else { "delete" };
    let source: &[&str] = match mode {
        Mode::Prefix | Mode::PrefixInBulk => &["--prefix", "key:"],
        Mode::Restore | Mode::RestoreOver => &["backup.ndjson"],
        Mode::Stdin => &["-"],
        _ => &["keys.txt"],
    };
    let mut kvsweep = lab.kvsweep([command, "--yes", "--json", "--report", "r.csv"]).args(source).args(mode.args());
    if let Some(rate) = rate {
        kvsweep = kvsweep.args(["--rate", rate]);
    }
    if !mode.restores() {
        kvsweep = kvsweep.args(["--concurrency", concurrency]);
    }
    let stdin = match mode {
        Mode::Stdin => std::fs::File::open(lab.path("keys.txt")).expect("the keys").into(),
        _ => std::process::Stdio::null(),
    };
    let done = lab.start_with("job", kvsweep, stdin).done();
    assert_eq!(done.status.code(), Some(0), "{what}\nstdout:\n{}\nstderr:\n{}", done.stdout, done.stderr);
    check(&lab, mode, &keys, &lab.rows("r.csv"), &what);
}

fn check(lab: &Lab, mode: Mode, keys: &[String], rows: &[Row], what: &str) {
    let input: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
    let reported: BTreeSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(rows.len(), reported.len(), "{what}: a key has two rows");
    let status = match mode {
        Mode::DryRun => "planned",
        Mode::Restore | Mode::RestoreOver => "restored",
        _ => "deleted",
    };
    assert!(rows.iter().all(|row| row.status == status), "{what}: {:?}", rows.iter().find(|row| row.status != status));
    let request_log = lab.server.request_log();
    let mut sent = Vec::new();
    for entry in &request_log {
        match (entry.method.as_str(), entry.path.as_str()) {
            ("DELETE", _) => sent.extend(entry.key.as_deref()),
            ("POST", path) if path.ends_with("/bulk/delete") => sent.extend(entry.body_keys.iter().map(String::as_str)),
            _ => {}
        }
    }
    let left = lab.server.keys();
    let left: BTreeSet<&str> = left.iter().map(String::as_str).filter(|key| *key != "other:1").collect();
    assert!(lab.server.contains("other:1"), "{what}: a key was deleted that nobody named");
    match mode {
        Mode::DryRun => assert!(reported == input && left == input && request_log.is_empty(), "{what}"),
        Mode::Restore | Mode::RestoreOver => {
            assert!(reported == input && left == input, "{what}");
            let holds = |key: &&String| lab.server.get(key).as_ref() == Some(&Stored::new(key.as_bytes().to_vec()));
            assert_eq!(keys.iter().find(|key| !holds(key)), None, "{what}");
        }
        Mode::Shard => {
            assert!(reported.is_subset(&input), "{what}");
            assert!(left == input.difference(&reported).copied().collect(), "{what}: the other shard was touched");
            assert_eq!(sent.iter().copied().collect::<BTreeSet<_>>(), reported, "{what}");
        }
        _ => {
            assert!(reported == input && left.is_empty(), "{what}");
            assert_eq!(sent.len(), keys.len(), "{what}: a key was sent twice");
            assert_eq!(sent.iter().copied().collect::<BTreeSet<_>>(), input, "{what}");
        }
    }
}

fn grid(mode: Mode) {
    for size in mode.sizes() {
        let alone = size <= 65 || std::env::var_os("KVSWEEP_TEST_LONG").is_some();
        for concurrency in if alone { &["32", "1"][..] } else { &["32"] } {
            run(mode, size, concurrency, Some("none"));
        }
        // 200 requests a second by default.
        if mode.requests(size) <= if alone { DEFAULT_RATE } else { 100 } {
            run(mode, size, "32", None);
        }
    }
}

#[test]
fn jobs_of_every_size_end_one_by_one() {
    grid(Mode::Single);
    grid(Mode::Stdin);
    grid(Mode::Shard);
}

#[test]
fn jobs_of_every_size_end_in_bulk() {
    grid(Mode::Bulk);
    grid(Mode::SmallBatches);
}

#[test]
fn jobs_of_every_size_end_that_check_or_back_up() {
    grid(Mode::Check);
    grid(Mode::CheckInBulk);
    grid(Mode::Backup);
}

#[test]
fn jobs_of_every_size_end_that_list() {
    grid(Mode::Prefix);
    grid(Mode::PrefixInBulk);
}

#[test]
fn jobs_of_every_size_end_that_send_no_delete() {
    grid(Mode::DryRun);
    grid(Mode::Restore);
    grid(Mode::RestoreOver);
}

/// An input that breaks after the first full batch of a bulk job: what came before is finished.
#[test]
fn an_input_that_breaks_after_any_number_of_records_ends_the_job() {
    for count in [10, 1_024, 11_763] {
        let lab = Lab::new();
        let keys: Vec<String> = (1..=count).map(|number| format!("user:{number}")).collect();
        lab.server.preload(keys.iter().map(String::as_str));
        let text = format!("key\n{}\n\"open", keys.join("\n"));
        for stdin in [true, false] {
            let path = lab.write("keys.csv", &text);
            let source = if stdin { "-" } else { "keys.csv" };
            let report = format!("r-{stdin}.csv");
            let args = [source, "--format", "csv", "--bulk", "--allow-partial", "--report", &report];
            let input =
                if stdin { std::fs::File::open(path).expect("the keys").into() } else { std::process::Stdio::null() };
            let done = lab.start_with("job", lab.delete(args), input).done();
            assert_eq!(done.status.code(), Some(1), "{count} records\n{}", done.stderr);
            let rows = lab.rows(&report);
            assert!(rows.iter().all(|row| row.status == "deleted"), "{:?}", rows.first());
        }
    }
}
