//! From what was said, and the environment, to a [`Task`]: everything that can be refused without opening an input is
//! refused here.

use std::io::IsTerminal;
use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::CommandFactory;

use crate::command::{
    CommandLine, Confirm, DeleteJob, Error, Inputs, JobOptions, KeySelection, Keys, ListJob, Mode, NamespacesJob,
    PrintFormat, RatesFrom, ReportJob, RestoreJob, RunOptions, SandboxJob, Task, UsageError, WhoamiJob,
};
use crate::files::IfExists;
use crate::input::{Header, InputOptions, Source};
use crate::listing::{Prefixes, Selection};
use crate::pipeline::RetryPolicy;
use crate::plan::Guards;
use crate::plan::filter::Filter;
use crate::progress::ProgressMode;
use crate::report::{Sync, Target};
use crate::sandbox::{Fault, SandboxOptions};
use crate::terminal::Escaped;

use super::access::{self, Problems, connection, target};
use super::auto_shard;
use super::config;
use super::connection::AccountArgs;
use super::environment;
use super::output::OutputArgs;
use super::pace::RequestArgs;
use super::patterns::{Keeping, filter};
use super::profile::AppliedProfile;
use super::{
    Cli, Command, DeleteArgs, ListArgs, NamespacesArgs, RestoreArgs, ReviewArgs, SandboxArgs, WhoamiArgs, completions,
    man, parse,
};

/// What the command line asks for.
///
/// # Errors
/// [`Error`] where something is missing or cannot be.
pub fn task(cli: Cli) -> Result<Task, Error> {
    let (used, line) = (cli.used, cli.command_line);
    for warning in used.iter().flat_map(|used| &used.warnings) {
        tracing::warn!("{warning}");
    }
    for warning in environment::unknown(Cli::command) {
        tracing::warn!("{}", Escaped(&warning));
    }
    if let Some(AppliedProfile { profile, taken, .. }) = used.as_deref() {
        let file = profile.file.to_string_lossy();
        tracing::info!("the profile {} of {} gives {}", profile.name, Escaped(&file), taken.join(", "));
    }
    match cli.command {
        Command::Delete(args) => job(*args, line, used.as_deref()).map(|job| Task::Delete(Box::new(job))),
        Command::List(args) => listing(*args, line, used.as_deref()).map(|job| Task::List(Box::new(job))),
        Command::Restore(args) => restoring(*args, line, used.as_deref()).map(|job| Task::Restore(Box::new(job))),
        Command::Namespaces(args) => namespaces(*args, used.as_deref()).map(|job| Task::Namespaces(Box::new(job))),
        Command::Whoami(args) => whoami(*args, used.as_deref()).map(|job| Task::Whoami(Box::new(job))),
        Command::Report(args) => Ok(Task::Report(Box::new(reviewing(*args)))),
        Command::Config(args) => config::task(args.command, used.as_deref()).map(Task::Config),
        Command::Sandbox(args) => serving(args).map(|serving| Task::Sandbox(Box::new(serving))),
        Command::Completions(args) => Ok(Task::Publish(completions::docs_job(args.shell, &parse::command()))),
        Command::Man(args) => Ok(Task::Publish(man::docs_job(args, parse::command()))),
    }
}

fn reviewing(args: ReviewArgs) -> ReportJob {
    ReportJob {
        reports: args.reports,
        plan: args.diff,
        html: args.html,
        failures: args.failures,
        existing: if args.overwrite { IfExists::Overwrite } else { IfExists::Refuse },
        format: match (args.json, args.markdown) {
            (true, _) => PrintFormat::Json,
            (_, true) => PrintFormat::Markdown,
            _ => PrintFormat::Text,
        },
    }
}

fn serving(args: SandboxArgs) -> Result<SandboxJob, Error> {
    let faults = args
        .faults
        .iter()
        .map(|spec| spec.parse::<Fault>().map_err(|source| UsageError::Fault { spec: spec.clone(), source }));
    let options = SandboxOptions {
        port: args.port,
        faults: faults.collect::<Result<_, _>>()?,
        quotas: args.quotas,
        token: args.token,
        account: args.account_id.map(|id| id.to_string()),
        namespace: args.namespace_id.map(|id| id.to_string()),
        verbose: true,
        latency: args.latency,
        title: args.title,
        seed: args.seed,
        daily_deletes: args.daily_deletes.map(NonZeroU64::get),
        // Nobody could look at it, and it grows with every request.
        request_log: false,
        ..SandboxOptions::default()
    };
    Ok(SandboxJob { options, keys: args.keys })
}

