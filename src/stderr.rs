//! stderr, written by a thread of its own: a terminal that is stopped (Ctrl-S), or a pipe that nobody reads, must not keep
//! the sender waiting.
//!
//! Text waits in a bounded queue. If the queue is full, what comes next is dropped, and how many lines of the log were
//! dropped is logged as soon as there is room again.

use std::io::{self, Write};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;

/// The most bytes that wait.
const CAPACITY: usize = 1 << 20;

/// How long [`flush`] waits for a reader that takes nothing.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The form of log and progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LineFormat {
    /// One line per message.
    #[default]
    Text,
    /// One JSON object per line, with timestamp, level, target, message and fields.
    Json,
}

/// A writer that never waits and never fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stderr {
    /// Whether what is dropped is counted.
    counted: bool,
}

/// For lines of the log and for messages: each write is a whole entry, and counted if it is dropped.
pub(crate) fn lines() -> Stderr {
    Stderr { counted: true }
}

/// For what is drawn again soon.
pub(crate) fn drawing() -> Stderr {
    Stderr { counted: false }
}

/// Waits until everything is written, but not for a reader that takes nothing for five seconds.
pub fn flush() {
    if queue().is_some() {
        QUEUE.flush(FLUSH_TIMEOUT);
    }
}

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        match queue() {
            Some(queue) => queue.push(text, self.counted),
            None => drop(io::stderr().write_all(text)),
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static QUEUE: Queue = Queue::new();

/// The queue with its thread; `None` if no thread can be started.
fn queue() -> Option<&'static Queue> {
    static STARTED: OnceLock<bool> = OnceLock::new();
    let start = || thread::Builder::new().name("stderr".to_owned()).spawn(|| QUEUE.write_to(io::stderr())).is_ok();
    STARTED.get_or_init(start).then_some(&QUEUE)
}

struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: Vec<u8>,
    /// Something was taken out and is not written yet.
    writing: bool,
    /// Lines that were dropped since the last report of them.
    dropped: u64,
    /// A flush was in vain, and nothing was written since.
    stuck: bool,
}

impl Queue {
    const fn new() -> Self {
        let state = State { waiting: Vec::new(), writing: false, dropped: 0, stuck: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, text: &[u8], counted: bool) {
        let mut state = self.lock();
        if !state.waiting.is_empty() && state.waiting.len() + text.len() > CAPACITY {
            state.dropped += u64::from(counted);
            return;
        }
        state.waiting.extend_from_slice(text);
        self.changed.notify_all();
    }

    fn write_to(&self, mut out: impl Write) {
        let mut text = Vec::new();
        loop {
            let idle = |state: &mut State| state.waiting.is_empty() && state.dropped == 0;
            let mut state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut text, &mut state.waiting);
            let dropped = mem::take(&mut state.dropped);
            state.writing = true;
            drop(state);
            // A closed terminal or a full disk does not end the job.
            let _ = out.write_all(&text).and_then(|()| out.flush());
            text.clear();
            if dropped > 0 {
                tracing::warn!(lines = dropped, "stderr was not read: log lines were dropped here");
            }
            let mut state = self.lock();
            (state.writing, state.stuck) = (false, false);
            self.changed.notify_all();
        }
    }

    fn flush(&self, timeout: Duration) {
        let busy = |state: &mut State| (state.writing || !state.waiting.is_empty()) && !state.stuck;
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, busy);
        let (mut state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        state.stuck |= result.timed_out();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, pipe};

    use super::*;

    /// A queue that writes into a pipe; dropping the reader ends nothing.
    fn queue_into(out: impl Write + Send + 'static) -> &'static Queue {
        let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
        thread::spawn(|| queue.write_to(out));
        queue
    }

    #[test]
    fn a_flush_waits_until_all_is_written_in_order() {
        let (mut reader, writer) = pipe().unwrap();
        let queue = queue_into(writer);
        for number in 0..100 {
            queue.push(format!("{number}\n").as_bytes(), true);
        }
        queue.flush(Duration::from_mins(1));
        let expected = (0..100).map(|number| number.to_string()).collect::<Vec<_>>().join("\n") + "\n";
        let mut text = vec![0; expected.len()];
        reader.read_exact(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn what_was_dropped_is_logged_once_there_is_room() {
        let (mut reader, writer) = pipe().unwrap();
        let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
        let (mut log, lines) = pipe().unwrap();
        let lines = std::sync::Arc::new(lines);
        let subscriber = tracing_subscriber::fmt().with_writer(move || lines.try_clone().unwrap()).finish();
        thread::spawn(|| tracing::subscriber::with_default(subscriber, || queue.write_to(writer)));
        // The pipe and the queue are full, and one more does not fit.
        while queue.lock().dropped == 0 {
            queue.push(&[b'x'; 1_000], true);
        }
        thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        let mut said = [0; 256];
        let length = log.read(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said[..length]);
        assert!(said.contains("log lines were dropped here lines="), "{said}");
    }

    #[test]
    fn without_a_reader_nobody_waits_and_lines_are_counted_and_not_kept() {
        let (reader, writer) = pipe().unwrap();
        let queue = queue_into(writer);
        // More than a pipe takes, so that its writer waits from now on.
        queue.push(&vec![b'x'; CAPACITY / 2], true);
        while !queue.lock().writing {
            thread::yield_now();
        }
        let line = [b'x'; 1_000];
        for _ in 0..3 * CAPACITY / line.len() {
            queue.push(&line, true);
        }
        queue.push(&line, false);
        queue.flush(Duration::ZERO);
        let state = queue.lock();
        assert!(state.waiting.len() <= CAPACITY && state.dropped > 1_000 && state.stuck);
        drop(state);
        // The second flush does not wait once more.
        queue.flush(Duration::from_hours(1));
        drop(reader);
    }
}
