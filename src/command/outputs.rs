//! The report, the failures file and the backup: which of them are opened when.
//!
//! What exists is opened (and locked) before the input is read, because a resumed job needs its journal. What does not
//! is made only when the job begins, so that a job that is not confirmed leaves nothing behind; but that it could not
//! be made under that name is said at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backup::{BackupFile, compression_of};
use crate::clock::wall_now;
use crate::files::{FileError, IfExists, folder_of};
use crate::input::Source;
use crate::platform;
use crate::quota::Budget;
use crate::report::{
    Causes, Destination, FailuresFile, Format, Journal, Kind, Outputs, ReportError, ReportFile, Target, create_unique,
    default_path,
};
use crate::terminal::Escaped;

use super::earlier::{self, Earlier, Killed};
use super::error::Error;
use super::job::{JobOptions, RunOptions};
use super::monitor::Monitor;
use super::same_file::Files;
use super::same_job::JobRecord;
use super::signals;
use super::summary::{Begun, JobSummary};
use super::usage::UsageError;

/// The outputs of a job before it begins.
#[derive(Debug)]
pub(super) struct Opened {
    run: RunOptions,
    report: Option<Pending<Destination>>,
    failures: Option<Pending<FailuresFile>>,
    backup: Option<Pending<BackupFile>>,
    pub(super) record: JobRecord,
    /// What an earlier run settled, with the path of its report.
    pub(super) journal: Option<(Arc<Journal>, PathBuf)>,
}

#[derive(Debug)]
enum Pending<T> {
    Open(T),
    ToBeMade(PathBuf),
}

/// What a job writes, and where it is afterwards.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) outputs: Outputs,
    pub(super) report: Option<PathBuf>,
    pub(super) failures: Option<PathBuf>,
    pub(super) backup: Option<BackupFile>,
    pub(super) record: JobRecord,
}

impl Opened {
    /// Opens what exists. From here on this process has the report for itself, and the job has begun.
    pub(super) fn open(
        run: &RunOptions,
        inputs: Vec<Source>,
        record: JobRecord,
        monitor: &mut Monitor,
        summary: &mut JobSummary<'_>,
    ) -> Result<Self, Error> {
        let run = run.clone();
        let opened = signals::blocking(move || Self::new(run, &inputs, record))??;
        summary.earlier = Earlier::of(opened.journal.as_ref().map(|(journal, _)| &**journal));
        summary.facts = Some(opened.record.facts());
        summary.report = opened.journal.as_ref().map(|(_, report)| report.clone());
        summary.begun = Begun::NotYet(opened.journal.is_some().then(|| Box::new(opened.run.clone())));
        monitor.begin();
        monitor.resume_from(summary.earlier);
        Ok(opened)
    }

    /// The same of a job without metrics. It reads `inputs`, if it does not list a namespace.
    pub(super) fn new(run: RunOptions, inputs: &[Source], mut record: JobRecord) -> Result<Self, Error> {
        files(&run, inputs).check()?;
        let can_resume = record.kind().is_resumable() && !inputs.is_empty();
        let mut journal = None;
        let report = match &run.report {
            Target::Nowhere => None,
            Target::Stdout => Some(Pending::Open(Destination::Stdout)),
            Target::Default => Some(Pending::ToBeMade(default_name(&record))),
            Target::File(path) => {
                Format::of(path)?;
                let mut report = Pending::of(path, &run, can_resume, Destination::open)?;
                match &mut report {
                    Pending::Open(Destination::File(file)) => {
                        record.found(path, run.existing, file.is_empty())?;
                        if run.existing == IfExists::Resume {
                            let read = file.read_journal()?;
                            record.check_rows(path, &read.tally())?;
                            journal = Some((read, path.clone()));
                        }
                    }
                    Pending::Open(Destination::Stdout) | Pending::ToBeMade(_) => JobRecord::free(path, run.existing)?,
                }
                Some(report)
            }
        };
        let failures = run.failures.as_ref().map(|path| {
            Format::of(path)?;
            Pending::of(path, &run, can_resume, FailuresFile::open)
        });
        let failures = failures.transpose()?;
        let mut backup = None;
        if let Some(path) = &run.backup {
            compression_of(path)?;
            // A dry run only looks.
            if record.kind() == Kind::DryRun {
                existing_file(path, &run, can_resume)?;
            } else {
                backup = Some(Pending::of(path, &run, can_resume, BackupFile::open)?);
            }
        }
        Ok(Self { run, report, failures, backup, record, journal })
    }

