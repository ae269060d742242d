//! Connectors stay small: what several of them need lives in the SDK, and it is all of the workspace that they build on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cargo::Workspace;

/// A connector has fewer lines of Rust than this, tests and comments not counted.
const LINES: usize = 600;

/// The crates below `plugins/`.
fn connectors() -> Vec<PathBuf> {
    let plugins = Workspace::find().unwrap().root.join("plugins");
    let directories = fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path());
    let mut crates: Vec<_> = directories.filter(|directory| directory.join("Cargo.toml").is_file()).collect();
    crates.sort();
    assert!(crates.len() >= 5, "{crates:?}");
    crates
}

fn name(connector: &Path) -> String {
    connector.file_name().unwrap().to_string_lossy().into_owned()
}

/// Lines of the Rust files below a directory that are neither blank nor a comment.
fn lines(directory: &Path) -> usize {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| match path.extension() {
            _ if path.is_dir() => lines(&path),
            Some(extension) if extension == "rs" => count(&fs::read_to_string(&path).unwrap()),
            _ => 0,
        })
        .sum()
}

fn count(text: &str) -> usize {
    let counts = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    text.lines().filter(counts).count()
}

/// Crates of the workspace that a connector's own code is built on; those of its tests do not count.
fn own_dependencies(manifest: &toml::Table) -> Vec<String> {
    let root = fs::read_to_string(Workspace::find().unwrap().root.join("Cargo.toml")).unwrap();
    let root: toml::Table = toml::from_str(&root).unwrap();
    let shared = &root["workspace"]["dependencies"];
    let lies_here = |name: &str, dependency: &toml::Value| {
        let of_workspace = dependency.get("workspace").is_some();
        let dependency = if of_workspace { &shared[name] } else { dependency };
        dependency.get("path").is_some()
    };
    let per_target = manifest.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    let tables = per_target.filter_map(|(_, target)| target.as_table()).chain([manifest]);
    let dependencies = tables
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)))
        .flatten()
        .filter_map(toml::Value::as_table)
        .flatten();
    let own = dependencies.filter(|(name, dependency)| lies_here(name, dependency));
    own.map(|(name, _)| name.clone()).collect()
}

#[test]
fn each_connector_has_fewer_than_600_lines_of_rust_without_tests() {
    let counts = connectors().into_iter().map(|connector| (name(&connector), lines(&connector.join("src"))));
    let large: Vec<_> = counts
        .filter(|(_, lines)| *lines >= LINES)
        .map(|(name, lines)| format!("{name} has {lines}"))
        .collect();
    assert!(large.is_empty(), "lines of Rust, of at most {}: {}", LINES - 1, large.join(", "));
}

#[test]
fn lines_with_nothing_but_a_comment_are_not_counted() {
    assert_eq!(count("//! A crate.\n\n/// One.\nfn one() {\n    // Why.\n    two(); // two\n}\n"), 3);
}

#[test]
fn each_connector_depends_on_nothing_of_the_workspace_but_the_sdk() {
    for connector in connectors() {
        let manifest = fs::read_to_string(connector.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = toml::from_str(&manifest).unwrap();
        assert_eq!(own_dependencies(&manifest), ["contactor-sdk"], "{}", name(&connector));
    }
}

#[test]
fn a_dependency_on_the_host_is_found_wherever_it_is_declared() {
    for manifest in [
        "[dependencies]\nserde.workspace = true\ncontactor-sync = { workspace = true }",
        "[build-dependencies]\ncontactor-sync.workspace = true",
        "[target.'cfg(unix)'.dependencies]\ncontactor-sync = { path = \"../../host/sync\" }",
    ] {
        assert_eq!(own_dependencies(&toml::from_str(manifest).unwrap()), ["contactor-sync"], "{manifest}");
    }
    let of_tests = "[dev-dependencies]\ncontactor-manifest.workspace = true";
    assert!(own_dependencies(&toml::from_str(of_tests).unwrap()).is_empty());
}
