//! Which account, which namespace, and who asks.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, Error, ValueHint};

use super::profile::ProfileArgs;
use crate::key::{AccountId, NamespaceId};

/// Which account, and who asks; for every command that sends.
///
/// The id is optional here, because a dry run and a rehearsal need none.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct AccountArgs {
    /// Use the account with this id
    ///
    /// The default is the only account that the token can access.
    #[arg(long, value_name = "ID", env = "CLOUDFLARE_ACCOUNT_ID")]
    pub account_id: Option<AccountId>,

    /// Read the API token from a file
    ///
    /// Overrides `CLOUDFLARE_API_TOKEN`. Not stdin, which is for keys.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_API_TOKEN_FILE", value_hint = ValueHint::FilePath)]
    #[arg(hide_short_help = true)]
    pub api_token_file: Option<PathBuf>,

    /// Use what CMD prints as the API token
    ///
    /// For example `wrangler auth token` or `op read op://vault/cloudflare/token`. CMD is split into words as a shell does and
    /// run without a shell: once at start, and once more for each token that the API refuses with 401. Overrides
    /// `CLOUDFLARE_API_TOKEN`.
    #[arg(long, value_name = "CMD", env = "KVSWEEP_API_TOKEN_COMMAND", value_hint = ValueHint::CommandString)]
    #[arg(hide_short_help = true)]
    pub api_token_command: Option<String>,

    /// Send requests to this API
    ///
    /// https, or http to this machine. `CLOUDFLARE_BASE_URL` is used if `CLOUDFLARE_API_BASE_URL` is not set.
    #[arg(long, value_name = "URL", env = "CLOUDFLARE_API_BASE_URL", value_hint = ValueHint::Url)]
    #[arg(default_value = "https://api.cloudflare.com/client/v4", value_parser = NonEmptyStringValueParser::new())]
    #[arg(hide_short_help = true)]
    pub base_url: String,

    /// Trust the certificates in this PEM file as well
    ///
    /// In addition to the system's; `SSL_CERT_FILE` replaces those.
    #[arg(long, value_name = "PATH", env = "KVSWEEP_CACERT", value_hint = ValueHint::FilePath)]
    #[arg(hide_short_help = true)]
    pub cacert: Option<PathBuf>,

    #[command(flatten)]
    refused: RefusedSecret,

    #[command(flatten)]
    pub profile: ProfileArgs,
}

/// Which namespace, and who asks.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ConnectionArgs {
    /// Use the namespace with this id
    ///
    /// `kvsweep namespaces` shows it.
    #[arg(long, value_name = "ID", env = "CLOUDFLARE_KV_NAMESPACE_ID")]
    pub namespace_id: Option<NamespaceId>,

    /// Use the namespace with this exact title
    ///
    /// Looks its id up in the account first. Overrides `CLOUDFLARE_KV_NAMESPACE_ID`.
    #[arg(long, value_name = "TITLE", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub namespace: Option<String>,

    /// Use the namespace of a binding in the nearest wrangler file
    ///
    /// Reads `wrangler.json`, `wrangler.jsonc` or `wrangler.toml` of this folder, or of the nearest folder above it; its
    /// `account_id` is used unless one is given. A binding without an `id` is looked up in the deployed Worker. Overrides
    /// `CLOUDFLARE_KV_NAMESPACE_ID`.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), hide_short_help = true)]
    pub binding: Option<String>,

    /// Look --binding up in this environment of the wrangler file
    ///
    /// The default is the top level. As in wrangler, environments do not inherit bindings.
    #[arg(long = "env", value_name = "NAME", env = "CLOUDFLARE_ENV", hide_short_help = true)]
    pub environment: Option<String>,

    /// Use the `preview_id` of --binding
    #[arg(long, hide_short_help = true)]
    pub preview: bool,

    #[command(flatten)]
    pub account: AccountArgs,
}

/// The flag of a secret, which is refused, and its other names.
pub(super) const SECRET: &str = "api-token";
pub(super) const OTHER_SECRETS: [&str; 3] = ["token", "api-key", "key"];

/// Flags that people try, and that must not be: a secret on a command line is seen by `ps` and kept by the shell. They are
/// hidden, and always an error that says what to do instead and never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
struct RefusedSecret {
    /// Refused.
    #[arg(long = SECRET, aliases = OTHER_SECRETS, hide = true, num_args = 0..=1, require_equals = false)]
    #[arg(default_missing_value = "", value_parser = Refuse)]
    api_token: Option<Never>,
}

/// No value is ever made.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Never {}

/// Refuses every value.
#[derive(Clone)]
struct Refuse;

impl TypedValueParser for Refuse {
    type Value = Never;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, _: &OsStr) -> Result<Never, Error> {
        let message = "no flag takes a secret, because others can read a command line\n\n  \
            tip: set CLOUDFLARE_API_TOKEN (or CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY), or pass --api-token-file PATH\n";
        Err(Error::raw(ErrorKind::UnknownArgument, message).with_cmd(command))
    }
}
