//! Whether a report, or a plan, belongs to the job: what is known of the job is compared with the job files that are found,
//! again whenever more of it is known. And the job file of its own report, brought up to date at both ends of a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::ValueEnum as _;
use serde_json::{Value, json};

use crate::clock::wall_now;
use crate::files::IfExists;
use crate::files::hash;
use crate::input::{Column, Header, PlanFile, Source};
use crate::outcome::{Status, Stop, StopReason, Tally};
use crate::pipeline::{Batching, FailureLimit};
use crate::plan::filter::Filter;
use crate::quota::Rate;
use crate::report::{
    Facts, Filters, Identity, Input, JobFile, JobFileError, Kind, Names, Role, Run, Summary, Target, counts,
};

use super::error::Error;
use super::job::{
    Confirm, Connection, DeleteJob, Inputs, JobOptions, KeySelection, Keys, Mode, NamespaceRef, RestoreJob, RunOptions,
    TargetIds,
};
use super::job_input::JobInputError;
use super::signals;

/// What is known of a job, and what it has to agree with.
#[derive(Debug, Clone)]
pub(super) struct JobRecord {
    now: Identity,
    flags: BTreeMap<String, Value>,
    started_at: SystemTime,
    /// Whether the report has a job file.
    has_job_file: bool,
    /// Whether the inputs are known.
    is_read: bool,
    /// The report that is resumed, and the job that it belongs to.
    earlier: Option<(PathBuf, JobFile)>,
    /// Inputs that a dry run wrote, and what it was about.
    plans: Vec<(PathBuf, JobFile)>,
    /// Requests of earlier runs that no row and no entry shows, and that this run's entry has to show to the next one.
    pub(super) requests_without_row: u64,
    /// The job file of the report, once the run has begun.
    begun: Option<(PathBuf, JobFile)>,
}

impl JobRecord {
    /// Of a job that deletes, or plans or rehearses it.
    pub(super) fn of(job: &DeleteJob) -> Self {
        let kind = match job.mode {
            Mode::DryRun | Mode::Check(_) => Kind::DryRun,
            Mode::Rehearsal => Kind::Rehearsal,
            Mode::Real(_) => Kind::Delete,
        };
        let mut now = identity(kind, job.target.as_ref());
        now.shard = job.shard().map(|shard| shard.to_string());
        now.filters = match &job.keys {
            Keys::Inputs(inputs) => Filters { names: names(&inputs.filter), ..Filters::default() },
            Keys::Namespace(selection) => filters(selection),
        };
        let is_read = matches!(job.keys, Keys::Namespace(_));
        let bulk = match job.batching {
            Batching::Single => None,
            Batching::Bulk(batch) => Some(batch.keys),
        };
        let max_failures = match job.max_failures {
            None => json!("none"),
            Some(FailureLimit::Count(count)) => json!(count),
            Some(FailureLimit::Percent(percent)) => json!(format!("{percent}%")),
        };
        let own = json!({
            "max_keys": job.guards.max_keys,
            "min_keys": job.guards.min_keys,
            "expect": job.guards.expect,
            "max_failures": max_failures,
            "canary": job.canary,
            "check": job.check,
            "bulk": bulk,
            "backup": job.run.backup.as_deref().map(Path::to_string_lossy),
            "failures": job.run.failures.as_deref().map(Path::to_string_lossy),
            "sync": job.run.sync.to_possible_value().map(|sync| sync.get_name().to_owned()),
        });
        let reading = match &job.keys {
            Keys::Inputs(inputs) => reading(inputs),
            Keys::Namespace(_) => json!({}),
        };
        Self::new(now, flags(&job.options, &job.run, &[own, reading]), &job.run.report, is_read)
    }

    pub(super) fn of_restore(job: &RestoreJob) -> Self {
        let kind = if job.connection.is_some() { Kind::Restore } else { Kind::RestoreDryRun };
        let now = identity(kind, job.target.as_ref());
        let own = json!({ "overwrite_values": job.overwrite_values });
        Self::new(now, flags(&job.options, &job.run, &[own]), &job.run.report, false)
    }

