//! What is counted, and what follows from it at a moment.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::speed::Speed;
use super::text::{Doing, Left, View};
use crate::outcome::{Status, StopReason};
use crate::pipeline::{Event, PauseCause};

/// How long so many more keys will take at least, as the rates allow.
pub(crate) type Estimate = Box<dyn Fn(u64) -> Duration + Send>;

/// How long so many more keys would take in bulk, where that is worth saying.
pub(crate) type Alternative = Box<dyn Fn(u64) -> Option<Duration> + Send>;

/// The longest time left that is worth showing; also keeps a tiny speed from overflowing a `Duration`.
const MAX_LEFT_SECONDS: f64 = 10.0 * 365.0 * 86_400.0;

pub(super) struct State {
    /// The counts; what else is shown is added at the moment.
    shown: View,
    expected: Option<Estimate>,
    in_bulk: Option<Alternative>,
    /// Those of `done` that took a request (or would, in a dry run): only they say how fast the rest will be.
    worked: u64,
    phase: Phase,
    speed: Speed,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Running,
    Paused { until: Instant, cause: PauseCause },
    Draining { reason: StopReason, in_flight: u64 },
}

impl State {
    pub(super) fn new(total: Option<u64>, expected: Option<Estimate>, now: Instant) -> Self {
        let (shown, speed) = (View { total, ..View::default() }, Speed::new(now));
        Self { shown, expected, in_bulk: None, worked: 0, phase: Phase::Running, speed }
    }

    pub(super) fn compared(self, in_bulk: Option<Alternative>) -> Self {
        Self { in_bulk, ..self }
    }

    pub(super) fn on(&mut self, event: &Event, now: Instant) {
        match *event {
            Event::Settled(status) => self.settled(status),
            Event::Resumed => self.shown.done += 1,
            Event::Retrying => self.shown.retries += 1,
            Event::Paused { until, cause } => {
                self.speed.pause(now);
                self.enter(Phase::Paused { until, cause });
            }
            Event::Running => {
                self.speed.resume(now);
                self.enter(Phase::Running);
            }
            Event::Draining { reason, in_flight } => {
                self.phase = Phase::Draining { reason, in_flight: in_flight as u64 };
            }
        }
    }

    pub(super) fn listed(&mut self, keys: u64) {
        self.shown.pages += 1;
        self.shown.done += keys;
        self.worked += keys;
    }

    /// A job that drains never runs again, whatever else happens.
    fn enter(&mut self, phase: Phase) {
        if !matches!(self.phase, Phase::Draining { .. }) {
            self.phase = phase;
        }
    }

    fn settled(&mut self, status: Status) {
        self.shown.done += 1;
        self.shown.failed += u64::from(matches!(status, Status::Failed | Status::Unknown));
        self.shown.invalid += u64::from(status == Status::Invalid);
        if !matches!(status, Status::Kept | Status::Invalid | Status::Duplicate) {
            self.worked += 1;
            if let Phase::Draining { in_flight, .. } = &mut self.phase {
                *in_flight = in_flight.saturating_sub(1);
            }
        }
    }

    /// How things stand at `now`, which is `wall` on the clock.
    pub(super) fn view(&mut self, now: Instant, wall: SystemTime) -> View {
        let per_second = self.speed.sample(self.worked, now);
        View {
            doing: match self.phase {
                Phase::Running => Doing::Running { per_second },
                Phase::Paused { until, cause } => Doing::Paused { cause, left: until.saturating_duration_since(now) },
                Phase::Draining { reason, in_flight } => Doing::Draining { reason, in_flight },
            },
            left: self.left(per_second, now).map(|time| Left { time, now: wall, in_bulk: self.in_bulk() }),
            ..self.shown.clone()
        }
    }

    fn in_bulk(&self) -> Option<Duration> {
        let remaining = self.shown.total?.saturating_sub(self.shown.done);
        self.in_bulk.as_ref().and_then(|in_bulk| in_bulk(remaining))
    }

