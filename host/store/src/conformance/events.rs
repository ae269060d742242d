//! Appending events.

use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::*;

pub(super) async fn an_event_is_kept_as_it_came(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let appended = event("e1", vec![mark(Side::Highlevel, "h1")]);
    let seq = world.append(appended.clone()).await;
    let world = world.restart().await;
    let stored = world.store.event(seq).await.unwrap().unwrap();
    let expected = Event {
        seq,
        source: appended.source,
        workspace: appended.workspace,
        connection: None,
        key: appended.key,
        kind: appended.kind,
        received_at: appended.received_at,
        state: EventState::Accepted,
        body: appended.body,
        headers: appended.headers,
    };
    assert_eq!(stored, expected);
    let second = world.event("e2", "h1").await;
    assert!(second > seq);
    let listed = world.store.events(EventFilter::newest(&acme(), 10)).await.unwrap();
    assert_eq!(listed.iter().map(|event| event.seq).collect::<Vec<_>>(), [second, seq]);
    assert_eq!(world.store.events(EventFilter::newest(&acme(), 1)).await.unwrap().len(), 1);
}

pub(super) async fn a_key_is_taken_once_per_source_and_scope(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.add("other", "prefinery").await;
    world.event("e1", "h1").await;
    let again = event("e1", vec![mark(Side::Highlevel, "h2")]);
    assert_eq!(world.store.append_event(again.clone()).await.unwrap(), Accepted::Duplicate);
    assert_eq!(world.claim().await.len(), 1, "a duplicate marks nothing");

    let elsewhere = NewEvent {
        workspace: Some(WorkspaceId::new("other")),
        location: Some(LocationId::new("loc-other")),
        ..again.clone()
    };
    world.append(elsewhere).await;
    world.append(webhook("e1")).await;
    let other = NewEvent {
        connection: Some(ConnectionId::new("other/prefinery")),
        workspace: Some(WorkspaceId::new("other")),
        ..webhook("e1")
    };
    world.append(other).await;

    let world = world.restart().await;
    assert_eq!(world.store.append_event(again).await.unwrap(), Accepted::Duplicate);
    assert_eq!(world.store.append_event(webhook("e1")).await.unwrap(), Accepted::Duplicate);
}

pub(super) async fn an_event_marks_every_connection_that_is_not_switched_off(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let off = world.add("acme", "off").await;
    let paused = world.add("acme", "paused").await;
    for (id, state) in [(&off, ConnectionState::Disabled), (&paused, ConnectionState::Paused)] {
        world.store.set_connection_state(id, state, None).await.unwrap();
    }
    world.event("e1", "h1").await;
    assert_eq!(world.claim_one().await.key.connection, prefinery());
    for id in [&off, &paused] {
        world.store.set_connection_state(id, ConnectionState::Enabled, None).await.unwrap();
    }
    assert_eq!(world.claim_one().await.key.connection, paused);
}

pub(super) async fn an_event_that_marks_nothing_is_ignored_at_once(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let unknown_type = world.append(event("e1", Vec::new())).await;
    assert_eq!(world.state(unknown_type).await, EventState::Ignored);
    world.store.set_connection_state(&prefinery(), ConnectionState::Disabled, None).await.unwrap();
    let nobody_listens = world.event("e2", "h1").await;
    assert_eq!(world.state(nobody_listens).await, EventState::Ignored);
    let nobody_reads = world.append(webhook("e3")).await;
    assert_eq!(world.state(nobody_reads).await, EventState::Ignored);
    assert_eq!(world.store.counts(None).await.unwrap().dirty, 0);
}

pub(super) async fn an_event_of_an_unknown_location_is_held_until_a_workspace_is_bound(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let early = NewEvent {
        workspace: None,
        location: Some(LocationId::new("loc-new")),
        ..event("e1", vec![mark(Side::Highlevel, "h1")])
    };
    let Accepted::Held(seq) = world.store.append_event(early.clone()).await.unwrap() else {
        panic!("not held")
    };
    assert_eq!(world.state(seq).await, EventState::Held);
    assert_eq!(world.store.append_event(early).await.unwrap(), Accepted::Duplicate);
    assert_eq!(world.store.counts(None).await.unwrap().held, 1);

    world.add("new", "prefinery").await;
    let released = world.store.event(seq).await.unwrap().unwrap();
    assert_eq!((released.state, released.workspace), (EventState::Ignored, Some(WorkspaceId::new("new"))));
    assert_eq!(world.store.counts(None).await.unwrap().held, 0);
    assert!(world.claim().await.is_empty());
}

