//! A file or stdin as a source of bytes.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::error::InputErrorKind;
use crate::format::{Bytes, READ_BYTES};
use crate::platform::{self, ChangeTimes, FileId};

/// Where bytes come from. Shown as `stdin` or as the path, exactly: what reaches a terminal has to go through
/// [`Escaped`](crate::terminal::Escaped).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// Standard input; can be read once only.
    Stdin,
    /// A file, or whatever else has a path.
    File(PathBuf),
}

impl From<PathBuf> for Source {
    /// `-` is stdin.
    fn from(argument: PathBuf) -> Self {
        if argument.as_os_str() == "-" { Self::Stdin } else { Self::File(argument) }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("stdin"),
            Self::File(path) => fmt::Display::fmt(&path.display(), f),
        }
    }
}

impl Source {
    /// Whether it can be read twice with the same result: not a pipe, not a device, and not an open descriptor under any name
    /// (`/dev/stdin` may lead to a regular file, but its position may be shared).
    ///
    /// # Errors
    /// It cannot be read at all, as a folder. That a file cannot is known once it is opened for the first pass.
    pub fn is_regular(&self) -> io::Result<bool> {
        let Self::File(path) = self else { return Ok(false) };
        let metadata = fs::metadata(path)?;
        if metadata.is_file() && !platform::is_stream(path)? {
            return Ok(true);
        }
        platform::check_readable(path, &metadata)?;
        Ok(false)
    }

    pub fn fingerprint(&self) -> io::Result<Fingerprint> {
        match self {
            Self::Stdin => Fingerprint::of(&platform::duplicate(io::stdin())?),
            Self::File(path) => Ok(Fingerprint::with(&fs::metadata(path)?, platform::path_id(path)?)),
        }
    }

    /// When its content was last changed, if that is known.
    pub(super) fn modified(&self) -> Option<SystemTime> {
        let (seconds, _) = self.fingerprint().ok()?.times.modified;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
    }

    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdin => None,
            Self::File(path) => Some(path),
        }
    }

    /// A reader, and the file, which was `expected` when it was checked. One that was not, as it is stdin, is what it is now.
    ///
    /// # Errors
    /// [`InputErrorKind::Open`], and [`InputErrorKind::Changed`] if it is another file by now.
    pub(super) fn open(&self, expected: Option<Fingerprint>) -> Result<(Bytes, Watched), InputErrorKind> {
        let file = match self {
            Self::Stdin => platform::duplicate(io::stdin()),
            Self::File(path) => File::open(path),
        };
        let file = Arc::new(file.map_err(InputErrorKind::Open)?);
        let holds_text = || file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0);
        let expected = expected.or_else(|| if holds_text() { Fingerprint::of(&file).ok() } else { None });
        let reader = RetryInterrupted(Arc::clone(&file));
        let watched = Watched { file, expected };
        if watched.has_changed() {
            return Err(InputErrorKind::Changed);
        }
        Ok((Box::new(BufReader::with_capacity(READ_BYTES, reader)), watched))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    pub len: u64,
    pub times: ChangeTimes,
    pub id: FileId,
}

impl Fingerprint {
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::with(&file.metadata()?, platform::file_id(file)?))
    }

    fn with(metadata: &Metadata, id: FileId) -> Self {
        Self { len: metadata.len(), times: ChangeTimes::of(metadata), id }
    }
}

/// An open file, and its fingerprint if it was checked.
pub(super) struct Watched {
    file: Arc<File>,
    expected: Option<Fingerprint>,
}

impl Watched {
    /// Whether it has another state than the one that was checked, or none that can be read.
    pub(super) fn has_changed(&self) -> bool {
        self.expected.is_some_and(|expected| Fingerprint::of(&self.file).map_or(true, |now| now != expected))
    }
}

/// Repeats a read that a signal interrupted.
struct RetryInterrupted<R>(R);

