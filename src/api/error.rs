//! Why no client can be made.

#![warn(missing_docs)]

use thiserror::Error;

use crate::api::auth::CredentialsError;
use crate::api::url::UrlMismatch;
use crate::net::ConnectError;

/// Why a client cannot be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The secrets cannot be sent.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The namespace's own URL would not be what was written.
    #[error("the URL of the namespace cannot be used: {0}")]
    Url(#[from] UrlMismatch),
    /// No connection can be set up.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}
