//! A run to try capabilities on: a real engine and store, and one listener that stands for HighLevel and the partner alike.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::IntoResponse;
use contactor_highlevel::webhook::Verifier;
use contactor_runtime::{CallError, Invocation, Reply, RuntimeConfig};
use contactor_store::sqlite::SqliteStore;
use contactor_store::{
    Call, ConfigurationStore as _, Connection, ConnectionId, ConnectionState, Digest, LocationId, Priority,
    SecretHash, Vault, Workspace, WorkspaceId,
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::Capabilities;
use crate::active::{Active, Guest};
use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::engine::{Engine, EngineParts};
use crate::made::{BEARER, manifest};
use crate::outbound::{Outbound, OutboundConfig};
use crate::partner::{PartnerApi, PartnerSetup, Quotas};
use crate::permissions::Events;

pub(super) const READ: &str = "contacts.readonly";
pub(super) const WRITE: &str = "contacts.write";

/// One request that arrived.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// For example `GET /contacts/c1?x=y`.
    pub(super) what: String,
    /// The body; `null` when there was none.
    pub(super) body: Json,
}

/// How the listener answers a request, by `METHOD /path` without the query.
pub(super) type Answers = BTreeMap<&'static str, (u16, Json)>;

#[derive(Clone)]
struct Listener {
    seen: Arc<Mutex<Vec<Seen>>>,
    answers: Arc<Answers>,
}

/// Everything that a run needs.
pub(crate) struct Bench {
    engine: Engine,
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    // Removed when the bench is dropped.
    _dir: TempDir,
}

impl Bench {
    /// A listener that answers everything as a friendly vendor would.
    pub(crate) async fn new() -> Self {
        Self::answering(Answers::new()).await
    }

    /// A listener with some answers of one's own.
    pub(super) async fn answering(answers: Answers) -> Self {
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let url = listen(Listener { seen: Arc::clone(&seen), answers: Arc::new(answers) }).await;
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("contactor.db")).unwrap());
        store.create_workspace(workspace()).await.unwrap();
        let highlevel =
            contactor_highlevel::Config { base_url: url.clone(), ..contactor_highlevel::Config::default() };
        let engine = Engine::start(EngineParts {
            config: EngineConfig::default(),
            clock: Clock::manual(now()),
            store,
            vault: Arc::new(Vault::create_key(&dir.path().join("key")).unwrap()),
            highlevel,
            verifier: Verifier::published().unwrap(),
            runtime: RuntimeConfig { max_instances: 1, ..RuntimeConfig::default() },
            outbound: outbound(),
            connectors: crate::ConnectorsConfig::default(),
            artefacts: cap_std::fs::Dir::open_ambient_dir(dir.path(), cap_std::ambient_authority()).unwrap(),
        })
        .unwrap();
        let token = SecretString::from("pit-not-a-real-token");
        engine.credentials().put(&workspace().id, workspace().id.as_str(), &token).await.unwrap();
        engine.store().put_connection(connection(&url, &[])).await.unwrap();
        Self { engine, url, seen, _dir: dir }
    }

    /// Its engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The capabilities of a new run under these grants.
    pub(super) fn run(&self, grants: &[&str], preview: bool) -> Capabilities {
        let connection = connection(&self.url, grants);
        let manifest = Arc::new(manifest(&format!("{BEARER}{SETTING}")));
        let partner = PartnerApi::new(PartnerSetup {
            out: outbound(),
            connector: connection.connector.clone(),
            hosts: manifest.partner.allowed_hosts(),
            base_url: self.url.clone(),
            auth: manifest.auth("token").unwrap().clone(),
            secrets: BTreeMap::from([("token".to_owned(), SecretString::from("fake-partner-token"))]),
            webhook_secret: None,
            quotas: Arc::new(Quotas::new(Vec::new())),
            timeout: Duration::from_secs(10),
            log_cap: 1_024,
        })
        .unwrap();
        let scopes = connection.grants.clone();
        let (guest, events) = (Arc::new(NoGuest), Events::default());
        let active = Active::new(connection, workspace(), manifest, guest, partner, scopes, events).unwrap();
        Capabilities::new(self.engine.context(&Arc::new(active), Priority::Interactive, preview))
    }

    /// The capabilities of a new run that may do everything.
    pub(super) fn allowed(&self) -> Capabilities {
        self.run(&[READ, WRITE], false)
    }

    /// What arrived so far, in order.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What arrived so far, without the bodies.
    pub(super) fn requests(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.what).collect()
    }
}

