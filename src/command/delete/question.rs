//! What is asked before a job that deletes, of whom, and what the answer means.

use crate::clock::wall_now;
use crate::command::confirm::{self, ConfirmWith};
use crate::command::connect::ConnectedTarget;
use crate::command::error::Error;
use crate::command::job::{DeleteJob, KeySelection, Keys};
use crate::command::overview::Overview;
use crate::command::pages::NamespacePages;
use crate::command::preview;
use crate::outcome::{Status, Tally};
use crate::pipeline::Pages as _;
use crate::record::{Content, Record};
use crate::terminal::{Escaped, count, padded_note};

use super::scan::{InputScan, KeySource};

/// Asks on the terminal.
pub(super) fn ask(job: &DeleteJob, target: &ConnectedTarget, scan: &InputScan, report: &str) -> Result<(), Error> {
    let plan = scan.plan.as_ref();
    let keys = plan.map(|plan| plan.keys);
    let first = plan.map(|plan| plan.first_keys.iter().map(|key| key.as_str().to_owned()).collect());
    let mut overview = Overview::of(job, Some((&target.connection, &target.namespace)), &scan.formats());
    for estimate in keys.iter().flat_map(|keys| preview::estimates(job, &target.limits, *keys, wall_now())) {
        overview.push("duration", format!("{}: {}", estimate.name, estimate.in_words()));
    }
    let action = confirm::Action::Delete { backup: job.run.backup.is_some() };
    let mut question = confirm::Question::new(action, keys, overview, report.to_owned(), &target.limits);
    question.others = plan.map(|plan| others(&plan.tally)).unwrap_or_default();
    question.first_keys = first.unwrap_or_default();
    let part = job.shard().map(|shard| format!("only the keys of shard {shard} are deleted"));
    let padded = plan.and_then(|plan| padded_note(plan.padded_keys));
    question.notes.extend(part.into_iter().chain(padded));
    let question = match (&job.keys, &scan.source) {
        (Keys::Namespace(selection), KeySource::Listing { pages, first }) => {
            listed(question, selection, first, pages, target)
        }
        _ => question,
    };
    confirm::ask(&question)
}

/// The same question about keys that are listed, of which `first` are known.
fn listed(
    mut question: confirm::Question,
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
    if !whole {
        question.notes.push("the keys are not counted yet (--dry-run counts them)".to_owned());
    }
    confirm::Question {
        keys: whole.then_some(known.len() as u64),
        others: String::new(),
        uncounted: if everything { "every key of the namespace" } else { "every key with one of these prefixes" },
        first_keys: known.into_iter().take(confirm::SHOWN_KEYS).map(str::to_owned).collect(),
        confirm_with: match &target.namespace.title {
            _ if !everything => ConfirmWith::Yes,
            title if can_be_typed(title) => ConfirmWith::Name(title.clone()),
            _ => ConfirmWith::Name(target.connection.namespace.to_string()),
        },
        ..question
    }
}

/// ` (3 invalid, 2 duplicate, 1 kept)`, or nothing.
fn others(tally: &Tally) -> String {
    let states = [Status::Invalid, Status::Duplicate, Status::Kept].map(|status| (status, tally.get(status)));
    let others =
        states.iter().filter(|(_, number)| *number > 0).map(|(status, number)| format!("{} {status}", count(*number)));
    let others: Vec<_> = others.collect();
    if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) }
}

fn can_be_typed(title: &str) -> bool {
    !title.is_empty() && title.trim() == title && Escaped(title).to_string() == title
}
