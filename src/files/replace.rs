//! Atomic replacement: a reader sees either the old content or all of the new.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::platform;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Its owner alone (0600): it holds keys.
    Owner,
    /// Everybody (0644): a collector runs as another user.
    Everyone,
}

impl Access {
    /// Sets the permissions, whatever the umask.
    pub(super) fn apply(self, file: &File) -> io::Result<()> {
        platform::set_mode(
            file,
            match self {
                Self::Owner => 0o600,
                Self::Everyone => 0o644,
            },
        )
    }
}

/// Puts a new file in the place of `path`, and waits until it is on the disk under that name. A symbolic link is replaced, never
/// followed.
///
/// # Errors
/// What the system says; `path` is then what it was.
pub(crate) fn replace(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let folder = folder_of(path);
    let file = draft(folder, content, access)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| without_path(error.error))?;
    platform::sync_folder(folder)
}

/// Makes a file that holds this from its first moment on.
///
/// # Errors
/// What the system says; nothing of that name is touched if it exists.
pub(super) fn create(path: &Path, content: &[u8], access: Access) -> io::Result<()> {
    let file = draft(folder_of(path), content, access)?;
    file.persist_noclobber(path).map_err(|error| without_path(error.error))?;
    Ok(())
}

fn draft(folder: &Path, content: &[u8], access: Access) -> io::Result<tempfile::NamedTempFile> {
    let file = tempfile::Builder::new().prefix(".kvsweep-").suffix(".tmp").tempfile_in(folder);
    let mut file = file.map_err(without_path)?;
    file.as_file_mut().write_all(content)?;
    access.apply(file.as_file())?;
    Ok(file)
}

/// The kind of error alone: the random name of a draft says nothing.
fn without_path(error: io::Error) -> io::Error {
    if error.raw_os_error().is_some() { error } else { error.kind().into() }
}

/// The file beside `path` whose name has `suffix` at its end.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[cfg(unix)]
    #[test]
    fn it_is_replaced_whole_with_the_permissions_of_its_kind_and_never_through_a_link() {
        use std::os::unix::fs::symlink;

        use crate::platform::testing::assert_mode;

        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("f"), folder.path().join("other"));
        for (access, mode) in [(Access::Owner, 0o600), (Access::Everyone, 0o644)] {
            fs::write(&path, "before").unwrap();
            let before = File::open(&path).unwrap();
            replace(&path, b"after", access).unwrap();
            assert_mode(&path, mode);
            assert_eq!(
                (io::read_to_string(before).unwrap(), fs::read(&path).unwrap()),
                ("before".into(), b"after".into())
            );
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        }
        fs::write(&other, "mine").unwrap();
        fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        replace(&path, b"after", Access::Owner).unwrap();
        assert_eq!((fs::read(&other).unwrap(), fs::read(&path).unwrap()), (b"mine".into(), b"after".into()));
    }

    #[test]
    fn what_cannot_be_replaced_stays_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (missing, taken) = (folder.path().join("none/f"), folder.path().join("taken"));
        fs::create_dir(&taken).unwrap();
        let error = replace(&missing, b"", Access::Owner).unwrap_err();
        assert_eq!((error.kind(), error.to_string().contains("kvsweep")), (io::ErrorKind::NotFound, false), "{error}");
        assert!(replace(&taken, b"", Access::Owner).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
