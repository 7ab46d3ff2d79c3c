//! A disk that is full ends the job at once, and what is on it is enough to go on.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use kvsweep::sandbox::SandboxOptions;

use crate::lab::{Done, Kvsweep, Lab, complete, final_rows, parse_csv};

const KEYS: usize = 4_000;

fn lab() -> Lab {
    let latency = Some((Duration::from_millis(1), Duration::from_millis(2)));
    Lab::with(SandboxOptions { latency, ..SandboxOptions::default() })
}

/// What a run left that had room for about 64 KiB, some hundred rows.
fn assert_stopped_early(lab: &Lab, done: &Done, report: &Path) {
    assert_eq!(done.summary()["stopped"], "io_error", "{}", done.stderr);
    assert!(done.stderr.contains("report.csv"), "{}", done.stderr);
    let deletes = lab.deletes();
    let rows = parse_csv(&complete(&fs::read(report).expect("the report"), true));
    assert!(rows.len() > 200, "{} rows", rows.len());
    assert!(deletes.len() >= rows.len());
    assert!(deletes.len() < KEYS / 2, "{} keys were deleted without a row for {}", deletes.len(), rows.len());
    for row in &rows {
        assert_eq!(row.status, "deleted");
        assert!(!lab.server.contains(&row.key), "{row:?}");
    }
}

fn assert_finished(lab: &Lab, keys: &[String], report: &Path) {
    let rows = parse_csv(&fs::read_to_string(report).expect("the report"));
    let by_record = final_rows(&rows);
    assert_eq!((by_record.len(), rows.len()), (keys.len(), keys.len()));
    assert!(by_record.into_values().all(|row| row.status == "deleted"));
    assert!(lab.server.is_empty());
}

/// A mounted tmpfs, unmounted when this goes.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    fn mount(at: &'a Path, size: &str) -> Option<Self> {
        let mounted = mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], at);
        mounted.is_some_and(|status| status.success()).then_some(Self(at))
    }

    fn resize(&self, size: &str) {
        let resized = mount(&["-o", &format!("remount,size={size}")], self.0);
        assert!(resized.is_some_and(|status| status.success()), "the tmpfs cannot be made larger");
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

fn mount(args: &[&str], at: &Path) -> Option<ExitStatus> {
    Command::new("mount").args(args).arg(at).stderr(Stdio::null()).status().ok()
}

#[test]
fn a_full_disk_ends_the_job_and_a_larger_one_lets_it_go_on() {
    let lab = lab();
    let disk = lab.path("disk");
    fs::create_dir(&disk).expect("a folder");
    let Some(tmpfs) = Tmpfs::mount(&disk, "64k") else {
        eprintln!("skipped: a tmpfs cannot be mounted here (it takes root)");
        return;
    };
    let keys = lab.keys(KEYS);
    let args = ["keys.txt", "--report", "disk/report.csv", "--json", "--resume"];
    let (done, report) = (lab.delete(args).run().code(1), disk.join("report.csv"));
    assert_stopped_early(&lab, &done, &report);

    // Nothing was mended: it is the same again, and no harm comes of it.
    lab.delete(args).run().code(1);
    tmpfs.resize("8m");
    lab.delete(args).run().code(0);
    assert_finished(&lab, &keys, &report);
}

#[test]
fn a_file_that_may_not_grow_ends_the_job_and_resume_goes_on() {
    let lab = lab();
    let keys = lab.keys(KEYS);
    let args = ["delete", "--yes", "--rate", "none", "keys.txt", "--report", "report.csv", "--json", "--resume"];
    // A shell's unit is 512 or 1,024 bytes.
    let shell = ["-c", "ulimit -f 64 && exec \"$0\" \"$@\""];
    let limited = lab.like(Kvsweep::new("/bin/sh".into(), lab.folder())).args(shell).arg(cargo_bin("kvsweep"));
    let done = limited.args(args).run().code(1);
    assert_stopped_early(&lab, &done, &lab.path("report.csv"));
    lab.kvsweep(args).run().code(0);
    assert_finished(&lab, &keys, &lab.path("report.csv"));
}
