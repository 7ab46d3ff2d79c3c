//! The one request before the first delete: it proves the token and the ids, and learns the namespace's title.

use tokio::time::{Instant, timeout_at};

use crate::api::{Client, Namespace};
use crate::outcome::{Stop, StopReason};
use crate::pipeline::call::{ApiCaller, CallError};

use super::locate::Missed;
use super::session::{refused, warn};

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
pub(super) async fn namespace(caller: &mut ApiCaller, client: &Client) -> Result<Namespace, Stop> {
    let found = caller.find_namespace(|waiting| warn("the namespace", &waiting), || client.namespace()).await;
    found.map_err(|failed| match failed {
        CallError::Stop(stop) => stop,
        // The server is there and will not show the namespace: no delete could fare better.
        CallError::Refused(failure) => refused("the namespace", &failure, StopReason::NamespaceNotFound),
    })
}
