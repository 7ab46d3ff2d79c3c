//! The question before a job that deletes: who is asked, what they are shown, what counts as a yes.
//!
//! It is asked on the controlling terminal, because stdin may hold the keys and stdout may be a file. Whether to
//! ask at all (`--yes`, a dry run) is decided elsewhere.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};

use crate::platform;
use crate::progress::stderr_is_terminal;
use crate::stderr;
use crate::terminal::{Escaped, columns, count, fitted, pluralized, shortened_key, stderr_is_styled};

use super::connect::Limits;
use super::error::Error;
use super::overview::Overview;
use super::signals;
use super::usage::UsageError;

pub(super) const SHOWN_KEYS: usize = 5;

/// Columns of a line on a terminal that does not say how many it has.
const WIDTH: usize = 100;

/// Above so many keys the count itself has to be typed.
const MUST_TYPE_COUNT: u64 = 10_000;

/// The longest answer that is read, in bytes; no answer that counts is longer.
const MAX_ANSWER: u64 = 4_096;

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Delete {
        /// Whether values are saved first.
        backup: bool,
    },
    Restore {
        /// Whether existing keys are overwritten.
        overwrite: bool,
    },
}

impl Action {
    /// What has not been done without a yes.
    fn done(self) -> &'static str {
        match self {
            Self::Delete { .. } => "deleted",
            Self::Restore { .. } => "written",
        }
    }
}

/// What is about to be deleted, for the one who has to agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub action: Action,
    /// How many keys, if that is known.
    pub keys: Option<u64>,
    /// Records that are not sent: ` (3 invalid, 2 duplicate)`, or nothing.
    pub others: String,
    /// What is shown if the number is not known.
    pub uncounted: &'static str,
    /// Where, from what, and within which bounds.
    pub(super) overview: Overview,
    /// The first keys of the input, exact; at most five of them are shown.
    pub first_keys: Vec<String>,
    /// What else is worth knowing before the answer.
    pub notes: Vec<String>,
    pub confirm_with: ConfirmWith,
}

/// What has to be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfirmWith {
    /// `y` or `yes`.
    Yes,
    /// The number of keys; `y` if it is not known.
    Count,
    Name(String),
}

/// The terminal to ask on. A job that will need it looks for it before it does anything else.
///
/// If stderr is not a terminal, nobody would see the messages, so nobody is asked.
pub(super) fn terminal(action: Action) -> Result<(File, File), Error> {
    let terminal = stderr_is_terminal().then(platform::open_terminal).flatten();
    terminal.ok_or_else(|| UsageError::NoTerminal(action.done()).into())
}

/// Asks on the controlling terminal, and waits for the answer without a time limit; `Ok` means yes.
///
/// Blocks the thread until somebody answers or a signal comes.
pub(super) fn ask(question: &Question) -> Result<(), Error> {
    let (input, output) = terminal(question.action)?;
    // Warnings come before the question.
    stderr::flush();
    let broke = Error::system("ask on the terminal");
    let (asked, screen) = (question.clone(), output.try_clone().map_err(Error::system("ask on the terminal"))?);
    match signals::blocking(move || ask_on(&asked, BufReader::new(&input), &output)) {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(UsageError::NotConfirmed(question.action.done()).into()),
        Ok(Err(error)) => Err(broke(error)),
        Err(stop) => {
            // Ctrl-C leaves the cursor after the prompt. The terminal may be gone.
            let _ = (&screen).write_all(b"\n");
            Err(stop.into())
        }
    }
}

fn ask_on(question: &Question, answers: impl BufRead, mut screen: impl Write) -> io::Result<bool> {
    screen.write_all(question.render().as_bytes())?;
    screen.flush()?;
    let mut answer = Vec::new();
    answers.take(MAX_ANSWER).read_until(b'\n', &mut answer)?;
    if !answer.ends_with(b"\n") {
        // Ctrl-D leaves the cursor behind the prompt.
        screen.write_all(b"\n")?;
    }
    Ok(question.is_granted_by(&answer))
}

impl Question {
    /// Of a job that is to be sent to a namespace with `limits`: what every kind of job shows.
    pub(super) fn new(
        action: Action,
        keys: Option<u64>,
        mut overview: Overview,
        report: String,
        limits: &Limits,
    ) -> Self {
        overview.push("report", report);
        Self {
            action,
            keys,
            others: String::new(),
            uncounted: "every key on stdin",
            overview,
            first_keys: Vec::new(),
            notes: limits.note().into_iter().collect(),
            confirm_with: match keys {
                Some(keys) if keys > MUST_TYPE_COUNT => ConfirmWith::Count,
                _ => ConfirmWith::Yes,
            },
        }
    }

