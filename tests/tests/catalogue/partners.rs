//! The partners' actions, each with its example.

use contactor_engine::{CatalogueEntry, CatalogueKind, ConnectionView};
use contactor_sandbox::connectif::Guesses;
use contactor_sandbox::formbuilder::FormAct;
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::pheedloop::EventAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_sandbox::referrizer;
use contactor_store::WorkspaceId;
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use contactor_tests::partners;
use serde_json::{Map, Value, json};

use super::{bound, of};

/// Actions, in their order, that make what the examples of others need.
async fn prepare(stand: &Stand, connection: &ConnectionView, actions: &[(&str, Value)]) -> Vec<Value> {
    let mut made = Vec::new();
    for (action, input) in actions {
        let output = stand.run(&connection.id, action, input).await;
        made.push(output.unwrap_or_else(|error| panic!("to prepare, {action}: {error}")));
    }
    made
}

/// Actions that reach HighLevel and whose manifest does not name their scopes yet.
const WITHOUT_SCOPES: [&str; 4] = [
    "formbuilder.submissions.unlink",
    "formbuilder.contacts.get",
    "formbuilder.tasks.create",
    "formbuilder.tasks.update",
];

/// Runs every action of a connector with its example. `known` says, action by action, what ids are there.
async fn every_action(
    connector: &str,
    partner: impl Fn(&Stand) -> Partner,
    known: impl AsyncFn(&Stand, &ConnectionView, &str) -> Value,
) {
    let workspace = WorkspaceId::new(WORKSPACE);
    let mut faults = Vec::new();
    let entries = of(connector, CatalogueKind::Action);
    assert!(!entries.is_empty());
    for entry in entries {
        let stand = Stand::serve_with(partners::sandbox()).await.unwrap();
        let connection = stand.connect(partner(&stand)).await.unwrap();
        let known = known(&stand, &connection, &entry.id).await;
        let input = bound(&entry.example, known.as_object().unwrap_or(&Map::new()));
        if let Err(fault) = previewed(&stand, &entry, input.clone()).await {
            faults.push(format!("{} {input}: {fault}", entry.id));
        }
        stand.sandbox.recorder().clear();
        let report = match stand.engine.run_named(&workspace, &entry.id, input.clone(), false).await {
            Ok(report) => report,
            Err(error) => {
                faults.push(format!("{} {input}: {error}", entry.id));
                continue;
            }
        };
        // What an action is for is seen in its requests: one that succeeded, and for one that writes, a write.
        let succeeded = report.calls.iter().any(|call| {
            call.status.is_some_and(|status| (200..300).contains(&status)) && (call.write || !entry.writes)
        });
        if !succeeded {
            faults.push(format!("{} {input}: {report:?}", entry.id));
        }
        if entry.scopes.is_empty()
            && !WITHOUT_SCOPES.contains(&entry.id.as_str())
            && stand.sandbox.recorder().requests("highlevel.") > 0
        {
            faults
                .push(format!("{}: it reaches HighLevel, and its manifest names no scope for it", entry.id));
        }
        let kept = stand.engine.run_detail(&report.run).await.unwrap();
        assert!(kept.calls.len() > report.calls.len(), "{}: the call into the connector is kept", entry.id);
    }
    assert!(faults.is_empty(), "{} of them:\n{}", faults.len(), faults.join("\n"));
}

/// A preview of an action holds every write back: neither the doubles' records nor their counters of writes know of it.
async fn previewed(stand: &Stand, entry: &CatalogueEntry, input: Value) -> Result<(), String> {
    let before = stand.records();
    stand.sandbox.recorder().clear();
    let report = stand.engine.run_named(&WorkspaceId::new(WORKSPACE), &entry.id, input, true).await;
    let report = report.map_err(|error| format!("preview: {error}"))?;
    // A session that is begun is no record.
    let writes = stand.sandbox.recorder().recent().into_iter().filter(|seen| {
        seen.method != "GET" && !seen.operation.contains(".login") && !seen.operation.contains(".oauth.")
    });
    let writes: Vec<String> = writes.map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    if !writes.is_empty() {
        return Err(format!("a preview sent {writes:?}"));
    }
    if stand.records() != before {
        return Err("a preview changed a record".to_owned());
    }
    if report.calls.iter().any(|call| call.write && !call.held_back) || !report.preview {
        return Err(format!("a preview says that it wrote: {report:?}"));
    }
    Ok(())
}

