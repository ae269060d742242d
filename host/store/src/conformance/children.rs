//! Links of child records, and what goes with them.

use std::sync::Arc;

use super::Engine;
use super::automations::delivery;
use super::world::*;
use crate::*;

fn child(highlevel: &str, partner: &str, parent: &str) -> Link {
    Link { entity: "task".to_owned(), parent: Some(RecordId::new(parent)), ..link(highlevel, partner) }
}

fn list(contact: &str, partner: &str) -> Link {
    Link { entity: "tasks".to_owned(), parent: Some(RecordId::new(contact)), ..link(contact, partner) }
}

impl World {
    /// Marks the list of a contact and ends its run like this.
    async fn run_of_list(&self, contact: &str, children: Vec<Link>, unlinked: Vec<Link>) {
        let mark = Mark { entity: "tasks".to_owned(), ..mark(Side::Highlevel, contact) };
        self.store.mark(&prefinery(), vec![mark], Priority::Sweep, None).await.unwrap();
        let claim = self.claim_one().await;
        let done = Completion {
            link: Some(list(contact, &format!("p-{contact}"))),
            children,
            unlinked,
            ..completion(claim, Disposition::Done)
        };
        self.store.complete_record(&self.lease, done).await.unwrap();
    }

    async fn children(&self, contact: &str) -> Vec<Link> {
        self.store.child_links(&prefinery(), "task", &RecordId::new(contact)).await.unwrap()
    }
}

pub(super) async fn children_are_written_with_the_run_of_their_list(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    // What two contacts' lists call their first element is nobody's business.
    world.run_of_list("h1", vec![child("t2", "2", "h1"), child("t1", "1", "h1")], vec![]).await;
    world.run_of_list("h2", vec![child("t3", "1", "h2")], vec![]).await;
    let world = world.restart().await;
    assert_eq!(world.children("h1").await, [child("t1", "1", "h1"), child("t2", "2", "h1")]);
    assert_eq!(world.children("h2").await, [child("t3", "1", "h2")]);
    let found = world.store.link(&prefinery(), "task", Side::Highlevel, &RecordId::new("t3")).await.unwrap();
    assert_eq!(found, Some(child("t3", "1", "h2")));

    let lost = Link { state: LinkState::PartnerDeleted, ..child("t2", "2", "h1") };
    world.run_of_list("h1", vec![lost.clone()], vec![child("t1", "1", "h1")]).await;
    assert_eq!(world.children("h1").await, [lost]);
    // Children and lists are no contacts.
    assert_eq!(world.store.links(&prefinery(), "contact", None, 10).await.unwrap(), []);
    assert_eq!(world.store.counts(None).await.unwrap().links, 0);

    // Two children of one contact cannot be one element of the partner, and nothing of the completion is written then.
    let mark = Mark { entity: "tasks".to_owned(), ..mark(Side::Highlevel, "h2") };
    world.store.mark(&prefinery(), vec![mark], Priority::Sweep, None).await.unwrap();
    let claim = world.claim_one().await;
    let twice = Completion {
        children: vec![child("t4", "4", "h2"), child("t5", "1", "h2")],
        ..completion(claim, Disposition::Done)
    };
    let refused = world.store.complete_record(&world.lease, twice).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(world.children("h2").await, [child("t3", "1", "h2")]);
}

pub(super) async fn contacts_are_found_by_when_their_children_take_place(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let visit =
        |id: &str, contact: &str, second| Link { occurs_at: Some(at(second)), ..child(id, id, contact) };
    world.run_of_list("h1", vec![visit("a1", "h1", 100), visit("a2", "h1", 110)], vec![]).await;
    world.run_of_list("h2", vec![visit("a3", "h2", 200), child("a4", "a4", "h2")], vec![]).await;
    let lost = Link { state: LinkState::PartnerDeleted, ..visit("a5", "h3", 105) };
    world.run_of_list("h3", vec![lost], vec![]).await;
    let world = world.restart().await;
    let connection = prefinery();
    let found = |from, until| world.store.occurring(&connection, "task", at(from), at(until));
    assert_eq!(found(100, 200).await.unwrap(), [RecordId::new("h1")]);
    assert_eq!(found(200, 201).await.unwrap(), [RecordId::new("h2")]);
    assert_eq!(found(111, 200).await.unwrap(), []);
    assert_eq!(world.children("h1").await[0].occurs_at, Some(at(100)));
    // It is moved.
    world.run_of_list("h1", vec![visit("a1", "h1", 150), visit("a2", "h1", 900)], vec![]).await;
    assert_eq!(found(111, 200).await.unwrap(), [RecordId::new("h1")]);
}

