//! The top of the page: how the job ended, and what it is.

use std::collections::HashSet;

use super::{ReportedJob, Review};
use crate::report::Kind;
use crate::terminal::{Escaped, count, duration, pluralized};

/// What is the same for all reports: namespace, kind and inputs.
pub(super) fn about(review: &Review) -> Vec<(&'static str, Vec<String>)> {
    let jobs = || review.files.iter().filter_map(|file| file.job.as_ref());
    let unique = |of: fn(&ReportedJob) -> Vec<String>| {
        let mut texts: Vec<String> = jobs().flat_map(of).map(|text| Escaped(&text).to_string()).collect();
        let mut known = HashSet::new();
        texts.retain(|text| known.insert(text.clone()));
        texts
    };
    let about = [
        ("Namespace", unique(|job| job.namespace().into_iter().collect())),
        ("Kind", unique(|job| vec![job.file.identity.kind.in_words().to_owned()])),
        ("Inputs", unique(|job| job.file.identity.inputs.iter().map(|input| input.path.clone()).collect())),
        ("Account", unique(|job| job.file.identity.account_id.iter().cloned().collect())),
        ("State", unique(|job| vec![format!("{}{}", job.state(), job.runs())])),
    ];
    about.into_iter().filter(|(_, texts)| !texts.is_empty()).collect()
}

pub(super) fn title(review: &Review) -> String {
    let (done, verb) = review.done();
    let open = review.tally.failures();
    if let Some(Kind::DryRun | Kind::RestoreDryRun) = review.kind() {
        return format!("Dry run: {}", review.records());
    }
    let what = match (review.unfinished().zip(review.whole()), open, done) {
        (Some((state, whole)), _, _) => format!("{state}: {} of {} {verb}", count(done), count(whole)),
        (None, 0, 0) => review.records(),
        (None, 0, _) => match review.whole().filter(|whole| *whole > done) {
            Some(whole) => format!("{} of {} {verb}", count(done), pluralized(whole, "record")),
            None => format!("{} {verb}", pluralized(done, "key")),
        },
        (None, _, _) => format!("{} not {verb}", pluralized(open, "key")),
    };
    // What was done to no real key has to look so.
    if review.kind() == Some(Kind::Rehearsal) { format!("Rehearsal: {what}") } else { what }
}

pub(super) fn summary(review: &Review) -> String {
    let records = review.records();
    if review.tally.sent() == 0 {
        // Keys that were in flight when a job was killed have no row.
        return if review.unfinished().is_some() {
            format!("{records}.")
        } else {
            format!("{records}; nothing was sent.")
        };
    }
    let rate = review.rate().map(|rate| format!(", {rate:.1} keys/s")).unwrap_or_default();
    format!("{records} in {}{rate}.", duration(review.timeline.span()))
}

pub(super) fn notes(review: &Review) -> Vec<String> {
    // What one job file says is above.
    let is_told = review.files.len() == 1 && review.files.iter().all(|file| file.job.is_some());
    let mut notes = review.job_lines();
    if is_told {
        notes.remove(0);
    }
    if review.inputs > 1 {
        notes.push(format!("The reports belong to {} different inputs; their counts are added up.", review.inputs));
    }
    if review.superseded() > 0 {
        let rows = pluralized(review.superseded(), "row");
        notes.push(format!("{rows} replaced by a later row of the same record."));
    }
    for file in review.files.iter().filter(|file| file.extent.torn > 0) {
        notes.push(format!("The last row of {} is incomplete and was skipped.", Escaped(&file.path.to_string_lossy())));
    }
    notes
}
