//! Earlier runs of a job: their requests count against its rates, and their rows in its summary.

use std::iter::repeat_n;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::clock::wall_now;
use crate::files::{IfExists, RequestCount, SentRequests};
use crate::outcome::Tally;
use crate::quota::Budget;
use crate::record::RecordNumber;
use crate::report::{Destination, FailuresFile, Journal, Outputs, ReportError, RowWriter, Run, Target};
use crate::terminal::duration;

use super::error::Error;
use super::job::RunOptions;
use super::same_job::JobRecord;

/// What earlier runs left, as the summary of the job counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Records by the status of their last row.
    pub(super) tally: Tally,
    pub(super) settled: u64,
    /// The last record that has a row.
    last: u64,
}

impl Earlier {
    pub(super) fn of(journal: Option<&Journal>) -> Self {
        journal.map_or_else(Self::default, |journal| Self {
            tally: journal.tally(),
            settled: journal.settled(),
            last: journal.last().map_or(0, RecordNumber::get),
        })
    }

    /// The same without what `replaced` of its rows said, for records that have a new one.
    pub(super) fn without(self, replaced: &Tally) -> Self {
        Self { tally: self.tally.minus(replaced), ..self }
    }

    pub(super) fn records(&self, seen: u64) -> u64 {
        seen.max(self.last)
    }
}

/// A wait before the first request that is worth a word.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// Of a run that was killed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Killed {
    /// What it sent, and runs after it that did not begin to write, as counted beside the report.
    pub(super) sent: Option<SentRequests>,
    /// Whether each attempt of a row was a request of its own.
    pub(super) is_one_by_one: bool,
    /// How many it may have had on their way, which reached the server within `timeout`.
    pub(super) in_flight: usize,
    pub(super) timeout: Duration,
}

/// Counts the requests of earlier runs, before this run sends anything: as many as each says it sent, and of those that were
/// killed or ended before they began to write, those that rows in `journal` tell of and those that were counted besides. Returns
/// how many of these have no row.
pub(super) fn count(budget: &mut Budget, journal: &Journal, record: &mut JobRecord, killed: Killed) -> u64 {
    let runs = record.earlier_runs();
    let was_killed = runs.last().is_none_or(|run| run.ended_at.is_none());
    let mut rows: Vec<_> = journal.latest_requests().collect();
    let sent = killed.sent;
    let begun = runs.last().map_or(SystemTime::UNIX_EPOCH, |run| run.started_at);
    let rowless = match sent {
        None => 0,
        // It began to count after the attempts of the rows that there were.
        Some(sent) if killed.is_one_by_one => sent.number.saturating_sub(journal.attempts()),
        // If rows share requests, none of them tells of one: the last request may be the only one that is not theirs.
        Some(sent) => {
            rows.retain(|moment| !was_killed || *moment < begun);
            sent.number
        }
    };
    let mut requests = of_runs(rows, runs);
    if let Some(sent) = sent {
        let most = usize::try_from(rowless).unwrap_or(usize::MAX).min(Journal::LATEST_REQUESTS);
        requests.extend(repeat_n(sent.until, most));
    }
    count_requests(budget, requests, if was_killed { killed.in_flight } else { 0 }, killed.timeout);
    record.requests_without_row = rowless;
    rowless
}

/// Where the requests of this run are counted beside its report, after `earlier` ones: those of killed runs without a row and,
/// if each attempt is a request of its own, the attempts of the rows that there are.
pub(super) fn count_requests_of(
    report: Option<&Destination>,
    earlier: u64,
) -> Result<Option<RequestCount>, ReportError> {
    match report {
        Some(Destination::File(file)) => Ok(file.output().count_requests(earlier)?),
        _ => Ok(None),
    }
}

/// Counts the requests that an earlier run `sent`, and those that it may have sent besides before it was killed.
pub(super) fn count_requests(budget: &mut Budget, sent: Vec<SystemTime>, in_flight: usize, timeout: Duration) {
    let (now, wall) = (Instant::now(), wall_now());
    let sent = sent.into_iter().map(|moment| instant(moment, now, wall)).collect();
    budget.count_earlier(&with_in_flight(sent, in_flight, timeout, now));
    let wait = budget.full_until(now).map_or(Duration::ZERO, |until| until - now);
    if wait >= LONG_WAIT {
        let wait = duration(wait);
        tracing::warn!("requests of the earlier run still count towards --rate; the first request is sent in {wait}");
    }
}