    /// The time left: as the speed has it, but no less than the rates allow once a pause is over.
    fn left(&self, per_second: Option<f64>, now: Instant) -> Option<Duration> {
        let remaining = self.shown.total?.saturating_sub(self.shown.done);
        let pause = match self.phase {
            Phase::Running => Duration::ZERO,
            Phase::Paused { until, .. } => until.saturating_duration_since(now),
            Phase::Draining { .. } => return None,
        };
        if remaining == 0 {
            return None;
        }
        let by_speed = per_second
            .filter(|&speed| speed > 0.0)
            .map(|speed| Duration::from_secs_f64((remaining as f64 / speed).min(MAX_LEFT_SECONDS)));
        let at_least = self.expected.as_ref().map(|expected| pause.saturating_add(expected(remaining)));
        by_speed.max(at_least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn left(view: &View) -> Option<Duration> {
        view.left.map(|left| left.time)
    }

    fn view_at(state: &mut State, now: Instant) -> View {
        state.view(now, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn states_are_counted_where_they_belong() {
        let now = Instant::now();
        let mut state = State::new(Some(100), None, now);
        for status in Status::ALL {
            state.on(&Event::Settled(status), now);
        }
        state.on(&Event::Resumed, now);
        state.on(&Event::Retrying, now);
        let view = view_at(&mut state, now);
        assert_eq!((view.done, view.failed, view.invalid, view.retries), (11, 2, 1, 1));
        assert_eq!(state.worked, 7);
    }

    #[test]
    fn what_a_resumed_run_skips_does_not_make_it_fast() {
        let start = Instant::now();
        let mut state = State::new(Some(1_000_000), None, start);
        for _ in 0..900_000 {
            state.on(&Event::Resumed, start);
        }
        for _ in 0..40 {
            state.on(&Event::Settled(Status::Deleted), start + 10 * SECOND);
        }
        let view = view_at(&mut state, start + 10 * SECOND);
        assert_eq!(left(&view), Some(Duration::from_secs(99_960 / 4)));
    }

    #[test]
    fn the_time_left_is_no_less_than_the_rates_allow() {
        let start = Instant::now();
        let expected: Estimate = Box::new(|keys| Duration::from_secs(keys / 4));
        let mut state = State::new(Some(2_000), Some(expected), start);
        assert_eq!(left(&view_at(&mut state, start)), Some(Duration::from_secs(500)), "before any speed is known");
        for _ in 0..1_000 {
            state.on(&Event::Settled(Status::Deleted), start);
        }
        assert_eq!(left(&view_at(&mut state, start + 5 * SECOND)), Some(Duration::from_secs(250)), "in a burst");
        assert_eq!(left(&view_at(&mut state, start + 290 * SECOND)), Some(Duration::from_secs(290)), "when slower");
    }

    #[test]
    fn nothing_is_left_at_the_end_or_without_a_total() {
        let start = Instant::now();
        let expected = || -> Option<Estimate> { Some(Box::new(|_| SECOND)) };
        let mut state = State::new(Some(1), expected(), start);
        state.on(&Event::Settled(Status::Deleted), start);
        assert_eq!(left(&view_at(&mut state, start + SECOND)), None);
        let mut state = State::new(None, expected(), start);
        assert_eq!(left(&view_at(&mut state, start + SECOND)), None);
    }

    #[test]
    fn a_stalled_job_has_no_time_left_and_overflows_nothing() {
        let start = Instant::now();
        let mut state = State::new(Some(u64::MAX), None, start);
        assert_eq!(left(&view_at(&mut state, start + 10 * SECOND)), None);
        state.on(&Event::Settled(Status::Deleted), start);
        assert!(left(&view_at(&mut state, start + 10 * SECOND)).is_some());
    }

    #[test]
    fn a_pause_counts_down_and_ends() {
        let start = Instant::now();
        let mut state = State::new(None, None, start);
        let cause = PauseCause::Throttled;
        let until = start + 300 * SECOND;
        state.on(&Event::Paused { until, cause }, start);
        let paused_for = |state: &mut State, at| match view_at(state, start + at * SECOND).doing {
            Doing::Paused { left, .. } => Some(left.as_secs()),
            _ => None,
        };
        assert_eq!(paused_for(&mut state, 48), Some(252));
        assert_eq!(paused_for(&mut state, 301), Some(0));
        let until = start + 400 * SECOND;
        state.on(&Event::Paused { until, cause }, start + 301 * SECOND);
        assert_eq!(paused_for(&mut state, 390), Some(10), "a later pause replaces it");
        state.on(&Event::Running, start + 400 * SECOND);
        assert_eq!(paused_for(&mut state, 400), None);
    }

    #[test]
    fn the_time_left_stays_during_a_pause_and_includes_it() {
        let start = Instant::now();
        let expected: Estimate = Box::new(|keys| Duration::from_secs(keys / 4));
        let mut state = State::new(Some(19_901), Some(expected), start);
        for cause in [PauseCause::Rate, PauseCause::Throttled, PauseCause::Outage] {
            state.on(&Event::Paused { until: start + 297 * SECOND, cause }, start);
            assert_eq!(left(&view_at(&mut state, start)), Some(Duration::from_secs(19_901 / 4 + 297)));
        }
    }

    #[test]
    fn draining_counts_down_and_is_the_last_phase() {
        let now = Instant::now();
        let mut state = State::new(None, None, now);
        let reason = StopReason::Deadline;
        state.on(&Event::Draining { reason, in_flight: 2 }, now);
        state.on(&Event::Settled(Status::Duplicate), now);
        state.on(&Event::Settled(Status::Deleted), now);
        state.on(&Event::Running, now);
        let cause = PauseCause::Outage;
        state.on(&Event::Paused { until: now, cause }, now);
        assert_eq!(view_at(&mut state, now).doing, Doing::Draining { reason, in_flight: 1 });
    }
}
