//! From what was said, and the environment, to a [`Task`]: everything that can be refused without opening an input is
//! refused here.

use std::io::IsTerminal;
use std::num::NonZeroU64;
use std::path::Path;

use crate::api::{BaseUrl, BulkEndpoint, Credentials, MAX_BULK_BYTES};
use crate::clock::wall_now;
use crate::command::{
    Connection, Error, Inputs, Job, Keys, ListJob, Mode, Question, ReportTo, Reviewing, Serving, Task, Wanted,
};
use crate::input::{Column, Format, Header, InputOptions, Source};
use crate::listing::{Moment, Prefixes, Selection};
use crate::logging::LogFormat;
use crate::pipeline::{Batch, Batching, FailureLimit, RetryPolicy};
use crate::plan::Guards;
use crate::plan::filter::Filter;
use crate::progress::LineFormat;
use crate::quota::Rate;
use crate::report::{Existing, Sync};
use crate::sandbox::{Fault, Quota, SandboxOptions};
use crate::terminal::Shown;

use super::connection::ConnectionArgs;
use super::input::InputArgs;
use super::namespace::NamespaceArgs;
use super::pace::BulkEndpointArg;
use super::value::{
    ColumnArg, FormatArg, InputArg, MaxFailures, QuotaArg, QuotaWindow, RateArg, ReportArg, SyncArg, WhenArg,
};
use super::{Cli, Command, DeleteArgs, ListArgs, ReviewArgs, SandboxArgs};

/// What the command line asks for.
///
/// # Errors
/// [`Error`] where something is missing or cannot be.
pub fn task(cli: Cli) -> Result<Task, Error> {
    match cli.command {
        Command::Delete(args) => job(*args).map(|job| Task::Delete(Box::new(job))),
        Command::List(args) => listing(*args).map(|job| Task::List(Box::new(job))),
        Command::Report(args) => Ok(Task::Report(Box::new(reviewing(*args)))),
        Command::Sandbox(args) => serving(args).map(|serving| Task::Sandbox(Box::new(serving))),
    }
}

fn reviewing(args: ReviewArgs) -> Reviewing {
    Reviewing {
        reports: args.reports,
        plan: args.diff,
        html: args.html,
        failures: args.failures,
        existing: if args.overwrite { Existing::Overwrite } else { Existing::Refuse },
        json: args.json,
    }
}

fn serving(args: SandboxArgs) -> Result<Serving, Error> {
    let faults = args.faults.iter().map(|spec| {
        let error = |error| Error::Usage(format!("--fault {}: {error}", Shown(spec)));
        spec.parse::<Fault>().map_err(error)
    });
    let quota = |quota: QuotaArg| {
        let (count, window) = (quota.rate.count().get(), quota.rate.window());
        match quota.window {
            QuotaWindow::Sliding => Quota::sliding(count, window),
            QuotaWindow::Fixed => Quota::fixed(count, window),
        }
    };
    let options = SandboxOptions {
        port: args.port,
        faults: faults.collect::<Result<_, _>>()?,
        quotas: args.quotas.into_iter().map(quota).collect(),
        token: args.token,
        latency: args.latency.map(|latency| (latency.low, latency.high)),
        title: args.title,
        seed: args.seed,
        daily_deletes: args.daily_deletes.map(NonZeroU64::get),
        legacy_bulk: args.legacy_bulk,
        // Nobody could look at it, and it grows with every request.
        ledger: false,
        ..SandboxOptions::default()
    };
    Ok(Serving { options, keys: args.keys })
}

