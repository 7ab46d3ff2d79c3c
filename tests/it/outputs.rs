//! What a job writes stays where it was written, private, and is nobody else's file.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use kvsweep::sandbox::{Fault, SandboxOptions};

use crate::lab::{Lab, wait_until};

fn mode(lab: &Lab, name: &str) -> u32 {
    fs::metadata(lab.path(name)).expect("the file").permissions().mode() & 0o777
}

#[test]
fn a_file_that_is_removed_or_replaced_meanwhile_is_an_error() {
    for sync in ["never", "1s", "always"] {
        for (name, replaced) in [("r.csv", false), ("r.csv", true), ("f.csv", false), ("b.ndjson", true)] {
            let latency = Some((Duration::from_millis(5), Duration::from_millis(5)));
            let lab = Lab::with(SandboxOptions { latency, ..SandboxOptions::default() });
            lab.keys(60);
            let run =
                lab.delete(["keys.txt", "--report", "r.csv", "--failures", "f.csv", "--backup", "b.ndjson", "--json"]);
            let running = lab.start("run", run.args(["--concurrency", "1", "--sync", sync]));
            wait_until("some deletes", || lab.deletes().len() > 5);
            fs::remove_file(lab.path(name)).expect("it is there");
            if replaced {
                lab.write(name, "mine");
            }
            let done = running.done().code(1);
            assert_eq!(done.summary()["stopped"], "io_error", "{name} {sync}: {}", done.stderr);
            assert!(done.stderr.contains(name) && done.stderr.contains("removed or replaced"), "{}", done.stderr);
            if replaced {
                assert_eq!(lab.read(name), "mine");
            }
        }
    }
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
