//! Jobs that are stopped, by a signal, a full disk or a response; and two at once.

use std::collections::{HashMap, HashSet};

use rustix::process::Signal as Posix;

use super::{Run, faults};
use crate::case::{Event, Guard, Second, Signal};
use crate::contract::{self, Fate};
use crate::lab::{Done, Row, is_csv, wait_until};

impl Run<'_> {
    /// A delete to its end, resumed if the server stops it.
    pub(super) fn delete_once(&mut self) {
        let mut done = self.delete(&[]);
        self.check_confirmed();
        if contract::may_stop(self.case, done.status.code()) {
            self.check_touched();
            self.check_rows(self.report(), false);
            self.lab.server.set_faults(faults(self.case, &[]));
            done = self.delete(&["--resume"]);
        }
        self.check_finished(&done);
    }

    /// What a bulk response, even one of an error, says is gone has such a row, and is not sent again.
    fn check_confirmed(&self) {
        if self.case.no_dedupe || self.case.server.tls.is_some() {
            return;
        }
        let rows = self.rows(self.report());
        let sent = rows.values().filter(|row| row.status != "duplicate");
        let status: HashMap<&str, &str> = sent.map(|row| (row.key.as_str(), row.status.as_str())).collect();
        let mut confirmed = HashSet::new();
        let log = self.lab.server.request_log();
        for entry in log.iter().filter(|entry| entry.path.ends_with("/bulk/delete")) {
            for name in &entry.body_keys {
                assert!(!confirmed.contains(name), "{name:?} is sent again");
            }
            confirmed.extend(contract::confirmed(self.case, entry.status, &entry.body_keys));
        }
        for name in confirmed {
            assert_eq!(status.get(name.as_str()), Some(&"deleted"), "{name:?} was confirmed");
        }
    }

    /// Stopped by a guard before its end, if the contract says so, and resumed without it.
    pub(super) fn guarded(&mut self, guard: Guard) {
        let flag = match guard {
            Guard::MaxFailures(most) => format!("--max-failures={most}"),
            Guard::Canary(count) => format!("--canary={count}"),
            Guard::Deadline(milliseconds) => format!("--deadline={milliseconds}ms"),
        };
        let done = self.delete(&[&flag]);
        self.check_touched();
        let statuses = self.check_rows(self.report(), false);
        let failures = statuses.iter().filter(|status| matches!(status.as_str(), "failed" | "unknown")).count();
        let stopped = serde_json::from_str::<serde_json::Value>(&done.stdout).expect("a summary")["stopped"].clone();
        let (code, reason) = match guard {
            Guard::MaxFailures(_) => (8, "max_failures"),
            Guard::Canary(_) => (8, "canary"),
            Guard::Deadline(_) => (5, "deadline"),
        };
        let has_stopped = done.status.code() == Some(code);
        assert!(has_stopped || matches!(done.status.code(), Some(0 | 3)), "{:?}: {}", done.status, done.stderr);
        assert_eq!(stopped.as_str(), has_stopped.then_some(reason), "{}", done.stderr);
        match guard {
            Guard::MaxFailures(most) => {
                // Those that wait for their next attempt end with the job.
                let in_flight = contract::most_pending(self.case) + contract::most_waiting(self.case);
                let most = most as usize;
                assert!(!has_stopped || failures >= most, "stopped after {failures} failures, not {most}");
                assert!(failures < most + in_flight, "{failures} failures, not {most}");
                assert!(has_stopped || failures < most || statuses.len() == contract::records(self.case).len());
            }
            Guard::Canary(count) => {
                let sent: HashSet<String> = self.changed().into_iter().collect();
                assert!(!has_stopped || failures > 0 && sent.len() <= count as usize, "{} were sent", sent.len());
                let (records, fates) = (contract::records(self.case), contract::fates(self.case));
                let sendable = records.iter().zip(&fates).enumerate().filter(|(_, (_, fate))| **fate == Fate::Send);
                let first: Vec<u64> = sendable.map(|(index, _)| index as u64 + 1).take(count as usize).collect();
                let rows = self.rows(self.report());
                let failed = first
                    .iter()
                    .filter_map(|record| rows.get(record))
                    .any(|row| row.status == "failed" || row.status == "unknown");
                assert_eq!(has_stopped, failed, "{}", done.stderr);
            }
            Guard::Deadline(_) => {}
        }
        let extra: &[&str] = if self.lab.path(self.report()).exists() { &["--resume"] } else { &[] };
        let done = self.delete(extra);
        self.check_finished(&done);
    }

    /// Stopped by signals, and resumed until it is done.
    pub(super) fn interrupted(&mut self, events: &[Event]) {
        let (mut settled, mut sent) = (HashSet::new(), 0);
        let mut extra: &[&str] = &[];
        for event in events {
            let words = self.delete_words(extra);
            let done = self.run(words, Some(*event));
            Self::check_signalled(&done, event.signal);
            self.check_touched();
            self.check_rows(self.report(), false);
            // "nothing new is sent, requests in flight are finished and reported"; those of a run that was killed may arrive late.
            let most = self.kills * contract::most_without_row(self.case);
            self.check_unreported(self.report(), sent, most);
            sent = self.check_sent_again(&settled, sent);
            let is_done = |row: &Row| matches!(row.status.as_str(), "deleted" | "absent");
            settled.extend(self.rows(self.report()).into_values().filter(is_done).map(|row| row.key));
            // A job that was stopped before its report was made has nothing to resume.
            extra = if self.lab.path(self.report()).exists() { &["--resume"] } else { &[] };
        }
        let done = self.delete(extra);
        self.check_finished(&done);
        self.check_sent_again(&settled, sent);
    }

    /// What has its row, even after SIGKILL, is not sent again. Returns how many keys were sent so far.
    fn check_sent_again(&self, settled: &HashSet<String>, sent: usize) -> usize {
        let changed = self.changed();
        let again = changed[sent..].iter().find(|name| settled.contains(*name));
        assert!(again.is_none() || self.case.no_dedupe, "{again:?} was sent again");
        changed.len()
    }

    pub(super) fn check_signalled(done: &Done, signal: Signal) {
        let code = done.status.code();
        let by_signal = match signal {
            Signal::Int => Some(130),
            Signal::Term => Some(143),
            Signal::Hup => Some(129),
            Signal::Kill => None,
        };
        assert!(code == by_signal || matches!(code, Some(0 | 3)), "exit {code:?}: {}", done.stderr);
    }

    /// Files may not grow beyond so many blocks, as on a disk that becomes full.
    pub(super) fn full_disk(&mut self, blocks: u64) {
        let words = self.delete_words(&[]);
        let command = self.command(words);
        let limit = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
        self.note(&format!("after: {limit}"));
        let done = self.run_command(command.by(["sh", "-c", &limit]), None);
        self.check_touched();
        self.check_rows(self.report(), false);
        assert!(matches!(done.status.code(), Some(0 | 1 | 3)), "{:?}: {}", done.status, done.stderr);
        self.check_unreported(self.report(), 0, contract::most_without_row(self.case));
        self.kills += 1;
        let report = self.lab.path(self.report());
        // Nothing was sent if not even the job file could be written.
        let has_job = self.lab.path(&format!("{}.job.json", self.report())).exists();
        assert!(has_job || self.changed().is_empty(), "keys were sent without a job file: {}", done.stderr);
        let extra: &[&str] = match (report.exists(), has_job) {
            (true, true) => &["--resume"],
            (true, false) => &["--overwrite"],
            (false, _) => &[],
        };
        let done = self.delete(extra);
        self.check_finished(&done);
    }

    /// Another job over the same keys while this one, after so many requests, stands still.
    pub(super) fn together(&mut self, after: u64, second: Second) {
        let words = match second {
            Second::Unnamed => self.job_words(&[]),
            _ => self.delete_words(&[]),
        };
        let command = self.command(words);
        let mut first = self.start(command);
        // Its report is made before it changes anything.
        wait_until("the moment", || first.has_ended() || self.changed().len() as u64 >= after);
        let is_running = !first.has_ended() && first.stop();
        if is_running {
            self.note(&format!("SIGSTOP after {after} keys, SIGCONT after the next command"));
        }
        // Then it may have let go of it.
        let is_written = self.rows(self.report()).len() == contract::records(self.case).len();
        let words = match second {
            Second::Unnamed => self.job_words(&[]),
            Second::Same => self.delete_words(&[]),
            Second::Resume => self.delete_words(&["--resume"]),
            Second::Overwrite => self.delete_words(&["--overwrite"]),
        };
        let other = is_running.then(|| self.run(words, None));
        if is_running {
            first.signal(Posix::CONT);
        }
        let done = self.finish(first);
        if second == Second::Unnamed {
            return self.check_unnamed(1 + usize::from(is_running), &[Some(done), other]);
        }
        let ran_as_well = other.as_ref().is_some_and(|other| matches!(other.status.code(), Some(0 | 3)));
        if ran_as_well && is_written {
            // The first had let go of its report: these are two jobs, one after the other.
            return self.check_touched();
        }
        self.check_finished(&done);
        let Some(other) = other else { return };
        // A report that exists is another reason to refuse it.
        let codes: &[i32] = if second == Second::Same { &[2, 11] } else { &[11] };
        let is_refused = other.status.code().is_some_and(|code| codes.contains(&code));
        assert!(is_refused || is_written, "{:?}: {}", other.status, other.stderr);
    }

    /// Jobs that do not name their reports have one each.
    fn check_unnamed(&self, count: usize, jobs: &[Option<Done>]) {
        self.check_touched();
        for done in jobs.iter().flatten() {
            assert!(matches!(done.status.code(), Some(0 | 3)), "{:?}: {}", done.status, done.stderr);
        }
        let files = std::fs::read_dir(self.lab.folder()).expect("the folder");
        let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a name in UTF-8"));
        let is_report = |name: &String| name.starts_with("kvsweep-report-") && is_csv(name);
        let reports: Vec<String> = names.filter(is_report).collect();
        assert_eq!(reports.len(), count, "{reports:?}");
        for report in reports {
            self.check_rows(&report, true);
        }
    }
}
