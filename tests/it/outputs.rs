//! What a job writes stays where it was written, private, and is nobody else's file.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use kvsweep::sandbox::{Fault, SandboxOptions};

use crate::lab::{Lab, wait_until};

fn mode(lab: &Lab, name: &str) -> u32 {
    fs::metadata(lab.path(name)).expect("the file").permissions().mode() & 0o777
}

fn slow() -> Lab {
    let latency = Some((Duration::from_millis(5), Duration::from_millis(5)));
    Lab::with(SandboxOptions { latency, ..SandboxOptions::default() })
}

fn truncate(lab: &Lab, name: &str) {
    fs::File::options().write(true).truncate(true).open(lab.path(name)).expect("it is there");
}

#[test]
fn a_file_that_is_removed_replaced_or_truncated_meanwhile_is_an_error() {
    type Change = fn(&Lab, &str);
    let remove: Change = |lab, name| fs::remove_file(lab.path(name)).expect("it is there");
    let replace: Change = |lab, name| {
        fs::remove_file(lab.path(name)).expect("it is there");
        lab.write(name, "mine");
    };
    for sync in ["never", "1s", "always"] {
        for (name, change, why) in [
            ("r.csv", remove, "removed or replaced"),
            ("r.csv", replace, "removed or replaced"),
            ("f.csv", remove, "removed or replaced"),
            ("b.ndjson", replace, "removed or replaced"),
            ("r.csv", truncate, "was changed by something else"),
            ("f.csv", truncate, "was changed by something else"),
            ("b.ndjson", truncate, "was changed by something else"),
            ("b.ndjson.gz", truncate, "was changed by something else"),
        ] {
            let lab = slow();
            lab.keys(60);
            let backup = if name.starts_with('b') { name } else { "b.ndjson" };
            let run =
                lab.delete(["keys.txt", "--report", "r.csv", "--failures", "f.csv", "--backup", backup, "--json"]);
            let running = lab.start("run", run.args(["--concurrency", "1", "--sync", sync]));
            wait_until("some deletes", || lab.deletes().len() > 5);
            change(&lab, name);
            let done = running.done().code(1);
            assert_eq!(done.summary()["stopped"], "io_error", "{name} {sync}: {}", done.stderr);
            assert!(done.stderr.contains(name) && done.stderr.contains(why), "{}", done.stderr);
            // No key is deleted without its record, and with `always` a report is looked at after every batch of rows.
            if name.starts_with('b') || sync == "always" {
                assert!(lab.deletes().len() < 60, "{name} {sync}: it went on to the end");
            }
            if why.contains("removed") {
                assert!(!lab.path(name).exists() || lab.read(name) == "mine");
            } else {
                let left = fs::read(lab.path(name)).expect("the file");
                assert!(name == "b.ndjson.gz" || !left.contains(&0), "{name} {sync}");
            }
        }
    }
}

#[test]
fn a_listing_that_is_truncated_meanwhile_is_an_error() {
    let lab = slow();
    let names: Vec<String> = (0..20_000).map(|number| format!("key:{number}")).collect();
    lab.server.preload(names.iter().map(String::as_str));
    let running = lab.start("run", lab.kvsweep(["list", "--output", "l.txt", "--rate", "100/1s"]));
    wait_until("some pages", || fs::metadata(lab.path("l.txt")).is_ok_and(|file| file.len() > 0));
    truncate(&lab, "l.txt");
    let done = running.done().code(1);
    assert!(done.stderr.contains("l.txt was changed by something else"), "{}", done.stderr);
}

#[test]
fn what_holds_keys_is_private_even_if_it_replaces_something_public() {
    let lab = Lab::new();
    lab.keys(3);
    lab.server.set_faults(["400@key:key:1".parse::<Fault>().expect("a fault")]);
    let names = ["r.csv", "f.csv", "b.ndjson", "r.csv.job.json", "page.html", "m.prom"];
    for how in ["--overwrite", "--resume"] {
        let args = ["keys.txt", "--report", "r.csv", "--failures", "f.csv", "--backup", "b.ndjson", how];
        lab.delete(args).args(["--metrics-file", "m.prom"]).run().code(3);
        lab.kvsweep(["report", "r.csv", "--html", "page.html", "--overwrite"]).run().code(0);
        for name in names {
            assert_eq!(mode(&lab, name), if name == "m.prom" { 0o644 } else { 0o600 }, "{name} {how}");
            fs::set_permissions(lab.path(name), Permissions::from_mode(0o644)).expect("the owner may");
        }
    }
}

