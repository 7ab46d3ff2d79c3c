//! How much memory runs take.

use std::sync::OnceLock;

use super::Run;
use crate::lab::{Lab, wait_until};
use crate::{contract, files};

/// The most memory that a process had so far, in KiB; 0 once it has ended.
pub(super) fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What this build of the program takes to delete one key, in KiB.
fn base() -> u64 {
    static BASE: OnceLock<u64> = OnceLock::new();
    *BASE.get_or_init(|| {
        let lab = Lab::new();
        lab.keys(1);
        let mut running = lab.start("base", lab.delete(["keys.txt", "--report", "r.csv"]));
        let (process, mut most) = (running.child().id(), 0);
        wait_until("one key is deleted", || {
            most = most.max(peak(process));
            running.has_ended()
        });
        running.done().code(0);
        most
    })
}

impl Run<'_> {
    /// Promise 7.
    pub(super) fn check_memory(&self, peak: u64) {
        let server = &self.case.server;
        if server.temporary.iter().any(|fault| fault.starts_with("giant")) {
            return;
        }
        let keys = contract::records(self.case).len() as u64;
        let most = contract::most_memory(self.case, base(), keys);
        assert!(peak <= most, "{peak} KiB, not at most {most}, for {keys} keys");
    }

    /// A dry run over so many long names that keeping them would show.
    pub(super) fn large(&mut self, count: usize) {
        let names: Vec<String> = (0..count).map(|number| format!("{number:0>230}")).collect();
        let content = files::content(&self.case.form, &names, None);
        let size = names.iter().map(String::len).sum::<usize>() as u64 / 1_024;
        let most = contract::most_memory(self.case, base(), count as u64);
        assert!(size > most - base(), "too few names");
        self.lab.write(&files::name(&self.case.form, 0), content);
        let mut words = files::flags(&self.case.form);
        words.extend(["--dry-run".to_owned(), "--report=plan.csv".to_owned(), files::name(&self.case.form, 0)]);
        let command = self.command(words);
        let mut running = self.start(command);
        let (process, mut taken) = (running.child().id(), 0);
        wait_until("the plan is made", || {
            taken = taken.max(peak(process));
            running.has_ended()
        });
        let done = running.done();
        assert_eq!(done.status.code(), Some(0), "{}", done.stderr);
        assert_eq!(done.summary()["planned"], count, "{}", done.stdout);
        assert!(taken <= most, "{taken} KiB, not at most {most}, for {count} keys");
    }
}
