//! The job with the `cloudflare` crate, 64 at once: peer-rust KEYS.csv

use std::env::var;
use std::error::Error;

use cloudflare::endpoints::workerskv::delete_key::DeleteKey;
use cloudflare::framework::Environment;
use cloudflare::framework::auth::Credentials;
use cloudflare::framework::client::ClientConfig;
use cloudflare::framework::client::async_api::Client;
use cloudflare::framework::response::ApiFailure;
use futures::{StreamExt, TryStreamExt, stream};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: peer-rust KEYS.csv")?;
    let (account, namespace) = (var("CLOUDFLARE_ACCOUNT_ID")?, var("CLOUDFLARE_KV_NAMESPACE_ID")?);
    // Paths are joined to the base: without its last slash they would take the place of `v4`.
    let base = format!("{}/", var("CLOUDFLARE_API_BASE_URL")?.trim_end_matches('/'));
    let client = Client::new(
        Credentials::UserAuthToken { token: var("CLOUDFLARE_API_TOKEN")? },
        ClientConfig::default(),
        Environment::Custom(base),
    )?;
    let (account, namespace, client) = (&account, &namespace, &client);
    stream::iter(csv::Reader::from_path(path)?.into_records())
        .map(|row| async move {
            let row = row?;
            let key = row.get(0).ok_or("a row without a key")?;
            // The crate percent-encodes the key.
            let call = DeleteKey { account_identifier: account, namespace_identifier: namespace, key };
            match client.request(&call).await {
                Ok(_) => Ok(()),
                Err(failure) if is_only_unread(&failure) => Ok(()),
                Err(failure) => Err(Box::<dyn Error>::from(failure)),
            }
        })
        .buffer_unordered(64)
        .try_collect()
        .await
}

/// Whether the answer was 2xx and came whole, but the crate could not read it: it takes `"result": null` only, and the
/// API's documentation has `{}`.
fn is_only_unread(failure: &ApiFailure) -> bool {
    matches!(failure, ApiFailure::Invalid(error) if error.source().is_some_and(|cause| cause.is::<serde_json::Error>()))
}
