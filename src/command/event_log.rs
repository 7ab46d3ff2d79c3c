//! Events of the pipeline in the log, for jobs without a progress bar.

use std::time::Duration;

use tokio::time::Instant;

use crate::outcome::StopReason;
use crate::pipeline::{Event, PauseCause};
use crate::terminal::{duration, pluralized};

/// A pause that ends later by less than this is the same one.
const SAME: Duration = Duration::from_secs(2);

/// Logs pauses, outages and the end, once each.
#[derive(Debug)]
pub(super) struct EventLogger {
    max_wait: Duration,
    last: Option<(PauseCause, Instant)>,
}

impl EventLogger {
    pub(super) fn new(max_wait: Duration) -> Self {
        Self { max_wait, last: None }
    }

    pub(super) fn on(&mut self, event: &Event) {
        match *event {
            Event::Paused { until, cause } => self.paused(until, cause),
            Event::Running => {
                if self.last.take().is_some() {
                    tracing::info!("resumed");
                }
            }
            Event::Draining { reason, in_flight } => {
                let requests = pluralized(in_flight as u64, "request");
                match reason {
                    StopReason::Interrupted if in_flight > 0 => {
                        tracing::warn!(
                            "interrupted: waiting for {requests} in flight\nhint: press Ctrl-C again, or send another signal, to end the job at once"
                        );
                    }
                    _ => tracing::info!("stopping ({reason}): waiting for {requests} in flight"),
                }
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
            (PauseCause::Throttled, _) => tracing::warn!("Cloudflare asked for a pause (HTTP 429): resuming in {wait}"),
            (PauseCause::Rate, _) => tracing::info!("rate limit: resuming in {wait}"),
            (PauseCause::Outage, true) => {
                let most = duration(self.max_wait);
                tracing::warn!("API unreachable: paused, probing every few seconds (giving up after {most})");
            }
            (PauseCause::Outage, false) => tracing::info!("API still unreachable: next probe in {wait}"),
        }
    }
}
