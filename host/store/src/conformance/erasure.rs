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
    // The match report lists a second contact with this address.
    let person = Person { words: vec!["Ann@Example.com".to_owned()], everybody: true, ..Person::default() };
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
        Person { words: vec!["+19075550101".to_owned(), "ann@example.com".to_owned()], ..Person::default() };
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
    let person = Person { ids: vec![RecordId::new("tester-of-ann")], ..Person::default() };
    let found = world.store.erase(&acme(), person.clone(), true).await.unwrap();
    assert_eq!((found.links, found.runs, found.waiting), (1, 1, 1), "{found:?}");
    assert_eq!(all(&world).await, before);
    let erased = world.store.erase(&acme(), person, false).await.unwrap();
    assert_eq!(erased, found, "what was told is what was done");
}

/// A contact with an email and the email of somebody who referred it.
async fn referred(world: &World, contact: &str, partner: &str, email: &str, by: &str) {
    let base = json!({
        "email=email": {"highlevel": email, "partner": email},
        "contact.referrer=referrer_email": {"highlevel": by, "partner": by},
    });
    world.mark(Side::Highlevel, contact, Priority::Webhook).await;
    let link = Link { base: serde_json::from_value(base).unwrap(), ..link(contact, partner) };
    let done = Completion { link: Some(link), ..completion(world.claim_one().await, Disposition::Done) };
    world.store.complete_record(&world.lease, done).await.unwrap();
}

fn known_by(word: &str) -> Person {
    Person { words: vec![word.to_owned()], ..Person::default() }
}

fn with_id(id: &str) -> Person {
    Person { ids: vec![RecordId::new(id)], ..Person::default() }
}

impl World {
    async fn contacts_left(&self) -> Vec<String> {
        let links = self.store.links(&prefinery(), "contact", None, 100).await.unwrap();
        links.iter().map(|link| link.highlevel_id.to_string()).collect()
    }

    async fn runs_left(&self) -> Vec<String> {
        let runs = self.store.runs(RunFilter { limit: 100, ..RunFilter::default() }).await.unwrap();
        runs.into_iter().map(|run| run.summary).collect()
    }
}

pub(super) async fn whoever_was_referred_by_a_person_stays(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    referred(&world, "h1", "p1", "agent@example.com", "nobody@example.com").await;
    for (contact, partner, name) in [("h2", "p2", "bob"), ("h3", "p3", "cyd")] {
        referred(&world, contact, partner, &format!("{name}@example.com"), "agent@example.com").await;
    }
    let erased = world.store.erase(&acme(), known_by("agent@example.com"), false).await.unwrap();
    assert_eq!((erased.contacts, erased.links, erased.blanked), (vec![RecordId::new("h1")], 1, 2));
    assert_eq!(world.contacts_left().await, ["h2", "h3"]);
    let text = format!("{:?}", world.store.links(&prefinery(), "contact", None, 100).await.unwrap());
    assert!(text.contains("bob@example.com") && !text.contains("agent@"), "{text}");
}

pub(super) async fn several_contacts_of_one_address_are_not_guessed_about(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for (contact, partner) in [("contact-1", "p1"), ("contact-2", "p2")] {
        referred(&world, contact, partner, "office@example.com", "nobody@example.com").await;
    }
    for (number, told) in (1..).zip(["wrote contact-1", "wrote contact-2", "wrote office@example.com"]) {
        let run = Run { highlevel_id: None, partner_id: None, summary: told.to_owned(), ..run(number) };
        world.store.put_run(run).await.unwrap();
    }
    let contacts = ["contact-1", "contact-2"].map(RecordId::new).to_vec();
    let refused = world.store.erase(&acme(), known_by("office@example.com"), false).await;
    assert_eq!(refused, Err(StoreError::Several { contacts: contacts.clone() }));
    assert_eq!(
        (world.contacts_left().await.len(), world.runs_left().await.len()),
        (2, 3),
        "nothing was changed"
    );
    let found = world.store.erase(&acme(), known_by("office@example.com"), true).await.unwrap();
    assert_eq!((found.contacts, found.runs), (contacts, 3), "a look shows all of them");

    // One of them, by its id: what it shares stays the other's.
    let erased = world.store.erase(&acme(), with_id("contact-1"), false).await.unwrap();
    assert_eq!((erased.contacts, erased.words), (vec![RecordId::new("contact-1")], Vec::new()));
    assert_eq!(world.contacts_left().await, ["contact-2"]);
    assert_eq!(world.runs_left().await, ["wrote office@example.com", "wrote contact-2"]);
    let all = Person { everybody: true, ..known_by("office@example.com") };
    world.store.erase(&acme(), all, false).await.unwrap();
    assert!(world.contacts_left().await.is_empty() && world.runs_left().await.is_empty());
}

pub(super) async fn a_contact_at_several_partners_is_one_person_and_a_number_is_only_its_own_partners(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let other = world.add("acme", "connectif").await;
    referred(&world, "h1", "17", "ann@example.com", "nobody@example.com").await;
    let mut claims = Vec::new();
    for record in ["h1", "h2"] {
        world.store.mark(&other, vec![mark(Side::Highlevel, record)], Priority::Webhook, None).await.unwrap();
        claims.push(world.claim_one().await);
    }
    let base = json!({"email=email": {"highlevel": "ann@example.com", "partner": "ann@example.com"}});
    let of_ann = Link {
        connection: other.clone(),
        base: serde_json::from_value(base).unwrap(),
        ..link("h1", "of-ann")
    };
    let base = json!({"email=email": {"highlevel": "bob@example.com", "partner": "bob@example.com"}});
    // Its number is the one that the other person has at the first partner.
    let of_bob =
        Link { base: serde_json::from_value(base).unwrap(), connection: other.clone(), ..link("h2", "17") };
    for (claim, link) in claims.into_iter().zip([of_ann, of_bob]) {
        let done = Completion { link: Some(link), ..completion(claim, Disposition::Done) };
        world.store.complete_record(&world.lease, done).await.unwrap();
    }
    let unlinked = Mark { entity: "order".to_owned(), ..mark(Side::Partner, "17") };
    world.store.mark(&other, vec![unlinked], Priority::Webhook, None).await.unwrap();
    let refused = world.store.erase(&acme(), with_id("17"), false).await;
    assert!(matches!(refused, Err(StoreError::Several { .. })), "{refused:?}");
    let erased = world.store.erase(&acme(), known_by("ann@example.com"), false).await.unwrap();
    assert_eq!((erased.links, erased.waiting, erased.contacts), (2, 0, vec![RecordId::new("h1")]));
    assert_eq!(world.claim_one().await.key.record.as_str(), "17");
}
