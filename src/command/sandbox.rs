//! `kvsweep sandbox`: the API from memory, until a signal comes.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::exit::ExitCode;
use crate::input::{InputOptions, Records, Source};
use crate::record::Content;
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::terminal::{Escaped, pluralized, shell_word};

use super::error::Error;
use super::job_input::JobInputError;
use super::print::{Stream, print_lines, print_summary};
use super::session::interruptible;
use super::signals;

pub struct SandboxJob {
    pub options: SandboxOptions,
    /// Files whose keys it holds from the start.
    pub keys: Vec<PathBuf>,
}

// The options may hold a token.
impl fmt::Debug for SandboxJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxJob").field("port", &self.options.port).field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Serves until SIGINT, SIGTERM or SIGHUP.
pub(super) fn run(serving: SandboxJob) -> Result<ExitCode, Error> {
    let token = serving.options.token.as_ref().map_or("any".to_owned(), |token| shell_word(token.as_ref()));
    let sandbox = Arc::new(Sandbox::start(serving.options).map_err(Error::Sandbox)?);
    let filled = interruptible({
        let sandbox = Arc::clone(&sandbox);
        move || fill(&sandbox, serving.keys)
    })?;
    let (account, namespace) = (sandbox.account_id(), sandbox.namespace_id());
    let lines = vec![
        format!("serving {} at {}", pluralized(filled, "key"), sandbox.base_url()),
        format!("export CLOUDFLARE_API_BASE_URL={}", sandbox.base_url()),
        format!("export CLOUDFLARE_API_TOKEN={token}"),
        format!("export CLOUDFLARE_ACCOUNT_ID={account} CLOUDFLARE_KV_NAMESPACE_ID={namespace}"),
    ];
    print_lines(lines).map_err(Error::system("write to stdout"))?;
    signals::listen().blocking_recv();
    let served = pluralized(sandbox.requests(), "request");
    let namespaces = sandbox.namespaces();
    let left = pluralized(namespaces.iter().map(|(.., keys)| *keys as u64).sum(), "key");
    let where_left = match namespaces.len() {
        1 => String::new(),
        number => format!(" in {}", pluralized(number as u64, "namespace")),
    };
    print_summary(Stream::Stdout, vec![format!("served {served}; {left} left{where_left}")]);
    Ok(ExitCode::Success)
}

fn fill(sandbox: &Sandbox, files: Vec<PathBuf>) -> Result<u64, Error> {
    let sources = files.into_iter().map(Source::File).collect();
    let mut records = Records::new(sources, InputOptions::default());
    let (mut batch, mut has_more) = (Vec::new(), true);
    while has_more {
        has_more = records.next_batch(&mut batch, 256).map_err(Box::<JobInputError>::from)?;
        for record in batch.drain(..) {
            match record.content {
                Content::Key(key) => sandbox.preload([key.as_str()]),
                Content::Invalid(invalid) => tracing::warn!("skipped: {}", Escaped(&invalid.reason)),
                _ => {}
            }
        }
    }
    Ok(sandbox.len() as u64)
}
