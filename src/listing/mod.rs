//! The keys of a namespace, page by page: what is asked for next, which of the keys are wanted, how they are written,
//! and where an interrupted listing resumes.
//!
//! - [`Prefixes`], [`Lister`]: which page comes next; a plain state machine that sends nothing.
//! - [`Selection`]: which keys are wanted.
//! - [`Encoder`]: keys as lines, CSV or NDJSON.
//! - [`Checkpoint`]: where a listing stands, kept beside its file.

mod checkpoint;
mod lister;
mod rows;
mod selection;

pub use checkpoint::CheckpointError;
pub(crate) use checkpoint::{Checkpoint, Listing};
pub(crate) use lister::{Lister, ListingError, Position};
pub use rows::Format;
pub(crate) use rows::{Encoder, NotRepresentable};
pub use selection::{MetadataTest, Moment, Prefixes, Selection};
