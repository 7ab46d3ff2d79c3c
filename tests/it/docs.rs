//! Every command of the documents is run in a shell, against a server on loopback, with the samples at hand; or it is
//! listed here with the reason why it cannot be. A section (`## `) has a folder and a server of its own.
//!
//! A command ends with 0, unless `# exit code N` behind it says otherwise; in a block of `console` the output is what
//! is shown. A question is answered with yes, as the reader would.

mod page;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin;
use clap::Parser as _;
use clap::error::ErrorKind;
use kvsweep::internals::Cli;
use kvsweep::sandbox::SandboxOptions;
use tempfile::TempDir;

use crate::lab::{Kvsweep, Lab, TOKEN, wait_until};
use page::{Command, Section, anchor, is_shown, sections, timeless};

/// How commands begin that are not run here, and why.
const NOT_RUN: [(&str, &str); 21] = [
    ("cargo ", "builds; .ci/run does"),
    ("SEEDS=", "takes hours"),
    ("MINUTES=", "cargo-fuzz needs nightly"),
    ("KVSWEEP_MODEL_SEEDS=", "two thousand jobs; `cargo test` runs some"),
    ("KVSWEEP_SIM_SEEDS=", "ten thousand seeds; `cargo test` runs some hundred"),
    ("mkdir -p target/fuzz", "cargo-fuzz needs nightly"),
    ("docker ", "needs a daemon"),
    ("kubectl ", "needs a cluster"),
    ("sudo ", "changes the machine"),
    ("packaging/deb", "builds a release"),
    ("packaging/assets", "builds a release; .ci/run does"),
    ("dist ", "comes from crates.io and takes minutes to build"),
    ("sha256sum ", "needs a release"),
    ("gh ", "needs a release"),
    ("packaging/npm/build", "packaging/npm/check does"),
    ("npm install", "packaging/npm/check does"),
    ("npx ", "packaging/npm/check does"),
    ("man ", "the pages are read by both formatters in src/cli/man/tests.rs"),
    ("export CLOUDFLARE_", "the test's own server, token and ids are in the environment"),
    ("export KVSWEEP_API_TOKEN_COMMAND=", "needs a login or a vault; the same section runs another command"),
    ("wrangler ", "comes from npm; tests/workerd gives it to kvsweep and back"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

/// The pages of the project, as paths below its root.
fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).expect("a folder of the project") {
            let entry = entry.expect("an entry");
            let path = folder.join(entry.file_name());
            let is_ours = ["docs", "samples", "benches"].iter().any(|ours| path.starts_with(ours));
            match entry.file_type().expect("its kind") {
                kind if kind.is_dir() && is_ours => folders.push(path),
                kind if kind.is_file() && is_page(&path) => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    assert!(found.len() >= 10, "only {found:?} were found");
    found
}

fn read(page: &Path) -> Vec<Section> {
    sections(&std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{}: {error}", page.display())))
}

fn not_run(command: &Command) -> Option<&'static str> {
    NOT_RUN.iter().map(|(begin, _)| *begin).find(|begin| command.text.starts_with(begin))
}

/// A folder with a `kvsweep` that takes a question for answered. There is one for all sections: a program that was written
/// a moment ago is "busy" while another thread starts a process, which has the file open until it runs its own program.
fn confirming_kvsweep() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' --yes '*) ;; *) case $1 in delete | restore) set -- \"$@\" --yes ;; esac ;; esac\n\
         exec '{}' \"$@\"\n",
        cargo_bin("kvsweep").display()
    );
    let path = folder.path().join("kvsweep");
    std::fs::write(&path, script).expect("a script");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    folder
}

/// A folder with the samples; a server with the keys of the samples.
fn lab(section: &Section) -> Lab {
    let lab = Lab::with(SandboxOptions { title: "sessions".to_owned(), ..SandboxOptions::default() });
    std::fs::create_dir(lab.path("samples")).expect("a folder");
    for sample in std::fs::read_dir(root().join("samples")).expect("samples") {
        let path = sample.expect("a sample").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if !path.is_file() {
            continue;
        }
        std::fs::copy(&path, lab.path(&format!("samples/{name}"))).expect("a copy");
        if name.starts_with("keys.") {
            std::fs::copy(&path, lab.path(name)).expect("a copy");
        }
    }
    let keys = lab.read("keys.csv");
    lab.server.preload(keys.lines().skip(1).filter_map(|line| line.split(',').next()));
    lab.server.preload(["config:site", "feature-flag:new"]);
    if let [toml] = &section.toml[..] {
        lab.write("kvsweep.toml", toml);
    }
    lab.write("token", TOKEN);
    lab
}

/// Runs a command in a shell; says what is wrong, if something is.
fn run(lab: &Lab, bin: &Path, command: &Command) -> Result<(), String> {
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a PATH"));
    // A pipe is as good as its worst part.
    let shell = Kvsweep::new(PathBuf::from("bash"), lab.folder()).args([
        "-o",
        "pipefail",
        "-c",
        &format!("{{ {}\n}} 2>&1", command.text),
    ]);
    let mut shell = lab.like(shell).env("PATH", path).env("HOME", lab.folder());
    if command.shown.is_none() {
        shell = shell.env("KVSWEEP_RATE", "none");
    }
    let mut running = lab.start("shell", shell);
    wait_until(&format!("`{}` ends", command.text), || running.has_ended());
    let done = running.done();
    let said = || format!("$ {}\n{}", command.text, done.stdout);
    if done.status.code() != Some(command.code) {
        return Err(format!("exit code {:?}, not {}:\n{}", done.status.code(), command.code, said()));
    }
    match &command.shown {
        Some(shown) if !is_shown(&timeless(shown), &timeless(&done.stdout)) => {
            Err(format!("other output than the page shows:\n{}", said()))
        }
        _ => Ok(()),
    }
}

