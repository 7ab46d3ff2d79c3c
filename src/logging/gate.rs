//! The gate between the log and stderr.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use indicatif::MultiProgress;

use super::message::{Style, continues};
use crate::terminal::is_unsafe;
use crate::text::without_os_errors;

/// How an unsafe character is written, so that the line stays what it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Escapes {
    /// `\u{202e}`; a further line that is no hint is indented, so that it cannot pass for a new entry.
    Text(Style),
    /// `\u202e`, which a JSON reader takes back exactly.
    Json,
}

/// Takes the bar off the screen, escapes what is unsafe, and never fails; each call of `write` gets a whole entry of the log.
pub(super) struct Gate<W> {
    pub(super) screen: MultiProgress,
    pub(super) escapes: Escapes,
    pub(super) inner: W,
}

impl<W: io::Write> io::Write for Gate<W> {
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(entry);
        let text = without_os_errors(&text);
        let mut safe = escape(&text, self.escapes);
        if let Escapes::Text(style) = self.escapes {
            safe = Cow::Owned(style.render(&safe));
        }
        // A log that cannot be written (a closed terminal, a full disk) does not end the job.
        let _ = self.screen.suspend(|| self.inner.write_all(safe.as_bytes()));
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.inner.flush();
        Ok(())
    }
}

fn escape(entry: &str, escapes: Escapes) -> Cow<'_, str> {
    let body = entry.strip_suffix('\n').unwrap_or(entry);
    if !body.contains(is_unsafe) {
        return Cow::Borrowed(entry);
    }
    let mut safe = String::with_capacity(entry.len() + 16);
    for (index, c) in body.char_indices() {
        match escapes {
            _ if !is_unsafe(c) => safe.push(c),
            Escapes::Text(_) if c == '\n' => {
                safe.push_str(if continues(&body[index + 1..]) { "\n" } else { "\n    " });
            }
            Escapes::Text(_) => safe.extend(c.escape_default()),
            Escapes::Json => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(safe, "\\u{unit:04x}");
                }
            }
        }
    }
    safe.push_str(&entry[body.len()..]);
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> Escapes {
        Escapes::Text(Style::default())
    }

    #[test]
    fn a_text_entry_cannot_forge_another() {
        assert_eq!(
            escape("warning: a\nerror: b\u{1b}[0m\r\u{202e}c\n", text()),
            "warning: a\n    error: b\\u{1b}[0m\\r\\u{202e}c\n"
        );
        assert_eq!(escape("plain ключ\n", text()), "plain ключ\n");
    }

    #[test]
    fn a_broken_stderr_breaks_nothing() {
        struct Broken;
        impl io::Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
        }
        let screen = MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::hidden());
        let mut writer = Gate { screen, escapes: text(), inner: Broken };
        assert_eq!(io::Write::write(&mut writer, b"entry\n").unwrap(), 6);
        io::Write::flush(&mut writer).unwrap();
    }

    proptest! {
        #[test]
        fn json_stays_json_and_keeps_its_text(text in any::<String>()) {
            let entry = serde_json::to_string(&text).unwrap() + "\n";
            let safe = escape(&entry, Escapes::Json);
            prop_assert!(!safe.trim_end_matches('\n').contains(is_unsafe));
            prop_assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), text);
        }

        #[test]
        fn nothing_unsafe_passes(text in any::<String>()) {
            let safe = escape(&text, self::text()).into_owned();
            prop_assert!(safe.chars().all(|c| c == '\n' || !is_unsafe(c)));
        }
    }
}
