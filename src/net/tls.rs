//! Whom the connection trusts: the system's certificates, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`, and those
//! of the user's own file.

use std::error::Error as StdError;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, ClientBuilder};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

use super::{Peer, causes, error_chain};

/// The largest file of certificates that is read, in bytes; the system's own has about 220 KB.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Why no secure connection can be made.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The user's file could not be read.
    #[error("cannot read the certificates in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No certificate in it, or a broken one.
    #[error("{} contains no usable certificate: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The machine has none, as small containers have not.
    #[error(
        "this machine has no CA certificates, so no server can be trusted\nhint: install the package ca-certificates, or \
         name a PEM file with --cacert or SSL_CERT_FILE"
    )]
    NoRoots,
}

/// Says which certificates are trusted. For plain `http` none are loaded: it takes time, and a machine without any
/// can still talk to itself.
pub(crate) fn trust(builder: ClientBuilder, peer: &Peer, ca_file: Option<&Path>) -> Result<ClientBuilder, TrustError> {
    // Fails where somebody in the process did it before, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let own = ca_file.map(certificates).transpose()?.unwrap_or_default();
    Ok(if peer.is_plain { builder.tls_certs_only(own) } else { builder.tls_certs_merge(own).https_only(true) })
}

/// Whether a client could not be built for want of certificates.
pub(crate) fn is_without_roots(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| {
        // rustls-platform-verifier has no type for it.
        matches!(cause.downcast_ref(), Some(rustls::Error::General(text)) if text.starts_with("No CA certificates"))
    })
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, TrustError> {
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut pem))
        .map_err(|source| TrustError::Read { path: path.to_owned(), source })?;
    let unusable = |reason: String| TrustError::Content { path: path.to_owned(), reason };
    if pem.len() as u64 > MAX_FILE {
        return Err(unusable(format!("it is larger than {} MiB", MAX_FILE / 1024 / 1024)));
    }
    let mut roots = RootCertStore::empty();
    let mut found = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
        let number = index + 1;
        let certificate = certificate.map_err(|error| unusable(format!("certificate {number}: {error}")))?;
        // Only to find a broken one while it is known where it came from.
        let checked = roots.add(certificate.clone());
        checked.map_err(|error| unusable(format!("certificate {number}: {error}")))?;
        found.push(Certificate::from_der(&certificate).map_err(|error| unusable(error_chain(&error)))?);
    }
    if found.is_empty() {
        return Err(unusable("it has no PEM block (-----BEGIN CERTIFICATE-----)".to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BaseUrl;

    fn attempt(base: &str, ca_file: Option<&Path>) -> Result<ClientBuilder, TrustError> {
        trust(reqwest::Client::builder(), base.parse::<BaseUrl>().unwrap().peer(), ca_file)
    }

    #[test]
    fn a_file_of_certificates_is_read_or_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let pem = include_str!("../api/testdata/loopback.pem");
        let outcome = |base: &str, content: &str| {
            std::fs::write(&path, content).unwrap();
            match attempt(base, Some(&path)) {
                Ok(builder) => builder.build().map(|_| "built".to_owned()).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        };
        for base in ["https://api.example", "http://127.0.0.1"] {
            assert_eq!(outcome(base, pem), Ok("built".into()));
            assert_eq!(outcome(base, &format!("a note\n{pem}{pem}")), Ok("built".into()));
            for bad in [
                "",
                "not a certificate",
                "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                pem.trim_end().trim_end_matches('-'),
            ] {
                let error = outcome(base, bad).unwrap_err();
                assert!(error.contains("ca.pem") && error.contains("no usable certificate"), "{error}");
            }
        }
        let missing = attempt("https://api.example", Some(&folder.path().join("none.pem"))).unwrap_err();
        assert!(matches!(missing, TrustError::Read { .. }) && missing.to_string().contains("none.pem"));
    }

    /// The roots come from the environment, so the question is asked in a process of its own.
    #[test]
    fn a_machine_without_certificates_is_told_what_to_do() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "net::tls::tests::without_roots"])
            .env("SSL_CERT_FILE", "/nonexistent/ca.pem")
            .env_remove("SSL_CERT_DIR")
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && shown.contains("1 passed"), "{shown}");
    }

    #[test]
    #[ignore = "run by a_machine_without_certificates_is_told_what_to_do, with an empty environment"]
    fn without_roots() {
        let error = attempt("https://api.example", None).unwrap().build().unwrap_err();
        assert!(is_without_roots(&error), "{error:?}");
        assert!(attempt("http://127.0.0.1:1", None).unwrap().build().is_ok());
    }
}
