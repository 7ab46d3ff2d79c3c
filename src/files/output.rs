//! A file that is opened, checked and locked, but not touched before its first write.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::FileError;
use super::lock::{self, LockOwnerFile, RequestCount, SentRequests};
use super::replace::{Access, folder_of};
use crate::platform;

/// How often a file may be moved away under our hands before we give up.
const ATTEMPTS: u32 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    Refuse,
    Overwrite,
    /// Go on where it ends; one that does not exist is created.
    Resume,
}

#[derive(Debug)]
pub(crate) struct OutputFile {
    /// Dropped, and so removed, before the lock goes with the file.
    note: Option<LockOwnerFile>,
    file: File,
    path: PathBuf,
    /// Whether this run made it; as long as nothing is written, it goes when this goes.
    is_new: bool,
    /// How long it is by what was kept and written, in bytes.
    length: AtomicU64,
}

impl OutputFile {
    /// Opens and locks `path`; a new file gets mode 0600.
    ///
    /// # Errors
    /// [`FileError::Exists`] if it may not exist; [`FileError::Symlink`] and [`FileError::NotRegular`] for what is no file;
    /// [`FileError::Locked`] if another process has it; [`FileError::Io`].
    pub(crate) fn open(path: PathBuf, if_exists: IfExists) -> Result<Self, FileError> {
        for _ in 0..ATTEMPTS {
            let opened = match if_exists {
                IfExists::Refuse => Some((create(&path)?, true)),
                IfExists::Overwrite | IfExists::Resume => match find(&path, if_exists)? {
                    Some(file) => Some((file, false)),
                    None => match create(&path) {
                        Ok(file) => Some((file, true)),
                        Err(FileError::Exists { .. }) => None,
                        Err(error) => return Err(error),
                    },
                },
            };
            let Some((file, is_new)) = opened else { continue };
            lock::lock(&file, &path)?;
            // It may have been moved or removed before the lock was ours; then we would write into nowhere.
            if names(&path, &file).map_err(FileError::io(&path, "look at"))? {
                return Ok(Self { note: None, file, path, is_new, length: AtomicU64::new(0) });
            }
        }
        let replaced = io::Error::other("it is removed or replaced whenever it is opened");
        Err(FileError::io(&path, "open")(replaced))
    }

    pub(crate) fn write_lock_owner(&mut self) {
        self.note = LockOwnerFile::leave(&self.path);
    }

    /// What processes that had it before sent, if nothing else counts it.
    pub(crate) fn uncounted_requests(&self) -> Option<SentRequests> {
        self.note.as_ref()?.left()
    }

    /// Leaves a count of requests beside it to the next process.
    pub(crate) fn leave_requests(&self, sent: u64) {
        if let Some(Err(error)) = self.note.as_ref().map(|note| note.leave_requests(sent)) {
            tracing::debug!(path = ?self.path, %error, "requests are not counted");
        }
    }

