//! What people do in HighLevel's own interface.

use contactor_sandbox::Sandbox;
use contactor_sandbox::highlevel::PersonAct;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{id, start};

fn act(sandbox: &Sandbox, act: PersonAct) -> Value {
    sandbox.highlevel().act(&sandbox.highlevel().first_location(), act).unwrap()
}

fn events(sandbox: &Sandbox) -> Vec<String> {
    let events = sandbox.highlevel().webhooks().webhooks().into_iter().map(|webhook| webhook.event).collect();
    sandbox.highlevel().webhooks().clear();
    events
}

#[tokio::test]
async fn a_merge_deletes_the_loser_and_moves_its_tasks_notes_and_appointments() {
    let (sandbox, location, client) = start().await;
    let fields = json!({"firstName": "Ann", "email": "ann@example.com", "tags": ["a"]});
    let master = id(&act(&sandbox, PersonAct::CreateContact { fields }));
    let fields =
        json!({"lastName": "Lee", "email": "lee@example.com", "phone": "+14155550100", "tags": ["b"]});
    let loser = id(&act(&sandbox, PersonAct::CreateContact { fields }));
    let fields = json!({"title": "Call", "dueDate": "2026-12-01", "completed": false});
    let task = id(&act(&sandbox, PersonAct::CreateTask { contact: loser.clone(), fields }));
    let fields = json!({"body": "remember"});
    act(&sandbox, PersonAct::CreateNote { contact: loser.clone(), fields });
    let fields = json!({"calendarId": "c", "contactId": loser, "startTime": "2026-12-01T10:00:00Z"});
    act(&sandbox, PersonAct::Book { fields });
    events(&sandbox);

    let merged =
        act(&sandbox, PersonAct::MergeContacts { master: master.clone(), losers: vec![loser.clone()] });
    assert_eq!(events(&sandbox), ["ContactDelete", "ContactUpdate"]);
    assert_eq!((&merged["email"], &merged["phone"]), (&json!("ann@example.com"), &json!("+14155550100")));
    assert_eq!(merged["additionalEmails"], json!(["lee@example.com"]));
    assert_eq!(merged["tags"], json!(["a", "b"]));
    let moved = client.get(&format!("/contacts/{master}/tasks/{task}")).await;
    assert_eq!(moved.body["task"]["contactId"], json!(master), "the same task under another contact");
    assert_eq!(sandbox.highlevel().notes(&location, &master).len(), 1);
    assert_eq!(client.get(&format!("/contacts/{loser}")).await.status, 400);
    let survivor =
        client.get(&format!("/contacts/search/duplicate?locationId={location}&email=lee@example.com")).await;
    assert_eq!(survivor.body["contact"]["id"], json!(master));
    let back = sandbox.highlevel().act(&location, PersonAct::RestoreContact { contact: loser });
    assert!(back.unwrap_err().to_string().contains("cannot be undone"));
}

#[tokio::test]
async fn a_deleted_contact_comes_back_under_its_old_id_for_60_days_without_an_event() {
    let (sandbox, location, client) = start().await;
    let fields = json!({"email": "ann@example.com"});
    let contact = id(&act(&sandbox, PersonAct::CreateContact { fields }));
    act(&sandbox, PersonAct::DeleteContact { contact: contact.clone() });
    events(&sandbox);
    sandbox.advance(SignedDuration::from_hours(59 * 24));
    act(&sandbox, PersonAct::RestoreContact { contact: contact.clone() });
    assert!(events(&sandbox).is_empty());
    assert_eq!(client.get(&format!("/contacts/{contact}")).await.status, 200);
    act(&sandbox, PersonAct::DeleteContact { contact: contact.clone() });
    sandbox.advance(SignedDuration::from_hours(61 * 24));
    assert!(sandbox.highlevel().act(&location, PersonAct::RestoreContact { contact }).is_err());
}

#[tokio::test]
async fn an_inbound_opt_out_is_seen_only_by_reading() {
    let (sandbox, location, _) = start().await;
    let contact = sandbox.highlevel().load(&location, 1).unwrap().remove(0);
    let shown = act(&sandbox, PersonAct::OptOut { contact });
    assert_eq!(shown["inboundDndSettings"]["all"]["status"], "active");
    assert!(events(&sandbox).is_empty());
}

#[tokio::test]
async fn editing_a_task_fires_nothing_and_completing_it_fires_once() {
    let (sandbox, location, _) = start().await;
    let contact = sandbox.highlevel().load(&location, 1).unwrap().remove(0);
    let fields = json!({"title": "Call", "dueDate": "2026-12-01", "completed": false});
    let task = id(&act(&sandbox, PersonAct::CreateTask { contact: contact.clone(), fields }));
    assert_eq!(events(&sandbox), ["TaskCreate"]);
    let edit = |fields: Value| {
        act(&sandbox, PersonAct::EditTask { contact: contact.clone(), task: task.clone(), fields });
        events(&sandbox)
    };
    assert!(edit(json!({"title": "Call back"})).is_empty());
    assert_eq!(edit(json!({"completed": true})), ["TaskComplete"]);
    assert!(edit(json!({"completed": true})).is_empty());
    assert!(edit(json!({"completed": false})).is_empty());
}

#[tokio::test]
async fn a_person_may_save_a_bare_name() {
    let (sandbox, _, _) = start().await;
    let fields = json!({"firstName": "Nameless"});
    let contact = act(&sandbox, PersonAct::CreateContact { fields });
    assert_eq!(contact["createdBy"]["source"], "WEB_USER");
    let unknown = PersonAct::DeleteContact { contact: "nobody".into() };
    let error = sandbox.highlevel().act(&sandbox.highlevel().first_location(), unknown).unwrap_err();
    assert!(error.to_string().contains("Contact with id nobody not found"));
}
