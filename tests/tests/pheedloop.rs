//! PheedLoop end to end: the real component, its double with REST hooks, and HighLevel's double, behind the real server.
//!
//! A test's name begins with the flow that it proves.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::collections::BTreeSet;

use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{DeliveryEffect, DeliveryFault, Order};
use contactor_sandbox::pheedloop::{Envelope, EventAct, PheedLoop};
use contactor_store::WorkspaceId;
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use jiff::SignedDuration;
use serde_json::{Value, json};

const EVENT: &str = "EVESANDBOX";
const SECOND: &str = "EVESECOND";

/// What REST hooks are subscribed to.
const HOOKS: [&str; 6] = [
    "registration.created",
    "registration.updated",
    "attendee.created",
    "attendee.updated",
    "attendee.deleted",
    "checkin.created",
];

struct World {
    stand: Stand,
    location: String,
}

impl World {
    /// Both events connected, with REST hooks whose bodies have this shape; without one there are no hooks.
    async fn new(hooks: Option<Envelope>, settings: Value) -> Self {
        let stand = Stand::serve().await.unwrap();
        let double = stand.sandbox.pheedloop();
        let mut own = json!({ "organization_code": double.organization(), "event_codes": [EVENT, SECOND] });
        for (name, value) in settings.as_object().into_iter().flatten() {
            own[name] = value.clone();
        }
        let credentials = [("key", double.api_key()), ("secret", double.api_secret())];
        let partner = Partner {
            component: "pheedloop".into(),
            base_url: stand.sandbox.pheedloop_url(),
            credentials: credentials.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            settings: own,
            ..Partner::default()
        };
        let connection = stand.connect(partner).await.unwrap();
        if let Some(envelope) = hooks {
            let mut guesses = double.guesses();
            guesses.envelope = envelope;
            double.set_guesses(guesses);
            let endpoint = stand.webhook_url(&connection).unwrap();
            for (event, action) in
                [EVENT, SECOND].into_iter().flat_map(|event| HOOKS.map(|action| (event, action)))
            {
                let input = json!({ "event": event, "action": action, "endpoint": endpoint });
                stand.run(&connection.id, "resthooks.subscribe", &input).await.unwrap();
                // The manifest's own restraint is ten requests a second.
                stand.advance(SignedDuration::from_secs(1));
            }
        }
        let location = stand.sandbox.highlevel().first_location();
        Self { stand, location }
    }

    fn pheedloop(&self) -> &PheedLoop {
        self.stand.sandbox.pheedloop()
    }

    fn act(&self, act: EventAct) -> Value {
        self.pheedloop().act(act).unwrap()
    }

