//! One process at a time writes a file: an advisory lock on the file itself, which the system drops with the process
//! however that ends, and beside it a note that says who has it, for people, and how many requests it has sent. A process that
//! is killed leaves the note behind: many of its requests have no row (reads before a delete, retries of keys in flight,
//! probes, pages), and the run after it has to count them as well.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::error::{FileError, LockOwner};
use super::replace::{Access, beside, create, replace};
use crate::clock::{rfc3339_seconds, wall_now};
use crate::platform;

/// Longer than any note of ours.
const MAX_NOTE_BYTES: u64 = 256;

/// Between the moment and the number of requests.
const REQUESTS: &str = "\nrequests ";

pub(super) fn lock(file: &File, path: &Path) -> Result<(), FileError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(FileError::Locked {
            path: path.to_owned(),
            owner: read(&owner_path(path)).ok().flatten().map(|note| note.owner),
        }),
        Err(TryLockError::Error(source)) => Err(FileError::io(path, "lock")(source)),
    }
}

/// `<report>.lock`, removed when this is dropped, unless it counts requests that nothing else does.
#[derive(Debug)]
pub(super) struct LockOwnerFile {
    path: PathBuf,
    left: Option<SentRequests>,
    has_uncounted_requests: AtomicBool,
}

/// Requests of a process that was killed, or ended before it began to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentRequests {
    pub(crate) number: u64,
    /// When the last one was sent, at the latest.
    pub(crate) until: SystemTime,
}

/// The most that the note is behind in time. Within it, the note may be ahead in requests: by a sixteenth, and by 64 at most. So a
/// server that answers within microseconds gets many requests per write.
const NOTE_AGE: Duration = Duration::from_millis(10);
const MOST_AHEAD: u64 = 64;

/// Counts the requests of this process in its note: in place, so that they are there however the process ends.
#[derive(Debug)]
pub(crate) struct RequestCount {
    note: File,
    offset: u64,
    count: Cell<Count>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    sent: u64,
    /// What the note says: as many, or more.
    noted: u64,
    noted_at: Instant,
}

impl RequestCount {
    /// Counts a request that is about to be sent.
    pub(crate) fn add(&self) {
        let mut count = self.count.get();
        count.sent += 1;
        self.count.set(count);
        let is_recent = count.noted_at.elapsed() < NOTE_AGE;
        if is_recent && count.sent <= count.noted {
            return;
        }
        let ahead = if is_recent { MOST_AHEAD.min(count.sent / 16) } else { 0 };
        if let Err(error) = self.write(count.sent + ahead) {
            tracing::debug!(%error, "requests are not counted");
        }
    }

    fn write(&self, noted: u64) -> io::Result<()> {
        self.count.set(Count { noted, noted_at: Instant::now(), ..self.count.get() });
        platform::write_at(&self.note, digits(noted).as_bytes(), self.offset)
    }
}

/// Always as many bytes.
fn digits(requests: u64) -> String {
    format!("{requests:020}")
}

impl LockOwnerFile {
    /// Leaves a note beside `report` that names this process. `None` where that cannot be, or where a file of that
    /// name belongs to something else: the lock holds without it.
    pub(super) fn leave(report: &Path) -> Option<Self> {
        let path = owner_path(report);
        match write(&path) {
            Ok(left) => Some(Self { path, left, has_uncounted_requests: AtomicBool::new(left.is_some()) }),
            Err(error) => {
                tracing::debug!(?path, %error, "no note beside the report");
                None
            }
        }
    }
}

impl LockOwnerFile {
    /// What processes before this one sent, if nothing else counts it.
    pub(super) fn left(&self) -> Option<SentRequests> {
        self.left
    }

    /// Leaves the note to the next process with so many requests.
    pub(super) fn leave_requests(&self, sent: u64) -> io::Result<()> {
        self.count_requests(sent)?;
        self.has_uncounted_requests.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Counts from now on, after `sent` requests.
    pub(super) fn count_requests(&self, sent: u64) -> io::Result<RequestCount> {
        let mut note = platform::without_following_links(OpenOptions::new().read(true).write(true)).open(&self.path)?;
        let mut text = String::new();
        (&mut note).take(MAX_NOTE_BYTES).read_to_string(&mut text)?;
        let offset = text.find(REQUESTS).ok_or(io::ErrorKind::InvalidData)? + REQUESTS.len();
        let count = Cell::new(Count { sent, noted: sent, noted_at: Instant::now() });
        let count = RequestCount { note, offset: offset as u64, count };
        count.write(sent)?;
        self.has_uncounted_requests.store(false, Ordering::Relaxed);
        Ok(count)
    }
}

impl Drop for LockOwnerFile {
    fn drop(&mut self) {
        if self.has_uncounted_requests.load(Ordering::Relaxed) {
            return;
        }
        if matches!(read(&self.path), Ok(Some(note)) if note.owner.pid == std::process::id()) {
            match fs::remove_file(&self.path) {
                Ok(()) => tracing::debug!("removed the lock file {}", self.path.display()),
                Err(error) => tracing::debug!("cannot remove the lock file {}: {error}", self.path.display()),
            }
        }
    }
}

fn owner_path(report: &Path) -> PathBuf {
    beside(report, ".lock")
}

/// Opens a regular file for reading, never through a symbolic link.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if it is something else.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    match platform::without_following_links(OpenOptions::new().read(true)).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(file),
        Err(error) if !path.is_symlink() => Err(error),
        Ok(_) | Err(_) => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Leaves the note, and returns what a killed process has left there: until they are counted otherwise, its requests stay in the
/// note.
fn write(path: &Path) -> io::Result<Option<SentRequests>> {
    let found = match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        found => Some(found?.ok_or_else(|| io::Error::new(io::ErrorKind::AlreadyExists, "not a note of ours"))?),
    };
    let left = found.as_ref().and_then(|note| note.left);
    let (pid, since) = (std::process::id(), rfc3339_seconds(wall_now()));
    let text = format!("pid {pid}\nsince {since}{REQUESTS}{}\n", digits(left.map_or(0, |left| left.number)));
    if found.is_none() {
        create(path, text.as_bytes(), Access::Owner)?;
    } else {
        replace(path, text.as_bytes(), Access::Owner)?;
    }
    if let Some(left) = left {
        File::options().write(true).open(path)?.set_modified(left.until)?;
    }
    Ok(left)
}

