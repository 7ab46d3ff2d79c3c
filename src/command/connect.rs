//! The requests before the first key: the namespace is found, which proves credentials and ids, and its limits are learned.

use crate::api::{Client, Namespace};
use crate::key::KeyName;
use crate::outcome::{Stop, StopReason};
use crate::pipeline::KeyAction;
use crate::pipeline::call::ApiCaller;
use crate::quota::Rate;
use crate::record::{Content, Record};
use crate::shard::Shard;
use crate::terminal::{Escaped, title_and_id};

use super::error::Error;
use super::job::{Connection, DeleteJob, JobOptions, NamedConnection, RatesFrom};
use super::locate::{Suspects, client, locate};
use super::session::{Waiting, stop};
use super::usage::UsageError;

/// A namespace that was found, with the client for it.
pub(super) struct ConnectedTarget {
    pub(super) connection: Connection,
    pub(super) client: Client,
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
}

impl ConnectedTarget {
    /// For the summary.
    pub(super) fn notes(&self) -> Vec<String> {
        let Connection { account, account_name, namespace, .. } = &self.connection;
        let account = account_name.iter().map(|name| format!("account: {}", title_and_id(Some(name), account)));
        let namespace = format!("namespace: {}", title_and_id(Some(&self.namespace.title), namespace));
        account.chain([namespace]).collect()
    }
}

/// Finds the namespace that `named` names, for `concurrency` requests at once over a part of its keys.
pub(super) async fn connect(
    caller: &mut ApiCaller,
    named: &NamedConnection,
    options: &JobOptions,
    concurrency: usize,
    shard: Option<Shard>,
) -> Result<ConnectedTarget, Error> {
    let suspects = Suspects::of(named.account.as_ref(), Some(&named.namespace));
    let connection = locate(named, options.timeout, caller).await.map_err(|error| suspects.blame(error))?;
    let client = client(&connection, options.timeout, concurrency)?;
    let namespace = namespace(caller, &client).await.map_err(|stop| suspects.blame_for(stop))?;
    let client = if supports_encoding(&namespace) { client } else { client.without_url_encoding() };
    let limits = Limits::over(&namespace, &options.rates, options.rates_from, shard);
    Ok(ConnectedTarget { connection, client, namespace, limits })
}

/// Asks for the namespace.
///
/// # Errors
/// The [`Stop`] that ends the job before it begins.
pub(super) async fn namespace(caller: &mut ApiCaller, client: &Client) -> Result<Namespace, Stop> {
    let mut waiting = Waiting::for_answer("the namespace", caller.max_wait.most());
    let found = caller.find_namespace(|notice| waiting.warn(&notice), || client.namespace()).await;
    // The server is there and will not show the namespace: no delete could fare better.
    found.map_err(|error| stop(error, "the namespace", StopReason::NamespaceNotFound))
}

/// Whether `namespace` decodes the names of keys in URLs.
pub(super) fn supports_encoding(namespace: &Namespace) -> bool {
    namespace.supports_url_encoding != Some(false)
}

/// Nothing is sent if one of the keys would have to be encoded.
pub(super) fn check_encoding(
    namespace: &Namespace,
    keys: u64,
    first: Option<&KeyName>,
    hint: &'static str,
) -> Result<(), Error> {
    let Some(first) = first.filter(|_| !supports_encoding(namespace)) else { return Ok(()) };
    let (title, first) = (namespace.title.clone(), first.as_str().to_owned());
    Err(UsageError::NeedsEncoding { title, keys, first, hint }.into())
}

/// What to do about such keys.
pub(super) fn encoding_hint(job: &DeleteJob) -> &'static str {
    match job.key_action() {
        KeyAction::Delete => "pass --bulk, which puts no key into a URL",
        KeyAction::CheckThenDelete => "pass --bulk and omit --check, which puts keys into URLs",
        KeyAction::BackUpThenDelete => "pass --bulk and omit --backup, which puts keys into URLs",
        KeyAction::Check => "omit --check, which puts keys into URLs",
        KeyAction::Put(_) | KeyAction::Plan => "pass --overwrite-values, which puts no key into a URL",
    }
}

