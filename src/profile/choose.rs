//! Which profile is used.

use std::path::PathBuf;
use std::str::FromStr;

use super::error::ProfileError;
use super::file::{ConfigFile, Origin, Profile};
use super::find::SearchPaths;
use super::name::{ProfileName, ProfileNameError};
use super::suggest::suggest;
use crate::terminal::Escaped;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedFile {
    Any,
    None,
    /// This one. `is_typed`: by a flag, so that a profile of it is meant.
    Named {
        path: PathBuf,
        /// Whether a flag said so, not the environment.
        is_typed: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedProfile {
    Default,
    /// None, not even the default one.
    None,
    Named(ProfileName),
}

impl FromStr for WantedProfile {
    type Err = ProfileNameError;

    fn from_str(text: &str) -> Result<Self, ProfileNameError> {
        if text == "none" { Ok(Self::None) } else { text.parse().map(Self::Named) }
    }
}

/// The profile that is used; nothing where none is.
pub(crate) fn choose(
    file: &WantedFile,
    profile: &WantedProfile,
    paths: &SearchPaths,
) -> Result<Option<Profile>, ProfileError> {
    let wanted = match profile {
        WantedProfile::None => return Ok(None),
        WantedProfile::Default => None,
        WantedProfile::Named(name) => Some(name),
    };
    match (file, wanted) {
        (WantedFile::None, None) => Ok(None),
        (WantedFile::None, Some(name)) => Err(ProfileError::NoFile(name.clone())),
        (WantedFile::Named { path, is_typed }, _) => {
            let file = paths.read_named(path)?;
            match wanted.or(file.default.as_ref()) {
                Some(name) => match file.profile(name) {
                    Some(profile) => Ok(Some(profile.clone())),
                    None => Err(none(name, std::slice::from_ref(&file), paths)),
                },
                None if *is_typed => Err(ProfileError::Which { there: file.names(), file: file.path }),
                None => Ok(None),
            }
        }
        // A file with a default has that profile.
        (WantedFile::Any, None) => {
            Ok(own(paths)?.iter().find_map(|file| file.profile(file.default.as_ref()?)).cloned())
        }
        (WantedFile::Any, Some(name)) => anywhere(name, paths).map(Some),
    }
}

fn own(paths: &SearchPaths) -> Result<Vec<ConfigFile>, ProfileError> {
    let files = paths.own_files();
    files.iter().filter_map(|file| paths.read_found(file, Origin::Own).transpose()).collect()
}

fn anywhere(name: &ProfileName, paths: &SearchPaths) -> Result<Profile, ProfileError> {
    let found = paths.folder_files();
    let found = found.iter().find_map(|file| paths.read_found(file, Origin::Found).transpose()).transpose()?;
    let own = own(paths)?;
    let here = found.as_ref().and_then(|file| file.profile(name));
    let there = own.iter().find_map(|file| file.profile(name));
    match (here, there) {
        (Some(here), Some(there)) => {
            Err(ProfileError::Ambiguous { wanted: name.clone(), one: here.file.clone(), other: there.file.clone() })
        }
        (Some(profile), None) | (None, Some(profile)) => Ok(profile.clone()),
        (None, None) => {
            let files: Vec<ConfigFile> = found.into_iter().chain(own).collect();
            Err(none(name, &files, paths))
        }
    }
}

fn none(wanted: &ProfileName, files: &[ConfigFile], paths: &SearchPaths) -> ProfileError {
    let shown = |path: &PathBuf| Escaped(&path.to_string_lossy()).to_string();
    let there = match files {
        [] => {
            let places: Vec<_> = paths.folder_files().into_iter().chain(paths.own_files()).collect();
            let places = places.iter().map(shown).collect::<Vec<_>>().join(", ");
            format!("found: none of these files exists: {places}\nhint: kvsweep config path shows where kvsweep looks")
        }
        files => {
            let places: Vec<_> = files.iter().map(|file| shown(&file.path)).collect();
            let names = files.iter().flat_map(|file| &file.profiles).map(|profile| profile.name.as_str());
            format!("in {}\nhint: {}", places.join(" and "), suggest(wanted.as_str(), names))
        }
    };
    ProfileError::NoProfile { wanted: wanted.clone(), there }
}
