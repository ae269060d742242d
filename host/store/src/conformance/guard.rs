//! What the guard against mass changes counts.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::Engine;
use super::automations::delivery;
use super::world::*;
use crate::*;

impl World {
    /// A run changes a linked contact on these sides.
    async fn changes(&self, contact: &str, number: i64, changed: &[Side]) {
        self.mark(Side::Highlevel, contact, Priority::Webhook).await;
        let claim = self.claim_one().await;
        // Everybody has an address of their own: who shares one is forgotten together.
        let email = format!("{contact}@example.com");
        let base = json!({ "email=email": { "highlevel": email, "partner": email } });
        let base = serde_json::from_value(base).unwrap();
        let done = Completion {
            link: Some(Link { base, ..link(contact, &format!("of-{contact}")) }),
            changed: changed
                .iter()
                .map(|side| Counted { record: RecordId::new(contact), side: *side })
                .collect(),
            run: Some(run(number)),
            ..completion(claim, Disposition::Done)
        };
        self.store.complete_record(&self.lease, done).await.unwrap();
    }

    async fn allow(&self, records: u64, anew: bool) {
        self.store.allow_changes(&prefinery(), Allowance { records, anew }).await.unwrap();
    }

    async fn counted(&self) -> (u64, u64, u64) {
        let guarded = self.store.guarded(&prefinery(), Timestamp::MIN).await.unwrap();
        (guarded.in_highlevel, guarded.at_partner, guarded.allowed)
    }
}

pub(super) async fn changed_records_are_counted_once_by_side_with_the_end_of_their_run(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    world.changes("h1", 1, &[Side::Partner]).await;
    world.changes("h1", 2, &[Side::Partner]).await;
    world.changes("h2", 3, &[Side::Partner, Side::Highlevel]).await;
    world.changes("h3", 4, &[]).await;
    let world = world.restart().await;
    assert_eq!(world.counted().await, (1, 2, 0));
    let guarded = world.store.guarded(&prefinery(), LATER + LATER.duration_since(at(0))).await.unwrap();
    assert_eq!(guarded, Guarded { links: 3, ..Guarded::default() }, "nothing was changed since then");
    world.mark(Side::Highlevel, "h3", Priority::Webhook).await;
    let lost = Completion {
        link: Some(Link { state: LinkState::PartnerMissing, ..link("h3", "of-h3") }),
        ..completion(world.claim_one().await, Disposition::Done)
    };
    world.store.complete_record(&world.lease, lost).await.unwrap();
    let guarded = world.store.guarded(&prefinery(), Timestamp::MIN).await.unwrap();
    assert_eq!(guarded.links, 3, "a pair in quarantine is not given up");
    let latest = world.store.changed(&prefinery(), 10).await.unwrap();
    assert_eq!(latest.len(), 3, "{latest:?}");
    assert_eq!(world.store.changed(&prefinery(), 1).await.unwrap().len(), 1);
    // A person who is forgotten is not counted either.
    let person = Person { ids: vec![RecordId::new("h2")], ..Person::default() };
    world.store.erase(&acme(), person, false).await.unwrap();
    assert_eq!(world.counted().await, (0, 1, 0));
    let nobody = world.store.guarded(&ConnectionId::new("acme/nobody"), Timestamp::MIN).await;
    assert!(matches!(nobody, Err(StoreError::NotFound { .. })));
}

pub(super) async fn what_is_allowed_is_not_counted_and_a_paused_connection_goes_on(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.changes("h1", 1, &[Side::Partner]).await;
    let reason = Some("stopped".to_owned());
    world.store.set_connection_state(&prefinery(), ConnectionState::Paused, reason).await.unwrap();
    world.allow(2, true).await;
    let connection = world.store.connection(&prefinery()).await.unwrap().unwrap();
    assert_eq!((connection.state, connection.state_reason), (ConnectionState::Enabled, None));
    assert_eq!(world.counted().await, (0, 0, 2), "it is counted anew");
    let world = world.restart().await;
    world.changes("h2", 2, &[Side::Partner, Side::Highlevel]).await;
    world.changes("h3", 3, &[]).await;
    world.changes("h4", 4, &[Side::Partner]).await;
    assert_eq!(world.counted().await, (0, 0, 0));
    world.changes("h5", 5, &[Side::Partner]).await;
    assert_eq!(world.counted().await, (0, 1, 0));
    // Somebody stopped it for another reason: it stays as it is.
    world.store.set_connection_state(&prefinery(), ConnectionState::Disabled, None).await.unwrap();
    world.allow(1, true).await;
    let connection = world.store.connection(&prefinery()).await.unwrap().unwrap();
    assert_eq!(connection.state, ConnectionState::Disabled);
}

