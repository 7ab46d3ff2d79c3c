//! The account: its namespaces by id, each with a title and keys of its own, and what was deleted in it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use hyper::StatusCode;

use super::answer::Problem;
use super::lock::locked;
use super::options::SandboxOptions;
use super::store::{Store, unix_now};

/// The account's id if any is accepted.
const SOME_ACCOUNT: &str = "023e105f4ecef8ad9ca31a8372d0c353";

/// The main namespace's id if any is accepted.
const SOME_NAMESPACE: &str = "0f2ac74b498b48028cb68387c421e279";

pub(super) struct Account {
    pub(super) options: SandboxOptions,
    main: Arc<Namespace>,
    /// `None` for one that was deleted: its id is never used again.
    namespaces: Mutex<BTreeMap<String, Option<Arc<Namespace>>>>,
    pub(super) namespaces_deleted: AtomicU64,
    deletes: Mutex<DayOfDeletes>,
}

pub(super) struct Namespace {
    pub(super) id: String,
    title: Mutex<String>,
    store: Mutex<Store>,
}

/// How many names were deleted on which day since the Unix epoch.
#[derive(Default)]
struct DayOfDeletes {
    day: u64,
    names: u64,
}

impl Namespace {
    fn new(id: impl Into<String>, title: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { id: id.into(), title: Mutex::new(title.into()), store: Mutex::default() })
    }

    pub(super) fn title(&self) -> String {
        locked(&self.title).clone()
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        locked(&self.store)
    }
}

impl Account {
    pub(super) fn new(options: SandboxOptions) -> Self {
        let main = Namespace::new(options.namespace.as_deref().unwrap_or(SOME_NAMESPACE), options.title.as_str());
        let others = options.other_namespaces.iter().map(|(id, title)| Namespace::new(id.as_str(), title.as_str()));
        let namespaces = others.chain([Arc::clone(&main)]);
        let namespaces = namespaces.map(|namespace| (namespace.id.clone(), Some(namespace))).collect();
        Self {
            options,
            main,
            namespaces: Mutex::new(namespaces),
            namespaces_deleted: AtomicU64::new(0),
            deletes: Mutex::default(),
        }
    }

    pub(super) fn id(&self) -> &str {
        self.options.account.as_deref().unwrap_or(SOME_ACCOUNT)
    }

    /// The namespace of [`SandboxOptions::namespace`], also after it was deleted.
    pub(super) fn main(&self) -> &Namespace {
        &self.main
    }

    /// All that were not deleted, by id.
    pub(super) fn namespaces(&self) -> Vec<Arc<Namespace>> {
        locked(&self.namespaces).values().flatten().cloned().collect()
    }

    /// The namespace with this id. If any id is accepted its first use makes it, unless it was deleted.
    pub(super) fn namespace(&self, id: &str) -> Result<Arc<Namespace>, Problem> {
        let mut namespaces = locked(&self.namespaces);
        let found = match namespaces.get(id) {
            Some(found) => found.clone(),
            None if self.options.namespace.is_some() => None,
            None => {
                let made = Namespace::new(id, id);
                namespaces.insert(id.to_owned(), Some(Arc::clone(&made)));
                Some(made)
            }
        };
        found.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, 10013, "namespace not found"))
    }

    pub(super) fn create(&self, title: &str) -> Result<Arc<Namespace>, Problem> {
        let mut namespaces = locked(&self.namespaces);
        let made = Namespace::new(format!("{:032x}", rand::random::<u128>()), title);
        check_title(&namespaces, &made)?;
        namespaces.insert(made.id.clone(), Some(Arc::clone(&made)));
        Ok(made)
    }

    pub(super) fn rename(&self, namespace: &Namespace, title: String) -> Result<(), Problem> {
        let namespaces = locked(&self.namespaces);
        check_title(&namespaces, &Namespace::new(namespace.id.as_str(), title.as_str()))?;
        *locked(&namespace.title) = title;
        Ok(())
    }

    /// Deletes the namespace with all that it holds, and says so: for a client that did not mean it that is the worst.
    pub(super) fn delete(&self, namespace: &Namespace) {
        locked(&self.namespaces).insert(namespace.id.clone(), None);
        self.namespaces_deleted.fetch_add(1, Ordering::Relaxed);
        let keys = namespace.store().clear(unix_now());
        let plural = if keys == 1 { "key" } else { "keys" };
        tracing::warn!("namespace {} ({}) was deleted with {keys} {plural}", namespace.title(), namespace.id);
    }

    /// Takes `names` from what may be deleted today; all or nothing.
    pub(super) fn spend_deletes(&self, names: u64) -> Result<(), Problem> {
        let Some(limit) = self.options.daily_deletes else {
            return Ok(());
        };
        let today = unix_now() / 86_400;
        let mut spent = locked(&self.deletes);
        if spent.day != today {
            *spent = DayOfDeletes { day: today, names: 0 };
        }
        if spent.names + names > limit {
            let message = "you have reached the free usage limit for this operation for today";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, 10048, message));
        }
        spent.names += names;
        Ok(())
    }
}

/// Refuses a title that is empty or that another namespace has.
fn check_title(namespaces: &BTreeMap<String, Option<Arc<Namespace>>>, named: &Namespace) -> Result<(), Problem> {
    let title = named.title();
    if title.is_empty() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, 10019, "missing title"));
    }
    if namespaces.values().flatten().any(|other| other.id != named.id && other.title() == title) {
        let message = "a namespace with this account ID and title already exists";
        return Err(Problem::new(StatusCode::BAD_REQUEST, 10014, message));
    }
    Ok(())
}
