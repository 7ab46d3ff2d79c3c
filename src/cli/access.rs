//! Which account and namespace are meant, and who asks.
//!
//! What is missing or cannot be used is collected, so that one run names all of it: [`Problems`].

use std::fmt;

use crate::api::{Access, BaseUrl, Credentials, CredentialsError, TokenCommand};
use crate::command::{Error, HINT, NamedConnection, NamespaceRef, TargetIds, UsageError, split_hints};
use crate::key::AccountId;
use crate::terminal::{Escaped, Quoted};
use crate::wrangler::{self, Bound, BoundNamespace, Lookup, nearest};

use super::Command;
use super::connection::{AccountArgs, ConnectionArgs};
use super::environment::credential;

/// Everything that is missing or cannot be used, and what to do about it.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: Vec<String>,
    hints: Vec<String>,
    /// Whether a setting was not given at all.
    is_missing: bool,
    /// Run once nothing else is wrong: it may ask somebody to unlock a vault.
    token_command: Option<TokenCommand>,
}

impl Problems {
    /// Adds a setting that was not given, and how to give it.
    pub(super) fn missing(&mut self, what: &str, hint: &str) {
        self.found.push(what.to_owned());
        self.hints.push(hint.to_owned());
        self.is_missing = true;
    }

    /// The value, or `None` and one problem more.
    pub(super) fn take<T>(&mut self, result: Result<T, impl fmt::Display>) -> Option<T> {
        result.map_err(|error| self.add(&error)).ok()
    }

    fn add(&mut self, error: &impl fmt::Display) {
        let text = error.to_string();
        let (what, hints) = split_hints(&text);
        self.found.push(what.to_owned());
        self.hints.extend(hints.split(HINT).skip(1).map(str::to_owned));
    }

    /// Adds what helps against any missing setting.
    pub(super) fn hint(&mut self, hint: &str) {
        if self.is_missing && !hint.is_empty() {
            self.hints.push(hint.to_owned());
        }
    }

    /// The account, if it was named. One problem more if it was not, and there is nobody who can be asked for the only one.
    fn account(&mut self, account: Option<AccountId>, access: Option<&Access>) -> Option<AccountId> {
        if account.is_none() && access.is_none() {
            let hint =
                "pass --account-id ID, or set CLOUDFLARE_ACCOUNT_ID (not needed if the token can access one account)";
            self.missing("no account", hint);
        }
        account
    }

    /// One error for all of them, if there are any; otherwise the token's command is run, if there is one.
    pub(super) fn check(mut self) -> Result<(), UsageError> {
        if self.found.is_empty()
            && let Some(command) = self.token_command.take()
            && let Err(error) = command.start().map_err(CredentialsError::from)
        {
            self.add(&error);
            self.hints.push("run the command in a shell: it has to print the API token and nothing else".to_owned());
        }
        if self.found.is_empty() { Ok(()) } else { Err(UsageError::Settings(self.to_string())) }
    }

    /// The problems alone, on one line.
    pub(super) fn line(&self) -> Option<String> {
        (!self.found.is_empty()).then(|| self.found.join("; "))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.found.join("; "))?;
        self.hints.iter().try_for_each(|hint| write!(f, "{HINT}{hint}"))
    }
}

/// The namespace that is meant, and the way to it.
pub(super) fn connection(args: &ConnectionArgs, problems: &mut Problems) -> Option<NamedConnection> {
    let access = access(&args.account, problems);
    let (named, namespace) = problems.take(namespace(args))?;
    let account = problems.account(args.account.account_id.clone().or(named), access.as_ref());
    if namespace.is_none() {
        problems.missing(
            "no namespace",
            "pass --namespace-id ID, --namespace TITLE or --binding NAME, or set CLOUDFLARE_KV_NAMESPACE_ID",
        );
    }
    Some(NamedConnection { access: access?, account, namespace: namespace? })
}

/// The account that is meant, and the way to it.
pub(super) fn account(args: &AccountArgs, problems: &mut Problems) -> Option<(Access, Option<AccountId>)> {
    let access = access(args, problems);
    let account = problems.account(args.account_id.clone(), access.as_ref());
    Some((access?, account))
}

/// What a job is about: where it connects, or what is named if it does not.
pub(super) fn target(args: &ConnectionArgs, connection: Option<&NamedConnection>) -> Option<TargetIds> {
    if let Some(NamedConnection { access, account, namespace }) = connection {
        let (base_url, account) = (access.base_url.clone(), account.clone());
        return Some(TargetIds { base_url, account, namespace: Some(namespace.clone()) });
    }
    let found = namespace(args).map_err(|error| tracing::warn!("{}", Error::from(error).error_chain()));
    let (named, namespace) = found.unwrap_or_default();
    let account = args.account.account_id.clone().or(named);
    Some(TargetIds { base_url: args.account.base_url.parse().ok()?, account, namespace })
}

