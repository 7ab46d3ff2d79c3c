//! Which account and namespace are meant, if they were not named by their ids.

use std::collections::HashSet;
use std::time::Duration;

use crate::api::{Account, AccountClient, Client, ClientOptions, Namespace, PageOf};
use crate::key::{AccountId, NamespaceId, is_usual_id};
use crate::outcome::{Stop, StopReason};
use crate::pipeline::call::ApiCaller;
use crate::terminal::{Escaped, Quoted, pluralized, title_and_id};

use super::error::{Error, HINT, hints};
use super::job::{Connection, NamedConnection, NamespaceRef};
use super::usage::UsageError;

/// How alike two titles have to be for one to be meant by the other, from 0 to 1.
const ALIKE: f64 = 0.8;

/// How many such titles are shown.
const MAX_ALIKE: usize = 3;

/// Finds the account and the namespace that were named; sends nothing if both were named by their ids.
pub(super) async fn locate(
    named: &NamedConnection,
    timeout: Duration,
    caller: &mut ApiCaller,
) -> Result<Connection, Error> {
    if let (Some(account), NamespaceRef::Id(namespace)) = (named.account.clone(), named.namespace.clone()) {
        return Ok(Connection { access: named.access.clone(), account, account_name: None, namespace });
    }
    let client = AccountClient::new(named.access.clone(), timeout)?;
    let (account, account_name) = account(caller, &client, named.account.as_ref()).await?;
    let namespace = match &named.namespace {
        NamespaceRef::Id(id) => id.clone(),
        NamespaceRef::Title(title) => titled(&all(caller, &client, &account).await?, title)?,
        NamespaceRef::Binding { worker, binding } => bound(caller, &client, &account, worker, binding).await?,
    };
    if !matches!(named.namespace, NamespaceRef::Id(_)) {
        tracing::info!("{} is {namespace}", named.namespace);
    }
    Ok(Connection { access: named.access.clone(), account, account_name, namespace })
}

/// The account, and its name if it was looked up because none was named.
///
/// # Errors
/// [`Error::Usage`] unless the credentials can access exactly one.
pub(super) async fn account(
    caller: &mut ApiCaller,
    client: &AccountClient,
    named: Option<&AccountId>,
) -> Result<(AccountId, Option<String>), Error> {
    if let Some(named) = named {
        return Ok((named.clone(), None));
    }
    let Account { id, name } = only_account(accounts(caller, client).await?)?;
    tracing::info!("the only account that the credentials can access is {}", title_and_id(Some(&name), &id));
    Ok((id, Some(name)))
}

/// # Errors
/// [`Error::Usage`] lists the accounts unless there is exactly one.
pub(super) fn only_account(mut accounts: Vec<Account>) -> Result<Account, Error> {
    match (accounts.pop(), &accounts[..]) {
        (Some(account), []) => Ok(account),
        (None, _) => Err(UsageError::NoAccount.into()),
        (Some(last), _) => {
            accounts.push(last);
            let shown = accounts.iter().take(MAX_ACCOUNTS);
            let shown: Vec<_> = shown.map(|Account { id, name }| format!("\n{id}  {}", Escaped(name))).collect();
            let more = match accounts.len().saturating_sub(MAX_ACCOUNTS) {
                0 => String::new(),
                more => format!("\nand {more} more"),
            };
            Err(UsageError::Accounts { number: accounts.len() as u64, list: shown.concat() + &more }.into())
        }
    }
}

/// So many accounts are listed in an error.
const MAX_ACCOUNTS: usize = 50;

/// Every account that the credentials can access, in the server's order.
pub(super) async fn accounts(caller: &mut ApiCaller, client: &AccountClient) -> Result<Vec<Account>, Stop> {
    let what = "the list of accounts";
    whole(
        "account",
        |account: &Account| account.id.to_string(),
        async |page| caller.call(what, StopReason::Unauthorized, || client.accounts(page)).await,
    )
    .await
}

