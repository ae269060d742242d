//! Conflicts, and what people decide about them.

use std::sync::Arc;
use std::time::Duration;

use contactor_sync::{Agreed, ConflictRecord, Decision};
use jiff::SignedDuration;
use serde_json::json;

use super::Engine;
use super::world::*;
use crate::*;

fn conflict(winner: Option<&str>) -> ConflictRecord {
    let record = json!({
        "row": "email=email", "highlevel_field": "email", "partner_field": "email",
        "base": null, "highlevel": "a@example.com", "partner": "b@example.com",
        "policy": if winner.is_some() { "latest-update" } else { "ask" }, "winner": winner, "overwritten": null,
    });
    serde_json::from_value(record).unwrap()
}

fn resolution(take: contactor_sync::Side, second: i64) -> Resolution {
    let conflict = conflict(None);
    let seen = Agreed { highlevel: conflict.highlevel.clone(), partner: conflict.partner.clone() };
    let give = conflict.offer(take).clone();
    let decision = Decision { row: conflict.row, take, seen, give, restore: None };
    Resolution { decision, by: "ann".to_owned(), at: at(second), ended: None }
}

const TAKE: contactor_sync::Side = contactor_sync::Side::Partner;

fn all() -> ConflictFilter {
    ConflictFilter { workspace: acme(), connection: None, record: None, open: false, limit: 10 }
}

impl World {
    /// A run of the linked contact `h1` meets these conflicts.
    async fn meet(&self, number: i64, conflicts: Vec<ConflictRecord>) {
        self.mark(Side::Highlevel, "h1", Priority::Sweep).await;
        let claim = self.claim_one().await;
        self.close(claim, number, conflicts, Vec::new()).await;
    }

    async fn close(
        &self,
        claim: ClaimedRecord,
        number: i64,
        conflicts: Vec<ConflictRecord>,
        ended: Vec<ConflictEnd>,
    ) {
        let done = Completion {
            link: Some(link("h1", "p1")),
            conflicts,
            ended,
            run: Some(run(number)),
            ..completion(claim, Disposition::Done)
        };
        self.store.complete_record(&self.lease, done).await.unwrap();
    }

    async fn conflicts(&self) -> Vec<StoredConflict> {
        self.store.conflicts(all()).await.unwrap()
    }

    async fn state_of(&self, id: i64) -> ConflictState {
        self.store.conflict(id).await.unwrap().unwrap().state
    }
}

pub(super) async fn conflicts_are_listed_and_one_that_waits_is_listed_once(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for number in 1..4 {
        world.meet(number, vec![conflict(None), conflict(Some("highlevel"))]).await;
    }
    let world = world.restart().await;
    let listed = world.conflicts().await;
    let waiting: Vec<_> = listed.iter().filter(|stored| stored.conflict.winner.is_none()).collect();
    assert_eq!((listed.len(), waiting.len()), (4, 1), "{listed:#?}");
    assert_eq!((&waiting[0].run, &waiting[0].conflict, waiting[0].at), (&run(1).id, &conflict(None), at(1)));
    assert_eq!((waiting[0].key.side, waiting[0].key.record.as_str()), (Side::Highlevel, "h1"));
    assert_eq!(world.store.conflict(listed[1].id).await.unwrap().as_ref(), Some(&listed[1]));
    assert_eq!(world.store.conflict(99).await.unwrap(), None);
    let two = ConflictFilter { limit: 2, ..all() };
    assert_eq!(world.store.conflicts(two).await.unwrap().len(), 2);
}

