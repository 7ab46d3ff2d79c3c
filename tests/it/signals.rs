//! A signal ends a job in order at any moment, as PID 1 too, a second one at once, and the exit code says how it ended.

mod moments;

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _, pipe};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use kvsweep::sandbox::{Canned, Fault, SandboxOptions, What, When};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;

use crate::lab::{Hook, Kvsweep, Lab, Running, unshare_works, wait_until};

const JOB: [&str; 5] = ["keys.txt", "--report", "report.csv", "--concurrency", "4"];

/// A server that takes half a second for a key.
fn slow() -> Lab {
    let latency = Duration::from_millis(500);
    Lab::with(SandboxOptions { latency: Some((latency, latency)), ..SandboxOptions::default() })
}

/// A server that answers nothing about keys; `everywhere` nothing at all.
fn hanging(everywhere: bool) -> Lab {
    let hang = Fault::new(When::Probability(1.0), What::Hang);
    let faults = vec![if everywhere { hang.everywhere() } else { hang }];
    Lab::with(SandboxOptions { faults, ..SandboxOptions::default() })
}

/// As PID 1 and not, where the machine allows it.
fn ways() -> Vec<fn(Kvsweep) -> Kvsweep> {
    let mut ways: Vec<fn(Kvsweep) -> Kvsweep> = vec![|run| run];
    if unshare_works() {
        ways.push(Kvsweep::unshared);
    }
    ways
}

fn fifo(lab: &Lab, name: &str) -> PathBuf {
    let path = lab.path(name);
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    path
}

/// Opens a FIFO once somebody reads it.
fn open_for_writing(path: &Path) -> File {
    File::options().write(true).open(path).expect("a reader")
}

/// A pipe that is full, so that whoever writes into it waits.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("a pipe");
    let flags = fcntl_getfl(&writer).expect("its flags");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("a pipe that does not wait");
    for size in [4096, 1] {
        while writer.write_all(&vec![b'x'; size]).is_ok() {}
    }
    fcntl_setfl(&writer, flags).expect("a pipe that waits");
    (reader, writer)
}

/// A run with a stream of its own in place of stdout (1) or stderr (2).
fn start_with_stream(lab: &Lab, kvsweep: Kvsweep, number: usize, stream: impl Into<Stdio>) -> Running {
    let paths = (lab.path("run.stdout"), lab.path("run.stderr"));
    let file = |path: &Path| Stdio::from(File::create(path).expect("a file for a stream"));
    let (stdout, stderr) = (file(&paths.0), file(&paths.1));
    let streams = if number == 1 { (stream.into(), stderr) } else { (stdout, stream.into()) };
    Running::start(kvsweep, Stdio::null(), streams, paths)
}

fn metrics(lab: &Lab, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(lab.path("kvsweep.prom")).ok()?;
    let mut lines = text.lines().filter(|line| line.starts_with(&format!("kvsweep_last_run_{name}")));
    Some(lines.next()?.rsplit_once(' ')?.1.to_owned())
}

#[test]
fn what_is_skipped_here_is_said() {
    if ways().len() == 1 {
        eprintln!("skipped: signals to PID 1, because unshare cannot make a namespace of process ids here");
    }
}

#[test]
fn a_signal_during_the_preflight_is_told_to_metrics_and_pings() {
    for way in ways() {
        let lab = hanging(true);
        lab.keys(5);
        let hook = Hook::answering(&[(200, "OK")]);
        let pings = ["--metrics-file", "kvsweep.prom", "--ping", &hook.url("x")];
        let running = lab.start("run", way(lab.delete(JOB).args(pings)));
        wait_until("the namespace is asked for", || lab.server.requests() == 1);
        running.signal(Signal::TERM);
        let done = running.done().code(143);
        assert!(done.stderr.contains("interrupted (SIGTERM)"), "{}", done.stderr);
        assert_eq!(metrics(&lab, "in_progress"), Some("0".to_owned()));
        assert_eq!(metrics(&lab, "exit_code"), Some("143".to_owned()));
        assert_eq!(hook.pings().last().map(|ping| ping.target.clone()), Some("/x/143".to_owned()));
        assert!(lab.deletes().is_empty() && !lab.path("report.csv").exists());
    }
}

