//! Which records of the backups are put back: the last one of each key, because it holds the newest value.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backup::{BackupLine, BackupReader};
use crate::command::error::Error;
use crate::command::job_input::JobInputError;
use crate::command::usage::UsageError;
use crate::input::{Fingerprint, Format, InputError, Source};
use crate::key::KeyName;
use crate::key_index::LastRecords;
use crate::pipeline::expiry::{expiry, unix_now};
use crate::record::{Content, Invalid, Pair, Record, RecordNumber};
use crate::report::{Causes, Journal, RecordState};

/// How many keys are shown before the question.
const FIRST_KEYS: usize = 5;

/// The records of all backups.
pub(super) type BoxedRecords = Box<dyn Iterator<Item = Result<Record, Box<JobInputError>>> + Send>;

/// What a first pass over the backups found.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) records: u64,
    /// Of each file that was read to its end, how many records it has.
    pub(super) counts: Vec<u64>,
    /// The format of each that could be opened.
    pub(super) formats: Vec<Format>,
    /// Distinct keys that may be put back.
    pub(super) keys: u64,
    pub(super) first_keys: Vec<String>,
    /// Keys that have to be encoded to stand in a URL, and the first of them.
    pub(super) encoded: u64,
    pub(super) first_encoded: Option<KeyName>,
    /// What broke a backup off, if something did; nothing after it was read.
    pub(super) broken: Option<InputError>,
    /// Why records cannot be put back.
    pub(super) causes: Causes,
    last: LastRecords,
    prints: Vec<Fingerprint>,
    journal: Option<(Arc<Journal>, PathBuf)>,
}

impl Plan {
    /// Reads them all.
    pub(super) fn of(
        files: &[PathBuf],
        journal: Option<(Arc<Journal>, PathBuf)>,
        causes: Causes,
    ) -> Result<Self, Error> {
        let prints = files.iter().map(|file| print(file)).collect::<Result<Vec<_>, _>>()?;
        let mut plan = Self { causes, prints: prints.clone(), journal, ..Self::default() };
        for (file, print) in files.iter().zip(prints) {
            let before = plan.records;
            if let Err(broken) = plan.read(file, print)? {
                plan.broken = Some(broken);
                break;
            }
            plan.counts.push(plan.records - before);
        }
        plan.keys = plan.last.len();
        match plan.broken.take_if(|broken| broken.is_usage()) {
            Some(broken) => return Err(Box::new(JobInputError::from(broken)).into()),
            None if plan.records == 0 && plan.broken.is_none() => tracing::warn!("the backup is empty"),
            None => {}
        }
        Ok(plan)
    }

    /// Reads a backup up to its end or its break.
    fn read(&mut self, file: &Path, print: Fingerprint) -> Result<Result<(), InputError>, JobInputError> {
        let lines = match BackupReader::open(&Source::File(file.to_owned()), print) {
            Ok(lines) => lines,
            Err(broken) => return Ok(Err(broken)),
        };
        self.formats.push(lines.format());
        for line in lines {
            match line {
                Ok(line) => self.add(file, line)?,
                Err(broken) => return Ok(Err(broken)),
            }
        }
        Ok(Ok(()))
    }

