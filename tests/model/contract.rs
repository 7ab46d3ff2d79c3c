//! The contract (sections 2 to 5), as far as the drawn jobs touch it: which keys may be sent, which final states a record
//! may have, how a job may end. It knows nothing of the program but this.

use std::collections::HashSet;

use kvsweep::sandbox::Stored;

use crate::case::{Case, Damage, Expires, Limits, Selection};
use crate::files::is_damaged;
use crate::glob;

/// What is to become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// "cannot be sent"
    Invalid,
    /// "deliberately not sent: `--protect`, `--only`"
    Kept,
    /// "an earlier record has the same key"
    Duplicate,
    /// It is to be deleted.
    Send,
}

/// "Any non-empty UTF-8 of at most 512 bytes … `.` and `..` are rejected."
pub(crate) fn is_valid(name: &str) -> bool {
    !name.is_empty() && name.len() <= 512 && name != "." && name != ".."
}

/// "Every byte outside `A–Z a–z 0–9 - _ . ~` is percent-encoded."
fn needs_encoding(name: &str) -> bool {
    !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))
}

/// "one row per input record … `record` is the 1-based position across all inputs"
pub(crate) fn records(case: &Case) -> Vec<&str> {
    case.inputs.iter().flatten().map(String::as_str).collect()
}

/// "Globs match whole names, by character": what `--protect` covers and `--only` leaves out is not sent.
fn is_kept(case: &Case, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let any = |patterns: &[Vec<glob::Part>]| patterns.iter().any(|pattern| glob::matches(pattern, &name));
    any(&case.protect) || (!case.only.is_empty() && !any(&case.only))
}

/// "a key that needs encoding is never sent in a URL"
pub(crate) fn has_unsendable(case: &Case) -> bool {
    let in_urls = case.bulk.is_none() || case.backup || case.check;
    let mut valid = records(case).into_iter().filter(|name| is_valid(name) && !is_kept(case, name));
    !case.server.url_encoding && in_urls && valid.any(needs_encoding)
}

pub(crate) fn fates(case: &Case) -> Vec<Fate> {
    let mut seen = HashSet::new();
    let in_urls = case.bulk.is_none() || case.backup || case.check;
    let fate = |name: &str| {
        if !is_valid(name) || (case.from_stdin && !case.server.url_encoding && in_urls && needs_encoding(name)) {
            Fate::Invalid
        } else if !seen.insert(name.to_owned()) && !case.no_dedupe {
            Fate::Duplicate
        } else if is_kept(case, name) {
            Fate::Kept
        } else {
            Fate::Send
        }
    };
    records(case).into_iter().map(fate).collect()
}

/// The names that may be touched (promise 1).
pub(crate) fn sendable(case: &Case) -> HashSet<&str> {
    let records = records(case);
    fates(case).into_iter().zip(records).filter(|(fate, _)| *fate == Fate::Send).map(|(_, name)| name).collect()
}

/// The final states of a record, once a job has finished.
pub(crate) fn allowed(case: &Case, fate: Fate, name: &str) -> &'static [&'static str] {
    match fate {
        // A record with a name that cannot be sent, or is not to be, may repeat one.
        Fate::Invalid if !is_valid(name) => &["invalid", "duplicate"],
        Fate::Invalid => &["invalid", "kept", "duplicate"],
        Fate::Kept => &["kept"],
        Fate::Duplicate if is_kept(case, name) => &["duplicate", "kept"],
        Fate::Duplicate => &["duplicate"],
        Fate::Send if !case.server.refusing.is_empty() => &["deleted", "absent", "failed", "unknown"],
        Fate::Send if case.server.refused.iter().any(|refused| refused == name) => &["failed", "unknown"],
        Fate::Send => &["deleted", "absent"],
    }
}

/// The final states of a record in a plan.
pub(crate) fn planned(case: &Case, fate: Fate, name: &str) -> &'static [&'static str] {
    match fate {
        Fate::Send if case.check => &["planned", "absent", "failed"],
        Fate::Send => &["planned"],
        other => allowed(case, other, name),
    }
}

