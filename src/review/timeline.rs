//! What was finished when: columns for a picture, and the pauses between.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::rfc3339_seconds;
use crate::outcome::Status;
use crate::terminal::duration;

/// Columns of the picture, at most.
const COLUMNS: u64 = 120;

/// Widths of a column that people can read, in milliseconds; above, whole days.
#[rustfmt::skip]
const WIDTHS: [u64; 26] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500,
    1_000, 2_000, 5_000, 10_000, 15_000, 30_000,
    60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000,
    3_600_000, 7_200_000, 14_400_000, 28_800_000, DAY,
];
const DAY: u64 = 86_400_000;

/// Marks in which it is kept whether anything was finished, at most.
const MARKS: u64 = 1 << 17;

/// The shortest time that is reported as a pause, in milliseconds.
const LEAST_PAUSE: u64 = 2_000;

/// Pauses that are kept, the longest.
const MOST_PAUSES: usize = 200;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bin {
    /// Deleted or absent.
    pub done: u64,
    /// Failed or unknown.
    pub failed: u64,
    /// The unknown ones of those.
    pub unknown: u64,
    /// Of both, those that took more than one request.
    pub retried: u64,
}

impl Bin {
    pub(crate) fn total(self) -> u64 {
        self.done + self.failed
    }
}

/// A time in which nothing was finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Whether no job was running, rather than one that waited.
    pub is_idle: bool,
    /// Its beginning, in milliseconds since 1970, as exact as the marks are.
    pub from_ms: u64,
    /// How long, in milliseconds.
    pub length_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Timeline {
    from_ms: u64,
    to_ms: u64,
    width_ms: u64,
    bins: Vec<Bin>,
    mark_ms: u64,
    marks: Vec<bool>,
    /// When no job was running, in order, in milliseconds since 1970.
    idle: Vec<(u64, u64)>,
}

impl Timeline {
    /// From the first to the last moment, in milliseconds since 1970; none where nothing was sent.
    pub(super) fn new(span: Option<(u64, u64)>, idle: &[(u64, u64)]) -> Self {
        let Some((from_ms, to_ms)) = span else {
            let (bins, marks, idle) = (Vec::new(), Vec::new(), Vec::new());
            return Self { from_ms: 0, to_ms: 0, width_ms: 1, bins, mark_ms: 1, marks, idle };
        };
        let within = idle.iter().map(|&(start, end)| (start.max(from_ms), end.min(to_ms)));
        let idle = within.filter(|(start, end)| start < end).collect();
        let length = to_ms - from_ms + 1;
        let fits = |width: &u64| length.div_ceil(*width) <= COLUMNS;
        let width_ms = WIDTHS.into_iter().find(fits).unwrap_or_else(|| length.div_ceil(COLUMNS).next_multiple_of(DAY));
        let mark_ms = length.div_ceil(MARKS).max(10);
        Self {
            from_ms,
            to_ms,
            width_ms,
            bins: vec![Bin::default(); index(length.div_ceil(width_ms))],
            mark_ms,
            marks: vec![false; index(length.div_ceil(mark_ms))],
            idle,
        }
    }

    pub(super) fn add(&mut self, at_ms: u64, status: Status, retried: bool) {
        let offset = at_ms.saturating_sub(self.from_ms);
        if let Some(bin) = self.bins.get_mut(index(offset / self.width_ms)) {
            let failed = matches!(status, Status::Failed | Status::Unknown);
            *(if failed { &mut bin.failed } else { &mut bin.done }) += 1;
            bin.unknown += u64::from(status == Status::Unknown);
            bin.retried += u64::from(retried);
        }
        if let Some(mark) = self.marks.get_mut(index(offset / self.mark_ms)) {
            *mark = true;
        }
    }

    /// When the first one was finished, in milliseconds since 1970.
    pub(crate) fn start_ms(&self) -> u64 {
        self.from_ms
    }

    /// From the first to the last.
    pub(crate) fn span(&self) -> Duration {
        Duration::from_millis(self.to_ms - self.from_ms)
    }

