//! Keys that are taken from the namespace.

use std::collections::BTreeSet;

use super::{Run, now};
use crate::case::{Event, Expires, Limits, Listed, Selection};
use crate::contract;

impl Run<'_> {
    pub(super) fn listing(&mut self, selection: &Selection, what: &Listed, limits: Limits) {
        let now = now();
        let is_selected = |(name, held): &(&String, &_)| contract::is_selected(self.case, selection, name, held, now);
        let selected: BTreeSet<String> = self.before.iter().filter(is_selected).map(|(name, _)| name.clone()).collect();
        match what {
            Listed::Delete => self.delete_listed(selection, &selected, limits),
            Listed::Plan => self.plan_listed(selection, &selected),
            Listed::List { extension, events } => self.list(selection, &selected, extension, events),
        }
    }

    fn selection_words(&self, selection: &Selection) -> Vec<String> {
        let mut words: Vec<String> = selection.prefixes.iter().map(|prefix| format!("--prefix={prefix}")).collect();
        match selection.expires {
            None => {}
            Some(Expires::Never) => words.push("--without-expiration".to_owned()),
            Some(Expires::BeforeDays(days)) => words.push(format!("--expiring-before={days}d")),
        }
        words.extend(selection.metadata.map(|(path, value)| match value {
            Some(value) => format!("--metadata={path}={value}"),
            None => format!("--metadata={path}"),
        }));
        words.extend(self.guard_words());
        words
    }

    fn listed_words(&self, selection: &Selection, extra: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = extra.iter().map(|word| (*word).to_owned()).collect();
        words.extend(selection.prefixes.is_empty().then(|| "--all".to_owned()));
        words.extend(self.mode_words(false));
        words.extend(self.selection_words(selection));
        words
    }

    /// Every key that was selected is gone, unless it cannot be sent or is refused, and no other.
    fn check_gone(&self, selected: &BTreeSet<String>) {
        self.check_touched_only(|name| selected.contains(name));
        for name in selected {
            let is_left = !contract::is_valid(name) || self.case.server.refused.contains(name);
            assert!(is_left || !self.lab.server.contains(name), "{name:?} is left");
        }
    }

    /// The names of the rows with this status, each once.
    fn names_with(&self, report: &str, statuses: &[&str]) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for row in self.rows(report).into_values() {
            if statuses.contains(&row.status.as_str()) {
                assert!(names.insert(row.key.clone()), "{row:?} is there twice");
            }
        }
        names
    }

    fn delete_listed(&mut self, selection: &Selection, selected: &BTreeSet<String>, limits: Limits) {
        let report = format!("--report={}", self.report());
        let mut words = self.listed_words(selection, &[&report]);
        // A name that cannot be sent is no key to delete.
        let count = selected.iter().filter(|name| contract::is_valid(name)).count();
        words.extend(contract::limit_flags(limits, count));
        let done = self.run(words, None);
        if contract::is_violated(limits, count) {
            // Keys of a namespace are not counted first: the job stops at the limit.
            assert_eq!(done.status.code(), Some(8), "{}", done.stderr);
            self.check_touched_only(|name| selected.contains(name));
            let sent: BTreeSet<String> = self.changed().into_iter().collect();
            assert!(sent.len() < selected.len(), "{} keys were sent", sent.len());
            return;
        }
        self.check_gone(selected);
        let rows = self.names_with(self.report(), &["deleted", "absent", "failed", "unknown", "invalid"]);
        assert_eq!(&rows, selected, "{}", done.stderr);
        for name in self.names_with(self.report(), &["kept"]) {
            assert!(self.before.contains_key(&name) && !selected.contains(&name), "{name:?} is kept");
        }
        let statuses: Vec<String> = self.rows(self.report()).into_values().map(|row| row.status).collect();
        let code = contract::exit_code(self.case, statuses.iter().map(String::as_str));
        assert_eq!(done.status.code(), Some(code), "{}", done.stderr);
        Self::check_summary(&done, &statuses);
    }

    fn plan_listed(&mut self, selection: &Selection, selected: &BTreeSet<String>) {
        let words = self.listed_words(selection, &["--dry-run", "--report=plan.csv"]);
        let done = self.run(words, None);
        assert!(matches!(done.status.code(), Some(0 | 3)), "{:?}: {}", done.status, done.stderr);
        assert!(self.changed().is_empty(), "a dry run changes something");
        assert_eq!(&self.names_with("plan.csv", &["planned", "invalid"]), selected, "{}", done.stderr);
        let words = ["--report=report.csv", "plan.csv", "--rate=none", "--bulk"].map(str::to_owned).to_vec();
        let done = self.run(words, None);
        assert!(matches!(done.status.code(), Some(0 | 3)), "{:?}: {}", done.status, done.stderr);
        self.check_gone(selected);
    }

    /// `list` into a file, stopped and resumed; then the file as an input.
    fn list(&mut self, selection: &Selection, selected: &BTreeSet<String>, extension: &str, events: &[Event]) {
        let file = format!("listed.{extension}");
        let words = |resume: bool| {
            let output = format!("--output={file}");
            let mut words =
                ["list", "--config=p.toml", "--profile=p", "--rate=none", &output].map(str::to_owned).to_vec();
            words.extend(resume.then(|| "--resume".to_owned()));
            words
        };
        // No name of the first page is one that is read as a line.
        let is_like_json = |name: &String| name.starts_with(|char: char| char.is_whitespace() || "{[\"".contains(char));
        let is_ambiguous = extension == "txt" && selected.iter().any(is_like_json);
        let mut resume = false;
        for event in events {
            let words = [words(resume), self.selection_words(selection)].concat();
            let command = self.other_command(&words);
            let done = self.run_command(command, Some(*event));
            if done.status.code() == Some(1) && is_ambiguous {
                return;
            }
            Self::check_signalled(&done, event.signal);
            resume = self.lab.path(&file).exists();
            // A listing that is whole has nothing to resume, even if it was killed before it could say so.
            let is_whole = resume && !self.lab.path(&format!("{file}.cursor")).exists();
            if is_whole || matches!(done.status.code(), Some(0 | 3)) {
                break;
            }
        }
        if !resume || self.lab.path(&format!("{file}.cursor")).exists() || events.is_empty() {
            let words = [words(resume), self.selection_words(selection)].concat();
            let command = self.other_command(&words);
            let done = self.run_command(command, None);
            if done.status.code() == Some(1) && is_ambiguous {
                return;
            }
            assert!(matches!(done.status.code(), Some(0 | 3)), "{:?}: {}", done.status, done.stderr);
        }
        let is_fit = |name: &&String| extension != "txt" || !name.contains(['\n', '\r']);
        let fit: Vec<&String> = selected.iter().filter(is_fit).collect();
        let listed = listed_names(&self.lab.read(&file), extension);
        let listed_once: BTreeSet<&String> = listed.iter().collect();
        assert_eq!(listed_once.len(), listed.len(), "a key is listed twice");
        assert!(listed_once.into_iter().eq(fit.iter().copied()), "{listed:?}, not {fit:?}");
        assert!(self.changed().is_empty(), "a listing changes something");
        let words = ["--report=report.csv", &file, "--rate=none", "--bulk"].map(str::to_owned).to_vec();
        let done = self.run(words, None);
        assert!(matches!(done.status.code(), Some(0 | 3)), "{:?}: {}", done.status, done.stderr);
        self.check_gone(&fit.into_iter().cloned().collect());
    }
}

/// The names in a list, read without the program's own readers.
fn listed_names(text: &str, extension: &str) -> Vec<String> {
    match extension {
        "csv" => {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            reader.records().map(|row| row.expect("a row")[0].to_owned()).collect()
        }
        "ndjson" => {
            let name =
                |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?["name"].as_str().map(str::to_owned);
            text.lines().map(|line| name(line).unwrap_or_else(|| panic!("{line}"))).collect()
        }
        _ => text.split_terminator('\n').map(str::to_owned).collect(),
    }
}
