//! A dry run's report compared with what was done. Keys are compared, not positions, because a plan that became the input is
//! numbered from 1 again; only their hashes are kept.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use super::jobs::{ReportedFile, ReportedJob};
use super::reports::{Reports, ReviewError, warn_unchecked};
use crate::outcome::{Status, Tally};
use crate::report::Kind;
use crate::text::truncated;

const SAMPLES: usize = 10;

#[derive(Debug, Default)]
pub(crate) struct Diff {
    pub planned: u64,
    /// Of these, what became of those with a row.
    pub done: Tally,
    pub not_done: u64,
    pub not_gone_keys: Vec<String>,
    pub unplanned: Tally,
    pub unplanned_keys: Vec<String>,
}

impl Diff {
    /// Compares `plan` with `reports`.
    pub(crate) fn of(plan: &Path, reports: &Reports) -> Result<Self, ReviewError> {
        let plan = Reports::open(vec![plan.to_owned()])?;
        plan.files().iter().try_for_each(|plan| check_plan(plan, reports.files()))?;
        let hasher = RandomState::new();
        let hash = |key: &str| hasher.hash_one(key);
        let mut planned = HashMap::<u64, Option<Status>>::new();
        plan.rows(|_, row, is_latest| {
            if is_latest && row.status == Status::Planned {
                planned.insert(hash(&row.key), None);
            }
        })?;
        if planned.is_empty() {
            let path = plan.files().first().map(|file| file.path.clone()).unwrap_or_default();
            return Err(ReviewError::NoPlan { path });
        }
        let mut diff = Self { planned: planned.len() as u64, ..Self::default() };
        reports.rows(|_, row, is_latest| {
            // A duplicate's first record tells what became of the key.
            if !is_latest || matches!(row.status, Status::Duplicate | Status::Planned) {
                return;
            }
            if let Some(found) = planned.get_mut(&hash(&row.key)) {
                settle(found, row.status);
            } else if !matches!(row.status, Status::Invalid | Status::Kept) {
                diff.unplanned.add(row.status);
                if diff.unplanned_keys.len() < SAMPLES {
                    diff.unplanned_keys.push(truncated(&row.key).into_owned());
                }
            }
        })?;
        for found in planned.values() {
            match found {
                Some(status) => diff.done.add(*status),
                None => diff.not_done += 1,
            }
        }
        if diff.planned_not_gone() > 0 {
            plan.rows(|_, row, is_latest| {
                let wanted = is_latest && row.status == Status::Planned && diff.not_gone_keys.len() < SAMPLES;
                if wanted && !planned.get(&hash(&row.key)).copied().flatten().is_some_and(is_gone) {
                    diff.not_gone_keys.push(truncated(&row.key).into_owned());
                }
            })?;
        }
        Ok(diff)
    }

    /// Planned keys that are neither deleted nor absent.
    pub(crate) fn planned_not_gone(&self) -> u64 {
        self.planned - self.done.get(Status::Deleted) - self.done.get(Status::Absent)
    }

    pub(crate) fn differs(&self) -> bool {
        self.planned_not_gone() > 0 || self.unplanned.total() > 0
    }
}

/// A plan is compared with the jobs that may have executed it, as far as job files say.
fn check_plan(plan: &ReportedFile, reports: &[ReportedFile]) -> Result<(), ReviewError> {
    let jobs = reports.iter().filter_map(|report| Some((&report.path, report.job.as_ref()?.identity())));
    let planned = plan.job.as_ref().map(ReportedJob::identity);
    if planned.is_some_and(|planned| planned.kind != Kind::DryRun) {
        return Err(ReviewError::NoPlan { path: plan.path.clone() });
    }
    for (report, job) in jobs.clone() {
        if job.kind != Kind::Delete {
            return Err(ReviewError::NotExecuted { report: report.clone(), kind: job.kind });
        }
        if let Some(difference) = planned.and_then(|planned| planned.planned_elsewhere(job)) {
            let (plan, report) = (plan.path.clone(), report.clone());
            return Err(ReviewError::OtherPlan { plan, report, difference: Box::new(difference) });
        }
    }
    if planned.is_none() {
        warn_unchecked(&plan.path);
    } else if jobs.count() == 0 {
        for report in reports {
            warn_unchecked(&report.path);
        }
    }
    Ok(())
}

fn is_gone(status: Status) -> bool {
    matches!(status, Status::Deleted | Status::Absent)
}

/// Of a key with several records, that it is gone says more than anything else.
fn settle(found: &mut Option<Status>, status: Status) {
    if !found.is_some_and(is_gone) {
        *found = Some(status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gone_is_gone() {
        let mut found = None;
        for (status, then) in
            [(Status::Failed, Status::Failed), (Status::Deleted, Status::Deleted), (Status::Invalid, Status::Deleted)]
        {
            settle(&mut found, status);
            assert_eq!(found, Some(then));
        }
    }
}
