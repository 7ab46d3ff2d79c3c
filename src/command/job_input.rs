//! Inputs, filters, deduplication and the journal of an earlier run, as batches of records.

mod batches;
mod error;

use std::path::PathBuf;
use std::sync::Arc;

use batches::{InputCounts, KeptCounts};
pub(super) use batches::{RecordBatches, Stage};
pub use error::JobInputError;

use crate::input::{Dedupe, Fingerprint, Records};
use crate::plan::Plan;
use crate::report::{Causes, Journal};

use super::error::Error;
use super::job::Inputs;

/// How many records are taken at a time from what never keeps us waiting.
const AHEAD: usize = 256;

/// How a job's records are had, once for a look and once for the job.
#[derive(Debug, Clone)]
pub(super) struct JobInput {
    pub(super) inputs: Inputs,
    /// What an earlier run settled, and where that is written.
    pub(super) journal: Option<(Arc<Journal>, PathBuf)>,
    /// How many records the inputs had when an earlier run read them to their end.
    pub(super) known_records: Option<u64>,
    /// What each source was when it was looked at, if it is a file that can be read twice.
    files: Vec<Option<Fingerprint>>,
}

/// Whether warnings about the input are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Warnings {
    /// Yes: it is read for the first time.
    On,
    /// No: they were given.
    Off,
}

impl JobInput {
    pub(super) fn new(inputs: &Inputs, journal: Option<(Arc<Journal>, PathBuf)>) -> Self {
        Self { inputs: inputs.clone(), journal, known_records: None, files: Vec::new() }
    }

    /// Looks at every input: from now on a file that changes is an error before a record of it is taken. Whether all of
    /// them are files that can be read twice.
    pub(super) fn take_fingerprints(&mut self) -> Result<bool, JobInputError> {
        self.files.clear();
        for source in &self.inputs.sources {
            let open = |error| JobInputError::Open { input: source.to_string(), source: error };
            let is_regular = source.is_regular().map_err(open)?;
            self.files.push(if is_regular { Some(source.fingerprint().map_err(open)?) } else { None });
        }
        Ok(self.are_files())
    }

    fn are_files(&self) -> bool {
        self.files.len() == self.inputs.sources.len() && self.files.iter().all(Option::is_some)
    }

    /// Only the files, as they are before any record is marked.
    pub(super) fn of_files(&self) -> Self {
        let sources = self.inputs.sources.iter().cloned();
        let files = sources.zip(&self.files).filter_map(|(source, print)| Some((source, Some((*print)?))));
        let (sources, files) = files.unzip();
        Self { inputs: Inputs { sources, ..self.inputs.clone() }, files, journal: None, known_records: None }
    }

    /// Every record of this part: read, filtered, marked as duplicate or as settled before.
    pub(super) fn records(&self, warnings: Warnings) -> RecordBatches {
        // Of files no record is long in coming; what comes through a pipe is passed on before more is asked for.
        let are_files = self.are_files();
        let most = if are_files { AHEAD } else { 1 };
        let Inputs { sources, options, dedupe, filter, shard } = self.inputs.clone();
        let records = Records::new(sources, options).expecting(self.files.clone());
        RecordBatches {
            records: Some(if warnings == Warnings::On { records } else { records.without_warnings() }),
            formats: Vec::new(),
            most,
            shard,
            kept: (warnings == Warnings::On && !filter.is_empty()).then(KeptCounts::default),
            filter,
            dedupe: dedupe.then(Dedupe::default),
            journal: self.journal.clone(),
            known_records: self.known_records,
            last: None,
            batch: Vec::with_capacity(most),
            error: None,
            settled_keys: 0,
            counts: InputCounts::default(),
            stages: Vec::new(),
        }
    }

    /// The first pass, and how many records each input has. A command that was wrong is not carried out at all.
    pub(super) fn survey(
        &self,
        warnings: Warnings,
        causes: &mut Causes,
    ) -> Result<(Plan<Box<JobInputError>>, Vec<u64>), Error> {
        let mut plan = Plan::default();
        let mut records = self.records(warnings);
        plan.survey(
            |batch| records.next_batch(batch),
            |_, records| {
                for record in records.iter() {
                    causes.add_unsent(record);
                }
                true
            },
        );
        plan.distinct_keys += records.settled_keys;
        match plan.broken.take_if(|broken| broken.is_usage()) {
            Some(broken) => Err(broken.into()),
            None => Ok((plan, records.counts.get())),
        }
    }
}
