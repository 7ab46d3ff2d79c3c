//! A running sandbox, as those who started it hold it.

use std::io;
use std::net::{self, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use hyper::body::Bytes;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::Notify;

use super::account::Namespace;
use super::fault::{Fault, What};
use super::options::SandboxOptions;
use super::request_log::Entry;
use super::route::PREFIX;
use super::server;
use super::service::Service;
use super::store::{Stored, unix_now};

/// A running server on 127.0.0.1, on a thread of its own. Dropping it stops it and waits until its port and its connections
/// are closed.
pub struct Sandbox {
    addr: SocketAddr,
    service: Arc<Service>,
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a server. It fails where the port, the thread or its runtime cannot be had.
    pub fn start(options: SandboxOptions) -> io::Result<Self> {
        let listener = net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let (service, stop) = (Arc::new(Service::new(options)), Arc::new(Notify::new()));
        let serving = server::serve(listener, Arc::clone(&service), Arc::clone(&stop));
        let thread = thread::Builder::new().name("sandbox".to_owned()).spawn(move || runtime.block_on(serving))?;
        Ok(Self { addr, service, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The API's base URL, without a slash at its end.
    pub fn base_url(&self) -> String {
        format!("http://{}{PREFIX}", self.addr)
    }

    fn main(&self) -> &Namespace {
        self.service.account.main()
    }

    /// The account's id; if any is accepted, one of them.
    pub fn account_id(&self) -> &str {
        self.service.account.id()
    }

    /// The id of the main namespace, whose keys are stored, counted and looked at below.
    pub fn namespace_id(&self) -> &str {
        &self.main().id
    }

    /// The namespaces that were not deleted, by id: id, title and number of keys.
    pub fn namespaces(&self) -> Vec<(String, String, usize)> {
        let described = |namespace: Arc<Namespace>| {
            (namespace.id.clone(), namespace.title(), namespace.store().names(unix_now()).count())
        };
        self.service.account.namespaces().into_iter().map(described).collect()
    }

    /// Stores a value, unchecked, that does not expire.
    pub fn put(&self, key: impl Into<Box<str>>, value: impl Into<Bytes>) {
        self.put_stored(key, Stored::new(value));
    }

    /// Stores a value with its metadata and expiration, unchecked.
    pub fn put_stored(&self, key: impl Into<Box<str>>, stored: Stored) {
        self.main().store().put(key, stored);
    }

    /// Stores many keys, unchecked, with a small value that they share.
    pub fn preload<K: Into<Box<str>>>(&self, keys: impl IntoIterator<Item = K>) {
        self.main().store().preload(keys);
    }

    /// Whether the key is there.
    pub fn contains(&self, key: &str) -> bool {
        self.main().store().contains(key, unix_now())
    }

    /// What the key holds.
    pub fn get(&self, key: &str) -> Option<Stored> {
        self.main().store().get(key, unix_now())
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.main().store().names(unix_now()).count()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.main().store().names(unix_now()).next().is_none()
    }

    /// All keys, sorted by their bytes.
    pub fn keys(&self) -> Vec<String> {
        self.main().store().names(unix_now()).map(ToOwned::to_owned).collect()
    }

    /// What was asked so far, in order of arrival; empty where no request log is kept.
    pub fn request_log(&self) -> Vec<Entry> {
        self.service.request_log.entries()
    }

    /// How many requests arrived.
    pub fn requests(&self) -> u64 {
        self.service.requests.load(Ordering::Relaxed)
    }

    /// How many of them were over a quota or came during a block.
    pub fn refused_by_quota(&self) -> u64 {
        self.service.quotas.refused.load(Ordering::Relaxed)
    }

    /// How often a namespace itself was deleted: what must never happen by accident.
    pub fn namespaces_deleted(&self) -> u64 {
        self.service.account.namespaces_deleted.load(Ordering::Relaxed)
    }

    /// Replaces the faults from the next request on.
    pub fn set_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.service.faults.set(faults.into_iter().collect());
    }

    /// Replaces what happens to the next requests about keys, one after the other, whatever the faults are; `None`
    /// serves one as ever.
    pub fn set_script(&self, steps: impl IntoIterator<Item = Option<What>>) {
        self.service.faults.set_script(steps);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            // An error would be a panic, which has already been shown.
            let _ = thread.join();
        }
    }
}
