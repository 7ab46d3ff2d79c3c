//! Blocking reads on a thread of their own, behind a bounded channel.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::sync::mpsc;

use super::error::{InputError, InputErrorKind};
use crate::record::Record;

/// Reads ahead on a thread, of which at most `capacity` batches (at least one) wait. `next_batch` appends the next records
/// to a batch and returns `false` at the end; on an error, the records before it are in the batch.
///
/// The channel ends after the last batch or after the first error; a panic of the thread comes as an error too, so
/// an end without an error is the end of the input. The thread ends once the receiver is gone and it has something to
/// hand over; it is never joined, because a silent pipe may hold it for ever.
pub(crate) fn spawn_reader<E>(
    mut next_batch: impl FnMut(&mut Vec<Record>) -> Result<bool, E> + Send + 'static,
    capacity: usize,
) -> mpsc::Receiver<Result<Vec<Record>, E>>
where
    E: From<InputError> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    let batches = sender.clone();
    let thread = thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut sent = 0;
        let mut batch = Vec::new();
        let run = AssertUnwindSafe(|| {
            loop {
                let read = next_batch(&mut batch);
                sent += batch.len() as u64;
                if !batch.is_empty() && batches.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
                    return;
                }
                match read {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        let _ = batches.blocking_send(Err(error));
                        return;
                    }
                }
            }
        });
        if let Err(panic) = catch_unwind(run) {
            let kind = InputErrorKind::Panicked(message(panic.as_ref()).to_owned());
            let records = sent + batch.len() as u64;
            // If the receiver is gone, nobody needs to know.
            let _ = batches.blocking_send(Ok(batch));
            let _ = batches.blocking_send(Err(whole_input(records, kind).into()));
        }
    });
    if let Err(error) = thread {
        // The channel is new and has room.
        let _ = sender.try_send(Err(whole_input(0, InputErrorKind::Thread(error)).into()));
    }
    receiver
}

fn whole_input(records: u64, kind: InputErrorKind) -> InputError {
    InputError::from(kind).of("the input".to_owned(), records)
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::key::KeyName;
    use crate::record::{Content, RecordNumber};

    fn record(number: u64) -> Record {
        Record {
            number: RecordNumber::new(number).unwrap(),
            content: Content::Key(KeyName::new(format!("key {number}")).unwrap()),
        }
    }

    fn drain(mut receiver: mpsc::Receiver<Result<Vec<Record>, InputError>>) -> (u64, Option<InputError>) {
        let (mut records, mut error) = (0, None);
        while let Some(item) = receiver.blocking_recv() {
            assert!(error.is_none(), "an item after the error");
            match item {
                Ok(batch) => {
                    for record in batch {
                        records += 1;
                        assert_eq!(record.number.get(), records);
                    }
                }
                Err(broken) => error = Some(broken),
            }
        }
        (records, error)
    }

    /// Batches of at most `most`.
    fn batches<I: Iterator<Item = Result<Record, InputError>>>(
        mut items: I,
        most: usize,
    ) -> impl FnMut(&mut Vec<Record>) -> Result<bool, InputError> {
        move |batch| {
            for _ in 0..most {
                match items.next() {
                    Some(item) => batch.push(item?),
                    None => return Ok(false),
                }
            }
            Ok(true)
        }
    }

    #[test]
    fn batches_stay_as_they_were_read() {
        let mut receiver = spawn_reader(batches((1..=1000).map(|number| Ok(record(number))), 256), 1);
        let sizes = iter::from_fn(|| receiver.blocking_recv()).map(|batch| batch.unwrap().len());
        assert!(sizes.eq([256, 256, 256, 1000 - 3 * 256]));
    }

    #[test]
    fn every_record_arrives_in_order() {
        for capacity in [0, 1, 64] {
            let (records, error) =
                drain(spawn_reader(batches((1..=1000).map(|number| Ok(record(number))), 64), capacity));
            assert_eq!((records, error.is_none()), (1000, true));
        }
    }

    #[test]
    fn an_error_is_the_last_item() {
        let broken = || Err(whole_input(2, InputErrorKind::UnclosedQuote));
        let items = vec![Ok(record(1)), Ok(record(2)), broken(), Ok(record(3))];
        let (records, error) = drain(spawn_reader(batches(items.into_iter(), 64), 4));
        assert_eq!((records, error.unwrap().records()), (2, 2));
    }

    #[test]
    fn a_panic_is_no_clean_end() {
        let items = (1..=5).map(|number| if number == 4 { panic!("broken at {number}") } else { Ok(record(number)) });
        let (records, error) = drain(spawn_reader(batches(items, 64), 2));
        let error = error.unwrap();
        assert_eq!((records, error.records()), (3, 3));
        assert!(matches!(error.kind(), InputErrorKind::Panicked(text) if text == "broken at 4"), "{error}");
        assert!(!error.is_usage());
    }

    #[test]
    fn the_thread_reads_no_further_than_the_channel_and_ends_with_its_receiver() {
        struct Ended(std::sync::mpsc::Sender<()>);
        impl Drop for Ended {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (ended, wait) = std::sync::mpsc::channel();
        let ended = Ended(ended);
        let taken = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&taken);
        let items = (1..).map(move |number| {
            let _held = &ended;
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(record(number))
        });
        let mut receiver = spawn_reader(batches(items, 256), 3);
        assert!(receiver.blocking_recv().is_some());
        drop(receiver);
        wait.recv().unwrap();
        assert!(taken.load(Ordering::SeqCst) <= (1 + 3 + 1) * 256, "{taken:?}");
    }
}