pub(super) async fn the_oldest_events_that_are_held_make_room_and_those_of_workspaces_stay(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let ours = world.event("ours", "h1").await;
    let held = async |location: &str, number: u32| {
        let early = NewEvent {
            workspace: None,
            location: Some(LocationId::new(location)),
            ..event(&format!("{location}-{number}"), Vec::new())
        };
        match world.store.append_event(early).await.unwrap() {
            Accepted::Held(seq) => seq,
            other => panic!("not held: {other:?}"),
        }
    };
    let count = async || world.store.counts(None).await.unwrap().held;
    let quiet = held("quiet", 0).await;
    let mut loud = Vec::new();
    for number in 0..HELD_OF_LOCATION + 2 {
        loud.push(held("loud", number).await);
    }
    assert_eq!(count().await, u64::from(HELD_OF_LOCATION) + 1);
    let mut kept = Vec::new();
    for seq in &loud {
        kept.push(world.store.event(*seq).await.unwrap().is_some());
    }
    assert!(!kept[0] && !kept[1] && kept[2..].iter().all(|kept| *kept), "{kept:?}");
    assert!(world.store.event(quiet).await.unwrap().is_some(), "a loud location takes no other one's room");

    // Of all together the oldest go, whosever they are.
    let mut appended = tokio::task::JoinSet::new();
    for number in 0..HELD {
        let early = NewEvent {
            workspace: None,
            location: Some(LocationId::new(format!("location-{number}"))),
            ..event(&format!("many-{number}"), Vec::new())
        };
        let store = Arc::clone(&world.store);
        appended.spawn(async move { store.append_event(early).await });
    }
    while let Some(accepted) = appended.join_next().await {
        let accepted = accepted.unwrap().unwrap();
        assert!(matches!(accepted, Accepted::Held(_)), "{accepted:?}");
    }
    assert_eq!(count().await, u64::from(HELD));
    assert_eq!(world.store.event(quiet).await.unwrap(), None);
    assert_eq!(world.state(ours).await, EventState::Accepted);
    assert_eq!(world.claim_one().await.key.record, RecordId::new("h1"));
}

pub(super) async fn an_event_finds_the_workspace_that_was_bound_meanwhile(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seq =
        world.append(NewEvent { workspace: None, ..event("e1", vec![mark(Side::Highlevel, "h1")]) }).await;
    assert_eq!(world.store.event(seq).await.unwrap().unwrap().workspace, Some(acme()));
    assert_eq!(world.claim_one().await.key.record, RecordId::new("h1"));
}

pub(super) async fn events_are_found_by_what_they_are_about_in_pages_newest_first(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let about = |key: &str, kind: &str, contact: &str, second| NewEvent {
        kind: kind.to_owned(),
        body: format!(r#"{{"id":"{contact}"}}"#).into_bytes(),
        received_at: at(second),
        ..event(key, vec![mark(Side::Highlevel, contact)])
    };
    let first = world.append(about("e1", "ContactCreate", "h1", 10)).await;
    let second = world.append(about("e2", "ContactUpdate", "h2", 20)).await;
    let third = world.append(about("e3", "ContactUpdate", "h1", 30)).await;
    let nothing = NewEvent { marks: Vec::new(), received_at: at(40), ..event("e4", Vec::new()) };
    let fourth = world.append(nothing).await;
    let webhook = world.append(NewEvent { received_at: at(50), ..webhook("w1") }).await;
    for claim in world.claim().await {
        let is_first = claim.key.record.as_str() == "h1";
        world.complete(claim, if is_first { Disposition::Done } else { parked("no") }).await;
    }
    let all = EventFilter::newest(&acme(), 10);
    let find = async |filter: EventFilter| -> Vec<EventSeq> {
        world.store.events(filter).await.unwrap().iter().map(|event| event.seq).collect()
    };
    assert_eq!(find(all.clone()).await, [webhook, fourth, third, second, first]);
    let of_h1 = EventFilter { record: Some(RecordId::new("h1")), ..all.clone() };
    assert_eq!(find(of_h1.clone()).await, [third, first]);
    assert_eq!(find(EventFilter { kind: Some("ContactUpdate".to_owned()), ..of_h1 }).await, [third]);
    for (state, expected) in [
        (EventState::Applied, vec![third]),
        (EventState::Superseded, vec![first]),
        (EventState::Parked, vec![second]),
        (EventState::Ignored, vec![fourth]),
        (EventState::Accepted, vec![webhook]),
    ] {
        assert_eq!(find(EventFilter { state: Some(state), ..all.clone() }).await, expected, "{state:?}");
        let listed = world.store.events(EventFilter { state: Some(state), ..all.clone() }).await.unwrap();
        assert!(listed.iter().all(|event| event.state == state), "{listed:?}");
    }
    assert_eq!(find(EventFilter { since: Some(at(40)), ..all.clone() }).await, [webhook, fourth]);
    assert_eq!(find(EventFilter { before: Some(third), limit: 1, ..all }).await, [second]);
    let other = EventFilter::newest(&WorkspaceId::new("other"), 10);
    assert_eq!(find(other).await, []);
}
