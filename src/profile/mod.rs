//! `kvsweep.toml`: values of flags that go by a name.
//!
//! ```toml
//! default-profile = "staging"     # only in one's own file, or one that --config names
//!
//! [profile.staging]
//! account-id = "0123456789abcdef0123456789abcdef"
//! namespace = "sessions-staging"
//! rate = ["600/5m", "100/1s"]
//! protect = ["config:*"]
//! report = "reports/{date}-{time}.csv"
//! ```
//!
//! A file holds no secret, profiles inherit nothing from each other, and a key that is not known is an error.
//!
//! - [`SETTINGS`]: what a profile may say. What a value means is known to the flag of the same name, not here.
//! - [`parse`]: a file's text, with the line and column of what is wrong; [`template`]: paths with placeholders
//! - [`SearchPaths`]: where files are looked for, and which are trusted
//! - [`choose`]: which profile is used

mod choose;
mod error;
mod file;
mod find;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub(crate) mod fuzzing;
mod name;
mod setting;
mod suggest;
mod template;

pub(crate) use choose::choose;
pub use choose::{WantedFile, WantedProfile};
pub use error::ProfileError;
pub(crate) use file::Origin;
pub use file::{Entry, Profile};
pub(crate) use find::SearchPaths;
pub(crate) use setting::{NAMESPACE, PROTECTION_KEYS, SETTINGS, TOKEN};

// With paths and permissions as Unix has them.
#[cfg(test)]
#[cfg(unix)]
mod tests;