/// Makes a record invalid whose key has to be encoded; `exception` says how it can be deleted.
pub(super) fn refuse_encoded(record: &mut Record, exception: &str) {
    if let Content::Key(key) = &record.content
        && key.needs_encoding()
    {
        record.content = Content::needs_encoding(key, exception);
    }
}

/// How this job would have to be run for such a key, in a row.
pub(super) fn encoding_exception(job: &DeleteJob) -> &'static str {
    match job.key_action() {
        KeyAction::CheckThenDelete => "--bulk without --check deletes it",
        KeyAction::BackUpThenDelete => "--bulk without --backup deletes it",
        KeyAction::Check => "--check cannot look for it",
        KeyAction::Delete | KeyAction::Put(_) | KeyAction::Plan => "--bulk deletes it",
    }
}

/// The mode of a namespace that accepts one write per second and is not billed by operation.
const INSTANT: &str = "instant";

/// How fast a job goes, and whether it costs anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    /// The rates to keep; none for no limit.
    pub(super) rates: Vec<Rate>,
    /// Whether the namespace is in instant mode.
    pub(super) is_instant: bool,
    /// Whether its rate was taken because the user gave none.
    is_default: bool,
}

impl Limits {
    /// Those of a job that no namespace changes.
    pub(super) fn new(rates: &[Rate]) -> Self {
        Self { rates: rates.to_vec(), is_instant: false, is_default: false }
    }

    /// Those of a job over `namespace`; `shard` is the part of the keys that is taken, which gets its part of the default.
    pub(super) fn over(namespace: &Namespace, rates: &[Rate], from: RatesFrom, shard: Option<Shard>) -> Self {
        let is_instant = namespace.mode.as_deref() == Some(INSTANT);
        let is_default = is_instant && from == RatesFrom::Default;
        let rates = if is_default { vec![default_rate(shard)] } else { rates.to_vec() };
        Self { rates, is_instant, is_default }
    }

    /// What to know before the job begins, if the mode changes its speed.
    pub(super) fn note(&self) -> Option<String> {
        let rate = self.rates.first().filter(|_| self.is_default)?;
        Some(format!("the namespace is in instant mode and accepts 1 write per second: the default --rate is {rate}"))
    }

    /// Logs the note, where nobody is asked.
    pub(super) fn warn(&self) {
        if let Some(note) = self.note() {
            tracing::warn!("{}", Escaped(&note));
        }
    }
}

/// A write per second, shared out among all parts. A single request cannot be, but its window can.
fn default_rate(shard: Option<Shard>) -> Rate {
    let parts = shard.map_or(1, |shard| shard.count().get());
    Rate::new(1, Rate::INSTANT.window() * parts).unwrap_or(Rate::SLOWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(mode: Option<&str>) -> Namespace {
        let mode = mode.map(str::to_owned);
        let mut namespace = Namespace::new("id", "t", None);
        namespace.mode = mode;
        namespace
    }

    #[test]
    fn a_rate_that_was_given_wins_over_the_mode() {
        let rates = [Rate::PER_USER];
        for (mode, from, is_instant, expected) in [
            (None, RatesFrom::Default, false, Rate::PER_USER),
            (Some("standard"), RatesFrom::Default, false, Rate::PER_USER),
            (Some("instant"), RatesFrom::User, true, Rate::PER_USER),
            (Some("instant"), RatesFrom::Default, true, Rate::INSTANT),
        ] {
            let limits = Limits::over(&namespace(mode), &rates, from, None);
            assert_eq!((&limits.rates[..], limits.is_instant), (&[expected][..], is_instant), "{mode:?} {from:?}");
            assert_eq!(limits.note().is_some(), is_instant && from == RatesFrom::Default, "{mode:?} {from:?}");
        }
        // No limit at all is a limit that was given.
        assert_eq!(Limits::over(&namespace(Some("instant")), &[], RatesFrom::User, None).rates, []);
    }

    #[test]
    fn parts_of_a_job_share_one_write_per_second() {
        let limits = |shard: &str| {
            Limits::over(&namespace(Some("instant")), &[], RatesFrom::Default, Some(shard.parse().unwrap()))
        };
        assert_eq!(limits("2/4").rates, ["1/4s".parse().unwrap()]);
    }
}
