//! How a moment of a job reads, on a bar and on a line of its own.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::clock::minute;
use crate::outcome::StopReason;
use crate::pipeline::PauseCause;
use crate::terminal::{count, duration, percent, pluralized};

#[derive(Debug, Clone, Default, PartialEq)]
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
    pub(super) left: Option<Left>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Doing {
    Running { per_second: Option<f64> },
    Paused { cause: PauseCause, left: Duration },
    Draining { reason: StopReason, in_flight: u64 },
}

/// How long the job takes from `now` on, pauses included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Left {
    pub(super) time: Duration,
    pub(super) now: SystemTime,
    pub(super) in_bulk: Option<Duration>,
}

const SEPARATOR: &str = " · ";

/// A time left from which on its end is shown as well.
const LONG: Duration = Duration::from_hours(1);

impl View {
    /// What is shown, in the order of a line.
    fn parts(&self) -> Vec<String> {
        let mut parts = vec![match self.total {
            Some(total) => format!("{}/{} ({})", count(self.done), count(total), percent(self.done, total)),
            None => pluralized(self.done, "key"),
        }];
        let counts = [(self.pages, "page"), (self.retries, "retry")];
        let states = [(self.failed, "failed"), (self.invalid, "invalid")];
        if let Doing::Running { per_second: Some(speed) } = self.doing {
            parts.push(rate(speed));
        }
        parts.extend(states.iter().filter(|(number, _)| *number > 0).map(|(n, what)| format!("{} {what}", count(*n))));
        parts.extend(counts.iter().filter(|(number, _)| *number > 0).map(|(number, what)| match *what {
            "retry" if *number != 1 => format!("{} retries", count(*number)),
            what => pluralized(*number, what),
        }));
        parts.extend(self.doing.in_words());
        // A job that is started again waits for the same pause.
        let in_bulk = |left: Left| left.in_bulk.filter(|_| !matches!(self.doing, Doing::Paused { .. }));
        parts.extend(self.left.map(|left| Left { in_bulk: in_bulk(left), ..left }.to_string()));
        parts
    }

    /// A bar, if the total is known, and the same on as many lines as it takes in so many columns.
    pub(super) fn lines(&self, columns: usize) -> String {
        let mut text = self.total.map(|total| bar(self.done, total, columns)).unwrap_or_default();
        let mut used = 0;
        for part in self.parts() {
            let length = part.chars().count();
            let (separator, width) = match used {
                0 => ("", 0),
                _ if used + SEPARATOR.chars().count() + length > columns => ("\n", 0),
                _ => (SEPARATOR, used + SEPARATOR.chars().count()),
            };
            text.push_str(separator);
            text.push_str(&part);
            used = width + length;
        }
        text
    }
}

/// `[====>     ]` and a line end.
fn bar(done: u64, total: u64, columns: usize) -> String {
    let width = columns.saturating_sub(2);
    let filled = (u128::from(done.min(total)) * width as u128).checked_div(u128::from(total));
    let filled = filled.and_then(|filled| usize::try_from(filled).ok()).unwrap_or(width);
    let head = if filled < width { ">" } else { "" };
    let rest = " ".repeat(width - filled - head.len());
    format!("[{}{head}{rest}]\n", "=".repeat(filled))
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts().join(SEPARATOR))
    }
}

impl Default for Doing {
    fn default() -> Self {
        Self::Running { per_second: None }
    }
}

impl Doing {
    fn in_words(&self) -> Option<String> {
        Some(match *self {
            Self::Running { .. } => return None,
            Self::Paused { cause, left } => {
                let when = if left.is_zero() { "now".to_owned() } else { format!("in {}", whole(left)) };
                match cause {
                    PauseCause::Throttled => format!("paused by Cloudflare, resuming {when}"),
                    PauseCause::Rate => format!("rate limit, resuming {when}"),
                    PauseCause::Outage => format!("API unreachable, next probe {when}"),
                }
            }
            Self::Draining { reason, in_flight: 0 } => format!("stopping ({})", because(reason)),
            Self::Draining { reason, in_flight } => {
                let again = if reason == StopReason::Interrupted { ", Ctrl-C again to end at once" } else { "" };
                let requests = pluralized(in_flight, "request");
                format!("stopping ({}), waiting for {requests}{again}", because(reason))
            }
        })
    }
}

