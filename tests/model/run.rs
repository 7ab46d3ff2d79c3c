//! Runs the real binary as a case says, and compares what it did with the contract.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use kvsweep::sandbox::{Canned, Fault, SandboxOptions, Stored, When};
use rustix::process::Signal as Posix;

use crate::case::{Case, Chain, Event, ProtectRoute, Route, Signal, Stdin};
use crate::contract;
use crate::files;
use crate::front::{CERTIFICATE, Front};
use crate::lab::{Done, Kvsweep, Lab, NAMESPACE, Running, wait_until};
use crate::{flags, glob};

mod chains;
mod checks;
mod listing;
mod memory;
mod outputs;
mod stopped;

/// A case under way.
pub(crate) struct Run<'a> {
    case: &'a Case,
    lab: Lab,
    front: Option<Front>,
    /// What the namespace held before.
    before: BTreeMap<String, Stored>,
    /// Every command, to be repeated by hand.
    pub(crate) commands: Vec<String>,
    /// How many runs ended before what was in flight had its row.
    kills: usize,
}

/// Names that no input holds.
const DECOYS: [&str; 4] = ["decoy", "decoy:é", "k", ""];

fn faults(case: &Case, others: &[String]) -> Vec<Fault> {
    let refusal = || Canned::error(400, 10_012, case.server.refusal.clone()).into();
    let refuse = |name: &String| Fault::new(When::Key(name.clone()), refusal());
    let others = others.iter().map(|fault| fault.parse().expect("a fault"));
    case.server.refused.iter().map(refuse).chain(others).collect()
}

/// What a key holds: values, metadata and expirations of every kind.
fn stored(name: &str, now: u64) -> Stored {
    let number = name.bytes().map(u64::from).sum::<u64>();
    let metadata = [
        None,
        Some(serde_json::json!({ "tag": "red", "deep": [1, "é"] })),
        Some(serde_json::json!({ "tag": "blue", "deep": ["1"] })),
        Some(serde_json::json!({ "tag": null })),
        Some(serde_json::json!("red")),
    ];
    let expiration = [None, Some(now + 10 * 86_400), Some(now + 40 * 86_400)];
    let value = [Vec::new(), name.as_bytes().to_vec(), vec![0xff, 0, b'"'], vec![b'v'; 3_000]];
    let nth = |length: usize, divisor: u64| usize::try_from(number / divisor).unwrap_or(0) % length;
    Stored {
        value: value[nth(4, 1)].clone().into(),
        metadata: metadata[nth(5, 2)].clone(),
        expiration: expiration[nth(3, 3)],
    }
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs()
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_=./:,%+@".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.chars().any(char::is_control) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let escaped = word.chars().map(|char| match char {
        '\'' | '\\' => format!("\\{char}"),
        char if char.is_control() => format!("\\u{:04x}", u32::from(char)),
        char => char.to_string(),
    });
    format!("$'{}'", escaped.collect::<String>())
}

impl<'a> Run<'a> {
    pub(crate) fn new(case: &'a Case) -> Self {
        let server = &case.server;
        let latency = Duration::from_micros(server.latency_us);
        let all: Vec<String> = server.temporary.iter().chain(&server.refusing).cloned().collect();
        let lab = Lab::with(SandboxOptions {
            faults: faults(case, &all),
            missing_key: server.missing_key,
            supports_url_encoding: server.url_encoding,
            latency: (!latency.is_zero()).then_some((latency / 2, latency)),
            quotas: server.quota.clone().into_iter().collect(),
            retry_after: server.retry_after,
            idle_close: server.idle_close.map(Duration::from_millis),
            seed: case.seed,
            ..SandboxOptions::default()
        });
        let more = if let Chain::Listing { more, .. } = case.chain { more } else { 0 };
        let is_missing = |index: usize| server.missing != usize::MAX && (index + 1).is_multiple_of(server.missing);
        let of_inputs = contract::records(case).into_iter().enumerate().filter(|(index, _)| !is_missing(*index));
        let names = of_inputs.map(|(_, name)| name.to_owned()).chain(DECOYS.map(str::to_owned));
        let names = names.chain((0..more).map(|number| format!("more:{number}")));
        let now = now();
        let before: BTreeMap<String, Stored> = names
            .filter(|name| !name.is_empty() && name.len() <= 512)
            .map(|name| (name.clone(), stored(&name, now)))
            .collect();
        for (name, stored) in &before {
            lab.server.put_stored(name.as_str(), stored.clone());
        }
        let front = server.tls.map(|tls| {
            lab.write("front.pem", CERTIFICATE);
            let address = lab.server.base_url().split('/').nth(2).and_then(|address| address.parse().ok());
            Front::start(tls, address.expect("an address"))
        });
        let run = Self { case, lab, front, before, commands: Vec::new(), kills: 0 };
        run.write_inputs(&case.inputs);
        run
    }

