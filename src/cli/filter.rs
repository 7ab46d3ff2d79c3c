//! Which keys are kept: by the flags, and by the profile besides.

use std::path::Path;

use super::profile::{Keeping, Used};
use crate::command::Error;
use crate::plan::filter::Filter;
use crate::terminal::Shown;

/// What the flags keep.
pub(super) fn filter(mut protect: Vec<String>, from: Option<&Path>, only: Vec<String>) -> Result<Filter, Error> {
    if let Some(path) = from {
        protect.extend(patterns(path, "--protect-from")?);
    }
    Filter::new(protect, only).map_err(|error| Error::Usage(error.to_string()))
}

/// The patterns of a file; `by` is what named it.
fn patterns(path: &Path, by: &str) -> Result<Vec<String>, Error> {
    // A file of protected keys that cannot be read must not pass for an empty one.
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| Error::Usage(format!("{by} {}: {error}", Shown(&path.to_string_lossy()))))?;
    Ok(text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
}

/// The filter with what the profile keeps besides, unless that is lifted.
pub(super) fn keeping(filter: Filter, used: Option<&Used>, is_lifted: bool) -> Result<Filter, Error> {
    let Some(Used { profile, keeping, .. }) = used.filter(|used| used.keeping != Keeping::default()) else {
        return Ok(filter);
    };
    if is_lifted {
        tracing::warn!("--allow-protected: what the profile {} keeps may be deleted too", profile.name);
        return Ok(filter);
    }
    let mut protect = keeping.protect.clone();
    if let Some(path) = &keeping.protect_from {
        protect.extend(patterns(path, &format!("protect-from of the profile {}:", profile.name))?);
    }
    let both = filter.besides(profile.name.as_str(), protect, keeping.only.clone());
    both.map_err(|error| Error::Usage(format!("the profile {}: {error}", profile.name)))
}
