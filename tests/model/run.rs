//! Runs the real binary as a case says, and compares what it did with the contract.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::process::Stdio;
use std::time::Duration;

use kvsweep::sandbox::{Canned, Entry, Fault, SandboxOptions, When};
use rustix::process::Signal as Posix;

use crate::case::{Case, Chain, Format, ProtectRoute, Route, Signal};
use crate::contract::{self, Fate};
use crate::files::{self, is_damaged};
use crate::lab::{Done, Kvsweep, Lab, Row, TOKEN, complete, is_csv, parse_csv, parse_ndjson, wait_until};
use crate::{flags, glob};

mod chains;

/// A case under way.
pub(crate) struct Run<'a> {
    case: &'a Case,
    lab: Lab,
    /// What the namespace held before.
    before: HashSet<String>,
    /// Every command, to be repeated by hand.
    pub(crate) commands: Vec<String>,
    interruptions: usize,
    kills: usize,
}

/// Names that no input holds.
const DECOYS: [&str; 4] = ["decoy", "decoy:é", "k", ""];

fn faults(case: &Case) -> Vec<Fault> {
    let refuse =
        |name: &String| Fault::new(When::Key(name.clone()), Canned::error(400, 10_012, "malformed key").into());
    case.server.refused.iter().map(refuse).chain(case.server.temporary.iter().cloned()).collect()
}

impl<'a> Run<'a> {
    pub(crate) fn new(case: &'a Case) -> Self {
        let latency = Duration::from_micros(case.server.latency_us);
        let lab = Lab::with(SandboxOptions {
            faults: faults(case),
            missing_key: case.server.missing_key,
            supports_url_encoding: case.server.url_encoding,
            latency: (!latency.is_zero()).then_some((latency / 2, latency)),
            seed: case.seed,
            ..SandboxOptions::default()
        });
        let names: Vec<&str> = contract::records(case);
        let is_key = |name: &str| !name.is_empty() && name.len() <= 512;
        let present = names.iter().enumerate().filter(|(index, name)| {
            is_key(name) && (case.server.missing == usize::MAX || (index + 1) % case.server.missing != 0)
        });
        let before: HashSet<String> = present
            .map(|(_, name)| (*name).to_owned())
            .chain(DECOYS.iter().filter(|name| is_key(name)).map(|name| (*name).to_owned()))
            .collect();
        lab.server.preload(before.iter().map(String::as_str));
        let run = Self { case, lab, before, commands: Vec::new(), interruptions: 0, kills: 0 };
        run.write_inputs(&case.inputs);
        run
    }

    fn write_inputs(&self, inputs: &[Vec<String>]) {
        for (index, names) in inputs.iter().enumerate() {
            let damage = self.case.damage.filter(|_| index + 1 == inputs.len());
            let content = files::content(&self.case.form, names, damage);
            self.lab.write(&files::name(&self.case.form, index), content);
        }
        let mut profile = "[profile.p]\n".to_owned();
        for (name, value, route) in &self.case.others {
            if let (Route::Profile, Some(value)) = (route, value) {
                let is_number = value.chars().all(|char| char.is_ascii_digit());
                let value = if is_number { value.clone() } else { format!("\"{value}\"") };
                profile = format!("{profile}{name} = {value}\n");
            }
        }
        let patterns: Vec<String> = self.case.protect.iter().map(|pattern| glob::text(pattern)).collect();
        match self.case.protect_route {
            _ if patterns.is_empty() => {}
            ProtectRoute::Flag => {}
            // JSON's strings are TOML's, too.
            ProtectRoute::Profile => {
                let patterns = serde_json::to_string(&patterns).expect("memory");
                profile = format!("{profile}protect = {patterns}\n");
            }
            ProtectRoute::File { bom, crlf, comment } => {
                let end = if crlf { "\r\n" } else { "\n" };
                let mark = if bom { "\u{feff}" } else { "" };
                let comment = if comment { "# kept" } else { "" };
                let text = format!("{mark}{comment}{end}{}", patterns.join(end));
                self.lab.write("protect.txt", text);
            }
        }
        self.lab.write("p.toml", profile);
    }

