//! Each room of the source names only rooms below it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A room, and the rooms that it may name.
const ROOMS: [(&str, &str); 31] = [
    ("api", "clock files key text"),
    ("backup", "api input key report"),
    (
        "cli",
        "api clock command exit files input key listing logging monitoring pipeline plan profile progress quota report sandbox \
         shard terminal wrangler",
    ),
    ("clock", ""),
    (
        "command",
        "api backup clock exit files input key key_index listing monitoring outcome pipeline plan progress quota record \
         report review sandbox shard stderr terminal",
    ),
    ("exit", "outcome pipeline"),
    ("files", ""),
    ("fuzzing", "api cli input key plan profile quota record report sandbox"),
    ("input", "clock files key key_index outcome record terminal"),
    ("key", ""),
    ("key_index", ""),
    ("lib", ""),
    ("listing", "api files key_index plan terminal"),
    ("logging", "clock stderr terminal"),
    ("main", ""),
    ("monitoring", "api files outcome report"),
    ("outcome", "record"),
    ("pipeline", "api clock key outcome plan quota record terminal"),
    ("plan", "key outcome record terminal"),
    ("profile", "files terminal"),
    ("progress", "clock outcome pipeline stderr terminal"),
    ("quota", ""),
    ("record", "key"),
    ("report", "clock files outcome record terminal text"),
    ("review", "outcome record report terminal"),
    ("sandbox", "clock"),
    ("shard", "record"),
    ("stderr", ""),
    ("terminal", ""),
    ("text", ""),
    ("wrangler", "files key"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The rooms that a text names, but for its tests at the end.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let names = code.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| {
        line.split("crate::").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
    });
    names.flatten().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn no_room_names_one_above_or_beside_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&source, &mut files);
    assert!(files.len() > 80, "only {} sources were found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let inner = file.strip_prefix(&source).expect("below src");
        // Tests may look wherever they have to.
        if inner.components().any(|part| part.as_os_str().to_string_lossy().starts_with("tests")) {
            continue;
        }
        let first = inner.iter().next().expect("a name").to_string_lossy();
        let room = first.trim_end_matches(".rs");
        let row = ROOMS.iter().find(|(name, _)| *name == room);
        let (_, allowed) = row.unwrap_or_else(|| panic!("{room} is not in the list of rooms"));
        let text = std::fs::read_to_string(&file).expect("a source can be read");
        for name in named(&text) {
            if name != room && !allowed.split(' ').any(|known| known == name) {
                wrong.push(format!("{} names {name}", inner.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_room_is_on_the_map() {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md")).expect("the map");
    for (room, _) in ROOMS {
        assert!(map.contains(&format!("`src/{room}/`")) || map.contains(&format!("`src/{room}.rs`")), "{room}");
    }
}
