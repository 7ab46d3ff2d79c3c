//! What every run is compared with.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use kvsweep::sandbox::Entry;
use serde_json::Value;

use super::Run;
use crate::contract::{self, Fate};
use crate::files::is_damaged;
use crate::lab::schema::{assert_described, assert_valid};
use crate::lab::{Done, Row, TOKEN, complete, is_csv, parse_csv, parse_ndjson};

impl Run<'_> {
    /// What holds for whatever is printed or written: no token, no panic, no control character, JSON as published.
    pub(super) fn check_streams(&self, done: &Done) {
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(!said.contains(TOKEN), "the token is shown:\n{said}");
        assert!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{said}");
        // A progress bar moves the cursor.
        let has_bar = self.case.others.iter().any(|(_, value, _)| value.as_deref() == Some("always"));
        let is_raw = |char: &char| (char.is_control() && *char != '\n') || ('\u{202a}'..='\u{202e}').contains(char);
        let control = done.stderr.chars().find(|char| is_raw(char) && !has_bar);
        assert_eq!(control, None, "a control character: {:?}", done.stderr);
        if let Ok(summary) = serde_json::from_str::<Value>(&done.stdout)
            && summary.get("schema_version").is_some()
        {
            assert_valid("summary", &summary);
            assert_described("summary", &summary);
        }
        for entry in std::fs::read_dir(self.lab.folder()).expect("the folder") {
            let path = entry.expect("a file").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
            // A FIFO or a device has no end.
            if std::fs::metadata(&path).is_ok_and(|file| file.is_file()) {
                let content = std::fs::read(&path).expect("a file");
                assert!(!String::from_utf8_lossy(&content).contains(TOKEN), "the token is in {name}");
                self.check_file(name, &content);
            }
        }
    }

    /// Job files and the rows of NDJSON reports are as published.
    fn check_file(&self, name: &str, content: &[u8]) {
        if name.ends_with(".job.json") {
            let job = serde_json::from_slice(content).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_valid("job", &job);
            assert_described("job", &job);
        } else if name.ends_with(".ndjson") && self.lab.path(&format!("{name}.job.json")).exists() {
            for line in complete(content, false).lines() {
                let row = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error} in {line}"));
                assert_valid("row", &row);
                assert_described("row", &row);
            }
        }
    }

    /// The last row of each record.
    pub(super) fn rows(&self, name: &str) -> BTreeMap<u64, Row> {
        let Ok(content) = std::fs::read(self.lab.path(name)) else { return BTreeMap::new() };
        let text = complete(&content, is_csv(name));
        if text.is_empty() {
            return BTreeMap::new();
        }
        let rows = if is_csv(name) { parse_csv(&text) } else { parse_ndjson(&text) };
        rows.into_iter().map(|row| (row.record, row)).collect()
    }

    /// The names in requests that change something.
    pub(super) fn changed(&self) -> Vec<String> {
        let is_change = |entry: &Entry| entry.method == "DELETE" || entry.path.ends_with("/bulk/delete");
        let changes = self.lab.server.request_log().into_iter().filter(is_change);
        changes.flat_map(|entry| entry.key.into_iter().chain(entry.body_keys)).collect()
    }

    /// Promise 1: nothing was touched but what the input names and no guard covers.
    pub(super) fn check_touched(&self) {
        let may = contract::sendable(self.case);
        self.check_touched_only(|name| may.contains(name));
    }

    pub(super) fn check_touched_only(&self, may: impl Fn(&str) -> bool) {
        for name in self.changed() {
            assert!(may(&name), "{name:?} was not to be deleted");
        }
        for name in self.before.keys() {
            assert!(may(name) || self.lab.server.contains(name), "{name:?} is gone");
        }
        assert_eq!(self.lab.server.namespaces_deleted(), 0);
    }

    /// Promise 2: of the keys that were sent from here on, and are gone, the report leaves out no more than so many.
    pub(super) fn check_unreported(&self, report: &str, from: usize, most: usize) {
        let reported: HashSet<String> = self.rows(report).into_values().map(|row| row.key).collect();
        let gone = |name: &&String| self.before.contains_key(*name) && !self.lab.server.contains(name);
        let changed: HashSet<String> = self.changed().into_iter().skip(from).collect();
        let unreported = changed.iter().filter(gone).filter(|name| !reported.contains(*name)).count();
        assert!(unreported <= most, "{unreported} keys are gone without a row, not at most {most}");
    }

    /// Promises 2 and 3: what rows say of their records is allowed and true. Returns the final states.
    pub(super) fn check_rows(&self, report: &str, finished: bool) -> Vec<String> {
        let case = self.case;
        let records = contract::records(case);
        let fates = contract::fates(case);
        let rows = self.rows(report);
        for (number, row) in &rows {
            let index = usize::try_from(*number).expect("a number") - 1;
            assert!(index < records.len(), "a row for a record that there is not: {row:?}");
            let (name, fate) = (records[index], fates[index]);
            // What a signal left unanswered, and a resume repeats, is not known.
            let open = !finished && fate == Fate::Send && matches!(row.status.as_str(), "unknown" | "failed");
            let allowed = contract::allowed(case, fate, name);
            assert!(open || allowed.contains(&row.status.as_str()), "{fate:?} {name:?}, {allowed:?}: {row:?}");
            assert!(row.key == *name || !matches!(fate, Fate::Send | Fate::Kept), "{name:?}: {row:?}");
            self.check_row(row, fate);
        }
        if finished && !is_damaged(case) {
            assert_eq!(rows.len(), records.len(), "records without a row");
        }
        rows.into_values().map(|row| row.status).collect()
    }

    fn check_row(&self, row: &Row, fate: Fate) {
        let is_there = self.lab.server.contains(&row.key);
        match row.status.as_str() {
            // A server that says 404 of a key that exists is believed.
            "absent" if !self.case.server.refusing.is_empty() => {}
            "deleted" | "absent" => assert!(!is_there, "it is still there: {row:?}"),
            // The server refused it, even if a run that was killed has deleted it.
            "failed" if self.kills > 0 => {}
            "failed" if fate == Fate::Send && self.before.contains_key(&row.key) && !self.case.no_dedupe => {
                assert!(is_there, "it is gone: {row:?}");
            }
            _ => {}
        }
        // "A server response contributes at most 1 KiB to a row"; the rest is ours.
        assert!(row.error.len() <= 1_024 + 512, "{} bytes: {row:?}", row.error.len());
    }

    /// The summary agrees with the rows and the exit code.
    pub(super) fn check_summary(done: &Done, statuses: &[String]) {
        if statuses.is_empty() && done.status.code() == Some(1) && done.stdout.is_empty() {
            // An input that breaks before its first record.
            return;
        }
        let Ok(summary) = serde_json::from_str::<Value>(&done.stdout) else {
            panic!("no summary: {}\n{}", done.stdout, done.stderr);
        };
        assert_eq!(summary["exit_code"].as_i64(), done.status.code().map(i64::from), "{summary}");
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for status in statuses {
            *counts.entry(status).or_default() += 1;
        }
        for status in ["deleted", "absent", "kept", "duplicate", "invalid", "failed", "unknown", "planned"] {
            let count = counts.get(status).copied().unwrap_or(0);
            assert_eq!(summary[status].as_u64(), Some(count), "{status}: {summary}");
        }
    }

    /// Promise 4: never more requests than `--rate` allows in any window, measured at the server.
    fn check_rate(&self) {
        let Some((count, milliseconds)) = self.case.rate else { return };
        let arrivals: Vec<Duration> = self.lab.server.request_log().into_iter().map(|entry| entry.at).collect();
        let window = Duration::from_millis(milliseconds);
        for (first, next) in arrivals.iter().zip(arrivals.iter().skip(count as usize)) {
            let took = next.saturating_sub(*first);
            assert!(took >= window, "{} requests in {took:?}, from {first:?} on", count + 1);
        }
    }

    pub(super) fn check_finished(&mut self, done: &Done) {
        self.check_finished_silently(done);
        if contract::refusal(self.case).is_none() {
            let statuses = self.check_rows(self.report(), true);
            Self::check_summary(done, &statuses);
        }
    }

    /// The same for a job whose summary nobody can read.
    pub(super) fn check_finished_silently(&mut self, done: &Done) {
        self.check_touched();
        self.check_rate();
        let code = done.status.code();
        if let Some(refused) = contract::refusal(self.case) {
            let is_expected = code.is_some_and(|code| refused.codes.contains(&code));
            assert!(is_expected, "exit {code:?}, not {:?}: {}", refused.codes, done.stderr);
            assert!(self.changed().is_empty(), "something was sent");
            return;
        }
        let statuses = self.check_rows(self.report(), true);
        let expected = contract::exit_code(self.case, statuses.iter().map(String::as_str));
        assert_eq!(code, Some(expected), "{}", done.stderr);
        let (case, server) = (self.case, &self.case.server);
        let troubles = [server.temporary.len(), server.refusing.len(), server.refused.len(), self.kills];
        let is_quiet =
            troubles == [0; 4] && server.quota.is_none() && server.idle_close.is_none() && server.tls.is_none();
        if is_quiet && !case.no_dedupe {
            let changed = self.changed();
            let distinct: HashSet<&String> = changed.iter().collect();
            assert_eq!(distinct.len(), changed.len(), "a key was sent twice");
        }
    }
}
