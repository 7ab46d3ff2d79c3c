//! Monitoring of unattended jobs: metrics, pings, and nothing at all with --quiet.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, What, When};
use rustix::process::Signal;

use crate::lab::{Hook, Kvsweep, Lab, NAMESPACE, wait_until};

/// A part of a ping's URL that must be nowhere else.
const SECRET: &str = "5e0a8c8e-secret-uuid-8f0d";

fn lab(keys: usize) -> Lab {
    let lab = Lab::new();
    lab.keys(keys);
    lab
}

fn refusing(lab: &Lab, key: &str) {
    let refused = Canned::error(400, 10_001, "not this one");
    lab.server.set_faults([Fault::new(When::Key(key.to_owned()), refused.into())]);
}

fn job(lab: &Lab, report: &str) -> Kvsweep {
    lab.delete(["keys.txt", "--report", report, "--metrics-file", "kvsweep.prom", "--job-name", "nightly"])
}

/// The series of a metrics file, by name and labels other than those that all of them have.
fn metrics(lab: &Lab) -> BTreeMap<String, String> {
    let common = format!("namespace_id=\"{NAMESPACE}\",job_name=\"nightly\"");
    let text = lab.read("kvsweep.prom");
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let read = samples.map(|line| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        assert!(series.contains(&common), "{line}");
        (series.replace(&common, "").replace("{}", "").replace("{,", "{"), value.to_owned())
    });
    read.collect()
}

#[test]
fn metrics_say_how_a_run_ended_and_when_one_last_succeeded() {
    let lab = lab(20);
    job(&lab, "1.csv").run().code(0);
    let first = metrics(&lab);
    let of = |metrics: &BTreeMap<String, String>, name: &str| metrics.get(&format!("kvsweep_{name}")).cloned();
    assert_eq!(of(&first, "last_run_exit_code"), Some("0".to_owned()), "{first:?}");
    assert_eq!(of(&first, "last_run_in_progress"), Some("0".to_owned()));
    assert_eq!(of(&first, "last_run_records{status=\"deleted\"}"), Some("20".to_owned()));
    assert_eq!(of(&first, "last_run_requests"), Some("21".to_owned()));
    assert_eq!(of(&first, "last_success_timestamp_seconds"), of(&first, "last_run_end_timestamp_seconds"));
    let second_of = |name: &str| of(&first, name).and_then(|text| text.parse::<f64>().ok()).expect("a moment");
    assert!(second_of("last_run_start_timestamp_seconds") <= second_of("last_run_end_timestamp_seconds"));
    let mode = std::fs::metadata(lab.path("kvsweep.prom")).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "node_exporter is another user");

    // It fails: the last success stays what it was.
    refusing(&lab, "key:3");
    job(&lab, "2.csv").run().code(3);
    let second = metrics(&lab);
    assert_eq!(of(&second, "last_run_exit_code"), Some("3".to_owned()));
    assert_eq!(of(&second, "last_run_records{status=\"failed\"}"), Some("1".to_owned()));
    assert_eq!(of(&second, "last_success_timestamp_seconds"), of(&first, "last_success_timestamp_seconds"));

    // It is stopped before the first key.
    let unauthorized = job(&lab, "3.csv").env("CLOUDFLARE_API_TOKEN", "wrong-token-9876543210");
    unauthorized.run().code(7);
    let third = metrics(&lab);
    assert_eq!(of(&third, "last_run_exit_code"), Some("7".to_owned()));
    assert_eq!(of(&third, "last_run_stopped{reason=\"unauthorized\"}"), Some("1".to_owned()));
    assert_eq!(of(&third, "last_run_records{status=\"not_attempted\"}"), Some("20".to_owned()));

    // It was not even possible: the report is there already.
    job(&lab, "1.csv").run().code(2);
    let fourth = metrics(&lab);
    assert_eq!(of(&fourth, "last_run_exit_code"), Some("2".to_owned()));
    assert_eq!(of(&fourth, "last_success_timestamp_seconds"), of(&first, "last_success_timestamp_seconds"));
}

