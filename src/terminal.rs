//! Text for people: foreign text made safe for a terminal, and numbers in human units.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::HumanCount;

use crate::platform::{self, AsStream};

/// Foreign text (a key, a server's message, a file name) as it may be shown on a terminal: every character that
/// could move the cursor, change colours, reorder or hide text is written as an escape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_unsafe(c) {
                fmt::Display::fmt(&c.escape_default(), f)?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

/// The name of a key as it may be shown: in quotes if it begins or ends with a blank, which nobody would see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EscapedKey<'a>(pub &'a str);

impl fmt::Display for EscapedKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if is_padded(self.0) { "\"" } else { "" };
        write!(f, "{quote}{}{quote}", Escaped(self.0))
    }
}

/// Whether a key begins or ends with a blank: mostly it was copied or exported so by mistake.
pub(crate) fn is_padded(key: &str) -> bool {
    key.starts_with(char::is_whitespace) || key.ends_with(char::is_whitespace)
}

pub(crate) fn padded_note(keys: u64) -> Option<String> {
    match keys {
        0 => None,
        1 => Some("1 key begins or ends with a blank".to_owned()),
        _ => Some(format!("{} keys begin or end with a blank", count(keys))),
    }
}

/// C0 and C1 controls, bidirectional overrides and isolates, zero-width and other invisible characters.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// A count with thousands separated: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// `1 key`, `1,234 keys`.
pub(crate) fn pluralized(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// A duration in its two largest units: `4m 12s`, `2h 5m`, `29d 3h`; below ten seconds with a decimal: `3.2s`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 10 {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let pair = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large}{large_unit}"),
        _ => format!("{large}{large_unit} {small}{small_unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => pair(minutes, "m", seconds % 60, "s"),
        (0, _, _) => pair(hours, "h", minutes, "m"),
        _ => pair(days, "d", hours, "h"),
    }
}

/// `12.3%`, rounded down: 100% is all, and 0.0% is none.
pub(crate) fn percent(number: u64, total: u64) -> String {
    if number >= total {
        return "100%".to_owned();
    }
    let permille = (u128::from(number) * 1_000 / u128::from(total)).max(u128::from(number > 0));
    format!("{}.{}%", permille / 10, permille % 10)
}

/// `title (id)`, of an account or a namespace; the id alone if there is no title.
pub(crate) fn title_and_id(title: Option<&str>, id: impl fmt::Display) -> String {
    title.map_or_else(|| id.to_string(), |title| format!("{} ({id})", Escaped(title)))
}

/// Whether what is shown on stderr may be coloured or bold, as clap decides it.
pub(crate) fn stderr_is_styled() -> bool {
    let is_empty = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stderr().is_terminal() && is_empty("NO_COLOR") && !is_dumb
}

/// How many columns a line may have; `None` where `out` is no terminal, or one that does not say.
pub(crate) fn columns(out: impl AsStream) -> Option<usize> {
    platform::terminal_size(out).map(|(columns, _)| columns.into())
}

/// A label and a text after it that continues below itself, broken at spaces; a word that is longer stays whole.
pub(crate) fn hanging_indent(label: &str, text: &str, width: usize) -> Vec<String> {
    let indent = label.chars().count() + 2;
    wrapped(&format!("{label}  {text}"), indent, width)
}

/// A line of a text for people, broken at spaces: its further lines stand under the text after a label (`report: `), or are
/// indented. What is indented already is a table or a command to paste, and never broken.
pub(crate) fn fitted(line: &str, columns: usize) -> Vec<String> {
    if line.starts_with("  ") || line.chars().count() <= columns {
        return vec![line.to_owned()];
    }
    let label = line.split_once(": ").map(|(label, _)| label.chars().count()).filter(|length| *length <= MAX_LABEL);
    wrapped(line, label.map_or(2, |length| length + 2), columns)
}

/// The most characters of a label before a text.
const MAX_LABEL: usize = 13;

/// A text broken at spaces, its further lines indented; a word that is longer than a line stays whole.
pub(crate) fn wrapped(text: &str, indent: usize, width: usize) -> Vec<String> {
    let start = text.char_indices().nth(indent).map_or(text.len(), |(start, _)| start);
    let (first, rest) = text.split_at(start);
    let mut lines = vec![first.to_owned()];
    let mut used = indent;
    for word in rest.split(' ') {
        let length = word.chars().count();
        if used > indent && used + 1 + length > width {
            lines.push(" ".repeat(indent));
            used = indent;
        }
        if let Some(line) = lines.last_mut() {
            if used > indent {
                line.push(' ');
                used += 1;
            }
            line.push_str(word);
        }
        used += length;
    }
    lines
}

