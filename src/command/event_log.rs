//! Events of the pipeline in the log, for jobs without a progress bar.

use std::time::Duration;

use tokio::time::Instant;

use crate::pipeline::{Event, PauseCause};
use crate::terminal::{duration, pluralized};

/// A pause that ends later by less than this is the same one.
const SAME: Duration = Duration::from_secs(2);

/// Logs pauses, outages and the end, once each.
#[derive(Debug, Default)]
pub(super) struct EventLogger {
    last: Option<(PauseCause, Instant)>,
}

impl EventLogger {
    pub(super) fn on(&mut self, event: &Event) {
        match *event {
            Event::Paused { until, cause } => self.paused(until, cause),
            Event::Running => {
                if self.last.take().is_some() {
                    tracing::info!("sending resumes");
                }
            }
            Event::Draining { reason, in_flight } => {
                tracing::info!("stopping ({reason}): {} in flight", pluralized(in_flight as u64, "request"));
            }
            Event::Settled(_) | Event::Resumed | Event::Retrying => {}
        }
    }

    fn paused(&mut self, until: Instant, cause: PauseCause) {
        let known = self.last.is_some_and(|(last, before)| last == cause && until <= before + SAME);
        let first = self.last.is_none_or(|(last, _)| last != cause);
        self.last = Some((cause, until));
        if known {
            return;
        }
        let wait = duration(until.saturating_duration_since(Instant::now()));
        match (cause, first) {
            (PauseCause::Throttled, _) => tracing::warn!("throttled by the server: nothing is sent for {wait}"),
            (PauseCause::Rate, _) => tracing::info!("the rate is used up: nothing is sent for {wait}"),
            (PauseCause::Outage, true) => {
                tracing::warn!("the server is down or cannot be reached: nothing is sent but a probe now and then");
            }
            (PauseCause::Outage, false) => tracing::info!("still no good answer: the next probe is in {wait}"),
        }
    }
}
