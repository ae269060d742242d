//! Pairs of records of which one is gone.

use std::sync::Arc;
use std::time::Duration;

use contactor_sync::{Base, DeletePolicies, DeletePolicy};
use jiff::SignedDuration;
use serde_json::json;

use super::Engine;
use super::world::*;
use crate::*;

const MONTH: Duration = Duration::from_hours(24 * 30);

fn sealed(byte: u8) -> Sealed {
    Sealed { key_id: KeyId::from_stored("00ff"), bytes: vec![byte; 20] }
}

fn deletion(state: DeletionState) -> Deletion {
    Deletion {
        id: 0,
        connection: prefinery(),
        entity: "contact".to_owned(),
        highlevel_id: RecordId::new("h1"),
        partner_id: RecordId::new("p1"),
        side: Side::Highlevel,
        state,
        policy: DeletePolicy::Unlink,
        since: at(10),
        due: at(610),
        decided_by: None,
        decided_at: None,
        decisions: 0,
        acted_at: None,
        undo_until: None,
        ended_at: None,
        outcome: None,
        kept: None,
    }
}

fn all() -> DeletionFilter {
    DeletionFilter { workspace: acme(), connection: None, state: None, ended: true, limit: 10 }
}

impl World {
    /// A run of the linked contact `h1` leaves this behind.
    async fn lose_now(&self, deletion: Deletion) {
        self.mark(Side::Highlevel, "h1", Priority::Webhook).await;
        let claim = self.claim_one().await;
        let link = Link { state: LinkState::missing(deletion.side), base: base(), ..link("h1", "p1") };
        let done =
            Completion { link: Some(link), deletion: Some(deletion), ..completion(claim, Disposition::Done) };
        self.store.complete_record(&self.lease, done).await.unwrap();
    }

    async fn of_pair(&self) -> Option<Deletion> {
        self.store.deletion_of(&prefinery(), "contact", &RecordId::new("h1")).await.unwrap()
    }

    async fn kept_link(&self) -> Link {
        let link = self.store.link(&prefinery(), "contact", Side::Partner, &RecordId::new("p1")).await;
        link.unwrap().unwrap()
    }
}

fn base() -> Base {
    serde_json::from_value(
        json!({ "email=email": { "highlevel": "a@example.com", "partner": "a@example.com" } }),
    )
    .unwrap()
}

async fn linked(engine: Arc<dyn Engine>) -> World {
    let world = World::new(engine).await;
    world.link("h1", "p1").await;
    world
}

