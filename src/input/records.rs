//! Reads all sources as one numbered sequence of records.

use std::collections::VecDeque;
use std::vec;

use super::csv::{Csv, CsvOptions};
use super::detect::{self, Named};
use super::dry_run_report::ReportRows;
use super::error::{InputError, InputErrorKind};
use super::options::{Format, InputOptions};
use super::parsed_key::MAX_TEXT;
use super::source::{Fingerprint, Source, Watched};
use super::{json, lines, lookalike, ndjson};
use crate::format::compression::Compression;
use crate::format::json_array::JsonArray;
use crate::format::lines::LineReader;
use crate::format::open::open;
use crate::format::{Buffered, Bytes};
use crate::record::{Content, Record, RecordNumber};

/// The records of several sources, in order. A source is opened when it is reached.
///
/// A bad record is a [`Record`] and uses up a number; an [`InputError`] uses up none, is the last item, and keeps the
/// sources after it unread.
pub struct Records {
    /// With the fingerprint of each, if it is a file that was checked.
    sources: vec::IntoIter<(Source, Option<Fingerprint>)>,
    options: InputOptions,
    /// Whether warnings about a source, such as a missing header, are logged.
    warns: bool,
    reading: Option<Reading>,
    next: RecordNumber,
    /// Inputs that were read to their end since this was last asked for, with the number of the record after.
    ended: Vec<(String, RecordNumber)>,
    /// How each of the sources before was read.
    formats: Vec<Option<String>>,
}

struct Reading {
    name: String,
    /// The number of its first record.
    first: RecordNumber,
    watched: Option<Watched>,
    compression: Compression,
    reader: Reader,
    report: ReportRows,
    /// Rows that may turn out to be no keys, and how reading ended after them.
    held: VecDeque<Content>,
    end: Option<Result<(), InputError>>,
}

enum Reader {
    Csv(Box<Csv>),
    Lines(LineReader<Buffered>),
    Ndjson(LineReader<Buffered>),
    Json(Box<JsonArray<Buffered>>),
}

impl Records {
    pub fn new(sources: Vec<Source>, options: InputOptions) -> Self {
        Self {
            sources: sources.into_iter().map(|source| (source, None)).collect::<Vec<_>>().into_iter(),
            options,
            warns: true,
            reading: None,
            next: RecordNumber::FIRST,
            ended: Vec::new(),
            formats: Vec::new(),
        }
    }

    /// Takes no record from a file that is, when it is opened or once its records are read, another than `expected` says,
    /// in the order of the sources.
    #[must_use]
    pub fn expecting(mut self, expected: Vec<Option<Fingerprint>>) -> Self {
        self.sources.as_mut_slice().iter_mut().zip(expected).for_each(|(source, expected)| source.1 = expected);
        self
    }

    /// For a second pass: the first one has logged the warnings.
    #[must_use]
    pub fn without_warnings(mut self) -> Self {
        self.warns = false;
        self
    }

    /// Appends records to `batch` until it holds `most`; `false` at the end.
    ///
    /// # Errors
    /// Nothing is read after it; the records before it are in the batch.
    pub fn next_batch(&mut self, batch: &mut Vec<Record>, most: usize) -> Result<bool, InputError> {
        let mut unchanged = batch.len();
        let mut read = self.fill(batch, most, &mut unchanged);
        if read.is_ok() && self.reading.as_ref().is_some_and(Reading::has_changed) {
            read = Err(self.break_off(InputErrorKind::Changed.into()));
        }
        match read {
            // What was read since the last look may be of the new content.
            Err(error) if matches!(error.kind(), InputErrorKind::Changed) => {
                let next = batch.get(unchanged).map_or(self.next, |record| record.number);
                batch.truncate(unchanged);
                Err(error.after(next.get() - 1))
            }
            read => read,
        }
    }

