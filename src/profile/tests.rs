//! Files as people write them, files that are wrong, and where they may lie.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::file::{ConfigFile, parse};
use super::name::ProfileName;
use super::*;
use crate::platform::Owner;

const NOW: SystemTime = UNIX_EPOCH;

fn name(text: &str) -> ProfileName {
    text.parse().unwrap()
}

fn read(text: &str) -> Result<ConfigFile, ProfileError> {
    parse(Path::new("/etc/k/kvsweep.toml"), text, Origin::Own, Some(Path::new("/home/me")), NOW)
}

fn error(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

fn values(file: &ConfigFile, profile: &str, key: &str) -> Vec<String> {
    let profile = file.profile(&name(profile)).unwrap();
    let values = profile.entry(key).map(|entry| entry.values.clone()).unwrap_or_default();
    values.into_iter().map(|value| value.into_string().unwrap()).collect()
}

#[test]
fn values_come_out_as_a_flag_would_get_them() {
    let file = read(
        "default-profile = 'b'\n[profile.a]\nrate = '5/1s'\n[profile.b]\nrate = ['5/1s', '70/1m']\nretries = 0x10\n\
         max-failures = 7\nbulk = true\nreport = '{date}/{profile}.csv'\nfailures = '-'\nprotect-from = '~/p.txt'\n\
         api-token-file = '/run/token'\nonly = []\n",
    )
    .unwrap();
    assert_eq!(file.default, Some(name("b")));
    assert_eq!(file.names(), "a, b");
    assert_eq!(values(&file, "a", "rate"), ["5/1s"]);
    for (key, expected) in [
        ("rate", &["5/1s", "70/1m"][..]),
        ("retries", &["16"]),
        ("max-failures", &["7"]),
        ("bulk", &["true"]),
        ("report", &["/etc/k/1970-01-01/b.csv"]),
        ("failures", &["-"]),
        ("protect-from", &["/home/me/p.txt"]),
        ("api-token-file", &["/run/token"]),
        ("only", &[]),
        ("timeout", &[]),
    ] {
        assert_eq!(values(&file, "b", key), expected, "{key}");
    }
    let profile = file.profile(&name("b")).unwrap();
    assert_eq!(profile.entry("retries").unwrap().at.to_string(), "/etc/k/kvsweep.toml:6:1");
    assert!(!profile.entry("report").unwrap().has_time);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, expected) in [
        ("[profile.p]\nrates = '5/1s'\n", "2:1: unknown setting rates\nhint: did you mean rate?"),
        ("[profile.p]\n  account_id = 'a'\n", "2:3: unknown setting account_id\nhint: did you mean account-id?"),
        ("[profiles.p]\n", "1:2: unknown setting profiles\nhint: did you mean profile?"),
        ("[profile.p]\nretries = '8'\n", "2:11: retries: expected a whole number, found a string"),
        ("[profile.p]\nrate = 5\n", "2:8: rate: expected a string or an array of strings, found a number"),
        ("[profile.p]\nrate = ['5/1s', 5]\n", "2:8: rate: expected a string or an array of strings, found an array"),
        ("[profile.p]\nmax-keys = 1.5\n", "2:12: max-keys: expected a whole number, found a number with a fraction"),
        ("[profile.p]\nbulk = 'yes'\n", "2:8: bulk: expected true, false or a whole number, found a string"),
        ("profile = 1\n", "1:11: profile: expected a table such as [profile.prod], found a number"),
        ("[profile]\np = 1\n", "2:5: p: expected a table such as [profile.prod], found a number"),
        ("[profile.'a/b']\n", "1:10: profile `a/b`: a profile's name is at most 64"),
        ("[profile.none]\n", "1:10: profile `none`: none means no profile"),
        (
            "default-profile = 'prd'\n[profile.prod]\n",
            "1:19: default-profile: there is no profile prd\nhint: did you mean prod?",
        ),
        ("default-profile = 'x'\n", "1:19: default-profile: there is no profile x\nhint: known are none"),
        (
            "[profile.p]\nnamespace = 'a'\nbinding = 'B'\n",
            "3:1: namespace and binding both name the namespace\nhint: keep one of them",
        ),
        ("[profile.p]\nreport = '{dat}.csv'\n", "2:10: report: `{dat}` is not a placeholder\nhint: did you mean date?"),
        ("[profile.p]\nreport = ''\n", "2:10: report: expected a path, and it is empty"),
        (
            "[profile.p]\nyes = true\n",
            "2:1: unknown setting yes\nhint: a file neither confirms a deletion nor selects keys: pass --yes",
        ),
        ("[profile.p]\nretries = 1\nretries = 2\n", "3:1: duplicate key"),
        ("[profile.p\n", "1:11: unclosed table, expected `]`"),
    ] {
        let error = error(text);
        assert!(error.starts_with(&format!("/etc/k/kvsweep.toml:{expected}")), "{text}: {error}");
    }
    let without_home =
        parse(Path::new("/k.toml"), "[profile.p]\nreport = '~/r.csv'", Origin::Own, None, NOW).unwrap_err();
    assert!(without_home.to_string().contains("HOME is not set"), "{without_home}");
}

