//! Webhooks of a partner, which their connector reads before anything is marked.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::world::*;
use crate::*;

async fn read_one(world: &World) -> ClaimedEvent {
    let mut claimed = world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap();
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0)
}

pub(super) async fn a_webhook_waits_for_its_connector_and_then_for_its_records(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let first = world.append(webhook("w1")).await;
    let second = world.append(webhook("w2")).await;
    let claimed = world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.event.seq).collect::<Vec<_>>(), [first, second]);
    assert_eq!((&claimed[0].connection, &claimed[0].workspace), (&prefinery(), &acme()));
    assert_eq!(claimed[0].event.body, webhook("w1").body);
    assert!(world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap().is_empty());
    assert!(world.claim().await.is_empty(), "nothing is marked yet");

    let marks = vec![mark(Side::Partner, "p1"), mark(Side::Partner, "p2")];
    let receive = Run { kind: RunKind::Receive, event: Some(first), ..run(1) };
    let reading = world.store.complete_event(
        &world.lease,
        first,
        Found { marks, ..Found::default() },
        Disposition::Done,
        Some(receive.clone()),
    );
    reading.await.unwrap();
    assert_eq!(world.store.run(&receive.id).await.unwrap(), Some(receive));
    assert_eq!(world.state(first).await, EventState::Accepted, "its records wait");
    let mut records = world.claim().await;
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].priority, Priority::Webhook);
    assert_eq!(records[0].hints[0].event, Some(first));
    world.complete(records.remove(0), Disposition::Done).await;
    assert_eq!(world.state(first).await, EventState::Accepted);
    world.complete(records.remove(0), Disposition::Done).await;
    assert_eq!(world.state(first).await, EventState::Applied);
    assert_eq!(world.state(second).await, EventState::Accepted);
}

pub(super) async fn a_webhook_without_changes_is_ignored(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seq = world.append(webhook("w1")).await;
    read_one(&world).await;
    world.store.complete_event(&world.lease, seq, Found::default(), Disposition::Done, None).await.unwrap();
    assert_eq!(world.state(seq).await, EventState::Ignored);
    assert_eq!(world.store.counts(None).await.unwrap().unread_events, 0);
}

pub(super) async fn a_webhook_that_cannot_be_read_is_retried_then_parked_then_retried_by_a_person(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let seq = world.append(webhook("w1")).await;
    read_one(&world).await;
    let retry = Disposition::Retry { at: at(500), counts: true };
    world.store.complete_event(&world.lease, seq, Found::default(), retry, None).await.unwrap();
    assert!(world.store.claim_events(&world.lease, at(499), 10, 100).await.unwrap().is_empty());
    assert_eq!(read_one(&world).await.attempts, 1);
    let parking =
        world.store.complete_event(&world.lease, seq, Found::default(), parked("a guest trapped"), None);
    parking.await.unwrap();
    assert_eq!(world.state(seq).await, EventState::Parked);
    assert!(world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap().is_empty());

    let listed = world.store.parked(&acme()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].key.entity.as_str(), listed[0].reason.as_str()),
        (WEBHOOK_ENTITY, "a guest trapped")
    );
    assert!(world.store.retry_parked(&listed[0].key, Priority::Interactive).await.unwrap());
    assert_eq!(world.state(seq).await, EventState::Accepted);
    assert!(world.store.parked(&acme()).await.unwrap().is_empty());
    assert_eq!(read_one(&world).await.event.seq, seq);
}

pub(super) async fn a_webhook_is_fenced_like_a_record(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let old = world.store.acquire_lease("one", Duration::ZERO).await.unwrap();
    let seq = world.append(webhook("w1")).await;
    read_one(&world).await;
    let new = world.store.acquire_lease("two", LONG).await.unwrap();
    let unreadable = vec![Run { id: RunId::new("unreadable"), ..run(2) }];
    let found = Found { marks: vec![mark(Side::Partner, "p1")], unreadable, ..Found::default() };
    let refused = world.store.complete_event(&old, seq, found.clone(), Disposition::Done, Some(run(1))).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    let unclaimed = world.store.complete_event(&new, seq, found, Disposition::Done, Some(run(1))).await;
    assert!(matches!(unclaimed, Err(StoreError::Fenced { .. })), "{unclaimed:?}");
    assert_eq!(world.store.run(&run(1).id).await.unwrap(), None);
    assert_eq!(world.store.counts(None).await.unwrap().dirty, 0);
    assert!(world.store.parked(&acme()).await.unwrap().is_empty());
    assert_eq!(world.store.claim_events(&new, LATER, 10, 100).await.unwrap().len(), 1);
}

pub(super) async fn what_cannot_be_read_is_parked_once_until_a_run_of_it_is_done(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let unreadable = |number: i64, reason: &str| Run {
        highlevel_id: None,
        summary: reason.to_owned(),
        outcome: RunOutcome::Parked,
        class: Some(FailureClass::Data),
        ..run(number)
    };
    let told = |run: Run| Found { unreadable: vec![run], ..Found::default() };
    let seq = world.append(webhook("w1")).await;
    read_one(&world).await;
    let first = told(unreadable(1, "`/id`: found 7"));
    world.store.complete_event(&world.lease, seq, first, Disposition::Done, None).await.unwrap();
    let again = told(unreadable(2, "`/id`: found 7"));
    world.store.mark_found(&prefinery(), again, Priority::Sweep, None).await.unwrap();
    let listed = world.store.parked(&acme()).await.unwrap();
    assert_eq!((listed.len(), listed[0].reason.as_str()), (1, "`/id`: found 7"));
    assert_eq!((listed[0].key.side, listed[0].key.record.as_str()), (Side::Partner, "p1"));
    assert_eq!(listed[0].run, Some(run(1).id));
    assert_eq!(world.store.run(&run(2).id).await.unwrap(), None, "it is listed for this reason already");

    let other = told(unreadable(3, "`/id`: found null"));
    world.store.mark_found(&prefinery(), other, Priority::Sweep, None).await.unwrap();
    assert_eq!(world.store.parked(&acme()).await.unwrap()[0].run, Some(run(3).id));

    let marks = vec![mark(Side::Partner, "p1")];
    world.store.mark(&prefinery(), marks, Priority::Sweep, None).await.unwrap();
    let claimed = world.claim().await.remove(0);
    world.complete(claimed, Disposition::Done).await;
    assert!(world.store.parked(&acme()).await.unwrap().is_empty(), "a good read releases it");
}