#[test]
fn nothing_is_written_through_a_link() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("mine", "precious");
    for name in ["r.csv", "f.csv", "b.ndjson", "page.html"] {
        symlink("mine", lab.path(name)).expect("a link");
    }
    for args in [&["--report", "r.csv"][..], &["--failures", "f.csv"], &["--backup", "b.ndjson"]] {
        for how in ["--overwrite", "--resume"] {
            let report: &[&str] = if args[0] == "--report" { &[] } else { &["--report", "other.csv"] };
            lab.delete(["keys.txt", how]).args(args).args(report).run().code(2);
        }
    }
    lab.delete(["keys.txt", "--report", "done.csv"]).run().code(0);
    let done = lab.kvsweep(["report", "done.csv", "--html", "page.html", "--overwrite"]).run().code(2);
    assert!(done.stderr.contains("symbolic link"), "{}", done.stderr);
    assert_eq!(lab.read("mine"), "precious");
}

#[test]
fn an_empty_lock_file_of_somebody_else_stays() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("r.csv.lock", "");
    lab.delete(["keys.txt", "--report", "r.csv"]).run().code(0);
    assert_eq!(lab.read("r.csv.lock"), "");
}

#[test]
fn jobs_that_begin_at_once_have_reports_of_their_own() {
    let lab = Lab::new();
    let keys = lab.keys(3);
    let jobs = 4;
    let running: Vec<_> = (0..jobs).map(|job| lab.start(&format!("job-{job}"), lab.delete(["keys.txt"]))).collect();
    for running in running {
        running.done().code(0);
    }
    let rehearsals: Vec<_> =
        (0..jobs).map(|job| lab.start(&format!("rehearsal-{job}"), lab.delete(["keys.txt", "--sandbox"]))).collect();
    for running in rehearsals {
        running.done().code(0);
    }
    for kind in ["kvsweep-report-", "kvsweep-rehearsal-"] {
        let names = fs::read_dir(lab.folder()).expect("the folder").map(|entry| entry.expect("a file").file_name());
        let reports: Vec<String> = names
            .map(|name| name.to_string_lossy().into_owned())
            .filter(|name| name.starts_with(kind) && !name.contains(".job"))
            .collect();
        assert_eq!(reports.len(), jobs, "{reports:?}");
        for report in reports {
            assert_eq!(lab.rows(&report).len(), keys.len(), "{report}");
            assert!(lab.path(&format!("{report}.job.json")).exists());
        }
    }
}

#[test]
fn no_file_is_written_over_that_has_another_name() {
    let lab = Lab::new();
    lab.keys(3);
    lab.write("mine.txt", "mine");
    for (name, args) in [
        ("r.csv", &["delete", "keys.txt", "--yes", "--report", "r.csv"][..]),
        ("f.csv", &["delete", "keys.txt", "--yes", "--report", "none", "--failures", "f.csv"]),
        ("b.ndjson", &["delete", "keys.txt", "--yes", "--report", "none", "--backup", "b.ndjson"]),
        ("p.csv", &["delete", "keys.txt", "--dry-run", "--report", "p.csv"]),
        ("l.txt", &["list", "--output", "l.txt"]),
    ] {
        fs::hard_link(lab.path("mine.txt"), lab.path(name)).expect("a link");
        let done = lab.kvsweep(args).args(["--overwrite"]).run().code(2);
        assert!(done.stderr.contains("has another name (a hard link)"), "{name}: {}", done.stderr);
        assert_eq!(lab.read("mine.txt"), "mine");
    }
    assert_eq!(lab.server.requests(), 0);
}
