//! What has to be true of a job, whatever happened.

use super::*;
use crate::outcome::Tally;

impl World<'_> {
    /// Counts what a response proves of its keys.
    pub(super) fn learn(&mut self, request: &Request, canned: Canned) {
        self.throttled += u64::from(matches!(
            canned,
            Canned::Plain(Kind::Pause | Kind::PauseUnasked | Kind::LongPause)
                | Canned::Bulk(Kind::Pause | Kind::PauseUnasked | Kind::LongPause, _)
        ));
        if let (Request::Page(_), Canned::Plain(Kind::Success)) = (request, canned) {
            self.given += self.job.pages[self.pages];
            self.pages += 1;
            self.progress = Some(self.now);
        }
        for (place, index) in keys_of(request).into_iter().enumerate() {
            let key = &mut self.keys[index];
            key.in_flight = false;
            key.proof = match canned {
                Canned::Plain(Kind::Success | Kind::UsesUpQuota) => match request {
                    Request::Metadata(_) => {
                        key.metadata_read = true;
                        Proof::Exists
                    }
                    Request::BackUp(..) => {
                        key.read = true;
                        Proof::Exists
                    }
                    _ => Proof::Deleted,
                },
                Canned::Plain(Kind::Absent) => {
                    key.found_absent = true;
                    Proof::Absent
                }
                Canned::Compared(same) => {
                    key.compared.push(same);
                    Proof::Exists
                }
                Canned::Plain(kind) if kind.refuses() => Proof::Refused,
                Canned::Bulk(_, Some(bits)) if bits & 1 << place == 0 => Proof::Deleted,
                Canned::Bulk(_, Some(_)) => Proof::Refused,
                Canned::Found(digits) => match Canned::found(digits, place) {
                    Presence::Present => {
                        key.read = true;
                        Proof::Exists
                    }
                    Presence::Absent => {
                        key.found_absent = true;
                        Proof::Absent
                    }
                    Presence::Unknown => Proof::Unknown,
                },
                _ => Proof::Nothing,
            };
            if !matches!(key.proof, Proof::Nothing | Proof::Refused | Proof::Unknown) {
                self.progress = Some(self.now);
            }
        }
    }

    pub(super) fn on_send(&mut self, slot: Slot, request: Request, retry_due: bool) {
        assert_eq!(self.signals, 0, "sent after a signal: {request:?}");
        assert!(!self.leaves(), "sent although the job ends: {request:?}");
        self.requests += 1;
        self.progress.get_or_insert(self.now);
        let keys = keys_of(&request);
        let untried = !keys.is_empty() && keys.iter().all(|index| !self.keys[*index].sent);
        if self.state.is_probe(slot) || self.state.is_in_doubt() {
            self.passed_over = if untried && retry_due { self.passed_over + 1 } else { 0 };
            assert!(self.passed_over < 2, "a key whose retry is due is passed over twice: {request:?}");
        } else if !self.job.options.action.reads() {
            assert!(!(untried && retry_due), "a retry is due, and a new key was sent: {request:?}");
        }
        for index in keys {
            let key = &mut self.keys[index];
            assert!(index < self.given, "{request:?}: not in the input");
            assert!(!key.in_flight, "{request:?}: in flight twice");
            assert_eq!(key.row, None, "{request:?}: it has its row");
            let (is_put, absent) = (matches!(self.job.options.action, KeyAction::Put(_)), key.proof == Proof::Absent);
            assert!(key.proof != Proof::Deleted && (is_put || !absent), "{request:?}: it is gone");
            (key.sent, key.in_flight, key.proof) = (true, true, Proof::Nothing);
            match request {
                Request::PutMany(_) => {
                    let overwrites = self.job.options.action == KeyAction::Put(OnExisting::Overwrite);
                    assert!(overwrites || key.found_absent, "{request:?}: written, and it may exist");
                    key.delete_sent = true;
                }
                Request::Compare(..) => assert!(key.compared.iter().all(|same| *same), "{request:?}: compared in vain"),
                Request::Delete(_) | Request::DeleteMany(_) => {
                    assert!(self.job.options.action != KeyAction::Check, "{request:?}: deleted by a check");
                    assert!(key.read || !self.job.options.action.reads(), "{request:?}: deleted before it was read");
                    key.delete_sent = true;
                }
                Request::BackUp(..) => assert!(key.metadata_read, "{request:?}: without its metadata"),
                _ => assert!(!key.read, "{request:?}: read twice"),
            }
        }
        let canary = self.job.options.canary;
        let begun = self.keys.iter().filter(|key| key.sent).count() as u64;
        assert!(begun <= canary || self.state.totals().tally.sent() >= canary, "{request:?}: canaries are out");
        for rate in &self.job.rates {
            let within = self.answered.iter().filter(|answered| **answered + rate.window() > self.now).count();
            let open = self.in_flight.iter().filter(|outstanding| !outstanding.given_up).count();
            assert!(within + open < rate.count().get() as usize, "{request:?}: beyond the rate");
        }
        self.in_flight.push(Outstanding { slot, request, given_up: false });
    }

    fn leaves(&self) -> bool {
        self.state.stopped().is_some_and(|stop| stop.pending == Pending::Abandon)
    }

    /// What has to be true after every call.
    pub(super) fn look(&mut self) {
        for outstanding in self.in_flight.iter_mut().filter(|outstanding| !outstanding.given_up) {
            if !self.state.awaits(outstanding.slot) {
                outstanding.given_up = true;
                self.answered.push(self.now);
                for index in keys_of(&outstanding.request) {
                    self.keys[index].in_flight = false;
                }
            }
        }
        let count = self.state.rows().len();
        for place in self.rows..count {
            let row = self.state.rows()[place].clone();
            self.check_row(&row);
        }
        self.rows = count;
        if let Some(stop) = self.state.stopped().filter(|_| !self.stop_seen) {
            let since = self.progress.map_or(Duration::ZERO, |progress| self.now - progress);
            let is_max_wait = stop.why.contains(" within --max-wait ");
            let waited = !is_max_wait || since >= MAX_WAIT;
            assert!(waited, "{since:?} without success: {stop:?}");
            self.stop_seen = true;
        }
        if !self.checked {
            self.check();
        }
    }

    fn check(&mut self) {
        assert_eq!(self.state.permits(), self.state.in_flight(), "a permit is lost");
        let open = self.in_flight.iter().filter(|outstanding| !outstanding.given_up).count();
        assert_eq!(open, self.state.in_flight(), "requests in flight");
        let concurrency = self.job.options.concurrency;
        assert!(open <= concurrency, "{open} in flight");
        let is_gone = |key: &Key| matches!(key.proof, Proof::Deleted | Proof::Absent);
        let lost_by_kill = |key: &&Key| key.delete_sent && (key.in_flight || is_gone(key) && !key.written);
        let sent_again = self.keys.iter().filter(lost_by_kill).count();
        assert!(
            sent_again <= concurrency * self.job.options.batching.most(),
            "a kill has {sent_again} keys sent again"
        );
        let totals = self.state.totals();
        assert_eq!((totals.requests, totals.throttled), (self.requests, self.throttled));
        assert_eq!(totals.records, self.given as u64);
        let rows = self.keys.iter().filter_map(|key| key.row);
        let mut tally = Tally::default();
        rows.for_each(|status| tally.add(status));
        assert_eq!(totals.tally, tally);
        let limit = self.job.options.max_failures;
        let failures_allowed = limit.is_none_or(|limit| !limit.is_reached(tally.failures(), tally.sent()));
        assert!(failures_allowed || self.leaves(), "too many failures");
        for key in &self.keys {
            let open = key.row.is_none() && self.job.options.action != KeyAction::Check;
            assert!(!(open && key.delete_sent && key.proof == Proof::Deleted), "deleted, and no row");
        }
    }

    fn check_row(&mut self, row: &Settled) {
        let index = usize::try_from(row.number.get()).unwrap() - 1;
        let action = self.job.options.action;
        let what = if self.job.pages.is_empty() { self.job.records.chars().nth(index).unwrap() } else { 'k' };
        let key = &mut self.keys[index];
        assert_eq!(key.row.replace(row.status), None, "two rows: {row:?}");
        let proved = match row.status {
            Status::Deleted => key.delete_sent && key.proof == Proof::Deleted,
            Status::Absent => key.proof == Proof::Absent && what == 'k',
            Status::Planned => action == KeyAction::Check && key.proof == Proof::Exists,
            Status::Failed => key.sent && key.proof == Proof::Refused,
            // Several keys that were looked for at once may have been refused for one of them.
            Status::Unknown if !key.delete_sent && key.proof == Proof::Refused => action.reads(),
            Status::Unknown => key.sent && matches!(key.proof, Proof::Nothing | Proof::Unknown),
            Status::Duplicate => what == 'd',
            Status::Kept if let KeyAction::Put(on_existing) = action => match on_existing {
                OnExisting::Overwrite => what == 'p',
                OnExisting::Keep => what == 'p' || key.proof == Proof::Exists,
                OnExisting::Compare => what == 'p' || key.compared.last() == Some(&false),
            },
            Status::Kept => what == 'p',
            Status::Invalid => what == 'i',
            Status::Restored => (key.delete_sent && key.proof == Proof::Deleted) || key.compared == [true, true],
            Status::Restorable => false,
        };
        assert!(proved && index < self.given, "{row:?} with {key:?}");
    }

    pub(super) fn check_wait(&self, wait: Wait) {
        assert!(!(wait.record && (self.input_ended || !self.job.pages.is_empty())), "no record can come: {wait:?}");
        assert!(!wait.row || self.rows > 0, "no row waits: {wait:?}");
        let response = wait.response && !self.in_flight.is_empty();
        assert!(response || !self.steps(wait).is_empty(), "nothing can happen: {wait:?}");
        // What was sent and is not answered is waited for, and not for ever, unless it is the report that takes no rows.
        let by_server = wait.response || !wait.row;
        assert!(wait.until.is_some() || self.state.in_flight() == 0 || !by_server, "no limit: {wait:?}");
    }

    pub(super) fn check_end(&self) {
        let stop = self.state.stopped();
        for (index, key) in self.keys.iter().enumerate().take(self.given) {
            let is_key = !self.job.pages.is_empty() || self.job.records.chars().nth(index) != Some('s');
            // One that was read well and not changed has none: a resumed job reads it again.
            let is_put = matches!(self.job.options.action, KeyAction::Put(_));
            let was_read =
                matches!(key.proof, Proof::Exists | Proof::Unknown) || (is_put && key.proof == Proof::Absent);
            let only_read = !key.delete_sent && was_read;
            assert!(!key.sent || key.row.is_some() || only_read, "sent, and no row: key {index}");
            let beyond = self.job.max_keys.is_some_and(|most| index as u64 >= most);
            assert!(self.leaves() || beyond || key.row.is_some() || !is_key, "no row: key {index}");
        }
        assert_eq!(self.state.in_flight(), 0);
        let whole = self.input_ended || (!self.job.pages.is_empty() && self.pages == self.job.pages.len());
        assert!(stop.is_some() || whole, "it ends before its input: {stop:?}");
        let reason = stop.map(|stop| stop.reason);
        assert!(self.signals == 0 || stop.is_some_and(|stop| stop.pending == Pending::Abandon), "{reason:?}");
    }
}

pub(in super::super) fn keys_of(request: &Request) -> Vec<usize> {
    let keys: Vec<&KeyName> = match request {
        Request::Delete(key) | Request::Metadata(key) | Request::BackUp(key, _) => vec![key],
        Request::DeleteMany(keys) | Request::Presence(keys) => keys.iter().collect(),
        Request::PutMany(pairs) => pairs.iter().map(|pair| &pair.key).collect(),
        Request::Compare(pair, _) => vec![&pair.key],
        Request::Namespace | Request::Page(_) => Vec::new(),
    };
    keys.iter().map(|key| key.as_str().parse().unwrap()).collect()
}
