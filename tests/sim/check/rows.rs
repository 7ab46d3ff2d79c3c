//! Rows and totals: what the server said of each key, once, and nothing else.

use std::collections::BTreeSet;

use kvsweep::internals::{Content, Tally};
use kvsweep::{Pending, Status};

use super::Run;
use crate::log::{By, Kind, Said, Sent};
use crate::scenario::key;
use crate::world::World;

/// The state of a key of which this was said last.
fn status(world: &World, sent: &Sent, said: Option<Said>) -> Status {
    // What is refused of several keys that are looked for at once may be right for each of them.
    let together = sent.kind == Kind::Presence && sent.keys.len() > 1;
    match said {
        Some(Said::Deleted) => world.done().0,
        Some(Said::Absent) => world.done().1,
        Some(Said::Read) => unreachable!("what was only read has no row"),
        Some(Said::Refused | Said::Failing | Said::Throttled(_, By::Api) | Said::Fatal | Said::DailyLimit) => {
            // A bulk call that does not say which keys it deleted may have deleted any.
            if together || (sent.bulk && !sent.accounted) { Status::Unknown } else { Status::Failed }
        }
        Some(
            Said::Throttled(_, By::Gateway) | Said::Nothing | Said::Unexpected | Said::ConnectionClosed | Said::Unkept,
        )
        | None => Status::Unknown,
    }
}

