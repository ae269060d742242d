//! Every row belongs to a workspace, and an audit log that somebody changed with another tool says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;

use super::fixture::directory;
use crate::sqlite::{SqliteStore, audited, schema};
use crate::*;

/// Tables whose rows are nobody's alone, with the reason. A new table has a workspace, or belongs here.
const OF_NO_WORKSPACE: &[(&str, &str)] = &[
    ("workspaces", "a row is a workspace"),
    ("meta", "counters of the database itself"),
    ("connectors", "components are installed once for the platform, and hold nothing of a tenant"),
    ("leases", "work is divided among hosts by shards"),
    ("credentials", "sealed for the workspace with which its name begins: another one cannot open it"),
    (
        "events",
        "an event of a location that no workspace is bound to yet is held; those of a workspace name it",
    ),
    (
        "oauth_grants",
        "a location is granted before a workspace is bound to it; it is opened by the location's id",
    ),
    ("consent_flows", "of an agency, or of the workspace that it names"),
    ("installations", "what HighLevel tells of locations, bound to a workspace or not"),
    ("data_keys", "names its workspace as text: its token is sealed before it exists"),
    ("users", "a person may work in several workspaces"),
    ("tokens", "opens no more than its user's workspaces"),
    ("identities", "who a user is at an identity provider, whatever the workspace"),
    ("sessions", "opens no more than its user's workspaces"),
    ("audit", "changes of the platform belong to no workspace; the others name theirs"),
];

/// By table: its columns that cannot be empty and refer to another table.
fn parents(db: &Connection) -> BTreeMap<String, BTreeSet<String>> {
    let sql = "SELECT t.name, f.\"table\" FROM sqlite_schema t \
               LEFT JOIN pragma_foreign_key_list(t.name) f \
                   ON EXISTS (SELECT 1 FROM pragma_table_info(t.name) c \
                              WHERE c.name = f.\"from\" AND (c.\"notnull\" OR (c.pk AND c.type = 'INTEGER'))) \
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let mut statement = db.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut parents: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let of = parents.entry(row.get(0).unwrap()).or_default();
        of.extend(row.get::<_, Option<String>>(1).unwrap());
    }
    parents
}

fn leads_to_a_workspace(parents: &BTreeMap<String, BTreeSet<String>>, table: &str) -> bool {
    table == "workspaces"
        || parents[table].iter().any(|parent| parent != table && leads_to_a_workspace(parents, parent))
}

#[test]
fn every_row_of_every_table_belongs_to_a_workspace_or_the_table_says_why_not() {
    let db = Connection::open_in_memory().unwrap();
    schema::upgrade(&db, Path::new("memory")).unwrap();
    let parents = parents(&db);
    assert!(parents.len() > 30, "{parents:?}");
    let exempt: BTreeSet<&str> = OF_NO_WORKSPACE.iter().map(|(table, _)| *table).collect();
    let without = parents.keys().filter(|table| !leads_to_a_workspace(&parents, table));
    let without: BTreeSet<&str> = without.map(String::as_str).chain(["workspaces"]).collect();
    assert_eq!(without, exempt, "tables whose rows belong to no workspace, and those that are known to");
}

fn entry(number: u16) -> NewAudit {
    NewAudit {
        phase: AuditPhase::Refused,
        began: None,
        actor: Actor::AdminTokenFile,
        token: None,
        workspace: None,
        action: "workspaces.create".to_owned(),
        target: String::new(),
        status: Some(number),
        detail: String::new(),
    }
}

/// What is found in a log of five entries after somebody used another tool on it.
async fn after(tampering: &str, noted: Option<AuditHash>) -> (AuditVerdict, AuditHash) {
    let (_directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    for number in 1..=5 {
        store.append_audit(entry(number)).await.unwrap();
    }
    let head = store.verify_audit(None).await.unwrap().head.unwrap().1;
    drop(store);
    let db = Connection::open(&path).unwrap();
    db.execute_batch(tampering).unwrap();
    drop(db);
    (audited(&path, noted.or(Some(head))).unwrap(), head)
}

#[tokio::test]
async fn the_first_entry_that_somebody_changed_is_named() {
    let (untouched, head) = after("", None).await;
    assert_eq!((untouched.sound, &untouched.broken, untouched.found), (5, &None, Some(5)));
    assert_eq!(untouched.head, Some((5, head)));
    for (tampering, broken) in [
        ("UPDATE audit SET actor = 'bob' WHERE seq = 3", 3),
        ("UPDATE audit SET status = 200 WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq = 1", 2),
        ("DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3", 3),
        ("UPDATE audit SET hash = x'00' WHERE seq = 2", 2),
        ("UPDATE audit SET phase = 9 WHERE seq = 4", 4),
        (
            "INSERT INTO audit SELECT 6, at, phase, began, actor, token, workspace, action, target, status, detail, \
              previous, hash FROM audit WHERE seq = 5",
            6,
        ),
    ] {
        let (verdict, _) = after(tampering, None).await;
        let (found, why) = verdict.broken.unwrap();
        assert_eq!(found, broken, "{tampering}: {why}");
        assert!(verdict.sound < found.unsigned_abs(), "{tampering}");
    }
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_missed_by_the_head_that_was_noted() {
    let (cut, _) = after("DELETE FROM audit WHERE seq > 3", None).await;
    assert_eq!((cut.sound, cut.broken, cut.found), (3, None, None), "the chain alone cannot tell");
}

#[test]
fn a_database_without_a_log_is_not_taken_for_an_empty_one() {
    let (_directory, path) = directory();
    std::fs::write(&path, "").unwrap();
    let error = audited(&path, None).unwrap_err();
    assert!(matches!(&error, StoreError::NotFound { what, .. } if what.starts_with("audit log")), "{error}");
}