#[test]
fn an_error_before_the_first_file_is_opened_is_pinged() {
    let lab = Lab::new();
    lab.keys(1);
    let hook = Hook::answering(&[(200, "OK")]);
    lab.delete(JOB).args(["--metrics-file", "no/such.prom", "--ping", &hook.url("x")]).run().code(2);
    assert_eq!(hook.pings().last().map(|ping| ping.target.clone()), Some("/x/2".to_owned()));
}

#[test]
fn ctrl_c_at_the_prompt_ends_it() {
    for way in ways() {
        let lab = Lab::new();
        lab.keys(5);
        let ask = way(lab.kvsweep(["delete"]).args(JOB)).on_terminal();
        let mut running = lab.start_with("run", ask, Stdio::piped());
        wait_until("it asks", || running.stdout().contains("? [y/N] "));
        running.child().stdin.as_mut().expect("a keyboard").write_all(b"\x03").expect("it is typed");
        let done = running.done().code(130);
        assert!(done.stdout.contains("interrupted"), "{}", done.stdout);
        assert!(lab.deletes().is_empty() && !lab.path("report.csv").exists());
    }
}

#[test]
fn whatever_blocks_before_the_first_request_is_interrupted() {
    let lab = Lab::new();
    let path = fifo(&lab, "fifo.txt");
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag");
    let commands: [&[&str]; 5] = [
        &["delete", "fifo.txt", "--yes", "--report", "none"],
        &["delete", "fifo.txt", "--dry-run", "--report", "plan.csv"],
        &["delete", "keys.txt", "--yes", "--api-token-file", "fifo.txt"],
        &["delete", "keys.txt", "--dry-run", "--protect-from", "fifo.txt"],
        &["sandbox", "--keys", "fifo.txt"],
    ];
    for command in commands {
        for way in ways() {
            let run = lab.kvsweep(command);
            let run = if command.contains(&"--api-token-file") { run.without_env("CLOUDFLARE_API_TOKEN") } else { run };
            let hook = Hook::answering(&[(200, "OK")]);
            let running = lab.start("run", way(run.env("KVSWEEP_PING", hook.url("x"))));
            let mut opened = None;
            wait_until("it reads", || {
                opened = File::options().write(true).custom_flags(nonblock).open(&path).ok();
                opened.is_some()
            });
            running.signal(Signal::TERM);
            running.done().code(143);
            let last = hook.pings().last().map(|ping| ping.target.clone());
            let is_monitored = command[0] == "delete" && !command.contains(&"--dry-run");
            assert_eq!(last.as_deref(), is_monitored.then_some("/x/143"), "{command:?}");
        }
    }
    assert_eq!(lab.server.requests(), 0);
    assert!(!lab.path("plan.csv").exists() && !lab.path("plan.csv.lock").exists());
}

#[test]
fn an_interrupted_dry_run_leaves_no_part_of_a_plan() {
    let lab = Lab::new();
    let path = fifo(&lab, "fifo.txt");
    let running = lab.start("run", lab.kvsweep(["delete", "fifo.txt", "--dry-run", "--report", "plan.csv"]));
    let mut writer = open_for_writing(&path);
    writer.write_all("key\n".repeat(5_000).as_bytes()).expect("a reader");
    wait_until("a part of the plan is written", || lab.path("plan.csv").exists());
    running.signal(Signal::INT);
    running.done().code(130);
    assert!(!lab.path("plan.csv").exists() && !lab.path("plan.csv.lock").exists());
}

