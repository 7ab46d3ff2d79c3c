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

/// The filter with what environment and profile keep besides; what the profile protects may be lifted, but not its `only`.
pub(super) fn keeping(
    filter: Filter,
    environment: &Keeping,
    used: Option<&AppliedProfile>,
    is_lifted: bool,
) -> Result<Filter, UsageError> {
    let filter = environment.add_to(filter, Origin::Environment, PROTECT_FROM)?;
    let Some(AppliedProfile { profile, keeping, .. }) = used else { return Ok(filter) };
    let mut keeping = keeping.clone();
    if is_lifted {
        let only = Keeping { only: std::mem::take(&mut keeping.only), ..Keeping::default() };
        if keeping != Keeping::default() {
            tracing::warn!("--allow-protected: keys that the profile {} protects may be deleted", profile.name);
        }
        keeping = only;
    }
    let by = format!("protect-from of the profile {}:", profile.name);
    keeping.add_to(filter, Origin::Profile(profile.name.to_string()), &by)
}
