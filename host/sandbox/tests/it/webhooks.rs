//! HighLevel's webhooks on the wire: envelope, echo, signatures, retries, and everything that goes wrong.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contactor_sandbox::highlevel::{Habits, PersonAct};
use contactor_sandbox::outbox::{DeliveryEffect, DeliveryFault, Flushed, Mode, Order, Outbox, Standing};
use contactor_sandbox::{Sandbox, SandboxConfig};
use ed25519_dalek::{Signature, Verifier, VerifyingKey};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Received, Receiver, id, start, start_with};

async fn listening() -> (Sandbox, String, Client, Receiver) {
    let (sandbox, location, client) = start().await;
    let receiver = Receiver::start().await;
    sandbox.highlevel().set_webhook_target(Some(receiver.url.clone()));
    (sandbox, location, client, receiver)
}

fn outbox(sandbox: &Sandbox) -> &Arc<Outbox> {
    sandbox.highlevel().webhooks()
}

fn create(sandbox: &Sandbox, email: &str) -> String {
    let fields = json!({"email": email});
    let location = sandbox.highlevel().first_location();
    id(&sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap())
}

fn verifies(sandbox: &Sandbox, received: &Received) -> bool {
    let key = VerifyingKey::from_bytes(&sandbox.highlevel().webhook_public_key()).unwrap();
    let Some(signature) = received.header("x-ghl-signature") else { return false };
    let signature = Signature::from_slice(&STANDARD.decode(signature).unwrap()).unwrap();
    key.verify(&received.body, &signature).is_ok()
}

fn fault(event: &str, times: u32, effect: DeliveryEffect) -> DeliveryFault {
    DeliveryFault { event: event.into(), times, effect }
}

#[tokio::test]
async fn our_own_write_comes_back_signed_and_flat() {
    let (sandbox, location, client, receiver) = listening().await;
    let created =
        client.post("/contacts/", json!({"locationId": location, "email": "ann@example.com"})).await;
    assert_eq!(outbox(&sandbox).flush(Order::Queued).await.delivered, 1);
    let received = receiver.take().remove(0);
    assert!(verifies(&sandbox, &received));
    assert_eq!(received.header("x-wh-signature"), None);
    let body = received.json();
    let app = sandbox.highlevel().app();
    assert_eq!(
        (&body["type"], &body["locationId"], &body["appId"], &body["versionId"]),
        (&json!("ContactCreate"), &json!(location), &json!(app.id), &json!(app.version_id)),
    );
    assert_eq!((&body["id"], &body["email"]), (&created.body["contact"]["id"], &json!("ann@example.com")));
    assert_eq!(body["timestamp"], "2026-11-21T08:00:00.000Z");
    assert!(body["webhookId"].is_string() && body.get("dateUpdated").is_none());
}

#[tokio::test]
async fn a_real_task_create_lacks_the_contact_and_a_switch_brings_it_back() {
    let (sandbox, location, client, receiver) = listening().await;
    let contact = create(&sandbox, "ann@example.com");
    let path = format!("/contacts/{contact}/tasks");
    let task =
        json!({"title": "Call", "body": "soon", "dueDate": "2026-12-01T10:00:00Z", "completed": false});
    client.post(&path, task.clone()).await;
    sandbox.highlevel().set_habits(Habits { task_create_lacks_contact: false, ..Habits::default() });
    client.post(&path, task).await;
    client.post(&format!("/contacts/{contact}/notes"), json!({"body": "n", "title": "t"})).await;
    outbox(&sandbox).flush(Order::Queued).await;
    let received: Vec<Value> = receiver.take().iter().skip(1).map(Received::json).collect();
    assert_eq!((received[0].get("contactId"), received[0].get("body")), (None, None));
    assert_eq!((&received[1]["contactId"], &received[1]["body"]), (&json!(contact), &json!("soon")));
    assert_eq!((&received[2]["contactId"], received[2].get("title")), (&json!(contact), None));
    assert_eq!(received[2]["locationId"], json!(location));
}

