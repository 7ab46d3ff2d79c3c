//! Where configuration files are looked for, and which of them are trusted.
//!
//! This tool deletes. A file that merely lies in a folder takes effect only where a profile is asked for by name, and
//! then only where nobody else can have put it there: it has to belong to the user (or root), nobody else may be
//! allowed to write it, and the search ends where a repository or the home folder begins; outside of both it does not
//! leave the current folder. The files of the user and the machine are those of the XDG base directories
//! (<https://specifications.freedesktop.org/basedir-spec/latest/>).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::ProfileError;
use super::file::{ConfigFile, Origin, parse};
use crate::clock::wall_now;
use crate::files::text;
use crate::platform::{self, Owner};

pub(super) const FILE_NAME: &str = "kvsweep.toml";

/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SearchPaths {
    pub folder: Option<PathBuf>,
    pub home: Option<PathBuf>,
    /// Folders of configuration, the most important first.
    pub config: Vec<PathBuf>,
    pub user: Owner,
    /// The moment that `{date}` and `{time}` of a path stand for.
    pub now: SystemTime,
}

impl SearchPaths {
    pub(crate) fn of_process() -> Self {
        // As the specification has it: what is empty or relative counts as unset.
        let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = variable("HOME");
        let user = variable("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
        let machine = std::env::var_os("XDG_CONFIG_DIRS").filter(|folders| !folders.is_empty());
        let machine = machine.unwrap_or_else(|| "/etc/xdg".into());
        let machine = std::env::split_paths(&machine).filter(|path| path.is_absolute());
        Self {
            folder: std::env::current_dir().ok(),
            home,
            config: user.into_iter().chain(machine).collect(),
            user: Owner::of_process(),
            now: wall_now(),
        }
    }

    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        let now = SystemTime::UNIX_EPOCH;
        Self { folder: None, home: None, config: Vec::new(), user: Owner::of_process(), now }
    }

    /// The files of the user and the machine, the most important first, whether they exist or not.
    pub(crate) fn own_files(&self) -> Vec<PathBuf> {
        self.config.iter().map(|folder| folder.join("kvsweep").join(FILE_NAME)).collect()
    }

    /// The files that lie in the current folder or one above it, whether they exist or not, the nearest first; without
    /// those of [`own_files`](Self::own_files).
    pub(crate) fn folder_files(&self) -> Vec<PathBuf> {
        let Some(folder) = &self.folder else { return Vec::new() };
        // A home folder of `/`, as services have it, would let the search reach everywhere.
        let home = self.home.as_deref().filter(|home| home.parent().is_some());
        let is_end = |folder: &Path| home == Some(folder) || folder.join(".git").symlink_metadata().is_ok();
        let end = folder.ancestors().position(is_end).unwrap_or(0);
        let own = self.own_files();
        let files = folder.ancestors().take(end + 1).map(|folder| folder.join(FILE_NAME));
        files.filter(|file| !own.contains(file)).collect()
    }

    pub(super) fn read_named(&self, file: &Path) -> Result<ConfigFile, ProfileError> {
        let open = File::open(file).map_err(unreadable(file))?;
        self.read(open, file, Origin::Named)
    }

    /// Reads a file that was found, where there is one.
    pub(crate) fn read_found(&self, file: &Path, origin: Origin) -> Result<Option<ConfigFile>, ProfileError> {
        // A link of a stranger to a file of the user would pass for the user's.
        let link = match fs::symlink_metadata(file) {
            Ok(link) => link,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(unreadable(file)(error)),
        };
        let refuse = |why| Err(ProfileError::Untrusted { file: file.to_owned(), why });
        let there = fs::metadata(file).map_err(unreadable(file))?;
        if !self.user.owns(&link) || !self.user.owns(&there) {
            return refuse("it belongs to another user");
        }
        // Opening a pipe would wait for its other end.
        if !there.is_file() {
            return refuse("it is not a regular file");
        }
        let id = platform::path_id(file).map_err(unreadable(file))?;
        let open = File::open(file).map_err(unreadable(file))?;
        let opened = open.metadata().map_err(unreadable(file))?;
        // Of the file that is read, whatever the path named a moment ago.
        if platform::file_id(&open).map_err(unreadable(file))? != id || !self.user.owns(&opened) {
            return refuse("it was replaced while it was looked at");
        }
        if platform::is_world_writable(&opened) {
            return refuse("every user may write to it");
        }
        self.read(open, file, origin).map(Some)
    }

    fn read(&self, open: File, file: &Path, origin: Origin) -> Result<ConfigFile, ProfileError> {
        let text = text::read_from(open, MAX_SIZE).map_err(|error| unreadable(file)(error.into()))?;
        // Relative paths in it begin at its folder, wherever that is seen from.
        let path = std::path::absolute(file).map_err(unreadable(file))?;
        parse(&path, &text, origin, self.home.as_deref(), self.now)
    }
}

fn unreadable(file: &Path) -> impl FnOnce(io::Error) -> ProfileError {
    let file = file.to_owned();
    move |source| ProfileError::Read { file, source }
}
