//! Two versions of a connector in one connection: what another one asks for, its trial in shadow and on a share of the records, that a
//! faulty one is taken back by the host, and the way back by one command. What was not granted, or a policy forbids, is not there.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

mod commands;
mod decisions;
mod grants;
mod reverted;
mod trials;

use contactor_engine::{
    ConnectionView, EnableConnection, EngineConfig, EngineError, NewUpgrade, RolloutView,
};
use contactor_manifest::embed;
use contactor_sandbox::SandboxConfig;
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::Order;
use contactor_store::{
    Actor, Alert, AlertKind, ConnectionState, Digest, FailureClass, Policy, RecordId, RolloutMode,
    RolloutState, Run, RunFilter, RunKind, RunOutcome, Tally,
};
use contactor_tests::artefacts;
use contactor_tests::engine::{Stand, WORKSPACE};
use contactor_tests::host::Host;
use jiff::SignedDuration;
use serde_json::{Value, json};

const MANIFEST: &str = include_str!("../../guest-operations/connector.toml");
const MORE: &str = "[[scope]]\nname = \"notifications\"\nwhy = \"Messages are among the functions.\"\n";
/// The tag by which a contact shows that its handler did its work.
const SEEN: &str = "seen";

/// A version of the one connector: its code is the same, its manifest is not.
fn version(number: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let manifest = MANIFEST.replacen("version = \"0.1.0\"", &format!("version = \"{number}\""), 1);
    assert!(number == "0.1.0" || manifest != MANIFEST);
    embed(&artefacts::component("guest-operations").unwrap(), &change(manifest)).unwrap()
}

/// One that its author allows too few calls: it ends in the middle of its work.
fn faulty() -> Vec<u8> {
    version("0.2.0", |manifest| format!("{manifest}\n[limits]\nhost_calls = 1\n"))
}

fn settings(calls: &Value) -> Value {
    json!({
        "scripts": { "ContactTagUpdate": json!({ "calls": calls }).to_string() },
        "rules": [{ "name": "all", "on": ["ContactTagUpdate"], "do": [{ "add-tags": ["unused"] }] }],
    })
}

/// Looks, and tags the contact once.
fn tags() -> Value {
    json!([
        { "function": "contacts.get", "input": { "id": "$contact" } },
        { "function": "tags.add", "input": { "contact-id": "$contact", "tags": [SEEN] } },
    ])
}

struct World {
    stand: Stand,
    connection: ConnectionView,
    location: String,
    contacts: Vec<String>,
}

impl World {
    /// A connection to version 0.1.0, whose handler tags everybody who is tagged.
    async fn new(contacts: usize) -> Self {
        Self::of(version("0.1.0", |manifest| manifest), contacts, EngineConfig::default()).await
    }

    async fn of(component: Vec<u8>, contacts: usize, config: EngineConfig) -> Self {
        let mut sandbox = SandboxConfig::for_tests();
        sandbox.highlevel.limits = None;
        let stand = Stand::serve_engine(sandbox, config).await.unwrap();
        stand.engine.install_connector(component).await.unwrap();
        let request = EnableConnection {
            base_url: Some(stand.sandbox.prefinery_url()),
            credentials: [("token".to_owned(), stand.sandbox.prefinery().api_key().to_owned().into())].into(),
            settings: settings(&tags()),
            ..enable()
        };
        let connection = stand.engine.enable_connection(request).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let people = (0..contacts).map(|number| {
            let fields = json!({ "firstName": "Ada", "email": format!("ada{number}@example.com") });
            let saved =
                stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
            saved["id"].as_str().unwrap().to_owned()
        });
        let contacts = people.collect();
        stand.settle().await.unwrap();
        Self { stand, connection, location, contacts }
    }

    async fn install(&self, component: Vec<u8>) -> Digest {
        self.stand.engine.install_connector(component).await.unwrap().digest
    }

    async fn upgrade(&self, new: NewUpgrade) -> Result<RolloutView, EngineError> {
        self.stand.engine.upgrade(Actor::AdminTokenFile, &self.connection.id, new).await
    }

    /// Tags everybody and waits until all of it is done.
    async fn tag(&self, tag: &str) {
        for contact in &self.contacts {
            let act = PersonAct::AddTags { contact: contact.clone(), tags: vec![tag.to_owned()] };
            self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
        }
        self.stand.settle().await.unwrap();
    }

    fn seen(&self) -> usize {
        let has = |contact: &&String| {
            let contact = self.stand.sandbox.highlevel().contact(&self.location, contact).unwrap();
            contact["tags"].as_array().unwrap().iter().any(|tag| tag == SEEN)
        };
        self.contacts.iter().filter(has).count()
    }

    fn notes(&self) -> usize {
        let notes = |contact: &String| self.stand.sandbox.highlevel().notes(&self.location, contact).len();
        self.contacts.iter().map(notes).sum()
    }

    async fn runs(&self) -> Vec<Run> {
        let filter =
            RunFilter { connection: Some(self.connection.id.clone()), limit: 500, ..RunFilter::default() };
        let runs = self.stand.engine.runs(filter).await.unwrap();
        runs.into_iter().filter(|run| run.kind == RunKind::Automation).collect()
    }

    async fn rollout(&self) -> RolloutView {
        self.stand.engine.rollout(&self.connection.id).await.unwrap()
    }

    /// The open alert that a version was taken back.
    async fn alert(&self) -> Option<Alert> {
        // An alert is over when it stayed away for a while.
        for _ in 0..15 {
            self.stand.advance(SignedDuration::from_mins(1));
            self.stand.engine.walk_until_rest().await;
        }
        let alerts = self.stand.engine.alerts(&self.connection.workspace).await.unwrap().alerts;
        alerts.into_iter().find(|alert| alert.kind == AlertKind::Reverted && alert.ended_at.is_none())
    }

    async fn pinned(&self) -> Digest {
        self.stand.engine.connection(&self.connection.id).await.unwrap().digest
    }
}

fn enable() -> EnableConnection {
    EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: "operations".to_owned(),
        ..EnableConnection::default()
    }
}

fn live(share: u8) -> NewUpgrade {
    NewUpgrade { share, ..NewUpgrade::default() }
}