impl<R: Read> Read for RetryInterrupted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                answer => return answer,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_stdin_and_a_path_with_a_dash_is_not() {
        assert_eq!(Source::from(PathBuf::from("-")), Source::Stdin);
        let file = Source::from(PathBuf::from("./-"));
        assert_eq!(file, Source::File("./-".into()));
        assert_eq!((Source::Stdin.to_string(), file.to_string()), ("stdin".into(), "./-".into()));
    }

    #[test]
    fn only_a_regular_file_can_be_read_twice() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.txt");
        fs::write(&file, "a\n").unwrap();
        assert!(Source::File(file).is_regular().unwrap());
        for other in ["/dev/null", "/dev/stdin", "/proc/self/stat"] {
            assert!(!Source::File(other.into()).is_regular().unwrap(), "{other}");
        }
        assert!(!Source::Stdin.is_regular().unwrap());
        assert_eq!(Source::File(folder.path().into()).is_regular().unwrap_err().kind(), io::ErrorKind::IsADirectory);
        #[cfg(unix)]
        {
            let socket = folder.path().join("socket");
            let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
            assert!(Source::File(socket).is_regular().is_err());
        }
        assert!(Source::File(folder.path().join("none")).is_regular().is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_behind_a_path_decides_whether_it_is_a_file() {
        use std::os::fd::AsRawFd as _;
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        fs::write(&path, "a\n").unwrap();
        let (file, directory) = (File::open(&path).unwrap(), File::open(folder.path()).unwrap());
        let (number, process) = (file.as_raw_fd(), std::process::id());
        symlink(&path, folder.path().join("link")).unwrap();
        symlink(format!("/dev/fd/{number}"), folder.path().join("stream")).unwrap();
        symlink("stream", folder.path().join("link to stream")).unwrap();
        let under = |name: &str| folder.path().join(name).display().to_string();
        for (name, is_regular) in [
            (format!("/dev/fd/{number}"), false),
            (format!("/proc/self/fd/{number}"), false),
            (format!("/proc/{process}/fd/{number}"), false),
            (format!("/proc/thread-self/fd/{number}"), false),
            (format!("/proc/self/../self/fd/./{number}"), false),
            (under("stream"), false),
            (under("link to stream"), false),
            (under("link"), true),
            (format!("/proc/self/fd/{}/keys.txt", directory.as_raw_fd()), true),
            (format!("/proc/self/root{}", under("keys.txt")), true),
            ("/proc/self/cwd/Cargo.toml".to_owned(), true),
            ("Cargo.toml".to_owned(), true),
        ] {
            assert_eq!(Source::File(name.clone().into()).is_regular().unwrap(), is_regular, "{name}");
        }
        // Files in memory are files.
        if let Ok(folder) = tempfile::tempdir_in("/dev/shm") {
            fs::copy(&path, folder.path().join("keys.txt")).unwrap();
            assert!(Source::File(folder.path().join("keys.txt")).is_regular().unwrap());
        }
    }

    #[test]
    fn a_fingerprint_tells_a_changed_or_replaced_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("keys.txt"), folder.path().join("other.txt"));
        fs::write(&path, "a\n").unwrap();
        fs::write(&other, "b\n").unwrap();
        let source = Source::File(path.clone());
        let first = source.fingerprint().unwrap();
        assert_eq!(source.fingerprint().unwrap(), first);
        fs::rename(&other, &path).unwrap();
        let second = source.fingerprint().unwrap();
        assert_ne!(second, first);
        fs::write(&path, "b\nc\n").unwrap();
        assert_ne!(source.fingerprint().unwrap(), second);
    }

    #[test]
    fn an_interrupted_read_is_repeated() {
        struct Interrupted(u8);
        impl Read for Interrupted {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 % 2 == 1 {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                b"ab".as_slice().read(buf)
            }
        }
        let mut patient = RetryInterrupted(Interrupted(0));
        assert_eq!(patient.read(&mut [0; 4]).unwrap(), 2);
    }
}
