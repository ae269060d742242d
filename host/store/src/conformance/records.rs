//! The life of a dirty record: marks, hints, retries, parking.

use std::sync::Arc;

use contactor_sync::{Fields, Value};

use super::Engine;
use super::world::*;
use crate::*;

pub(super) async fn many_marks_are_one_run_and_every_event_ends_once(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let snapshot = Some(Fields::from([("firstName".to_owned(), Value::from("Ann"))]));
    let first = world
        .append(event("e1", vec![Mark { snapshot: snapshot.clone(), ..mark(Side::Highlevel, "h1") }]))
        .await;
    let second = world.append(event("e2", vec![Mark { deleted: true, ..mark(Side::Highlevel, "h1") }])).await;
    world.mark(Side::Highlevel, "h1", Priority::Sweep).await;

    let claim = world.claim_one().await;
    let hint =
        |event, snapshot, deleted| Hint { event, side: Side::Highlevel, snapshot, deleted, asked: false };
    let expected =
        [hint(Some(first), snapshot, false), hint(Some(second), None, true), hint(None, None, false)];
    assert_eq!(claim.hints, expected);
    assert_eq!((claim.priority, claim.attempts, claim.first_marked_at), (Priority::Webhook, 0, at(10)));
    assert_eq!((claim.workspace.clone(), claim.link.clone()), (acme(), None));
    for seq in [first, second] {
        assert_eq!(world.state(seq).await, EventState::Accepted);
    }
    world.complete(claim, Disposition::Done).await;
    assert_eq!(world.state(first).await, EventState::Superseded);
    assert_eq!(world.state(second).await, EventState::Applied);
    assert!(world.claim().await.is_empty());
}

pub(super) async fn a_mark_during_the_run_keeps_the_record_dirty(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let before = world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    let during = world.event("e2", "h1").await;
    assert!(world.claim().await.is_empty(), "it is in flight");
    world.complete(claim, Disposition::Done).await;
    assert_eq!(world.state(before).await, EventState::Applied);
    assert_eq!(world.state(during).await, EventState::Accepted);

    let again = world.claim_one().await;
    assert_eq!(again.hints.iter().map(|hint| hint.event).collect::<Vec<_>>(), [Some(during)]);
    // The same while it is parked.
    let later = world.event("e3", "h1").await;
    world.complete(again, parked("no")).await;
    assert_eq!(world.state(during).await, EventState::Parked);
    let last = world.claim_one().await;
    assert_eq!(last.hints.len(), 1);
    world.complete(last, Disposition::Done).await;
    assert_eq!(world.state(later).await, EventState::Applied);
    // A mark without an event counts as well.
    world.event("e4", "h1").await;
    let claim = world.claim_one().await;
    world.mark(Side::Highlevel, "h1", Priority::Sweep).await;
    world.complete(claim, Disposition::Done).await;
    assert_eq!(world.claim_one().await.priority, Priority::Sweep);
}

pub(super) async fn a_retry_waits_and_counts_only_when_told(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seq = world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    world.complete(claim, Disposition::Retry { at: at(500), counts: true }).await;
    let claim_at = |now| world.store.claim_records(&world.lease, now, 10, 10);
    assert!(claim_at(at(499)).await.unwrap().is_empty());
    assert_eq!(world.state(seq).await, EventState::Accepted);

    let claim = claim_at(at(500)).await.unwrap().remove(0);
    assert_eq!((claim.attempts, claim.hints.len()), (1, 1));
    world.complete(claim, Disposition::Retry { at: at(600), counts: false }).await;
    let claim = claim_at(at(600)).await.unwrap().remove(0);
    assert_eq!(claim.attempts, 1);
    world.complete(claim, Disposition::Done).await;
    world.event("e2", "h1").await;
    assert_eq!(world.claim_one().await.attempts, 0, "a success forgets the failures");
}

pub(super) async fn a_mark_does_not_shorten_a_back_off_but_a_person_does(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.event("e1", "h1").await;
    world.complete(world.claim_one().await, Disposition::Retry { at: LATER, counts: true }).await;
    world.event("e2", "h1").await;
    let soon = at(1_000);
    assert!(world.store.claim_records(&world.lease, soon, 10, 10).await.unwrap().is_empty());
    world.mark(Side::Highlevel, "h1", Priority::Interactive).await;
    let claim = world.claim_one().await;
    assert_eq!((claim.priority, claim.hints.len()), (Priority::Interactive, 3));

    // A backfill that waits for a quota does not hold a webhook back.
    world.mark(Side::Highlevel, "h2", Priority::Backfill).await;
    world.complete(world.claim_one().await, Disposition::Retry { at: LATER, counts: false }).await;
    world.event("e3", "h2").await;
    let claimed = world.store.claim_records(&world.lease, soon, 10, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].priority, Priority::Webhook);
}

