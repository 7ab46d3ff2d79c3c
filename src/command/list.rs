//! The keys of a namespace, page by page: to stdout, or to a file that an interrupted listing goes on with (`output`).

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use indicatif::MultiProgress;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::api::{Client, Page, PageRequest};
use crate::exit::ExitCode;
use crate::key::KeyName;
use crate::listing::{Checkpoint, Encoder, Lister, NotRepresentable, Selection};
use crate::outcome::{Signal, Stop, StopReason};
use crate::pipeline::call::Totals;
use crate::pipeline::call::{ApiCaller, CallError, RetryNotice};
use crate::pipeline::{Event, PauseCause};
use crate::progress::{Progress, with_progress};
use crate::terminal::{Escaped, Quoted, duration, pluralized};

use super::error::{Error, hint, message, stop_of};
use super::job::ListJob;
use super::locate::{client, locate};
use super::pages::{cursor_lost, endless, refused};
use super::same_file::Files;
use super::session::Session;
use super::signals;
use super::summary::{Stream, print_end};

mod output;

use output::{Output, count_earlier, made, open, write};

/// What to do about a listing that cannot continue.
const FROM_SCRATCH: &str = "pass --overwrite to list from scratch";

/// How it ended, where that is no error.
enum Ended {
    Whole,
    Stopped(Stop),
    /// Nobody reads the list any more, which is how `head` ends one.
    Unread,
}

/// Lists, and says what came of it.
pub(super) fn run(job: &ListJob, screen: &MultiProgress) -> Result<ExitCode, Error> {
    if let Some(path) = &job.output {
        let mut files = Files::default();
        files.writes("--output", path, &[".lock", ".cursor"]);
        files.check()?;
    }
    let started = Instant::now();
    let mut session = Session::new(&job.options)?;
    count_earlier(job, &mut session.caller)?;
    let located = session.run(async |caller| locate(&job.connection, job.options.timeout, caller).await);
    let connection = match located {
        Ok(connection) => connection,
        Err(Error::Stopped(stop)) => {
            let summary = Summary {
                totals: &session.caller.totals,
                elapsed: started.elapsed(),
                listed: 0,
                skipped: 0,
                pages: 0,
                stop: Some(&stop),
                unfinished: None,
            };
            return Ok(summary.print(job, ExitCode::for_stop(stop.reason, stop.signal)));
        }
        Err(error) => return Err(error),
    };
    let client = client(&connection, job.options.timeout, 1)?;
    let (output, mark) = open(job, &connection)?;
    let terminal = matches!(output, Output::Stdout(_)) && io::stdout().is_terminal();
    let encoder = Encoder::new(job.format, terminal, mark.bytes > 0);
    let mut selection = job.selection.clone();
    // A moment that moves is the one that the listing began with.
    selection.expiring_before.clone_from(&mark.listing.expiring_before);
    let mut run = Run {
        job,
        client,
        selection,
        lister: Lister::new(mark.listing.prefixes.clone(), mark.position.clone()),
        deadline: session.deadline(),
        caller: session.caller,
        encoder,
        skipped_before: mark.skipped,
        unsendable: None,
        written: mark.clone(),
        mark,
        pages: 0,
    };
    let ended = session.runtime.block_on(run.pages(output, signals::listen(), screen));
    let ended = ended.unwrap_or_else(|error| Ended::Stopped(stop_of(StopReason::IoError, &error.error_chain())));
    Ok(run.close(&ended, started.elapsed()))
}

struct Run<'a> {
    job: &'a ListJob,
    client: Client,
    selection: Selection,
    lister: Lister,
    caller: ApiCaller,
    deadline: Option<Instant>,
    encoder: Encoder,
    skipped_before: u64,
    /// How many listed names no request can carry, with the first.
    unsendable: Option<(u64, String)>,
    /// What is on the disk, and what will be with the next page.
    written: Checkpoint,
    mark: Checkpoint,
    pages: u64,
}