/// How a job has to end before anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) codes: &'static [i32],
}

/// Flags for these limits of a job with so many "distinct keys to delete: after filters".
pub(crate) fn limit_flags(limits: Limits, count: usize) -> Vec<String> {
    let limits = [("max-keys", limits.max_keys), ("min-keys", limits.min_keys), ("expect", limits.expect)];
    let flag = |(name, distance): (_, Option<i64>)| {
        let limit = i64::try_from(count).unwrap_or(i64::MAX) + distance?;
        (limit > 0).then(|| format!("--{name}={limit}"))
    };
    limits.into_iter().filter_map(flag).collect()
}

/// "8: stopped by a guard"
pub(crate) fn is_violated(limits: Limits, count: usize) -> bool {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let is_given = |distance: &i64| count + distance > 0;
    limits.max_keys.filter(is_given).is_some_and(|distance| distance < 0)
        || limits.min_keys.filter(is_given).is_some_and(|distance| distance > 0)
        || limits.expect.filter(is_given).is_some_and(|distance| distance != 0)
}

pub(crate) fn refusal(case: &Case) -> Option<Refused> {
    // "Content that cannot be a key list: exit 2"
    if matches!(case.damage, Some(Damage::Html | Damage::Zip)) {
        return Some(Refused { codes: &[2] });
    }
    // "A break partway through a file is found by the first pass: nothing is sent, exit 1"
    if is_damaged(case) && !case.allow_partial && !case.from_stdin {
        return Some(Refused { codes: &[1] });
    }
    let unsendable = has_unsendable(case) && !case.from_stdin && !is_damaged(case);
    let guarded = is_violated(case.limits, sendable(case).len());
    match (unsendable, guarded) {
        (false, false) => None,
        (true, false) => Some(Refused { codes: &[2] }),
        (false, true) => Some(Refused { codes: &[8] }),
        (true, true) => Some(Refused { codes: &[2, 8] }),
    }
}

/// "0: every key is gone or deliberately kept"; "3: finished, but some keys are failed, unknown or invalid"
pub(crate) fn exit_code<'a>(case: &Case, statuses: impl IntoIterator<Item = &'a str>) -> i32 {
    let success = ["deleted", "absent", "kept", "duplicate", "planned"];
    let all_well = statuses.into_iter().all(|status| success.contains(&status));
    match (is_damaged(case), all_well) {
        (true, _) => 1,
        (_, true) => 0,
        (_, false) => 3,
    }
}

/// Statuses of a server, or of Cloudflare in front of it, that is in trouble.
const TEMPORARY: [&str; 15] =
    ["429", "500", "502", "503", "504", "520", "521", "522", "523", "524", "525", "526", "527", "529", "530"];

/// "During temporary trouble kvsweep probes and waits instead of failing key after key": whether that is all that this fault,
/// in the sandbox's spelling, leads to. An error of the API with another status refuses keys, or stops the job.
pub(crate) fn is_temporary(fault: &str) -> bool {
    // A number of times follows an x.
    let kind = fault.split(['@', '=', 'x']).next().unwrap_or(fault);
    match kind.find(|char: char| char.is_ascii_digit()).map(|at| kind.split_at(at)) {
        Some(("", status)) => TEMPORARY.contains(&status),
        Some(("unsuccessful", status)) => TEMPORARY.contains(&status) || status == "400",
        // "a portal or firewall page, any response that is not the API's"
        _ => true,
    }
}

/// "7: stopped by a fatal response", "8: stopped by … `--max-failures`": how a job may end early because of such a fault.
pub(crate) fn may_stop(case: &Case, code: Option<i32>) -> bool {
    !case.server.refusing.is_empty() && matches!(code, Some(7 | 8))
}

