//! The one place where the wall clock is read.
//!
//! Durations and deadlines use [`tokio::time::Instant`], which tests can pause; wall time is for reports and dates only.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn wall_now() -> SystemTime {
    SystemTime::now()
}

/// `11:31 UTC`, with the date if that is a day or more after `now`.
pub(crate) fn minute(moment: SystemTime, now: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(clamp_rfc3339(moment)).to_string();
    let is_far = moment.duration_since(now).is_ok_and(|left| left >= Duration::from_hours(24));
    let date = if is_far { text.get(..10).map(|date| format!("{date} ")) } else { None };
    format!("{}{} UTC", date.unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

/// `moment`, held within what RFC 3339 can say (years 1970 to 9999): a machine whose clock is off still gets its rows.
pub(crate) fn clamp_rfc3339(moment: SystemTime) -> SystemTime {
    const LAST: Duration = Duration::new(253_402_300_799, 999_000_000);
    moment.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST)
}