    /// The number that has to be typed, where one has to.
    fn wanted_count(&self) -> Option<u64> {
        self.keys.filter(|_| self.confirm_with == ConfirmWith::Count)
    }

    /// The whole question, up to the place where the answer is typed.
    fn render(&self) -> String {
        let what = match self.keys {
            Some(keys) => pluralized(keys, "key"),
            None => self.uncounted.to_owned(),
        };
        let (verb, capitalized) = match self.action {
            Action::Delete { .. } => ("delete", "Delete"),
            Action::Restore { .. } => ("restore", "Restore"),
        };
        let width = columns(io::stderr()).unwrap_or(WIDTH);
        let mut lines = vec![format!("About to {verb} {what}{}", self.others)];
        lines.extend(self.overview.lines(width, stderr_is_styled()));
        for (index, key) in self.first_keys.iter().take(SHOWN_KEYS).enumerate() {
            let label = if index == 0 { "first keys" } else { "" };
            lines.push(format!("  {label:<11}  {}", shortened_key(key)));
        }
        lines.extend(self.notes.iter().flat_map(|note| fitted(&format!("Note: {note}."), width)));
        let undone = match self.action {
            Action::Delete { backup: false } => Some("This cannot be undone."),
            Action::Delete { backup: true } => None,
            Action::Restore { overwrite: true } => Some("Existing keys are overwritten. This cannot be undone."),
            Action::Restore { overwrite: false } => Some("Existing keys are kept."),
        };
        lines.extend(undone.map(str::to_owned));
        let pronoun = if self.keys == Some(1) { "it" } else { "them" };
        lines.push(match (self.wanted_count(), &self.confirm_with) {
            (Some(keys), _) => format!("Type the number of keys ({}) to {verb} {pronoun}: ", count(keys)),
            (None, ConfirmWith::Name(name)) => {
                format!("Type the namespace title ({}) to {verb} {pronoun}: ", Escaped(name))
            }
            (None, ConfirmWith::Yes | ConfirmWith::Count) => {
                let keys = self.keys.map_or_else(|| pronoun.to_owned(), |keys| pluralized(keys, "key"));
                format!("{capitalized} {keys}? [y/N] ")
            }
        });
        lines.join("\n")
    }

