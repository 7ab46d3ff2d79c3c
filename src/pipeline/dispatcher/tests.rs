//! The end of a job whose report is slower than its requests.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::sleep;

use super::*;
use crate::api::answer::{Answer, Reply};
use crate::key::KeyName;
use crate::pipeline::Options;
use crate::quota::Budget;
use crate::record::{Content, RecordNumber};

const KEYS: u64 = 100;

/// How many rows arrive when the report takes those that wait every ten seconds and signals come at these seconds; all keys
/// are deleted in the first, one after the other.
async fn rows_taken(signals_at: &[u64]) -> u64 {
    let (record_sender, records) = mpsc::channel(128);
    for number in 1..=KEYS {
        let key = KeyName::new(format!("key-{number}")).unwrap();
        let record = Record { number: RecordNumber::new(number).unwrap(), content: Content::Key(key) };
        record_sender.send(Ok(vec![record])).await.unwrap();
    }
    drop(record_sender);
    let (row_sender, mut rows) = mpsc::channel(1);
    let (signal_sender, signals) = mpsc::channel(4);
    let options = Options { concurrency: 100, ..Options::default() };
    let state = State::new(options, Budget::new(&[], Instant::now()), StdRng::seed_from_u64(1));
    let requests = Cell::new(0);
    let send = |_| {
        requests.set(requests.get() + 1);
        let latency = requests.get() * Duration::from_millis(10);
        async move {
            sleep(latency).await;
            Response::Delete(Reply { answer: Answer::Success, http_status: Some(200), rate_limits: Vec::new() })
        }
    };
    let (acknowledge, rows_written) = watch::channel(0);
    let job = run::<Infallible, _>(state, records, row_sender, rows_written, send, signals, |_| {});
    let signaller = async {
        let start = Instant::now();
        for second in signals_at {
            sleep_until(start + Duration::from_secs(*second)).await;
            let _ = signal_sender.send(Signal::Terminate).await;
        }
    };
    let writer = async {
        let mut taken = 0;
        while let Some(batch) = rows.recv().await {
            taken += batch.len() as u64;
            sleep(Duration::from_secs(10)).await;
            acknowledge.send_replace(taken);
        }
        taken
    };
    let (end, (), taken) = tokio::join!(job, signaller, writer);
    assert_eq!(end.totals.tally.total(), KEYS);
    taken
}

#[tokio::test(start_paused = true)]
async fn one_signal_keeps_no_row_from_a_slow_report() {
    assert_eq!(rows_taken(&[]).await, KEYS);
    assert_eq!(rows_taken(&[3]).await, KEYS, "everything was answered, the rows alone are on their way");
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_does_not_wait_for_a_slow_report() {
    assert_eq!(rows_taken(&[3, 5]).await, 2, "one that was being written, and one that waited for it");
}