    fn new(now: Identity, flags: BTreeMap<String, Value>, report: &Target, is_read: bool) -> Self {
        Self {
            now,
            flags,
            started_at: wall_now(),
            has_job_file: matches!(report, Target::Default | Target::File(_)),
            is_read,
            earlier: None,
            plans: Vec::new(),
            requests_without_row: 0,
            begun: None,
        }
    }

    /// A report that exists is to be resumed, or replaced.
    ///
    /// # Errors
    /// [`JobFileError`] if it is not the report of this job, or if that cannot be known.
    pub(super) fn found(&mut self, report: &Path, existing: IfExists, is_empty: bool) -> Result<(), Error> {
        if existing != IfExists::Resume {
            return Self::free(report, existing);
        }
        let Some(earlier) = JobFile::read(report)? else {
            // An empty report settles nothing: its run was killed before it wrote a job file.
            return if is_empty { Ok(()) } else { Err(JobFileError::Missing { report: report.to_owned() }.into()) };
        };
        self.earlier = Some((report.to_owned(), earlier));
        self.check()
    }

    /// A report that is to be resumed has rows such as this job writes.
    ///
    /// # Errors
    /// [`JobFileError::OtherRows`].
    pub(super) fn check_rows(&self, report: &Path, tally: &Tally) -> Result<(), Error> {
        let mut present = Status::ALL.into_iter().filter(|status| tally.get(*status) > 0);
        match present.find(|status| !self.kind().may_write(*status)) {
            Some(status) => Err(JobFileError::OtherRows { report: report.to_owned(), status, now: self.kind() }.into()),
            None => Ok(()),
        }
    }