#[test]
fn an_interrupted_dry_run_counts_what_it_read_and_what_it_wrote() {
    let lab = Lab::new();
    let path = fifo(&lab, "fifo.txt");
    let running = lab.start("run", lab.kvsweep(["delete", "fifo.txt", "--dry-run", "--json"]));
    let mut writer = open_for_writing(&path);
    writer.write_all(b"a\nb\na\n").expect("a reader");
    // Far more than a pipe and a buffer hold: most of it was read once this is written.
    writer.write_all(format!("{}\n", "k".repeat(499)).repeat(2_000).as_bytes()).expect("a reader");
    running.signal(Signal::TERM);
    let summary = running.done().code(143).summary();
    let count = |member: &str| summary[member].as_u64().expect("a number");
    assert!(count("records") > 1_000 && count("planned") == 3, "{summary}");
    assert_eq!(count("records"), count("planned") + count("duplicate"));
    drop(writer);

    let keys = lab.keys(10_001).len() as u64;
    let (mut reader, writer) = pipe().expect("a pipe");
    let run = lab.kvsweep(["delete", "keys.txt", "--dry-run", "--report", "-"]);
    let running = start_with_stream(&lab, run, 1, writer);
    let mut begun = [0; 512];
    reader.read_exact(&mut begun).expect("rows");
    // Nobody reads on. The summary is on stderr, because rows are on stdout.
    running.signal(Signal::TERM);
    let done = running.done().code(143);
    let planned = done.stderr.lines().find_map(|line| line.strip_prefix("planned")).expect("a count");
    let planned: u64 = planned.trim().replace(',', "").parse().expect("a number");
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("rows");
    let rows = (String::from_utf8_lossy(&begun).into_owned() + &rest).lines().count() as u64 - 1;
    assert!(planned > 0 && planned <= rows && rows < keys, "{planned} counted, {rows} written");
}

#[test]
fn two_signals_end_a_job_whose_report_nobody_reads() {
    for way in ways() {
        let lab = Lab::new();
        lab.keys(3_000);
        let (reader, writer) = pipe().expect("a pipe");
        let run = way(lab.delete(["keys.txt", "--report", "-", "--metrics-file", "kvsweep.prom"]));
        let running = start_with_stream(&lab, run, 1, writer);
        // Once the pipe is full, rows are not written any more.
        let (mut sent, mut unchanged) = (0, 0);
        wait_until("no more is sent", || {
            let is_unchanged = std::mem::replace(&mut sent, lab.server.requests()) == sent;
            unchanged = if is_unchanged && sent > 100 { unchanged + 1 } else { 0 };
            unchanged > 100
        });
        assert!(sent < 3_000, "all {sent} are sent without a row");
        running.signal(Signal::TERM);
        running.signal(Signal::HUP);
        let code = running.done().status.code();
        assert!(matches!(code, Some(129 | 143)), "{code:?}");
        assert_eq!(metrics(&lab, "in_progress"), Some("0".to_owned()));
        drop(reader);
    }
}

#[test]
fn a_summary_that_nobody_reads_changes_neither_the_code_nor_the_metrics() {
    let lab = Lab::new();
    lab.keys(3);
    let (reader, writer) = full_pipe();
    let run = lab.delete(JOB).args(["--json", "--metrics-file", "kvsweep.prom"]);
    let running = start_with_stream(&lab, run, 1, writer);
    wait_until("the metrics say how it ended", || metrics(&lab, "exit_code") == Some("0".to_owned()));
    running.signal(Signal::TERM);
    running.signal(Signal::INT);
    running.done().code(0);
    drop(reader);
}

#[test]
fn a_stderr_that_nobody_reads_does_not_keep_the_sender() {
    let lab = Lab::new();
    let keys = lab.keys(200);
    lab.server.set_faults([Fault::new(When::Nth(1..=2), Canned::html(503).into())]);
    let (reader, writer) = full_pipe();
    let run = lab.delete(JOB).args(["-vvv", "--progress", "always"]);
    start_with_stream(&lab, run, 2, writer).done().code(0);
    lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
    drop(reader);
}

#[test]
fn a_signal_is_heard_while_nobody_reads_stderr() {
    for way in ways() {
        let lab = slow();
        lab.keys(40);
        let (reader, writer) = full_pipe();
        let run = way(lab.delete(JOB).args(["-vvv", "--progress", "always"]));
        let running = start_with_stream(&lab, run, 2, writer);
        wait_until("four are in flight", || lab.deletes().len() == 4);
        running.signal(Signal::TERM);
        running.done().code(143);
        assert_eq!((lab.deletes().len(), lab.rows("report.csv").len()), (4, 4));
        drop(reader);
    }
}

