//! Wall time, by which keys expire.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The wall time. The sandbox shares nothing with the client, the clock included.
#[expect(clippy::disallowed_methods, reason = "the rest of the crate is not used here")]
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The wall time in seconds since the Unix epoch, by which keys expire.
pub(super) fn unix_now() -> u64 {
    since_epoch().as_secs()
}
