//! `--profile` and `--config`, and what a profile adds to a command line.
//!
//! A profile changes defaults: what neither a flag nor a variable gave is read by the flag's own parser from the profile
//! instead. What keeps keys is no default but adds to the flags, so that none of them lifts it.

use std::error::Error as _;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, Resettable, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, ValueHint};

use crate::api::BaseUrl;
use crate::command::{ProfileNote, split_hints};
use crate::profile::{
    Entry, NAMESPACE, PROTECTION_KEYS, Profile, ProfileError, SearchPaths, TOKEN, WantedFile, WantedProfile, choose,
};
use crate::terminal::{Escaped, Quoted};

use super::environment::credential;
use super::patterns::Keeping;

/// Where jobs that delete write; a dry run, a rehearsal and a restoration write there only if a flag says so.
const OF_DELETING: [&str; 3] = ["report", "failures", "backup"];

/// Which profile, and of which file.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ProfileArgs {
    /// Use this profile of kvsweep.toml
    ///
    /// A flag overrides the environment, which overrides the profile; protect, protect-from and only add up. `none` uses no profile. `kvsweep config show` shows the effective settings, `kvsweep config
    /// path` where the file is looked for. The default is default-profile of your own file or of --config, if it is
    /// set.
    #[arg(long, value_name = "NAME", env = "KVSWEEP_PROFILE", hide_short_help = true)]
    pub profile: Option<WantedProfile>,

    /// Read profiles from FILE only (none reads no file)
    ///
    /// By default kvsweep.toml is looked for in this folder and those above it, up to the repository or the home
    /// folder, and in your own configuration.
    #[arg(long, value_name = "FILE", env = "KVSWEEP_CONFIG", value_parser = file_parser())]
    #[arg(value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub config: Option<WantedFile>,
}

/// `none`, or a file; one called `none` is `./none`.
fn file_parser() -> impl TypedValueParser<Value = WantedFile> {
    PathBufValueParser::new().map(|path| match path.to_str() {
        Some("none") => WantedFile::None,
        _ => WantedFile::Named { path, is_typed: false },
    })
}

/// What a command took from a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct AppliedProfile {
    pub profile: Profile,
    /// The settings of it that count.
    pub taken: Vec<&'static str>,
    /// What it keeps, whatever the flags say.
    pub keeping: Keeping,
    /// The folders of its report and failures file, which are made with them.
    pub folders: Vec<PathBuf>,
    /// What should be known about it, a sentence each.
    pub warnings: Vec<String>,
}

impl AppliedProfile {
    pub(super) fn note(&self) -> ProfileNote {
        ProfileNote { name: self.profile.name.to_string(), file: self.profile.file.clone() }
    }

    /// Where the values are that a text is about, by the flags that it names; nothing where none of them is from here.
    pub(super) fn origin_of(&self, text: &str) -> Option<String> {
        let named = self.taken.iter().filter(|key| text.contains(&format!("--{key}")));
        let places: Vec<_> =
            named.filter_map(|key| Some(format!("{key} comes from {}", self.profile.entry(key)?.at))).collect();
        (!places.is_empty()).then(|| places.join(", "))
    }
}

/// The name of the subcommand that was given, at every level, and what was said to the last.
fn leaf(matches: &ArgMatches) -> (Vec<&str>, &ArgMatches) {
    let (mut names, mut inner) = (Vec::new(), matches);
    while let Some((name, matches)) = inner.subcommand() {
        names.push(name);
        inner = matches;
    }
    (names, inner)
}

/// Changes the subcommand at the end of a path.
fn change(command: Command, path: &[&str], how: &dyn Fn(Command) -> Command) -> Command {
    match path {
        [] => how(command),
        [first, rest @ ..] => command.mut_subcommand(first, |inner| change(inner, rest, how)),
    }
}

