//! Keys that are listed instead of read.

use clap::Args;

use super::value::{WhenArg, prefix};
use crate::listing::MetadataTest;

/// What an input has that a namespace has not.
const OF_INPUTS: [&str; 6] = ["inputs", "format", "column", "no_header", "delimiter", "no_dedupe"];

/// Keys that are listed instead of read.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct NamespaceArgs {
    /// Instead of an INPUT: every key that begins with PREFIX; repeatable
    ///
    /// The namespace is listed, and what a page holds is deleted while the next one is fetched, within the same --rate.
    /// With --dry-run it is only listed, which needs ids and credentials. Only keys that --only, --protect and the
    /// flags below select are taken; others have no row. PREFIX is taken exactly; of several the union is deleted.
    /// A job that was stopped is run again, without --resume: what is deleted is no longer listed.
    #[arg(long = "prefix", value_name = "PREFIX", value_parser = prefix, conflicts_with_all = OF_INPUTS)]
    pub prefixes: Vec<String>,

    /// Instead of an INPUT: every key of the namespace
    ///
    /// As --prefix with an empty PREFIX, which is refused because a variable that is not set looks like it. The question
    /// asks to type the namespace's name; --yes is enough for a script.
    #[arg(long, conflicts_with_all = OF_INPUTS, conflicts_with = "prefixes", hide_short_help = true)]
    pub all: bool,

    /// With --prefix or --all, only keys that expire before WHEN: a moment, or a duration from now
    ///
    /// For example 2026-12-31T00:00:00Z or 7d. Keys that never expire are kept.
    #[arg(long, value_name = "WHEN", conflicts_with = "without_expiration", hide_short_help = true)]
    pub expiring_before: Option<WhenArg>,

    /// With --prefix or --all, only keys that never expire
    ///
    /// Keys with an expiration are kept: the service removes them itself.
    #[arg(long, hide_short_help = true)]
    pub without_expiration: bool,

    /// With --prefix or --all, only keys whose metadata holds PATH, or PATH=VALUE; repeatable
    ///
    /// As in kvsweep list: PATH leads into the metadata's JSON, its names and positions separated by dots.
    #[arg(long, value_name = "PATH[=VALUE]", hide_short_help = true)]
    pub metadata: Vec<MetadataTest>,
}

impl NamespaceArgs {
    /// Whether keys are listed.
    pub fn is_given(&self) -> bool {
        self.all || !self.prefixes.is_empty()
    }
}
