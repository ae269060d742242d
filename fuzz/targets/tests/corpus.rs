//! Every committed input of every target is replayed: what was found once stays found.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use contactor_fuzz_targets::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn every_target_holds_for_every_input_of_its_corpus() {
    for target in TARGETS {
        let inputs = fs::read_dir(fuzz().join("corpus").join(target.name)).unwrap();
        let paths: BTreeSet<PathBuf> = inputs.map(|entry| entry.unwrap().path()).collect();
        assert!(!paths.is_empty(), "{} has no corpus", target.name);
        for path in paths {
            let input = fs::read(&path).unwrap();
            let held = std::panic::catch_unwind(|| (target.run)(&input));
            assert!(held.is_ok(), "{} breaks its promise on {}", target.name, path.display());
        }
    }
}

#[test]
fn every_target_has_its_binary_and_its_corpus_and_nothing_else_does() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets")), targets);
    assert_eq!(names(&fuzz().join("corpus")), targets);
    let manifest: toml::Table = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap().parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap().to_owned());
    assert_eq!(bins.collect::<BTreeSet<_>>(), targets);
}
