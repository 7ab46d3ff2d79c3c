//! A command line and the environment, read and checked.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory, FromArgMatches};

use super::config::{self, ConfigArgs, ConfigCommand};
use super::conflict::FlagConflict;
use super::environment::with_environments;
use super::{Cli, Command, access, conflict, help, man, profile};
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
    with_environments(help::laid_out(config::with_settings(man::with_pages(Cli::command()))))
}

pub(super) fn parse_with(
    mut command: clap::Command,
    args: &[OsString],
    paths: &SearchPaths,
) -> Result<Cli, clap::Error> {
    if args.iter().any(|arg| arg == "--no-bulk") {
        command = without_bulk_of_environment(command);
    }
    // Parsing builds it, and what is built cannot be changed any more.
    let unbuilt = command.clone();
    command = help::for_words(command, args);
    let mut matches =
        command.try_get_matches_from_mut(args).map_err(|error| naming_the_variable(error, &command, args))?;
    let mut used = None;
    if let Some((changed, by)) =
        profile::apply(&unbuilt, &matches, paths).map_err(|error| unusable(&error, &matches))?
    {
        command = changed;
        matches = command.try_get_matches_from_mut(args)?;
        used = Some(Box::new(by));
    }
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    let Some((name, matches)) = matches.subcommand() else { return Ok(cli) };
    if let Command::Config(ConfigArgs { command: ConfigCommand::Show(show) }) = &mut cli.command {
        let definition = command.find_subcommand("config").and_then(|config| config.find_subcommand("show"));
        let given = definition.zip(matches.subcommand_matches("show"));
        show.given = given.map(|(definition, matches)| config::given(definition, matches)).unwrap_or_default();
    }
    if let Err(FlagConflict(kind, mut message)) = conflict::check(&mut cli.command, matches) {
        let of_profile = used.as_ref().and_then(|used| used.origin_of(&message));
        if let Some(origin) = of_profile.or_else(|| origin_of(&message, &command, args)) {
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

/// clap counts what the environment says as given, so the flag that overrides it would be a contradiction.
fn without_bulk_of_environment(command: clap::Command) -> clap::Command {
    let without = |arg: Arg| if arg.get_id() == "bulk" { arg.env(Resettable::Reset) } else { arg };
    command.mut_args(without).mut_subcommands(without_bulk_of_environment)
}

/// No usage is shown: it would not say more about a file.
fn unusable(error: &ProfileError, matches: &clap::ArgMatches) -> clap::Error {
    // The next run should not end at the next missing setting.
    let missing = Cli::from_arg_matches(matches).ok().and_then(|cli| access::missing(&cli.command));
    let missing = missing.map(|missing| format!("hint: without this profile: {missing}\n"));
    clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n{}", missing.unwrap_or_default()))
}

/// Adds to an error about a value where it came from, when that was the environment: at 3 a.m. nobody finds a flag
/// that was never given.
fn naming_the_variable(mut error: clap::Error, command: &clap::Command, args: &[OsString]) -> clap::Error {
    let tip = if error.kind() == ErrorKind::ArgumentConflict {
        // The usage after it names other flags.
        error.to_string().lines().next().and_then(|text| origin_of(text, command, args))
    } else {
        let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return error };
        let variable = variables(command, args).into_iter().find(|(named, _)| flag_of(flag) == Some(named));
        variable.map(|(_, variable)| {
            let is_empty = std::env::var_os(variable).is_some_and(|value| value.is_empty());
            match variable.display() {
                variable if is_empty => {
                    format!("the environment variable {variable} is empty: give it a value, or unset it")
                }
                variable => format!("the value came from the environment variable {variable}"),
            }
        })
    };
    if let Some(tip) = tip {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// `--dry-run` of `--dry-run`, `--backup <FILE>` and `--bulk[=<N>]`.
fn flag_of(word: &str) -> Option<&str> {
    word.split([' ', '[', '\'', ':', ',']).next()?.strip_prefix("--")
}

/// Where the flags that a text names came from, if that was the environment.
fn origin_of(text: &str, command: &clap::Command, args: &[OsString]) -> Option<String> {
    let named: Vec<_> = text.split([' ', '\'']).filter_map(flag_of).collect();
    let variables = variables(command, args).into_iter();
    let places = variables.filter(|(flag, variable)| named.contains(flag) && std::env::var_os(variable).is_some());
    let places: Vec<_> = places
        .map(|(flag, variable)| format!("--{flag} comes from the environment variable {}", variable.display()))
        .collect();
    (!places.is_empty()).then(|| places.join(", "))
}

/// The flags that were not given, each once, with their variables.
fn variables<'a>(command: &'a clap::Command, args: &[OsString]) -> BTreeMap<&'a str, &'a OsStr> {
    let is_given = |flag: &str| {
        let rest = |arg: &str| arg.strip_prefix("--").and_then(|arg| arg.strip_prefix(flag)).map(str::to_owned);
        args.iter().filter_map(|arg| rest(&arg.to_string_lossy())).any(|rest| rest.is_empty() || rest.starts_with('='))
    };
    let flags = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let flags = flags.filter_map(|arg| Some((arg.get_long()?, arg.get_env()?)));
    flags.filter(|(flag, _)| !is_given(flag)).collect()
}
