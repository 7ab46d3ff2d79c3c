//! `kvsweep sandbox`.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};

use super::output::{LogArgs, serving};
use super::value::{count, latency, quota, whole};
use crate::key::{AccountId, NamespaceId};
use crate::sandbox::Quota;

const AFTER_HELP: &str = "\
Example:
  kvsweep sandbox --keys keys.csv --quota 1200/5m -v

It prints three export lines. With these in another shell, kvsweep and wrangler use it:
  kvsweep delete keys.csv";

/// The flags of `kvsweep sandbox`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = AFTER_HELP, mut_arg("verbose", serving))]
pub struct SandboxArgs {
    /// Listen on this port of 127.0.0.1 (0 for a free one)
    #[arg(long, value_name = "PORT", default_value_t = 8787, value_parser = whole::<u16>(0, 65_535))]
    pub port: u16,

    /// Fill the main namespace with the keys of this file; repeatable
    ///
    /// Reads it as kvsweep delete reads its inputs. The main namespace is the one of --namespace-id, otherwise of the
    /// export lines.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub keys: Vec<PathBuf>,

    /// Accept only this API token
    ///
    /// It is valid for this server only. By default any credentials are accepted.
    #[arg(long, value_name = "TOKEN", value_parser = NonEmptyStringValueParser::new())]
    pub token: Option<String>,

    /// Accept only this account (default: any id)
    #[arg(long, value_name = "ID")]
    pub account_id: Option<AccountId>,

    /// Accept only this namespace and those that are created (default: any id)
    ///
    /// By default, the first use of an id creates an empty namespace.
    #[arg(long, value_name = "ID")]
    pub namespace_id: Option<NamespaceId>,

    /// Allow N requests per DURATION, then respond with 429; repeatable
    ///
    /// Exceeding it blocks every call for DURATION, as the real service does. The window slides; N/DURATION/fixed
    /// resets it every DURATION. By default there is no limit.
    #[arg(long = "quota", value_name = "N/DURATION", value_parser = quota)]
    pub quotas: Vec<Quota>,

    /// Delay each response by DURATION, or by a random time in LOW..HIGH
    ///
    /// For example 20ms or 20ms..80ms.
    #[arg(long, value_name = "DURATION", value_parser = latency)]
    pub latency: Option<(Duration, Duration)>,

    /// Inject faults; repeatable
    ///
    /// KIND=PROBABILITY, KIND@key:NAME or KIND@prefix:PREFIX, for example 503=0.05, reset=0.01 or 503@prefix:user:.
    /// KIND is a status from 300 to 599, html403, reset, reset-after, hang, hang-after, truncate, garbage, giant,
    /// redirect, close, unsuccessful, wrong-names or wrong-count. Append xTIMES (503x3=1) to limit how often it occurs.
    #[arg(long = "fault", value_name = "SPEC", value_parser = NonEmptyStringValueParser::new())]
    pub faults: Vec<String>,

    /// Give the main namespace this title
    #[arg(long, value_name = "TEXT", default_value = "sandbox")]
    pub title: String,

    /// Seed the random faults and latencies
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole::<u64>(0, u64::MAX))]
    pub seed: u64,

    /// Allow N deletes per day, as the free plan allows 1,000
    ///
    /// By default there is no limit.
    #[arg(long, value_name = "N", value_parser = count)]
    pub daily_deletes: Option<NonZeroU64>,

    /// No longer needed: the older bulk delete (DELETE on bulk) is always served
    #[arg(long, hide = true)]
    pub legacy_bulk: bool,

    #[command(flatten)]
    pub log: LogArgs,
}
