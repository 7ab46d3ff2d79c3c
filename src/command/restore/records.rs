//! Which records of the backups are put back: the last one of each key, because it holds the newest value.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backup::{BackupLine, BackupReader};
use crate::clock::wall_now;
use crate::command::error::Error;
use crate::command::job::RestoreJob;
use crate::command::job_input::JobInputError;
use crate::command::same_file::Files;
use crate::command::same_job::JobRecord;
use crate::files::{FileError, IfExists};
use crate::input::{Fingerprint, InputError, Source};
use crate::key::KeyName;
use crate::key_index::LastRecords;
use crate::pipeline::expiry::{expiry, unix_now};
use crate::record::{Content, Invalid, Pair, Record, RecordNumber};
use crate::report::{Causes, Destination, Journal, RecordState, Target, create_unique, default_path};

/// How many keys are shown before the question.
const FIRST_KEYS: usize = 5;

/// The records of all backups.
pub(super) type BoxedRecords = Box<dyn Iterator<Item = Result<Record, Box<JobInputError>>> + Send>;

pub(super) struct OpenedReport {
    pub(super) destination: Option<Destination>,
    pub(super) path: Option<PathBuf>,
    pub(super) record: JobRecord,
    /// What an earlier run settled, and where that is written.
    pub(super) journal: Option<(Arc<Journal>, PathBuf)>,
    /// Why records failed in it.
    pub(super) causes: Causes,
}

pub(super) fn open_report(job: &RestoreJob) -> Result<OpenedReport, Error> {
    job.files.iter().try_for_each(|file| check_is_file(file))?;
    let mut files = Files::default();
    job.files.iter().for_each(|path| files.reads(&Source::File(path.clone())));
    if let Target::File(path) = &job.report {
        files.writes("--report", path, &[".lock", ".job.json"]);
    }
    if let Some(path) = &job.monitoring.metrics_file {
        files.writes("--metrics-file", path, &[]);
    }
    files.check()?;
    let (mut record, mut causes) = (JobRecord::of_restore(job), Causes::default());
    let path = match &job.report {
        Target::Nowhere => return Ok(OpenedReport { destination: None, path: None, record, journal: None, causes }),
        Target::Stdout => {
            return Ok(OpenedReport {
                destination: Some(Destination::Stdout),
                path: None,
                record,
                journal: None,
                causes,
            });
        }
        Target::Default => {
            let path = default_path(wall_now()).to_string_lossy().replacen("kvsweep-report", "kvsweep-restore", 1);
            let file = create_unique(Path::new(&path))?;
            let path = Some(file.path().to_owned());
            return Ok(OpenedReport {
                destination: Some(Destination::File(file)),
                path,
                record,
                journal: None,
                causes,
            });
        }
        Target::File(path) => path.clone(),
    };
    // Our own lock on one of them would not keep its rows from being written into it.
    if path.symlink_metadata().is_ok() && job.existing == IfExists::Refuse {
        return Err(FileError::Exists { path }.into());
    }
    let mut destination = Destination::open(path.clone(), job.existing)?;
    let mut journal = None;
    if let Destination::File(file) = &mut destination {
        record.found(&path, job.existing, file.is_empty())?;
        if job.existing == IfExists::Resume {
            journal = Some((file.read_journal()?, path.clone()));
            causes = file.causes()?;
        }
    }
    Ok(OpenedReport { destination: Some(destination), path: Some(path), record, journal, causes })
}

/// What a first pass over the backups found.
pub(super) struct Plan {
    pub(super) records: u64,
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
        let mut plan = Self {
            records: 0,
            keys: 0,
            first_keys: Vec::new(),
            encoded: 0,
            first_encoded: None,
            broken: None,
            causes,
            last: LastRecords::default(),
            prints: Vec::new(),
            journal,
        };
        for file in files {
            plan.prints.push(print(file)?);
        }
        for (file, print) in files.iter().zip(plan.prints.clone()) {
            for line in entries(file, print) {
                let line = match line {
                    Ok(line) => line,
                    Err(broken) => {
                        plan.broken = Some(broken);
                        break;
                    }
                };
                // Before anything is sent: the report of another job must not say what is left to do.
                let state = match RecordNumber::new(plan.records + 1) {
                    Some(number) => plan.state(number, &line)?,
                    None => RecordState::Pending,
                };
                match line {
                    BackupLine::Invalid { key, why } => {
                        plan.records += 1;
                        if state == RecordState::Pending {
                            plan.causes.add_invalid(&key, &invalid(file, &why));
                        }
                    }
                    BackupLine::Record(entry) => {
                        plan.records += 1;
                        if state == RecordState::Pending && entry.key.needs_encoding() {
                            plan.encoded += 1;
                            plan.first_encoded.get_or_insert_with(|| entry.key.clone());
                        }
                        let key = entry.key.as_str();
                        plan.last.add(key, plan.records);
                        if plan.first_keys.len() < FIRST_KEYS && !plan.first_keys.iter().any(|first| first == key) {
                            plan.first_keys.push(key.to_owned());
                        }
                    }
                }
            }
            if plan.broken.is_some() {
                break;
            }
        }
        plan.keys = plan.last.finish();
        match plan.broken.take_if(|broken| broken.is_usage()) {
            Some(broken) => return Err(Box::new(JobInputError::from(broken)).into()),
            None if plan.records == 0 && plan.broken.is_none() => tracing::warn!("the backup is empty"),
            None => {}
        }
        Ok(plan)
    }

    /// What an earlier run wrote.
    pub(super) fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref().map(|(journal, _)| &**journal)
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
fn check_is_file(file: &Path) -> Result<(), Error> {
    let is_stdin = file.as_os_str() == "-";
    if !is_stdin && Source::File(file.to_owned()).is_regular().unwrap_or(true) {
        return Ok(());
    }
    let name = if is_stdin { "stdin".to_owned() } else { file.display().to_string() };
    Err(Error::Usage(format!(
        "{name} cannot be restored from: a backup is read twice, so it has to be a regular file\nhint: write it to a file \
         first, and pass that"
    )))
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
