//! Connections: accepted, served, and ended in every way that a network knows.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::connection::Connection;
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

async fn serve_connection(stream: TcpStream, service: Arc<Service>) {
    // Without this, small answers wait for the peer's acknowledgement; where it cannot be set they are only slower.
    let _ = stream.set_nodelay(true);
    let Ok((stream, same)) = twice(stream) else { return };
    let connection = Arc::new(Connection::new(service.account.options.idle_close));
    let serving = {
        let connection = Arc::clone(&connection);
        service_fn(move |request| {
            let (service, connection) = (Arc::clone(&service), Arc::clone(&connection));
            async move { service.serve(request, &connection).await }
        })
    };
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), serving));
    tokio::select! {
        biased;
        ended = served.as_mut() => note(ended),
        () = connection.to_be_closed() => {
            served.as_mut().graceful_shutdown();
            note(served.await);
        }
    }
    if connection.ends_in_reset() {
        // If it fails, the connection ends in order, which a client has to survive as well.
        let _ = TcpStream::from_std(same).and_then(|same| same.set_zero_linger());
    }
}

/// Two handles of one connection: hyper owns one, and the last one decides how it ends.
fn twice(stream: TcpStream) -> io::Result<(TcpStream, std::net::TcpStream)> {
    let stream = stream.into_std()?;
    let same = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, same))
}

fn note(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the sandbox ended");
    }
}
