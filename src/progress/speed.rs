//! How fast keys are dealt with: an average over the recent past, in which pauses do not count.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How far back the average goes. As long as the API's own longest window (1,200 requests in 5 minutes), so that
/// a burst and the wait that pays for it are averaged together.
const WINDOW: Duration = Duration::from_mins(5);

const STEP: Duration = Duration::from_secs(1);

/// A count that is sampled over the time in which it could grow.
#[derive(Debug)]
pub(super) struct Speed {
    samples: VecDeque<Sample>,
    /// The active time before `running_since`.
    active: Duration,
    /// `None` during a pause.
    running_since: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    active: Duration,
    count: u64,
}

impl Speed {
    pub(super) fn new(now: Instant) -> Self {
        let start = Sample { active: Duration::ZERO, count: 0 };
        Self { samples: VecDeque::from([start]), active: Duration::ZERO, running_since: Some(now) }
    }

    pub(super) fn pause(&mut self, now: Instant) {
        self.active = self.active_at(now);
        self.running_since = None;
    }

    pub(super) fn resume(&mut self, now: Instant) {
        self.running_since.get_or_insert(now);
    }

    /// Notes that the count is `count` now, and gives the average a second; `None` within the first second.
    pub(super) fn sample(&mut self, count: u64, now: Instant) -> Option<f64> {
        let active = self.active_at(now);
        while self.samples.len() > 1 && self.samples[1].active + WINDOW <= active {
            self.samples.pop_front();
        }
        let oldest = *self.samples.front()?;
        if self.samples.back()?.active + STEP <= active {
            self.samples.push_back(Sample { active, count });
        }
        let elapsed = active.saturating_sub(oldest.active);
        (elapsed >= STEP).then(|| count.saturating_sub(oldest.count) as f64 / elapsed.as_secs_f64())
    }

    fn active_at(&self, now: Instant) -> Duration {
        let running = self.running_since.map(|since| now.saturating_duration_since(since));
        self.active + running.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `keys` a second for so many seconds.
    fn run(speed: &mut Speed, now: &mut Instant, count: &mut u64, seconds: u64, keys: u64) -> Option<f64> {
        let mut last = None;
        for _ in 0..seconds {
            *now += STEP;
            *count += keys;
            last = speed.sample(*count, *now);
        }
        last
    }

    fn assert_about(actual: Option<f64>, expected: f64) {
        let actual = actual.unwrap();
        assert!((actual - expected).abs() < 1e-6, "{actual} is not {expected}");
    }

    #[test]
    fn a_steady_job_has_its_speed() {
        let (mut now, mut count) = (Instant::now(), 0);
        let mut speed = Speed::new(now);
        assert_eq!(speed.sample(5, now + STEP / 2), None);
        assert_about(run(&mut speed, &mut now, &mut count, 10, 4), 4.0);
        assert_about(run(&mut speed, &mut now, &mut count, 1_000, 4), 4.0);
        assert!(speed.samples.len() <= 302, "{} samples", speed.samples.len());
    }

    #[test]
    fn a_pause_does_not_slow_it_down() {
        let (mut now, mut count) = (Instant::now(), 0);
        let mut speed = Speed::new(now);
        run(&mut speed, &mut now, &mut count, 60, 10);
        speed.pause(now);
        assert_about(run(&mut speed, &mut now, &mut count, 300, 0), 10.0);
        speed.resume(now);
        speed.resume(now + STEP);
        assert_about(run(&mut speed, &mut now, &mut count, 1, 10), 10.0);
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let (mut now, mut count) = (Instant::now(), 0);
        let mut speed = Speed::new(now);
        run(&mut speed, &mut now, &mut count, 600, 1_000);
        assert_about(run(&mut speed, &mut now, &mut count, 300, 2), 2.0);
    }

    #[test]
    fn a_burst_and_its_wait_average_out() {
        let (mut now, mut count) = (Instant::now(), 0);
        let mut speed = Speed::new(now);
        for _ in 0..3 {
            run(&mut speed, &mut now, &mut count, 6, 200);
            assert_about(run(&mut speed, &mut now, &mut count, 294, 0), 4.0);
        }
    }
}
