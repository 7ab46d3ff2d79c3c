//! Asking for records that come in pages: one page at a time, under the same budget, retries, pauses and outage as the
//! keys, and only when records are wanted.

use tokio::time::Instant;

use super::reply::health_of;
use super::{Blocked, Slot, State, Step};
use crate::api::answer::{Answer, Reply};
use crate::api::{Page, PageRequest};
use crate::outcome::{Pending, Stop, StopReason};
use crate::pipeline::circuit_breaker::Health;
use crate::pipeline::event::Event;
use crate::pipeline::pages::Pages;
use crate::pipeline::request::Request;
use crate::pipeline::retry::{Decision, Failure, History, decide};
use crate::pipeline::task::{InFlight, Sent};
use crate::quota::Permit;
use crate::record::Record;
use crate::terminal::pluralized;

/// The pages of a job, and how the next one fares.
#[derive(Debug)]
pub(super) struct PageFetch {
    pages: Box<dyn Pages>,
    /// Whether a request is out.
    pub(super) sent: bool,
    /// Requests for this page.
    attempts: u64,
    pub(super) history: History,
    /// It is not requested again before this moment.
    pub(super) due: Option<Instant>,
}

impl PageFetch {
    /// What was held against the page was the server's trouble.
    pub(super) fn forgive_failures(&mut self) {
        (self.history.failures, self.due) = (0, None);
    }

    /// Another page, or the same one from the beginning.
    fn reset(&mut self) {
        (self.attempts, self.history, self.due) = (0, History::default(), None);
    }
}

impl State {
    /// The records are asked for, not read: `first` are those that are known already, in front of the rest of `pages`.
    #[must_use]
    pub fn with_pages(mut self, pages: Box<dyn Pages>, first: Vec<Record>, now: Instant) -> Self {
        let ended = pages.request().is_none();
        self.paging = Some(PageFetch { pages, sent: false, attempts: 0, history: History::default(), due: None });
        self.take_page(Ok(first), ended, now);
        self
    }

    fn is_fetching(&self) -> bool {
        self.paging.as_ref().is_some_and(|paging| paging.sent)
    }

    /// Whether the next page is to be asked for now.
    pub(super) fn wants_page(&self, now: Instant) -> bool {
        let is_due = |paging: &PageFetch| !paging.sent && paging.due.is_none_or(|due| due <= now);
        self.paging.as_ref().is_some_and(is_due) && self.wants_more()
    }

    /// When the next page is tried again, where it waits for that.
    pub(super) fn page_due(&self, now: Instant) -> Option<Instant> {
        self.paging.as_ref().and_then(|paging| paging.due).filter(|due| *due > now && self.wants_more())
    }

    /// Whether a bulk call is worth waiting for: it is not full, and more keys are on their way. Those of a page that are
    /// read first are not, and what is backed up must not wait for a page that is long in coming.
    pub(super) fn waits_for_page(&self, fresh: u64) -> bool {
        let on_their_way = self.is_fetching() && self.wants_more() && !self.options.action.reads();
        on_their_way && !self.ready.is_full(self.options.batching, fresh)
    }

    /// Asks for the next page; otherwise as `try_send`.
    pub(super) fn send_page(&mut self, probe: bool, now: Instant) -> Result<Step, Blocked> {
        let Some(request) = self.next_page() else { return Err(Blocked::UNTIL_EVENT) };
        let permit = self.take_permit(probe, now)?;
        if let Some(paging) = &mut self.paging {
            self.caller.totals.retries += u64::from(paging.attempts > 0);
            paging.attempts += 1;
            paging.sent = true;
        }
        let slot = Slot(self.slots.insert(InFlight { sent: Sent::Page, permit, probe }));
        Ok(Step::Send { slot, request: Request::Page(request) })
    }

    fn next_page(&self) -> Option<PageRequest> {
        self.paging.as_ref().and_then(|paging| paging.pages.request())
    }

    /// The page came that was asked for, or something else.
    pub(super) fn on_page(&mut self, answer: Result<Page, Reply>, permit: Permit, probe: bool, now: Instant) {
        if let Some(paging) = &mut self.paging {
            paging.sent = false;
        }
        match answer {
            Ok(page) => {
                self.observe_rate_limits(&page.rate_limits, &permit, now);
                self.caller.max_wait.succeeded(now);
                self.on_good_page(page, probe, now);
            }
            Err(reply) => self.on_bad_page(reply, &permit, probe, now),
        }
        self.caller.budget.give_back(permit, now);
    }