    fn add(&mut self, file: &Path, line: BackupLine) -> Result<(), JobInputError> {
        self.records += 1;
        // Before anything is sent: the report of another job must not say what is left to do.
        let state = match RecordNumber::new(self.records) {
            Some(number) => self.state(number, &line)?,
            None => RecordState::Pending,
        };
        match line {
            BackupLine::Invalid { key, why } => {
                if state == RecordState::Pending {
                    self.causes.add_invalid(&key, &invalid(file, &why));
                }
            }
            BackupLine::Record(entry) => {
                if state == RecordState::Pending && entry.key.needs_encoding() {
                    self.encoded += 1;
                    self.first_encoded.get_or_insert_with(|| entry.key.clone());
                }
                let key = entry.key.as_str();
                self.last.add(key, self.records);
                if self.first_keys.len() < FIRST_KEYS && !self.first_keys.iter().any(|first| first == key) {
                    self.first_keys.push(key.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Every record, in order, as the first pass saw it.
    pub(super) fn records(self: &Arc<Self>, files: Vec<PathBuf>) -> BoxedRecords {
        let (plan, mut number) = (Arc::clone(self), None);
        let files = files.into_iter().zip(self.prints.clone());
        let lines = files.flat_map(|(file, print)| entries(&file, print).map(move |line| (line, file.clone())));
        Box::new(lines.map(move |(line, file)| {
            let line = line.map_err(JobInputError::from)?;
            let next = number.map_or(RecordNumber::FIRST, RecordNumber::next);
            number = Some(next);
            Ok(Record { number: next, content: plan.content(next, line, &file)? })
        }))
    }

    /// Whether anything is left to do for a record.
    fn state(&self, number: RecordNumber, line: &BackupLine) -> Result<RecordState, JobInputError> {
        let key = match line {
            BackupLine::Record(entry) => entry.key.as_str(),
            BackupLine::Invalid { key, .. } => key.as_str(),
        };
        let Some((journal, report)) = &self.journal else { return Ok(RecordState::Pending) };
        match journal.state(number, key) {
            RecordState::Mismatch => {
                Err(JobInputError::OtherInput { record: number, key: key.to_owned(), report: report.clone() })
            }
            state => Ok(state),
        }
    }

    fn content(&self, number: RecordNumber, line: BackupLine, file: &Path) -> Result<Content, JobInputError> {
        if self.state(number, &line)? == RecordState::Settled {
            return Ok(Content::Settled);
        }
        let unsent = |key: String, reason: String| {
            Content::Invalid(Box::new(Invalid { key, rule: "not a record that can be restored".into(), reason }))
        };
        Ok(match line {
            BackupLine::Invalid { key, why } => unsent(key, invalid(file, &why)),
            BackupLine::Record(record) if self.last.last(record.key.as_str()) != Some(number.get()) => {
                Content::Superseded(record.key)
            }
            BackupLine::Record(record) => {
                if let Some(why) = expiry(record.value.expiration, unix_now()) {
                    unsent(record.key.as_str().to_owned(), why)
                } else {
                    let json = record.to_json();
                    let read = |source| JobInputError::Open { input: file.display().to_string(), source };
                    let (json, expiration) = (json.map_err(read)?.into(), record.value.expiration);
                    Content::Pair(Arc::new(Pair { key: record.key, json, expiration }))
                }
            }
        })
    }
}

/// Why a line of a backup is no record.
fn invalid(file: &Path, why: &str) -> String {
    format!("{}: {why}", file.display())
}

/// Refuses what can be read only once. One that is missing is an error once it is read.
pub(super) fn check_is_file(file: &Path) -> Result<(), UsageError> {
    let is_stdin = file.as_os_str() == "-";
    if !is_stdin && Source::File(file.to_owned()).is_regular().unwrap_or(true) {
        return Ok(());
    }
    Err(UsageError::NotRegular(if is_stdin { "stdin".to_owned() } else { file.display().to_string() }))
}

fn print(file: &Path) -> Result<Fingerprint, Error> {
    let source = Source::File(file.to_owned());
    let open = |error| JobInputError::Open { input: file.display().to_string(), source: error };
    Ok(source.fingerprint().map_err(open)?)
}

/// What a backup holds, or why it cannot be opened.
fn entries(file: &Path, print: Fingerprint) -> Box<dyn Iterator<Item = Result<BackupLine, InputError>> + Send> {
    match BackupReader::open(&Source::File(file.to_owned()), print) {
        Ok(entries) => Box::new(entries),
        Err(broken) => Box::new(std::iter::once(Err(broken))),
    }
}
