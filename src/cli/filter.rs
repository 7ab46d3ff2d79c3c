//! Which keys are kept: by the flags, and by the environment and the profile besides.

use std::path::Path;

use super::environment::PROTECT_FROM;
use super::patterns::{Keeping, part};
use super::profile::AppliedProfile;
use crate::command::UsageError;
use crate::plan::filter::{Filter, Origin};

/// What the flags keep.
pub(super) fn filter(protect: Vec<String>, from: Option<&Path>, only: Vec<String>) -> Result<Filter, UsageError> {
    let from = from.map(|file| part(file, "--protect-from")).transpose()?;
    let protect = std::iter::once(protect.into()).chain(from).collect();
    Ok(Filter::of(protect, only)?)
}

/// The filter with what environment and profile keep besides; what the profile keeps may be lifted.
pub(super) fn keeping(
    filter: Filter,
    environment: &Keeping,
    used: Option<&AppliedProfile>,
    is_lifted: bool,
) -> Result<Filter, UsageError> {
    let filter = environment.add_to(filter, Origin::Environment, PROTECT_FROM)?;
    let Some(AppliedProfile { profile, keeping, .. }) = used.filter(|used| used.keeping != Keeping::default()) else {
        return Ok(filter);
    };
    if is_lifted {
        tracing::warn!("--allow-protected: keys that the profile {} protects may be deleted", profile.name);
        return Ok(filter);
    }
    let by = format!("protect-from of the profile {}:", profile.name);
    keeping.add_to(filter, Origin::Profile(profile.name.to_string()), &by)
}