fn job(args: DeleteArgs, line: CommandLine, used: Option<&AppliedProfile>) -> Result<DeleteJob, Error> {
    let environment = Keeping::of_environment()?;
    let protect_from = [args.protect_from.as_ref(), environment.protect_from.as_ref()];
    let settings_files = settings_files(&args.connection.account, protect_from, used);
    let (lists, batching, needs_connection) = (args.lists(), args.batching(), args.needs_connection());
    let mut problems = Problems::default();
    let connection = if needs_connection { connection(&args.connection, &mut problems) } else { None };
    problems.hint(match (lists, args.check) {
        (true, _) => "",
        (false, true) => "--sandbox, and --dry-run without --check, need none of these",
        (false, false) => "--dry-run and --sandbox need none of these",
    });
    let reads_stdin = !lists && args.inputs.is_empty();
    if reads_stdin && std::io::stdin().is_terminal() {
        problems.missing("no INPUT", "name a file of keys, or send keys to stdin (- reads them from this terminal)");
    }
    let sources = if reads_stdin { vec![Source::Stdin] } else { args.inputs };
    problems.check()?;
    let target = if args.sandbox { None } else { target(&args.connection, connection.as_ref()) };
    let profile = used.map(|used| (used.profile.name.as_str(), &used.keeping));
    let flags = Keeping { protect: args.protect, protect_from: args.protect_from, only: args.only };
    let filter = filter(flags, environment, profile, args.allow_protected)?;
    let shard = auto_shard::shard(args.shard)?;
    let keys = match &connection {
        Some(connection) if lists => Keys::Namespace(Box::new(KeySelection {
            connection: connection.clone(),
            prefixes: Prefixes::new(args.prefixes),
            selection: Selection {
                names: filter,
                expiring_before: args.expiring_before,
                without_expiration: args.without_expiration,
                metadata: args.metadata,
            },
            shard,
        })),
        _ => Keys::Inputs(Inputs {
            sources,
            dedupe: !args.no_dedupe,
            options: InputOptions {
                format: args.format,
                column: args.column,
                header: if args.no_header { Header::None } else { Header::Auto },
                delimiter: args.delimiter,
                plans: Vec::new(),
            },
            filter,
            shard,
        }),
    };
    let mode = match connection {
        _ if args.sandbox => Mode::Rehearsal,
        Some(connection) if !args.dry_run => Mode::Real(connection),
        Some(connection) if args.check => Mode::Check(connection),
        _ => Mode::DryRun,
    };
    let mut options = options(args.requests, &args.output, args.json, used);
    options.rates = auto_shard::shared(options.rates, shard)?;
    options.command_line = line;
    Ok(DeleteJob {
        options,
        keys,
        target,
        guards: Guards {
            max_keys: args.max_keys.map(NonZeroU64::get),
            min_keys: args.min_keys.map(NonZeroU64::get),
            expect: args.expect.map(NonZeroU64::get),
        },
        mode,
        check: args.check,
        batching,
        max_failures: args.max_failures,
        canary: args.canary.map(NonZeroU64::get),
        run: RunOptions {
            allow_partial: args.allow_partial,
            confirm: if args.yes { Confirm::AssumeYes } else { Confirm::Prompt },
            report: args.report.unwrap_or(if args.dry_run { Target::Nowhere } else { Target::Default }),
            failures: args.failures,
            backup: args.backup,
            folders: used.map(|used| used.folders.clone()).unwrap_or_default(),
            existing: existing(args.overwrite, args.resume),
            sync: args.sync,
            concurrency: args.in_flight.concurrency.into(),
            grace: args.in_flight.grace,
            monitoring: args.monitoring.into(),
            settings_files,
        },
    })
}

/// The files that flags and settings were read from.
fn settings_files(
    account: &AccountArgs,
    protect: [Option<&PathBuf>; 2],
    used: Option<&AppliedProfile>,
) -> Vec<PathBuf> {
    let of_profile = used.into_iter().flat_map(|used| [Some(&used.profile.file), used.keeping.protect_from.as_ref()]);
    let of_flags = [account.api_token_file.as_ref(), account.cacert.as_ref()];
    of_flags.into_iter().chain(protect).chain(of_profile).flatten().cloned().collect()
}

