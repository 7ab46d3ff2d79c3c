//! The keys of a namespace, page by page: to stdout, or to a file that an interrupted listing goes on with.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum as _;
use indicatif::MultiProgress;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use crate::api::{Client, Page, PageRequest};
use crate::exit::ExitCode;
use crate::files::{IfExists, OutputFile};
use crate::key::KeyName;
use crate::listing::{Checkpoint, Encoder, Lister, Listing, NotRepresentable, Position, Selection};
use crate::outcome::{Signal, Stop, StopReason};
use crate::pipeline::call::{ApiCaller, CallError};
use crate::platform;
use crate::progress::{Progress, with_progress};
use crate::terminal::{Quoted, pluralized};

use super::earlier;
use super::error::Error;
use super::job::{Connection, ListJob};
use super::locate::{Suspects, client, locate};
use super::pages::{cursor_lost, endless, fetch_page, refused};
use super::same_file::Files;
use super::session::Session;
use super::signals;
use super::summary::{JobSummary, Listed};
use super::usage::UsageError;

/// What to do about a listing that cannot continue.
const FROM_SCRATCH: &str = "pass --overwrite to list from scratch";

/// How it ended, where that is no error.
enum Ended {
    Whole,
    Stopped(Stop),
    /// Nobody reads the list any more, which is how `head` ends one.
    Unread,
}

/// Lists, and prints what came of it.
pub(super) fn run(job: &ListJob, screen: &MultiProgress) -> Result<ExitCode, Error> {
    let mut summary = JobSummary::of_list(job);
    let ended = carry_out(job, screen, &mut summary);
    if let Ok(Ended::Unread) = ended {
        return Ok(ExitCode::Success);
    }
    let ended = ended.and_then(|ended| match ended {
        Ended::Stopped(stop) => Err(stop.into()),
        Ended::Whole | Ended::Unread => Ok(None),
    });
    summary.end(ended, None)
}

