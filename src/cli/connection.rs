//! Which namespace, and who asks.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};

use super::secret::RefusedSecret;
use crate::key::{AccountId, NamespaceId};

/// Which namespace, and who asks.
///
/// The ids are optional here, because a dry run and a rehearsal need none.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ConnectionArgs {
    /// The account that owns the namespace
    ///
    /// Not needed with --dry-run and --sandbox.
    #[arg(long, value_name = "ID", env = "CLOUDFLARE_ACCOUNT_ID")]
    pub account_id: Option<AccountId>,

    /// The namespace to delete from
    ///
    /// Its id, not its title: `wrangler kv namespace list` shows it. Not needed with --dry-run and --sandbox.
    #[arg(long, value_name = "ID", env = "CLOUDFLARE_KV_NAMESPACE_ID")]
    pub namespace_id: Option<NamespaceId>,

    /// Read the API token from a file
    ///
    /// Wins over `CLOUDFLARE_API_TOKEN`. Never stdin: that is for keys.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_API_TOKEN_FILE", value_hint = ValueHint::FilePath)]
    #[arg(hide_short_help = true)]
    pub api_token_file: Option<PathBuf>,

    /// Where the API is
    ///
    /// https, or http to this machine. `CLOUDFLARE_BASE_URL` is taken where
    /// `CLOUDFLARE_API_BASE_URL` is not set.
    #[arg(long, value_name = "URL", env = "CLOUDFLARE_API_BASE_URL", value_hint = ValueHint::Url)]
    #[arg(default_value = "https://api.cloudflare.com/client/v4", value_parser = NonEmptyStringValueParser::new())]
    #[arg(hide_short_help = true)]
    pub base_url: String,

    /// Trust the certificates in this PEM file too
    ///
    /// Beside the system's; `SSL_CERT_FILE` replaces those.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_CACERT", value_hint = ValueHint::FilePath)]
    #[arg(hide_short_help = true)]
    pub cacert: Option<PathBuf>,

    #[command(flatten)]
    refused: RefusedSecret,
}
