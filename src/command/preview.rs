//! What a dry run shows of a plan: its statistics, how long it takes with and without `--bulk`, and what it costs.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::api::{MAX_BULK_BYTES, MAX_BULK_KEYS, MAX_GET_KEYS, PageRequest};
use crate::clock::minute;
use crate::pipeline::{BatchLimit, Batching, KeyAction, OnExisting};
use crate::plan::price::{self, Cost};
use crate::plan::stats::Stats;
use crate::quota::{Rate, least_time};
use crate::report::Summary;
use crate::terminal::{duration, pluralized};

use super::connect::Limits;
use super::job::{DeleteJob, Keys, Mode};
use super::overview::Overview;

/// Ends that are nearer are clear from the duration.
const FAR: Duration = Duration::from_hours(1);

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
pub(super) struct SendEstimate {
    pub(super) name: &'static str,
    requests: u64,
    at_least: Duration,
    /// Whether a rate is kept.
    is_limited: bool,
    /// The `--deadline`, if the job takes longer.
    deadline: Option<Duration>,
    ends_at: Option<SystemTime>,
    now: SystemTime,
}

impl Preview<'_> {
    /// For a person: what would be deleted, from where and within which bounds, how long it takes and costs, then what the keys
    /// look like.
    /// `refused`: a guard or an error in the input stands against it.
    pub(super) fn lines(&self, summary: &Summary, width: usize, refused: bool) -> Vec<String> {
        let mut lines = vec![self.headline(refused), summary.others_to_text()];
        let mut overview = self.overview.clone();
        if self.stats.keys() > 0 {
            for estimate in estimates(self.job, &self.limits, self.stats.keys(), self.now) {
                overview.push(estimate.name, estimate.in_words());
            }
        }
        if let Some(note) = self.limits.note() {
            overview.push("rate", note);
        }
        lines.extend(overview.lines(width, false));
        if self.stats.keys() > 0 {
            lines.extend(self.cost().filter(|_| self.stats.keys() >= PRICED_KEYS).map(price_in_words));
        }
        let stats = self.stats.lines(width);
        if !stats.is_empty() {
            lines.push(String::new());
            lines.extend(stats);
            lines.push(String::new());
        }
        lines
    }

    fn headline(&self, refused: bool) -> String {
        let keys = pluralized(self.stats.keys(), "key");
        if refused {
            return format!("would delete nothing ({keys} planned)");
        }
        match self.overview.namespace() {
            Some(namespace) => format!("would delete {keys} from {namespace}"),
            None => format!("would delete {keys} (no namespace given)"),
        }
    }

    /// The last line, which is on the screen even if the first is not.
    pub(super) fn conclusion(&self, refused: bool) -> String {
        let keys = pluralized(self.stats.keys(), "key");
        if refused {
            return "Dry run: nothing was sent, and nothing would be deleted.".to_owned();
        }
        match (&self.job.keys, &self.job.mode) {
            (Keys::Namespace(_), _) | (_, Mode::Check(_)) => format!("Dry run: nothing was deleted, {keys} would be."),
            (Keys::Inputs(_), _) => format!("Dry run: nothing was sent, {keys} would be deleted."),
        }
    }

    /// None where operations have no price.
    fn cost(&self) -> Option<Cost> {
        let keys = self.stats.keys();
        let reads = reads(planned(self.job), keys);
        (!self.limits.is_instant).then(|| Cost::of(keys, pages(self.job, keys), reads))
    }

    /// The object `plan` of the summary.
    pub(super) fn value(&self) -> impl Serialize + '_ {
        let timed = |estimate: &SendEstimate| Timed {
            requests: estimate.requests,
            at_least_s: (estimate.at_least.as_secs_f64() * 1000.0).round() / 1000.0,
            ends_at: estimate.ends_at.map(|end| humantime::format_rfc3339_seconds(end).to_string()),
        };
        let estimates = estimates(self.job, &self.limits, self.stats.keys(), self.now);
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

/// A bar that shows a job of more than this says what `--bulk` would take.
const LONG: Duration = Duration::from_mins(10);

