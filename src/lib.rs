//! Deletes keys from a Cloudflare Workers KV namespace in bulk.

pub mod api;
pub mod cli;
pub mod clock;
pub mod command;
pub mod exit;
pub mod input;
pub mod key;
pub mod logging;
pub mod outcome;
pub mod pipeline;
pub mod plan;
pub mod progress;
pub mod quota;
pub mod record;
pub mod report;
pub mod sandbox;
pub mod terminal;
