//! The loop: waits for whatever comes first and carries out what [`State`] decides. Nothing is decided here.

use std::fmt::Display;
use std::mem;
use std::task::Poll;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{StreamExt, poll};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::outcome::{Pending, Settled, Signal, Stop, StopReason};
use crate::pipeline::call::Totals;
use crate::pipeline::event::Event;
use crate::pipeline::request::{Request, Response};
use crate::pipeline::state::{Slot, State, Step, Wait};
use crate::record::Record;

/// Batches of records taken from the reader at once.
const BATCHES: usize = 256;

/// How long the last rows wait for their writer after a second signal.
const LAST_ROWS: Duration = Duration::from_millis(200);

/// How a job ended.
#[derive(Debug)]
pub struct End<E> {
    pub totals: Totals,
    /// Why it ended early, if it did.
    pub stop: Option<Stop>,
    /// What broke the input, if something did.
    pub broken: Option<E>,
    /// How long it took.
    pub elapsed: Duration,
}

/// Runs a job until its input is done and every key has its final state, or until it has to stop.
///
/// `records` is the input, a batch at a time, unless `state` requests it in pages; an `Err` ends it. `rows` takes every
/// outcome, and `written` is how many of them a kill can no longer lose; when their other ends are gone (the report cannot
/// be written), nothing more is sent. `send` makes one request. `signals` may ask the job to end.
pub async fn run<E, Fut>(
    mut state: State,
    mut records: mpsc::Receiver<Result<Vec<Record>, E>>,
    rows: mpsc::Sender<Vec<Settled>>,
    mut written: watch::Receiver<u64>,
    send: impl Fn(Request) -> Fut,
    mut signals: mpsc::Receiver<Signal>,
    mut listener: impl FnMut(Event),
) -> End<E>
where
    E: Display,
    Fut: Future<Output = Response>,
{
    let start = Instant::now();
    let mut in_flight = FuturesUnordered::new();
    let mut batches = Vec::with_capacity(BATCHES);
    let (mut broken, mut signalled) = (None, 0);
    let timer = sleep_until(start);
    tokio::pin!(timer);
    loop {
        // One that came before the first request, or while others were sent, is handled before the next.
        while let Ok(signal) = signals.try_recv() {
            signalled += 1;
            state.on_signal(signal, Instant::now());
        }
        state.on_rows_written(*written.borrow_and_update());
        let step = loop {
            match state.next(Instant::now()) {
                Step::Send { slot, request } => {
                    let mut response = Box::pin(send(request));
                    // It is sent before anything else is decided, and not when its turn to be polled comes.
                    match poll!(&mut response) {
                        Poll::Ready(response) => state.on_response(slot, response, Instant::now()),
                        Poll::Pending => in_flight.push(in_slot(slot, response)),
                    }
                }
                step => break step,
            }
        };
        state.take_events().for_each(&mut listener);
        // The writer is woken once for the rows of all responses that are there.
        if matches!(step, Step::Wait(Wait { response: true, .. }))
            && let Poll::Ready(Some((slot, response))) = poll!(in_flight.next())
        {
            state.on_response(slot, response, Instant::now());
            continue;
        }
        if !hand_over_rows(&mut state, &rows) {
            continue;
        }
        let Step::Wait(wait) = step else { break };
        if let Some(moment) = wait.until.filter(|moment| *moment != timer.deadline()) {
            timer.as_mut().reset(moment);
        }
        tokio::select! {
            biased;
            Some(signal) = signals.recv() => {
                signalled += 1;
                state.on_signal(signal, Instant::now());
            }
            Some((slot, response)) = in_flight.next(), if wait.response => {
                state.on_response(slot, response, Instant::now());
            }
            changed = written.changed(), if wait.row => {
                if changed.is_err() {
                    stop_without_report(&mut state);
                }
            }
            // A closed channel is seen when the next row is handed over.
            Ok(place) = rows.reserve(), if !state.rows().is_empty() => {
                place.send(mem::take(state.rows()));
            }
            taken = records.recv_many(&mut batches, BATCHES), if wait.record => {
                if taken == 0 {
                    state.on_input_end();
                }
                let now = Instant::now();
                for batch in batches.drain(..) {
                    match batch {
                        Ok(batch) => batch.into_iter().for_each(|record| state.on_record(record, now)),
                        Err(error) => {
                            state.on_input_end();
                            let broken_off = Stop::of_error(StopReason::InputError, &error.to_string());
                            state.stop(Stop { pending: Pending::Drain, ..broken_off }, now);
                            broken = Some(error);
                        }
                    }
                }
            }
            () = &mut timer, if wait.until.is_some() => {}
        }
    }
    // The first signal changes nothing any more, because nothing is being sent. After the second one a slow disk is not waited for.
    while !state.rows().is_empty() {
        tokio::select! {
            biased;
            place = rows.reserve() => match place {
                Ok(place) => place.send(mem::take(state.rows())),
                Err(_) => break,
            },
            Some(_) = signals.recv(), if signalled < 2 => signalled += 1,
            () = sleep(LAST_ROWS), if signalled >= 2 => break,
        }
    }
    End { totals: state.totals(), stop: state.stopped().cloned(), broken, elapsed: start.elapsed() }
}

async fn in_slot(slot: Slot, response: impl Future<Output = Response>) -> (Slot, Response) {
    (slot, response.await)
}

/// Gives the writer the rows if it takes them without waiting. Whether there is a writer.
fn hand_over_rows(state: &mut State, rows: &mpsc::Sender<Vec<Settled>>) -> bool {
    if !state.rows().is_empty() {
        match rows.try_reserve() {
            Ok(place) => place.send(mem::take(state.rows())),
            Err(TrySendError::Full(())) => {}
            Err(TrySendError::Closed(())) => {
                stop_without_report(state);
                return false;
            }
        }
    }
    true
}

fn stop_without_report(state: &mut State) {
    state.on_report_closed();
    state.stop(Stop::new(StopReason::IoError, "the report cannot be written"), Instant::now());
}

#[cfg(test)]
mod tests;