/// The namespace that a deployed Worker has under a binding.
async fn bound(
    caller: &mut ApiCaller,
    client: &AccountClient,
    account: &AccountId,
    worker: &str,
    binding: &str,
) -> Result<NamespaceId, Error> {
    let hint = || Some("deploy the Worker, check --env, or pass --namespace-id".to_owned());
    let what = format!("the deployed Worker {worker}");
    let bindings =
        caller.call(&what, StopReason::NamespaceNotFound, || client.worker_namespaces(account, worker)).await;
    let bindings = bindings.map_err(|stop| match stop.reason {
        StopReason::NamespaceNotFound => Stop { hint: hint(), ..stop },
        _ => stop,
    })?;
    let mut found: Vec<_> = bindings.iter().filter(|found| found.name == binding).collect();
    found.dedup_by_key(|found| &found.namespace_id);
    match found[..] {
        [found] => return Ok(found.namespace_id.clone()),
        [] => {}
        _ => {
            let why = format!("the deployed Worker {worker} has {} KV bindings {}", found.len(), Quoted(binding));
            let hint = Some("rename one of them, or pass --namespace-id".to_owned());
            return Err(Stop { hint, ..Stop::new(StopReason::NamespaceNotFound, why) }.into());
        }
    }
    let names: Vec<_> = bindings.iter().map(|found| found.name.as_str()).collect();
    let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let why = format!("the deployed Worker {worker} has no KV binding {} (it has {has})", Quoted(binding));
    Err(Stop { hint: hint(), ..Stop::new(StopReason::NamespaceNotFound, why) }.into())
}

/// Every namespace of an account, in the server's order.
pub(super) async fn all(
    caller: &mut ApiCaller,
    client: &AccountClient,
    account: &AccountId,
) -> Result<Vec<Namespace>, Stop> {
    let what = "the account's namespaces";
    whole(
        "namespace",
        |namespace: &Namespace| namespace.id.clone(),
        async |page| caller.call(what, StopReason::AccountNotFound, || client.namespaces(account, page)).await,
    )
    .await
}

/// What all pages hold, in the server's order.
async fn whole<T>(
    noun: &str,
    id: impl Fn(&T) -> String,
    mut fetch: impl AsyncFnMut(u32) -> Result<PageOf<T>, Stop>,
) -> Result<Vec<T>, Stop> {
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    let mut page = 1;
    loop {
        let got = fetch(page).await?;
        let before = found.len();
        // One that was made meanwhile moves another to the next page.
        found.extend(got.items.into_iter().filter(|item| known.insert(id(item))));
        match got.total {
            Some(total) if found.len() as u64 >= total => return Ok(found),
            _ if found.len() > before => page += 1,
            None => return Ok(found),
            Some(total) => {
                let why = format!("the server lists only {} of {}", found.len(), pluralized(total, noun));
                let hint = Some("run again: some may have been deleted in the meantime".to_owned());
                return Err(Stop { hint, ..Stop::new(StopReason::Outage, why) });
            }
        }
    }
}

fn titled(namespaces: &[Namespace], title: &str) -> Result<NamespaceId, Error> {
    let named: Vec<_> = namespaces.iter().filter(|namespace| namespace.is_titled(title)).collect();
    match named[..] {
        [namespace] => {
            let id = namespace.id.parse();
            id.map_err(|source| UsageError::NamespaceId { title: title.to_owned(), source }.into())
        }
        [] => {
            let why = format!("the account has no namespace titled {}", Quoted(title));
            let hint = Some(instead(namespaces, title));
            Err(Stop { hint, ..Stop::new(StopReason::NamespaceNotFound, why) }.into())
        }
        _ => {
            let ids = named.iter().map(|namespace| namespace.id.clone()).collect();
            Err(UsageError::SameTitle { title: title.to_owned(), ids }.into())
        }
    }
}

