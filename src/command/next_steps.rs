//! The commands that go on after jobs, as their job files have them: another shell than that of the job may run them.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::{Value, json};

use crate::api::BaseUrl;
use crate::quota::Rate;
use crate::report::{Identity, JobFile, Kind};
use crate::review::Review;
use crate::terminal::{pluralized, shell_word};

/// Reports that the page says how to resume.
const RESUMED: usize = 5;

/// Flags of an earlier run, by their names in the job file, without which a run would do something else.
const FLAGS: [&str; 19] = [
    "config",
    "profile",
    "format",
    "column",
    "no_header",
    "delimiter",
    "no_dedupe",
    "bulk",
    "check",
    "backup",
    "overwrite_values",
    "expect",
    "min_keys",
    "max_keys",
    "max_failures",
    "canary",
    "allow_partial",
    "failures",
    "rate",
];

/// How to go on, for the page: what it does, and the command.
pub(super) fn next_steps(review: &Review) -> Vec<(String, String)> {
    let (open, kind) = (review.tally.failures(), review.kind());
    if !kind.is_some_and(Kind::is_resumable) {
        return Vec::new();
    }
    let mut steps: Vec<_> = review
        .resumable
        .iter()
        .filter_map(|path| resuming(path, review.job_of(path), kind))
        .take(RESUMED)
        .map(|command| ("Resume the job: what failed or was not reached is sent again.".to_owned(), command))
        .collect();
    let job = review.files.iter().find_map(|file| review.job_of(&file.path));
    // A job that looks at keys or keeps their values before it deletes them is only resumed.
    let is_careful = job.is_some_and(|job| ["backup", "check"].iter().any(|name| flag_of_job(name, job).is_some()));
    // Whatever is not restored is least of all to be deleted.
    if open > 0 && kind == Some(Kind::Delete) && !is_careful {
        let mut words: Vec<_> = review.files.iter().map(|file| path_word(&file.path)).collect();
        words.push("--failures failed.csv && kvsweep delete failed.csv".to_owned());
        words.extend(job.into_iter().flat_map(|job| target(&job.identity).into_iter().chain(protected(&job.identity))));
        steps.push((
            format!("Or start a new job with only the {} not deleted:", pluralized(open, "key")),
            format!("kvsweep report {}", words.join(" ")),
        ));
    }
    steps
}

/// The command that resumes a job; `None` for one that cannot be resumed, or not without knowing more.
fn resuming(report: &Path, job: Option<&JobFile>, kind: Option<Kind>) -> Option<String> {
    let (command, unknown) = if kind == Some(Kind::Restore) { ("restore", "BACKUP") } else { ("delete", "INPUT") };
    let mut words = vec![format!("kvsweep {command}")];
    match job {
        None => words.push(unknown.to_owned()),
        Some(job) => {
            let identity = &job.identity;
            // A listing starts anew. Patterns of a flag and of a profile cannot be told apart.
            if identity.inputs.is_empty() || identity.filters.names.only.len() > 1 {
                return None;
            }
            words.extend(identity.inputs.iter().map(|input| word(&input.path)));
            words.extend(target(identity));
            words.extend(protected(identity));
            words.extend(identity.filters.names.only.iter().flatten().map(|pattern| flag("--only", pattern)));
            words.extend(identity.shard.iter().map(|shard| flag("--shard", shard)));
            words.extend(FLAGS.iter().filter_map(|name| flag_of_job(name, job)));
        }
    }
    words.extend(["--resume --report".to_owned(), path_word(report)]);
    Some(words.join(" "))
}

fn protected(identity: &Identity) -> impl Iterator<Item = String> {
    identity.filters.names.protect.iter().map(|pattern| flag("--protect", pattern))
}

/// Where the keys are.
fn target(identity: &Identity) -> Vec<String> {
    let base_url = identity.base_url.as_ref().filter(|url| url.trim_end_matches('/') != BaseUrl::CLOUDFLARE);
    let named = identity.namespace_title.as_ref().filter(|_| identity.namespace_id.is_none());
    [
        ("--namespace-id", identity.namespace_id.as_ref()),
        ("--namespace", named),
        ("--account-id", identity.account_id.as_ref()),
        ("--base-url", base_url),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(flag(name, value?)))
    .collect()
}

/// A flag of the job's last run, by its name in the job file, if it was on and says anything.
fn flag_of_job(name: &str, job: &JobFile) -> Option<String> {
    let value = job.flags.get(name)?;
    if (name == "rate" && *value == json!([Rate::PER_USER.to_string(), Rate::PER_ADDRESS.to_string()]))
        || (name == "max_failures" && value == "50%")
    {
        // What it is anyway.
        return None;
    }
    let flag_name = format!("--{}", name.replace('_', "-"));
    match value {
        Value::Bool(true) => Some(flag_name),
        Value::Number(number) => Some(format!("{flag_name}={number}")),
        Value::String(text) => Some(flag(&flag_name, text)),
        Value::Array(values) => {
            let texts = values.iter().filter_map(Value::as_str).map(|text| flag(&flag_name, text));
            let texts: Vec<_> = texts.collect();
            (!texts.is_empty()).then(|| texts.join(" "))
        }
        Value::Null | Value::Bool(false) | Value::Object(_) => None,
    }
}

/// As one word with its value, which may begin with a dash.
fn flag(name: &str, value: &str) -> String {
    format!("{name}={}", word(value))
}

fn word(text: &str) -> String {
    shell_word(OsStr::new(text))
}

fn path_word(path: &Path) -> String {
    shell_word(path.as_os_str())
}
