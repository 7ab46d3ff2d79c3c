//! Inputs, filters, deduplication and the journal of an earlier run, as one iterator of records.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::input::{Again, Fingerprint, InputError, InputOptions, Meter, Records, Source, Supply, dedupe};
use crate::plan::filter::Filter;
use crate::record::{Content, Record, RecordNumber};
use crate::report::{Journal, Verdict};
use crate::shard::Shard;

use super::job::Inputs;

/// Why reading stopped before the end.
#[derive(Debug, Error)]
pub enum Broken {
    /// The input itself.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A settled record of the journal has another key here.
    #[error(
        "record {record} is {key:?}, but {} settled another key under that number: it is the report of another \
         input; give --resume the inputs of that run, in the same order", report.display()
    )]
    OtherInput {
        /// Which record.
        record: RecordNumber,
        /// What the input holds there.
        key: String,
        /// The journal.
        report: PathBuf,
    },
    /// The journal has a record of another part.
    #[error(
        "record {record} ({key:?}) is not of shard {shard}, but {} has a row for it: it is the report of another shard; \
         give --resume the report of this one", report.display()
    )]
    OtherShard {
        /// Which record.
        record: RecordNumber,
        /// What the input holds there.
        key: String,
        /// The part that was asked for.
        shard: Shard,
        /// The journal.
        report: PathBuf,
    },
    /// A file is not what it was when it was checked.
    #[error("{input} was changed since it was checked: nothing more is taken from it until it is still")]
    Changed {
        /// Which file.
        input: String,
    },
    /// What the system says about a file before it is opened.
    #[error("{input}: cannot be opened: {source}")]
    Open {
        /// Which file.
        input: String,
        /// What it said.
        source: io::Error,
    },
}

impl Broken {
    /// Whether the command was wrong rather than the input broken.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Input(error) => error.is_usage(),
            Self::OtherInput { .. } | Self::OtherShard { .. } => true,
            Self::Changed { .. } | Self::Open { .. } => false,
        }
    }
}

/// How a job's records are had, once for a look and once for the job.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) sources: Vec<Source>,
    pub(super) options: InputOptions,
    pub(super) dedupe: bool,
    pub(super) filter: Filter,
    pub(super) shard: Option<Shard>,
    /// What an earlier run settled, and where that is written.
    pub(super) journal: Option<(Arc<Journal>, PathBuf)>,
}

/// Whether warnings about the input are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notes {
    /// Yes: it is read for the first time.
    Given,
    /// No: they were given.
    Dropped,
}

pub(super) type BoxedRecords = Box<dyn Iterator<Item = Result<Record, Broken>> + Send>;

impl Reading {
    pub(super) fn new(inputs: &Inputs, journal: Option<(Arc<Journal>, PathBuf)>) -> Self {
        let Inputs { sources, options, dedupe, filter, shard } = inputs;
        Self {
            sources: sources.clone(),
            options: options.clone(),
            dedupe: *dedupe,
            filter: filter.clone(),
            shard: *shard,
            journal,
        }
    }

    /// The state of every input, where all of them are files that can be read twice; `None` where one is not.
    pub(super) fn fingerprints(&self) -> Result<Option<Vec<Fingerprint>>, Broken> {
        let mut prints = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            let open = |error| Broken::Open { input: source.to_string(), source: error };
            if !source.is_regular().map_err(open)? {
                return Ok(None);
            }
            prints.push(source.fingerprint().map_err(open)?);
        }
        Ok(Some(prints))
    }

    /// With what an earlier record named marked. Of files no record is long in coming, and all can be had again.
    fn deduped(&self, notes: Notes) -> BoxedRecords {
        let Ok(Some(prints)) = self.fingerprints() else {
            return Box::new(dedupe(self.filtered(notes, Meter::default()), Supply::Slow));
        };
        let meter = Meter::new(prints.iter().map(|print| print.len).sum());
        let reading = self.clone();
        let names: Vec<_> = self.sources.iter().map(Source::to_string).collect();
        let again = Again {
            records: Box::new(move || Box::new(reading.filtered(Notes::Dropped, Meter::default()))),
            changed: Broken::Changed { input: names.join(", ") },
        };
        Box::new(dedupe(self.filtered(notes, meter.clone()), Supply::Prompt(again, meter)))
    }

    /// Every record of this part: read, filtered, marked as duplicate or as settled before.
    pub(super) fn records(&self, notes: Notes) -> BoxedRecords {
        let deduped: BoxedRecords =
            if self.dedupe { self.deduped(notes) } else { Box::new(self.filtered(notes, Meter::default())) };
        match self.journal.clone() {
            Some((journal, report)) => {
                Box::new(deduped.map(move |record| record.and_then(|record| settled_before(record, &journal, &report))))
            }
            None => deduped,
        }
    }

    fn filtered(&self, notes: Notes, meter: Meter) -> impl Iterator<Item = Result<Record, Broken>> + Send + use<> {
        let records = Records::new(self.sources.clone(), self.options.clone()).metered(meter);
        let records = if notes == Notes::Given { records } else { records.without_notes() };
        let (filter, shard, journal) = (self.filter.clone(), self.shard, self.journal.clone());
        records.filter_map(move |record| match (record, shard) {
            (Ok(record), Some(shard)) if !shard.owns_record(&record) => {
                not_of_another(&record, shard, journal.as_ref()).err().map(Err)
            }
            (Ok(record), _) => Some(Ok(filter.apply(record))),
            (Err(error), _) => Some(Err(error.into())),
        })
    }

    /// As [`Reading::records`], but a file that changed since `prints` were taken is an error, before the first record
    /// and after the last.
    pub(super) fn records_unchanged(self, prints: Vec<Fingerprint>) -> BoxedRecords {
        let records = self.records(Notes::Dropped);
        let (first, last) = ((self.clone(), prints.clone()), (self, prints));
        let check = |(reading, prints): (Self, Vec<Fingerprint>)| {
            std::iter::once_with(move || reading.changed(&prints).map(Err)).flatten()
        };
        Box::new(check(first).chain(records).chain(check(last)))
    }

    fn changed(&self, prints: &[Fingerprint]) -> Option<Broken> {
        let changed =
            self.sources.iter().zip(prints).find(|(source, print)| source.fingerprint().ok() != Some(**print));
        changed.map(|(source, _)| Broken::Changed { input: source.to_string() })
    }
}

/// Every row of the journal is about this part, if it is the right one.
fn not_of_another(record: &Record, shard: Shard, journal: Option<&(Arc<Journal>, PathBuf)>) -> Result<(), Broken> {
    match journal {
        Some((journal, report)) if journal.has_row(record.number) => {
            let key = key_of(record).unwrap_or_default().to_owned();
            Err(Broken::OtherShard { record: record.number, key, shard, report: report.clone() })
        }
        _ => Ok(()),
    }
}

/// What the record's row shows as its key.
fn key_of(record: &Record) -> Option<&str> {
    match &record.content {
        Content::Key(key) | Content::Duplicate(key) => Some(key.as_str()),
        Content::Invalid(invalid) => Some(&invalid.key),
        Content::Settled => None,
    }
}

fn settled_before(record: Record, journal: &Journal, report: &Path) -> Result<Record, Broken> {
    let Some(key) = key_of(&record) else { return Ok(record) };
    match journal.verdict(record.number, key) {
        Verdict::Todo => Ok(record),
        Verdict::Settled => Ok(Record { content: Content::Settled, ..record }),
        Verdict::Mismatch => {
            Err(Broken::OtherInput { record: record.number, key: key.to_owned(), report: report.to_owned() })
        }
    }
}
