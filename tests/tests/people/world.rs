//! Two workspaces with something of everything, users with each role in one of them, and requests as they make them.

use std::collections::BTreeMap;
use std::time::Duration;

use contactor_engine::{EnableConnection, NewWorkspace};
use contactor_highlevel::http::{Options, client};
use contactor_sandbox::highlevel::LocationConfig;
use contactor_store::{
    Accepted, AuditFilter, AuditPhase, AuditedChange, Completion, ConflictFilter, ConnectionId, Deletion,
    DeletionFilter, DeletionState, Destination, DestinationKind, Disposition, EventFilter, FailureClass,
    Lease, Link, LinkState, LocationId, Mark, NewEvent, RecordId, Run, RunFilter, RunId, RunKind, RunOutcome,
    Side, WorkspaceId,
};
use contactor_sync::{ConflictRecord, DeletePolicy, Fingerprint};
use contactor_tests::engine::{ADMIN_TOKEN, Stand, WORKSPACE};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

/// The workspace in which the users have their roles, and the one in which they have none.
pub(crate) const OWN: &str = WORKSPACE;
pub(crate) const FOREIGN: &str = "other";

/// The users and their roles in [`OWN`]. Ann is a platform admin, Nora has no role at all.
pub(crate) const USERS: [(&str, Option<&str>); 5] = [
    ("vera", Some("viewer")),
    ("arthur", Some("author")),
    ("wanda", Some("workspace-admin")),
    ("ann", None),
    ("nora", None),
];

/// What there is in a workspace, by the names of the parts of paths.
pub(crate) type Things = BTreeMap<&'static str, String>;

pub(crate) struct World {
    pub(crate) stand: Stand,
    http: reqwest::Client,
    /// Tokens of the users, by the user's id.
    tokens: BTreeMap<&'static str, String>,
    things: BTreeMap<&'static str, Things>,
}

impl World {
    pub(crate) async fn set() -> Self {
        let stand = Stand::serve().await.unwrap();
        stand.enable("prefinery", None).await.unwrap();
        another_workspace(&stand).await;
        let http = client(&Options::default()).unwrap();
        let mut world = Self { stand, http, tokens: BTreeMap::new(), things: BTreeMap::new() };
        for workspace in [OWN, FOREIGN] {
            let things = world.fill(workspace).await;
            world.things.insert(workspace, things);
        }
        for (user, role) in USERS {
            world.root(Method::POST, "/users", &json!({"id": user, "platform_admin": user == "ann"})).await;
            if let Some(role) = role {
                let path = format!("/workspaces/{OWN}/members/{user}");
                world.root(Method::PUT, &path, &json!({ "role": role })).await;
            }
            let token = world.token_of(&json!({ "user": user })).await;
            world.tokens.insert(user, token);
        }
        // Somebody in both workspaces, to whom things are done.
        world.root(Method::POST, "/users", &json!({"id": "carl", "email": "carl@example.com"})).await;
        for workspace in [OWN, FOREIGN] {
            let path = format!("/workspaces/{workspace}/members/carl");
            world.root(Method::PUT, &path, &json!({"role": "viewer"})).await;
        }
        world
    }

    /// Makes a token as the host's own admin, and answers its secret.
    pub(crate) async fn token_of(&self, new: &Value) -> String {
        let made = self.root(Method::POST, "/tokens", new).await;
        made["secret"].as_str().unwrap().to_owned()
    }

    /// What a user shows.
    pub(crate) fn shows(&self, user: &str) -> &str {
        &self.tokens[user]
    }

    /// What there is in a workspace.
    pub(crate) fn things(&self, workspace: &str) -> &Things {
        &self.things[workspace]
    }

    pub(crate) fn request(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v1{path}", self.stand.url().unwrap());
        self.http.request(method, url).bearer_auth(token)
    }

    /// Status and body of an answer.
    pub(crate) async fn ask(&self, token: &str, method: Method, path: &str, body: &Value) -> (u16, String) {
        let request = self.request(token, method.clone(), path);
        let request = if method == Method::GET { request } else { request.json(body) };
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> (u16, Value) {
        let (status, text) = self.ask(token, Method::GET, path, &Value::Null).await;
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}")))
    }

