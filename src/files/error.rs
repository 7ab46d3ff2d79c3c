//! Why a file cannot be opened, locked, read or written.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thiserror::Error;

use crate::clock::clamp_rfc3339;

/// Why a file cannot be used. Paths are kept exact: whoever shows the text on a terminal escapes it. The system's own words are
/// the `source`.
#[derive(Debug, Error)]
pub enum FileError {
    /// The file exists, and neither --resume nor --overwrite was given.
    #[error("{path} exists\nhint: pass --resume to continue it, or --overwrite to replace it")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes it now.
    #[error("{path} is being written by {}\nhint: wait until it ends, or name another file", OwnerText(*owner))]
    Locked {
        /// The file.
        path: PathBuf,
        /// Who holds it, if the `.lock` file beside it could be read.
        owner: Option<LockOwner>,
    },
    /// A directory, device, pipe or socket.
    #[error("{path} is {what}: name a regular file")]
    NotRegular {
        path: PathBuf,
        /// What is there, with its article.
        what: &'static str,
    },
    /// A symbolic link; following one could write into somebody else's file.
    #[error("{path} is a symbolic link, which is not followed\nhint: name the file itself")]
    Symlink { path: PathBuf },
    /// The path does not name the file any more.
    #[error("{path} was removed or replaced while it was being written, so what was written is lost")]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The system refused an operation.
    #[error("cannot {doing} {path}")]
    Io {
        /// The file; `stdout` for the standard output.
        path: PathBuf,
        /// What was being done, as a verb.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl FileError {
    /// Whether the request was wrong, rather than the machine; a file that is [locked](Self::Locked) is neither.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Exists { .. } | Self::NotRegular { .. } | Self::Symlink { .. } => true,
            Self::Locked { .. } | Self::Replaced { .. } | Self::Io { .. } => false,
        }
    }

    /// Says which operation on `path` the system refused; `doing` is a verb.
    pub fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), doing, source }
    }
}

/// The process that writes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockOwner {
    /// Its process id.
    pub pid: u32,
    /// When it took the lock.
    pub since: SystemTime,
}

impl fmt::Display for LockOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} since {}", self.pid, humantime::format_rfc3339_seconds(clamp_rfc3339(self.since)))
    }
}

struct OwnerText(Option<LockOwner>);

impl fmt::Display for OwnerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(owner) => owner.fmt(f),
            None => f.write_str("another process"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_locked_report_says_who_holds_it() {
        let since = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let locked = |owner| FileError::Locked { path: "r.csv".into(), owner }.to_string();
        assert_eq!(
            locked(Some(LockOwner { pid: 42, since })),
            "r.csv is being written by process 42 since 2023-11-14T22:13:20Z\nhint: wait until it ends, or name another file"
        );
        assert!(locked(None).starts_with("r.csv is being written by another process\n"));
    }
}
