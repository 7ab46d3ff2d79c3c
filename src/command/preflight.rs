//! The one request before the first delete: it proves the token and the ids, and learns the namespace's title.

use std::time::Duration;

use rand::Rng;

use crate::api::{Client, Namespace};
use crate::outcome::StopReason;
use crate::pipeline::call::{Failed, Waiting, patiently};
use crate::pipeline::state::Totals;
use crate::pipeline::{RetryPolicy, Stop};
use crate::quota::Budget;
use crate::terminal::{Shown, duration};

/// How long and how often it is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) retry: RetryPolicy,
    pub(super) max_pause: Duration,
}

/// Asks for the namespace.
///
/// # Errors
/// The [`Stop`] that ends the job before it begins.
pub(super) async fn namespace(
    patience: Patience,
    client: &Client,
    budget: &mut Budget,
    totals: &mut Totals,
    rng: &mut impl Rng,
) -> Result<Namespace, Stop> {
    let Patience { retry, max_pause } = patience;
    let policy = RetryPolicy { longest_asked: max_pause, ..retry };
    let tell = |waiting: Waiting<'_>| {
        let (error, wait) = (&waiting.verdict.detail.error, duration(waiting.wait));
        tracing::warn!("the namespace cannot be read yet: {}; trying again in {wait}", Shown(error));
    };
    let found = patiently(budget, &policy, max_pause, rng, totals, tell, || client.namespace()).await;
    let namespace = found.map_err(|failed| match failed {
        Failed::Stop(stop) => stop,
        // The server is there and will not show the namespace: no delete could fare better.
        Failed::Refused(verdict) => {
            let status = verdict.http_status.map(|status| format!("HTTP {status}: ")).unwrap_or_default();
            let reason = match verdict.http_status {
                Some(401 | 403) => StopReason::Unauthorized,
                _ => StopReason::NamespaceNotFound,
            };
            let why = format!("{status}{}; is --base-url right?", verdict.detail.error);
            Stop::new(reason, format!("the namespace cannot be read: {why}"))
        }
    })?;
    if namespace.supports_url_encoding == Some(false) {
        tracing::warn!(
            "namespace {} does not support URL-encoded names: keys with other characters than letters, digits, `-`, \
             `_`, `.` and `~` may not be found under their name",
            Shown(&namespace.id)
        );
    }
    Ok(namespace)
}
