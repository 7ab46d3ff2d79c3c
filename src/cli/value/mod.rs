//! How single values are read: what a flag's text means, and what is wrong with it.

mod guard;
mod name;
mod place;
mod shard;
mod time;
mod when;

pub(crate) use guard::{bulk, count, max_failures, whole};
pub(crate) use name::{glob, job_name, metrics_file};
pub(crate) use place::{delimiter, prefix};
pub(crate) use place::{format_parser, report_parser, source_parser};
pub use shard::ShardArg;
pub(crate) use time::{duration, latency, nonzero_duration, quota, rate};
pub use when::WhenArg;
