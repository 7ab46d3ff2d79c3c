//! The one request before the first delete: it proves the token and the ids, and learns the namespace's title.

use rand::Rng;

use crate::api::{Client, Namespace};
use crate::outcome::StopReason;
use crate::pipeline::call::{Failed, Waiting, patiently};
use crate::pipeline::state::Totals;
use crate::pipeline::{RetryPolicy, Stop};
use crate::quota::Budget;
use crate::terminal::{Shown, duration};

use super::job::Job;

/// Asks for the namespace.
///
/// # Errors
/// The [`Stop`] that ends the job before it begins.
pub(super) async fn namespace(
    job: &Job,
    client: &Client,
    budget: &mut Budget,
    totals: &mut Totals,
    rng: &mut impl Rng,
) -> Result<Namespace, Stop> {
    let policy = RetryPolicy { longest_asked: job.max_pause, ..job.retry };
    let tell = |waiting: Waiting<'_>| {
        let (error, wait) = (&waiting.verdict.detail.error, duration(waiting.wait));
        tracing::warn!("the namespace cannot be read yet: {}; trying again in {wait}", Shown(error));
    };
    let found = patiently(budget, &policy, job.max_pause, rng, totals, tell, || client.namespace()).await;
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