    fn report(&self) -> &'static str {
        if self.case.ndjson_report { "report.ndjson" } else { "report.csv" }
    }

    /// The inputs and what it takes to read them.
    fn input_words(&self) -> Vec<String> {
        let mut words = files::flags(&self.case.form);
        if self.case.from_stdin {
            words.push("-".to_owned());
        } else {
            words.extend((0..self.case.inputs.len()).map(|index| files::name(&self.case.form, index)));
        }
        words
    }

    fn guard_words(&self) -> Vec<String> {
        let case = self.case;
        let mut words = Vec::new();
        match case.protect_route {
            _ if case.protect.is_empty() => {}
            ProtectRoute::Flag => {
                words.extend(case.protect.iter().map(|pattern| format!("--protect={}", glob::text(pattern))));
            }
            ProtectRoute::File { .. } => words.push("--protect-from=protect.txt".to_owned()),
            ProtectRoute::Profile => {}
        }
        words.extend(case.only.iter().map(|pattern| format!("--only={}", glob::text(pattern))));
        words.extend(case.no_dedupe.then(|| "--no-dedupe".to_owned()));
        words.extend(case.allow_partial.then(|| "--allow-partial".to_owned()));
        let count = i64::try_from(contract::sendable(case).len()).expect("a small number");
        for (flag, distance) in
            [("max-keys", case.limits.max_keys), ("min-keys", case.limits.min_keys), ("expect", case.limits.expect)]
        {
            words.extend(distance.map(|distance| count + distance).filter(|n| *n > 0).map(|n| format!("--{flag}={n}")));
        }
        words
    }

    fn mode_words(&self, is_dry_run: bool) -> Vec<String> {
        let case = self.case;
        let mut words = vec![format!("--concurrency={}", case.concurrency), "--rate=none".to_owned()];
        words.extend(case.bulk.map(|keys| format!("--bulk={keys}")));
        words.extend(case.check.then(|| "--check".to_owned()));
        words.extend((case.backup && !is_dry_run).then(|| "--backup=backup.ndjson".to_owned()));
        words
    }

    fn command(&mut self, words: Vec<String>) -> Kvsweep {
        let mut command = self.lab.kvsweep(["delete", "--yes", "--json", "--config", "p.toml", "--profile", "p"]);
        let mut shown = vec!["kvsweep delete --yes --json --config p.toml --profile p".to_owned()];
        let deletes_nothing = words.iter().any(|word| matches!(word.as_str(), "--dry-run" | "--sandbox"));
        for (name, value, route) in &self.case.others {
            // Dry runs and rehearsals have no metrics.
            if deletes_nothing && name == "metrics-file" {
                continue;
            }
            let flag = value.as_ref().map_or(format!("--{name}"), |value| format!("--{name}={value}"));
            match (route, value) {
                (Route::Flag, _) => {
                    shown.push(flag.clone());
                    command = command.arg(flag);
                }
                (Route::Environment, Some(value)) => {
                    shown.insert(0, format!("{}={value}", flags::variable(name)));
                    command = command.env(&flags::variable(name), value);
                }
                _ => {}
            }
        }
        shown.extend(words.iter().map(|word| format!("{word:?}")));
        self.commands.push(shown.join(" "));
        command.args(words)
    }

    fn stdin(&self) -> Stdio {
        if !self.case.from_stdin {
            return Stdio::null();
        }
        std::fs::File::open(self.lab.path(&files::name(&self.case.form, 0))).expect("the input").into()
    }

    /// Runs a command to its end, with a signal after so many more requests.
    fn run(&mut self, words: Vec<String>, event: Option<(Signal, u64)>) -> Done {
        let number = self.commands.len();
        let command = self.command(words);
        let from = self.lab.server.requests();
        let mut running = self.lab.start_with(&format!("run{number}"), command, self.stdin());
        if let Some((signal, after)) = event {
            let server = &self.lab.server;
            wait_until("the moment of the signal", || running.has_ended() || server.requests() >= from + after);
            if !running.has_ended() {
                self.interruptions += 1;
                self.kills += usize::from(signal == Signal::Kill);
                running.signal(match signal {
                    Signal::Int => Posix::INT,
                    Signal::Term => Posix::TERM,
                    Signal::Hup => Posix::HUP,
                    Signal::Kill => Posix::KILL,
                });
            }
        }
        let done = running.done();
        self.check_streams(&done);
        done
    }

    fn check_streams(&self, done: &Done) {
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(!said.contains(TOKEN), "the token is shown:\n{said}");
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        // A progress bar moves the cursor.
        let has_bar = self.case.others.iter().any(|(_, value, _)| value.as_deref() == Some("always"));
        let is_raw = |char: &char| char.is_control() && !matches!(char, '\n' | '\t' | '\r') && !has_bar;
        let control = done.stderr.chars().find(is_raw);
        assert_eq!(control, None, "a control character: {:?}", done.stderr);
        for entry in std::fs::read_dir(self.lab.folder()).expect("the folder") {
            let path = entry.expect("a file").path();
            let content = String::from_utf8_lossy(&std::fs::read(&path).expect("a file")).into_owned();
            assert!(!content.contains(TOKEN), "the token is in {}", path.display());
        }
    }

    fn rows(&self, name: &str) -> BTreeMap<u64, Row> {
        let Ok(content) = std::fs::read(self.lab.path(name)) else { return BTreeMap::new() };
        let text = complete(&content, is_csv(name));
        if text.is_empty() {
            return BTreeMap::new();
        }
        let rows = if is_csv(name) { parse_csv(&text) } else { parse_ndjson(&text) };
        rows.into_iter().map(|row| (row.record, row)).collect()
    }

    /// The names in requests that change something.
    fn changed(&self) -> Vec<String> {
        let is_change = |entry: &Entry| entry.method == "DELETE" || entry.path.ends_with("/bulk/delete");
        let changes = self.lab.server.ledger().into_iter().filter(is_change);
        changes.flat_map(|entry| entry.key.into_iter().chain(entry.body_keys)).collect()
    }

    /// Promise 1: nothing was touched but what the input names and no guard covers.
    fn check_touched(&self) {
        let may = contract::sendable(self.case);
        for name in self.changed() {
            assert!(may.contains(name.as_str()), "{name:?} was not to be deleted");
        }
        for name in &self.before {
            assert!(may.contains(name.as_str()) || self.lab.server.contains(name), "{name:?} is gone");
        }
        assert_eq!(self.lab.server.namespaces_deleted(), 0);
    }

    /// Promises 2 and 3: what rows say of their records is allowed and true. Returns the final states.
    fn check_rows(&self, report: &str, finished: bool) -> Vec<String> {
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
            match row.status.as_str() {
                "deleted" | "absent" => assert!(!self.lab.server.contains(name), "{name:?} is still there: {row:?}"),
                "failed" if fate == Fate::Send && self.before.contains(name) && !case.no_dedupe => {
                    assert!(self.lab.server.contains(name), "{name:?} is gone: {row:?}");
                }
                _ => {}
            }
        }
        if finished && !is_damaged(case) {
            assert_eq!(rows.len(), records.len(), "records without a row");
        }
        rows.into_values().map(|row| row.status).collect()
    }

    /// The summary agrees with the rows and the exit code.
    fn check_summary(done: &Done, statuses: &[String]) {
        if statuses.is_empty() && done.status.code() == Some(1) && done.stdout.is_empty() {
            // An input that breaks before its first record.
            return;
        }
        let Ok(summary) = serde_json::from_str::<serde_json::Value>(&done.stdout) else {
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

    /// The arguments of a job over the inputs.
    fn job_words(&self, extra: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = extra.iter().map(|word| (*word).to_owned()).collect();
        words.extend(self.mode_words(extra.contains(&"--dry-run")));
        words.extend(self.guard_words());
        words.extend(self.input_words());
        words
    }

    /// The same with the report of the case.
    fn delete_words(&self, extra: &[&str]) -> Vec<String> {
        let report = format!("--report={}", self.report());
        self.job_words(&[extra, &[&report]].concat())
    }

    /// A delete of the inputs that is not interrupted, to its end.
    fn delete(&mut self, extra: &[&str]) -> Done {
        let words = self.delete_words(extra);
        self.run(words, None)
    }

    fn check_finished(&mut self, done: &Done) {
        self.check_touched();
        if let Some(refused) = contract::refusal(self.case) {
            let code = done.status.code().expect("an exit code");
            assert!(refused.codes.contains(&code), "exit {code}, not {:?}: {}", refused.codes, done.stderr);
            assert!(self.changed().is_empty(), "something was sent");
            return;
        }
        let statuses = self.check_rows(self.report(), true);
        let code = contract::exit_code(self.case, statuses.iter().map(String::as_str));
        assert_eq!(done.status.code(), Some(code), "{}", done.stderr);
        Self::check_summary(done, &statuses);
        let case = self.case;
        if case.server.temporary.is_empty() && self.kills == 0 && case.server.refused.is_empty() && !case.no_dedupe {
            let changed = self.changed();
            let distinct: HashSet<&String> = changed.iter().collect();
            assert_eq!(distinct.len(), changed.len(), "a key was sent twice");
        }
    }
}

/// Makes a case consistent: what the contract leaves open is not drawn.
pub(crate) fn settle(case: &mut Case) {
    if case.from_stdin {
        case.limits = crate::case::Limits::default();
    }
    if case.no_dedupe || case.damage.is_some() {
        case.limits = crate::case::Limits::default();
    }
    if case.damage.is_some() {
        case.form.final_newline = true;
    }
    if case.check {
        case.server.url_encoding = true;
    }
    if matches!(case.chain, Chain::Rehearsal | Chain::Restore) {
        case.server.refused.clear();
    }
    if case.from_stdin {
        // A name may look like another format.
        case.form.named_after_format = false;
    }
    if matches!(case.chain, Chain::Plan { .. }) {
        // The plan is carried out without --bulk.
        case.server.url_encoding = true;
    }
    if matches!(case.chain, Chain::Restore | Chain::Shards { .. }) {
        // A backup reads values in URLs; what a part counts is its own.
        case.server.url_encoding = true;
        case.limits = crate::case::Limits::default();
        (case.check, case.no_dedupe) = (false, false);
    }
    // What is written to a file ends with its line.
    if case.protect.iter().any(|pattern| glob::text(pattern).contains(['\n', '\r'])) {
        case.protect_route = ProtectRoute::Flag;
    }
    let is_single_csv = matches!(case.form.format, Format::Csv { before: 0, after: 0, .. });
    for names in &mut case.inputs {
        for name in names {
            if case.form.format == Format::Lines || is_single_csv {
                // A line cannot hold them, and a name in one column must not look like a row of several.
                *name = name.replace(['\n', '\r', ';', '\t', '|'], "_");
            }
        }
    }
}
