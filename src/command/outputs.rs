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
use crate::platform;
use crate::report::{
    Causes, Destination, FailuresFile, Format, Journal, Outputs, ReportError, Target, create_unique, default_path,
};

use crate::terminal::{Escaped, shell_word};

use super::earlier::{Earlier, Killed};
use super::error::Error;
use super::job::{DeleteJob, Keys, Mode};
use super::same_file::Files;
use super::same_job::JobRecord;

/// The outputs of a job before it begins.
#[derive(Debug)]
pub(super) struct Opened {
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
    /// Under this name, or one like it.
    ToBeNamed(PathBuf),
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
    pub(super) fn new(job: &DeleteJob) -> Result<Self, Error> {
        files(job).check()?;
        let (mut journal, mut record) = (None, JobRecord::of(job));
        let report = match &job.report {
            Target::Nowhere => None,
            Target::Stdout => Some(Pending::Open(Destination::Stdout)),
            Target::Default => Some(Pending::ToBeNamed(named(job, default_path(wall_now())))),
            Target::File(path) => Some(match check_target(path, job)? {
                None => {
                    JobRecord::free(path, job.existing)?;
                    Pending::ToBeMade(path.clone())
                }
                Some(existing) => {
                    let mut destination = Destination::open(path.clone(), existing)?;
                    if let Destination::File(file) = &mut destination {
                        record.found(path, existing, file.is_empty())?;
                        if existing == IfExists::Resume {
                            journal = Some((file.read_journal()?, path.clone()));
                        }
                    }
                    Pending::Open(destination)
                }
            }),
        };
        let failures = match &job.failures {
            None => None,
            Some(path) => Some(match check_target(path, job)? {
                None => Pending::ToBeMade(path.clone()),
                Some(existing) => Pending::Open(FailuresFile::open(path.clone(), existing)?),
            }),
        };
        let backup = match &job.backup {
            None => None,
            Some(path) => {
                compression_of(path)?;
                match existing_file(path, job)? {
                    // A dry run only looks.
                    Some(existing) if !matches!(job.mode, Mode::DryRun | Mode::Check(_)) => {
                        Some(Pending::Open(BackupFile::open(path.clone(), existing)?))
                    }
                    _ => Some(Pending::ToBeMade(path.clone())),
                }
            }
        };
        Ok(Self { report, failures, backup, record, journal })
    }

    /// Where rows go, for a prompt.
    pub(super) fn report_name(&self) -> String {
        match &self.report {
            None => report_name(None),
            Some(Pending::Open(destination)) => report_name(Some(destination)),
            Some(Pending::ToBeMade(path) | Pending::ToBeNamed(path)) => Escaped(&path.to_string_lossy()).to_string(),
        }
    }

    /// What earlier runs left.
    pub(super) fn earlier(&self) -> Earlier {
        Earlier::of(self.journal.as_ref().map(|(journal, _)| &**journal))
    }

    /// What is known of the last run, in case it was killed.
    pub(super) fn killed(&self, job: &DeleteJob) -> Killed {
        let sent = match &self.report {
            Some(Pending::Open(Destination::File(file))) => file.output().requests_of_killed(),
            _ => None,
        };
        let (in_flight, timeout) = (job.concurrency, job.options.timeout);
        Killed { sent, is_one_by_one: self.record.was_one_by_one(), in_flight, timeout }
    }

    /// Why records of earlier runs failed.
    ///
    /// # Errors
    /// Those of reading the report.
    pub(super) fn causes(&self) -> Result<Causes, Error> {
        Ok(match &self.report {
            Some(Pending::Open(Destination::File(file))) if self.earlier().tally.failures() > 0 => file.causes()?,
            _ => Causes::default(),
        })
    }

