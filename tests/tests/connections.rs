//! Checking a connection, against the doubles.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_engine::CheckReport;
use contactor_tests::engine::{Partner, Stand};
use contactor_tests::partners;
use serde_json::json;

/// What every connection needs, and nothing more.
const LEAST: [&str; 3] = ["contacts.readonly", "contacts.write", "locations.readonly"];

/// What a check says of a connection when the location's token has these scopes.
async fn check(partner: fn(&contactor_sandbox::Sandbox) -> Partner, scopes: &[&str]) -> CheckReport {
    let stand = Stand::start_with(partners::sandbox()).await.unwrap();
    let highlevel = stand.sandbox.highlevel();
    let connection = stand.connect(partner(&stand.sandbox)).await.unwrap();
    highlevel.add_private_token(&highlevel.first_location(), &highlevel.private_token(), scopes).unwrap();
    stand.engine.check_connection(&connection.id).await.unwrap()
}

/// Prefinery with nothing but contacts.
fn plain(sandbox: &contactor_sandbox::Sandbox) -> Partner {
    Partner { template: None, ..partners::prefinery(sandbox) }
}

fn with_custom_field(sandbox: &contactor_sandbox::Sandbox) -> Partner {
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