/// Keys of the namespace that are meant: "only keys … selected by `--prefix`/`--all` are ever touched, and never one that a
/// guard covers".
pub(crate) fn is_selected(case: &Case, selection: &Selection, name: &str, held: &Stored, now: u64) -> bool {
    let by_prefix = selection.prefixes.is_empty() || selection.prefixes.iter().any(|prefix| name.starts_with(prefix));
    let by_expiration = match selection.expires {
        None => true,
        Some(Expires::Never) => held.expiration.is_none(),
        Some(Expires::BeforeDays(days)) => held.expiration.is_some_and(|at| at < now + days * 86_400),
    };
    let by_metadata = selection.metadata.is_none_or(|(path, value)| {
        let member = held.metadata.as_ref().and_then(|held| held.pointer(&format!("/{}", path.replace('.', "/"))));
        let text = |member: &serde_json::Value| member.as_str().map_or_else(|| member.to_string(), str::to_owned);
        member.is_some_and(|member| value.is_none_or(|value| text(member) == value))
    });
    by_prefix && by_expiration && by_metadata && !is_kept(case, name)
}

/// "`result.successful_key_count`, `result.unsuccessful_keys` … honoured in non-2xx responses as well": what a response with
/// this status to a bulk call with these names says is gone.
pub(crate) fn confirmed<'a>(case: &Case, status: u16, names: &'a [String]) -> Vec<&'a String> {
    let faults: Vec<&String> = case.server.temporary.iter().chain(&case.server.refusing).collect();
    // Other faults could be what the status stands for.
    let [fault] = faults[..] else { return Vec::new() };
    if !case.server.refused.is_empty() {
        return Vec::new();
    }
    let Some((kind, prefix)) = fault.split_once("@prefix:") else { return Vec::new() };
    let is_status =
        kind.strip_prefix("unsuccessful").and_then(|kind| kind.split('x').next()) == Some(&status.to_string());
    names.iter().filter(|name| is_status && !name.starts_with(prefix)).collect()
}

/// How many keys may be in flight.
pub(crate) fn in_flight(case: &Case) -> usize {
    case.concurrency as usize * case.bulk.unwrap_or(1) as usize
}

/// How many keys may wait for a response: one to `bulk/get` is about "at most 100 names".
pub(crate) fn most_pending(case: &Case) -> usize {
    let looked_up = if case.check || case.backup { case.concurrency as usize * 100 } else { 0 };
    in_flight(case).max(looked_up)
}

/// "After `kill -9`, only keys that were in flight are sent again": how many keys may be gone without a row. A key whose
/// response was lost waits for its next attempt.
pub(crate) fn most_without_row(case: &Case) -> usize {
    // Each of them waits for its next attempt when a connection ends.
    if case.server.tls.is_some_and(|tls| tls.lifetime.is_some()) {
        return usize::MAX;
    }
    in_flight(case) + most_waiting(case)
}

/// How many keys may wait for their next attempt, because their request met one of the faults that strike so many requests.
pub(crate) fn most_waiting(case: &Case) -> usize {
    let lost = |fault: &String| {
        if let Some((kind, _)) = fault.split_once("@prefix:") {
            return kind.rsplit_once('x')?.1.parse().ok();
        }
        let numbers = fault.split_once("@nth:")?.1.split_once('-')?;
        Some(numbers.1.parse::<usize>().ok()? + 1 - numbers.0.parse::<usize>().ok()?)
    };
    let lost: usize = case.server.temporary.iter().filter_map(lost).sum();
    lost * case.bulk.unwrap_or(1) as usize
}

/// "Memory does not grow with the input beyond 32 bytes per key": in KiB, for a job over so many keys of a program that
/// needs `base` for one key. What is in flight, and what the allocator keeps, is bounded generously.
pub(crate) fn most_memory(case: &Case, base: u64, keys: u64) -> u64 {
    let of_requests = in_flight(case).min(40_000) as u64 * 4;
    base + (keys * 32) / 1_024 + of_requests + 24 * 1_024
}
