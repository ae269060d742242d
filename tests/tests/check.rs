//! `contactor connector check` on real components: the five connectors pass, one that misbehaves does not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_tests::artefacts;
use tokio::process::Command;

async fn check(component: &str) -> (bool, String) {
    let file = artefacts::component_path(component).unwrap();
    let output = Command::new(artefacts::binary("contactor").unwrap())
        .args(["connector", "check"])
        .arg(file)
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_connector_passes_the_acceptance_suite_and_imports_nothing_that_its_scopes_do_not_open() {
    for connector in ["connectif", "formbuilder", "pheedloop", "prefinery", "referrizer"] {
        let (passed, report) = check(connector).await;
        assert!(passed, "{report}");
        assert!(report.contains("pass     imports"), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_misbehaves_does_not_pass_and_the_report_says_why() {
    let (passed, report) = check("guest-misbehave").await;
    assert!(!passed, "{report}");
    assert!(report.contains("FAIL     malformed") && report.contains("limits.cpu_ms"), "{report}");
}
