//! Files, whatever is in them.
//!
//! - [`OutputFile`], [`IfExists`]: opened, locked and checked, but not touched before the first write.
//! - [`replace()`], [`create()`]: a file appears whole or not at all.
//! - [`text`]: the one reader of text files that users write.
//! - [`hash()`]: what a file holds, in a few characters.
//! - [`FileError`]: why one cannot be used.

mod error;
mod hash;
mod lock;
mod output;
mod replace;
pub(crate) mod text;

pub use error::FileError;
pub(crate) use hash::hash;
pub(crate) use lock::{RequestCount, SentRequests, open_regular};
pub use output::IfExists;
pub(crate) use output::OutputFile;
pub(crate) use replace::{Access, beside, folder_of, replace};
