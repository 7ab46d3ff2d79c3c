//! Windows, by the standard library, `winapi-util` and tokio.

use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsHandle;
use std::path::Path;
use std::process::ExitStatus;

use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown};

use super::{ChangeTimes, FileId, Signal};

/// Ends the process.
pub(crate) use std::process::exit;

/// A standard stream.
pub(crate) use std::os::windows::io::AsHandle as AsStream;

/// Opens a link itself, not what it leads to (`FILE_FLAG_OPEN_REPARSE_POINT`).
const OPEN_LINK: u32 = 0x0020_0000;
/// Opens folders too (`FILE_FLAG_BACKUP_SEMANTICS`).
const OPEN_FOLDER: u32 = 0x0200_0000;
/// `ERROR_TOO_MANY_OPEN_FILES` and `WSAEMFILE`.
const OUT_OF_FILES: [i32; 2] = [4, 10_024];
/// From 1601, where Windows begins to count, to 1970, in seconds.
const EPOCH: i64 = 11_644_473_600;

pub(crate) fn file_id(file: &File) -> io::Result<FileId> {
    let found = winapi_util::file::information(file)?;
    Ok(FileId { device: found.volume_serial_number().into(), inode: found.file_index() })
}

/// Follows symbolic links.
pub(crate) fn path_id(path: &Path) -> io::Result<FileId> {
    file_id(&OpenOptions::new().access_mode(0).custom_flags(OPEN_FOLDER).open(path)?)
}

/// Descriptors have no paths.
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
pub(crate) fn is_stream(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

impl ChangeTimes {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let intervals = i64::try_from(metadata.last_write_time()).unwrap_or(i64::MAX);
        let modified = (intervals / 10_000_000 - EPOCH, intervals % 10_000_000 * 100);
        Self { modified, changed: modified }
    }
}

pub(crate) fn duplicate(stream: impl AsHandle) -> io::Result<File> {
    Ok(File::from(stream.as_handle().try_clone_to_owned()?))
}

/// Files inherit the permissions of their folder.
pub(crate) fn with_mode(options: &mut OpenOptions, _mode: u32) -> &mut OpenOptions {
    options
}

/// Files inherit the permissions of their folder.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

pub(crate) fn create_folders(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

pub(crate) fn without_following_links(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(OPEN_LINK)
}

/// Not appending: such a file could not be cut. Nobody else can change a locked file.
pub(crate) fn appending(options: &mut OpenOptions) -> &mut OpenOptions {
    options.write(true)
}

/// Writes all of it at this place of the file.
pub(crate) fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
    if written == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Windows writes names with their files.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn check_readable(_path: &Path, metadata: &Metadata) -> io::Result<()> {
    if metadata.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) }
}

/// The standard library does not say it.
pub(crate) fn has_other_names(_metadata: &Metadata) -> bool {
    false
}

/// A pipe has no place in a folder.
pub(crate) fn is_pipe(_metadata: &Metadata) -> bool {
    false
}

/// What something is that is neither a file nor a folder.
pub(crate) fn special_kind(_kind: FileType) -> &'static str {
    "a device"
}

/// The user that this process acts for. Permissions of folders keep others from writing into them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner;

impl Owner {
    pub(crate) fn of_process() -> Self {
        Self
    }

    pub(crate) fn owns(self, _metadata: &Metadata) -> bool {
        true
    }
}

pub(crate) fn is_world_writable(_metadata: &Metadata) -> bool {
    false
}

/// To ask and to read the answer, even if the standard streams are redirected.
pub(crate) fn open_terminal() -> Option<(File, File)> {
    let input = File::options().read(true).write(true).open("CONIN$").ok()?;
    let output = File::options().read(true).write(true).open("CONOUT$").ok()?;
    Some((input, output))
}

/// Columns and rows, if `out` is a console.
pub(crate) fn terminal_size(out: impl AsHandle) -> Option<(u16, u16)> {
    let window = winapi_util::console::screen_buffer_info(duplicate(out).ok()?).ok()?.window_rect();
    let length = |from: i16, to: i16| u16::try_from(to - from + 1).ok().filter(|length| *length > 0);
    Some((length(window.left, window.right)?, length(window.top, window.bottom)?))
}

/// There is no such limit.
pub(crate) fn fit_open_files(_needed: u64) -> Option<u64> {
    None
}

pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| OUT_OF_FILES.contains(&number))
}

/// Passes on what the console sends, for as long as the process lives.
///
/// # Errors
/// The system does not allow a handler.
pub(crate) fn collect_signals() -> io::Result<impl FnOnce(fn(Signal)) + Send + 'static> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let entered = runtime.enter();
    let (mut ctrl_c, mut ctrl_break, mut close) = (ctrl_c()?, ctrl_break()?, ctrl_close()?);
    let (mut logoff, mut shutdown) = (ctrl_logoff()?, ctrl_shutdown()?);
    drop(entered);
    Ok(move |on_signal: fn(Signal)| {
        runtime.block_on(async {
            loop {
                on_signal(tokio::select! {
                    _ = ctrl_c.recv() => Signal::Interrupt,
                    _ = ctrl_break.recv() => Signal::Interrupt,
                    _ = close.recv() => Signal::Hangup,
                    _ = logoff.recv() => Signal::Terminate,
                    _ = shutdown.recv() => Signal::Terminate,
                });
            }
        });
    })
}

/// Windows has no signals that end a process.
pub(crate) fn signal_of(_status: ExitStatus) -> Option<i32> {
    None
}
