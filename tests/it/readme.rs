//! What the README, the reference and the samples say is what the program does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin;
use kvsweep::internals::ExitCode;
use kvsweep::sandbox::{Canned, Fault, SandboxOptions, When};

use crate::lab::{ACCOUNT, Kvsweep, Lab, NAMESPACE, TOKEN};

/// Flags of earlier versions, which the changelog still names.
const REMOVED_FLAGS: [&str; 6] =
    ["--legacy-bulk", "--batch-size", "--bulk-endpoint", "--max-outage", "--max-pause", "--shards"];

/// What belongs to cargo and kubectl in the commands of the pages.
const FLAGS_OF_OTHERS: [&str; 6] = ["--release", "--path", "--open", "--from-file", "--from", "--follow"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("README.md")
}

fn reference() -> String {
    std::fs::read_to_string(root().join("docs/reference.md")).expect("docs/reference.md")
}

/// A lab with a copy of the samples, so that nothing is left in the tree.
fn lab_with_samples(options: SandboxOptions) -> Lab {
    let lab = Lab::with(options);
    std::fs::create_dir(lab.path("samples")).expect("a folder");
    for sample in samples() {
        let name = format!("samples/{}", sample.file_name().expect("a name").to_str().expect("UTF-8"));
        std::fs::copy(&sample, lab.path(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    lab
}

fn samples() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("samples")).expect("samples");
    folder.map(|entry| entry.expect("a sample").path()).filter(|path| path.is_file()).collect()
}

fn help(args: &[&str]) -> String {
    let done = Kvsweep::new(cargo_bin("kvsweep"), root()).args(args).run().code(0);
    assert_eq!(done.stderr, "");
    done.stdout
}

/// Every `--flag` of a text.
fn flags(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| word.len() > 3 && word.starts_with("--") && !word.ends_with('-')).collect()
}

/// The numbers of a text's first cell or word, where it begins with one: `129, 130` are two.
fn leading_codes(line: &str) -> Vec<u8> {
    let cell = line.trim_start_matches(['|', ' ']);
    let end = cell.find(|c: char| !(c.is_ascii_digit() || c == ',' || c == ' ')).unwrap_or(cell.len());
    cell[..end].split(',').filter_map(|code| code.trim().parse().ok()).collect()
}

/// The lines below a heading, to the next empty line behind at least one of them.
fn paragraph<'a>(text: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect()
}

#[test]
fn the_readme_is_short() {
    let words = readme().split_whitespace().count();
    assert!(words <= 600, "{words} words");
}

#[test]
fn help_fits_one_screen() {
    for args in [
        &["-h"][..],
        &["delete", "-h"],
        &["list", "-h"],
        &["restore", "-h"],
        &["report", "-h"],
        &["namespaces", "-h"],
        &["whoami", "-h"],
        &["config", "-h"],
        &["config", "show", "-h"],
        &["sandbox", "-h"],
        &["completions", "-h"],
        &["man", "-h"],
    ] {
        let help = help(args);
        assert!(help.lines().count() <= 40, "{args:?}:\n{help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{args:?}: {line}");
        }
    }
}