    /// The report that was found.
    fn found(&self) -> Option<&ReportFile> {
        match &self.report {
            Some(Pending::Open(Destination::File(file))) => Some(file),
            _ => None,
        }
    }

    /// Whether a report is there that will be replaced.
    pub(super) fn replaces_report(&self) -> bool {
        self.found().is_some() && self.run.existing == IfExists::Overwrite
    }

    /// Where rows go, for a prompt.
    pub(super) fn report_name(&self) -> String {
        let path = match &self.report {
            None => return "none".to_owned(),
            Some(Pending::Open(Destination::Stdout)) => return "stdout".to_owned(),
            Some(Pending::Open(Destination::File(file))) => file.path(),
            Some(Pending::ToBeMade(path)) => path,
        };
        Escaped(&path.to_string_lossy()).to_string()
    }

    /// Counts the requests of earlier runs, before this one sends anything; returns how many have no row and are in no job file.
    pub(super) fn count_requests(&mut self, options: &JobOptions, budget: &mut Budget) -> u64 {
        let sent = self.found().and_then(|file| file.output().uncounted_requests());
        let Some((journal, _)) = &self.journal else { return 0 };
        let (in_flight, timeout) = (self.run.concurrency, options.timeout);
        let killed = Killed { sent, is_one_by_one: self.record.was_one_by_one(), in_flight, timeout };
        earlier::count(budget, journal, &mut self.record, killed)
    }

    /// Leaves the `requests` of this run to the next one, should it end before it begins to write.
    pub(super) fn leave_requests(&self, requests: u64) {
        if let (Some(file), Some((journal, _)), 1..) = (self.found(), &self.journal, requests) {
            let of_rows = if self.record.was_one_by_one() { journal.attempts() } else { 0 };
            file.output().leave_requests(of_rows + self.record.requests_without_row + requests);
        }
    }

    /// Why records of earlier runs failed, are unknown or invalid.
    ///
    /// # Errors
    /// Those of reading the report.
    pub(super) fn causes(&self) -> Result<Causes, Error> {
        let has_trouble = self.journal.as_ref().is_some_and(|(journal, _)| journal.tally().trouble() > 0);
        Ok(self.found().filter(|_| has_trouble).map(ReportFile::causes).transpose()?.unwrap_or_default())
    }

    /// Makes what is not there yet. `records` of the job are known so far, and `requests` were sent.
    pub(super) fn make(self, records: Option<u64>, requests: u64) -> Result<Ready, Error> {
        let Self { run, report, failures, backup, mut record, .. } = self;
        for folder in &run.folders {
            // For this user alone.
            platform::create_folders(folder).map_err(Error::path("make the folder", folder))?;
        }
        let report = report.map(|report| {
            report.made(|path| match run.report {
                Target::Default => create_unique(&path).map(Destination::File),
                _ => Destination::open(path, IfExists::Refuse).map_err(|error| locked_since(error, run.existing)),
            })
        });
        let report = report.transpose()?;
        let failures = failures.map(|file| file.made(|path| FailuresFile::open(path, IfExists::Refuse))).transpose()?;
        let backup = backup.map(|file| file.made(|path| BackupFile::open(path, IfExists::Refuse))).transpose()?;
        let report_path = match &report {
            Some(Destination::File(file)) => Some(file.path().to_owned()),
            Some(Destination::Stdout) | None => None,
        };
        if let Some(report) = &report_path {
            record.begin(report, records, requests)?;
        }
        let failures_path = failures.as_ref().map(|file| file.path().to_owned());
        let outputs = Outputs { report, failures, sync: run.sync };
        Ok(Ready { record, outputs, report: report_path, failures: failures_path, backup })
    }
}

