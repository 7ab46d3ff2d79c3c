//! What a job is about and what guards it: the same lines in a dry run and in the question before a job.

use std::fmt::Display;

use crate::api::Namespace;
use crate::input::{Format, describe};
use crate::plan::filter::Filter;
use crate::terminal::{Escaped, duration, hanging_indent, pluralized, title_and_id};

use super::job::{Connection, DeleteJob, Inputs, JobOptions, Keys, NamespaceRef, RestoreJob, TargetIds};

const SHOWN_PATTERNS: usize = 5;

const NAMESPACE: &str = "namespace";

const NOT_GIVEN: &str = "not given";

/// How wide the labels are, with what is in front of them.
const LABELS: usize = 15 - GAP;

/// Between a label and its text.
const GAP: usize = 2;

/// Lines of a label and a text, in the order in which they are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Overview(Vec<(&'static str, String)>);

impl Overview {
    /// Of a job that deletes or plans it; `found` is the namespace, if it was asked for, and `formats` are those of the
    /// inputs that have been opened.
    pub(super) fn of(job: &DeleteJob, found: Option<(&Connection, &Namespace)>, formats: &[Option<String>]) -> Self {
        let mut overview = Self::over(found, job.target.as_ref(), &job.options);
        let filter = match &job.keys {
            Keys::Inputs(inputs) => {
                overview.inputs(inputs, formats);
                &inputs.filter
            }
            Keys::Namespace(wanted) => {
                let selection = &wanted.selection;
                if wanted.prefixes.cover_everything() {
                    overview.push("keys", "all keys of the namespace (--all)".to_owned());
                } else {
                    overview.add("prefix", wanted.prefixes.iter().map(Escaped));
                }
                let expiring = selection.expiring_before.iter();
                overview.add("only", expiring.map(|moment| format!("--expiring-before {}", Escaped(&moment.input))));
                overview.add("only", selection.without_expiration.then_some("--without-expiration"));
                let metadata = selection.metadata.iter();
                overview.add("only", metadata.map(|test| format!("--metadata {}", Escaped(&test.to_string()))));
                &selection.names
            }
        };
        overview.filter(filter);
        overview.push("guards", guards(job));
        overview
    }

    /// The same of one that restores, or plans it, from backups in these formats.
    pub(super) fn of_restore(job: &RestoreJob, found: Option<(&Connection, &Namespace)>, formats: &[Format]) -> Self {
        let mut overview = Self::over(found, job.target.as_ref(), &job.options);
        for (place, file) in job.files.iter().enumerate() {
            overview.read("backup", &file.to_string_lossy(), formats.get(place).map(ToString::to_string));
        }
        let deadline = job.options.deadline.map(|deadline| format!("--deadline {}", duration(deadline)));
        let allow_partial = job.run.allow_partial.then(|| "--allow-partial".to_owned());
        let overwrite = job.overwrite_values.then(|| "--overwrite-values".to_owned());
        let guards: Vec<_> = deadline.into_iter().chain(allow_partial).chain(overwrite).collect();
        overview.add("guards", (!guards.is_empty()).then(|| guards.join(", ")));
        overview
    }

    /// Where a job works, as far as that is known.
    fn over(found: Option<(&Connection, &Namespace)>, named: Option<&TargetIds>, options: &JobOptions) -> Self {
        let mut overview = Self::default();
        match (found, named) {
            (Some((connection, namespace)), _) => overview.found(connection, &namespace.title),
            (None, Some(target)) => overview.named(target),
            (None, None) => {}
        }
        overview.add("profile", &options.profile);
        overview
    }

    fn found(&mut self, connection: &Connection, title: &str) {
        self.push("account", title_and_id(connection.account_name.as_deref(), &connection.account));
        self.push(NAMESPACE, title_and_id(Some(title), &connection.namespace));
    }

    fn named(&mut self, target: &TargetIds) {
        let none = || NOT_GIVEN.to_owned();
        self.push("account", target.account.as_ref().map_or_else(none, ToString::to_string));
        let namespace = target.namespace.as_ref().map_or_else(none, |namespace| match namespace {
            NamespaceRef::Id(id) => id.to_string(),
            NamespaceRef::Title(title) => Escaped(title).to_string(),
            NamespaceRef::Binding { .. } => namespace.to_string(),
        });
        self.push(NAMESPACE, namespace);
    }

