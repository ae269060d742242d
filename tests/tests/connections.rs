//! A connection from the command line: its schedule, and what a check says of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Stdio;

use contactor_engine::CheckReport;
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_tests::engine::{Partner, Stand};
use contactor_tests::host::Host;
use contactor_tests::{artefacts, partners};
use serde_json::{Value, json};
use tokio::process::Command;

/// What every connection needs, and nothing more.
const LEAST: [&str; 3] = ["contacts.readonly", "contacts.write", "locations.readonly"];

/// What a check says of a connection when the location's token has these scopes.
async fn check(partner: fn(&Sandbox) -> Partner, scopes: &[&str]) -> CheckReport {
    let stand = Stand::start_with(partners::sandbox()).await.unwrap();
    let highlevel = stand.sandbox.highlevel();
    let field = PersonAct::DefineCustomField { name: "Plan".into(), data_type: "TEXT".into() };
    highlevel.act(&highlevel.first_location(), field).unwrap();
    let connection = stand.connect(partner(&stand.sandbox)).await.unwrap();
    highlevel.add_private_token(&highlevel.first_location(), &highlevel.private_token(), scopes).unwrap();
    stand.engine.check_connection(&connection.id).await.unwrap()
}

/// Prefinery with nothing but contacts.
fn plain(sandbox: &Sandbox) -> Partner {
    Partner { template: None, ..partners::prefinery(sandbox) }
}

fn with_custom_field(sandbox: &Sandbox) -> Partner {
    let row = json!({ "partner": "profile.custom_var2", "highlevel": "customFields.plan", "direction": "to-highlevel" });
    Partner { mapping: json!({ "contact": [row] }), ..plain(sandbox) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_names_each_scope_that_the_connection_will_miss_and_what_stops_without_it() {
    let report = check(partners::referrizer, &LEAST).await;
    let of = |scope: &str| {
        report.warnings.iter().filter(|warning| warning.contains(&format!("`{scope}`"))).count()
    };
    assert_eq!(of("locations/tasks.readonly"), 1, "{:?}", report.warnings);
    assert_eq!(of("calendars/events.readonly"), 1, "{:?}", report.warnings);
    assert!(report.ok && report.problems.is_empty(), "a warning is no refusal: {:?}", report.problems);

    let report = check(with_custom_field, &LEAST).await;
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    assert!(
        report.warnings[0].contains("`locations/customFields.readonly`: records"),
        "{:?}",
        report.warnings
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_asks_only_for_what_the_connection_uses() {
    assert_eq!(check(plain, &LEAST).await.warnings, Vec::<String>::new());
    let scopes = [&LEAST[..], &["locations/tasks.readonly", "calendars/events.readonly"]].concat();
    assert_eq!(check(partners::referrizer, &scopes).await.warnings, Vec::<String>::new());
}

#[tokio::test]
async fn a_cadence_is_stored_and_one_that_cannot_be_is_refused_with_what_can() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let enable = async |arguments: &[&str]| {
        let output = Command::new(artefacts::binary("contactor").unwrap())
            .args(["--json", "--server", host.url(), "--admin-token-file"])
            .arg(dir.path().join("admin.token"))
            .args(["connection", "enable", "acme", "prefinery"])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        if output.status.success() {
            Ok(serde_json::from_slice::<Value>(&output.stdout).unwrap())
        } else {
            Err(said)
        }
    };
    let stored =
        async || host.get("/workspaces/acme/connections/prefinery").await.unwrap()["schedule"].clone();

    enable(&["--every", "15m"]).await.unwrap();
    assert_eq!(stored().await, json!({ "realtime": false, "poll_seconds": {}, "sweep_seconds": 900 }));
    // Another change leaves it as it is.
    enable(&["--set", &format!("beta_id={}", sandbox.prefinery().first_project())]).await.unwrap();
    assert_eq!(stored().await["sweep_seconds"], 900);
    for (every, allowed) in [
        ("0s", "10 to 2592000"),
        ("5s", "10 to 2592000"),
        ("721h", "10 to 2592000"),
        ("-15m", "not negative"),
        ("0", "15m or 1h"),
        ("often", "15m or 1h"),
    ] {
        let refused = enable(&[&format!("--every={every}")]).await.unwrap_err();
        assert!(refused.contains(allowed), "{every}: {refused}");
    }
    let both = enable(&["--every", "15m", "--realtime"]).await.unwrap_err();
    assert!(both.contains("cannot be used with"), "{both}");
    assert_eq!(stored().await["sweep_seconds"], 900, "what was refused changed nothing");

    enable(&["--realtime"]).await.unwrap();
    let schedule = stored().await;
    assert_eq!((&schedule["realtime"], &schedule["sweep_seconds"]), (&json!(true), &Value::Null));
    host.stop().await.unwrap();
}