fn contact(stand: &Stand) -> (String, String) {
    let location = stand.sandbox.highlevel().first_location();
    let act = |act: PersonAct| stand.sandbox.highlevel().act(&location, act).unwrap();
    let fields = json!({ "firstName": "Ann", "email": "ann@example.com" });
    let contact = act(PersonAct::CreateContact { fields })["id"].as_str().unwrap().to_owned();
    let task = json!({ "title": "Call", "dueDate": "2026-12-01T09:00:00Z", "completed": false });
    let task = act(PersonAct::CreateTask { contact: contact.clone(), fields: task })["id"]
        .as_str()
        .unwrap()
        .to_owned();
    (contact, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_of_connectif_runs_with_its_example() {
    every_action(
        "connectif",
        |stand| partners::connectif(&stand.sandbox),
        async |stand, connection, _| {
            let double = stand.sandbox.connectif();
            double.set_guesses(Guesses { export_at_own_host: true, ..double.guesses() });
            let made = prepare(
                stand,
                connection,
                &[
                    ("contacts.upsert", json!({ "email": "ada@example.com", "fields": { "_name": "Ada" } })),
                    ("exports.create", json!({ "type": "contacts" })),
                    (
                        "imports.create",
                        json!({ "csv": "_email,_name\nada@example.com,Ada\n", "override_existing": true }),
                    ),
                ],
            )
            .await;
            json!({ "export_id": made[1]["id"], "import_id": made[2]["id"] })
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_of_123formbuilder_runs_with_its_example() {
    let partner = |stand: &Stand| {
        let mut partner = partners::formbuilder(&stand.sandbox);
        // Some of them make 123FormBuilder mail somebody.
        partner.settings["allow_mails"] = json!(true);
        partner
    };
    every_action("formbuilder", partner, async |stand, connection, id| {
        let double = stand.sandbox.formbuilder();
        let form = double.first_form();
        let answers = json!({ "Name/First": "Ada", "Email": "ada@example.com" });
        double.act(form, FormAct::Submit { answers }).unwrap();
        let submission = double.submissions(form)[0]["id"].clone();
        let (contact, task) = contact(stand);
        let made = prepare(stand, connection, &[
            ("forms.create", json!({ "name": "Second", "active": 3 })),
            ("forms.create", json!({ "name": "Third", "active": 3 })),
            ("groups.create", json!({ "name": "People" })),
        ])
        .await;
        if ["formbuilder.groups.share", "formbuilder.groups.unshare", "formbuilder.users.update"].contains(&id) {
            prepare(stand, connection, &[("users.create", json!({ "username": "ben", "email": "ben@example.com" }))]).await;
        }
        let id_of = |made: &Value, name: &str| {
            let places = [format!("/{name}"), "/id".to_owned(), format!("/data/{name}"), "/data/id".to_owned()];
            places.iter().find_map(|place| made.pointer(place)).map(text).unwrap_or_else(|| panic!("no id in {made}"))
        };
        let group = id_of(&made[2], "group_id");
        if id == "formbuilder.groups.unshare" {
            let share = json!({ "group_id": group, "subuser_email": "ben@example.com" });
            prepare(stand, connection, &[("groups.share", share)]).await;
        }
        let mut known = json!({ "submission_id": text(&submission), "{contact}": contact, "{task}": task, "group_id": group });
        if id == "formbuilder.accounts.update" {
            let account = json!({ "username": "branch", "email": "branch@example.com" });
            let made = prepare(stand, connection, &[("accounts.create", account)]).await;
            known["account_id"] = json!(id_of(&made[0], "account_id"));
        }
        known
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_of_pheedloop_runs_with_its_example() {
    every_action("pheedloop", |stand| partners::pheedloop(&stand.sandbox), async |stand, connection, _| {
        let double = stand.sandbox.pheedloop();
        for name in ["One", "Two", "Three"] {
            let fields = json!({ "first_name": name, "last_name": "Sample", "email": format!("{name}@example.com") });
            double.act(EventAct::CreateAttendee { event: None, fields: fields.clone() }).unwrap();
            double.act(EventAct::CreateMember { fields }).unwrap();
        }
        let event = double.first_event();
        let named = |name: &str| json!({ "fields": { "name": name } });
        let hook = |n: u8| json!({ "event": event, "action": "attendee.created", "endpoint": format!("https://hooks.example.com/{n}") });
        prepare(stand, connection, &[
            ("member-organizations.create", named("One")),
            ("member-organizations.create", named("Two")),
            ("memberships.create", named("One")),
            ("memberships.create", named("Two")),
            ("contact-tags.create", named("One")),
            ("contact-tags.create", named("Two")),
            ("resthooks.subscribe", hook(1)),
            ("resthooks.subscribe", hook(2)),
        ])
        .await;
        json!({})
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_of_prefinery_runs_with_its_example() {
    let partner = |stand: &Stand| {
        let mut partner = partners::prefinery(&stand.sandbox);
        // One of them invites a friend, whom Prefinery mails.
        partner.settings["allow_email_side_effects"] = json!(true);
        partner
    };
    every_action("prefinery", partner, async |stand, _, _| {
        let double = stand.sandbox.prefinery();
        let fields = json!({ "email": "ann@example.com", "invitation_code": "abcd1234" });
        let tester = double.act(double.first_project(), ProjectAct::CreateTester { fields }).unwrap();
        double.release();
        json!({ "tester_id": text(&tester["id"]) })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_of_referrizer_runs_with_its_example() {
    every_action(
        "referrizer",
        |stand| {
            let mut partner = partners::referrizer(&stand.sandbox);
            // One of them sends the contact a message.
            partner.settings = json!({ "allow_messages": true });
            partner
        },
        async |stand, _, _| {
            let double = stand.sandbox.referrizer();
            let fields = json!({ "firstName": "Ann", "email": "ann@example.com", "phone": "+12025550101" });
            let contact = double.act(referrizer::AccountAct::CreateContact { fields }).unwrap();
            let fields = json!({ "title": "Mug", "points": 30, "type": "ITEM", "itemName": "Mug" });
            let reward = double.act(referrizer::AccountAct::CreateReward { fields }).unwrap();
            json!({ "contact_id": contact["id"], "reward_id": reward["id"] })
        },
    )
    .await;
}

fn text(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