#[tokio::test]
async fn one_tag_change_fires_two_events_unless_switched_off() {
    let (sandbox, _, client, receiver) = listening().await;
    let contact = create(&sandbox, "ann@example.com");
    outbox(&sandbox).flush(Order::Queued).await;
    receiver.take();
    let path = format!("/contacts/{contact}/tags");
    client.post(&path, json!({"tags": ["a"]})).await;
    client.post(&path, json!({"tags": ["a"]})).await;
    outbox(&sandbox).flush(Order::Queued).await;
    assert_eq!(receiver.take_types(), ["ContactTagUpdate", "ContactUpdate"], "and a no-op fires nothing");
    sandbox.highlevel().set_habits(Habits { special_change_also_updates: false, ..Habits::default() });
    client.put(&format!("/contacts/{contact}"), json!({"dnd": true})).await;
    outbox(&sandbox).flush(Order::Queued).await;
    assert_eq!(receiver.take_types(), ["ContactDndUpdate"]);
    sandbox.highlevel().set_habits(Habits { echoes_api_writes: false, ..Habits::default() });
    client.post(&path, json!({"tags": ["b"]})).await;
    assert_eq!(outbox(&sandbox).flush(Order::Queued).await, Flushed::default());
}

#[tokio::test]
async fn appointments_nest_and_installations_name_the_app() {
    let (sandbox, location, _, receiver) = listening().await;
    let contact = create(&sandbox, "ann@example.com");
    let fields = json!({"calendarId": "c", "contactId": contact, "startTime": "2026-07-16T15:00:00Z"});
    sandbox.highlevel().act(&location, PersonAct::Book { fields }).unwrap();
    sandbox.highlevel().authorize(&sandbox.highlevel().app().client_id, Some(&location)).unwrap();
    outbox(&sandbox).flush(Order::Queued).await;
    let received: Vec<Value> = receiver.take().iter().skip(1).map(Received::json).collect();
    assert_eq!(received[0]["appointment"]["startTime"], "2026-07-16T11:00:00-04:00");
    assert_eq!((&received[1]["type"], &received[1]["locationId"]), (&json!("INSTALL"), &json!(location)));
}

#[tokio::test]
async fn both_signatures_are_sent_when_the_old_one_is_switched_on() {
    let (sandbox, _, _, receiver) = listening().await;
    sandbox.highlevel().set_habits(Habits { signs_legacy: true, ..Habits::default() });
    create(&sandbox, "ann@example.com");
    outbox(&sandbox).flush(Order::Queued).await;
    let received = receiver.take().remove(0);
    assert!(verifies(&sandbox, &received));
    assert_eq!(STANDARD.decode(received.header("x-wh-signature").unwrap()).unwrap().len(), 256);
    let pem = sandbox.highlevel().legacy_public_key_pem().unwrap();
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"));
}

#[tokio::test]
async fn a_429_is_retried_after_ten_minutes_with_the_same_payload_and_delivery_id() {
    let (sandbox, _, _, receiver) = listening().await;
    receiver.answer_with(429);
    create(&sandbox, "ann@example.com");
    assert_eq!(outbox(&sandbox).flush(Order::Queued).await.retrying, 1);
    assert_eq!(outbox(&sandbox).flush(Order::Queued).await.attempts, 0, "not due yet");
    sandbox.advance(SignedDuration::from_mins(11));
    receiver.answer_with(200);
    assert_eq!(outbox(&sandbox).flush(Order::Queued).await.delivered, 1);
    let attempts = receiver.take();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].body, attempts[1].body);
    assert_eq!(attempts[0].header("deliveryid"), attempts[1].header("deliveryid"));
    assert!(attempts[0].header("deliveryid").is_some());
}

#[tokio::test]
async fn a_failing_receiver_is_tried_for_three_days_and_then_given_up() {
    let (sandbox, _, _, receiver) = listening().await;
    receiver.answer_with(500);
    create(&sandbox, "ann@example.com");
    for _ in 0..24 * 4 {
        outbox(&sandbox).flush(Order::Queued).await;
        sandbox.advance(SignedDuration::from_hours(1));
    }
    let attempts = receiver.take().len();
    assert!((10..30).contains(&attempts), "{attempts}");
    let webhook = outbox(&sandbox).webhooks().remove(0);
    assert_eq!((webhook.standing, webhook.last_status), (Standing::Failed, Some(500)));
}

