//! Triggers by name.

use contactor_sandbox::prefinery::Mails;
use contactor_sandbox::{Sandbox, SandboxConfig, SandboxError};
use serde_json::{Value, json};

use crate::client::{Receiver, start};

fn bodies(sandbox: &Sandbox) -> Vec<Value> {
    sandbox.highlevel().webhooks().webhooks().iter().map(contactor_sandbox::outbox::Webhook::json).collect()
}

#[tokio::test]
async fn an_event_is_about_a_record_that_is_there_and_one_that_is_missing_is_added_without_notice() {
    let sandbox = Sandbox::start(SandboxConfig::for_tests()).await.unwrap();
    let location = sandbox.highlevel().first_location();
    let emit = |event: &str, body: Value| sandbox.highlevel().emit(&location, event, body).unwrap();
    let task = emit("TaskComplete", Value::Null)["about"].clone();
    let sent = bodies(&sandbox);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!((&sent[0]["type"], &sent[0]["id"]), (&json!("TaskComplete"), &task));
    let contact = sent[0]["contactId"].as_str().unwrap();

    let about = emit("ContactTagUpdate", Value::Null)["about"].clone();
    assert_eq!(about, contact, "the contact that was there");
    let invoice =
        json!({ "status": "paid", "contactDetails": { "id": "somebody" }, "contactId": "somebody" });
    emit("InvoicePaid", invoice);
    let sent = bodies(&sandbox);
    assert_eq!(sent[2]["type"], "InvoicePaid");
    assert_eq!((&sent[2]["contactDetails"]["id"], &sent[2]["contactId"]), (&json!(contact), &json!(contact)));
    assert_eq!(sent[2]["locationId"], json!(location));

    emit("TaskUpdate", Value::Null);
    assert_eq!(bodies(&sandbox).len(), 3, "the vendor tells nobody of an edited task");
}

#[tokio::test]
async fn a_trigger_of_prefinery_is_set_off_by_what_really_sets_it_off() {
    let sandbox = Sandbox::start(SandboxConfig::for_tests()).await.unwrap();
    let project = sandbox.prefinery().first_project();
    let triggers = [
        "tester_created",
        "tester_updated",
        "reward_earned",
        "reward_delivered",
        "reward_revoked",
        "points_earned",
        "points_revoked",
        "tester_deleted",
    ];
    for trigger in triggers {
        sandbox.prefinery().webhooks().clear();
        sandbox.prefinery().emit(project, trigger).unwrap();
        let sent = sandbox.prefinery().webhooks().webhooks();
        assert_eq!(sent.iter().map(|webhook| webhook.event.as_str()).collect::<Vec<_>>(), [trigger]);
    }
    let unknown = sandbox.prefinery().emit(project, "nonsense");
    assert!(matches!(unknown, Err(SandboxError::NoTrigger(_))), "{unknown:?}");
    assert_eq!(sandbox.prefinery().mails(project), Mails::default());
}

#[tokio::test]
async fn a_double_is_told_where_to_send_over_http_and_says_what_nothing_sets_off() {
    let (sandbox, _, client) = start().await;
    let post = async |path: &str, body: Value| {
        let url = format!("{}/{path}", sandbox.control_url());
        let answer = client.http.post(url).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let receiver = Receiver::start().await;
    let address = json!({ "address": receiver.url.as_str() });
    for double in contactor_sandbox::DOUBLES {
        // Twice is once.
        for _ in 0..2 {
            let told = post(&format!("{double}/webhooks/listen"), address.clone()).await;
            assert_eq!(told, (200, json!({ "sends": double != "referrizer" })), "{double}");
        }
    }
    let event = sandbox.pheedloop().first_event();
    let hooks = sandbox.pheedloop().hooks(&event);
    assert_eq!(hooks.iter().filter(|hook| hook["endpoint"] == receiver.url.as_str()).count(), 9, "{hooks:?}");
    let (status, refused) = post("pheedloop/emit", json!({ "trigger": "nonsense" })).await;
    assert_eq!((status, &refused["code"]), (404, &json!("no-such-trigger")), "{refused}");
}
