//! Where records come from: files or stdin, several in order, plain or compressed, in four formats.
//!
//! [`Records`] reads the sources one after the other and numbers what they hold; [`Dedupe`] marks the keys that
//! were there before; [`feed()`] runs that on a thread of its own, behind a bounded channel. What cannot be a key is an
//! invalid [`Record`](crate::record::Record) and reading goes on; an [`InputError`] is the end of it, because the
//! numbers of whatever followed would be a guess. Nothing here grows with the input, except a [`KeySet`](crate::key_index::KeySet).
//!
//! Nothing here sends, writes or asks.

mod content;
mod csv;
mod dedupe;
mod detect;
mod dry_run_report;
mod element;
mod entry;
mod error;
mod feed;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod gzip;
mod json;
mod line;
mod lines;
mod ndjson;
mod open;
mod options;
mod records;
mod source;
#[cfg(test)]
mod tests;
mod values;

pub use content::Lookalike;
pub use dedupe::{Again, Dedupe, Reread, Unmarked};
pub use error::{InputError, Position, Problem};
pub use feed::feed;
pub use open::Compression;
pub use options::{Column, ColumnError, Format, FormatError, Header, InputOptions};
pub use records::{Records, describe};
pub use source::{Fingerprint, Source};
pub use values::JsonValues;
