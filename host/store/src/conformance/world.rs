//! What cases begin with: a workspace, a connection, a lease, and short ways to say the usual things.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Engine;
use crate::*;

/// Later than anything a case marks, so that everything is due.
pub(super) const LATER: Timestamp = Timestamp::constant(4_000_000_000, 0);
/// Long enough that no case sees its end.
pub(super) const LONG: Duration = Duration::from_hours(1_000);

/// A moment, in seconds after an arbitrary start.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::constant(1_700_000_000, 0) + SignedDuration::from_secs(seconds)
}

pub(super) struct World {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) store: Arc<dyn Store>,
    pub(super) lease: Lease,
}

impl World {
    /// A store with the workspace `acme`, its connection `acme/prefinery`, its data key [`KEY`], and a lease of the process `one`.
    pub(super) async fn new(engine: Arc<dyn Engine>) -> Self {
        let store = engine.create().await;
        store.create_workspace(workspace("acme")).await.unwrap();
        store.put_connection(connection("acme", "prefinery")).await.unwrap();
        store.add_data_key(data_key("acme", KEY)).await.unwrap();
        let lease = store.acquire_lease("one", LONG).await.unwrap();
        Self { engine, store, lease }
    }

    /// The same data in a new process, which takes the lease.
    pub(super) async fn restart(self) -> Self {
        let Self { engine, store, .. } = self;
        let store = engine.restart(store).await;
        let lease = store.acquire_lease("two", LONG).await.unwrap();
        Self { engine, store, lease }
    }

    pub(super) async fn add(&self, workspace_id: &str, connector: &str) -> ConnectionId {
        if self.store.workspace(&WorkspaceId::new(workspace_id)).await.unwrap().is_none() {
            self.store.create_workspace(workspace(workspace_id)).await.unwrap();
        }
        let connection = connection(workspace_id, connector);
        self.store.put_connection(connection.clone()).await.unwrap();
        connection.id
    }

    /// Appends a webhook of HighLevel about one contact of `acme`.
    pub(super) async fn event(&self, key: &str, contact: &str) -> EventSeq {
        self.append(event(key, vec![mark(Side::Highlevel, contact)])).await
    }

    pub(super) async fn append(&self, event: NewEvent) -> EventSeq {
        match self.store.append_event(event).await.unwrap() {
            Accepted::New(seq) => seq,
            other => panic!("not accepted: {other:?}"),
        }
    }

    /// Marks a contact of `acme/prefinery` without an event.
    pub(super) async fn mark(&self, side: Side, record: &str, priority: Priority) {
        self.store.mark(&prefinery(), vec![mark(side, record)], priority, None).await.unwrap();
    }

    pub(super) async fn claim(&self) -> Vec<ClaimedRecord> {
        self.store.claim_records(&self.lease, LATER, 100, 100).await.unwrap()
    }

    pub(super) async fn claim_one(&self) -> ClaimedRecord {
        let mut claimed = self.claim().await;
        assert_eq!(claimed.len(), 1, "{claimed:?}");
        claimed.remove(0)
    }

    pub(super) async fn complete(&self, claim: ClaimedRecord, disposition: Disposition) {
        self.store.complete_record(&self.lease, completion(claim, disposition)).await.unwrap();
    }

    /// Claims the one record that waits and links it.
    pub(super) async fn link(&self, highlevel: &str, partner: &str) {
        self.mark(Side::Highlevel, highlevel, Priority::Webhook).await;
        let claim = self.claim_one().await;
        let link = Some(link(highlevel, partner));
        let done = Completion { link, ..completion(claim, Disposition::Done) };
        self.store.complete_record(&self.lease, done).await.unwrap();
    }

    pub(super) async fn state(&self, seq: EventSeq) -> EventState {
        self.store.event(seq).await.unwrap().unwrap().state
    }
}

/// The data key of `acme`. A store neither wraps nor seals: to it these are bytes.
pub(super) const KEY: &str = "00ff";

/// A data key of a workspace, as it comes to the store.
pub(super) fn data_key(workspace: &str, id: &str) -> WrappedKey {
    let wrapped = Sealed { key_id: KeyId::from_stored("kek"), bytes: [id.as_bytes(), &[7; 44]].concat() };
    WrappedKey { id: KeyId::from_stored(id), workspace: WorkspaceId::new(workspace), wrapped }
}

pub(super) fn acme() -> WorkspaceId {
    WorkspaceId::new("acme")
}

pub(super) fn prefinery() -> ConnectionId {
    ConnectionId::new("acme/prefinery")
}

