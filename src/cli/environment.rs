//! The environment variables of flags.

use std::ffi::OsStr;

use clap::Arg;
use clap::builder::Resettable;

/// The SDKs' variable, taken where wrangler's is not set.
const BASE_URL_FALLBACK: (&str, &str) = ("CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL");

pub(super) const PROTECT: &str = "KVSWEEP_PROTECT";
pub(super) const PROTECT_FROM: &str = "KVSWEEP_PROTECT_FROM";
pub(super) const ONLY: &str = "KVSWEEP_ONLY";

/// Flags that keep keys, and their variables. These are no defaults of their flags but add to them, so
/// [`Keeping`](super::patterns::Keeping) reads them.
pub(super) const GUARDS: [(&str, &str); 3] = [("protect", PROTECT), ("protect-from", PROTECT_FROM), ("only", ONLY)];

/// Variables that bound a job, choose its mode, or name what protects keys: an empty one was probably meant to hold something,
/// and as an unset one it would let the job do more. Of the others an empty one counts as unset.
const NEVER_EMPTY: [&str; 12] = [
    "KVSWEEP_DRY_RUN",
    "KVSWEEP_CHECK",
    "KVSWEEP_BACKUP",
    "KVSWEEP_MAX_KEYS",
    "KVSWEEP_MIN_KEYS",
    "KVSWEEP_EXPECT",
    "KVSWEEP_CANARY",
    "KVSWEEP_MAX_FAILURES",
    "KVSWEEP_DEADLINE",
    "KVSWEEP_SHARD",
    "KVSWEEP_PROFILE",
    "KVSWEEP_CONFIG",
];

/// Switches that other flags exclude: what says no is as good as nothing.
const SWITCHES: [&str; 2] = ["KVSWEEP_DRY_RUN", "KVSWEEP_CHECK"];

const NO: [&str; 6] = ["0", "f", "false", "n", "no", "off"];

/// Names the environment variable of every flag in its long help; one that is empty counts as unset, or is an error.
pub(super) fn with_environments(command: clap::Command) -> clap::Command {
    command.mut_args(with_environment).mut_subcommands(with_environments)
}

fn with_environment(arg: Arg) -> Arg {
    let Some(variable) = arg.get_env().and_then(OsStr::to_str).map(str::to_owned) else { return arg };
    let help = arg.get_long_help().or(arg.get_help()).cloned().unwrap_or_default();
    let is_guard = GUARDS.iter().any(|(_, guard)| *guard == variable);
    let note = if is_guard || NEVER_EMPTY.contains(&&*variable) { " (an error if it is empty)" } else { "" };
    let arg = arg.hide_env(true).long_help(format!("{help}\n\n[env: {variable}{note}]"));
    if is_set(&variable) && !is_guard {
        return arg;
    }
    match BASE_URL_FALLBACK {
        (first, second) if variable == first && is_set(second) => arg.env(second),
        _ => arg.env(Resettable::Reset),
    }
}

/// Whether the flag of a variable reads it, if only to refuse it.
fn is_set(variable: &str) -> bool {
    let says_no = |value: &OsStr| SWITCHES.contains(&variable) && NO.iter().any(|no| value.eq_ignore_ascii_case(no));
    let counts = |value: &OsStr| if value.is_empty() { NEVER_EMPTY.contains(&variable) } else { !says_no(value) };
    std::env::var_os(variable).is_some_and(|value| counts(&value))
}

/// Whether a switch is on.
pub(super) fn says_yes(switch: &str) -> bool {
    is_set(switch) && std::env::var_os(switch).is_some_and(|value| !value.is_empty())
}

/// A variable that holds credentials; one of blanks alone counts as unset.
pub(super) fn credential(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.trim().is_empty())
}

/// A warning for each variable of ours that no flag has: it may have been meant to protect keys.
pub(super) fn unknown(command: impl FnOnce() -> clap::Command) -> Vec<String> {
    let set: Vec<_> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let ours: Vec<_> = set.into_iter().filter(|name| name.starts_with("KVSWEEP_")).collect();
    if ours.is_empty() {
        return Vec::new();
    }
    let of = |command: &clap::Command| -> Vec<String> {
        let variables = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str().map(str::to_owned));
        variables.collect()
    };
    let known: Vec<String> = command().get_subcommands().flat_map(of).collect();
    let unknown = ours.into_iter().filter(|name| !known.contains(name));
    unknown.map(|name| format!("{name} is set, but no flag has this variable")).collect()
}
