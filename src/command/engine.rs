//! A job of the pipeline, with its requests, its log, its progress and its metrics.

use std::cell::RefCell;
use std::fmt::Display;
use std::time::Duration;

use indicatif::MultiProgress;
use tokio::sync::{mpsc, watch};

use crate::files::RequestCount;
use crate::outcome::Settled;
use crate::pipeline::state::State;
use crate::pipeline::{End, run as run_pipeline};
use crate::progress::{Progress, ProgressOptions, with_progress};
use crate::record::Record;

use super::event_log::EventLogger;
use super::executor::Executor;
use super::monitor::Monitor;
use super::signals;

/// Rows between the pipeline and the report's writer.
pub(super) const ROWS: usize = 1_024;

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
        rows: mpsc::Sender<Settled>,
        written: watch::Receiver<u64>,
    ) -> End<E> {
        let Self { pipeline, executor, monitor, progress, max_wait, screen, requests } = self;
        // Only now: a bar would be drawn over the question.
        let progress = RefCell::new(Progress::new(progress, screen));
        let mut log = EventLogger::new(max_wait);
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