pub(super) fn workspace(id: &str) -> Workspace {
    Workspace {
        policy: Policy::default(),
        id: WorkspaceId::new(id),
        name: format!("The workspace {id}"),
        location: LocationId::new(format!("loc-{id}")),
        country: Some("GB".to_owned()),
        timezone: None,
        retention_days: None,
        created_at: at(0),
    }
}

pub(super) fn connection(workspace: &str, connector: &str) -> Connection {
    Connection {
        id: ConnectionId::new(format!("{workspace}/{connector}")),
        workspace: WorkspaceId::new(workspace),
        connector: connector.to_owned(),
        digest: Digest::new("ab".repeat(32)),
        state: ConnectionState::Enabled,
        state_reason: None,
        stop_cause: None,
        grants: vec!["contacts.readonly".to_owned()],
        base_url: "https://api.example.com".to_owned(),
        auth_scheme: "key".to_owned(),
        settings: json!({"beta": 7}),
        mapping: json!([]),
        schedule: Schedule::default(),
        webhook_hash: webhook_hash(&format!("token-of-a-webhook-{workspace}-{connector}")),
        created_at: at(1),
    }
}

/// What a token in a webhook's address is known by.
pub(super) fn webhook_hash(token: &str) -> SecretHash {
    SecretHash(Sha256::digest(token.as_bytes()).into())
}

pub(super) fn mark(side: Side, record: &str) -> Mark {
    Mark { entity: "contact".to_owned(), side, record: RecordId::new(record), snapshot: None, deleted: false }
}

pub(super) fn event(key: &str, marks: Vec<Mark>) -> NewEvent {
    NewEvent {
        source: Side::Highlevel,
        workspace: Some(acme()),
        connection: None,
        location: Some(LocationId::new("loc-acme")),
        key: key.to_owned(),
        kind: "ContactUpdate".to_owned(),
        body: format!("{{\"webhookId\":\"{key}\"}}").into_bytes(),
        headers: json!({"x-test": "yes"}),
        received_at: at(10),
        marks,
        needs_receive: false,
        deliveries: Vec::new(),
        seen: Vec::new(),
    }
}

/// A webhook of the partner, which its connector has to read.
pub(super) fn webhook(key: &str) -> NewEvent {
    NewEvent {
        source: Side::Partner,
        connection: Some(prefinery()),
        location: None,
        kind: "tester.created".to_owned(),
        needs_receive: true,
        ..event(key, Vec::new())
    }
}

pub(super) fn completion(claim: ClaimedRecord, disposition: Disposition) -> Completion {
    Completion::new(claim, disposition)
}

pub(super) fn parked(reason: &str) -> Disposition {
    Disposition::Parked { class: FailureClass::Data, reason: reason.to_owned() }
}

pub(super) fn link(highlevel: &str, partner: &str) -> Link {
    let fingerprint = |digit: &str| contactor_sync::Fingerprint::from_stored(digit.repeat(64));
    Link {
        connection: prefinery(),
        entity: "contact".to_owned(),
        highlevel_id: RecordId::new(highlevel),
        partner_id: RecordId::new(partner),
        parent: None,
        occurs_at: None,
        base: serde_json::from_value(
            json!({"email=email": {"highlevel": "a@example.com", "partner": "a@example.com"}}),
        )
        .unwrap(),
        highlevel_fingerprint: fingerprint("1"),
        partner_fingerprint: fingerprint("2"),
        state: LinkState::Active,
        created_at: at(20),
        updated_at: at(21),
    }
}

/// A run; `number` makes its id and its time.
pub(super) fn run(number: i64) -> Run {
    Run {
        id: RunId::new(format!("0190-{number:08}")),
        workspace: acme(),
        connection: prefinery(),
        component: None,
        kind: RunKind::Reconcile,
        entity: Some("contact".to_owned()),
        highlevel_id: Some(RecordId::new("h1")),
        partner_id: Some(RecordId::new("p1")),
        event: None,
        started_at: at(number),
        duration_us: 1_234,
        outcome: RunOutcome::Applied,
        class: None,
        summary: "wrote 1 field".to_owned(),
        changes: vec![FieldChange {
            side: Side::Partner,
            field: "first_name".to_owned(),
            before: json!("Ann"),
            after: json!("Anna"),
        }],
        calls: vec![Call {
            target: "partner".to_owned(),
            operation: "PUT /testers/1".to_owned(),
            status: Some(200),
            duration_us: 900,
            write: true,
            request: Some("{}".to_owned()),
            response: None,
            ..Call::default()
        }],
        cause: Some(RunCause::Webhook),
        remarks: vec![FieldRemark {
            side: Side::Highlevel,
            field: "companyName".to_owned(),
            reason: RemarkReason::Dropped,
            words: "HighLevel kept none".to_owned(),
        }],
        log: vec!["a line".to_owned()],
    }
}