/// Finds the profile that a command line asks for, and makes its values the defaults of `command`, which is to be
/// parsed again. Nothing where no profile is used.
///
/// # Errors
/// [`ProfileError`] where the profile cannot be had, or says something that its flag would not take.
pub(super) fn apply(
    command: &Command,
    matches: &ArgMatches,
    paths: &SearchPaths,
) -> Result<Option<(Command, AppliedProfile)>, ProfileError> {
    let (path, given) = leaf(matches);
    let Some((file, wanted)) = wanted(given) else { return Ok(None) };
    let Some(profile) = choose(&file, &wanted, paths)? else { return Ok(None) };
    let Some(flags) = command.find_subcommand("delete") else { return Ok(None) };
    let wrong = profile.entries.iter().map(|entry| check(flags, entry));
    ProfileError::all(wrong.filter_map(Result::err))?;
    let named = path.iter().try_fold(command, |command, name| command.find_subcommand(name)).unwrap_or(command);
    let mut used = AppliedProfile {
        keeping: keeping(&profile),
        taken: Vec::new(),
        folders: Vec::new(),
        warnings: warnings(&profile, given),
        profile,
    };
    // And `config show`, which says what would be.
    let deletes = named.get_arguments().any(|arg| arg.get_long() == Some("protect-from"));
    for entry in &used.profile.entries {
        let Some(arg) = named.get_arguments().find(|arg| arg.get_long() == Some(entry.key)) else { continue };
        let (is_pattern, is_output) = (PROTECTION_KEYS.contains(&entry.key), OF_DELETING.contains(&entry.key));
        // The patterns of a listing are no protection but a choice, which is made again each time.
        if (is_pattern || is_output) && !deletes {
            continue;
        }
        if !is_pattern && (is_given(given, arg.get_id().as_str()) || is_settled(entry.key, given)) {
            continue;
        }
        if entry.key == "report" && entry.has_time && flag(given, "resume") {
            let why = "it names another file every second, so --resume cannot find that of the earlier run\nhint: pass --report";
            return Err(entry.refuse(why.to_owned()));
        }
        if is_output {
            let folder = entry.values.first().and_then(|value| Path::new(value).parent()).map(Path::to_owned);
            used.folders.extend(folder.filter(|folder| folder.is_absolute()));
        }
        used.taken.push(entry.key);
    }
    let is_default = |entry: &&Entry| used.taken.contains(&entry.key) && !PROTECTION_KEYS.contains(&entry.key);
    let default = |arg: Arg| match arg.get_long().and_then(|long| used.profile.entry(long)).filter(is_default) {
        Some(entry) => arg.default_values(entry.values.clone()),
        None => arg,
    };
    let command = change(command.clone(), &path, &|inner| inner.mut_args(default));
    Ok(Some((command, used)))
}

/// The file and profile that a command asks for; `None` if it has no such flags.
fn wanted(given: &ArgMatches) -> Option<(WantedFile, WantedProfile)> {
    let profile = given.try_get_one("profile").ok()?.cloned().unwrap_or(WantedProfile::Default);
    let mut file = given.try_get_one("config").ok()?.cloned().unwrap_or(WantedFile::Any);
    if let WantedFile::Named { is_typed, .. } = &mut file {
        *is_typed = given.value_source("config") == Some(ValueSource::CommandLine);
    }
    Some((file, profile))
}

/// Whether a flag or a variable gave a value.
pub(super) fn is_given(given: &ArgMatches, id: &str) -> bool {
    let source = given.try_contains_id(id).ok().and_then(|_| given.value_source(id));
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

fn flag(given: &ArgMatches, id: &str) -> bool {
    matches!(given.try_get_one::<bool>(id), Ok(Some(true)))
}

/// Whether something else than the flag of the same name settles a setting already.
fn is_settled(key: &str, given: &ArgMatches) -> bool {
    match key {
        _ if NAMESPACE.contains(&key) => names_namespace(given).is_some(),
        _ if TOKEN.contains(&key) => credentials_of_environment().is_some() || token_flag(given).is_some(),
        _ if OF_DELETING.contains(&key) => flag(given, "dry_run") || flag(given, "sandbox"),
        _ => false,
    }
}

/// How a flag or a variable names the namespace.
fn names_namespace(given: &ArgMatches) -> Option<&'static str> {
    ["namespace_id", "namespace", "binding"].into_iter().find(|id| is_given(given, id))
}

/// The flag or variable of kvsweep that gives the API token.
fn token_flag(given: &ArgMatches) -> Option<&'static str> {
    ["api_token_file", "api_token_command"].into_iter().find(|id| is_given(given, id))
}

