//! Every file of the corpus through the target that its folder is named after.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 12] = [
    ("csv", super::csv),
    ("detect", super::detect),
    ("envelope", super::envelope),
    ("headers", super::headers),
    ("journal", super::journal),
    ("json", super::json),
    ("lines", super::lines),
    ("ndjson", super::ndjson),
    ("profile", super::profile),
    ("report", super::report),
    ("spec", super::spec),
    ("url", super::url),
];

fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn stems(paths: &[PathBuf]) -> BTreeSet<String> {
    paths.iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn what_fuzzing_began_with_and_what_it_found_passes() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for (name, target) in TARGETS {
        let files = in_folder(&tests.join("corpus").join(name));
        assert!(files.len() >= 2, "{name} has seeds");
        for file in files {
            // Shown where the target panics.
            println!("{}", file.display());
            let data = fs::read(&file).unwrap();
            target(&data);
            // And what is left of it in the middle of being written.
            for cut in 0..data.len().min(2048) {
                target(&data[..cut]);
            }
        }
    }
}

#[test]
fn every_target_has_a_corpus_and_a_binary() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let names = TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(stems(&in_folder(&tests.join("corpus"))), names);
    // The package of the fuzzer is not part of this one where it was published.
    if tests.join("fuzz").exists() {
        assert_eq!(stems(&in_folder(&tests.join("fuzz").join("targets"))), names);
        let manifest = fs::read_to_string(tests.join("fuzz/Cargo.toml")).unwrap();
        for name in names {
            assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is in no [[bin]]");
        }
    }
}
