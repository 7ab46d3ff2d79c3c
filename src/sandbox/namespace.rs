//! The one namespace: its options, its keys, and what was done to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use hyper::StatusCode;

use super::answer::Problem;
use super::lock::locked;
use super::options::SandboxOptions;
use super::store::Store;
use super::time::unix_now;

pub(super) struct Namespace {
    options: SandboxOptions,
    store: Mutex<Store>,
    times_deleted: AtomicU64,
    deletes: Mutex<DayOfDeletes>,
}

/// How many names were deleted on which day since the Unix epoch.
#[derive(Default)]
struct DayOfDeletes {
    day: u64,
    names: u64,
}

impl Namespace {
    pub(super) fn new(options: SandboxOptions) -> Self {
        Self { options, store: Mutex::default(), times_deleted: AtomicU64::new(0), deletes: Mutex::default() }
    }

    pub(super) fn options(&self) -> &SandboxOptions {
        &self.options
    }

    pub(super) fn store(&self) -> &Mutex<Store> {
        &self.store
    }

    pub(super) fn times_deleted(&self) -> u64 {
        self.times_deleted.load(Ordering::Relaxed)
    }

    /// The catastrophe: everything is gone, and a test can see that it was asked for.
    pub(super) fn delete(&self) {
        self.times_deleted.fetch_add(1, Ordering::Relaxed);
        locked(&self.store).clear();
    }

    /// Takes `names` from what may be deleted today; all or nothing.
    pub(super) fn spend_deletes(&self, names: u64) -> Result<(), Problem> {
        let Some(limit) = self.options.daily_deletes else {
            return Ok(());
        };
        let today = unix_now() / 86_400;
        let mut spent: MutexGuard<'_, DayOfDeletes> = locked(&self.deletes);
        if spent.day != today {
            *spent = DayOfDeletes { day: today, names: 0 };
        }
        if spent.names + names > limit {
            let message = "you have reached the free usage limit for this operation for today";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, 10048, message));
        }
        spent.names += names;
        Ok(())
    }
}
