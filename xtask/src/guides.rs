//! The guides in `docs/` speak of things that exist.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use contactor_manifest::Manifest;

use crate::cargo::Workspace;

fn root() -> PathBuf {
    Workspace::find().unwrap().root
}

fn guide(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// Every Rust file below a directory, with its text.
fn files(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
}

/// The text of every Rust file below a directory.
fn sources(directory: &Path, text: &mut String) {
    let mut found = Vec::new();
    files(directory, &mut found);
    text.extend(found.into_iter().map(|(_, source)| source));
}

#[test]
fn the_manifest_of_the_authors_guide_is_sound() {
    let guide = guide("authors.md");
    let (_, after) = guide.split_once("`plugins/acme/connector.toml`").unwrap();
    let (_, after) = after.split_once("```toml\n").unwrap();
    let (manifest, _) = after.split_once("```").unwrap();
    assert_eq!(Manifest::parse(manifest).unwrap().connector.id.as_str(), "acme");
}

#[test]
fn the_operators_guide_names_every_key_of_the_configuration() {
    let guide = guide("operators.md");
    let template = root().join("host/contactor/src/config/contactor.toml");
    let template: toml::Table = toml::from_str(&fs::read_to_string(template).unwrap()).unwrap();
    for (section, keys) in template {
        assert!(guide.contains(&format!("**[{section}]**")), "[{section}]");
        for key in keys.as_table().unwrap().keys() {
            assert!(guide.contains(&format!("| `{key}` |")), "[{section}] {key}");
        }
    }
}

#[test]
fn every_flow_is_proved_by_tests_that_are_there() {
    let mut tests = String::new();
    sources(&root().join("tests"), &mut tests);
    let guide = guide("flows.md");
    for (letter, flows) in [('P', 7), ('C', 5), ('F', 6), ('R', 5), ('L', 5)] {
        for number in 1..=flows {
            let flow = format!("{letter}{number}");
            let row = guide.lines().find(|line| line.starts_with(&format!("| {flow} |")));
            let row = row.unwrap_or_else(|| panic!("{flow} has no row"));
            let names: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
            let own = format!("{}_", flow.to_lowercase());
            assert!(
                names.iter().any(|name| name.starts_with(&own)),
                "{flow} has no test of its own: {names:?}"
            );
            for name in names {
                assert!(tests.contains(&format!("fn {name}(")), "{flow}: there is no test {name}");
            }
        }
    }
}

/// Every threat of the threat model is answered by tests that are there, in the file that is named before them, or claims nothing; and
/// every fuzz target is in it.
#[test]
fn every_threat_names_the_tests_that_show_what_stands_against_it() {
    let guide = guide("security.md");
    let (_, threats) = guide.split_once("## A connector that is hostile").unwrap();
    let (threats, rest) = threats.split_once("## Comparisons of secrets").unwrap();
    let rows = threats.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [threat, _, shown] = cells[..] else { return None };
        (threat != "threat").then_some((threat, shown))
    });
    let (mut shown_by_tests, mut files) = (0, HashMap::new());
    for (threat, shown) in rows {
        if threat.starts_with("*not yet*") {
            assert!(!shown.contains('`'), "{threat}: what is not there has no test");
            continue;
        }
        let mut source = None;
        for name in shown.split('`').skip(1).step_by(2) {
            if Path::new(name).extension().is_some_and(|extension| extension == "rs") {
                let text = files.entry(name).or_insert_with(|| fs::read_to_string(root().join(name)).ok());
                source = Some(text.as_ref().unwrap_or_else(|| panic!("{threat}: there is no file {name}")));
                shown_by_tests += 1;
            } else {
                let source = source.unwrap_or_else(|| panic!("{threat}: in which file is {name}?"));
                assert!(source.contains(&format!("fn {name}(")), "{threat}: there is no test {name}");
            }
        }
        assert!(source.is_some(), "{threat}: nothing shows what stands against it");
    }
    assert!(shown_by_tests >= 60, "{shown_by_tests}");
    for entry in fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap() {
        let target = entry.unwrap().path();
        let target = target.file_stem().unwrap().to_str().unwrap();
        assert!(rest.contains(&format!("| `{target}` |")), "the fuzz target {target} is not in it");
    }
}

/// Where something is compared in constant time, a stranger's word is held against a secret; the threat model says how.
#[test]
fn every_comparison_in_constant_time_is_in_the_table_and_every_file_of_the_table_is_there() {
    let (root, guide) = (root(), guide("security.md"));
    let (_, table) = guide.split_once("## Comparisons of secrets").unwrap();
    let (table, _) = table.split_once("## ").unwrap();
    let rows =
        table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let shown: Vec<&str> = rows.map(|(shown, _)| shown).filter(|shown| *shown != "what is shown").collect();
    let named: BTreeSet<&str> = shown.iter().flat_map(|shown| shown.split('`').skip(1).step_by(2)).collect();
    assert!(shown.iter().all(|shown| shown.contains('`')), "a row names no file: {shown:?}");
    for name in &named {
        assert!(root.join(name).is_file(), "there is no file {name}");
    }
    let (mut found, mut comparing) = (Vec::new(), 0);
    for directory in ["host", "sdk"] {
        files(&root.join(directory), &mut found);
    }
    let compares = |text: &str| [".ct_eq(", ".verify_slice("].iter().any(|call| text.contains(call));
    for (path, _) in found.iter().filter(|(_, text)| compares(text)) {
        let path = path.strip_prefix(&root).unwrap().to_str().unwrap();
        // The doubles protect nothing.
        if path.starts_with("host/sandbox/") {
            continue;
        }
        assert!(named.contains(path), "{path} compares in constant time, and is not in the table");
        comparing += 1;
    }
    assert!(comparing >= 7, "{comparing}");
}

#[test]
fn every_test_that_stands_for_a_promise_is_there() {
    let mut tests = String::new();
    for directory in ["host", "sdk", "tests"] {
        sources(&root().join(directory), &mut tests);
    }
    let guide = guide("operators.md");
    let (_, promises) = guide.split_once("## What the host promises").unwrap();
    let names: Vec<&str> = promises
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| name.contains('_') && !name.contains(['.', '/', '-']))
        .collect();
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        assert!(tests.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}
