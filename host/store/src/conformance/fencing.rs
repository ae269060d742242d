//! Leases: who may work, and that nobody else can end that work.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use super::world::*;
use crate::*;

pub(super) async fn a_renewal_keeps_the_token_and_the_claims(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    let renewed = world.store.acquire_lease("one", LONG * 2).await.unwrap();
    assert_eq!(renewed.token, world.lease.token);
    assert!(renewed.expires_at > world.lease.expires_at);
    world.store.complete_record(&renewed, completion(claim, Disposition::Done)).await.unwrap();
}

pub(super) async fn nobody_takes_a_lease_that_is_held(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.event("e1", "h1").await;
    let empty = world.store.acquire_lease("intruder", LONG).await.unwrap();
    let refused = world.store.claim_records(&empty, LATER, 10, 10).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    assert_eq!(world.claim().await.len(), 1);
}

pub(super) async fn an_expired_lease_is_taken_over_and_the_old_one_is_fenced(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let old = world.store.acquire_lease("one", Duration::ZERO).await.unwrap();
    let seq = world.event("e1", "h1").await;
    let stale = world.claim_one().await;

    let new = world.store.acquire_lease("two", LONG).await.unwrap();
    assert!(new.token > old.token);
    let late = Completion {
        link: Some(link("h1", "p1")),
        run: Some(run(1)),
        ..completion(stale, Disposition::Done)
    };
    let error = world.store.complete_record(&old, late).await.unwrap_err();
    assert!(matches!(error, StoreError::Fenced { .. }), "{error}");
    assert_eq!(world.state(seq).await, EventState::Accepted);
    assert_eq!(
        world.store.link(&prefinery(), "contact", Side::Highlevel, &RecordId::new("h1")).await.unwrap(),
        None
    );
    assert_eq!(world.store.run(&run(1).id).await.unwrap(), None);
    let refused = world.store.claim_records(&old, LATER, 10, 10).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");

    let claim = world.store.claim_records(&new, LATER, 10, 10).await.unwrap().remove(0);
    world.store.complete_record(&new, completion(claim, Disposition::Done)).await.unwrap();
    assert_eq!(world.state(seq).await, EventState::Applied);
    let returned = world.store.acquire_lease("one", LONG).await.unwrap();
    assert!(returned.token > new.token, "an owner that lost its lease gets a new token");
}

pub(super) async fn a_released_lease_is_free_at_once(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    world.store.release_lease(&world.lease).await.unwrap();
    let refused = world.store.complete_record(&world.lease, completion(claim, Disposition::Done)).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    let next = world.store.acquire_lease("two", LONG).await.unwrap();
    assert_eq!(world.store.claim_records(&next, LATER, 10, 10).await.unwrap().len(), 1);
    // A late release of a lease that was lost long ago takes nothing away.
    world.store.release_lease(&world.lease).await.unwrap();
    assert_eq!(world.store.acquire_lease("two", LONG).await.unwrap().token, next.token);
}

pub(super) async fn claims_that_nobody_works_on_are_given_back_and_count_for_nothing(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    world.event("e1", "h1").await;
    world.append(webhook("w1")).await;
    let claim = world.claim_one().await;
    assert_eq!(world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap().len(), 1);
    assert!(world.store.claim_records(&world.lease, LATER, 10, 10).await.unwrap().is_empty());
    assert_eq!(world.store.claims(&world.lease).await.unwrap(), 2);
    assert_eq!(world.store.free_claims(&world.lease).await.unwrap(), 2);
    assert_eq!(world.store.claims(&world.lease).await.unwrap(), 0);
    assert_eq!(world.store.free_claims(&world.lease).await.unwrap(), 0);
    let again = world.claim_one().await;
    assert_eq!((&again.key, again.attempts), (&claim.key, claim.attempts));
    assert_eq!(world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap().len(), 1);
    world.complete(again, Disposition::Done).await;
    let lost = Lease { token: world.lease.token - 1, ..world.lease.clone() };
    assert!(matches!(world.store.free_claims(&lost).await, Err(StoreError::Fenced { .. })));
}

pub(super) async fn claims_of_a_crashed_process_are_given_out_again(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seq = world.event("e1", "h1").await;
    world.append(webhook("w1")).await;
    let claim = world.claim_one().await;
    assert_eq!(world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap().len(), 1);
    let old = world.lease.clone();

    // The lease is still running; a restarted process need not wait for its end.
    let world = world.restart().await;
    assert!(world.lease.token > old.token);
    let again = world.claim_one().await;
    assert_eq!((&again.key, &again.hints), (&claim.key, &claim.hints));
    assert_eq!(world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap().len(), 1);
    let refused = world.store.complete_record(&old, completion(claim, Disposition::Done)).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    world.complete(again, Disposition::Done).await;
    assert_eq!(world.state(seq).await, EventState::Applied);
}

pub(super) async fn nothing_can_be_completed_twice(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    world.complete(claim.clone(), Disposition::Retry { at: at(0), counts: false }).await;
    for disposition in [Disposition::Done, parked("late")] {
        let refused = world.store.complete_record(&world.lease, completion(claim.clone(), disposition)).await;
        assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    }
    assert_eq!(world.claim().await.len(), 1);
}
