//! `--expiring-before`: a moment, or how far from now one is.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;

use super::time::duration;

/// A moment as it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhenArg {
    /// The text.
    pub said: String,
    when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    At(SystemTime),
    In(Duration),
}

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected a time such as 2026-12-31T00:00:00Z, or a duration from now such as 7d")]
pub struct WhenError;

impl FromStr for WhenArg {
    type Err = WhenError;

    fn from_str(text: &str) -> Result<Self, WhenError> {
        let when = match (humantime::parse_rfc3339(text), duration(text)) {
            (Ok(moment), _) => When::At(moment),
            (_, Ok(duration)) => When::In(duration),
            _ => return Err(WhenError),
        };
        Ok(Self { said: text.to_owned(), when })
    }
}

impl WhenArg {
    /// When that is, in seconds since the Unix epoch.
    pub fn at(&self, now: SystemTime) -> u64 {
        let moment = match self.when {
            When::At(moment) => moment,
            When::In(duration) => now + duration,
        };
        moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_stands_still_and_a_duration_moves() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000);
        let at = |text: &str| text.parse::<WhenArg>().map(|when| when.at(now));
        assert_eq!(at("1970-01-02T00:00:00Z"), Ok(86_400));
        assert_eq!(at("1h"), Ok(4_600));
        for text in ["", "tomorrow", "2026-13-01T00:00:00Z", "7"] {
            assert_eq!(at(text), Err(WhenError), "{text}");
        }
    }
}
