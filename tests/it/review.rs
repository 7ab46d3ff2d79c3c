//! `kvsweep report`: what a job left behind is told as it was, and the page holds in a real browser.

mod combined;
mod next_steps;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, When};
use serde_json::Value;

use crate::lab::{Lab, NAMESPACE, wait_until};

/// Forty keys, five of them refused, some with hostile names.
fn lab_with_failures() -> Lab {
    let lab = Lab::with(SandboxOptions::default());
    let keys = lab.keys(35);
    let hostile = ["no:<script>document.title='owned'</script>", "no:\u{202e}evil", "no:a&b\"c", "no:1", "no:2"];
    lab.server.preload(hostile);
    lab.write("keys.txt", format!("{}\n{}\n", keys.join("\n"), hostile.join("\n")));
    let refused = Canned::error(403, 10000, "not <b>this</b> one");
    lab.server.set_faults([Fault::new(When::Prefix("no:".to_owned()), refused.into())]);
    lab.delete(["keys.txt", "--dry-run", "--report", "plan.csv"]).run().code(0);
    lab.delete(["keys.txt", "--report", "sweep.csv", "--retries", "0"]).run();
    lab
}

/// Nothing is printed or made, and the error has these parts.
fn refused(lab: &Lab, args: &[&str], parts: &[&str]) {
    for output in [&[][..], &["--json"], &["--markdown"], &["--html", "p.html"], &["--failures", "f.csv"]] {
        if args.contains(&"--diff") && !matches!(output, [] | ["--json"]) {
            continue;
        }
        let done = lab.kvsweep(["report"]).args(args).args(output).run().code(2);
        for part in parts.iter().chain(&["\nhint: "]) {
            assert!(done.stderr.contains(part), "{part} is not in\n{}", done.stderr);
        }
        assert_eq!(done.stdout, "");
        assert!(!lab.path("p.html").exists() && !lab.path("f.csv").exists(), "{output:?}");
    }
}

#[test]
fn a_report_is_told_as_text_and_json() {
    let lab = lab_with_failures();
    let done = lab.kvsweep(["report", "sweep.csv"]).run().code(0);
    for part in ["1 report with 40 records", "deleted  35", "failed    5", "failed, HTTP 403, code 10000: not <b>this"]
    {
        assert!(done.stdout.contains(part), "{part} in\n{}", done.stdout);
    }
    assert!(!done.stdout.contains('\u{202e}'), "foreign text reached the terminal");
    assert_eq!(done.stderr, "");

    let json = lab.kvsweep(["report", "sweep.csv", "--json"]).run().code(0).summary();
    assert_eq!((&json["records"], &json["deleted"], &json["failed"]), (&40.into(), &35.into(), &5.into()));
    assert_eq!((&json["causes"][0]["count"], &json["causes"][0]["error_code"]), (&5.into(), &10000.into()));
    assert_eq!(json["reports"][0]["rows"], 40);
}

#[test]
fn markdown_has_a_table_of_counts_and_nothing_foreign_becomes_markup() {
    let lab = lab_with_failures();
    let done = lab.kvsweep(["report", "sweep.csv", "--markdown"]).run().code(0);
    for row in ["| deleted | 35 | 87.5", "| failed | 5 | 12.5"] {
        assert!(done.stdout.lines().any(|line| line.starts_with(row)), "{row} in\n{}", done.stdout);
    }
    assert!(done.stdout.contains("not &#60;b&#62;this&#60;&#47;b&#62; one"), "{}", done.stdout);
    for foreign in ["<script>", "<b>", "\u{202e}"] {
        assert!(!done.stdout.contains(foreign), "{foreign:?} in\n{}", done.stdout);
    }
    lab.kvsweep(["report", "sweep.csv", "--markdown", "--json"]).run().code(2);
}

#[test]
fn failed_keys_are_an_input_again() {
    let lab = lab_with_failures();
    lab.kvsweep(["report", "sweep.csv", "--failures", "failed.csv"]).run().code(0);
    lab.server.set_faults([]);
    lab.delete(["failed.csv", "--report", "again.csv"]).run().code(0);
    assert!(lab.server.keys().is_empty());
    // What failed then and is deleted by now is another input's record, and both are told.
    let done = lab.kvsweep(["report", "sweep.csv", "--diff", "plan.csv"]).run().code(3);
    assert!(done.stdout.contains("5 keys planned and not deleted"), "{}", done.stdout);
    let done = lab.kvsweep(["report", "sweep.csv", "again.csv", "--diff", "plan.csv"]).run().code(0);
    assert!(done.stdout.contains("The job did exactly what was planned."), "{}", done.stdout);
    lab.kvsweep(["report", "sweep.csv", "--diff", "again.csv"]).run().code(2);
}