/// What may have been meant.
fn instead(namespaces: &[Namespace], title: &str) -> String {
    let folded = title.to_lowercase();
    let mut alike: Vec<_> = namespaces
        .iter()
        .map(|namespace| {
            let other = namespace.title.to_lowercase();
            let contains = other.contains(&folded) || (!other.is_empty() && folded.contains(&other));
            let likeness = strsim::jaro_winkler(&folded, &other);
            (if contains { likeness.max(ALIKE) } else { likeness }, namespace)
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let alike: Vec<_> = alike
        .iter()
        .take(MAX_ALIKE)
        .map(|(_, namespace)| format!("{} ({})", Quoted(&namespace.title), namespace.id))
        .collect();
    match alike[..] {
        [] => format!("kvsweep namespaces lists its {}", pluralized(namespaces.len() as u64, "namespace")),
        _ => format!("did you mean {}? kvsweep namespaces lists all", alike.join(" or ")),
    }
}

/// The ids that do not look as Cloudflare's do: the first suspects if the API refuses them.
pub(super) struct Suspects(Vec<String>);

impl Suspects {
    /// Warns of such ids.
    pub(super) fn of(account: Option<&AccountId>, namespace: Option<&NamespaceRef>) -> Self {
        let account = account.filter(|id| !is_usual_id(id.as_str())).map(|id| format!("the account id {id}"));
        let namespace = match namespace {
            Some(NamespaceRef::Id(id)) if !is_usual_id(id.as_str()) => Some(format!("the namespace id {id}")),
            _ => None,
        };
        let ids: Vec<_> = account.into_iter().chain(namespace).collect();
        for id in &ids {
            tracing::warn!("{id} is not 32 hexadecimal digits, as Cloudflare's ids are");
        }
        Self(ids)
    }

    pub(super) fn blame(&self, error: Error) -> Error {
        match error {
            Error::Stopped(stop) => self.blame_for(stop).into(),
            error => error,
        }
    }

    /// The same stop, its hints preceded by the ids that are to be checked first.
    pub(super) fn blame_for(&self, stop: Stop) -> Stop {
        let refused = matches!(
            stop.reason,
            StopReason::Unauthorized | StopReason::NamespaceNotFound | StopReason::AccountNotFound
        );
        if self.0.is_empty() || !refused || !stop.from_api {
            return stop;
        }
        let (ids, verb) = (self.0.join(" and "), if self.0.len() == 1 { "it is" } else { "they are" });
        let first = format!("check {ids} first: {verb} not 32 hexadecimal digits");
        Stop { hint: Some([vec![first], hints(&stop)].concat().join(HINT)), ..stop }
    }
}

/// The way to a namespace that was found.
pub(super) fn client(connection: &Connection, timeout: Duration, concurrency: usize) -> Result<Client, Error> {
    Ok(Client::new(ClientOptions {
        access: connection.access.clone(),
        account: connection.account.clone(),
        namespace: connection.namespace.clone(),
        timeout,
        concurrency,
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespaces(titles: &[&str]) -> Vec<Namespace> {
        let named = |(index, title): (usize, &&str)| Namespace::new(format!("id{index}"), title, None);
        titles.iter().enumerate().map(named).collect()
    }

    fn why(titles: &[&str], title: &str) -> String {
        match titled(&namespaces(titles), title) {
            Ok(id) => panic!("{title} is {id}"),
            Err(error) => error.error_chain(),
        }
    }

    #[test]
    fn a_title_is_taken_exactly() {
        assert_eq!(titled(&namespaces(&["a", "A", "a "]), "A").unwrap().as_str(), "id1");
        assert!(
            why(&["a", "a"], "a")
                .contains("2 namespaces are titled \"a\"\nhint: pass --namespace-id with one of id0, id1")
        );
    }

    #[test]
    fn what_is_alike_is_shown() {
        let titles = ["prod-sessions", "PROD", "cache", "sesions", "x\u{1b}[2J"];
        let why_not = why(&titles, "sessions");
        assert!(why_not.contains("hint: did you mean \"sesions\" (id3) or \"prod-sessions\" (id0)?"), "{why_not}");
        assert!(why(&titles, "prod").contains("\"PROD\" (id1)"));
        assert!(why(&titles, "quite another").ends_with("kvsweep namespaces lists its 5 namespaces"));
        assert!(why(&["x\u{1b}[2J"], "x").contains("\\u{1b}"));
    }
}
