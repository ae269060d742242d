//! The pages that are made from the code and the manifests are as the code and the manifests are.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::run;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The connectors of this repository: id and manifest.
fn manifests() -> Vec<(String, String)> {
    let mut found: Vec<_> = std::fs::read_dir(root().join("plugins"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("connector.toml").exists())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, path.join("connector.toml").display().to_string())
        })
        .collect();
    found.sort();
    found
}

fn made(arguments: &[&str]) -> String {
    let (code, out, err) = run(&root(), arguments);
    assert_eq!(code, 0, "{err}");
    out
}

fn written(page: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(page)).unwrap_or_default()
}

#[test]
fn the_page_of_the_catalogue_is_not_stale() {
    let manifests = manifests();
    let mut arguments = vec!["catalog", "--markdown"];
    for (_, manifest) in &manifests {
        arguments.extend(["--manifest", manifest]);
    }
    assert!(
        made(&arguments) == written("catalogue.md"),
        "docs/catalogue.md is stale: run `cargo xtask docs`"
    );
}

#[test]
fn every_connector_has_its_page_and_none_is_stale() {
    let mut pages = BTreeSet::new();
    for (id, manifest) in manifests() {
        let page = format!("connectors/{id}.md");
        assert!(
            made(&["connector", "docs", &manifest]) == written(&page),
            "docs/{page} is stale: run `cargo xtask docs`"
        );
        pages.insert(format!("{id}.md"));
    }
    let there: BTreeSet<String> = std::fs::read_dir(root().join("docs/connectors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(there, pages, "a page without its connector, or a connector without its page");
}

#[test]
fn the_catalogue_has_at_least_126_entries_each_with_an_id_of_its_own() {
    let manifests = manifests();
    let mut arguments = vec!["catalog", "--json"];
    for (_, manifest) in &manifests {
        arguments.extend(["--manifest", manifest]);
    }
    let entries: Vec<serde_json::Value> = serde_json::from_str(&made(&arguments)).unwrap();
    let ids: BTreeSet<&str> = entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), entries.len());
    assert!(entries.len() >= 126, "{}", entries.len());
    for entry in &entries {
        for part in ["kind", "title", "parameters", "scopes", "example"] {
            assert!(!entry[part].is_null(), "{} has no {part}", entry["id"]);
        }
    }
}
