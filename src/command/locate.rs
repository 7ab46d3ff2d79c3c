//! Which namespace is meant, where it was named by its title.

use std::collections::HashSet;
use std::time::Duration;

use crate::api::{AccountClient, Client, ClientOptions, Namespace};
use crate::key::{AccountId, NamespaceId};
use crate::outcome::{Stop, StopReason};
use crate::pipeline::call::ApiCaller;
use crate::terminal::{Quoted, pluralized};

use super::error::Error;
use super::job::{Connection, NamespaceRef};

/// How alike two titles have to be for one to be meant by the other, from 0 to 1.
const ALIKE: f64 = 0.8;

/// How many such titles are shown.
const MAX_ALIKE: usize = 3;

/// The same connection, its namespace by id; sends nothing where that is how it was named.
pub(super) async fn locate(
    connection: &Connection<NamespaceRef>,
    timeout: Duration,
    caller: &mut ApiCaller,
) -> Result<Connection, Error> {
    let title = match &connection.namespace {
        NamespaceRef::Id(id) => return Ok(connection.with(id.clone())),
        NamespaceRef::Title(title) => title,
    };
    let client = AccountClient::new(connection.access.clone(), timeout)?;
    let namespaces = all(caller, &client, &connection.account).await?;
    let id = titled(&namespaces, title)?;
    tracing::info!("the namespace {} is {id}", Quoted(title));
    Ok(connection.with(id))
}

/// Every namespace of an account, in the server's order.
pub(super) async fn all(
    caller: &mut ApiCaller,
    client: &AccountClient,
    account: &AccountId,
) -> Result<Vec<Namespace>, Stop> {
    let (mut found, mut known) = (Vec::new(), HashSet::new());
    let mut page = 1;
    loop {
        let what = "the account's namespaces";
        let got = caller.call(what, StopReason::AccountNotFound, || client.namespaces(account, page)).await?;
        let before = found.len();
        // One that was made meanwhile moves another to the next page.
        found.extend(got.namespaces.into_iter().filter(|namespace| known.insert(namespace.id.clone())));
        match got.total {
            Some(total) if found.len() as u64 >= total => return Ok(found),
            _ if found.len() > before => page += 1,
            None => return Ok(found),
            Some(total) => {
                let why = format!("the server lists only {} of {}", found.len(), pluralized(total, "namespace"));
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
            id.map_err(|error| Error::Usage(format!("the namespace {} cannot be used: {error}", Quoted(title))))
        }
        [] => {
            let why = format!("the account has no namespace titled {}", Quoted(title));
            let hint = Some(instead(namespaces, title));
            Err(Stop { hint, ..Stop::new(StopReason::NamespaceNotFound, why) }.into())
        }
        _ => {
            let ids: Vec<_> = named.iter().map(|namespace| namespace.id.as_str()).collect();
            Err(Error::Usage(format!(
                "{} namespaces are titled {}\nhint: pass --namespace-id with one of {}",
                ids.len(),
                Quoted(title),
                ids.join(", ")
            )))
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
