//! A job of the pipeline, with its requests, its log, its progress and its metrics.

use std::cell::RefCell;
use std::fmt::Display;
use std::time::Duration;

use indicatif::MultiProgress;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::files::RequestCount;
use crate::outcome::{Settled, StopReason};
use crate::pipeline::state::State;
use crate::pipeline::{End, Event, PauseCause, run as run_pipeline};
use crate::progress::{Progress, ProgressOptions, with_progress};
use crate::record::Record;
use crate::terminal::{duration, pluralized};

use super::executor::Executor;
use super::monitor::Monitor;
use super::signals;

pub(super) struct Engine<'a> {
    pub(super) pipeline: State,
    pub(super) executor: Executor,
    pub(super) monitor: &'a Monitor,
    pub(super) progress: ProgressOptions,
    pub(super) max_wait: Duration,
    pub(super) screen: &'a MultiProgress,
    /// Where requests are counted for the case that this process is killed.
    pub(super) requests: Option<RequestCount>,
}

impl Engine<'_> {
    /// Runs the job to its end.
    pub(super) async fn run<E: Display>(
        self,
        records: mpsc::Receiver<Result<Vec<Record>, E>>,
        rows: mpsc::Sender<Vec<Settled>>,
        written: watch::Receiver<u64>,
    ) -> End<E> {
        let Self { pipeline, executor, monitor, progress, max_wait, screen, requests } = self;
        // Only now: a bar would be drawn over the question.
        let progress = RefCell::new(Progress::new(progress, screen));
        let mut log = EventLogger { max_wait, last: None };
        let listener = |event| {
            log.on(&event);
            monitor.on(&event);
            progress.borrow_mut().on(&event);
        };
        // It owns what keeps the backup open, so that the pipeline's end closes it.
        let send = move |request| {
            requests.iter().for_each(RequestCount::add);
            let response = executor.clone().execute(request);
            async move {
                let response = response.await;
                monitor.on_response(&response);
                response
            }
        };
        let sending = Box::pin(run_pipeline(pipeline, records, rows, written, send, signals::listen(), listener));
        let end = tokio::select! {
            end = with_progress(&progress, sending) => end,
            never = monitor.keep_writing() => match never {},
        };
        progress.borrow_mut().finish();
        end
    }
}

/// A pause that ends later by less than this is the same one.
const SAME: Duration = Duration::from_secs(2);

/// Logs pauses, outages and the end, once each, for jobs without a progress bar.
#[derive(Debug)]
struct EventLogger {
    max_wait: Duration,
    last: Option<(PauseCause, Instant)>,
}

impl EventLogger {
    fn on(&mut self, event: &Event) {
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
            (PauseCause::Throttled, _) => tracing::warn!("Cloudflare asked for a pause: resuming in {wait}"),
            (PauseCause::Rate, _) => tracing::info!("rate limit: resuming in {wait}"),
            (PauseCause::Outage, true) => {
                let most = duration(self.max_wait);
                tracing::warn!("API unreachable: paused, probing every few seconds (giving up after {most})");
            }
            (PauseCause::Outage, false) => tracing::info!("API still unreachable: next probe in {wait}"),
        }
    }
}
