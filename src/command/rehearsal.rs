//! A server inside this process, and the connection to it: the whole job, and nothing real is deleted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::api::{Access, Credentials};
use crate::record::Content;
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::terminal::{count, pluralized};

use super::error::Error;
use super::job::{NamedConnection, NamespaceRef};
use super::job_input::RecordBatches;
use super::usage::UsageError;

/// How many keys stand by that the input does not name.
const DECOYS: usize = 12;

/// The server of a rehearsal.
pub(super) struct Rehearsal {
    sandbox: Arc<Sandbox>,
    decoys: Vec<String>,
    /// Keys that the input named.
    filled: Arc<AtomicU64>,
}

impl Rehearsal {
    pub(super) fn start() -> Result<Self, Error> {
        let options = SandboxOptions {
            account: Some("0".repeat(32)),
            namespace: Some("1".repeat(32)),
            title: "rehearsal".to_owned(),
            request_log: false,
            ..SandboxOptions::default()
        };
        let sandbox = Sandbox::start(options).map_err(Error::system("start the rehearsal's server"))?;
        // Names that no input holds by accident.
        let decoys: Vec<_> = (0..DECOYS).map(|_| format!("decoy:{:032x}", rand::random::<u128>())).collect();
        sandbox.preload(decoys.iter().map(String::as_str));
        Ok(Self { sandbox: Arc::new(sandbox), decoys, filled: Arc::default() })
    }

    pub(super) fn connection(&self) -> Result<NamedConnection, Error> {
        let sandbox = &self.sandbox;
        Ok(NamedConnection {
            access: Access {
                base_url: sandbox.base_url().parse().map_err(|error| UsageError::Rehearsal(Box::new(error)))?,
                credentials: Credentials::token("rehearsal-token-0000")?,
                ca_file: None,
            },
            account: Some(sandbox.account_id().parse().map_err(|error| UsageError::Rehearsal(Box::new(error)))?),
            namespace: NamespaceRef::Id(
                sandbox.namespace_id().parse().map_err(|error| UsageError::Rehearsal(Box::new(error)))?,
            ),
        })
    }

    /// Puts each key into the server before it is handed out.
    pub(super) fn fill(&self, records: &mut RecordBatches) {
        let (sandbox, filled) = (Arc::clone(&self.sandbox), Arc::clone(&self.filled));
        records.add_stage(move |record| {
            if let Content::Key(key) = &record.content {
                sandbox.preload([key.as_str()]);
                filled.fetch_add(1, Ordering::Relaxed);
            }
        });
    }

    /// What is left.
    pub(super) fn ending(&self) -> Vec<String> {
        let untouched = self.decoys.iter().filter(|name| self.sandbox.contains(name)).count();
        let left = (self.sandbox.len() - untouched) as u64;
        let keys = self.filled.load(Ordering::Relaxed);
        let others = if untouched == DECOYS { format!("all {DECOYS}") } else { format!("{untouched} of {DECOYS}") };
        let mut lines = vec![format!(
            "Rehearsal: {} of {} gone, {others} other keys untouched",
            count(keys.saturating_sub(left)),
            pluralized(keys, "key")
        )];
        if self.sandbox.namespaces_deleted() > 0 {
            lines.push("Rehearsal: the namespace itself was deleted".to_owned());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_deleted_namespace_is_in_the_summary() {
        let rehearsal = Rehearsal::start().unwrap();
        assert_eq!(rehearsal.ending(), ["Rehearsal: 0 of 0 keys gone, all 12 other keys untouched"]);
        let sandbox = &rehearsal.sandbox;
        let path =
            format!("/client/v4/accounts/{}/storage/kv/namespaces/{}", sandbox.account_id(), sandbox.namespace_id());
        let mut stream = TcpStream::connect(sandbox.addr()).unwrap();
        write!(
            stream,
            "DELETE {path}/values/.. HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
        let ending = rehearsal.ending();
        assert!(ending[0].ends_with("0 of 12 other keys untouched"), "{ending:?}");
        assert_eq!(ending[1], "Rehearsal: the namespace itself was deleted");
    }
}