    fn in_highlevel(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    async fn settle(&self) {
        self.stand.settle().await.unwrap();
    }

    /// Somebody signs up; answers the attendee's code.
    fn register(&self, event: &str, fields: Value) -> String {
        let registration = self.act(EventAct::Register { event: Some(event.into()), fields });
        registration["attendee_code"].as_str().unwrap().to_owned()
    }

    fn attendee(&self, event: &str, code_or_email: &str) -> Value {
        self.pheedloop().attendee(event, code_or_email).unwrap_or_default()
    }

    fn contact(&self, email: &str) -> Value {
        let contacts = self.stand.sandbox.highlevel().contacts(&self.location);
        let mut found = contacts.into_iter().filter(|contact| contact["email"] == email);
        let contact = found.next().unwrap_or_default();
        assert!(found.next().is_none(), "two contacts have the email {email}");
        contact
    }

    fn id(&self, email: &str) -> String {
        self.contact(email)["id"].as_str().unwrap().to_owned()
    }

    fn tags(&self, email: &str) -> BTreeSet<String> {
        let tags = self.contact(email)["tags"].as_array().cloned().unwrap_or_default();
        tags.iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
    }

    /// Titles of the contact's tasks, sorted.
    fn tasks(&self, email: &str) -> Vec<String> {
        let tasks = self.stand.sandbox.highlevel().tasks(&self.location, &self.id(email));
        let mut titles: Vec<_> =
            tasks.iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect();
        titles.sort();
        titles
    }

    /// Both sides, as far as repeated webhooks could change them: contacts with their tags, tasks and notes, and attendees, each without
    /// what tells only when it was written last; and mails to attendees.
    fn state(&self) -> Value {
        let highlevel = self.stand.sandbox.highlevel();
        let mut contacts = highlevel.contacts(&self.location);
        for contact in &mut contacts {
            let id = contact["id"].as_str().unwrap().to_owned();
            contact["tasks"] = json!(highlevel.tasks(&self.location, &id));
            contact["notes"] = json!(highlevel.notes(&self.location, &id));
        }
        let attendees = [EVENT, SECOND].map(|event| self.pheedloop().attendees(event));
        json!({ "contacts": contacts, "attendees": attendees, "mails": self.pheedloop().welcomes().total() })
    }

    /// Delivers every webhook so far five times more, each time in another order, and looks whether anything is different then.
    async fn stays_as_it_is(&self) {
        let before = self.state();
        let outboxes = self.stand.sandbox.outboxes();
        let known = outboxes.iter().map(|outbox| outbox.webhooks()).collect::<Vec<_>>();
        for order in [Order::Shuffled, Order::Reversed, Order::Queued, Order::Shuffled, Order::Reversed] {
            for (outbox, webhooks) in outboxes.iter().zip(&known) {
                assert!(webhooks.iter().all(|webhook| outbox.redeliver(webhook.sequence)));
            }
            self.stand.settle_in(order).await.unwrap();
        }
        assert_eq!(self.state(), before, "repeated webhooks change nothing");
        let parked = self.stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap();
        assert!(parked.is_empty(), "{parked:#?}");
    }

    /// Tags, sorted; titles of tasks, sorted; number of notes.
    fn counts(&self, email: &str) -> (BTreeSet<String>, Vec<String>, usize) {
        let notes = self.stand.sandbox.highlevel().notes(&self.location, &self.id(email));
        (self.tags(email), self.tasks(email), notes.len())
    }

    /// Every webhook of both sides arrives this often, in whatever order the stand is told.
    fn repeat(&self, copies: u32) {
        for outbox in self.stand.sandbox.outboxes() {
            let fault =
                DeliveryFault { event: "*".into(), times: u32::MAX, effect: DeliveryEffect::Copies(copies) };
            outbox.add_fault(fault);
        }
    }
}

impl Drop for World {
    /// No test here asks for a mail to anybody.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.pheedloop().welcomes().total(), 0, "a welcome mail that no setting asked for");
        }
    }
}

