//! Connectif's flows, each end to end: the real component, an engine, and the doubles of both sides. The double shows no write
//! of the API before two seconds are over, new contacts included.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_engine::{ConnectionView, NewDestination};
use contactor_sandbox::SandboxConfig;
use contactor_sandbox::connectif::{AccountAct, Guesses, Messages};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{Order, Outbox};
use contactor_store::{DestinationKind, FailureClass, RunFilter, RunKind};
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use jiff::SignedDuration;
use serde_json::{Value, json};

const ADA: &str = "ada@example.com";

/// A host with Connectif connected by a template, whose workflows call the connection's webhook address.
struct Stage {
    stand: Stand,
    connection: ConnectionView,
    location: String,
}

impl Stage {
    async fn start(template: &str, settings: Value) -> Self {
        let mut config = SandboxConfig::for_tests();
        config.highlevel.limits = None;
        config.connectif.guesses.new_contacts_lag = true;
        config.connectif.guesses.export_at_own_host = true;
        let stand = Stand::serve_with(config).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        if template == "enrichment" {
            for (name, kind) in [
                ("connectif_purchases", "NUMERICAL"),
                ("connectif_amount", "NUMERICAL"),
                ("connectif_rfm", "TEXT"),
                ("connectif_churn", "NUMERICAL"),
                ("connectif_points", "NUMERICAL"),
            ] {
                let define = PersonAct::DefineCustomField { name: name.into(), data_type: kind.into() };
                stand.sandbox.highlevel().act(&location, define).unwrap();
            }
        }
        let (id, secret) = stand.sandbox.connectif().key_parts();
        let partner = Partner {
            component: "connectif".into(),
            base_url: stand.sandbox.connectif_url(),
            credentials: [("id".to_owned(), id.to_owned()), ("secret".to_owned(), secret.to_owned())].into(),
            template: Some(template.to_owned()),
            settings,
            ..Partner::default()
        };
        let connection = stand.connect(partner).await.unwrap();
        let hook = stand.webhook_url(&connection).unwrap().parse().unwrap();
        stand.sandbox.connectif().set_webhook_target(Some(hook));
        let stage = Self { stand, connection, location };
        stage.poll().await;
        stage
    }

