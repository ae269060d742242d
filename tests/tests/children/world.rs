//! What the tests stand on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use contactor_engine::{EnableConnection, Engine};
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{ConnectionId, Run, RunFilter};
use contactor_tests::artefacts;
use contactor_tests::engine::{Stand, WORKSPACE};
use http::HeaderMap;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::partner::{MANIFEST, People};

/// The doubles, the engine and the partner; webhooks are delivered when a test says so.
pub(super) struct World {
    pub(super) stand: Stand,
    pub(super) people: People,
    pub(super) connection: ConnectionId,
    pub(super) location: String,
    pub(super) delivered: AtomicUsize,
}

/// Enables a connector with this manifest, whose partner is in memory.
pub(super) async fn enable(stand: &Stand, manifest: &str, people: &People) -> ConnectionId {
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
    pub(super) async fn set() -> Self {
        Self::set_with("", "").await
    }

    /// With further lines of the manifest for the entities `contact` and `task`.
    pub(super) async fn set_with(contact: &str, task: &str) -> Self {
        Self::set_from(&MANIFEST.replace("#CONTACT", contact).replace("#TASK", task)).await
    }

    pub(super) async fn set_from(manifest: &str) -> Self {
        let stand = Stand::start().await.unwrap();
        let people = People::default();
        let connection = enable(&stand, manifest, &people).await;
        let location = stand.sandbox.highlevel().first_location();
        let world = Self { stand, people, connection, location, delivered: AtomicUsize::new(0) };
        // The store stamps some marks with the machine's time: what is marked shall be due.
        let behind = world.stand.clock.now().duration_until(jiff::Timestamp::now());
        world.later(behind.max(SignedDuration::ZERO) + SignedDuration::from_hours(24));
        world
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.stand.engine
    }

    pub(super) fn act(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    pub(super) fn contact(&self, email: &str) -> String {
        let fields = json!({ "firstName": "Ann", "email": email });
        self.act(PersonAct::CreateContact { fields })["id"].as_str().unwrap().to_owned()
    }

    pub(super) fn task(&self, contact: &str, title: &str) -> String {
        let fields = json!({ "title": title, "dueDate": "2026-12-01T10:00:00Z", "completed": false });
        let task = self.act(PersonAct::CreateTask { contact: contact.to_owned(), fields });
        task["id"].as_str().unwrap().to_owned()
    }

    pub(super) fn note(&self, contact: &str, body: &str) -> String {
        let fields = json!({ "body": body });
        let note = self.act(PersonAct::CreateNote { contact: contact.to_owned(), fields });
        note["id"].as_str().unwrap().to_owned()
    }

    pub(super) fn edit_task(&self, contact: &str, task: &str, fields: Value) {
        self.act(PersonAct::EditTask { contact: contact.to_owned(), task: task.to_owned(), fields });
    }

    pub(super) fn tasks(&self, contact: &str) -> Vec<Value> {
        self.stand.sandbox.highlevel().tasks(&self.location, contact)
    }

    /// Every webhook of HighLevel that was not delivered yet reaches the engine.
    pub(super) async fn webhooks(&self) {
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
    pub(super) async fn poll(&self) {
        self.engine().poll_now(&self.connection).await.unwrap();
        self.engine().walk_until_rest().await;
    }

    /// Delivers and runs until nothing more comes of it.
    pub(super) async fn settle(&self) {
        for _ in 0..50 {
            self.webhooks().await;
            self.poll().await;
            if self.engine().run_until_idle().await.unwrap() == 0 {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    pub(super) async fn runs(&self) -> Vec<Run> {
        let filter =
            RunFilter { connection: Some(self.connection.clone()), limit: 1_000, ..RunFilter::default() };
        self.engine().store().runs(filter).await.unwrap()
    }

    /// How many runs of an entity or a list there were.
    pub(super) async fn runs_of(&self, entity: &str) -> usize {
        self.runs().await.iter().filter(|run| run.entity.as_deref() == Some(entity)).count()
    }

    /// The webhooks that HighLevel has queued are lost.
    pub(super) fn lose_webhooks(&self) {
        let all = self.stand.sandbox.highlevel().webhooks().webhooks().len();
        self.delivered.store(all, Ordering::Relaxed);
    }

    /// Time passes until the next sweep and the walks, and what they find is done.
    pub(super) async fn sweep(&self) {
        self.later(SignedDuration::from_mins(16));
        self.settle().await;
    }

    /// The events of a kind that the partner's connector was told.
    pub(super) fn told(&self, kind: &str) -> usize {
        self.people.state(|state| state.events.iter().filter(|(told, _)| told == kind).count())
    }

    /// Requests to HighLevel in all.
    pub(super) fn requests(&self) -> u64 {
        self.stand.sandbox.recorder().requests("highlevel.")
    }

    pub(super) fn later(&self, by: SignedDuration) {
        self.stand.advance(by);
    }
}

pub(super) fn subjects(list: &Value) -> Vec<String> {
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
