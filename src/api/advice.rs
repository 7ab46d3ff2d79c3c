//! What an answer's headers say of time and quota: `Retry-After`, `Ratelimit`, `Ratelimit-Policy`.

use std::time::Duration;

/// One entry of `Ratelimit`, joined with the `Ratelimit-Policy` entry of the same name
/// (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaNews {
    /// The policy's name, `default` or `burst` for example.
    pub name: String,
    /// How many requests are left in the window (`r`).
    pub remaining: u64,
    /// Time until the window resets (`t`, seconds).
    pub reset_after: Duration,
    /// How many requests the policy allows (`q`) in which window (`w`, seconds).
    pub policy: Option<(u64, Duration)>,
}
