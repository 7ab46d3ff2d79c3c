//! How help is laid out: the groups of `delete --help`, the one screen of `delete -h`, and where the documentation is.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// The groups of `delete --help` with their arguments, in order. All others are advanced.
const GROUPS: [(&str, &str); 8] = [
    ("Input", "inputs format column no_header delimiter"),
    ("Mode", "dry_run sandbox check backup bulk"),
    ("Guards", "yes expect min_keys max_keys max_failures canary allow_partial"),
    ("Filters", "prefixes all only protect protect_from expiring_before without_expiration metadata shard"),
    ("Report", "report resume overwrite failures json"),
    ("Pace", "rates concurrency retries deadline"),
    ("Monitoring", "progress quiet verbose metrics_file ping help"),
    (
        "Connection",
        "account_id namespace_id namespace binding environment preview api_token_file api_token_command profile",
    ),
];

const ADVANCED: &str = "Advanced";

/// `delete -h`: what most jobs need, on a screen of 24 rows.
const DELETE_SHORT: &str = "\
Delete keys by name or prefix, or all keys, and report on each

Usage: kvsweep delete [OPTIONS] [INPUT]...

  [INPUT]...             Files of keys (CSV, lines, NDJSON, JSON), or -
      --prefix PREFIX    Delete every key with this prefix
      --all              Delete every key of the namespace
      --protect GLOB     Never delete keys that match
      --dry-run          Show what would be deleted; send nothing
      --sandbox          Rehearse the whole job against a server in memory
      --backup FILE      Save values, metadata and expirations before deleting
      --bulk             Delete up to 10,000 keys per request
  -y, --yes              Do not ask for confirmation
      --max-keys N       Stop if there are more than N keys
      --report PATH      Write a row for every record to PATH
      --resume           Resume the job whose report is at --report PATH
      --rate N/DURATION  Send at most N requests in any DURATION
      --namespace-id ID  Use this namespace (or --namespace, --binding)
  -q, -v                 Print only errors; print more
      --json             Print the summary as one JSON object on stdout
      --help             Explain every flag

The token comes from CLOUDFLARE_API_TOKEN or --api-token-file.
";

/// The commands with flags that only `--help` shows.
const WITH_SHORT_HELP: [&str; 5] = ["delete", "list", "restore", "namespaces", "whoami"];

/// The definition with the groups of `delete`, and the address of the documentation at the end of every help.
pub(super) fn laid_out(command: Command) -> Command {
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help_heading("Output");
    let help = help.help("Show the most used flags (-h) or all flags (--help)");
    let with_help = |command: Command| command.disable_help_flag(true).arg(help.clone());
    let command = WITH_SHORT_HELP.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_help));
    with_documentation(command.mut_subcommand("delete", |delete| grouped(&delete)), &documentation())
}

/// The definition for a command line: `delete -h` is one screen.
pub(super) fn for_words(command: Command, words: &[OsString]) -> Command {
    let mut flags = words.iter().skip(1).take_while(|word| *word != "--");
    let is_delete = flags.clone().next().is_some_and(|word| word == "delete");
    // `-h`, alone or among others of one letter: none of these takes a value.
    let asks = |word: &str| word.strip_prefix('-').is_some_and(|rest| !rest.starts_with('-') && rest.contains('h'));
    if is_delete && flags.any(|word| asks(&word.to_string_lossy())) {
        return command.mut_subcommand("delete", |delete| delete.override_help(delete_short()));
    }
    command
}

pub(super) fn delete_short() -> String {
    format!("{DELETE_SHORT}{}", documentation())
}

/// The same with its arguments by group: help shows groups in the order of their first arguments.
fn grouped(delete: &Command) -> Command {
    let place = |arg: &Arg| {
        let within = |ids: &str| ids.split(' ').position(|id| arg.get_id() == id);
        let groups = GROUPS.iter().enumerate();
        let mut places = groups.filter_map(|(group, (_, ids))| Some((group, within(ids)?)));
        places.next().unwrap_or((GROUPS.len(), 0))
    };
    let mut args: Vec<Arg> = delete.get_arguments().cloned().collect();
    args.sort_by_key(place);
    let args = args.into_iter().enumerate().map(|(order, arg)| {
        let heading = GROUPS.get(place(&arg).0).map_or(ADVANCED, |(heading, _)| *heading);
        arg.help_heading(heading).display_order(order)
    });
    let text = |text: Option<&clap::builder::StyledStr>| text.cloned().unwrap_or_default();
    Command::new("delete")
        .display_order(0)
        .about(text(delete.get_about()))
        .long_about(text(delete.get_long_about()))
        .after_help(text(delete.get_after_help()))
        .after_long_help(text(delete.get_after_long_help()))
        .disable_help_flag(true)
        .args(args)
        .groups(delete.get_groups().cloned())
}

/// The line that ends a help, if Cargo.toml says where the documentation is.
fn documentation() -> String {
    match env!("CARGO_PKG_REPOSITORY") {
        "" => String::new(),
        address => format!("Documentation: {address}"),
    }
}

fn with_documentation(command: Command, line: &str) -> Command {
    if line.is_empty() {
        return command;
    }
    let with = |text: Option<&clap::builder::StyledStr>| match text {
        Some(text) => format!("{text}\n\n{line}"),
        None => line.to_owned(),
    };
    let (short, long) =
        (with(command.get_after_help()), with(command.get_after_long_help().or(command.get_after_help())));
    command.after_help(short).after_long_help(long).mut_subcommands(|inner| with_documentation(inner, line))
}