    /// Whether no key says anything of the server: then the page alone does.
    fn is_alone(&self) -> bool {
        !self.has_keys() && self.waiting.is_empty() && self.slots.is_empty()
    }

    fn on_good_page(&mut self, page: Page, probe: bool, now: Instant) {
        let alone = self.is_alone();
        if alone {
            self.observe(Health::Up, probe, now);
        }
        if let Some(paging) = &mut self.paging {
            paging.reset();
            let records = paging.pages.accept(page);
            let ended = paging.pages.request().is_none();
            self.take_page(records, ended, now);
        }
        if probe && !alone {
            // A server that lists may still not delete: the next probe is one of the keys that came.
            self.breaker.probe_said_nothing(now);
        }
    }

    fn take_page(&mut self, records: Result<Vec<Record>, Stop>, ended: bool, now: Instant) {
        match records {
            Ok(records) => records.into_iter().for_each(|record| self.on_record(record, now)),
            Err(stop) => return self.end_paging(stop, now),
        }
        if ended {
            self.on_input_end();
        }
    }

    /// No more records come; what came before is finished.
    fn end_paging(&mut self, stop: Stop, now: Instant) {
        self.on_input_end();
        self.stop(Stop { pending: Pending::Drain, ..stop }, now);
    }

    fn on_bad_page(&mut self, reply: Reply, permit: &Permit, probe: bool, now: Instant) {
        self.observe_rate_limits(&reply.rate_limits, permit, now);
        let Some(paging) = &self.paging else { return };
        let (attempts, history) = (paging.attempts, paging.history);
        // Where no other key can be tried before it comes, each of its attempts says as much as a key's first.
        let counts = history.failures == 0 || !self.input_queue().has_fresh();
        match health_of(&reply.answer, history, counts) {
            Some(health) => self.observe(health, probe, now),
            None if probe && matches!(reply.answer, Answer::ConnectionClosed { .. }) => {
                self.breaker.probe_was_reset(now);
                self.emit_outage(true, now);
            }
            None if probe => self.breaker.probe_said_nothing(now),
            None => {}
        }
        match &reply.answer {
            Answer::Throttled { pause, error } => self.on_throttled(permit, *pause, &error.clone().into(), now),
            Answer::Transient(error) => self.caller.max_wait.failed(&error.clone().into()),
            _ => {}
        }
        let is_fatal = matches!(reply.answer, Answer::Fatal(..));
        let caught = self.breaker.since().is_some();
        let decision = decide(reply.answer, history, &self.options.retry, &mut self.caller.rng);
        let Some(paging) = &mut self.paging else { return };
        match decision {
            Decision::Settle(failure) | Decision::Retry(_, failure) if caught && failure.is_transient => {
                paging.due = None;
            }
            Decision::Retry(wait, _) => {
                paging.history.failures += 1;
                paging.due = Some(now + wait);
                self.events.push(Event::Retrying);
            }
            Decision::Resend(_) => paging.history.resent += 1,
            Decision::Pause(..) => {}
            Decision::Stop(stop, _) if is_fatal => self.suspend_page(stop),
            Decision::Stop(stop, _) => self.stop(stop, now),
            Decision::Settle(failure) if failure.is_transient => {
                let attempts = pluralized(attempts, "attempt");
                let why = format!("the keys cannot be listed: no good answer after {attempts}: {failure}");
                self.end_paging(Stop::new(StopReason::Outage, why), now);
            }
            Decision::Settle(failure) => self.on_refused_page(&failure, now),
            Decision::Success => {
                self.on_refused_page(&Failure::unanswered("an answer of another kind".to_owned()), now);
            }
        }
    }

    /// The namespace is found while its page is refused as if it was not.
    pub(super) fn on_page_refused_alone(&mut self, stop: Stop, now: Instant) {
        let policy = self.options.retry;
        let Some(paging) = &mut self.paging else { return };
        if paging.history.failures >= policy.retries {
            return self.end_paging(stop, now);
        }
        paging.due = Some(now + policy.backoff(paging.history.failures, &mut self.caller.rng));
        paging.history.failures += 1;
        self.events.push(Event::Retrying);
    }

    fn on_refused_page(&mut self, failure: &Failure, now: Instant) {
        let Some(paging) = &mut self.paging else { return };
        paging.reset();
        if let Err(stop) = paging.pages.refused(failure) {
            self.end_paging(stop, now);
        }
    }
}
