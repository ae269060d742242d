//! Who gets work, and how much.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::*;

pub(super) async fn a_claimed_record_is_not_given_out_again(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.event("e1", "h1").await;
    world.event("e2", "h2").await;
    let some = world.store.claim_records(&world.lease, LATER, 1, 100).await.unwrap();
    let rest = world.claim().await;
    assert_eq!((some.len(), rest.len()), (1, 1));
    assert_ne!(some[0].key, rest[0].key);
    world.store.acquire_lease("one", LONG).await.unwrap();
    assert!(world.claim().await.is_empty(), "not even after the lease was renewed");
}

pub(super) async fn urgent_work_goes_first_then_older_work(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.mark(Side::Highlevel, "backfill", Priority::Backfill).await;
    world.mark(Side::Highlevel, "sweep", Priority::Sweep).await;
    for (contact, seconds) in [("second", 50), ("first", 40), ("third", 60)] {
        let marks = vec![mark(Side::Highlevel, contact)];
        world.append(NewEvent { received_at: at(seconds), ..event(contact, marks) }).await;
    }
    world.mark(Side::Highlevel, "interactive", Priority::Interactive).await;
    let order: Vec<_> = world.claim().await.into_iter().map(|claim| claim.key.record.to_string()).collect();
    assert_eq!(order, ["interactive", "first", "second", "third", "sweep", "backfill"]);
}

pub(super) async fn only_enabled_connections_get_work(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.event("e1", "h1").await;
    world.append(webhook("w1")).await;
    for state in [ConnectionState::Disabled, ConnectionState::Paused, ConnectionState::NeedsReconnect] {
        world.store.set_connection_state(&prefinery(), state, Some("why".to_owned())).await.unwrap();
        assert!(world.claim().await.is_empty(), "{state:?}");
        assert!(
            world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap().is_empty(),
            "{state:?}"
        );
        assert_eq!(world.store.next_due().await.unwrap(), None, "{state:?}");
    }
    world.store.set_connection_state(&prefinery(), ConnectionState::Enabled, None).await.unwrap();
    assert_eq!(world.claim().await.len(), 1);
    assert_eq!(world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap().len(), 1);
}

/// Marks `count` records of a connection for a backfill.
async fn backfill(world: &World, connection: &ConnectionId, count: u32) {
    let marks = (0..count).map(|number| mark(Side::Highlevel, &format!("h{number:06}"))).collect();
    world.store.mark(connection, marks, Priority::Backfill, None).await.unwrap();
}

fn per_workspace(claimed: &[ClaimedRecord]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for claim in claimed {
        *counts.entry(claim.workspace.as_str()).or_default() += 1;
    }
    counts
}

pub(super) async fn a_workspace_has_at_most_its_share_in_flight(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let second = world.add("acme", "second").await;
    let other = world.add("other", "prefinery").await;
    for connection in [&prefinery(), &second, &other] {
        backfill(&world, connection, 50).await;
    }
    let claim = |limit| world.store.claim_records(&world.lease, LATER, limit, 8);
    let mut claimed = claim(100).await.unwrap();
    // Of eight, live work has two for itself.
    assert_eq!(per_workspace(&claimed), BTreeMap::from([("acme", 6), ("other", 6)]));
    assert!(claim(100).await.unwrap().is_empty(), "what is in flight counts");

    let done = claimed.iter().position(|claim| claim.workspace == acme()).unwrap();
    world.complete(claimed.remove(done), Disposition::Done).await;
    assert_eq!(per_workspace(&claim(100).await.unwrap()), BTreeMap::from([("acme", 1)]));
}

pub(super) async fn a_workspace_has_at_most_its_share_of_webhooks_in_flight(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let second = world.add("acme", "second").await;
    let other = world.add("other", "prefinery").await;
    for (workspace, connection) in [("acme", prefinery()), ("acme", second), ("other", other)] {
        for number in 0..10 {
            let key = format!("{connection}:{number}");
            let (workspace, connection) = (Some(WorkspaceId::new(workspace)), Some(connection.clone()));
            world.append(NewEvent { workspace, connection, ..webhook(&key) }).await;
        }
    }
    let claim = |limit| world.store.claim_events(&world.lease, LATER, limit, 8);
    let claimed = claim(100).await.unwrap();
    let of = |workspace: &str| claimed.iter().filter(|one| one.workspace.as_str() == workspace).count();
    assert_eq!((of("acme"), of("other")), (8, 8));
    assert!(claim(100).await.unwrap().is_empty(), "what is in flight counts");

    let done = claimed.iter().find(|one| one.workspace == acme()).unwrap().event.seq;
    let end = world.store.complete_event(&world.lease, done, Found::default(), Disposition::Done, None);
    end.await.unwrap();
    let next = claim(100).await.unwrap();
    assert_eq!(next.iter().map(|one| one.workspace.as_str()).collect::<Vec<_>>(), ["acme"]);
}

pub(super) async fn background_work_leaves_room_to_live_work(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    backfill(&world, &prefinery(), 50).await;
    let claim = || world.store.claim_records(&world.lease, LATER, 100, 8);
    assert_eq!(claim().await.unwrap().len(), 6);
    for (name, waits) in [("e1", false), ("e2", false), ("e3", true)] {
        world.event(name, name).await;
        let claimed: Vec<_> = claim().await.unwrap().into_iter().map(|claim| claim.key.record).collect();
        let expected = if waits { Vec::new() } else { vec![RecordId::new(name)] };
        assert_eq!(claimed, expected);
    }
}

pub(super) async fn a_backfill_does_not_keep_another_workspace_waiting(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("other", "prefinery").await;
    backfill(&world, &prefinery(), 2_000).await;
    backfill(&world, &other, 3).await;
    let marks = vec![mark(Side::Highlevel, "live")];
    let live =
        NewEvent { workspace: Some(WorkspaceId::new("other")), location: None, ..event("live", marks) };
    world.append(live).await;
    let claimed = world.store.claim_records(&world.lease, LATER, 6, 100).await.unwrap();
    assert_eq!(claimed[0].key.record, RecordId::new("live"));
    assert_eq!(per_workspace(&claimed)["other"], 3, "{claimed:?}");
}

pub(super) async fn connections_take_turns(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let mut served = BTreeMap::new();
    for name in ["b", "c", "d"] {
        backfill(&world, &world.add(name, "prefinery").await, 20).await;
    }
    backfill(&world, &prefinery(), 20).await;
    for _ in 0..20 {
        let claimed = world.store.claim_records(&world.lease, LATER, 1, 100).await.unwrap();
        *served.entry(claimed[0].workspace.to_string()).or_insert(0) += 1;
    }
    assert!(served.len() == 4 && served.values().all(|count| *count == 5), "{served:?}");
}

pub(super) async fn next_due_tells_when_to_look_again(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    assert_eq!(world.store.next_due().await.unwrap(), None);
    world.event("e1", "h1").await;
    assert_eq!(world.store.next_due().await.unwrap(), Some(at(10)));
    let claim = world.claim_one().await;
    assert_eq!(world.store.next_due().await.unwrap(), None, "what is in flight is not due");
    world.complete(claim, Disposition::Retry { at: at(900), counts: true }).await;
    assert_eq!(world.store.next_due().await.unwrap(), Some(at(900)));
    world.append(webhook("w1")).await;
    assert_eq!(world.store.next_due().await.unwrap(), Some(at(10)));
}
