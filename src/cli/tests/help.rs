//! What help says, and that it fits.

use super::*;

/// The help that `words` ask for, as a terminal so many columns wide shows it.
fn help(words: &[&str], columns: usize) -> String {
    let args = std::iter::once("kvsweep").chain(words.iter().copied());
    let error = deaf().term_width(columns).try_get_matches_from(args).unwrap_err();
    assert!(!error.use_stderr(), "{error}");
    error.to_string()
}

fn assert_fits(help: &str, rows: usize, columns: usize) {
    assert!(help.lines().count() <= rows, "{} lines:\n{help}", help.lines().count());
    for line in help.lines() {
        assert!(line.chars().count() <= columns, "too long: {line}");
    }
}

#[test]
fn the_definitions_are_sound() {
    command().debug_assert();
}

#[test]
fn short_help_fits_one_screen() {
    let root = help(&["-h"], 80);
    assert_fits(&root, 24, 80);
    insta::assert_snapshot!("short", root);
    for flag in ["-h", "-qh"] {
        let words = ["kvsweep", "delete", flag].map(Into::into);
        let command = super::super::help::for_words(deaf(), &words);
        let delete = command.term_width(80).try_get_matches_from(words).unwrap_err().to_string();
        assert_fits(&delete, 24, 80);
        insta::assert_snapshot!("delete_short", delete);
    }
    let list = help(&["list", "-h"], 100);
    assert_fits(&list, 40, 100);
    insta::assert_snapshot!("list_short", list);
    let restore = help(&["restore", "-h"], 100);
    assert_fits(&restore, 40, 100);
    insta::assert_snapshot!("restore_short", restore);
    for (name, words) in [
        ("namespaces_short", ["namespaces", "-h"]),
        ("whoami_short", ["whoami", "-h"]),
        ("completions_short", ["completions", "-h"]),
        ("man_short", ["man", "-h"]),
    ] {
        let help = help(&words, 100);
        assert_fits(&help, 40, 100);
        insta::assert_snapshot!(name, help);
    }
    let report = help(&["report", "-h"], 100);
    assert_fits(&report, 40, 100);
    insta::assert_snapshot!("report_short", report);
    let config = help(&["config", "show", "-h"], 100);
    assert_fits(&config, 40, 100);
    insta::assert_snapshot!("config_show_short", config);
    let sandbox = help(&["sandbox", "-h"], 100);
    assert_fits(&sandbox, 40, 100);
    insta::assert_snapshot!("sandbox_short", sandbox);
}

#[test]
fn the_groups_of_delete_are_those_of_the_contract_and_few_flags_come_before_the_advanced_ones() {
    let help = help(&["delete", "--help"], 100);
    let headings: Vec<_> = help
        .lines()
        .filter(|line| line.starts_with(char::is_alphabetic))
        .filter_map(|line| line.strip_suffix(':'))
        .filter(|heading| !heading.contains(' '))
        .collect();
    let groups =
        ["Input", "Mode", "Guards", "Filters", "Report", "Pace", "Monitoring", "Connection", "Advanced", "Credentials"];
    assert_eq!(headings, groups);
    let (before, _) = help.split_once("\nAdvanced:\n").unwrap();
    let flags = before.lines().filter(|line| line.trim_start().starts_with('-') && !line.starts_with("          "));
    assert!(flags.count() <= 50);
}

#[test]
fn the_flags_on_the_one_screen_exist() {
    let text = super::super::help::delete_short();
    let command = deaf();
    let delete = command.find_subcommand("delete").unwrap();
    let words = text.split([' ', ',', '(', ')', '\n', '.']);
    let flags: Vec<_> = words.filter_map(|word| word.strip_prefix("--")).collect();
    for flag in &flags {
        assert!(delete.get_arguments().any(|arg| arg.get_long() == Some(flag)), "--{flag}");
    }
    assert!(["backup", "protect", "all"].iter().all(|flag| flags.contains(flag)));
}

