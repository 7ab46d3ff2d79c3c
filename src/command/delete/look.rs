//! The first look at the keys, before anybody is asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::api::Namespace;
use crate::clock::wall_now;
use crate::command::confirm;
use crate::command::encoding;
use crate::command::error::Error;
use crate::command::job::{Job, Keys, Mode, Question};
use crate::command::job_file::JobRecord;
use crate::command::locate::Missed;
use crate::command::outputs::Opened;
use crate::command::pages::NamespacePages;
use crate::command::reading::{BoxedRecords, Broken, Notes, Reading};
use crate::command::signals;
use crate::command::watch::Watch;
use crate::plan::Plan;
use crate::record::Record;
use crate::report::Journal;
use crate::terminal::{Shown, counted, duration};

/// An earlier run's report that is older than this is warned about.
const OLD_JOURNAL: Duration = Duration::from_hours(24);

/// What the first look at the input showed.
pub(super) struct Look {
    /// What the first pass found, where the input can be read twice.
    pub(super) plan: Option<Plan<Box<Broken>>>,
    /// The records, for the job.
    pub(super) supply: Supply,
    pub(super) nothing_to_send: bool,
    pub(super) record: JobRecord,
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

impl Look {
    /// What is to be done about keys that would have to be encoded where the namespace does not support that: nothing is
    /// sent if files hold one; of what is only seen while it is deleted, each is invalid.
    pub(super) fn check_encoding(&mut self, job: &Job, namespace: &Namespace) -> Result<(), Error> {
        if encoding::is_supported(namespace) || !job.puts_keys_into_urls() {
            return Ok(());
        }
        if let Some(plan) = &self.plan {
            return encoding::check(namespace, plan.encoded, plan.first_encoded.as_ref(), encoding::hint(job));
        }
        match &mut self.supply {
            Supply::Read(records) => {
                let all: BoxedRecords = std::mem::replace(records, Box::new(std::iter::empty()));
                *records = Box::new(all.map(|record| {
                    record.map(|mut record| {
                        encoding::refuse(&mut record);
                        record
                    })
                }));
            }
            Supply::Asked { pages, .. } => pages.refuse_encoded(),
        }
        Ok(())
    }
}

/// Opens what exists of the outputs, and takes the first look at the keys.
pub(super) fn open_and_look(job: &Arc<Job>, watch: &mut Watch) -> Result<(Opened, Look), Missed> {
    watch.open(job)?;
    if job.question == Question::Ask && matches!(job.mode, Mode::Real(_)) {
        confirm::terminal(confirm::Action::Delete)?;
    }
    let open = {
        let job = Arc::clone(job);
        move || Opened::new(&job)
    };
    let mut opened = signals::blocking(open).map_err(Missed::Stop)??;
    watch.begin();
    if let Some((journal, report)) = &opened.journal {
        warn_of_age(journal, report);
    }
    let look = {
        let (job, journal, record) = (Arc::clone(job), opened.journal.clone(), opened.record.clone());
        move || look(&job, journal, record)
    };
    let look = signals::blocking(look).map_err(Missed::Stop)??;
    opened.record.clone_from(&look.record);
    Ok((opened, look))
}

/// Counts and checks files; of a pipe it waits for the first record, so that a command that was wrong is told from an
/// input before anything is sent.
fn look(job: &Job, journal: Option<(Arc<Journal>, PathBuf)>, mut record: JobRecord) -> Result<Look, Error> {
    let reading = match &job.keys {
        Keys::Inputs(inputs) => Reading::new(inputs, journal),
        Keys::Namespace(wanted) => {
            let supply = Supply::Asked { pages: Box::new(NamespacePages::new(wanted)), first: Vec::new() };
            return Ok(Look { plan: None, supply, nothing_to_send: false, record });
        }
    };
    let prints = reading.fingerprints()?;
    record.read_inputs(&reading.sources)?;
    if let Some(prints) = prints {
        let plan = survey(&reading)?;
        if reading.shard.is_none() && plan.broken.is_none() {
            record.counted(&[plan.records]);
        }
        let nothing_to_send = plan.keys == 0;
        let supply = Supply::Read(reading.records_unchanged(prints));
        return Ok(Look { plan: Some(plan), supply, nothing_to_send, record });
    }
    if job.guards.expect.is_some() {
        return Err(Error::Usage("--expect needs inputs that can be counted first: files, not a pipe".to_owned()));
    }
    let mut records = reading.records(Notes::Given);
    let first = match records.next() {
        // It is the end of a job that began, and has its summary.
        Some(Err(broken)) if matches!(*broken, Broken::EndedEarly { .. }) => Some(Err(broken)),
        first => first.transpose()?.map(Ok),
    };
    let nothing_to_send = !matches!(first, Some(Ok(_)));
    let supply = Supply::Read(Box::new(first.into_iter().chain(records)));
    Ok(Look { plan: None, supply, nothing_to_send, record })
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

fn warn_of_age(journal: &Journal, report: &Path) {
    let age = journal.first_finished_at().and_then(|first| wall_now().duration_since(first).ok());
    if let Some(age) = age.filter(|age| *age > OLD_JOURNAL) {
        tracing::warn!(
            "{} was begun {} ago: keys that it says are deleted are not sent again, even if they were made again since",
            Shown(&report.to_string_lossy()),
            duration(age)
        );
    }
}
