//! The first look at the keys, before anybody is asked; and the statistics of a dry run that sends requests.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::api::Namespace;
use crate::clock::wall_now;
use crate::command::connect;
use crate::command::dry_run::warn_of_emptiness;
use crate::command::error::{Error, split_hints, with_nothing_sent};
use crate::command::job::{DeleteJob, Keys};
use crate::command::job_input::{JobInput, JobInputError, RecordBatches, Warnings};
use crate::command::outputs::Opened;
use crate::command::pages::NamespacePages;
use crate::command::same_job::JobRecord;
use crate::command::signals;
use crate::command::summary::JobSummary;
use crate::command::usage::UsageError;
use crate::key::KeyName;
use crate::outcome::{Settled, Status, Stop, StopReason};
use crate::plan::Plan;
use crate::plan::stats::{InvalidReasons, Stats};
use crate::record::{Content, Record};
use crate::report::{Causes, Journal};
use crate::terminal::{Escaped, duration, pluralized};

/// An earlier run's report that is older than this is warned about.
const OLD_JOURNAL: Duration = Duration::from_hours(24);

/// The most records of a pipe that wait for `--min-keys` to be reached.
const MOST_AHEAD: u64 = 100_000;

/// What the first look at the input showed.
pub(super) struct InputScan {
    /// What the first pass found, where the input can be read twice.
    pub(super) plan: Option<Plan<Box<JobInputError>>>,
    /// The records, for the job.
    pub(super) source: KeySource,
    pub(super) nothing_to_send: bool,
}

/// How the records of a job are had.
pub(super) enum KeySource {
    /// They are read.
    Inputs(Box<RecordBatches>),
    Listing {
        pages: Box<NamespacePages>,
        /// Those that were shown to the one who was asked.
        first: Vec<Record>,
    },
}

impl InputScan {
    /// How each input is read, as far as that is known.
    pub(super) fn formats(&self) -> Vec<Option<String>> {
        match &self.source {
            KeySource::Inputs(records) => records.formats(),
            KeySource::Listing { .. } => Vec::new(),
        }
    }

    /// What is to be done about keys that would have to be encoded where the namespace does not support that: nothing is
    /// sent if files hold one; of what is only seen while it is deleted, each is invalid.
    pub(super) fn check_encoding(&mut self, job: &DeleteJob, namespace: &Namespace) -> Result<(), Error> {
        if connect::supports_encoding(namespace) || !job.puts_keys_into_urls() {
            return Ok(());
        }
        if let Some(plan) = &self.plan {
            return connect::check_encoding(
                namespace,
                plan.encoded,
                plan.first_encoded.as_ref(),
                connect::encoding_hint(job),
            );
        }
        let exception = connect::encoding_exception(job);
        self.source.add_stage(move |record| connect::refuse_encoded(record, exception));
        Ok(())
    }
}

impl KeySource {
    /// Applies `stage` to every record that is handed out from now on.
    pub(super) fn add_stage(&mut self, stage: impl FnMut(&mut Record) + Send + 'static) {
        match self {
            Self::Inputs(records) => records.add_stage(stage),
            Self::Listing { pages, .. } => pages.add_stage(stage),
        }
    }
}

/// Takes the first look at the keys.
pub(super) fn scan(
    job: &Arc<DeleteJob>,
    opened: &mut Opened,
    summary: &mut JobSummary<'_>,
) -> Result<InputScan, Error> {
    let causes = opened.causes()?;
    summary.set_scanned(&causes);
    let (job, journal, record) = (Arc::clone(job), opened.journal.clone(), opened.record.clone());
    let (scan, record, causes) = signals::blocking(move || scan_keys(&job, journal, record, causes))??;
    opened.record = record;
    summary.set_scanned(&causes);
    Ok(scan)
}