#[test]
fn long_help_explains() {
    insta::assert_snapshot!("long", help(&["--help"], 100));
    insta::assert_snapshot!("delete_long", help(&["delete", "--help"], 100));
    insta::assert_snapshot!("list_long", help(&["list", "--help"], 100));
    insta::assert_snapshot!("restore_long", help(&["restore", "--help"], 100));
    insta::assert_snapshot!("namespaces_long", help(&["namespaces", "--help"], 100));
    insta::assert_snapshot!("whoami_long", help(&["whoami", "--help"], 100));
    insta::assert_snapshot!("report_long", help(&["report", "--help"], 100));
    insta::assert_snapshot!("completions_long", help(&["completions", "--help"], 100));
    insta::assert_snapshot!("man_long", help(&["man", "--help"], 100));
    insta::assert_snapshot!("config_long", help(&["config", "--help"], 100));
    insta::assert_snapshot!("config_show_long", help(&["config", "show", "--help"], 100));
    insta::assert_snapshot!("config_path_long", help(&["config", "path", "--help"], 100));
    insta::assert_snapshot!("sandbox_long", help(&["sandbox", "--help"], 100));
}

/// The part of a long help that is about one flag: from its own line to the next flag's, or the next heading.
fn section<'a>(help: &'a str, flag: &str) -> &'a str {
    let is_head = |line: &str| line.trim_start().starts_with('-') && !line.starts_with("          ");
    let names_flag = |line: &str| line.split([' ', ',', '.', '[', '\n']).any(|word| word == flag);
    let ends_section = |line: &str| is_head(line) || !line.starts_with(' ') && !line.trim().is_empty();
    let mut lines = help.split_inclusive('\n').skip_while(|line| !(is_head(line) && names_flag(line)));
    let head = lines.next().unwrap_or_else(|| panic!("{flag} has no help"));
    let length: usize = lines.take_while(|line| !ends_section(line)).map(str::len).sum();
    let start = head.as_ptr().addr() - help.as_ptr().addr();
    &help[start..start + head.len() + length]
}

