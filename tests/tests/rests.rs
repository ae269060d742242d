//! What keeps failing is left alone and stops nothing else; what is parked is released by its cause.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::Order;
use contactor_store::{ConnectionId, FailureClass, WorkspaceId};
use contactor_tests::engine::{Stand, WORKSPACE};
use contactor_tests::partners;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// People with a note each: several times as many as are worked on at the same time.
const PEOPLE: usize = 40;

struct World {
    stand: Stand,
    connection: ConnectionId,
    location: String,
}

impl World {
    async fn set() -> Self {
        let mut config = partners::sandbox();
        config.connectif.limit = None;
        let stand = Stand::serve_with(config).await.unwrap();
        let partner = partners::connectif(&stand.sandbox);
        let connection = partners::connect(&stand, partner).await.unwrap().id;
        let location = stand.sandbox.highlevel().first_location();
        stand.walk().await.unwrap();
        Self { stand, connection, location }
    }

    fn act(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    fn people(&self) {
        for number in 0..PEOPLE {
            let fields = json!({ "firstName": "Ann", "email": format!("ann{number}@example.com") });
            let contact = self.act(PersonAct::CreateContact { fields })["id"].as_str().unwrap().to_owned();
            let fields = json!({ "body": "Likes tea" });
            self.act(PersonAct::CreateNote { contact, fields });
        }
    }

    fn fault(&self, operation: &str, effect: Effect) {
        self.stand.sandbox.faults().add(Fault {
            operation: operation.to_owned(),
            effect,
            when: When::Always,
            skip: 0,
        });
    }

    fn requests(&self, of: &str) -> u64 {
        self.stand.sandbox.recorder().requests(of)
    }

    /// Delivers webhooks and does what is due, without letting time pass.
    async fn work(&self) {
        while {
            for outbox in self.stand.sandbox.outboxes() {
                outbox.flush(Order::Queued).await;
            }
            self.stand.engine.run_until_idle().await.unwrap() > 0
        } {}
    }

    async fn resting(&self) -> Vec<(Option<String>, FailureClass)> {
        let rests = self.stand.engine.rests(&WorkspaceId::new(WORKSPACE)).await.unwrap();
        rests.into_iter().map(|rest| (rest.subject, rest.class)).collect()
    }

    /// Contacts of the partner that show a note.
    fn with_notes(&self) -> usize {
        let people = self.stand.sandbox.connectif().contacts();
        people.iter().filter(|person| person.to_string().contains("Likes tea")).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_broken_for_a_day_rests_stops_nothing_else_and_parks_nothing() {
    let world = World::set().await;
    world.fault("highlevel.notes.list", Effect::refuse(503));
    world.people();
    world.work().await;
    assert_eq!(world.resting().await, [(Some("notes".to_owned()), FailureClass::Transient)]);

    let before = world.requests("highlevel.notes.list");
    for _ in 0..24 {
        world.stand.advance(SignedDuration::from_hours(1));
        world.work().await;
    }
    assert_eq!(world.stand.sandbox.connectif().contacts().len(), PEOPLE, "contacts went on");
    let tried = world.requests("highlevel.notes.list") - before;
    assert!((1..=60).contains(&tried), "one tries after a while, not all of them: {tried}");
    assert_eq!(world.stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap(), []);
    let view = world.stand.engine.connection(&world.connection).await.unwrap();
    assert!(view.rests[0].reason.contains("503") && view.rests[0].failures > 5, "{:?}", view.rests);

    world.stand.sandbox.faults().clear();
    world.stand.advance(SignedDuration::from_mins(11));
    world.stand.settle().await.unwrap();
    assert_eq!(world.resting().await, []);
    assert_eq!(world.with_notes(), PEOPLE, "and nothing was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_that_says_429_is_asked_nothing_until_its_time_and_highlevel_neither() {
    let world = World::set().await;
    world.people();
    world.stand.settle().await.unwrap();
    world.fault("connectif.*", Effect::TooManyRequests);
    let (asked, read) = (world.requests("connectif."), world.requests("highlevel.contacts.get"));
    for contact in world.stand.sandbox.highlevel().contacts(&world.location) {
        let contact = contact["id"].as_str().unwrap().to_owned();
        world.act(PersonAct::EditContact { contact, fields: json!({ "lastName": "Smith" }) });
    }
    world.work().await;
    assert_eq!(world.resting().await, [(None, FailureClass::Quota)]);
    // Those that were under way together meet it; the others are not even given out.
    let (asked, read) =
        (world.requests("connectif.") - asked, world.requests("highlevel.contacts.get") - read);
    assert!(asked <= 16 && read <= 16, "{asked} requests, {read} reads for {PEOPLE} contacts");

    world.stand.sandbox.faults().clear();
    world.stand.settle().await.unwrap();
    let people = world.stand.sandbox.connectif().contacts();
    assert!(people.iter().all(|person| person.to_string().contains("Smith")), "{people:?}");
    assert_eq!(world.stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_fix_releases_all_that_is_parked_for_one_cause() {
    let world = World::set().await;
    world.people();
    world.fault(
        "connectif.*",
        Effect::Answer {
            status: 422,
            body: Some(json!({ "message": "lists are closed" })),
            retry_after: None,
            after: false,
        },
    );
    world.stand.settle().await.unwrap();
    let workspace = WorkspaceId::new(WORKSPACE);
    let engine = &world.stand.engine;
    let groups = engine.parked_groups(&workspace).await.unwrap();
    assert_eq!(groups.len(), 1, "{groups:#?}");
    let group = &groups[0];
    assert_eq!((group.group.count, group.group.of.entity.as_str()), (PEOPLE as u64, "contact"));
    assert!(group.fix.contains("retry the group"), "{}", group.fix);
    let (_, entries) = engine.parked_group(&workspace, &group.id, 3).await.unwrap();
    assert_eq!(entries.len(), 3);

    // What changed meanwhile counts, not what was there when it was parked.
    for contact in world.stand.sandbox.highlevel().contacts(&world.location) {
        let contact = contact["id"].as_str().unwrap().to_owned();
        world.act(PersonAct::EditContact { contact, fields: json!({ "lastName": "Smith" }) });
    }
    for outbox in world.stand.sandbox.outboxes() {
        outbox.clear();
    }
    world.stand.sandbox.faults().clear();
    let released = engine.release_group(&workspace, &group.id, contactor_engine::ParkedAction::Retry).await;
    assert_eq!(released.unwrap(), PEOPLE as u64);
    world.stand.settle().await.unwrap();
    assert_eq!(engine.parked(&workspace).await.unwrap(), []);
    let people = world.stand.sandbox.connectif().contacts();
    assert_eq!(people.len(), PEOPLE);
    assert!(people.iter().all(|person| person.to_string().contains("Smith")), "{people:?}");
    let gone = engine.parked_group(&workspace, &group.id, 3).await.unwrap_err().to_string();
    assert!(gone.contains("contactor parked list acme"), "{gone}");
}
