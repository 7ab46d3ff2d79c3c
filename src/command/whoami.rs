//! What the credentials are and what they can access, as far as that can be seen without changing anything.

use std::io;

use serde::Serialize;

use crate::api::{Access, AccountClient, Credentials, Owner, Policy, TokenDetails, TokenStatus, User};
use crate::exit::ExitCode;
use crate::key::AccountId;
use crate::outcome::{Stop, StopReason};
use crate::pipeline::call::ApiCaller;
use crate::terminal::{Escaped, pluralized};

use super::connect;
use super::error::Error;
use super::job::{Connection, NamespaceRef};
use super::locate::{all, client as namespace_client, locate};
use super::session::{JobOptions, Session};
use super::summary::print_lines;

/// The permission to delete, as the API calls it.
const WRITE: &str = "Workers KV Storage Write";

/// Whose credentials, and what else is looked at.
#[derive(Debug)]
pub struct WhoamiJob {
    /// Who asks.
    pub access: Access,
    /// The account whose namespaces are listed, where one is named.
    pub account: Option<AccountId>,
    /// The namespace that is read, where one is named.
    pub namespace: Option<NamespaceRef>,
    /// Rates, retries, limits of time; whether what was found is one JSON object.
    pub options: JobOptions,
}

/// What was found so far.
#[derive(Debug, Default, Serialize)]
struct Found {
    /// `user_token`, `account_token` or `global_key`; `None` before it is known.
    credentials: Option<&'static str>,
    token: Option<Token>,
    user: Option<Member>,
    account: Option<Account>,
    namespace: Option<Namespace>,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct Token {
    id: String,
    status: String,
    expires_on: Option<String>,
    not_before: Option<String>,
    /// `None` where it may not read them, or the response does not say.
    name: Option<String>,
    policies: Option<Vec<Policy>>,
}

#[derive(Debug, Serialize)]
struct Member {
    id: String,
    email: Option<String>,
}

#[derive(Debug, Serialize)]
struct Account {
    id: String,
    namespaces: Option<usize>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Namespace {
    id: Option<String>,
    title: Option<String>,
    error: Option<String>,
}

/// Asks, and says what was found.
pub(super) fn run(job: &WhoamiJob) -> Result<ExitCode, Error> {
    let api = AccountClient::new(job.access.clone(), job.options.timeout)?;
    tracing::info!("checking the credentials at {}", job.access.base_url);
    let mut found = Found::default();
    let mut session = Session::new(&job.options)?;
    let looked = match session.run(async |caller| look(job, &api, caller, &mut found).await) {
        Ok(()) => Ok(()),
        Err(Error::Stopped(stop)) => Err(stop),
        Err(error) => return Err(error),
    };
    let code = match &looked {
        Err(stop) => ExitCode::for_stop(stop.reason, stop.signal),
        Ok(()) if found.is_refused() => ExitCode::Fatal,
        Ok(()) => ExitCode::Success,
    };
    found.exit_code = code.as_u8();
    let lines = if job.options.json {
        vec![serde_json::to_string(&found).map_err(io::Error::from).map_err(Error::system("write what was found"))?]
    } else {
        found.lines()
    };
    print_lines(lines).map_err(Error::system("write what was found"))?;
    if let Err(stop) = looked {
        tracing::error!("{}", Escaped(&stop.why));
    }
    Ok(code)
}

async fn look(job: &WhoamiJob, api: &AccountClient, caller: &mut ApiCaller, found: &mut Found) -> Result<(), Error> {
    match &job.access.credentials {
        Credentials::Token(_) | Credentials::Command(_) => token(job, api, caller, found).await?,
        Credentials::GlobalKey { .. } => {
            let User { id, email } = caller.call("the user", StopReason::Unauthorized, || api.user()).await?;
            found.credentials = Some("global_key");
            found.user = Some(Member { id, email });
        }
    }
    let Some(account) = &job.account else { return Ok(()) };
    let (namespaces, error) = match heard(all(caller, api, account).await)? {
        Ok(namespaces) => (Some(namespaces.len()), None),
        Err(error) => (None, Some(error)),
    };
    found.account = Some(Account { id: account.to_string(), namespaces, error });
    let Some(namespace) = &job.namespace else { return Ok(()) };
    let (access, account) = (job.access.clone(), account.clone());
    let connection = Connection { access, account, namespace: namespace.clone() };
    let named = match namespace {
        NamespaceRef::Id(id) => Namespace { id: Some(id.to_string()), title: None, error: None },
        NamespaceRef::Title(title) => Namespace { id: None, title: Some(title.clone()), error: None },
    };
    let connection = match locate(&connection, job.options.timeout, caller).await {
        Ok(connection) => connection,
        Err(Error::Stopped(stop)) => {
            let error = Some(refusal(stop)?);
            found.namespace = Some(Namespace { error, ..named });
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    found.namespace = Some(match read(job, &connection, caller).await? {
        Ok(seen) => seen,
        Err(error) => Namespace { error: Some(error), ..named },
    });
    Ok(())
}

/// Verifies the token as a user's and, where it is not known there, as the account's own; reads its policies where it
/// may.
async fn token(job: &WhoamiJob, api: &AccountClient, caller: &mut ApiCaller, found: &mut Found) -> Result<(), Stop> {
    let (owner, status) = match verified(api, Owner::User, caller).await? {
        Ok(verified) => verified,
        Err(refused) => {
            let Some(account) = &job.account else {
                let why = format!("{refused}; a token that an account owns is verified only with --account-id");
                return Err(Stop::new(StopReason::Unauthorized, why));
            };
            verified(api, Owner::Account(account.clone()), caller).await?.map_err(|other| {
                let why = format!("the API token is neither a user's ({refused}) nor the account's own ({other})");
                Stop::new(StopReason::Unauthorized, why)
            })?
        }
    };
    let what = "the token's policies";
    let details = caller.call(what, StopReason::Unauthorized, || api.token(&owner, &status.id)).await;
    let details = heard(details)?.ok();
    let TokenDetails { name, policies } = details.unwrap_or_default();
    found.credentials = Some(if owner == Owner::User { "user_token" } else { "account_token" });
    let TokenStatus { id, status, expires_on, not_before } = status;
    found.token = Some(Token { id: id.to_string(), status, expires_on, not_before, name, policies });
    Ok(())
}

async fn verified(
    api: &AccountClient,
    owner: Owner,
    caller: &mut ApiCaller,
) -> Result<Result<(Owner, TokenStatus), String>, Stop> {
    let status = caller.call("the token's status", StopReason::Unauthorized, || api.verify(&owner)).await;
    Ok(heard(status)?.map(|status| (owner, status)))
}

async fn read(
    job: &WhoamiJob,
    connection: &Connection,
    caller: &mut ApiCaller,
) -> Result<Result<Namespace, String>, Error> {
    let client = namespace_client(connection, job.options.timeout, 1)?;
    let seen = heard(connect::namespace(caller, &client).await)?;
    Ok(seen.map(|seen| Namespace { id: Some(connection.namespace.to_string()), title: Some(seen.title), error: None }))
}

/// A refusal is something that was found out; anything else ends the looking.
fn heard<T>(result: Result<T, Stop>) -> Result<Result<T, String>, Stop> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(stop) => refusal(stop).map(Err),
    }
}

fn refusal(stop: Stop) -> Result<String, Stop> {
    match stop.reason {
        _ if !stop.from_api => Err(stop),
        StopReason::Unauthorized | StopReason::NamespaceNotFound | StopReason::AccountNotFound => {
            Ok(stop.hint.map_or(stop.why.clone(), |hint| format!("{} ({hint})", stop.why)))
        }
        _ => Err(stop),
    }
}

impl Found {
    /// Whether something that was asked about does not work.
    fn is_refused(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.status != "active")
            || self.account.as_ref().is_some_and(|account| account.error.is_some())
            || self.namespace.as_ref().is_some_and(|namespace| namespace.error.is_some())
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut say = |label: &str, text: &str| lines.push(format!("{label:<11}{}", Escaped(text)));
        if let Some(token) = &self.token {
            let whose = if self.credentials == Some("account_token") { "the account's own" } else { "a user's" };
            say("token", &format!("{} ({whose}), {}{}", token.id, token.status, token.times()));
            for policy in token.policies.iter().flatten() {
                let (groups, resources) = (policy.permission_groups.join(", "), policy.resources.join(", "));
                say("policy", &format!("{} {groups} on {resources}", policy.effect));
            }
        }
        if let Some(user) = &self.user {
            let email = user.email.as_deref().unwrap_or("an unknown address");
            say("key", &format!("the global key of {email}, user {}", user.id));
        }
        if let Some(account) = &self.account {
            let text = match (&account.error, account.namespaces) {
                (Some(error), _) => error.clone(),
                (None, count) => format!("may list its {}", pluralized(count.unwrap_or_default() as u64, "namespace")),
            };
            say("account", &format!("{}: {text}", account.id));
        }
        if let Some(namespace) = &self.namespace {
            let name = match (&namespace.title, &namespace.id) {
                (Some(title), Some(id)) => format!("{title} ({id})"),
                (title, id) => title.as_ref().or(id.as_ref()).cloned().unwrap_or_default(),
            };
            say("namespace", &format!("{name}: {}", namespace.error.as_deref().unwrap_or("may be read")));
        }
        if self.credentials.is_some() {
            say("deleting", self.deleting());
        }
        lines
    }

    /// What can be said of the one permission that matters.
    fn deleting(&self) -> &'static str {
        let policies = self.token.as_ref().and_then(|token| token.policies.as_ref());
        let names =
            |policy: &Policy| policy.effect == "allow" && policy.permission_groups.iter().any(|group| group == WRITE);
        match policies {
            Some(policies) if policies.iter().any(names) => {
                "its policies name Workers KV Storage Write; whether that reaches a namespace, only a delete shows"
            }
            Some(_) => "its policies do not name Workers KV Storage Write (Edit in the dashboard), which it needs",
            None if self.user.is_some() => "as far as the user's roles go; only a delete shows",
            None => "cannot be seen (the token's policies cannot be read); only a delete shows",
        }
    }
}

impl Token {
    fn times(&self) -> String {
        let from = self.not_before.as_ref().map(|moment| format!(", from {moment}")).unwrap_or_default();
        let until =
            self.expires_on.as_ref().map_or(", does not expire".to_owned(), |moment| format!(", expires {moment}"));
        format!("{from}{until}")
    }
}
