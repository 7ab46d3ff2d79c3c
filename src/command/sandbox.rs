//! `kvsweep sandbox`: the API from memory, until a signal comes.

use std::time::Duration;

use crate::cli::SandboxArgs;
use crate::cli::value::QuotaWindow;
use crate::exit::ExitCode;
use crate::input::{InputOptions, Records, Source};
use crate::record::Content;
use crate::sandbox::{Fault, Quota, Sandbox, SandboxOptions};
use crate::terminal::{Shown, counted};

use super::closing::print;
use super::error::Error;
use super::reading::Broken;
use super::signals;

/// Serves until SIGINT, SIGTERM or SIGHUP.
pub(super) fn run(args: SandboxArgs) -> Result<ExitCode, Error> {
    let keys = args.keys.clone();
    let sandbox = Sandbox::start_on_thread(options(args)?).map_err(Error::Sandbox)?;
    let filled = fill(&sandbox, keys)?;
    let lines = [
        format!("serving {} at {}", counted(filled, "key"), sandbox.base_url()),
        format!("export CLOUDFLARE_API_BASE_URL={} CLOUDFLARE_API_TOKEN=any", sandbox.base_url()),
    ];
    print(std::io::stdout(), &lines)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Error::system("start the runtime"))?.block_on(async {
        let mut signals = signals::listen().map_err(Error::system("listen to signals"))?;
        signals.recv().await;
        Ok::<(), Error>(())
    })?;
    let served = counted(sandbox.requests(), "request");
    let left = counted(sandbox.len() as u64, "key");
    print(std::io::stdout(), &[format!("served {served}; {left} left")])?;
    Ok(ExitCode::Success)
}

fn options(args: SandboxArgs) -> Result<SandboxOptions, Error> {
    let faults = args.faults.iter().map(|spec| {
        let error = |error| Error::Usage(format!("--fault {}: {error}", Shown(spec)));
        spec.parse::<Fault>().map_err(error)
    });
    let quota = |quota: crate::cli::value::QuotaArg| {
        let (count, window): (u32, Duration) = (quota.rate.count().get(), quota.rate.window());
        match quota.window {
            QuotaWindow::Sliding => Quota::sliding(count, window),
            QuotaWindow::Fixed => Quota::fixed(count, window),
        }
    };
    Ok(SandboxOptions {
        port: args.port,
        faults: faults.collect::<Result<_, _>>()?,
        quotas: args.quotas.into_iter().map(quota).collect(),
        token: args.token,
        latency: args.latency.map(|latency| (latency.low, latency.high)),
        title: args.title,
        seed: args.seed,
        daily_deletes: args.daily_deletes.map(std::num::NonZeroU64::get),
        legacy_bulk: args.legacy_bulk,
        // Nobody could look at it, and it grows with every request.
        ledger: false,
        ..SandboxOptions::default()
    })
}

fn fill(sandbox: &Sandbox, files: Vec<std::path::PathBuf>) -> Result<u64, Error> {
    let sources = files.into_iter().map(Source::File).collect();
    for record in Records::new(sources, InputOptions::default()) {
        match record.map_err(Broken::from)?.content {
            Content::Key(key) => sandbox.preload([key.as_str()]),
            Content::Invalid(invalid) => tracing::warn!("left out: {}", Shown(&invalid.reason)),
            Content::Duplicate(_) | Content::Settled => {}
        }
    }
    Ok(sandbox.len() as u64)
}
