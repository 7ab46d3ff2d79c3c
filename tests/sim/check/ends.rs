//! How a run ends: nothing new begins, the end is near, and there was a reason for it.

use std::collections::BTreeSet;

use kvsweep::internals::Content;
use kvsweep::{Pending, Status, StopReason};
use tokio::time::Instant;

use super::{OPENS_AFTER, Run, TICK};
use crate::log::{Kind, Said};
use crate::server::denied;

impl Run<'_> {
    /// After a signal, a deadline or another reason to end, nothing new begins, and the end comes within the grace.
    pub(super) fn ends(&self) {
        let ran = self.ran;
        let sent_after = |moment: Instant| ran.log.sent.iter().find(|sent| sent.at > moment);
        if let Some(deadline) = ran.deadline {
            assert_eq!(sent_after(deadline), None, "sent after the deadline");
        }
        let Some(end) = &ran.end else { return };
        let quick = self.faults.disk.is_zero();
        if let Some((first, sent)) = ran.signals.first() {
            assert_eq!(sent_after(*first), None, "sent after a signal");
            if self.faults.signal_between && *sent == ran.preflight {
                assert_eq!(ran.log.sent.len(), *sent, "sent after a signal that came before the first key");
            }
            assert!(!quick || ran.over <= *first + self.faults.grace + TICK, "the end is late after a signal");
        }
        if let Some((second, _)) = ran.signals.get(1).filter(|_| quick) {
            assert!(ran.over <= *second + TICK, "a second signal, and {:?} to the end", ran.over - *second);
        }
        if end.stop.as_ref().is_some_and(|stop| stop.pending == Pending::Abandon)
            && let Some((since, _)) = ran.drains.last()
        {
            assert_eq!(sent_after(*since), None, "sent after the job began to end");
            assert!(!quick || ran.over <= *since + self.faults.grace + TICK, "the end is late: {:?}", end.stop);
        }
    }

    /// There is a reason for every early end.
    pub(super) fn stops(&self) {
        let Some(stop) = self.ran.end.as_ref().and_then(|end| end.stop.as_ref()) else { return };
        let since = self.ran.drains.last().map_or(self.ran.over, |(since, _)| *since);
        let response = |wanted: fn(Said) -> bool| {
            self.ran.log.sent.iter().any(|sent| sent.response.is_some_and(|(at, said)| at <= since && wanted(said)))
        };
        let failed = self.ran.rows.iter().filter(|row| row.status.is_trouble()).count() as u64;
        let good = match stop.reason {
            StopReason::Interrupted => !self.ran.signals.is_empty(),
            StopReason::Deadline => self.ran.deadline.is_some_and(|deadline| deadline <= since),
            StopReason::InputError => self.is_broken(),
            StopReason::IoError => response(|said| said == Said::Unkept),
            // Its moment is checked where waits are.
            StopReason::Outage => true,
            StopReason::MaxFailures => {
                self.ran.signals.len() > 1 || failed >= self.faults.max_failures.unwrap_or(u64::MAX)
            }
            StopReason::Canary => self.ran.signals.len() > 1 || (self.faults.canary > 0 && failed > 0),
            // The plan is checked before there is a pipeline.
            StopReason::MinKeys | StopReason::Expect => false,
            StopReason::MaxKeys => self.faults.max_keys.is_some_and(|most| most < self.keys() as u64),
            StopReason::DailyLimit => response(|said| said == Said::DailyLimit),
            StopReason::UnexpectedResponse => {
                self.ran.preflight == self.ran.log.sent.len() && response(|said| said == Said::Unexpected)
            }
            StopReason::Unauthorized | StopReason::NamespaceNotFound | StopReason::AccountNotFound => {
                self.is_revoked(since) || self.is_page_refused(since) || self.is_all_denied(since)
            }
        };
        assert!(good, "there was no reason for {stop:?}");
    }

    /// How many keys there were to be sent.
    fn keys(&self) -> usize {
        self.records.iter().filter(|record| matches!(record.content, Content::Key(_) | Content::Pair(_))).count()
    }

    /// Whether the input breaks off.
    pub(super) fn is_broken(&self) -> bool {
        self.faults.breaks.is_some_and(|after| after < self.records.len())
    }

    /// Whether the namespace itself was refused.
    fn is_revoked(&self, since: Instant) -> bool {
        let refused = |said| matches!(said, Said::Fatal | Said::Refused);
        let mut namespaces = self.ran.log.sent.iter().filter(|sent| sent.kind == Kind::Namespace);
        namespaces.any(|sent| sent.response.is_some_and(|(at, said)| at <= since && refused(said)))
    }

    /// A page that is refused too often ends the job.
    fn is_page_refused(&self, since: Instant) -> bool {
        let refused = |said| matches!(said, Said::Fatal | Said::Refused);
        let mut pages = self.ran.log.sent.iter().filter(|sent| sent.kind == Kind::Page);
        pages.any(|sent| sent.response.is_some_and(|(at, said)| at <= since && refused(said)))
    }

    /// Keys that are denied one by one end a job only if they are the first ones, several, and no other ever succeeded.
    fn is_all_denied(&self, since: Instant) -> bool {
        let before = || self.ran.log.sent.iter().filter(|sent| sent.response.is_some_and(|(at, _)| at <= since));
        let succeeded =
            self.ran.rows.iter().any(|row| matches!(row.status, Status::Deleted | Status::Absent | Status::Restored));
        let alone = before().filter(|sent| sent.response.is_some_and(|(_, said)| said == Said::Fatal));
        let alone = alone.filter_map(|sent| if let [key] = &sent.keys[..] { Some(key) } else { None });
        let denied: BTreeSet<_> = alone.filter(|key| denied(self.world, key).is_some()).collect();
        !succeeded && !self.deleted_before && denied.len() >= OPENS_AFTER.min(self.keys()).max(2)
    }
}
