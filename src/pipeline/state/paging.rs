//! Requests for records that come in pages: one page at a time, under the same budget, retries, pauses and outage as the
//! keys, and only when records are wanted.

use tokio::time::Instant;

use super::{Blocked, State, Step};
use crate::api::Page;
use crate::api::answer::{Answer, Reply, TransientError};
use crate::outcome::{Pending, Stop, StopReason};
use crate::pipeline::attempt::{Attempt, Next, Proof};
use crate::pipeline::circuit_breaker::Health;
use crate::pipeline::pages::{PageFetch, Pages};
use crate::pipeline::request::Request;
use crate::pipeline::retry::Failure;
use crate::pipeline::task::Sent;
use crate::quota::Permit;
use crate::record::Record;
use crate::terminal::pluralized;

impl State {
    /// The records are requested, not read: `first` are those that are known already, before the rest of `pages`.
    #[must_use]
    pub fn with_pages(mut self, pages: Box<dyn Pages>, first: Vec<Record>, now: Instant) -> Self {
        self.paging = Some(PageFetch { pages, in_flight: false, attempt: Attempt::default() });
        self.take_page(Ok(first), now);
        self
    }

    /// Whether the next page is to be requested now.
    pub(super) fn wants_page(&self, now: Instant) -> bool {
        self.paging.as_ref().is_some_and(|fetch| !fetch.in_flight && fetch.attempt.is_due(now)) && self.wants_more()
    }

    /// When the next page is tried again, if it waits for that.
    pub(super) fn page_due(&self, now: Instant) -> Option<Instant> {
        self.paging.as_ref().and_then(|fetch| fetch.attempt.due).filter(|due| *due > now && self.wants_more())
    }

    /// Whether a bulk call is worth waiting for: it is not full, and a page of keys is in flight. Those of a page that are
    /// read first do not count, and what is backed up must not wait for a slow page.
    pub(super) fn waits_for_page(&self, fresh: u64) -> bool {
        let is_fetching = self.paging.as_ref().is_some_and(|fetch| fetch.in_flight);
        let on_their_way = is_fetching && self.wants_more() && !self.options.action.reads();
        on_their_way && !self.queues.deletes.is_full(self.options.batching, fresh)
    }

    /// Requests the next page; otherwise as `try_send`.
    pub(super) fn send_page(&mut self, probe: bool, now: Instant) -> Result<Step, Blocked> {
        let request = self.paging.as_ref().and_then(|fetch| fetch.pages.request());
        let Some(request) = request else { return Err(Blocked::UNTIL_EVENT) };
        let permit = self.take_permit(probe, now)?;
        if let Some(fetch) = &mut self.paging {
            let again = fetch.attempt.sent > 0;
            fetch.attempt.sent += 1;
            fetch.in_flight = true;
            self.count_retry(again);
        }
        Ok(self.send(Sent::Page, Request::Page(request), permit, probe))
    }

    /// The response to the request for a page.
    pub(super) fn on_page(&mut self, response: Result<Page, Reply>, permit: &Permit, probe: bool, now: Instant) {
        let Some(fetch) = &mut self.paging else { return };
        fetch.in_flight = false;
        let history = fetch.attempt.history;
        let (answer, rate_limits) = match &response {
            Ok(page) => (&Answer::Success, &page.rate_limits),
            Err(reply) => (&reply.answer, &reply.rate_limits),
        };
        // If no other key can be tried before it comes, each of its attempts counts as a key's first.
        let first_attempt = history.failures == 0 || !self.has_untried();
        // A server that lists may still not delete: if there are keys, they show whether it is up.
        let alone = self.queues.len() == 0 && self.slots.is_empty();
        let health = Health::of(answer, history, first_attempt).filter(|health| alone || *health != Health::Up);
        self.observe(answer, rate_limits, health, false, (permit, probe), now);
        match response {
            Ok(page) => {
                self.caller.max_wait.succeeded(now);
                let Some(fetch) = &mut self.paging else { return };
                fetch.attempt = Attempt::default();
                let records = fetch.pages.accept(page);
                self.take_page(records, now);
            }
            Err(Reply { answer: Answer::Fatal(fatal, refusal), .. }) if fatal.may_be_one_requests() => {
                self.suspend(Sent::Page, fatal, TransientError::Refused(refusal).into(), now);
            }
            Err(reply) => match self.apply_to_page(reply.answer, now) {
                None => {}
                Some(Next::Again | Next::AgainLast) => {
                    self.paging.iter().for_each(|fetch| fetch.attempt.log_retry("a page of the listing", now));
                }
                Some(Next::Stop(stop, _)) => self.stop(stop, now),
                Some(Next::Settle(failure)) if failure.is_transient => {
                    let attempts = self.paging.as_ref().map_or(0, |fetch| fetch.attempt.sent);
                    let attempts = pluralized(attempts.into(), "attempt");
                    let why = format!("the keys cannot be listed: {failure} ({attempts})");
                    self.end_paging(Stop::new(StopReason::Outage, why), now);
                }
                Some(Next::Settle(failure)) => self.on_refused_page(&failure, now),
                Some(Next::Success) => {
                    self.on_refused_page(&Failure::unanswered("a response of another kind".to_owned()), now);
                }
            },
        }
    }

    pub(super) fn apply_to_page(&mut self, answer: Answer, now: Instant) -> Option<Next> {
        let retries = self.caller.policy.retries;
        let fetch = self.paging.as_mut()?;
        Some(self.caller.apply(&mut fetch.attempt, answer, retries, Proof::Named, now))
    }

    fn take_page(&mut self, records: Result<Vec<Record>, Stop>, now: Instant) {
        let ended = self.paging.as_ref().is_none_or(|fetch| fetch.pages.request().is_none());
        match records {
            Ok(records) => records.into_iter().for_each(|record| self.on_record(record, now)),
            Err(stop) => return self.end_paging(stop, now),
        }
        if ended {
            self.on_input_end();
        }
    }

    /// No more records come; what came before is finished.
    pub(super) fn end_paging(&mut self, stop: Stop, now: Instant) {
        self.on_input_end();
        self.stop(Stop { pending: Pending::Drain, ..stop }, now);
    }

    fn on_refused_page(&mut self, failure: &Failure, now: Instant) {
        let Some(fetch) = &mut self.paging else { return };
        fetch.attempt = Attempt::default();
        if let Err(stop) = fetch.pages.refused(failure) {
            self.end_paging(stop, now);
        }
    }
}
