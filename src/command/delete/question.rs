//! What is asked before a job that deletes, of whom, and what the answer means.

use crate::command::confirm::{self, ToType};
use crate::command::expected;
use crate::command::job::{Job, Keys, Wanted};
use crate::command::locate::Missed;
use crate::command::overview::Overview;
use crate::command::pages::NamespacePages;
use crate::pipeline::Pages as _;
use crate::plan::Consent;
use crate::record::{Content, Record};
use crate::terminal::{Escaped, padded_note};

use super::Met;
use super::look::{Look, Supply};

/// Asks on the terminal.
pub(super) fn ask(job: &Job, met: &Met, look: &Look) -> Result<Consent, Missed> {
    let plan = look.plan.as_ref();
    let keys = plan.map(|plan| plan.keys);
    let first = plan.map(|plan| plan.first_keys.iter().map(|key| key.as_str().to_owned()).collect());
    let question = confirm::Question {
        action: confirm::Action::Delete,
        keys,
        uncounted: "as many keys as stdin holds",
        overview: Overview::of(job, Some((&met.connection, &met.namespace))),
        first_keys: first.unwrap_or_default(),
        note: keys.and_then(|keys| expected::bulk_note(job, &met.limits.rates, keys)),
        to_type: ToType::for_keys(keys),
    };
    let question = match (&job.keys, &look.supply) {
        (Keys::Namespace(wanted), Supply::Asked { pages, first }) => listed(question, wanted, first, pages, met),
        _ => question,
    };
    let part = job.shard().map(|shard| format!("these are the keys of shard {shard}; no others are deleted here"));
    let padded = plan.and_then(|plan| padded_note(plan.padded_keys));
    let note = met
        .limits
        .note()
        .into_iter()
        .chain(part)
        .chain(padded)
        .chain(question.note)
        .reduce(|part, note| format!("{part}; {note}"));
    let question = confirm::Question { note, ..question };
    confirm::ask(&question)?;
    Ok(Consent::Typed)
}

/// The same question about keys that are listed, of which `first` are known.
fn listed(
    question: confirm::Question,
    wanted: &Wanted,
    first: &[Record],
    pages: &NamespacePages,
    met: &Met,
) -> confirm::Question {
    let known: Vec<&str> = first
        .iter()
        .filter_map(|record| match &record.content {
            Content::Key(key) => Some(key.as_str()),
            Content::Duplicate(_) | Content::Kept(_) | Content::Invalid(_) | Content::Settled => None,
        })
        .collect();
    let whole = pages.request().is_none();
    let everything = wanted.prefixes.cover_everything();
    confirm::Question {
        keys: whole.then_some(known.len() as u64),
        uncounted: if everything { "every key" } else { "every key that begins with a prefix below" },
        first_keys: known.into_iter().take(confirm::SHOWN_KEYS).map(str::to_owned).collect(),
        note: (!whole)
            .then(|| "how many they are is not known before all are listed: --dry-run counts them".to_owned()),
        to_type: match &met.namespace.title {
            _ if !everything => ToType::Yes,
            title if can_be_typed(title) => ToType::Name(title.clone()),
            _ => ToType::Name(met.connection.namespace.to_string()),
        },
        ..question
    }
}

fn can_be_typed(title: &str) -> bool {
    !title.is_empty() && title.trim() == title && Escaped(title).to_string() == title
}
