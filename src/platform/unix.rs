//! Unix, by the standard library, `rustix` and `signal-hook`.

use std::fs::{self, DirBuilder, File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;

use rustix::fs::{Access, OFlags, access};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use super::{ChangeTimes, FileId, Signal};

/// Ends the process at once, without running what a library may have registered for its end.
pub(crate) use signal_hook::low_level::exit;

/// A standard stream.
pub(crate) use std::os::fd::AsFd as AsStream;

pub(crate) fn file_id(file: &File) -> io::Result<FileId> {
    Ok(id(&file.metadata()?))
}

/// Follows symbolic links; opens nothing, so a pipe does not wait for its other end.
pub(crate) fn path_id(path: &Path) -> io::Result<FileId> {
    Ok(id(&fs::metadata(path)?))
}

/// Whether a path is a name of an open descriptor (`/dev/stdin`, `/dev/fd/3`, `/proc/self/fd/3`, or a link to one), or of text that the
/// system writes whenever it is read. Only the last name counts: `/proc/self/cwd/keys.txt` is a file like any other.
pub(crate) fn is_stream(path: &Path) -> io::Result<bool> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Some(name) = path.file_name() else { return Ok(false) };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.canonicalize()?,
            _ => Path::new(".").canonicalize()?,
        };
        if folder == Path::new("/dev/fd") || folder.starts_with("/proc") && folder.ends_with("fd") {
            return Ok(true);
        }
        match fs::read_link(folder.join(name)) {
            Ok(target) => path = folder.join(target),
            Err(_) => return Ok(folder.starts_with("/proc")),
        }
    }
    Err(Errno::LOOP.into())
}

/// As many as Linux follows.
const MAX_LINKS: u32 = 40;

fn id(metadata: &Metadata) -> FileId {
    FileId { device: metadata.dev(), inode: metadata.ino() }
}

impl ChangeTimes {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { modified: (metadata.mtime(), metadata.mtime_nsec()), changed: (metadata.ctime(), metadata.ctime_nsec()) }
    }
}

pub(crate) fn duplicate(stream: impl AsFd) -> io::Result<File> {
    Ok(File::from(stream.as_fd().try_clone_to_owned()?))
}

/// A file that is created has this mode.
pub(crate) fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    options.mode(mode)
}

/// Gives a file this mode, whatever the umask.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Makes folders for this user alone.
pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Neither follows a symbolic link nor waits for the reader of a pipe.
pub(crate) fn without_following_links(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
}

/// Whatever is written goes to the end, wherever that is by then: a file that is truncated meanwhile gets no gap of NUL bytes.
pub(crate) fn appending(options: &mut OpenOptions) -> &mut OpenOptions {
    options.append(true)
}

/// Writes all of it at this place of the file.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Whether a pipe or a device may be read, without opening it.
pub(crate) fn check_readable(path: &Path, metadata: &Metadata) -> io::Result<()> {
    match metadata.file_type() {
        kind if kind.is_dir() => Err(Errno::ISDIR.into()),
        kind if kind.is_socket() => Err(Errno::NXIO.into()),
        _ => Ok(access(path, Access::READ_OK)?),
    }
}

/// Whether a file is in other places too, by hard links.
pub(crate) fn has_other_names(metadata: &Metadata) -> bool {
    metadata.nlink() > 1
}

pub(crate) fn is_pipe(metadata: &Metadata) -> bool {
    metadata.file_type().is_fifo()
}

/// What something is that is neither a file nor a folder.
pub(crate) fn special_kind(kind: FileType) -> &'static str {
    match () {
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    }
}

/// The user that this process acts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u32);

impl Owner {
    pub(crate) fn of_process() -> Self {
        Self(rustix::process::geteuid().as_raw())
    }

    #[cfg(test)]
    pub(crate) fn numbered(user: u32) -> Self {
        Self(user)
    }

    /// Whether a file belongs to this user or to root.
    pub(crate) fn owns(self, metadata: &Metadata) -> bool {
        metadata.uid() == self.0 || metadata.uid() == 0
    }
}

pub(crate) fn is_world_writable(metadata: &Metadata) -> bool {
    metadata.mode() & 0o002 != 0
}

/// To ask and to read the answer, even if the standard streams are redirected.
pub(crate) fn open_terminal() -> Option<(File, File)> {
    let terminal = File::options().read(true).write(true).open("/dev/tty").ok()?;
    Some((terminal.try_clone().ok()?, terminal))
}

/// Columns and rows, if `out` is a terminal that knows them.
pub(crate) fn terminal_size(out: impl AsFd) -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(out).ok()?;
    (size.ws_col > 0).then_some((size.ws_col, size.ws_row))
}

/// Raises the limit of open files (`RLIMIT_NOFILE`) to `needed`, if it is lower and may be raised. The limit, if there is one below
/// that.
pub(crate) fn fit_open_files(needed: u64) -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return None;
    }
    let wanted = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    Some(if raised.is_ok() { wanted } else { limit.current.unwrap_or(wanted) }).filter(|allowed| *allowed < needed)
}

/// The machine's or the process's own limit: the server has no part in it.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    let limits = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|number| limits.contains(&number))
}

/// Passes on SIGINT, SIGTERM and SIGHUP, which no longer end the process by themselves, for as long as the process lives. One that
/// was ignored when it started (`nohup`, `command &` in a script) stays ignored. SIGXFSZ does nothing, so that a write past
/// `ulimit -f` fails.
///
/// # Errors
/// The system does not allow a handler.
pub(crate) fn collect_signals() -> io::Result<impl FnOnce(fn(Signal)) + Send + 'static> {
    flag::register(SIGXFSZ, Arc::default())?;
    let ignored = ignored_signals();
    let handled = [(SIGINT, Signal::Interrupt), (SIGTERM, Signal::Terminate), (SIGHUP, Signal::Hangup)];
    let handled = handled.into_iter().filter(|(number, _)| !contains(ignored, *number));
    let handled: Vec<_> = handled.collect();
    let mut signals = Signals::new(handled.iter().map(|(number, _)| *number))?;
    Ok(move |on_signal: fn(Signal)| {
        for received in signals.forever() {
            if let Some((_, signal)) = handled.iter().find(|(number, _)| *number == received) {
                on_signal(*signal);
            }
        }
    })
}

/// The signals that are ignored, a bit each: Linux shows them (proc(5), `SigIgn`); elsewhere none is taken to be.
fn ignored_signals() -> u64 {
    fs::read_to_string("/proc/self/status").map_or(0, |status| sig_ign(&status))
}

fn sig_ign(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn contains(mask: u64, signal: i32) -> bool {
    mask >> (signal - 1) & 1 == 1
}

pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_has_its_bit() {
        let mask = sig_ign("Name:\tx\nSigIgn:\t0000000000001003\n");
        assert_eq!([SIGHUP, SIGINT, SIGTERM].map(|signal| contains(mask, signal)), [true, true, false]);
        assert!(contains(sig_ign("SigIgn:\t0000000000004000\n"), SIGTERM));
        assert_eq!(sig_ign(""), 0);
    }
}
