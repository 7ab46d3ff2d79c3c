//! What the environment adds. A process cannot safely change its own, so this test binary runs itself again with
//! the variables set, and asks for the one ignored test, which reads a command line and prints what came of it.

use clap::CommandFactory as _;

use crate::cli::{Cli, help, parse_from};

const LINE: &str = "KVSWEEP_TEST_LINE";
const MARK: &str = "came of it: ";

/// Run by [`with`] alone: without a line to read there is nothing to do.
#[test]
#[ignore = "run by the other tests of this module, in a process of its own"]
fn child() {
    let Some(line) = std::env::var_os(LINE) else {
        return;
    };
    let line = line.into_string().unwrap();
    let parsed = parse_from(line.split('|'));
    println!("\n{MARK}{:?}", parsed.map_err(|error| error.to_string()));
}

/// What came of `kvsweep delete WORDS` with these variables and no others of ours.
fn with(variables: &[(&str, &str)], words: &[&str]) -> String {
    let line = ["kvsweep", "delete"].iter().chain(words).copied().collect::<Vec<_>>().join("|");
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "cli::tests::environment::child", "--ignored", "--nocapture"]);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("KVSWEEP_") || name_text.starts_with("CLOUDFLARE_") {
            command.env_remove(&name);
        }
    }
    let output = command.envs(variables.iter().copied()).env(LINE, line).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (_, came) = stdout.split_once(MARK).unwrap_or_else(|| panic!("no answer: {stdout}"));
    came.lines().next().unwrap().to_owned()
}

#[test]
fn variables_are_read_and_a_flag_wins() {
    let variables = [
        ("KVSWEEP_RATE", "5/1s,70/1m"),
        ("KVSWEEP_CONCURRENCY", "7"),
        ("KVSWEEP_REPORT", "none"),
        ("KVSWEEP_TIMEOUT", "3s"),
        ("KVSWEEP_LOG_FORMAT", "json"),
        ("CLOUDFLARE_ACCOUNT_ID", "acc"),
        ("CLOUDFLARE_KV_NAMESPACE_ID", "ns"),
    ];
    let came = with(&variables, &[]);
    for part in [
        "[Some(Rate { count: 5, window: 1s }), Some(Rate { count: 70, window: 60s })]",
        "concurrency: 7",
        "report: Some(Nowhere)",
        "timeout: 3s",
        "log_format: Json",
        "AccountId(\"acc\")",
        "NamespaceId(\"ns\")",
    ] {
        assert!(came.contains(part), "{part}: {came}");
    }
    let came = with(&variables, &["--rate", "none", "--concurrency", "9", "--report", "r.csv"]);
    for part in ["rates: [None]", "concurrency: 9", "report: Some(File(\"r.csv\"))"] {
        assert!(came.contains(part), "{part}: {came}");
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let variables = ["KVSWEEP_RATE", "KVSWEEP_CONCURRENCY", "KVSWEEP_REPORT", "KVSWEEP_PING", "CLOUDFLARE_ACCOUNT_ID"];
    let came = with(&variables.map(|name| (name, "")), &[]);
    for part in ["concurrency: 32", "report: None", "ping: None", "account_id: None", "window: 300s"] {
        assert!(came.contains(part), "{part}: {came}");
    }
}

#[test]
fn an_empty_variable_drops_no_guard() {
    // Every flag that chooses the mode or keeps a mistake small is among them; those of the patterns are read elsewhere.
    let command = help::laid_out(Cli::command());
    let delete = command.find_subcommand("delete").unwrap();
    let of_safety = delete.get_arguments().filter(|arg| matches!(arg.get_help_heading(), Some("Mode" | "Guards")));
    let of_safety = of_safety.filter_map(|arg| Some((arg.get_long()?, arg.get_env()?.to_str()?)));
    let of_safety = of_safety.filter(|(flag, _)| *flag != "bulk");
    let others = [
        ("shard", "KVSWEEP_SHARD"),
        ("deadline", "KVSWEEP_DEADLINE"),
        ("profile", "KVSWEEP_PROFILE"),
        ("config", "KVSWEEP_CONFIG"),
    ];
    // It lets the job do more, so an empty one lets it do less.
    for (flag, name) in of_safety.chain(others).filter(|(flag, _)| *flag != "allow-partial") {
        let came = with(&[(name, "")], &["x.csv"]);
        assert!(came.starts_with("Err") && came.contains(&format!("{name} is empty")), "{name}: {came}");
        let value = match flag {
            "dry-run" | "check" => String::new(),
            "shard" => "=1/2".to_owned(),
            "deadline" => "=5m".to_owned(),
            "profile" | "config" => "=none".to_owned(),
            _ => "=5".to_owned(),
        };
        let came = with(&[(name, "")], &["x.csv", &format!("--{flag}{value}")]);
        assert!(came.starts_with("Ok"), "the flag wins over {name}: {came}");
    }
}

#[test]
fn the_base_url_has_two_names() {
    let (first, second) = ("CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL");
    for (variables, expected) in [
        (&[(first, "https://a"), (second, "https://b")][..], "https://a"),
        (&[(second, "https://b")], "https://b"),
        (&[(first, ""), (second, "https://b")], "https://b"),
        (&[(first, ""), (second, "")], "https://api.cloudflare.com/client/v4"),
    ] {
        let came = with(variables, &[]);
        assert!(came.contains(&format!("base_url: \"{expected}\"")), "{variables:?}: {came}");
    }
}

#[test]
fn a_bad_variable_is_named() {
    let came = with(&[("KVSWEEP_CONCURRENCY", "many")], &[]);
    assert!(came.starts_with("Err") && came.contains("environment variable KVSWEEP_CONCURRENCY"), "{came}");
    let came = with(&[("KVSWEEP_CONCURRENCY", "7")], &["--concurrency=many"]);
    assert!(came.starts_with("Err") && !came.contains("KVSWEEP_CONCURRENCY"), "{came}");
    let came = with(&[("CLOUDFLARE_BASE_URL", ""), ("KVSWEEP_TIMEOUT", "30")], &["x.csv"]);
    assert!(came.contains("30 what?") && came.contains("KVSWEEP_TIMEOUT"), "{came}");
}

#[test]
fn a_report_from_the_environment_contradicts_like_a_flag() {
    let came = with(&[("KVSWEEP_REPORT", "-")], &["--json"]);
    assert!(came.contains("both write to stdout"), "{came}");
    let came = with(&[("KVSWEEP_REPORT", "r.csv")], &["--resume"]);
    assert!(came.starts_with("Ok"), "{came}");
}

#[test]
fn no_variable_deletes_without_being_asked() {
    let names =
        ["YES", "OVERWRITE", "RESUME", "INPUT", "INPUTS", "ALLOW_PROTECTED"].map(|name| format!("KVSWEEP_{name}"));
    let variables: Vec<_> = names.iter().map(|name| (name.as_str(), "true")).collect();
    assert_eq!(with(&variables, &[]), with(&[], &[]));
}