pub(super) async fn a_conflict_is_kept_before_its_run_ends_and_once_by_all_runs_that_meet_it(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    world.mark(Side::Highlevel, "h1", Priority::Sweep).await;
    let note = |claim: &ClaimedRecord, number: i64| NotedConflicts {
        claim: claim.key.clone(),
        record: RecordId::new("h1"),
        run: run(number).id,
        at: at(number),
        conflicts: vec![conflict(Some("highlevel"))],
    };
    let claim = world.claim_one().await;
    let noted = note(&claim, 1);
    world.store.note_conflicts(&world.lease, noted.clone()).await.unwrap();
    // The process dies; the next run meets it again, fails, and a third one ends.
    let world = world.restart().await;
    assert!(matches!(world.store.note_conflicts(&world.lease, noted).await, Err(StoreError::Fenced { .. })));
    let claim = world.claim_one().await;
    world.store.note_conflicts(&world.lease, note(&claim, 2)).await.unwrap();
    let failed = Run { outcome: RunOutcome::Retrying, ..run(2) };
    let retry = Disposition::Retry { at: at(0), counts: true };
    let failed = Completion { run: Some(failed), ..completion(claim, retry) };
    world.store.complete_record(&world.lease, failed).await.unwrap();
    let claim = world.claim_one().await;
    world.store.note_conflicts(&world.lease, note(&claim, 3)).await.unwrap();
    world.close(claim, 3, vec![conflict(Some("highlevel"))], Vec::new()).await;
    let listed = world.conflicts().await;
    assert_eq!(listed.len(), 1, "{listed:#?}");
    assert_eq!((&listed[0].run, listed[0].at), (&run(3).id, at(1)));
    // What happens again after that is another conflict.
    world.meet(4, vec![conflict(Some("highlevel"))]).await;
    assert_eq!(world.conflicts().await.len(), 2);
}

pub(super) async fn conflicts_need_a_run(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seq = world.event("e1", "h1").await;
    let claim = world.claim_one().await;
    let done = Completion { conflicts: vec![conflict(None)], ..completion(claim, Disposition::Done) };
    let refused = world.store.complete_record(&world.lease, done).await;
    assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    assert_eq!(world.state(seq).await, EventState::Accepted);
}

pub(super) async fn what_waits_is_listed_first_and_by_connection_and_record(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("other", "prefinery").await;
    world.meet(1, vec![conflict(None)]).await;
    world.meet(2, vec![conflict(Some("highlevel"))]).await;
    world.meet(3, vec![conflict(Some("partner"))]).await;
    let ids = async |filter: ConflictFilter| -> Vec<ConflictState> {
        world.store.conflicts(filter).await.unwrap().iter().map(|stored| stored.state).collect()
    };
    let [open, decided] = [ConflictState::Open, ConflictState::Decided];
    assert_eq!(ids(all()).await, [open, decided, decided]);
    assert_eq!(ids(ConflictFilter { open: true, ..all() }).await, [open]);
    assert_eq!(ids(ConflictFilter { connection: Some(prefinery()), ..all() }).await.len(), 3);
    assert_eq!(ids(ConflictFilter { connection: Some(other), ..all() }).await, []);
    assert_eq!(ids(ConflictFilter { record: Some(RecordId::new("h1")), ..all() }).await.len(), 3);
    assert_eq!(ids(ConflictFilter { record: Some(RecordId::new("h2")), ..all() }).await, []);
    assert_eq!(ids(ConflictFilter { workspace: WorkspaceId::new("other"), ..all() }).await, []);
}

pub(super) async fn a_decision_waits_for_its_run_and_ends_with_it(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.meet(1, vec![conflict(None)]).await;
    let stored = world.conflicts().await.remove(0);
    let decided = world.store.decide_conflict(&stored, Some(resolution(TAKE, 2))).await.unwrap();
    assert_eq!((decided.state, decided.pending()), (ConflictState::Pending, Some(&resolution(TAKE, 2))));
    assert_eq!(decided.in_place(), None);

    let world = world.restart().await;
    let claim = world.claim_one().await;
    assert_eq!((claim.priority, &claim.conflicts), (Priority::Interactive, &vec![decided.clone()]));
    assert_eq!(world.store.unsettled_conflicts(&decided.key).await.unwrap(), [decided]);
    let end = ConflictEnd { id: stored.id, decided_at: Some(at(2)), void: None };
    world.close(claim, 3, Vec::new(), vec![end]).await;
    let resolved = world.conflicts().await.remove(0);
    let ended = ConflictEnded { at: at(3), run: run(3).id, void: None };
    assert_eq!((resolved.state, resolved.in_place()), (ConflictState::Resolved, Some(TAKE)));
    assert_eq!(resolved.resolutions, [Resolution { ended: Some(ended), ..resolution(TAKE, 2) }]);

    world.mark(Side::Highlevel, "h1", Priority::Sweep).await;
    assert_eq!(world.claim_one().await.conflicts, [], "it is carried out once");
}

