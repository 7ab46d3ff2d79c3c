//! A command line and the environment, read and checked.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory, FromArgMatches};

use super::conflict::FlagConflict;
use super::environment::with_environments;
use super::{Cli, Command, access, help, man, profile};
use crate::clock::wall_now;
use crate::command::CommandLine;
use crate::profile::{ProfileError, SearchPaths};

/// Reads a command line (the program's name first) and the environment.
///
/// # Errors
/// What clap has to say: a mistake, or help or version, which were asked for. Print it with
/// [`clap::Error::print`], whose result may be ignored, and end with
/// [`ExitCode::for_usage`](crate::exit::ExitCode::for_usage).
pub fn parse_from<I>(args: I) -> Result<Cli, clap::Error>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    parse_with(command(), &args, &SearchPaths::of_process())
}

/// The whole definition, with what holds for every flag: its environment variable is named in its long help, and
/// counts as unset when it is empty.
pub(crate) fn command() -> clap::Command {
    with_environments(help::laid_out(man::with_pages(Cli::command())))
}

pub(super) fn parse_with(
    mut command: clap::Command,
    args: &[OsString],
    paths: &SearchPaths,
) -> Result<Cli, clap::Error> {
    // Parsing builds it, and what is built cannot be changed any more.
    let unbuilt = command.clone();
    command = help::for_words(command, args);
    let mut matches =
        command.try_get_matches_from_mut(args).map_err(|error| naming_the_variable(error, &command, args))?;
    let mut used = None;
    if let Some((changed, by)) =
        profile::apply(&unbuilt, &matches, paths, wall_now()).map_err(|error| unusable(&error, &matches))?
    {
        command = changed;
        matches = command.try_get_matches_from_mut(args)?;
        used = Some(Box::new(by));
    }
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    let Some((name, matches)) = matches.subcommand() else { return Ok(cli) };
    let rates_given =
        profile::is_given(matches, "rates") || used.as_ref().is_some_and(|used| used.taken.contains(&"rate"));
    let checked = match &mut cli.command {
        Command::Delete(delete) => {
            delete.pace.requests.rates_given = rates_given;
            delete.check(matches)
        }
        Command::List(list) => list.check(matches),
        Command::Restore(restore) => {
            restore.requests.rates_given = rates_given;
            restore.check(matches)
        }
        Command::Namespaces(args) => args.account.resolve_conflicts(matches).and_then(|()| args.requests.check()),
        Command::Whoami(args) => args.connection.resolve_conflicts(matches).and_then(|()| args.requests.check()),
        Command::Report(_) | Command::Config(_) | Command::Sandbox(_) | Command::Completions(_) | Command::Man(_) => {
            Ok(())
        }
    };
    if let Err(FlagConflict(kind, mut message)) = checked {
        if let Some(origin) = used.as_ref().and_then(|used| used.origin_of(&message)) {
            message = format!("{message}; {origin}");
        }
        return Err(match command.find_subcommand_mut(name) {
            Some(subcommand) => subcommand.error(kind, message),
            None => command.error(kind, message),
        });
    }
    cli.used = used;
    cli.command_line = CommandLine(args.to_vec());
    Ok(cli)
}

/// No usage is shown: it would not say more about a file.
fn unusable(error: &ProfileError, matches: &clap::ArgMatches) -> clap::Error {
    // The next run should not end at the next missing setting.
    let missing = Cli::from_arg_matches(matches).ok().and_then(|cli| access::missing(cli.command));
    let missing = missing.map(|missing| format!("hint: without this profile: {missing}\n"));
    clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n{}", missing.unwrap_or_default()))
}

/// Adds to an error about a value where it came from, when that was the environment: at 3 a.m. nobody finds a flag
/// that was never given.
fn naming_the_variable(mut error: clap::Error, command: &clap::Command, args: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let flag = flag.split([' ', '[']).next().unwrap_or_default();
    let Some(long) = flag.strip_prefix("--") else {
        return error;
    };
    let given = args.iter().any(|arg| {
        let arg = arg.to_string_lossy();
        arg.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    let variable = command
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter(|arg| arg.get_long() == Some(long))
        .find_map(Arg::get_env);
    if let (false, Some(variable)) = (given, variable) {
        let is_empty = std::env::var_os(variable).is_some_and(|value| value.is_empty());
        let tip = match variable.display() {
            variable if is_empty => {
                format!("the environment variable {variable} is empty: give it a value, or unset it")
            }
            variable => format!("the value came from the environment variable {variable}"),
        };
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}
