//! Connections: accepted, served, and ended in every way that a network knows.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Version;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::body::{Body, Response};
use super::service::Service;

/// How long to wait when the system has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until told to stop; by the time it returns all connections are closed.
pub(super) async fn serve(listener: TcpListener, service: Arc<Service>, stop: Arc<Notify>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.notified() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, Arc::clone(&service)));
                }
                Err(error) => {
                    tracing::warn!(%error, "the sandbox could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// Serves one connection, HTTP/1.1 or HTTP/2, to its end.
async fn serve_connection(stream: TcpStream, service: Arc<Service>) {
    // Without this, small answers wait for the peer's acknowledgement; where it cannot be set they are only slower.
    let _ = stream.set_nodelay(true);
    let idle_close = service.options().idle_close;
    let connection = Arc::new(Connection::new(idle_close));
    let socket = Socket { stream, connection: Arc::clone(&connection) };
    let serving = {
        let connection = Arc::clone(&connection);
        service_fn(move |request| {
            let (service, connection) = (Arc::clone(&service), Arc::clone(&connection));
            async move { service.serve(request, &connection).await }
        })
    };
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut served = pin!(builder.serve_connection(TokioIo::new(socket), serving));
    tokio::select! {
        biased;
        ended = served.as_mut() => return note(ended),
        () = connection.to_be_closed() => {}
    }
    served.as_mut().graceful_shutdown();
    note(served.await);
}

fn note(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the sandbox ended");
    }
}

/// What a connection and the requests on it tell each other.
pub(super) struct Connection {
    closing: Arc<Notify>,
    reset: AtomicBool,
    traffic: Option<(watch::Sender<Traffic>, Duration)>,
}

/// How many requests are being served, and when the last one ended.
#[derive(Clone, Copy, Default)]
struct Traffic {
    requests: usize,
    last: Option<Instant>,
}

/// A request that is being served.
pub(super) struct Busy<'a>(Option<&'a watch::Sender<Traffic>>);

impl Connection {
    fn new(idle_close: Option<Duration>) -> Self {
        Self {
            closing: Arc::default(),
            reset: AtomicBool::new(false),
            traffic: idle_close.map(|limit| (watch::Sender::default(), limit)),
        }
    }

    /// Marks the connection busy while the result lives.
    pub(super) fn busy(&self) -> Busy<'_> {
        let traffic = self.traffic.as_ref().map(|(traffic, _)| traffic);
        if let Some(traffic) = traffic {
            traffic.send_modify(|traffic| traffic.requests += 1);
        }
        Busy(traffic)
    }

    /// Makes the coming end of an HTTP/1 connection a reset rather than an orderly one. On HTTP/2 only the stream is
    /// reset, which is done elsewhere.
    pub(super) fn reset(&self, version: Version) {
        if version < Version::HTTP_2 {
            self.reset.store(true, Ordering::Relaxed);
        }
    }

    /// The same answer; when its last byte has been handed to the socket the connection is closed.
    pub(super) fn close_after(&self, response: Response) -> Response {
        let closing = Arc::clone(&self.closing);
        response.map(|body| LastBody { body, closing }.boxed_unsync())
    }

    /// Waits until the connection is to be closed: because of its last answer or because it was idle for too long.
    async fn to_be_closed(&self) {
        tokio::select! {
            () = self.closing.notified() => {}
            () = self.idle_for_too_long() => {}
        }
    }

    async fn idle_for_too_long(&self) {
        let Some((traffic, limit)) = &self.traffic else {
            return std::future::pending().await;
        };
        let mut news = traffic.subscribe();
        loop {
            let traffic = *news.borrow_and_update();
            let idle = async {
                match traffic {
                    Traffic { requests: 0, last: Some(last) } => tokio::time::sleep_until(last + *limit).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = idle => return,
                // The sender lives as long as the connection does.
                _ = news.changed() => {}
            }
        }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if let Some(traffic) = self.0 {
            traffic.send_modify(|traffic| {
                traffic.requests -= 1;
                traffic.last = Some(Instant::now());
            });
        }
    }
}

/// A body that tells when hyper is done with it: its last bytes are flushed before the connection's task does
/// anything else.
struct LastBody {
    body: Body,
    closing: Arc<Notify>,
}

impl Drop for LastBody {
    fn drop(&mut self) {
        self.closing.notify_one();
    }
}

impl HttpBody for LastBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that ends in a reset where that is wanted: hyper owns it, and closing is all that it does.
struct Socket {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.connection.reset.load(Ordering::Relaxed) {
            // Where it fails, the connection ends in order, which a client has to survive as well.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
