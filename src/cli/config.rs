//! `kvsweep config`.

use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, Subcommand};

use super::DeleteArgs;
use super::environment::GUARDS;
use super::output::{LogArgs, offline};
use super::patterns::Keeping;
use super::profile::{AppliedProfile, ProfileArgs};
use crate::command::{ConfigJob, Error, Place, Setting, Settings, Source, split_hints};
use crate::profile::{Origin, PROTECTION_KEYS, SETTINGS, SearchPaths};

const SHOW_AFTER_HELP: &str = "\
It takes every flag of kvsweep delete that a profile can set, and shows the resulting settings:
  kvsweep config show --profile prod --rate 600/5m";

/// The flags of `kvsweep config`.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to look at.
#[derive(Debug, Clone, PartialEq, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting and where it comes from
    ///
    /// A flag, the environment, the profile, or the default, in that order. Of secrets it shows only whether they are
    /// set. Nothing is sent.
    Show(Box<ShowArgs>),
    /// Show where kvsweep.toml is looked for and what was found
    ///
    /// The nearest place first. A file in a folder is used only if a profile is named; your own file may set a
    /// default-profile.
    Path(PathArgs),
}

/// The flags of `kvsweep config show`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(after_help = SHOW_AFTER_HELP, mut_arg("verbose", offline))]
pub struct ShowArgs {
    /// Every setting as it came out of the command line and the environment.
    #[arg(skip)]
    pub given: Vec<Setting>,

    /// Print one JSON object
    ///
    /// Its members: `profile, file, settings`; each setting has `name, values, source, from`.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub profile: ProfileArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

/// The flags of `kvsweep config path`.
#[derive(Debug, Clone, PartialEq, Args)]
#[command(mut_arg("verbose", offline))]
pub struct PathArgs {
    #[command(flatten)]
    pub log: LogArgs,
}

impl ConfigCommand {
    /// The log.
    pub(super) fn log(&self) -> &LogArgs {
        match self {
            Self::Show(args) => &args.log,
            Self::Path(args) => &args.log,
        }
    }
}

/// The definition whose `config show` takes the flags of `delete` that a profile can set; those of the log it has already.
pub(super) fn with_settings(whole: Command) -> Command {
    let is_setting =
        |long: &str| (SETTINGS.iter().any(|setting| setting.name == long) && long != "log-format") || long == "no-bulk";
    let flags = DeleteArgs::augment_args(Command::new("delete"));
    let flags = flags.get_arguments().filter(|arg| arg.get_long().is_some_and(is_setting));
    let flags: Vec<Arg> = flags.map(|arg| arg.clone().hide(true)).collect();
    whole.mut_subcommand("config", |config| config.mut_subcommand("show", |show| show.args(flags)))
}

/// Every setting as it came out of the command line and the environment.
pub(super) fn given(show: &Command, matches: &ArgMatches) -> Vec<Setting> {
    let settings = SETTINGS.iter().filter_map(|setting| {
        let name = setting.name;
        let arg = show.get_arguments().find(|arg| arg.get_long() == Some(name))?;
        let id = arg.get_id().as_str();
        let no_bulk = name == "bulk" && matches.get_flag("no_bulk");
        let (source, from) = match matches.value_source(id) {
            Some(ValueSource::EnvVariable) if !no_bulk => {
                (Source::Environment, arg.get_env().map(|variable| variable.to_string_lossy().into_owned()))
            }
            Some(ValueSource::DefaultValue) | None if !no_bulk => (Source::Default, None),
            _ => (Source::Flag, Some(format!("--{name}"))),
        };
        let values = matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
        let values = if no_bulk { vec!["false".to_owned()] } else { values.collect() };
        Some(Setting { name, values, source, from })
    });
    settings.collect()
}

/// The variables that hold a secret, or whose it is.
const SECRETS: [&str; 3] = ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_KEY"];

/// What `kvsweep config` is to tell.
///
/// # Errors
/// [`UsageError`](crate::command::UsageError) for patterns of the environment that cannot be used.
pub(super) fn task(command: ConfigCommand, used: Option<&AppliedProfile>) -> Result<ConfigJob, Error> {
    Ok(match command {
        ConfigCommand::Show(args) => ConfigJob::Show(settings(*args, &Keeping::of_environment()?, used)),
        ConfigCommand::Path(_) => ConfigJob::Path(places(&SearchPaths::of_process())),
    })
}

fn settings(args: ShowArgs, environment: &Keeping, used: Option<&AppliedProfile>) -> Settings {
    let mut settings = Vec::new();
    for given in args.given {
        let entry = used.and_then(|used| used.profile.entry(given.name));
        let taken = used.is_some_and(|used| used.taken.contains(&given.name));
        if PROTECTION_KEYS.contains(&given.name) {
            settings.extend(kept(given, environment, used.filter(|_| taken)));
            continue;
        }
        settings.push(match entry.filter(|_| taken && given.source == Source::Default) {
            Some(entry) => Setting { source: Source::Profile, from: Some(entry.at.to_string()), ..given },
            None => given,
        });
    }
    settings.extend(SECRETS.map(|name| {
        let is_set = std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let source = if is_set { Source::Environment } else { Source::Default };
        let said = if is_set { "(set)" } else { "(not set)" };
        Setting { name, values: vec![said.to_owned()], source, from: is_set.then(|| name.to_owned()) }
    }));
    Settings { profile: used.map(AppliedProfile::note), values: settings, json: args.json }
}

/// What flags, environment and profile keep: they stand beside each other, because none overrides another.
fn kept(given: Setting, environment: &Keeping, used: Option<&AppliedProfile>) -> Vec<Setting> {
    let name = given.name;
    let variable = GUARDS.into_iter().find(|(flag, _)| *flag == name).map(|(_, variable)| variable.to_owned());
    let of_environment =
        Setting { name, values: environment.values(name), source: Source::Environment, from: variable };
    let of_profile = used.and_then(|used| {
        let from = Some(used.profile.entry(name)?.at.to_string());
        Some(Setting { name, values: used.keeping.values(name), source: Source::Profile, from })
    });
    let all = [Some(given.clone()), Some(of_environment), of_profile].into_iter().flatten();
    let some: Vec<_> = all.filter(|setting| !setting.values.is_empty()).collect();
    if some.is_empty() { vec![given] } else { some }
}

fn places(paths: &SearchPaths) -> Vec<Place> {
    let place = |file: &Path, origin| Place {
        file: file.to_owned(),
        says: match paths.read_found(file, origin) {
            Ok(None) => "is not there".to_owned(),
            Ok(Some(config)) => match &config.default {
                Some(default) => format!("has {}; default {default}", config.names()),
                None => format!("has {}", config.names()),
            },
            Err(error) => format!("cannot be used: {}", split_hints(&error.to_string()).0),
        },
    };
    let found = paths.folder_files();
    let own = paths.own_files();
    let found = found.iter().map(|file| place(file, Origin::Found));
    found.chain(own.iter().map(|file| place(file, Origin::Own))).collect()
}