impl Run<'_> {
    async fn pages(
        &mut self,
        output: Output,
        mut signals: mpsc::Receiver<Signal>,
        screen: &MultiProgress,
    ) -> Result<Ended, Error> {
        let progress = RefCell::new(Progress::new(self.job.options.progress_options(), screen));
        let deadline = self.deadline;
        let listing = async {
            let mut rows = Vec::new();
            self.encoder.header(&mut rows);
            while let Some(request) = self.lister.request() {
                let page = tokio::select! {
                    biased;
                    Some(signal) = signals.recv() => Err(Stop::signalled(signal)),
                    page = self.fetch(&request, &progress) => page,
                    () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                        Err(Stop::new(StopReason::Deadline, "the --deadline passed"))
                    }
                };
                match page {
                    Err(stop) => return Ok(Ended::Stopped(stop)),
                    Ok(None) => continue,
                    Ok(Some(page)) => {
                        if let Err(stop) = self.take(page, &mut rows, &progress) {
                            return Ok(Ended::Stopped(stop));
                        }
                    }
                }
                let mut writing = spawn_blocking({
                    let (output, rows, mark) = (output.clone(), std::mem::take(&mut rows), self.mark.clone());
                    move || write(&output, &rows, &mark)
                });
                // A page is written whole; only a second signal leaves a reader that does not read.
                let mut signalled = None;
                let written = loop {
                    tokio::select! {
                        written = &mut writing => break written,
                        Some(signal) = signals.recv() => match signalled.replace(signal) {
                            None => {}
                            Some(_) => return Ok(Ended::Stopped(Stop::signalled(signal))),
                        },
                    }
                };
                if !written.map_err(|error| Error::system("write the list")(io::Error::other(error)))?? {
                    return Ok(Ended::Unread);
                }
                self.written.clone_from(&self.mark);
                if let Some(signal) = signalled {
                    return Ok(Ended::Stopped(Stop::signalled(signal)));
                }
            }
            if let Some(path) = &self.job.output {
                Checkpoint::remove(path)?;
            }
            Ok(Ended::Whole)
        };
        let ended = with_progress(&progress, listing).await;
        progress.borrow_mut().finish();
        if let (Output::File(file), Ok(Ended::Stopped(_))) = (&output, &ended) {
            Checkpoint { requests: made(&self.caller), ended: true, ..self.written.clone() }.write(file.path())?;
        }
        ended
    }

    /// The next page; `None` where its cursor was lost and the prefix starts over.
    async fn fetch(&mut self, request: &PageRequest, progress: &RefCell<Progress>) -> Result<Option<Page>, Stop> {
        let waiting = Cell::new(false);
        let tell = |wait: RetryNotice<'_>| {
            waiting.set(true);
            let throttled = wait.failure.http_status == Some(429);
            let cause = if throttled { PauseCause::Throttled } else { PauseCause::Outage };
            let (error, time) = (&wait.failure.detail.error, duration(wait.wait));
            tracing::warn!("cannot list keys: {}; trying again in {time}", Escaped(error));
            progress.borrow_mut().on(&Event::Paused { until: Instant::now() + wait.wait, cause });
        };
        let page = self.caller.call_with_retry(tell, || self.client.page(request)).await;
        if waiting.get() {
            progress.borrow_mut().on(&Event::Running);
        }
        match page {
            Ok(page) => match self.lister.cursor_was_reset(&page) {
                Some(why) => cursor_lost(&mut self.lister, why, FROM_SCRATCH).map(|()| None),
                None => Ok(Some(page)),
            },
            Err(CallError::Stop(stop)) => Err(stop),
            Err(CallError::Refused(failure)) => refused(&mut self.lister, &failure, FROM_SCRATCH).map(|()| None),
        }
    }

    /// Encodes what is wanted of a page and moves the checkpoint behind it.
    fn take(&mut self, page: Page, rows: &mut Vec<u8>, progress: &RefCell<Progress>) -> Result<(), Stop> {
        let keys = self.lister.accept(page);
        let mut keys = keys.map_err(|error| endless(error, FROM_SCRATCH))?;
        keys.retain(|key| self.selection.wants(key));
        for key in &keys {
            if KeyName::new(key.name.as_str()).is_err() {
                self.unsendable.get_or_insert_with(|| (0, key.name.clone())).0 += 1;
            }
        }
        let written = self.encoder.keys(&keys, rows).map_err(|error| {
            let unfit = error.get_ref().and_then(|error| error.downcast_ref::<NotRepresentable>()).is_some();
            let why = if unfit { error.to_string() } else { format!("cannot write the list: {error}") };
            stop_of(StopReason::IoError, &why)
        })?;
        self.pages += 1;
        self.mark.keys += written;
        self.mark.bytes += rows.len() as u64;
        self.mark.skipped = self.skipped_before + self.encoder.skipped().map_or(0, |(count, _)| count);
        self.mark.position = self.lister.position();
        self.mark.requests = made(&self.caller);
        progress.borrow_mut().listed(written);
        Ok(())
    }

    fn close(&self, ended: &Ended, elapsed: Duration) -> ExitCode {
        let stop = match ended {
            Ended::Unread => return ExitCode::Success,
            Ended::Whole => None,
            Ended::Stopped(stop) => Some(stop),
        };
        let skipped = self.mark.skipped;
        let code = match stop {
            Some(stop) => ExitCode::for_stop(stop.reason, stop.signal),
            None if skipped > 0 => ExitCode::Incomplete,
            None => ExitCode::Success,
        };
        if skipped > 0 {
            let first =
                self.encoder.skipped().map(|(_, first)| format!(", such as {}", Quoted(first))).unwrap_or_default();
            let names = pluralized(skipped, "name");
            tracing::error!(
                "{names} skipped, because a line break cannot be part of a line{first}\nhint: pass --format csv or --format ndjson"
            );
        }
        if let Some((count, first)) = &self.unsendable {
            let names = pluralized(*count, "listed name");
            tracing::warn!("{names} cannot be sent in a request, such as {}", Quoted(first));
        }
        let summary = Summary {
            totals: &self.caller.totals,
            elapsed,
            listed: self.mark.keys,
            skipped,
            pages: self.pages,
            stop,
            unfinished: self.job.output.as_deref().filter(|_| stop.is_some()),
        };
        summary.print(self.job, code)
    }
}

