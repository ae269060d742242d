//! Runs and counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::*;

pub(super) async fn a_run_is_listed_without_and_shown_with_its_calls(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let failed = Run {
        outcome: RunOutcome::Parked,
        class: Some(FailureClass::GuestBug),
        highlevel_id: None,
        event: Some(EventSeq(5)),
        ..run(2)
    };
    for run in [run(1), failed.clone()] {
        world.store.put_run(run).await.unwrap();
    }
    let taken = world.store.put_run(run(1)).await;
    assert!(matches!(taken, Err(StoreError::Conflict { .. })), "{taken:?}");
    let world = world.restart().await;
    assert_eq!(world.store.run(&run(1).id).await.unwrap(), Some(run(1)));
    assert_eq!(world.store.run(&failed.id).await.unwrap(), Some(failed.clone()));
    let listed = world.store.runs(RunFilter { limit: 10, ..RunFilter::default() }).await.unwrap();
    let without_calls = |run: Run| Run { calls: Vec::new(), ..run };
    assert_eq!(listed, [without_calls(failed), without_calls(run(1))]);
}

pub(super) async fn a_run_of_the_host_itself_belongs_to_a_workspace_and_to_no_connection(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let own = Run { connection: ConnectionId::of_highlevel(&acme()), ..run(2) };
    for run in [run(1), own.clone()] {
        world.store.put_run(run).await.unwrap();
    }
    assert_eq!(world.store.run(&own.id).await.unwrap(), Some(own.clone()));
    let find = async |filter: RunFilter| -> Vec<RunId> {
        let found = world.store.runs(RunFilter { limit: 10, ..filter }).await.unwrap();
        found.into_iter().map(|run| run.id).collect()
    };
    let of = |connection: &ConnectionId| RunFilter {
        connection: Some(connection.clone()),
        ..RunFilter::default()
    };
    assert_eq!(find(of(&own.connection)).await, std::slice::from_ref(&own.id));
    assert_eq!(find(of(&run(1).connection)).await, [run(1).id]);
    assert_eq!(
        find(RunFilter { workspace: Some(acme()), ..RunFilter::default() }).await,
        [own.id, run(1).id]
    );
    let stranger = WorkspaceId::new("stranger");
    let lost = Run { connection: ConnectionId::of_highlevel(&stranger), workspace: stranger, ..run(3) };
    assert!(matches!(world.store.put_run(lost).await, Err(StoreError::NotFound { .. })));
    let foreign = Run { connection: ConnectionId::of_highlevel(&WorkspaceId::new("other")), ..run(4) };
    assert!(matches!(world.store.put_run(foreign).await, Err(StoreError::Invalid(_))));
}

pub(super) async fn runs_are_found_by_either_id_in_pages_newest_first(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("other", "prefinery").await;
    let (h1, p1) = (Some(RecordId::new("h1")), Some(RecordId::new("p1")));
    let runs = [
        Run { partner_id: None, ..run(1) },
        Run { highlevel_id: None, ..run(2) },
        Run { outcome: RunOutcome::Unchanged, ..run(3) },
        Run { highlevel_id: Some(RecordId::new("h2")), partner_id: None, ..run(4) },
        Run { workspace: WorkspaceId::new("other"), connection: other.clone(), ..run(5) },
    ];
    for run in runs {
        world.store.put_run(run).await.unwrap();
    }
    let find = async |filter: RunFilter| -> Vec<String> {
        let limit = if filter.limit == 0 { 10 } else { filter.limit };
        let found = world.store.runs(RunFilter { limit, ..filter }).await.unwrap();
        found.iter().map(|run| run.id.as_str().trim_start_matches("0190-0000000").to_owned()).collect()
    };
    let all = RunFilter::default;
    assert_eq!(find(all()).await, ["5", "4", "3", "2", "1"]);
    assert_eq!(find(RunFilter { workspace: Some(acme()), ..all() }).await, ["4", "3", "2", "1"]);
    assert_eq!(find(RunFilter { connection: Some(other), ..all() }).await, ["5"]);
    let in_acme = || RunFilter { workspace: Some(acme()), ..all() };
    assert_eq!(find(RunFilter { record: h1, ..in_acme() }).await, ["3", "1"]);
    assert_eq!(find(RunFilter { record: p1.clone(), ..in_acme() }).await, ["3", "2"]);
    assert_eq!(find(RunFilter { record: p1, ..all() }).await, ["5", "3", "2"]);
    assert_eq!(find(RunFilter { outcome: Some(RunOutcome::Unchanged), ..all() }).await, ["3"]);
    assert_eq!(find(RunFilter { limit: 2, ..all() }).await, ["5", "4"]);
    assert_eq!(find(RunFilter { limit: 2, before: Some(run(4).id), ..all() }).await, ["3", "2"]);
    assert_eq!(find(RunFilter { limit: 2, before: Some(run(2).id), ..all() }).await, ["1"]);
}