    /// Counts requests beside it from now on, after `sent` others; `None` if there is no note to count in.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub(crate) fn count_requests(&self, sent: u64) -> Result<Option<RequestCount>, FileError> {
        let count = self.note.as_ref().map(|note| note.count_requests(sent)).transpose();
        count.map_err(FileError::io(&self.path, "count the requests of"))
    }

    /// Whether this run made it: there was none.
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Cuts off what follows the first `keep` bytes; writing continues there.
    pub(crate) fn begin(&mut self, keep: u64) -> Result<(), FileError> {
        self.is_new = false;
        let mut file = &self.file;
        let found = file.metadata().map_err(FileError::io(&self.path, "look at"))?.len();
        if found < keep {
            // Filling it up with NUL bytes would hide that.
            return Err(FileError::Changed { path: self.path.clone(), found, expected: keep });
        }
        // It holds keys, and may have been created with wider permissions.
        Access::Owner.apply(file).map_err(FileError::io(&self.path, "restrict access to"))?;
        file.set_len(keep)
            .and_then(|()| file.seek(SeekFrom::Start(keep)))
            .map_err(FileError::io(&self.path, "write"))?;
        self.length.store(keep, Ordering::Relaxed);
        Ok(())
    }

    /// How long the file is by what was kept and written, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    /// Checks that its path still names this file, and that it has the length of what was written: a file that was removed
    /// or truncated takes what is written, and loses it.
    pub(crate) fn check_in_place(&self) -> Result<(), FileError> {
        if !names(&self.path, &self.file).map_err(FileError::io(&self.path, "look at"))? {
            return Err(FileError::Replaced { path: self.path.clone() });
        }
        let metadata = self.file.metadata().map_err(FileError::io(&self.path, "look at"))?;
        let (found, expected) = (metadata.len(), self.length());
        // Pipes and devices, which tests use, have no length.
        if found == expected || !metadata.is_file() {
            return Ok(());
        }
        Err(FileError::Changed { path: self.path.clone(), found, expected })
    }

    /// Waits until a file that may be new is on the disk under its name, as far as the file system knows how.
    pub(crate) fn sync_name(&self) {
        let synced = platform::sync_folder(folder_of(&self.path));
        if let Err(error) = synced {
            tracing::debug!(path = ?self.path, %error, "the folder cannot be synced");
        }
    }

    /// A stand-in for what no test can have on the disk, such as a full one.
    #[cfg(all(test, unix))]
    pub(crate) fn for_test(file: File) -> Self {
        use std::os::fd::AsRawFd as _;

        let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
        Self { note: None, file, path, is_new: false, length: AtomicU64::new(0) }
    }
}

/// The only way to write to it: what is written is counted.
impl Write for &OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = (&self.file).write(bytes)?;
        self.length.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for OutputFile {
    /// A job that ended before its first row (it was not confirmed, say) leaves no empty file in the way of the next.
    fn drop(&mut self) {
        let empty = || self.file.metadata().is_ok_and(|file| file.len() == 0);
        if self.is_new && empty() && names(&self.path, &self.file).unwrap_or(false) {
            let removed = fs::remove_file(&self.path);
            tracing::debug!(path = ?self.path, ?removed, "nothing was written");
        }
    }
}

fn names(path: &Path, file: &File) -> io::Result<bool> {
    let here = platform::file_id(file)?;
    match platform::path_id(path) {
        Ok(there) => Ok(there == here),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn create(path: &Path) -> Result<File, FileError> {
    let mut options = OpenOptions::new();
    let created = platform::with_mode(platform::appending(&mut options).read(true).create_new(true), 0o600).open(path);
    created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            unsupported_kind(path).unwrap_or_else(|| FileError::Exists { path: path.to_owned() })
        }
        _ => FileError::io(path, "make")(error),
    })
}

fn find(path: &Path, if_exists: IfExists) -> Result<Option<File>, FileError> {
    let mut options = OpenOptions::new();
    match platform::without_following_links(platform::appending(&mut options).read(true)).open(path) {
        Ok(file) => {
            let found = file.metadata().map_err(FileError::io(path, "look at"))?;
            match kind(found.file_type()) {
                None if if_exists == IfExists::Overwrite && platform::has_other_names(&found) => {
                    Err(FileError::HardLink { path: path.to_owned() })
                }
                None => Ok(Some(file)),
                Some(what) => Err(FileError::NotRegular { path: path.to_owned(), what }),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unsupported_kind(path).unwrap_or_else(|| FileError::io(path, "open")(error))),
    }
}

/// Why what is at `path` cannot be a report, where that is because of its kind.
fn unsupported_kind(path: &Path) -> Option<FileError> {
    let found = fs::symlink_metadata(path).ok()?;
    if found.is_symlink() {
        return Some(FileError::Symlink { path: path.to_owned() });
    }
    kind(found.file_type()).map(|what| FileError::NotRegular { path: path.to_owned(), what })
}

fn kind(found: fs::FileType) -> Option<&'static str> {
    match () {
        () if found.is_file() => None,
        () if found.is_dir() => Some("a folder"),
        () => Some(platform::special_kind(found)),
    }
}
