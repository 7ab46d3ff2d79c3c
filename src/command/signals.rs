//! Signals that ask the process to end, from the first moment to the last.
//!
//! [`install`] runs first thing in `main`: a process that is PID 1 (in a container) ignores every signal without a handler.
//! From then on a thread collects signals and passes them on to whoever subscribed, including those that came before.
//! - The first one: nothing new is sent. Blocking work ([`blocking`]) and waits ([`unless_signalled`]) end, the pipeline
//!   finishes what is in flight ([`listen`]).
//! - The second one: what is in flight is settled and written, within a second ([`in_time`], [`to_the_end`]). After
//!   that the process ends, whatever any thread of it is waiting for.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc as blocking_mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::sleep;

use crate::exit::ExitCode;
use crate::outcome::{Signal, Stop, StopReason};
use crate::platform::{self, exit};

/// How long the process lives on after the second signal.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How much of that an output may take that is stuck; the rest is for the summary, metrics and the ping.
const LAST_OUTPUT: Duration = Duration::from_millis(200);

static REGISTRY: Registry = Registry::new();

/// From now on SIGINT, SIGTERM and SIGHUP no longer end the process by themselves.
///
/// # Errors
/// The system does not allow a handler or a thread.
pub(super) fn install() -> io::Result<()> {
    let collect = platform::collect_signals()?;
    thread::Builder::new().name("signals".to_owned()).spawn(|| collect(on_signal)).map(drop)
}

fn on_signal(signal: Signal) {
    match REGISTRY.on(signal) {
        1 => {}
        2 => {
            let watchdog = || {
                let (_sender, never) = blocking_mpsc::channel::<()>();
                let _ = never.recv_timeout(LAST_WORDS);
                exit(REGISTRY.exit_code().into());
            };
            if thread::Builder::new().name("watchdog".to_owned()).spawn(watchdog).is_err() {
                exit(REGISTRY.exit_code().into());
            }
        }
        _ => exit(REGISTRY.exit_code().into()),
    }
}

/// The first signal that came, if one did.
pub(super) fn received() -> Option<Signal> {
    REGISTRY.lock().received.first().copied()
}

/// The process ends with this code from now on, even if a signal cuts short what is still to be printed.
pub(super) fn decide(code: ExitCode) {
    REGISTRY.lock().decided = Some(code);
}

/// All signals, including those that came before.
pub(super) fn listen() -> mpsc::Receiver<Signal> {
    REGISTRY.listen()
}

/// Runs work that may block for ever (on a pipe, a terminal, a disk) until it is done or the first signal comes. Its thread
/// is then left alone.
pub(super) fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stop> {
    match received() {
        Some(signal) => Err(Stop::signalled(signal)),
        None => REGISTRY.run(work, 1, Duration::ZERO).map_err(Stop::signalled),
    }
}

/// The same for what is still to be done after the first signal: only the second one cuts it short.
pub(super) fn to_the_end<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    REGISTRY.run(work, 2, LAST_OUTPUT).ok()
}

/// Waits for something until the first signal comes.
pub(super) async fn unless_signalled<T>(work: impl Future<Output = T>) -> Result<T, Stop> {
    let mut signals = listen();
    tokio::select! {
        biased;
        Some(signal) = signals.recv() => Err(Stop::signalled(signal)),
        done = work => Ok(done),
    }
}

/// Waits for an output to be written; `None` if it is still stuck shortly after the second signal.
pub(super) async fn in_time<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut signals = listen();
    let late = async {
        signals.recv().await;
        signals.recv().await;
        sleep(LAST_OUTPUT).await;
    };
    tokio::select! {
        biased;
        done = work => Some(done),
        () = late => None,
    }
}

/// What came so far, and who wants to know.
struct Registry(Mutex<State>);

struct State {
    received: Vec<Signal>,
    /// Each says whether it wants to hear of more, also if it is given none.
    listeners: Vec<Box<dyn FnMut(Option<Signal>) -> bool + Send>>,
    decided: Option<ExitCode>,
}

