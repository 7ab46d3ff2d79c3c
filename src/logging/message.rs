//! Messages as people see them: `error:`, `warning:` and `hint:` lines, in clap's colours and wrapped on a terminal.
//!
//! A message is a text, then `\nhint: ` and a hint any number of times. A line of it that begins with two spaces is a command
//! to paste, and never broken.

use std::io;

use crate::terminal::{columns, fitted, stderr_is_styled};
use crate::text::without_os_errors;

/// Labels, and the colours that clap gives an error, a tip and (cargo) a warning.
const LABELS: [(&str, &str); 3] =
    [("error:", "\x1b[1m\x1b[31m"), ("warning:", "\x1b[1m\x1b[33m"), ("hint:", "\x1b[32m")];

const RESET: &str = "\x1b[0m";

/// What may follow a line end within a message; anything else there is foreign.
const CONTINUATIONS: [&str; 2] = ["hint: ", "  "];

/// How messages are shown.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Style {
    /// `None` where nothing is wrapped.
    columns: Option<usize>,
    is_colored: bool,
}

impl Style {
    pub(super) fn of_stderr() -> Self {
        Self { columns: columns(io::stderr()), is_colored: stderr_is_styled() }
    }

    /// Every line of an entry in colour and wrapped. It has to be escaped already.
    pub(super) fn render(self, entry: &str) -> String {
        if self.columns.is_none() && !self.is_colored {
            return entry.to_owned();
        }
        entry.lines().flat_map(|line| [self.line(line), "\n".to_owned()]).collect()
    }

    fn line(self, line: &str) -> String {
        let label = LABELS.into_iter().find(|(label, _)| at_label(line, label).is_some());
        let text = self.columns.map_or_else(|| line.to_owned(), |columns| fitted(line, columns).join("\n"));
        match label.and_then(|(label, color)| Some((at_label(&text, label)?, label, color))) {
            Some((at, label, color)) if self.is_colored => {
                format!("{}{color}{label}{RESET}{}", &text[..at], &text[at + label.len()..])
            }
            _ => text,
        }
    }
}

/// Where a label stands: at the start of a line, or after its time.
fn at_label(line: &str, label: &str) -> Option<usize> {
    let after_time = line.find(' ').map(|space| space + 1).filter(|_| line.starts_with(|c: char| c.is_ascii_digit()));
    [Some(0), after_time].into_iter().flatten().find(|at| line[*at..].starts_with(label))
}

/// Whether what follows a line end belongs to the message.
pub(super) fn continues(rest: &str) -> bool {
    CONTINUATIONS.iter().any(|start| rest.starts_with(start))
}

/// Prints a message that is not part of the log.
pub(crate) fn print_message(text: &str) {
    use std::io::Write as _;

    // It never fails.
    let _ = crate::stderr::lines().write_all(Style::of_stderr().render(&without_os_errors(text)).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str =
        "error: the first column is wider than that\nhint: to resume, run:\n  kvsweep delete keys.csv --resume\n";

    #[test]
    fn a_message_is_wrapped_between_words_and_a_command_never() {
        let narrow = Style { columns: Some(20), is_colored: false };
        assert_eq!(
            narrow.render(ENTRY),
            "error: the first\n       column is\n       wider than\n       that\nhint: to resume,\n      run:\n  \
             kvsweep delete keys.csv --resume\n"
        );
        assert_eq!(Style::default().render(ENTRY), ENTRY);
    }

    #[test]
    fn labels_are_in_colour_wherever_the_line_begins() {
        let colored = Style { columns: None, is_colored: true };
        assert_eq!(colored.render("error: x\nhint: y\n"), "\x1b[1m\x1b[31merror:\x1b[0m x\n\x1b[32mhint:\x1b[0m y\n");
        let timed = "2026-11-30T00:00:00.000Z warning: error: x\n";
        assert_eq!(colored.render(timed), "2026-11-30T00:00:00.000Z \x1b[1m\x1b[33mwarning:\x1b[0m error: x\n");
        assert_eq!(colored.render("12 keys, error: x\n"), "12 keys, error: x\n");
    }
}
