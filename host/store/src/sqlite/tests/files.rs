//! The file, its lock and its version.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use rusqlite::Connection;
use secrecy::ExposeSecret as _;

use super::fixture::*;
use crate::sqlite::{Result, SqliteStore};
use crate::{
    ConfigurationStore as _, LinkStore as _, OperationStore as _, RunStore as _, StoreError, VaultStore as _,
};

fn refusal(opened: Result<SqliteStore>) -> StoreError {
    opened.expect_err("the database was opened")
}

#[test]
fn a_second_store_on_the_same_file_is_refused_by_whatever_path() {
    let (directory, path) = directory();
    let link = directory.path().join("link.db");
    let store = SqliteStore::open(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [&path, &link, &directory.path().join(".").join("store.db")] {
        let error = refusal(SqliteStore::open(path));
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        assert!(error.to_string().contains("store.db"), "{error}");
    }
    drop(store);
    SqliteStore::open(&link).unwrap();
}

#[test]
fn another_process_is_refused_while_this_one_lives() {
    let (directory, path) = directory();
    let _store = SqliteStore::open(&path).unwrap();
    let other = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "sqlite::tests::files::the_other_process"])
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&other.stdout);
    assert!(other.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "the second process of `another_process_is_refused_while_this_one_lives`"]
fn the_other_process() {
    let path = Path::new("store.db");
    if path.exists() {
        let error = refusal(SqliteStore::open(path));
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    }
}

#[test]
fn a_database_of_the_first_version_keeps_what_it_holds() {
    let (_directory, path) = directory();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schema/001.sql")).unwrap();
    old.execute_batch(
        "PRAGMA application_id = 1129598802; PRAGMA user_version = 1;
         INSERT INTO workspaces VALUES (1, 'acme', 0, 'Acme', 'loc', NULL, NULL, 0);
         INSERT INTO connections VALUES (7, 'acme/prefinery', 1, 'prefinery', 'd', 'enabled', NULL, '[]', 'https://x', 'key',
             '{}', '[]', 'token', 0);
         INSERT INTO links VALUES (3, 7, 'contact', 'h1', 'p1', 'active', 1, 2, 'f1', 'f2', '{}');",
    )
    .unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connection = crate::ConnectionId::new("acme/prefinery");
        let links = store.links(&connection, "contact", None, 10).await.unwrap();
        assert_eq!(links.len(), 1);
        assert_eq!((links[0].partner_id.as_str(), &links[0].parent), ("p1", &None));
        assert_eq!(store.counts(None).await.unwrap().links, 1);
        let stored = store.connection(&connection).await.unwrap().unwrap();
        assert_eq!(stored.schedule, crate::Schedule::default());
    });
}

#[test]
fn a_webhook_address_that_was_kept_in_the_clear_goes_on_and_leaves_the_file_when_it_is_sealed() {
    const TOKEN: &str = "4f0c3a-the-token-of-a-webhook";
    let (_directory, path) = directory();
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../schema/001.sql")).unwrap();
    old.execute_batch(&format!(
        "PRAGMA application_id = 1129598802; PRAGMA user_version = 1;
         INSERT INTO workspaces VALUES (1, 'acme', 0, 'Acme', 'loc', NULL, NULL, 0);
         INSERT INTO connections VALUES (7, 'acme/prefinery', 1, 'prefinery', 'd', 'enabled', NULL, '[]', 'https://x', 'key',
             '{{}}', '[]', '{TOKEN}', 0);",
    ))
    .unwrap();
    drop(old);
    let holds_it = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes())
    };
    assert!(holds_it(&path));
    let id = crate::ConnectionId::new("acme/prefinery");
    let key = crate::KeyId::from_stored("00ff");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // Each time it is opened until somebody seals it.
    for _ in 0..2 {
        let store = SqliteStore::open(&path).unwrap();
        runtime.block_on(async {
            let found = store.connection_by_webhook(webhook_hash(TOKEN)).await.unwrap().unwrap();
            assert_eq!(found.id, id);
            let waiting = store.unsealed_webhooks().await.unwrap();
            assert_eq!(waiting.len(), 1);
            assert_eq!((waiting[0].workspace.as_str(), &waiting[0].connection), ("acme", &id));
            assert_eq!(waiting[0].token.expose_secret(), TOKEN);
        });
    }
    let store = SqliteStore::open(&path).unwrap();
    runtime.block_on(async {
        let wrapped = crate::Sealed { key_id: crate::KeyId::from_stored("kek"), bytes: vec![7; 48] };
        let workspace = crate::WorkspaceId::new("acme");
        store.add_data_key(crate::WrappedKey { id: key.clone(), workspace, wrapped }).await.unwrap();
        let sealed = crate::Sealed { key_id: key, bytes: vec![1, 2, 3] };
        store.put_webhook_address(&id, webhook_hash(TOKEN), sealed.clone()).await.unwrap();
        assert!(store.unsealed_webhooks().await.unwrap().is_empty());
        assert_eq!(store.credential(&id.webhook_address()).await.unwrap(), Some(sealed));
        assert!(store.connection_by_webhook(webhook_hash(TOKEN)).await.unwrap().is_some());
    });
    drop(store);
    assert!(!holds_it(&path), "it is still in the file");
}