#[test]
fn every_flag_of_the_documents_exists() {
    let commands = ["delete", "list", "restore", "report", "namespaces", "whoami", "sandbox", "completions", "man"]
        .map(|command| help(&[command, "--help"]));
    let help = commands.join("\n") + &help(&["--help"]);
    let known = flags(&help);
    for name in [
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "docs/reference.md",
        "docs/profiles.md",
        "docs/recipes.md",
        "docs/troubleshooting.md",
        "samples/cron.sh",
        "samples/schedule/README.md",
    ] {
        let text = std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let is_known =
            |flag: &&str| FLAGS_OF_OTHERS.contains(flag) || (name == "CHANGELOG.md" && REMOVED_FLAGS.contains(flag));
        let named: BTreeSet<&str> = flags(&text).into_iter().filter(|flag| !is_known(flag)).collect();
        assert!(!named.is_empty(), "{name}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}

#[test]
fn the_exit_codes_are_the_same_in_reference_help_and_program() {
    let program = [
        ExitCode::Success,
        ExitCode::Error,
        ExitCode::Usage,
        ExitCode::Incomplete,
        ExitCode::Stopped,
        ExitCode::Fatal,
        ExitCode::Guard,
        ExitCode::Locked,
        ExitCode::HungUp,
        ExitCode::Interrupted,
        ExitCode::Terminated,
    ]
    .map(ExitCode::as_u8);
    let codes = |lines: Vec<&str>| lines.into_iter().flat_map(leading_codes).collect::<Vec<u8>>();
    assert_eq!(codes(paragraph(&reference(), "## Exit codes")), program);
    assert_eq!(codes(paragraph(&help(&["--help"]), "Exit codes:")), program);
}

#[test]
fn the_reference_names_the_columns_and_statuses_of_reports() {
    let reference = reference();
    assert!(reference.contains("`record,key,status,http_status,error_code,error,attempts,elapsed_ms,finished_at`"));
    for status in kvsweep::Status::ALL {
        assert!(reference.contains(&format!("| `{status}` |")), "{status}");
    }
}

#[test]
fn every_sample_is_in_the_reference_and_read_as_it_says() {
    let (reference, lab) = (reference(), lab_with_samples(SandboxOptions::default()));
    for sample in samples() {
        let name = sample.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        let path = format!("samples/{name}");
        assert!(reference.contains(&format!("`{name}`")) || reference.contains(&path), "{name}");
        if name == "cron.sh" || name == "kvsweep.toml" {
            continue;
        }
        let done = lab.kvsweep(["delete", &path, "--dry-run", "--json"]).run();
        let (code, summary) = (done.status.code(), done.summary());
        let planned = &summary["planned"];
        match name {
            "messy.csv" => {
                let (records, invalid) = (&summary["records"], &summary["invalid"]);
                let said = format!("of {records} records {planned} are planned, {invalid} invalid, 1 is a duplicate");
                assert!(reference.contains(&said), "{said}");
                assert_eq!((code, &summary["duplicate"]), (Some(3), &1.into()));
            }
            "unclosed.csv" => {
                assert!(reference.contains(&format!("the {planned} key before it")), "{summary}");
                assert_eq!(code, Some(1));
            }
            _ => {
                let said = format!("`{name}`: {planned} keys");
                assert!(reference.contains(&said), "{said}");
                assert_eq!((code, &summary["records"]), (Some(0), planned), "{name}");
            }
        }
    }
    assert_eq!(lab.server.requests(), 0, "a dry run sends nothing");
}

/// A summary without what differs from run to run: the time, the speed and the moment in the report's name.
fn timeless(text: &str) -> String {
    let mut out = Vec::new();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        let line = match line.split_once(" records in ") {
            Some((records, rest)) => format!("{records} records in # {}", rest.rsplit("; ").next().unwrap_or_default()),
            None if line.starts_with("report: kvsweep-rehearsal-") => "report: #".to_owned(),
            None => line.to_owned(),
        };
        out.push(line);
    }
    out.join("\n")
}

#[test]
fn the_run_in_the_readme_is_a_real_one() {
    let readme = readme();
    assert!(readme.contains("cargo run --release -- delete samples/keys.csv --sandbox"));
    let shown = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a pasted run");
    let lab = lab_with_samples(SandboxOptions::default());
    let done = Kvsweep::new(cargo_bin("kvsweep"), lab.folder());
    let done = done.args(["delete", "samples/keys.csv", "--sandbox"]).run().code(0);
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(timeless(&said).ends_with(&timeless(shown)), "README:\n{shown}\nprogram:\n{said}");
}

/// `samples/cron.sh` over a list of its own, with the lab's server.
fn cron(lab: &Lab, list: &str) -> Kvsweep {
    Kvsweep::new(PathBuf::from("sh"), lab.folder())
        .args(["samples/cron.sh", list, "kept", "--rate", "none", "--retries", "0"])
        .env("KVSWEEP", cargo_bin("kvsweep").to_str().expect("UTF-8"))
        .env("CLOUDFLARE_API_TOKEN", TOKEN)
        .env("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
        .env("CLOUDFLARE_KV_NAMESPACE_ID", NAMESPACE)
        .env("CLOUDFLARE_API_BASE_URL", lab.server.base_url())
}

/// The keys that were asked for.
fn asked(lab: &Lab) -> BTreeSet<String> {
    lab.deletes().into_iter().filter_map(|entry| entry.key).collect()
}

fn kept(lab: &Lab, prefix: &str) -> usize {
    let folder = std::fs::read_dir(lab.path("kept")).expect("the script's folder");
    let names = folder.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(prefix) && !name.ends_with(".job.json")).count()
}

fn lab_for_cron() -> Lab {
    let lab = lab_with_samples(SandboxOptions::default());
    lab.write("list.txt", "one\ntwo\nthree\n");
    lab.server.preload(["one", "two", "three", "keep"]);
    lab
}

#[test]
fn the_cron_script_parses() {
    Kvsweep::new(PathBuf::from("sh"), root()).args(["-n", "samples/cron.sh"]).run().code(0);
}

#[test]
fn the_cron_script_does_a_day_once() {
    let lab = lab_for_cron();
    cron(&lab, "list.txt").run().code(0);
    assert_eq!(lab.server.keys(), ["keep"]);
    assert_eq!((kept(&lab, "done-"), kept(&lab, "report-")), (1, 1));
    let requests = lab.server.requests();
    // Unless midnight passes between the two, the day is done; if it does, the keys are gone all the same.
    cron(&lab, "list.txt").run().code(0);
    if kept(&lab, "done-") == 1 {
        assert_eq!(lab.server.requests(), requests, "a day that is done costs nothing");
    }
}

#[test]
fn the_cron_script_goes_on_with_a_day_that_was_stopped() {
    let lab = lab_for_cron();
    let spent = Canned::error(429, 10048, "the daily limit is spent");
    lab.server.set_faults([Fault::new(When::Key("two".to_owned()), spent.into())]);
    let done = cron(&lab, "list.txt").args(["--concurrency", "1"]).run().code(5);
    assert!(done.stderr.contains("stopped early; the next run resumes it"), "{}", done.stderr);
    assert_eq!(kept(&lab, "done-"), 0);
    assert_eq!(asked(&lab), BTreeSet::from(["one".to_owned(), "two".to_owned()]));
    // The list is another by now; the day goes on with its own copy.
    lab.write("list.txt", "keep\n");
    lab.server.set_faults([]);
    cron(&lab, "list.txt").run().code(0);
    assert_eq!(lab.deletes().iter().filter(|entry| entry.key.as_deref() == Some("one")).count(), 1);
    assert!(!lab.server.contains("two") && !lab.server.contains("three"));
    assert!(kept(&lab, "keys-") > 1 || lab.server.contains("keep"));
}

#[test]
fn a_stopped_day_is_finished_before_the_next_one_begins() {
    let lab = lab_for_cron();
    std::fs::create_dir(lab.path("kept")).expect("the script's folder");
    lab.write("kept/keys-20260101.txt", "two\n");
    let spent = Canned::error(429, 10048, "the daily limit is spent");
    lab.server.set_faults([Fault::new(When::Key("two".to_owned()), spent.into())]);
    cron(&lab, "list.txt").run().code(5);
    assert_eq!((asked(&lab), kept(&lab, "done-")), (BTreeSet::from(["two".to_owned()]), 0));
    lab.server.set_faults([]);
    cron(&lab, "list.txt").run().code(0);
    assert_eq!((lab.server.keys(), kept(&lab, "done-")), (vec!["keep".to_owned()], 2));
}

#[test]
fn a_bad_day_does_not_block_the_next_one() {
    let lab = lab_for_cron();
    std::fs::create_dir(lab.path("kept")).expect("the script's folder");
    // No column of it is known to hold the keys, and the quote of the other is never closed.
    lab.write("kept/keys-20260101.csv", "id,owner\n1,keep\n");
    lab.write("kept/keys-20260102.csv", "key\n\"keep\n");
    for _ in 0..2 {
        let done = cron(&lab, "list.txt").run();
        assert!(matches!(done.status.code(), Some(1 | 2)), "{}", done.stderr);
        for day in ["20260101", "20260102"] {
            assert!(done.stderr.contains(&format!("{day}: kvsweep ended with code")), "{}", done.stderr);
        }
        assert_eq!((kept(&lab, "done-2026010"), lab.server.keys()), (0, vec!["keep".to_owned()]));
        assert!(kept(&lab, "done-") > 0);
    }
    // Without today's list the days before have their turn.
    lab.write("kept/keys-20260101.csv", "key\nkeep\n");
    let done = cron(&lab, "missing.txt").run();
    assert_eq!(kept(&lab, "done-20260101"), 1, "{}", done.stderr);
}

#[test]
fn the_cron_script_tries_what_failed_once_more() {
    let lab = lab_for_cron();
    lab.server
        .set_faults([Fault::new(When::Key("two".to_owned()), Canned::error(400, 10001, "not now").into()).times(1)]);
    cron(&lab, "list.txt").run().code(0);
    assert_eq!(lab.server.keys(), ["keep"]);
    let asked = |key| lab.deletes().iter().filter(|entry| entry.key.as_deref() == Some(key)).count();
    assert_eq!((asked("one"), asked("two"), asked("three")), (1, 2, 1));
}

#[test]
fn the_cron_script_takes_a_list_without_an_extension() {
    for list in ["list", "a.folder/list", ".list", "list.keys.txt"] {
        let lab = lab_for_cron();
        std::fs::create_dir(lab.path("a.folder")).expect("a folder");
        lab.write(list, "one\ntwo\nthree\n");
        cron(&lab, list).run().code(0);
        assert_eq!((lab.server.keys(), kept(&lab, "done-")), (vec!["keep".to_owned()], 1), "{list}");
    }
}

#[test]
fn the_cron_script_says_which_keys_are_left() {
    let lab = lab_for_cron();
    let refused = Canned::error(400, 10001, "not this one");
    lab.server.set_faults([Fault::new(When::Key("two".to_owned()), refused.into())]);
    let done = cron(&lab, "list.txt").run().code(3);
    assert!(done.stderr.contains("some keys are not deleted"), "{}", done.stderr);
    assert_eq!((kept(&lab, "done-"), kept(&lab, "failures-")), (1, 1));
    assert_eq!(lab.server.keys(), ["keep", "two"]);
}
