//! Deletes keys from a Cloudflare Workers KV namespace in bulk.

pub mod api;
pub mod clock;
pub mod key;
pub mod outcome;
pub mod pipeline;
pub mod plan;
pub mod quota;
pub mod record;
pub mod terminal;
