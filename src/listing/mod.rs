//! The keys of a namespace, page by page: what is asked for next, which of the keys are wanted, how they are written,
//! and where an interrupted listing goes on.
//!
//! - [`Prefixes`], [`Lister`]: which page comes next; a plain state machine that sends nothing.
//! - [`Selection`]: which keys are wanted.
//! - [`Encoder`]: keys as lines, CSV or NDJSON.
//! - [`Bookmark`]: where a listing stands, kept beside its file.

mod bookmark;
mod lister;
mod prefixes;
mod rows;
mod selection;

pub use bookmark::{Bookmark, BookmarkError, Listing};
pub use lister::{Lister, ListingError, Position};
pub use prefixes::Prefixes;
pub use rows::{Encoder, Format, Unfit, is_fit_for_a_line};
pub use selection::{MetadataTest, Moment, Selection};
