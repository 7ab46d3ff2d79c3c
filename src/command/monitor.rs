//! Metrics and pings of a job, while it runs and as it ends. Whatever goes wrong here is a warning.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::api::answer::{Answer, Reply};
use crate::clock::wall_now;
use crate::exit::ExitCode;
use crate::files::folder_of;
use crate::monitoring::{Labels, Pinger, Signal, Snapshot, Textfile};
use crate::pipeline::call::Totals;
use crate::pipeline::{Event, Response};
use crate::report::Summary;
use crate::shard::Shard;
use crate::terminal::Escaped;

use super::earlier::Earlier;
use super::error::Error;
use super::job::{Monitoring, NamedConnection, NamespaceRef};
use super::session::runtime;
use super::signals;
use super::usage::UsageError;

/// How often the metrics are brought up to date.
const INTERVAL: Duration = Duration::from_secs(15);

/// The last ping may keep the process for so long: less than a service manager waits before it kills.
const LAST_PING: Duration = Duration::from_secs(15);

/// The metrics file and the pings of one job.
pub(super) struct Monitor {
    started: (SystemTime, Instant),
    file: Option<Textfile>,
    pinger: Option<Pinger>,
    /// Ends the ping of the beginning where the job is quicker than that.
    start: Option<oneshot::Sender<()>>,
    live: RefCell<Live>,
    /// How it ended, once that is known.
    ended: Option<Summary>,
}

/// The job so far.
#[derive(Debug, Default)]
struct Live {
    records: Option<u64>,
    totals: Totals,
    earlier: Earlier,
}

impl Monitor {
    /// Of a job over a part of the keys of `connection`; `None` sends requests to no real namespace, and has no metrics.
    pub(super) fn new(monitoring: &Monitoring, connection: Option<&NamedConnection>, shard: Option<Shard>) -> Self {
        let ca_file = connection.and_then(|connection| connection.access.ca_file.as_deref());
        Self::over(monitoring, connection.map(|connection| &connection.namespace), ca_file, shard)
    }

    fn over(
        monitoring: &Monitoring,
        namespace: Option<&NamespaceRef>,
        ca_file: Option<&Path>,
        shard: Option<Shard>,
    ) -> Self {
        let labels = |namespace| labels(monitoring.job_name.clone(), namespace, shard);
        let pinger = monitoring.ping.clone().and_then(|url| {
            let host = url.host().to_owned();
            let pinger = Pinger::new(url, ca_file);
            pinger.map_err(|error| tracing::warn!("{} cannot be pinged: {error}", Escaped(&host))).ok()
        });
        Self {
            started: (wall_now(), Instant::now()),
            file: monitoring.metrics_file.clone().zip(namespace).map(|(path, at)| Textfile::new(path, labels(at))),
            pinger,
            start: None,
            live: RefCell::default(),
            ended: None,
        }
    }

    /// Checks where the metrics go; writes nothing yet.
    ///
    /// # Errors
    /// Where the metrics cannot be written for want of a folder.
    pub(super) fn open(&mut self) -> Result<(), Error> {
        let Some(file) = self.file.take_if(|file| !folder_of(file.path()).is_dir()) else { return Ok(()) };
        Err(UsageError::NoMetricsFolder(file.path().to_owned()).into())
    }

    /// The job begins; from here on this process has the report for itself.
    pub(super) fn begin(&mut self) {
        self.write(None);
        if let Some(pinger) = self.pinger.clone() {
            let (cancel, cancelled) = oneshot::channel();
            self.start = Some(cancel);
            // On a thread of its own: reading the input keeps this one busy for a while.
            let thread = thread::Builder::new().name("ping".to_owned()).spawn(move || {
                let ping = async {
                    tokio::select! {
                        // It ends without a message.
                        _ = cancelled => {}
                        sent = pinger.send(Signal::Start, "") => {
                            sent.unwrap_or_else(|error| warn(&pinger, &error.to_string()));
                        }
                    }
                };
                block_on(ping).unwrap_or_else(|error| warn_of(&error));
            });
            if let Err(error) = thread {
                warn_of(&Error::system("start a thread")(error));
            }
        }
    }

