//! The façade of the library: a stream of keys in, one outcome per key out.

#![warn(missing_docs)]

use std::convert::Infallible;
use std::num::{NonZeroU32, NonZeroUsize};
use std::pin::pin;
use std::time::Duration;

use futures::future::{self, Either};
use futures::{FutureExt, Stream, StreamExt, stream};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::{mpsc, oneshot, watch};

use crate::api::{Client, MAX_BULK_BYTES, MAX_BULK_KEYS};
use crate::key::KeyName;
use crate::outcome::{Settled, Status, Stop, StopReason};
use crate::pipeline::call::{ApiCaller, CallError};
use crate::pipeline::state::State;
use crate::pipeline::{self, BatchLimit, Batching, Options, Request, Response};
use crate::quota::Rate;
use crate::record::{Content, Record, RecordNumber};

/// Batches of keys, and outcomes, that wait between the stages.
const CHANNEL: usize = 64;

/// Deletes keys from one namespace, within Cloudflare's rate limits, with retries.
///
/// Defaults: 1,200 requests in any 5 minutes and 200 in any second
/// (<https://developers.cloudflare.com/fundamentals/api/reference/limits>), 32 requests in flight, one key per request,
/// 8 retries per key, and 15 minutes without a successful request before the job stops. A namespace with `mode: instant`
/// accepts one write per second: set [`Rate::INSTANT`] for it.
#[derive(Debug)]
pub struct Deleter {
    client: Client,
    rates: Vec<Rate>,
    options: Options,
}

/// The outcome of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The exact key.
    pub key: Box<str>,
    /// `Deleted` and `Absent` only after the server has confirmed it, `Failed` only after it has refused this key;
    /// `Unknown` if the last attempt got no conclusive response, `Invalid` if the key cannot be sent to this namespace.
    pub status: Status,
    /// The HTTP status of the last response.
    pub http_status: Option<u16>,
    /// The API's own error code.
    pub error_code: Option<u64>,
    /// Why the key was not deleted; may quote up to 1 KiB of the server's response, without secrets.
    pub error: Option<String>,
    /// How many requests contained the key.
    pub attempts: u32,
    /// From the first request to the last response.
    pub elapsed: Duration,
}

impl From<Settled> for Outcome {
    fn from(settled: Settled) -> Self {
        let Settled { key, status, http_status, detail, attempts, elapsed, .. } = settled;
        let (error_code, error) = detail.map(|detail| (detail.error_code, detail.error)).unzip();
        Self { key, status, http_status, error_code: error_code.flatten(), error, attempts, elapsed }
    }
}

impl Deleter {
    /// A deleter with the defaults above.
    pub fn new(client: Client) -> Self {
        Self { client, rates: Vec::new(), options: Options::default() }
    }

