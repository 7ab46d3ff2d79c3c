//! The command line as a whole: help, what must exist, what contradicts itself, what the environment adds.

mod environment;
mod help;
mod profile;
mod usage;

use std::ffi::OsString;

use clap::builder::Resettable;

use super::parse::{command, parse_with};
use super::{Cli, Command, DeleteArgs};
use crate::profile::SearchPaths;

/// The definition, deaf to the environment that the tests run in.
fn deaf() -> clap::Command {
    hard_of_hearing(command())
}

fn hard_of_hearing(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| arg.env(Resettable::Reset)).mut_subcommands(hard_of_hearing)
}

/// Reads words after the program's name.
fn parse(words: &[&str]) -> Result<Cli, clap::Error> {
    parse_in(words, &SearchPaths::nowhere())
}

/// The same where there may be a configuration file.
fn parse_in(words: &[&str], paths: &SearchPaths) -> Result<Cli, clap::Error> {
    let args = std::iter::once("kvsweep").chain(words.iter().copied());
    parse_with(deaf(), &args.map(OsString::from).collect::<Vec<_>>(), paths)
}

/// Reads words after `kvsweep delete`.
fn delete(words: &[&str]) -> Result<DeleteArgs, clap::Error> {
    let words: Vec<_> = std::iter::once("delete").chain(words.iter().copied()).collect();
    parse(&words).map(|cli| match cli.command {
        Command::Delete(delete) => *delete,
        other => panic!("not a delete: {other:?}"),
    })
}
