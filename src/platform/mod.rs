//! What differs between operating systems, and nothing else: both files have the same functions.
//!
//! - [`FileId`], [`file_id`], [`path_id`]: which file this is, whatever it is called.
//! - [`is_stream`]: whether a path is another name of an open descriptor.
//! - [`ChangeTimes`]: when a file was last changed.
//! - [`duplicate`]: a standard stream as a file.
//! - [`with_mode`], [`set_mode`], [`create_folders`], [`without_following_links`], [`appending`]: who may read a file, and opening without traps.
//! - [`sync_folder`]: waits until names are on the disk.
//! - [`Owner`]: whether a stranger may have put a file there.
//! - [`special_kind`]: pipes, sockets and devices.
//! - [`open_terminal`], [`terminal_size`]: the user's terminal.
//! - [`fit_open_files`], [`is_out_of_files`]: how many files a process may have open.
//! - [`collect_signals`]: signals that ask a process to end; [`signal_of`] the one that ended a child.

#[cfg(test)]
pub(crate) mod testing;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// The file system of a file and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The file system.
    pub device: u64,
    /// The number of the file.
    pub inode: u64,
}

/// When a file was last changed, in seconds and nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChangeTimes {
    /// Its content.
    pub modified: (i64, i64),
    /// Its content or metadata (ctime), which cannot be set back. On Windows the same as `modified`.
    pub changed: (i64, i64),
}

/// A signal that asks the job to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// SIGINT, Ctrl-C; Ctrl-Break on Windows.
    Interrupt,
    /// SIGTERM, as systemd and Kubernetes send it; the end of a Windows session.
    Terminate,
    /// SIGHUP: the terminal is gone; a console window that is closed.
    Hangup,
}
