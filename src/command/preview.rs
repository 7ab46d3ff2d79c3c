//! What a dry run shows of a plan: its statistics, how long it takes with and without `--bulk`, and what it costs.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::api::{MAX_BULK_BYTES, MAX_BULK_KEYS, MAX_GET_KEYS, PageRequest};
use crate::pipeline::{BatchLimit, Batching, KeyAction, OnExisting};
use crate::plan::price::{self, Cost};
use crate::plan::stats::Stats;
use crate::quota::{Rate, least_time};
use crate::terminal::{count, duration, hanging_indent, pluralized};

use super::connect::Limits;
use super::job::{DeleteJob, Keys, Mode};
use super::overview::Overview;

/// Ends that are nearer are clear from the duration.
const NEAR: Duration = Duration::from_mins(1);

/// The last moment that RFC 3339 can write: the end of the year 9999, in seconds since 1970.
const LAST_SECOND: u64 = 253_402_300_799;

/// A plan, and what becomes of it if it is carried out from `now` on.
#[derive(Debug)]
pub(super) struct Preview<'a> {
    pub(super) job: &'a DeleteJob,
    pub(super) limits: Limits,
    pub(super) overview: Overview,
    pub(super) stats: Stats,
    pub(super) now: SystemTime,
}

/// How many requests and how long it takes to send the keys in one way.
#[derive(Debug)]
struct SendEstimate {
    name: &'static str,
    requests: u64,
    at_least: Duration,
    ends_at: Option<SystemTime>,
}

impl Preview<'_> {
    /// For a person; nothing of an input without records.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = vec![String::new()];
        lines.extend(self.overview.lines(width));
        let stats = self.stats.lines(width);
        if !stats.is_empty() {
            lines.push(String::new());
            lines.extend(stats);
        }
        if self.stats.keys() > 0 {
            lines.push(String::new());
            let estimates = self.estimates();
            for (index, estimate) in estimates.iter().enumerate() {
                lines.extend(hanging_indent(
                    &format!("{:<11}", estimate.name),
                    &self.in_words(estimate, index == 0),
                    width,
                ));
            }
            if let Some(cost) = self.cost() {
                lines.extend(hanging_indent("list price ", &price_in_words(cost), width));
            }
            lines.extend(self.limits.note().iter().flat_map(|note| hanging_indent("rate       ", note, width)));
            lines.push(String::new());
        }
        lines
    }

    /// As the command has it, and the other one.
    fn estimates(&self) -> [SendEstimate; 2] {
        let estimate = |name, batching| {
            let (requests, at_least) = requests(self.job, &self.limits.rates, batching, self.stats.keys());
            // Without a rate nothing says how long it takes.
            let ends_at = if self.limits.rates.is_empty() { None } else { end(self.now, at_least) };
            SendEstimate { name, requests, at_least, ends_at }
        };
        let single = estimate("one by one", Batching::Single);
        match self.job.batching {
            Batching::Single => [single, estimate("with --bulk", BULK)],
            batching @ Batching::Bulk(_) => [estimate("with --bulk", batching), single],
        }
    }

    /// None where operations have no price.
    fn cost(&self) -> Option<Cost> {
        let keys = self.stats.keys();
        let reads = reads(planned(self.job), keys);
        (!self.limits.is_instant).then(|| Cost::of(keys, pages(self.job, keys), reads))
    }

    fn in_words(&self, estimate: &SendEstimate, is_chosen: bool) -> String {
        let requests = pluralized(estimate.requests, "request");
        if self.limits.rates.is_empty() {
            return format!("{requests}, as fast as the server answers (--rate none)");
        }
        if estimate.at_least < Duration::from_secs(1) {
            return format!("{requests}, at once");
        }
        let time = duration(estimate.at_least);
        let deadline = self.job.options.deadline.filter(|deadline| is_chosen && *deadline < estimate.at_least);
        let beyond = deadline.map(|deadline| format!(", which is beyond --deadline {}", duration(deadline)));
        let end = estimate.ends_at.filter(|_| estimate.at_least >= NEAR).map(minute);
        let end = end.map(|end| format!("; begun now, it ends {end} or later"));
        format!("{requests}, at least {time} at this rate{}{}", beyond.unwrap_or_default(), end.unwrap_or_default())
    }

    /// The object `plan` of the summary.
    pub(super) fn value(&self) -> impl Serialize + '_ {
        let timed = |estimate: &SendEstimate| Timed {
            requests: estimate.requests,
            at_least_s: (estimate.at_least.as_secs_f64() * 1000.0).round() / 1000.0,
            ends_at: estimate.ends_at.map(|end| humantime::format_rfc3339_seconds(end).to_string()),
        };
        let estimates = self.estimates();
        let is_bulk = self.job.batching != Batching::Single;
        let [one_by_one, bulk] = if is_bulk { [&estimates[1], &estimates[0]] } else { [&estimates[0], &estimates[1]] };
        Members {
            stats: &self.stats,
            way: if is_bulk { "bulk" } else { "one_by_one" },
            one_by_one: timed(one_by_one),
            bulk: timed(bulk),
            price: self.cost().map(|cost| Price {
                as_of: Cost::AS_OF,
                usd_per_million: price::USD_PER_MILLION,
                included_a_month: price::INCLUDED_A_MONTH,
                usd_at_least: cost.least.usd(),
                usd_at_most: cost.most.usd(),
                free_plan_days: cost.free_days,
            }),
        }
    }
}

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
        KeyAction::Delete | KeyAction::Plan | KeyAction::Put(OnExisting::Overwrite) => 0,
        KeyAction::Put(_) | KeyAction::Check | KeyAction::CheckThenDelete => keys.div_ceil(MAX_GET_KEYS as u64),
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

