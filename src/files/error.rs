//! Why a file cannot be opened, locked, read or written.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use thiserror::Error;

use crate::clock::rfc3339_seconds;

/// Why a file cannot be used. Paths are kept exact: whoever shows the text on a terminal escapes it. The system's own words are
/// the `source`.
#[derive(Debug, Error)]
pub enum FileError {
    #[error("{path} exists\nhint: pass --resume to continue it, or --overwrite to replace it")]
    Exists { path: PathBuf },
    #[error("{path} is being written by {}\nhint: wait until it ends, or choose another file", owner_text(*owner))]
    Locked { path: PathBuf, owner: Option<LockOwner> },
    #[error("{path} is {what}\nhint: pass the path of a regular file")]
    NotRegular { path: PathBuf, what: &'static str },
    #[error("{path} is a symbolic link, which is not followed\nhint: pass the path of the file itself")]
    Symlink { path: PathBuf },
    #[error(
        "{path} has another name (a hard link), which would be overwritten with it\nhint: pass another path, or remove it first"
    )]
    HardLink { path: PathBuf },
    #[error(
        "{path} was removed or replaced while it was being written, so what was written is lost\nhint: find out what moved or \
         removed it; if it cannot be put back, start again with another file"
    )]
    Replaced { path: PathBuf },
    #[error(
        "{path} was changed by something else while it was being written: it has {found} bytes instead of {expected}, so what was \
         written may be lost\nhint: find out what else writes to it, and check it before it is used"
    )]
    Changed { path: PathBuf, found: u64, expected: u64 },
    #[error("cannot {doing} {path}")]
    Io { path: PathBuf, doing: &'static str, source: io::Error },
}

impl FileError {
    /// Whether the request was wrong, rather than the machine; a file that is [locked](Self::Locked) is neither.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Exists { .. } | Self::NotRegular { .. } | Self::Symlink { .. } | Self::HardLink { .. } => true,
            Self::Locked { .. } | Self::Replaced { .. } | Self::Changed { .. } | Self::Io { .. } => false,
        }
    }

    /// Says which operation on `path` the system refused; `doing` is a verb.
    pub fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), doing, source }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockOwner {
    pub pid: u32,
    pub since: SystemTime,
}

impl fmt::Display for LockOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} since {}", self.pid, rfc3339_seconds(self.since))
    }
}

fn owner_text(owner: Option<LockOwner>) -> String {
    owner.map_or_else(|| "another process".to_owned(), |owner| owner.to_string())
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
            "r.csv is being written by process 42 since 2023-11-14T22:13:20Z\nhint: wait until it ends, or choose another file"
        );
        assert!(locked(None).starts_with("r.csv is being written by another process\n"));
    }
}
