//! What is shown meanwhile.

use clap::{Arg, ArgAction, Args};
use tracing::level_filters::LevelFilter;

use crate::logging::LogOptions;
use crate::progress::ProgressMode;
use crate::stderr::LineFormat;

/// What is shown meanwhile.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct OutputArgs {
    /// Show progress: auto, always or never
    ///
    /// auto shows a bar on a terminal, a line every 30 s elsewhere, and nothing with --quiet. always shows the bar
    /// even with --quiet, or if stderr is not a terminal.
    #[arg(long, value_enum, value_name = "WHEN", env = "KVSWEEP_PROGRESS", default_value_t)]
    #[arg(hide_possible_values = true, hide_short_help = true)]
    pub progress: ProgressMode,

    #[command(flatten)]
    pub log: LogArgs,
}

impl OutputArgs {
    /// Whether progress is shown: `--quiet` silences it unless it is asked for.
    pub fn progress_mode(&self) -> ProgressMode {
        match self.progress {
            ProgressMode::Auto if self.log.quiet => ProgressMode::Never,
            mode => mode,
        }
    }
}

/// The log on stderr.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct LogArgs {
    /// Print only errors
    ///
    /// Hides warnings, progress, and the summary of a job that succeeds.
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print more: -v pauses, retries and failed keys, -vv every request
    ///
    /// -v logs the start, every pause, and every retry and failed key with status, code and message. -vv adds every
    /// request with method, path, status, time and cf-ray. -vvv adds the libraries' logs. Secrets are never shown.
    #[arg(long, short, action = ArgAction::Count)]
    pub verbose: u8,

    /// Write the log as text or json
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        env = "KVSWEEP_LOG_FORMAT",
        default_value_t,
        hide_short_help = true
    )]
    pub log_format: LineFormat,
}

/// `-v` of a command that sends no requests.
pub(super) fn offline(verbose: Arg) -> Arg {
    verbose.help("Print more (-v, -vv or -vvv)").long_help("Print more (-v, -vv or -vvv)\n\nSecrets are never shown.")
}

/// `-v` of the sandbox.
pub(super) fn serving(verbose: Arg) -> Arg {
    let help = "Print more: -v every request";
    verbose.help(help).long_help(format!("{help}\n\n-vv adds connections, -vvv the libraries' logs."))
}

impl LogArgs {
    /// What the log is to be like.
    pub fn options(&self) -> LogOptions {
        LogOptions {
            level: match self.verbose {
                _ if self.quiet => LevelFilter::ERROR,
                0 => LevelFilter::WARN,
                1 => LevelFilter::INFO,
                2 => LevelFilter::DEBUG,
                _ => LevelFilter::TRACE,
            },
            format: self.log_format,
        }
    }
}