    /// As [`Records::next_batch`]. The records before `unchanged` are of files that did not change while they were read.
    fn fill(&mut self, batch: &mut Vec<Record>, most: usize, unchanged: &mut usize) -> Result<bool, InputError> {
        while batch.len() < most {
            let Some(reading) = &mut self.reading else {
                if self.open_next()? {
                    continue;
                }
                return Ok(false);
            };
            let content = match reading.next() {
                Ok(Some(mut content)) => {
                    if let Content::Invalid(invalid) = &mut content {
                        invalid.reason = format!("{} {}", reading.name, invalid.reason);
                    }
                    content
                }
                // It may only look broken, or ended, because it is being written.
                Ok(None) | Err(_) if reading.has_changed() => {
                    return Err(self.break_off(InputErrorKind::Changed.into()));
                }
                Ok(None) => {
                    *unchanged = batch.len();
                    let name = std::mem::take(&mut reading.name);
                    self.ended.push((name, self.next));
                    self.close();
                    continue;
                }
                Err(at) => return Err(self.break_off(at)),
            };
            batch.push(Record { number: self.next, content });
            self.next = self.next.next();
        }
        Ok(true)
    }

    /// The inputs that ended since the last call, each with the number of the first record after it.
    pub fn take_ended(&mut self) -> Vec<(String, RecordNumber)> {
        std::mem::take(&mut self.ended)
    }

    /// How each source is read that was opened, in order: its format, and of a CSV the column of the keys. `None` if it has no
    /// readable record.
    pub(crate) fn formats(&self) -> Vec<Option<String>> {
        let reading = self.reading.iter().map(|reading| reading.describe(self.next));
        self.formats.iter().cloned().chain(reading).collect()
    }

    fn close(&mut self) {
        self.formats = self.formats();
        self.reading = None;
    }

    /// `false` where no source is left.
    fn open_next(&mut self) -> Result<bool, InputError> {
        let Some((source, expected)) = self.sources.next() else { return Ok(false) };
        let opened = source.open(expected);
        let (reader, watched) = opened.map_err(|kind| self.error(source.to_string(), kind.into()))?;
        self.begin(&source, reader)?;
        if let Some(reading) = &mut self.reading {
            reading.watched = Some(watched);
        }
        Ok(true)
    }

    fn break_off(&mut self, at: InputError) -> InputError {
        let name = self.reading.as_mut().map(|reading| std::mem::take(&mut reading.name)).unwrap_or_default();
        self.error(name, at)
    }

    /// Looks into a source and makes it the one that is read.
    pub(super) fn begin(&mut self, source: &Source, reader: Bytes) -> Result<(), InputError> {
        let name = source.to_string();
        match Reading::begin(name.clone(), source, reader, &self.options, self.warns) {
            Ok(reading) => {
                self.reading = Some(Reading { first: self.next, ..reading });
                Ok(())
            }
            Err(at) => Err(self.error(name, at)),
        }
    }

    /// Nothing is read after it.
    fn error(&mut self, name: String, at: InputError) -> InputError {
        self.close();
        self.sources = Vec::new().into_iter();
        at.of(name, self.next.get() - 1)
    }
}

/// As [`Records::formats`], of one source that may be read twice; `None` of a pipe.
pub(crate) fn describe(source: &Source, options: &InputOptions) -> Option<String> {
    source.path().filter(|_| source.is_regular().is_ok_and(|regular| regular))?;
    let mut records = Records::new(vec![source.clone()], options.clone()).without_warnings();
    let mut first = Vec::new();
    let _ = records.next_batch(&mut first, 1);
    records.formats().pop().flatten()
}

