//! Which keys are kept, by the flags, the environment and a profile; how the patterns of a file or a variable are read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::environment::{ONLY, PROTECT, PROTECT_FROM};
use super::value::{ValueError, glob, glob_of_list};
use crate::command::UsageError;
use crate::files::text::{self, TextError};
use crate::plan::filter::{Filter, Origin, Part};

/// The largest text of patterns that is read, in bytes.
const MAX_SIZE: u64 = 1 << 30;

/// What the flags, the environment or a profile keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keeping {
    /// Patterns of keys that are never deleted.
    pub protect: Vec<String>,
    /// A file of such patterns.
    pub protect_from: Option<PathBuf>,
    /// Where there are any: patterns of the only keys that may be deleted.
    pub only: Vec<String>,
}

impl Keeping {
    /// What the environment keeps. A variable holds patterns as a file does.
    pub(super) fn of_environment() -> Result<Self, UsageError> {
        let protect_from = std::env::var_os(PROTECT_FROM);
        if protect_from.as_ref().is_some_and(|path| path.is_empty()) {
            return Err(UsageError::EmptyVariable(PROTECT_FROM));
        }
        let patterns = |variable: &str| match std::env::var_os(variable) {
            Some(text) => {
                patterns(variable, text::read_from(&*OsString::into_encoded_bytes(text), MAX_SIZE), glob_of_list)
            }
            None => Ok(Vec::new()),
        };
        Ok(Self { protect: patterns(PROTECT)?, protect_from: protect_from.map(PathBuf::from), only: patterns(ONLY)? })
    }

    /// Its values under the name of a flag.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        match name {
            "protect" => self.protect.clone(),
            "only" => self.only.clone(),
            _ => self.protect_from.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
        }
    }

    /// A filter with what is kept here besides; `by` is what names the file.
    fn add_to(self, filter: Filter, origin: Origin, by: &str) -> Result<Filter, UsageError> {
        let from = self.protect_from.as_deref().map(|path| part(path, by)).transpose()?;
        let protect = std::iter::once(self.protect.into()).chain(from).collect();
        filter.and(origin.clone(), protect, self.only).map_err(|source| match origin {
            Origin::Profile(profile) => UsageError::PatternsOfProfile { profile, source },
            Origin::Flags | Origin::Environment => source.into(),
        })
    }
}

/// What flags, environment and profile (by its name) keep together; what the profile protects may be lifted, but not its `only`.
pub(super) fn filter(
    flags: Keeping,
    environment: Keeping,
    profile: Option<(&str, &Keeping)>,
    is_lifted: bool,
) -> Result<Filter, UsageError> {
    let filter = flags.add_to(Filter::default(), Origin::Flags, "--protect-from")?;
    let filter = environment.add_to(filter, Origin::Environment, PROTECT_FROM)?;
    let Some((profile, keeping)) = profile else { return Ok(filter) };
    let mut keeping = keeping.clone();
    if is_lifted && (!keeping.protect.is_empty() || keeping.protect_from.is_some()) {
        tracing::warn!("--allow-protected: keys that the profile {profile} protects may be deleted");
        keeping = Keeping { only: keeping.only, ..Keeping::default() };
    }
    let by = format!("protect-from of the profile {profile}:");
    keeping.add_to(filter, Origin::Profile(profile.to_owned()), &by)
}

/// The patterns of a file, with its name; `by` is what named it.
fn part(file: &Path, by: &str) -> Result<Part, UsageError> {
    // A file of protected keys that cannot be read must not pass for an empty one.
    let text = text::read(file, MAX_SIZE);
    let file = file.to_string_lossy().into_owned();
    Ok(Part { patterns: patterns(&format!("{by} {file}"), text, glob)?, file: Some(file) })
}

/// The patterns of a text, one per line; `place` is where it is.
fn patterns(
    place: &str,
    text: Result<String, TextError>,
    check: fn(&str) -> Result<String, ValueError>,
) -> Result<Vec<String>, UsageError> {
    let place = || place.to_owned();
    let text = text.map_err(|source| UsageError::PatternFile { place: place(), source })?;
    let lines = (1..).zip(text.lines()).filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
    let patterns = lines.map(|(line, text)| {
        check(text).map_err(|error| UsageError::Pattern {
            place: place(),
            line,
            text: text.to_owned(),
            source: error.into(),
        })
    });
    let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    if patterns.is_empty() { Err(UsageError::NoPattern(place())) } else { Ok(patterns) }
}
