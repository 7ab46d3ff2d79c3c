//! How single values are read: what a flag's text means, and what is wrong with it.

mod guard;
mod name;
mod place;
mod shard;
mod time;
mod when;

pub use guard::{BulkArg, BulkArgError, CountError, MaxFailures, MaxFailuresError, count};
pub use name::{GlobArgError, JobNameError, MetricsFileError, glob, job_name, metrics_file};
pub use place::{
    ColumnArg, ColumnError, DelimiterError, EmptyPrefix, FormatArg, InputArg, ReportArg, SyncArg, delimiter, prefix,
};
pub use shard::{ShardArg, ShardArgError};
pub use time::{DurationError, LatencyArg, LatencyError, QuotaArg, QuotaWindow, RateArg, duration, nonzero_duration};
pub use when::{WhenArg, WhenError};