/// How much of a key is shown, in characters: keys of 512 bytes would push everything else off the screen.
const SHOWN_CHARS: usize = 100;

/// A key that fits on a line, safe to show.
pub(crate) fn shortened_key(key: &str) -> String {
    match key.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}… ({} bytes)", Escaped(&key[..end]), key.len()),
        None => EscapedKey(key).to_string(),
    }
}

/// Foreign text in quotes, safe to show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", Escaped(self.0))
    }
}

/// A word of a command line, quoted for a shell where it has to be.
pub(crate) fn shell_word(word: &OsStr) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(plain) => text.to_owned(),
        Some(text) if !text.contains(is_unsafe) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let bytes = word.as_encoded_bytes().iter().map(|byte| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            });
            format!("$'{}'", bytes.collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_a_cursor_is_escaped() {
        assert_eq!(
            Escaped("a\u{1b}[31mb\r\nc\u{9b}d\u{202e}e\u{200b}").to_string(),
            "a\\u{1b}[31mb\\r\\nc\\u{9b}d\\u{202e}e\\u{200b}"
        );
        assert_eq!(Escaped("naïve key/ключ 🔑").to_string(), "naïve key/ключ 🔑");
    }

    #[test]
    fn blanks_at_the_ends_of_a_key_are_seen() {
        let shown = ["a", " a", "a\t", "a b", "\u{a0}"].map(|key| EscapedKey(key).to_string());
        assert_eq!(shown, ["a", "\" a\"", "\"a\\t\"", "a b", "\"\u{a0}\""]);
        assert_eq!(
            [0, 1, 2].map(padded_note)[1..],
            [Some("1 key begins or ends with a blank".into()), Some("2 keys begin or end with a blank".into())]
        );
        assert_eq!(padded_note(0), None);
    }

    #[test]
    fn counts_have_separators() {
        assert_eq!(
            ["0", "999", "1,000", "12,345,678"],
            [0, 999, 1_000, 12_345_678].map(count).each_ref().map(String::as_str)
        );
        assert_eq!((pluralized(1, "key"), pluralized(2, "key")), ("1 key".into(), "2 keys".into()));
    }

    #[test]
    fn percentages_are_honest_at_both_ends() {
        assert_eq!(
            [(0, 5), (5, 5), (0, 0), (u64::MAX, 7), (1, 1_000_000), (999_999, 1_000_000), (1, 3)]
                .map(|(n, of)| percent(n, of)),
            ["0.0%", "100%", "100%", "100%", "0.1%", "99.9%", "33.3%"]
        );
    }

    #[test]
    fn words_of_a_command_can_be_pasted() {
        let quoted = ["reports/today.csv", "to day's.csv", "", "a*", "a\u{1b}'b"].map(|word| shell_word(word.as_ref()));
        assert_eq!(quoted, ["reports/today.csv", r"'to day'\''s.csv'", "''", "'a*'", r"$'a\x1b\'b'"]);
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt as _;
            assert_eq!(shell_word(OsStr::from_bytes(b"caf\xe9")), r"$'caf\xe9'");
        }
    }

    #[test]
    fn a_long_key_is_cut_between_characters() {
        let key = "é".repeat(256);
        assert_eq!(shortened_key(&key), format!("{}… (512 bytes)", "é".repeat(100)));
        assert_eq!(shortened_key(&"k".repeat(100)), "k".repeat(100));
    }

    #[test]
    fn a_long_text_continues_below_itself() {
        assert_eq!(hanging_indent("price", "less than a cent", 80), ["price  less than a cent"]);
        assert_eq!(hanging_indent("price", "less than a cent", 18), ["price  less than a", "       cent"]);
        assert_eq!(hanging_indent("p", "incomprehensible is it", 8), ["p  incomprehensible", "   is it"]);
        assert_eq!(hanging_indent("p", "", 8), ["p  "]);
    }

    #[test]
    fn a_file_has_no_columns() {
        assert_eq!(columns(tempfile::tempfile().unwrap()), None);
    }

    #[test]
    fn durations_have_two_units() {
        let shown =
            [3_240, 12_000, 252_000, 300_000, 7_500_000, 2_516_400_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(shown, ["3.2s", "12s", "4m 12s", "5m", "2h 5m", "29d 3h"]);
    }
}