    /// Makes what is not there yet.
    pub(super) fn make(self, job: &DeleteJob, requests: u64) -> Result<Ready, Error> {
        make_folders(&job.folders)?;
        let (report, report_path) = match self.report {
            None => (None, None),
            Some(Pending::Open(Destination::File(file))) => {
                let path = file.path().to_owned();
                (Some(Destination::File(file)), Some(path))
            }
            Some(Pending::Open(Destination::Stdout)) => (Some(Destination::Stdout), None),
            Some(Pending::ToBeNamed(path)) => {
                let made = create_unique(&path)?;
                let path = made.path().to_owned();
                (Some(Destination::File(made)), Some(path))
            }
            Some(Pending::ToBeMade(path)) => {
                let made = Destination::open(path.clone(), IfExists::Refuse);
                (Some(made.map_err(|error| locked_since(error, job.existing))?), Some(path))
            }
        };
        let failures = match self.failures {
            None => None,
            Some(Pending::Open(file)) => Some(file),
            Some(Pending::ToBeMade(path) | Pending::ToBeNamed(path)) => {
                Some(FailuresFile::open(path, IfExists::Refuse)?)
            }
        };
        let failures_path = failures.as_ref().map(|file| file.path().to_owned());
        let backup = match self.backup {
            _ if matches!(job.mode, Mode::DryRun | Mode::Check(_)) => None,
            None => None,
            Some(Pending::Open(file)) => Some(file),
            Some(Pending::ToBeMade(path) | Pending::ToBeNamed(path)) => Some(BackupFile::open(path, IfExists::Refuse)?),
        };
        let mut record = self.record;
        if let Some(report) = &report_path {
            record.begin(report, requests)?;
        }
        let outputs = Outputs { report, failures, sync: job.sync };
        Ok(Ready { record, outputs, report: report_path, failures: failures_path, backup })
    }
}

/// Where rows go, for a prompt.
pub(super) fn report_name(report: Option<&Destination>) -> String {
    match report {
        None => "none".to_owned(),
        Some(Destination::Stdout) => "stdout".to_owned(),
        Some(Destination::File(file)) => Escaped(&file.path().to_string_lossy()).to_string(),
    }
}

/// Whether something is there that may be opened; an error where it may not be, or could not be made.
fn check_target(path: &Path, job: &DeleteJob) -> Result<Option<IfExists>, Error> {
    Format::of(path)?;
    existing_file(path, job)
}

/// The same, whatever the file is to hold.
fn existing_file(path: &Path, job: &DeleteJob) -> Result<Option<IfExists>, Error> {
    let existing = job.existing;
    // Without following a link: one that leads nowhere is there all the same.
    if path.symlink_metadata().is_ok() {
        return match existing {
            IfExists::Refuse if !matches!(job.mode, Mode::Real(_)) || matches!(job.keys, Keys::Namespace(_)) => {
                let path = path.to_string_lossy();
                let text =
                    format!("{} exists\nhint: pass --overwrite to replace it, or choose another file", Escaped(&path));
                Err(Error::Usage(text))
            }
            IfExists::Refuse => Err(FileError::Exists { path: path.to_owned() }.into()),
            IfExists::Overwrite | IfExists::Resume => Ok(Some(existing)),
        };
    }
    let folder = folder_of(path);
    if folder.is_dir() || job.folders.iter().any(|made| made == folder) {
        Ok(None)
    } else {
        Err(Error::Usage(format!(
            "{} cannot be created: the folder {} does not exist\nhint: run: mkdir -p {}",
            path.display(),
            folder.display(),
            shell_word(folder.as_os_str())
        )))
    }
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

/// Makes folders, for this user alone.
fn make_folders(folders: &[PathBuf]) -> Result<(), Error> {
    for folder in folders {
        platform::create_folders(folder).map_err(|source| Error::Folder { path: folder.clone(), source })?;
    }
    Ok(())
}

/// What a job reads and writes.
fn files(job: &DeleteJob) -> Files {
    let mut files = Files::default();
    if let Keys::Inputs(inputs) = &job.keys {
        inputs.sources.iter().for_each(|source| files.reads(source));
    }
    if let Target::File(path) = &job.report {
        files.writes("--report", path, &[".lock", ".job.json"]);
    }
    for (flag, path) in [("--failures", &job.failures), ("--backup", &job.backup)] {
        if let Some(path) = path {
            files.writes(flag, path, &[".lock"]);
        }
    }
    if let Some(path) = &job.monitoring.metrics_file {
        files.writes("--metrics-file", path, &[]);
    }
    files
}

/// A rehearsal's report must not pass for the record of a job that deleted something, and parts of a job begin in the
/// same second.
fn named(job: &DeleteJob, path: PathBuf) -> PathBuf {
    let path = match job.mode {
        Mode::DryRun | Mode::Check(_) | Mode::Real(_) => path,
        Mode::Rehearsal => path.to_string_lossy().replacen("kvsweep-report", "kvsweep-rehearsal", 1).into(),
    };
    match job.shard() {
        Some(shard) => {
            let part = format!("-shard-{}-of-{}.csv", shard.number(), shard.count());
            path.to_string_lossy().replacen(".csv", &part, 1).into()
        }
        None => path,
    }
}
