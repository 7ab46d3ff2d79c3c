//! Keys as lines, CSV or NDJSON, each ready to be an input of `kvsweep delete`.

use std::io;

use clap::ValueEnum;
use thiserror::Error;

use crate::api::{ListedKey, Metadata};
use crate::format::csv_writer::write_row;
use crate::input::reads_as_lines;
use crate::terminal::{Escaped, Quoted};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The name alone, one a line.
    Lines,
    /// `key,expiration,metadata`, with a header.
    Csv,
    /// One JSON object per line, as the API lists it.
    Ndjson,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "no name of the first page, such as {}, can begin a list of lines: it would be read as another format\nhint: pass \
     --format csv or --format ndjson", Quoted(.0)
)]
pub(crate) struct NotRepresentable(String);

/// Whether a line can hold the name, so that a reader of lines gets it back.
pub(super) fn fits_on_a_line(name: &str) -> bool {
    !name.is_empty() && !name.contains(['\n', '\r'])
}

#[derive(Debug)]
pub(crate) struct Encoder {
    format: Format,
    /// Whether a person reads it: then what could move a cursor is escaped.
    terminal: bool,
    begun: bool,
    /// How many names no line could hold, with the first of them.
    skipped: Option<(u64, String)>,
}

impl Encoder {
    pub(crate) fn new(format: Format, terminal: bool, begun: bool) -> Self {
        Self { format, terminal, begun, skipped: None }
    }

    /// How many names no line could hold, with the first of them.
    pub(crate) fn skipped(&self) -> Option<(u64, &str)> {
        self.skipped.as_ref().map(|(number, first)| (*number, first.as_str()))
    }

    pub(crate) fn header(&mut self, out: &mut Vec<u8>) {
        if self.format == Format::Csv && !self.begun {
            self.begun = true;
            write_row(["key", "expiration", "metadata"], out);
        }
    }

    /// Appends a page of keys and returns how many.
    ///
    /// # Errors
    /// [`NotRepresentable`] in an [`io::Error`], where the output would begin with a line that is read as another format.
    pub(crate) fn keys(&mut self, keys: &[ListedKey], out: &mut Vec<u8>) -> io::Result<u64> {
        if self.terminal {
            return self.shown(keys, out);
        }
        match self.format {
            Format::Lines => self.lines(keys, out),
            Format::Csv | Format::Ndjson => keys.iter().try_fold(0, |written, key| {
                self.encode(key, out)?;
                Ok(written + 1)
            }),
        }
    }

    fn encode(&mut self, key: &ListedKey, out: &mut Vec<u8>) -> io::Result<()> {
        match self.format {
            Format::Lines => {
                out.extend_from_slice(key.name.as_bytes());
                out.push(b'\n');
                Ok(())
            }
            Format::Csv => {
                let expiration = key.expiration.map(|seconds| seconds.to_string()).unwrap_or_default();
                let metadata = key.metadata.as_ref().map_or("", Metadata::as_json);
                write_row([&*key.name, &*expiration, metadata], out);
                Ok(())
            }
            Format::Ndjson => {
                serde_json::to_writer(&mut *out, key)?;
                out.push(b'\n');
                Ok(())
            }
        }
    }

    fn lines(&mut self, keys: &[ListedKey], out: &mut Vec<u8>) -> io::Result<u64> {
        let (fit, unfit): (Vec<_>, Vec<_>) = keys.iter().partition(|key| fits_on_a_line(&key.name));
        if let Some(first) = unfit.first() {
            let (skipped, _) = self.skipped.get_or_insert_with(|| (0, first.name.clone()));
            *skipped += unfit.len() as u64;
        }
        let mut lead = 0;
        if let (false, Some(first)) = (self.begun, fit.first()) {
            let found = fit.iter().position(|key| reads_as_lines(&key.name));
            lead = found.ok_or_else(|| io::Error::other(NotRepresentable(first.name.clone())))?;
            self.begun = true;
        }
        // Where the first name cannot begin the list, one that can goes ahead of those before it.
        let ahead = fit.get(lead).into_iter();
        let others = fit.iter().enumerate().filter(|(index, _)| *index != lead).map(|(_, key)| key);
        for key in ahead.chain(others) {
            self.encode(key, out)?;
        }
        Ok(fit.len() as u64)
    }

    fn shown(&mut self, keys: &[ListedKey], out: &mut Vec<u8>) -> io::Result<u64> {
        for key in keys {
            let mut text = Vec::new();
            self.encode(key, &mut text)?;
            text.pop();
            out.extend_from_slice(Escaped(&String::from_utf8_lossy(&text)).to_string().as_bytes());
            out.push(b'\n');
        }
        Ok(keys.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> Vec<ListedKey> {
        names.iter().map(|&name| ListedKey::new(name)).collect()
    }

    fn lines(names: &[&str]) -> (io::Result<u64>, String, Encoder) {
        let (mut encoder, mut out) = (Encoder::new(Format::Lines, false, false), Vec::new());
        let written = encoder.keys(&keys(names), &mut out);
        (written, String::from_utf8(out).unwrap(), encoder)
    }

    #[test]
    fn a_name_that_no_line_can_hold_is_skipped_and_reported() {
        let (written, text, encoder) = lines(&["a", "b\nc", "d\r", "e\rf"]);
        assert_eq!((written.unwrap(), text.as_str()), (1, "a\n"));
        assert_eq!(encoder.skipped(), Some((3, "b\nc")));
    }

    #[test]
    fn no_list_begins_like_another_format() {
        for odd in [
            "{\"a\":1}",
            "[1]",
            "\"q\"",
            " {",
            "\t",
            "\u{feff}a",
            "P*M\u{18}",
            "key",
            "x,Name",
            "a\tkey_name",
            "Key Name",
            "key-name;x",
            "a|NAME",
            "<html>",
            "%PDF-1",
            "a\0b",
        ] {
            let (written, text, _) = lines(&[odd, "plain", "z"]);
            assert_eq!((written.unwrap(), text), (3, format!("plain\n{odd}\nz\n")), "{odd:?}");
            assert!(lines(&[odd]).0.unwrap_err().to_string().contains("--format csv"), "{odd:?}");
        }
        assert_eq!(lines(&["keys", "a,b"]).1, "keys\na,b\n");
    }

    #[test]
    fn csv_and_ndjson_hold_everything() {
        let metadata = serde_json::from_str(r#"{"a": "x,\"y"}"#).unwrap();
        let keys = [ListedKey { expiration: Some(7), metadata: Some(metadata), ..ListedKey::new("a\nb") }];
        for (format, wanted) in [
            (Format::Csv, "key,expiration,metadata\n\"a\nb\",7,\"{\"\"a\"\": \"\"x,\\\"\"y\"\"}\"\n"),
            (Format::Ndjson, "{\"name\":\"a\\nb\",\"expiration\":7,\"metadata\":{\"a\": \"x,\\\"y\"}}\n"),
        ] {
            let (mut encoder, mut out) = (Encoder::new(format, false, false), Vec::new());
            encoder.header(&mut out);
            assert_eq!(encoder.keys(&keys, &mut out).unwrap(), 1);
            assert_eq!(String::from_utf8(out).unwrap(), wanted);
        }
    }

    #[test]
    fn a_terminal_is_not_moved_by_a_name() {
        let (mut encoder, mut out) = (Encoder::new(Format::Lines, true, false), Vec::new());
        encoder.keys(&keys(&["\u{1b}[2J", "a\nb"]), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\\u{1b}[2J\na\\nb\n");
    }
}