    fn highlevel(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    fn connectif(&self, act: AccountAct) -> Value {
        self.stand.sandbox.connectif().act(act).unwrap()
    }

    /// Creates a contact in HighLevel; answers its id.
    fn contact(&self, fields: Value) -> String {
        text(&self.highlevel(PersonAct::CreateContact { fields })["id"])
    }

    /// Creates a task of a contact; answers its id.
    fn task(&self, contact: &str, title: &str) -> String {
        let fields = json!({"title": title, "dueDate": "2026-12-01T09:00:00Z", "completed": false});
        text(&self.highlevel(PersonAct::CreateTask { contact: contact.to_owned(), fields })["id"])
    }

    fn complete(&self, contact: &str, task: &str) {
        let (contact, task) = (contact.to_owned(), task.to_owned());
        self.highlevel(PersonAct::EditTask { contact, task, fields: json!({"completed": true}) });
    }

    fn in_highlevel(&self, email: &str) -> Value {
        let contacts = self.stand.sandbox.highlevel().contacts(&self.location);
        let mut same = contacts
            .into_iter()
            .filter(|contact| contact["email"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(email)));
        let found = same.next().unwrap_or_default();
        assert_eq!(same.next(), None, "{email} is there twice");
        found
    }

    fn in_connectif(&self, email: &str) -> Value {
        self.stand.sandbox.connectif().contact(email).unwrap_or_default()
    }

    /// The titles or bodies in a list that one of Connectif's custom fields shows.
    fn list(&self, email: &str, field: &str, member: &str) -> Vec<String> {
        let shown = self.in_connectif(email)[field].as_str().unwrap_or("[]").to_owned();
        let mut list: Vec<String> = serde_json::from_str::<Vec<Value>>(&shown)
            .unwrap()
            .iter()
            .map(|item| text(&item[member]))
            .collect();
        list.sort();
        list
    }

    /// Brings both sides to rest, and lets the lag of the last writes pass.
    async fn settle(&self) {
        self.stand.settle().await.unwrap();
        self.stand.advance(SignedDuration::from_secs(3));
        self.stand.settle().await.unwrap();
    }

    /// Lets the polls' interval pass and everything that they find be done.
    async fn poll(&self) {
        self.stand.advance(SignedDuration::from_mins(16));
        self.stand.walk().await.unwrap();
        self.settle().await;
    }

    /// Every webhook of both sides four times more, in any order.
    async fn repeat(&self) {
        let outboxes: [&Outbox; 2] =
            [self.stand.sandbox.highlevel().webhooks(), self.stand.sandbox.connectif().webhooks()];
        let sequences =
            outboxes.map(|outbox| outbox.webhooks().iter().map(|one| one.sequence).collect::<Vec<_>>());
        for round in 0..4 {
            for (outbox, sequences) in outboxes.iter().zip(&sequences) {
                for sequence in sequences {
                    assert!(outbox.redeliver(*sequence));
                }
            }
            let order = if round % 2 == 0 { Order::Shuffled } else { Order::Reversed };
            self.stand.settle_in(order).await.unwrap();
            self.settle().await;
        }
        self.poll().await;
    }

    /// Both sides' records, with the tasks and notes of HighLevel.
    fn state(&self) -> Value {
        let highlevel = self.stand.sandbox.highlevel();
        let mut contacts = highlevel.contacts(&self.location);
        for contact in &mut contacts {
            let id = text(&contact["id"]);
            contact["tasks"] = json!(highlevel.tasks(&self.location, &id));
            contact["notes"] = json!(highlevel.notes(&self.location, &id));
        }
        json!([contacts, self.stand.sandbox.connectif().snapshot()])
    }

    /// The state stays what it is however often everything is told again, nothing waits for a person, and no customer got a message.
    async fn stays_as_it_is(&self) {
        let before = self.state();
        self.repeat().await;
        assert_eq!(self.state(), before, "repeated webhooks and polls change nothing");
        let parked = self.stand.engine.parked(&self.connection.workspace).await.unwrap();
        assert!(parked.is_empty(), "{parked:#?}");
        assert_eq!(self.stand.sandbox.connectif().messages(), Messages::default());
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn texts(value: &Value) -> Vec<String> {
    let mut texts: Vec<String> = value.as_array().into_iter().flatten().map(text).collect();
    texts.sort();
    texts
}

/// A workflow of Connectif calls out about Ada.
fn workflow(event: &str, fields: Value) -> AccountAct {
    let Value::Object(fields) = fields else { panic!("{fields} is no object") };
    AccountAct::RunWorkflow { email: ADA.into(), event: event.into(), fields }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c1_a_new_or_changed_contact_follows_with_its_tags_tasks_and_notes() {
    let stage = Stage::start("contacts-and-tasks", json!({})).await;
    let ada = stage.contact(json!({
        "firstName": "Ada", "lastName": "Byron", "email": "Ada@Example.com", "phone": "+12025550101",
        "dateOfBirth": "1990-01-31", "tags": ["vip"],
    }));
    stage.task(&ada, "Call Ada");
    stage.highlevel(PersonAct::CreateNote {
        contact: ada.clone(),
        fields: json!({"body": "Met at the fair"}),
    });
    stage.settle().await;
    let there = stage.in_connectif(ADA);
    assert_eq!((&there["_name"], &there["_surname"]), (&json!("Ada"), &json!("Byron")));
    assert_eq!(
        (&there["_mobilePhone"], &there["_birthdate"]),
        (&json!("+12025550101"), &json!("1990-01-31T00:00:00.000Z"))
    );
    assert_eq!(texts(&there["hl_tags"]), ["vip"]);
    assert_eq!(stage.list(ADA, "hl_tasks", "title"), ["Call Ada"]);
    assert_eq!(stage.list(ADA, "hl_notes", "body"), ["Met at the fair"]);
    assert_eq!(there["_newsletterSubscriptionStatus"], "none");

    stage.highlevel(PersonAct::EditContact { contact: ada.clone(), fields: json!({"firstName": "Augusta"}) });
    stage.highlevel(PersonAct::AddTags { contact: ada.clone(), tags: vec!["trade show".into()] });
    stage.settle().await;
    let there = stage.in_connectif(ADA);
    assert_eq!((&there["_name"], &there["_surname"]), (&json!("Augusta"), &json!("Byron")));
    assert_eq!(texts(&there["hl_tags"]), ["trade show", "vip"]);
    assert_eq!(stage.in_highlevel("ada@example.com")["firstName"], "Augusta", "a lagging read is no change");

    // A reply with STOP fires no webhook; it is seen when the contact is touched.
    stage.highlevel(PersonAct::OptOut { contact: ada.clone() });
    stage.highlevel(PersonAct::EditContact { contact: ada, fields: json!({"city": "London"}) });
    stage.settle().await;
    assert_eq!(stage.in_connectif(ADA)["_newsletterSubscriptionStatus"], "unsubscribed");
    stage.stays_as_it_is().await;
    assert_eq!(stage.stand.sandbox.connectif().contacts().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c1_somebody_who_is_on_both_sides_is_linked_and_a_new_address_moves_the_contact() {
    let stage = Stage::start("contacts-and-tasks", json!({})).await;
    stage.connectif(AccountAct::CreateContact {
        email: ADA.into(),
        fields: json!({"_surname": "Byron", "_points": 7, "company": "Engines", "_newsletterSubscriptionStatus": "subscribed"}),
    });
    let welcomed = stage.stand.sandbox.connectif().messages();
    let ada = stage.contact(json!({"firstName": "Ada", "email": ADA}));
    stage.settle().await;
    assert_eq!(stage.in_connectif(ADA)["_name"], "Ada");
    assert_eq!(stage.in_highlevel(ADA)["lastName"], "Byron");

    let moved = "ada@example.org";
    stage.task(&ada, "Call Ada");
    stage.highlevel(PersonAct::EditContact { contact: ada.clone(), fields: json!({"email": moved}) });
    stage.settle().await;
    let there = stage.in_connectif(moved);
    assert_eq!(
        (&there["_name"], &there["_points"], &there["company"]),
        (&json!("Ada"), &json!(7), &json!("Engines"))
    );
    assert_eq!(stage.list(moved, "hl_tasks", "title"), ["Call Ada"]);
    assert_eq!(stage.in_connectif(ADA)["_emailStatus"], "paused", "nobody gets two mails");
    stage.highlevel(PersonAct::EditContact { contact: ada, fields: json!({"lastName": "King"}) });
    stage.settle().await;
    assert_eq!(stage.in_connectif(moved)["_surname"], "King", "the link follows the address");
    assert_eq!(stage.in_connectif(ADA)["_surname"], "Byron");
    assert_eq!(stage.stand.sandbox.connectif().messages(), welcomed, "nobody is welcomed again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c1_nothing_is_lost_or_doubled_when_connectif_fails() {
    let stage = Stage::start("contacts-and-tasks", json!({})).await;
    let faults = stage.stand.sandbox.faults();
    faults.add(Fault::next(1, "connectif.contacts.patch", Effect::Drop { after: true }));
    faults.add(Fault::next(1, "connectif.contacts.get", Effect::TooManyRequests));
    faults.add(Fault::next(2, "connectif.contacts.patch", Effect::refuse(503)));
    let ada = stage.contact(json!({"firstName": "Ada", "email": ADA, "tags": ["vip"]}));
    stage.task(&ada, "Call Ada");
    stage.settle().await;
    assert_eq!(texts(&stage.in_connectif(ADA)["hl_tags"]), ["vip"]);
    assert_eq!(stage.list(ADA, "hl_tasks", "title"), ["Call Ada"]);
    stage.stays_as_it_is().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c2_the_task_list_holds_the_open_tasks_and_counts_the_others() {
    let stage = Stage::start("contacts-and-tasks", json!({})).await;
    let ada = stage.contact(json!({"firstName": "Ada", "email": ADA}));
    let (call, letter) = (stage.task(&ada, "Call"), stage.task(&ada, "Write a letter"));
    stage.settle().await;
    let counts = || {
        let there = stage.in_connectif(ADA);
        (there["hl_open_tasks"].as_i64(), there["hl_done_tasks"].as_i64())
    };
    assert_eq!(stage.list(ADA, "hl_tasks", "title"), ["Call", "Write a letter"]);
    assert_eq!(counts(), (Some(2), Some(0)));

    stage.complete(&ada, &call);
    stage.task(&ada, "Visit");
    stage.settle().await;
    assert_eq!(stage.list(ADA, "hl_tasks", "title"), ["Visit", "Write a letter"]);
    assert_eq!(counts(), (Some(2), Some(1)));

    stage.highlevel(PersonAct::DeleteTask { contact: ada, task: letter });
    stage.settle().await;
    assert_eq!(stage.list(ADA, "hl_tasks", "title"), ["Visit"]);
    assert_eq!(counts(), (Some(1), Some(1)));
    stage.stays_as_it_is().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_a_completed_task_is_one_event_and_a_workflow_completes_a_task() {
    let path = "/events/5f0c0a7e11d2b3a4c5d6e7f8";
    let stage = Stage::start("contacts-and-tasks", json!({"task_event_path": path})).await;
    let ada = stage.contact(json!({"firstName": "Ada", "email": ADA}));
    let (call, letter) = (stage.task(&ada, "Call"), stage.task(&ada, "Write a letter"));
    stage.settle().await;
    stage.complete(&ada, &call);
    stage.settle().await;
    let events = stage.stand.sandbox.connectif().events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].email.as_str(), &events[0].body["task_id"]), (ADA, &json!(call)));
    assert_eq!(events[0].body["title"], "Call");
    assert!(text(&events[0].body["completed_at"]).starts_with("2026-11-21T"), "{events:?}");
    assert_eq!(stage.list(ADA, "hl_tasks", "title"), ["Write a letter"], "its counterpart left the list");

    stage.connectif(workflow("task.completed", json!({"task_id": letter})));
    stage.settle().await;
    let tasks = stage.stand.sandbox.highlevel().tasks(&stage.location, &ada);
    assert!(tasks.iter().all(|task| task["completed"] == true), "{tasks:?}");
    assert_eq!(stage.list(ADA, "hl_tasks", "title"), Vec::<String>::new());
    assert_eq!(stage.in_connectif(ADA)["hl_done_tasks"], 2);
    stage.stays_as_it_is().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c3_an_event_whose_address_is_the_secret_is_sent_by_the_host() {
    let stage =
        Stage::start("contacts-and-tasks", json!({"task_event_destination": "connectif-event"})).await;
    let path = stage.stand.sandbox.connectif().event_webhook_path().unwrap();
    let destination = NewDestination {
        workspace: WORKSPACE.to_owned(),
        name: "connectif-event".to_owned(),
        kind: DestinationKind::Webhook,
        to: Vec::new(),
        url: Some(format!("{}{path}", stage.stand.sandbox.connectif_url()).into()),
        secret: Some(stage.stand.sandbox.inbox().secret().into()),
    };
    stage.stand.engine.put_destination(destination).await.unwrap();
    let ada = stage.contact(json!({"firstName": "Ada", "email": ADA}));
    let call = stage.task(&ada, "Call");
    stage.settle().await;
    stage.complete(&ada, &call);
    stage.settle().await;
    let events = stage.stand.sandbox.connectif().events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].email.as_str(), &events[0].body["data"]["task_id"]), (ADA, &json!(call)));
    stage.stays_as_it_is().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c2_without_custom_fields_nothing_of_tasks_and_tags_is_written_and_nothing_is_lost() {
    let stage = Stage::start("contacts", json!({})).await;
    let ada =
        stage.contact(json!({"firstName": "Ada", "email": ADA, "tags": ["vip"], "companyName": "Engines"}));
    let call = stage.task(&ada, "Call");
    stage.settle().await;
    let patches = stage.stand.sandbox.recorder().requests("connectif.contacts.patch");
    assert_eq!(patches, 1, "the contact itself");
    stage.highlevel(PersonAct::AddTags { contact: ada.clone(), tags: vec!["fair".into()] });
    stage.complete(&ada, &call);
    stage.settle().await;
    let contact = stage.in_highlevel(ADA);
    assert_eq!(texts(&contact["tags"]), ["connectif", "fair", "vip"]);
    assert_eq!(contact["companyName"], "Engines");
    assert_eq!(stage.stand.sandbox.highlevel().tasks(&stage.location, &ada).len(), 1);
    stage.stays_as_it_is().await;
    assert_eq!(stage.stand.sandbox.recorder().requests("connectif.contacts.patch"), patches);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c4_purchases_and_scores_reach_highlevel_by_the_schedule_and_when_a_contact_is_touched() {
    let stage = Stage::start("enrichment", json!({"rules": []})).await;
    stage.contact(json!({"firstName": "Ada", "email": ADA}));
    stage.settle().await;
    let enriched = || {
        let contact = stage.in_highlevel(ADA);
        let fields = contact["customFields"].as_array().cloned().unwrap_or_default();
        let values: Vec<Value> = fields.iter().map(|field| field["value"].clone()).collect();
        values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    // No workflow tells of this purchase, and it leaves the time of the last update alone.
    stage.connectif(AccountAct::Purchase { email: ADA.into(), amount: 120.0 });
    stage.stand.sandbox.connectif().webhooks().clear();
    stage.settle().await;
    assert!(!enriched().contains("120"), "{}", enriched());
    stage.poll().await;
    assert!(enriched().contains("120") && enriched().contains("513"), "{}", enriched());

    // A workflow tells of this one.
    stage.connectif(AccountAct::Purchase { email: ADA.into(), amount: 30.0 });
    stage.settle().await;
    assert!(enriched().contains("150") && enriched().contains("523"), "{}", enriched());
    stage.stays_as_it_is().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c5_a_workflows_call_brings_the_contact_into_highlevel_and_rules_act_once() {
    let stage = Stage::start("contacts-and-tasks", json!({})).await;
    let fields = json!({"_name": "Ada", "_mobilePhone": "+12025550101", "hl_tags": ["shop"]});
    stage.connectif(AccountAct::CreateContact { email: ADA.into(), fields });
    stage.settle().await;
    let contact = stage.in_highlevel(ADA);
    assert_eq!((&contact["firstName"], &contact["phone"]), (&json!("Ada"), &json!("+12025550101")));
    assert!(texts(&contact["tags"]).contains(&"shop".to_owned()), "{contact}");

    let edit = AccountAct::EditContact {
        email: ADA.into(),
        fields: json!({"_name": "Augusta", "_surname": "King"}),
    };
    stage.connectif(edit);
    stage.connectif(workflow("purchase", json!({"id": "order-1", "amount": 10})));
    stage.connectif(AccountAct::Unsubscribe { email: ADA.into() });
    stage.connectif(workflow("contact.unsubscribed", json!({})));
    stage.settle().await;
    let contact = stage.in_highlevel(ADA);
    assert_eq!((&contact["firstName"], &contact["lastName"]), (&json!("Augusta"), &json!("King")));
    let tags = texts(&contact["tags"]);
    assert!(["customer", "unsubscribed"].iter().all(|tag| tags.iter().any(|own| own == tag)), "{tags:?}");
    let notes = stage.stand.sandbox.highlevel().notes(&stage.location, &text(&contact["id"]));
    assert_eq!(notes.len(), 1, "{notes:?}");

    // A call without an address is no call of a workflow, and one to another path is nobody's.
    let hook = stage.stand.webhook_url(&stage.connection).unwrap();
    let wrong = hook.rsplit_once('/').unwrap().0.to_owned() + "/0000000000000000000000000000000000000000000";
    stage.stand.sandbox.connectif().set_webhook_target(Some(wrong.parse().unwrap()));
    stage.connectif(AccountAct::EditContact { email: ADA.into(), fields: json!({"_name": "Mallory"}) });
    stage.settle().await;
    assert_eq!(stage.in_highlevel(ADA)["firstName"], "Augusta");
    stage.stand.sandbox.connectif().webhooks().clear();
    stage.stand.sandbox.connectif().set_webhook_target(Some(hook.parse().unwrap()));
    stage.poll().await;
    assert_eq!(stage.in_highlevel(ADA)["firstName"], "Mallory", "the next poll finds what no call told");
    stage.stays_as_it_is().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_action_runs_with_its_example_one_after_the_other() {
    let stage = Stage::start("contacts", json!({})).await;
    // The first export and the first import of a sandbox have the ids of the examples; the poll at the start was an export already.
    stage.stand.sandbox.reset();
    stage.stand.sandbox.connectif().set_guesses(Guesses { export_at_own_host: true, ..Guesses::default() });
    let manifest =
        contactor_manifest::Manifest::parse(include_str!("../../plugins/connectif/connector.toml")).unwrap();
    for action in manifest.actions {
        let done = stage.stand.run(&stage.connection.id, &action.name, &action.example).await;
        assert!(done.is_ok(), "{}: {done:?}", action.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_another_shape_parks_its_contact_with_the_field_and_an_excerpt() {
    let stage = Stage::start("contacts", json!({})).await;
    stage.connectif(AccountAct::CreateContact { email: ADA.into(), fields: json!({"_name": "Ada"}) });
    stage.settle().await;
    stage.poll().await;
    let body = Some(json!({ "_email": ADA, "_name": { "given": "Ann" }, "_surname": "King" }));
    let effect = Effect::Answer { status: 200, body, retry_after: None, after: false };
    stage.stand.sandbox.faults().add(Fault::always("connectif.contacts.get", effect));
    let event = "contact.updated".into();
    stage.connectif(AccountAct::RunWorkflow { email: ADA.into(), event, fields: serde_json::Map::new() });
    stage.settle().await;
    let engine = &stage.stand.engine;
    let workspace = &stage.connection.workspace;
    let parked = engine.parked(workspace).await.unwrap();
    assert_eq!(parked.len(), 1, "{parked:?}");
    let reason = &parked[0].reason;
    assert!(reason.contains("firstName") && reason.contains("given"), "{reason}");
    assert_eq!(stage.in_highlevel(ADA)["firstName"], "Ada", "nothing of it was written");

    stage.stand.sandbox.faults().clear();
    stage.stand.advance(SignedDuration::from_mins(1));
    assert!(engine.retry_parked(&parked[0].key).await.unwrap());
    stage.settle().await;
    assert_eq!(engine.parked(workspace).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c4_an_export_at_another_host_is_told_once_a_poll_and_webhooks_go_on() {
    let stage = Stage::start("contacts", json!({})).await;
    let double = stage.stand.sandbox.connectif();
    double.set_guesses(Guesses { export_at_own_host: false, ..double.guesses() });
    stage.poll().await;
    let filter =
        RunFilter { connection: Some(stage.connection.id.clone()), limit: 20, ..RunFilter::default() };
    let runs = stage.stand.engine.runs(filter).await.unwrap();
    let told = runs.iter().find(|run| run.kind == RunKind::Poll).unwrap();
    assert_eq!(told.class, Some(FailureClass::Config), "{told:?}");
    assert!(
        told.summary.contains("it may lie at another host, https://files.example.com"),
        "{}",
        told.summary
    );
    stage.connectif(AccountAct::CreateContact { email: ADA.into(), fields: json!({"_name": "Ada"}) });
    stage.settle().await;
    assert_eq!(stage.in_highlevel(ADA)["firstName"], "Ada");
}
