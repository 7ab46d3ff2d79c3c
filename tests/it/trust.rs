//! A server whose certificate nobody vouches for gets no request, and the user is told so, not that the token or the
//! namespace is wrong.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::lab::{Kvsweep, Lab, wait_until};

/// Serves TLS for as long as the test runs; counts connections, and those on which a request came.
fn stranger() -> (SocketAddr, Arc<[AtomicUsize; 2]>) {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("../../src/api/testdata/loopback.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../src/api/testdata/loopback.key.pem"));
    let config = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("a certificate")], key.expect("its key"))
        .expect("a certificate with its key");
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let address = listener.local_addr().expect("an address");
    let counts = Arc::<[AtomicUsize; 2]>::default();
    let counted = Arc::clone(&counts);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
            let heard = StreamOwned::new(connection, stream).read(&mut [0; 1]);
            counted[0].fetch_add(1, Ordering::SeqCst);
            counted[1].fetch_add(heard.unwrap_or_default(), Ordering::SeqCst);
        }
    });
    (address, counts)
}

#[test]
fn a_certificate_that_is_not_trusted_is_named_and_ends_with_7() {
    let lab = Lab::new();
    lab.keys(1);
    // There has to be something that is trusted.
    let trusted = lab.write("trusted.pem", include_bytes!("../../src/api/testdata/stranger.pem"));
    let (address, counts) = stranger();
    let base_url = format!("https://{address}/client/v4");
    let run = |args: &[&str]| -> Kvsweep {
        lab.kvsweep(args).env("CLOUDFLARE_API_BASE_URL", &base_url).env("SSL_CERT_FILE", &trusted)
    };
    for args in [
        &["delete", "keys.txt", "--yes", "--report", "none"][..],
        &["delete", "keys.txt", "--yes", "--report", "none", "--namespace", "sessions"],
        &["list"],
        &["namespaces"],
        &["whoami"],
    ] {
        let done = run(args).run().code(7);
        assert!(done.stderr.contains("certificate"), "{args:?}: {}", done.stderr);
        assert!(!done.stderr.contains("Invalid API Token") && !done.stderr.contains("a user's"), "{}", done.stderr);
        assert!(!done.stderr.contains("CLOUDFLARE_API_TOKEN"), "{args:?}: {}", done.stderr);
        assert!(!format!("{}{}", done.stdout, done.stderr).contains("next: "), "{args:?}: {}", done.stdout);
    }
    wait_until("every connection was heard to its end", || counts[0].load(Ordering::SeqCst) >= 5);
    assert_eq!(counts[1].load(Ordering::SeqCst), 0, "a request came");
}
