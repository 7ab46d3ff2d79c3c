//! All sources as one numbered sequence.

use std::vec;

use super::csv::{Csv, CsvOptions};
use super::detect::{self, Named};
use super::entry::Entry;
use super::error::{Break, InputError, Problem};
use super::json::Json;
use super::lines::Lines;
use super::ndjson::Ndjson;
use super::open::{self, Bytes, Compression};
use super::options::{Format, InputOptions};
use super::source::{Meter, Source};
use crate::record::{Content, Invalid, Record, RecordNumber};

/// The records of several sources, in order. A source is opened when it is reached.
///
/// A bad record is a [`Record`] and uses up a number; an [`InputError`] uses up none, is the last item, and keeps the
/// sources after it unread.
pub struct Records {
    sources: vec::IntoIter<Source>,
    options: InputOptions,
    notes: Notes,
    meter: Meter,
    reading: Option<Reading>,
    next: RecordNumber,
}

/// Whether what a user should know about a source (a missing header) is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notes {
    Told,
    Withheld,
}

/// The source that is being read.
struct Reading {
    name: String,
    compression: Compression,
    reader: Reader,
}

enum Reader {
    Csv(Box<Csv>),
    Lines(Lines),
    Ndjson(Ndjson),
    Json(Box<Json>),
}

impl Records {
    /// Reads `sources` as `options` say.
    pub fn new(sources: Vec<Source>, options: InputOptions) -> Self {
        Self {
            sources: sources.into_iter(),
            options,
            notes: Notes::Told,
            meter: Meter::default(),
            reading: None,
            next: RecordNumber::FIRST,
        }
    }

    /// Counts what is read by `meter`.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.meter = meter;
        self
    }

    /// For a second pass: logs no warning that the first one has given already.
    #[must_use]
    pub fn without_notes(mut self) -> Self {
        self.notes = Notes::Withheld;
        self
    }

    fn step(&mut self) -> Result<Option<Record>, InputError> {
        loop {
            if self.reading.is_none() {
                let Some(source) = self.sources.next() else {
                    return Ok(None);
                };
                let opened = source.open(&self.meter);
                let reader = opened.map_err(|error| self.error(source.to_string(), Problem::Open(error).into()))?;
                self.begin(&source, reader)?;
            }
            let Some(reading) = &mut self.reading else { continue };
            match reading.next() {
                Ok(Some(entry)) => {
                    let record = Record { number: self.next, content: content(entry, &reading.name) };
                    self.next = self.next.next();
                    return Ok(Some(record));
                }
                Ok(None) => self.reading = None,
                Err(at) => {
                    let name = std::mem::take(&mut reading.name);
                    return Err(self.error(name, at));
                }
            }
        }
    }

    /// Looks into a source and makes it the one that is read.
    pub(super) fn begin(&mut self, source: &Source, reader: Bytes) -> Result<(), InputError> {
        let name = source.to_string();
        match Reading::begin(name.clone(), source, reader, &self.options, self.notes) {
            Ok(reading) => {
                self.reading = Some(reading);
                Ok(())
            }
            Err(at) => Err(self.error(name, at)),
        }
    }

    fn error(&self, name: String, at: Break) -> InputError {
        InputError::new(name, self.next.get() - 1, at)
    }
}

impl Iterator for Records {
    type Item = Result<Record, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.reading = None;
            self.sources = Vec::new().into_iter();
        }
        step.transpose()
    }
}

impl std::iter::FusedIterator for Records {}

impl Reading {
    fn begin(
        name: String,
        source: &Source,
        reader: Bytes,
        options: &InputOptions,
        notes: Notes,
    ) -> Result<Self, Break> {
        let mut opened = open::open(reader)?;
        let named = source.path().map_or(Named { format: None, is_tsv: false }, detect::by_name);
        let mut delimiter = options.delimiter.or(named.is_tsv.then_some(b'\t'));
        let said = options.format.or(match named.format {
            // What is said about a CSV outweighs a vague extension.
            None | Some(Format::Lines) if options.are_for_csv() => Some(Format::Csv),
            by_name => by_name,
        });
        let format = if let Some(format) = said {
            format
        } else {
            let start = opened.text.peek_until(detect::LOOKED_AT, detect::is_enough);
            let start = start.map_err(|error| opened.compression.problem(error))?;
            let (format, shown) = detect::by_content(start, delimiter);
            delimiter = delimiter.or(shown);
            format
        };
        if format != Format::Csv && options.are_for_csv() {
            return Err(Problem::CsvOption(format).into());
        }
        tracing::debug!(input = ?name, %format, compression = %opened.compression, "reading");
        let bytes = opened.text.into_buffered();
        let reader = match format {
            Format::Lines => Reader::Lines(Lines::new(bytes)),
            Format::Ndjson => Reader::Ndjson(Ndjson::new(bytes)),
            Format::Json => Reader::Json(Box::new(Json::new(bytes))),
            Format::Csv => {
                let options = CsvOptions {
                    column: options.column.clone(),
                    header: options.header,
                    delimiter: delimiter.unwrap_or(b','),
                    notes,
                };
                Reader::Csv(Box::new(Csv::new(bytes, options)?))
            }
        };
        Ok(Self { name, compression: opened.compression, reader })
    }

    fn next(&mut self) -> Result<Option<Entry>, Break> {
        let entry = match &mut self.reader {
            Reader::Csv(csv) => csv.next(&self.name),
            Reader::Lines(lines) => lines.next(),
            Reader::Ndjson(ndjson) => ndjson.next(),
            Reader::Json(json) => json.next(),
        };
        entry.map_err(|at| match at.problem {
            Problem::Read(error) => Break { problem: self.compression.problem(error), ..at },
            _ => at,
        })
    }
}

fn content(entry: Entry, name: &str) -> Content {
    match entry.found {
        Ok(key) => Content::Key(key),
        Err(flawed) => Content::Invalid(Box::new(Invalid {
            key: flawed.key,
            rule: flawed.rule,
            reason: format!("{name} {}: {}", entry.position, flawed.why),
        })),
    }
}
