//! Flags that contradict each other in a way that clap alone cannot see, because it depends on values or on where they come
//! from.

use std::cmp::Ordering;

use clap::ArgMatches;
use clap::error::ErrorKind;
use clap::parser::ValueSource;

use super::connection::{AccountArgs, ConnectionArgs};
use super::list::by_extension;
use super::monitoring::MonitoringArgs;
use super::pace::RequestArgs;
use super::profile::is_given;
use super::{Command, DeleteArgs, ListArgs};
use crate::input::{Column, Format, Source};
use crate::report::Target;

/// What is wrong, as clap shows it.
pub(super) struct FlagConflict(pub(super) ErrorKind, pub(super) String);

type Checked = Result<(), FlagConflict>;

fn conflict(text: impl Into<String>) -> Checked {
    Err(FlagConflict(ErrorKind::ArgumentConflict, text.into()))
}

fn missing(text: impl Into<String>) -> Checked {
    Err(FlagConflict(ErrorKind::MissingRequiredArgument, text.into()))
}

/// Finds what contradicts itself, and lets flags override what the environment says about the same thing.
pub(super) fn check(command: &mut Command, matches: &ArgMatches) -> Checked {
    match command {
        Command::Delete(args) => {
            connection(&mut args.connection, matches)?;
            input(args)?;
            listed_keys(args)?;
            report(args.report.as_ref(), args.resume, args.json)?;
            outputs(args)?;
            let unmonitored = first([("--dry-run", args.dry_run), ("--sandbox", args.sandbox)]);
            monitoring(&mut args.monitoring, unmonitored, matches)?;
            let counts = first([("--expect", args.expect.is_some()), ("--min-keys", args.min_keys.is_some())]);
            if let (Some(flag), true) = (counts, args.shard.is_some()) {
                return conflict(format!(
                    "{flag} cannot be used with --shard: how many keys each shard contains is not known in advance"
                ));
            }
            rates(&mut args.requests, matches)
        }
        Command::List(args) => {
            connection(&mut args.connection, matches)?;
            rates(&mut args.requests, matches)?;
            list(args)
        }
        Command::Restore(args) => {
            connection(&mut args.connection, matches)?;
            rates(&mut args.requests, matches)?;
            monitoring(&mut args.monitoring, args.dry_run.then_some("--dry-run"), matches)?;
            report(args.report.as_ref(), args.resume, args.json)
        }
        Command::Namespaces(args) => {
            token(&mut args.account, matches)?;
            rates(&mut args.requests, matches)
        }
        Command::Whoami(args) => {
            connection(&mut args.connection, matches)?;
            rates(&mut args.requests, matches)
        }
        Command::Report(_) | Command::Config(_) | Command::Sandbox(_) | Command::Completions(_) | Command::Man(_) => {
            Ok(())
        }
    }
}

