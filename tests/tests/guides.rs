//! The rules of docs/rules.md are taken as they stand there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use contactor_tests::engine::{Partner, Stand};
use contactor_tests::partners;
use serde_json::Value;

/// Blocks of settings by the connector that they are for.
fn blocks(guide: &str) -> Vec<(String, String)> {
    let blocks = guide.split("```toml\n# settings.toml of ").skip(1);
    blocks
        .map(|rest| {
            let (connector, rest) = rest.split_once('\n').unwrap();
            (connector.to_owned(), rest.split("```").next().unwrap().to_owned())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rule_of_the_guide_is_accepted_and_every_effect_has_an_example() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/rules.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let blocks = blocks(&guide);
    assert_eq!(
        blocks.len(),
        guide.matches("```toml").count(),
        "a block does not say whose settings it shows"
    );
    let mut effects = BTreeSet::new();
    for (connector, text) in blocks {
        let given: Value = toml::from_str(&text).unwrap();
        let rules = &given["rules"];
        for effect in rules.as_array().unwrap().iter().flat_map(|rule| rule["do"].as_array().unwrap()) {
            effects.extend(effect.as_object().unwrap().keys().cloned());
        }
        let stand = Stand::start_with(partners::sandbox()).await.unwrap();
        let all = partners::all(&stand.sandbox);
        let mut partner = all.into_iter().find(|partner| partner.component == connector).unwrap();
        partner.settings["rules"] = rules.clone();
        let taken = stand.connect(partner).await;
        assert!(taken.is_ok(), "{connector}: {:?}\n{text}", taken.err());
    }
    for effect in contactor_rules::Effect::NAMES {
        assert!(effects.contains(effect), "no example has `{effect}`");
        assert!(guide.contains(&format!("| `{effect}` |")), "`{effect}` is not explained");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_does_not_compile_is_refused_by_its_name() {
    let stand = Stand::start_with(partners::sandbox()).await.unwrap();
    let mut partner: Partner = partners::pheedloop(&stand.sandbox);
    partner.settings["rules"] = serde_json::json!([
        { "name": "mistaken", "on": ["signup"], "when": "event_name ===", "do": [{ "add-tags": ["x"] }] },
    ]);
    let refused = stand.connect(partner).await.unwrap_err().to_string();
    assert!(refused.contains("rule `mistaken`: `event_name ===`"), "{refused}");
}
