//! The connections to the API, over HTTP/2 or HTTP/1.1 as the server prefers.

use std::path::Path;
use std::time::Duration;

use crate::net::{ConnectError, Peer, connect};

/// Connecting times out sooner than a whole attempt.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// workerd closes a connection that was idle for 5 s: be quicker, so that no request meets the closing.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// How often a silent HTTP/2 connection is pinged, and how long it may take to respond. Without this a
/// dead one is kept for ever.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// How much of a response may be in flight before it is read, in bytes.
const STREAM_WINDOW: u32 = 512 << 10;

/// Reads the certificates; connects to nothing yet. `timeout` is for one attempt; `concurrency` idle connections are kept.
pub(crate) fn client(
    peer: &Peer,
    ca_file: Option<&Path>,
    timeout: Duration,
    concurrency: usize,
) -> Result<reqwest::Client, ConnectError> {
    connect(peer, ca_file, |builder| {
        builder
            .connect_timeout(timeout.min(MAX_CONNECT))
            .pool_idle_timeout(POOL_IDLE)
            // Fewer, and connections are thrown away between two requests.
            .pool_max_idle_per_host(concurrency.max(1))
            .http2_keep_alive_interval(KEEP_ALIVE)
            .http2_keep_alive_timeout(KEEP_ALIVE)
            .http2_keep_alive_while_idle(true)
            // So that large bodies that wait for memory do not hold up the other answers of the same connection.
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(connection_window(concurrency))
    })
}

/// Enough for as many answers, but no more than HTTP/2 has numbers for (RFC 9113, 6.9.1).
fn connection_window(concurrency: usize) -> u32 {
    let answers = u32::try_from(concurrency).unwrap_or(u32::MAX).saturating_add(1);
    STREAM_WINDOW.saturating_mul(answers).min((1 << 31) - 1)
}
