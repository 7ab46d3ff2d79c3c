//! Who is told how a job goes where nobody watches it: Prometheus by a file, a dead man's switch by pings.
//!
//! - [`Snapshot`]: what there is to tell; [`Labels`]: of which job.
//! - [`Textfile`]: metrics for `node_exporter`'s textfile collector.
//! - [`PingUrl`], [`Pinger`]: pings in the convention of healthchecks.io.
//!
//! Nothing here ends or delays a job, and no key gets here.

mod metrics;
mod ping;
mod textfile;

pub use metrics::{Labels, Snapshot};
pub use ping::{PingUrl, Pinger, Signal};
pub use textfile::Textfile;
