//! What a job is, for its job file: no secret is in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::clock::wall_now;
use crate::command::job::{Confirm, DeleteJob, Inputs, KeySelection, Keys, Mode, NamespaceRef, RestoreJob, TargetIds};
use crate::files::IfExists;
use crate::input::{Column, Header};
use crate::pipeline::{Batching, FailureLimit};
use crate::plan::filter::Filter;
use crate::quota::Rate;
use crate::report::{Filters, Identity, Kind, Names, Sync};

use super::JobRecord;

impl JobRecord {
    /// Of a job that deletes, or plans or rehearses it.
    pub(in crate::command) fn of(job: &DeleteJob) -> Self {
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
        Self::new(now, flags(job), matches!(job.keys, Keys::Namespace(_)))
    }

    /// Of a job that restores, or plans it.
    pub(in crate::command) fn of_restore(job: &RestoreJob) -> Self {
        let now = match &job.connection {
            None => Identity::new(Kind::RestoreDryRun),
            Some(connection) => {
                let target = TargetIds {
                    base_url: connection.base_url.clone(),
                    account: Some(connection.account.clone()),
                    namespace: Some(connection.namespace.clone()),
                };
                identity(Kind::Restore, Some(&target))
            }
        };
        let flags = json!({
            "overwrite_values": job.overwrite_values,
            "allow_partial": job.allow_partial,
            "yes": job.confirm == Confirm::AssumeYes,
            "overwrite": job.existing == IfExists::Overwrite,
            "resume": job.existing == IfExists::Resume,
            "rate": rates(&job.options.rates),
            "retries": job.options.retry.retries,
            "timeout": time(job.options.timeout),
            "max_wait": time(job.options.max_wait),
            "deadline": job.options.deadline.map(time),
            "profile": job.options.profile.as_ref().map(|profile| &profile.name),
        });
        Self::new(now, members(&flags), false)
    }

    fn new(now: crate::report::Identity, flags: BTreeMap<String, Value>, is_read: bool) -> Self {
        Self { now, flags, started_at: wall_now(), is_read, earlier: None, plans: Vec::new(), begun: None }
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
            None => {}
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

fn flags(job: &DeleteJob) -> BTreeMap<String, Value> {
    let bulk = match job.batching {
        Batching::Single => None,
        Batching::Bulk(batch) => Some(batch.keys),
    };
    let max_failures = job.max_failures.map(|limit| match limit {
        FailureLimit::Count(count) => json!(count),
        FailureLimit::Percent(percent) => json!(format!("{percent}%")),
    });
    let sync = match job.sync {
        Sync::Never => "never",
        Sync::EverySecond => "1s",
        Sync::Always => "always",
    };
    let mut flags = json!({
        "max_keys": job.guards.max_keys,
        "min_keys": job.guards.min_keys,
        "allow_partial": job.allow_partial,
        "yes": job.confirm == Confirm::AssumeYes,
        "overwrite": job.existing == IfExists::Overwrite,
        "resume": job.existing == IfExists::Resume,
        "sync": sync,
        "metrics_file": job.monitoring.metrics_file.as_deref().map(Path::to_string_lossy),
        "expect": job.guards.expect,
        "max_failures": max_failures,
        "canary": job.canary,
        "check": job.check,
        "backup": job.backup.as_deref().map(Path::to_string_lossy),
        "failures": job.failures.as_deref().map(Path::to_string_lossy),
        "bulk": bulk,
        "rate": rates(&job.options.rates),
        "concurrency": job.concurrency,
        "retries": job.options.retry.retries,
        "timeout": time(job.options.timeout),
        "max_wait": time(job.options.max_wait),
        "deadline": job.options.deadline.map(time),
        "grace": time(job.grace),
        "profile": job.options.profile.as_ref().map(|profile| &profile.name),
        "job_name": job.monitoring.job_name,
    });
    if let (Keys::Inputs(inputs), Some(flags)) = (&job.keys, flags.as_object_mut()) {
        flags.extend(reading(inputs));
    }
    members(&flags)
}

fn members(object: &Value) -> BTreeMap<String, Value> {
    object.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// How the inputs are read.
fn reading(inputs: &Inputs) -> [(String, Value); 5] {
    let options = &inputs.options;
    let column = options.column.as_ref().map(|column| match column {
        Column::Name(name) => json!(name),
        Column::Number(number) => json!(number),
    });
    [
        ("format", json!(options.format.map(crate::input::Format::as_str))),
        ("column", json!(column)),
        ("no_header", json!(options.header == Header::None)),
        ("delimiter", json!(options.delimiter.map(char::from))),
        ("no_dedupe", json!(!inputs.dedupe)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

fn rates(rates: &[Rate]) -> Value {
    json!(rates.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}