#[test]
fn a_summary_that_cannot_be_printed_keeps_the_code_of_the_job() {
    let full = || File::options().write(true).open("/dev/full").expect("a full device");
    for json in [&[][..], &["--json"]] {
        for (args, code) in
            [(&[][..], 0), (&["--max-keys", "2"], 8), (&["--max-failures", "1"], 8), (&["--expect", "3"], 3)]
        {
            let lab = Lab::new();
            lab.keys(3);
            if code == 3 || args.contains(&"--max-failures") {
                lab.server.set_faults(["400@prefix:key:1".parse::<Fault>().expect("a fault")]);
            }
            start_with_stream(&lab, lab.delete(JOB).args(json).args(args), 1, full()).done().code(code);
        }
        let lab = slow();
        lab.keys(40);
        let running = start_with_stream(&lab, lab.delete(JOB).args(json), 1, full());
        wait_until("four are in flight", || lab.deletes().len() == 4);
        running.signal(Signal::HUP);
        let done = running.done().code(129);
        assert!(done.stderr.contains("the summary cannot be printed"), "{}", done.stderr);
        // The same of the other commands.
        let lab = Lab::new();
        lab.keys(3);
        let list = lab.kvsweep(["list", "--output", "list.txt"]).args(json);
        start_with_stream(&lab, list, 1, full()).done().code(0);
        let back_up = lab.delete(["keys.txt", "--report", "none", "--backup", "backup.ndjson"]);
        back_up.run().code(0);
        let restore = lab.kvsweep(["restore", "backup.ndjson", "--dry-run"]).args(json);
        start_with_stream(&lab, restore, 1, full()).done().code(0);
    }
}

#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        let lab = slow();
        let keys = lab.keys(8);
        let run = lab.delete(JOB).by(["env", &format!("--ignore-signal={name}")]);
        let running = lab.start("run", run);
        wait_until("four are in flight", || lab.deletes().len() == 4);
        running.signal(signal);
        running.done().code(0);
        lab.assert_all_deleted(keys.iter().map(String::as_str), &lab.rows("report.csv"));
    }
}

#[test]
fn a_signal_to_the_cron_script_reaches_the_job() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/cron.sh");
    for way in ways() {
        for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
            let lab = slow();
            lab.keys(40);
            let run = lab.like(Kvsweep::new("sh".into(), lab.folder())).arg(&script);
            let run = run.args(["keys.txt", "kept", "--rate", "none", "--concurrency", "4"]);
            let running = lab.start("run", way(run.env("KVSWEEP", cargo_bin("kvsweep"))));
            wait_until("four are in flight", || lab.deletes().len() == 4);
            running.signal(signal);
            running.done().code(code);
            assert_eq!(lab.deletes().len(), 4, "a request began after the signal");
            let report = std::fs::read_dir(lab.path("kept")).expect("the folder").find_map(|entry| {
                let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
                (name.starts_with("report-") && crate::lab::is_csv(&name)).then_some(name)
            });
            let rows = lab.rows(&format!("kept/{}", report.expect("a report")));
            assert!(rows.len() == 4 && rows.iter().all(|row| row.status == "deleted"), "{rows:?}");
        }
    }
}

#[test]
fn a_command_that_gets_no_answer_ends_with_the_first_signal() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--report", "none", "--backup", "backup.ndjson"]).run().code(0);
    lab.server.set_faults([Fault::new(When::Probability(1.0), What::Hang).everywhere()]);
    let commands: [&[&str]; 7] = [
        &["delete", "keys.txt", "--yes", "--report", "none", "--check", "--dry-run"],
        &["delete", "--prefix", "key:", "--dry-run"],
        &["delete", "keys.txt", "--yes", "--report", "none", "--namespace", "a title"],
        &["list", "--output", "list.txt"],
        &["restore", "backup.ndjson", "--yes", "--report", "none"],
        &["namespaces"],
        &["whoami"],
    ];
    for command in commands {
        let before = lab.server.requests();
        let run = lab.kvsweep(command);
        let run = if command.contains(&"--namespace") { run.without_env("CLOUDFLARE_KV_NAMESPACE_ID") } else { run };
        let running = lab.start("run", run);
        wait_until("it asks", || lab.server.requests() > before);
        running.signal(Signal::TERM);
        running.done().code(143);
    }
}