pub(super) async fn a_second_look_is_due_in_time_and_once(engine: Arc<dyn Engine>) {
    let world = linked(engine).await;
    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    let claim = world.claim_one().await;
    let due = jiff::Timestamp::now() + SignedDuration::from_hours(1);
    let lost = Deletion { due, ..deletion(DeletionState::Quarantined) };
    let done = Completion {
        link: Some(Link { state: LinkState::HighlevelMissing, ..link("h1", "p1") }),
        deletion: Some(lost.clone()),
        ..completion(claim, Disposition::Done)
    };
    world.store.complete_record(&world.lease, done).await.unwrap();
    let next = world.store.next_due().await.unwrap().unwrap();
    assert_eq!(next.as_microsecond(), due.as_microsecond());
    let now = jiff::Timestamp::now() + SignedDuration::from_mins(30);
    assert!(world.store.claim_records(&world.lease, now, 10, 10).await.unwrap().is_empty());

    let world = world.restart().await;
    let claim = world.claim_one().await;
    assert_eq!((claim.key.record.as_str(), claim.priority), ("h1", Priority::Webhook));
    assert_eq!(claim.link.as_ref().unwrap().state, LinkState::HighlevelMissing);
    let stored = world.of_pair().await.unwrap();
    assert_eq!((stored.state, &stored.partner_id), (DeletionState::Quarantined, &lost.partner_id));
    // Nothing came of that look: the next one is due as given.
    let again = Deletion { due: due + SignedDuration::from_hours(1), ..stored };
    let done = Completion { deletion: Some(again), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    world.claim_one().await;
    assert_eq!(world.store.deletions(all()).await.unwrap().len(), 1);
}

pub(super) async fn a_person_decides_once_and_only_about_what_waits(engine: Arc<dyn Engine>) {
    use DeletionState::{Confirmed, Kept, Waiting};
    let world = linked(engine).await;
    world.lose_now(deletion(Waiting)).await;
    let id = world.of_pair().await.unwrap().id;
    let confirmed =
        world.store.decide_deletion(id, &[Waiting], Confirmed, "ann", Priority::Interactive).await.unwrap();
    assert_eq!((confirmed.state, confirmed.decided_by.as_deref()), (Confirmed, Some("ann")));
    let twice = world.store.decide_deletion(id, &[Waiting], Kept, "bob", Priority::Interactive).await;
    assert!(matches!(twice, Err(StoreError::Conflict { .. })), "{twice:?}");
    let unknown = world.store.decide_deletion(4711, &[Waiting], Kept, "bob", Priority::Interactive).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
    let claim = world.claim_one().await;
    assert_eq!((claim.key.record.as_str(), claim.priority), ("h1", Priority::Interactive));

    // What was decided meanwhile counts, and the run that saw it otherwise must not act.
    let kept =
        world.store.decide_deletion(id, &[Confirmed], Kept, "bob", Priority::Interactive).await.unwrap();
    let late = world.store.begin_deletion(&confirmed, sealed(1)).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    let stale = Deletion { state: DeletionState::Done, ..confirmed };
    let done = Completion { deletion: Some(stale), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    assert_eq!(world.of_pair().await, Some(kept));
    world.claim_one().await;
}

pub(super) async fn what_is_kept_for_an_undo_goes_with_its_window_and_with_the_person(
    engine: Arc<dyn Engine>,
) {
    let world = linked(engine).await;
    world.lose_now(deletion(DeletionState::Confirmed)).await;
    let seen = world.of_pair().await.unwrap();
    let acting = world.store.begin_deletion(&seen, sealed(7)).await.unwrap();
    let world = world.restart().await;
    assert_eq!(world.of_pair().await, Some(acting.clone()));
    assert_eq!(acting.kept, Some(sealed(7)));

    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    let claim = world.claim_one().await;
    let done = Deletion {
        state: DeletionState::Done,
        policy: DeletePolicy::Delete,
        acted_at: Some(at(700)),
        undo_until: Some(at(1_000)),
        ..acting
    };
    let link =
        Link { state: LinkState::HighlevelDeleted, base: base(), updated_at: at(700), ..link("h1", "p1") };
    let done = Completion { link: Some(link), deletion: Some(done), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    world.store.expire(at(999), MONTH).await.unwrap();
    assert!(world.of_pair().await.unwrap().kept.is_some());
    world.store.expire(at(1_001), MONTH).await.unwrap();
    let stored = world.of_pair().await.unwrap();
    assert_eq!((stored.state, stored.kept), (DeletionState::Done, None));

    let person = Person { words: vec!["a@example.com".to_owned()], ..Person::default() };
    let erased = world.store.erase(&acme(), person, false).await.unwrap();
    assert_eq!((erased.deletions, erased.links), (1, 1));
    assert!(world.store.deletions(all()).await.unwrap().is_empty());
}

pub(super) async fn a_decision_that_nothing_carries_out_ends_after_three_days(engine: Arc<dyn Engine>) {
    use DeletionState::{Acting, Confirmed, Done, Kept, Undoing, Waiting};
    let window = SignedDuration::try_from(DECISIONS).unwrap();
    for (from, decided, then, words) in [
        (Waiting, Confirmed, Waiting, "what ann confirmed"),
        (Waiting, Kept, Done, "given up as ann decided"),
        (Acting, Kept, Done, "a run had begun to act before"),
        (Acting, Acting, Waiting, "nobody learned"),
        (Done, Undoing, Waiting, "the undo that ann asked for"),
    ] {
        let world = linked(Arc::clone(&engine)).await;
        let policy = DeletePolicy::Delete;
        let begun = from != Waiting;
        world.lose_now(Deletion { policy: policy.clone(), ..deletion(Confirmed) }).await;
        let seen = world.of_pair().await.unwrap();
        if begun {
            world.store.begin_deletion(&seen, sealed(7)).await.unwrap();
        } else {
            world.lose_now(Deletion { state: Waiting, ..seen.clone() }).await;
        }
        if from == Done {
            let acting = world.of_pair().await.unwrap();
            let long = Some(jiff::Timestamp::now() + SignedDuration::from_hours(1));
            world
                .lose_now(Deletion { state: Done, acted_at: Some(at(20)), undo_until: long, ..acting })
                .await;
        }
        if decided != Acting {
            let (id, by) = (seen.id, "ann");
            world.store.decide_deletion(id, &[from], decided, by, Priority::Interactive).await.unwrap();
        }
        let stored = world.of_pair().await.unwrap();
        assert_eq!(stored.state, decided, "{words}");
        let begun_at = stored.decided_at.unwrap();

        let late = begun_at + window + SignedDuration::from_secs(1);
        world.store.expire(begun_at + window, MONTH).await.unwrap();
        assert_eq!(world.of_pair().await.unwrap(), stored, "{words}: in time");
        world.store.expire(late, MONTH).await.unwrap();
        let lapsed = world.of_pair().await.unwrap();
        assert_eq!(lapsed.state, then, "{words}");
        assert!(lapsed.outcome.as_ref().unwrap().contains(words), "{lapsed:?}");
        assert_eq!(lapsed.kept.is_some(), begun, "{words}");
        // A run that still carries the decision out comes too late to speak for it.
        world.lose_now(Deletion { state: Done, ..stored }).await;
        assert_eq!(world.of_pair().await.unwrap(), lapsed, "{words}");
        world.store.expire(late + window + SignedDuration::from_secs(1), MONTH).await.unwrap();
        let last = world.of_pair().await.unwrap();
        assert_eq!((last.state, last.kept), (then, None), "{words}");
        let unlinked = decided == Kept && !begun;
        assert_eq!(last.policy == DeletePolicy::Unlink, unlinked, "{words}");
    }
}

pub(super) async fn a_pair_that_was_to_be_kept_is_given_up_without_a_run(engine: Arc<dyn Engine>) {
    let world = linked(engine).await;
    world.lose_now(deletion(DeletionState::Quarantined)).await;
    let id = world.of_pair().await.unwrap().id;
    let (from, to) = ([DeletionState::Quarantined], DeletionState::Kept);
    world.store.decide_deletion(id, &from, to, "ann", Priority::Interactive).await.unwrap();
    let late = jiff::Timestamp::now() + SignedDuration::try_from(DECISIONS).unwrap();
    world.store.expire(late + SignedDuration::from_secs(60), MONTH).await.unwrap();
    assert_eq!(world.kept_link().await.state, LinkState::HighlevelDeleted);
}

pub(super) async fn a_run_does_not_overwrite_a_second_decision_of_the_same_person(engine: Arc<dyn Engine>) {
    use DeletionState::{Confirmed, Kept, Waiting};
    let world = linked(engine).await;
    world.lose_now(deletion(Waiting)).await;
    let id = world.of_pair().await.unwrap().id;
    let decide = async |from, to| {
        world.store.decide_deletion(id, &[from], to, "ann", Priority::Interactive).await.unwrap()
    };
    let confirmed = decide(Waiting, Confirmed).await;
    let kept = decide(Confirmed, Kept).await;
    world.lose_now(Deletion { state: DeletionState::Done, ..confirmed }).await;
    assert_eq!(world.of_pair().await, Some(kept));
}

pub(super) async fn a_link_in_use_ends_the_deletions_of_its_records(engine: Arc<dyn Engine>) {
    let world = linked(engine).await;
    for (back, outcome) in
        [(link("h1", "p1"), "both are there again"), (link("h2", "p1"), "linked with h2 now")]
    {
        world.lose_now(Deletion { kept: Some(sealed(3)), ..deletion(DeletionState::Waiting) }).await;
        world.mark(Side::Partner, "p1", Priority::Webhook).await;
        let claim = world.claim_one().await;
        let done = Completion { link: Some(back), ..completion(claim, Disposition::Done) };
        world.store.complete_record(&world.lease, done).await.unwrap();
        let newest = world.store.deletions(all()).await.unwrap().remove(0);
        assert_eq!((newest.state, newest.outcome.as_deref()), (DeletionState::Ended, Some(outcome)));
        assert_eq!(newest.kept, None);
        assert_eq!(world.of_pair().await, None);
    }
    let open = DeletionFilter { ended: false, ..all() };
    assert!(world.store.deletions(open).await.unwrap().is_empty());
    let other = DeletionFilter { connection: Some(ConnectionId::new("acme/other")), ..all() };
    assert!(world.store.deletions(other).await.unwrap().is_empty());
}

pub(super) async fn what_a_pair_agreed_on_is_forgotten_after_sixty_days_but_not_that_one_is_gone(
    engine: Arc<dyn Engine>,
) {
    let world = linked(engine).await;
    let deletion = Deletion { acted_at: Some(at(10)), ..deletion(DeletionState::Done) };
    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    let claim = world.claim_one().await;
    let lost =
        Link { state: LinkState::PartnerDeleted, base: base(), updated_at: at(10), ..link("h1", "p1") };
    let done =
        Completion { link: Some(lost), deletion: Some(deletion), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    let days = |days: i64| at(10) + SignedDuration::from_hours(24 * days);
    world.store.expire(days(59), MONTH).await.unwrap();
    assert_eq!(world.kept_link().await.base, base());
    assert!(world.of_pair().await.is_some());
    world.store.expire(days(61), MONTH).await.unwrap();
    let link = world.kept_link().await;
    assert!(link.base.is_empty());
    assert_eq!(link.state, LinkState::PartnerDeleted);
    assert_eq!(world.of_pair().await, None);
    assert_eq!(world.store.expire(days(61), MONTH).await.unwrap(), 0);
}

pub(super) async fn policies_are_kept_per_connection_and_entity(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let policies = DeletePolicies {
        highlevel_gone: DeletePolicy::Tag { tag: "gone".to_owned() },
        partner_gone: DeletePolicy::Delete,
    };
    let of = |world: &World, entity: &'static str| {
        let store = Arc::clone(&world.store);
        async move { store.delete_policies(&prefinery(), entity).await.unwrap() }
    };
    assert_eq!(of(&world, "contact").await, DeletePolicies::default());
    world.store.put_delete_policies(&prefinery(), "contact", policies.clone()).await.unwrap();
    let nowhere = ConnectionId::new("acme/nobody");
    let refused = world.store.put_delete_policies(&nowhere, "contact", policies.clone()).await;
    assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    let world = world.restart().await;
    assert_eq!(of(&world, "contact").await, policies);
    assert_eq!(of(&world, "task").await, DeletePolicies::default());
}
