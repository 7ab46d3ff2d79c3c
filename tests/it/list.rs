//! A namespace is listed exactly, whatever interrupts it, and what is listed can be deleted.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use kvsweep::sandbox::{Fault, Quota, SandboxOptions, Stored};
use rustix::process::Signal;

use crate::lab::{Kvsweep, Lab, wait_until};

fn list(lab: &Lab, args: &[&str]) -> Kvsweep {
    lab.kvsweep(["list", "--rate", "none"]).args(args)
}

/// 25,000 keys under `tmp:`, with awkward ones among them, and some others.
fn filled(options: SandboxOptions) -> (Lab, Vec<String>) {
    let lab = Lab::with(options);
    let awkward =
        ["a/b?c#d", "é \u{301}", "%2e%2e", "{\"a\":1}", "x,key", "quote\"", " ", "🔑\t", "c\u{85}d", "..", "a&b=+"];
    let mut names: Vec<String> = (0..24_989).map(|index| format!("tmp:{index}")).collect();
    names.extend(awkward.map(|name| format!("tmp:{name}")));
    names.sort();
    lab.server.preload(names.iter().map(String::as_str).chain(["keep", "tmp", "tmq:"]));
    (lab, names)
}

fn names_of(csv: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.records().map(|row| row.expect("a row")[0].to_owned()).collect()
}

#[test]
fn a_listing_through_throttling_and_errors_is_exact() {
    let options = SandboxOptions {
        quotas: vec![Quota::sliding(12, Duration::from_secs(1))],
        faults: ["503@nth:3-4", "reset@nth:6", "truncate@nth:8"]
            .map(|fault| fault.parse::<Fault>().expect("a fault"))
            .into(),
        ..SandboxOptions::default()
    };
    let (lab, names) = filled(options);
    let done = list(&lab, &["--prefix", "tmp:"]).run().code(0);
    assert_eq!(done.stdout.lines().collect::<Vec<_>>().len(), 25_000);
    assert_eq!(done.stdout, names.join("\n") + "\n");
    assert!(done.stderr.contains("listed 25,000 keys in "), "{}", done.stderr);
}

#[test]
fn what_is_listed_is_deleted_through_a_pipe() {
    for format in ["lines", "csv", "ndjson"] {
        // A name with a line end is one more than lines can hold.
        let lab = if format == "lines" { filled(SandboxOptions::default()).0 } else { Lab::new() };
        if format != "lines" {
            lab.server.preload(["keep", "tmp", "tmq:", "tmp:1", "tmp:a\nb", "tmp:\"q\",x", "tmp:c\r"]);
        }
        let mut listing = list(&lab, &["--prefix", "tmp:", "--format", format]).spawn(Stdio::null());
        let stdout = listing.stdout.take().expect("a pipe");
        let args = ["-", "--report", "report.csv", "--concurrency", "64", "-q"];
        lab.start_with("delete", lab.delete(args), stdout.into()).done().code(0);
        assert!(listing.wait().expect("it ends").success());
        assert_eq!(lab.server.keys(), ["keep", "tmp", "tmq:"], "{format}");
        assert_eq!(lab.server.namespaces_deleted(), 0);
    }
}

#[test]
fn a_name_that_is_no_line_is_left_out_and_said() {
    let lab = Lab::new();
    lab.server.preload(["a", "b\nc", "d\r", "f\rg", "{\"e\":1}"]);
    let done = list(&lab, &[]).run().code(3);
    assert_eq!(done.stdout, "a\n{\"e\":1}\n");
    assert!(done.stderr.contains("3 names") && done.stderr.contains("--format csv"), "{}", done.stderr);
    let done = list(&lab, &["--format", "csv"]).run().code(0);
    assert_eq!(names_of(&done.stdout), ["a", "b\nc", "d\r", "f\rg", "{\"e\":1}"]);
    let done = list(&lab, &["--prefix", "{"]).run().code(1);
    assert_eq!(done.stdout, "");
    assert!(done.stderr.contains("read as another format"), "{}", done.stderr);
}