    /// How long no job was running in between.
    pub(crate) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle.iter().map(|(start, end)| end - start).sum())
    }

    /// `4m 31s between runs`; nothing if that is less than a second.
    pub(crate) fn idle_to_text(&self) -> Option<String> {
        let idle = self.idle();
        (idle >= Duration::from_secs(1)).then(|| format!("{} between runs", duration(idle)))
    }

    pub(crate) fn width(&self) -> Duration {
        Duration::from_millis(self.width_ms)
    }

    /// The columns; empty where nothing was sent.
    pub(crate) fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// Times of two seconds or more without anything finished while a job was running: how many, how long together. And the
    /// longest ones in the order of their beginnings, with those at which no job was running.
    pub(crate) fn pauses(&self) -> (u64, Duration, Vec<Pause>) {
        let least = LEAST_PAUSE.max(2 * self.mark_ms);
        let (mut pauses, mut count, mut all_ms) = (Vec::new(), 0, 0);
        let mut before = None;
        for (mark, _) in (0..).zip(&self.marks).filter(|(_, is_occupied)| **is_occupied) {
            let Some(begun) = before.replace(mark) else { continue };
            // Between two marks lies one width less than between their beginnings, more or less.
            let (from, to) = (self.from_ms + begun * self.mark_ms, self.from_ms + mark * self.mark_ms);
            if to - from < least {
                continue;
            }
            let mut pause = |is_idle: bool, from_ms: u64, to_ms: u64| {
                let length_ms = to_ms.saturating_sub(from_ms);
                if length_ms >= least {
                    count += u64::from(!is_idle);
                    all_ms += if is_idle { 0 } else { length_ms };
                    pauses.push(Pause { is_idle, from_ms, length_ms });
                }
            };
            let mut at = from;
            for &(start, end) in self.idle.iter().filter(|&&(start, end)| start < to && end > from) {
                pause(false, at, start.max(from));
                pause(true, start.max(from), end.min(to));
                at = end.min(to);
            }
            pause(false, at, to);
        }
        pauses.sort_by_key(|pause| std::cmp::Reverse(pause.length_ms));
        pauses.truncate(MOST_PAUSES);
        pauses.sort_by_key(|pause| pause.from_ms);
        (count, Duration::from_millis(all_ms), pauses)
    }
}

/// A moment in milliseconds since 1970; 0 before.
pub(super) fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The moment so many milliseconds after 1970 began, for a person, to the second.
pub(super) fn moment(ms: u64) -> humantime::Rfc3339Timestamp {
    rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(ms))
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_few_and_of_readable_width() {
        for (span, width, columns) in [
            (0, 1, 1),
            (119, 1, 120),
            (120, 2, 61),
            (10_000, 100, 101),
            (3_600_000, 30_000, 121),
            (40 * DAY, 28_800_000, 121),
        ] {
            let timeline = Timeline::new(Some((1_000, 1_000 + span)), &[]);
            assert!(timeline.bins().len() <= 120, "{span}: {}", timeline.bins().len());
            if columns <= 120 {
                assert_eq!((timeline.width_ms, timeline.bins().len() as u64), (width, columns), "{span}");
            }
        }
        // A clock that jumped by ages costs no more.
        let timeline = Timeline::new(Some((0, 253_402_300_799_999)), &[]);
        assert!(timeline.bins().len() <= 120 && timeline.marks.len() as u64 <= MARKS);
    }

    #[test]
    fn rows_are_counted_where_they_belong() {
        let mut timeline = Timeline::new(Some((5_000, 5_119)), &[]);
        timeline.add(5_000, Status::Deleted, true);
        timeline.add(5_119, Status::Unknown, false);
        assert_eq!(timeline.bins()[0], Bin { done: 1, retried: 1, ..Bin::default() });
        assert_eq!(timeline.bins()[119], Bin { failed: 1, unknown: 1, ..Bin::default() });
        // Outside (a file that was changed between two readings): not counted, and no harm.
        timeline.add(9_999_999, Status::Deleted, false);
        timeline.add(0, Status::Deleted, false);
        assert_eq!(timeline.bins().iter().map(|bin| bin.total()).sum::<u64>(), 3);
    }

    #[test]
    fn pauses_are_found_and_the_longest_kept() {
        let mut timeline = Timeline::new(Some((0, 600_000)), &[]);
        let mut at = 0;
        while at <= 600_000 {
            let quiet = (10_000..40_000).contains(&at) || (100_000..103_000).contains(&at);
            if !quiet {
                timeline.add(at, Status::Deleted, false);
            }
            at += 500;
        }
        let (count, all, pauses) = timeline.pauses();
        assert_eq!((count, pauses.len()), (2, 2));
        assert_eq!(all.as_millis() / 1_000, 34);
        assert_eq!((pauses[0].from_ms / 1_000, pauses[0].length_ms / 1_000), (9, 30));
    }

    #[test]
    fn the_time_between_two_runs_is_no_pause() {
        let mut timeline = Timeline::new(Some((0, 100_000)), &[(12_000, 90_000), (200_000, 300_000)]);
        for at in [0, 10_000, 95_000, 95_500, 100_000] {
            timeline.add(at, Status::Deleted, false);
        }
        let (count, all, pauses) = timeline.pauses();
        assert_eq!((count, all.as_secs(), timeline.idle().as_secs()), (4, 10 + 2 + 5 + 4, 78));
        let idle: Vec<_> = pauses.iter().map(|pause| (pause.is_idle, pause.from_ms, pause.length_ms)).collect();
        assert_eq!(idle[1..4], [(false, 10_000, 2_000), (true, 12_000, 78_000), (false, 90_000, 5_000)]);
    }

    #[test]
    fn nothing_sent_is_no_picture() {
        let mut timeline = Timeline::new(None, &[]);
        timeline.add(5, Status::Deleted, false);
        assert!(timeline.bins().is_empty() && timeline.pauses().2.is_empty());
        assert_eq!(timeline.span(), Duration::ZERO);
    }
}