#[test]
fn the_first_problem_of_the_file_is_told() {
    assert!(error("[profile.z]\nnope = 1\n[profile.a]\nnope = 1\n").contains(":2:1:"));
}

#[test]
fn a_secret_is_refused_and_never_repeated() {
    const SECRET: &str = "v3ry-s3cret";
    for text in [
        format!("[profile.p]\napi-token = '{SECRET}'\n"),
        format!("[profile.p]\nCLOUDFLARE_API_TOKEN = '{SECRET}'\n"),
        format!("[profile.p]\napi_key = '{SECRET}'\n"),
        format!("[profile.p]\nemail = '{SECRET}'\n"),
        format!("[profile.p]\napi-token = {SECRET}\n"),
        format!("[profile.p]\napi-token = '{SECRET}\n"),
        format!("[profile.p]\napi-token-file = ['{SECRET}']\n"),
        format!("[profile.p]\napi-token-file = '{SECRET}-{SECRET}-{SECRET}-{SECRET}'\n"),
        format!("[profile.p]\nrate = {{ a = '{SECRET}' }}\n"),
        format!("api-token = \"{SECRET}\"\n"),
    ] {
        let error = error(&text);
        assert!(!error.contains("s3cret"), "{text}: {error}");
    }
    assert!(error("token = 'x'\n").contains("1:1: token: secrets are not"));
    assert!(
        error("[profile.p]\ntoken = 'x'\n")
            .contains("2:1: token: secrets are not allowed in this file\nhint: set CLOUDFLARE")
    );
}

#[test]
fn a_file_that_was_found_does_not_decide_who_gets_the_credentials() {
    let read = |text: &str| parse(Path::new("/p/kvsweep.toml"), text, Origin::Found, None, NOW);
    for (text, expected) in [
        (
            "[profile.p]\nbase-url = 'https://a'\n",
            "2:1: base-url is not allowed in a file found in a folder, because it decides who gets the credentials",
        ),
        (
            "[profile.p]\napi-token-command = 'op read x'\n",
            "2:1: api-token-command is not allowed in a file found in a folder, because it decides what is run",
        ),
        (
            "[profile.p]\ncacert = 'ca.pem'\n",
            "2:1: cacert is not allowed in a file found in a folder, because it decides who gets the credentials",
        ),
        ("default-profile = 'p'\n[profile.p]\n", "1:19: default-profile is not allowed in a file found in a folder"),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("/p/kvsweep.toml:{expected}")), "{error}");
        assert!(self::read(text).is_ok(), "{text}");
    }
}

