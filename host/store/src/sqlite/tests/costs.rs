//! The hot statements cost the same however much waits: counted in steps of SQLite's machine, not in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::{Connection, StatementStatus, ToSql};

use super::fixture::*;
use crate::sqlite::counts::Scope;
use crate::sqlite::file::{Locked, open_writer};
use crate::sqlite::{Result, SqliteOptions, SqliteStore, deliveries, dirty, links, messages, runs, unread};
use crate::*;

/// Rows that wait: enough that any scan shows.
const WAITING: usize = 100_000;
/// A look into an index, with the rows that are taken.
const FEW_STEPS: i32 = 500;

async fn with_much_waiting() -> (tempfile::TempDir, SqliteStore) {
    let (directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    configure(&store, "other").await;
    let marks = (0..WAITING).map(|number| mark(Side::Highlevel, &format!("h{number}"))).collect();
    store.mark(&connection_id("acme"), marks, Priority::Backfill, None).await.unwrap();
    let live = vec![mark(Side::Highlevel, "live")];
    // All of one contact: only the first of them has its turn.
    let deliveries = (0..WAITING / 10).map(|number| delivery(&format!("d{number}"))).collect();
    store.deliver(deliveries).await.unwrap();
    store.mark(&connection_id("other"), live, Priority::Backfill, None).await.unwrap();
    (directory, store)
}

fn delivery(key: &str) -> NewDelivery {
    NewDelivery {
        connection: connection_id("acme"),
        key: key.to_owned(),
        lasting: false,
        source: Origin::Highlevel,
        kind: "ContactUpdate".to_owned(),
        entity: None,
        contact_id: Some(RecordId::new("h1")),
        partner_id: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        fields: contactor_sync::Fields::new(),
        payload: None,
    }
}

/// Runs a statement to its end; answers its steps and its plan.
fn cost(db: &Connection, sql: &str, params: &[&dyn ToSql]) -> Result<(i32, String)> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query(params)?;
    while rows.next()?.is_some() {}
    drop(rows);
    let steps = statement.get_status(StatementStatus::VmStep);
    let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let lines =
        plan.query_map(params, |row| row.get::<_, String>(3))?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok((steps, lines.join("; ")))
}

#[tokio::test]
async fn looking_for_work_does_not_grow_with_the_work_that_waits() {
    let (_directory, store) = with_much_waiting().await;
    let due = format!("SELECT id FROM dirty {}", dirty::DUE);
    let costs = store
        .read(move |db| {
            let far = i64::MAX;
            Ok([
                cost(db, dirty::NEXT_GROUP, &[&Priority::Backfill, &0])?,
                cost(db, dirty::NEXT_GROUP, &[&Priority::Backfill, &1])?,
                cost(db, &due, &[&Priority::Backfill, &1, &far, &16])?,
                cost(db, &due, &[&Priority::Backfill, &2, &far, &16])?,
                cost(db, dirty::IN_FLIGHT, &[&7])?,
                cost(db, unread::NEXT_GROUP, &[&0])?,
                cost(db, unread::DUE, &[&1, &far, &16])?,
                cost(db, unread::IN_FLIGHT, &[&7])?,
                cost(db, deliveries::NEXT_GROUP, &[&0])?,
                cost(db, deliveries::DUE, &[&1, &far, &16])?,
                cost(db, deliveries::IN_FLIGHT, &[&7])?,
            ])
        })
        .await
        .unwrap();
    for (steps, plan) in costs {
        assert!(steps < FEW_STEPS, "{steps} steps: {plan}");
        assert!(plan.contains("USING") && !plan.contains("SCAN") && !plan.contains("FOR ORDER BY"), "{plan}");
    }
}

/// A store in which much has ended and little waits.
async fn with_much_ended() -> (tempfile::TempDir, SqliteStore) {
    let (directory, path) = directory();
    let store = SqliteStore::open(&path).unwrap();
    configure(&store, "acme").await;
    configure(&store, "other").await;
    // Straight into the tables: each of these rows is the end of a long way.
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO deliveries (connection, key, lasting, source, kind, at, fields, place, begins_at, due_at, state, ended_at)
            SELECT 1, 'ended:' || i, 1, 0, 'X', 0, '{}', 1, 0, 0, 2, 1 FROM n;
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO runs (id, workspace, connection, kind, started_at, duration_us, outcome, summary, changes, log, calls)
            SELECT printf('%08d', i), 1, 1, 'poll', 0, 0, 'unchanged', '', '[]', '[]', '[]' FROM n;
        UPDATE runs SET connection = 2 WHERE id = '00000007';
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO links (connection, entity, highlevel_id, partner_id, parent, state, created_at, updated_at,
                highlevel_fingerprint, partner_fingerprint, base, occurs_at)
            SELECT 1, 'appointment', 'a' || i, 'p' || i, 'h' || i, 'active', 0, 0, '', '', '{}', i FROM n;
        INSERT INTO destinations (workspace, name, kind, target, stopped, created_at)
            VALUES (1, 'gone', 'webhook', '{}', 'answered 410', 0), (1, 'team', 'webhook', '{}', NULL, 0);
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO outgoing (id, connection, destination, message, created_at, due_at)
            SELECT 'm' || i, 1, 1, '{}', 0, 0 FROM n;
        INSERT INTO outgoing (id, connection, destination, message, created_at, due_at) VALUES ('live', 1, 2, '{}', 0, 5);";
    store.write(move |db| Ok(db.execute_batch(sql)?)).await.unwrap();
    (directory, store)
}

