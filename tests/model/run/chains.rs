//! What is done with a job: one command after the other.

use std::collections::{BTreeMap, HashSet};
use std::process::Stdio;

use super::Run;
use crate::case::{Chain, Change, Disturbance, Edit, Output, Signal};
use crate::files::is_damaged;
use crate::lab::{Row, wait_until};
use crate::{contract, files};

impl Run<'_> {
    pub(crate) fn live(&mut self) {
        match &self.case.chain {
            // What is refused or breaks leaves nothing that the other chains could begin with.
            _ if contract::refusal(self.case).is_some() || is_damaged(self.case) => self.delete_once(),
            Chain::Delete => self.delete_once(),
            Chain::Interrupted { events } => self.interrupted(events),
            Chain::Plan { edit } => self.plan(*edit),
            Chain::Rehearsal => self.rehearsal(),
            Chain::Changed { after, change } => self.changed_job(*after, *change),
            Chain::Failures => self.failures(),
            Chain::OutputIsInput { output } => self.output_is_input(*output),
            Chain::Disturbed { after, what } => self.disturbed(*after, *what),
            Chain::Restore => self.restore(),
            Chain::Shards { count } => self.shards(*count),
        }
    }

    fn delete_once(&mut self) {
        let done = self.delete(&[]);
        self.check_finished(&done);
    }

    fn interrupted(&mut self, events: &[(Signal, u64)]) {
        let (mut settled, mut sent) = (HashSet::new(), 0);
        let mut extra: &[&str] = &[];
        for event in events {
            let words = self.delete_words(extra);
            let done = self.run(words, Some(*event));
            let (expected, code) = (event.0, done.status.code());
            let by_signal = match expected {
                Signal::Int => Some(130),
                Signal::Term => Some(143),
                Signal::Hup => Some(129),
                Signal::Kill => None,
            };
            assert!(code == by_signal || matches!(code, Some(0 | 3)), "exit {code:?}: {}", done.stderr);
            self.check_touched();
            self.check_rows(self.report(), false);
            // What has its row, even after SIGKILL, is not sent again.
            let changed = self.changed();
            let again = changed[sent..].iter().find(|name| settled.contains(*name));
            assert!(again.is_none() || self.case.no_dedupe, "{again:?} was sent again");
            sent = changed.len();
            let done = |row: &Row| matches!(row.status.as_str(), "deleted" | "absent");
            settled.extend(self.rows(self.report()).into_values().filter(done).map(|row| row.key));
            // A job that was stopped before its report was made has nothing to resume.
            extra = if self.lab.path(self.report()).exists() { &["--resume"] } else { &[] };
        }
        let done = self.delete(extra);
        self.check_finished(&done);
        let again = self.changed().into_iter().skip(sent).find(|name| settled.contains(name));
        assert!(again.is_none() || self.case.no_dedupe, "{again:?} was sent again");
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
        let words = ["--report=report.csv", "edited.csv", "--rate=none"].map(str::to_owned).to_vec();
        let done = self.run(words, None);
        self.check_touched();
        if edit == Edit::NoHeader && !rows.is_empty() {
            assert_eq!(done.status.code(), Some(2), "{}", done.stderr);
            assert!(self.changed().is_empty());
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
        self.run(words, Some((Signal::Int, after)));
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
        let last = inputs.last_mut().expect("an input");
        if change == Change::ShorterInput && last.pop().is_none() || change == Change::Input {
            last.push("one-more".to_owned());
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
        self.run(["--report=again.csv", "failures.csv", "--rate=none"].map(str::to_owned).to_vec(), None);
        for key in failed {
            assert!(!self.lab.server.contains(&key), "{key:?} was not in the failures file");
        }
        self.check_touched();
    }

    fn output_is_input(&mut self, output: Output) {
        let input = files::name(&self.case.form, 0);
        let content = std::fs::read(self.lab.path(&input)).expect("the input");
        let mut words = self.mode_words(false);
        words.retain(|word| !word.starts_with("--backup"));
        words.extend(match output {
            Output::Report => [format!("--report={input}"), "--overwrite".to_owned()].to_vec(),
            Output::Failures => [format!("--failures={input}"), "--overwrite".to_owned()].to_vec(),
            Output::Backup => vec![format!("--backup={input}")],
            Output::Stdout => vec!["--report=-".to_owned()],
        });
        words.extend(self.guard_words());
        words.extend(self.input_words());
        let command = match output {
            // Standard output goes on at the end of the input.
            Output::Stdout => {
                let mut command = self.command(words);
                let mut options = std::fs::File::options();
                let file = options.append(true).open(self.lab.path(&input)).expect("the input");
                let stdin = self.stdin();
                let mut child = command
                    .command()
                    .stdin(stdin)
                    .stdout(file)
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("the binary starts");
                wait_until("the process ends", || child.try_wait().expect("it can be waited for").is_some());
                child.wait().expect("it can be waited for").code()
            }
            _ => self.run(words, None).status.code(),
        };
        assert_eq!(command, Some(2), "an output is an input");
        assert!(self.changed().is_empty(), "something was sent");
        assert_eq!(std::fs::read(self.lab.path(&input)).expect("the input"), content, "the input was changed");
    }

    fn disturbed(&mut self, after: u64, what: Disturbance) {
        let words = self.delete_words(&[]);
        let input = self.lab.path(&files::name(&self.case.form, 0));
        let report = self.lab.path(self.report());
        let others: Vec<String> = (0..self.case.inputs[0].len() + 3).map(|nth| format!("other:{nth}")).collect();
        let other = files::content(&self.case.form, &others, None);
        let number = self.commands.len();
        let command = self.command(words);
        let from = self.lab.server.requests();
        let mut running = self.lab.start_with(&format!("run{number}"), command, self.stdin());
        let server = &self.lab.server;
        wait_until("the moment", || running.has_ended() || server.requests() >= from + after);
        let is_late = running.has_ended();
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
        let done = running.done();
        self.check_streams(&done);
        self.check_touched();
        let is_report = matches!(what, Disturbance::ReportRemoved | Disturbance::ReportReplaced);
        if is_report && !is_late && (what == Disturbance::ReportRemoved || had_report) && !report.exists() {
            // It may have been the last moment, after the report was finished.
            assert!(matches!(done.status.code(), Some(0 | 1 | 3)), "{:?}: {}", done.status, done.stderr);
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
            let words = ["restore", "--yes", "backup.ndjson", "--rate=none", "--report=restored.csv"];
            let run = self.lab.kvsweep(words);
            self.commands.push(format!("kvsweep {}", words.join(" ")));
            let done = run.run();
            assert!(matches!(done.status.code(), Some(0)), "{:?}: {}", done.status, done.stderr);
        }
        for name in &self.before {
            assert!(self.lab.server.contains(name), "{name:?} was not restored");
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
