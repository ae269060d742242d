//! The hot statements cost the same however much waits: counted in steps of SQLite's machine, not in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::{Connection, StatementStatus, ToSql};

use super::fixture::*;
use crate::sqlite::file::{Locked, open_writer};
use crate::sqlite::{Result, SqliteOptions, SqliteStore, deliveries, dirty, unread};
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

#[tokio::test]
async fn a_claim_beside_a_huge_backfill_finds_the_other_workspace() {
    let (_directory, store) = with_much_waiting().await;
    let lease = store.acquire_lease("one", Duration::from_hours(1)).await.unwrap();
    let claimed = store.claim_records(&lease, LATER, 32, 16, &[]).await.unwrap();
    let other = claimed.iter().filter(|claim| claim.workspace == WorkspaceId::new("other")).count();
    assert_eq!((claimed.len(), other), (17, 1));
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
        for claim in store.claim_records(&lease, LATER, 10, 10, &[]).await.unwrap() {
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
