//! Forgetting one person.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::json;

use super::Engine;
use super::world::*;
use crate::*;

/// A contact with everything that a store can keep of it. All emails are `<name>@example.com`.
async fn known(world: &World, name: &str) {
    let (contact, partner) = (format!("contact-of-{name}"), format!("tester-of-{name}"));
    let email = format!("{name}@example.com");
    let body = json!({"email": email, "id": contact}).to_string().into_bytes();
    let event = NewEvent { body, ..event(&format!("e-{name}"), vec![mark(Side::Highlevel, &contact)]) };
    world.append(event).await;
    let claim = world.claim_one().await;
    let base = json!({"email=email": {"highlevel": email, "partner": email}});
    let link = Link { base: serde_json::from_value(base).unwrap(), ..link(&contact, &partner) };
    let run = Run {
        summary: format!("created {email}"),
        highlevel_id: Some(RecordId::new(&*contact)),
        partner_id: None,
        ..run(3)
    };
    let run = Run { id: RunId::new(format!("run-{name}")), ..run };
    let done = Completion { link: Some(link), run: Some(run), ..completion(claim, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
    world.mark(Side::Highlevel, &contact, Priority::Sweep).await;
    let value = format!("[\"{email}\",\"somebody@example.com\"]").into_bytes();
    world.store.state_set(&prefinery(), &format!("seen {name}"), 0, value).await.unwrap();
    let seen = Seen {
        record: RecordId::new(format!("task-of-{name}")),
        parent: RecordId::new(contact),
        fingerprint: "x".into(),
    };
    let page = SeenPage { seen: vec![seen], ..SeenPage::default() };
    world.store.put_seen(&acme(), "tasks", page).await.unwrap();
    super::matching::listed(world, name).await;
}

/// Everything that the store tells of a workspace, as one text.
async fn all(world: &World) -> String {
    let store = &world.store;
    let mut text = String::new();
    for event in store.events(EventFilter::newest(&acme(), 100)).await.unwrap() {
        let event = store.event(event.seq).await.unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&event.body));
    }
    for run in store.runs(RunFilter { limit: 100, ..RunFilter::default() }).await.unwrap() {
        write!(text, "{run:?}").unwrap();
    }
    write!(text, "{:?}", store.links(&prefinery(), "contact", None, 100).await.unwrap()).unwrap();
    write!(text, "{:?}", store.seen(&acme(), "tasks").await.unwrap()).unwrap();
    for bucket in MatchBucket::ALL {
        let filter = MatchFilter { connection: prefinery(), bucket, skip: 0, limit: 100 };
        write!(text, "{:?}", store.matches(filter).await.unwrap()).unwrap();
    }
    for key in store.state_keys(&prefinery(), "").await.unwrap() {
        let value = store.state_get(&prefinery(), &key).await.unwrap().unwrap().0;
        text.push_str(&String::from_utf8_lossy(&value));
    }
    text
}

pub(super) async fn a_person_is_forgotten_everywhere_and_nobody_else_is(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for name in ["ann", "bob"] {
        known(&world, name).await;
        // The next one's claim is not to meet this one's mark.
        let claimed = world.claim().await;
        assert_eq!(claimed.len(), 1);
    }
    let person = Person { ids: Vec::new(), words: vec!["Ann@Example.com".to_owned()] };
    let erased = world.store.erase(&acme(), person.clone(), false).await.unwrap();
    let ids = ["contact-of-ann", "listed-of-ann", "tester-of-ann"].map(RecordId::new);
    assert_eq!(erased.ids, ids);
    let counts = (erased.links, erased.events, erased.runs, erased.waiting, erased.states, erased.traces);
    assert_eq!(counts, (1, 1, 1, 1, 1, 3), "{erased:?}");
    let world = world.restart().await;
    let text = all(&world).await;
    for word in ["ann@example.com", "contact-of-ann", "listed-of-ann", "tester-of-ann"] {
        assert!(!text.to_lowercase().contains(word), "{word} in {text}");
    }
    for word in
        ["bob@example.com", "contact-of-bob", "listed-of-bob", "tester-of-bob", "somebody@example.com"]
    {
        assert!(text.contains(word), "{word} is gone");
    }
    // That the webhook came is still known.
    let again = event("e-ann", vec![mark(Side::Highlevel, "contact-of-ann")]);
    assert_eq!(world.store.append_event(again).await.unwrap(), Accepted::Duplicate);
    assert!(world.store.erase(&acme(), person, false).await.unwrap().is_empty());
}

pub(super) async fn a_number_is_found_in_every_notation_and_an_address_also_in_a_request(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let notations = [
        "+19075550101",
        "(907) 555-0101",
        "907-555-0101",
        "1 907 555 0101",
        "9075550101",
        "ann%40example.com",
    ];
    let others = ["(907) 555-0102", "+19075550102", "bob%40example.com"];
    for (number, text) in (1..).zip(notations.into_iter().chain(others)) {
        let run = Run {
            id: RunId::new(format!("run-{number}")),
            highlevel_id: None,
            partner_id: None,
            summary: format!("GET /people?who={text}"),
            ..run(number)
        };
        world.store.put_run(run).await.unwrap();
    }
    let person =
        Person { ids: Vec::new(), words: vec!["+19075550101".to_owned(), "ann@example.com".to_owned()] };
    assert_eq!(world.store.erase(&acme(), person, false).await.unwrap().runs, notations.len() as u64);
    let left = world.store.runs(RunFilter { limit: 100, ..RunFilter::default() }).await.unwrap();
    let left: Vec<_> =
        left.iter().rev().map(|run| run.summary.trim_start_matches("GET /people?who=")).collect();
    assert_eq!(left, others);
}

pub(super) async fn looking_changes_nothing(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    known(&world, "ann").await;
    let before = all(&world).await;
    let person = Person { ids: vec![RecordId::new("tester-of-ann")], words: Vec::new() };
    let found = world.store.erase(&acme(), person.clone(), true).await.unwrap();
    assert_eq!((found.links, found.runs, found.waiting), (1, 1, 1), "{found:?}");
    assert_eq!(all(&world).await, before);
    let erased = world.store.erase(&acme(), person, false).await.unwrap();
    assert_eq!(erased, found, "what was told is what was done");
}
