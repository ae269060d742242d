//! What is left alone for a while.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use super::automations::delivery;
use super::world::*;
use crate::model::*;
use crate::{NewDelivery, automation_subject};

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn rest(subject: Option<&str>, until: Timestamp) -> Rest {
    Rest {
        connection: prefinery(),
        subject: subject.map(str::to_owned),
        class: FailureClass::Transient,
        reason: "answered 503".to_owned(),
        failures: 5,
        since: at(100),
        until,
    }
}

async fn claim_at(world: &World, now: Timestamp) -> Vec<String> {
    let claimed = world.store.claim_records(&world.lease, now, 100, 100).await.unwrap();
    let mut records: Vec<_> = claimed.iter().map(|c| format!("{} {}", c.key.entity, c.key.record)).collect();
    records.sort();
    records
}

async fn mark_entity(world: &World, entity: &str, record: &str) {
    let mark = Mark { entity: entity.to_owned(), ..mark(Side::Highlevel, record) };
    world.store.mark(&prefinery(), vec![mark], Priority::Webhook, None).await.unwrap();
}

pub(super) async fn a_rest_is_kept_over_a_restart_and_ends_once(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.store.put_rest(rest(Some("notes"), LATER)).await.unwrap();
    world.store.put_rest(rest(None, LATER)).await.unwrap();
    let longer = Rest { failures: 6, until: LATER + MINUTE, ..rest(Some("notes"), LATER) };
    world.store.put_rest(longer.clone()).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.store.rests(None).await.unwrap(), [rest(None, LATER), longer.clone()]);
    assert_eq!(world.store.rests(Some(&acme())).await.unwrap().len(), 2);
    assert!(world.store.end_rest(&prefinery(), None).await.unwrap());
    assert!(!world.store.end_rest(&prefinery(), None).await.unwrap());
    assert_eq!(world.store.rests(None).await.unwrap(), [longer]);
}

pub(super) async fn an_entity_that_rests_stops_no_other_and_one_record_tries_it(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for number in 0..3 {
        mark_entity(&world, "notes", &format!("n{number}")).await;
    }
    mark_entity(&world, "contact", "h1").await;
    world.store.put_rest(rest(Some("notes"), LATER + MINUTE)).await.unwrap();
    assert_eq!(claim_at(&world, LATER).await, ["contact h1"]);
    assert_eq!(world.store.next_due().await.unwrap(), Some(LATER + MINUTE));
    assert_eq!(claim_at(&world, LATER + MINUTE).await, ["notes n0"], "one of them, to try");
    let trial = SignedDuration::try_from(TRIAL).unwrap();
    assert_eq!(claim_at(&world, LATER + MINUTE).await, [] as [&str; 0]);
    assert_eq!(world.store.next_due().await.unwrap(), Some(LATER + MINUTE + trial));
    // Nothing came of it: the next one tries.
    assert_eq!(claim_at(&world, LATER + MINUTE + trial).await, ["notes n1"]);
    // That it ended without telling anything is no reason to wait.
    mark_entity(&world, "notes", "n9").await;
    world.store.next_trial(&prefinery(), "notes").await.unwrap();
    world.store.next_trial(&prefinery(), "notes").await.unwrap();
    assert_eq!(claim_at(&world, LATER + MINUTE + trial).await, ["notes n9"]);
    assert_eq!(claim_at(&world, LATER + MINUTE + trial).await, [] as [&str; 0]);
    // It works again, and nobody waits for the end of the trial.
    assert!(world.store.end_rest(&prefinery(), Some("notes")).await.unwrap());
    assert_eq!(claim_at(&world, LATER + MINUTE + trial).await, ["notes n2"]);
}

pub(super) async fn many_that_rest_hide_nobody_behind_them(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for number in 0..150 {
        mark_entity(&world, "notes", &format!("n{number}")).await;
    }
    mark_entity(&world, "contact", "h1").await;
    world.store.put_rest(rest(Some("notes"), LATER + MINUTE)).await.unwrap();
    let few = world.store.claim_records(&world.lease, LATER, 4, 100).await.unwrap();
    assert_eq!(few.len(), 1, "{few:?}");
    assert_eq!(few[0].key.entity, "contact");
}

pub(super) async fn a_connection_that_rests_gives_out_nothing_until_its_time(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    mark_entity(&world, "contact", "h1").await;
    world.append(webhook("w1")).await;
    world.store.put_rest(rest(None, LATER + MINUTE)).await.unwrap();
    assert_eq!(claim_at(&world, LATER).await, [] as [&str; 0]);
    assert!(world.store.claim_events(&world.lease, LATER, 9, 100).await.unwrap().is_empty());
    assert_eq!(world.store.next_due().await.unwrap(), Some(LATER + MINUTE));
    let then = LATER + MINUTE;
    assert_eq!(claim_at(&world, then).await, ["contact h1"]);
    assert_eq!(world.store.claim_events(&world.lease, then, 9, 100).await.unwrap().len(), 1);
}

pub(super) async fn webhooks_rest_by_themselves(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for key in ["w1", "w2"] {
        world.append(webhook(key)).await;
    }
    world.store.put_rest(rest(Some(WEBHOOK_ENTITY), LATER)).await.unwrap();
    let before = LATER - MINUTE;
    assert!(world.store.claim_events(&world.lease, before, 9, 100).await.unwrap().is_empty());
    assert_eq!(world.store.claim_events(&world.lease, LATER, 9, 100).await.unwrap().len(), 1, "one, to try");
    assert!(world.store.claim_events(&world.lease, LATER, 9, 100).await.unwrap().is_empty());
    world.store.end_rest(&prefinery(), Some(WEBHOOK_ENTITY)).await.unwrap();
    assert_eq!(world.store.claim_events(&world.lease, LATER, 9, 100).await.unwrap().len(), 1);
}

pub(super) async fn automations_of_one_kind_rest_and_those_of_another_go_on(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let of_kind =
        |kind: &str, key: String| NewDelivery { kind: kind.to_owned(), key, at: at(5), ..delivery("") };
    let mut all: Vec<_> = (0..150).map(|number| of_kind("NoteCreate", format!("n{number}"))).collect();
    all.push(of_kind("TaskCreate", "t".to_owned()));
    world.store.deliver(all).await.unwrap();
    let notes = automation_subject("NoteCreate");
    world.store.put_rest(rest(Some(&notes), LATER + MINUTE)).await.unwrap();
    let kinds = async |now: Timestamp| -> Vec<String> {
        let claimed = world.store.claim_deliveries(&world.lease, now, 4, 100).await.unwrap();
        claimed.into_iter().map(|delivery| delivery.kind).collect()
    };
    assert_eq!(kinds(LATER).await, ["TaskCreate"], "however many rest before it");
    assert_eq!(kinds(LATER).await, [] as [&str; 0]);
    assert_eq!(world.store.next_due().await.unwrap(), Some(LATER + MINUTE));
    assert_eq!(kinds(LATER + MINUTE).await, ["NoteCreate"], "one of them, to try");
    assert_eq!(kinds(LATER + MINUTE).await, [] as [&str; 0]);
    // It works again, and nobody waits for the end of the trial.
    assert!(world.store.end_rest(&prefinery(), Some(&notes)).await.unwrap());
    assert_eq!(kinds(LATER + MINUTE).await, ["NoteCreate"; 4]);
}