    /// Sends no more requests than this in any window. Replaces the defaults; several rates hold together.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rates.push(rate);
        self
    }

    /// Sets how many requests may be in flight.
    #[must_use]
    pub fn concurrency(mut self, requests: NonZeroUsize) -> Self {
        self.options.concurrency = requests.get();
        self
    }

    /// Sends up to this many keys per request, at most 10,000
    /// (<https://developers.cloudflare.com/api/resources/kv/subresources/namespaces/methods/bulk_delete>).
    #[must_use]
    pub fn bulk(mut self, keys: NonZeroU32) -> Self {
        let keys = keys.min(NonZeroU32::new(MAX_BULK_KEYS).unwrap_or(keys));
        self.options.batching = Batching::Bulk(BatchLimit { keys, bytes: MAX_BULK_BYTES });
        self
    }

    /// Sets how often a key is retried after a temporary error.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.options.retry.retries = retries;
        self
    }

    /// Sets the longest time without a successful request before the job stops.
    #[must_use]
    pub fn max_wait(mut self, max_wait: Duration) -> Self {
        self.options.max_wait = max_wait;
        self
    }

    /// Deletes the keys as the stream is polled, and yields one outcome per key, in the order in which they are known.
    ///
    /// The first request asks for the namespace, because a namespace without support for URL encoding would take a key
    /// that needs it for another key: such a key is `Invalid` unless [`bulk`](Self::bulk) is set. Dropping the stream
    /// drops the requests in flight, whose keys may or may not be gone.
    ///
    /// # Errors
    /// If the job stops early, the last item says why; keys without an outcome were not attempted.
    pub fn run(self, keys: impl Stream<Item = KeyName>) -> impl Stream<Item = Result<Outcome, Stop>> {
        let (outcomes, settled) = mpsc::channel(1);
        let (written, rows_written) = watch::channel(0);
        let (stopped, stop) = oneshot::channel();
        let job = async {
            // Nobody is left to hear it if the stream was dropped.
            let _ = stopped.send(self.job(keys, outcomes, rows_written).await.err());
        };
        let outcomes = stream::unfold(settled, async |mut settled| Some((settled.recv().await?, settled)));
        let outcomes = outcomes.flat_map(stream::iter).map(move |settled| {
            written.send_modify(|rows| *rows += 1);
            Ok(Outcome::from(settled))
        });
        let running = job.into_stream().filter_map(|()| future::ready(None));
        let stop = stop.into_stream().filter_map(|stop| future::ready(stop.ok().flatten().map(Err)));
        stream::select(outcomes, running).chain(stop)
    }

    async fn job(
        self,
        keys: impl Stream<Item = KeyName>,
        outcomes: mpsc::Sender<Vec<Settled>>,
        rows_written: watch::Receiver<u64>,
    ) -> Result<(), Stop> {
        let Self { mut client, rates, options } = self;
        let rates = if rates.is_empty() { vec![Rate::PER_USER, Rate::PER_ADDRESS] } else { rates };
        let rng = StdRng::from_rng(&mut rand::rng());
        let mut caller = ApiCaller::new(&rates, options.retry, options.max_wait, rng);
        let found = caller.find_namespace(|_notice| {}, || client.namespace()).await;
        let namespace = found.map_err(|error| match error {
            CallError::Stop(stop) => stop,
            CallError::Refused(failure) => Stop::new(StopReason::NamespaceNotFound, failure.to_string()),
        })?;
        let encodes = namespace.supports_url_encoding != Some(false);
        if !encodes {
            client = client.without_url_encoding();
        }
        let is_sendable = move |key: &KeyName| encodes || options.batching != Batching::Single || !key.needs_encoding();
        let state = State::after(caller, options);
        let (input, records) = mpsc::channel(CHANNEL);
        let (_signals, no_signals) = mpsc::channel(1);
        let client = &client;
        let send = |request| async move {
            match request {
                Request::Delete(key) => Response::Delete(client.delete(&key).await),
                Request::DeleteMany(keys) => Response::DeleteMany(client.delete_many(&keys).await),
                Request::Namespace => Response::Namespace(client.namespace().await.map(drop)),
                _ => unreachable!("a job that only deletes asks for nothing else"),
            }
        };
        let job = pin!(pipeline::run(state, records, outcomes, rows_written, send, no_signals, |_event| {}));
        let reading = pin!(read(keys, is_sendable, input));
        // A job that has stopped does not wait for more keys.
        let end = match future::select(job, reading).await {
            Either::Left((end, _)) => end,
            Either::Right(((), job)) => job.await,
        };
        end.stop.map_or(Ok(()), Err)
    }
}

