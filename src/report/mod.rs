//! Where outcomes go: rows in CSV or NDJSON, the journal that `--resume` reads, the failures file, the summary.
//!
//! - [`Format`], [`Target`], [`Sync`]: what may be asked for.
//! - [`ReportFile`], [`FailuresFile`]: opened and locked, but nothing in them is touched before [`start`].
//! - [`JobFile`]: which job a report belongs to, and whether another run is the same job.
//! - [`Journal`]: what an earlier run settled.
//! - [`ReportReader`], [`StoredRow`]: what a finished report says, row by row.
//! - [`start`]: one thread writes every row; a row that cannot be written closes its channel. [`RowWriter`] does it
//!   without a thread.
//! - [`Summary`]: the counts, for a script and for a person.
//!
//! Nothing here knows an input or a request, or prints.

mod causes;
mod csv;
mod encode;
mod error;
mod failures;
mod file;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod job_file;
mod journal;
mod ndjson;
mod reader;
mod rfc3339;
mod row;
mod sink;
mod summary;
mod target;
mod writer;

pub use causes::{Cause, Causes};
pub use encode::append_row;
pub use error::ReportError;
pub use failures::FailuresFile;
pub use file::{Destination, ReportFile};
pub use job_file::{Difference, JobFileError, Kind};
pub(crate) use job_file::{Filters, Identity, Input, JobFile, Names, Role, Run, counts};
pub use journal::{Journal, RecordState};
pub(crate) use reader::{ReadExtent, ReportReader};
pub use row::Format;
pub use row::StoredRow;
pub(crate) use summary::{Facts, Summary, states_to_text};
pub use target::{Sync, Target};
pub(crate) use target::{create_unique, default_path};
pub(crate) use writer::RowWriter;
pub use writer::{Outputs, Written, start};