#[test]
fn appointments_that_were_linked_before_are_found_by_their_time() {
    let (_directory, path) = directory();
    let old = Connection::open(&path).unwrap();
    for step in [
        include_str!("../schema/001.sql"),
        include_str!("../schema/002.sql"),
        include_str!("../schema/003.sql"),
        include_str!("../schema/004.sql"),
    ] {
        old.execute_batch(step).unwrap();
    }
    old.execute_batch(
        r#"PRAGMA application_id = 1129598802; PRAGMA user_version = 4;
         INSERT INTO workspaces VALUES (1, 'acme', 0, 'Acme', 'loc', NULL, NULL, 0);
         INSERT INTO connections VALUES (7, 'acme/prefinery', 1, 'prefinery', 'd', 'enabled', NULL, '[]', 'https://x', 'key',
             '{}', '[]', 'token', 0, '{}');
         INSERT INTO links VALUES (3, 7, 'appointment', 'a1', 'p1', 'h1', 'active', 1, 2, 'f1', 'f2',
             '{"title=what":{"highlevel":"Visit","partner":"Visit"},"start=start":{"highlevel":"2026-12-01T10:00:00.000Z","partner":null}}');"#,
    )
    .unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connection = crate::ConnectionId::new("acme/prefinery");
        let at = |text: &str| text.parse().unwrap();
        let found = |from, until| store.occurring(&connection, "appointment", at(from), at(until));
        let around = found("2026-12-01T10:00:00Z", "2026-12-01T10:00:01Z").await.unwrap();
        assert_eq!(around, [crate::RecordId::new("h1")]);
        assert_eq!(found("2026-12-01T10:00:01Z", "2027-01-01T00:00:00Z").await.unwrap(), []);
    });
}

#[test]
fn what_the_guard_had_stopped_before_it_was_kept_as_a_cause_is_known_by_it_and_no_quota() {
    let (_directory, path) = directory();
    drop(SqliteStore::open(&path).unwrap());
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        "ALTER TABLE connections DROP COLUMN stop_cause;
         DROP INDEX links_quarantined;
         DROP TABLE partner_windows;
         INSERT INTO workspaces (pk, id, shard, name, location, created_at) VALUES (1, 'acme', 0, 'Acme', 'loc', 0);",
    )
    .unwrap();
    let guard = "stopped by the mass-change guard: 15 of 60 linked records were changed";
    let rows = [
        ("guarded", "paused", guard),
        ("other", "paused", "the component is gone"),
        ("off", "disabled", guard),
    ];
    for (pk, (id, state, reason)) in (1_i64..).zip(rows) {
        let connection = "INSERT INTO connections (pk, id, workspace, connector, digest, state, state_reason, grants, base_url, \
                              auth_scheme, settings, mapping, webhook_hash, created_at) \
                          VALUES (?1, ?2, 1, 'x', 'd', ?3, ?4, '[]', 'https://x', 'key', '{}', '[]', printf('%064x', ?1), 0)";
        old.execute(connection, rusqlite::params![pk, format!("acme/{id}"), state, reason]).unwrap();
        let run = "INSERT INTO runs (id, workspace, connection, kind, started_at, duration_us, outcome, class, summary, changes, \
                       log, calls) VALUES (?1, 1, ?2, 'reconcile', 0, 0, 'retrying', 'quota', ?3, '[]', '[]', ?4)";
        old.execute(run, rusqlite::params![id, pk, format!("{reason}; tried again at once"), "[]"]).unwrap();
    }
    old.execute_batch(include_str!("../schema/018.sql")).unwrap();
    drop(old);
    let store = SqliteStore::open(&path).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let known = async |id: &str| {
            let connection =
                store.connection(&crate::ConnectionId::new(format!("acme/{id}"))).await.unwrap().unwrap();
            (connection.stop_cause, store.run(&crate::RunId::new(id)).await.unwrap().unwrap().class)
        };
        let (guard, quota) = (Some(crate::FailureClass::Guard), Some(crate::FailureClass::Quota));
        assert_eq!(known("guarded").await, (Some(crate::StopCause::MassChange), guard));
        assert_eq!(known("other").await, (None, quota));
        assert_eq!(known("off").await, (None, guard));
    });
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let (_directory, path) = directory();
    drop(SqliteStore::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1_000).unwrap();
    let error = refusal(SqliteStore::open(&path));
    assert!(matches!(error, StoreError::TooNew { found: 1_000, .. }), "{error}");
    assert!(error.to_string().contains("newer version"), "{error}");
    let version: i64 =
        Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1_000);
}

#[test]
fn a_database_of_another_application_is_left_alone() {
    let (_directory, path) = directory();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE theirs (x); PRAGMA application_id = 77;").unwrap();
    drop(other);
    let error = refusal(SqliteStore::open(&path));
    assert!(matches!(error, StoreError::Foreign { found: 77, .. }), "{error}");
    let tables: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let (_directory, path) = directory();
    fs::write(&path, "this is a letter to my grandmother, and long enough to have a header").unwrap();
    let error = refusal(SqliteStore::open(&path));
    assert!(error.to_string().contains("not a database"), "{error}");
}

#[tokio::test]
async fn the_files_belong_to_their_owner_alone_and_closing_leaves_one_complete_file() {
    let (directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    for entry in fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
    drop(store);
    let copy = directory.path().join("backup.db");
    fs::copy(&path, &copy).unwrap();
    let backup = SqliteStore::open(&copy).unwrap();
    assert_eq!(backup.workspaces().await.unwrap().len(), 1);
}

#[test]
fn the_engine_is_set_up_to_lose_nothing() {
    let (_directory, path) = directory();
    let connection = crate::sqlite::file::open_writer(&{
        drop(SqliteStore::open(&path).unwrap());
        path
    })
    .unwrap();
    let pragma = |name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
    assert_eq!(pragma("synchronous"), 2.into());
    assert_eq!(pragma("foreign_keys"), 1.into());
    let problems: i64 =
        connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(problems, 0);
}