fn job(args: DeleteArgs) -> Result<Job, Error> {
    let progress = args.output.progress_mode();
    let listed = args.namespace.is_given();
    let hint = if listed { "" } else { "; --dry-run and --sandbox need neither ids nor credentials" };
    let mode = match (args.safety.dry_run, args.safety.sandbox) {
        (true, _) => Mode::DryRun,
        (false, true) => Mode::Rehearsal,
        (false, false) => Mode::Real(connection(args.connection.clone(), hint)?),
    };
    let filter = filter(args.safety.protect, args.safety.protect_from.as_deref(), args.safety.only)?;
    let keys = if listed {
        let connection = match &mode {
            Mode::Real(connection) => connection.clone(),
            Mode::DryRun | Mode::Rehearsal => connection(args.connection, hint)?,
        };
        Keys::Namespace(Box::new(wanted(args.namespace, connection, filter)))
    } else {
        Keys::Inputs(Inputs {
            sources: sources(args.inputs)?,
            dedupe: !args.input.no_dedupe,
            options: input_options(args.input),
            filter,
        })
    };
    let existing = match (args.report.overwrite, args.report.resume) {
        (true, _) => Existing::Overwrite,
        (false, true) => Existing::Resume,
        (false, false) => Existing::Refuse,
    };
    Ok(Job {
        keys,
        guards: Guards {
            max_keys: args.safety.max_keys.map(NonZeroU64::get),
            expect: args.safety.expect.map(NonZeroU64::get),
        },
        question: if args.safety.yes { Question::Answered } else { Question::Ask },
        report: match (args.report.report, &mode) {
            (Some(ReportArg::Path(path)), _) => ReportTo::File(path),
            (Some(ReportArg::Stdout), _) => ReportTo::Stdout,
            (Some(ReportArg::None), _) | (None, Mode::DryRun) => ReportTo::Nowhere,
            (None, Mode::Rehearsal | Mode::Real(_)) => ReportTo::Default,
        },
        mode,
        failures: args.report.failures,
        existing,
        sync: match args.report.sync {
            SyncArg::Never => Sync::Never,
            SyncArg::EverySecond => Sync::EverySecond,
            SyncArg::Always => Sync::Always,
        },
        json: args.report.json,
        quiet: args.output.log.quiet,
        rates: rates(args.pace.requests.rates),
        concurrency: args.pace.concurrency.into(),
        batching: match args.pace.bulk {
            true => Batching::Bulk(Batch { keys: args.pace.batch_size, bytes: MAX_BULK_BYTES }),
            false => Batching::Single,
        },
        bulk_endpoint: match args.pace.bulk_endpoint {
            BulkEndpointArg::Current => BulkEndpoint::Current,
            BulkEndpointArg::Legacy => BulkEndpoint::Legacy,
        },
        retry: RetryPolicy { retries: args.pace.requests.retries, ..RetryPolicy::default() },
        timeout: args.pace.requests.timeout,
        max_pause: args.pace.requests.max_pause,
        max_outage: args.pace.max_outage,
        max_failures: args.safety.max_failures.map(|limit| match limit {
            MaxFailures::Count(count) => FailureLimit::Count(count),
            MaxFailures::Share(percent) => FailureLimit::Percent(percent),
        }),
        canary: args.safety.canary.map(NonZeroU64::get),
        deadline: args.pace.requests.deadline,
        grace: args.pace.grace,
        progress,
        lines: line_format(args.output.log.log_format),
    })
}

fn wanted(args: NamespaceArgs, connection: Connection, names: Filter) -> Wanted {
    Wanted {
        connection,
        prefixes: Prefixes::new(args.prefixes),
        selection: Selection {
            names,
            expiring_before: args.expiring_before.map(moment),
            without_expiration: args.without_expiration,
            metadata: args.metadata,
        },
    }
}

fn moment(when: WhenArg) -> Moment {
    Moment { at: when.at(wall_now()), said: when.said }
}

fn rates(args: Vec<RateArg>) -> Vec<Rate> {
    let limit = |rate| match rate {
        RateArg::Limit(rate) => Some(rate),
        RateArg::Unlimited => None,
    };
    args.into_iter().filter_map(limit).collect()
}

fn line_format(format: LogFormat) -> LineFormat {
    match format {
        LogFormat::Text => LineFormat::Text,
        LogFormat::Json => LineFormat::Json,
    }
}