    fn inputs(&mut self, inputs: &Inputs, formats: &[Option<String>]) {
        for (place, source) in inputs.sources.iter().enumerate() {
            let how = formats.get(place).cloned().flatten().or_else(|| describe(source, &inputs.options));
            self.read("input", &source.to_string(), how);
        }
    }

    /// Adds a line for a file that is read, and how.
    fn read(&mut self, label: &'static str, name: &str, how: Option<String>) {
        let how = how.map(|how| format!(" ({})", Escaped(&how))).unwrap_or_default();
        self.push(label, format!("{}{how}", Escaped(name)));
    }

    fn filter(&mut self, filter: &Filter) {
        for (label, origin, patterns) in filter.origins() {
            self.push(label, format!("{} ({})", listed(patterns), Escaped(&origin)));
        }
    }

    /// Adds a line for each text.
    fn add(&mut self, label: &'static str, texts: impl IntoIterator<Item = impl Display>) {
        self.0.extend(texts.into_iter().map(|text| (label, text.to_string())));
    }

    /// Adds a line at the end.
    pub(super) fn push(&mut self, label: &'static str, text: String) {
        self.0.push((label, text));
    }

    /// The namespace as it is shown, if one was named.
    pub(super) fn namespace(&self) -> Option<&str> {
        let text = self.0.iter().find(|(label, _)| *label == NAMESPACE).map(|(_, text)| text.as_str());
        text.filter(|text| *text != NOT_GIVEN)
    }

    /// For a terminal so many columns wide; the namespace is bold if that is wanted.
    pub(super) fn lines(&self, width: usize, bold: bool) -> Vec<String> {
        let mut before = "";
        let label = |(label, text): &(&'static str, String)| {
            let shown = if std::mem::replace(&mut before, label) == *label { "" } else { label };
            let lines = hanging_indent(&format!("{:<LABELS$}", format!("  {shown}")), text, width);
            let is_bold = bold && *label == NAMESPACE;
            lines.into_iter().map(move |line| match line.split_at_checked(LABELS + GAP) {
                Some((label, text)) if is_bold => format!("{label}\x1b[1m{text}\x1b[0m"),
                _ => line,
            })
        };
        self.0.iter().flat_map(label).collect()
    }
}

#[cfg(test)]
impl Overview {
    pub(super) fn sample() -> Self {
        let namespace = Escaped("sessions \u{1b}[2Jproduction").to_string();
        Self(vec![
            ("account", "023e105f4ecef8ad9ca31a8372d0c353".to_owned()),
            ("namespace", format!("{namespace} (0f2ac74b498b48028cb68387c421e279)")),
        ])
    }
}

/// The first patterns, and how many more there are.
fn listed(patterns: &[String]) -> String {
    let first = patterns.iter().take(SHOWN_PATTERNS).map(|pattern| Escaped(pattern).to_string());
    let listed = first.collect::<Vec<_>>().join(", ");
    match patterns.len().checked_sub(SHOWN_PATTERNS) {
        None | Some(0) => listed,
        Some(more) => format!("{listed} and {} more", pluralized(more as u64, "pattern")),
    }
}

/// The flags that bound a job.
fn guards(job: &DeleteJob) -> String {
    let mut guards = Vec::new();
    let mut add = |flag: &str, value: Option<String>| guards.extend(value.map(|value| format!("--{flag} {value}")));
    add("max-keys", job.guards.max_keys.map(|keys| keys.to_string()));
    add("min-keys", job.guards.min_keys.map(|keys| keys.to_string()));
    add("expect", job.guards.expect.map(|keys| keys.to_string()));
    add("max-failures", Some(job.max_failures.map_or("none".to_owned(), |limit| limit.to_string())));
    add("canary", job.canary.map(|keys| keys.to_string()));
    add("backup", job.run.backup.as_ref().map(|backup| Escaped(&backup.to_string_lossy()).to_string()));
    add("deadline", job.options.deadline.map(duration));
    add("shard", job.shard().map(|shard| shard.to_string()));
    guards.extend(job.check.then(|| "--check".to_owned()));
    guards.extend(job.run.allow_partial.then(|| "--allow-partial".to_owned()));
    guards.join(", ")
}
