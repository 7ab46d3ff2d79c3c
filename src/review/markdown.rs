//! A review as GitHub-flavored Markdown, for the summary of a step in GitHub Actions.

use std::fmt::Write as _;

use super::text::{duration_ms, shortened};
use super::{Causes, Review};
use crate::terminal::{count, percent, pluralized};

/// Causes that are shown: a step's summary is read at a glance.
const CAUSES: usize = 5;

impl Review {
    pub(crate) fn to_markdown(&self) -> Vec<String> {
        let mut lines = vec![format!("### kvsweep: {}", self.records()), String::new()];
        let jobs = self.job_lines();
        lines.extend(jobs.iter().map(|line| format!("- {}", escaped(line.trim_start()))));
        if !jobs.is_empty() {
            lines.push(String::new());
        }
        lines.extend(["| status | records | share |", "| --- | ---: | ---: |"].map(str::to_owned));
        for (name, number) in self.states() {
            let share = self.whole().map(|whole| percent(number, whole)).unwrap_or_default();
            lines.push(format!("| {name} | {} | {share} |", count(number)));
        }
        lines.extend(cause_table("Kept, by rule", &self.kept));
        lines.extend(cause_table("Not deleted, by cause", &self.causes));
        if self.tally.sent() > 0 {
            let times = [0.5, 0.99].map(|quantile| duration_ms(self.elapsed_ms(quantile)));
            let [half, most] = times;
            lines.extend([String::new(), format!("Time per key: p50 {half}, p99 {most}.")]);
        }
        lines
    }
}

fn cause_table(heading: &str, causes: &Causes) -> Vec<String> {
    let all = causes.by_count();
    if all.is_empty() {
        return Vec::new();
    }
    let head = [String::new(), format!("**{heading}**"), String::new()];
    let mut lines = head.to_vec();
    lines.extend(["| records | cause | for example |", "| ---: | --- | --- |"].map(str::to_owned));
    for cause in all.iter().take(CAUSES) {
        let example = cause.keys.first().map(|key| escaped(&shortened(key))).unwrap_or_default();
        lines.push(format!("| {} | {} | {example} |", count(cause.count), escaped(&cause.headline())));
    }
    let rest = causes.beyond(CAUSES);
    if rest > 0 {
        lines.extend([String::new(), format!("{} for other causes.", pluralized(rest, "record"))]);
    }
    lines
}

/// Text that is only text: as character references, which cannot begin anything (GFM 0.29, "Entity and numeric character
/// references"), no punctuation makes a table cell, a link, a mention or HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_ascii_punctuation() && !".,-()%".contains(char) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "&#{};", u32::from(char));
        } else {
            safe.push(char);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_only_text() {
        assert_eq!(escaped("a|b <img> @user"), "a&#124;b &#60;img&#62; &#64;user");
        assert_eq!(escaped("`*_[x](https://y)"), "&#96;&#42;&#95;&#91;x&#93;(https&#58;&#47;&#47;y)");
    }
}
