//! What makes two runs the same job.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::outcome::Status;
use crate::terminal::{Escaped, count, pluralized};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    #[default]
    Delete,
    DryRun,
    Rehearsal,
    Restore,
    RestoreDryRun,
}

impl Kind {
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::DryRun => "dry run",
            Self::Rehearsal => "rehearsal",
            Self::Restore => "restore",
            Self::RestoreDryRun => "restore's dry run",
        }
    }

    /// Whether a row of its report may have this status.
    pub fn may_write(self, status: Status) -> bool {
        match status {
            Status::Deleted => matches!(self, Self::Delete | Self::Rehearsal),
            Status::Absent => !matches!(self, Self::Restore | Self::RestoreDryRun),
            Status::Planned => self == Self::DryRun,
            Status::Restored => self == Self::Restore,
            Status::Restorable => self == Self::RestoreDryRun,
            Status::Kept | Status::Duplicate | Status::Failed | Status::Unknown | Status::Invalid => true,
        }
    }

    /// Whether its report can be continued: a plan is only read, and what a rehearsal deleted is gone with its server.
    pub fn is_resumable(self) -> bool {
        matches!(self, Self::Delete | Self::Restore)
    }
}

/// Which job it is. `None`: not known yet, or does not apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub kind: Kind,
    pub base_url: Option<String>,
    pub account_id: Option<String>,
    pub namespace_id: Option<String>,
    /// Its title. Titles can change: it counts only if one side has no id.
    pub namespace_title: Option<String>,
    /// The part of the keys that is taken, `K/N`.
    pub shard: Option<String>,
    pub filters: Filters,
    pub inputs: Vec<Input>,
}

/// Which keys are taken: those of flags and profile together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Filters {
    #[serde(flatten)]
    pub names: Names,
    pub all: bool,
    pub prefix: Vec<String>,
    /// As given on the command line: what `7d` means changes with time.
    pub expiring_before: Option<String>,
    pub without_expiration: bool,
    /// `PATH=VALUE` or `PATH`.
    pub metadata: Vec<String>,
}

/// Patterns of names, sorted and without repetition, so that equal sets are equal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Names {
    /// A key that matches one of these is kept.
    pub protect: Vec<String>,
    /// A key has to match one pattern of each of these lists (that of the flags, that of the profile).
    pub only: Vec<Vec<String>>,
}

/// An input. One that can be read only once (stdin) has nothing but its path, and its records once it was read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    /// As it was named; `-` is stdin. It is not compared.
    pub path: String,
    pub bytes: Option<u64>,
    /// Its content: `sha256:` and 64 hex digits.
    pub hash: Option<String>,
    pub records: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub what: &'static str,
    pub then: String,
    pub now: String,
}

impl Difference {
    fn of<T: PartialEq + ?Sized>(what: &'static str, then: &T, now: &T, shown: impl Fn(&T) -> String) -> Option<Self> {
        (then != now).then(|| Self { what, then: shown(then), now: shown(now) })
    }

    fn of_known(what: &'static str, then: Option<&String>, now: Option<&String>) -> Option<Self> {
        Self::of(what, then?, now?, |value| Escaped(value).to_string())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "its {} is {}, and this job's is {}", self.what, self.then, self.now)
    }
}

impl Identity {
    /// One of which nothing but the kind is known.
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// Takes over from `other`, the same job, which namespace it is and what the inputs hold, as far as that is not known yet.
    pub(crate) fn complete(&mut self, other: &Self) {
        for (known, other) in [
            (&mut self.base_url, &other.base_url),
            (&mut self.account_id, &other.account_id),
            (&mut self.namespace_id, &other.namespace_id),
            (&mut self.namespace_title, &other.namespace_title),
        ] {
            *known = known.take().or_else(|| other.clone());
        }
        if !are_known(&self.inputs) && are_known(&other.inputs) {
            self.inputs.clone_from(&other.inputs);
        } else if self.inputs.len() == other.inputs.len() {
            for (input, other) in self.inputs.iter_mut().zip(&other.inputs) {
                input.records = other.records.or(input.records);
            }
        }
    }

    /// How `now` differs from this job, as far as both are known; `None` if it is the same.
    pub(crate) fn difference(&self, now: &Self) -> Option<Difference> {
        self.other_target(now)
            .or_else(|| Difference::of("shard", &self.shard, &now.shard, |shard| shard.clone().unwrap_or_else(none)))
            .or_else(|| self.filters.difference(&now.filters))
            .or_else(|| different_inputs(&self.inputs, &now.inputs))
    }

    /// Whether what the inputs hold is known of both to be something else.
    pub(crate) fn has_other_inputs(&self, other: &Self) -> bool {
        different_inputs(&self.inputs, &other.inputs).is_some()
    }

