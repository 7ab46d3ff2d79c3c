//! Which keys are kept: by the flags, and by the profile besides.

use std::path::Path;

use super::profile::{AppliedProfile, Keeping};
use super::value::glob;
use crate::command::Error;
use crate::files::text;
use crate::plan::filter::{Filter, Part};
use crate::terminal::{Escaped, Quoted};

/// The largest file of patterns that is read, in bytes.
const MAX_SIZE: u64 = 1 << 30;

/// What the flags keep.
pub(super) fn filter(protect: Vec<String>, from: Option<&Path>, only: Vec<String>) -> Result<Filter, Error> {
    let from = from.map(|path| part(path, "--protect-from")).transpose()?;
    let protect = std::iter::once(protect.into()).chain(from).collect();
    Filter::of(protect, only).map_err(|error| Error::Usage(error.to_string()))
}

/// The patterns of a file, with its name.
fn part(path: &Path, by: &str) -> Result<Part, Error> {
    Ok(Part { file: Some(path.to_string_lossy().into_owned()), patterns: patterns(path, by)? })
}

/// The patterns of a file; `by` is what named it.
fn patterns(path: &Path, by: &str) -> Result<Vec<String>, Error> {
    let shown = path.to_string_lossy();
    let shown = Escaped(&shown);
    // A file of protected keys that cannot be read must not pass for an empty one.
    let text = text::read(path, MAX_SIZE).map_err(|error| Error::Usage(format!("{by} {shown}: {error}")))?;
    let mut patterns = Vec::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        patterns.push(glob(line).map_err(|error| {
            let error = format!("{by} {shown}, line {number}: {}: {error}", Quoted(line));
            Error::Usage(error)
        })?);
    }
    if patterns.is_empty() {
        return Err(Error::Usage(format!("{by} {shown} contains no pattern, so it would protect nothing")));
    }
    Ok(patterns)
}

/// The filter with what the profile keeps besides, unless that is lifted.
pub(super) fn keeping(filter: Filter, used: Option<&AppliedProfile>, is_lifted: bool) -> Result<Filter, Error> {
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
    both.map_err(|error| Error::Usage(format!("the profile {}: {error}", profile.name)))
}
