//! What is not HighLevel's: the partner, the connection's state and settings, the run's time and log.

use serde_json::{Value, json};

use super::Guest;

#[tokio::test]
async fn a_component_reaches_its_partner_with_a_credential_that_it_never_sees() {
    let guest = Guest::new().await;
    let answer = guest.ok("partner.send", json!({ "method": "get", "path": "/betas.json" })).await;
    assert_eq!(answer["status"], 200, "the double asks for the key: {answer}");
    assert_eq!(guest.stand.sandbox.recorder().count_of("prefinery.betas.list").carried_out, 1);
    let run = guest.stand.last_run(&guest.connection).await.unwrap();
    let key = guest.stand.sandbox.prefinery().api_key();
    assert_eq!(run.calls.iter().filter(|call| call.target == "partner").count(), 1);
    assert!(!format!("{answer} {run:?}").contains(key), "the key is in what the guest or an admin sees");

    let before = guest.counts();
    for path in ["http://127.0.0.1/betas.json", "//127.0.0.1/", "/../secret", "betas.json"] {
        let error = guest.error("partner.send", json!({ "method": "get", "path": path })).await;
        assert_eq!(error["case"], "invalid", "{path}: {error}");
    }
    let headers = json!([{ "name": "Authorization", "value": "Bearer made-up" }]);
    let error = guest
        .error("partner.send", json!({ "method": "get", "path": "/betas.json", "headers": headers }))
        .await;
    assert_eq!(error["case"], "invalid", "{error}");
    assert_eq!(guest.counts(), before, "nothing of what was refused was sent");
}

#[tokio::test]
async fn state_outlives_the_instance_and_a_stale_version_is_a_conflict() {
    let guest = Guest::new().await;
    let set = |expected: u64, value: &str| json!({ "key": "cursor", "expected": expected, "value": value });
    assert_eq!(guest.ok("state.get", json!({ "key": "cursor" })).await, Value::Null);
    assert_eq!(guest.ok("state.compare-and-set", set(0, "page 1")).await, 1);
    assert_eq!(guest.ok("state.compare-and-set", set(1, "page 2")).await, 2);
    assert_eq!(guest.error("state.compare-and-set", set(1, "late")).await["case"], "conflict");
    let entry = guest.ok("state.get", json!({ "key": "cursor" })).await;
    assert_eq!(entry, json!({ "value": "page 2", "version": 2 }));
    assert_eq!(guest.ok("state.keys", json!({ "prefix": "cur" })).await, json!(["cursor"]));
    assert_eq!(guest.ok("state.delete", json!({ "key": "cursor" })).await, Value::Null);
    assert_eq!(guest.ok("state.keys", json!({ "prefix": "" })).await, json!([]));
}

#[tokio::test]
async fn settings_the_runs_own_time_and_the_log_reach_a_component() {
    let guest = Guest::new().await;
    assert_eq!(guest.ok("settings.all", json!({})).await, json!({ "greeting": "hello" }));
    assert_eq!(guest.ok("clock.now", json!({})).await, guest.stand.engine.now().as_millisecond());
    guest.ok("log.write", json!({ "level": "warn", "message": "careful", "fields": { "page": 3 } })).await;
    assert_eq!(guest.stand.last_run(&guest.connection).await.unwrap().log, ["warn: careful page=3"]);
}

#[tokio::test]
async fn an_expression_is_evaluated_over_what_the_component_gives_and_a_faulty_one_is_told() {
    let guest = Guest::new().await;
    let input = json!({ "expression": "plan == 'gold' and 'vip' in tags", "fields": { "plan": "gold", "tags": ["vip"] } });
    assert_eq!(guest.ok("rules.evaluate", input).await, json!(true));
    let error = guest.error("rules.evaluate", json!({ "expression": "plan ==", "fields": {} })).await;
    assert_eq!(error["case"], "invalid", "{error}");
    assert_eq!(error["detail"][0]["field"], "plan ==", "{error}");
}

#[tokio::test]
async fn an_input_is_held_against_the_schema_of_the_components_own_action() {
    let guest = Guest::new().await;
    let check = |input: &str| json!({ "action": "rules.check-input", "input": input });
    guest.ok("rules.check-input", check(r#"{"action": "x", "input": "{}"}"#)).await;
    let error = guest.error("rules.check-input", check(r#"{"action": 7, "input": "{}"}"#)).await;
    assert_eq!((&error["case"], &error["detail"][0]["field"]), (&json!("invalid"), &json!("/action")));
    let error = guest.error("rules.check-input", json!({ "action": "no.such", "input": "{}" })).await;
    assert_eq!(error["case"], "not-found", "{error}");
}
