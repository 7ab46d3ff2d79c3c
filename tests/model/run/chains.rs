//! What is done with a job: one command after the other.

use std::collections::BTreeMap;

use rustix::process::Signal as Posix;

use super::Run;
use crate::case::{Chain, Change, Disturbance, Edit, Event, Signal};
use crate::files::is_damaged;
use crate::lab::{Row, wait_until};
use crate::{contract, files};

impl Run<'_> {
    pub(crate) fn live(&mut self) {
        match &self.case.chain {
            Chain::Plan { .. } if is_damaged(self.case) => self.broken_plan(),
            // What is refused or breaks leaves nothing that the other chains could begin with.
            _ if contract::refusal(self.case).is_some() || is_damaged(self.case) => self.delete_once(),
            Chain::Delete => self.delete_once(),
            Chain::Interrupted { events } => self.interrupted(events),
            Chain::Plan { edit } => self.plan(*edit),
            Chain::Rehearsal => self.rehearsal(),
            Chain::Changed { after, change } => self.changed_job(*after, *change),
            Chain::Failures => self.failures(),
            Chain::Guarded { guard } => self.guarded(*guard),
            Chain::OutputIsInput { output } => self.output_is_input(*output),
            Chain::Disturbed { after, what } => self.disturbed(*after, *what),
            Chain::Restore => self.restore(),
            Chain::Shards { count } => self.shards(*count),
            Chain::Listing { selection, what, limits, .. } => self.listing(selection, what, *limits),
            Chain::Together { after, second } => self.together(*after, *second),
            Chain::FullDisk { blocks } => self.full_disk(*blocks),
            Chain::FullDevice { output } => self.full_device(*output),
            Chain::Streams { stdout, stderr } => self.streams(*stdout, *stderr),
            Chain::Large { names } => self.large(*names),
        }
    }

    /// "A break partway through a file": a part of a plan must not pass for a whole one, unless it was asked for.
    fn broken_plan(&mut self) {
        let done = self.run(self.job_words(&["--dry-run", "--report=plan.csv"]), None);
        assert!(matches!(done.status.code(), Some(1 | 2 | 8)), "{:?}: {}", done.status, done.stderr);
        assert!(self.changed().is_empty(), "a dry run changes something");
        let is_kept = self.lab.path("plan.csv").exists();
        assert!(!is_kept || self.case.allow_partial, "a part of a plan is left: {}", done.stderr);
    }

    fn plan(&mut self, edit: Edit) {
        let words = self.job_words(&["--dry-run", "--report=plan.csv"]);
        let done = self.run(words, None);
        assert!(self.changed().is_empty(), "a dry run changes something");
        let rows = self.rows("plan.csv");
        let (records, fates) = (contract::records(self.case), contract::fates(self.case));
        assert_eq!(rows.len(), records.len(), "records without a row: {}", done.stderr);
        for (number, row) in &rows {
            let index = usize::try_from(*number).expect("a number") - 1;
            let allowed = contract::planned(self.case, fates[index], records[index]);
            assert!(allowed.contains(&row.status.as_str()), "{allowed:?}: {row:?}");
        }
        let code = contract::exit_code(self.case, rows.values().map(|row| row.status.as_str()));
        assert_eq!(done.status.code(), Some(code), "{}", done.stderr);
        self.edit(edit, &rows);
        let done = self.run(self.other_words("report.csv", "edited.csv"), None);
        self.check_touched();
        if edit == Edit::NoHeader && rows.values().any(|row| row.status == "planned") {
            assert_eq!(done.status.code(), Some(2), "{}", done.stderr);
            assert!(self.changed().is_empty());
            return;
        }
        if rows.values().any(|row| row.status == "failed") {
            // What could not be looked up with --check: the plan is executed, or nothing is sent.
            assert!(done.status.code() != Some(2) || self.changed().is_empty());
            return;
        }
        let refused = &self.case.server.refused;
        for row in rows.values().filter(|row| row.status == "planned") {
            assert!(
                !self.lab.server.contains(&row.key) || refused.contains(&row.key),
                "{row:?} is left: {}",
                done.stderr
            );
        }
    }

    /// A job over a file that an earlier one wrote.
    fn other_words(&self, report: &str, input: &str) -> Vec<String> {
        let mut words = vec![format!("--report={report}"), input.to_owned(), "--rate=none".to_owned()];
        // Names that need encoding can be sent in no other way.
        words.extend((self.case.bulk.is_some() && !self.case.server.url_encoding).then(|| "--bulk".to_owned()));
        words
    }

    /// The plan as a reviewer saves it.
    fn edit(&self, edit: Edit, rows: &BTreeMap<u64, Row>) {
        let names = ["record", "key", "status", "error"];
        let columns: Vec<usize> = match edit {
            Edit::Reorder => vec![2, 1, 0, 3],
            Edit::DropOthers => vec![0, 1, 2],
            _ => vec![0, 1, 2, 3],
        };
        let field = |text: &str| files::csv_field(text, ',', false);
        let mut text = String::new();
        if edit != Edit::NoHeader {
            let header: Vec<String> = columns.iter().map(|index| names[*index].to_owned()).collect();
            let header = header.join(",");
            text += &if edit == Edit::Capitals { header.to_uppercase() } else { header };
            text += if edit == Edit::AddColumn { ",Checked by\n" } else { "\n" };
        }
        for row in rows.values() {
            if matches!(edit, Edit::OnlyPlanned | Edit::NoHeader) && row.status != "planned" {
                continue;
            }
            let fields = [row.record.to_string(), row.key.clone(), row.status.clone(), row.error.clone()];
            let fields: Vec<String> = columns.iter().map(|index| field(&fields[*index])).collect();
            text += &fields.join(",");
            text += if edit == Edit::AddColumn { ",me\n" } else { "\n" };
        }
        if edit == Edit::Nothing {
            std::fs::copy(self.lab.path("plan.csv"), self.lab.path("edited.csv")).expect("a copy");
        } else {
            self.lab.write("edited.csv", text);
        }
    }

    fn rehearsal(&mut self) {
        let mut words = self.delete_words(&["--sandbox"]);
        words.retain(|word| !word.starts_with("--backup"));
        let done = self.run(words, None);
        assert!(matches!(done.status.code(), Some(0 | 3)), "{:?} {}", done.status, done.stderr);
        assert_eq!(self.lab.server.requests(), 0, "a rehearsal speaks to the real server");
        let done = self.delete(&["--resume"]);
        assert_eq!(done.status.code(), Some(2), "a rehearsal was resumed: {}", done.stderr);
        assert!(self.changed().is_empty());
    }

    fn changed_job(&mut self, after: u64, change: Change) {
        let words = self.delete_words(&[]);
        self.run(words, Some(Event { signal: Signal::Int, after, twice: false }));
        self.check_touched();
        if !self.lab.path(self.report()).exists() {
            return;
        }
        let before = self.changed().len();
        let by_input = matches!(change, Change::Input | Change::ShorterInput);
        let extra: &[&str] = match change {
            _ if by_input && self.case.from_stdin => &["--resume", "--protect=never-there"],
            Change::Input | Change::ShorterInput => &["--resume"],
            Change::Protect => &["--resume", "--protect=never-there"],
            Change::Only => &["--resume", "--only=*"],
            Change::Namespace => &["--resume", "--namespace-id=00000000000000000000000000000001"],
            Change::DryRun => return,
        };
        let mut inputs = self.case.inputs.clone();
        let changed = if self.case.same_file { 0 } else { inputs.len() - 1 };
        let changed = &mut inputs[changed];
        if change == Change::ShorterInput && changed.pop().is_none() || change == Change::Input {
            changed.push("one-more".to_owned());
        }
        if by_input && !self.case.from_stdin {
            self.write_inputs(&inputs);
        }
        let done = self.delete(extra);
        assert_eq!(done.status.code(), Some(2), "another job was resumed ({change:?}): {}", done.stderr);
        assert_eq!(self.changed().len(), before, "something was sent");
        self.write_inputs(&self.case.inputs);
        let done = self.delete(&["--resume"]);
        self.check_finished(&done);
    }

    fn failures(&mut self) {
        let done = self.delete(&["--failures=failures.csv"]);
        self.check_finished(&done);
        if contract::refusal(self.case).is_none() && self.case.seed.is_multiple_of(2) {
            // It stops before it comes to all of them, which are still not deleted.
            self.delete(&["--failures=failures.csv", "--resume", "--deadline=1ms"]);
            self.check_touched();
        }
        let failed: Vec<String> = self
            .rows(self.report())
            .into_values()
            .filter(|row| matches!(row.status.as_str(), "failed" | "unknown"))
            .map(|row| row.key)
            .collect();
        if !self.lab.path("failures.csv").exists() {
            assert!(failed.is_empty(), "failures are not listed");
            return;
        }
        self.lab.server.set_faults([]);
        self.run(self.other_words("again.csv", "failures.csv"), None);
        for key in failed {
            assert!(!self.lab.server.contains(&key), "{key:?} was not in the failures file");
        }
        self.check_touched();
    }

    fn disturbed(&mut self, after: u64, what: Disturbance) {
        let words = self.delete_words(&[]);
        let input = self.lab.path(&files::name(&self.case.form, 0));
        let report = self.lab.path(self.report());
        let others: Vec<String> = (0..self.case.inputs[0].len() + 3).map(|nth| format!("other:{nth}")).collect();
        let other = files::content(&self.case.form, &others, None);
        let command = self.command(words);
        let from = self.lab.server.requests();
        let mut running = self.start(command);
        let server = &self.lab.server;
        wait_until("the moment", || running.has_ended() || server.requests() >= from + after);
        let is_late = running.has_ended() || !running.stop();
        let is_unfinished = !is_late && self.rows(self.report()).len() < contract::records(self.case).len();
        match what {
            Disturbance::InputRewritten => std::fs::write(&input, &other).expect("the input is rewritten"),
            Disturbance::InputReplaced => {
                let new = self.lab.write("new", &other);
                std::fs::rename(new, &input).expect("the input is replaced");
            }
            Disturbance::ReportRemoved => drop(std::fs::remove_file(&report)),
            Disturbance::ReportReplaced => drop(std::fs::rename(&report, self.lab.path("elsewhere"))),
        }
        let had_report = self.lab.path("elsewhere").exists();
        self.note(&format!("{what:?} after {after} requests"));
        if !is_late {
            running.signal(Posix::CONT);
        }
        let done = self.finish(running);
        self.check_touched();
        let is_report = matches!(what, Disturbance::ReportRemoved | Disturbance::ReportReplaced);
        if is_report && !is_late && (what == Disturbance::ReportRemoved || had_report) && !report.exists() {
            // It may have been the last moment, after the report was finished.
            let is_expected = matches!(done.status.code(), Some(0 | 3)) && !is_unfinished;
            assert!(is_expected || done.status.code() == Some(1), "{:?}: {}", done.status, done.stderr);
            return;
        }
        assert!(matches!(done.status.code(), Some(0 | 1 | 3)), "{:?}: {}", done.status, done.stderr);
        self.check_rows(self.report(), false);
    }

    fn restore(&mut self) {
        let mut words = self.delete_words(&[]);
        words.retain(|word| !word.starts_with("--backup") && word != "--check");
        words.push("--backup=backup.ndjson".to_owned());
        let done = self.run(words, None);
        self.check_touched();
        assert!(matches!(done.status.code(), Some(0 | 3)), "{:?}: {}", done.status, done.stderr);
        self.check_rows(self.report(), true);
        let is_there = self.lab.path("backup.ndjson").exists();
        self.lab.server.set_faults([]);
        if is_there {
            let words = ["restore", "--yes", "--json", "backup.ndjson", "--rate=none", "--report=restored.ndjson"];
            let command = self.other_command(&words.map(str::to_owned));
            let done = self.run_command(command, None);
            assert!(matches!(done.status.code(), Some(0)), "{:?}: {}", done.status, done.stderr);
        }
        for (name, stored) in &self.before {
            assert_eq!(self.lab.server.get(name).as_ref(), Some(stored), "{name:?} was not restored");
        }
    }

    fn shards(&mut self, count: u32) {
        let mut reported = BTreeMap::new();
        let mut names = Vec::new();
        for part in 1..=count {
            let report = format!("part{part}.csv");
            let mut words = self.job_words(&[&format!("--report={report}"), &format!("--shard={part}/{count}")]);
            words.retain(|word| !word.starts_with("--backup"));
            let done = self.run(words, None);
            assert!(matches!(done.status.code(), Some(0 | 3)), "{:?}: {}", done.status, done.stderr);
            self.check_touched();
            for (number, row) in self.rows(&report) {
                assert!(reported.insert(number, row).is_none(), "record {number} is in two parts");
            }
            names.push(report);
        }
        let (records, fates) = (contract::records(self.case), contract::fates(self.case));
        assert_eq!(reported.len(), records.len(), "records of no part");
        for (number, row) in &reported {
            let index = usize::try_from(*number).expect("a number") - 1;
            let allowed = contract::allowed(self.case, fates[index], records[index]);
            assert!(allowed.contains(&row.status.as_str()), "{allowed:?}: {row:?}");
        }
        let done = self.lab.kvsweep(["report", "--json"]).args(&names).run();
        assert!(matches!(done.status.code(), Some(0 | 3)), "{:?}: {}", done.status, done.stderr);
        for missing in names.iter().take(usize::from(count > 1)) {
            let others: Vec<&String> = names.iter().filter(|name| *name != missing).collect();
            let done = self.lab.kvsweep(["report"]).args(others).run();
            let said = format!("{}{}", done.stdout, done.stderr);
            assert!(said.contains(&format!("1/{count}")) || said.contains("missing"), "a part is missing: {said}");
        }
    }
}
