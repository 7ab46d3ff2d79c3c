//! Modules import only modules below them, and the files of a module form no import cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A module of the crate, and the modules that it may import.
const MODULES: [(&str, &str); 37] = [
    ("api", "clock files key net platform quota terminal text"),
    ("backup", "api files format input key text"),
    (
        "cli",
        "api clock command exit files input key listing logging monitoring pipeline plan profile progress quota report sandbox \
         shard stderr terminal text wrangler",
    ),
    ("clock", ""),
    (
        "command",
        "api backup clock exit files input key key_index listing monitoring outcome pipeline plan platform progress quota record \
         report review sandbox shard stderr terminal text",
    ),
    ("deleter", "api key outcome pipeline quota record"),
    ("exit", "outcome platform"),
    ("files", "clock platform"),
    ("format", ""),
    ("fuzzing", "api cli input key pipeline plan profile quota record report sandbox"),
    ("input", "clock files format key key_index outcome platform record terminal text"),
    (
        "internals",
        "api cli clock command exit files input key_index logging outcome pipeline progress quota record report stderr",
    ),
    ("key", ""),
    ("key_index", ""),
    ("lib", ""),
    ("listing", "api files format input key_index plan terminal text"),
    ("logging", "clock stderr terminal text"),
    ("main", ""),
    ("monitoring", "files net outcome report"),
    ("net", "text"),
    ("outcome", "platform record text"),
    ("pipeline", "api clock key outcome platform quota record terminal text"),
    ("plan", "key outcome record terminal"),
    ("platform", ""),
    ("profile", "clock files platform terminal"),
    ("progress", "clock outcome pipeline platform stderr terminal"),
    ("quota", ""),
    ("record", "key"),
    ("record_table", "record"),
    ("report", "clock files format outcome platform record record_table terminal text"),
    ("review", "clock outcome record record_table report terminal text"),
    ("sandbox", ""),
    ("shard", "record"),
    ("stderr", ""),
    ("terminal", "platform"),
    ("text", ""),
    ("wrangler", "files key terminal"),
];

/// A path in the crate, such as `["input", "csv", "row"]`.
type ModulePath = Vec<String>;

/// A file of the crate.
struct Source {
    /// What it imports, as far as paths in the crate go; `pub use` besides, because it only passes a name on.
    imports: Vec<ModulePath>,
    /// A name that it passes on, and where that is from.
    exports: BTreeMap<String, ModulePath>,
}

fn sources() -> BTreeMap<ModulePath, Source> {
    fn collect(folder: &Path, module: &[String], found: &mut BTreeMap<ModulePath, Source>) {
        for entry in std::fs::read_dir(folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            let name = path.file_stem().expect("a name").to_str().expect("UTF-8").to_owned();
            // Tests may import whatever they have to.
            if name.starts_with("tests") {
                continue;
            }
            let inner = [module, std::slice::from_ref(&name)].concat();
            if path.is_dir() {
                collect(&path, &inner, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = if name == "mod" { module.to_vec() } else { inner };
                let text = std::fs::read_to_string(&path).expect("a source can be read");
                found.insert(module.clone(), parse(&module, &text));
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut found);
    assert!(found.len() > 80, "only {} sources were found", found.len());
    found
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// The text without comments and the tests at its end.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

fn parse(module: &[String], text: &str) -> Source {
    let code = code(text);
    let mut source = Source { imports: Vec::new(), exports: BTreeMap::new() };
    let children: BTreeSet<&str> = code
        .lines()
        .filter_map(|line| line.trim_start_matches("pub").trim_start_matches("(crate)").trim().strip_prefix("mod "))
        .filter_map(|rest| rest.strip_suffix(';'))
        .collect();
    for statement in code.split(';') {
        let start = ["pub use ", "pub(crate) use ", "pub(super) use "].iter().find_map(|start| statement.rfind(start));
        if let Some(tree) = start.and_then(|start| statement[start..].split_once("use ")) {
            for path in expanded(tree.1) {
                let is_local = path.first().is_some_and(|first| children.contains(first.as_str()));
                let path = if is_local { [&["self".to_owned()], &path[..]].concat() } else { path };
                if let (Some(path), true) = (absolute(module, &path), path.len() > 1) {
                    source.exports.insert(path.last().expect("a name").clone(), path.clone());
                }
            }
            continue;
        }
        for (start, _) in statement.match_indices(|char: char| is_word(char)) {
            let before = statement[..start].chars().next_back();
            if before.is_some_and(|before| is_word(before) || before == ':' || before == '\'') {
                continue;
            }
            let first: String = statement[start..].chars().take_while(|char| is_word(*char)).collect();
            let is_start = matches!(first.as_str(), "crate" | "super" | "self") || children.contains(first.as_str());
            if !is_start || !statement[start + first.len()..].starts_with("::") {
                continue;
            }
            for path in expanded(&statement[start..]) {
                let path =
                    if children.contains(first.as_str()) { [&["self".to_owned()], &path[..]].concat() } else { path };
                source.imports.extend(absolute(module, &path));
            }
        }
    }
    source
}

/// The paths of a tree such as `a::{b, c::{d, e}}`, which ends where no path goes on.
fn expanded(tree: &str) -> Vec<Vec<String>> {
    fn walk<'a>(mut rest: &'a str, prefix: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
        let mut path = prefix.to_vec();
        loop {
            rest = rest.trim_start();
            let word: String = rest.chars().take_while(|char| is_word(*char)).collect();
            if word.is_empty() {
                break;
            }
            path.push(word.clone());
            rest = &rest[word.len()..];
            let Some(after) = rest.trim_start().strip_prefix("::") else { break };
            rest = after.trim_start();
            if let Some(group) = rest.strip_prefix('{') {
                rest = group;
                loop {
                    rest = walk(rest, &path, paths).trim_start();
                    rest = rest.trim_start_matches(|char: char| char != ',' && char != '}' && !is_word(char));
                    match rest.strip_prefix(',') {
                        Some(next) => rest = next,
                        None => return rest.strip_prefix('}').unwrap_or(rest),
                    }
                }
            }
        }
        if path.len() > prefix.len() {
            paths.push(path);
        }
        // Another name for it.
        match rest.trim_start().strip_prefix("as ") {
            Some(renamed) => renamed.trim_start().trim_start_matches(is_word),
            None => rest,
        }
    }
    let mut paths = Vec::new();
    walk(tree, &[], &mut paths);
    paths
}

/// The path from the root of the crate, if it is one within the crate.
fn absolute(module: &[String], path: &[String]) -> Option<ModulePath> {
    let mut base = module.to_vec();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => {
            base.clear();
            rest = &rest[1..];
        }
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|first| first == "super") {
                base.pop()?;
                rest = &rest[1..];
            }
        }
        _ => return None,
    }
    let rest = rest.iter().filter(|segment| *segment != "self").cloned();
    Some(base.into_iter().chain(rest).collect())
}

