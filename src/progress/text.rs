//! How a moment of a job reads, on a bar and on a line of its own.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::outcome::StopReason;
use crate::pipeline::PauseCause;
use crate::terminal::{count, duration, pluralized};

/// How things stand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct View {
    /// Records with a final state, those of an earlier run included.
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    /// Failed and unknown.
    pub(super) failed: u64,
    pub(super) invalid: u64,
    pub(super) retries: u64,
    /// Pages of a listing; 0 for other jobs.
    pub(super) pages: u64,
    pub(super) doing: Doing,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Doing {
    Running { per_second: Option<f64>, left: Option<Duration>, in_bulk: Option<Duration> },
    Paused { cause: PauseCause, left: Duration },
    Draining { reason: StopReason, in_flight: u64 },
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(total) => {
                let percent = percent(self.done, total);
                write!(f, "{} of {} ({percent})", count(self.done), pluralized(total, "key"))?;
            }
            None => f.write_str(&pluralized(self.done, "key"))?,
        }
        if self.pages > 0 {
            write!(f, " in {}", pluralized(self.pages, "page"))?;
        }
        if let Doing::Running { per_second: Some(speed), .. } = self.doing {
            write!(f, ", {}", rate(speed))?;
        }
        for (number, what) in [(self.failed, "failed"), (self.invalid, "invalid")] {
            if number > 0 {
                write!(f, ", {} {what}", count(number))?;
            }
        }
        match self.retries {
            0 => {}
            1 => f.write_str(", 1 retry")?,
            retries => write!(f, ", {} retries", count(retries))?,
        }
        write!(f, "{}", self.doing)
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Running { left: Some(left), in_bulk: Some(in_bulk), .. } => {
                write!(f, ", about {} left (with --bulk {})", whole(left), whole(in_bulk))
            }
            Self::Running { left: Some(left), .. } => write!(f, ", about {} left", whole(left)),
            Self::Running { left: None, .. } => Ok(()),
            Self::Paused { cause, left } if left.is_zero() => match cause {
                PauseCause::Throttled => f.write_str(", pause is over, going on"),
                PauseCause::Rate => f.write_str(", the rate allows more now"),
                PauseCause::Outage => f.write_str(", the server does not answer, trying now"),
            },
            Self::Paused { cause, left } => match cause {
                PauseCause::Throttled => write!(f, ", paused by the server, {} left", whole(left)),
                PauseCause::Rate => write!(f, ", waiting for the rate, {} left", whole(left)),
                PauseCause::Outage => write!(f, ", the server does not answer, next try in {}", whole(left)),
            },
            Self::Draining { reason, in_flight: 0 } => write!(f, ", stopping ({})", because(reason)),
            Self::Draining { reason, in_flight } => {
                let waiting = pluralized(in_flight, "request");
                write!(f, ", stopping ({}), waiting for {waiting}", because(reason))
            }
        }
    }
}

impl View {
    /// The same as an entry of a JSON log.
    pub(super) fn to_json(&self, at: SystemTime) -> String {
        json!({
            "timestamp": humantime::format_rfc3339_millis(at).to_string(),
            "level": "INFO",
            "target": "kvsweep::progress",
            "message": self.to_string(),
            "done": self.done,
            "total": self.total,
            "failed": self.failed,
            "invalid": self.invalid,
            "retries": self.retries,
        })
        .to_string()
    }
}

/// `24.7%`, rounded down: 100 % is said when it is true.
fn percent(done: u64, total: u64) -> String {
    let permille = if total == 0 { 1_000 } else { (u128::from(done) * 1_000 / u128::from(total)).min(1_000) };
    format!("{}.{}%", permille / 10, permille % 10)
}

/// `4.0/s`, `1,234/s`; a slow one by the minute.
fn rate(per_second: f64) -> String {
    if per_second >= 99.95 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive here, and a cast saturates"
        )]
        let whole = per_second.round() as u64;
        return format!("{}/s", count(whole));
    }
    if per_second > 0.0 && per_second < 0.95 {
        return format!("{:.1}/min", per_second * 60.0);
    }
    format!("{per_second:.1}/s")
}

/// Rounded up to whole seconds, so that a countdown does not flicker and `0s` is never left.
fn whole(left: Duration) -> String {
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    if seconds < 10 {
        return format!("{seconds}s");
    }
    duration(Duration::from_secs(seconds))
}

