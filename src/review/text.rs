//! A review and a comparison for a person: lines that fit a terminal, with foreign text made harmless.

use std::time::Duration;

use super::timeline::{Bin, moment};
use super::{Cause, Causes, Diff, MOST_ATTEMPTS, Review};
use crate::report::states_to_text;
use crate::terminal::{Escaped, count, duration, pluralized};

const CAUSES: usize = 10;

const SHOWN: usize = 160;

const COLUMNS: usize = 60;

impl Review {
    pub(crate) fn to_text(&self) -> Vec<String> {
        let records = self.records();
        let superseded = match self.superseded() {
            0 => String::new(),
            rows => format!("; {} replaced by a later one", pluralized(rows, "row")),
        };
        let mut lines = vec![format!("{} with {records}{superseded}", pluralized(self.files.len() as u64, "report"))];
        if self.inputs > 1 {
            lines.push(format!("they belong to {} different inputs; their counts are added up", self.inputs));
        }
        lines.extend(self.job_lines());
        lines.push(String::new());
        lines.extend(states_to_text(&self.states(), self.whole()));
        lines.extend(cause_lines("kept, by rule", &self.kept));
        lines.extend(cause_lines(&format!("not {}, by cause", self.done().1), &self.causes));
        lines.extend(self.time_lines());
        lines
    }

    /// Those that occurred.
    pub(super) fn states(&self) -> Vec<(&'static str, u64)> {
        let all = self.tally.by_name().chain([("not attempted", self.not_attempted().unwrap_or_default())]);
        all.filter(|(_, number)| *number > 0).collect()
    }

    fn time_lines(&self) -> Vec<String> {
        if self.tally.sent() == 0 {
            return Vec::new();
        }
        let quantile = |quantile| duration_ms(self.elapsed_ms(quantile));
        let mut lines = vec![
            String::new(),
            format!("retries          {}", self.retries(", ")),
            format!(
                "time per key     p50 {}  p90 {}  p99 {}  max {}",
                quantile(0.5),
                quantile(0.9),
                quantile(0.99),
                quantile(1.0)
            ),
        ];
        let (timeline, span) = (&self.timeline, self.timeline.span());
        let rate = self.rate().map(|rate| format!(", {rate:.1} keys/s")).unwrap_or_default();
        let from = timeline.start_ms();
        let to = from + u64::try_from(span.as_millis()).unwrap_or_default();
        lines.push(format!("sent             {} to {} ({}{rate})", moment(from), moment(to), duration(span)));
        let (pauses, together, longest) = timeline.pauses();
        lines.extend(timeline.idle_to_text().map(|idle| format!("not running      {idle}")));
        if let Some(most) = longest.iter().filter(|pause| !pause.is_idle).max_by_key(|pause| pause.length_ms) {
            lines.push(format!(
                "pauses           {} of 2s or more, {} together; the longest {} from {}",
                count(pauses),
                duration(together),
                duration(Duration::from_millis(most.length_ms)),
                moment(most.from_ms)
            ));
        }
        let (picture, most, width) = spark(timeline.bins(), timeline.width());
        if timeline.bins().len() > 1 {
            lines.extend([String::new(), format!("keys over time (column: {width}, peak: {most})"), picture]);
        }
        lines
    }

    pub(super) fn attempt_counts(&self) -> impl Iterator<Item = (usize, u64)> {
        self.attempts.iter().copied().enumerate().filter(|&(_, records)| records > 0)
    }

    /// `2 keys with 3 requests`.
    pub(super) fn retries(&self, separator: &str) -> String {
        let retried = self.attempt_counts().filter(|(n, _)| *n > 1).map(|(n, records)| {
            let more = if n == MOST_ATTEMPTS { " or more" } else { "" };
            format!("{} with {n}{more} requests", pluralized(records, "key"))
        });
        let retried: Vec<_> = retried.collect();
        if retried.is_empty() { "none".to_owned() } else { retried.join(separator) }
    }
}