pub(super) async fn contacts_that_only_a_walk_found_are_counted_once_within_their_time(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let other = world.add("acme", "connectif").await;
    let told = vec![FieldChange {
        side: Side::Partner,
        field: "email".to_owned(),
        before: serde_json::Value::Null,
        after: "ann@example.com".into(),
    }];
    let found = |number, minute| Run {
        cause: Some(RunCause::HighlevelWalk),
        outcome: RunOutcome::Applied,
        highlevel_id: Some(RecordId::new("h1")),
        started_at: at(minute),
        changes: told.clone(),
        ..run(number)
    };
    let in_highlevel = vec![FieldChange { side: Side::Highlevel, ..told[0].clone() }];
    let runs = [
        found(1, 100),
        Run { connection: other, ..found(2, 101) },
        Run { highlevel_id: Some(RecordId::new("h2")), ..found(3, 50) },
        Run { highlevel_id: Some(RecordId::new("h3")), cause: Some(RunCause::Person), ..found(4, 102) },
        Run { highlevel_id: Some(RecordId::new("h4")), changes: in_highlevel, ..found(5, 102) },
        Run { highlevel_id: Some(RecordId::new("h5")), outcome: RunOutcome::Parked, ..found(6, 102) },
        Run { highlevel_id: Some(RecordId::new("h6")), entity: Some("tasks".to_owned()), ..found(7, 102) },
    ];
    for run in runs {
        world.store.put_run(run).await.unwrap();
    }
    let world = world.restart().await;
    assert_eq!(world.store.found_by_walk(&acme(), at(49)).await.unwrap(), 2);
    assert_eq!(world.store.found_by_walk(&acme(), at(50)).await.unwrap(), 1);
    assert_eq!(world.store.found_by_walk(&acme(), at(101)).await.unwrap(), 0);
}

pub(super) async fn counts_follow_what_happens(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("other", "prefinery").await;
    assert_eq!(world.store.counts(None).await.unwrap(), Counts::default());
    world.link("h1", "p1").await;
    world.event("e1", "h2").await;
    let claim = world.claim_one().await;
    let parking = Completion {
        run: Some(Run { outcome: RunOutcome::Parked, ..run(1) }),
        ..completion(claim, parked("no"))
    };
    world.store.complete_record(&world.lease, parking).await.unwrap();
    world.append(NewEvent { received_at: at(77), ..event("e2", vec![mark(Side::Highlevel, "h3")]) }).await;
    world.append(webhook("w1")).await;
    let elsewhere =
        NewEvent { workspace: None, location: Some(LocationId::new("nowhere")), ..event("e3", Vec::new()) };
    assert!(matches!(world.store.append_event(elsewhere).await.unwrap(), Accepted::Held(_)));

    let expected = Counts {
        deliveries: 0,
        messages: 0,
        dirty: 1,
        unread_events: 1,
        parked: 1,
        held: 0,
        links: 1,
        runs: BTreeMap::from([("parked".to_owned(), 1)]),
        oldest_dirty: Some(at(77)),
        oldest_live: Some(at(77)),
        oldest_delivery: None,
    };
    assert_eq!(world.store.counts(Some(&acme())).await.unwrap(), expected);
    assert_eq!(world.store.waiting(&prefinery()).await.unwrap(), expected.dirty);
    assert_eq!(world.store.waiting(&other).await.unwrap(), 0, "what one connection waits with is its own");
    assert_eq!(world.store.counts_of(&prefinery()).await.unwrap(), expected);
    assert_eq!(world.store.counts(None).await.unwrap(), Counts { held: 1, ..expected });
    assert_eq!(world.store.counts(Some(&WorkspaceId::new("other"))).await.unwrap(), Counts::default());
    assert_eq!(world.store.counts_of(&other).await.unwrap(), Counts::default());
}

pub(super) async fn the_age_of_what_waits_tells_live_changes_and_automations_from_a_first_sync(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let ages = async || {
        let counts = world.store.counts_of(&prefinery()).await.unwrap();
        (counts.oldest_dirty.is_some(), counts.oldest_live.is_some(), counts.oldest_delivery.is_some())
    };
    assert_eq!(ages().await, (false, false, false));
    world.mark(Side::Highlevel, "h1", Priority::Backfill).await;
    assert_eq!(ages().await, (true, false, false));
    world.mark(Side::Highlevel, "h2", Priority::Sweep).await;
    assert_eq!(ages().await, (true, true, false));
    world.store.deliver(vec![super::automations::delivery("k1")]).await.unwrap();
    assert_eq!(ages().await, (true, true, true));
}
