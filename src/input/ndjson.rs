//! One JSON value a line; empty lines are nothing, and a broken line is one bad record.

use super::dry_run_report::Rows;
use super::element::{Value, judge};
use super::entry::{Entry, legible};
use super::error::Break;
use super::line::LineReader;
use super::open::Buffered;

pub(super) struct Ndjson {
    lines: LineReader,
    report: Rows,
}

impl Ndjson {
    pub(super) fn new(reader: Buffered, report: Rows) -> Self {
        Self { lines: LineReader::new(reader), report }
    }

    pub(super) fn next(&mut self) -> Result<Option<Entry>, Break> {
        let report = &mut self.report;
        self.lines.find_entry(|position, text| {
            if text.trim_ascii().is_empty() {
                return Ok(None);
            }
            let whole = || legible(text);
            match serde_json::from_slice::<Value<'_>>(text) {
                Ok(value) => judge(position, value, report, whole),
                Err(error) => Ok(Some(Entry::breaking(position, whole(), "not a JSON value", explain(&error)))),
            }
        })
    }
}

/// The parser's words with the column alone: it counts lines from this one.
fn explain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match message.strip_suffix(&place) {
        Some(what) => format!("not a JSON value: {what} (column {})", error.column()),
        None => format!("not a JSON value: {message}"),
    }
}