pub(super) async fn a_decision_that_is_made_during_a_run_waits_for_the_next(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.meet(1, vec![conflict(None)]).await;
    let stored = world.conflicts().await.remove(0);
    let decided = world.store.decide_conflict(&stored, Some(resolution(TAKE, 2))).await.unwrap();
    let claim = world.claim_one().await;
    // The person thinks again while the run is under way.
    let again = resolution(contactor_sync::Side::Highlevel, 3);
    world.store.decide_conflict(&decided, Some(again.clone())).await.unwrap();
    let end = ConflictEnd { id: stored.id, decided_at: Some(at(2)), void: None };
    world.close(claim, 3, Vec::new(), vec![end]).await;
    assert_eq!(world.conflicts().await[0].pending(), Some(&again));
    let claim = world.claim_one().await;
    assert_eq!(claim.conflicts[0].pending(), Some(&again));
}

pub(super) async fn a_decision_can_be_withdrawn_until_it_is_carried_out(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.meet(1, vec![conflict(None), conflict(Some("highlevel"))]).await;
    for stored in world.conflicts().await {
        let decided = world.store.decide_conflict(&stored, Some(resolution(TAKE, 2))).await.unwrap();
        assert_eq!(decided.state, ConflictState::Pending);
        assert_eq!(world.store.decide_conflict(&decided, None).await.unwrap(), stored);
    }
}

pub(super) async fn a_decision_about_what_changed_meanwhile_is_refused(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.meet(1, vec![conflict(None)]).await;
    let stored = world.conflicts().await.remove(0);
    world.mark(Side::Highlevel, "h1", Priority::Sweep).await;
    let claim = world.claim_one().await;
    let end = ConflictEnd { id: stored.id, decided_at: None, void: Some("changed".to_owned()) };
    world.close(claim, 2, Vec::new(), vec![end]).await;
    let refused = world.store.decide_conflict(&stored, Some(resolution(TAKE, 3))).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert!(world.claim().await.is_empty(), "nothing was marked");
    let void = world.conflicts().await.remove(0);
    assert_eq!(void.state, ConflictState::Void);
    assert_eq!(void.ended.and_then(|ended| ended.void).as_deref(), Some("changed"));
}

pub(super) async fn a_conflict_that_ended_makes_room_for_the_next(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.meet(1, vec![conflict(None)]).await;
    let first = world.conflicts().await.remove(0);
    world.mark(Side::Highlevel, "h1", Priority::Sweep).await;
    let claim = world.claim_one().await;
    let end = ConflictEnd { id: first.id, decided_at: None, void: Some("changed".to_owned()) };
    world.close(claim, 2, vec![conflict(None)], vec![end]).await;
    let listed = world.conflicts().await;
    assert_eq!(listed.len(), 2);
    assert_eq!((listed[0].state, world.state_of(first.id).await), (ConflictState::Open, ConflictState::Void));
}

pub(super) async fn conflicts_that_wait_are_not_forgotten(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.meet(1, vec![conflict(None), conflict(Some("highlevel"))]).await;
    let later = at(0) + SignedDuration::from_hours(24 * 40);
    world.store.expire(later, Duration::from_hours(24 * 30)).await.unwrap();
    let left: Vec<_> = world.conflicts().await.iter().map(|stored| stored.state).collect();
    assert_eq!(left, [ConflictState::Open]);
}
