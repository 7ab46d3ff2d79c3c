//! Whether a refusal that looks like the whole job's (the credentials, the account, the namespace) is one key's.
//!
//! A single key may be answered with 401, 403/10000 or 404/7003. So the namespace is requested once, and nothing else is
//! sent meanwhile: if it is found, only that key failed; if not, the job stops. Should the first keys of a job all be
//! refused like that, one by one, with none that succeeds, and no earlier run has deleted any, the credentials may see the
//! namespace and may not delete: the job stops too.

use tokio::time::Instant;

use super::{Blocked, State, Step};
use crate::api::answer::Fatal;
use crate::outcome::{Status, Stop};
use crate::pipeline::circuit_breaker::enough_failures;
use crate::pipeline::retry::Failure;
use crate::pipeline::task::KeyTask;

/// Keys that wait for the namespace.
#[derive(Debug, Default)]
pub(super) struct AccessCheck {
    pub(super) suspended: Vec<Suspended>,
    /// A page was refused like that.
    pub(super) page: Option<Stop>,
    /// Whether the request is on its way.
    pub(super) sent: bool,
    /// It is not sent before this moment.
    pub(super) due: Option<Instant>,
    /// Attempts that failed without an answer to the question.
    pub(super) failures: u32,
}

/// The keys of one request.
#[derive(Debug)]
pub(super) struct Suspended {
    pub(super) batch: Vec<KeyTask>,
    fatal: Fatal,
    failure: Failure,
}

impl AccessCheck {
    pub(super) fn is_empty(&self) -> bool {
        self.suspended.is_empty() && self.page.is_none()
    }

    /// Whether the request is to be sent.
    pub(super) fn is_wanted(&self) -> bool {
        !self.is_empty() && !self.sent
    }

    /// The request has to be sent again, if it was the check.
    pub(super) fn repeat(&mut self, check: bool, due: Instant) {
        if check {
            self.sent = false;
            self.due = Some(due);
            self.failures = self.failures.saturating_add(1);
        }
    }

    pub(super) fn into_keys(self) -> impl Iterator<Item = KeyTask> {
        self.suspended.into_iter().flat_map(|suspended| suspended.batch)
    }
}

impl State {
    /// The keys of a request that was refused as if no other could succeed.
    pub(super) fn suspend(&mut self, mut batch: Vec<KeyTask>, fatal: Fatal, failure: &Failure, now: Instant) {
        for task in &mut batch {
            task.last = Some(Box::new(failure.clone()));
        }
        let failure = failure.clone();
        if self.abandons_pending().is_some() {
            // Nothing is sent any more, the check neither.
            for task in batch {
                self.settle_as(task, failure.clone(), now);
            }
            return;
        }
        self.access.suspended.push(Suspended { batch, fatal, failure });
    }

    /// A page was refused like that: `stop` says how.
    pub(super) fn suspend_page(&mut self, stop: Stop) {
        self.access.page = Some(stop);
    }

    pub(super) fn send_access_check(&mut self, probe: bool, now: Instant) -> Result<Step, Blocked> {
        if self.access.sent {
            return Err(Blocked::by_server(None));
        }
        if let Some(due) = self.access.due.filter(|due| *due > now) {
            return Err(Blocked::by_server(Some(due)));
        }
        let permit = self.take_permit(probe, now)?;
        self.access.sent = true;
        Ok(self.send_namespace(permit, probe, true))
    }

    /// The namespace is there, so each refusal was about its own keys.
    pub(super) fn access_confirmed(&mut self, now: Instant) {
        let AccessCheck { suspended, page, .. } = std::mem::take(&mut self.access);
        if let Some(stop) = page {
            self.on_page_refused_alone(stop, now);
        }
        for Suspended { batch, fatal, failure } in suspended {
            // As with any other refusal of a key, the server is at work.
            self.caller.max_wait.succeeded(now);
            // Of several keys one may be refused, again and again until it is alone.
            let read = batch.first().is_some_and(|task| task.stage.is_read());
            let denied = &mut self.denied[usize::from(!read)];
            *denied += u64::from(batch.len() == 1);
            let denied = *denied;
            let enough = u64::from(enough_failures(self.caller.totals.keys));
            let tally = &self.caller.totals.tally;
            let done = [Status::Deleted, Status::Absent, Status::Restored].map(|status| tally.get(status));
            let deleted = self.options.deleted_before + done.iter().sum::<u64>() > 0;
            // Who may read may still not delete.
            let succeeded = deleted || (read && self.has_read);
            if !succeeded && denied >= enough {
                let why = format!("the namespace can be read, but every request for a key is refused: {failure}");
                self.stop(Stop::new(fatal.into(), why), now);
            }
            self.refuse(batch, &failure, now);
        }
    }

    /// One key failed; of several it is not known which, so they are sent again in halves.
    fn refuse(&mut self, batch: Vec<KeyTask>, failure: &Failure, now: Instant) {
        let half = u32::try_from(batch.len().div_ceil(2)).ok().and_then(std::num::NonZeroU32::new);
        let alone = batch.len() < 2;
        for mut task in batch.into_iter().rev() {
            match half {
                Some(half) if !alone => {
                    task.max_batch = half;
                    self.queue(&task).push_again(task);
                }
                _ => self.settle_as(task, failure.clone(), now),
            }
        }
    }
}
