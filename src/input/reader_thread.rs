//! Blocking reads on a thread of their own, behind a bounded channel.

use std::any::Any;
use std::iter;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::sync::mpsc;

use super::error::{InputError, InputErrorAt, InputErrorKind};
use crate::record::Record;

/// The most records that are handed over at a time.
const BATCH: usize = 256;

/// Reads `records` ahead on a thread and hands them over in batches, of which at most `capacity` (at least one) wait.
///
/// A batch is a record and those that follow for sure by [`Iterator::size_hint`]: these are taken to be there, while
/// nobody knows how long any other will be in coming.
///
/// The channel ends after the last record or after the first error; a panic of the thread comes as an error too, so
/// an end without an error is the end of the input. The thread ends once the receiver is gone and it has something to
/// hand over; it is never joined, because a silent pipe may hold it for ever.
pub fn spawn_reader<E>(
    mut records: impl Iterator<Item = Result<Record, E>> + Send + 'static,
    capacity: usize,
) -> mpsc::Receiver<Result<Vec<Record>, E>>
where
    E: From<InputError> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    let errors = sender.clone();
    let thread = thread::Builder::new().name("input".to_owned()).spawn(move || {
        let mut handed = 0;
        let mut batch = Vec::new();
        let run = AssertUnwindSafe(|| {
            let mut error = None;
            while error.is_none()
                && let Some(first) = records.next()
            {
                let sure = records.size_hint().0.min(BATCH - 1);
                batch.reserve_exact(1 + sure);
                error = iter::once(first).chain(records.by_ref().take(sure)).find_map(|record| match record {
                    Ok(record) => {
                        batch.push(record);
                        None
                    }
                    Err(error) => Some(error),
                });
                handed += batch.len() as u64;
                if errors.blocking_send(Ok(mem::take(&mut batch))).is_err() {
                    return;
                }
            }
            if let Some(error) = error {
                let _ = errors.blocking_send(Err(error));
            }
        });
        if let Err(panic) = catch_unwind(run) {
            let kind = InputErrorKind::Panicked(message(panic.as_ref()).to_owned());
            let records = handed + batch.len() as u64;
            // Nobody is left to tell where the receiver is gone.
            let _ = errors.blocking_send(Ok(batch));
            let _ = errors.blocking_send(Err(whole_input(records, kind).into()));
        }
    });
    if let Err(error) = thread {
        // The channel is new and has room.
        let _ = sender.try_send(Err(whole_input(0, InputErrorKind::Thread(error)).into()));
    }
    receiver
}

fn whole_input(records: u64, kind: InputErrorKind) -> InputError {
    InputError::new("the input".to_owned(), records, InputErrorAt::from(kind))
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

    #[test]
    fn what_is_sure_to_follow_comes_with_it_and_nothing_waits_for_what_is_not() {
        let mut known = spawn_reader::<InputError>((1..=1000).map(|number| Ok(record(number))), 1);
        let mut sizes = iter::from_fn(|| known.blocking_recv()).map(|batch| batch.unwrap().len());
        assert!(sizes.by_ref().take(3).eq([BATCH; 3]) && sizes.eq([1000 - 3 * BATCH]));
        let mut unknown = spawn_reader::<InputError>((1..=1000).filter(|_| true).map(|number| Ok(record(number))), 1);
        assert!(iter::from_fn(|| unknown.blocking_recv()).all(|batch| batch.unwrap().len() == 1));
    }

    #[test]
    fn every_record_arrives_in_order() {
        for capacity in [0, 1, 64] {
            let (records, error) = drain(spawn_reader((1..=1000).map(|number| Ok(record(number))), capacity));
            assert_eq!((records, error.is_none()), (1000, true));
        }
    }

    #[test]
    fn an_error_is_the_last_item() {
        let broken = || Err(whole_input(2, InputErrorKind::UnclosedQuote));
        let items = vec![Ok(record(1)), Ok(record(2)), broken(), Ok(record(3))];
        let (records, error) = drain(spawn_reader(items.into_iter(), 4));
        assert_eq!((records, error.unwrap().records()), (2, 2));
    }

    #[test]
    fn a_panic_is_no_clean_end() {
        let items = (1..=5).map(|number| if number == 4 { panic!("broken at {number}") } else { Ok(record(number)) });
        let (records, error) = drain(spawn_reader(items, 2));
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
        let mut receiver = spawn_reader::<InputError>(
            (1..).map(move |number| {
                let _held = &ended;
                counter.fetch_add(1, Ordering::SeqCst);
                Ok(record(number))
            }),
            3,
        );
        assert!(receiver.blocking_recv().is_some());
        drop(receiver);
        wait.recv().unwrap();
        assert!(taken.load(Ordering::SeqCst) <= (1 + 3 + 1) * BATCH as u64, "{taken:?}");
    }
}