/// The variable that holds credentials.
fn credentials_of_environment() -> Option<&'static str> {
    if credential("CLOUDFLARE_API_TOKEN").is_some() {
        return Some("CLOUDFLARE_API_TOKEN");
    }
    credential("CLOUDFLARE_EMAIL").and(credential("CLOUDFLARE_API_KEY")).map(|_| "CLOUDFLARE_API_KEY")
}

/// What a variable takes from a profile that was meant to name what is worked on: at 3 a.m. nobody remembers what was
/// exported.
fn warnings(profile: &Profile, given: &ArgMatches) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut add = |variable: &str, entry: &Entry| {
        let (name, key) = (&profile.name, entry.key);
        warnings.push(format!("{variable} is set and overrides {key} of the profile {name} ({})", entry.at));
    };
    let of_environment = |id| match given.try_get_raw(id) {
        Ok(Some(mut values)) if given.value_source(id) == Some(ValueSource::EnvVariable) => values.next(),
        _ => None,
    };
    for (id, variable, keys) in [
        ("account_id", "CLOUDFLARE_ACCOUNT_ID", &["account-id"][..]),
        ("namespace_id", "CLOUDFLARE_KV_NAMESPACE_ID", &NAMESPACE[..]),
    ] {
        let entry = keys.iter().find_map(|key| profile.entry(key));
        if let (Some(entry), Some(value)) = (entry, of_environment(id))
            && (id, names_namespace(given)) != ("namespace_id", Some("namespace"))
            && (entry.key != keys[0] || entry.values != [value])
        {
            add(variable, entry);
        }
    }
    let needs_token = given.try_contains_id("api_token_file").is_ok() && token_flag(given).is_none();
    let entry = TOKEN.iter().find_map(|key| profile.entry(key));
    if let (true, Some(entry), Some(variable)) = (needs_token, entry, credentials_of_environment()) {
        add(variable, entry);
    }
    warnings
}

fn keeping(profile: &Profile) -> Keeping {
    let values = |key| profile.entry(key).into_iter().flat_map(|entry| &entry.values);
    let texts = |key| values(key).map(|value| value.to_string_lossy().into_owned()).collect();
    Keeping {
        protect: texts("protect"),
        protect_from: values("protect-from").next().map(PathBuf::from),
        only: texts("only"),
    }
}

/// Reads values with the parser of their flag, for its error to name the line.
fn check(flags: &Command, entry: &Entry) -> Result<(), ProfileError> {
    let Some(arg) = flags.get_arguments().find(|arg| arg.get_long() == Some(entry.key)) else { return Ok(()) };
    if entry.values.is_empty() {
        return Err(entry.refuse("it is empty; omit it to use the default".to_owned()));
    }
    if arg.get_action().takes_values() {
        let words = entry.values.iter().map(|value| {
            let mut word = OsString::from(format!("--{}=", entry.key));
            word.push(value);
            word
        });
        let probe = flags.clone().no_binary_name(true).mut_args(|arg| arg.env(Resettable::Reset));
        let probe = probe.try_get_matches_from(words);
        probe.map_err(|error| entry.refuse(reason(&error)))?;
    }
    let url = entry.values.iter().find(|_| entry.key == "base-url").map(|value| value.to_string_lossy());
    let url = url.map(|url| url.parse::<BaseUrl>()).transpose();
    url.map(drop).map_err(|error| entry.refuse(escaped(&error.to_string())))
}

/// What is wrong with a value, without the flag's name around it.
fn reason(error: &clap::Error) -> String {
    let why = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(source), _) => source.to_string(),
        (None, Some(ContextValue::Strings(values))) if !values.is_empty() => {
            format!("expected one of {}", values.join(", "))
        }
        (None, _) => "expected a value".to_owned(),
    };
    match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => format!("invalid value {}: {}", Quoted(value), escaped(&why)),
        _ => escaped(&why),
    }
}

/// A message that may have hints, safe to show.
fn escaped(message: &str) -> String {
    let (what, hints) = split_hints(message);
    format!("{}{hints}", Escaped(what))
}
