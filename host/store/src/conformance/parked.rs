//! What a person must look at, by its cause.

use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::model::*;

async fn park(world: &World, record: &str, class: FailureClass, reason: &str) {
    world.mark(Side::Highlevel, record, Priority::Sweep).await;
    let parked = Disposition::Parked { class, reason: reason.to_owned() };
    world.complete(world.claim_one().await, parked).await;
}

pub(super) async fn what_is_parked_for_one_cause_is_a_group(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for record in ["h1", "h2", "h3"] {
        let reason = format!("the partner refused email: {record}@example.com is taken");
        park(&world, record, FailureClass::Data, &reason).await;
    }
    park(&world, "h4", FailureClass::Config, "no such field").await;
    let world = world.restart().await;
    let groups = world.store.parked_groups(&acme()).await.unwrap();
    let shown: Vec<_> =
        groups.iter().map(|group| (group.count, group.of.class, group.of.cause.as_str())).collect();
    let cause = "the partner refused email: … is taken";
    assert_eq!(shown, [(3, FailureClass::Data, cause), (1, FailureClass::Config, "no such field")]);
    assert_eq!(groups[0].example, "the partner refused email: h3@example.com is taken");
    assert!(groups[0].oldest <= groups[0].newest);

    let of = world.store.parked_of(&groups[0].of, 2).await.unwrap();
    assert_eq!(of.iter().map(|entry| entry.key.record.as_str()).collect::<Vec<_>>(), ["h1", "h2"]);
    assert_eq!((of[0].class, of[0].cause.as_str()), (FailureClass::Data, cause));
    assert!(of[0].reason.contains("h1@example.com"), "the reason is whole: {}", of[0].reason);

    // One that is parked for another reason leaves its group.
    park(&world, "h1", FailureClass::Config, "no such field").await;
    let groups = world.store.parked_groups(&acme()).await.unwrap();
    assert_eq!(groups.iter().map(|group| group.count).collect::<Vec<_>>(), [2, 2]);
}

pub(super) async fn what_is_discarded_is_not_done_until_it_is_marked_again(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    park(&world, "h1", FailureClass::Data, "no").await;
    let key = world.store.parked(&acme()).await.unwrap()[0].key.clone();
    assert!(world.store.discard_parked(&key).await.unwrap());
    assert!(!world.store.discard_parked(&key).await.unwrap(), "once is enough");
    assert!(world.store.parked(&acme()).await.unwrap().is_empty());
    assert!(world.claim().await.is_empty());
    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    assert_eq!(world.claim().await.len(), 1);
}

pub(super) async fn a_webhook_that_is_discarded_is_ignored(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seq = world.append(webhook("w1")).await;
    let claimed = world.store.claim_events(&world.lease, LATER, 9, 100).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let done =
        world.store.complete_event(&world.lease, seq, crate::Found::default(), parked("trapped"), None);
    done.await.unwrap();
    let key = world.store.parked(&acme()).await.unwrap()[0].key.clone();
    assert!(world.store.discard_parked(&key).await.unwrap());
    assert_eq!(world.state(seq).await, EventState::Ignored);
    assert!(world.store.claim_events(&world.lease, LATER, 9, 100).await.unwrap().is_empty());
}