impl<T> Pending<T> {
    /// Opens what exists; an error if it may not, or could not be made.
    fn of<E>(
        path: &Path,
        run: &RunOptions,
        can_resume: bool,
        open: impl FnOnce(PathBuf, IfExists) -> Result<T, E>,
    ) -> Result<Self, Error>
    where
        Error: From<E>,
    {
        Ok(match existing_file(path, run, can_resume)? {
            Some(existing) => Self::Open(open(path.to_owned(), existing)?),
            None => Self::ToBeMade(path.to_owned()),
        })
    }

    fn made<E>(self, make: impl FnOnce(PathBuf) -> Result<T, E>) -> Result<T, E> {
        match self {
            Self::Open(file) => Ok(file),
            Self::ToBeMade(path) => make(path),
        }
    }
}

/// Whether something is there that may be opened; an error if it may not be, or could not be made.
fn existing_file(path: &Path, run: &RunOptions, can_resume: bool) -> Result<Option<IfExists>, Error> {
    // Without following a link: one that leads nowhere is there all the same.
    if path.symlink_metadata().is_ok() {
        return match run.existing {
            IfExists::Refuse if can_resume => Err(FileError::Exists { path: path.to_owned() }.into()),
            IfExists::Refuse => Err(UsageError::Exists(path.to_owned()).into()),
            IfExists::Overwrite | IfExists::Resume => Ok(Some(run.existing)),
        };
    }
    let folder = folder_of(path);
    if folder.is_dir() || run.folders.iter().any(|made| made == folder) {
        return Ok(None);
    }
    Err(UsageError::NoFolder(path.to_owned()).into())
}

/// A report that another run made since it was looked for: where that would have been resumed, it is waited for instead.
fn locked_since(error: ReportError, existing: IfExists) -> ReportError {
    match error {
        ReportError::File(FileError::Exists { path }) if existing == IfExists::Resume => {
            FileError::Locked { path, owner: None }.into()
        }
        error => error,
    }
}

/// What a job reads and writes.
fn files(run: &RunOptions, inputs: &[Source]) -> Files {
    let mut files = Files::default();
    for source in inputs {
        files.reads(source);
    }
    for path in &run.settings_files {
        files.reads_settings(path);
    }
    if let Target::File(path) = &run.report {
        files.writes("--report", path, &[".lock", ".job.json"]);
    }
    for (flag, path, beside) in [
        ("--failures", &run.failures, &[".lock"][..]),
        ("--backup", &run.backup, &[".lock"]),
        ("--metrics-file", &run.monitoring.metrics_file, &[]),
    ] {
        if let Some(path) = path {
            files.writes(flag, path, beside);
        }
    }
    files
}

/// The name of a report that was not named. That of a rehearsal must not pass for the record of a job that deleted something,
/// and parts of a job begin in the same second.
fn default_name(record: &JobRecord) -> PathBuf {
    let what = match record.kind() {
        Kind::Delete | Kind::DryRun => "kvsweep-report",
        Kind::Rehearsal => "kvsweep-rehearsal",
        Kind::Restore | Kind::RestoreDryRun => "kvsweep-restore",
    };
    let name = default_path(wall_now()).to_string_lossy().replacen("kvsweep-report", what, 1);
    let part = record.shard().map(|shard| format!("-shard-{}.csv", shard.replace('/', "-of-")));
    part.map_or(name.clone(), |part| name.replacen(".csv", &part, 1)).into()
}
