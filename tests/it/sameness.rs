//! No job reads what it writes, by whatever name, nor writes two things into one file.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;

use crate::lab::{Done, Kvsweep, Lab};

/// Runs it with these files of the folder as its streams; those without one are pipes.
fn with_streams(mut run: Kvsweep, stdin: Option<File>, stdout: Option<File>, stderr: Option<File>) -> Done {
    let command = run.command();
    command.stdin(stdin.map_or_else(std::process::Stdio::null, Into::into));
    command.stdout(stdout.map_or_else(std::process::Stdio::piped, Into::into));
    command.stderr(stderr.map_or_else(std::process::Stdio::piped, Into::into));
    command.spawn().expect("the binary starts").wait_with_output().expect("its output").into()
}

fn assert_refused(lab: &Lab, done: Done, what: &str) {
    let done = done.code(2);
    assert!(done.stderr.contains("is the same file as"), "{what}: {}", done.stderr);
    assert_eq!(lab.server.requests(), 0, "{what}");
    assert_eq!(lab.read("k.csv"), "key\na\n", "{what}");
}

fn lab() -> Lab {
    let lab = Lab::new();
    lab.server.preload(["a"]);
    lab.write("k.csv", "key\na\n");
    std::fs::hard_link(lab.path("k.csv"), lab.path("hard.csv")).expect("a link");
    symlink("k.csv", lab.path("soft.csv")).expect("a link");
    lab
}

fn open(lab: &Lab, name: &str) -> File {
    File::open(lab.path(name)).expect("a file")
}

fn append(lab: &Lab, name: &str) -> File {
    File::options().append(true).create(true).open(lab.path(name)).expect("a file")
}

#[test]
fn stdin_is_no_output() {
    let lab = lab();
    for output in ["k.csv", "hard.csv", "./k.csv"] {
        for flag in ["--report", "--failures"] {
            for input in ["-", "/dev/stdin", "/dev/fd/0"] {
                let run = lab.delete([input, "--format", "csv", flag, output, "--overwrite"]);
                let done = with_streams(run, Some(open(&lab, "k.csv")), None, None);
                assert_refused(&lab, done, &format!("{flag} {output} < k.csv"));
            }
        }
    }
    std::fs::hard_link(lab.path("k.csv"), lab.path("k.prom")).expect("a link");
    let run = lab.delete(["-", "--format", "csv", "--metrics-file", "k.prom", "--report", "none"]);
    assert_refused(&lab, with_streams(run, Some(open(&lab, "k.csv")), None, None), "--metrics-file");
    lab.write("b.ndjson", "\"a\"\n");
    let run = lab.delete(["-", "--backup", "b.ndjson", "--overwrite", "--report", "none"]);
    assert_refused(&lab, with_streams(run, Some(open(&lab, "b.ndjson")), None, None), "--backup");
}

#[test]
fn stdout_and_stderr_are_no_input() {
    let lab = lab();
    for input in ["-", "k.csv", "soft.csv", "hard.csv"] {
        for args in [&["--report", "-"][..], &["--report", "none"], &["--dry-run"], &["--report", "none", "--json"]] {
            let run = lab.delete([input, "--format", "csv"]).args(args);
            let done = with_streams(run, Some(open(&lab, "k.csv")), Some(append(&lab, "k.csv")), None);
            assert_refused(&lab, done, &format!("{input} {args:?} >> k.csv"));
        }
        let run = lab.delete([input, "--format", "csv", "--report", "none"]);
        let done = with_streams(run, Some(open(&lab, "k.csv")), None, Some(append(&lab, "k.csv")));
        assert_eq!((done.status.code(), lab.server.requests()), (Some(2), 0), "{input} 2>> k.csv");
        lab.write("k.csv", "key\na\n");
    }
    // One log for both is what cron jobs have.
    let run = lab.delete(["k.csv", "--report", "none"]);
    with_streams(run, None, Some(append(&lab, "log")), Some(append(&lab, "log"))).code(0);
    assert!(lab.server.is_empty());
}

