//! Where records come from: files or stdin, several in order, plain or compressed, in four formats.
//!
//! [`Records`] reads the sources one after the other and numbers what they hold; [`Dedupe`] marks the keys that
//! were there before; [`spawn_reader()`] runs that on a thread of its own, behind a bounded channel. What cannot be a key is an
//! invalid [`Record`](crate::record::Record) and reading goes on; an [`InputError`] is the end of it, because the
//! numbers of whatever followed would be a guess. Nothing here grows with the input, except a [`KeySet`](crate::key_index::KeySet).
//!
//! Nothing here sends, writes or asks.

mod csv;
mod dedupe;
mod detect;
mod dry_run_report;
mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod json;
mod json_value;
mod lines;
mod lookalike;
mod ndjson;
mod options;
mod parsed_key;
mod reader_thread;
mod records;
mod report_columns;
mod source;
#[cfg(test)]
mod tests;
mod values;

pub use dedupe::Dedupe;
pub use error::InputError;
pub use options::{Column, Format, Header, InputOptions};
pub use reader_thread::spawn_reader;
pub use records::{Records, describe};
pub use source::{Fingerprint, Source};
pub use values::JsonValues;
