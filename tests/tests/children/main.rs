//! Tasks, notes and appointments of contacts, kept in step with a partner that keeps them in fields of its people.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

mod partner;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use contactor_engine::{EnableConnection, Engine};
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{ConnectionId, Run, RunFilter, RunOutcome};
use contactor_tests::artefacts;
use contactor_tests::engine::{Stand, WORKSPACE};
use http::HeaderMap;
use jiff::SignedDuration;
use serde_json::{Value, json};

use partner::{MANIFEST, People};

/// The doubles, the engine and the partner; webhooks are delivered when a test says so.
struct World {
    stand: Stand,
    people: People,
    connection: ConnectionId,
    location: String,
    delivered: AtomicUsize,
}

/// Enables a connector with this manifest, whose partner is in memory.
async fn enable(stand: &Stand, manifest: &str, people: &People) -> ConnectionId {
    let code = artefacts::component("guest-operations").unwrap();
    let component = contactor_manifest::embed(&code, manifest).unwrap();
    let connector = stand.engine.install_connector(component).await.unwrap();
    let request = EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: connector.id,
        base_url: Some(stand.sandbox.prefinery_url()),
        credentials: BTreeMap::from([("token".to_owned(), "not-a-real-token".to_owned().into())]),
        ..EnableConnection::default()
    };
    let connection = stand.engine.enable_connection(request).await.unwrap().id;
    stand.engine.replace_guest(&connection, Arc::new(people.clone()));
    connection
}

impl World {
    async fn set() -> Self {
        Self::set_with("", "").await
    }

    /// With further lines of the manifest for the entities `contact` and `task`.
    async fn set_with(contact: &str, task: &str) -> Self {
        let stand = Stand::start().await.unwrap();
        let manifest = MANIFEST.replace("#CONTACT", contact).replace("#TASK", task);
        let people = People::default();
        let connection = enable(&stand, &manifest, &people).await;
        let location = stand.sandbox.highlevel().first_location();
        let world = Self { stand, people, connection, location, delivered: AtomicUsize::new(0) };
        // The store stamps some marks with the machine's time: what is marked shall be due.
        let behind = world.stand.clock.now().duration_until(jiff::Timestamp::now());
        world.later(behind.max(SignedDuration::ZERO) + SignedDuration::from_hours(24));
        world
    }

    fn engine(&self) -> &Engine {
        &self.stand.engine
    }

