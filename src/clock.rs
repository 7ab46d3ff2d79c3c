//! The one place where the wall clock is read.
//!
//! Durations and deadlines use [`tokio::time::Instant`], which tests can pause; wall time is for reports and dates only.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn wall_now() -> SystemTime {
    SystemTime::now()
}

/// `moment`, held within what RFC 3339 can say (years 1970 to 9999): a machine whose clock is off still gets its rows.
pub(crate) fn clamp_rfc3339(moment: SystemTime) -> SystemTime {
    const LAST: Duration = Duration::new(253_402_300_799, 999_000_000);
    moment.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST)
}