fn listing(args: ListArgs) -> Result<ListJob, Error> {
    let format = args.format();
    let progress = args.output.progress_mode();
    Ok(ListJob {
        connection: connection(args.connection, "")?,
        prefixes: Prefixes::new(args.prefixes),
        selection: Selection {
            names: filter(args.protect.clone(), None, args.only.clone())?,
            expiring_before: args.expiring_before.map(moment),
            without_expiration: args.without_expiration,
            metadata: args.metadata,
        },
        only: args.only,
        protect: args.protect,
        format,
        output: match args.output_path {
            None | Some(InputArg::Stdin) => None,
            Some(InputArg::Path(path)) => Some(path),
        },
        existing: match (args.overwrite, args.resume) {
            (true, _) => Existing::Overwrite,
            (false, true) => Existing::Resume,
            (false, false) => Existing::Refuse,
        },
        json: args.json,
        quiet: args.output.log.quiet,
        rates: rates(args.requests.rates),
        retry: RetryPolicy {
            retries: args.requests.retries,
            longest_asked: args.requests.max_pause,
            ..RetryPolicy::default()
        },
        timeout: args.requests.timeout,
        max_pause: args.requests.max_pause,
        deadline: args.requests.deadline,
        progress,
        lines: line_format(args.output.log.log_format),
    })
}

fn filter(mut protect: Vec<String>, from: Option<&Path>, only: Vec<String>) -> Result<Filter, Error> {
    if let Some(path) = from {
        // A file of protected keys that cannot be read must not pass for an empty one.
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Error::Usage(format!("--protect-from {}: {error}", path.display())))?;
        let patterns = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        protect.extend(patterns.map(str::to_owned));
    }
    Filter::new(protect, only).map_err(|error| Error::Usage(error.to_string()))
}

fn sources(inputs: Vec<InputArg>) -> Result<Vec<Source>, Error> {
    if inputs.is_empty() {
        if std::io::stdin().is_terminal() {
            return Err(Error::Usage(
                "no INPUT: name a file of keys, or send keys to stdin (- reads them from this terminal)".to_owned(),
            ));
        }
        return Ok(vec![Source::Stdin]);
    }
    Ok(inputs
        .into_iter()
        .map(|input| match input {
            InputArg::Stdin => Source::Stdin,
            InputArg::Path(path) => Source::File(path),
        })
        .collect())
}

fn input_options(args: InputArgs) -> InputOptions {
    InputOptions {
        format: match args.format {
            FormatArg::Auto => None,
            FormatArg::Csv => Some(Format::Csv),
            FormatArg::Lines => Some(Format::Lines),
            FormatArg::Ndjson => Some(Format::Ndjson),
            FormatArg::Json => Some(Format::Json),
        },
        column: args.column.map(|column| match column {
            ColumnArg::Name(name) => Column::Name(name),
            ColumnArg::Number(number) => Column::Number(number),
        }),
        header: if args.no_header { Header::None } else { Header::Auto },
        delimiter: args.delimiter,
    }
}

fn connection(args: ConnectionArgs, hint: &str) -> Result<Connection, Error> {
    let missing = |what: &str| Error::Usage(format!("{what}{hint}"));
    let account =
        args.account_id.ok_or_else(|| missing("which account? give --account-id or CLOUDFLARE_ACCOUNT_ID"))?;
    let namespace = args
        .namespace_id
        .ok_or_else(|| missing("which namespace? give --namespace-id or CLOUDFLARE_KV_NAMESPACE_ID"))?;
    let base_url: BaseUrl =
        args.base_url.parse().map_err(|error| Error::Usage(format!("--base-url {:?}: {error}", args.base_url)))?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let credentials = match (args.api_token_file, variable("CLOUDFLARE_API_TOKEN")) {
        (Some(path), _) => Credentials::token_from_file(&path)?,
        (None, Some(token)) => Credentials::token(&token)?,
        (None, None) => match (variable("CLOUDFLARE_EMAIL"), variable("CLOUDFLARE_API_KEY")) {
            (Some(email), Some(key)) => Credentials::global_key(&email, &key)?,
            _ => {
                return Err(missing(
                    "no credentials: set CLOUDFLARE_API_TOKEN (an API token with Workers KV Storage: Edit), or give \
                     --api-token-file",
                ));
            }
        },
    };
    Ok(Connection { base_url, credentials, account, namespace, ca_file: args.cacert })
}