fn ada() -> Value {
    json!({
        "first_name": "Ada", "last_name": "Byron", "email": "ada@example.com", "organization": "Analytics",
        "address_phone": "+1 415 555 0100", "tags": ["vip"],
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_a_person_who_registers_becomes_a_contact_whatever_the_hooks_body_looks_like() {
    for envelope in [Envelope::Bare, Envelope::Named, Envelope::RestHook, Envelope::Mention] {
        let world = World::new(Some(envelope), json!({})).await;
        world.repeat(5);
        let code = world.register(EVENT, ada());
        world.stand.settle_in(Order::Shuffled).await.unwrap();
        let contact = world.contact("ada@example.com");
        assert_eq!(
            (&contact["firstName"], &contact["companyName"]),
            (&json!("Ada"), &json!("Analytics")),
            "{envelope:?}"
        );
        assert_eq!(contact["phone"], "+14155550100");
        assert!(world.tags("ada@example.com").is_superset(&["pheedloop", "vip"].map(str::to_owned).into()));

        let fields = json!({ "last_name": "Lovelace", "organization": "" });
        world.act(EventAct::EditAttendee { event: None, attendee: code.clone(), fields });
        world.stand.settle_in(Order::Reversed).await.unwrap();
        if envelope == Envelope::Mention {
            // A second mention of the same attendee has the bytes of the first and passes for its repetition: the stream finds it.
            world.stand.advance(SignedDuration::from_hours(1));
            world.stand.walk().await.unwrap();
        }
        let contact = world.contact("ada@example.com");
        assert_eq!(contact["lastName"], "Lovelace", "{envelope:?}");
        assert!(contact["companyName"].as_str().unwrap_or_default().is_empty(), "{envelope:?}: {contact}");
        let edit = json!({ "firstName": "Augusta" });
        world.in_highlevel(PersonAct::EditContact { contact: world.id("ada@example.com"), fields: edit });
        world.stand.settle_in(Order::Shuffled).await.unwrap();
        assert_eq!(world.attendee(EVENT, &code)["first_name"], "Augusta");

        assert_eq!(world.pheedloop().attendees(EVENT).len(), 1, "{envelope:?}");
        let (tags, tasks, notes) = world.counts("ada@example.com");
        // A body without an action does not say that somebody signed up, and whom the streams find first was there before them.
        let says_so = matches!(envelope, Envelope::Named | Envelope::RestHook);
        let expected = if says_so { (3, 2, 0) } else { (2, 0, 0) };
        assert_eq!((tags.len(), tasks.len(), notes), expected, "{envelope:?}: {tags:?} {tasks:?}");
        world.stays_as_it_is().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_without_hooks_the_streams_find_who_registered_and_who_was_there_before() {
    let world = World::new(None, json!({})).await;
    world.act(EventAct::CreateAttendee { event: None, fields: ada() });
    let ben = json!({ "first_name": "Ben", "last_name": "Lee", "email": "ben@example.com" });
    world.register(SECOND, ben);
    world.stand.walk().await.unwrap();
    assert_eq!(world.contact("ada@example.com")["firstName"], "Ada");
    assert_eq!(world.contact("ben@example.com")["firstName"], "Ben");
    world.stand.sandbox.recorder().clear();
    world.stand.advance(SignedDuration::from_hours(2));
    world.stand.walk().await.unwrap();
    let writes = ["pheedloop.attendees.create", "pheedloop.attendees.update", "highlevel.contacts.update"];
    for operation in writes {
        assert_eq!(
            world.stand.sandbox.recorder().count_of(operation).requests,
            0,
            "a second walk writes nothing: {operation}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_a_tagged_contact_is_registered_once_even_if_the_answer_is_lost_and_nobody_is_mailed() {
    let world = World::new(Some(Envelope::Named), json!({})).await;
    world.repeat(5);
    let lost = Fault::next(1, "pheedloop.attendees.create", Effect::Drop { after: true });
    world.stand.sandbox.faults().add(lost);
    let fields = json!({ "firstName": "Cy", "email": "cy@example.com", "tags": ["pheedloop"] });
    world.in_highlevel(PersonAct::CreateContact { fields });
    world.in_highlevel(PersonAct::CreateContact {
        fields: json!({ "firstName": "Di", "email": "di@example.com" }),
    });
    world.stand.settle_in(Order::Shuffled).await.unwrap();
    let attendees = world.pheedloop().attendees(EVENT);
    assert_eq!(attendees.len(), 1, "{attendees:?}");
    assert_eq!((&attendees[0]["email"], &attendees[0]["last_name"]), (&json!("cy@example.com"), &json!("-")));
    assert!(world.contact("cy@example.com")["lastName"].as_str().unwrap_or_default().is_empty());
    assert_eq!(
        world.tasks("cy@example.com"),
        Vec::<String>::new(),
        "whom we registered ourselves did not sign up"
    );
    world.stays_as_it_is().await;
}

fn list(attendee: &Value, name: &str) -> Vec<Value> {
    attendee["metadata"][name].as_array().cloned().unwrap_or_default()
}

fn titles(attendee: &Value) -> Vec<String> {
    let tasks = list(attendee, "highlevel_tasks");
    let mut titles: Vec<_> = tasks.iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l2_tasks_and_notes_of_a_contact_are_kept_on_the_attendee_it_belongs_to() {
    for (copies, order) in [(1, Order::Queued), (5, Order::Shuffled)] {
        let world = World::new(Some(Envelope::Named), json!({ "rules": [] })).await;
        world.repeat(copies);
        let code = world.register(EVENT, ada());
        let ben = json!({ "first_name": "Ben", "last_name": "Lee", "email": "ben@example.com" });
        let other = world.register(EVENT, ben);
        world.settle().await;
        let seat = json!({ "metadata": { "seat": "A1" } });
        world.act(EventAct::EditAttendee { event: None, attendee: code.clone(), fields: seat });
        let contact = world.id("ada@example.com");
        let mut tasks = Vec::new();
        for title in ["Call", "Badge"] {
            let fields = json!({ "title": title, "dueDate": "2026-12-01T10:00:00Z", "completed": false });
            let task = world.in_highlevel(PersonAct::CreateTask { contact: contact.clone(), fields });
            tasks.push(task["id"].as_str().unwrap().to_owned());
        }
        let fields = json!({ "body": "Prefers the front row" });
        world.in_highlevel(PersonAct::CreateNote { contact: contact.clone(), fields });
        world.stand.settle_in(order).await.unwrap();
        let attendee = world.attendee(EVENT, &code);
        assert_eq!(titles(&attendee), ["Badge", "Call"], "{attendee}");
        assert_eq!(list(&attendee, "highlevel_notes")[0]["body"], "Prefers the front row");
        assert_eq!(attendee["metadata"]["highlevel_open_tasks"], 2);
        assert_eq!(attendee["metadata"]["seat"], "A1", "what others keep there stays");
        assert!(titles(&world.attendee(EVENT, &other)).is_empty(), "nobody else has them");

        // Completed in HighLevel, deleted in HighLevel; added at PheedLoop by another integration.
        let done = json!({ "completed": true });
        let complete = |task: &str| PersonAct::EditTask {
            contact: contact.clone(),
            task: task.into(),
            fields: done.clone(),
        };
        world.in_highlevel(complete(&tasks[0]));
        world.in_highlevel(PersonAct::DeleteTask { contact: contact.clone(), task: tasks[1].clone() });
        world.stand.settle_in(order).await.unwrap();
        let mut metadata = world.attendee(EVENT, &code)["metadata"].clone();
        assert_eq!(metadata["highlevel_tasks"].as_array().unwrap().len(), 1, "{metadata}");
        assert_eq!(
            (&metadata["highlevel_tasks"][0]["completed"], &metadata["highlevel_open_tasks"]),
            (&json!(true), &json!(0))
        );
        let added = json!({ "title": "Seat change", "due": "2026-12-02T10:00:00Z", "completed": false });
        metadata["highlevel_tasks"].as_array_mut().unwrap().push(added);
        let fields = json!({ "metadata": metadata });
        world.act(EventAct::EditAttendee { event: None, attendee: code.clone(), fields });
        world.stand.settle_in(order).await.unwrap();
        assert_eq!(world.tasks("ada@example.com"), ["Call", "Seat change"]);
        assert_eq!(titles(&world.attendee(EVENT, &code)), ["Call", "Seat change"]);
        assert!(world.tasks("ben@example.com").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l3_tags_and_the_organisation_travel_both_ways() {
    let mut ends = BTreeSet::new();
    for (copies, order) in [(1, Order::Queued), (5, Order::Shuffled), (5, Order::Reversed)] {
        let world = World::new(Some(Envelope::RestHook), json!({ "rules": [] })).await;
        world.repeat(copies);
        let code = world.register(EVENT, ada());
        world.stand.settle_in(order).await.unwrap();
        let contact = world.id("ada@example.com");
        world.in_highlevel(PersonAct::AddTags { contact: contact.clone(), tags: vec!["speaker".into()] });
        world.in_highlevel(PersonAct::RemoveTags { contact: contact.clone(), tags: vec!["vip".into()] });
        let edit = json!({ "companyName": "Engines Ltd" });
        world.in_highlevel(PersonAct::EditContact { contact: contact.clone(), fields: edit });
        let fields = json!({ "title": "Call", "dueDate": "2026-12-01T10:00:00Z", "completed": false });
        world.in_highlevel(PersonAct::CreateTask { contact: contact.clone(), fields });
        world.in_highlevel(PersonAct::CreateNote { contact, fields: json!({ "body": "Speaks first" }) });
        world.stand.settle_in(order).await.unwrap();
        let attendee = world.attendee(EVENT, &code);
        assert_eq!(
            (&attendee["tags"], &attendee["organization"]),
            (&json!(["speaker"]), &json!("Engines Ltd"))
        );

        let fields = json!({ "tags": ["speaker", "press"], "organization": "Looms Inc" });
        world.act(EventAct::EditAttendee { event: None, attendee: code.clone(), fields });
        world.stand.settle_in(order).await.unwrap();
        let attendee = world.attendee(EVENT, &code);
        assert_eq!(world.contact("ada@example.com")["companyName"], "Looms Inc");
        assert_eq!(attendee["organization"], "Looms Inc");
        let counts = world.counts("ada@example.com");
        let tags = ["pheedloop", "press", "speaker"].map(str::to_owned).into();
        assert_eq!(counts, (tags, vec!["Call".to_owned()], 1), "{copies} times, {order:?}");
        assert_eq!(
            (titles(&attendee), list(&attendee, "highlevel_notes").len()),
            (vec!["Call".to_owned()], 1)
        );
        assert_eq!(world.pheedloop().attendees(EVENT).len(), 1);
        ends.insert(format!("{counts:?} {} {}", attendee["tags"], attendee["organization"]));
        world.stays_as_it_is().await;
    }
    assert_eq!(ends.len(), 1, "one end however the webhooks came: {ends:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l4_a_sign_up_is_tagged_for_each_event_and_gets_its_onboarding_tasks_once() {
    for (envelope, order) in [(Envelope::Named, Order::Shuffled), (Envelope::RestHook, Order::Reversed)] {
        let world = World::new(Some(envelope), json!({})).await;
        world.repeat(5);
        world.register(EVENT, ada());
        world.stand.settle_in(order).await.unwrap();
        let one = ["Ask Ada about travel and meals for Sandbox Summit", "Welcome Ada to Sandbox Summit"];
        assert_eq!(world.tasks("ada@example.com"), one, "{envelope:?}");
        assert!(world.tags("ada@example.com").contains("event sandbox summit"));

        world.register(SECOND, ada());
        world.stand.settle_in(order).await.unwrap();
        let tasks = world.tasks("ada@example.com");
        assert_eq!(tasks.iter().filter(|title| title.contains("Second Summit")).count(), 2, "{tasks:?}");
        assert_eq!(tasks.len(), 4);
        let tags = world.tags("ada@example.com");
        assert!(tags.contains("event sandbox summit") && tags.contains("event second summit"), "{tags:?}");
        assert_eq!(world.pheedloop().attendees(EVENT).len() + world.pheedloop().attendees(SECOND).len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l4_without_hooks_a_poll_finds_the_sign_up_and_leaves_older_ones_alone() {
    let world = World::new(None, json!({})).await;
    let old = json!({ "first_name": "Old", "last_name": "Hand", "email": "old@example.com" });
    world.register(EVENT, old);
    world.stand.advance(SignedDuration::from_mins(1));
    world.stand.walk().await.unwrap();
    assert_eq!(world.tasks("old@example.com"), Vec::<String>::new(), "they were there before the connection");
    world.stand.advance(SignedDuration::from_mins(30));
    world.register(EVENT, ada());
    world.stand.walk().await.unwrap();
    world.stand.advance(SignedDuration::from_hours(3));
    world.stand.walk().await.unwrap();
    assert_eq!(world.tasks("ada@example.com").len(), 2, "once, however often the poll sees it");
    assert!(world.tags("ada@example.com").contains("event sandbox summit"));
}

fn book(world: &World, contact: &str, start: &str) -> String {
    let fields = json!({
        "calendarId": "cal1", "contactId": contact, "title": "Rehearsal", "startTime": start,
    });
    world.in_highlevel(PersonAct::Book { fields })["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l5_appointments_are_shown_on_the_attendee_and_a_reminder_comes_a_day_ahead() {
    let world = World::new(Some(Envelope::Named), json!({})).await;
    world.repeat(5);
    let code = world.register(EVENT, ada());
    world.settle().await;
    let (contact, before) = (world.id("ada@example.com"), world.tasks("ada@example.com").len());
    // The sandbox's time begins at 2026-11-21T08:00:00Z.
    book(&world, &contact, "2026-11-24T12:00:00Z");
    let cancelled = book(&world, &contact, "2026-11-24T15:00:00Z");
    world.stand.settle_in(Order::Shuffled).await.unwrap();
    assert_eq!(list(&world.attendee(EVENT, &code), "highlevel_appointments").len(), 2);
    let fields = json!({ "appointmentStatus": "cancelled" });
    world.in_highlevel(PersonAct::EditAppointment { appointment: cancelled, fields });
    world.settle().await;
    let shown = list(&world.attendee(EVENT, &code), "highlevel_appointments");
    assert_eq!((shown.len(), &shown[0]["title"]), (1, &json!("Rehearsal")), "a cancelled one is not shown");

    let reminders = |world: &World| {
        let tasks = world.tasks("ada@example.com");
        (tasks.len() - before, tasks.into_iter().filter(|title| title.starts_with("Reminder:")).count())
    };
    world.stand.advance(SignedDuration::from_hours(48));
    world.settle().await;
    assert_eq!(reminders(&world), (0, 0), "two days and two hours ahead");
    world.stand.advance(SignedDuration::from_hours(5));
    world.settle().await;
    assert_eq!(reminders(&world), (1, 1), "one reminder, and none of what was cancelled");
    world.stand.advance(SignedDuration::from_hours(48));
    world.settle().await;
    assert_eq!(reminders(&world), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attendee_without_a_code_stops_neither_the_poll_nor_a_search() {
    let world = World::new(None, json!({ "event_codes": [EVENT] })).await;
    let people = ["a@example.com", "c@example.com"].map(|email| {
        let code = world.register(EVENT, json!({ "first_name": "Ada", "last_name": "King", "email": email }));
        world.attendee(EVENT, &code)
    });
    let broken = json!({ "code": { "odd": [7] }, "email": ["b@example.com"], "api_token": "s3cret" });
    let results = [people[0].clone(), broken, people[1].clone()];
    let body = Some(json!({ "count": 3, "next": null, "previous": null, "results": results }));
    let effect = Effect::Answer { status: 200, body, retry_after: None, after: false };
    let faults = world.stand.sandbox.faults();
    faults.add(Fault::always("pheedloop.attendees.list", effect));
    world.stand.advance(SignedDuration::from_mins(61));
    world.stand.walk().await.unwrap();
    world.settle().await;
    for email in ["a@example.com", "c@example.com"] {
        assert_eq!(world.contact(email)["firstName"], "Ada", "{email}");
    }

    let workspace = WorkspaceId::new(WORKSPACE);
    let engine = &world.stand.engine;
    let parked = engine.parked(&workspace).await.unwrap();
    assert_eq!(parked.len(), 1, "{parked:?}");
    let reason = &parked[0].reason;
    assert!(reason.contains(r#"`/code`: expected an id, found {"odd":[7]}"#), "{reason}");
    assert!(reason.contains("a retry takes it off the list") && !reason.contains("s3cret"), "{reason}");

    // The next poll finds it again and says nothing new.
    world.stand.advance(SignedDuration::from_mins(61));
    world.stand.walk().await.unwrap();
    assert_eq!(engine.parked(&workspace).await.unwrap(), parked);

    faults.clear();
    assert!(engine.retry_parked(&parked[0].key).await.unwrap());
    world.stand.advance(SignedDuration::from_mins(61));
    world.stand.walk().await.unwrap();
    world.settle().await;
    assert_eq!(engine.parked(&workspace).await.unwrap(), []);
}
