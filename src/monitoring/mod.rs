//! Monitoring of unattended jobs: metrics for Prometheus in a file, pings to a dead man's switch.
//!
//! - [`Snapshot`]: what there is to tell; [`Labels`]: of which job.
//! - [`Textfile`]: metrics for `node_exporter`'s textfile collector.
//! - [`PingUrl`], [`Pinger`]: pings in the convention of healthchecks.io.
//!
//! Nothing here ends or delays a job, and no key gets here.

mod metrics;
mod ping;

pub(crate) use metrics::{Labels, Snapshot, Textfile};
pub use ping::PingUrl;
pub(crate) use ping::{Pinger, Signal};
