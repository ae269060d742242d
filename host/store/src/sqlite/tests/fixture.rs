//! What these tests begin with.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::*;

pub(super) const LATER: Timestamp = Timestamp::constant(4_000_000_000, 0);

pub(super) fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    (directory, path)
}

pub(super) fn connection_id(workspace: &str) -> ConnectionId {
    ConnectionId::new(format!("{workspace}/prefinery"))
}

/// Makes a workspace with one connection.
pub(super) async fn configure(store: &dyn Store, workspace: &str) {
    let at = Timestamp::UNIX_EPOCH;
    let id = WorkspaceId::new(workspace);
    let location = LocationId::new(format!("loc-{workspace}"));
    let name = workspace.to_owned();
    store
        .create_workspace(Workspace {
            policy: Policy::default(),
            id: id.clone(),
            name,
            location,
            country: None,
            timezone: None,
            retention_days: None,
            created_at: at,
        })
        .await
        .unwrap();
    let connection = Connection {
        id: connection_id(workspace),
        workspace: id,
        connector: "prefinery".to_owned(),
        digest: Digest::new("0".repeat(64)),
        state: ConnectionState::Enabled,
        state_reason: None,
        stop_cause: None,
        grants: Vec::new(),
        base_url: "https://api.example.com".to_owned(),
        auth_scheme: "key".to_owned(),
        settings: json!({}),
        mapping: json!([]),
        schedule: Schedule::default(),
        webhook_hash: webhook_hash(&format!("token-{workspace}")),
        created_at: at,
    };
    store.put_connection(connection).await.unwrap();
}

/// What a token in a webhook's address is known by.
pub(super) fn webhook_hash(token: &str) -> SecretHash {
    SecretHash(Sha256::digest(token.as_bytes()).into())
}

pub(super) fn mark(side: Side, record: &str) -> Mark {
    Mark { entity: "contact".to_owned(), side, record: RecordId::new(record), snapshot: None, deleted: false }
}

/// A webhook of HighLevel about one contact of the workspace `acme`.
pub(super) fn event(key: &str, contact: &str) -> NewEvent {
    NewEvent {
        source: Side::Highlevel,
        workspace: Some(WorkspaceId::new("acme")),
        connection: None,
        location: Some(LocationId::new("loc-acme")),
        key: key.to_owned(),
        kind: "ContactUpdate".to_owned(),
        body: vec![b'x'; 800],
        headers: json!({}),
        received_at: Timestamp::UNIX_EPOCH,
        marks: vec![mark(Side::Highlevel, contact)],
        needs_receive: false,
        deliveries: Vec::new(),
        seen: Vec::new(),
    }
}

/// What a crash leaves: the database and its log as they are at this moment, under another name.
pub(super) fn crash_copy(path: &Path, copy: &Path) {
    let with = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    std::fs::copy(path, copy).unwrap();
    std::fs::copy(with(path, "-wal"), with(copy, "-wal")).unwrap();
}
