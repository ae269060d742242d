//! Links, and records that have two ids.

use std::sync::Arc;

use super::Engine;
use super::world::*;
use crate::*;

async fn linked(world: &World, side: Side, record: &str) -> Option<Link> {
    world.store.link(&prefinery(), "contact", side, &RecordId::new(record)).await.unwrap()
}

pub(super) async fn a_link_is_found_from_both_sides(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.link("h1", "p1").await;
    let world = world.restart().await;
    assert_eq!(linked(&world, Side::Highlevel, "h1").await, Some(link("h1", "p1")));
    assert_eq!(linked(&world, Side::Partner, "p1").await, Some(link("h1", "p1")));
    assert_eq!(linked(&world, Side::Partner, "h1").await, None);
    let other_entity =
        world.store.link(&prefinery(), "task", Side::Highlevel, &RecordId::new("h1")).await.unwrap();
    assert_eq!(other_entity, None);

    // A later run replaces it.
    world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    assert_eq!(claim.link, Some(link("h1", "p1")));
    let changed = Link { state: LinkState::HighlevelDeleted, updated_at: at(99), ..link("h1", "p1") };
    let done = Completion { link: Some(changed.clone()), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    assert_eq!(linked(&world, Side::Partner, "p1").await, Some(changed));
}

pub(super) async fn both_ids_of_a_link_are_unique_and_a_refused_completion_writes_nothing(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    world.link("h1", "p1").await;
    world.link("h2", "p2").await;
    for (number, (side, record, wrong)) in
        [(Side::Highlevel, "h3", link("h3", "p1")), (Side::Partner, "p3", link("h2", "p3"))]
            .into_iter()
            .enumerate()
    {
        world.mark(side, record, Priority::Webhook).await;
        let claim = world.claim_one().await;
        let number = i64::try_from(number).unwrap();
        let refused = Completion {
            link: Some(wrong.clone()),
            run: Some(run(number)),
            ..completion(claim.clone(), Disposition::Done)
        };
        let error = world.store.complete_record(&world.lease, refused).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        let message = error.to_string();
        let existing = if number == 0 { ["h1", "p1"] } else { ["h2", "p2"] };
        for id in [wrong.highlevel_id.as_str(), wrong.partner_id.as_str(), existing[0], existing[1]] {
            assert!(message.contains(id), "{message} names {id}");
        }
        assert_eq!(world.store.run(&run(number).id).await.unwrap(), None);
        assert!(linked(&world, side, record).await.is_none());
        // The claim is still ours, so the run can be ended in another way.
        world.complete(claim, parked("two records claim to be one")).await;
    }
    assert_eq!(world.store.counts(None).await.unwrap().links, 2);
}

pub(super) async fn a_run_may_relink_only_what_it_saw(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.link("h1", "p1").await;
    // A survivor of a merge at HighLevel takes the place of the record that is gone.
    world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    let moved = Completion { link: Some(link("h9", "p1")), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, moved).await.unwrap();
    assert_eq!(linked(&world, Side::Highlevel, "h1").await, None);
    assert_eq!(linked(&world, Side::Partner, "p1").await, Some(link("h9", "p1")));
    // The partner made the record anew.
    world.event("e2", "h9").await;
    let claim = world.claim_one().await;
    let unseen = ClaimedRecord { link: None, ..claim.clone() };
    let refused = Completion { link: Some(link("h9", "p8")), ..completion(unseen, Disposition::Done) };
    let error = world.store.complete_record(&world.lease, refused).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    let remade = Completion { link: Some(link("h9", "p8")), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, remade).await.unwrap();
    assert_eq!(linked(&world, Side::Partner, "p1").await, None);
    assert_eq!(linked(&world, Side::Partner, "p8").await, Some(link("h9", "p8")));
}

pub(super) async fn marks_of_both_sides_meet_once_the_record_is_linked(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.link("h1", "p1").await;
    world.event("e1", "h1").await;
    world.mark(Side::Partner, "p1", Priority::Webhook).await;
    let claim = world.claim_one().await;
    assert_eq!((claim.key.side, claim.key.record.as_str()), (Side::Highlevel, "h1"));
    assert_eq!(
        claim.hints.iter().map(|hint| hint.side).collect::<Vec<_>>(),
        [Side::Highlevel, Side::Partner]
    );
    assert_eq!(claim.link, Some(link("h1", "p1")));
}

pub(super) async fn what_waits_under_the_partners_id_joins_when_the_link_is_made(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    // HighLevel's row is in flight, the partner's waits: it joins the row of HighLevel and keeps it dirty.
    world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    let waiting =
        world.append(NewEvent { needs_receive: false, ..event("e2", vec![mark(Side::Partner, "p1")]) }).await;
    let done = Completion { link: Some(link("h1", "p1")), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    let claim = world.claim_one().await;
    assert_eq!((claim.key.side, claim.key.record.as_str()), (Side::Highlevel, "h1"));
    assert_eq!(claim.hints.iter().map(|hint| hint.event).collect::<Vec<_>>(), [Some(waiting)]);
    world.complete(claim, Disposition::Done).await;
    assert_eq!(world.state(waiting).await, EventState::Applied);

    // The partner's row is in flight and has to be done again: it moves to HighLevel's id, and meets what waits there.
    world.mark(Side::Partner, "p2", Priority::Sweep).await;
    let claim = world.claim_one().await;
    let waiting = world.event("e3", "h2").await;
    let again = Disposition::Retry { at: at(5), counts: false };
    let retry = Completion { link: Some(link("h2", "p2")), ..completion(claim, again) };
    world.store.complete_record(&world.lease, retry).await.unwrap();
    let claim = world.claim_one().await;
    assert_eq!((claim.key.side, claim.key.record.as_str()), (Side::Highlevel, "h2"));
    assert_eq!((claim.hints.len(), claim.priority), (2, Priority::Webhook));
    world.complete(claim, Disposition::Done).await;
    assert_eq!(world.state(waiting).await, EventState::Applied);
    assert!(world.claim().await.is_empty());
}

pub(super) async fn a_record_in_flight_under_its_other_id_is_not_given_out(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.mark(Side::Partner, "p1", Priority::Webhook).await;
    let partner = world.claim_one().await;
    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    let highlevel = world.claim_one().await;
    // Only now it turns out that both are one record, and one of the two runs is not over.
    let done = Completion { link: Some(link("h1", "p1")), ..completion(highlevel, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    world.mark(Side::Partner, "p1", Priority::Webhook).await;
    assert!(world.claim().await.is_empty());
    world.complete(partner, Disposition::Done).await;
    assert_eq!(world.claim_one().await.key.record, RecordId::new("h1"));

    // The same across a crash: the row under the partner's id joins before it is given out.
    let world = World::new(world.engine).await;
    world.mark(Side::Partner, "p1", Priority::Webhook).await;
    world.claim_one().await;
    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    let highlevel = world.claim_one().await;
    let done = Completion { link: Some(link("h1", "p1")), ..completion(highlevel, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    let seq = world.event("e1", "h1").await;
    let world = world.restart().await;
    let mut claimed = world.claim().await;
    assert_eq!(claimed.len(), 1);
    assert!(world.claim().await.is_empty());
    let claim = claimed.remove(0);
    assert_eq!((claim.key.side, claim.key.record.as_str()), (Side::Highlevel, "h1"));
    // What it was given as hints, and nothing else, is dealt with by its completion.
    let (given, covered) = (claim.hints.len(), claim.hints.iter().any(|hint| hint.event == Some(seq)));
    world.complete(claim, Disposition::Done).await;
    assert!(covered && world.state(seq).await == EventState::Applied);
    let rest = world.claim().await;
    assert_eq!(given + rest.iter().map(|claim| claim.hints.len()).sum::<usize>(), 2);
}

pub(super) async fn pages_of_links_leave_none_out(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for number in 0..5 {
        world.link(&format!("h{number}"), &format!("p{number}")).await;
    }
    // Another entity under the same ids.
    for number in [1, 3] {
        let (highlevel, partner) = (format!("h{number}"), format!("p{number}"));
        let task = Mark { entity: "task".to_owned(), ..mark(Side::Highlevel, &highlevel) };
        world.store.mark(&prefinery(), vec![task], Priority::Sweep, None).await.unwrap();
        let claim = world.claim_one().await;
        let link = Link { entity: "task".to_owned(), ..link(&highlevel, &partner) };
        let done = Completion { link: Some(link), ..completion(claim, Disposition::Done) };
        world.store.complete_record(&world.lease, done).await.unwrap();
    }
    for limit in 1..9 {
        let mut found = Vec::new();
        let mut after: Option<RecordId> = None;
        loop {
            let page = world.store.links(&prefinery(), "contact", after.as_ref(), limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.highlevel_id.clone());
            assert!(page.len() <= limit as usize && page.iter().all(|link| link.entity == "contact"));
            found.extend(page.iter().map(|link| link.highlevel_id.to_string()));
        }
        assert_eq!(found, ["h0", "h1", "h2", "h3", "h4"], "limit {limit}");
    }
}