/// Counts and checks files; of a pipe it waits for the first record, so that a command that was wrong is told from an
/// input before anything is sent.
fn scan_keys(
    job: &DeleteJob,
    journal: Option<(Arc<Journal>, PathBuf)>,
    mut record: JobRecord,
    mut causes: Causes,
) -> Result<(InputScan, JobRecord, Causes), Error> {
    let mut input = match &job.keys {
        Keys::Inputs(inputs) => JobInput::new(inputs, journal),
        Keys::Namespace(wanted) => {
            let source = KeySource::Listing { pages: Box::new(NamespacePages::new(wanted)), first: Vec::new() };
            return Ok((InputScan { plan: None, source, nothing_to_send: false }, record, causes));
        }
    };
    let are_files = input.take_fingerprints()?;
    record.read_inputs(&input.inputs.sources)?;
    input.inputs.options.plans = record.plans();
    input.known_records = record.records_of_earlier();
    if are_files {
        let (plan, counts) = input.survey(Warnings::On, &mut causes)?;
        if plan.records == 0 && plan.broken.is_none() {
            warn_of_emptiness(job.guards.min_keys);
        }
        record.counted(&counts);
        let nothing_to_send = plan.keys == 0;
        let source = KeySource::Inputs(Box::new(input.records(Warnings::Off)));
        return Ok((InputScan { plan: Some(plan), source, nothing_to_send }, record, causes));
    }
    if job.guards.expect.is_some() {
        return Err(UsageError::ExpectOfPipe.into());
    }
    if job.guards.min_keys.is_some_and(|least| least > MOST_AHEAD) {
        return Err(UsageError::MinKeysOfPipe(MOST_AHEAD).into());
    }
    // A file beside the pipe can be seen to break before anything is sent.
    let (files, _) = input.of_files().survey(Warnings::Off, &mut Causes::default())?;
    if let Some(stop) = broken_off(job, &files) {
        return Err(stop.into());
    }
    if job.guards.max_keys.is_some_and(|most| files.distinct_keys > most) {
        let source = KeySource::Inputs(Box::new(input.records(Warnings::Off)));
        return Ok((InputScan { plan: Some(files), source, nothing_to_send: false }, record, causes));
    }
    let mut records = input.records(Warnings::On);
    let (mut plan, mut ahead, mut read) = (Plan::default(), Vec::new(), Ok(true));
    let least = job.guards.min_keys.unwrap_or_default();
    while matches!(read, Ok(true)) && (ahead.is_empty() || plan.keys + records.settled_keys < least) {
        let known = ahead.len();
        read = records.next_batch(&mut ahead);
        for record in &ahead[known..] {
            plan.count(record);
            causes.add_unsent(record);
        }
    }
    // That an input ended early is the end of a job that began, and has its summary.
    let error = match read {
        Err(broken) if ahead.is_empty() && !matches!(*broken, JobInputError::EndedEarly { .. }) => {
            return Err(broken.into());
        }
        read => read.err(),
    };
    plan.distinct_keys += records.settled_keys;
    if ahead.is_empty() && error.is_none() {
        warn_of_emptiness(job.guards.min_keys);
    }
    let nothing_to_send = ahead.is_empty();
    records.put_back(ahead, error);
    // Only what is too few is known by now.
    let plan = (plan.distinct_keys < least).then_some(plan);
    let source = KeySource::Inputs(Box::new(records));
    Ok((InputScan { plan, source, nothing_to_send }, record, causes))
}

/// Why nothing is sent of an input that breaks off, unless the part before that is what was asked for.
pub(super) fn broken_off(job: &DeleteJob, plan: &Plan<Box<JobInputError>>) -> Option<Stop> {
    let broken = plan.broken.as_ref()?;
    if job.run.allow_partial && plan.records > 0 {
        let records = pluralized(plan.records, "record");
        let broken = broken.to_string();
        let (what, hints) = split_hints(&broken);
        let are = if plan.records == 1 { "is" } else { "are" };
        tracing::warn!("{}; only the {records} before it {are} processed{hints}", Escaped(what));
        return None;
    }
    Some(Stop::of_error(StopReason::InputError, &with_nothing_sent(broken)))
}

pub(super) fn warn_of_age(journal: &Journal, report: &Path) {
    let age = journal.first_finished_at().and_then(|first| wall_now().duration_since(first).ok());
    if let Some(age) = age.filter(|age| *age > OLD_JOURNAL) {
        tracing::warn!(
            "{} was started {} ago: keys it reports as deleted are not sent again, even if they have been created again",
            Escaped(&report.to_string_lossy()),
            duration(age)
        );
    }
}

/// The records that are not sent. Their rows no longer say by which rule, so they are seen where they are read, in a thread
/// of its own.
#[derive(Debug, Default)]
pub(super) struct InvalidCollector(Arc<Mutex<Stats>>);

impl InvalidCollector {
    /// Looks at the records as they are handed out.
    pub(super) fn tap(&self, records: &mut KeySource) {
        let seen = Arc::clone(&self.0);
        records.add_stage(move |record| {
            if matches!(record.content, Content::Invalid(_) | Content::Kept(_)) {
                seen.lock().unwrap_or_else(PoisonError::into_inner).add(record);
            }
        });
    }

    fn reasons(&self) -> (InvalidReasons, InvalidReasons) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut seen.invalid), std::mem::take(&mut seen.kept))
    }
}

/// Passes every row on, and outlines what they say is to be deleted.
pub(super) async fn collect_stats(
    invalid_records: InvalidCollector,
    mut settled: mpsc::Receiver<Vec<Settled>>,
    rows: mpsc::Sender<Vec<Settled>>,
) -> Stats {
    let mut stats = Stats::default();
    while let Some(batch) = settled.recv().await {
        for row in batch.iter().filter(|row| row.status == Status::Planned) {
            if let Ok(key) = KeyName::new(&*row.key) {
                stats.take(Record { number: row.number, content: Content::Key(key) });
            }
        }
        // Where nobody takes it, the pipeline hears of that by its own channel.
        if rows.send(batch).await.is_err() {
            break;
        }
    }
    (stats.invalid, stats.kept) = invalid_records.reasons();
    stats
}