enum Either<T> {
    Done(thread::Result<T>),
    Signal(Signal),
}

impl Registry {
    const fn new() -> Self {
        Self(Mutex::new(State { received: Vec::new(), listeners: Vec::new(), decided: None }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes a signal on; returns how many there were.
    fn on(&self, signal: Signal) -> usize {
        let mut state = self.lock();
        state.received.push(signal);
        state.listeners.retain_mut(|listener| listener(Some(signal)));
        state.received.len()
    }

    fn subscribe(&self, mut listener: impl FnMut(Option<Signal>) -> bool + Send + 'static) {
        let mut state = self.lock();
        state.listeners.retain_mut(|listener| listener(None));
        if state.received.iter().all(|signal| listener(Some(*signal))) {
            state.listeners.push(Box::new(listener));
        }
    }

    fn listen(&self) -> mpsc::Receiver<Signal> {
        // The third signal ends the process.
        let (sender, receiver) = mpsc::channel(2);
        self.subscribe(move |signal| match signal {
            Some(signal) => !matches!(sender.try_send(signal), Err(TrySendError::Closed(_))),
            None => !sender.is_closed(),
        });
        receiver
    }

    /// Runs `work` on a thread of its own until it is done, or `patience` has passed since signal number `last`.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        last: usize,
        patience: Duration,
    ) -> Result<T, Signal> {
        let (sender, news) = blocking_mpsc::channel();
        let done = sender.clone();
        self.subscribe(move |signal| signal.is_none_or(|signal| sender.send(Either::Signal(signal)).is_ok()));
        thread::spawn(move || {
            // Nobody may be waiting any more.
            let _ = done.send(Either::Done(catch_unwind(AssertUnwindSafe(work))));
        });
        let mut signals = Vec::new();
        loop {
            let next = if signals.len() < last { news.recv().ok() } else { news.recv_timeout(patience).ok() };
            match (next, signals.first()) {
                (Some(Either::Done(Ok(done))), _) => return Ok(done),
                (Some(Either::Done(Err(panic))), _) => resume_unwind(panic),
                (Some(Either::Signal(signal)), _) => signals.push(signal),
                (None, Some(first)) => return Err(*first),
                // The thread and the registry hold the sender.
                (None, None) => {}
            }
        }
    }

    fn exit_code(&self) -> u8 {
        let state = self.lock();
        let signalled = ExitCode::for_stop(StopReason::Interrupted, state.received.first().copied());
        state.decided.unwrap_or(signalled).as_u8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_hears_of_what_came_before_and_after() {
        let registry = Registry::new();
        assert_eq!(registry.on(Signal::Terminate), 1);
        let mut signals = registry.listen();
        assert_eq!(registry.on(Signal::Hangup), 2);
        assert_eq!((signals.try_recv(), signals.try_recv()), (Ok(Signal::Terminate), Ok(Signal::Hangup)));
        drop(signals);
        registry.on(Signal::Interrupt);
        assert!(registry.lock().listeners.is_empty(), "one that left is forgotten");
        (0..3).for_each(|_| drop(registry.listen()));
        assert_eq!(registry.lock().listeners.len(), 1, "those that left before are forgotten");
    }

    #[test]
    fn blocked_work_is_left_alone_after_its_last_signal() {
        let registry = Registry::new();
        assert_eq!(registry.run(|| 7, 1, Duration::ZERO), Ok(7));
        let (_sender, never) = blocking_mpsc::channel::<()>();
        registry.on(Signal::Interrupt);
        registry.on(Signal::Terminate);
        let blocked = registry.run(move || never.recv().is_ok(), 2, Duration::ZERO);
        assert_eq!(blocked, Err(Signal::Interrupt));
    }

    #[test]
    fn the_job_that_was_decided_outranks_the_signal() {
        let registry = Registry::new();
        registry.on(Signal::Terminate);
        registry.on(Signal::Interrupt);
        assert_eq!(registry.exit_code(), 143);
        registry.lock().decided = Some(ExitCode::Guard);
        assert_eq!(registry.exit_code(), 8);
    }
}
