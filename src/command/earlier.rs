//! Earlier runs of a job: their requests count against its rates, and their rows in its summary.

use std::iter::repeat_n;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::clock::wall_now;
use crate::outcome::Tally;
use crate::quota::Budget;
use crate::record::RecordNumber;
use crate::report::Journal;
use crate::terminal::duration;

/// What earlier runs left, as the summary of the job counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Earlier {
    /// Records by the status of their last row.
    pub(super) tally: Tally,
    /// How many of them are settled.
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

    /// How many records there are, if the run has seen so many.
    pub(super) fn records(&self, seen: u64) -> u64 {
        seen.max(self.last)
    }
}

/// A wait before the first request that is worth a word.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// Counts the requests that the rows of `journal` tell of, before this run sends anything. A run that was killed may have had
/// up to `in_flight` more on their way, which have no row and reached the server within `timeout`.
pub(super) fn count(budget: &mut Budget, journal: &Journal, in_flight: usize, timeout: Duration) {
    let (now, wall) = (Instant::now(), wall_now());
    let rows = journal.latest_requests().map(|moment| instant(moment, now, wall));
    budget.count_earlier(&with_in_flight(rows.collect(), in_flight, timeout, now));
    let wait = budget.full_until(now).map_or(Duration::ZERO, |until| until - now);
    if wait >= LONG_WAIT {
        let wait = duration(wait);
        tracing::warn!("requests of the earlier run still count towards --rate: the first request is sent in {wait}");
    }
}

fn with_in_flight(mut rows: Vec<Instant>, in_flight: usize, timeout: Duration, now: Instant) -> Vec<Instant> {
    rows.sort_unstable();
    let arrived = rows.last().copied().unwrap_or(now) + timeout;
    rows.extend(repeat_n(arrived, in_flight));
    rows
}

/// A moment of the wall clock, as long ago as it is of `wall`. If the clock was set back since, it is taken to be now.
fn instant(moment: SystemTime, now: Instant, wall: SystemTime) -> Instant {
    wall.duration_since(moment).ok().and_then(|age| now.checked_sub(age)).unwrap_or(now)
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
    fn moments_of_the_wall_clock_are_as_long_ago_as_they_say() {
        let (now, wall) = (Instant::now(), wall_now());
        let second = Duration::from_secs(1);
        assert_eq!(instant(wall, now, wall), now);
        assert_eq!(instant(wall + second, now, wall), now, "the clock was set back");
        assert_eq!(instant(wall - second, now, wall), now.checked_sub(second).unwrap());
    }
}
