//! What a connection and the requests on it have to know of each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Version;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::answer::Response;

pub(super) struct Connection {
    closing: Arc<Notify>,
    reset: AtomicBool,
    traffic: watch::Sender<Traffic>,
    idle_close: Option<Duration>,
}

#[derive(Clone, Copy, Default)]
struct Traffic {
    requests: usize,
    last: Option<Instant>,
}

pub(super) struct Busy<'a>(&'a watch::Sender<Traffic>);

impl Connection {
    pub(super) fn new(idle_close: Option<Duration>) -> Self {
        Self { closing: Arc::default(), reset: AtomicBool::new(false), traffic: watch::Sender::default(), idle_close }
    }

    /// Marks the connection busy while the result lives.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.traffic.send_modify(|traffic| traffic.requests += 1);
        Busy(&self.traffic)
    }

    /// Makes the coming end of an HTTP/1 connection a reset rather than an orderly one. On HTTP/2 only the stream is
    /// reset, which is done elsewhere.
    pub(super) fn reset(&self, version: Version) {
        if version < Version::HTTP_2 {
            self.reset.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn ends_in_reset(&self) -> bool {
        self.reset.load(Ordering::Relaxed)
    }

    /// The same answer; when its last byte has been handed to the socket the connection is closed.
    pub(super) fn close_after(&self, response: Response) -> Response {
        let closing = Closing(Arc::clone(&self.closing));
        let held = move |error| {
            let _held = &closing;
            error
        };
        response.map(|body| body.map_err(held).boxed_unsync())
    }

    /// Waits until the connection is to be closed: because of its last answer or because it was idle for too long.
    pub(super) async fn to_be_closed(&self) {
        tokio::select! {
            () = self.closing.notified() => {}
            () = self.idle_for_too_long() => {}
        }
    }

    async fn idle_for_too_long(&self) {
        let Some(limit) = self.idle_close else { return std::future::pending().await };
        let mut news = self.traffic.subscribe();
        loop {
            let closes_at = match *news.borrow_and_update() {
                Traffic { requests: 0, last } => last.map(|last| last + limit),
                _ => None,
            };
            tokio::select! {
                () = sleep_until(closes_at.unwrap_or_else(Instant::now)), if closes_at.is_some() => return,
                // The sender lives as long as the connection does.
                _ = news.changed() => {}
            }
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|traffic| {
            traffic.requests -= 1;
            traffic.last = Some(Instant::now());
        });
    }
}

/// Notifies when hyper is done with the body that holds it: its last bytes are flushed before the connection's task does
/// anything else.
struct Closing(Arc<Notify>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