    fn is_granted_by(&self, answer: &[u8]) -> bool {
        let Ok(answer) = std::str::from_utf8(answer) else {
            return false;
        };
        let answer = answer.trim();
        match (self.wanted_count(), &self.confirm_with) {
            (Some(keys), _) => answer.replace(',', "") == keys.to_string(),
            (None, ConfirmWith::Name(name)) => answer == name,
            (None, ConfirmWith::Yes | ConfirmWith::Count) => {
                answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Question {
        Question {
            action: Action::Delete { backup: false },
            keys: Some(12_345),
            others: " (3 invalid, 2 duplicate)".to_owned(),
            overview: Overview::sample(),
            first_keys: ["user:1", "user:\r2", "k3", "k4", "k5", "k6"].map(str::to_owned).to_vec(),
            notes: Vec::new(),
            confirm_with: ConfirmWith::Yes,
            uncounted: "as many keys as stdin holds",
        }
    }

    fn answered(question: &Question, answer: &[u8]) -> (bool, String) {
        let mut screen = Vec::new();
        let is_granted = ask_on(question, answer, &mut screen).unwrap();
        (is_granted, String::from_utf8(screen).unwrap())
    }

    #[test]
    fn the_question_shows_what_is_lost_and_hides_nothing() {
        insta::assert_snapshot!(question().render(), @r"
        About to delete 12,345 keys (3 invalid, 2 duplicate)
          account      023e105f4ecef8ad9ca31a8372d0c353
          namespace    sessions \u{1b}[2Jproduction (0f2ac74b498b48028cb68387c421e279)
          first keys   user:1
                       user:\r2
                       k3
                       k4
                       k5
        This cannot be undone.
        Delete 12,345 keys? [y/N]
        ");
    }

    #[test]
    fn a_question_about_stdin_has_no_number() {
        let (keys, others) = (None, String::new());
        let question =
            Question { keys, others, first_keys: Vec::new(), confirm_with: ConfirmWith::Count, ..question() };
        insta::assert_snapshot!(question.render(), @r"
        About to delete as many keys as stdin holds
          account      023e105f4ecef8ad9ca31a8372d0c353
          namespace    sessions \u{1b}[2Jproduction (0f2ac74b498b48028cb68387c421e279)
        This cannot be undone.
        Delete them? [y/N]
        ");
        assert!(answered(&question, b"yes\n").0);
    }

    #[test]
    fn a_question_about_a_namespace_shows_its_prefixes_and_may_want_its_name() {
        let question = Question {
            keys: None,
            others: String::new(),
            uncounted: "every key that begins with a prefix below",
            confirm_with: ConfirmWith::Name("production".to_owned()),
            ..question()
        };
        insta::assert_snapshot!(question.render(), @r"
        About to delete every key that begins with a prefix below
          account      023e105f4ecef8ad9ca31a8372d0c353
          namespace    sessions \u{1b}[2Jproduction (0f2ac74b498b48028cb68387c421e279)
          first keys   user:1
                       user:\r2
                       k3
                       k4
                       k5
        This cannot be undone.
        Type the namespace title (production) to delete them:
        ");
        assert!(answered(&question, b" production\n").0);
        for no in ["yes\n", "Production\n", "prod\n", "\n"] {
            assert!(!answered(&question, no.as_bytes()).0, "{no:?}");
        }
    }

    #[test]
    fn above_ten_thousand_keys_the_count_is_typed_to_delete_and_to_restore() {
        for action in [
            Action::Delete { backup: false },
            Action::Restore { overwrite: false },
            Action::Restore { overwrite: true },
        ] {
            let asked = |keys| Question::new(action, keys, Overview::sample(), "none".to_owned(), &Limits::new(&[]));
            assert!(answered(&asked(Some(10_000)), b"yes\n").0);
            assert!(answered(&asked(None), b"yes\n").0, "of stdin nobody knows it");
            assert!(!answered(&asked(Some(10_001)), b"yes\n").0);
            assert!(answered(&asked(Some(10_001)), b"10001\n").0);
            assert!(asked(Some(10_001)).render().contains("Type the number of keys (10,001) to "));
        }
    }

    #[test]
    fn only_what_has_no_backup_cannot_be_undone() {
        let text = |action| Question { action, ..question() }.render();
        assert!(text(Action::Delete { backup: false }).contains("cannot be undone"));
        assert!(!text(Action::Delete { backup: true }).contains("cannot be undone"));
        assert!(!text(Action::Restore { overwrite: false }).contains("cannot be undone"));
    }

    #[test]
    fn only_a_yes_is_a_yes() {
        for yes in ["y\n", "yes\n", "YES\r\n", "  Yes \n", "y"] {
            assert!(answered(&question(), yes.as_bytes()).0, "{yes:?}");
        }
        for no in ["\n", "", "n\n", "no\n", "yess\n", "y e s\n", "12345\n", "\u{435}\n", "yes; no\n"] {
            assert!(!answered(&question(), no.as_bytes()).0, "{no:?}");
        }
        assert!(!answered(&question(), b"\xffyes\n").0);
    }

    #[test]
    fn only_the_first_line_counts() {
        assert!(!answered(&question(), b"no\nyes\n").0);
    }

    #[test]
    fn an_endless_answer_is_cut_off() {
        let endless = BufReader::new(io::repeat(b'y'));
        assert!(!ask_on(&question(), endless, Vec::new()).unwrap());
    }

    #[test]
    fn the_end_of_the_terminal_ends_the_line() {
        assert!(answered(&question(), b"").1.ends_with("Delete 12,345 keys? [y/N] \n"));
        assert!(answered(&question(), b"no\n").1.ends_with("Delete 12,345 keys? [y/N] "));
    }

    #[test]
    fn where_the_number_is_asked_for_a_yes_is_not_enough() {
        let question = Question { confirm_with: ConfirmWith::Count, ..question() };
        assert!(question.render().ends_with("\nType the number of keys (12,345) to delete them: "));
        assert!(!answered(&question, b"yes\n").0);
        assert!(!answered(&question, b"1234\n").0);
        assert!(answered(&question, b"12345\n").0);
        assert!(answered(&question, b"12,345\n").0);
    }

    #[test]
    fn a_broken_terminal_is_an_error_and_no_consent() {
        struct Broken;
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(ask_on(&question(), &b"yes\n"[..], Broken).is_err());
    }
}
