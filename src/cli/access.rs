//! Which account and namespace are meant, and who asks.

use crate::api::{BaseUrl, Credentials};
use crate::command::{Access, Connection, Error, NamespaceRef};
use crate::key::AccountId;
use crate::terminal::Shown;
use crate::wrangler::{self, Bound, nearest};

use super::connection::{AccountArgs, ConnectionArgs};

pub(super) const NO_ACCOUNT: &str = "which account? give --account-id or CLOUDFLARE_ACCOUNT_ID";

/// The namespace that is meant, and the way to it; `hint` is said where something is missing.
pub(super) fn connection(args: ConnectionArgs, hint: &str) -> Result<Connection<NamespaceRef>, Error> {
    let missing = |what: &str| Error::Usage(format!("{what}{hint}"));
    let (named, namespace) = namespace(&args)?;
    let account = args.account.account_id.clone().or(named);
    let account = account.ok_or_else(|| missing(NO_ACCOUNT))?;
    let namespace = namespace.ok_or_else(|| {
        missing("which namespace? give --namespace-id, CLOUDFLARE_KV_NAMESPACE_ID, --namespace or --binding")
    })?;
    let Access { base_url, credentials, ca_file } = access(args.account, hint)?;
    Ok(Connection { base_url, credentials, account, namespace, ca_file })
}

/// The namespace as it was named, and the account that a wrangler file names with it.
pub(super) fn namespace(args: &ConnectionArgs) -> Result<(Option<AccountId>, Option<NamespaceRef>), Error> {
    if let Some(binding) = &args.binding {
        let bound = bound(binding, args.environment.as_deref())?;
        return Ok((bound.account, Some(NamespaceRef::Id(bound.namespace))));
    }
    let title = args.namespace.clone().map(NamespaceRef::Title);
    Ok((None, title.or_else(|| args.namespace_id.clone().map(NamespaceRef::Id))))
}

/// Where the API is, and who asks.
pub(super) fn access(args: AccountArgs, hint: &str) -> Result<Access, Error> {
    let base_url: BaseUrl =
        args.base_url.parse().map_err(|error| Error::Usage(format!("--base-url {:?}: {error}", args.base_url)))?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let credentials = match (args.api_token_file, variable("CLOUDFLARE_API_TOKEN")) {
        (Some(path), _) => Credentials::token_from_file(&path)?,
        (None, Some(token)) => Credentials::token(&token)?,
        (None, None) => match (variable("CLOUDFLARE_EMAIL"), variable("CLOUDFLARE_API_KEY")) {
            (Some(email), Some(key)) => Credentials::global_key(&email, &key)?,
            _ => {
                return Err(Error::Usage(format!(
                    "no credentials: set CLOUDFLARE_API_TOKEN (an API token with Workers KV Storage: Edit), or give \
                     --api-token-file{hint}"
                )));
            }
        },
    };
    Ok(Access { base_url, credentials, ca_file: args.cacert })
}

/// What the nearest wrangler file says of a binding.
fn bound(binding: &str, environment: Option<&str>) -> Result<Bound, Error> {
    let here = std::env::current_dir();
    let here = here.map_err(|error| Error::Usage(format!("--binding: the current folder cannot be had: {error}")))?;
    let file = nearest(&here).map_err(|error| Error::Usage(format!("--binding: {error}")))?;
    let bound = wrangler::bound(&file, binding, environment);
    let bound =
        bound.map_err(|error| Error::Usage(format!("--binding: {}: {error}", Shown(&file.to_string_lossy()))))?;
    tracing::info!("{} binds {binding:?} to namespace {}", Shown(&file.to_string_lossy()), bound.namespace);
    Ok(bound)
}