/// The namespace as it was named, and the account that a wrangler file names with it.
pub(super) fn namespace(args: &ConnectionArgs) -> Result<(Option<AccountId>, Option<NamespaceRef>), UsageError> {
    if let Some(binding) = &args.binding {
        let lookup = Lookup { binding, environment: args.environment.as_deref(), preview: args.preview };
        let bound = bound(lookup)?;
        let namespace = match bound.namespace {
            BoundNamespace::Id(id) => NamespaceRef::Id(id),
            BoundNamespace::OfWorker(worker) => NamespaceRef::Binding { worker, binding: binding.clone() },
        };
        return Ok((bound.account, Some(namespace)));
    }
    let title = args.namespace.clone().map(NamespaceRef::Title);
    Ok((None, title.or_else(|| args.namespace_id.clone().map(NamespaceRef::Id))))
}

/// Where the API is, and who asks.
pub(super) fn access(args: &AccountArgs, problems: &mut Problems) -> Option<Access> {
    let base_url = args
        .base_url
        .parse::<BaseUrl>()
        .map_err(|error| format!("{error}{HINT}fix --base-url, CLOUDFLARE_API_BASE_URL or CLOUDFLARE_BASE_URL"));
    let base_url = problems.take(base_url);
    let key = (credential("CLOUDFLARE_EMAIL"), credential("CLOUDFLARE_API_KEY"));
    let credentials = match (&args.api_token_file, &args.api_token_command, credential("CLOUDFLARE_API_TOKEN"), key) {
        (Some(path), ..) => problems.take(Credentials::token_from_file(path)),
        (None, Some(command), ..) => problems.take(Credentials::command(command)),
        (None, None, Some(token), _) => problems.take(Credentials::token(&token)),
        (None, None, None, (Some(email), Some(key))) => problems.take(Credentials::global_key(&email, &key)),
        (None, None, None, (email, key)) => {
            let what = match (email, key) {
                (Some(_), None) => "no API token (CLOUDFLARE_EMAIL is set, CLOUDFLARE_API_KEY is not)",
                (None, Some(_)) => "no API token (CLOUDFLARE_API_KEY is set, CLOUDFLARE_EMAIL is not)",
                _ => "no API token",
            };
            let hint = "set CLOUDFLARE_API_TOKEN, or pass --api-token-file PATH or --api-token-command 'wrangler auth token' \
                        (it needs the permission Workers KV Storage: Edit)";
            problems.missing(what, hint);
            None
        }
    };
    if let Some(Credentials::Command(command)) = &credentials {
        problems.token_command = Some(command.clone());
    }
    Some(Access { base_url: base_url?, credentials: credentials?, ca_file: args.cacert.clone() })
}

/// What the nearest wrangler file says of a binding.
fn bound(lookup: Lookup<'_>) -> Result<Bound, UsageError> {
    let here = std::env::current_dir().map_err(UsageError::BindingFolder)?;
    let file = nearest(&here).map_err(|error| UsageError::NoWranglerFile(error.into()))?;
    let bound = wrangler::bound(&file, lookup).map_err(|error| {
        let program = file.parent().and_then(wrangler::program_beside);
        UsageError::Binding { file: file.clone(), source: error.into(), program }
    })?;
    let shown = file.to_string_lossy();
    match &bound.namespace {
        BoundNamespace::Id(id) => {
            tracing::info!("{} binds {} to namespace {id}", Escaped(&shown), Quoted(lookup.binding));
        }
        BoundNamespace::OfWorker(worker) => {
            tracing::info!(
                "{} has no id for {}: asking for that of the Worker {worker}",
                Escaped(&shown),
                Quoted(lookup.binding)
            );
        }
    }
    Ok(bound)
}

/// What is missing of what a command needs besides its profile, on one line.
pub(super) fn missing(command: &Command) -> Option<String> {
    let mut problems = Problems::default();
    match command {
        Command::Delete(args) if args.needs_connection() => drop(connection(&args.connection, &mut problems)),
        Command::List(args) => drop(connection(&args.connection, &mut problems)),
        Command::Restore(args) if !args.dry_run => drop(connection(&args.connection, &mut problems)),
        Command::Namespaces(args) => drop(account(&args.account, &mut problems)),
        Command::Whoami(args) => drop(access(&args.connection.account, &mut problems)),
        _ => {}
    }
    problems.line()
}
