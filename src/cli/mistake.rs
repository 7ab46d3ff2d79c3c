//! What is wrong with a command line, in the form of every other message: an error, and hints.

use std::ffi::OsString;

use clap::Error;

use super::connection::{OTHER_SECRETS, SECRET};
use super::parse::command;
use crate::logging::print_message;

/// Flags of `delete` that earlier versions or other tools have, and what does that here.
const ELSEWHERE: [(&str, &str); 7] = [
    ("--force", "did you mean --yes (no prompt) or --overwrite (replace the report)?"),
    ("--limit", "did you mean --max-keys?"),
    ("--max-pause", "pass --max-wait instead"),
    ("--max-outage", "pass --max-wait instead"),
    ("--shards", "pass --shard auto/N instead"),
    ("--batch-size", "pass --bulk=N instead"),
    ("--bulk-endpoint", "omit it: --bulk needs no endpoint"),
];

/// Prints what is wrong with a command line (the program's name first), which clap would print otherwise.
pub fn print_usage(error: &Error, words: impl IntoIterator<Item = OsString>) {
    let text = error.render().to_string();
    // Help for a command that needs more words is shown as clap lays it out.
    print_message(&if text.starts_with("error:") { usage(&text, &subcommand(words)) } else { text });
}

/// `kvsweep delete`: the command that was typed.
fn subcommand(words: impl IntoIterator<Item = OsString>) -> String {
    let definition = command();
    let (mut known, mut path) = (&definition, definition.get_name().to_owned());
    for word in words.into_iter().skip(1) {
        let Some(inner) = known.find_subcommand(&word) else { break };
        path = format!("{path} {}", inner.get_name());
        known = inner;
    }
    path
}

/// clap's text with its tips as hints, and without empty lines and the usage, which shows flags of the environment.
fn usage(text: &str, command: &str) -> String {
    let known = |(flag, _): &&(&str, &str)| command.ends_with(" delete") && text.contains(&format!("'{flag}' found"));
    let instead = ELSEWHERE.iter().find(known).map(|(_, instead)| *instead);
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("Usage: "));
    let lines = lines.filter_map(|line| match line.trim_start().strip_prefix("tip: ") {
        // It would make a mistyped flag an input.
        Some(tip) if tip.starts_with("to pass '") || instead.is_some() => None,
        // Such a flag only says that no flag takes a secret.
        Some(tip) if names_a_secret(tip) => None,
        Some(tip) => Some(format!("hint: {tip}\n")),
        None if line.starts_with("For more information, try '") => {
            let instead = instead.map(|instead| format!("hint: {instead}\n")).unwrap_or_default();
            Some(format!("{instead}hint: {command} --help explains every flag\n"))
        }
        None => Some(format!("{}\n", line.replace("the argument '", "'").replace("...'", "'"))),
    });
    lines.collect()
}

fn names_a_secret(tip: &str) -> bool {
    std::iter::once(SECRET).chain(OTHER_SECRETS).any(|flag| tip.contains(&format!("'--{flag}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usage_error_has_hints() {
        let unknown = |flag: &str, tip: &str| {
            let text = format!(
                "error: unexpected argument '{flag}' found\n\n  tip: {tip}\n\nUsage: kvsweep delete\n\nFor more information, \
                 try '--help'.\n"
            );
            usage(&text, "kvsweep delete")
        };
        assert_eq!(
            unknown("--x", "a similar argument exists: '--y'"),
            "error: unexpected argument '--x' found\nhint: a similar argument exists: '--y'\nhint: kvsweep delete --help \
             explains every flag\n"
        );
        assert_eq!(
            unknown("--max-pause", "a similar argument exists: '--max-failures'"),
            "error: unexpected argument '--max-pause' found\nhint: pass --max-wait instead\nhint: kvsweep delete --help \
             explains every flag\n"
        );
        assert!(!unknown("--max-keys", "a similar argument exists: '--api-key'").contains("api-key"));
        assert!(!unknown("-1", "to pass '-1' as a value, use '-- -1'").contains("-- -1"));
    }

    #[test]
    fn the_help_is_that_of_the_command() {
        let path = |words: &[&str]| subcommand(words.iter().map(Into::into));
        assert_eq!(path(&["kvsweep", "delete", "list", "--x"]), "kvsweep delete");
        assert_eq!(path(&["./k", "config", "show"]), "kvsweep config show");
        assert_eq!(path(&["kvsweep", "--version"]), "kvsweep");
    }
}
