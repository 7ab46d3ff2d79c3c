//! A server inside this process, and the connection to it: the whole job, and nothing real is deleted.

use std::sync::Arc;

use crate::api::{Access, Credentials};
use crate::record::Content;
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::terminal::pluralized;

use super::error::Error;
use super::job::{NamedConnection, NamespaceRef};
use super::job_input::RecordBatches;

/// How many keys stand by that the input does not name.
const DECOYS: usize = 12;

/// The server of a rehearsal.
pub(super) struct Rehearsal {
    sandbox: Arc<Sandbox>,
    decoys: Vec<String>,
}

impl Rehearsal {
    pub(super) fn start() -> Result<Self, Error> {
        let options = SandboxOptions { title: "rehearsal".to_owned(), request_log: false, ..SandboxOptions::default() };
        let sandbox = Sandbox::start_on_thread(options).map_err(Error::system("start the rehearsal's server"))?;
        // Names that no input holds by accident.
        let decoys: Vec<_> = (0..DECOYS).map(|_| format!("decoy:{:032x}", rand::random::<u128>())).collect();
        sandbox.preload(decoys.iter().map(String::as_str));
        Ok(Self { sandbox: Arc::new(sandbox), decoys })
    }

    pub(super) fn connection(&self) -> Result<NamedConnection, Error> {
        let base_url = self.sandbox.base_url();
        let usage = |error: &dyn std::fmt::Display| Error::Usage(format!("the rehearsal's own address: {error}"));
        Ok(NamedConnection {
            access: Access {
                base_url: base_url.parse().map_err(|error| usage(&error))?,
                credentials: Credentials::token("rehearsal")?,
                ca_file: None,
            },
            account: Some("0".repeat(32).parse().map_err(|error| usage(&error))?),
            namespace: NamespaceRef::Id("1".repeat(32).parse().map_err(|error| usage(&error))?),
        })
    }

    /// Puts each key into the server before it is handed out.
    pub(super) fn fill(&self, records: &mut RecordBatches) {
        let sandbox = Arc::clone(&self.sandbox);
        records.add_stage(move |record| {
            if let Content::Key(key) = &record.content {
                sandbox.preload([key.as_str()]);
            }
        });
    }

    /// What is left, a line each.
    pub(super) fn ending(&self) -> Vec<String> {
        let untouched = self.decoys.iter().filter(|name| self.sandbox.contains(name)).count();
        let left = pluralized((self.sandbox.len() - untouched) as u64, "key");
        vec![
            "This was a rehearsal against a server in memory: nothing real was deleted.".to_owned(),
            format!("There, {left} of the input are left, and {untouched} of {DECOYS} others are untouched."),
        ]
    }
}