fn because(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Unauthorized => "not authorized",
        StopReason::NamespaceNotFound => "no such namespace",
        StopReason::AccountNotFound => "no such account",
        StopReason::DailyLimit => "daily limit reached",
        StopReason::MaxFailures => "too many failures",
        StopReason::MaxKeys => "too many keys",
        StopReason::MinKeys => "too few keys",
        StopReason::Expect => "not the expected number of keys",
        StopReason::Canary => "--canary failed",
        StopReason::Outage => "outage",
        StopReason::Deadline => "deadline",
        StopReason::Interrupted => "interrupted",
        StopReason::InputError => "cannot read the input",
        StopReason::IoError => "cannot write a file",
        StopReason::UnexpectedResponse => "not the API",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn view(doing: Doing) -> View {
        View { done: 12_345, total: Some(50_000), failed: 3, invalid: 0, retries: 12, pages: 0, doing }
    }

    fn running() -> Doing {
        Doing::Running { per_second: Some(4.02), left: Some(9_360 * SECOND), in_bulk: None }
    }

    #[test]
    fn a_line_reads_well() {
        let paused = |cause, left| view(Doing::Paused { cause, left });
        let views = [
            view(running()),
            View { total: None, retries: 1, invalid: 1_000, ..view(running()) },
            view(Doing::Running { per_second: Some(4.02), left: Some(9_360 * SECOND), in_bulk: Some(SECOND) }),
            View {
                done: 0,
                failed: 0,
                retries: 0,
                pages: 0,
                ..view(Doing::Running { per_second: None, left: None, in_bulk: None })
            },
            paused(PauseCause::Throttled, 252 * SECOND),
            paused(PauseCause::Throttled, Duration::from_millis(3_200)),
            paused(PauseCause::Throttled, Duration::ZERO),
            paused(PauseCause::Rate, 294 * SECOND),
            paused(PauseCause::Rate, Duration::ZERO),
            paused(PauseCause::Outage, 12 * SECOND),
            paused(PauseCause::Outage, Duration::ZERO),
            view(Doing::Draining { reason: StopReason::Interrupted, in_flight: 1 }),
            view(Doing::Draining { reason: StopReason::DailyLimit, in_flight: 0 }),
        ];
        insta::assert_snapshot!(views.map(|view| view.to_string()).join("\n"), @r"
        12,345 of 50,000 keys (24.6%), 4.0/s, 3 failed, 12 retries, about 2h 36m left
        12,345 keys, 4.0/s, 3 failed, 1,000 invalid, 1 retry, about 2h 36m left
        12,345 of 50,000 keys (24.6%), 4.0/s, 3 failed, 12 retries, about 2h 36m left (with --bulk 1s)
        0 of 50,000 keys (0.0%)
        12,345 of 50,000 keys (24.6%), 3 failed, 12 retries, paused by the server, 4m 12s left
        12,345 of 50,000 keys (24.6%), 3 failed, 12 retries, paused by the server, 4s left
        12,345 of 50,000 keys (24.6%), 3 failed, 12 retries, pause is over, going on
        12,345 of 50,000 keys (24.6%), 3 failed, 12 retries, waiting for the rate, 4m 54s left
        12,345 of 50,000 keys (24.6%), 3 failed, 12 retries, the rate allows more now
        12,345 of 50,000 keys (24.6%), 3 failed, 12 retries, the server does not answer, next try in 12s
        12,345 of 50,000 keys (24.6%), 3 failed, 12 retries, the server does not answer, trying now
        12,345 of 50,000 keys (24.6%), 3 failed, 12 retries, stopping (interrupted), waiting for 1 request
        12,345 of 50,000 keys (24.6%), 3 failed, 12 retries, stopping (daily limit reached)
        ");
    }

    #[test]
    fn json_reads_like_the_log() {
        let at = SystemTime::UNIX_EPOCH + 1_790_000_000 * SECOND;
        insta::assert_snapshot!(view(running()).to_json(at));
    }

    #[test]
    fn a_percentage_never_promises_too_much() {
        let shown = [(0, 0), (0, 7), (999_999, 1_000_000), (7, 7), (9, 7), (u64::MAX, u64::MAX)];
        assert_eq!(
            shown.map(|(done, total)| percent(done, total)),
            ["100.0%", "0.0%", "99.9%", "100.0%", "100.0%", "100.0%"]
        );
    }

    #[test]
    fn rates_are_readable_at_every_size() {
        let shown = [0.0, 0.05, 0.94, 0.96, 4.0, 99.94, 99.96, 12_345.6].map(rate);
        assert_eq!(shown, ["0.0/s", "3.0/min", "56.4/min", "1.0/s", "4.0/s", "99.9/s", "100/s", "12,346/s"]);
    }
}
