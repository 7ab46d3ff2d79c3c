//! Statistics for a person, as lines of a given width, with foreign text made harmless.

use super::{Example, InvalidReasons, Prefix, Stats};
use crate::terminal::{Escaped, EscapedKey, count, hanging_indent, padded_note, percent, pluralized};

/// Prefixes that are shown.
const ROWS: usize = 12;

/// The smallest part of all keys that a prefix is shown for.
const LEAST: f64 = 0.01;

/// Rules that are shown.
const RULES: usize = 8;

/// Examples of each that are shown.
const EXAMPLES: usize = 2;

/// Names are not shortened below this, however narrow the terminal.
const NARROWEST: usize = 12;

impl Stats {
    /// Keys, lengths and prefixes, then why the other records are not sent; no line is wider than `width` unless it
    /// is very narrow.
    pub(crate) fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        self.add_ends(&mut lines, width);
        self.add_prefixes(&mut lines, width);
        add_reasons(&mut lines, "kept keys, by rule", &self.kept, width);
        add_reasons(&mut lines, "invalid records, by reason", &self.invalid, width);
        lines
    }

    fn add_ends(&self, lines: &mut Vec<String>, width: usize) {
        let Some((shortest, median, longest)) = self.lengths() else { return };
        let key = |key: &str| format!("  {}", cut(&EscapedKey(key).to_string(), room(width, 2)));
        let last: Vec<_> = self.last().map(key).collect();
        lines.push(if last.is_empty() { "keys" } else { "first keys" }.to_owned());
        lines.extend(self.first().map(key));
        if !last.is_empty() {
            lines.push("last keys".to_owned());
            lines.extend(last);
        }
        let bytes = if shortest == longest {
            pluralized(longest as u64, "byte")
        } else {
            format!("{shortest} to {longest} bytes, median {median}")
        };
        lines.push(format!("name length  {bytes}"));
        lines.extend(padded_note(self.padded));
    }

    fn add_prefixes(&self, lines: &mut Vec<String>, width: usize) {
        let biggest = self.prefixes.biggest(ROWS, LEAST);
        if biggest.is_empty() {
            return;
        }
        let heading = "largest prefixes";
        let error = biggest.iter().map(Prefix::largest_error).max().unwrap_or_default();
        let mut inexact = Vec::new();
        inexact.extend(self.sampled().map(|names| format!("about, from a sample of {}", pluralized(names, "name"))));
        inexact.extend((error > 0).then(|| format!("may be too low by {} at most", count(error))));
        if inexact.is_empty() {
            lines.push(heading.to_owned());
        } else {
            lines.extend(hanging_indent(heading, &format!("({})", inexact.join("; ")), width));
        }
        let total = self.prefixes.total();
        let others = total.saturating_sub(biggest.iter().map(|prefix| prefix.keys).sum());
        // An estimate is not shown to the last key.
        let shown = |keys: u64| count(if self.sampled().is_some() { rounded(keys) } else { keys });
        let widest = biggest.iter().map(|prefix| prefix.keys).chain([others]).max().unwrap_or_default();
        let digits = shown(widest).len();
        let row = |keys: u64| format!("  {:>digits$}  {:>5}", shown(keys), percent(keys, total));
        for prefix in &biggest {
            add_tree(lines, prefix, 0, width, &row);
        }
        if others > 0 {
            lines.push(format!("{}  (others)", row(others)));
        }
    }
}

fn add_reasons(lines: &mut Vec<String>, heading: &str, all: &InvalidReasons, width: usize) {
    let reasons = all.by_count();
    if reasons.is_empty() {
        return;
    }
    lines.push(heading.to_owned());
    let digits = reasons.first().map(|reason| count(reason.records).len()).unwrap_or_default();
    for reason in reasons.iter().take(RULES) {
        let label = format!("  {:>digits$}", count(reason.records));
        lines.extend(hanging_indent(&label, &Escaped(&reason.rule).to_string(), width));
        let indent = " ".repeat(label.chars().count() + 2);
        for Example { record, key, error } in reason.examples.iter().take(EXAMPLES) {
            let room = room(width, indent.len());
            let key = Escaped(key).to_string();
            let key = if key.is_empty() { key } else { format!(": {}", cut(&key, room / 2)) };
            // A reason that says more than its rule begins with the place.
            let place = error.split_once(": ").filter(|_| *error != reason.rule);
            let place = place.map(|(place, _)| format!(" ({})", Escaped(place))).unwrap_or_default();
            lines.push(format!("{indent}{}", cut(&format!("record {record}{key}{place}"), room)));
        }
    }
    let more = reasons.iter().skip(RULES).map(|reason| reason.records).sum::<u64>() + all.others();
    if more > 0 {
        lines.push(format!("  {} for other reasons", count(more)));
    }
}

fn add_tree(lines: &mut Vec<String>, prefix: &Prefix, depth: usize, width: usize, row: &impl Fn(u64) -> String) {
    let row_text = row(prefix.keys);
    let indent = 2 + 2 * depth;
    let name = tail(&prefix.name, room(width, row_text.chars().count() + indent));
    lines.push(format!("{row_text}{:indent$}{name}", ""));
    for longer in &prefix.longer {
        add_tree(lines, longer, depth + 1, width, row);
    }
}

/// To three digits.
fn rounded(number: u64) -> u64 {
    let unit = 10_u64.pow(number.checked_ilog10().unwrap_or_default().saturating_sub(2));
    number.saturating_add(unit / 2) / unit * unit
}

fn room(width: usize, taken: usize) -> usize {
    width.saturating_sub(taken).max(NARROWEST)
}

/// Columns that a character may take: two of some that are not ASCII, so of none more than there are.
fn columns(c: char) -> usize {
    if c.is_ascii() { 1 } else { 2 }
}

/// As much of a foreign text's end as there is room for: prefixes differ there.
fn tail(text: &str, room: usize) -> String {
    let backwards: String = Escaped(text).to_string().chars().rev().collect();
    cut(&backwards, room).chars().rev().collect()
}

/// As much of the beginning as there is room for.
fn cut(shown: &str, room: usize) -> String {
    if shown.chars().map(columns).sum::<usize>() <= room {
        return shown.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let fits = |c: &char| {
        let fits = columns(*c) <= left;
        left = left.saturating_sub(columns(*c));
        fits
    };
    let kept: String = shown.chars().take_while(fits).collect();
    // The end may have been cut off before.
    format!("{}…", kept.trim_end_matches('…'))
}