/// Flags of `delete` with their defaults and environment variables, as section 2 of the contract and the later guards have them.
const FLAGS: [(&str, &str, &str); 65] = [
    ("--format", "auto", ""),
    ("--column", "", ""),
    ("--no-header", "", ""),
    ("--delimiter", "", ""),
    ("--no-dedupe", "", ""),
    ("--prefix", "", ""),
    ("--all", "", ""),
    ("--expiring-before", "", ""),
    ("--without-expiration", "", ""),
    ("--metadata", "", ""),
    ("--dry-run", "", "KVSWEEP_DRY_RUN"),
    ("--sandbox", "", ""),
    ("--check", "", "KVSWEEP_CHECK"),
    ("--backup", "", "KVSWEEP_BACKUP"),
    ("--yes", "", ""),
    ("-y", "", ""),
    ("--max-keys", "", "KVSWEEP_MAX_KEYS"),
    ("--max-failures", "50%", "KVSWEEP_MAX_FAILURES"),
    ("--min-keys", "", "KVSWEEP_MIN_KEYS"),
    ("--allow-partial", "", "KVSWEEP_ALLOW_PARTIAL"),
    ("--expect", "", "KVSWEEP_EXPECT"),
    ("--canary", "", "KVSWEEP_CANARY"),
    ("--protect", "", "KVSWEEP_PROTECT"),
    ("--protect-from", "", "KVSWEEP_PROTECT_FROM"),
    ("--allow-protected", "", ""),
    ("--only", "", "KVSWEEP_ONLY"),
    ("--report", "kvsweep-report-YYYYMMDDTHHMMSSZ.csv", "KVSWEEP_REPORT"),
    ("--resume", "", ""),
    ("--overwrite", "", ""),
    ("--failures", "", ""),
    ("--json", "", ""),
    ("--sync", "1s", "KVSWEEP_SYNC"),
    ("--rate", "1200/5m 200/1s", "KVSWEEP_RATE"),
    ("--bulk", "", "KVSWEEP_BULK"),
    ("--no-bulk", "", ""),
    ("--concurrency", "32", "KVSWEEP_CONCURRENCY"),
    ("--retries", "8", "KVSWEEP_RETRIES"),
    ("--timeout", "30s", "KVSWEEP_TIMEOUT"),
    ("--max-wait", "15m", "KVSWEEP_MAX_WAIT"),
    ("--deadline", "", "KVSWEEP_DEADLINE"),
    ("--grace", "10s", "KVSWEEP_GRACE"),
    ("--shard", "", "KVSWEEP_SHARD"),
    ("--metrics-file", "", "KVSWEEP_METRICS_FILE"),
    ("--job-name", "", "KVSWEEP_JOB_NAME"),
    ("--ping", "", "KVSWEEP_PING"),
    ("--account-id", "", "CLOUDFLARE_ACCOUNT_ID"),
    ("--namespace-id", "", "CLOUDFLARE_KV_NAMESPACE_ID"),
    ("--namespace", "", ""),
    ("--binding", "", ""),
    ("--env", "", "CLOUDFLARE_ENV"),
    ("--preview", "", ""),
    ("--api-token-file", "", "KVSWEEP_API_TOKEN_FILE"),
    ("--api-token-command", "", "KVSWEEP_API_TOKEN_COMMAND"),
    ("--base-url", "https://api.cloudflare.com/client/v4", "CLOUDFLARE_API_BASE_URL"),
    ("--cacert", "", "KVSWEEP_CACERT"),
    ("--profile", "", "KVSWEEP_PROFILE"),
    ("--config", "", "KVSWEEP_CONFIG"),
    ("--progress", "auto", "KVSWEEP_PROGRESS"),
    ("--quiet", "", ""),
    ("-q", "", ""),
    ("--verbose", "", ""),
    ("-v", "", ""),
    ("--log-format", "text", "KVSWEEP_LOG_FORMAT"),
    ("--help", "", ""),
    ("-h", "", ""),
];

#[test]
fn every_flag_of_the_contract_is_explained_with_its_default_and_variable() {
    let help = help(&["delete", "--help"], 100);
    for (flag, default, variable) in FLAGS {
        let section = section(&help, flag);
        assert!(section.lines().count() > 1, "{flag}: {section}");
        assert_eq!(section.contains("[default:"), !default.is_empty(), "{flag}: {section}");
        assert!(section.contains(&format!("[default: {default}")) || default.is_empty(), "{flag}: {section}");
        assert_eq!(section.contains("[env:"), !variable.is_empty(), "{flag}: {section}");
        assert!(section.contains(variable), "{flag}: {section}");
    }
}

#[test]
fn the_list_of_flags_is_whole() {
    let command = deaf();
    let delete = command.find_subcommand("delete").unwrap();
    for arg in delete.get_opts().chain(delete.get_arguments().filter(|arg| !arg.is_positional())) {
        let flag = format!("--{}", arg.get_long().unwrap());
        let known = FLAGS.iter().any(|(known, ..)| *known == flag);
        assert_eq!(known, !arg.is_hide_set(), "{flag}");
    }
}

#[test]
fn every_flag_with_a_default_says_so() {
    for subcommand in ["delete", "list", "restore", "report", "namespaces", "whoami", "sandbox", "completions", "man"] {
        let help = help(&[subcommand, "--help"], 100);
        let command = deaf();
        for arg in command.find_subcommand(subcommand).unwrap().get_opts() {
            let flag = format!("--{}", arg.get_long().unwrap());
            for default in arg.get_default_values().iter().filter(|_| !arg.is_hide_set()) {
                assert!(section(&help, &flag).contains(default.to_str().unwrap()), "{flag}");
            }
        }
    }
}
