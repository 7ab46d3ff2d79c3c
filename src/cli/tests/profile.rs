//! What a profile adds to a command line.

use std::path::Path;

use super::*;
use crate::cli::profile::AppliedProfile;
use crate::cli::value::bulk;
use crate::pipeline::{Batching, FailureLimit};
use crate::profile::SETTINGS;
use crate::report::Target;

/// Flags that no profile can set, with the reason: a file must not choose what is deleted, nor agree to it; what is
/// about one run alone is said for that run.
const NEVER: [&str; 31] = [
    "preview",
    "check",
    "format",
    "column",
    "no-header",
    "delimiter",
    "no-dedupe",
    "prefix",
    "all",
    "expiring-before",
    "without-expiration",
    "metadata",
    "dry-run",
    "sandbox",
    "yes",
    "expect",
    "allow-protected",
    "resume",
    "overwrite",
    "json",
    "shard",
    "metrics-file",
    "job-name",
    "ping",
    "no-bulk",
    "profile",
    "config",
    "quiet",
    "verbose",
    "help",
    "api-token",
];

/// A folder with a `k.toml`.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("k.toml"), text).unwrap();
        Self(folder)
    }

    fn file(&self) -> String {
        self.0.path().join("k.toml").to_str().unwrap().to_owned()
    }

    fn parse(&self, words: &[&str]) -> Result<Cli, clap::Error> {
        let file = self.file();
        let words: Vec<&str> = words.iter().copied().chain(["--config", &file, "--profile", "p"]).collect();
        parse_in(&words, &SearchPaths::nowhere())
    }

    fn delete(&self, words: &[&str]) -> (DeleteArgs, AppliedProfile) {
        let words: Vec<&str> = std::iter::once("delete").chain(words.iter().copied()).collect();
        let cli = self.parse(&words).unwrap();
        match cli.command {
            Command::Delete(delete) => (*delete, *cli.used.unwrap()),
            other => panic!("not a delete: {other:?}"),
        }
    }

    fn error(&self, words: &[&str]) -> String {
        let error = self.parse(words).unwrap_err();
        assert_eq!(crate::exit::ExitCode::for_usage(&error).as_u8(), 2);
        error.to_string().replace(&self.file(), "k.toml")
    }
}

#[test]
fn every_flag_of_delete_is_a_setting_or_is_known_not_to_be_one() {
    let command = deaf();
    let delete = command.find_subcommand("delete").unwrap();
    for long in delete.get_arguments().filter_map(clap::Arg::get_long) {
        let is_setting = SETTINGS.iter().any(|setting| setting.name == long);
        assert_ne!(is_setting, NEVER.contains(&long), "{long}");
    }
    for setting in SETTINGS {
        assert!(delete.get_arguments().any(|arg| arg.get_long() == Some(setting.name)), "{}", setting.name);
    }
}

#[test]
fn a_profile_gives_what_no_flag_gives() {
    let folder = Folder::new(
        "[profile.p]\naccount-id = 'acc'\nnamespace = 'sessions'\nrate = ['5/1s', '7/1m']\nretries = 3\nbulk = 50\n\
         max-failures = '5%'\nreport = 'r/{profile}.csv'\nmax-keys = 1_000\ntimeout = '3s'\n",
    );
    let (args, used) = folder.delete(&["keys.txt", "--retries", "9"]);
    assert_eq!(args.connection.account.account_id.as_ref().unwrap().as_str(), "acc");
    assert_eq!(args.connection.namespace.as_deref(), Some("sessions"));
    assert_eq!(args.requests.rates.len(), 2);
    assert_eq!(args.requests.retries, 9, "a flag wins");
    assert_eq!(args.max_failures, Some(FailureLimit::Percent(5.0)));
    assert_eq!(args.report, Some(Target::File(folder.0.path().join("r/p.csv"))));
    assert_eq!(args.batching(), bulk("50").unwrap());
    assert_eq!(used.folders, [folder.0.path().join("r")]);
    assert!(used.taken.contains(&"rate") && !used.taken.contains(&"retries"), "{:?}", used.taken);
    let (args, used) = folder.delete(&["--rate", "none", "--no-bulk", "--namespace-id", "ns", "--report", "none"]);
    assert_eq!(args.requests.rates, [None]);
    assert_eq!(args.batching(), Batching::Single);
    assert_eq!(args.connection.namespace, None, "the namespace was named in another way");
    assert_eq!(args.connection.namespace_id.unwrap().as_str(), "ns");
    assert_eq!((args.report, used.folders), (Some(Target::Nowhere), vec![]));
}

#[test]
fn bulk_of_a_profile_is_as_good_as_the_flag() {
    let folder = Folder::new("[profile.p]\nbulk = true\n");
    assert_eq!(folder.delete(&[]).0.batching(), bulk("10_000").unwrap());
    assert_eq!(folder.delete(&["--bulk=7"]).0.batching(), bulk("7").unwrap());
    assert_eq!(Folder::new("[profile.p]\nbulk = false\n").delete(&[]).0.batching(), Batching::Single);
    for (value, why) in [("0", "from 1 to 10000"), ("10_001", "from 1 to 10000"), ("'yes'", "true, false or")] {
        let error = Folder::new(&format!("[profile.p]\nbulk = {value}\n")).error(&["delete"]);
        assert!(error.contains("k.toml:2:") && error.contains(why), "{error}");
    }
}

