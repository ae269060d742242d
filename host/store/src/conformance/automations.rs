//! Deliveries, their journal, timers, and messages.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;

use super::Engine;
use super::world::*;
use crate::*;

pub(super) fn delivery(key: &str) -> NewDelivery {
    NewDelivery {
        connection: prefinery(),
        key: key.to_owned(),
        lasting: false,
        source: Origin::Partner,
        kind: "reward_earned".to_owned(),
        entity: None,
        contact_id: None,
        partner_id: None,
        at: at(5),
        fields: contactor_sync::Fields::new(),
        payload: None,
    }
}

fn of_contact(key: &str, contact: &str) -> NewDelivery {
    NewDelivery { contact_id: Some(RecordId::new(contact)), ..delivery(key) }
}

fn of_partner(key: &str, partner: &str) -> NewDelivery {
    NewDelivery {
        entity: Some("contact".to_owned()),
        partner_id: Some(RecordId::new(partner)),
        ..delivery(key)
    }
}

impl World {
    async fn due(&self) -> Vec<ClaimedDelivery> {
        self.store.claim_deliveries(&self.lease, LATER, 100, 100).await.unwrap()
    }

    pub(super) async fn due_one(&self) -> ClaimedDelivery {
        let mut due = self.due().await;
        assert_eq!(due.len(), 1, "{due:?}");
        due.remove(0)
    }

    async fn end(&self, delivery: DeliveryId, disposition: Disposition) {
        let completion =
            DeliveryCompletion { delivery, disposition, ignored: false, run: None, recording: None };
        self.store.complete_delivery(&self.lease, completion).await.unwrap();
    }

    pub(super) fn slot(&self, delivery: DeliveryId, position: u32, operation: &str) -> JournalSlot {
        JournalSlot {
            component: None,
            lease: self.lease.clone(),
            delivery,
            call: JournalEntry {
                position,
                operation: operation.to_owned(),
                request: vec![7; 32],
                writes: true,
                result: None,
                arguments: r#"["h1"]"#.to_owned(),
                begun_at: Some(at(3)),
                standing: vec![RecordId::new("t0")],
                released: false,
            },
            reads: Vec::new(),
            limit: None,
        }
    }

    async fn set_timer(&self, name: &str, seconds: i64) -> Result<u64, StoreError> {
        let timer = NewTimer {
            name: name.to_owned(),
            kind: "timer:reminder".to_owned(),
            at: at(seconds),
            contact_id: None,
            payload: format!("{{\"at\":{seconds}}}"),
        };
        self.store.write_locally(&prefinery(), LocalWrite::SetTimer(timer), None).await
    }
}

