//! A configuration file, read and checked but for what only a flag's own parser knows.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::{Location, Problem, ProfileError};
use super::name::ProfileName;
use super::setting::{Kind, NAMESPACE, SETTINGS, Setting, TOKEN, TRUSTED_ONLY_KEYS, is_secret, is_token};
use super::suggest::{listed, suggest};
use super::template::fill;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Named,
    Own,
    /// It lies in the current folder or one above it. It may not say who gets the credentials.
    Found,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigFile {
    pub path: PathBuf,
    pub default: Option<ProfileName>,
    pub profiles: Vec<Profile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub name: ProfileName,
    pub file: PathBuf,
    /// Its values, in the order of the settings.
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: &'static str,
    pub at: Location,
    /// As the flag would get them.
    pub values: Vec<OsString>,
    /// Whether they name another file every second.
    pub has_time: bool,
}

impl Profile {
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

impl Entry {
    /// The error of its value; `why` has to be safe to show.
    pub fn refuse(&self, why: String) -> ProfileError {
        ProfileError::At { at: self.at.clone(), problem: Problem::Value { key: self.key, why } }
    }
}

/// Reads a file's text. `home` is what `~/` stands for, and `now` what `{date}` and `{time}` do.
pub(super) fn parse(
    path: &Path,
    text: &str,
    origin: Origin,
    home: Option<&Path>,
    now: SystemTime,
) -> Result<ConfigFile, ProfileError> {
    let reading = Reading { path, text, origin, home, now };
    let document = DeTable::parse(text).map_err(|error| {
        // Not the whole error: it shows the line, which may hold a secret.
        let problem = Problem::Syntax(error.message().lines().collect::<Vec<_>>().join(" "));
        reading.at(error.span().unwrap_or_default(), problem)
    })?;
    reading.document(document.get_ref()).map_err(|(span, problem)| reading.at(span, problem))
}

type Found<T> = Result<T, (Range<usize>, Problem)>;

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    origin: Origin,
    home: Option<&'a Path>,
    now: SystemTime,
}