#[derive(Serialize)]
struct Members<'a> {
    #[serde(flatten)]
    stats: &'a Stats,
    way: &'static str,
    one_by_one: Timed,
    bulk: Timed,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
}

#[derive(Serialize)]
struct Timed {
    requests: u64,
    at_least_s: f64,
    ends_at: Option<String>,
}

#[derive(Serialize)]
struct Price {
    as_of: &'static str,
    usd_per_million: u64,
    included_a_month: u64,
    usd_at_least: f64,
    usd_at_most: f64,
    free_plan_days: u64,
}

/// None where it cannot be written.
fn end(now: SystemTime, at_least: Duration) -> Option<SystemTime> {
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(LAST_SECOND);
    now.checked_add(at_least).filter(|end| *end <= last)
}

/// `2026-11-27 08:45 UTC`.
fn minute(moment: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(moment).to_string();
    format!("{} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

fn price_in_words(cost: Cost) -> String {
    format!(
        "{} on the paid plan, {} where this month's {} deletes are used up; {} on the free plan, at {} a day \
         (Cloudflare's list of {}, which may have changed)",
        cost.least,
        cost.most,
        count(price::INCLUDED_A_MONTH),
        pluralized(cost.free_days, "day"),
        count(price::FREE_A_DAY),
        Cost::AS_OF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_shown_as_long_as_there_are_calendars() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let shown = |hours| end(now, Duration::from_hours(hours)).map(minute);
        assert_eq!(shown(70).as_deref(), Some("2026-11-21 09:06 UTC"));
        // A request a day, three million of them.
        assert_eq!(shown(24 * 3_000_000), None);
        assert_eq!(end(now, Duration::MAX), None);
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(LAST_SECOND);
        assert_eq!(end(last, Duration::ZERO).map(minute).as_deref(), Some("9999-12-31 23:59 UTC"));
    }

    #[test]
    fn the_price_says_of_when_it_is() {
        let words = price_in_words(Cost::of(2_000_000, 0, 0));
        let paid = "$5.00 on the paid plan, $10.00 where this month's 1,000,000 deletes are used up";
        let free = "2,000 days on the free plan, at 1,000 a day";
        assert_eq!(words, format!("{paid}; {free} (Cloudflare's list of 2026-11, which may have changed)"));
    }
}
