//! What fuzzing asks of every reader and parser: one function a target, each taking any bytes and panicking where
//! something that must always hold does not.
//!
//! The targets of `tests/fuzz` call these under libFuzzer; the tests here call them with every file of `tests/corpus`,
//! so that what was once found stays found. Nothing of this is in a usual build.

mod spec;
#[cfg(test)]
mod tests;

pub use crate::api::fuzzing::{envelope, headers, url};
pub use crate::input::fuzzing::{csv, detect, json, lines, ndjson};
pub use crate::profile::fuzzing::profile;
pub use crate::report::fuzzing::{journal, report};
pub use spec::spec;