/// Who left a note, and what that process sent, if it counted anything.
struct Note {
    owner: LockOwner,
    left: Option<SentRequests>,
}

/// The note, closed again: Windows replaces no file that is open. `None` if it is not one of ours.
fn read(path: &Path) -> io::Result<Option<Note>> {
    let mut file = open_regular(path)?;
    let mut text = String::new();
    (&mut file).take(MAX_NOTE_BYTES).read_to_string(&mut text)?;
    let until = file.metadata()?.modified()? + NOTE_AGE;
    Ok(parse(&text).map(|(owner, number)| Note {
        owner,
        left: number.filter(|number| *number > 0).map(|number| SentRequests { number, until }),
    }))
}

/// Its owner, and the number of requests, which that of an earlier version does not have.
fn parse(note: &str) -> Option<(LockOwner, Option<u64>)> {
    let (pid, rest) = note.strip_prefix("pid ")?.strip_suffix('\n')?.split_once("\nsince ")?;
    let (since, requests) =
        rest.split_once(REQUESTS).map_or((rest, None), |(since, number)| (since, number.parse().ok()));
    let since: SystemTime = humantime::parse_rfc3339(since).ok()?;
    Some((LockOwner { pid: pid.parse().ok()?, since }, requests))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_back_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("r.csv");
        let path = folder.path().join("r.csv.lock");
        let note = LockOwnerFile::leave(&report).unwrap();
        let owner = read(&path).unwrap().unwrap().owner;
        assert_eq!(owner.pid, std::process::id());
        drop(note);
        assert!(!path.exists());
    }

    #[test]
    fn a_note_left_by_a_killed_process_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv.lock");
        fs::write(&path, format!("pid {}\nsince 2026-01-01T00:00:00Z\n", u32::MAX)).unwrap();
        let note = LockOwnerFile::leave(&folder.path().join("r.csv"));
        assert!(note.is_some());
        assert!(fs::read_to_string(&path).unwrap().starts_with(&format!("pid {}\n", std::process::id())));
    }

    #[test]
    fn the_requests_of_a_killed_process_stay_until_the_next_one_counts() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("r.csv");
        let note = LockOwnerFile::leave(&report).unwrap();
        assert_eq!(note.left(), None);
        let count = note.count_requests(5).unwrap();
        (0..3).for_each(|_| count.add());
        // Killed: files are closed, and nothing else is done.
        drop(count);
        std::mem::forget(note);
        for expected in [0..60, 3_590..3_700, 3_590..3_700] {
            let note = LockOwnerFile::leave(&report).unwrap();
            assert_eq!(note.left().map(|left| left.number), Some(8));
            let age = note.left().unwrap().until.elapsed().unwrap_or_default();
            assert!(expected.contains(&age.as_secs()), "{age:?}");
            if expected.contains(&0) {
                let hour_ago = wall_now() - Duration::from_hours(1);
                File::options().write(true).open(owner_path(&report)).unwrap().set_modified(hour_ago).unwrap();
            }
            std::mem::forget(note);
        }
        let note = LockOwnerFile::leave(&report).unwrap();
        let count = note.count_requests(0).unwrap();
        for sent in 1..=10_000 {
            count.add();
            let noted = read(&owner_path(&report)).unwrap().unwrap().left.unwrap().number;
            assert!((sent..=sent + (sent / 16).min(64)).contains(&noted), "{noted} of {sent}");
        }
        drop(count);
        std::mem::forget(note);
        let note = LockOwnerFile::leave(&report).unwrap();
        assert!(note.left().is_some_and(|left| left.number >= 10_000));
        drop(note);
        let note = LockOwnerFile::leave(&report).unwrap();
        assert!(note.left().is_some_and(|left| left.number >= 10_000), "one that did not begin has not counted them");
        drop(note.count_requests(0).unwrap());
        drop(note);
        assert_eq!(LockOwnerFile::leave(&report).unwrap().left(), None, "one that ended has said so itself");
    }

    #[test]
    fn somebody_elses_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.csv.lock");
        for text in ["yarn lockfile v1\n", ""] {
            fs::write(&path, text).unwrap();
            assert!(LockOwnerFile::leave(&folder.path().join("r.csv")).is_none());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("s.csv.lock")).unwrap();
        assert!(LockOwnerFile::leave(&folder.path().join("s.csv")).is_none());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "");
    }

    #[test]
    fn only_notes_are_notes() {
        for text in [
            "",
            "pid 1",
            "pid 1\nsince now\n",
            "pid x\nsince 2026-01-01T00:00:00Z\n",
            "pid 1\nsince 2026-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert_eq!(parse("pid 7\nsince 2026-01-01T00:00:00Z\n").map(|(owner, _)| owner.pid), Some(7));
    }
}