    fn act(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    fn contact(&self, email: &str) -> String {
        let fields = json!({ "firstName": "Ann", "email": email });
        self.act(PersonAct::CreateContact { fields })["id"].as_str().unwrap().to_owned()
    }

    fn task(&self, contact: &str, title: &str) -> String {
        let fields = json!({ "title": title, "dueDate": "2026-12-01T10:00:00Z", "completed": false });
        let task = self.act(PersonAct::CreateTask { contact: contact.to_owned(), fields });
        task["id"].as_str().unwrap().to_owned()
    }

    fn note(&self, contact: &str, body: &str) -> String {
        let fields = json!({ "body": body });
        let note = self.act(PersonAct::CreateNote { contact: contact.to_owned(), fields });
        note["id"].as_str().unwrap().to_owned()
    }

    fn edit_task(&self, contact: &str, task: &str, fields: Value) {
        self.act(PersonAct::EditTask { contact: contact.to_owned(), task: task.to_owned(), fields });
    }

    fn tasks(&self, contact: &str) -> Vec<Value> {
        self.stand.sandbox.highlevel().tasks(&self.location, contact)
    }

    /// Every webhook of HighLevel that was not delivered yet reaches the engine.
    async fn webhooks(&self) {
        let all = self.stand.sandbox.highlevel().webhooks().webhooks();
        let from = self.delivered.swap(all.len(), Ordering::Relaxed);
        for webhook in &all[from..] {
            let mut headers = HeaderMap::new();
            let signature = self.stand.sandbox.highlevel().sign(&webhook.body);
            headers.insert("x-ghl-signature", signature.parse().unwrap());
            let body = Bytes::copy_from_slice(&webhook.body);
            self.engine().ingest_highlevel(&headers, body).await.unwrap();
        }
    }

    /// The partner's changes are polled.
    async fn poll(&self) {
        self.engine().poll_stream(&self.connection, "people").await.unwrap();
    }

    /// Delivers and runs until nothing more comes of it.
    async fn settle(&self) {
        for _ in 0..50 {
            self.webhooks().await;
            self.poll().await;
            if self.engine().run_until_idle().await.unwrap() == 0 {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    async fn runs(&self) -> Vec<Run> {
        let filter =
            RunFilter { connection: Some(self.connection.clone()), limit: 1_000, ..RunFilter::default() };
        self.engine().store().runs(filter).await.unwrap()
    }

    /// Requests to HighLevel in all.
    fn requests(&self) -> u64 {
        self.stand.sandbox.recorder().requests("highlevel.")
    }

    fn later(&self, by: SignedDuration) {
        self.stand.clock.advance(by);
        self.stand.sandbox.advance(by);
    }
}

fn subjects(list: &Value) -> Vec<String> {
    let empty = Vec::new();
    let mut all: Vec<_> = list
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .map(|item| item["subject"].as_str().or(item["text"].as_str()).unwrap_or_default().to_owned())
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_that_is_linked_brings_its_tasks_notes_and_appointments() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.task(&contact, "Call");
    let done = world.task(&contact, "Write");
    world.edit_task(&contact, &done, json!({ "completed": true }));
    world.note(&contact, "Likes tea");
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call", "Write"]);
    assert_eq!(subjects(&world.people.field("memos")), ["Likes tea"]);
    assert_eq!(world.people.field("open"), json!(1));
    let written = world.people.field("todos");
    let call = written.as_array().unwrap().iter().find(|item| item["subject"] == "Call").unwrap();
    assert_eq!(call["due"], "2026-12-01T10:00:00.000Z");
    assert_eq!(call["done"], json!(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completed_task_is_done_at_the_partner_and_its_count_follows() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    let task = world.task(&contact, "Call");
    world.settle().await;
    let (reads, writes) = world.people.state(|state| (state.reads, state.writes));
    let requests = world.requests();
    world.edit_task(&contact, &task, json!({ "completed": true }));
    world.settle().await;
    assert_eq!(world.people.field("todos")[0]["done"], json!(true));
    assert_eq!(world.people.field("open"), json!(0));
    assert_eq!(world.requests() - requests, 1, "one read of the list");
    assert_eq!(world.people.state(|state| (state.reads, state.writes)), (reads + 1, writes + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_partner_adds_becomes_a_task_once_and_its_echo_costs_no_call() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.settle().await;
    let person = world.people.only();
    world.people.edit(&person, "todos", json!([{ "subject": "Ring back", "colour": "red" }]));
    world.poll().await;
    world.engine().run_until_idle().await.unwrap();
    let tasks = world.tasks(&contact);
    assert_eq!((tasks.len(), &tasks[0]["title"]), (1, &json!("Ring back")));
    let element = &world.people.field("todos")[0];
    assert_eq!(element["id"], tasks[0]["id"], "the host names what has no name");
    assert_eq!(element["colour"], "red", "what nobody maps is kept");
    assert_eq!(element["done"], json!(false));

    assert_eq!(world.people.field("open"), json!(1), "what was just created counts");

    // The vendor's TaskCreate names no contact; the link knows whose task it is.
    let (requests, runs) = (world.requests(), world.runs().await.len());
    let reads = world.people.state(|state| state.reads);
    world.people.state(|state| state.changed.push(person.clone()));
    world.settle().await;
    assert_eq!(world.requests(), requests, "calls to HighLevel");
    assert_eq!(world.people.state(|state| state.reads), reads, "reads of the partner");
    assert_eq!(world.runs().await.len(), runs, "an echo leaves no run");

    // Done at the partner, done in HighLevel.
    let mut list = world.people.field("todos");
    list[0]["done"] = json!(true);
    world.people.edit(&person, "todos", list);
    world.settle().await;
    assert_eq!(world.tasks(&contact)[0]["completed"], json!(true));
    assert_eq!(world.tasks(&contact).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_highlevel_lost_goes_and_one_that_the_partner_lost_is_only_let_go() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    let call = world.task(&contact, "Call");
    let write = world.task(&contact, "Write");
    world.settle().await;
    world.act(PersonAct::DeleteTask { contact: contact.clone(), task: call });
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Write"]);

    let person = world.people.only();
    world.people.edit(&person, "todos", json!([]));
    world.settle().await;
    world.settle().await;
    assert_eq!(world.tasks(&contact).len(), 1);
    assert_eq!(world.people.field("todos"), json!([]));
    // It comes back when somebody works on it.
    world.edit_task(&contact, &write, json!({ "completed": true }));
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Write"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_the_condition_includes_is_shown() {
    let world = World::set_with("", "include = \"not completed\"").await;
    let contact = world.contact("ann@example.com");
    let task = world.task(&contact, "Call");
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call"]);
    world.edit_task(&contact, &task, json!({ "completed": true }));
    world.settle().await;
    assert_eq!(world.people.field("todos"), json!([]));
    assert_eq!(world.tasks(&contact).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_of_contacts_takes_their_tasks_along() {
    let world = World::set().await;
    let (master, loser) = (world.contact("ann@example.com"), world.contact("anna@example.com"));
    world.task(&master, "Call");
    let moved = world.task(&loser, "Write");
    world.settle().await;
    world.act(PersonAct::MergeContacts { master: master.clone(), losers: vec![loser] });
    world.settle().await;
    // No webhook tells of the tasks: whatever marks the survivor's list finds them.
    world.task(&master, "Third");
    world.settle().await;
    let id = world.people.state(|state| {
        let ann = state.people.iter().find(|(_, fields)| fields["email"] == "ann@example.com").unwrap();
        assert_eq!(subjects(&ann.1["todos"]), ["Call", "Third", "Write"]);
        ann.0.clone()
    });
    assert_eq!(world.tasks(&master).len(), 3);
    world.edit_task(&master, &moved, json!({ "completed": true }));
    world.settle().await;
    world.people.state(|state| {
        let list = state.people[&id]["todos"].as_array().unwrap();
        let write: Vec<_> = list.iter().filter(|item| item["subject"] == "Write").collect();
        assert_eq!((write.len(), &write[0]["done"]), (1, &json!(true)));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_the_wrong_shape_parks_that_list_alone_and_names_the_place() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.task(&contact, "Call");
    world.note(&contact, "Likes tea");
    world.settle().await;
    let person = world.people.only();
    world.people.edit(&person, "todos", json!([{ "id": "1", "subject": "Fine" }, 7]));
    world.note(&contact, "And cake");
    world.settle().await;
    let parked: Vec<_> = world.runs().await.into_iter().filter(|r| r.outcome == RunOutcome::Parked).collect();
    assert_eq!(parked.len(), 1, "{parked:#?}");
    assert_eq!(parked[0].entity.as_deref(), Some("tasks"));
    assert!(parked[0].summary.contains("a number at `$.todos[1]`"), "{}", parked[0].summary);
    assert_eq!(subjects(&world.people.field("memos")), ["And cake", "Likes tea"]);
    assert_eq!(world.tasks(&contact).len(), 1, "nothing was written on a guess");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_the_connection_does_not_keep_leaves_no_trace() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.settle().await;
    let runs = world.runs().await.len();
    let counts = world.engine().store().counts(None).await.unwrap();
    assert_eq!((counts.dirty, counts.links), (0, 1), "lists and children are no links of their own");
    // Another connection sees the same events and keeps contacts only.
    let children = ["\"task\"", "\"tasks\"", "\"note\"", "\"appointment\""];
    let tables = MANIFEST.split("\n\n").filter(|table| !children.iter().any(|name| table.contains(name)));
    let manifest = tables.collect::<Vec<_>>().join("\n\n").replace("id = \"people\"", "id = \"others\"");
    let others = enable(&world.stand, &manifest, &People::default()).await;
    world.task(&contact, "Call");
    world.settle().await;
    assert!(world.runs().await.len() > runs);
    let filter = RunFilter { connection: Some(others), limit: 10, ..RunFilter::default() };
    let theirs = world.engine().store().runs(filter).await.unwrap();
    assert!(theirs.iter().all(|run| run.entity.as_deref() != Some("tasks")), "{theirs:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_an_id_changes_with_its_value_the_link_and_the_lists_follow() {
    let world = World::set_with("rekeys = true", "").await;
    world.people.state(|state| state.by_email = true);
    let contact = world.contact("ann@example.com");
    world.task(&contact, "Call");
    world.settle().await;
    assert_eq!(world.people.only(), "ann@example.com");
    let edit = |email: &str| {
        let fields = json!({ "email": email });
        world.act(PersonAct::EditContact { contact: contact.clone(), fields })
    };
    edit("anna@example.com");
    world.settle().await;
    assert_eq!(world.people.only(), "anna@example.com");
    world.task(&contact, "Write");
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call", "Write"]);

    // The answer of an update is lost: the record is found again by the value that it is known by.
    edit("ann@example.org");
    world.people.state(|state| state.lose_next_update = true);
    world.settle().await;
    world.later(SignedDuration::from_mins(20));
    world.settle().await;
    world.task(&contact, "Third");
    world.settle().await;
    assert_eq!(world.people.only(), "ann@example.org");
    assert_eq!(subjects(&world.people.field("todos")), ["Call", "Third", "Write"]);
    assert_eq!(world.stand.sandbox.highlevel().contacts(&world.location).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_records_of_one_person_the_newest_is_linked_and_an_older_one_fills_what_is_empty() {
    let world = World::set_with("many_to_one = true", "").await;
    let submit = |id: &str, at: &str, fields: Value| {
        world.people.state(|state| {
            state.people.insert(id.to_owned(), fields.as_object().unwrap().clone());
            state.times.insert(id.to_owned(), at.to_owned());
            state.changed.push(id.to_owned());
        });
    };
    let first = |expected: &str| {
        let contacts = world.stand.sandbox.highlevel().contacts(&world.location);
        assert_eq!(contacts.len(), 1);
        assert_eq!(contacts[0]["firstName"], expected);
    };
    submit("7", "2026-11-20T10:00:00Z", json!({ "email": "ann@example.com", "first": "Ann" }));
    world.settle().await;
    first("Ann");
    // A newer one takes the link and says what changed; what it does not say stays.
    submit("8", "2026-11-21T10:00:00Z", json!({ "email": "ann@example.com", "first": "Anna" }));
    submit("9", "2026-11-22T10:00:00Z", json!({ "email": "ann@example.com" }));
    world.settle().await;
    first("Anna");
    // An older one changes nothing that is there.
    submit("6", "2026-11-19T10:00:00Z", json!({ "email": "ann@example.com", "first": "Old" }));
    world.settle().await;
    first("Anna");
    let contact = world.stand.sandbox.highlevel().contacts(&world.location)[0]["id"].clone();
    let linked = world.engine().store().links(&world.connection, None, 10).await.unwrap();
    assert_eq!(linked.len(), 1);
    assert_eq!((json!(linked[0].highlevel_id), linked[0].partner_id.as_str()), (contact, "9"));

    // Nobody knows whose this is: that is told once, and not tried again.
    submit("10", "2026-11-23T10:00:00Z", json!({ "first": "Nobody" }));
    world.settle().await;
    let parked: Vec<_> = world.runs().await.into_iter().filter(|r| r.outcome == RunOutcome::Parked).collect();
    assert_eq!(parked.len(), 1);
    assert!(parked[0].summary.contains("no identifier"), "{}", parked[0].summary);
}