impl Reading<'_> {
    fn location(&self, offset: usize) -> Location {
        // A span ends within the text; were it ever not so, the end is where to look.
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Location {
            file: self.path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    fn at(&self, span: Range<usize>, problem: Problem) -> ProfileError {
        ProfileError::At { at: self.location(span.start), problem }
    }

    fn document(&self, table: &DeTable<'_>) -> Found<ConfigFile> {
        let (mut default, mut profiles) = (None, Vec::new());
        for (key, value) in in_order(table) {
            match key.get_ref().as_ref() {
                "default-profile" => default = Some(self.default(value)?),
                "profile" => {
                    for (name, value) in in_order(as_table("profile", value)?) {
                        profiles.push(self.profile(name, value)?);
                    }
                }
                other if is_secret(other) => return Err((key.span(), Problem::Secret(other.to_owned()))),
                other => return Err((key.span(), unknown(other, ["default-profile", "profile"]))),
            }
        }
        profiles.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some((span, name)) = &default
            && !profiles.iter().any(|profile| profile.name == *name)
        {
            let there = suggest(name.as_str(), profiles.iter().map(|profile| profile.name.as_str()));
            return Err((span.clone(), Problem::NoDefault(name.to_string(), there)));
        }
        Ok(ConfigFile { path: self.path.to_owned(), default: default.map(|(_, name)| name), profiles })
    }

    fn default(&self, value: &Spanned<DeValue<'_>>) -> Found<(Range<usize>, ProfileName)> {
        if self.origin == Origin::Found {
            return Err((value.span(), Problem::Default));
        }
        let text = value.get_ref().as_str().ok_or_else(|| wrong_type("default-profile", "a string", value))?;
        Ok((value.span(), name(text, value.span())?))
    }

    fn profile(&self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Found<Profile> {
        let name = name(key.get_ref(), key.span())?;
        let mut entries = Vec::new();
        for (key, value) in in_order(as_table(name.as_str(), value)?) {
            entries.push(self.entry(&name, key, value)?);
        }
        for (keys, what) in [(&NAMESPACE[..], "name the namespace"), (&TOKEN, "give the API token")] {
            let mut ways = entries.iter().filter(|(_, entry)| keys.contains(&entry.key));
            if let (Some((_, one)), Some((span, other))) = (ways.next(), ways.next()) {
                return Err((span.clone(), Problem::Both { one: one.key, other: other.key, what }));
            }
        }
        let mut entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
        entries.sort_by_key(|entry| SETTINGS.iter().position(|setting| setting.name == entry.key));
        Ok(Profile { name, file: self.path.to_owned(), entries })
    }

    fn entry(
        &self,
        profile: &ProfileName,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Found<(Range<usize>, Entry)> {
        let text = key.get_ref().as_ref();
        let Some(setting) = Setting::named(text) else {
            let secret = is_secret(text).then(|| Problem::Secret(text.to_owned()));
            let known = SETTINGS.iter().map(|setting| setting.name);
            return Err((key.span(), secret.unwrap_or_else(|| unknown(text, known))));
        };
        let at = |problem| (value.span(), problem);
        if self.origin == Origin::Found && TRUSTED_ONLY_KEYS.contains(&setting.name) {
            return Err((key.span(), Problem::Trust(setting.name)));
        }
        if TOKEN.contains(&setting.name) && value.get_ref().as_str().is_some_and(is_token) {
            return Err(at(Problem::Secret(setting.name.to_owned())));
        }
        let wrong = || wrong_type(setting.name, setting.kind.expected(), value);
        let mut has_time = false;
        let values = match (setting.kind, value.get_ref()) {
            (Kind::Text | Kind::Texts | Kind::NumberOrText, DeValue::String(text)) => vec![text.to_string().into()],
            (Kind::Texts, DeValue::Array(array)) => {
                let texts = array.iter().map(|value| value.get_ref().as_str().map(OsString::from));
                texts.collect::<Option<_>>().ok_or_else(wrong)?
            }
            (Kind::Number | Kind::NumberOrText | Kind::SwitchOrNumber, DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                vec![number.map_err(|_| wrong())?.to_string().into()]
            }
            (Kind::Switch | Kind::SwitchOrNumber, DeValue::Boolean(switch)) => vec![switch.to_string().into()],
            (Kind::Path | Kind::Template, DeValue::String(text)) => {
                let refuse = |why| at(Problem::Value { key: setting.name, why });
                let mut text = text.to_string();
                if setting.kind == Kind::Template {
                    (text, has_time) = fill(&text, self.now, profile).map_err(refuse)?;
                }
                vec![self.place(&text).map_err(|why| refuse(why.to_owned()))?]
            }
            _ => return Err(wrong()),
        };
        Ok((key.span(), Entry { key: setting.name, at: self.location(key.span().start), values, has_time }))
    }

    /// A path of the file: `-` and `none` are no paths, and a relative one begins at the file's folder.
    fn place(&self, text: &str) -> Result<OsString, &'static str> {
        match (text, text.strip_prefix("~/")) {
            ("", _) => Err("expected a path, and it is empty"),
            ("-" | "none", _) => Ok(text.into()),
            (_, Some(rest)) => {
                let home = self.home.ok_or("~ stands for the home folder, and HOME is not set")?;
                Ok(home.join(rest.trim_start_matches('/')).into())
            }
            _ => Ok(self.path.parent().unwrap_or(Path::new("")).join(text).into()),
        }
    }
}

fn as_table<'v, 'i>(key: &str, value: &'v Spanned<DeValue<'i>>) -> Found<&'v DeTable<'i>> {
    value.get_ref().as_table().ok_or_else(|| wrong_type(key, "a table such as [profile.prod]", value))
}

/// The members of a table as they stand in the file, so that its first problem is the one that is told.
fn in_order<'v, 'i>(table: &'v DeTable<'i>) -> Vec<(&'v Spanned<DeString<'i>>, &'v Spanned<DeValue<'i>>)> {
    let mut members: Vec<_> = table.iter().collect();
    members.sort_by_key(|(key, _)| key.span().start);
    members
}

fn name(text: &str, span: Range<usize>) -> Found<ProfileName> {
    text.parse().map_err(|error| (span, Problem::Name { name: text.to_owned(), error }))
}

/// Flags of delete that no file sets.
const DECISIONS: [&str; 9] =
    ["yes", "overwrite", "resume", "dry-run", "sandbox", "all", "prefix", "allow-protected", "expect"];

fn unknown<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> Problem {
    let instead = if DECISIONS.contains(&key) {
        format!("a file neither confirms a deletion nor selects keys: pass --{key}")
    } else {
        suggest(key, known)
    };
    Problem::Unknown { key: key.to_owned(), instead }
}

fn wrong_type(key: &str, expected: &'static str, value: &Spanned<DeValue<'_>>) -> (Range<usize>, Problem) {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    };
    (value.span(), Problem::Type { key: key.to_owned(), expected, found })
}

impl ConfigFile {
    pub(crate) fn profile(&self, name: &ProfileName) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == *name)
    }

    pub(crate) fn names(&self) -> String {
        listed(self.profiles.iter().map(|profile| profile.name.as_str()))
    }
}