#[test]
fn prometheus_own_tool_finds_nothing_wrong_with_the_metrics() {
    let lab = lab(3);
    refusing(&lab, "key:1");
    job(&lab, "report.csv").args(["--max-failures", "1", "--concurrency", "1"]).run().code(8);
    let file = std::fs::File::open(lab.path("kvsweep.prom")).expect("the metrics");
    match Command::new("promtool").args(["check", "metrics"]).stdin(file).output() {
        Ok(checked) => {
            let said =
                String::from_utf8_lossy(&checked.stderr).into_owned() + &String::from_utf8_lossy(&checked.stdout);
            assert!(checked.status.success() && said.is_empty(), "{said}");
        }
        Err(_) => eprintln!("skipped: there is no promtool on this machine"),
    }
}

#[test]
fn the_alert_rules_fire_as_their_test_says() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/schedule");
    for args in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        match Command::new("promtool").args(args).current_dir(&folder).output() {
            Ok(checked) => assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr)),
            Err(_) => eprintln!("skipped: there is no promtool on this machine"),
        }
    }
}

#[test]
fn metrics_are_there_while_it_runs_and_are_not_those_of_a_second_one() {
    let lab = lab(20);
    lab.server.set_faults([Fault::new(When::Key("key:7".to_owned()), What::Hang)]);
    let run = || job(&lab, "report.csv").args(["--resume", "--timeout", "1h", "--grace", "0s"]);
    let running = lab.start("first", run());
    wait_until("all others are deleted", || lab.server.len() == 1 && lab.path("kvsweep.prom").exists());
    let during = metrics(&lab);
    assert_eq!(during["kvsweep_last_run_in_progress"], "1", "{during:?}");
    assert!(!during.contains_key("kvsweep_last_run_exit_code"), "{during:?}");
    run().run().code(11);
    assert_eq!(metrics(&lab)["kvsweep_last_run_in_progress"], "1", "the one that did nothing says nothing");
    running.signal(Signal::TERM);
    running.done().code(143);
    let after = metrics(&lab);
    assert_eq!(after["kvsweep_last_run_exit_code"], "143");
    assert_eq!(after["kvsweep_last_run_records{status=\"unknown\"}"], "1");
    assert_eq!(after["kvsweep_last_run_stopped{reason=\"interrupted\"}"], "1");
    assert!(!after.contains_key("kvsweep_last_success_timestamp_seconds"), "{after:?}");
}