/// When requests were sent, at the latest: rows of one bulk call are one request, and a request for the namespace has no row.
/// `rows` tells one request per attempt.
fn of_runs(mut rows: Vec<SystemTime>, runs: &[Run]) -> Vec<SystemTime> {
    rows.sort_unstable();
    let mut sent = Vec::new();
    for run in runs {
        let requests = run.requests.unwrap_or(0);
        let Some(end) = run.ended_at else {
            // They were answered before its report was begun.
            sent.extend(repeat_n(run.started_at, usize::try_from(requests).unwrap_or(0)));
            continue;
        };
        let from = rows.partition_point(|moment| *moment < run.started_at);
        let to = rows.partition_point(|moment| *moment <= end).max(from);
        let of_run: Vec<_> = rows.drain(from..to).collect();
        let most = usize::try_from(requests).unwrap_or(usize::MAX).min(Journal::LATEST_REQUESTS);
        sent.extend(&of_run[of_run.len().saturating_sub(most)..]);
        sent.extend(repeat_n(end, most.saturating_sub(of_run.len())));
    }
    sent.extend(rows);
    sent.sort_unstable();
    sent
}

fn with_in_flight(mut rows: Vec<Instant>, in_flight: usize, timeout: Duration, now: Instant) -> Vec<Instant> {
    rows.sort_unstable();
    let arrived = rows.last().copied().unwrap_or(now) + timeout;
    rows.extend(repeat_n(arrived, in_flight));
    rows
}

pub(super) fn latest_requests(budget: &Budget) -> Vec<SystemTime> {
    let (now, wall) = (Instant::now(), wall_now());
    budget.latest().filter_map(|moment| wall.checked_sub(now.saturating_duration_since(moment))).collect()
}

/// A moment of the wall clock, as long ago as it is of `wall`. If the clock was set back since, it is taken to be now.
fn instant(moment: SystemTime, now: Instant, wall: SystemTime) -> Instant {
    wall.duration_since(moment).ok().and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

/// Writes the failures of earlier runs, for a run that ends before it begins to write; where they are.
pub(super) fn write_failures(run: RunOptions) -> Result<Option<PathBuf>, Error> {
    let (Target::File(report), Some(failures)) = (run.report, run.failures) else { return Ok(None) };
    let existing = if failures.symlink_metadata().is_ok() { run.existing } else { IfExists::Refuse };
    let outputs = Outputs {
        report: Some(Destination::open(report, run.existing)?),
        failures: Some(FailuresFile::open(failures.clone(), existing)?),
        sync: run.sync,
    };
    RowWriter::begin(outputs)?.finish()?;
    Ok(Some(failures))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_without_a_row_count_from_their_timeout_on() {
        let (now, second) = (Instant::now() + Duration::from_hours(1), Duration::from_secs(1));
        let ago = |seconds| now - second * seconds;
        assert_eq!(with_in_flight(vec![ago(5), ago(9)], 2, 2 * second, now), [ago(9), ago(5), ago(3), ago(3)]);
        assert_eq!(with_in_flight(vec![ago(5)], 1, 9 * second, now), [ago(5), now + 4 * second], "it may still arrive");
        assert_eq!(with_in_flight(Vec::new(), 2, second, now), [now + second; 2]);
    }

    #[test]
    fn a_run_that_ended_says_how_many_requests_it_sent() {
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        let run =
            |start, end: Option<u64>, requests| Run { ended_at: end.map(at), requests, ..Run::starting(at(start)) };
        // Two bulk calls, each with three rows.
        let rows = || [11, 11, 11, 19, 19, 19].map(at).to_vec();
        assert_eq!(of_runs(rows(), &[run(10, Some(20), Some(2))]), [19, 19].map(at));
        // More requests than rows: retries, or those for the namespace.
        assert_eq!(of_runs([11, 12].map(at).to_vec(), &[run(10, Some(20), Some(4))]), [11, 12, 20, 20].map(at));
        // What was killed has its rows, and the requests before them.
        let runs = [run(10, Some(15), Some(1)), run(18, None, Some(2))];
        assert_eq!(of_runs(rows(), &runs), [11, 18, 18, 19, 19, 19].map(at));
        assert_eq!(of_runs(rows(), &[]), rows());
    }

    #[test]
    fn moments_of_the_wall_clock_are_as_long_ago_as_they_say() {
        let (now, wall) = (Instant::now(), wall_now());
        let second = Duration::from_secs(1);
        assert_eq!(instant(wall, now, wall), now);
        assert_eq!(instant(wall + second, now, wall), now, "the clock was set back");
        assert_eq!(instant(wall - second, now, wall), now.checked_sub(second).unwrap());
    }
}
