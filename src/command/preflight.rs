//! The one request before the first delete: it proves the token and the ids, and learns the namespace's title.

use tokio::time::{Instant, timeout_at};

use crate::api::{Client, Namespace};
use crate::outcome::StopReason;
use crate::pipeline::Stop;
use crate::pipeline::call::{Calls, Failed};

use super::asking::{refused, warn};
use super::locate::Missed;

/// What comes before the first delete, within the job's deadline.
pub(super) async fn within<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Missed>>,
) -> Result<T, Missed> {
    let Some(deadline) = deadline else { return work.await };
    let why = "the deadline came before the first delete: run it again, with a longer --deadline";
    let late = |_| Err(Missed::Stop(Stop::new(StopReason::Deadline, why)));
    timeout_at(deadline, work).await.unwrap_or_else(late)
}

/// Asks for the namespace.
///
/// # Errors
/// The [`Stop`] that ends the job before it begins.
pub(super) async fn namespace(calls: &mut Calls, client: &Client) -> Result<Namespace, Stop> {
    let found = calls.find_namespace(|waiting| warn("the namespace", &waiting), || client.namespace()).await;
    found.map_err(|failed| match failed {
        Failed::Stop(stop) => stop,
        // The server is there and will not show the namespace: no delete could fare better.
        Failed::Refused(verdict) => refused("the namespace", &verdict, StopReason::NamespaceNotFound),
    })
}
