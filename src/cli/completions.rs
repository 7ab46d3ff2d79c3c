//! `kvsweep completions`: what a shell has to know to complete the rest.

use clap::{Args, Command, ValueEnum};
use clap_complete::Shell;

use crate::command::{DocsJob, Document};

const AFTER_LONG_HELP: &str = "\
Where shells look for it:
  bash        ~/.local/share/bash-completion/completions/kvsweep
  zsh         _kvsweep in a folder of $fpath, before compinit is called
  fish        ~/.config/fish/completions/kvsweep.fish
  powershell  kvsweep completions powershell | Out-String | Invoke-Expression, in $PROFILE
  elvish      ~/.config/elvish/lib/kvsweep.elv, and `use kvsweep` in rc.elv

For this shell alone:
  source <(kvsweep completions bash)

Packages install them already.";

const NAME: &str = "kvsweep";

/// The flags of `kvsweep completions`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_long_help = AFTER_LONG_HELP)]
pub struct CompletionsArgs {
    /// Print completions for this shell: bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", value_enum, hide_possible_values = true)]
    pub shell: Shell,
}

/// The script for a shell, on stdout.
pub(super) fn docs_job(shell: Shell, whole: &Command) -> DocsJob {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(whole, NAME), NAME, &mut script);
    let name = shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    DocsJob { documents: vec![Document { name, text: script }], folder: None }
}

/// The definition without what is hidden: `clap_complete` would offer that too.
fn visible(whole: &Command, name: &str) -> Command {
    let shown = |command: &&Command| !command.is_hide_set();
    let mut command = Command::new(name.to_owned())
        .args(whole.get_arguments().filter(|arg| !arg.is_hide_set()))
        .subcommands(whole.get_subcommands().filter(shown).map(|command| visible(command, command.get_name())))
        .disable_help_flag(whole.is_disable_help_flag_set());
    if let Some(about) = whole.get_about() {
        command = command.about(about.clone());
    }
    if let Some(version) = whole.get_version() {
        command = command.version(version.to_owned());
    }
    command
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn every_shell_is_offered_all_flags_but_the_hidden_ones() {
        for shell in Shell::value_variants() {
            let docs_job = docs_job(*shell, &parse::command());
            let script = String::from_utf8(docs_job.documents[0].text.clone()).unwrap();
            let words: Vec<&str> = script.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
            for command in parse::command().get_subcommands() {
                assert!(words.contains(&command.get_name()), "{shell}: {}", command.get_name());
                for arg in command.get_opts() {
                    let long = arg.get_long().unwrap();
                    // fish has them without the dashes.
                    let offered = words.iter().any(|word| *word == format!("--{long}"))
                        || words.windows(2).any(|pair| *shell == Shell::Fish && pair == ["-l", long]);
                    let elsewhere = parse::command()
                        .get_subcommands()
                        .any(|other| other.get_opts().any(|arg| arg.get_long() == Some(long) && !arg.is_hide_set()));
                    assert_eq!(offered, elsewhere, "{shell}: {} --{long}", command.get_name());
                }
            }
        }
    }
}