#[test]
fn keys_are_selected() {
    let lab = Lab::new();
    let stored = |expiration, metadata: &str| Stored {
        expiration,
        metadata: serde_json::from_str(metadata).ok(),
        ..Stored::new("v")
    };
    lab.server.put_stored("a:1", stored(Some(4_102_444_800), r#"{"team":"web"}"#));
    lab.server.put_stored("a:2", stored(None, r#"{"team":"ops"}"#));
    lab.server.preload(["b:1", "c"]);
    for (args, wanted) in [
        (&["--prefix", "a:", "--prefix", "b", "--prefix", "a:1"][..], "a:1\na:2\nb:1\n"),
        (&["--only", "*:*", "--protect", "b*"], "a:1\na:2\n"),
        (&["--expiring-before", "2100-01-01T00:00:01Z"], "a:1\n"),
        (&["--expiring-before", "7d"], ""),
        (&["--without-expiration"], "a:2\nb:1\nc\n"),
        (&["--metadata", "team=web"], "a:1\n"),
    ] {
        assert_eq!(list(&lab, args).run().code(0).stdout, wanted, "{args:?}");
    }
    let done = list(&lab, &["--format", "ndjson", "--prefix", "a:1"]).run().code(0);
    assert_eq!(done.stdout, "{\"name\":\"a:1\",\"expiration\":4102444800,\"metadata\":{\"team\":\"web\"}}\n");
}

const FILE: [&str; 6] = ["--prefix", "tmp:", "--output", "keys.csv", "--progress", "never"];

fn slow() -> SandboxOptions {
    let latency = Duration::from_millis(20);
    SandboxOptions { latency: Some((latency, latency)), ..SandboxOptions::default() }
}

#[test]
fn a_killed_listing_goes_on_without_losing_or_doubling_a_name() {
    let (lab, names) = filled(slow());
    for pages in [3, 9, 17] {
        let run = lab.start("run", list(&lab, &FILE).arg("--resume"));
        wait_until("some pages were asked for", || lab.server.requests() >= pages);
        run.kill();
        assert!(lab.path("keys.csv.cursor").exists());
        // What a page that was not finished leaves.
        let torn = lab.read("keys.csv") + "tmp:torn,\"";
        lab.write("keys.csv", torn);
    }
    list(&lab, &FILE).run().code(2);
    list(&lab, &[&FILE[..], &["--resume", "--only", "x*"]].concat()).run().code(2);
    let done = list(&lab, &FILE).args(["--resume", "--json"]).run().code(0);
    assert_eq!(done.summary()["listed"], 25_000);
    assert_eq!(names_of(&lab.read("keys.csv")), names);
    assert!(!lab.path("keys.csv.cursor").exists());
    assert!(lab.server.requests() <= 25 + 3 + 1, "{} requests", lab.server.requests());
    list(&lab, &FILE).arg("--resume").run().code(2);
    list(&lab, &FILE).arg("--overwrite").run().code(0);
    assert_eq!(names_of(&lab.read("keys.csv")), names);
}

#[test]
fn a_listing_whose_file_was_removed_starts_from_scratch() {
    let (lab, names) = filled(slow());
    let run = lab.start("run", list(&lab, &FILE).arg("--resume"));
    wait_until("some pages were asked for", || lab.server.requests() >= 3);
    run.kill();
    std::fs::remove_file(lab.path("keys.csv")).expect("a file");
    list(&lab, &FILE).arg("--resume").run().code(0);
    assert_eq!(names_of(&lab.read("keys.csv")), names);
    assert!(!lab.path("keys.csv.cursor").exists());
}

#[test]
fn a_signal_ends_it_and_says_how_to_go_on_even_with_an_expired_cursor() {
    let (lab, names) = filled(slow());
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let asked = lab.server.requests();
        let run = lab.start("run", list(&lab, &FILE).arg("--resume"));
        wait_until("some pages were asked for", || lab.server.requests() >= asked + 3);
        run.signal(signal);
        let done = run.done().code(code);
        assert!(done.stderr.contains("--resume"), "{}", done.stderr);
    }
    let before = lab.server.requests();
    lab.server.set_faults(["400@nth:1".parse::<Fault>().expect("a fault")]);
    let done = list(&lab, &FILE).arg("--resume").run().code(0);
    assert!(done.stderr.contains("no longer accepts the cursor"), "{}", done.stderr);
    assert_eq!(lab.server.requests() - before, 26);
    assert_eq!(names_of(&lab.read("keys.csv")), names);
}

#[test]
fn a_cursor_that_the_server_cannot_read_ends_nothing_early() {
    // What the sandbox reads as a place before and one behind all names: its cursors are names in Base64, here `a` and `zzz`.
    for (cursor, why) in [("YQ", "it leads back to what is listed"), ("enp6", "it leads to the end at once")] {
        let (lab, names) = filled(slow());
        let run = lab.start("run", list(&lab, &FILE).arg("--resume"));
        wait_until("some pages are kept", || lab.path("keys.csv.cursor").exists() && lab.server.requests() >= 3);
        run.kill();
        let mut kept: serde_json::Value = serde_json::from_str(&lab.read("keys.csv.cursor")).expect("a checkpoint");
        kept["position"]["cursor"] = cursor.into();
        lab.write("keys.csv.cursor", kept.to_string());
        let done = list(&lab, &FILE).arg("--resume").run().code(0);
        assert!(done.stderr.contains(why), "{}", done.stderr);
        assert_eq!(names_of(&lab.read("keys.csv")), names, "{cursor}");
    }
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let (lab, _) = filled(SandboxOptions::default());
    let mut child = list(&lab, &[]).spawn(Stdio::null());
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("a line");
    drop(stdout);
    let done = child.wait_with_output().expect("it ends");
    assert_eq!((done.status.code(), first.as_str()), (Some(0), "keep\n"));
    assert_eq!(String::from_utf8_lossy(&done.stderr), "");
}

#[test]
fn what_cannot_be_is_refused() {
    let lab = Lab::new();
    for args in [
        &["--resume"][..],
        &["--json"],
        &["--output", "x.json"],
        &["--output", "x.csv", "--format", "lines"],
        &["--expiring-before", "7d", "--without-expiration"],
        &["--prefix", ""],
        &["--prefix", "a", "--prefix="],
        &["--only", ""],
        &["--metadata", ""],
    ] {
        list(&lab, args).run().code(2);
    }
    assert_eq!(lab.server.requests(), 0);
    list(&lab, &[]).env("CLOUDFLARE_API_TOKEN", "wrong-token").run().code(7);
}
