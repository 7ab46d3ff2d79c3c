//! Over TLS, the binary speaks only to whom it trusts.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::lab::{Lab, TOKEN, wait_until};

pub(super) const LOOPBACK: &[u8] = include_bytes!("../../src/api/testdata/loopback.pem");
pub(super) const LOOPBACK_KEY: &[u8] = include_bytes!("../../src/api/testdata/loopback.key.pem");
pub(super) const STRANGER: &[u8] = include_bytes!("../../src/api/testdata/stranger.pem");

/// Serves for both calls of a job: the namespace, and a delete.
const DONE: &str =
    r#"{"success":true,"result":{"id":"fedcba9876543210fedcba9876543210","title":"t","supports_url_encoding":true}}"#;

fn config(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Arc<rustls::ServerConfig> {
    let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate with its key");
    Arc::new(config)
}

fn loopback() -> Arc<rustls::ServerConfig> {
    let certificate = CertificateDer::from_pem_slice(LOOPBACK).expect("a certificate");
    config(certificate, PrivateKeyDer::from_pem_slice(LOOPBACK_KEY).expect("a key"))
}

/// Another certificate for the same address, which nobody trusts.
fn untrusted() -> Arc<rustls::ServerConfig> {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).expect("a key");
    config(signed.cert.der().clone(), key)
}

/// Headers of a server that keeps its connections, and of one that closes each after a response.
const KEEP_ALIVE: &str = "";
const CLOSE: &str = "connection: close\r\n";

/// A server with a certificate that nobody signed, and how many requests it could read.
pub(super) fn serve() -> (SocketAddr, Arc<AtomicUsize>) {
    let config = loopback();
    serve_with(KEEP_ALIVE, move |_| Arc::clone(&config))
}

/// A server whose nth connection has a certificate of its own.
fn serve_with(
    headers: &'static str,
    config: impl Fn(usize) -> Arc<rustls::ServerConfig> + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    std::thread::spawn(move || {
        for (nth, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let (config, count) = (config(nth), Arc::clone(&count));
            std::thread::spawn(move || {
                let connection = rustls::ServerConnection::new(config).expect("a connection");
                answer(rustls::StreamOwned::new(connection, stream), headers, &count)
            });
        }
    });
    (address, requests)
}

/// Answers until the client leaves, which one that trusts nobody does at once.
fn answer(mut stream: impl Read + Write, headers: &str, count: &AtomicUsize) -> Result<(), ErrorKind> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).map_err(|error| error.kind())?;
            head.push(byte[0]);
        }
        count.fetch_add(1, Ordering::SeqCst);
        let length = DONE.len();
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {length}\r\n\r\n{DONE}");
        stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).map_err(|error| error.kind())?;
        if headers == CLOSE {
            return Ok(());
        }
    }
}

#[test]
fn a_server_with_an_untrusted_certificate_gets_no_request_until_cacert_names_it() {
    let (address, requests) = serve();
    let lab = Lab::new();
    lab.write("keys.txt", "a\nb\n");
    lab.write("loopback.pem", LOOPBACK);
    lab.write("stranger.pem", STRANGER);
    let job = |report| {
        let job = lab.delete(["keys.txt", "--report", report]).env("SSL_CERT_FILE", lab.path("stranger.pem"));
        job.env("CLOUDFLARE_API_BASE_URL", format!("https://{address}/client/v4"))
    };

    let done = job("refused.csv").run().code(7);
    assert!(done.stderr.contains("is not trusted"), "{}", done.stderr);
    assert!(done.stderr.contains("--cacert"), "{}", done.stderr);
    assert!(!done.stderr.contains(TOKEN), "{}", done.stderr);
    assert_eq!(requests.load(Ordering::SeqCst), 0);

    job("deleted.csv").args(["--cacert", "loopback.pem"]).run().code(0);
    // The namespace, and the two keys.
    assert_eq!(requests.load(Ordering::SeqCst), 3);
    assert!(lab.rows("deleted.csv").iter().all(|row| row.status == "deleted"));
}

/// What a person is told then is about the certificate, not about tokens and ids.
#[test]
fn no_advice_about_credentials_or_ids_follows_an_untrusted_certificate() {
    let (address, requests) = serve();
    let lab = Lab::new();
    lab.keys(1);
    lab.write("stranger.pem", STRANGER);
    for args in [
        &["delete", "keys.txt", "--yes", "--report", "none"][..],
        &["delete", "keys.txt", "--yes", "--report", "none", "--namespace", "sessions"],
        &["list"],
        &["namespaces"],
        &["whoami"],
    ] {
        let run = lab.kvsweep(args).env("SSL_CERT_FILE", lab.path("stranger.pem"));
        let done = run.env("CLOUDFLARE_API_BASE_URL", format!("https://{address}/client/v4")).run().code(7);
        assert!(done.stderr.contains("is not trusted"), "{args:?}: {}", done.stderr);
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(!said.contains("next: ") && !said.contains("a user's"), "{args:?}: {said}");
    }
    assert_eq!(requests.load(Ordering::SeqCst), 0);
}

#[test]
fn a_certificate_that_becomes_untrusted_in_the_middle_of_a_job_is_an_outage() {
    let (trusted, untrusted) = (loopback(), untrusted());
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let (address, requests) = serve_with(CLOSE, move |nth| {
        Arc::clone(if nth < 30 || over.load(Ordering::SeqCst) { &trusted } else { &untrusted })
    });
    let lab = Lab::new();
    let keys = lab.keys(100);
    lab.write("loopback.pem", LOOPBACK);
    let job = lab.delete(["keys.txt", "--report", "report.csv", "--concurrency", "4", "--cacert", "loopback.pem"]);
    let running = lab.start("run", job.env("CLOUDFLARE_API_BASE_URL", format!("https://{address}/client/v4")));
    wait_until("the job notices the outage", || running.stderr().contains("unreachable"));
    is_over.store(true, Ordering::SeqCst);
    let done = running.done().code(0);
    let rows = lab.rows("report.csv");
    assert_eq!(rows.len(), keys.len());
    assert!(rows.iter().all(|row| row.status == "deleted"), "{}", done.stderr);
    assert_eq!(requests.load(Ordering::SeqCst), 101, "none was sent to a server that is not trusted");
}
