//! What a connector gets instead of an answer: the vendor's refusal, a withheld grant, a preview, each as a value.

use std::collections::BTreeMap;

use contactor_store::ConnectionId;
use contactor_tests::engine::Stand;
use serde_json::{Value, json};

use super::Guest;
use super::table::{OPERATIONS, TAGS_LIST, writes};

/// Arguments that fit every function, so that nothing but the host's own refusal can stand in its way.
fn any_input(contact: &str) -> Value {
    json!({
        "id": contact, "contact-id": contact, "contact-ids": [contact], "fields": { "firstName": "Ada" },
        "email": "ada@example.com", "limit": 1, "skip": 0, "tags": ["vip"], "mode": "add", "user-ids": ["u1"],
        "business-id": "b1", "campaign-id": "k1", "workflow-id": "w1", "body": "Hello", "completed": true,
        "create-new-if-duplicate-allowed": false,
        "method": "post", "path": "/betas.json", "key": "cursor", "expected": 0, "value": "1", "prefix": "",
    })
}

#[tokio::test]
async fn what_the_vendor_refuses_is_a_case_that_a_connector_can_act_on() {
    let guest = Guest::new().await;
    let ada = guest.saved(json!({ "firstName": "Ada", "email": "ada@example.com" }));
    let unknown = "SandboxNobody0000001";

    for (function, input) in [
        ("contacts.get", json!({ "id": unknown })),
        ("contacts.delete", json!({ "id": unknown })),
        ("tags.add", json!({ "contact-id": unknown, "tags": ["vip"] })),
        ("tasks.list-all", json!({ "contact-id": unknown })),
        ("notes.get", json!({ "contact-id": ada, "id": unknown })),
    ] {
        assert_eq!(guest.error(function, input).await["case"], "not-found", "{function}");
    }

    let twin = json!({ "fields": { "email": "ADA@example.com" } });
    assert_eq!(guest.error("contacts.create", twin).await, json!({ "case": "duplicate", "detail": ada }));

    let before = guest.stand.records();
    for (function, fields, field) in [
        (
            "contacts.create",
            json!({ "email": "bob@example.com", "favouriteColour": "green" }),
            "favouriteColour",
        ),
        ("contacts.create", json!({ "email": "not an address" }), "email"),
        ("contacts.update", json!({ "tags": ["vip"] }), "tags"),
        (
            "contacts.upsert",
            json!({ "email": "bob@example.com", "favouriteColour": "green" }),
            "favouriteColour",
        ),
        ("tasks.create", json!({ "title": "Call" }), "dueDate"),
        ("notes.update", json!({ "favouriteColour": "green" }), "favouriteColour"),
    ] {
        let input = json!({
            "id": ada, "contact-id": ada, "fields": fields, "completed": false,
            "create-new-if-duplicate-allowed": false,
        });
        let error = guest.error(function, input).await;
        assert_eq!(
            (&error["case"], &error["detail"][0]["field"]),
            (&json!("invalid"), &json!(field)),
            "{function}: {error}"
        );
    }
    assert_eq!(guest.stand.records(), before, "nothing of what was refused was written");
}

#[tokio::test]
async fn a_withdrawn_token_is_said_to_the_connector_without_the_token() {
    let guest = Guest::new().await;
    let token = guest.stand.sandbox.highlevel().private_token();
    guest.stand.sandbox.highlevel().revoke_token(&token);
    let error = guest.error("contacts.list-page", json!({ "limit": 1 })).await;
    assert_eq!(error["case"], "unauthorized");
    assert!(!error.to_string().contains(&token), "{error}");
}

#[tokio::test]
async fn without_the_grant_to_write_every_write_is_denied_and_nothing_leaves_the_host() {
    let guest = Guest::with_grants(Some(&["contacts.readonly"])).await;
    let ada = guest.saved(json!({ "firstName": "Ada", "email": "ada@example.com" }));
    let before = guest.stand.records();
    let denied = json!({ "case": "denied", "detail": "contacts.write" });
    for (function, ..) in OPERATIONS.iter().filter(|row| writes(row.1)) {
        assert_eq!(guest.error(function, any_input(&ada)).await, denied, "{function}");
    }
    assert_eq!(guest.counts(), BTreeMap::new());
    assert_eq!(guest.stand.records(), before);
    // What was granted works on.
    assert_eq!(guest.ok("contacts.get", json!({ "id": ada })).await["fields"]["firstName"], "Ada");
}

#[tokio::test]
async fn without_the_grant_to_read_every_read_is_denied_and_nothing_leaves_the_host() {
    let guest = Guest::with_grants(Some(&["contacts.write"])).await;
    let ada = guest.saved(json!({ "firstName": "Ada", "email": "ada@example.com" }));
    let denied = json!({ "case": "denied", "detail": "contacts.readonly" });
    let reads = OPERATIONS.iter().filter(|row| !writes(row.1)).map(|row| row.0).chain([TAGS_LIST]);
    for function in reads {
        assert_eq!(guest.error(function, any_input(&ada)).await, denied, "{function}");
    }
    assert_eq!(guest.counts(), BTreeMap::new());
}

#[tokio::test]
async fn without_any_grant_a_component_that_imports_highlevel_is_not_even_enabled() {
    let stand = Stand::start().await.unwrap();
    let error = stand.enable("guest-operations", Some(&[])).await.unwrap_err().to_string();
    assert!(error.contains("operations") && error.contains("which was not granted"), "{error}");
    let ungranted = ConnectionId::new("acme/operations");
    assert!(stand.run(&ungranted, "clock.now", &json!({})).await.is_err());
}

#[tokio::test]
async fn a_preview_reads_and_holds_back_every_write() {
    let guest = Guest::new().await;
    let ada = guest.saved(json!({ "firstName": "Ada", "email": "ada@example.com" }));
    guest.stand.sandbox.highlevel().refresh_index();
    let before = guest.stand.records();
    let held_back = json!({ "error": { "case": "denied", "detail": "held back: this is a preview" } });
    let operations = OPERATIONS.iter().filter(|row| writes(row.1)).map(|row| row.0);
    for function in operations.chain(["partner.send", "state.compare-and-set", "state.delete"]) {
        let answer = guest.previewed(function, &any_input(&ada)).await;
        // What HighLevel would refuse is told as such: there is nothing to hold back.
        let refused = answer["error"]["case"] == "invalid";
        assert!(answer == held_back || refused, "{function}: {answer}");
    }
    assert_eq!(guest.counts(), BTreeMap::new());

    let read = guest.previewed("contacts.get", &json!({ "id": ada })).await;
    assert_eq!(read["ok"]["fields"]["firstName"], "Ada");
    let partner = guest.previewed("partner.send", &json!({ "method": "get", "path": "/betas.json" })).await;
    assert_eq!(partner["ok"]["status"], 200);
    assert_eq!(guest.stand.records(), before);
    assert_eq!(guest.ok("state.keys", json!({ "prefix": "" })).await, json!([]));
}
