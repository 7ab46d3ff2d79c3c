//! The manual and the completions, given to the programs that they are made for.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::Lab;

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    assert!(found || std::env::var_os("CI").is_none(), "CI has to install {program}");
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// What a program said, all of it; it has to succeed.
fn said(program: &str, args: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(args).current_dir(folder).output().expect("the program starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(output.status.success(), "{program} {args:?}: {text}");
    text
}

/// The completions of a shell, as a file of the lab.
fn completions(lab: &Lab, shell: &str) -> PathBuf {
    let done = lab.kvsweep(["completions", shell]).run().code(0);
    assert_eq!(done.stderr, "");
    lab.write(shell, done.stdout)
}

#[test]
fn groff_and_mandoc_format_every_page_without_a_warning() {
    let lab = Lab::new();
    let done = lab.kvsweep(["man", "--out", "share/man1"]).run().code(0);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("", ""));
    let pages = std::fs::read_dir(lab.path("share/man1")).expect("the folder of pages");
    let mut pages: Vec<String> = pages.map(|page| page.expect("a page").path().display().to_string()).collect();
    pages.sort();
    assert!(pages.len() > 7, "{pages:?}");
    for page in &pages {
        if has("groff") {
            assert_eq!(said("groff", &["-ww", "-z", "-man", "-Tutf8", page], lab.folder()), "", "{page}");
        }
        if has("mandoc") {
            // A page has no date, so that it is the same whenever it is made.
            let script = format!("mandoc -T lint -W warning '{page}' | grep -v 'missing date' || true");
            assert_eq!(said("sh", &["-c", &script], lab.folder()), "", "{page}");
        }
    }
    // Again, over what is there.
    lab.kvsweep(["man", "--out", "share/man1"]).run().code(0);
    let page = lab.kvsweep(["man", "delete"]).run().code(0);
    assert_eq!(page.stdout, lab.read("share/man1/kvsweep-delete.1"));
    let refused = lab.kvsweep(["man", "nosuch"]).run().code(2);
    assert!(refused.stderr.contains("whoami"), "{}", refused.stderr);
    lab.write("file", "");
    let refused = lab.kvsweep(["man", "--out", "file"]).run().code(1);
    assert!(refused.stderr.contains("cannot write file"), "{}", refused.stderr);
}

#[test]
fn bash_completes_with_the_script() {
    let lab = Lab::new();
    completions(&lab, "bash");
    for (line, last, expected) in [
        ("kvsweep de", "de", "delete"),
        ("kvsweep delete --max", "--max", "--max-keys --max-failures --max-wait"),
        ("kvsweep delete --progress ", "", "auto always never"),
        ("kvsweep delete --api-token-f", "--api-token-f", "--api-token-file"),
        ("kvsweep man wh", "wh", "whoami"),
    ] {
        let script = format!(
            "source ./bash; COMP_LINE='{line}'; COMP_WORDS=({line}{}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _kvsweep kvsweep '{last}' \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[*]}}\"",
            if last.is_empty() { " ''" } else { "" },
        );
        assert_eq!(said("bash", &["--norc", "-c", &script], lab.folder()).trim_end(), expected, "{line}");
    }
}

#[test]
fn fish_completes_with_the_script() {
    if !has("fish") {
        return;
    }
    let lab = Lab::new();
    completions(&lab, "fish");
    for (line, expected) in [("kvsweep de", "delete"), ("kvsweep delete --api-token-f", "--api-token-file")] {
        let offered = said("fish", &["--no-config", "-c", &format!("source fish; complete -C '{line}'")], lab.folder());
        let offered: Vec<_> = offered.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(offered, [expected], "{line}");
    }
}

#[test]
fn zsh_reads_the_script() {
    if has("zsh") {
        let lab = Lab::new();
        completions(&lab, "zsh");
        assert_eq!(said("zsh", &["-f", "-n", "zsh"], lab.folder()), "");
    }
}

#[test]
fn the_version_names_commit_and_target() {
    let lab = Lab::new();
    let short = lab.kvsweep(["-V"]).run().code(0).stdout;
    assert_eq!(short, format!("kvsweep {}\n", env!("CARGO_PKG_VERSION")));
    let long = lab.kvsweep(["--version"]).run().code(0).stdout;
    let build = long.strip_prefix(&format!("kvsweep {} (", env!("CARGO_PKG_VERSION")));
    let build = build.and_then(|build| build.strip_suffix(")\n")).unwrap_or_else(|| panic!("{long}"));
    let (commit, target) = build.rsplit_once(", ").unwrap_or(("", build));
    assert!(target.contains(std::env::consts::ARCH) && target.contains(std::env::consts::OS), "{long}");
    // Sources without a repository have no commit.
    if Path::new(env!("CARGO_MANIFEST_DIR")).join(".git").exists() {
        let commit = commit.strip_prefix("commit ").unwrap_or_else(|| panic!("{long}"));
        assert!(commit.len() == 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{long}");
    }
}

/// As of an archive of the sources: there is no repository, but one of another project around it.
#[test]
fn a_build_without_git_knows_its_target() {
    let lab = Lab::new();
    let sources = lab.path("sources");
    std::fs::create_dir(&sources).expect("a folder");
    std::fs::create_dir(lab.path(".git")).expect("a folder");
    let script = lab.path("build-script");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let compiled = Command::new("rustc").args(["--edition", "2024", "-o"]).args([&script, &source]).status();
    assert!(compiled.expect("rustc runs").success());
    let run = |path: &str| {
        let mut command = Command::new(&script);
        command.current_dir(&sources).env_clear().env("PATH", path).env("TARGET", "some-target");
        let output = command.output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        lines.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=KVSWEEP_BUILD=")).expect("a line").to_owned()
    };
    let path = std::env::var("PATH").expect("a PATH");
    assert_eq!((run(&path), run("")), ("some-target".to_owned(), "some-target".to_owned()));
    let info = r#"{"git": {"sha1": "0123456789abcdef0123456789abcdef01234567"}, "path_in_vcs": ""}"#;
    std::fs::write(sources.join(".cargo_vcs_info.json"), info).expect("a file");
    assert_eq!(run(""), "commit 0123456789ab, some-target");
}
