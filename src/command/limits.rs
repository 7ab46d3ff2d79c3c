//! What a namespace's mode means for a job: how fast it goes by default, and whether it costs anything.

use crate::api::Namespace;
use crate::quota::Rate;
use crate::shard::Shard;
use crate::terminal::Escaped;

use super::session::RatesFrom;

/// The mode of a namespace that accepts one write per second and is not billed by operation.
const INSTANT: &str = "instant";

/// How fast a job goes, and whether it costs anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    /// The rates to keep; none for no limit.
    pub(super) rates: Vec<Rate>,
    /// Whether the namespace is in instant mode.
    pub(super) is_instant: bool,
    /// Whether its rate was taken because the user gave none.
    is_default: bool,
}

impl Limits {
    /// Those of a job that no namespace changes.
    pub(super) fn new(rates: &[Rate]) -> Self {
        Self { rates: rates.to_vec(), is_instant: false, is_default: false }
    }

    /// Those of a job over `namespace`; `shard` is the part of the keys that is taken, which gets its part of the default.
    pub(super) fn over(namespace: &Namespace, rates: &[Rate], from: RatesFrom, shard: Option<Shard>) -> Self {
        let is_instant = namespace.mode.as_deref() == Some(INSTANT);
        let is_default = is_instant && from == RatesFrom::Default;
        let rates = if is_default { vec![default_rate(shard)] } else { rates.to_vec() };
        Self { rates, is_instant, is_default }
    }

    /// What to know before the job begins, if the mode changes its speed.
    pub(super) fn note(&self) -> Option<String> {
        let rate = self.rates.first().filter(|_| self.is_default)?;
        Some(format!("the namespace is in instant mode and accepts 1 write per second: the default --rate is {rate}"))
    }

    /// Logs the note, where nobody is asked.
    pub(super) fn warn(&self) {
        if let Some(note) = self.note() {
            tracing::warn!("{}", Escaped(&note));
        }
    }
}

/// A write per second, shared out among all parts. A single request cannot be, but its window can.
fn default_rate(shard: Option<Shard>) -> Rate {
    let parts = shard.map_or(1, |shard| shard.count().get());
    Rate::new(1, Rate::INSTANT.window() * parts).unwrap_or(Rate::SLOWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(mode: Option<&str>) -> Namespace {
        let mode = mode.map(str::to_owned);
        let mut namespace = Namespace::new("id", "t", None);
        namespace.mode = mode;
        namespace
    }

    #[test]
    fn a_rate_that_was_given_wins_over_the_mode() {
        let rates = [Rate::PER_USER];
        for (mode, from, is_instant, expected) in [
            (None, RatesFrom::Default, false, Rate::PER_USER),
            (Some("standard"), RatesFrom::Default, false, Rate::PER_USER),
            (Some("instant"), RatesFrom::User, true, Rate::PER_USER),
            (Some("instant"), RatesFrom::Default, true, Rate::INSTANT),
        ] {
            let limits = Limits::over(&namespace(mode), &rates, from, None);
            assert_eq!((&limits.rates[..], limits.is_instant), (&[expected][..], is_instant), "{mode:?} {from:?}");
            assert_eq!(limits.note().is_some(), is_instant && from == RatesFrom::Default, "{mode:?} {from:?}");
        }
        // No limit at all is a limit that was given.
        assert_eq!(Limits::over(&namespace(Some("instant")), &[], RatesFrom::User, None).rates, []);
    }

    #[test]
    fn parts_of_a_job_share_one_write_per_second() {
        let limits = |shard: &str| {
            Limits::over(&namespace(Some("instant")), &[], RatesFrom::Default, Some(shard.parse().unwrap()))
        };
        assert_eq!(limits("2/4").rates, ["1/4s".parse().unwrap()]);
    }
}
