//! Whom the client trusts, and what HTTP/2 says of a request that failed.

use std::io::{Read, Write};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

type TlsServer = tokio::task::JoinHandle<std::io::Result<()>>;
type TlsStream = rustls::StreamOwned<rustls::ServerConnection, std::net::TcpStream>;

/// A TLS server for one connection, which `talk` has with the client.
fn serve_tls(
    protocol: &str,
    talk: impl FnOnce(TlsStream) -> std::io::Result<()> + Send + 'static,
) -> (SocketAddr, TlsServer) {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../../testdata/loopback.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../testdata/loopback.key.pem")).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![protocol.into()];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::task::spawn_blocking(move || {
        let connection = rustls::ServerConnection::new(config.into()).unwrap();
        talk(rustls::StreamOwned::new(connection, listener.accept()?.0))
    });
    (address, server)
}

/// Asks a server on this machine over TLS, trusting `ca` besides the system's.
async fn delete_over_tls(address: SocketAddr, ca: &str) -> Reply {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, ca).unwrap();
    let client = Client::new(ClientOptions {
        access: Access {
            base_url: format!("https://{address}/client/v4").parse().unwrap(),
            ca_file: Some(ca_file),
            ..options(address).access
        },
        ..options(address)
    });
    client.unwrap().delete(&key("k")).await
}

const LOOPBACK: &str = include_str!("../../testdata/loopback.pem");
const STRANGER: &str = include_str!("../../testdata/stranger.pem");

#[tokio::test]
async fn only_trusted_servers_are_spoken_to() {
    for (ca, is_trusted) in [(LOOPBACK, true), (STRANGER, false)] {
        let (address, server) = serve_tls("http/1.1", |mut stream| {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                head.push(byte[0]);
            }
            stream.write_all(DONE.as_bytes())
        });
        let reply = delete_over_tls(address, ca).await;
        assert_eq!(server.await.unwrap().is_ok(), is_trusted, "a stranger gets no request");
        if is_trusted {
            assert_eq!(reply.answer, Answer::Success);
        } else {
            assert!(unexpected_text(&reply).contains("not trusted"), "{reply:?}");
            assert_eq!(reply.http_status, None);
        }
    }
}

/// HTTP/2 frames after which a request was not processed, and one after which it may have been.
#[tokio::test]
async fn http2_servers_say_whether_they_touched_a_request() {
    for (frame, is_stale) in [
        (b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x07".to_vec(), true), // RST_STREAM 1, REFUSED_STREAM
        (b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), true), // GOAWAY after 0, NO_ERROR
        (b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x02".to_vec(), false), // RST_STREAM 1, INTERNAL_ERROR
    ] {
        let (address, server) = serve_tls("h2", move |mut stream| {
            stream.write_all(b"\0\0\0\x04\0\0\0\0\0")?; // SETTINGS
            let mut preface = [0; 24];
            stream.read_exact(&mut preface)?;
            let mut head = [0; 9];
            while head[3] != 1 {
                // until HEADERS
                stream.read_exact(&mut head)?;
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                stream.read_exact(&mut vec![0; length as usize])?;
            }
            stream.write_all(&frame)?;
            // Hold the line until the client leaves, in whatever way.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
            Ok(())
        });
        let reply = delete_over_tls(address, LOOPBACK).await;
        server.await.unwrap().unwrap();
        if is_stale {
            assert!(matches!(reply.answer, Answer::ConnectionClosed { unprocessed: true, .. }), "{reply:?}");
        } else {
            assert!(no_answer_text(&reply).contains("stream error"), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn a_handshake_that_is_cut_off_may_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
    };
    let (reply, ()) = tokio::join!(delete_over_tls(address, STRANGER), server);
    assert!(!no_answer_text(&reply).is_empty());
}
