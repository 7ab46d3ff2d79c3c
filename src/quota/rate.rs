//! `N/DURATION`: how many requests any window of that length may hold.

#![warn(missing_docs)]

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// The longest window that a rate may have: a day.
const MAX_WINDOW: Duration = Duration::from_hours(24);

/// The most requests that a window may hold; each costs 16 bytes while it counts.
const MAX_COUNT: u32 = 10_000_000;

/// At most `count` requests in any window of length `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: NonZeroU32,
    window: Duration,
}

/// Why a text is not a rate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RateError {
    /// No `/`.
    #[error("expected N/DURATION, for example 1200/5m or 200/1s")]
    Shape,
    /// Not a number from 1 to `MAX_COUNT`.
    #[error("`{0}` is not a number of requests from 1 to {MAX_COUNT}")]
    Count(String),
    /// Not a duration from a millisecond to a day.
    #[error("`{0}` is not a duration from 1ms to 1day, for example 1s, 5m or 1h30m")]
    Window(String),
}

impl Rate {
    /// Cloudflare's limit for a user over all tokens: 1,200 requests in 5 minutes
    /// (<https://developers.cloudflare.com/fundamentals/api/reference/limits>).
    pub const PER_USER: Self = Self { count: NonZeroU32::new(1_200).unwrap(), window: Duration::from_mins(5) };

    /// Cloudflare's limit for an address: 200 requests a second (same source).
    pub const PER_ADDRESS: Self = Self { count: NonZeroU32::new(200).unwrap(), window: Duration::from_secs(1) };

    /// What a namespace with `mode: instant` accepts: one write per second.
    pub const INSTANT: Self = Self { count: NonZeroU32::MIN, window: Duration::from_secs(1) };

    /// The slowest rate.
    pub const SLOWEST: Self = Self { count: NonZeroU32::MIN, window: MAX_WINDOW };

    /// `count` requests in any `window`; `None` if one of them is out of range.
    pub fn new(count: u32, window: Duration) -> Option<Self> {
        let count = NonZeroU32::new(count).filter(|count| count.get() <= MAX_COUNT)?;
        (Duration::from_millis(1)..=MAX_WINDOW).contains(&window).then_some(Self { count, window })
    }

    /// How many requests a window may hold.
    pub fn count(self) -> NonZeroU32 {
        self.count
    }

    /// Part `index` (from 0) of this rate shared out among `count`: together they are exactly this rate. `None` if
    /// there are more parts than requests and nothing is left for this one.
    #[must_use]
    pub fn share(self, index: u32, count: NonZeroU32) -> Option<Self> {
        let (whole, rest) = (self.count.get() / count, self.count.get() % count);
        let count = NonZeroU32::new(whole + u32::from(index < rest))?;
        Some(Self { count, ..self })
    }

    /// The length of a window.
    pub fn window(self) -> Duration {
        self.window
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (count, window) = text.split_once('/').ok_or(RateError::Shape)?;
        let number = count
            .replace('_', "")
            .parse()
            .ok()
            .filter(|number| (1..=MAX_COUNT).contains(number))
            .ok_or_else(|| RateError::Count(count.to_owned()))?;
        // `200/s` is short for `200/1s`.
        let spelled =
            if window.starts_with(|c: char| c.is_ascii_digit()) { window.to_owned() } else { format!("1{window}") };
        let window = humantime::parse_duration(&spelled).map_err(|_| RateError::Window(window.to_owned()))?;
        Self::new(number, window).ok_or(RateError::Window(spelled))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, humantime::format_duration(self.window).to_string().replace(' ', ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_shown() {
        assert_eq!("1200/5m".parse(), Ok(Rate::PER_USER));
        assert_eq!("200/s".parse(), Ok(Rate::PER_ADDRESS));
        assert_eq!(Rate::PER_USER.to_string(), "1200/5m");
        assert_eq!("1/1h30m".parse::<Rate>().unwrap().window(), Duration::from_mins(90));
    }

    #[test]
    fn shares_add_up_and_differ_by_one_at_most() {
        for count in [1_u32, 2, 3, 7, 200, 1_199, 1_200] {
            let parts = (0..count).map(|index| Rate::PER_USER.share(index, count.try_into().unwrap()).unwrap());
            let (mut sum, mut least, mut most) = (0, u32::MAX, 0);
            for part in parts {
                assert_eq!(part.window(), Rate::PER_USER.window());
                let part = part.count().get();
                (sum, least, most) = (sum + part, least.min(part), most.max(part));
            }
            assert_eq!((sum, most - least <= 1), (1_200, true), "{count}");
        }
        let third = |index| Rate::new(2, Duration::from_secs(1)).unwrap().share(index, 3.try_into().unwrap());
        assert_eq!([0, 1, 2].map(|index| third(index).map(|rate| rate.count().get())), [Some(1), Some(1), None]);
    }

    #[test]
    fn what_is_not_a_rate_says_why() {
        assert_eq!("1200".parse::<Rate>(), Err(RateError::Shape));
        assert_eq!("0/1s".parse::<Rate>(), Err(RateError::Count("0".into())));
        assert_eq!("-5/1s".parse::<Rate>(), Err(RateError::Count("-5".into())));
        assert_eq!("5/2days".parse::<Rate>(), Err(RateError::Window("2days".into())));
        assert_eq!("5/0s".parse::<Rate>(), Err(RateError::Window("0s".into())));
        assert_eq!("5/".parse::<Rate>(), Err(RateError::Window(String::new())));
    }
}