/// What is written into a pipe comes back from it: the job would delete its own rows, and never end.
#[test]
fn a_pipe_is_not_read_and_written() {
    let lab = lab();
    let pipe = || {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(b"a\nb\n").expect("room for two keys");
        (File::from(OwnedFd::from(reader)), File::from(OwnedFd::from(writer)))
    };
    for (args, on_stderr) in [
        (&["-", "--report", "-"][..], false),
        (&["/dev/stdin", "--report", "none", "--json"], false),
        (&["-", "--report", "none"], true),
        (&["-", "--report", "/dev/stdout"], false),
    ] {
        let (reader, writer) = pipe();
        let (stdout, stderr) = if on_stderr { (None, Some(writer)) } else { (Some(writer), None) };
        // It would go on for ever.
        let run = lab.delete(args).by(["timeout", "20"]);
        let done = with_streams(run, Some(reader), stdout, stderr);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {}", done.stderr);
    }
    assert_eq!(lab.server.requests(), 0);
    // Two pipes are what a filter has.
    let (reader, writer) = pipe();
    drop(writer);
    with_streams(lab.delete(["-", "--report", "-"]), Some(reader), None, None).code(0);
    assert!(lab.server.is_empty());
}

#[test]
fn outputs_are_several_files() {
    let lab = lab();
    for (target, link) in [("new.csv", "dangling.csv"), ("new.csv", "dangling.prom"), ("r.csv.job.json", "lock.prom")] {
        symlink(target, lab.path(link)).expect("a link");
    }
    for args in [
        ["--report", "r.csv", "--failures", "./r.csv"],
        ["--report", "new.csv", "--failures", "dangling.csv"],
        ["--report", "r.ndjson", "--backup", "r.ndjson"],
        ["--failures", "f.ndjson", "--backup", "f.ndjson"],
        ["--report", "new.csv", "--metrics-file", "dangling.prom"],
        ["--report", "r.csv", "--metrics-file", "lock.prom"],
    ] {
        let done = lab.delete(["k.csv"]).args(args).run();
        assert!(done.stderr.contains("same file"), "{args:?}: {}", done.stderr);
        assert_refused_anyhow(&lab, done);
    }
    let run = lab.delete(["k.csv", "--report", "r.csv", "--overwrite"]);
    assert_refused(&lab, with_streams(run, None, Some(append(&lab, "r.csv")), None), "--report r.csv > r.csv");
    let done = lab.delete(["r.csv.lock", "--format", "lines", "--report", "r.csv", "--overwrite"]).run();
    assert_refused_anyhow(&lab, done);
}

fn assert_refused_anyhow(lab: &Lab, done: Done) {
    done.code(2);
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn other_commands_are_held_to_it_too() {
    let lab = lab();
    lab.write("b.ndjson", "{\"key\":\"a\",\"value\":\"v\"}\n");
    lab.delete(["k.csv", "--report", "r.csv"]).run().code(0);
    let sent = lab.server.requests();
    symlink("r.csv", lab.path("r-link.csv")).expect("a link");
    for args in [
        &["restore", "b.ndjson", "--yes", "--report", "b.ndjson", "--overwrite"][..],
        &["report", "r.csv", "--html", "r.csv", "--overwrite"],
        &["report", "r.csv", "--failures", "r-link.csv", "--overwrite"],
        &["report", "r-link.csv", "--html", "./r.csv", "--overwrite"],
        &["report", "r.csv", "--html", "page.html", "--failures", "page.html", "--overwrite"],
        &["report", "r.csv", "--html", "r.csv.job.json", "--overwrite"],
        &["report", "r-link.csv", "--html", "r.csv.job.json", "--overwrite"],
        &["report", "r.csv", "--html", "r.csv.lock"],
    ] {
        let done = lab.kvsweep(args).run().code(2);
        assert!(done.stderr.contains("same file"), "{args:?}: {}", done.stderr);
    }
    for (args, file) in [
        (&["restore", "b.ndjson", "--yes", "--report", "none"][..], "b.ndjson"),
        (&["report", "r.csv", "--json"], "r.csv"),
        (&["list", "--output", "list.txt"], "list.txt"),
    ] {
        let before = std::fs::read(lab.path(file)).unwrap_or_default();
        let done = with_streams(lab.kvsweep(args), None, Some(append(&lab, file)), None).code(2);
        assert!(done.stderr.contains("same file"), "{args:?}: {}", done.stderr);
        assert_eq!(std::fs::read(lab.path(file)).expect("the file"), before);
    }
    assert_eq!(lab.server.requests(), sent);
}
