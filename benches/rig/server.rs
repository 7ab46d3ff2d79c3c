//! A server that costs little: it answers a delete of any key, and the look at the namespace, as the API does, and
//! knows nothing else. HTTP/1.1 in the clear, HTTP/2 with TLS under a certificate made at the start.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use h2::server::SendResponse;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Outcome;

const DONE: &[u8] = br#"{"success":true,"errors":[],"messages":[],"result":{}}"#;
const NAMESPACE: &[u8] =
    br#"{"success":true,"errors":[],"messages":[],"result":{"id":"ns","title":"bench","supports_url_encoding":true}}"#;
const NO_ROUTE: &[u8] =
    br#"{"success":false,"errors":[{"code":7000,"message":"No route for that URI"}],"messages":[],"result":null}"#;

/// The longest head that is read, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// What a sleep may be late: the rest of a latency is waited out awake, so that it is exact.
const TICK: Duration = Duration::from_millis(2);

/// How it serves.
#[derive(Default)]
pub(crate) struct Options {
    /// For HTTP/1.1; 0 takes a free one.
    pub(crate) port: u16,
    /// Between a request and its answer, exactly.
    pub(crate) latency: Duration,
    /// Where to write the certificate; without it there is no TLS.
    pub(crate) cert: Option<PathBuf>,
}

/// Serves until it is killed; prints where, as one JSON line.
pub(crate) async fn run(options: Options) -> Outcome {
    let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let http = plain.local_addr()?;
    let mut https = None;
    if let Some(path) = &options.cert {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        https = Some(listener.local_addr()?);
        tokio::spawn(accept_secure(listener, acceptor(path)?, options.latency));
    }
    let shown = |scheme: &str, addr: SocketAddr| format!("\"{scheme}://{addr}/client/v4\"");
    let secure = https.map_or("null".to_owned(), |addr| shown("https", addr));
    println!("{{\"http\":{},\"https\":{secure}}}", shown("http", http));
    std::io::stdout().flush()?;
    loop {
        let (stream, _) = plain.accept().await?;
        stream.set_nodelay(true)?;
        // A client that leaves is no trouble.
        tokio::spawn(async move { http1(stream, options.latency).await.ok() });
    }
}

/// The answer's body and status to a request of `method` for `path`.
fn answer(method: &str, path: &str) -> (u16, &'static [u8]) {
    let below = path.strip_prefix("/client/v4/accounts/").and_then(|rest| rest.split_once("/storage/kv/namespaces/"));
    let Some((_, named)) = below else { return (404, NO_ROUTE) };
    match (method, named.split_once("/values/")) {
        ("DELETE", Some((_, key))) if !key.is_empty() && !key.contains('/') => (200, DONE),
        ("GET", None) if !named.contains('/') => (200, NAMESPACE),
        _ => (404, NO_ROUTE),
    }
}

async fn wait(latency: Duration) {
    if latency.is_zero() {
        return;
    }
    let due = Instant::now() + latency;
    sleep_until(due - TICK.min(latency)).await;
    while Instant::now() < due {
        yield_now().await;
    }
}

async fn http1(mut stream: TcpStream, latency: Duration) -> Outcome {
    let mut input = BytesMut::with_capacity(8 * 1024);
    let mut out = Vec::with_capacity(1024);
    loop {
        while let Some((length, (status, body))) = parse(&input)? {
            input.advance(length);
            wait(latency).await;
            let reason = if status == 200 { "OK" } else { "Not Found" };
            write!(
                out,
                "HTTP/1.1 {status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            )?;
            out.extend_from_slice(body);
        }
        if !out.is_empty() {
            stream.write_all(&out).await?;
            out.clear();
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

/// The length of the first request in `input`, and its answer; `None` while it is not there whole.
fn parse(input: &[u8]) -> Outcome<Option<(usize, (u16, &'static [u8]))>> {
    let mut headers = [httparse::EMPTY_HEADER; 48];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(input)? else {
        return if input.len() > MAX_HEAD { Err("a head without an end".into()) } else { Ok(None) };
    };
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body: usize = match length {
        Some(header) => std::str::from_utf8(header.value)?.trim().parse()?,
        None => 0,
    };
    let answer = answer(request.method.unwrap_or_default(), request.path.unwrap_or_default());
    Ok((input.len() >= head + body).then_some((head + body, answer)))
}

fn acceptor(path: &std::path::Path) -> Outcome<TlsAcceptor> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    std::fs::write(path, made.cert.pem())?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.into()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept_secure(listener: TcpListener, acceptor: TlsAcceptor, latency: Duration) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move { http2(stream, acceptor, latency).await.ok() });
    }
}

async fn http2(stream: TcpStream, acceptor: TlsAcceptor, latency: Duration) -> Outcome {
    stream.set_nodelay(true)?;
    let secure = acceptor.accept(stream).await?;
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(1_000).initial_connection_window_size(1 << 24);
    let mut connection = builder.handshake::<_, Bytes>(secure).await?;
    while let Some(arrived) = connection.accept().await {
        let (request, respond) = arrived?;
        let (status, body) = answer(request.method().as_str(), request.uri().path());
        if latency.is_zero() {
            respond_h2(respond, status, body)?;
        } else {
            tokio::spawn(async move {
                wait(latency).await;
                respond_h2(respond, status, body).ok()
            });
        }
    }
    Ok(())
}

fn respond_h2(mut respond: SendResponse<Bytes>, status: u16, body: &'static [u8]) -> Result<(), h2::Error> {
    let mut response = http::Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, json);
    respond.send_response(response, false)?.send_data(Bytes::from_static(body), true)
}