/// The file that defines what a path names, behind the names that are passed on.
fn defined_in(sources: &BTreeMap<ModulePath, Source>, path: &[String]) -> Option<ModulePath> {
    let known = (0..=path.len()).rev().find(|length| sources.contains_key(&path[..*length]))?;
    let (module, rest) = path.split_at(known);
    let exported = rest.first().and_then(|name| sources[module].exports.get(name));
    match exported {
        Some(target) if target[..] != *path => defined_in(sources, &[&target[..], &rest[1..]].concat()),
        _ => Some(module.to_vec()),
    }
}

/// The files that each file imports.
fn imports() -> BTreeMap<ModulePath, BTreeSet<ModulePath>> {
    let sources = sources();
    let of = |(module, source): (&ModulePath, &Source)| {
        let targets = source.imports.iter().filter_map(|path| defined_in(&sources, path));
        (module.clone(), targets.filter(|target| target != module && !target.is_empty()).collect())
    };
    sources.iter().map(of).collect()
}

#[test]
fn modules_import_only_modules_below_them() {
    let mut wrong = Vec::new();
    for (file, targets) in imports() {
        let module = &file[0];
        let row = MODULES.iter().find(|(name, _)| name == module);
        let (_, allowed) = row.unwrap_or_else(|| panic!("{module} is not in the list of modules"));
        let is_allowed = |target: &str| target == module || allowed.split(' ').any(|known| known == target);
        let above = targets.iter().filter(|target| !is_allowed(&target[0]));
        wrong.extend(above.map(|target| format!("{} imports {}", file.join("::"), target.join("::"))));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The imports by which a file can be reached from itself.
fn cycles(imports: &BTreeMap<ModulePath, BTreeSet<ModulePath>>) -> Vec<(&ModulePath, &ModulePath)> {
    let reaches = |from: &ModulePath, to: &ModulePath| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            if file == to {
                return true;
            }
            if seen.insert(file) {
                next.extend(&imports[file]);
            }
        }
        false
    };
    let edges = imports.iter().flat_map(|(file, targets)| targets.iter().map(move |target| (file, target)));
    edges.filter(|(file, target)| reaches(target, file)).collect()
}

#[test]
fn the_files_of_a_module_form_no_import_cycle() {
    let imports = imports();
    let cycles = cycles(&imports);
    let cycles: Vec<String> =
        cycles.iter().map(|(file, target)| format!("{} imports {}", file.join("::"), target.join("::"))).collect();
    assert!(cycles.is_empty(), "{cycles:#?}");
}

#[test]
fn every_module_is_on_the_map() {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md")).expect("the map");
    for (module, _) in MODULES {
        assert!(map.contains(&format!("`src/{module}/`")) || map.contains(&format!("`src/{module}.rs`")), "{module}");
    }
}