impl Capabilities {
    /// The calls that the run recorded so far.
    pub(super) fn recorded(&self) -> Vec<Call> {
        self.direct.run.recorder.take().0
    }

    /// The lines that the connector logged so far.
    pub(super) fn logged(&self) -> Vec<String> {
        self.direct.run.recorder.take().1
    }
}

pub(super) fn now() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().unwrap()
}

/// The way to the listener, which is on this machine.
fn outbound() -> Outbound {
    Outbound::new(OutboundConfig::default().with_this_machine()).unwrap()
}

fn workspace() -> Workspace {
    Workspace {
        policy: contactor_store::Policy::default(),
        id: WorkspaceId::new("acme"),
        name: "Acme".to_owned(),
        location: LocationId::new("loc-1"),
        country: Some("US".to_owned()),
        timezone: Some("America/New_York".to_owned()),
        retention_days: None,
        created_at: now(),
    }
}

fn connection(base_url: &str, grants: &[&str]) -> Connection {
    Connection {
        id: ConnectionId::new("acme/test"),
        workspace: workspace().id,
        connector: "test".to_owned(),
        digest: Digest::new("0".repeat(64)),
        state: ConnectionState::Enabled,
        state_reason: None,
        stop_cause: None,
        grants: grants.iter().map(ToString::to_string).collect(),
        base_url: base_url.to_owned(),
        auth_scheme: "token".to_owned(),
        settings: json!({ "suffix": ".json" }),
        mapping: Json::Null,
        schedule: contactor_store::Schedule::default(),
        webhook_hash: SecretHash([9; 32]),
        created_at: now(),
    }
}

/// The one setting of the connection.
const SETTING: &str = r#"
[[setting]]
name = "suffix"
title = "Suffix"
help = "For tests."
type = "text"
"#;

struct NoGuest;

#[async_trait]
impl Guest for NoGuest {
    async fn call(&self, _: Capabilities, call: Invocation) -> Result<Reply, CallError> {
        panic!("these tests call capabilities, not connectors: {call:?}")
    }
}

async fn listen(listener: Listener) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(listener);
    tokio::spawn(async move { axum::serve(socket, router).await });
    url
}

async fn answer(
    State(listener): State<Listener>,
    method: Method,
    uri: Uri,
    body: Bytes,
) -> impl IntoResponse {
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let what = uri.path_and_query().map_or_else(String::new, ToString::to_string);
    let seen = Seen { what: format!("{method} {what}"), body };
    listener.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    let own = listener.answers.get(format!("{method} {}", uri.path()).as_str()).cloned();
    let (status, json) = own.unwrap_or_else(|| (200, friendly()));
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/json")], json.to_string())
}

/// An answer that fits every operation, because each reads only its own members.
fn friendly() -> Json {
    json!({
        "succeeded": true, "new": true, "count": 0, "total": 0,
        "contact": { "id": "c1", "email": "ada@example.com", "tags": ["vip"] }, "contacts": [],
        "task": { "id": "t1", "title": "Call", "completed": false }, "tasks": [{ "id": "t1" }],
        "note": { "id": "n1", "body": "Hi" }, "notes": [{ "id": "n1" }],
        "tags": ["vip"], "tagsAdded": ["vip"], "tagsRemoved": [],
        "followers": ["u1"], "followersAdded": ["u1"], "followersRemoved": [],
        "events": [{ "id": "a1", "startTime": "2026-12-01 09:00:00" }],
        "errorCount": 0, "responses": [], "ids": ["c1"], "customFields": [],
    })
}