impl Run<'_> {
    /// Promises 2 and 3: one row a record, and it says what the server said last.
    pub(super) fn rows(&self) {
        let mut seen = BTreeSet::new();
        for row in &self.ran.rows {
            let number = row.number.get();
            assert!(seen.insert(number), "record {number} has two rows");
            let record = &self.records[usize::try_from(number - 1).unwrap()];
            let Some(key) = key(record) else {
                let right = match record.content {
                    Content::Duplicate(_) | Content::Superseded(_) => row.status == Status::Duplicate,
                    Content::Invalid(_) => row.status == Status::Invalid,
                    Content::Kept(_) => row.status == Status::Kept,
                    Content::Key(_) | Content::Pair(_) | Content::Settled => false,
                };
                assert!(right, "record {number} is {:?}, and its row says {}", record.content, row.status);
                continue;
            };
            assert_eq!(key, &*row.key, "record {number}");
            let sends = self.sends.get(key).unwrap_or_else(|| panic!("{key} was never sent: {}", row.status));
            assert_eq!(row.attempts as usize, sends.len(), "attempts of {key}");
            let sent = sends[sends.len() - 1];
            let last = sent.response_for(key).map(|(_, said)| said);
            assert_ne!(last, Some(Said::Read), "{key} was only read, and its row says {}", row.status);
            assert_eq!(row.status, status(self.world, sent, last), "the last that was said of {key} was {last:?}");
        }
    }

    /// The totals add up, and nothing that was sent is left without a row.
    pub(super) fn totals(&self) {
        let ran = self.ran;
        let Some(end) = &ran.end else { return };
        let totals = end.totals;
        let mut tally = Tally::default();
        ran.rows.iter().for_each(|row| tally.add(row.status));
        // Only a second signal may keep a slow disk from its rows.
        let all_handed_over = ran.signals.len() < 2;
        assert!(!all_handed_over || totals.tally == tally, "the counts are those of the rows");
        assert_eq!(totals.requests, ran.log.sent.len() as u64, "requests");
        assert_eq!(totals.retries, self.repeated() as u64, "retries");
        let [heard, same_moment] = self.throttled().map(|count| count as u64);
        assert!(
            (heard..=heard + same_moment).contains(&totals.throttled),
            "{} throttled, of {heard}",
            totals.throttled
        );
        let named: BTreeSet<_> = ran.rows.iter().map(|row| &*row.key).collect();
        let leaves = end.stop.as_ref().is_some_and(|stop| stop.pending == Pending::Abandon);
        for (key, sends) in &self.sends {
            let only_read = leaves && matches!(sends[sends.len() - 1].response_for(key), Some((_, Said::Read)));
            assert!(named.contains(key) || !all_handed_over || only_read, "{key} was sent and has no row");
        }
        let settled = self.records.iter().filter(|record| record.content == Content::Settled).count() as u64;
        let accounted = totals.tally.total() + totals.resumed;
        assert!(accounted <= totals.records && totals.resumed <= settled, "{totals:?}");
        if end.stop.is_none() {
            assert_eq!(totals.records, self.records.len() as u64, "records");
            assert_eq!(totals.resumed, settled, "resumed");
            assert!(!self.is_broken(), "the input broke, and nothing says so");
        }
        if end.broken.is_some() && !leaves {
            assert_eq!(Some(totals.records), self.faults.breaks.map(|after| after as u64), "what came before a break");
        }
        if end.stop.is_none() || (end.broken.is_some() && !leaves && self.faults.max_keys.is_none()) {
            assert_eq!(accounted, totals.records, "none is lost");
        }
    }

    /// Of the keys that are gone no more lack their row than could be in flight, whenever the process is killed.
    pub(super) fn killed(&self) {
        let named: BTreeSet<_> = self.ran.rows.iter().map(|row| &*row.key).collect();
        let lacks_row = |(key, sends): &(&&str, &Vec<&Sent>)| {
            let sent = sends[sends.len() - 1];
            let is_gone = matches!(sent.response_for(key), Some((_, Said::Deleted | Said::Absent)) | None);
            sent.kind == Kind::Delete && is_gone && !named.contains(**key)
        };
        let lost = self.sends.iter().filter(lacks_row).count();
        let in_flight = self.world.concurrency * self.world.batching().most();
        assert!(self.ran.end.is_some() || lost <= in_flight, "{lost} keys are sent again after a kill");
    }

    /// How many responses asked for a pause; and how many others did so at the very moment from which the job was ending
    /// and waited for keys only.
    fn throttled(&self) -> [usize; 2] {
        let stop = self.ran.end.as_ref().and_then(|end| end.stop.as_ref());
        let leaves = stop.is_some_and(|stop| stop.pending == Pending::Abandon);
        let since = self.ran.drains.last().map(|(since, _)| *since).filter(|_| leaves);
        let mut counts = [0, 0];
        for sent in &self.ran.log.sent {
            let Some((at, Said::Throttled(..))) = sent.response else { continue };
            match since.filter(|since| sent.keys.is_empty() && at >= *since) {
                None => counts[0] += 1,
                Some(since) => counts[1] += usize::from(at == since),
            }
        }
        counts
    }

    /// How many requests were for what had one before.
    fn repeated(&self) -> usize {
        let sent = &self.ran.log.sent;
        let mut begun = BTreeSet::new();
        // Every key has to be looked at, so no short cut is taken.
        let is_again =
            |sent: &&Sent| sent.keys.iter().fold(false, |again, key| again | !begun.insert((sent.kind, key.clone())));
        let keys = sent.iter().filter(is_again).count();
        let pages: Vec<_> = sent.iter().filter(|sent| sent.kind == Kind::Page).collect();
        // After a refusal it is another page, or the same from the beginning.
        let same = |pair: &&[&Sent]| {
            pair[0].page == pair[1].page && pair[0].response.is_none_or(|(_, said)| said != Said::Refused)
        };
        let pages = pages.windows(2).filter(same).count();
        keys + pages + self.ran.preflight.saturating_sub(1)
    }

    /// Promise 5, and that no retry is lost: who is given up had all of its attempts, and no 429 was one of them.
    pub(super) fn retries(&self) {
        if self.ran.end.as_ref().is_none_or(|end| end.stop.is_some()) {
            return;
        }
        for row in &self.ran.rows {
            let Some(sends) = self.sends.get(&*row.key).filter(|_| row.status.is_trouble()) else { continue };
            let last = sends[sends.len() - 1].kind;
            let count = |wanted: &[Said]| {
                let sends = sends.iter().filter(|sent| sent.kind == last);
                sends.filter(|sent| sent.response_for(&row.key).is_some_and(|(_, said)| wanted.contains(&said))).count()
            };
            if count(&[Said::Refused, Said::Fatal]) > 0 {
                continue;
            }
            let stale = count(&[Said::ConnectionClosed]).saturating_sub(1);
            let failures = count(&[Said::Failing, Said::Nothing, Said::Unexpected]) + stale;
            assert!(failures > self.world.retries as usize, "{} was given up after {failures} failures", row.key);
        }
    }
}
