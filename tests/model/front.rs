//! TLS in front of the server, as Cloudflare has it: over HTTP/1.1 or HTTP/2, with connections that end, and with a
//! certificate that nobody trusts for a while.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// The certificate that `--cacert` names.
pub(crate) const CERTIFICATE: &[u8] = include_bytes!("../../src/api/testdata/loopback.pem");
const KEY: &[u8] = include_bytes!("../../src/api/testdata/loopback.key.pem");

#[derive(Debug, Clone, Copy)]
pub(crate) struct Tls {
    pub(crate) http2: bool,
    /// So many connections after the first one have a certificate that is not trusted.
    pub(crate) untrusted: u32,
    /// A connection is closed after so many bytes of responses.
    pub(crate) lifetime: Option<u64>,
}

pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    /// Ends its connections when it is dropped.
    _runtime: Runtime,
}

fn config(tls: Tls, certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    config.alpn_protocols = vec![if tls.http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    TlsAcceptor::from(Arc::new(config))
}

fn trusted(tls: Tls) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate");
    config(tls, certificate, PrivateKeyDer::from_pem_slice(KEY).expect("a key"))
}

fn untrusted(tls: Tls) -> TlsAcceptor {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("a key");
    config(tls, signed.cert.der().clone(), key)
}

impl Front {
    pub(crate) fn start(tls: Tls, server: SocketAddr) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port on loopback");
        let address = listener.local_addr().expect("its address");
        let (trusted, untrusted) = (trusted(tls), untrusted(tls));
        runtime.spawn(async move {
            let mut accepted = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let is_untrusted = (1..=tls.untrusted).contains(&accepted);
                let acceptor = if is_untrusted { untrusted.clone() } else { trusted.clone() };
                accepted += 1;
                tokio::spawn(relay(acceptor, stream, server, tls.lifetime.unwrap_or(u64::MAX)));
            }
        });
        Self { address, _runtime: runtime }
    }
}

/// Passes bytes on until one side closes, or so many came from the server.
async fn relay(acceptor: TlsAcceptor, stream: TcpStream, server: SocketAddr, lifetime: u64) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut from_client, mut to_client) = tokio::io::split(acceptor.accept(stream).await?);
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let (from_server, mut to_server) = server.into_split();
    let mut from_server = from_server.take(lifetime);
    tokio::select! {
        ended = copy(&mut from_client, &mut to_server) => ended,
        ended = copy(&mut from_server, &mut to_client) => ended,
    }?;
    to_client.shutdown().await
}