    /// How `now` differs from this job in what is done, or in which namespace.
    pub(crate) fn other_target(&self, now: &Self) -> Option<Difference> {
        Difference::of("kind", &self.kind, &now.kind, |kind| kind.in_words().to_owned())
            .or_else(|| self.other_namespace(now))
    }

    /// How the namespace of `now` differs from the one that this plan was made for, if it was made for one.
    pub(crate) fn planned_elsewhere(&self, now: &Self) -> Option<Difference> {
        self.has_namespace().then(|| self.other_namespace(now))?
    }

    /// How the base URL, account or namespace of `now` differs from this job's.
    fn other_namespace(&self, now: &Self) -> Option<Difference> {
        let ids = (self.namespace_id.as_ref(), now.namespace_id.as_ref());
        let titles = match ids {
            (Some(_), Some(_)) => None,
            _ => Difference::of_known("namespace", self.namespace_title.as_ref(), now.namespace_title.as_ref()),
        };
        Difference::of_known("base URL", self.base_url.as_ref(), now.base_url.as_ref())
            .or_else(|| Difference::of_known("account", self.account_id.as_ref(), now.account_id.as_ref()))
            .or_else(|| Difference::of_known("namespace", ids.0, ids.1))
            .or(titles)
    }

    pub(super) fn has_namespace(&self) -> bool {
        self.namespace_id.is_some() || self.namespace_title.is_some()
    }
}

impl Filters {
    fn difference(&self, now: &Self) -> Option<Difference> {
        let list = |patterns: &Vec<String>| listed(patterns);
        let layers = |layers: &Vec<Vec<String>>| {
            let layers: Vec<_> = layers.iter().map(|patterns| listed(patterns)).collect();
            if layers.is_empty() { none() } else { layers.join(" and ") }
        };
        let yes = |given: &bool| if *given { "given" } else { "not given" }.to_owned();
        Difference::of("--protect", &self.names.protect, &now.names.protect, list)
            .or_else(|| Difference::of("--only", &self.names.only, &now.names.only, layers))
            .or_else(|| Difference::of("--all", &self.all, &now.all, yes))
            .or_else(|| Difference::of("--prefix", &self.prefix, &now.prefix, list))
            .or_else(|| {
                let shown = |moment: &Option<String>| moment.clone().unwrap_or_else(none);
                Difference::of("--expiring-before", &self.expiring_before, &now.expiring_before, shown)
            })
            .or_else(|| Difference::of("--without-expiration", &self.without_expiration, &now.without_expiration, yes))
            .or_else(|| Difference::of("--metadata", &self.metadata, &now.metadata, list))
    }
}

impl Names {
    /// Patterns in any order; those of the flags and of the profile protect together, and each of their `only` counts.
    pub(crate) fn new(mut protect: Vec<String>, only: Vec<Vec<String>>) -> Self {
        let tidy = |patterns: &mut Vec<String>| {
            patterns.sort_unstable();
            patterns.dedup();
        };
        tidy(&mut protect);
        let mut only: Vec<_> = only.into_iter().filter(|patterns| !patterns.is_empty()).collect();
        only.iter_mut().for_each(tidy);
        only.sort_unstable();
        only.dedup();
        Self { protect, only }
    }
}

fn are_known(inputs: &[Input]) -> bool {
    inputs.iter().all(|input| input.hash.is_some())
}

/// By content, as far as that is known of both; what is read only once is compared row by row while it is read.
fn different_inputs(then: &[Input], now: &[Input]) -> Option<Difference> {
    let may_be_same =
        |(then, now): (&Input, &Input)| then.hash.is_none() || now.hash.is_none() || then.hash == now.hash;
    let same = if then.len() == now.len() {
        then.iter().zip(now).all(may_be_same)
    } else {
        !(are_known(then) && are_known(now))
    };
    let shown = |inputs: &[Input]| inputs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    (!same).then(|| Difference { what: "input", then: shown(then), now: shown(now) })
}

/// `keys.txt (480 records, 12,345 bytes, sha256:0123456789ab…)`.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let facts = [
            self.records.map(|records| pluralized(records, "record")),
            self.bytes.map(|bytes| format!("{} bytes", count(bytes))),
            self.hash.as_ref().map(|hash| format!("{}…", hash.chars().take(19).collect::<String>())),
        ];
        let facts: Vec<_> = facts.into_iter().flatten().collect();
        write!(f, "{}", Escaped(&self.path))?;
        if facts.is_empty() { Ok(()) } else { write!(f, " ({})", facts.join(", ")) }
    }
}

fn none() -> String {
    "none".to_owned()
}

fn listed(patterns: &[String]) -> String {
    if patterns.is_empty() { none() } else { Escaped(&patterns.join(" ")).to_string() }
}
