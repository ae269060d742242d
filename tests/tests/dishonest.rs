//! The acceptance suite can fail: a connector that passes it has each vice in turn, and the check that is there for it finds it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_check::{Outcome, Report};
use contactor_manifest::embed;
use contactor_tests::artefacts;

const MANIFEST: &str = include_str!("../guest-dishonest/connector.toml");

async fn check(manifest: &str) -> Report {
    let component = embed(&artefacts::component("guest-dishonest").unwrap(), manifest).unwrap();
    contactor_check::check(component, &serde_json::Map::new()).await.unwrap()
}

fn with_vice(vice: &str) -> String {
    MANIFEST.replace(r#"default = "none""#, &format!("default = {vice:?}"))
}

fn failed(report: &Report) -> Vec<&'static str> {
    let fails = |check: &&contactor_check::Check| matches!(check.outcome, Outcome::Fail { .. });
    report.checks.iter().filter(fails).map(|check| check.name).collect()
}

fn problems(report: &Report, name: &str) -> String {
    match report.outcome(name) {
        Some(Outcome::Fail { problems }) => problems.join("\n"),
        other => panic!("`{name}` did not fail but {other:?}\n{report}"),
    }
}

#[tokio::test]
async fn a_connector_that_behaves_passes_and_nothing_is_skipped() {
    let report = check(MANIFEST).await;
    assert!(report.passed(), "{report}");
    let skipped = report.checks.iter().any(|check| matches!(check.outcome, Outcome::Skipped { .. }));
    assert!(!skipped && report.checks.len() == 11, "{report}");
}

#[tokio::test]
async fn each_vice_is_found_by_the_check_that_is_there_for_it() {
    let vices = [
        ("offers-nothing", "declared", "reading comes later"),
        ("takes-anything", "undeclared", "the partner was asked"),
        ("trap", "malformed", "the partner always answers an object"),
        ("believes-anything", "malformed", "makes a record of no answer"),
        ("raw-ids", "malformed", "leaves its place in the path"),
        ("gives-up", "partial", "fails its page"),
        ("looks-away", "partial", "passed over in silence"),
        ("hoards", "limits", "limits.memory_mib"),
        ("never-ends", "limits", "limits.host_calls"),
        ("counts", "repeats", "2 tasks were completed"),
        ("forgets", "repeats", "its changes would be lost"),
        ("shouts", "echoes", "`first_name`"),
        ("posts-to-find", "reads", "adapter.find"),
        ("asks-to-admit", "reads", "adapter.admit"),
        ("tells-headers", "secrets", "triggers.receive"),
    ];
    for (vice, name, words) in vices {
        let report = check(&with_vice(vice)).await;
        let problems = problems(&report, name);
        assert!(problems.contains(words), "{vice}: {problems}");
        // A list without end is one wherever a page is read.
        if vice != "never-ends" {
            assert_eq!(failed(&report), [name], "{vice}\n{report}");
        }
    }
}

#[tokio::test]
async fn a_manifest_that_leaves_something_out_is_found() {
    let without = |text: &str| {
        assert!(MANIFEST.contains(text), "{text}");
        MANIFEST.replace(text, "")
    };
    let report = check(&without("help = \"What the connector does wrong.\"\n")).await;
    assert!(problems(&report, "manifest").contains("`vice` has no help"));

    let (_, scopes) = MANIFEST.split_once("[[scope]]").unwrap();
    let (scopes, _) = scopes.split_once("[limits]").unwrap();
    let report = check(&without(&format!("[[scope]]{scopes}"))).await;
    assert!(problems(&report, "imports").contains("it imports `notes`"), "{report}");

    let report = check(&MANIFEST.replace(r#"example = { tag = "vip" }"#, "example = { tag = 5 }")).await;
    assert!(problems(&report, "manifest").contains("people.count"), "{report}");

    let required = MANIFEST.replace("default = \"none\"", "required = true\npattern = \"[a-z]{40}\"");
    let report = check(&required).await;
    assert!(problems(&report, "settings").contains("--set"), "{report}");
}
