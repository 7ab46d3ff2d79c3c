//! Keys that are listed instead of read.

use clap::Args;

use super::value::{WhenArg, prefix};
use crate::listing::MetadataTest;

/// What an input has that a namespace has not.
const OF_INPUTS: [&str; 6] = ["inputs", "format", "column", "no_header", "delimiter", "no_dedupe"];

/// Keys that are listed instead of read.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct NamespaceArgs {
    /// Delete every key with this prefix; repeatable
    ///
    /// Instead of an INPUT. Lists the namespace and deletes the keys of a page while the next one is fetched, within
    /// the same --rate. With --dry-run it only lists, which needs credentials. PREFIX is taken exactly; several
    /// prefixes are combined. --only, --protect and the filters below apply. A job that stopped is run again with a
    /// new report instead of --resume, because deleted keys are no longer listed.
    #[arg(long = "prefix", value_name = "PREFIX", value_parser = prefix, conflicts_with_all = OF_INPUTS)]
    pub prefixes: Vec<String>,

    /// Delete every key of the namespace
    ///
    /// Instead of an INPUT. An empty --prefix is rejected, because an unset variable looks the same. The prompt asks
    /// for the title of the namespace; --yes skips it.
    #[arg(long, conflicts_with_all = OF_INPUTS, conflicts_with = "prefixes", hide_short_help = true)]
    pub all: bool,

    /// Delete only keys that expire before WHEN: a time, or a duration from now
    ///
    /// For example 2026-12-31T00:00:00Z or 7d. Needs --prefix or --all. Keys without an expiration are not selected.
    #[arg(long, value_name = "WHEN", conflicts_with = "without_expiration", hide_short_help = true)]
    pub expiring_before: Option<WhenArg>,

    /// Delete only keys that never expire
    ///
    /// Needs --prefix or --all. Keys with an expiration are not selected: Cloudflare removes them itself.
    #[arg(long, hide_short_help = true)]
    pub without_expiration: bool,

    /// Delete only keys whose metadata has PATH, or PATH=VALUE; repeatable
    ///
    /// Needs --prefix or --all. PATH consists of the member names and array positions (from 0) in the metadata's JSON,
    /// separated by dots.
    #[arg(long, value_name = "PATH[=VALUE]", hide_short_help = true)]
    pub metadata: Vec<MetadataTest>,
}

impl NamespaceArgs {
    /// Whether keys are listed.
    pub fn is_given(&self) -> bool {
        self.all || !self.prefixes.is_empty()
    }
}
