//! Files: how the text of those that users write is read; replaced in one step, and told apart by what they hold.

mod hash;
mod replace;
pub mod text;

pub use hash::hash;
pub use replace::{Access, create, folder_of, replace};