#[test]
fn every_command_is_run_or_listed() {
    let mut wrong = String::new();
    let (mut ran, mut listed) = (0, BTreeSet::new());
    let bin = confirming_kvsweep();
    let bin = bin.path();
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for page in pages() {
            for section in read(&page) {
                let (left, commands): (Vec<_>, Vec<_>) =
                    section.commands.iter().cloned().partition(|command| not_run(command).is_some());
                listed.extend(left.iter().filter_map(not_run));
                if commands.is_empty() {
                    continue;
                }
                ran += commands.len();
                let name = format!("{}: {}", page.display(), section.title);
                running.push(scope.spawn(move || {
                    let lab = lab(&section);
                    // What follows a command that failed is not to be judged.
                    let first = commands.iter().find_map(|command| run(&lab, bin, command).err());
                    first.map(|error| format!("{name}: {error}\n"))
                }));
            }
        }
        for section in running {
            wrong.extend(section.join().expect("a section's thread"));
        }
    });
    for (begin, why) in NOT_RUN {
        if !listed.contains(begin) {
            let _ = writeln!(wrong, "no page has a command `{begin}` ({why}): take it off the list");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(ran >= 30, "only {ran} commands were run");
}

/// Commands in the prose hold words such as FILE and `…` in the place of values, so they are only parsed: there has to be
/// such a command with such flags.
#[test]
fn every_command_in_prose_can_be_said() {
    let mut wrong = String::new();
    let mut parsed = 0;
    for page in pages() {
        for span in read(&page).iter().flat_map(|section| &section.spans) {
            for said in span.split('|').map(str::trim).filter(|said| said.starts_with("kvsweep ")) {
                let said = said.replace('\'', "");
                let outcome = Cli::try_parse_from(said.split_whitespace()).map_err(|error| error.kind());
                parsed += 1;
                let is_known = match outcome {
                    Ok(_) => true,
                    // The name of a command or a flag alone; a word in the place of a value.
                    Err(kind) => matches!(
                        kind,
                        ErrorKind::MissingRequiredArgument
                            | ErrorKind::InvalidValue
                            | ErrorKind::DisplayHelp
                            | ErrorKind::DisplayVersion
                            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    ),
                };
                if !is_known {
                    let _ = writeln!(wrong, "{}: `{said}`", page.display());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(parsed >= 20, "only {parsed} were found");
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = String::new();
    for page in pages() {
        for link in read(&page).iter().flat_map(|section| &section.links).filter(|link| !link.contains("://")) {
            let (path, name) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().expect("a folder").join(path),
            };
            let there = match std::fs::read_to_string(root().join(&target)) {
                Ok(text) if !name.is_empty() => {
                    let headings = text.lines().filter(|line| line.starts_with('#'));
                    headings.map(|line| anchor(line.trim_start_matches('#'))).any(|heading| heading == name)
                }
                _ => root().join(&target).exists(),
            };
            if !there {
                let _ = writeln!(wrong, "{}: {link}", page.display());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The words that the picture shows at its end, from top to bottom.
fn pictured(picture: &str) -> Vec<String> {
    let value = |tag: &str, name: &str| tag.split_once(name).and_then(|(_, rest)| rest.split('"').next()?.parse().ok());
    let mut texts: Vec<(f64, f64, String)> = Vec::new();
    for group in picture.split("<g class=\"t\"").skip(1) {
        let group = group.split("</g>").next().unwrap_or_default();
        for text in group.split("<text").skip(1) {
            let (tag, rest) = text.split_once('>').expect("a tag's end");
            let text = rest.split("</text>").next().unwrap_or_default();
            let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#x27;", "'");
            texts.push((value(tag, " y=\"").expect("y"), value(tag, " x=\"").expect("x"), text.replace("&amp;", "&")));
        }
    }
    texts.sort_by(|a, b| (a.0, a.1).partial_cmp(&(b.0, b.1)).expect("numbers"));
    let texts: Vec<String> = texts.into_iter().map(|(_, _, text)| text).collect();
    words(&texts.join("\n"))
}

fn words(text: &str) -> Vec<String> {
    timeless(text).iter().flat_map(|line| line.split(' ')).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_picture_shows_a_real_session_and_needs_nothing_from_elsewhere() {
    let picture = std::fs::read_to_string(root().join("docs/session.svg")).expect("the picture");
    assert!(picture.contains("<title id=") && picture.contains("prefers-color-scheme:dark"));
    assert_eq!(picture.matches("http").count(), 1, "only the name of its language");
    assert!(!picture.contains("<script") && !picture.contains("@import") && !picture.contains("url("));
    let lab = lab(&Section::default());
    let mut session = String::new();
    for mode in ["--dry-run", "--sandbox"] {
        let args = ["delete", "samples/keys.csv", mode];
        let done = Kvsweep::new(cargo_bin("kvsweep"), lab.folder()).args(args).run().code(0);
        let _ = write!(session, "$ kvsweep {}\n{}{}\n", args.join(" "), done.stdout, done.stderr);
    }
    session.push('$');
    assert_eq!(pictured(&picture), words(&session), "record it anew: docs/session.py");
}
