//! Keys that wait for a retry, and the end of a job, when no other key is left to send.
//!
//! A backoff spares a server in trouble. At the end of a job whose server is well it only costs time: one key in a
//! thousand that failed three times by chance would hold up the end by seconds. So a key whose turn would come later is
//! tried *before* that, where nothing else is to be sent and the last that was heard of the server was good. Should it
//! fail, it is back in its place as if nothing had happened: it has lost no retry, and its wait is no shorter. The first
//! failure that is the last word ends all haste, and a wait that the server asked for is never cut short. In bulk no key is
//! tried early: there a call succeeds and leaves keys behind, and says nothing of them by that.

use std::time::Duration;

use tokio::time::Instant;

use super::State;
use crate::pipeline::parcel::Batching;
use crate::pipeline::retry::Verdict;
use crate::pipeline::work::{Due, Place, Work};

/// How long a key rests before it is first tried early; then twice as long each time.
const REST: Duration = Duration::from_millis(100);

impl State {
    /// `work` waits for its retry; `asked` is the part of it that the server wanted.
    pub(super) fn put_off(&mut self, work: Work, wait: Duration, asked: Option<Duration>, now: Instant) {
        let alone = self.options.batching == Batching::Single;
        let early = (alone && asked.is_none()).then_some((now + REST, REST));
        self.waiting.push(Due { place: Place { at: now + wait, early }, work });
    }

    /// `work` was tried early, and goes back to its place.
    pub(super) fn put_back(&mut self, mut work: Work, verdict: Verdict, asked: Option<Duration>, now: Instant) {
        work.last = Some(Box::new(verdict));
        if let Some(place) = work.early.take() {
            let longest = self.options.retry.longest_asked;
            let at = asked.map_or(place.at, |asked| place.at.max(now + asked.min(longest)));
            let early = place.early.filter(|_| asked.is_none()).map(|(_, rest)| (now + rest * 2, rest * 2));
            self.waiting.push(Due { place: Place { at, early }, work });
        }
    }

    /// Brings those whose time has come, or who may go early, to where they are sent from.
    pub(super) fn take_due(&mut self, now: Instant) {
        while self.waiting.peek().is_some_and(|due| due.place.at <= now) {
            let Some(due) = self.waiting.pop() else { break };
            self.queue(&due.work).push_again(due.work);
        }
        if self.may_hurry() && self.early_places().any(|moment| moment <= now) {
            let waiting = std::mem::take(&mut self.waiting);
            for Due { place, mut work } in waiting.into_sorted_vec().into_iter().rev() {
                if place.early.is_some_and(|(moment, _)| moment <= now) {
                    work.early = Some(place);
                    self.queue(&work).push_last(work);
                } else {
                    self.waiting.push(Due { place, work });
                }
            }
        }
    }

    /// When a waiting key is to be looked at again.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let due = self.waiting.peek().map(|due| due.place.at);
        let early = if self.may_hurry() { self.early_places().min() } else { None };
        [due, early].into_iter().flatten().min()
    }

    fn early_places(&self) -> impl Iterator<Item = Instant> {
        self.waiting.iter().filter_map(|due| due.place.early.map(|(moment, _)| moment))
    }

    /// Whether nothing but waiting keys is left, and the server is well.
    fn may_hurry(&self) -> bool {
        self.input_ended && self.stop.is_none() && self.outage.is_well() && !self.has_keys()
    }
}
