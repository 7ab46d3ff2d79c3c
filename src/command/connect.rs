//! The requests before the first key: the namespace is found, which proves credentials and ids, and its limits are learned.

use crate::api::{Client, Namespace};
use crate::outcome::{Stop, StopReason};
use crate::pipeline::call::ApiCaller;
use crate::shard::Shard;
use crate::terminal::Escaped;

use super::encoding;
use super::error::Error;
use super::job::{Connection, NamespaceRef};
use super::limits::Limits;
use super::locate::{client, locate};
use super::session::{JobOptions, stop, warn};

/// A namespace that was found, with the client for it.
pub(super) struct ConnectedTarget {
    pub(super) connection: Connection,
    pub(super) client: Client,
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
}

impl ConnectedTarget {
    /// For the summary.
    pub(super) fn note(&self) -> String {
        format!("namespace: {} ({})", Escaped(&self.namespace.title), self.connection.namespace)
    }
}

/// Finds the namespace that `connection` names, for `concurrency` requests at once over a part of its keys.
pub(super) async fn connect(
    caller: &mut ApiCaller,
    connection: &Connection<NamespaceRef>,
    options: &JobOptions,
    concurrency: usize,
    shard: Option<Shard>,
) -> Result<ConnectedTarget, Error> {
    let connection = locate(connection, options.timeout, caller).await?;
    let client = client(&connection, options.timeout, concurrency)?;
    let namespace = namespace(caller, &client).await?;
    let client = if encoding::is_supported(&namespace) { client } else { client.without_url_encoding() };
    let limits = Limits::over(&namespace, &options.rates, options.rates_from, shard);
    Ok(ConnectedTarget { connection, client, namespace, limits })
}

/// Asks for the namespace.
///
/// # Errors
/// The [`Stop`] that ends the job before it begins.
pub(super) async fn namespace(caller: &mut ApiCaller, client: &Client) -> Result<Namespace, Stop> {
    let found = caller.find_namespace(|notice| warn("the namespace", &notice), || client.namespace()).await;
    // The server is there and will not show the namespace: no delete could fare better.
    found.map_err(|error| stop(error, "the namespace", StopReason::NamespaceNotFound))
}