#[tokio::test]
async fn deliveries_are_dropped_doubled_held_delayed_and_forged_on_demand() {
    let (sandbox, _, _, receiver) = listening().await;
    let rules = [
        DeliveryEffect::Drop,
        DeliveryEffect::Copies(3),
        DeliveryEffect::Hold,
        DeliveryEffect::Delay(3 * 86_400),
        DeliveryEffect::Unsigned,
        DeliveryEffect::Tampered,
    ];
    for effect in rules {
        outbox(&sandbox).add_fault(fault("ContactCreate", 1, effect));
    }
    let contacts: Vec<String> =
        (0..6).map(|number| create(&sandbox, &format!("a{number}@example.com"))).collect();
    outbox(&sandbox).flush(Order::Queued).await;
    let first = receiver.take();
    let arrived: Vec<String> = first.iter().map(|received| id(&received.json())).collect();
    let [_, doubled, held, delayed, unsigned, tampered] = &contacts[..] else { unreachable!() };
    assert_eq!(arrived, [doubled, doubled, doubled, unsigned, tampered].map(String::clone));
    assert_eq!(
        first.iter().map(|received| verifies(&sandbox, received)).collect::<Vec<_>>(),
        [true, true, true, false, false]
    );

    assert_eq!(outbox(&sandbox).release(), 1);
    outbox(&sandbox).flush(Order::Queued).await;
    assert_eq!(id(&receiver.take()[0].json()), *held);
    sandbox.advance(SignedDuration::from_hours(72));
    outbox(&sandbox).flush(Order::Queued).await;
    let late = receiver.take().remove(0);
    assert_eq!(id(&late.json()), *delayed);
    assert_eq!(
        late.json()["timestamp"],
        "2026-11-21T08:00:00.000Z",
        "three days late, with its first timestamp"
    );
    assert!(verifies(&sandbox, &late));
}

#[tokio::test]
async fn a_flush_may_turn_the_order_round_and_a_delivery_may_be_repeated() {
    let (sandbox, _, _, receiver) = listening().await;
    let contacts: Vec<String> =
        (0..3).map(|number| create(&sandbox, &format!("a{number}@example.com"))).collect();
    outbox(&sandbox).flush(Order::Reversed).await;
    let arrived: Vec<String> = receiver.take().iter().map(|received| id(&received.json())).collect();
    assert_eq!(arrived, contacts.iter().rev().cloned().collect::<Vec<_>>());
    let webhook = outbox(&sandbox).of_type("ContactCreate").remove(0);
    assert!(outbox(&sandbox).redeliver(webhook.sequence));
    outbox(&sandbox).flush(Order::Queued).await;
    assert_eq!(receiver.take()[0].body, webhook.body.to_vec());
}

#[tokio::test]
async fn in_automatic_mode_webhooks_leave_by_themselves_and_in_order() {
    let config = SandboxConfig { webhooks: Mode::Automatic, ..SandboxConfig::for_tests() };
    let (sandbox, _, _) = start_with(config).await;
    let receiver = Receiver::start().await;
    sandbox.highlevel().set_webhook_target(Some(receiver.url.clone()));
    let contacts: Vec<String> =
        (0..20).map(|number| create(&sandbox, &format!("a{number}@example.com"))).collect();
    let delivered =
        || outbox(&sandbox).webhooks().iter().all(|webhook| webhook.standing == Standing::Delivered);
    let all = async {
        while !delivered() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), all).await.expect("some webhook never left");
    let arrived: Vec<String> = receiver.take().iter().map(|received| id(&received.json())).collect();
    assert_eq!(arrived, contacts);
    sandbox.shutdown().await;
}

#[tokio::test]
async fn without_a_listener_webhooks_are_still_on_record() {
    let (sandbox, _, _) = start().await;
    create(&sandbox, "ann@example.com");
    let webhook = outbox(&sandbox).webhooks().remove(0);
    assert_eq!((webhook.event.as_str(), webhook.standing), ("ContactCreate", Standing::NoTarget));
}
