//! HTTP/2 servers that close each connection after a few requests, as proxies do.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::lab::Lab;
use crate::tls::{LOOPBACK, LOOPBACK_KEY};

/// Serves for both calls of a job: the namespace, and a delete.
const DONE: &str =
    r#"{"success":true,"result":{"id":"fedcba9876543210fedcba9876543210","title":"t","supports_url_encoding":true}}"#;

/// So many requests of a connection are answered.
const MOST: usize = 10;

/// How an HTTP/2 connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// GOAWAY names the last request; the connection stays open until the client closes it (nginx).
    GoAway,
    /// The same, and the server says no more (half closed), and reads on until the client closes it.
    GoAwayAndClose,
    /// Two GOAWAY frames, the first as a warning (RFC 9113, 6.8).
    Graceful,
    /// Without GOAWAY, and whatever still arrives is met with a reset.
    Close,
}

type Tls = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;

/// A server that speaks HTTP/2.
fn serve(end: End) -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(LOOPBACK).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(LOOPBACK_KEY).expect("a key");
    let mut config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            std::thread::spawn(move || -> io::Result<()> {
                let connection = rustls::ServerConnection::new(config).map_err(io::Error::other)?;
                let mut stream = rustls::StreamOwned::new(connection, stream);
                // The handshake, so that the protocol is known.
                stream.flush()?;
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock)?;
                }
                http2(stream, end)
            });
        }
    });
    address
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn go_away(last: u32) -> Vec<u8> {
    frame(7, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())
}

fn http2(mut stream: Tls, end: End) -> io::Result<()> {
    stream.write_all(&frame(4, 0, 0, &[]))?;
    stream.read_exact(&mut [0; 24])?;
    let mut served = 0;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload)?;
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match (head[3], head[4]) {
            (4, 0) => stream.write_all(&frame(4, 1, 0, &[]))?,
            (6, 0) => stream.write_all(&frame(6, 1, 0, &payload))?,
            // HEADERS, after the last that is served: overlooked.
            (1, _) if served < MOST => {
                served += 1;
                let mut answer = [frame(1, 4, id, &[0x88]), frame(0, 1, id, DONE.as_bytes())].concat();
                if served == MOST {
                    answer.extend(match end {
                        End::GoAway | End::GoAwayAndClose => go_away(id),
                        End::Graceful => [go_away((1 << 31) - 1), go_away(id)].concat(),
                        End::Close => Vec::new(),
                    });
                }
                stream.write_all(&answer)?;
                if served == MOST && matches!(end, End::GoAwayAndClose | End::Close) {
                    stream.conn.send_close_notify();
                    stream.flush()?;
                    if end == End::GoAwayAndClose {
                        stream.sock.shutdown(Shutdown::Write)?;
                        io::copy(&mut stream.sock, &mut io::sink())?;
                    }
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}

/// A request that met such a connection is sent again and costs no retry, if the server says that it did not process it.
/// A connection that is closed without GOAWAY may have processed any of them: that costs a retry, as over HTTP/1.1.
#[test]
fn a_server_that_closes_connections_after_ten_requests_costs_no_retry() {
    for (end, retries) in [(End::GoAway, "0"), (End::Graceful, "0"), (End::GoAwayAndClose, "0"), (End::Close, "100")] {
        let address = serve(end);
        let lab = Lab::new();
        lab.keys(200);
        lab.write("loopback.pem", LOOPBACK);
        let run = lab.delete(["keys.txt", "--cacert", "loopback.pem", "--retries", retries, "--json"]);
        let done = run.env("CLOUDFLARE_API_BASE_URL", format!("https://{address}/client/v4")).run().code(0);
        assert_eq!(done.summary()["deleted"], 200, "{end:?}: {}", done.stdout);
    }
}