    /// Without metrics and pings nothing is counted.
    fn is_off(&self) -> bool {
        self.file.is_none() && self.pinger.is_none()
    }

    /// The input was counted.
    pub(super) fn set_records(&self, records: u64) {
        self.live.borrow_mut().records = Some(records);
    }

    /// Earlier runs of the job did so much. What they left unsettled counts once this run has settled it.
    pub(super) fn resume_from(&self, earlier: Earlier) {
        self.live.borrow_mut().earlier = earlier;
    }

    /// Counts an event of the pipeline.
    pub(super) fn on(&self, event: &Event) {
        if self.is_off() {
            return;
        }
        let totals = &mut self.live.borrow_mut().totals;
        match *event {
            Event::Settled(status) => totals.tally.add(status),
            Event::Retrying => totals.retries += 1,
            Event::Resumed | Event::Paused { .. } | Event::Running | Event::Draining { .. } => {}
        }
    }

    /// Counts the requests before the first key.
    pub(super) fn add_preflight(&self, totals: &Totals) {
        let live = &mut self.live.borrow_mut().totals;
        (live.requests, live.throttled) = (totals.requests, totals.throttled);
    }

    /// Counts a request by its response.
    pub(super) fn on_response(&self, response: &Response) {
        if self.is_off() {
            return;
        }
        let reply: Option<&Reply> = match response {
            Response::Delete(reply)
            | Response::Metadata(reply, _)
            | Response::Presence(reply, _)
            | Response::Compared(reply, _) => Some(reply),
            Response::DeleteMany(bulk) | Response::PutMany(bulk) => Some(&bulk.reply),
            Response::BackedUp(answer) => answer.as_ref().ok(),
            Response::Namespace(answer) => answer.as_ref().err(),
            Response::Page(answer) => answer.as_ref().err(),
        };
        let throttled = reply.is_some_and(|reply| matches!(reply.answer, Answer::Throttled { .. }));
        let totals = &mut self.live.borrow_mut().totals;
        totals.requests += 1;
        totals.throttled += u64::from(throttled);
    }

    /// Writes metrics every now and then, for ever.
    pub(super) async fn keep_writing(&self) -> std::convert::Infallible {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.write(None);
        }
    }

    /// Writes into the metrics how the job ended.
    pub(super) fn set_end(&mut self, summary: Summary) {
        self.write(Some(summary.clone()));
        self.ended = Some(summary);
    }

    /// Writes and pings how it ended.
    pub(super) fn end(mut self, code: ExitCode) {
        drop(self.start.take());
        // The other run still runs, and reports itself.
        if code == ExitCode::Locked {
            return;
        }
        let summary = match self.ended.take() {
            Some(summary) if summary.exit_code == code.as_u8() => summary,
            summary => {
                let summary = summary.unwrap_or_else(|| self.so_far());
                let summary = Summary { exit_code: code.as_u8(), ..summary };
                self.write(Some(summary.clone()));
                summary
            }
        };
        let Some(pinger) = &self.pinger else { return };
        let lines: Vec<_> = summary.to_text().into_iter().chain(summary.stopped_to_text()).collect();
        let lines = lines.join("\n");
        let text = format!("{lines}\nexit code {} (kvsweep {})\n", code.as_u8(), env!("CARGO_PKG_VERSION"));
        let mut signals = signals::listen();
        // Only those that come from now on.
        while signals.try_recv().is_ok() {}
        let ping = async {
            tokio::select! {
                sent = timeout(LAST_PING, pinger.send(Signal::End(code.as_u8()), &text)) => match sent {
                    Ok(sent) => sent.unwrap_or_else(|error| warn(pinger, &error.to_string())),
                    Err(_) => warn(pinger, "no answer in time"),
                },
                Some(_) = signals.recv() => warn(pinger, "a signal came first"),
            }
        };
        signals::decide(code);
        block_on(ping).unwrap_or_else(|error| warn_of(&error));
    }

    fn write(&self, ended: Option<Summary>) {
        let Some(file) = &self.file else { return };
        let snapshot = Snapshot {
            ended: ended.is_some().then(wall_now),
            summary: ended.unwrap_or_else(|| self.so_far()),
            started: self.started.0,
            elapsed: self.started.1.elapsed(),
        };
        if let Err(error) = file.write(&snapshot) {
            let path = file.path().to_string_lossy();
            tracing::warn!("the metrics cannot be written to {}: {error}", Escaped(&path));
        }
    }

    fn so_far(&self) -> Summary {
        let live = self.live.borrow();
        let Totals { tally: run, requests, retries, throttled, .. } = live.totals;
        let tally = run.plus(&live.earlier.tally.settled());
        Summary {
            records: live.records.unwrap_or(tally.total()),
            tally,
            resumed: live.earlier.settled,
            sent: run.sent(),
            requests,
            retries,
            throttled,
            elapsed: self.started.1.elapsed(),
            stopped: None,
            exit_code: 0,
            facts: None,
            report: None,
            causes: Vec::new(),
        }
    }
}

