//! Records in, outcomes out.

mod event;

pub use event::{Event, PauseCause};
