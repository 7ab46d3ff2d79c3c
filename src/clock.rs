//! The one place where the wall clock is read.
//!
//! Durations and deadlines use [`tokio::time::Instant`], which tests can pause; wall time is for reports and dates only.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use humantime::Rfc3339Timestamp;

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn wall_now() -> SystemTime {
    SystemTime::now()
}

/// `11:31 UTC`, with the date if that is a day or more after `now`.
pub(crate) fn minute(moment: SystemTime, now: SystemTime) -> String {
    let text = rfc3339_seconds(moment).to_string();
    let is_far = moment.duration_since(now).is_ok_and(|left| left >= Duration::from_hours(24));
    let date = if is_far { text.get(..10).map(|date| format!("{date} ")) } else { None };
    format!("{}{} UTC", date.unwrap_or_default(), text.get(11..16).unwrap_or_default())
}

/// `2026-11-30T11:31:05Z`.
pub(crate) fn rfc3339_seconds(moment: SystemTime) -> Rfc3339Timestamp {
    humantime::format_rfc3339_seconds(clamp_rfc3339(moment))
}

/// `2026-11-30T11:31:05.042Z`.
pub(crate) fn rfc3339_millis(moment: SystemTime) -> Rfc3339Timestamp {
    humantime::format_rfc3339_millis(clamp_rfc3339(moment))
}

/// `2026-11-30T11:31:05.042113Z`.
pub(crate) fn rfc3339_micros(moment: SystemTime) -> Rfc3339Timestamp {
    humantime::format_rfc3339_micros(clamp_rfc3339(moment))
}

/// `moment`, held within what RFC 3339 can say (years 1970 to 9999): a machine whose clock is off still gets its rows.
fn clamp_rfc3339(moment: SystemTime) -> SystemTime {
    const LAST: Duration = Duration::new(253_402_300_799, 999_000_000);
    moment.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_out_of_range_are_held_within_it() {
        let shown = |moment| rfc3339_millis(moment).to_string();
        assert_eq!(shown(UNIX_EPOCH - Duration::from_millis(1)), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(UNIX_EPOCH + Duration::from_secs(1 << 38)), "9999-12-31T23:59:59.999Z");
        assert_eq!(shown(UNIX_EPOCH + Duration::from_micros(1_001_999)), "1970-01-01T00:00:01.001Z");
    }
}