#[tokio::test]
async fn what_has_ended_or_waits_for_a_stopped_destination_costs_nothing() {
    let (_directory, store) = with_much_ended().await;
    let children = links::of_parent_sql();
    let by_connection =
        RunFilter { connection: Some(connection_id("other")), limit: 10, ..RunFilter::default() };
    let by_connection = runs::listing(&by_connection).replace(":connection", "?1").replace(":limit", "?2");
    let costs = store
        .read(move |db| {
            let far = i64::MAX;
            Ok([
                cost(db, &deliveries::waiting_sql(Scope::Connection(1)), &[&1, &far])?,
                cost(db, &deliveries::waiting_sql(Scope::Workspace(1)), &[&1, &far])?,
                cost(db, &deliveries::waiting_sql(Scope::All), &[&None::<i64>, &far])?,
                cost(db, &dirty::waiting_sql(Scope::Workspace(1)), &[&1])?,
                cost(db, deliveries::NEXT_GROUP, &[&0])?,
                cost(db, deliveries::DUE, &[&1, &far, &16])?,
                cost(db, &children, &[&1, &"h7", &"appointment"])?,
                cost(db, links::OCCURRING, &[&1, &"appointment", &100, &105])?,
                cost(db, &by_connection, &[&"other/prefinery", &10])?,
                cost(db, messages::NEXT_GROUP, &[&0])?,
                cost(db, messages::NEXT_GROUP, &[&1])?,
                cost(db, messages::DUE, &[&2, &far, &16])?,
            ])
        })
        .await
        .unwrap();
    for (steps, plan) in costs {
        assert!(steps < FEW_STEPS, "{steps} steps: {plan}");
        // A scan of a partial index is one of what waits.
        let scans = plan.split("; ").filter(|line| line.starts_with("SCAN"));
        let scans: Vec<_> =
            scans.filter(|line| !line.contains("_waiting") && !line.contains("_work")).collect();
        assert!(scans.is_empty() && !plan.contains("FOR ORDER BY"), "{plan}");
    }
}

#[tokio::test]
async fn a_claim_beside_a_huge_backfill_finds_the_other_workspace() {
    let (_directory, store) = with_much_waiting().await;
    let lease = store.acquire_lease("one", Duration::from_hours(1)).await.unwrap();
    let claimed = store.claim_records(&lease, LATER, 32, 16).await.unwrap();
    let other = claimed.iter().filter(|claim| claim.workspace == WorkspaceId::new("other")).count();
    // Twelve of sixteen: a quarter of the room is for live work alone.
    assert_eq!((claimed.len(), other), (13, 1));
}

#[tokio::test]
async fn statements_are_compiled_once() {
    let (_directory, path) = directory();
    let locked = Locked::take(&path).unwrap();
    let mut connection = open_writer(locked.path()).unwrap();
    let compiled = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&compiled);
    // SQLite asks for permission whenever it compiles something.
    connection
        .authorizer(Some(move |_: AuthContext<'_>| {
            counted.fetch_add(1, Ordering::SeqCst);
            Authorization::Allow
        }))
        .unwrap();
    let store = SqliteStore::start(locked, connection, SqliteOptions::default()).unwrap();
    configure(&store, "acme").await;
    let lease = store.acquire_lease("one", Duration::from_hours(1)).await.unwrap();
    let mut after_warming_up = 0;
    for number in 0..20 {
        store.append_event(event(&format!("e{number}"), &format!("h{}", number % 3))).await.unwrap();
        store
            .mark(&connection_id("acme"), vec![mark(Side::Partner, "p")], Priority::Sweep, None)
            .await
            .unwrap();
        for claim in store.claim_records(&lease, LATER, 10, 10).await.unwrap() {
            let done = Completion::new(claim, Disposition::Done);
            store.complete_record(&lease, done).await.unwrap();
        }
        if number == 9 {
            after_warming_up = compiled.load(Ordering::SeqCst);
        }
    }
    assert!(after_warming_up > 0);
    assert_eq!(compiled.load(Ordering::SeqCst), after_warming_up);
}