/// Folders of a user: a repository in the home folder, and one's own configuration.
struct Home {
    root: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["me/.config/kvsweep", "me/repo/.git", "me/repo/a/b", "me/plain/c", "etc/kvsweep", "tmp/d"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        Self { root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn at(&self, folder: &str) -> SearchPaths {
        SearchPaths {
            folder: Some(self.path(folder)),
            home: Some(self.path("me")),
            config: vec![self.path("me/.config"), self.path("etc")],
            user: Owner::of_process(),
            now: NOW,
        }
    }

    fn choose(&self, folder: &str, wanted: &WantedProfile) -> Result<Option<Profile>, String> {
        choose(&WantedFile::Any, wanted, &self.at(folder)).map_err(|error| error.to_string())
    }
}

fn named(text: &str) -> WantedProfile {
    WantedProfile::Named(name(text))
}

const OWN: &str = "me/.config/kvsweep/kvsweep.toml";

#[test]
fn the_search_ends_with_the_repository_the_home_folder_or_at_once() {
    let home = Home::new();
    let files = |folder: &str| -> Vec<String> {
        let files = home.at(folder).folder_files();
        files.iter().map(|file| file.strip_prefix(home.root.path()).unwrap().to_str().unwrap().to_owned()).collect()
    };
    let repo = ["me/repo/a/b/kvsweep.toml", "me/repo/a/kvsweep.toml", "me/repo/kvsweep.toml"];
    assert_eq!(files("me/repo/a/b"), repo);
    assert_eq!(files("me/plain/c"), ["me/plain/c/kvsweep.toml", "me/plain/kvsweep.toml", "me/kvsweep.toml"]);
    assert_eq!(files("tmp/d"), ["tmp/d/kvsweep.toml"], "a stranger's file in /tmp is not looked at");
    let of_a_service = SearchPaths { home: Some("/".into()), ..home.at("tmp/d") };
    assert_eq!(of_a_service.folder_files().len(), 1);
    assert!(!files("me/.config/kvsweep").contains(&OWN.to_owned()), "it is one's own");
}

#[test]
fn a_file_of_a_folder_counts_only_where_a_profile_is_named() {
    let home = Home::new();
    let file = home.write("me/repo/kvsweep.toml", "[profile.p]\nretries = 1\n");
    assert_eq!(home.choose("me/repo/a", &WantedProfile::Default), Ok(None));
    assert_eq!(home.choose("me/repo/a", &named("p")).unwrap().unwrap().file, file);
    assert_eq!(home.choose("me/repo/a", &WantedProfile::None), Ok(None));
    // Not even one that cannot be read.
    home.write("me/repo/kvsweep.toml", "[[[");
    assert_eq!(home.choose("me/repo/a", &WantedProfile::Default), Ok(None));
    assert!(home.choose("me/repo/a", &named("p")).unwrap_err().contains("kvsweep.toml:1:"));
}

#[test]
fn the_default_is_that_of_ones_own_file() {
    let home = Home::new();
    home.write("etc/kvsweep/kvsweep.toml", "default-profile = 'm'\n[profile.m]\n[profile.both]\nretries = 1\n");
    let chosen = |wanted| home.choose("me/plain", &wanted).unwrap().unwrap();
    assert_eq!(chosen(WantedProfile::Default).name, name("m"));
    let own = home.write(OWN, "default-profile = 'u'\n[profile.u]\n[profile.both]\nretries = 2\n");
    assert_eq!(chosen(WantedProfile::Default).name, name("u"));
    assert_eq!(chosen(named("both")).file, own, "the user's wins over the machine's");
    assert_eq!(chosen(named("m")).name, name("m"));
    assert_eq!(home.choose("me/plain", &WantedProfile::None), Ok(None));
    fs::write(&own, "default-profile = 7").unwrap();
    assert!(home.choose("me/plain", &WantedProfile::Default).is_err(), "what matters and is wrong is not passed over");
}

#[test]
fn a_profile_in_two_places_is_not_guessed() {
    let home = Home::new();
    home.write(OWN, "[profile.p]\nprotect = '*'\n");
    home.write("me/repo/kvsweep.toml", "[profile.p]\n[profile.q]\n");
    let error = home.choose("me/repo", &named("p")).unwrap_err();
    assert!(error.contains("me/repo/kvsweep.toml and in") && error.contains("--config"), "{error}");
    assert!(home.choose("me/repo", &named("q")).unwrap().is_some());
}

#[test]
fn what_there_is_is_said_where_a_profile_is_missing() {
    let home = Home::new();
    let error = home.choose("tmp/d", &named("prod")).unwrap_err();
    assert!(error.starts_with("no profile prod found: none of these files exists: /"), "{error}");
    home.write(OWN, "[profile.prods]\n");
    let error = home.choose("tmp/d", &named("prod")).unwrap_err();
    assert!(error.ends_with("kvsweep.toml\nhint: did you mean prods?"), "{error}");
}

#[test]
fn a_file_that_others_may_have_written_is_not_used() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    let home = Home::new();
    let file = home.write("me/repo/kvsweep.toml", "[profile.p]\n");
    fs::set_permissions(&file, Permissions::from_mode(0o646)).unwrap();
    let error = home.choose("me/repo", &named("p")).unwrap_err();
    assert!(error.contains("every user may write to it") && error.contains("--config"), "{error}");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let stranger = SearchPaths { user: Owner::numbered(4_242), ..home.at("me/repo") };
    let chosen = choose(&WantedFile::Any, &named("p"), &stranger);
    // Files of root are everybody's to trust.
    if rustix::process::geteuid().is_root() {
        assert!(chosen.is_ok());
        rustix::fs::chown(&file, Some(rustix::fs::Uid::from_raw(4_243)), None).unwrap();
    }
    let error = choose(&WantedFile::Any, &named("p"), &stranger).unwrap_err().to_string();
    assert!(error.contains("it belongs to another user"), "{error}");
    // One that is named is trusted.
    let file = WantedFile::Named { path: file, is_typed: true };
    assert!(choose(&file, &named("p"), &stranger).unwrap().is_some());
}

#[test]
fn a_link_counts_as_who_made_it_and_what_it_leads_to() {
    let home = Home::new();
    let file = home.write("tmp/d/elsewhere.toml", "[profile.p]\n");
    std::os::unix::fs::symlink(&file, home.path("me/repo/kvsweep.toml")).unwrap();
    assert!(home.choose("me/repo", &named("p")).unwrap().is_some());
    fs::remove_file(&file).unwrap();
    assert!(home.choose("me/repo", &named("p")).unwrap_err().starts_with("cannot read"), "it leads nowhere");
    fs::create_dir(&file).unwrap();
    assert!(home.choose("me/repo", &named("p")).unwrap_err().contains("it is not a regular file"));
}

#[test]
fn a_named_file_is_the_only_one() {
    let home = Home::new();
    home.write(OWN, "default-profile = 'u'\n[profile.u]\n");
    let path = home.write("tmp/d/other.toml", "[profile.a]\n[profile.b]\n");
    let file = |is_typed| WantedFile::Named { path: path.clone(), is_typed };
    let choose = |file: &WantedFile, wanted| choose(file, &wanted, &home.at("me/repo"));
    assert_eq!(choose(&file(true), named("a")).unwrap().unwrap().name, name("a"));
    assert!(choose(&file(true), named("u")).is_err());
    let error = choose(&file(true), WantedProfile::Default).unwrap_err().to_string();
    assert!(error.starts_with("no profile is chosen") && error.contains("has a, b\nhint: pass --profile"), "{error}");
    assert_eq!(choose(&file(false), WantedProfile::Default).unwrap(), None, "a variable only says where it would be");
    let gone = WantedFile::Named { path: home.path("gone.toml"), is_typed: false };
    assert!(choose(&gone, WantedProfile::Default).unwrap_err().to_string().starts_with("cannot read"));
    assert_eq!(choose(&WantedFile::None, WantedProfile::Default).unwrap(), None);
    assert!(choose(&WantedFile::None, named("u")).unwrap_err().to_string().contains("--config none"));
}

#[test]
fn a_huge_file_is_not_read() {
    let home = Home::new();
    let path = home.write("huge.toml", &"#\n".repeat(600_000));
    let file = WantedFile::Named { path, is_typed: true };
    let error = choose(&file, &named("p"), &home.at("me")).unwrap_err().to_string();
    assert!(error.contains("larger than 1024 KiB"), "{error}");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in r"\PC{0,60}|(\[profile\.[a-z]\]\n)?([a-z-]{1,8} ?= ?['\x22\[{0-9a-z]{0,6}\n){0,4}") {
        for origin in [Origin::Own, Origin::Found] {
            if let Err(error) = parse(Path::new("k.toml"), &text, origin, None, NOW) {
                proptest::prop_assert!(error.to_string().starts_with("k.toml:"));
            }
        }
    }

    #[test]
    fn no_setting_panics(
        index in 0..SETTINGS.len(),
        value in r"'[ -&(-~é]{0,12}'|-?[0-9]{1,20}|true|\[\]|\['a', 'b'\]|1\.5|\{\}|2026-01-01",
        seconds in 0..u64::MAX / 2,
    ) {
        let text = format!("[profile.p]\n{} = {value}\n", SETTINGS[index].name);
        let now = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap_or(UNIX_EPOCH);
        let _ = parse(Path::new("/k.toml"), &text, Origin::Own, Some(Path::new("/h")), now);
    }
}
