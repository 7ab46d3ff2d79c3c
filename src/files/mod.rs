//! Files that users write: how their text is read.

pub mod text;
