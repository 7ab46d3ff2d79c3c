//! The one place where the wall clock is read.
//!
//! Durations and deadlines use [`tokio::time::Instant`], which tests can pause; wall time is for reports and dates only.

use std::time::SystemTime;

/// The wall time now.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn wall_now() -> SystemTime {
    SystemTime::now()
}