pub(super) async fn a_child_moves_to_the_parent_that_has_it_now(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.run_of_list("h1", vec![child("t1", "1", "h1")], vec![]).await;
    world.run_of_list("h2", vec![child("t1", "1", "h2")], vec![]).await;
    assert_eq!(world.children("h1").await, []);
    assert_eq!(world.children("h2").await, [child("t1", "1", "h2")]);
    // The old list learns later that it lost it: that takes it from nobody.
    world.run_of_list("h1", vec![], vec![child("t1", "1", "h1")]).await;
    assert_eq!(world.children("h2").await, [child("t1", "1", "h2")]);
}

pub(super) async fn marks_of_a_completion_are_dirty_afterwards(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    let claim = world.claim_one().await;
    let done = Completion {
        link: Some(link("h1", "p1")),
        marks: vec![Mark { entity: "tasks".to_owned(), ..mark(Side::Highlevel, "h1") }],
        ..completion(claim, Disposition::Done)
    };
    world.store.complete_record(&world.lease, done).await.unwrap();
    let claim = world.claim_one().await;
    assert_eq!((claim.key.entity.as_str(), claim.key.record.as_str()), ("tasks", "h1"));
    assert_eq!(claim.priority, Priority::Webhook);
}

pub(super) async fn what_a_walk_saw_is_kept_by_record(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seen = |record: &str, fingerprint: &str| Seen {
        record: RecordId::new(record),
        parent: RecordId::new("h1"),
        fingerprint: fingerprint.to_owned(),
    };
    let acme = acme();
    let put = |page| world.store.put_seen(&acme, "tasks", page);
    put(SeenPage { seen: vec![seen("t2", "b"), seen("t1", "a")], ..SeenPage::default() }).await.unwrap();
    let page = || SeenPage {
        seen: vec![seen("t2", "c")],
        gone: vec![RecordId::new("t1")],
        marks: vec![(prefinery(), mark(Side::Highlevel, "h1"))],
        deliveries: vec![delivery("edit")],
    };
    // What cannot be delivered is not seen either: the next walk meets it again.
    let mut refused = page();
    refused.deliveries[0].connection = ConnectionId::new("acme/nobody");
    put(refused).await.unwrap_err();
    assert_eq!(
        world.store.seen_of(&acme, "tasks", &RecordId::new("t2")).await.unwrap(),
        Some(seen("t2", "b"))
    );
    assert_eq!(put(page()).await.unwrap(), 1);
    assert_eq!(put(page()).await.unwrap(), 0, "its key is known");
    let world = world.restart().await;
    assert_eq!(world.store.seen(&acme, "tasks").await.unwrap(), [seen("t2", "c")]);
    assert_eq!(world.store.seen(&acme, "notes").await.unwrap(), []);
    // A webhook that shows such a record is stored together with what it shows.
    let shown = seen("t3", "d");
    world
        .append(NewEvent { seen: vec![("tasks".to_owned(), shown.clone())], ..event("e1", Vec::new()) })
        .await;
    assert_eq!(world.store.seen(&acme, "tasks").await.unwrap(), [seen("t2", "c"), shown]);
    assert_eq!(world.claim_one().await.key.record.as_str(), "h1");
}

pub(super) async fn a_connection_with_a_cadence_acts_at_its_next_multiple(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let schedule = Schedule { realtime: false, sweep_seconds: Some(600), ..Schedule::default() };
    let slow = Connection { schedule, ..connection("acme", "prefinery") };
    world.store.put_connection(slow).await.unwrap();
    world.event("e1", "h1").await;
    let due = world.store.next_due().await.unwrap().unwrap();
    assert_eq!(due.as_second() % 600, 0);
    let early = due - jiff::SignedDuration::from_secs(1);
    assert!(world.store.claim_records(&world.lease, early, 10, 10).await.unwrap().is_empty());
    assert_eq!(world.store.claim_records(&world.lease, due, 10, 10).await.unwrap().len(), 1);
}