pub(super) async fn so_many_more_are_allowed_and_what_was_counted_stays(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.changes("h1", 1, &[Side::Partner]).await;
    world.allow(1, false).await;
    assert_eq!(world.counted().await, (0, 1, 1));
    world.changes("h2", 2, &[Side::Partner]).await;
    assert_eq!(world.counted().await, (0, 1, 0), "it was allowed");
    world.changes("h3", 3, &[Side::Partner]).await;
    assert_eq!(world.counted().await, (0, 2, 0));
    // What was allowed before is replaced and not added to.
    world.allow(50, false).await;
    world.allow(1, false).await;
    assert_eq!(world.counted().await, (0, 2, 1));
}

pub(super) async fn a_record_is_known_to_be_counted_on_its_side_within_the_window(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.changes("h1", 1, &[Side::Partner]).await;
    let was = async |side, record: &str, since| {
        world.store.was_changed(&prefinery(), side, &RecordId::new(record), since).await.unwrap()
    };
    assert!(was(Side::Partner, "h1", Timestamp::MIN).await);
    assert!(!was(Side::Highlevel, "h1", Timestamp::MIN).await);
    assert!(!was(Side::Partner, "h2", Timestamp::MIN).await);
    assert!(!was(Side::Partner, "h1", LATER + LATER.duration_since(at(0))).await);
    while world.store.expire(LATER, Duration::from_hours(24)).await.unwrap() > 0 {}
    assert!(!was(Side::Partner, "h1", Timestamp::MIN).await, "it is past every window");
}

pub(super) async fn what_stopped_a_connection_is_known_and_nobody_elses_stop_is_taken_over(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let id = prefinery();
    let stop = || world.store.stop_mass_change(&id, "too many".to_owned());
    assert!(stop().await.unwrap());
    assert!(!stop().await.unwrap(), "runs beside each other stop it once");
    let stored = async |world: &World| {
        let found = world.store.connection(&prefinery()).await.unwrap().unwrap();
        (found.state, found.state_reason, found.stop_cause)
    };
    let world = world.restart().await;
    let stopped = (ConnectionState::Paused, Some("too many".to_owned()), Some(StopCause::MassChange));
    assert_eq!(stored(&world).await, stopped);
    world.allow(1, false).await;
    assert_eq!(stored(&world).await, (ConnectionState::Enabled, None, None));
    // A person was faster.
    world.store.set_connection_state(&prefinery(), ConnectionState::Disabled, None).await.unwrap();
    assert!(!world.store.stop_mass_change(&prefinery(), "too many".to_owned()).await.unwrap());
    assert_eq!(stored(&world).await, (ConnectionState::Disabled, None, None));
}

pub(super) async fn what_a_handler_changed_is_counted_with_the_answer_of_its_call(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.store.deliver(vec![delivery("k1")]).await.unwrap();
    let claimed = world.due_one().await;
    let counted = |record: &str, side| Counted { record: RecordId::new(record), side };
    let answered = async |position, changed: Vec<Counted>| {
        world.store.journal_intent(world.slot(claimed.id, position, "tags.add")).await.unwrap();
        let answer = r#"{"Ok":1}"#.to_owned();
        let noted =
            world.store.journal_result(&world.lease, claimed.id, position, answer, None, changed).await;
        noted.unwrap();
    };
    answered(0, vec![counted("h1", Side::Highlevel), counted("h2", Side::Highlevel)]).await;
    answered(1, vec![counted("h1", Side::Highlevel), counted("h1", Side::Partner)]).await;
    answered(2, Vec::new()).await;
    assert_eq!(world.counted().await, (2, 1, 0));
    world.allow(2, false).await;
    answered(3, vec![counted("h3", Side::Highlevel), counted("h4", Side::Highlevel)]).await;
    assert_eq!(world.counted().await, (2, 1, 0), "each record uses up one that is allowed");
    // Whoever lost the claim counts nothing.
    let old = world.store.acquire_lease("one", Duration::ZERO).await.unwrap();
    world.store.acquire_lease("two", LONG).await.unwrap();
    let late = vec![counted("h9", Side::Partner)];
    let refused = world.store.journal_result(&old, claimed.id, 0, String::new(), None, late).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    assert_eq!(world.counted().await, (2, 1, 0));
}
