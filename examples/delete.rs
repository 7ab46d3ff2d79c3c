//! Deletes the keys that are given on the command line, 1,000 per request:
//!
//! ```sh
//! cargo run --example delete -- session:1 session:2
//! ```
//!
//! Expects `CLOUDFLARE_API_TOKEN`, `CLOUDFLARE_ACCOUNT_ID` and `CLOUDFLARE_KV_NAMESPACE_ID`.

#![expect(clippy::print_stdout, reason = "that is what the example is for")]

use std::env;
use std::num::NonZeroU32;
use std::pin::pin;

use futures::{StreamExt, stream};
use kvsweep::api::{BaseUrl, Client, ClientOptions, Credentials};
use kvsweep::{Deleter, KeyName};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = env::args().skip(1).map(KeyName::new).collect::<Result<Vec<_>, _>>()?;
    let credentials = Credentials::token(&env::var("CLOUDFLARE_API_TOKEN")?)?;
    let (account, namespace) = (env::var("CLOUDFLARE_ACCOUNT_ID")?, env::var("CLOUDFLARE_KV_NAMESPACE_ID")?);
    let options = ClientOptions::new(BaseUrl::CLOUDFLARE.parse()?, credentials, account.parse()?, namespace.parse()?);
    let deleter = Deleter::new(Client::new(options)?).bulk(NonZeroU32::new(1_000).ok_or("no keys per request")?);
    let mut outcomes = pin!(deleter.run(stream::iter(keys)));
    while let Some(outcome) = outcomes.next().await {
        let outcome = outcome?;
        println!("{:?} {}", outcome.key, outcome.status);
    }
    Ok(())
}