impl Reading {
    fn begin(
        name: String,
        source: &Source,
        reader: Bytes,
        options: &InputOptions,
        warns: bool,
    ) -> Result<Self, InputError> {
        let mut opened = open(reader)?;
        let named = source.path().map_or(Named { format: None, is_tsv: false }, detect::by_name);
        let mut delimiter = options.delimiter.or(named.is_tsv.then_some(b'\t'));
        let chosen = options.format.or(match named.format {
            // Options for CSV outweigh a vague extension.
            None | Some(Format::Lines) if options.are_for_csv() => Some(Format::Csv),
            by_name => by_name,
        });
        let start = opened.text.peek_until(detect::SNIFF_BYTES, detect::is_enough);
        let start = start.map_err(|error| InputErrorKind::read(opened.compression, error))?;
        let format = chosen.unwrap_or_else(|| {
            let (format, shown) = detect::by_content(start, delimiter);
            delimiter = delimiter.or(shown);
            format
        });
        if let Some(found) = lookalike::lookalike(start, format, options.format.is_some() || options.are_for_csv()) {
            return Err(InputErrorKind::NotKeys(found).into());
        }
        if format != Format::Csv && options.are_for_csv() {
            return Err(InputErrorKind::CsvOption(format).into());
        }
        tracing::debug!(input = ?name, %format, compression = %opened.compression, "reading");
        let bytes = opened.text.into_buffered();
        let mut report = ReportRows::of(source, warns, &options.plans);
        let reader = match format {
            Format::Lines => {
                report.search.allow_titles();
                Reader::Lines(LineReader::new(bytes, MAX_TEXT))
            }
            Format::Ndjson => Reader::Ndjson(LineReader::new(bytes, MAX_TEXT)),
            Format::Json => Reader::Json(Box::new(JsonArray::new(bytes))),
            Format::Csv => {
                let options = CsvOptions {
                    column: options.column.clone(),
                    header: options.header,
                    delimiter: delimiter.unwrap_or(b','),
                    warns,
                };
                Reader::Csv(Box::new(Csv::new(bytes, options)?))
            }
        };
        let (first, compression) = (RecordNumber::FIRST, opened.compression);
        let (held, end) = (VecDeque::new(), None);
        Ok(Self { name, first, watched: None, compression, reader, report, held, end })
    }

    /// See [`Records::formats`]; `next` is the number after its last record.
    fn describe(&self, next: RecordNumber) -> Option<String> {
        (self.first < next).then(|| match &self.reader {
            Reader::Csv(csv) => csv.describe(),
            Reader::Lines(_) => Format::Lines.to_string(),
            Reader::Ndjson(_) => Format::Ndjson.to_string(),
            Reader::Json(_) => Format::Json.to_string(),
        })
    }

    fn has_changed(&self) -> bool {
        self.watched.as_ref().is_some_and(Watched::has_changed)
    }

    fn next(&mut self) -> Result<Option<Content>, InputError> {
        while self.end.is_none() && (self.held.is_empty() || self.is_undecided()) {
            match self.read() {
                Ok(Some(content)) => self.held.push_back(content),
                Ok(None) => self.end = Some(Ok(())),
                Err(at) => {
                    if at.is_usage() {
                        self.held.clear();
                    }
                    self.end = Some(Err(at));
                }
            }
        }
        if let Some((position, slot)) = self.report.search.found(self.end.is_some()) {
            return Err(InputError::at(position, InputErrorKind::HiddenStatus(slot)));
        }
        match self.held.pop_front() {
            Some(content) => Ok(Some(content)),
            None => self.end.take().unwrap_or(Ok(())).map(|()| None),
        }
    }

    /// Whether the rows that were read may turn out to be no keys.
    fn is_undecided(&self) -> bool {
        self.report.search.is_undecided() || matches!(&self.reader, Reader::Csv(csv) if csv.may_be_titles())
    }

    fn read(&mut self) -> Result<Option<Content>, InputError> {
        let key = match &mut self.reader {
            Reader::Csv(csv) => csv.next(&self.name, &mut self.report),
            Reader::Lines(lines) => lines::next_key(lines, &mut self.report.search),
            Reader::Ndjson(lines) => ndjson::next_key(lines, &mut self.report),
            Reader::Json(array) => json::next_key(array, &mut self.report),
        };
        key.map_err(|error| error.with_compression(self.compression))
    }
}
