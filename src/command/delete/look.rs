//! The first look at the keys, before anybody is asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::command::error::Error;
use crate::command::job::{Job, Keys};
use crate::command::pages::NamespacePages;
use crate::command::reading::{BoxedRecords, Broken, Notes, Reading};
use crate::plan::Plan;
use crate::record::Record;
use crate::report::Journal;
use crate::terminal::{Shown, counted};

/// What the first look at the input showed.
pub(super) struct Look {
    /// What the first pass found, where the input can be read twice.
    pub(super) plan: Option<Plan<Box<Broken>>>,
    /// The records, for the job.
    pub(super) supply: Supply,
    pub(super) nothing_to_send: bool,
}

/// How the records of a job are had.
pub(super) enum Supply {
    /// They are read.
    Read(BoxedRecords),
    /// They are listed.
    Asked {
        pages: Box<NamespacePages>,
        /// Those that were shown to the one who was asked.
        first: Vec<Record>,
    },
}

/// Counts and checks files; of a pipe it waits for the first record, so that a command that was wrong is told from an
/// input before anything is sent.
pub(super) fn look(job: &Job, journal: Option<(Arc<Journal>, PathBuf)>) -> Result<Look, Error> {
    let reading = match &job.keys {
        Keys::Inputs(inputs) => Reading::new(inputs, journal),
        Keys::Namespace(wanted) => {
            let supply = Supply::Asked { pages: Box::new(NamespacePages::new(wanted)), first: Vec::new() };
            return Ok(Look { plan: None, supply, nothing_to_send: false });
        }
    };
    if let Some(prints) = reading.fingerprints()? {
        let plan = survey(&reading)?;
        let nothing_to_send = plan.keys == 0;
        return Ok(Look { plan: Some(plan), supply: Supply::Read(reading.records_unchanged(prints)), nothing_to_send });
    }
    if job.guards.expect.is_some() {
        return Err(Error::Usage("--expect needs inputs that can be counted first: files, not a pipe".to_owned()));
    }
    let mut records = reading.records(Notes::Given);
    let first = records.next().transpose()?;
    let nothing_to_send = first.is_none();
    let supply = Supply::Read(Box::new(first.into_iter().map(Ok).chain(records)));
    Ok(Look { plan: None, supply, nothing_to_send })
}

/// The first pass. What is broken in the middle of an input is warned about, and what came before is still done; a
/// command that was wrong is not carried out at all.
fn survey(reading: &Reading) -> Result<Plan<Box<Broken>>, Error> {
    let mut plan = Plan::default();
    plan.survey(reading.records(Notes::Given), &AtomicBool::new(false), |_| true);
    if let Some(broken) = plan.broken.take_if(|broken| broken.is_usage() || plan.records == 0) {
        return Err(broken.into());
    }
    if let Some(broken) = &plan.broken {
        let records = counted(plan.records, "record");
        tracing::warn!("{}; only the {records} before it can be processed", Shown(&broken.to_string()));
    }
    Ok(plan)
}
