//! The terminal as the bar needs it.
//!
//! Not `indicatif`'s own target: that one refuses to draw off a terminal (`--progress always`), and hands a
//! broken terminal's error to code that panics over it. A terminal that goes away must not end the job, so every
//! error is dropped here.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressDrawTarget, TermLike};

use crate::platform;
use crate::stderr;

const FALLBACK: (u16, u16) = (80, 24);

/// Whether stderr is a terminal on which a bar can be drawn.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

pub(super) type Size = fn() -> (u16, u16);

pub(super) fn target(out: impl Write + Send + 'static, size: Size) -> ProgressDrawTarget {
    ProgressDrawTarget::term_like(Box::new(Screen::new(out, size)))
}

pub(super) fn stderr_size() -> (u16, u16) {
    platform::terminal_size(io::stderr()).filter(|(_, rows)| *rows > 0).unwrap_or(FALLBACK)
}

pub(crate) fn clear_line() {
    if stderr_is_terminal() {
        // It never fails.
        let _ = stderr::drawing().write_all(b"\r\x1b[2K");
    }
}

/// A writer that understands ANSI escapes; what is drawn is gathered and leaves in one write.
struct Screen<W> {
    size: Size,
    drawn: Mutex<(Vec<u8>, W)>,
}

impl<W: Write> Screen<W> {
    fn new(out: W, size: Size) -> Self {
        Self { size, drawn: Mutex::new((Vec::new(), out)) }
    }

    fn draw(&self, text: fmt::Arguments<'_>) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a Vec cannot fail.
        let _ = drawn.0.write_fmt(text);
    }

    fn move_cursor(&self, steps: usize, direction: char) {
        if steps > 0 {
            self.draw(format_args!("\x1b[{steps}{direction}"));
        }
    }
}

impl<W> fmt::Debug for Screen<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Screen")
    }
}

impl<W: Write + Send> TermLike for Screen<W> {
    fn width(&self) -> u16 {
        (self.size)().0
    }

    fn height(&self) -> u16 {
        (self.size)().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D');
        Ok(())
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.draw(format_args!("{line}\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.draw(format_args!("{text}"));
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.draw(format_args!("\r\x1b[2K"));
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let (text, out) = &mut *drawn;
        // The `^C` that a terminal echoes is overwritten with the line.
        text.push(b'\r');
        let _ = out.write_all(text).and_then(|()| out.flush());
        text.clear();
        Ok(())
    }
}