/// What is said at the end.
struct Summary<'a> {
    totals: &'a Totals,
    elapsed: Duration,
    listed: u64,
    skipped: u64,
    pages: u64,
    stop: Option<&'a Stop>,
    /// A file that was begun.
    unfinished: Option<&'a Path>,
}

impl Summary<'_> {
    fn print(&self, job: &ListJob, code: ExitCode) -> ExitCode {
        let json = || {
            serde_json::to_string(&json!({
                "listed": self.listed, "skipped": self.skipped, "pages": self.pages,
                "requests": self.totals.requests, "retries": self.totals.retries, "throttled": self.totals.throttled,
                "elapsed_s": (self.elapsed.as_secs_f64() * 1_000.0).round() / 1_000.0,
                "stopped": self.stop.map(|stop| stop.reason), "exit_code": code.as_u8(),
            }))
        };
        let (keys, requests) = (pluralized(self.listed, "key"), pluralized(self.totals.requests, "request"));
        let mut lines = vec![format!("listed {keys} in {requests}, {}", duration(self.elapsed))];
        lines.extend(job.options.profile.iter().map(|profile| format!("profile: {profile}")));
        let mut hints: Vec<String> = self.stop.and_then(hint).into_iter().collect();
        if let Some(path) = self.unfinished {
            let path = Escaped(&path.to_string_lossy()).to_string();
            let command = job.options.command_line.resuming(None);
            hints.push(format!("{path} is incomplete; to resume, run:\n  {command}"));
        }
        let error = message(self.stop.map(|stop| stop.why.as_str()), &hints);
        print_end(&job.options, error, code, json, (Stream::Stderr, lines))
    }
}
