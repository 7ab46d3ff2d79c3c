//! The effective settings, and where profiles are looked for.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::exit::ExitCode;
use crate::terminal::Escaped;

use super::error::Error;
use super::job::ProfileNote;
use super::print::{print_json, print_lines};

/// What to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigJob {
    Show(Settings),
    /// Where files are looked for, the nearest first.
    Path(Vec<Place>),
}

/// Every value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub profile: Option<ProfileNote>,
    pub values: Vec<Setting>,
    pub json: bool,
}

/// One value. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub name: &'static str,
    /// Its values as text; none where it is not set.
    pub values: Vec<String>,
    pub source: Source,
    /// The flag, the variable, or the place in the file.
    pub from: Option<String>,
}

/// What gave a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Flag,
    Environment,
    Profile,
    Default,
}

/// A place where a file may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    pub says: String,
}

/// `--json`.
#[derive(Serialize)]
struct Json<'a> {
    profile: Option<&'a str>,
    file: Option<String>,
    settings: &'a [Setting],
}

/// Prints it on stdout.
pub(super) fn run(job: &ConfigJob) -> Result<ExitCode, Error> {
    let printed = match job {
        ConfigJob::Show(settings) if settings.json => {
            let profile = settings.profile.as_ref();
            print_json(&Json {
                profile: profile.map(|profile| profile.name.as_str()),
                file: profile.map(|profile| profile.file.to_string_lossy().into_owned()),
                settings: &settings.values,
            })
        }
        ConfigJob::Show(settings) => print_lines(settings.lines()),
        ConfigJob::Path(places) => {
            let line = |Place { file, says }: &Place| format!("{}  {says}", Escaped(&file.to_string_lossy()));
            print_lines(places.iter().map(line).collect())
        }
    };
    printed.map_err(Error::system("write to stdout"))?;
    Ok(ExitCode::Success)
}

impl Settings {
    fn lines(&self) -> Vec<String> {
        let head = match &self.profile {
            Some(ProfileNote { name, file }) => format!("profile {name} of {}", Escaped(&file.to_string_lossy())),
            None => "no profile".to_owned(),
        };
        // The head names the file with its folder already.
        let folder = self.profile.as_ref().and_then(|profile| profile.file.parent()).unwrap_or(Path::new(""));
        let folder = format!("{}/", Escaped(&folder.to_string_lossy()));
        let rows: Vec<[String; 3]> = self.values.iter().map(|setting| setting.cells(&folder)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (names, values) = (width(0), width(1).min(MAX_VALUE_WIDTH));
        let rows = rows.iter().map(|[name, value, source]| format!("{name:names$}  {value:values$}  {source}"));
        std::iter::once(head).chain(rows).collect()
    }
}

/// A longer value moves its source, not everybody's.
const MAX_VALUE_WIDTH: usize = 40;

impl Setting {
    fn cells(&self, folder: &str) -> [String; 3] {
        let value = match &self.values[..] {
            [] => "-".to_owned(),
            values => Escaped(&values.join(", ")).to_string(),
        };
        let source = match (self.source, &self.from) {
            (Source::Default, _) => "default".to_owned(),
            (Source::Flag | Source::Environment | Source::Profile, None) => String::new(),
            (Source::Flag, Some(from)) => format!("flag {from}"),
            (Source::Environment, Some(from)) => format!("environment {from}"),
            (Source::Profile, Some(from)) => format!("profile {}", from.strip_prefix(folder).unwrap_or(from)),
        };
        [self.name.to_owned(), value, source]
    }
}