#[test]
fn what_deletes_nothing_does_not_write_where_the_real_job_will() {
    let folder = Folder::new("[profile.p]\nreport = 'r.csv'\nfailures = 'f.csv'\nbackup = 'b.ndjson'\nretries = 3\n");
    for flag in ["--dry-run", "--sandbox"] {
        let (args, _) = folder.delete(&["keys.txt", flag]);
        assert_eq!((args.report, args.failures), (None, None), "{flag}");
        assert_eq!(args.backup, None, "{flag}");
        assert_eq!(args.requests.retries, 3);
    }
    let (args, _) = folder.delete(&["keys.txt"]);
    assert!(args.report.is_some() && args.failures.is_some() && args.backup.is_some());
    let cli = folder.parse(&["restore", "b.ndjson"]).unwrap();
    assert!(matches!(&cli.command, Command::Restore(args) if args.report.is_none()), "{cli:?}");
}

#[test]
fn a_report_that_is_named_by_the_second_cannot_be_resumed() {
    let folder = Folder::new("[profile.p]\nreport = '{date}-{time}.csv'\n");
    let error = folder.error(&["delete", "k", "--resume"]);
    assert!(error.contains("k.toml:2:1: report: it names another file every second"), "{error}");
    assert!(folder.parse(&["delete", "k", "--resume", "--report", "r.csv"]).is_ok());
    let folder = Folder::new("[profile.p]\nreport = '{date}.csv'\nfailures = '{time}.csv'\n");
    assert!(folder.parse(&["delete", "k", "--resume"]).is_ok());
}

#[test]
fn what_a_flag_would_not_take_is_refused_with_its_line() {
    for (line, expected) in [
        ("rate = 'fast'", "rate: invalid value \"fast\": "),
        ("rate = []", "rate: it is empty"),
        ("protect = []", "protect: it is empty"),
        ("only = []", "only: it is empty"),
        ("timeout = '30'", "timeout: invalid value \"30\": 30 what?"),
        ("retries = -1", "retries: invalid value \"-1\": "),
        ("concurrency = 5000", "concurrency: invalid value \"5000\": expected a whole number from 1 to 1,024"),
        ("sync = 'sometimes'", "sync: invalid value \"sometimes\": expected one of never, 1s, always"),
        ("namespace-id = '../x'", "namespace-id: invalid value \"../x\": "),
        ("base-url = 'http://example.com'", "base-url: "),
        (
            "protect = ['a', 'b[']",
            "protect: invalid value \"b[\": invalid pattern: the `[` at character 2 is never closed",
        ),
        ("protect = ''", "protect: invalid value \"\": invalid pattern: the pattern is empty"),
        ("only = ['a', '']", "only: invalid value \"\": invalid pattern: the pattern is empty"),
        ("max-failures = '0%'", "max-failures: invalid value \"0%\": a percentage must be"),
        ("namespace = \"\"", "namespace: invalid value \"\": expected a value"),
        ("only = \"\\u001b[\"", "only: invalid value \"\\u{1b}[\": invalid pattern: "),
    ] {
        // Of every command, not only of those that have the flag.
        for command in ["delete", "whoami"] {
            let error = Folder::new(&format!("[profile.p]\n{line}\n")).error(&[command]);
            assert!(error.starts_with(&format!("error: k.toml:2:1: {expected}")), "{line}: {error}");
            assert!(!error.contains("Usage"), "{error}");
        }
    }
}

#[test]
fn a_contradiction_that_a_profile_is_part_of_says_where_it_is() {
    let folder = Folder::new("[profile.p]\nreport = '-'\nrate = 'none,5/1s'\n");
    let error = folder.error(&["delete", "keys.txt", "--json"]);
    assert!(error.contains("both write to stdout") && error.contains("report comes from k.toml:2:1"), "{error}");
    let error = folder.error(&["list"]);
    assert!(error.contains("rate comes from k.toml:3:1"), "{error}");
}

#[test]
fn a_profile_keeps_more_and_a_flag_less_never() {
    let folder = Folder::new("[profile.p]\nprotect = ['a*']\nonly = 'b*'\nprotect-from = 'p.txt'\n");
    let (args, used) = folder.delete(&["--protect", "c*", "--only", "*", "--protect-from", "other.txt"]);
    assert_eq!((args.protect, args.only), (vec!["c*".to_owned()], vec!["*".to_owned()]));
    assert_eq!(args.protect_from.as_deref(), Some(Path::new("other.txt")));
    assert_eq!((used.keeping.protect, used.keeping.only), (vec!["a*".to_owned()], vec!["b*".to_owned()]));
    assert_eq!(used.keeping.protect_from, Some(folder.0.path().join("p.txt")));
    let cli = folder.parse(&["list"]).unwrap();
    assert!(matches!(&cli.command, Command::List(args) if args.protect.is_empty() && args.only.is_empty()));
    assert!(cli.used.unwrap().taken.is_empty(), "a listing shows what there is");
}

#[test]
fn every_command_that_sends_takes_a_profile() {
    let folder = Folder::new("[profile.p]\nretries = 3\n");
    for words in [&["delete"][..], &["list"], &["namespaces"], &["whoami"], &["restore", "b.ndjson"]] {
        let cli = folder.parse(words).unwrap();
        let retries = match cli.command {
            Command::Delete(args) => args.requests.retries,
            Command::List(args) => args.requests.retries,
            Command::Namespaces(args) => args.requests.retries,
            Command::Whoami(args) => args.requests.retries,
            Command::Restore(args) => args.requests.retries,
            other => panic!("{other:?}"),
        };
        assert_eq!(retries, 3, "{words:?}");
    }
    assert!(folder.parse(&["sandbox"]).is_err(), "nothing of it would count there");
}

#[test]
fn a_profile_agrees_to_nothing() {
    for key in ["yes", "overwrite", "resume", "dry-run", "all", "prefix", "allow-protected", "expect"] {
        let error = Folder::new(&format!("[profile.p]\n{key} = true\n")).error(&["delete"]);
        assert!(error.contains(&format!("k.toml:2:1: unknown setting {key}\nhint: a file neither")), "{error}");
    }
}
