//! Whoever is sent a credential may repeat it. No connector reads it then, nothing that is kept holds it, and nothing that is shown.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::Order;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_store::{ConnectionId, FailureClass, RunFilter, WorkspaceId};
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use contactor_tests::partners;
use serde_json::{Value, json};

/// In every answer that repeats a credential, so that a test knows that the answer was kept.
const MARK: &str = "what was sent:";

fn echo(stand: &Stand, operation: &str, status: u16, secret: &str) {
    let body = json!({ "message": format!("{MARK} {secret}"), "error": format!("{MARK} {secret}") });
    let effect = Effect::Answer { status, body: Some(body), retry_after: None, after: false };
    stand.sandbox.faults().add(Fault::always(operation, effect));
}

fn person(stand: &Stand) -> (String, String) {
    let location = stand.sandbox.highlevel().first_location();
    let fields = json!({ "firstName": "Ada", "email": "ada@example.com" });
    let saved = stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    (location, saved["id"].as_str().unwrap().to_owned())
}

/// Delivers webhooks and does what is due, without letting time pass: what fails again and again never comes to rest.
async fn work(stand: &Stand) {
    for outbox in stand.sandbox.outboxes() {
        outbox.flush(Order::Queued).await;
    }
    stand.engine.walk_until_rest().await;
    stand.engine.run_until_idle().await.unwrap();
}

/// A connector that handles a change of tags by these calls.
async fn scripted(stand: &Stand, calls: &Value) -> ConnectionId {
    let partner = Partner {
        component: "guest-operations".to_owned(),
        base_url: stand.sandbox.prefinery_url(),
        credentials: [("token".to_owned(), stand.sandbox.prefinery().api_key().to_owned())].into(),
        settings: json!({
            "scripts": { "ContactTagUpdate": json!({ "calls": calls }).to_string() },
            "rules": [{ "name": "all", "on": ["ContactTagUpdate"], "do": [{ "add-tags": ["unused"] }] }],
        }),
        ..Partner::default()
    };
    stand.connect(partner).await.unwrap().id
}

/// Everything that a person can be shown of what happened.
async fn shown(stand: &Stand) -> String {
    let engine = &stand.engine;
    let workspace = WorkspaceId::new(WORKSPACE);
    let mut all = Vec::new();
    for run in engine.runs(RunFilter { limit: 1_000, ..RunFilter::default() }).await.unwrap() {
        all.push(format!("{:?}", engine.run_detail(&run.id).await.unwrap()));
    }
    all.push(format!("{:?}", engine.parked(&workspace).await.unwrap()));
    all.push(format!("{:?}", engine.parked_groups(&workspace).await.unwrap()));
    all.push(format!("{:?}", engine.rests(&workspace).await.unwrap()));
    all.push(format!("{:?}", engine.connections(&workspace).await.unwrap()));
    all.join("\n")
}

