//! `kvsweep man`: the manual, a page for the program and one for each subcommand.

mod page;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Command, ValueHint};

use crate::command::DocsJob;

const AFTER_HELP: &str = "\
Examples:
  kvsweep man delete | man -l -            read one page
  kvsweep man --out ~/.local/share/man/man1";

/// The flags of `kvsweep man`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ManArgs {
    /// Print the page of this subcommand
    ///
    /// The default is the page of kvsweep itself.
    #[arg(value_name = "COMMAND", conflicts_with = "out", hide_possible_values = true)]
    pub command: Option<String>,

    /// Write all pages into FOLDER
    ///
    /// Creates the folder if needed, and replaces existing pages.
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// The definition whose `kvsweep man` knows which commands have a page.
pub(super) fn with_pages(whole: Command) -> Command {
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set());
    let names: Vec<String> = shown.map(|command| command.get_name().to_owned()).collect();
    whole.mut_subcommand("man", |man| man.mut_arg("command", |arg| arg.value_parser(PossibleValuesParser::new(names))))
}

/// The pages that were asked for.
pub(super) fn docs_job(args: ManArgs, whole: Command) -> DocsJob {
    let mut whole = whole.disable_help_subcommand(true);
    whole.build();
    let shown = || whole.get_subcommands().filter(|command| !command.is_hide_set());
    let documents = match (args.command, &args.out) {
        (Some(name), _) => {
            shown().filter(|command| command.get_name() == name).map(|command| page::of(command, &whole)).collect()
        }
        (None, None) => vec![page::of(&whole, &whole)],
        (None, Some(_)) => std::iter::once(&whole).chain(shown()).map(|command| page::of(command, &whole)).collect(),
    };
    DocsJob { documents, folder: args.out }
}

#[cfg(test)]
mod tests;