/// `about 1h 25m to go (11:31 UTC), 1s with --bulk`.
impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "about {} to go", whole(self.time))?;
        if self.time > LONG {
            let end = self.now.checked_add(self.time).unwrap_or(self.now);
            write!(f, " ({})", minute(end, self.now))?;
        }
        match self.in_bulk {
            Some(in_bulk) if in_bulk < Duration::from_secs(1) => write!(f, ", under a second with --bulk"),
            Some(in_bulk) => write!(f, ", {} with --bulk", whole(in_bulk)),
            None => Ok(()),
        }
    }
}

impl View {
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
        StopReason::DailyLimit => "daily limit",
        StopReason::MaxFailures => "--max-failures",
        StopReason::MaxKeys => "--max-keys",
        StopReason::MinKeys => "--min-keys",
        StopReason::Expect => "--expect",
        StopReason::Canary => "--canary",
        StopReason::Outage => "--max-wait",
        StopReason::Deadline => "--deadline",
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

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn left(time: Duration) -> Left {
        Left { time, now: NOW + 36_000 * SECOND, in_bulk: None }
    }

    fn view(doing: Doing) -> View {
        let left = Some(left(9_360 * SECOND));
        View { done: 12_345, total: Some(50_000), failed: 3, invalid: 0, retries: 12, pages: 0, doing, left }
    }

    fn running() -> Doing {
        Doing::Running { per_second: Some(4.02) }
    }

    #[test]
    fn a_line_reads_well() {
        let paused = |cause, left| view(Doing::Paused { cause, left });
        let few = View { done: 99, total: Some(20_000), failed: 0, retries: 0, ..view(running()) };
        let limited = Doing::Paused { cause: PauseCause::Rate, left: 297 * SECOND };
        let views = [
            View { doing: limited, left: Some(left(5_100 * SECOND)), ..few.clone() },
            View { left: Some(left(3_600 * SECOND)), ..few.clone() },
            view(running()),
            View { total: None, retries: 1, invalid: 1_000, pages: 13, left: None, ..view(running()) },
            View { left: Some(Left { in_bulk: Some(SECOND), ..left(9_360 * SECOND) }), ..view(running()) },
            View { left: Some(left(93_600 * SECOND)), ..view(running()) },
            View { done: 0, left: None, ..View { doing: Doing::Running { per_second: None }, ..few } },
            paused(PauseCause::Throttled, 252 * SECOND),
            paused(PauseCause::Throttled, Duration::from_millis(3_200)),
            paused(PauseCause::Throttled, Duration::ZERO),
            paused(PauseCause::Outage, 12 * SECOND),
            paused(PauseCause::Outage, Duration::ZERO),
            view(Doing::Draining { reason: StopReason::Interrupted, in_flight: 1 }),
            view(Doing::Draining { reason: StopReason::DailyLimit, in_flight: 0 }),
        ];
        insta::assert_snapshot!(views.map(|view| view.to_string()).join("\n"));
    }

    #[test]
    fn a_narrow_terminal_hides_nothing() {
        let paused = view(Doing::Paused { cause: PauseCause::Rate, left: 297 * SECOND });
        assert_eq!(
            paused.lines(40),
            "[=========>                            ]\n12,345/50,000 (24.6%) · 3 failed\n12 retries\nrate limit, resuming \
             in 4m 57s\nabout 2h 36m to go (12:36 UTC)"
        );
        assert!(paused.lines(200).ends_with(&format!("]\n{paused}")));
        assert_eq!(
            [(0, 0), (7, 7), (0, 7)].map(|(done, total)| bar(done, total, 6)),
            ["[====]\n", "[====]\n", "[>   ]\n"]
        );
    }

    #[test]
    fn json_reads_like_the_log() {
        let at = SystemTime::UNIX_EPOCH + 1_790_000_000 * SECOND;
        insta::assert_snapshot!(view(running()).to_json(at));
    }

    #[test]
    fn rates_are_readable_at_every_size() {
        let shown = [0.0, 0.05, 0.94, 0.96, 4.0, 99.94, 99.96, 12_345.6].map(rate);
        assert_eq!(shown, ["0.0/s", "3.0/min", "56.4/min", "1.0/s", "4.0/s", "99.9/s", "100/s", "12,346/s"]);
    }
}
