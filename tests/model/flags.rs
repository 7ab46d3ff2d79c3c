//! Flags from clap's own definition. A flag that is new is drawn without anybody remembering it.

use clap::CommandFactory;
use kvsweep::internals::Cli;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::case::Route;
use crate::draw::{chance, one_of};

/// Flags that the case itself decides on, because they change what becomes of a key.
const MODELLED: &[&str] = &[
    "account-id",
    "allow-partial",
    "backup",
    "base-url",
    "bulk",
    "cacert",
    "canary",
    "check",
    "column",
    "concurrency",
    "config",
    "deadline",
    "delimiter",
    "dry-run",
    "expect",
    "failures",
    "format",
    "json",
    "max-failures",
    "max-keys",
    "min-keys",
    "namespace-id",
    "no-dedupe",
    "no-header",
    "only",
    "overwrite",
    "profile",
    "protect",
    "protect-from",
    "rate",
    "report",
    "resume",
    "sandbox",
    "yes",
];

/// Flags that are not drawn, and why.
const EXCLUDED: &[(&str, &str)] = &[
    ("all", "takes keys from the namespace, not from an input"),
    ("prefix", "takes keys from the namespace, not from an input"),
    ("expiring-before", "only with --prefix or --all"),
    ("without-expiration", "only with --prefix or --all"),
    ("metadata", "only with --prefix or --all"),
    ("allow-protected", "asks on the terminal"),
    ("shard", "leaves out records"),
    ("no-bulk", "the opposite of --bulk"),
    ("quiet", "conflicts with --verbose"),
    ("help", "does nothing else"),
    ("job-name", "only with --metrics-file"),
    ("ping", "needs a server of its own"),
    ("api-token", "refused: no flag takes a secret"),
    ("api-key", "refused: no flag takes a secret"),
    ("api-token-file", "a token is given by the environment"),
    ("api-token-command", "a token is given by the environment"),
    ("namespace", "another way to name the namespace"),
    ("binding", "another way to name the namespace"),
    ("env", "belongs to --binding"),
    ("preview", "belongs to --binding"),
    ("page", "only of reports"),
];

/// Flags that a profile has, too (docs/profiles.md).
const OF_PROFILES: &[&str] = &["retries", "timeout", "max-wait", "grace", "sync", "progress", "log-format"];

pub(crate) fn draw(rng: &mut StdRng) -> Vec<(String, Option<String>, Route)> {
    let cli = Cli::command();
    let delete = cli.find_subcommand("delete").expect("a command");
    let mut drawn = Vec::new();
    for arg in delete.get_arguments() {
        let Some(name) = arg.get_long() else { continue };
        if MODELLED.contains(&name) || EXCLUDED.iter().any(|(excluded, _)| *excluded == name) {
            continue;
        }
        let takes_value = arg.get_action().takes_values();
        let value = takes_value.then(|| {
            let possible = arg.get_possible_values();
            let value_name = arg.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str);
            match value_name {
                _ if !possible.is_empty() => one_of(rng, &possible).get_name().to_owned(),
                Some("DURATION") => format!("{}m", rng.random_range(5..30)),
                Some("N") => rng.random_range(8..20).to_string(),
                Some("PATH" | "FILE") => format!("{name}.prom"),
                other => panic!("--{name} {other:?}: draw a value for it, or exclude it with a reason"),
            }
        });
        let mut routes = vec![Route::Flag];
        if takes_value && arg.get_env().is_some() {
            routes.push(Route::Environment);
        }
        if takes_value && OF_PROFILES.contains(&name) {
            routes.push(Route::Profile);
        }
        let route = one_of(rng, &routes);
        if chance(rng, 7) {
            drawn.push((name.to_owned(), value, route));
        }
    }
    drawn
}

/// The variable of a flag.
pub(crate) fn variable(name: &str) -> String {
    let cli = Cli::command();
    let delete = cli.find_subcommand("delete").expect("a command");
    let arg = delete.get_arguments().find(|arg| arg.get_long() == Some(name)).expect("a flag");
    arg.get_env().and_then(|env| env.to_str()).expect("a variable").to_owned()
}