#[test]
fn a_torn_row_is_left_out_and_said() {
    let lab = lab_with_failures();
    let report = lab.read("sweep.csv");
    lab.write("torn.csv", &report[..report.len() - 10]);
    let done = lab.kvsweep(["report", "torn.csv"]).run().code(0);
    assert!(done.stderr.contains("torn.csv: the last row is incomplete"), "{}", done.stderr);
    assert!(done.stdout.contains("39 records"), "{}", done.stdout);
}

#[test]
fn files_are_refused_before_anything_is_lost() {
    let lab = lab_with_failures();
    let before = lab.read("sweep.csv");
    lab.write("page.html", "mine");
    let done = lab.kvsweep(["report", "sweep.csv", "--html", "page.html"]).run().code(2);
    assert!(done.stderr.contains("--overwrite"), "{}", done.stderr);
    assert_eq!(lab.read("page.html"), "mine");
    for flag in ["--html", "--failures"] {
        lab.kvsweep(["report", "sweep.csv", flag, "./sweep.csv", "--overwrite"]).run().code(2);
        assert_eq!(lab.read("sweep.csv"), before);
    }
    let done = lab.kvsweep(["report", "keys.txt"]).run().code(2);
    assert!(done.stderr.contains("keys.txt, line 1"), "{}", done.stderr);
    lab.kvsweep(["report", "nothing.csv"]).run().code(1);
    lab.kvsweep(["report", "sweep.csv", "--html", "page.html", "--overwrite"]).run().code(0);
    lab.kvsweep(["report", "sweep.csv", "--html", "new.html"]).run().code(0);
    assert_eq!(lab.path("new.html").metadata().expect("the page").permissions().mode() & 0o777, 0o600);
}

fn chromium() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    let mut places = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.find(|place| place.is_file())
}