async fn assert_nowhere(stand: &Stand) {
    let shown = shown(stand).await;
    assert!(shown.contains(MARK), "the answers were kept: {shown}");
    for secret in [stand.sandbox.prefinery().api_key(), &stand.sandbox.highlevel().private_token()] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(stand.keeps(MARK).unwrap(), "the files hold the answers");
        assert!(!stand.keeps(secret).unwrap(), "a file holds {secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_systems_repeat_of_their_credentials_is_neither_kept_nor_shown() {
    for (operation, status) in [("prefinery.*", 422), ("prefinery.*", 503), ("prefinery.*", 401)] {
        let stand = Stand::serve().await.unwrap();
        stand.enable("prefinery", None).await.unwrap();
        echo(&stand, operation, status, stand.sandbox.prefinery().api_key());
        person(&stand);
        work(&stand).await;
        assert_nowhere(&stand).await;
    }
    for status in [400, 403, 503] {
        let stand = Stand::serve().await.unwrap();
        stand.enable("prefinery", None).await.unwrap();
        person(&stand);
        echo(&stand, "highlevel.contacts.get", status, &stand.sandbox.highlevel().private_token());
        work(&stand).await;
        assert_nowhere(&stand).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_reads_no_credential_and_its_journal_holds_none() {
    let stand = Stand::serve().await.unwrap();
    let send = json!({ "method": "post", "path": "/betas/1/testers.json", "body": "{}" });
    let calls = json!([
        { "function": "partner.send", "input": send },
        { "function": "contacts.get", "input": { "id": "$contact" } },
    ]);
    let connection = scripted(&stand, &calls).await;
    let (location, contact) = person(&stand);
    stand.settle().await.unwrap();
    echo(&stand, "prefinery.*", 200, stand.sandbox.prefinery().api_key());
    echo(&stand, "highlevel.contacts.get", 400, &stand.sandbox.highlevel().private_token());
    stand
        .sandbox
        .highlevel()
        .act(&location, PersonAct::AddTags { contact, tags: vec!["vip".to_owned()] })
        .unwrap();
    work(&stand).await;
    assert_eq!(stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap().len(), 1, "with its journal");
    assert_nowhere(&stand).await;

    let read = stand.run(&connection, "partner.send", &send).await.unwrap();
    assert!(read.to_string().contains(&format!("{MARK} [redacted]")), "{read}");
    let read = stand.run(&connection, "contacts.get", &json!({ "id": "c1" })).await.unwrap();
    assert!(read.to_string().contains(&format!("{MARK} [redacted]")), "{read}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_that_knows_the_credential_all_the_same_cannot_have_it_kept() {
    let stand = Stand::serve().await.unwrap();
    let connection = scripted(&stand, &json!([])).await;
    let key = stand.sandbox.prefinery().api_key().to_owned();
    let told = format!("{MARK} {key}");
    // Its own words: the method of that name does not exist.
    let input = json!({ "method": told, "path": "/" });
    let error = stand.run(&connection, "partner.send", &input).await.unwrap_err().to_string();
    assert!(error.contains(&format!("{MARK} [redacted]")), "{error}");
    let line = json!({ "level": "info", "message": told, "fields": { "key": key } });
    stand.run(&connection, "log.write", &line).await.unwrap();
    let request =
        json!({ "method": "get", "path": format!("/{key}"), "query": [{ "name": "x", "value": key }] });
    let answer = stand.run(&connection, "partner.send", &request).await.unwrap();
    assert!(!answer.to_string().contains(&key), "{answer}");
    assert_nowhere(&stand).await;
}

#[tokio::test]
async fn a_record_with_the_credential_in_it_is_parked_and_nothing_of_it_is_synced() {
    let stand = Stand::serve().await.unwrap();
    partners::connect(&stand, partners::prefinery(&stand.sandbox)).await.unwrap();
    let double = stand.sandbox.prefinery();
    let key = double.api_key().to_owned();
    for (email, first) in [("ann@example.com", key.as_str()), ("bob@example.com", "Bob")] {
        let fields = json!({ "email": email, "profile": { "first_name": first, "last_name": "Signup" } });
        double.act(double.first_project(), ProjectAct::CreateTester { fields }).unwrap();
    }
    stand.settle().await.unwrap();
    let parked = stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap();
    assert_eq!(
        parked.iter().map(|parked| parked.class).collect::<Vec<_>>(),
        [FailureClass::Data],
        "{parked:?}"
    );
    for words in ["credential", "taken out", "at the partner"] {
        assert!(parked[0].reason.contains(words), "{words}: {}", parked[0].reason);
    }
    let highlevel = stand.sandbox.highlevel();
    let contacts = highlevel.contacts(&highlevel.first_location());
    let emails: Vec<_> =
        contacts.iter().map(|contact| contact["email"].as_str().unwrap_or_default()).collect();
    assert_eq!(emails, ["bob@example.com"], "the others go on");
}