#[test]
fn metrics_that_cannot_be_written_are_said_before_anything_is_sent_or_warned_about() {
    let lab = lab(2);
    for (path, said) in [("none/kvsweep.prom", "the folder none does not exist"), ("kvsweep.txt", "must end in .prom")]
    {
        let done = lab.delete(["keys.txt", "--report", "none", "--metrics-file", path]).run().code(2);
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
    assert_eq!(lab.server.requests(), 0);
    std::fs::create_dir(lab.path("taken.prom")).expect("a folder");
    let done = lab.delete(["keys.txt", "--report", "none", "--metrics-file", "taken.prom"]).run().code(0);
    assert!(done.stderr.contains("warning: the metrics cannot be written to taken.prom"), "{}", done.stderr);
    assert!(lab.server.is_empty(), "and the job was done");
}

/// A run that pings `hook`; checks that the URL is nowhere but there.
fn pinging(lab: &Lab, hook: &Hook, code: i32) -> crate::lab::Done {
    let url = hook.url(&format!("ping/{SECRET}"));
    let args = ["keys.txt", "--report", "report.csv", "--overwrite", "-vvv"];
    let done = lab.delete(args).env("KVSWEEP_PING", url).run().code(code);
    assert!(!done.stderr.contains(SECRET) && !done.stdout.contains(SECRET), "{}{}", done.stdout, done.stderr);
    done
}

#[test]
fn pings_say_that_it_begins_and_how_it_ended_and_name_no_key() {
    let lab = lab(12);
    let hook = Hook::answering(&[(200, "OK")]);
    pinging(&lab, &hook, 0);
    let (start, success) = (format!("/ping/{SECRET}/start"), format!("/ping/{SECRET}"));
    let pings = hook.pings();
    // A job may be over before the first ping was answered; its end is reported all the same, and last, and once more if the
    // response to that is lost.
    let targets: Vec<_> = pings.iter().map(|ping| ping.target.as_str()).collect();
    let ends = targets.strip_prefix(&[start.as_str()]).unwrap_or(&targets);
    assert!(!ends.is_empty() && ends.iter().all(|target| *target == success), "{targets:?}");
    let last = pings.last().expect("a ping");
    assert!(last.body.contains("deleted  12") && last.body.contains("exit code 0"), "{}", last.body);

    refusing(&lab, "key:5");
    pinging(&lab, &hook, 3);
    let last = hook.pings().pop().expect("a ping");
    assert_eq!((last.method.as_str(), last.target), ("POST", format!("/ping/{SECRET}/3")));
    assert!(last.body.contains("failed") && !last.body.contains("key:") && !last.body.contains("not this one"));
    let requests = lab.server.requests();
    assert_eq!(requests, 2 * (1 + 12), "pings are no requests of the job");

    // What was wrong with the command is reported, too.
    lab.write("keys.csv", "other\na\n");
    let run = lab.delete(["keys.csv", "--column", "key", "--report", "none", "--ping", &hook.url(SECRET)]);
    run.run().code(2);
    assert_eq!(hook.pings().pop().map(|ping| ping.target), Some(format!("/{SECRET}/2")));
}

#[test]
fn the_first_ping_arrives_while_the_job_goes_on() {
    let lab = lab(3);
    lab.server.set_faults([Fault::new(When::Key("key:1".to_owned()), What::Hang)]);
    let hook = Hook::answering(&[(200, "OK")]);
    let args = ["keys.txt", "--report", "report.csv", "--timeout", "1h", "--grace", "0s", "--ping", &hook.url("x")];
    let running = lab.start("run", lab.delete(args));
    let mut pings = Vec::new();
    wait_until("the start is pinged", || {
        pings.extend(hook.pings());
        !pings.is_empty()
    });
    assert_eq!(pings[0].target, "/x/start");
    wait_until("the others are deleted", || lab.server.len() == 1);
    running.signal(Signal::INT);
    running.done().code(130);
    assert_eq!(hook.pings().last().map(|ping| ping.target.clone()), Some("/x/130".to_owned()));
}

#[test]
fn a_ping_that_fails_is_a_warning() {
    let lab = lab(2);
    let secret_in_answer = format!("no such check: {SECRET}");
    for (answers, said) in [
        (&[(404, "not found")][..], "the server responded with 404: not found"),
        (&[(404, secret_in_answer.as_str())], "the server responded with 404\n"),
        (&[(200, "OK (not found)")], "the server responded with 200: OK (not found)"),
        (&[(301, "")], "the server responded with 301\n"),
    ] {
        let hook = Hook::answering(answers);
        let done = pinging(&lab, &hook, 0);
        let warning =
            done.stderr.lines().filter(|line| line.contains("warning: ")).collect::<Vec<_>>().join("\n") + "\n";
        assert!(warning.contains("the ping to 127.0.0.1 failed: ") && warning.contains(said), "{}", done.stderr);
    }
    // What may pass is tried again.
    let hook = Hook::answering(&[(503, ""), (503, ""), (200, "OK")]);
    let done = pinging(&lab, &hook, 0);
    assert!(!done.stderr.contains("failed: "), "{}", done.stderr);
    let pings = hook.pings();
    assert_eq!(pings.last().map(|ping| ping.target.clone()), Some(format!("/ping/{SECRET}")));
    assert!(pings.len() >= 3, "{pings:?}");
    // Nobody is there.
    let nobody = "http://127.0.0.1:9/nobody-is-there";
    let done = lab.delete(["keys.txt", "--report", "none", "--ping", nobody]).run().code(0);
    assert!(done.stderr.contains("warning: the ping to 127.0.0.1 failed"), "{}", done.stderr);
    assert!(!done.stderr.contains("nobody-is-there"), "{}", done.stderr);
}

#[test]
fn a_ping_that_is_not_answered_does_not_hold_the_process_for_long() {
    let lab = lab(2);
    let hook = Hook::answering(&[(0, "")]);
    let running = lab.start("run", lab.delete(["keys.txt", "--report", "none", "--ping", &hook.url(SECRET)]));
    let mut pings = Vec::new();
    wait_until("the end is pinged", || {
        pings.extend(hook.pings());
        pings.iter().any(|ping| ping.target == format!("/{SECRET}"))
    });
    // Ctrl-C ends the wait, and the job's code is what it was.
    let mut running = running;
    wait_until("it listens, and ends", || {
        running.signal(Signal::INT);
        running.has_ended()
    });
    let done = running.done().code(0);
    assert!(done.stderr.contains("a signal came first"), "{}", done.stderr);
}

#[test]
fn a_url_that_cannot_be_pinged_is_refused_and_not_repeated() {
    let lab = lab(2);
    for bad in [SECRET.to_owned(), format!("ftp://{SECRET}/x"), format!("https://h/#{SECRET}")] {
        for run in [lab.delete(["keys.txt", "--ping", &bad]), lab.delete(["keys.txt"]).env("KVSWEEP_PING", &bad)] {
            let done = run.run().code(2);
            assert!(!done.stderr.contains(SECRET) && done.stderr.contains("--ping (KVSWEEP_PING)"), "{}", done.stderr);
        }
    }
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn a_dry_run_and_a_rehearsal_pass_for_nothing() {
    let lab = lab(2);
    let hook = Hook::answering(&[(200, "OK")]);
    for mode in ["--dry-run", "--sandbox"] {
        for flags in [["--metrics-file", "kvsweep.prom"], ["--ping", &hook.url("x")]] {
            let done = lab.delete(["keys.txt", mode]).args(flags).run().code(2);
            assert!(done.stderr.contains(&format!("cannot be used with {mode}")), "{}", done.stderr);
        }
        // Where the environment is that of the real job.
        let run = lab.delete(["keys.txt", mode, "--report", "none"]).env("KVSWEEP_PING", hook.url("x"));
        run.env("KVSWEEP_METRICS_FILE", "kvsweep.prom").env("KVSWEEP_JOB_NAME", "nightly").run().code(0);
    }
    assert!(!lab.path("kvsweep.prom").exists() && hook.pings().is_empty());
    assert_eq!(lab.server.requests(), 0);
}

#[test]
fn quiet_is_silent_unless_something_failed() {
    let lab = Lab::with(SandboxOptions {
        latency: Some((Duration::ZERO, Duration::from_millis(2))),
        ..SandboxOptions::default()
    });
    lab.keys(6);
    // A warning (no header), a retry, a 429 and a default report: nothing that a mail is sent for.
    lab.write("keys.csv", "key:0\nkey:1\nkey:2\n");
    let throttled = Canned::error(429, 10_000, "slow down").with_header("retry-after", "0");
    lab.server.set_faults([
        Fault::new(When::Nth(1..=1), Canned::error(503, None, "busy").into()),
        Fault::new(When::Nth(2..=2), throttled.into()),
    ]);
    for args in [&["keys.csv", "-q"][..], &["keys.txt", "--quiet", "--dry-run"]] {
        let done = lab.delete(args).run().code(0);
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""), "{args:?}");
    }
    let done = lab.delete(["-q", "--prefix", "key:", "--report", "none"]).run().code(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    assert!(lab.server.is_empty());

    lab.keys(6);
    refusing(&lab, "key:3");
    let done = lab.delete(["keys.txt", "-q", "--report", "failed.csv"]).run().code(3);
    let said = format!("{}{}", done.stdout, done.stderr);
    for part in ["deleted  5", "failed   1", "report: failed.csv", "--resume"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let done = lab.delete(["keys.txt", "-q", "--report", "failed.csv"]).run().code(2);
    assert!(done.stderr.contains("exists"), "{}", done.stderr);
    let done = lab.delete(["keys.txt", "-q", "--report", "none"]).env("CLOUDFLARE_API_TOKEN", "wrong-token-98765");
    let done = done.run().code(7);
    assert!(done.stderr.contains("error: the credentials were refused"), "{}", done.stderr);
}

/// A job that cannot begin, and whether its namespace is known by then.
type Unusable = (&'static [&'static str], &'static [(&'static str, &'static str)], bool);

#[test]
fn a_job_whose_settings_or_command_line_cannot_be_used_is_reported_too() {
    let lab = lab(3);
    lab.write("b.ndjson", "{\"key\":\"a\",\"value\":\"v\"}\n");
    lab.write("bad.toml", "[profile.p]\nmax-keys = 'x'\n");
    let cases: [Unusable; 11] = [
        (&["delete", "keys.txt", "--protect-from", "nosuch"], &[], true),
        (&["delete", "keys.txt", "--api-token-file", "nosuch"], &[], true),
        (&["delete", "keys.txt"], &[("KVSWEEP_PROTECT", "")], true),
        (&["delete", "keys.txt", "--shard", "auto/3"], &[], false),
        (&["delete", "keys.txt", "--binding", "NONE"], &[], false),
        (&["delete", "keys.txt"], &[("KVSWEEP_MAX_KEYS", "")], true),
        (&["delete", "keys.txt"], &[("KVSWEEP_DRY_RUN", "")], true),
        (&["delete", "keys.txt", "--protect", "a{", "--max-keys", "many"], &[], true),
        (&["delete", "keys.txt", "--config", "bad.toml", "--profile", "p"], &[], true),
        (&["restore", "b.ndjson", "--retries", "many"], &[], true),
        (&["restore", "b.ndjson"], &[("CLOUDFLARE_API_TOKEN", "two words")], true),
    ];
    for (args, variables, has_metrics) in cases {
        let hook = Hook::answering(&[(200, "OK")]);
        let run = || {
            let run = lab.kvsweep(args).args(["--yes", "--report", "none"]);
            variables.iter().fold(run, |run, (name, value)| run.env(name, value))
        };
        let job = ["--metrics-file", "kvsweep.prom", "--job-name", "nightly", "--ping", &hook.url("x")];
        run().args(job).run().code(2);
        assert_eq!(hook.pings().iter().map(|ping| ping.target.as_str()).collect::<Vec<_>>(), ["/x/2"], "{args:?}");
        assert_eq!(lab.path("kvsweep.prom").exists(), has_metrics, "{args:?}");
        if has_metrics {
            assert_eq!(metrics(&lab)["kvsweep_last_run_exit_code"], "2", "{args:?}");
            std::fs::remove_file(lab.path("kvsweep.prom")).expect("a file");
        }
        // From the environment, whatever is wrong before them.
        let hook = Hook::answering(&[(200, "OK")]);
        let of_environment = run().arg("--no-such-flag").env("KVSWEEP_PING", hook.url("y"));
        of_environment.env("KVSWEEP_METRICS_FILE", "kvsweep.prom").run().code(2);
        assert_eq!(hook.pings().last().map(|ping| ping.target.clone()), Some("/y/2".to_owned()), "{args:?}");
        let _ = std::fs::remove_file(lab.path("kvsweep.prom"));
        // A dry run is not monitored, whatever becomes of it, and help is no job.
        let hook = Hook::answering(&[(200, "OK")]);
        for quiet in [&["--no-such-flag", "--dry-run"][..], &["--help"]] {
            let run = run().args(quiet).env("KVSWEEP_PING", hook.url("z")).env("KVSWEEP_DRY_RUN", "1");
            run.env("KVSWEEP_METRICS_FILE", "kvsweep.prom").run();
        }
        assert!(hook.pings().is_empty() && !lab.path("kvsweep.prom").exists(), "{args:?}");
    }
    assert_eq!(lab.server.requests(), 0);
}
