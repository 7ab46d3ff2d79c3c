//! How long a job takes at least, and what `--bulk` would make of it.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::api::{MAX_BULK_BYTES, MAX_BULK_KEYS, MAX_GET_KEYS, PageRequest};
use crate::pipeline::{BatchLimit, Batching, KeyAction};
use crate::quota::{Rate, least_time};
use crate::terminal::{duration, pluralized};

use super::job::{DeleteJob, Keys, Mode};

/// A job that takes longer one by one is told what `--bulk` would take.
const LONG: Duration = Duration::from_mins(10);

/// The largest bulk calls.
pub(super) const BULK: Batching =
    Batching::Bulk(BatchLimit { keys: NonZeroU32::new(MAX_BULK_KEYS).unwrap(), bytes: MAX_BULK_BYTES });

/// How many requests `keys` take, the one that proves the namespace included and the pages where they are listed, and
/// how long at least.
pub(super) fn requests(job: &DeleteJob, rates: &[Rate], batching: Batching, keys: u64) -> (u64, Duration) {
    let requests = reads(planned(job), keys) + batching.requests(keys) + pages(job, keys) + 1;
    (requests, least_time(rates, requests))
}

/// What the job does about each key that a dry run or a question speaks of: what is looked for now is not looked for again.
pub(super) fn planned(job: &DeleteJob) -> KeyAction {
    if matches!(job.mode, Mode::Check(_)) { KeyAction::Delete } else { job.key_action() }
}

/// How many requests keys take at least before they may be deleted: metadata and value are read apart, and many are
/// looked for together.
pub(super) fn reads(action: KeyAction, keys: u64) -> u64 {
    match action {
        KeyAction::Delete => 0,
        KeyAction::Check | KeyAction::CheckThenDelete => keys.div_ceil(MAX_GET_KEYS as u64),
        KeyAction::BackUpThenDelete => 2 * keys,
    }
}

/// How many pages it takes to list `keys`, where they are listed.
pub(super) fn pages(job: &DeleteJob, keys: u64) -> u64 {
    match job.keys {
        Keys::Inputs(_) => 0,
        Keys::Namespace(_) => keys.div_ceil(PageRequest::LIMIT.into()),
    }
}

/// What `--bulk` would take, for a job that takes long without it.
pub(super) fn bulk_note(job: &DeleteJob, rates: &[Rate], keys: u64) -> Option<String> {
    let one_by_one = requests(job, rates, Batching::Single, keys).1;
    if job.batching != Batching::Single || job.backup.is_some() || one_by_one <= LONG {
        return None;
    }
    let (requests, time) = requests(job, rates, BULK, keys);
    Some(format!("with --bulk it would take {}{}", pluralized(requests, "request"), at_least(time)))
}

/// How long `keys` would take with `--bulk`, for a job that takes long without it.
pub(super) fn in_bulk(rates: &[Rate], batching: Batching, keys: u64) -> Option<Duration> {
    let one_by_one = least_time(rates, keys);
    (batching == Batching::Single && one_by_one > LONG).then(|| least_time(rates, BULK.requests(keys)))
}

fn at_least(time: Duration) -> String {
    match time {
        time if time < Duration::from_secs(1) => String::new(),
        time => format!(", at least {} at this rate", duration(time)),
    }
}
