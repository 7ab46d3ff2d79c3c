//! How long a job waits for the server: `--max-wait` in both directions, and outages that cost no key.

use std::time::Duration;

use kvsweep::internals::Content;
use kvsweep::{Status, StopReason};
use tokio::time::Instant;

use super::{OPENS_AFTER, Run, TICK};
use crate::faults::OutageKind;
use crate::log::{Kind, Said};
use crate::world::SECOND;

/// How long a bulk call waits for more keys, and where keys are read first.
const LINGER: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Without a rate, how far apart requests are at first after a pause.
const CAREFUL: Duration = Duration::from_millis(250);

impl Run<'_> {
    /// The job ends if nothing succeeds for as long as it may wait, and not before.
    pub(super) fn waits(&self) {
        let Some(end) = &self.ran.end else { return };
        let most = self.faults.max_wait;
        let ended = self.ran.drains.last().map_or(self.ran.over, |(since, _)| *since);
        let mut successes: Vec<_> = self.ran.log.sent.iter().filter_map(super::Sent::succeeded).collect();
        successes.extend(self.found_after_denials());
        successes.sort_unstable();
        let last = successes.iter().rev().find(|at| **at <= ended).copied().unwrap_or(self.ran.began);
        if let Some(stop) = end.stop.as_ref().filter(|stop| stop.reason == StopReason::Outage) {
            if stop.why.contains("longer than --max-wait") {
                assert!(self.asks_for_longer(ended), "nobody asked for a longer pause: {stop:?}");
            } else if !stop.why.starts_with("the keys cannot be listed") {
                assert!(ended - last >= most, "it waited {:?} of {most:?}: {stop:?}", ended - last);
            }
        }
        self.refused_pauses(ended);
        if self.faults.disk.is_zero() {
            // A server that refuses a page is at work, unless keys show what it is.
            let is_refused_page =
                |sent: &&super::Sent| sent.kind == Kind::Page && matches!(sent.response, Some((_, Said::Refused)));
            let refused = self.ran.log.sent.iter().filter(is_refused_page).filter_map(|sent| Some(sent.response?.0));
            successes.extend(refused);
            successes.sort_unstable();
            let moments = std::iter::once(self.ran.began).chain(successes.into_iter().filter(|at| *at <= ended));
            let moments: Vec<_> = moments.chain([ended]).collect();
            for pair in moments.windows(2) {
                let allowed = most + self.own_waits(pair[0], pair[1]);
                assert!(pair[1] - pair[0] <= allowed, "no success for {:?} of {most:?}", pair[1] - pair[0]);
            }
        }
    }

    /// When the namespace was found after keys were denied: that is only the keys' trouble, and the server is at work.
    fn found_after_denials(&self) -> Vec<Instant> {
        let response = self.ran.log.sent.iter().filter_map(|sent| sent.response.map(|(at, said)| (at, sent, said)));
        let mut response: Vec<_> = response.collect();
        response.sort_by_key(|(at, ..)| *at);
        let (mut denied, mut found) = (false, Vec::new());
        for (at, sent, said) in response {
            denied |= said == Said::Fatal && !sent.keys.is_empty();
            if sent.kind == Kind::Namespace && said == Said::Read && std::mem::take(&mut denied) {
                found.push(at);
            }
        }
        found
    }

    /// What of this time the job may have waited for itself and its input.
    fn own_waits(&self, from: Instant, to: Instant) -> Duration {
        let sent = self.ran.log.sent.iter().filter(|sent| (from..=to).contains(&sent.at)).count();
        let count = u32::try_from(sent).expect("not that many") + 1;
        let rates = self.world.rates.iter();
        let rates: Duration = rates.map(|rate| rate.window() * (count / rate.count().get() + 1) * 101 / 100).sum();
        let even = self.world.rates.iter().map(|rate| rate.window() / rate.count().get()).max();
        let linger = match (self.world.batch, self.world.action.reads()) {
            (_, true) => LINGER.1,
            (Some(_), false) => LINGER.0,
            (None, false) => Duration::ZERO,
        };
        let input = self.faults.input * u32::try_from(self.records.len()).expect("not that many");
        rates + (even.unwrap_or(CAREFUL) + linger) * count + input + TICK
    }

    /// Whether the server asked for a pause that is longer than the job waits.
    fn asks_for_longer(&self, before: Instant) -> bool {
        let most = self.faults.max_wait;
        // With a margin; and of the quota that it tells, what is left when it runs out.
        let mut response = self.ran.log.sent.iter().filter(|sent| sent.response.is_some_and(|(at, _)| at <= before));
        let quota = self.world.quota.filter(|_| self.world.tells_quota);
        let quota_lasts = quota.is_some_and(|quota| quota.rate.window() > most);
        let longer = |said| match said {
            Said::Throttled(Some(pause), _) => pause > most,
            Said::Throttled(None, _) => most < 300 * SECOND,
            _ => false,
        };
        quota_lasts
            || response.any(|sent| {
                let used_up = sent.used_up_until.is_some_and(|until| until + SECOND > before + most);
                used_up || sent.response.is_some_and(|(_, said)| longer(said))
            })
    }

    /// A longer pause ends the job at once.
    fn refused_pauses(&self, ended: Instant) {
        for sent in &self.ran.log.sent {
            if let Some((at, Said::Throttled(Some(pause), _))) = sent.response
                && pause > self.faults.max_wait
            {
                let left = self.ran.end.as_ref().is_some_and(|end| end.stop.is_some());
                assert!(left && ended <= at, "told to pause for {pause:?}, longer than the job waits");
            }
        }
    }

    /// Promise 6: an outage is not burnt through.
    pub(super) fn outages(&self) {
        let done = self.ran.end.as_ref().is_some_and(|end| end.stop.is_none());
        let outages = &self.faults.outages;
        // Where the namespace is found, the last keys of a job are tried on their own account.
        let plain = outages.iter().all(|outage| outage.kind != OutageKind::Hanging);
        let good_keys = self.world.bad + self.world.denied == 0;
        if outages.is_empty() || !(done && self.faults.only_outages() && good_keys && plain) {
            return;
        }
        let burnt = self.ran.rows.iter().filter(|row| matches!(row.status, Status::Failed | Status::Unknown)).count();
        // Answers that were on their way when it began still come, and each is a sign of life. Who asks for few retries or
        // none has keys settled meanwhile.
        let single = self.world.batch.is_none();
        if self.world.retries >= 3 && single {
            let most = (OPENS_AFTER + self.world.concurrency) * outages.len();
            assert!(burnt < most, "{burnt} keys were lost to an outage");
        }
        let [outage] = &outages[..] else { return };
        let from = self.ran.began + outage.from;
        let before = self.sends.values().filter(|sends| sends[0].at <= from).count();
        let keys =
            self.records.iter().filter(|record| matches!(record.content, Content::Key(_) | Content::Pair(_))).count();
        let many_left = keys - before >= OPENS_AFTER + self.world.concurrency;
        let at_once = self.world.rates.is_empty() && self.world.concurrency >= OPENS_AFTER;
        if many_left && self.world.retries == 8 && at_once {
            assert_eq!(burnt, 0, "keys were lost to an outage in the middle of the job");
        }
    }
}