/// Hands the keys to the job, as many at once as there are.
async fn read(
    keys: impl Stream<Item = KeyName>,
    is_sendable: impl Fn(&KeyName) -> bool,
    input: mpsc::Sender<Result<Vec<Record>, Infallible>>,
) {
    let mut batches = pin!(keys.ready_chunks(CHANNEL));
    let mut number = RecordNumber::FIRST;
    while let Some(keys) = batches.next().await {
        let records = keys.into_iter().map(|key| {
            let refused = || Content::needs_encoding(&key, "bulk requests delete it");
            let content = if is_sendable(&key) { Content::Key(key) } else { refused() };
            let record = Record { number, content };
            number = number.next();
            record
        });
        if input.send(Ok(records.collect())).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ClientOptions, Credentials};
    use crate::sandbox::{Fault, Sandbox, SandboxOptions};

    fn deleter(server: &Sandbox) -> Deleter {
        let (account, namespace) = (server.account_id().parse().unwrap(), server.namespace_id().parse().unwrap());
        let credentials = Credentials::token("any").unwrap();
        let options = ClientOptions::new(server.base_url().parse().unwrap(), credentials, account, namespace);
        Deleter::new(Client::new(options).unwrap())
    }

    fn keys(names: &[&str]) -> Vec<KeyName> {
        names.iter().map(|name| KeyName::new(*name).unwrap()).collect()
    }

    /// A server with the faults, and what becomes of the keys.
    async fn run(
        options: SandboxOptions,
        names: &[&str],
        adjust: impl FnOnce(Deleter) -> Deleter,
    ) -> (Sandbox, Vec<Result<(String, Status), StopReason>>) {
        let server = Sandbox::start(options).unwrap();
        server.preload(names.iter().copied().chain(["decoy"]));
        let keys = stream::iter(keys(names));
        let outcomes = adjust(deleter(&server)).run(keys).map(|outcome| match outcome {
            Ok(outcome) => Ok((outcome.key.into_string(), outcome.status)),
            Err(stop) => Err(stop.reason),
        });
        let mut outcomes: Vec<_> = outcomes.collect().await;
        outcomes.sort_by_key(|outcome| outcome.as_ref().ok().cloned().map(|(key, _)| key));
        (server, outcomes)
    }

    #[tokio::test]
    async fn each_key_has_one_outcome_and_no_other_key_is_touched() {
        let faults = vec!["503=0.3".parse::<Fault>().unwrap()];
        let options = || SandboxOptions { faults: faults.clone(), ..SandboxOptions::default() };
        let deleted = |names: &[&str]| names.iter().map(|name| Ok(((*name).to_owned(), Status::Deleted))).collect();
        let names = ["a", "b/c?", "d"];
        let fast = |deleter: Deleter| deleter.rate(Rate::new(1_000, Duration::from_secs(1)).unwrap());
        let (server, outcomes) = run(options(), &names, fast).await;
        assert_eq!((outcomes, server.keys()), (deleted(&names), vec!["decoy".to_owned()]));
        let (server, outcomes) = run(options(), &names, |deleter| deleter.bulk(NonZeroU32::new(2).unwrap())).await;
        assert_eq!((outcomes, server.keys()), (deleted(&names), vec!["decoy".to_owned()]));
    }

    #[tokio::test]
    async fn a_job_that_stops_says_why_at_the_end() {
        let options = SandboxOptions { token: Some("another".to_owned()), ..SandboxOptions::default() };
        let (server, outcomes) = run(options, &["a", "b"], |deleter| deleter).await;
        assert_eq!((outcomes, server.keys().len()), (vec![Err(StopReason::Unauthorized)], 3));
    }

    #[tokio::test]
    async fn a_namespace_that_does_not_decode_urls_gets_no_encoded_key() {
        let options = || SandboxOptions { supports_url_encoding: false, ..SandboxOptions::default() };
        let (server, outcomes) = run(options(), &["a", "b:c"], |deleter| deleter).await;
        let expected = vec![Ok(("a".to_owned(), Status::Deleted)), Ok(("b:c".to_owned(), Status::Invalid))];
        assert_eq!((outcomes, server.keys()), (expected, vec!["b:c".to_owned(), "decoy".to_owned()]));
        let (server, _) = run(options(), &["a", "b:c"], |deleter| deleter.bulk(NonZeroU32::MIN)).await;
        assert_eq!(server.keys(), ["decoy"]);
    }

    #[tokio::test]
    async fn a_stopped_job_does_not_wait_for_more_keys() {
        let server = Sandbox::start(SandboxOptions { token: Some("another".to_owned()), ..SandboxOptions::default() });
        let server = server.unwrap();
        let outcomes: Vec<_> = deleter(&server).run(stream::pending()).collect().await;
        assert!(matches!(&outcomes[..], [Err(stop)] if stop.reason == StopReason::Unauthorized), "{outcomes:?}");
    }
}