    /// A request of the host's own admin, which has to succeed.
    pub(crate) async fn root(&self, method: Method, path: &str, body: &Value) -> Value {
        let (status, text) = self.ask(ADMIN_TOKEN, method, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// The entries of the audit log by an actor, the oldest first.
    pub(crate) async fn on_record(&self, actor: &str) -> Vec<AuditedChange> {
        let filter = AuditFilter { actor: Some(actor.to_owned()), limit: 100_000, ..AuditFilter::default() };
        let mut found = self.stand.engine.store().audit(filter).await.unwrap();
        found.reverse();
        found
    }

    /// How many changes of an actor ever began: the handlers of all others saw nothing.
    pub(crate) async fn began(&self, actor: &str) -> usize {
        let found = self.on_record(actor).await;
        found.iter().filter(|change| change.row.entry.phase == AuditPhase::Begun).count()
    }

    /// All that can be seen of a workspace, to tell that nothing of it was changed.
    pub(crate) async fn state_of(&self, workspace: &str) -> String {
        let id = WorkspaceId::new(workspace);
        let store = self.stand.engine.store();
        let runs = RunFilter { workspace: Some(id.clone()), limit: 500, ..RunFilter::default() };
        let conflicts =
            ConflictFilter { workspace: id.clone(), connection: None, record: None, open: false, limit: 500 };
        let deletions =
            DeletionFilter { workspace: id.clone(), connection: None, state: None, ended: true, limit: 500 };
        format!(
            "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
            store.workspace(&id).await.unwrap(),
            store.connections(Some(&id)).await.unwrap(),
            store.destinations(&id).await.unwrap(),
            store.members(&id).await.unwrap(),
            store.parked(&id).await.unwrap(),
            store.runs(runs).await.unwrap(),
            store.conflicts(conflicts).await.unwrap(),
            store.deletions(deletions).await.unwrap(),
            store.events(EventFilter::newest(&id, 500)).await.unwrap(),
            store.counts(Some(&id)).await.unwrap(),
        )
    }

    /// Puts an event, a run, a conflict, a parked record, a deletion and a destination into a workspace.
    async fn fill(&self, workspace: &str) -> Things {
        let (store, id) = (self.stand.engine.store(), WorkspaceId::new(workspace));
        let connection = ConnectionId::new(format!("{workspace}/prefinery"));
        let now = self.stand.engine.now();
        let location = store.workspace(&id).await.unwrap().unwrap().location;
        let lease = store.acquire_lease("a test", Duration::from_hours(1)).await.unwrap();
        let event = store.append_event(event(&id, &location, now)).await.unwrap();
        let Accepted::New(event) = event else { panic!("{event:?}") };
        let claimed = store.claim_records(&lease, now, 100, 100).await.unwrap();
        assert_eq!(claimed.len(), 3);
        let run = RunId::new(format!("0190-{workspace}"));
        for claim in claimed {
            let record = claim.key.record.as_str().to_owned();
            let link = link(&connection, &record, now);
            let done = match record.as_str() {
                "h1" => Completion {
                    link: Some(link),
                    conflicts: vec![conflict()],
                    run: Some(self::run(&id, &connection, &run, now)),
                    ..Completion::new(claim, Disposition::Done)
                },
                "h2" => {
                    let reason = format!("of {workspace}");
                    Completion::new(claim, Disposition::Parked { class: FailureClass::Data, reason })
                }
                _ => Completion {
                    link: Some(Link { state: LinkState::HighlevelMissing, ..link }),
                    deletion: Some(deletion(&connection, now)),
                    ..Completion::new(claim, Disposition::Done)
                },
            };
            self.complete(&lease, done).await;
        }
        store.release_lease(&lease).await.unwrap();
        for name in ["team".to_owned(), format!("only-{workspace}")] {
            let (kind, target) = (DestinationKind::Chat, json!({}));
            let destination =
                Destination { workspace: id.clone(), name, kind, target, stopped: None, created_at: now };
            store.put_destination(destination).await.unwrap();
        }
        let conflicts =
            ConflictFilter { workspace: id.clone(), connection: None, record: None, open: true, limit: 5 };
        let deletions =
            DeletionFilter { workspace: id.clone(), connection: None, state: None, ended: false, limit: 5 };
        let groups = self.stand.engine.parked_groups(&id).await.unwrap();
        Things::from([
            ("workspace", workspace.to_owned()),
            ("connector", "prefinery".to_owned()),
            ("action", "highlevel.contacts.get".to_owned()),
            ("trigger", "tester.created".to_owned()),
            ("name", "team".to_owned()),
            ("contact", "h1".to_owned()),
            ("field", "email".to_owned()),
            ("decision", "keep".to_owned()),
            ("user", "carl".to_owned()),
            ("policy", workspace.to_owned()),
            ("run", run.to_string()),
            ("event", event.0.to_string()),
            ("conflict", store.conflicts(conflicts).await.unwrap()[0].id.to_string()),
            ("deletion", store.deletions(deletions).await.unwrap()[0].id.to_string()),
            ("group", groups[0].id.clone()),
        ])
    }

    async fn complete(&self, lease: &Lease, done: Completion) {
        self.stand.engine.store().complete_record(lease, done).await.unwrap();
    }
}

async fn another_workspace(stand: &Stand) {
    let location = LocationConfig::numbered(2);
    let (id, token) = (location.id.clone(), location.private_token.clone());
    stand.sandbox.highlevel().add_location(location);
    stand
        .engine
        .create_workspace(NewWorkspace {
            id: FOREIGN.to_owned(),
            name: None,
            location: id,
            token: Some(token.into()),
            country: None,
            timezone: None,
        })
        .await
        .unwrap();
    let prefinery = stand.sandbox.prefinery();
    stand
        .engine
        .enable_connection(EnableConnection {
            workspace: FOREIGN.to_owned(),
            connector: "prefinery".to_owned(),
            base_url: Some(stand.sandbox.prefinery_url()),
            credentials: BTreeMap::from([("key".to_owned(), prefinery.api_key().to_owned().into())]),
            settings: json!({ "beta_id": prefinery.first_project().to_string() }),
            ..EnableConnection::default()
        })
        .await
        .unwrap();
}

fn event(workspace: &WorkspaceId, location: &LocationId, now: jiff::Timestamp) -> NewEvent {
    let mark = |record: &str| Mark {
        entity: "contact".to_owned(),
        side: Side::Highlevel,
        record: RecordId::new(record),
        snapshot: None,
        deleted: false,
    };
    NewEvent {
        source: Side::Highlevel,
        workspace: Some(workspace.clone()),
        connection: None,
        location: Some(location.clone()),
        key: format!("webhook of {workspace}"),
        kind: "ContactUpdate".to_owned(),
        body: json!({ "of": workspace.as_str() }).to_string().into_bytes(),
        headers: json!({}),
        received_at: now,
        marks: vec![mark("h1"), mark("h2"), mark("h3")],
        needs_receive: false,
        deliveries: Vec::new(),
        seen: Vec::new(),
    }
}

fn link(connection: &ConnectionId, record: &str, now: jiff::Timestamp) -> Link {
    let agreed = json!({"email=email": {"highlevel": "a@example.com", "partner": "a@example.com"}});
    Link {
        connection: connection.clone(),
        entity: "contact".to_owned(),
        highlevel_id: RecordId::new(record),
        partner_id: RecordId::new(record.replace('h', "p")),
        parent: None,
        occurs_at: None,
        base: serde_json::from_value(agreed).unwrap(),
        highlevel_fingerprint: Fingerprint::from_stored("1".repeat(64)),
        partner_fingerprint: Fingerprint::from_stored("2".repeat(64)),
        state: LinkState::Active,
        created_at: now,
        updated_at: now,
    }
}

fn conflict() -> ConflictRecord {
    let record = json!({
        "row": "email=email", "highlevel_field": "email", "partner_field": "email",
        "base": null, "highlevel": "a@example.com", "partner": "b@example.com",
        "policy": "ask", "winner": null, "overwritten": null,
    });
    serde_json::from_value(record).unwrap()
}

fn run(workspace: &WorkspaceId, connection: &ConnectionId, id: &RunId, now: jiff::Timestamp) -> Run {
    Run {
        component: None,
        id: id.clone(),
        workspace: workspace.clone(),
        connection: connection.clone(),
        kind: RunKind::Reconcile,
        entity: Some("contact".to_owned()),
        highlevel_id: Some(RecordId::new("h1")),
        partner_id: Some(RecordId::new("p1")),
        event: None,
        cause: None,
        started_at: now,
        duration_us: 1,
        outcome: RunOutcome::Applied,
        class: None,
        summary: format!("a run of {workspace}"),
        changes: Vec::new(),
        remarks: Vec::new(),
        calls: Vec::new(),
        log: Vec::new(),
    }
}

fn deletion(connection: &ConnectionId, now: jiff::Timestamp) -> Deletion {
    Deletion {
        id: 0,
        connection: connection.clone(),
        entity: "contact".to_owned(),
        highlevel_id: RecordId::new("h3"),
        partner_id: RecordId::new("p3"),
        side: Side::Highlevel,
        state: DeletionState::Waiting,
        policy: DeletePolicy::Delete,
        since: now,
        due: now,
        decided_by: None,
        decided_at: None,
        decisions: 0,
        acted_at: None,
        undo_until: None,
        ended_at: None,
        outcome: None,
        kept: None,
    }
}