    /// A report is to be made, so its job file must not be a file of somebody else.
    ///
    /// # Errors
    /// [`JobFileError::NotOurs`].
    pub(super) fn free(report: &Path, existing: IfExists) -> Result<(), Error> {
        match JobFile::read(report) {
            Ok(_) | Err(JobFileError::Newer { .. }) => Ok(()),
            Err(JobFileError::Damaged { .. }) if existing == IfExists::Overwrite => Ok(()),
            Err(JobFileError::Damaged { path, .. }) => Err(JobFileError::NotOurs { path }.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the inputs hold, and whether they are plans.
    ///
    /// # Errors
    /// As [`JobRecord::found`]; [`JobInputError::Open`] for an input that cannot be read.
    pub(super) fn read_inputs(&mut self, sources: &[Source]) -> Result<(), Error> {
        for source in sources {
            let open = |error| JobInputError::Open { input: source.to_string(), source: error };
            let mut input = Input { path: "-".to_owned(), bytes: None, hash: None, records: None };
            if let Source::File(path) = source {
                input.path = path.to_string_lossy().into_owned();
                if source.is_regular().map_err(open)? {
                    if self.has_job_file {
                        let (bytes, hash) = hash(path).map_err(open)?;
                        (input.bytes, input.hash) = (Some(bytes), Some(hash));
                    }
                    self.read_plan(path)?;
                }
            }
            self.now.inputs.push(input);
        }
        self.is_read = true;
        self.check()
    }

    /// Looks whether a job that deletes takes its keys from a report. Only that of a dry run is a plan, whatever rows it has.
    fn read_plan(&mut self, input: &Path) -> Result<(), Error> {
        if matches!(self.now.kind, Kind::Restore | Kind::RestoreDryRun) {
            return Ok(());
        }
        for file in JobFile::read_all(input, Role::Input)? {
            let report = input.to_owned();
            match file.identity.kind {
                Kind::DryRun => self.plans.push((report, file)),
                kind => return Err(JobFileError::no_plan(report, kind).into()),
            }
        }
        Ok(())
    }

    /// The inputs that dry runs wrote.
    pub(super) fn plans(&self) -> Vec<PlanFile> {
        let made_at = |file: &JobFile| file.runs.iter().map(|run| run.started_at).min();
        self.plans.iter().map(|(path, file)| PlanFile { path: path.clone(), made_at: made_at(file) }).collect()
    }

    /// How many records each of the inputs holds that were read to their end.
    pub(super) fn counted(&mut self, records: &[u64]) {
        self.now.inputs.iter_mut().zip(records).for_each(|(input, &records)| input.records = Some(records));
    }

    /// Which account and namespace it is.
    ///
    /// # Errors
    /// As [`JobRecord::found`].
    pub(super) fn located(&mut self, connection: &Connection, title: &str) -> Result<(), Error> {
        self.now.account_id = Some(connection.account.to_string());
        self.now.namespace_id = Some(connection.namespace.to_string());
        self.now.namespace_title = Some(title.to_owned());
        self.check()
    }

    /// The one place that decides.
    fn check(&self) -> Result<(), Error> {
        if let Some((report, JobFile { identity: then, .. })) = &self.earlier {
            let mut now = self.now.clone();
            if !self.is_read {
                now.inputs.clone_from(&then.inputs);
            }
            let report = report.clone();
            if !then.kind.is_resumable() {
                return Err(JobFileError::NotResumable { report, then: then.kind, now: now.kind }.into());
            }
            if let Some(difference) = then.difference(&now) {
                return Err(JobFileError::OtherJob { report, difference: Box::new(difference) }.into());
            }
        }
        for (plan, then) in self.plans.iter().filter(|_| self.now.kind == Kind::Delete) {
            if let Some(difference) = then.identity.planned_elsewhere(&self.now) {
                return Err(JobFileError::OtherPlan { plan: plan.clone(), difference: Box::new(difference) }.into());
            }
        }
        Ok(())
    }

    pub(super) fn kind(&self) -> Kind {
        self.now.kind
    }

    /// What is known of the job, by this run or an earlier one: a run that has nothing to send does not look its namespace up.
    /// Only for what is recorded and shown: what this run knows itself is compared.
    fn known(&self) -> Identity {
        let mut known = self.now.clone();
        if let Some((_, earlier)) = &self.earlier {
            known.complete(&earlier.identity);
        }
        known
    }

    /// How many records the inputs have, if an earlier run read them to their end.
    pub(super) fn records_of_earlier(&self) -> Option<u64> {
        let (_, earlier) = self.earlier.as_ref()?;
        let inputs = &earlier.identity.inputs;
        inputs.iter().map(|input| input.records).sum::<Option<u64>>().filter(|_| !inputs.is_empty())
    }

    /// The part of the keys that is taken, `K/N`.
    pub(super) fn shard(&self) -> Option<&str> {
        self.now.shard.as_deref()
    }

    /// For the summary.
    pub(super) fn facts(&self) -> Facts {
        let Identity { kind, account_id, namespace_id, namespace_title, .. } = self.known();
        Facts { kind, account_id, namespace_id, namespace_title, started_at: self.started_at }
    }

    /// The runs that are recorded already.
    pub(super) fn earlier_runs(&self) -> &[Run] {
        self.earlier.as_ref().map_or(&[], |(_, earlier)| &earlier.runs)
    }

    /// Whether each attempt in a row of the last run was a request of its own.
    pub(super) fn was_one_by_one(&self) -> bool {
        self.earlier.as_ref().is_some_and(|(_, earlier)| {
            let is_set = |flag: &str| {
                earlier.flags.get(flag).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)))
            };
            earlier.identity.kind == Kind::Delete && !is_set("bulk") && !is_set("check")
        })
    }

    /// The run begins to write the report; `records` are those that were counted.
    ///
    /// # Errors
    /// [`JobFileError::Io`].
    pub(super) fn begin(&mut self, report: &Path, records: Option<u64>, requests: u64) -> Result<(), Error> {
        let mut file = JobFile::new(self.known(), self.flags.clone());
        file.runs.extend_from_slice(self.earlier_runs());
        file.runs.push(Run { records, requests: Some(requests), ..Run::starting(wall_now()) });
        file.write(report)?;
        self.begun = Some((report.to_owned(), file));
        Ok(())
    }

