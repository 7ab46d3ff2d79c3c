//! What keeps a job from running, with its exit code.

use std::error::Error as _;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::api::{ClientError, CredentialsError};
use crate::backup::BackupError;
use crate::clock::{minute, wall_now};
use crate::exit::ExitCode;
use crate::files::FileError;
use crate::listing::CheckpointError;
use crate::outcome::{Stop, StopReason};
use crate::report::{JobFileError, ReportError};
use crate::terminal::{Escaped, duration};
pub(crate) use crate::text::{HINT, split_hints};

use super::job_input::JobInputError;
use super::usage::UsageError;

/// Why a job did not run. What came of a job that did is in its summary.
#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Input(#[from] Box<JobInputError>),
    /// The report or the failures file cannot be opened, read or written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The report or a plan belongs to another job, or its job file cannot be read or written.
    #[error(transparent)]
    JobFile(#[from] JobFileError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("cannot start the sandbox: {0}\nhint: if the port is taken, choose another with --port")]
    Sandbox(io::Error),
    /// A page, of a report or of the manual, or a folder cannot be made.
    #[error("cannot {doing} {path}: {source}")]
    Path { doing: &'static str, path: PathBuf, source: io::Error },
    /// The job stopped before its end, or before its beginning.
    #[error("{}", .0.why)]
    Stopped(Stop),
    /// A bug. The panic itself is on stderr.
    #[error("kvsweep panicked\nhint: this is a bug: please report it with the message above")]
    Panicked,
    #[error("cannot {doing}: {source}")]
    System { doing: &'static str, source: io::Error },
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Self::Report(error.into())
    }
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<JobInputError> for Error {
    fn from(broken: JobInputError) -> Self {
        Box::new(broken).into()
    }
}

impl Error {
    pub(super) fn system(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { doing, source }
    }

    pub(super) fn path(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Path { doing, path: path.to_owned(), source }
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_)
            | Self::Credentials(_)
            | Self::Client(_)
            | Self::Checkpoint(CheckpointError::Damaged { .. }) => ExitCode::Usage,
            Self::Input(broken) if broken.is_usage() => ExitCode::Usage,
            Self::Report(ReportError::File(FileError::Locked { .. }))
            | Self::Backup(BackupError::File(FileError::Locked { .. })) => ExitCode::Locked,
            Self::Report(error) if error.is_usage() => ExitCode::Usage,
            Self::JobFile(error) if error.is_usage() => ExitCode::Usage,
            Self::Backup(error) if error.is_usage() => ExitCode::Usage,
            Self::Stopped(stop) => ExitCode::for_stop(stop.reason, stop.signal),
            Self::Checkpoint(_)
            | Self::Panicked
            | Self::Input(_)
            | Self::Report(_)
            | Self::JobFile(_)
            | Self::Backup(_)
            | Self::Sandbox(_)
            | Self::Path { .. }
            | Self::System { .. } => ExitCode::Error,
        }
    }

    /// The stop that it is for a job that had nothing to send yet, if nothing is wrong with the command line.
    pub(super) fn into_stop(self) -> Result<Stop, Self> {
        let reason = match &self {
            Self::Stopped(_) => {
                let Self::Stopped(stop) = self else { return Err(self) };
                return Ok(stop);
            }
            _ if self.exit_code() != ExitCode::Error => return Err(self),
            Self::Input(_) => StopReason::InputError,
            Self::Report(_)
            | Self::JobFile(_)
            | Self::Backup(_)
            | Self::Checkpoint(_)
            | Self::Path { .. }
            | Self::System { .. } => StopReason::IoError,
            Self::Usage(_) | Self::Credentials(_) | Self::Client(_) | Self::Sandbox(_) | Self::Panicked => {
                return Err(self);
            }
        };
        Ok(Stop::of_error(reason, &with_nothing_sent(&self.error_chain())))
    }

    /// The whole message, causes and hints included, safe for a terminal.
    pub fn error_chain(&self) -> String {
        if let Self::Stopped(stop) = self {
            return message(Some(&stop.why), &hints(stop));
        }
        let text = self.to_string();
        let (what, hints) = split_hints(&text);
        let mut what = what.to_owned();
        let mut cause = match self {
            Self::Report(_) | Self::Backup(_) | Self::JobFile(_) | Self::Checkpoint(_) => self.source(),
            _ => None,
        };
        while let Some(error) = cause {
            what = format!("{what}: {error}");
            cause = error.source();
        }
        format!("{what}{hints}")
    }
}

/// A message that may hold the server's words, and hints of ours.
pub(super) fn message(what: Option<&str>, hints: &[String]) -> String {
    let what = what.map(|what| Escaped(what).to_string());
    let hints = hints.iter().map(|hint| format!("hint: {hint}"));
    what.into_iter().chain(hints).collect::<Vec<_>>().join("\n")
}

/// The message of an error after which nothing was sent.
pub(super) fn with_nothing_sent(error: &impl Display) -> String {
    let message = error.to_string();
    let (what, hint) = split_hints(&message);
    format!("{what}; nothing was sent{hint}")
}

/// What to do about a stop.
pub(super) fn hints(stop: &Stop) -> Vec<String> {
    if stop.hint.is_some() {
        return stop.hint.iter().cloned().collect();
    }
    let hint = match stop.reason {
        _ if !stop.from_api => return Vec::new(),
        StopReason::Unauthorized => {
            let token = "check the token (CLOUDFLARE_API_TOKEN, --api-token-file or --api-token-command): it needs the permission \
                         Workers KV Storage: Edit (Read is enough to list) on this account, and must not have expired";
            return [token, ASK_WHOAMI].map(str::to_owned).to_vec();
        }
        StopReason::NamespaceNotFound => {
            "check --namespace-id or --namespace; kvsweep namespaces lists the namespaces of this account"
        }
        StopReason::AccountNotFound => "check --account-id and --namespace-id; wrangler whoami shows the account's id",
        StopReason::DailyLimit => "run again after 00:00 UTC, when the free plan's limit is reset",
        StopReason::Outage => match stop.pause {
            Some(pause) => {
                let now = wall_now();
                let when = match now.checked_add(pause) {
                    Some(end) if pause >= Duration::from_hours(1) => format!("after {}", minute(end, now)),
                    _ => format!("in {}", duration(pause)),
                };
                return vec![format!("run again {when}, or raise --max-wait")];
            }
            None => {
                "check the network and --base-url, or raise --max-wait; outages are reported at \
                 https://www.cloudflarestatus.com"
            }
        },
        StopReason::IoError => "free disk space or fix the file's permissions, then run again",
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}

/// What helps against refused credentials, except in `kvsweep whoami`.
pub(super) const ASK_WHOAMI: &str = "kvsweep whoami shows what the credentials can access";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nothing_was_sent_is_no_part_of_a_hint() {
        assert_eq!(with_nothing_sent(&"it broke"), "it broke; nothing was sent");
        assert_eq!(with_nothing_sent(&"it broke\nhint: fix it"), "it broke; nothing was sent\nhint: fix it");
    }
}
