//! Errors as help: what kvsweep prints at every end that a job can come to, word for word.
//!
//! Each scene is what somebody did and the phrase that they would look up. `docs/troubleshooting.md` has an entry for
//! every phrase, and for no other.

mod answers;
mod inputs;
mod profiles;
mod stops;
mod usage;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use crate::lab::{Done, Kvsweep, Lab, Running};

/// Scenes with what was said in each.
struct Messages {
    text: String,
}

impl Messages {
    fn new() -> Self {
        Self { text: String::new() }
    }

    /// Runs it to its end, and notes what it said under a phrase that it has to say.
    #[track_caller]
    fn check(&mut self, phrase: &str, lab: &Lab, run: Kvsweep) {
        let mut run = run;
        let command = command_line(&mut run);
        self.note(phrase, &command, lab, &run.run());
    }

    /// The same under a command line as somebody would type it.
    #[track_caller]
    fn check_as(&mut self, phrase: &str, command: &str, lab: &Lab, run: Kvsweep) {
        self.note(phrase, command, lab, &run.run());
    }

    /// The same for one that was started before.
    #[track_caller]
    fn check_running(&mut self, phrase: &str, lab: &Lab, command: &str, running: Running) {
        self.note(phrase, command, lab, &running.done());
    }

    #[track_caller]
    fn note(&mut self, phrase: &str, command: &str, lab: &Lab, done: &Done) {
        let code = done.status.code().unwrap_or(-1);
        let said = [done.stdout.trim_end(), done.stderr.trim_end()].join("\n");
        let said = redacted(said.trim_matches('\n'), lab);
        assert!(said.contains(phrase), "{phrase:?} is not said:\n{said}");
        let _ = write!(self.text, "### `{phrase}`\n$ {}\n{said}\n(exit code {code})\n\n", redacted(command, lab));
    }

    /// Compares all of it with what was accepted.
    fn assert(self, name: &str) {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(name, self.text);
        });
    }
}

fn command_line(run: &mut Kvsweep) -> String {
    let command = run.command();
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    // What every run of a lab is given says nothing.
    let words: Vec<String> = words.filter(|word| word != "--yes").collect();
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    format!("{program} {}", words.join(" ")).replace(" --rate none", "")
}

/// The text without what differs from run to run.
fn redacted(text: &str, lab: &Lab) -> String {
    let folder = lab.folder().to_string_lossy().into_owned();
    let address = lab.server.base_url();
    let address = address.trim_start_matches("http://").trim_end_matches("/client/v4");
    let text = text
        .replace(env!("CARGO_BIN_EXE_kvsweep"), "kvsweep")
        .replace(&folder, "[folder]")
        .replace(address, "[server]")
        .replace(&"k".repeat(513), "[513 times k]");
    // What a resolver says of a name that is nobody's depends on whether it can ask.
    let text = text.replace("temporary failure in name resolution", "name or service not known");
    let lines = text.lines().map(|line| {
        // The speed, and how often a probe or a retry went out.
        if let Some((records, _)) =
            line.split_once(" records in ").filter(|(records, _)| records.parse::<u64>().is_ok())
        {
            return format!("{records} records in [time], [speed; requests]");
        }
        if let Some((failure, _)) = line.rsplit_once(" (").filter(|(_, end)| end.ends_with(" attempts)")) {
            return format!("{failure} ([number] attempts)");
        }
        // Of several keys in flight any may be the first.
        if let Some((cause, _)) = line.split_once(" records, such as key:") {
            return format!("{cause} records, such as [key])");
        }
        if let Some((hint, _)) = line.split_once("run again after ").filter(|(_, rest)| rest.ends_with("--max-wait")) {
            return format!("{hint}run again after [minute], or raise --max-wait");
        }
        if let Some((failure, _)) = line.split_once("; trying again in ") {
            return format!("{failure}; trying again in [time]");
        }
        // A row of a report.
        if let Some((row, _)) = line.rsplit_once(',').filter(|(_, end)| is_moment(end)) {
            return format!("{row},[moment]");
        }
        let mut after_process = false;
        let words = line.split(' ').map(|word| {
            let is_process = std::mem::replace(&mut after_process, word == "process");
            if is_process { "[pid]".to_owned() } else { redacted_word(word) }
        });
        words.collect::<Vec<_>>().join(" ")
    });
    let mut lines: Vec<_> = lines.collect();
    // How often that was depends on chance.
    lines.dedup_by(|line, before| line == before && line.contains("; trying again in "));
    lines.join("\n")
}

fn is_moment(text: &str) -> bool {
    text.starts_with("20") && text.len() > 18 && text.contains('T') && text.ends_with('Z')
}

/// Times, moments and ports.
fn redacted_word(word: &str) -> String {
    let (body, tail) = word.split_at(word.trim_end_matches([',', ';', ':', ')', '.']).len());
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.' || c == ',');
    let known = match body {
        _ if is_moment(body) => "[moment]",
        _ if body.starts_with("kvsweep-report-20") => "kvsweep-report-[moment].csv",
        _ if body.strip_prefix("127.0.0.1:").is_some_and(is_number) => "[server]",
        _ if body.len() > 1 && body.strip_suffix('s').is_some_and(|text| is_number(text) && text.contains('.')) => {
            "[time]"
        }
        _ if body.starts_with("https://127.0.0.1:") => "https://[server]",
        _ => return word.to_owned(),
    };
    format!("{known}{tail}")
}

/// The phrases in the headings of a text.
fn phrases(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter_map(|line| line.strip_prefix("### `"));
    headings.filter_map(|line| line.strip_suffix('`')).map(str::to_owned).collect()
}

#[test]
fn every_phrase_can_be_looked_up() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let messages: BTreeSet<String> = ["answers", "files", "inputs", "profiles", "records", "signals", "stops", "usage"]
        .iter()
        .flat_map(|name| phrases(&read(&format!("tests/it/snapshots/{name}.snap"))))
        .collect();
    let explained = phrases(&read("docs/troubleshooting.md"));
    let missing: Vec<_> = messages.difference(&explained).collect();
    let stale: Vec<_> = explained.difference(&messages).collect();
    assert!(missing.is_empty() && stale.is_empty(), "no entry for {missing:#?}; never said: {stale:#?}");
}