/// What every command that sends requests has.
fn options(args: RequestArgs, output: &OutputArgs, json: bool, used: Option<&AppliedProfile>) -> JobOptions {
    let rates_given = args.rates_given || used.is_some_and(|used| used.taken.contains(&"rate"));
    JobOptions {
        rates: args.rates.into_iter().flatten().collect(),
        rates_from: if rates_given { RatesFrom::User } else { RatesFrom::Default },
        retry: RetryPolicy { retries: args.retries, ..RetryPolicy::default() },
        timeout: args.timeout,
        max_wait: args.max_wait,
        deadline: args.deadline,
        progress: output.progress_mode(),
        lines: output.log.log_format,
        json,
        quiet: output.log.quiet,
        profile: used.map(AppliedProfile::note),
        command_line: CommandLine::default(),
    }
}

fn listing(args: ListArgs, line: CommandLine, used: Option<&AppliedProfile>) -> Result<ListJob, Error> {
    let format = args.format();
    let settings_files = settings_files(&args.connection.account, [None; 2], used);
    Ok(ListJob {
        options: JobOptions { command_line: line, ..options(args.requests, &args.output, args.json, used) },
        connection: required(|problems| connection(&args.connection, problems))?,
        prefixes: Prefixes::new(args.prefixes),
        selection: Selection {
            names: Filter::new(args.protect, args.only).map_err(UsageError::from)?,
            expiring_before: args.expiring_before,
            without_expiration: args.without_expiration,
            metadata: args.metadata,
        },
        format,
        output: match args.output_path {
            None | Some(Source::Stdin) => None,
            Some(Source::File(path)) => Some(path),
        },
        existing: existing(args.overwrite, args.resume),
        settings_files,
    })
}

fn restoring(args: RestoreArgs, line: CommandLine, used: Option<&AppliedProfile>) -> Result<RestoreJob, Error> {
    let settings_files = settings_files(&args.connection.account, [None; 2], used);
    let connection = if args.dry_run {
        None
    } else {
        Some(required(|problems| {
            let connection = connection(&args.connection, problems);
            problems.hint("--dry-run needs none of these");
            connection
        })?)
    };
    Ok(RestoreJob {
        options: JobOptions { command_line: line, ..options(args.requests, &args.output, args.json, used) },
        files: args.files,
        target: target(&args.connection, connection.as_ref()),
        connection,
        overwrite_values: args.overwrite_values,
        run: RunOptions {
            allow_partial: args.allow_partial,
            confirm: if args.yes { Confirm::AssumeYes } else { Confirm::Prompt },
            report: args.report.unwrap_or(if args.dry_run { Target::Nowhere } else { Target::Default }),
            failures: None,
            backup: None,
            folders: Vec::new(),
            existing: existing(args.overwrite, args.resume),
            sync: Sync::default(),
            concurrency: args.in_flight.concurrency.into(),
            grace: args.in_flight.grace,
            monitoring: args.monitoring.into(),
            settings_files,
        },
    })
}

fn existing(overwrite: bool, resume: bool) -> IfExists {
    match (overwrite, resume) {
        (true, _) => IfExists::Overwrite,
        (false, true) => IfExists::Resume,
        (false, false) => IfExists::Refuse,
    }
}

/// What `find` finds, or one error for all that is missing.
fn required<T>(find: impl FnOnce(&mut Problems) -> Option<T>) -> Result<T, Error> {
    let mut problems = Problems::default();
    let found = find(&mut problems);
    problems.check()?;
    Ok(found.ok_or_else(|| UsageError::Settings("a setting is missing".to_owned()))?)
}

fn namespaces(args: NamespacesArgs, used: Option<&AppliedProfile>) -> Result<NamespacesJob, Error> {
    let output = OutputArgs { progress: ProgressMode::Never, log: args.log };
    let (access, account) = required(|problems| access::account(&args.account, problems))?;
    Ok(NamespacesJob { access, account, options: options(args.requests, &output, args.json, used) })
}

fn whoami(args: WhoamiArgs, used: Option<&AppliedProfile>) -> Result<WhoamiJob, Error> {
    let output = OutputArgs { progress: ProgressMode::Never, log: args.log };
    let (access, account, namespace) = required(|problems| {
        let named = problems.take(access::namespace(&args.connection));
        let access = access::access(&args.connection.account, problems);
        let (named, namespace) = named?;
        Some((access?, args.connection.account.account_id.or(named), namespace))
    })?;
    Ok(WhoamiJob { access, account, namespace, options: options(args.requests, &output, args.json, used) })
}
