//! Whether a refusal that looks like the whole job's (the credentials, the account, the namespace) is one key's.
//!
//! A single key may be answered with 401, 403/10000 or 404/7003. So the namespace is requested once, and nothing else is
//! sent meanwhile: if it is found, only that request failed; if not, the job stops. Should the first keys of a job all be
//! refused like that, one by one, with none that succeeds, and no earlier run has deleted any, the credentials may see the
//! namespace and may not delete: the job stops too.

use tokio::time::Instant;

use super::reply::{SentAgain, half};
use super::{Blocked, State, Step};
use crate::api::answer::{Answer, Fatal, Reply, TransientError};
use crate::outcome::{Status, Stop, StopReason};
use crate::pipeline::access_check::Suspended;
use crate::pipeline::attempt::{Attempt, Next, Proof};
use crate::pipeline::call::UNLIMITED;
use crate::pipeline::circuit_breaker::{Health, enough_failures};
use crate::pipeline::request::Request;
use crate::pipeline::retry::Failure;
use crate::pipeline::task::{KeyTask, Sent};
use crate::quota::Permit;

impl State {
    /// A request was refused as if no other could succeed.
    pub(super) fn suspend(&mut self, mut sent: Sent, fatal: Fatal, failure: Failure, now: Instant) {
        if let Sent::Keys(batch) = &mut sent {
            for task in batch {
                task.attempt.last = Some(Box::new(failure.clone()));
            }
        }
        self.access.suspended.push(Suspended { sent, fatal, failure });
        if self.abandons_pending().is_some() {
            // Nothing is sent any more, the check neither.
            for task in self.access.take_keys() {
                self.settle_as_last(task, now);
            }
        }
    }

    pub(super) fn send_access_check(&mut self, probe: bool, now: Instant) -> Result<Step, Blocked> {
        if self.access.sent {
            return Err(Blocked::by_server(None));
        }
        if !self.access.attempt.is_due(now) {
            return Err(Blocked::by_server(self.access.attempt.due));
        }
        let permit = self.take_permit(probe, now)?;
        self.access.sent = true;
        Ok(self.send(Sent::Namespace { check: true }, Request::Namespace, permit, probe))
    }

    /// The response to a request for the namespace: to the check, or to a probe.
    pub(super) fn on_namespace(
        &mut self,
        answer: Result<(), Reply>,
        (permit, probe): (&Permit, bool),
        check: bool,
        now: Instant,
    ) {
        self.access.sent &= !check;
        let Err(reply) = answer else {
            if check {
                let requests = self.caller.totals.keys;
                self.caller.breaker.observe_read(Health::Up, probe, requests, now);
            } else {
                self.caller.breaker.namespace_answered();
            }
            if probe {
                self.emit_outage(true, now);
            }
            if check {
                self.access_confirmed(now);
            }
            return;
        };
        let mut of_probe = Attempt::default();
        let history = if check { self.access.attempt.history } else { of_probe.history };
        // Nothing else is sent before the check succeeds. A refusal of the namespace is no sign that keys can be deleted.
        let health = Health::of(&reply.answer, history, check).map(|_| Health::Down { first_attempt: check });
        self.observe(&reply.answer, &reply.rate_limits, health, true, (permit, probe), now);
        if check && matches!(reply.answer, Answer::TokenReplaced(_)) {
            return self.release_suspended();
        }
        let attempt = if check { &mut self.access.attempt } else { &mut of_probe };
        match self.caller.apply(attempt, reply.answer, UNLIMITED, Proof::Named, now) {
            Next::Success => {}
            Next::Again | Next::AgainLast => attempt.log_retry("the check of the namespace", now),
            Next::Stop(stop, _) => self.stop(stop, now),
            Next::Settle(failure) if check => self.stop(refused_namespace(&failure), now),
            Next::Settle(failure) => self.caller.max_wait.failed(&failure),
        }
    }

    /// The token had expired, and there is another one: what was refused with the old one is sent again.
    fn release_suspended(&mut self) {
        self.access.attempt = Attempt::default();
        for task in self.access.take_keys().into_iter().rev() {
            self.queues.push_again(task);
        }
    }

    /// The namespace exists, so each refusal was about its own request.
    fn access_confirmed(&mut self, now: Instant) {
        self.access.attempt = Attempt::default();
        for Suspended { sent, fatal, failure } in std::mem::take(&mut self.access.suspended) {
            let Sent::Keys(batch) = sent else {
                self.on_denied_page(fatal, &failure, now);
                continue;
            };
            // As with any other refusal of a key, the server is up.
            self.caller.max_wait.succeeded(now);
            // Of several keys one may be refused, again and again until it is alone.
            let read = batch.first().is_some_and(|task| task.stage.is_read());
            let denied = &mut self.access.denied[usize::from(!read)];
            *denied += u64::from(batch.len() == 1);
            let denied = *denied;
            let enough = u64::from(enough_failures(self.caller.totals.keys));
            let tally = &self.caller.totals.tally;
            let done = [Status::Deleted, Status::Absent, Status::Restored].map(|status| tally.get(status));
            let deleted = self.options.deleted_before + done.iter().sum::<u64>() > 0;
            // Who may read may still not delete.
            let succeeded = deleted || (read && self.access.has_read);
            if !succeeded && denied >= enough {
                let why = format!("the namespace can be read, but every request for a key is refused: {failure}");
                self.stop(Stop::new(fatal.into(), why), now);
            }
            self.refuse(batch, now);
        }
    }

    /// One key failed; of several it is not known which, so they are sent again in halves.
    fn refuse(&mut self, batch: Vec<KeyTask>, now: Instant) {
        let half = half(batch.len());
        let mut again = SentAgain::default();
        for mut task in batch.into_iter().rev() {
            match half {
                Some(half) => {
                    task.max_batch = half;
                    again.add(&task);
                    self.queues.push_again(task);
                }
                None => self.settle_as_last(task, now),
            }
        }
        again.log(now);
    }

    /// The namespace is found while its page is refused as if it was not.
    fn on_denied_page(&mut self, fatal: Fatal, failure: &Failure, now: Instant) {
        let answer = Answer::Transient(TransientError::Refused(failure.refusal.clone()));
        if let Some(Next::Settle(_)) = self.apply_to_page(answer, now) {
            self.end_paging(Stop::new(fatal.into(), failure.to_string()), now);
        }
    }
}

/// The namespace existed before, and is not shown any more.
fn refused_namespace(failure: &Failure) -> Stop {
    let reason = match failure.refusal.http_status {
        Some(401 | 403) => StopReason::Unauthorized,
        _ => StopReason::NamespaceNotFound,
    };
    Stop::new(reason, format!("the namespace can no longer be read: {failure}"))
}
