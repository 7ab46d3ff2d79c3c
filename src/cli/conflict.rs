//! Flags that contradict each other in a way that clap alone cannot see, because it depends on values.

use clap::error::ErrorKind;

/// What is wrong, as clap shows it.
pub(super) struct FlagConflict(pub(super) ErrorKind, pub(super) String);

impl FlagConflict {
    pub(super) fn conflict<T>(text: impl Into<String>) -> Result<T, Self> {
        Err(Self(ErrorKind::ArgumentConflict, text.into()))
    }

    pub(super) fn missing<T>(text: impl Into<String>) -> Result<T, Self> {
        Err(Self(ErrorKind::MissingRequiredArgument, text.into()))
    }
}
