//! What the credentials are and what they can access, as far as that can be seen without changing anything.

use serde::Serialize;

use crate::api::{self, Access, AccountClient, Credentials, Owner, Policy, TokenDetails, TokenStatus, User};
use crate::exit::ExitCode;
use crate::key::AccountId;
use crate::outcome::{Stop, StopReason};
use crate::pipeline::call::ApiCaller;
use crate::terminal::{Escaped, pluralized, title_and_id};

use super::connect;
use super::error::{ASK_WHOAMI, Error, HINT, hints, message};
use super::job::{JobOptions, NamedConnection, NamespaceRef};
use super::locate::{Suspects, accounts, all, client as namespace_client, locate, only_account};
use super::print::{print_json, print_prose};
use super::session::Session;

/// The permission to delete, as the API calls it.
const WRITE: &str = "Workers KV Storage Write";

/// Whose credentials, and what else is looked at.
#[derive(Debug)]
pub struct WhoamiJob {
    pub access: Access,
    /// The account whose namespaces are listed; the only one that the credentials can access, if there is none.
    pub account: Option<AccountId>,
    pub namespace: Option<NamespaceRef>,
    pub options: JobOptions,
}

/// What was found so far.
#[derive(Debug, Default, Serialize)]
struct Found {
    /// `user_token`, `account_token`, `oauth_session` or `global_key`; `None` before it is known.
    credentials: Option<&'static str>,
    token: Option<Token>,
    user: Option<User>,
    account: Option<Account>,
    /// Those that the credentials can access, if they were listed.
    accounts: Option<Vec<api::Account>>,
    namespace: Option<Namespace>,
    exit_code: u8,
    /// What to do about what does not work.
    #[serde(skip)]
    hints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Token {
    #[serde(flatten)]
    status: TokenStatus,
    /// Empty where it may not read them, or the response does not say.
    #[serde(flatten)]
    details: TokenDetails,
}

#[derive(Debug, Serialize)]
struct Account {
    id: String,
    /// If it was looked up.
    name: Option<String>,
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
    let stop = match session.run(async |caller| look(job, &api, caller, &mut found).await) {
        Ok(()) => None,
        Err(Error::Stopped(stop)) => Some(stop),
        Err(error) => return Err(error),
    };
    let code = match &stop {
        Some(stop) => ExitCode::for_stop(stop.reason, stop.signal),
        None if found.is_refused() => ExitCode::Fatal,
        None => ExitCode::Success,
    };
    found.exit_code = code.as_u8();
    let lines = found.lines();
    let (all, refused) = (lines.len(), lines.iter().filter(|line| line.starts_with(NO)).count());
    let printed = if job.options.json { print_json(&found) } else { print_prose(lines) };
    printed.map_err(Error::system("write what was found"))?;
    let (why, mut hints) = match stop {
        Some(stop) => (stop.why.clone(), hints(&stop)),
        None if code == ExitCode::Success => return Ok(code),
        None => (format!("{refused} of {all} checks failed"), found.hints),
    };
    hints.retain(|hint| hint != ASK_WHOAMI);
    tracing::error!("{}", message(Some(&why), &hints));
    Ok(code)
}

async fn look(job: &WhoamiJob, api: &AccountClient, caller: &mut ApiCaller, found: &mut Found) -> Result<(), Error> {
    let suspects = Suspects::of(job.account.as_ref(), job.namespace.as_ref());
    let listed = if job.account.is_none() { Some(heard(accounts(caller, api).await)?) } else { None };
    if let Some(Ok(accounts)) = &listed {
        found.accounts = Some(accounts.clone());
    }
    let only = match &listed {
        Some(Ok(accounts)) if job.namespace.is_some() => Some(only_account(accounts.clone())?),
        Some(Ok(accounts)) => only_account(accounts.clone()).ok(),
        Some(Err(_)) | None => None,
    };
    let unlisted = listed.as_ref().and_then(|listed| listed.as_ref().err().cloned());
    let account = job.account.clone().or_else(|| Some(only.as_ref()?.id.clone()));
    match &job.access.credentials {
        Credentials::Token(_) | Credentials::Command(_) => token(account.as_ref(), listed, api, caller, found).await?,
        Credentials::GlobalKey { .. } => {
            found.user = Some(caller.call("the user", StopReason::Unauthorized, || api.user()).await?);
            found.credentials = Some("global_key");
        }
    }
    let Some(account) = account else {
        let why = unlisted.filter(|_| job.namespace.is_some()).map(|why| found.note(&why));
        found.namespace = why.map(|why| Namespace { id: None, title: None, error: Some(format!("no account: {why}")) });
        return Ok(());
    };
    let (namespaces, error) = match heard(all(caller, api, &account).await.map_err(|stop| suspects.blame_for(stop)))? {
        Ok(namespaces) => (Some(namespaces.len()), None),
        Err(error) => (None, Some(found.note(&error))),
    };
    found.account =
        Some(Account { id: account.to_string(), name: only.map(|account| account.name), namespaces, error });
    let Some(namespace) = &job.namespace else { return Ok(()) };
    let (access, account) = (job.access.clone(), Some(account));
    let connection = NamedConnection { access, account, namespace: namespace.clone() };
    let named = match namespace {
        NamespaceRef::Id(id) => Namespace { id: Some(id.to_string()), title: None, error: None },
        NamespaceRef::Title(title) => Namespace { id: None, title: Some(title.clone()), error: None },
        NamespaceRef::Binding { .. } => Namespace { id: None, title: None, error: None },
    };
    let located = locate(&connection, job.options.timeout, caller).await.map_err(|error| suspects.blame(error));
    let connection = match located {
        Ok(connection) => connection,
        Err(Error::Stopped(stop)) if is_refusal(&stop) => {
            let error = Some(found.note(&stop));
            found.namespace = Some(Namespace { error, ..named });
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let client = namespace_client(&connection, job.options.timeout, 1)?;
    let seen = connect::namespace(caller, &client).await.map_err(|stop| suspects.blame_for(stop));
    found.namespace = Some(match heard(seen)? {
        Ok(seen) => Namespace { id: Some(connection.namespace.to_string()), title: Some(seen.title), error: None },
        Err(error) => Namespace { error: Some(found.note(&error)), ..named },
    });
    Ok(())
}

/// Verifies the token as a user's and, if it is not known there, as the account's own; reads its policies if it may. A token
/// that is neither and can access an account is the session of a login (OAuth). `listed` are the accounts, if they were
/// listed.
async fn token(
    account: Option<&AccountId>,
    listed: Option<Result<Vec<api::Account>, Stop>>,
    api: &AccountClient,
    caller: &mut ApiCaller,
    found: &mut Found,
) -> Result<(), Stop> {
    let mut refusals = Vec::new();
    let owners = [Some(Owner::User), account.cloned().map(Owner::Account)];
    for owner in owners.into_iter().flatten() {
        let status = caller.call("the token's status", StopReason::Unauthorized, || api.verify(&owner)).await;
        match heard(status)? {
            Ok(status) => {
                describe(owner, status, api, caller, found).await?;
                return Ok(());
            }
            Err(refused) => refusals.push(refused.why),
        }
    }
    let listed = match listed {
        Some(listed) => listed,
        None => heard(accounts(caller, api).await)?,
    };
    if listed.is_ok_and(|accounts| !accounts.is_empty()) {
        found.credentials = Some("oauth_session");
        return Ok(());
    }
    let (why, hint) = match &refusals[..] {
        [user, own] if user == own => {
            (format!("the API token is neither a user token nor an account token: {user}"), CHECK_TOKEN)
        }
        [user, own] => {
            (format!("the API token is neither a user token ({user}) nor an account token ({own})"), CHECK_TOKEN)
        }
        _ => (refusals.join("; "), "pass --account-id if an account owns the token: only then it is verified there"),
    };
    Err(Stop { hint: Some(hint.to_owned()), ..Stop::new(StopReason::Unauthorized, why) })
}

async fn describe(
    owner: Owner,
    status: TokenStatus,
    api: &AccountClient,
    caller: &mut ApiCaller,
    found: &mut Found,
) -> Result<(), Stop> {
    let what = "the token's policies";
    let details = caller.call(what, StopReason::Unauthorized, || api.token(&owner, &status.id)).await;
    let details = heard(details)?.ok().unwrap_or_default();
    found.credentials = Some(if owner == Owner::User { "user_token" } else { "account_token" });
    if status.status != "active" {
        found.hints.push("create another API token in the dashboard, or activate this one".to_owned());
    }
    found.token = Some(Token { status, details });
    Ok(())
}

const CHECK_TOKEN: &str =
    "check that the token was copied completely, or create one with the permission Workers KV Storage: Edit";

/// What does not work, in a line of the checklist.
const NO: char = '✗';

/// A refusal is something that was found out; anything else ends the looking.
fn heard<T>(result: Result<T, Stop>) -> Result<Result<T, Stop>, Stop> {
    match result {
        Err(stop) if is_refusal(&stop) => Ok(Err(stop)),
        result => result.map(Ok),
    }
}

fn is_refusal(stop: &Stop) -> bool {
    let reasons = [StopReason::Unauthorized, StopReason::NamespaceNotFound, StopReason::AccountNotFound];
    stop.from_api && reasons.contains(&stop.reason)
}

impl Found {
    /// Why something was refused; its hints are kept for the end.
    fn note(&mut self, refusal: &Stop) -> String {
        for hint in hints(refusal).iter().flat_map(|hints| hints.split(HINT)) {
            if !self.hints.iter().any(|known| known == hint) {
                self.hints.push(hint.to_owned());
            }
        }
        refusal.why.clone()
    }

    /// Whether something that was asked about does not work.
    fn is_refused(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.status.status != "active")
            || self.account.as_ref().is_some_and(|account| account.error.is_some())
            || self.namespace.as_ref().is_some_and(|namespace| namespace.error.is_some())
    }

    /// A checklist: what works (✓), what does not (✗), and what is not known (?).
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut check = |works: Option<bool>, text: String| {
            let mark = works.map_or('?', |works| if works { '✓' } else { NO });
            lines.push(format!("{mark} {}", Escaped(&text)));
        };
        if let Some(Token { status: token, details }) = &self.token {
            let whose = if self.credentials == Some("account_token") { "account" } else { "user" };
            let (status, id, times) = (&token.status, &token.id, times(token));
            check(Some(status == "active"), format!("token {status}: {whose} token {id}{times}"));
            for policy in details.policies.iter().flatten() {
                let (groups, resources) = (policy.permission_groups.join(", "), policy.resources.join(", "));
                check(Some(policy.effect == "allow"), format!("policy: {} {groups} on {resources}", policy.effect));
            }
        } else if self.credentials == Some("oauth_session") {
            check(Some(true), "token active: an OAuth session (wrangler login)".to_owned());
        }
        if let Some(user) = &self.user {
            let email = user.email.as_deref().unwrap_or("an unknown address");
            check(Some(true), format!("key active: the global API key of {email} (user {})", user.id));
        }
        match (&self.account, &self.accounts) {
            (Some(Account { id, name, namespaces, error }), _) => {
                let name = title_and_id(name.as_deref(), id);
                let namespaces = || pluralized(namespaces.unwrap_or_default() as u64, "namespace");
                check(Some(error.is_none()), format!("account {name}: {}", error.clone().unwrap_or_else(namespaces)));
            }
            (None, Some(accounts)) => {
                let count = pluralized(accounts.len() as u64, "account");
                check(None, format!("account: not named, and the credentials can access {count} (pass --account-id)"));
                for api::Account { id, name } in accounts {
                    check(None, format!("account {}", title_and_id(Some(name), id)));
                }
            }
            (None, None) => {}
        }
        if let Some(namespace) = &self.namespace {
            let name = match (&namespace.title, &namespace.id) {
                (Some(title), Some(id)) => title_and_id(Some(title), id),
                (title, id) => title.as_ref().or(id.as_ref()).cloned().unwrap_or_default(),
            };
            let error = namespace.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            check(Some(namespace.error.is_none()), format!("namespace {name}{error}"));
        }
        if self.credentials.is_some() {
            let (works, text) = self.deleting();
            check(works, format!("delete permission: {text}"));
        }
        lines
    }

    /// What can be said of the one permission that matters.
    fn deleting(&self) -> (Option<bool>, &'static str) {
        let policies = self.token.as_ref().and_then(|token| token.details.policies.as_ref());
        let names =
            |policy: &Policy| policy.effect == "allow" && policy.permission_groups.iter().any(|group| group == WRITE);
        match policies {
            Some(policies) if policies.iter().any(names) => {
                (Some(true), "the policies include Workers KV Storage Write")
            }
            Some(_) => (Some(false), "the policies do not include Workers KV Storage Write (Edit in the dashboard)"),
            None if self.user.is_some() => (None, "unknown (it depends on the user's roles)"),
            None => (None, "unknown (the token cannot read its own policies)"),
        }
    }
}

/// From when on and until when it is accepted.
fn times(token: &TokenStatus) -> String {
    let from = token.not_before.as_ref().map(|moment| format!(", from {moment}")).unwrap_or_default();
    let until =
        token.expires_on.as_ref().map_or(", does not expire".to_owned(), |moment| format!(", expires {moment}"));
    format!("{from}{until}")
}
