//! Where records come from: files or stdin, several in order, plain or compressed, in four formats.
//!
//! [`Records`] reads the sources one after the other and numbers their records; [`Dedupe`] marks repeated keys;
//! [`spawn_reader()`] runs that on a thread, behind a bounded channel. What cannot be a key is an invalid
//! [`Record`](crate::record::Record), and reading continues; an [`InputError`] ends it, because the numbers of later records
//! would be a guess. Only [`Dedupe`] takes memory that grows with the input.

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
mod status_search;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use dedupe::Dedupe;
pub use error::InputError;
pub(crate) use lookalike::reads_as_lines;
pub use options::{Column, Format, Header, InputOptions, PlanFile};
pub(crate) use reader_thread::spawn_reader;
pub use records::Records;
pub(crate) use records::describe;
pub use source::{Fingerprint, Source};
pub(crate) use values::JsonValues;