impl Cause {
    /// `failed, HTTP 403, code 10000: Authentication error`.
    pub(super) fn headline(&self) -> String {
        let http_status = self.http_status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
        let code = self.error_code.map(|code| format!(", code {code}")).unwrap_or_default();
        let error = if self.error.is_empty() { String::new() } else { format!(": {}", shortened(&self.error)) };
        format!("{}{http_status}{code}{error}", self.status)
    }
}

impl Diff {
    pub(crate) fn to_text(&self) -> Vec<String> {
        let mut lines = vec![format!("{} planned", pluralized(self.planned, "key")), String::new()];
        let rows = self.done.by_name().chain([("no row", self.not_done)]);
        let rows: Vec<_> = rows.filter(|(_, number)| *number > 0).collect();
        lines.extend(states_to_text(&rows, Some(self.planned)));
        let mut differ = |count: u64, what: &str, keys: &[String]| {
            if count > 0 {
                lines.extend([String::new(), format!("{} {what}", pluralized(count, "key"))]);
                lines.push(format!("  such as {}", samples(keys)));
            }
        };
        differ(self.planned_not_gone(), "planned and not deleted", &self.not_gone_keys);
        differ(self.unplanned.total(), "sent without having been planned", &self.unplanned_keys);
        if !self.differs() {
            lines.extend([String::new(), "The job did exactly what was planned.".to_owned()]);
        }
        lines
    }
}

fn cause_lines(heading: &str, all: &Causes) -> Vec<String> {
    let causes = all.by_count();
    if causes.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), heading.to_owned()];
    for cause in causes.iter().take(CAUSES) {
        lines.push(format!("{:>9}  {}", count(cause.count), cause.headline()));
        let named: Vec<_> = cause.keys.iter().filter(|key| !key.is_empty()).cloned().collect();
        if !named.is_empty() {
            lines.push(format!("{:11}such as {}", "", samples(&named)));
        }
    }
    let rest = all.beyond(CAUSES);
    if rest > 0 {
        lines.push(format!("{:>9}  for other causes: --json or --html show more", count(rest)));
    }
    lines
}

/// Milliseconds below a second, else two units.
pub(super) fn duration_ms(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms}ms"),
        _ if ms < 10_000 && ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        _ => duration(Duration::from_millis(ms)),
    }
}

fn samples(keys: &[String]) -> String {
    keys.iter().map(|key| shortened(key)).collect::<Vec<_>>().join("  ")
}

/// Foreign text, harmless and not long.
pub(super) fn shortened(text: &str) -> String {
    let shown = Escaped(text).to_string();
    match shown.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// A line of blocks, the highest count in one of them, and what time one is.
fn spark(bins: &[Bin], width: Duration) -> (String, String, String) {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let together = bins.len().div_ceil(COLUMNS).max(1);
    let columns: Vec<u64> = bins.chunks(together).map(|bins| bins.iter().map(|bin| bin.total()).sum()).collect();
    let most = columns.iter().copied().max().unwrap_or_default();
    let block = |&number: &u64| match number {
        0 => ' ',
        _ => BLOCKS[usize::try_from((number * 8).div_ceil(most.max(1))).unwrap_or(8).clamp(1, 8) - 1],
    };
    let width = u32::try_from(together).map_or(width, |together| width * together);
    let width = duration_ms(u64::try_from(width.as_millis()).unwrap_or(u64::MAX));
    (columns.iter().map(block).collect(), pluralized(most, "key"), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_pauses_as_gaps() {
        let bin = |done| Bin { done, ..Bin::default() };
        let (picture, most, width) = spark(&[bin(1), bin(0), bin(800), bin(400)], Duration::from_secs(10));
        assert_eq!((picture.as_str(), most.as_str(), width.as_str()), ("▁ █▄", "800 keys", "10s"));
        let (picture, most, width) = spark(&vec![bin(2); 120], Duration::from_millis(50));
        assert_eq!((picture.chars().count(), most.as_str(), width.as_str()), (60, "4 keys", "100ms"));
    }

    #[test]
    fn long_text_is_cut_and_harmless() {
        assert_eq!(shortened(&"é".repeat(161)).chars().count(), 161);
        assert_eq!(shortened("a\u{1b}b"), "a\\u{1b}b");
    }
}
