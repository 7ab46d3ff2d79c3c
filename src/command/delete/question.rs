//! What is asked before a job that deletes, of whom, and what the answer means.

use crate::command::confirm::{self, ConfirmWith};
use crate::command::connect::ConnectedTarget;
use crate::command::error::Error;
use crate::command::job::{DeleteJob, KeySelection, Keys};
use crate::command::overview::Overview;
use crate::command::pages::NamespacePages;
use crate::command::preview;
use crate::pipeline::Pages as _;
use crate::plan::Consent;
use crate::record::{Content, Record};
use crate::terminal::{Escaped, padded_note};

use super::scan::{InputScan, KeySource};

/// Asks on the terminal.
pub(super) fn ask(job: &DeleteJob, target: &ConnectedTarget, scan: &InputScan) -> Result<Consent, Error> {
    let plan = scan.plan.as_ref();
    let keys = plan.map(|plan| plan.keys);
    let first = plan.map(|plan| plan.first_keys.iter().map(|key| key.as_str().to_owned()).collect());
    let question = confirm::Question {
        action: confirm::Action::Delete,
        keys,
        uncounted: "as many keys as stdin holds",
        overview: Overview::of(job, Some((&target.connection, &target.namespace))),
        first_keys: first.unwrap_or_default(),
        note: keys.and_then(|keys| preview::bulk_note(job, &target.limits.rates, keys)),
        confirm_with: ConfirmWith::for_keys(keys),
    };
    let question = match (&job.keys, &scan.source) {
        (Keys::Namespace(selection), KeySource::Listing { pages, first }) => {
            listed(question, selection, first, pages, target)
        }
        _ => question,
    };
    let part = job.shard().map(|shard| format!("these are the keys of shard {shard}; no others are deleted here"));
    let padded = plan.and_then(|plan| padded_note(plan.padded_keys));
    let note = target
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
    selection: &KeySelection,
    first: &[Record],
    pages: &NamespacePages,
    target: &ConnectedTarget,
) -> confirm::Question {
    let known: Vec<&str> = first
        .iter()
        .filter_map(|record| match &record.content {
            Content::Key(key) => Some(key.as_str()),
            _ => None,
        })
        .collect();
    let whole = pages.request().is_none();
    let everything = selection.prefixes.cover_everything();
    confirm::Question {
        keys: whole.then_some(known.len() as u64),
        uncounted: if everything { "every key" } else { "every key that begins with a prefix below" },
        first_keys: known.into_iter().take(confirm::SHOWN_KEYS).map(str::to_owned).collect(),
        note: (!whole)
            .then(|| "how many they are is not known before all are listed: --dry-run counts them".to_owned()),
        confirm_with: match &target.namespace.title {
            _ if !everything => ConfirmWith::Yes,
            title if can_be_typed(title) => ConfirmWith::Name(title.clone()),
            _ => ConfirmWith::Name(target.connection.namespace.to_string()),
        },
        ..question
    }
}

fn can_be_typed(title: &str) -> bool {
    !title.is_empty() && title.trim() == title && Escaped(title).to_string() == title
}
