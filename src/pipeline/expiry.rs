//! Whether a key still lives long enough to be put back.

use std::time::{Duration, UNIX_EPOCH};

use crate::clock::wall_now;

/// A key that is gone sooner is not put back: the API takes no expiration within 60 s
/// (<https://developers.cloudflare.com/kv/api/write-key-value-pairs>), and a request takes its time.
const LEAST_LIFE: u64 = 65;

pub(crate) fn unix_now() -> u64 {
    wall_now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Why a key with this expiration cannot be put back at `now`, in seconds since the Unix epoch.
pub(crate) fn expiry(expiration: Option<u64>, now: u64) -> Option<String> {
    let at = expiration?;
    let when = UNIX_EPOCH.checked_add(Duration::from_secs(at)).filter(|_| at < 253_402_300_800);
    let when = when.map_or_else(|| at.to_string(), |when| humantime::format_rfc3339_seconds(when).to_string());
    match at {
        at if at <= now => Some(format!("expired at {when}")),
        at if at < now + LEAST_LIFE => {
            Some(format!("expires at {when}, and the API takes nothing that lives so short"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_expired_or_soon_will_is_told_apart() {
        let now = 1_800_000_000;
        assert_eq!(expiry(None, now), None);
        assert_eq!(expiry(Some(now + LEAST_LIFE), now), None);
        assert_eq!(expiry(Some(u64::MAX), now), None);
        assert_eq!(expiry(Some(now), now).as_deref(), Some("expired at 2027-01-15T08:00:00Z"));
        assert!(expiry(Some(now + 1), now).unwrap().starts_with("expires at 2027-01-15T08:00:01Z"));
        let last = 253_402_300_799;
        assert_eq!(expiry(Some(last), last).as_deref(), Some("expired at 9999-12-31T23:59:59Z"));
        assert_eq!(expiry(Some(last + 1), last + 1).as_deref(), Some("expired at 253402300800"));
    }
}
