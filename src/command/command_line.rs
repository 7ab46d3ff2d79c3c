//! The command line as it was typed, and those that resume its job, ready to paste.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::terminal::shell_word;

/// What is shown instead of the URL of `--ping`, which is a secret of the service that receives it.
const PING: &str = "--ping \"$KVSWEEP_PING\"";

/// The words of a command, the program's name first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine(pub Vec<OsString>);

impl CommandLine {
    /// The same with `--resume`, and the report of this run.
    pub(super) fn resuming(&self, report: Option<&Path>) -> String {
        let has_report = self.flags().any(|word| is_flag(word, "--report"));
        let report = report.filter(|_| !has_report);
        let report = report.map(|report| ["--report".to_owned(), shell_word(report.as_os_str())].join(" "));
        self.with(&["--overwrite", "--resume"], ["--resume".to_owned()].into_iter().chain(report))
    }

    /// The same with another report, if this run had a file of its own choice: the keys that are left are listed again.
    pub(super) fn again(&self, report: Option<&Path>) -> String {
        let other = report.map(|report| format!("--report {}", shell_word(unused(report).as_os_str())));
        if other.is_some() { self.with(&["--overwrite", "--report"], other) } else { self.with(&[], other) }
    }

    /// Without some flags, and with others before the end of all flags.
    fn with(&self, without: &[&str], with: impl IntoIterator<Item = String>) -> String {
        let end = self.flags().count();
        let (flags, operands) = self.0.split_at(end);
        let (mut words, mut flags) = (Vec::new(), flags.iter());
        while let Some(word) = flags.next() {
            if without.iter().any(|flag| is_flag(word, flag)) {
                if word == "--report" {
                    flags.next();
                }
            } else if is_flag(word, "--ping") {
                if word == "--ping" {
                    flags.next();
                }
                words.push(PING.to_owned());
            } else {
                words.push(shell_word(word));
            }
        }
        words.extend(with);
        words.extend(operands.iter().map(|word| shell_word(word)));
        words.join(" ")
    }

    /// The words before `--`.
    fn flags(&self) -> impl Iterator<Item = &OsString> {
        self.0.iter().take_while(|word| *word != "--")
    }
}

/// Whether a word is the flag, alone or with its value.
fn is_flag(word: &OsStr, flag: &str) -> bool {
    let rest = word.to_str().and_then(|word| word.strip_prefix(flag));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

/// `report-2.csv` beside `report.csv`, or the first number after that for which there is no file.
fn unused(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default();
    let numbered = |number: u64| {
        let mut name = stem.to_owned();
        name.push(format!("-{number}"));
        path.with_file_name(name).with_extension(path.extension().unwrap_or_default())
    };
    (2..=1_000).map(numbered).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| numbered(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> CommandLine {
        CommandLine(words.iter().map(Into::into).collect())
    }

    #[test]
    fn a_resumed_job_has_the_same_words_and_its_report() {
        let report = Some(Path::new("my report.csv"));
        for (words, resumed) in [
            (&["kvsweep", "delete", "a b.csv"][..], "kvsweep delete 'a b.csv' --resume --report 'my report.csv'"),
            (&["./k", "delete", "x", "--report=r.csv", "--overwrite"], "./k delete x --report=r.csv --resume"),
            (&["k", "delete", "--resume", "--report", "r.csv", "x"], "k delete --report r.csv x --resume"),
            (&["k", "delete", "--", "-x"], "k delete --resume --report 'my report.csv' -- -x"),
            (&["k", "delete", "--", "--report"], "k delete --resume --report 'my report.csv' -- --report"),
            (
                &["k", "delete", "--ping", "https://h/s3cret", "x", "--ping=https://h/s3cret"],
                "k delete --ping \"$KVSWEEP_PING\" x --ping \"$KVSWEEP_PING\" --resume --report 'my report.csv'",
            ),
        ] {
            assert_eq!(line(words).resuming(report), resumed);
        }
        assert_eq!(line(&["k", "list", "--output", "o"]).resuming(None), "k list --output o --resume");
    }

    #[test]
    fn what_cannot_be_resumed_gets_another_report() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("r-2.csv"), "").unwrap();
        let report = folder.path().join("r.csv");
        let again = line(&["k", "delete", "--all", "--report", "r.csv", "--overwrite"]).again(Some(&report));
        assert_eq!(again, format!("k delete --all --report {}", shell_word(folder.path().join("r-3.csv").as_os_str())));
        assert_eq!(line(&["k", "delete", "--all"]).again(None), "k delete --all");
    }
}