    /// Leaves the folder as it is, and says how to repeat the commands.
    pub(crate) fn keep(&mut self) -> String {
        let names: Vec<&String> = self.before.keys().collect();
        self.lab.write("namespace.json", serde_json::to_string(&names).expect("memory"));
        self.lab.keep();
        let server = &self.case.server;
        let mut sandbox = "kvsweep sandbox --keys namespace.json".to_owned();
        for fault in server.temporary.iter().chain(&server.refusing) {
            sandbox = format!("{sandbox} --fault {fault}");
        }
        for name in &server.refused {
            sandbox = format!("{sandbox} --fault {}", quoted(&format!("400@key:{name}")));
        }
        if let Some(quota) = &server.quota {
            let window = humantime::format_duration(quota.window).to_string().replace(' ', "");
            sandbox = format!("{sandbox} --quota {}/{window}/{:?}", quota.count, quota.kind).to_lowercase();
        }
        if let Some(tls) = server.tls {
            sandbox = format!("{sandbox} & # behind {tls:?}");
        }
        let address = "export CLOUDFLARE_API_BASE_URL=http://127.0.0.1:8787/client/v4 CLOUDFLARE_API_TOKEN=any";
        let folder = self.lab.folder().display();
        let ids = format!("CLOUDFLARE_ACCOUNT_ID={NAMESPACE} CLOUDFLARE_KV_NAMESPACE_ID={NAMESPACE}");
        format!("cd {folder}\n{sandbox} &\n{address} {ids}\n{}", self.commands.join("\n"))
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
            // JSON's strings are TOML's, too, but for the one control character that JSON need not escape.
            ProtectRoute::Profile => {
                let patterns = serde_json::to_string(&patterns).expect("memory").replace('\u{7f}', "\\u007f");
                profile = format!("{profile}protect = {patterns}\n");
            }
            ProtectRoute::File { bom, crlf, comment } => {
                let end = if crlf { "\r\n" } else { "\n" };
                let mark = if bom { "\u{feff}" } else { "" };
                let comment = if comment { format!("# kept{end}") } else { String::new() };
                let text = format!("{mark}{comment}{}", patterns.join(end));
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
        match self.case.stdin {
            _ if !self.case.from_stdin => {
                let of = |index: usize| files::name(&self.case.form, if self.case.same_file { 0 } else { index });
                words.extend((0..self.case.inputs.len()).map(of));
            }
            Stdin::Fifo => words.push("fifo".to_owned()),
            Stdin::File | Stdin::Pipe => words.push("-".to_owned()),
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
        words.extend(contract::limit_flags(case.limits, contract::sendable(case).len()));
        words
    }

    fn mode_words(&self, is_dry_run: bool) -> Vec<String> {
        let case = self.case;
        let rate = case.rate.map_or("none".to_owned(), |(count, milliseconds)| format!("{count}/{milliseconds}ms"));
        let mut words = vec![format!("--concurrency={}", case.concurrency), format!("--rate={rate}")];
        if case.server.temporary.iter().chain(&case.server.refusing).any(|fault| fault.starts_with("hang")) {
            words.push("--timeout=2s".to_owned());
        }
        words.extend(case.bulk.map(|keys| format!("--bulk={keys}")));
        words.extend(case.check.then(|| "--check".to_owned()));
        words.extend((case.backup && !is_dry_run).then(|| "--backup=backup.ndjson".to_owned()));
        words
    }

    /// `kvsweep delete` with the drawn flags and these words.
    fn command(&mut self, words: Vec<String>) -> Kvsweep {
        let mut command = self.kvsweep(["delete", "--yes", "--json", "--config", "p.toml", "--profile", "p"]);
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
        shown.extend(words.iter().map(|word| quoted(word)));
        if self.case.from_stdin {
            let input = quoted(&files::name(&self.case.form, 0));
            match self.case.stdin {
                Stdin::File => shown.push(format!("< {input}")),
                Stdin::Pipe => shown.insert(0, format!("cat {input} |")),
                Stdin::Fifo => shown.insert(0, format!("cat {input} > fifo &")),
            }
        }
        self.commands.push(shown.join(" "));
        command.args(words)
    }

    /// Another command than `delete`.
    fn other_command(&mut self, words: &[String]) -> Kvsweep {
        let shown: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        self.commands.push(format!("kvsweep {}", shown.join(" ")));
        self.kvsweep(words)
    }

    /// The binary, which speaks to the server through what is in front of it.
    fn kvsweep<I: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = I>) -> Kvsweep {
        let command = self.lab.kvsweep(words);
        match &self.front {
            None => command,
            Some(front) => command
                .env("CLOUDFLARE_API_BASE_URL", format!("https://{}/client/v4", front.address))
                .env("KVSWEEP_CACERT", self.lab.path("front.pem")),
        }
    }

    /// Says what happened to the last command, for those who repeat it.
    fn note(&mut self, what: &str) {
        if let Some(command) = self.commands.last_mut() {
            *command = format!("{command}  # {what}");
        }
    }

    fn stdin(&self) -> Stdio {
        if !self.case.from_stdin {
            return Stdio::null();
        }
        let input = self.lab.path(&files::name(&self.case.form, 0));
        let mut content = File::open(&input).expect("the input");
        match self.case.stdin {
            Stdin::File => content.into(),
            Stdin::Pipe => {
                let (reader, mut writer) = std::io::pipe().expect("a pipe");
                // A reader that has seen enough is no failure.
                std::thread::spawn(move || std::io::copy(&mut content, &mut writer));
                reader.into()
            }
            Stdin::Fifo => {
                let fifo = self.lab.path("fifo");
                if !fifo.exists() {
                    let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo");
                    assert!(made.success());
                }
                std::thread::spawn(move || std::io::copy(&mut content, &mut File::options().write(true).open(fifo)?));
                Stdio::null()
            }
        }
    }

    /// Lets go of whoever still waits to write into the FIFO.
    fn drain(&self) {
        use std::os::unix::fs::OpenOptionsExt;
        let fifo = self.lab.path("fifo");
        if fifo.exists() {
            let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("a flag");
            drop(File::options().read(true).custom_flags(flags).open(fifo));
        }
    }

    fn start(&self, command: Kvsweep) -> Running {
        let number = self.commands.len();
        self.lab.start_with(&format!("run{number}"), command, self.stdin())
    }

    /// Runs a command to its end, with a signal after so many more requests.
    fn run(&mut self, words: Vec<String>, event: Option<Event>) -> Done {
        let command = self.command(words);
        self.run_command(command, event)
    }

    fn run_command(&mut self, command: Kvsweep, event: Option<Event>) -> Done {
        let from = self.lab.server.requests();
        let mut running = self.start(command);
        if let Some(Event { signal, after, twice }) = event {
            let server = &self.lab.server;
            wait_until("the moment of the signal", || running.has_ended() || server.requests() >= from + after);
            if !running.has_ended() {
                let posix = match signal {
                    Signal::Int => Posix::INT,
                    Signal::Term => Posix::TERM,
                    Signal::Hup => Posix::HUP,
                    Signal::Kill => Posix::KILL,
                };
                running.signal(posix);
                if twice && !running.has_ended() {
                    running.signal(posix);
                }
                self.kills += usize::from(signal == Signal::Kill || twice);
                let times = if twice { "twice, " } else { "" };
                self.note(&format!("SIG{signal:?}, {times}after {after} requests").to_uppercase());
            }
        }
        self.finish(running)
    }

    /// Waits for its end.
    fn finish(&self, mut running: Running) -> Done {
        let process = running.child().id();
        let mut peak = 0;
        wait_until("the process ends", || {
            peak = peak.max(memory::peak(process));
            running.has_ended()
        });
        let done = running.done();
        self.drain();
        self.check_memory(peak);
        self.check_streams(&done);
        done
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
}