/// The fewest keys whose price is worth showing.
const PRICED_KEYS: u64 = 10_000;

/// How many requests and how long `keys` take, as the command has it, and the other way.
pub(super) fn estimates(job: &DeleteJob, limits: &Limits, keys: u64, now: SystemTime) -> [SendEstimate; 2] {
    let estimate = |name, batching| {
        let deadline = job.options.deadline.filter(|_| batching == job.batching);
        SendEstimate::new(name, requests(job, batching, keys), &limits.rates, deadline, now)
    };
    let single = estimate("one by one", Batching::Single);
    match job.batching {
        Batching::Single => [single, estimate("with --bulk", BULK)],
        batching @ Batching::Bulk(_) => [estimate("with --bulk", batching), single],
    }
}

impl SendEstimate {
    pub(super) fn new(
        name: &'static str,
        requests: u64,
        rates: &[Rate],
        deadline: Option<Duration>,
        now: SystemTime,
    ) -> Self {
        let (at_least, is_limited) = (least_time(rates, requests), !rates.is_empty());
        let deadline = deadline.filter(|deadline| *deadline < at_least);
        // Without a rate nothing says how long it takes.
        let ends_at = if is_limited { end(now, at_least) } else { None };
        Self { name, requests, at_least, is_limited, deadline, ends_at, now }
    }

    pub(super) fn in_words(&self) -> String {
        let requests = pluralized(self.requests, "request");
        if !self.is_limited {
            return format!("{requests}, as fast as the server responds (--rate none)");
        }
        if self.at_least < Duration::from_secs(1) {
            return format!("{requests}, under a second");
        }
        let time = duration(self.at_least);
        let beyond = self.deadline.map(|deadline| format!(", longer than --deadline {}", duration(deadline)));
        let end = self.ends_at.filter(|_| self.at_least >= FAR).map(|end| minute(end, self.now));
        let end = end.map(|end| format!(" (ends at {end} or later)"));
        format!("{requests}, at least {time} at this rate{}{}", beyond.unwrap_or_default(), end.unwrap_or_default())
    }
}

/// The largest bulk calls.
pub(super) const BULK: Batching =
    Batching::Bulk(BatchLimit { keys: NonZeroU32::new(MAX_BULK_KEYS).unwrap(), bytes: MAX_BULK_BYTES });

/// How many requests `keys` take, the one that proves the namespace included and the pages where they are listed.
fn requests(job: &DeleteJob, batching: Batching, keys: u64) -> u64 {
    reads(planned(job), keys) + batching.requests(keys) + pages(job, keys) + 1
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

/// How long `keys` would take with `--bulk`, for a job that takes long without it.
pub(super) fn in_bulk(rates: &[Rate], batching: Batching, keys: u64) -> Option<Duration> {
    let one_by_one = least_time(rates, keys);
    (batching == Batching::Single && one_by_one > LONG).then(|| least_time(rates, BULK.requests(keys)))
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

/// At Cloudflare's list prices of [`Cost::AS_OF`].
fn price_in_words(cost: Cost) -> String {
    format!("cost: at most {} (paid plan) · free plan: {}", cost.most, pluralized(cost.free_days, "day"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_shown_as_long_as_there_are_calendars() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_000_000);
        let shown = |hours| end(now, Duration::from_hours(hours)).map(|end| minute(end, now));
        assert_eq!(shown(7).as_deref(), Some("18:06 UTC"));
        assert_eq!(shown(70).as_deref(), Some("2026-11-21 09:06 UTC"));
        // A request a day, three million of them.
        assert_eq!(shown(24 * 3_000_000), None);
        assert_eq!(end(now, Duration::MAX), None);
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(LAST_SECOND);
        assert_eq!(end(last, Duration::ZERO).map(|end| minute(end, last)).as_deref(), Some("23:59 UTC"));
    }

    #[test]
    fn the_price_is_the_highest_that_it_can_be() {
        let words = price_in_words(Cost::of(480, 0, 0));
        assert_eq!(words, "cost: at most $0.01 (paid plan) · free plan: 1 day");
    }
}
