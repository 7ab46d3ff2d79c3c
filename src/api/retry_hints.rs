//! Times and quotas in the headers of a response: `Retry-After`, `Ratelimit`, `Ratelimit-Policy`.
//!
//! Read with a forgiving eye: what is not understood is left out, never an error. *Now* is handed in.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

use crate::quota::{Rate, RateLimitInfo};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The longest wait that a server is believed to mean. Cloudflare's longest is five minutes for the quota, and a day
/// for the free plan's limit.
const LONGEST_PAUSE: Duration = Duration::from_hours(24);

/// The longest window that a policy may have; longer ones are junk that would overflow a clock.
const LONGEST_WINDOW: u64 = 366 * 24 * 3600;

/// Entries beyond this many are not read; Cloudflare sends one or two.
const MAX_ENTRIES: usize = 16;

/// Longer names are junk.
const MAX_NAME: usize = 64;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RetryHints {
    /// `Retry-After`, if it is credible.
    pub retry_after: Option<Duration>,
    /// `Ratelimit` and `Ratelimit-Policy`, joined.
    pub rate_limits: Vec<RateLimitInfo>,
}

impl RetryHints {
    /// Reads an answer's headers. Dates count from the server's own `Date`, because its clock and ours may differ; without
    /// one from `now`.
    pub(crate) fn read(headers: &HeaderMap, now: SystemTime) -> Self {
        let texts = |name: &HeaderName| -> Vec<&str> {
            let values = headers.get_all(name).iter();
            values.filter_map(|value| value.to_str().ok()).collect()
        };
        let now = texts(&DATE).iter().find_map(|value| httpdate::parse_http_date(value).ok()).unwrap_or(now);
        let retry_after = texts(&RETRY_AFTER).iter().find_map(|value| parse_retry_after(value, now));
        let limits = texts(&RATELIMIT);
        // Without limits a policy means nothing; many responses have neither.
        let rate_limits = match &limits[..] {
            [] => Vec::new(),
            limits => parse_quota(&limits.join(","), &texts(&RATELIMIT_POLICY).join(",")),
        };
        Self { retry_after, rate_limits }
    }

    /// How long to pause after a 429: `Retry-After`, else the reset of the window that is used up (of the
    /// longest, if none is used up), else what the body says. A source that is not credible is skipped.
    pub(crate) fn pause(&self, in_body: Option<Duration>) -> Option<Duration> {
        let used_up = self.rate_limits.iter().filter(|entry| entry.remaining == 0);
        let longest = used_up.map(|entry| entry.reset_after).max();
        let longest = longest.or_else(|| self.rate_limits.iter().map(|entry| entry.reset_after).max());
        self.retry_after.or_else(|| longest.and_then(believable)).or_else(|| in_body.and_then(believable))
    }
}

/// A wait of nothing, or of more than a day, is a server's mistake and not its wish.
fn believable(wait: Duration) -> Option<Duration> {
    (wait > Duration::ZERO && wait <= LONGEST_PAUSE).then_some(wait)
}

/// `Retry-After` as whole seconds or as an HTTP date (RFC 9110, 10.2.3). `None` for anything else, for a wait of zero,
/// a date that has passed, and more than a day.
pub(crate) fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = match whole_number(value) {
        Some(seconds) => Duration::from_secs(seconds),
        None => httpdate::parse_http_date(value).ok()?.duration_since(now).ok()?,
    };
    believable(wait)
}

/// Joins the entries of `Ratelimit` (`"default";r=50;t=30, "burst";r=0;t=3`) with those of `Ratelimit-Policy`
/// (`"burst";q=100;w=60`) by name. Names may be quoted or bare, parameters come in any order; an entry without a
/// readable `r` and `t` is left out.
pub(crate) fn parse_quota(limits: &str, policies: &str) -> Vec<RateLimitInfo> {
    let policies: Vec<_> = entries(policies, ["q", "w"]).collect();
    let infos = entries(limits, ["r", "t"]).filter_map(|(name, [remaining, reset])| {
        let policy = policies.iter().find(|(of, _)| *of == name);
        Some(RateLimitInfo {
            remaining: remaining?,
            reset_after: window(reset?)?,
            policy: policy
                .and_then(|(_, [count, length])| Rate::new(u32::try_from((*count)?).ok()?, window((*length)?)?)),
            name,
        })
    });
    infos.take(MAX_ENTRIES).collect()
}

fn window(seconds: u64) -> Option<Duration> {
    (seconds <= LONGEST_WINDOW).then(|| Duration::from_secs(seconds))
}

/// The entries of an RFC 9651 list whose members are names with parameters; of these, the two wanted.
fn entries<'a>(list: &'a str, wanted: [&'a str; 2]) -> impl Iterator<Item = (String, [Option<u64>; 2])> {
    outside_quotes(list, ',').take(MAX_ENTRIES).filter_map(move |entry| {
        let mut pieces = outside_quotes(entry, ';').map(str::trim);
        let name = name(pieces.next()?)?;
        let mut values = [None; 2];
        for (key, value) in pieces.filter_map(|piece| piece.split_once('=')) {
            if let Some(index) = wanted.iter().position(|wanted| *wanted == key.trim()) {
                values[index] = whole_number(value.trim());
            }
        }
        Some((name, values))
    })
}

/// Splits where `separator` stands outside of a quoted string.
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return c == separator && !quoted,
        }
        false
    })
}

fn name(text: &str) -> Option<String> {
    let name = match text.strip_prefix('"') {
        Some(rest) => {
            let mut escaped = false;
            rest.strip_suffix('"')?
                .chars()
                .filter(|c| {
                    escaped = *c == '\\' && !escaped;
                    !escaped
                })
                .collect()
        }
        None if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b)) => text.to_owned(),
        None => return None,
    };
    (1..=MAX_NAME).contains(&name.len()).then_some(name)
}

/// Digits alone: `parse` would take a sign.
fn whole_number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