/// The document after its script has run.
fn dom(browser: &Path, lab: &Lab, page: &str) -> String {
    let profile = lab.path("profile");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-dev-shm-usage",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--virtual-time-budget=2000", "--enable-logging=stderr", "--dump-dom"])
        .arg(format!("file://{}", lab.path(page).display()))
        .output()
        .expect("the browser starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("Content Security Policy") && !said.contains("Uncaught"), "{said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_page_holds_in_a_browser() {
    let Some(browser) = chromium() else {
        eprintln!("skipped: there is no chromium on this machine");
        return;
    };
    let lab = lab_with_failures();
    lab.kvsweep(["report", "sweep.csv", "--html", "page.html"]).run().code(0);
    let seen = dom(&browser, &lab, "page.html");
    assert!(seen.contains("<title>5 keys not deleted · kvsweep report</title>"), "the title is ours alone");
    assert_eq!(seen.matches("<script").count(), 1, "no key became a script");
    // The script ran: its parts are shown, and it counted the rows.
    assert!(seen.contains("<form class=\"filter\" role=\"search\">") && seen.contains(">5</output>"));
    assert!(seen.contains("class=\"copy\" aria-label=\"Copy this command\">"));

    // The filter does what it says: a word typed by a second script, which the policy has to be told of.
    let page = lab.read("page.html");
    let typed = "<script>const i=document.querySelector('#words');i.value='EVIL failed';\
                 i.dispatchEvent(new Event('input'))</script></body>";
    let policy = page.split("script-src 'sha256-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a policy");
    let open = page.replace(&format!("script-src 'sha256-{policy}'"), "script-src 'unsafe-inline'");
    lab.write("typed.html", open.replace("</body>", typed));
    let seen = dom(&browser, &lab, "typed.html");
    assert!(seen.contains(">1 of 5</output>"));
    assert_eq!(seen.matches("<tr hidden=\"\">").count(), 4);

    // A script that the policy does not name does not run, however it came into the page.
    let injected = "<script>document.title='owned'</script></body>";
    lab.write("injected.html", page.replace("</body>", injected));
    let output = Command::new(&browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom"])
        .arg(format!("--user-data-dir={}", lab.path("profile").display()))
        .arg(format!("file://{}", lab.path("injected.html").display()))
        .output()
        .expect("the browser starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains("<title>5 keys not deleted"));
}

#[test]
fn a_job_that_stopped_is_told_with_what_is_left() {
    let lab = Lab::new();
    lab.keys(200);
    lab.server.set_faults(["400@key:key:7".parse::<Fault>().expect("a fault")]);
    lab.delete(["keys.txt", "--report", "r.csv", "--max-failures", "1", "--concurrency", "1"]).run().code(8);
    let done = lab.kvsweep(["report", "r.csv", "--html", "page.html"]).run().code(0);
    for part in
        ["8 of 200 records", "delete, namespace", NAMESPACE, "stopped early: max_failures", "not attempted  192"]
    {
        assert!(done.stdout.contains(part), "{part} is not in\n{}", done.stdout);
    }
    assert!(done.stdout.contains("3.5%") && !done.stdout.contains("87.5%"), "of all records: {}", done.stdout);
    let page = lab.read("page.html");
    let about = [NAMESPACE, "<dd><bdi>delete</bdi></dd>", "Stopped early: 7 of 200 deleted"];
    for part in ["8 of 200 records", "stopped early: max_failures", "not attempted"].iter().chain(&about) {
        assert!(page.contains(part), "{part}");
    }
    let json = lab.kvsweep(["report", "r.csv", "--json"]).run().code(0).summary();
    assert_eq!((&json["total_records"], &json["not_attempted"]), (&200.into(), &192.into()));
    let job = &json["reports"][0]["job"];
    assert_eq!(
        (&job["kind"], &job["finished"], &job["namespace_id"]),
        (&"delete".into(), &false.into(), &NAMESPACE.into())
    );
    // Without the job file nobody knows how many records there are, so nothing is a share of them.
    std::fs::remove_file(lab.path("r.csv.job.json")).expect("the job file");
    let done = lab.kvsweep(["report", "r.csv"]).run().code(0);
    assert!(done.stdout.contains("no job file") && !done.stdout.contains(" %"), "{}", done.stdout);
}

#[test]
fn a_report_is_known_through_a_link_too() {
    let lab = lab_with_failures();
    lab.delete(["keys.txt", "--sandbox", "--report", "rehearsal.csv"]).run().code(0);
    symlink("rehearsal.csv", lab.path("latest.csv")).expect("a link");
    let done = lab.kvsweep(["report", "latest.csv"]).run().code(0);
    assert!(done.stdout.contains("latest.csv: rehearsal, finished"), "{}", done.stdout);
    refused(&lab, &["sweep.csv", "latest.csv"], &["sweep.csv", "latest.csv", "rehearsal"]);
}

#[test]
fn the_time_between_two_runs_is_not_running() {
    let lab = Lab::new();
    lab.keys(20);
    lab.server.set_faults(["400@key:key:9".parse::<Fault>().expect("a fault")]);
    lab.delete(["keys.txt", "--report", "r.csv", "--max-failures", "1", "--concurrency", "1"]).run().code(8);
    lab.server.set_faults([]);
    // As if the first run had been a day earlier.
    let today =
        lab.read("r.csv").lines().nth(1).and_then(|row| row.rsplit(',').next()).expect("a moment")[..10].to_owned();
    for name in ["r.csv", "r.csv.job.json"] {
        let earlier = lab.read(name).replace(&format!("{today}T"), "2026-01-01T");
        lab.write(name, earlier);
    }
    lab.delete(["keys.txt", "--report", "r.csv", "--resume"]).run().code(0);
    let done = lab.kvsweep(["report", "r.csv", "--html", "page.html"]).run().code(0);
    assert!(done.stdout.contains("not running") && !done.stdout.contains("pauses"), "{}", done.stdout);
    assert!(done.stdout.contains("finished after 2 runs"), "{}", done.stdout);
    assert!(done.stdout.contains("keys/s") && !done.stdout.contains(", 0.0 keys/s"), "{}", done.stdout);
    let page = lab.read("page.html");
    assert!(page.contains("class=\"idle\" x=") && page.contains("Not running for"), "{page}");
    assert!(!page.contains("Nothing finished for"), "{page}");
}

/// What is not restored is least of all to be deleted.
#[test]
fn a_restore_is_not_told_as_a_deletion() {
    let lab = Lab::with(SandboxOptions {
        faults: vec!["400@prefix:bad".parse::<Fault>().expect("a fault")],
        ..SandboxOptions::default()
    });
    lab.write("b.ndjson", "{\"key\":\"bad:1\",\"value\":\"1\"}\n{\"key\":\"ok\",\"value\":\"1\"}\n");
    lab.kvsweep(["restore", "b.ndjson", "--yes", "--overwrite-values", "--report", "r.csv"]).run();
    let done = lab.kvsweep(["report", "r.csv", "--html", "page.html"]).run().code(0);
    let page = lab.read("page.html");
    for (text, part) in [
        (&done.stdout, "not restored, by cause"),
        (&page, "<title>1 key not restored"),
        (&page, "Records not restored"),
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!done.stdout.contains("deleted") && !page.contains("not deleted"), "{}", done.stdout);
    let done = lab.kvsweep(["report", "r.csv", "--failures", "f.csv"]).run().code(2);
    assert!(done.stderr.contains("were to be restored"), "{}", done.stderr);
    // Without its job file, its rows say it.
    lab.write("copy.csv", lab.read("r.csv"));
    lab.kvsweep(["report", "copy.csv", "--failures", "f.csv"]).run().code(2);
    assert!(!lab.path("f.csv").exists());
}

#[test]
fn how_many_records_a_killed_job_has_is_known() {
    let lab = Lab::with(SandboxOptions {
        latency: Some((Duration::from_secs(2), Duration::from_secs(2))),
        ..SandboxOptions::default()
    });
    lab.write("b.ndjson", "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"b\",\"value\":\"1\"}\n");
    lab.write("keys.txt", "a\nb\n");
    for (report, command) in [
        ("d.csv", lab.delete(["keys.txt", "--no-bulk", "--report", "d.csv"])),
        ("r.csv", lab.kvsweep(["restore", "b.ndjson", "--yes", "--report", "r.csv"])),
    ] {
        let running = lab.start(report, command);
        wait_until("the job has begun", || lab.path(&format!("{report}.job.json")).exists());
        running.kill();
        let done = lab.kvsweep(["report", report]).run().code(0);
        assert!(done.stdout.contains("0 of 2 records"), "{report}: {}", done.stdout);
        let job: Value = serde_json::from_str(&lab.read(&format!("{report}.job.json"))).expect("a job file");
        assert_eq!(job["inputs"][0]["records"], 2, "{report}");
    }
}

#[test]
fn a_rehearsal_and_a_killed_job_do_not_look_like_a_finished_one() {
    let lab = Lab::new();
    lab.keys(3);
    lab.delete(["keys.txt", "--sandbox", "--report", "r.csv"]).run().code(0);
    lab.delete(["keys.txt", "--dry-run", "--report", "p.csv"]).run().code(0);
    lab.write("gone.txt", "x\ny\nz\n");
    lab.delete(["gone.txt", "--dry-run", "--check", "--report", "c.csv"]).run().code(0);
    for (report, title) in
        [("r.csv", "Rehearsal: 3 keys deleted"), ("p.csv", "Dry run: 3 records"), ("c.csv", "Dry run: 3 records")]
    {
        lab.kvsweep(["report", report, "--html", "page.html", "--overwrite"]).run().code(0);
        assert!(lab.read("page.html").contains(&format!("<h1>{title}</h1>")), "{title}");
    }
    lab.delete(["keys.txt", "--report", "k.csv"]).run().code(0);
    // Killed with every key in flight.
    let mut job: Value = serde_json::from_str(&lab.read("k.csv.job.json")).expect("a job file");
    for member in ["ended_at", "exit_code"] {
        job["runs"][0][member] = Value::Null;
    }
    lab.write("k.csv.job.json", job.to_string());
    lab.write("k.csv", lab.read("k.csv").lines().next().expect("the header").to_owned() + "\n");
    lab.kvsweep(["report", "k.csv", "--html", "page.html", "--overwrite"]).run().code(0);
    let page = lab.read("page.html");
    assert!(page.contains("<h1>Not finished: 0 of 3 deleted</h1>") && !page.contains("nothing was sent"), "{page}");
}