/// The first flag that is given.
fn first(flags: impl IntoIterator<Item = (&'static str, bool)>) -> Option<&'static str> {
    flags.into_iter().find_map(|(flag, is_given)| is_given.then_some(flag))
}

fn is_typed(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// Leaves one source of the API token: a flag overrides the environment, which overrides the profile.
fn token(args: &mut AccountArgs, matches: &ArgMatches) -> Checked {
    if args.api_token_file.is_none() || args.api_token_command.is_none() {
        return Ok(());
    }
    let rank = |id| match matches.value_source(id) {
        Some(ValueSource::CommandLine) => 2,
        Some(ValueSource::EnvVariable) => 1,
        _ => 0,
    };
    match rank("api_token_file").cmp(&rank("api_token_command")) {
        Ordering::Less => args.api_token_file = None,
        Ordering::Greater => args.api_token_command = None,
        Ordering::Equal => {
            return conflict(
                "--api-token-file and --api-token-command both give the API token\nhint: pass one of them",
            );
        }
    }
    Ok(())
}

/// Lets `--namespace` and `--binding` override the environment's namespace.
fn connection(args: &mut ConnectionArgs, matches: &ArgMatches) -> Checked {
    token(&mut args.account, matches)?;
    let of_binding = first([("--env", is_typed(matches, "environment")), ("--preview", args.preview)]);
    if let (None, Some(flag)) = (&args.binding, of_binding) {
        return conflict(format!("{flag} needs --binding"));
    }
    let ways = [
        ("--namespace-id", is_typed(matches, "namespace_id")),
        ("--namespace", args.namespace.is_some()),
        ("--binding", args.binding.is_some()),
    ];
    let given: Vec<_> = ways.into_iter().filter_map(|(flag, is_given)| is_given.then_some(flag)).collect();
    if given.len() > 1 {
        return conflict(format!("{} all select the namespace\nhint: pass one of them", given.join(" and ")));
    }
    if args.namespace.is_some() || args.binding.is_some() {
        args.namespace_id = None;
    }
    Ok(())
}

fn rates(args: &mut RequestArgs, matches: &ArgMatches) -> Checked {
    args.rates_given = is_given(matches, "rates");
    if args.rates.len() > 1 && args.rates.contains(&None) {
        return conflict("--rate none cannot be used with another --rate");
    }
    Ok(())
}

/// `unmonitored` is the flag of a job without metrics and pings.
fn monitoring(args: &mut MonitoringArgs, unmonitored: Option<&str>, matches: &ArgMatches) -> Checked {
    if let Some(unmonitored) = unmonitored {
        let monitored = [("--metrics-file", "metrics_file"), ("--job-name", "job_name"), ("--ping", "ping")];
        if let Some(flag) = first(monitored.map(|(flag, id)| (flag, is_typed(matches, id)))) {
            return conflict(format!("{flag} cannot be used with {unmonitored}: it would look like a real run"));
        }
        // What the environment says is about real runs.
        *args = MonitoringArgs { metrics_file: None, job_name: None, ping: None };
    }
    if is_typed(matches, "job_name") && args.metrics_file.is_none() {
        return conflict("--job-name is a label in the metrics: it needs --metrics-file");
    }
    Ok(())
}

fn input(args: &DeleteArgs) -> Checked {
    let of_csv = [
        ("--column", args.column.is_some()),
        ("--no-header", args.no_header),
        ("--delimiter", args.delimiter.is_some()),
    ];
    match (args.format, first(of_csv)) {
        (Some(format), Some(flag)) if format != Format::Csv => {
            conflict(format!("{flag} is for CSV and cannot be used with another --format"))
        }
        _ if args.no_header && matches!(args.column, Some(Column::Name(_))) => {
            conflict("--column with a name needs a header; with --no-header pass the number of the column, from 1")
        }
        _ => Ok(()),
    }
}

/// What goes with keys that are listed, and with no others.
fn listed_keys(args: &DeleteArgs) -> Checked {
    if !args.lists() {
        let selecting = first([
            ("--expiring-before", args.expiring_before.is_some()),
            ("--without-expiration", args.without_expiration),
            ("--metadata", !args.metadata.is_empty()),
        ]);
        return selecting.map_or(Ok(()), |flag| {
            missing(format!("{flag} selects from the keys of a namespace: it needs --prefix or --all"))
        });
    }
    let flag = if args.all { "--all" } else { "--prefix" };
    for (refused, is_given, why) in [
        ("--resume", args.resume, "deleted keys are no longer listed\nhint: run it again with a new --report"),
        ("--sandbox", args.sandbox, "a rehearsal only knows the keys of an INPUT"),
        ("--check", args.check, "only existing keys are listed"),
        (
            "--expect",
            args.expect.is_some(),
            "the keys are not counted first\nhint: pass --max-keys, which stops the job",
        ),
        ("--min-keys", args.min_keys.is_some() && !args.dry_run, "the keys are not counted first"),
        ("--allow-partial", args.allow_partial, "no input is read"),
    ] {
        if is_given {
            return conflict(format!("{refused} cannot be used with {flag}: {why}"));
        }
    }
    Ok(())
}

fn report(report: Option<&Target>, resume: bool, json: bool) -> Checked {
    match report {
        None if resume => missing("--resume needs --report PATH, the report of the run to resume"),
        Some(Target::Stdout) if resume => {
            conflict("--resume reads the report of the earlier run, which cannot be stdout (-)")
        }
        Some(Target::Nowhere) if resume => {
            conflict("--resume continues a report; it cannot be used with --report none")
        }
        Some(Target::Stdout) if json => {
            conflict("--json and --report - both write to stdout\nhint: write the report to a file")
        }
        _ => Ok(()),
    }
}

/// Outputs that would replace an input or each other. Only equal names are seen here, not equal files.
fn outputs(args: &DeleteArgs) -> Checked {
    let report = match &args.report {
        Some(Target::File(path)) => Some(path),
        None | Some(_) => None,
    };
    let (failures, metrics) = (args.failures.as_ref(), args.monitoring.metrics_file.as_ref());
    if report.is_some() && report == failures {
        return conflict("--report and --failures cannot be the same file");
    }
    for (flag, output) in [("--report", report), ("--failures", failures), ("--metrics-file", metrics)] {
        let is_output = |input: &Source| matches!(input, Source::File(input) if Some(input) == output);
        if args.inputs.iter().any(is_output) {
            return conflict(format!("{flag} names one of the inputs, which it would replace"));
        }
    }
    Ok(())
}

fn list(args: &ListArgs) -> Checked {
    let Some(file) = args.file() else {
        let needing = first([("--resume", args.resume), ("--json", args.json)]);
        return needing.map_or(Ok(()), |flag| missing(format!("{flag} needs --output PATH: stdout is the list")));
    };
    match by_extension(file) {
        Some(named) if named != args.format() => conflict("--format contradicts the extension of --output"),
        None if file.extension().is_some_and(|extension| extension == "json" || extension == "tsv") => {
            conflict("--output: a listing is lines, csv or ndjson; name it .txt, .csv or .ndjson")
        }
        _ => Ok(()),
    }
}