fn carry_out(job: &ListJob, screen: &MultiProgress, summary: &mut JobSummary<'_>) -> Result<Ended, Error> {
    if let Some(path) = &job.output {
        let mut files = Files::default();
        for path in &job.settings_files {
            files.reads_settings(path);
        }
        files.writes("--output", path, &[".lock", ".cursor"]);
        files.check()?;
    }
    let started = Instant::now();
    let mut session = Session::new(&job.options)?;
    count_earlier(job, &mut session.caller)?;
    let located = session.run(async |caller| {
        let suspects = Suspects::of(job.connection.account.as_ref(), Some(&job.connection.namespace));
        locate(&job.connection, job.options.timeout, caller).await.map_err(|error| suspects.blame(error))
    });
    (summary.totals, summary.elapsed) = (session.caller.totals, started.elapsed());
    let connection = located?;
    tracing::info!("listing the namespace {} at {}", connection.namespace, connection.access.base_url);
    let client = client(&connection, job.options.timeout, 1)?;
    let (output, mark) = open(job, &connection)?;
    summary.report.clone_from(&job.output);
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
    if let Ok(Ended::Unread) = ended {
        return ended;
    }
    (summary.totals, summary.elapsed, summary.listed) = (run.caller.totals, started.elapsed(), Some(run.listed()));
    Ok(ended.unwrap_or_else(|error| Ended::Stopped(Stop::of_error(StopReason::IoError, &error.error_chain()))))
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
                let (output, rows, mark) = (output.clone(), std::mem::take(&mut rows), self.mark.clone());
                // A page is written whole; only a second signal leaves a reader that does not read.
                let written = signals::in_time(spawn_blocking(move || write(&output, &rows, &mark))).await;
                let Some(written) = written else {
                    return Ok(Ended::Stopped(Stop::signalled(signals::received().unwrap_or(Signal::Interrupt))));
                };
                if !written.map_err(|error| Error::system("write the list")(io::Error::other(error)))?? {
                    return Ok(Ended::Unread);
                }
                self.written.clone_from(&self.mark);
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
        match fetch_page(&self.client, &mut self.caller, request, Some(progress)).await {
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
        let mut keys = keys.map_err(|error| endless(&error, FROM_SCRATCH))?;
        keys.retain(|key| self.selection.wants(key));
        for key in &keys {
            if KeyName::new(key.name.as_str()).is_err() {
                self.unsendable.get_or_insert_with(|| (0, key.name.clone())).0 += 1;
            }
        }
        let written = self.encoder.keys(&keys, rows).map_err(|error| {
            let unfit = error.get_ref().and_then(|error| error.downcast_ref::<NotRepresentable>()).is_some();
            let why = if unfit { error.to_string() } else { format!("cannot write the list: {error}") };
            Stop::of_error(StopReason::IoError, &why)
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

    /// What came of it, with a word on names that need one.
    fn listed(&self) -> Listed {
        let skipped = self.mark.skipped;
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
        Listed { keys: self.mark.keys, skipped, pages: self.pages }
    }
}

/// Where the list goes. Clones write to the same place.
#[derive(Clone)]
enum Output {
    File(Arc<OutputFile>),
    /// A duplicate of stdout, without the line buffer that std has in front of it.
    Stdout(Arc<File>),
}

/// Counts what the earlier run of a listing that is resumed has sent, before anything else is.
fn count_earlier(job: &ListJob, caller: &mut ApiCaller) -> Result<(), Error> {
    let Some(path) = job.output.as_deref().filter(|_| job.existing == IfExists::Resume) else { return Ok(()) };
    if let Some(mark) = Checkpoint::read(path)? {
        let sent = mark.requests.iter().map(|made| UNIX_EPOCH + Duration::from_millis(*made)).collect();
        // A request that was given up, or, if the run was killed, a page and its retries.
        let unrecorded = if mark.ended { 1 } else { 1 + job.options.retry.retries as usize };
        earlier::count_requests(&mut caller.budget, sent, unrecorded, job.options.timeout);
    }
    Ok(())
}

/// When requests were made, as a checkpoint holds it.
fn made(caller: &ApiCaller) -> Vec<u64> {
    let since_1970 = |made: SystemTime| made.duration_since(UNIX_EPOCH).ok();
    let made = earlier::latest_requests(&caller.budget).into_iter().filter_map(since_1970);
    made.filter_map(|made| u64::try_from(made.as_millis()).ok()).collect()
}

/// Opens the output and finds out where the listing stands.
fn open(job: &ListJob, connection: &Connection) -> Result<(Output, Checkpoint), Error> {
    let (protect, only) = job.selection.names.patterns();
    let listing = Listing {
        base_url: connection.access.base_url.to_string(),
        account: connection.account.to_string(),
        namespace: connection.namespace.to_string(),
        format: job.format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default(),
        prefixes: job.prefixes.clone(),
        only: only.concat(),
        protect,
        expiring_before: job.selection.expiring_before.clone(),
        without_expiration: job.selection.without_expiration,
        metadata: job.selection.metadata.clone(),
    };
    let fresh = Checkpoint {
        listing,
        position: Position::default(),
        bytes: 0,
        keys: 0,
        skipped: 0,
        requests: Vec::new(),
        ended: false,
    };
    let Some(path) = &job.output else {
        let stdout = platform::duplicate(io::stdout()).map_err(Error::system("use stdout"))?;
        return Ok((Output::Stdout(Arc::new(stdout)), fresh));
    };
    let mut file = OutputFile::open(path.clone(), job.existing)?;
    let length = file.file().metadata().map_err(Error::system("look at the output"))?.len();
    let mark = match job.existing {
        IfExists::Refuse | IfExists::Overwrite => fresh,
        IfExists::Resume => match Checkpoint::read(path)? {
            // The list was removed. What it took to make it still counts towards the rates.
            Some(mark) if file.is_new() => Checkpoint { requests: mark.requests, ..fresh },
            Some(mark) => unchanged(mark, &fresh.listing, path, length)?,
            None if length == 0 => fresh,
            None => return Err(UsageError::NoCheckpoint(path.clone()).into()),
        },
    };
    // First that nothing is there yet, then that it is so: killed in between, it starts from scratch.
    mark.write(path)?;
    file.begin(mark.bytes)?;
    file.write_lock_owner();
    Ok((Output::File(Arc::new(file)), mark))
}

fn unchanged(mark: Checkpoint, listing: &Listing, path: &Path, length: u64) -> Result<Checkpoint, UsageError> {
    if !mark.listing.is_the_same(listing) {
        return Err(UsageError::OtherListing(path.to_owned()));
    }
    if length < mark.bytes {
        return Err(UsageError::ShorterListing(path.to_owned()));
    }
    // From now on this run may be killed with requests that it does not hold.
    Ok(Checkpoint { ended: false, ..mark })
}

fn write(output: &Output, rows: &[u8], mark: &Checkpoint) -> Result<bool, Error> {
    match output {
        Output::Stdout(stdout) => match (&**stdout).write_all(rows) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            written => written.map(|()| true).map_err(Error::system("write the list")),
        },
        Output::File(file) => {
            let mut out = &**file;
            out.write_all(rows).and_then(|()| file.file().sync_data()).map_err(Error::system("write the list"))?;
            file.check_in_place()?;
            mark.write(file.path())?;
            Ok(true)
        }
    }
}
