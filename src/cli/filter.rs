//! Which keys are kept: by the flags, and by the profile besides.

use std::path::Path;

use super::profile::{AppliedProfile, Keeping};
use super::value::glob;
use crate::command::UsageError;
use crate::files::text;
use crate::plan::filter::{Filter, Part};

/// The largest file of patterns that is read, in bytes.
const MAX_SIZE: u64 = 1 << 30;

/// What the flags keep.
pub(super) fn filter(protect: Vec<String>, from: Option<&Path>, only: Vec<String>) -> Result<Filter, UsageError> {
    let from = from.map(|file| part(file, "--protect-from")).transpose()?;
    let protect = std::iter::once(protect.into()).chain(from).collect();
    Ok(Filter::of(protect, only)?)
}

/// The patterns of a file, with its name; `by` is what named it.
fn part(file: &Path, by: &str) -> Result<Part, UsageError> {
    let (by, file) = (by.to_owned(), file.to_owned());
    // A file of protected keys that cannot be read must not pass for an empty one.
    let text = match text::read(&file, MAX_SIZE) {
        Ok(text) => text,
        Err(source) => return Err(UsageError::PatternFile { by, file, source }),
    };
    let mut patterns = Vec::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
        match glob(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                return Err(UsageError::Pattern { by, file, line, text: text.to_owned(), source: error.into() });
            }
        }
    }
    if patterns.is_empty() {
        return Err(UsageError::NoPattern { by, file });
    }
    Ok(Part { file: Some(file.to_string_lossy().into_owned()), patterns })
}

/// The filter with what the profile keeps besides, unless that is lifted.
pub(super) fn keeping(filter: Filter, used: Option<&AppliedProfile>, is_lifted: bool) -> Result<Filter, UsageError> {
    let Some(AppliedProfile { profile, keeping, .. }) = used.filter(|used| used.keeping != Keeping::default()) else {
        return Ok(filter);
    };
    if is_lifted {
        tracing::warn!("--allow-protected: keys that the profile {} protects may be deleted", profile.name);
        return Ok(filter);
    }
    let by = format!("protect-from of the profile {}:", profile.name);
    let from = keeping.protect_from.as_deref().map(|path| part(path, &by)).transpose()?;
    let protect = std::iter::once(keeping.protect.clone().into()).chain(from).collect();
    let both = filter.with_profile(profile.name.as_str(), protect, keeping.only.clone());
    both.map_err(|source| UsageError::PatternsOfProfile { profile: profile.name.to_string(), source })
}