/// A job that ends before it begins, because its settings or its command line cannot be used.
#[derive(Debug)]
pub struct Unstarted {
    pub monitoring: Monitoring,
    /// Without it there are no metrics: their labels name it, and other labels are another job.
    pub namespace: Option<NamespaceRef>,
    pub ca_file: Option<PathBuf>,
    pub shard: Option<Shard>,
}

impl Unstarted {
    /// Writes and pings that it ended with `code`.
    pub fn end(&self, code: ExitCode) {
        Monitor::over(&self.monitoring, self.namespace.as_ref(), self.ca_file.as_deref(), self.shard).end(code);
    }
}

fn labels(job_name: Option<String>, namespace: &NamespaceRef, shard: Option<Shard>) -> Labels {
    let (namespace_id, namespace) = match namespace {
        NamespaceRef::Id(id) => (Some(id.to_string()), None),
        NamespaceRef::Title(title) => (None, Some(title.clone())),
        NamespaceRef::Binding { .. } => (None, None),
    };
    Labels { namespace_id, namespace, job_name, shard: shard.map(|shard| shard.to_string()) }
}

fn block_on<F: Future>(future: F) -> Result<F::Output, Error> {
    Ok(runtime()?.block_on(future))
}

fn warn(pinger: &Pinger, why: &str) {
    tracing::warn!("the ping to {} failed: {}", Escaped(pinger.host()), Escaped(why));
}

fn warn_of(error: &Error) {
    tracing::warn!("nothing could be pinged: {error}");
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;
    use crate::outcome::Status;

    #[tokio::test(start_paused = true)]
    async fn metrics_are_brought_up_to_date_while_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvsweep.prom");
        let monitor = Monitor {
            started: (SystemTime::UNIX_EPOCH, Instant::now()),
            file: Some(Textfile::new(path.clone(), Labels::default())),
            pinger: None,
            start: None,
            live: RefCell::default(),
            ended: None,
        };
        monitor.set_records(10);
        let looking = async {
            for deleted in 1..=3 {
                monitor.on(&Event::Settled(Status::Deleted));
                sleep(INTERVAL + Duration::from_millis(1)).await;
                let text = std::fs::read_to_string(&path).unwrap();
                let left = 10 - deleted;
                assert!(text.contains(&format!("{{status=\"deleted\"}} {deleted}\n")), "{text}");
                assert!(text.contains(&format!("{{status=\"not_attempted\"}} {left}\n")), "{text}");
                assert!(text.contains("kvsweep_last_run_in_progress 1\n"), "{text}");
            }
        };
        tokio::select! {
            never = monitor.keep_writing() => match never {},
            () = looking => {}
        }
    }
}