    /// The run has ended; `records` are those that were counted.
    ///
    /// # Errors
    /// A [`Stop`] for the error that it cannot be recorded.
    pub(super) fn end(self, records: Option<u64>, summary: &Summary) -> Result<(), Stop> {
        let known = self.known();
        let Some((report, mut file)) = self.begun else { return Ok(()) };
        file.identity = known;
        if let Some(run) = file.runs.last_mut() {
            run.ended_at = Some(wall_now());
            run.records = records;
            run.counts = counts(&summary.tally);
            run.requests = Some(summary.requests + self.requests_without_row);
            run.stopped = summary.stopped.map(|reason| reason.as_str().to_owned());
            run.exit_code = Some(summary.exit_code);
        }
        match signals::to_the_end(move || file.write(&report)) {
            Some(Err(error)) => Err(Stop::of_error(StopReason::IoError, &Error::from(error).error_chain())),
            // Its disk does not take it, which the report's writer has found as well.
            Some(Ok(())) | None => Ok(()),
        }
    }
}

fn identity(kind: Kind, target: Option<&TargetIds>) -> Identity {
    let mut now = Identity::new(kind);
    if let Some(target) = target {
        now.base_url = Some(target.base_url.to_string());
        now.account_id = target.account.as_ref().map(ToString::to_string);
        match &target.namespace {
            Some(NamespaceRef::Id(id)) => now.namespace_id = Some(id.to_string()),
            Some(NamespaceRef::Title(title)) => now.namespace_title = Some(title.clone()),
            Some(NamespaceRef::Binding { .. }) | None => {}
        }
    }
    now
}

fn names(filter: &Filter) -> Names {
    let (protect, only) = filter.patterns();
    Names::new(protect, only)
}

fn filters(selection: &KeySelection) -> Filters {
    let is_all = selection.prefixes.cover_everything();
    Filters {
        names: names(&selection.selection.names),
        all: is_all,
        prefix: selection.prefixes.iter().filter(|_| !is_all).map(str::to_owned).collect(),
        expiring_before: selection.selection.expiring_before.as_ref().map(|moment| moment.input.clone()),
        without_expiration: selection.selection.without_expiration,
        metadata: selection.selection.metadata.iter().map(ToString::to_string).collect(),
    }
}

/// The flags of a job, for its job file: those that both kinds have, and its `own`.
fn flags(options: &JobOptions, run: &RunOptions, own: &[Value]) -> BTreeMap<String, Value> {
    let common = json!({
        "allow_partial": run.allow_partial,
        "yes": run.confirm == Confirm::AssumeYes,
        "overwrite": run.existing == IfExists::Overwrite,
        "resume": run.existing == IfExists::Resume,
        "rate": rates(&options.rates),
        "concurrency": run.concurrency,
        "retries": options.retry.retries,
        "timeout": time(options.timeout),
        "max_wait": time(options.max_wait),
        "deadline": options.deadline.map(time),
        "grace": time(run.grace),
        "profile": options.profile.as_ref().map(|profile| &profile.name),
        "config": options.profile.as_ref().map(|profile| profile.file.to_string_lossy()),
        "metrics_file": run.monitoring.metrics_file.as_deref().map(Path::to_string_lossy),
        "job_name": run.monitoring.job_name,
    });
    let members = std::iter::once(&common).chain(own).filter_map(Value::as_object).flatten();
    members.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The flags by which inputs are read.
fn reading(inputs: &Inputs) -> Value {
    let options = &inputs.options;
    let column = options.column.as_ref().map(|column| match column {
        Column::Name(name) => json!(name),
        Column::Number(number) => json!(number),
    });
    json!({
        "format": options.format.map(|format| format.to_string()),
        "column": column,
        "no_header": options.header == Header::None,
        "delimiter": options.delimiter.map(char::from),
        "no_dedupe": !inputs.dedupe,
    })
}

fn rates(rates: &[Rate]) -> Vec<String> {
    if rates.is_empty() { vec!["none".to_owned()] } else { rates.iter().map(ToString::to_string).collect() }
}

fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}