pub(super) async fn a_parked_record_is_listed_and_can_be_retried(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seq = world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    let key = claim.key.clone();
    let run = Run { outcome: RunOutcome::Parked, class: Some(FailureClass::Data), ..run(30) };
    let parking = Completion { run: Some(run.clone()), ..completion(claim, parked("email is invalid")) };
    world.store.complete_record(&world.lease, parking).await.unwrap();
    assert_eq!(world.state(seq).await, EventState::Parked);
    assert!(world.claim().await.is_empty());

    let world = world.restart().await;
    let listed = world.store.parked(&acme()).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].key, &listed[0].workspace), (&key, &acme()));
    assert_eq!((listed[0].reason.as_str(), &listed[0].run), ("email is invalid", &Some(run.id)));

    assert!(world.store.retry_parked(&key, Priority::Interactive).await.unwrap());
    assert!(!world.store.retry_parked(&key, Priority::Interactive).await.unwrap(), "once is enough");
    assert!(world.store.parked(&acme()).await.unwrap().is_empty());
    let claim = world.claim_one().await;
    assert_eq!((claim.key.clone(), claim.priority), (key, Priority::Interactive));
    world.complete(claim, Disposition::Done).await;
    assert_eq!(world.state(seq).await, EventState::Parked, "how an event ended does not change");
}

pub(super) async fn a_parked_record_that_succeeds_later_leaves_the_list(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.mark(Side::Partner, "p1", Priority::Webhook).await;
    world.complete(world.claim_one().await, parked("no")).await;
    assert_eq!(world.store.counts(None).await.unwrap().parked, 1);
    // Its next mark does it again, and the list follows even when it got another address meanwhile.
    world.mark(Side::Partner, "p1", Priority::Webhook).await;
    let claim = world.claim_one().await;
    let done = Completion { link: Some(link("h1", "p1")), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    assert!(world.store.parked(&acme()).await.unwrap().is_empty());
}

pub(super) async fn too_many_hints_become_one_that_forces_a_read(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let snapshot = Some(Fields::from([("firstName".to_owned(), Value::from("Ann"))]));
    let mut seqs = Vec::new();
    for number in 0..200 {
        let marks = vec![Mark { snapshot: snapshot.clone(), ..mark(Side::Highlevel, "h1") }];
        seqs.push(world.append(event(&format!("e{number}"), marks)).await);
        world.mark(Side::Highlevel, "h1", Priority::Sweep).await;
    }
    let newest = seqs.pop().unwrap();
    let claim = world.claim_one().await;
    let only =
        Hint { event: Some(newest), side: Side::Highlevel, snapshot: None, deleted: false, asked: false };
    assert_eq!(claim.hints, [only]);
    world.complete(claim, Disposition::Done).await;
    assert_eq!(world.state(newest).await, EventState::Applied);
    for seq in seqs {
        assert_eq!(world.state(seq).await, EventState::Superseded);
    }
    assert!(world.claim().await.is_empty());
}

pub(super) async fn a_cursor_moves_only_together_with_its_marks(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let cursor = |connection: ConnectionId| Cursor {
        connection,
        stream: "backfill".to_owned(),
        cursor: Some("page-2".to_owned()),
        done: false,
        seen: 100,
        total: Some(250),
        updated_at: at(7),
        trouble: Some(Trouble { failures: 3, retry_at: at(9), problem: "503".to_owned() }),
    };
    let marks = vec![mark(Side::Highlevel, "h1"), mark(Side::Highlevel, "h2")];
    let moved = cursor(prefinery());
    world.store.mark(&prefinery(), marks.clone(), Priority::Backfill, Some(moved.clone())).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.store.cursor(&prefinery(), "backfill").await.unwrap(), Some(moved));
    assert_eq!(world.claim().await.len(), 2);

    let other = world.add("acme", "other").await;
    let refused = world.store.mark(&other, marks, Priority::Backfill, Some(cursor(prefinery()))).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    assert!(world.claim().await.is_empty(), "a refused page marks nothing");
}

pub(super) async fn events_on_several_connections_are_as_finished_as_the_least(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.add("acme", "other").await;
    let seq = world.event("e1", "h1").await;
    let mut claimed = world.claim().await;
    assert_eq!(claimed.len(), 2);
    world.complete(claimed.remove(0), Disposition::Done).await;
    assert_eq!(world.state(seq).await, EventState::Accepted);
    world.complete(claimed.remove(0), parked("no")).await;
    assert_eq!(world.state(seq).await, EventState::Parked);
}

pub(super) async fn what_a_person_has_done_again_says_so_until_it_is_done(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.mark(Side::Highlevel, "h1", Priority::Sweep).await;
    let claim = world.claim_one().await;
    assert!(claim.hints.iter().all(|hint| !hint.asked), "{claim:?}");
    let key = claim.key.clone();
    world.complete(claim, parked("no")).await;
    assert!(world.store.retry_parked(&key, Priority::Sweep).await.unwrap());
    let world = world.restart().await;
    let claim = world.claim_one().await;
    assert!(claim.priority == Priority::Sweep && claim.hints.iter().all(|hint| hint.asked), "{claim:?}");
    world.complete(claim, Disposition::Done).await;
    world.mark(Side::Highlevel, "h1", Priority::Sweep).await;
    assert!(world.claim_one().await.hints.iter().all(|hint| !hint.asked));
}