pub(super) async fn a_delivery_comes_with_its_event_and_once_per_key(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let carried = NewEvent { deliveries: vec![of_contact("k1", "h1")], ..event("e1", Vec::new()) };
    let seq = world.append(carried.clone()).await;
    assert_eq!(world.store.append_event(carried).await.unwrap(), Accepted::Duplicate);
    let again = NewEvent { deliveries: vec![of_contact("k1", "h1")], ..event("e2", Vec::new()) };
    world.append(again).await;
    assert_eq!(world.store.deliver(vec![of_contact("k1", "h1")]).await.unwrap(), 0);
    assert_eq!(world.state(seq).await, EventState::Accepted);

    let claimed = world.due_one().await;
    assert_eq!((claimed.event, claimed.payload.as_str()), (Some(seq), r#"{"webhookId":"e1"}"#));
    assert_eq!((&claimed.connection, &claimed.workspace), (&prefinery(), &acme()));
    assert!(world.due().await.is_empty(), "it is in flight");
    world.end(claimed.id, Disposition::Done).await;
    assert_eq!(world.state(seq).await, EventState::Applied);
    assert_eq!(world.store.deliver(vec![of_contact("k1", "h1")]).await.unwrap(), 0, "its key is remembered");
    assert!(world.due().await.is_empty());
}

fn mentioning(email: &str) -> contactor_sync::Fields {
    contactor_sync::Fields::from([("by".to_owned(), email.into())])
}

pub(super) async fn what_mentions_a_person_who_is_forgotten_goes_on_without_the_words(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let by_ann = NewDelivery {
        fields: mentioning("ann@example.com"),
        payload: Some(r#"{"of":["ANN@example.com","bob@example.com"]}"#.to_owned()),
        ..of_contact("reward of ann@example.com", "h1")
    };
    let carried = NewDelivery { payload: None, ..of_contact("k2", "h2") };
    let body = br#"{"by":"ann@example.com"}"#.to_vec();
    let event = NewEvent {
        body,
        key: "e of ann@example.com".to_owned(),
        deliveries: vec![carried],
        ..event("e", Vec::new())
    };
    let seq = world.append(event).await;
    assert_eq!(world.store.deliver(vec![by_ann.clone()]).await.unwrap(), 1);
    // One of nobody else's is the person's own.
    let of_ann = NewDelivery { fields: mentioning("ann@example.com"), ..delivery("k3") };
    assert_eq!(world.store.deliver(vec![of_ann]).await.unwrap(), 1);

    let person = Person { words: vec!["ann@example.com".to_owned()], ..Person::default() };
    let found = world.store.erase(&acme(), person.clone(), true).await.unwrap();
    let erased = world.store.erase(&acme(), person, false).await.unwrap();
    assert_eq!(erased, found, "what was told is what was done");
    assert_eq!((erased.deliveries, erased.blanked, erased.events), (1, 1, 1), "{erased:?}");
    let mut due = world.due().await;
    due.sort_by_key(|claimed| claimed.contact_id.clone());
    let told: Vec<_> = due.iter().map(|claimed| (claimed.fields.clone(), claimed.payload.as_str())).collect();
    assert_eq!(
        told,
        [
            (mentioning("erased"), r#"{"of":["erased","bob@example.com"]}"#),
            (contactor_sync::Fields::new(), r#"{"by":"erased"}"#)
        ]
    );
    assert_eq!(world.store.deliver(vec![by_ann]).await.unwrap(), 0, "its key is remembered");
    let kept = world.store.event(seq).await.unwrap().unwrap();
    assert_eq!(kept.key, "e of erased");
}

pub(super) async fn an_event_that_is_forgotten_keeps_none_of_its_contact_waiting(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let named = NewDelivery { partner_id: Some(RecordId::new("tester-of-ann")), ..of_contact("k1", "h1") };
    assert_eq!(world.store.deliver(vec![named, of_contact("k2", "h1")]).await.unwrap(), 2);
    let person = Person { ids: vec![RecordId::new("tester-of-ann")], ..Person::default() };
    assert_eq!(world.store.erase(&acme(), person, false).await.unwrap().deliveries, 1);
    let next = world.due_one().await;
    assert_eq!((next.contact_id, next.partner_id), (Some(RecordId::new("h1")), None));
}

pub(super) async fn what_is_parked_of_a_person_ends_and_what_is_parked_of_others_waits(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let new = vec![of_contact("k1", "contact-of-ann"), of_contact("k2", "h2")];
    assert_eq!(world.store.deliver(new).await.unwrap(), 2);
    for claimed in world.due().await {
        let slot = world.slot(claimed.id, 0, "notes.create");
        let noted = JournalEntry { arguments: r#"["for ann@example.com"]"#.to_owned(), ..slot.call.clone() };
        world.store.journal_intent(JournalSlot { call: noted, ..slot }).await.unwrap();
        let answer = r#"{"Ok":"of ann@example.com"}"#.to_owned();
        let made = Some(RecordId::new("contact-of-ann"));
        world.store.journal_result(&world.lease, claimed.id, 0, answer, made, Vec::new()).await.unwrap();
        world.end(claimed.id, parked("a note for ann@example.com may have been made")).await;
    }
    let person = Person {
        ids: vec![RecordId::new("contact-of-ann")],
        words: vec!["ann@example.com".to_owned()],
        ..Person::default()
    };
    let erased = world.store.erase(&acme(), person.clone(), false).await.unwrap();
    assert_eq!((erased.parked, erased.deliveries), (1, 1), "{erased:?}");
    let left = world.store.parked(&acme()).await.unwrap();
    let reasons: Vec<_> = left.iter().map(|parked| parked.reason.as_str()).collect();
    assert_eq!(reasons, ["a note for erased may have been made"]);
    assert!(!left[0].cause.contains("ann@"), "{}", left[0].cause);
    assert!(world.store.retry_parked(&left[0].key, Priority::Interactive).await.unwrap());
    let again = world.due_one().await;
    let noted = &again.journal[0];
    assert_eq!(again.contact_id, Some(RecordId::new("h2")));
    assert_eq!(
        (noted.arguments.as_str(), noted.result.as_deref()),
        (r#"["for erased"]"#, Some(r#"{"Ok":"of erased"}"#))
    );
    let of_ann = RecordId::new("contact-of-ann");
    assert!(!world.store.journalled(&prefinery(), "notes.create", &of_ann).await.unwrap());
    world.end(again.id, Disposition::Done).await;
    assert!(world.store.erase(&acme(), person, true).await.unwrap().is_empty());
}

pub(super) async fn a_webhook_that_is_still_to_be_read_stays_without_the_words(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let body = br#"{"who":"bob@example.com","by":"ann@example.com"}"#.to_vec();
    let seq = world.append(NewEvent { body, ..webhook("w1") }).await;
    let person = Person { words: vec!["ann@example.com".to_owned()], ..Person::default() };
    assert_eq!(world.store.erase(&acme(), person, false).await.unwrap().events, 1);
    let claimed = world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap();
    assert_eq!(claimed.len(), 1, "its connector reads it");
    let kept = world.store.event(seq).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&kept.body), r#"{"who":"bob@example.com","by":"erased"}"#);
}

pub(super) async fn a_webhook_and_a_poll_carry_deliveries_with_their_marks(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let seq = world.append(webhook("w1")).await;
    world.store.claim_events(&world.lease, LATER, 10, 100).await.unwrap();
    let reading = world.store.complete_event(
        &world.lease,
        seq,
        Found {
            marks: vec![mark(Side::Partner, "p1")],
            deliveries: vec![of_partner("k1", "p1")],
            ..Found::default()
        },
        Disposition::Done,
        None,
    );
    reading.await.unwrap();
    let polled = Found { deliveries: vec![delivery("k2")], ..Found::default() };
    world.store.mark_found(&prefinery(), polled, Priority::Sweep, None).await.unwrap();
    let claimed = world.due().await;
    assert_eq!(claimed.iter().map(|claimed| claimed.event).collect::<Vec<_>>(), [Some(seq), None]);
    assert_eq!(claimed[1].payload, "{}");
}

pub(super) async fn a_connection_that_is_switched_off_handles_nothing(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.store.set_connection_state(&prefinery(), ConnectionState::Disabled, None).await.unwrap();
    assert_eq!(world.store.deliver(vec![delivery("k1")]).await.unwrap(), 0);
    world.store.set_connection_state(&prefinery(), ConnectionState::Paused, None).await.unwrap();
    assert_eq!(world.store.deliver(vec![delivery("k1")]).await.unwrap(), 1);
    assert!(world.due().await.is_empty(), "it waits for its connection");
    world.store.set_connection_state(&prefinery(), ConnectionState::Enabled, None).await.unwrap();
    world.due_one().await;
}

pub(super) async fn deliveries_of_one_contact_are_handled_in_order(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let new = ["1", "2", "3"].map(|key| of_contact(key, "h1")).to_vec();
    world.store.deliver(new).await.unwrap();
    world.store.deliver(vec![of_contact("other", "h2")]).await.unwrap();
    let first = world.due().await;
    assert_eq!(first.len(), 2, "one of each contact");
    // A failure keeps its turn.
    world.end(first[0].id, Disposition::Retry { at: at(0), counts: true }).await;
    let again = world.due_one().await;
    assert_eq!((again.id, again.attempts), (first[0].id, 1));
    world.end(again.id, Disposition::Done).await;
    let second = world.due_one().await;
    assert!(second.id > again.id);
    // What waits for a person keeps nobody waiting, and comes back when it is asked for.
    world.end(second.id, parked("broken")).await;
    let third = world.due_one().await;
    assert!(third.id > second.id);
    let listed = world.store.parked(&acme()).await.unwrap();
    assert_eq!((listed[0].key.entity.as_str(), listed[0].reason.as_str()), (AUTOMATION_ENTITY, "broken"));
    assert!(world.store.retry_parked(&listed[0].key, Priority::Interactive).await.unwrap());
    assert!(world.due().await.is_empty(), "the third has its turn");
    world.end(third.id, Disposition::Done).await;
    let retried = world.due_one().await;
    assert_eq!((retried.id, retried.retried, retried.attempts), (second.id, true, 0));
    assert!(!world.store.retry_parked(&listed[0].key, Priority::Interactive).await.unwrap());
}

pub(super) async fn a_delivery_waits_for_the_contact_of_its_record(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let new = vec![of_partner("k1", "p1"), of_partner("k2", "p1")];
    world.store.deliver(new).await.unwrap();
    let soon = at(0) + SignedDuration::from_secs(1);
    assert!(world.store.claim_deliveries(&world.lease, soon, 10, 10).await.unwrap().is_empty());
    // The record was marked, because nothing else would bring it to a contact.
    let claim = world.claim_one().await;
    assert_eq!((claim.key.side, claim.key.record.as_str()), (Side::Partner, "p1"));
    let done = Completion { link: Some(link("h1", "p1")), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();

    let first = world.due_one().await;
    assert_eq!(first.contact_id, Some(RecordId::new("h1")));
    world.end(first.id, Disposition::Done).await;
    assert_eq!(world.due_one().await.contact_id, Some(RecordId::new("h1")));
    // A later one finds the link at once, in the lane of the contact.
    world.store.deliver(vec![of_partner("k3", "p1")]).await.unwrap();
    assert!(world.due().await.is_empty());
    assert!(world.claim().await.is_empty(), "a linked record is not marked");
}

pub(super) async fn a_delivery_of_a_record_that_left_its_link_goes_on(engine: Arc<dyn Engine>) {
    let retry = Disposition::Retry { at: at(0), counts: true };
    for disposition in [Disposition::Done, parked("no identifier"), retry] {
        let world = World::new(Arc::clone(&engine)).await;
        // The contact is gone, so that its tester's webhooks belong to nobody.
        world.link("h1", "p1").await;
        let lost = Link { state: LinkState::HighlevelDeleted, ..link("h1", "p1") };
        world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
        let done = Completion { link: Some(lost), ..completion(world.claim_one().await, Disposition::Done) };
        world.store.complete_record(&world.lease, done).await.unwrap();
        // While a run creates the tester anew, the old one's last webhook comes; its mark goes to the pair.
        world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
        let claim = world.claim_one().await;
        world.store.deliver(vec![of_partner("k1", "p1")]).await.unwrap();
        let again = Link { state: LinkState::HighlevelDeleted, ..link("h1", "p2") };
        let done = Completion { link: Some(again), ..completion(claim, disposition) };
        world.store.complete_record(&world.lease, done).await.unwrap();
        let soon = jiff::Timestamp::now() + SignedDuration::from_hours(1);
        let going_on = world.store.claim_deliveries(&world.lease, soon, 10, 10).await.unwrap();
        let ids: Vec<_> =
            going_on.iter().map(|one| (one.partner_id.clone(), one.contact_id.clone())).collect();
        assert_eq!(ids, [(Some(RecordId::new("p1")), None)]);
    }
}

pub(super) async fn a_record_that_leads_to_no_contact_does_not_stop_its_deliveries(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.store.deliver(vec![of_partner("k1", "p1"), of_partner("k2", "p2")]).await.unwrap();
    for claim in world.claim().await {
        // The second stands for a contact that is linked to another record.
        let run = (claim.key.record.as_str() == "p2").then(|| Run {
            partner_id: None,
            highlevel_id: Some(RecordId::new("h9")),
            ..run(1)
        });
        let done = Completion { run, ..completion(claim, parked("no identifier")) };
        world.store.complete_record(&world.lease, done).await.unwrap();
    }
    let contacts: Vec<_> = world.due().await.into_iter().map(|claimed| claimed.contact_id).collect();
    assert_eq!(contacts, [None, Some(RecordId::new("h9"))]);
}

pub(super) async fn both_ids_of_a_delivery_are_settled_by_its_first_attempt(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.link("h1", "p1").await;
    world.store.deliver(vec![of_contact("k1", "h1"), of_contact("k2", "h2")]).await.unwrap();
    let claimed = world.due().await;
    let partners: Vec<_> = claimed.iter().map(|claimed| claimed.partner_id.clone()).collect();
    assert_eq!(partners, [Some(RecordId::new("p1")), None]);
    world.end(claimed[1].id, Disposition::Retry { at: at(0), counts: true }).await;
    world.link("h2", "p2").await;
    let again = world.due_one().await;
    assert_eq!((again.partner_id, again.begun_at), (None, claimed[1].begun_at));
}

pub(super) async fn the_journal_stays_until_its_delivery_is_done(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.store.deliver(vec![delivery("k1")]).await.unwrap();
    let claimed = world.due_one().await;
    let read = JournalEntry {
        operation: "tasks.list-all".to_owned(),
        writes: false,
        result: Some("[]".to_owned()),
        ..world.slot(claimed.id, 0, "").call
    };
    let intent = JournalSlot { reads: vec![read.clone()], ..world.slot(claimed.id, 1, "tasks.create") };
    world.store.journal_intent(intent.clone()).await.unwrap();
    let result = |position, record: Option<&str>| {
        let record = record.map(RecordId::new);
        world.store.journal_result(
            &world.lease,
            claimed.id,
            position,
            r#"{"Ok":1}"#.to_owned(),
            record,
            Vec::new(),
        )
    };
    result(1, Some("t1")).await.unwrap();
    world.store.journal_intent(world.slot(claimed.id, 2, "tags.add")).await.unwrap();

    // A new process finds what was answered, and what was not.
    let world = world.restart().await;
    let again = world.due_one().await;
    let answered = JournalEntry { result: Some(r#"{"Ok":1}"#.to_owned()), ..intent.call };
    assert_eq!(again.journal, [read, answered, world.slot(claimed.id, 2, "tags.add").call]);
    let known = |record: &'static str| {
        let world = &world;
        async move { world.store.journalled(&prefinery(), "tasks.create", &RecordId::new(record)).await.unwrap() }
    };
    assert!(known("t1").await && !known("t2").await);
    for (workspace, expected) in [("acme", true), ("elsewhere", false)] {
        let other = world.add(workspace, "other").await;
        let known = world.store.journalled(&other, "tasks.create", &RecordId::new("t1")).await.unwrap();
        assert_eq!(known, expected, "the connections of a workspace write to one location");
    }
    // A person has it done again: what was noted so far may be done once more, what is noted from now on may not.
    world.end(again.id, parked("nobody knows")).await;
    let listed = world.store.parked(&acme()).await.unwrap();
    assert!(world.store.retry_parked(&listed[0].key, Priority::Interactive).await.unwrap());
    let again = world.due_one().await;
    assert!(again.journal.iter().all(|entry| entry.released), "{:?}", again.journal);
    world.store.journal_intent(world.slot(again.id, 2, "tags.add")).await.unwrap();
    world.end(again.id, Disposition::Retry { at: at(0), counts: true }).await;
    let again = world.due_one().await;
    assert_eq!(again.journal.iter().map(|entry| entry.released).collect::<Vec<_>>(), [true, true, false]);
    world.end(again.id, Disposition::Done).await;
    assert!(known("t1").await, "what was created stays known");
}

pub(super) async fn a_delivery_is_fenced_like_a_record(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let old = world.store.acquire_lease("one", Duration::ZERO).await.unwrap();
    world.store.deliver(vec![delivery("k1")]).await.unwrap();
    let claimed = world.due_one().await;
    let new = world.store.acquire_lease("two", LONG).await.unwrap();
    let late = DeliveryCompletion {
        delivery: claimed.id,
        disposition: Disposition::Done,
        ignored: false,
        run: Some(run(1)),
        recording: None,
    };
    let slot = JournalSlot { lease: old.clone(), ..world.slot(claimed.id, 0, "tags.add") };
    let connection = prefinery();
    let local = world.store.write_locally(
        &connection,
        LocalWrite::SetState { key: "k".to_owned(), expected: 0, value: vec![1] },
        Some(slot.clone()),
    );
    for refused in [
        world.store.complete_delivery(&old, late).await,
        world.store.journal_intent(slot).await,
        world.store.journal_result(&old, claimed.id, 0, String::new(), None, Vec::new()).await,
        local.await.map(drop),
    ] {
        assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    }
    assert_eq!(world.store.run(&run(1).id).await.unwrap(), None);
    assert_eq!(world.store.state_get(&prefinery(), "k").await.unwrap(), None);
    assert_eq!(world.store.claim_deliveries(&new, LATER, 10, 10).await.unwrap().len(), 1);
}

pub(super) async fn a_change_of_the_store_and_its_note_are_one(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.store.deliver(vec![delivery("k1")]).await.unwrap();
    let claimed = world.due_one().await;
    let set = |expected| LocalWrite::SetState { key: "k".to_owned(), expected, value: vec![1] };
    let slot = world.slot(claimed.id, 0, "state.compare-and-set");
    let version = world.store.write_locally(&prefinery(), set(0), Some(slot)).await.unwrap();
    let refused = world
        .store
        .write_locally(&prefinery(), set(0), Some(world.slot(claimed.id, 1, "state.compare-and-set")))
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let world = world.restart().await;
    let journal = world.due_one().await.journal;
    assert_eq!(journal.len(), 1, "what failed left no note");
    assert_eq!(journal[0].result, Some(format!("{{\"Ok\":{version}}}")));
}

pub(super) async fn a_timer_goes_off_once_in_the_place_of_its_predecessor(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.set_timer("reminder/a", 100).await.unwrap();
    world.set_timer("reminder/a", 200).await.unwrap();
    world.set_timer("reminder/b", 300).await.unwrap();
    world
        .store
        .write_locally(&prefinery(), LocalWrite::CancelTimer("reminder/b".to_owned()), None)
        .await
        .unwrap();
    let world = world.restart().await;
    assert_eq!(world.store.next_due().await.unwrap(), Some(at(200)));
    let early = world.store.claim_deliveries(&world.lease, at(199), 10, 10).await.unwrap();
    assert!(early.is_empty());
    let fired = world.due_one().await;
    assert_eq!((fired.source, fired.kind.as_str(), fired.at), (Origin::Host, "timer:reminder", at(200)));
    assert_eq!(fired.payload, r#"{"at":200}"#);
    // Set anew by its own handler, it is another timer.
    world.set_timer("reminder/a", 400).await.unwrap();
    world.end(fired.id, Disposition::Done).await;
    assert_eq!(world.due_one().await.at, at(400));
}

pub(super) async fn a_timer_to_come_keeps_no_event_of_its_contact_waiting(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let timer = NewTimer {
        name: "t".to_owned(),
        kind: "timer:t".to_owned(),
        at: at(1_000_000_000),
        contact_id: Some(RecordId::new("h1")),
        payload: "{}".to_owned(),
    };
    world.store.write_locally(&prefinery(), LocalWrite::SetTimer(timer), None).await.unwrap();
    world.store.deliver(vec![of_contact("k1", "h1")]).await.unwrap();
    let mut due = world.due().await;
    let event = due.remove(0);
    assert_eq!(
        (event.kind.as_str(), due.len()),
        ("reward_earned", 0),
        "one at a time, what came first first"
    );
    world.end(event.id, Disposition::Done).await;
    assert_eq!(world.due_one().await.kind, "timer:t");
}

pub(super) async fn a_timer_that_is_taken_back_leaves_its_turn_to_the_next(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.store.deliver(vec![of_contact("k1", "h1")]).await.unwrap();
    let timer = NewTimer {
        name: "t".to_owned(),
        kind: "timer:t".to_owned(),
        at: at(1),
        contact_id: Some(RecordId::new("h1")),
        payload: "{}".to_owned(),
    };
    world.store.write_locally(&prefinery(), LocalWrite::SetTimer(timer), None).await.unwrap();
    let event = world.due_one().await;
    world.store.deliver(vec![of_contact("k2", "h1")]).await.unwrap();
    // The timer went off meanwhile and is next.
    world.end(event.id, Disposition::Done).await;
    world.store.write_locally(&prefinery(), LocalWrite::CancelTimer("t".to_owned()), None).await.unwrap();
    assert_eq!(world.due_one().await.kind, "reward_earned");
}

const LIMITS: MessageLimits = MessageLimits { per_destination: 2, per_workspace: 3, per_minute: 60 };

fn destination(workspace: &str, name: &str) -> Destination {
    Destination {
        workspace: WorkspaceId::new(workspace),
        name: name.to_owned(),
        kind: DestinationKind::Webhook,
        target: json!({"host": "hooks.example.com"}),
        stopped: None,
        created_at: at(1),
    }
}

impl World {
    async fn send(&self, connection: &ConnectionId, destination: &str, id: &str) -> Result<u64, StoreError> {
        let message = NewMessage {
            id: id.to_owned(),
            destination: destination.to_owned(),
            message: json!({"title": id}),
        };
        self.store.write_locally(connection, LocalWrite::Send(message), None).await
    }

    async fn messages(&self, now: jiff::Timestamp, limits: MessageLimits) -> Vec<String> {
        let claimed = self.store.claim_messages(&self.lease, now, 100, limits).await.unwrap();
        claimed.into_iter().map(|claimed| claimed.id).collect()
    }

    async fn sent(&self, id: &str) {
        self.store.complete_message(&self.lease, id, Disposition::Done, None).await.unwrap();
    }
}

pub(super) async fn a_message_is_claimed_until_it_arrived(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let (destination, connection) = (destination("acme", "team"), prefinery());
    let send = |id: &'static str| world.send(&connection, "team", id);
    let unknown = send("m0").await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })), "{unknown:?}");
    world.store.put_destination(destination.clone()).await.unwrap();
    send("m1").await.unwrap();
    let claimed = world.store.claim_messages(&world.lease, LATER, 10, LIMITS).await.unwrap();
    assert_eq!((claimed[0].id.as_str(), &claimed[0].destination), ("m1", &destination));
    assert!(world.messages(LATER, LIMITS).await.is_empty());
    let retry = Disposition::Retry { at: at(50), counts: true };
    world.store.complete_message(&world.lease, "m1", retry, None).await.unwrap();
    let again = world.store.claim_messages(&world.lease, LATER, 10, LIMITS).await.unwrap();
    assert_eq!(again[0].attempts, 1);
    send("m2").await.unwrap();
    let gone = Some("answered 410".to_owned());
    world.store.complete_message(&world.lease, "m1", parked("gone"), gone.clone()).await.unwrap();
    let late = world.store.complete_message(&world.lease, "m1", Disposition::Done, None).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    assert_eq!(world.store.destination(&acme(), "team").await.unwrap().unwrap().stopped, gone);

    let refused = send("m3").await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict { .. }), "{refused:?}");
    assert!(refused.to_string().contains("answered 410"), "{refused}");
    let listed = world.store.parked(&acme()).await.unwrap();
    assert_eq!(listed[0].key.entity, MESSAGE_ENTITY);
    assert!(world.store.retry_parked(&listed[0].key, Priority::Interactive).await.unwrap());
    assert!(world.messages(LATER, LIMITS).await.is_empty(), "it is stopped");
    assert_eq!(world.store.next_due().await.unwrap(), None);
    world.store.put_destination(destination).await.unwrap();
    assert_eq!(world.messages(LATER, LIMITS).await, ["m2", "m1"]);
    world.sent("m1").await;
    assert!(world.store.remove_destination(&acme(), "team").await.unwrap());
    assert!(!world.store.remove_destination(&acme(), "team").await.unwrap());
    assert_eq!(world.store.counts(None).await.unwrap().messages, 0);
}

pub(super) async fn a_destination_that_does_not_answer_has_its_share_and_no_more(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("other", "prefinery").await;
    for (workspace, name) in [("acme", "hangs"), ("acme", "team"), ("acme", "desk"), ("other", "team")] {
        world.store.put_destination(destination(workspace, name)).await.unwrap();
    }
    for number in 0..9 {
        world.send(&prefinery(), "hangs", &format!("h{number}")).await.unwrap();
    }
    world.send(&prefinery(), "team", "t0").await.unwrap();
    world.send(&prefinery(), "desk", "d0").await.unwrap();
    world.send(&other, "team", "o0").await.unwrap();
    let mut first = world.messages(LATER, LIMITS).await;
    first.sort();
    // Three of the workspace, at most two to one destination, and the other workspace has its own.
    assert_eq!(first.len(), 4, "{first:?}");
    assert!(first.contains(&"o0".to_owned()), "{first:?}");
    let hanging: Vec<_> = first.iter().filter(|id| id.starts_with('h')).cloned().collect();
    assert!(!hanging.is_empty() && hanging.len() <= 2, "{first:?}");
    for id in first.iter().filter(|id| !id.starts_with('h')) {
        world.sent(id).await;
    }
    // What hangs goes on to hang: nobody else waits for it.
    let mut rest = world.messages(LATER, LIMITS).await;
    rest.retain(|id| !id.starts_with('h'));
    assert_eq!(rest.len() + first.len() - hanging.len(), 3, "{rest:?} after {first:?}");
    assert!(world.messages(LATER, LIMITS).await.is_empty());
    let all = MessageLimits { per_workspace: 100, ..LIMITS };
    assert!(world.messages(LATER, all).await.len() <= 1, "two hang, and that is the most to one destination");
}

pub(super) async fn a_destination_is_sent_so_many_messages_a_minute_and_the_rest_wait(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    world.store.put_destination(destination("acme", "team")).await.unwrap();
    for number in 0..5 {
        world.send(&prefinery(), "team", &format!("m{number}")).await.unwrap();
    }
    let limits = MessageLimits { per_destination: 100, per_workspace: 100, per_minute: 2 };
    assert_eq!(world.messages(LATER, limits).await, ["m0", "m1"]);
    assert!(world.messages(LATER + SignedDuration::from_secs(59), limits).await.is_empty());
    let minute = SignedDuration::from_secs(60);
    assert_eq!(world.store.next_due().await.unwrap(), Some(LATER + minute), "no earlier look is worth it");
    assert_eq!(world.messages(LATER + minute, limits).await, ["m2", "m3"]);
    assert_eq!(world.messages(LATER + minute + minute, limits).await, ["m4"]);
}

pub(super) async fn messages_that_wait_are_bounded_and_those_to_a_stopped_destination_expire(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let other = world.add("acme", "connectif").await;
    world.store.put_destination(destination("acme", "team")).await.unwrap();
    for number in 0..MESSAGES {
        world.send(&prefinery(), "team", &format!("m{number}")).await.unwrap();
    }
    let refused = world.send(&prefinery(), "team", "more").await.unwrap_err();
    assert!(matches!(refused, StoreError::Limited(_)), "{refused:?}");
    world.send(&other, "team", "of another connection").await.unwrap();
    let [first] = &world.messages(LATER, MessageLimits { per_destination: 1, ..LIMITS }).await[..] else {
        panic!("not one")
    };
    world
        .store
        .complete_message(&world.lease, first, parked("gone"), Some("answered 410".to_owned()))
        .await
        .unwrap();
    let now = jiff::Timestamp::now();
    let day = Duration::from_hours(24);
    world.store.expire(now, day).await.unwrap();
    assert_eq!(
        world.store.counts(None).await.unwrap().messages,
        u64::from(MESSAGES),
        "they may still be sent"
    );
    world.store.expire(now + SignedDuration::from_hours(25), day).await.unwrap();
    assert_eq!(world.store.counts(None).await.unwrap().messages, 0);
}

pub(super) async fn a_record_is_written_so_often_and_then_a_person_has_to_look(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("acme", "connectif").await;
    let limit = || WriteLimit { record: RecordId::new("h1"), writes: 3, minutes: 10 };
    world.store.deliver(vec![of_contact("k1", "h1")]).await.unwrap();
    let claimed = world.due_one().await;
    let noted = |position: u32| {
        let slot = JournalSlot { limit: Some(limit()), ..world.slot(claimed.id, position, "tasks.create") };
        world.store.journal_intent(slot)
    };
    for position in [0, 0, 1, 1, 2] {
        noted(position).await.unwrap();
    }
    let refused = noted(3).await.unwrap_err();
    assert!(matches!(refused, StoreError::Limited(_)), "{refused:?}");
    let words = refused.to_string();
    assert!(words.contains("acme/prefinery 3 times") && words.contains("parked retry"), "{words}");
    noted(1).await.expect("what was noted is not counted again");
    let elsewhere = WriteLimit { record: RecordId::new("h2"), ..limit() };
    world.store.may_write(&prefinery(), elsewhere).await.unwrap();

    // The other connection has its own count, until all of them together are too many.
    for _ in 0..3 {
        world.store.may_write(&other, limit()).await.unwrap();
        let key = RecordKey { connection: other.clone(), ..mark_key("h1") };
        world.store.mark(&other, vec![mark(Side::Highlevel, "h1")], Priority::Webhook, None).await.unwrap();
        let claims = world.claim().await;
        let claim = claims.into_iter().find(|claim| claim.key == key).unwrap();
        let number = i64::try_from(
            world.store.runs(RunFilter { limit: 100, ..RunFilter::default() }).await.unwrap().len(),
        );
        let run = Run { connection: other.clone(), ..run(number.unwrap()) };
        let done = Completion { run: Some(run), ..completion(claim, Disposition::Done) };
        world.store.complete_record(&world.lease, done).await.unwrap();
    }
    let both = world.store.may_write(&other, limit()).await.unwrap_err().to_string();
    assert!(both.contains("acme/prefinery 3 times") && both.contains("acme/connectif 3 times"), "{both}");
    assert!(both.contains("feed each other"), "{both}");

    // A person who looked at it begins anew.
    world.end(claimed.id, parked("too many")).await;
    let listed = world.store.parked(&acme()).await.unwrap();
    assert!(world.store.retry_parked(&listed[0].key, Priority::Interactive).await.unwrap());
    world.store.may_write(&other, limit()).await.unwrap();
}

pub(super) async fn what_a_connections_own_handler_wrote_is_known(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("acme", "connectif").await;
    world.store.deliver(vec![of_contact("k1", "h1")]).await.unwrap();
    let claimed = world.due_one().await;
    let (record, since) = (RecordId::new("t1"), jiff::Timestamp::UNIX_EPOCH);
    let own = |connection: &ConnectionId, once: bool| {
        let (store, connection, record) = (Arc::clone(&world.store), connection.clone(), record.clone());
        async move {
            store
                .own_write(&connection, &["tasks.create"], &record, "reward_earned", since, once)
                .await
                .unwrap()
        }
    };
    assert_eq!(own(&prefinery(), false).await, OwnWrite::No);
    world.store.journal_intent(world.slot(claimed.id, 0, "tasks.create")).await.unwrap();
    assert_eq!(own(&prefinery(), false).await, OwnWrite::Unknown, "its answer is not seen yet");
    assert_eq!(own(&other, false).await, OwnWrite::No);
    let answer = "{\"Ok\":null}".to_owned();
    world
        .store
        .journal_result(&world.lease, claimed.id, 0, answer, Some(record.clone()), Vec::new())
        .await
        .unwrap();
    world.end(claimed.id, Disposition::Done).await;
    assert_eq!(own(&prefinery(), false).await, OwnWrite::Yes);
    let connection = prefinery();
    let of_another =
        world.store.own_write(&connection, &["tasks.create"], &record, "TaskCreate", since, false);
    assert_eq!(of_another.await.unwrap(), OwnWrite::No, "it was written for an event of another kind");
    assert_eq!(own(&prefinery(), true).await, OwnWrite::Yes);
    assert_eq!(own(&prefinery(), true).await, OwnWrite::No, "it was answered once");
}

fn mark_key(record: &str) -> RecordKey {
    RecordKey {
        connection: prefinery(),
        entity: "contact".to_owned(),
        side: Side::Highlevel,
        record: RecordId::new(record),
    }
}

pub(super) async fn lasting_keys_outlive_events_and_others_do_not(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let new = || vec![NewDelivery { lasting: true, ..delivery("submission-1") }, delivery("e1")];
    world.store.deliver(new()).await.unwrap();
    for claimed in world.due().await {
        world.end(claimed.id, Disposition::Done).await;
    }
    // The store dates the end by its own clock, so look from there.
    let now = jiff::Timestamp::now();
    let day = Duration::from_hours(24);
    world.store.expire(now + SignedDuration::from_hours(24 * 3), day).await.unwrap();
    assert_eq!(world.store.deliver(new()).await.unwrap(), 0, "both are known");
    world.store.expire(now + SignedDuration::from_hours(24 * 6), day).await.unwrap();
    assert_eq!(world.store.deliver(new()).await.unwrap(), 1, "only the event's key is forgotten");
    let claimed = world.due_one().await;
    world.end(claimed.id, Disposition::Done).await;
    world.store.expire(now + SignedDuration::from_hours(24 * 402), day).await.unwrap();
    assert_eq!(world.store.deliver(new()).await.unwrap(), 2);
}
