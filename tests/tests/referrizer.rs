//! Referrizer's flows, each end to end: the real component, an engine, and the doubles of both sides.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_engine::ConnectionView;
use contactor_sandbox::SandboxConfig;
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::Order;
use contactor_sandbox::referrizer::{AccountAct, Messages};
use contactor_store::RunFilter;
use contactor_tests::engine::{Partner, Stand};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// The custom fields that the connector's templates write to.
const CUSTOM_FIELDS: [&str; 5] = ["Tags", "Tasks", "Open tasks", "Notes", "Appointments"];

/// A host with Referrizer connected by a template, whose polls have learnt who is there.
struct Stage {
    stand: Stand,
    connection: ConnectionView,
    location: String,
}

impl Stage {
    async fn start(template: &str, settings: Value) -> Self {
        let mut config = SandboxConfig::for_tests();
        config.highlevel.limits = None;
        config.referrizer.custom_fields = CUSTOM_FIELDS.map(str::to_owned).to_vec();
        let stand = Stand::serve_with(config).await.unwrap();
        let connection = stand
            .connect(Partner {
                component: "referrizer".into(),
                base_url: stand.sandbox.referrizer_url(),
                credentials: [("token".to_owned(), stand.sandbox.referrizer().token().to_owned())].into(),
                template: Some(template.to_owned()),
                settings,
                ..Partner::default()
            })
            .await
            .unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let stage = Self { stand, connection, location };
        stage.poll().await;
        stage
    }

    fn highlevel(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    fn referrizer(&self, act: AccountAct) -> Value {
        self.stand.sandbox.referrizer().act(act).unwrap()
    }

    /// Creates a contact in HighLevel; answers its id.
    fn contact(&self, fields: Value) -> String {
        text(&self.highlevel(PersonAct::CreateContact { fields })["id"])
    }

    /// The contact in HighLevel with this email.
    fn in_highlevel(&self, email: &str) -> Value {
        let contacts = self.stand.sandbox.highlevel().contacts(&self.location);
        let mut same = contacts.into_iter().filter(|contact| contact["email"] == email);
        let found = same.next().unwrap_or_default();
        assert_eq!(same.next(), None, "{email} is there twice");
        found
    }

    /// The contact in Referrizer with this email.
    fn in_referrizer(&self, email: &str) -> Value {
        self.stand.sandbox.referrizer().contact(email).unwrap_or_default()
    }

    fn tasks(&self, contact: &str) -> Vec<Value> {
        self.stand.sandbox.highlevel().tasks(&self.location, contact)
    }

    fn notes(&self, contact: &str) -> Vec<Value> {
        self.stand.sandbox.highlevel().notes(&self.location, contact)
    }

    /// A list in one of Referrizer's custom fields.
    fn list(&self, email: &str, field: &str) -> Vec<Value> {
        let text = self.in_referrizer(email)["customFields"][field].as_str().unwrap_or("[]").to_owned();
        serde_json::from_str(&text).unwrap()
    }

    async fn settle(&self) {
        self.stand.settle().await.unwrap();
    }

    /// Lets the polls' interval pass and everything that they find be done.
    async fn poll(&self) {
        self.stand.advance(SignedDuration::from_mins(16));
        self.stand.walk().await.unwrap();
    }

    /// Every webhook of HighLevel four times more, in any order, and a poll after each time.
    async fn repeat(&self) {
        let outbox = self.stand.sandbox.highlevel().webhooks();
        let sequences: Vec<u64> = outbox.webhooks().iter().map(|webhook| webhook.sequence).collect();
        for round in 0..4 {
            for sequence in &sequences {
                assert!(outbox.redeliver(*sequence));
            }
            let order = if round % 2 == 0 { Order::Shuffled } else { Order::Reversed };
            self.stand.settle_in(order).await.unwrap();
            self.poll().await;
        }
    }

    /// What the newest runs came to, for a test that fails.
    async fn runs(&self) -> String {
        let filter =
            RunFilter { connection: Some(self.connection.id.clone()), limit: 30, ..RunFilter::default() };
        let runs = self.stand.engine.runs(filter).await.unwrap();
        let lines = runs.iter().map(|run| format!("{:?} {:?}: {}", run.kind, run.outcome, run.summary));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Both sides' records without what the passing of time changes.
    fn state(&self) -> Value {
        let mut contacts = self.stand.sandbox.highlevel().contacts(&self.location);
        for contact in &mut contacts {
            let id = text(&contact["id"]);
            contact["tasks"] = json!(self.tasks(&id));
            contact["notes"] = json!(self.notes(&id));
        }
        json!([contacts, self.stand.sandbox.referrizer().snapshot()])
    }

    fn nobody_was_messaged(&self) {
        assert_eq!(self.stand.sandbox.referrizer().messages(), Messages::default());
    }

    async fn nothing_is_parked(&self) {
        let parked = self.stand.engine.parked(&self.connection.workspace).await.unwrap();
        assert!(parked.is_empty(), "{parked:#?}\n{}", self.runs().await);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn tags(contact: &Value) -> Vec<String> {
    let mut tags: Vec<String> = contact["tags"].as_array().unwrap().iter().map(text).collect();
    tags.sort();
    tags
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_contacts_are_matched_created_and_updated_in_both_directions() {
    let stage = Stage::start("two-way-contacts", json!({})).await;
    let ada = json!({"firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "phone": "+12025550101", "tags": ["vip"]});
    let ada = stage.contact(ada);
    // Somebody who is on both sides before either heard of it.
    stage.referrizer(AccountAct::CreateContact {
        fields: json!({"email": "cy@example.com", "lastName": "Young"}),
    });
    stage.contact(json!({"firstName": "Cy", "email": "cy@example.com"}));
    stage.settle().await;
    let there = stage.in_referrizer("ada@example.com");
    assert_eq!((&there["firstName"], &there["phone"]), (&json!("Ada"), &json!("+12025550101")));
    assert_eq!(there["customFields"]["Tags"], "vip");
    let cy = stage.in_referrizer("cy@example.com");
    assert_eq!((&cy["firstName"], &cy["lastName"]), (&json!("Cy"), &json!("Young")));
    assert_eq!(stage.in_highlevel("cy@example.com")["lastName"], "Young");

    stage.referrizer(AccountAct::CreateContact {
        fields: json!({"email": "ben@example.com", "firstName": "Ben"}),
    });
    let id = text(&there["id"]);
    stage.referrizer(AccountAct::EditContact { contact: id, fields: json!({"lastName": "Lovelace"}) });
    stage.poll().await;
    assert_eq!(stage.in_highlevel("ben@example.com")["firstName"], "Ben");
    assert_eq!(stage.in_highlevel("ada@example.com")["lastName"], "Lovelace");

    stage.highlevel(PersonAct::EditContact { contact: ada, fields: json!({"firstName": "Augusta"}) });
    stage.settle().await;
    let there = stage.in_referrizer("ada@example.com");
    assert_eq!((&there["firstName"], &there["lastName"]), (&json!("Augusta"), &json!("Lovelace")));
    assert_eq!(there["phone"], "+12025550101", "a change clears nothing");
    assert_eq!(stage.stand.sandbox.referrizer().contacts().len(), 3);

    let before = stage.state();
    let created = stage.stand.sandbox.recorder().count_of("referrizer.contacts.create");
    stage.repeat().await;
    assert_eq!(stage.state(), before, "repeated webhooks and polls change nothing");
    assert_eq!(stage.stand.sandbox.recorder().count_of("referrizer.contacts.create"), created);
    stage.nothing_is_parked().await;
    stage.nobody_was_messaged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_leads_changes_of_status_and_redemptions_set_rules_off_once() {
    let stage = Stage::start("two-way-contacts", json!({})).await;
    let fields = json!({"email": "ben@example.com", "firstName": "Ben"});
    let ben = text(&stage.referrizer(AccountAct::CreateContact { fields })["id"]);
    stage.contact(json!({"email": "own@example.com"}));
    stage.poll().await;
    let contact = stage.in_highlevel("ben@example.com");
    let id = text(&contact["id"]);
    assert_eq!(tags(&contact), ["referrizer lead"]);
    assert_eq!(stage.tasks(&id)[0]["title"], "Follow up the lead Ben");
    assert_eq!(
        tags(&stage.in_highlevel("own@example.com")),
        Vec::<String>::new(),
        "one of HighLevel's is no lead"
    );

    stage.referrizer(AccountAct::EditContact { contact: ben.clone(), fields: json!({"status": "CUSTOMER"}) });
    stage.referrizer(AccountAct::GivePoints { contact: ben.clone(), points: 50 });
    let reward = stage.referrizer(AccountAct::CreateReward { fields: json!({"title": "Mug", "points": 30}) });
    let redeem = AccountAct::RedeemReward {
        reward: text(&reward["id"]),
        contact: ben,
        employee: None,
        note: Some("gift".into()),
    };
    stage.referrizer(redeem);
    stage.poll().await;
    let contact = stage.in_highlevel("ben@example.com");
    assert_eq!(tags(&contact), ["referrizer lead", "referrizer status customer", "reward redeemed"]);
    let titles: Vec<String> = stage.tasks(&id).iter().map(|task| text(&task["title"])).collect();
    assert!(titles.len() == 2 && titles.contains(&"Thank for redeeming Mug".to_owned()), "{titles:?}");
    let notes = stage.notes(&id);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(text(&notes[0]["body"]).starts_with("Mug for 30 points on 2026-11-21"), "{notes:?}");

    // The tags came back from HighLevel's webhooks and are in Referrizer by now.
    let before = stage.state();
    stage.repeat().await;
    assert_eq!(stage.state(), before, "the same counts of tags, tasks and notes");
    stage.nothing_is_parked().await;
    stage.nobody_was_messaged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_a_note_starts_a_personal_message_only_where_a_setting_asks_for_it() {
    for (template, invitations) in [("two-way-contacts", 0), ("loyalty-with-invitations", 1)] {
        let stage = Stage::start(template, json!({})).await;
        let ada = stage.contact(json!({"email": "ada@example.com"}));
        stage.settle().await;
        let fields = json!({"body": "#invite Bring a friend and get a mug", "userId": "usr1"});
        stage.highlevel(PersonAct::CreateNote { contact: ada.clone(), fields });
        // As a rule writes it, for example from a stranger's words.
        let fields = json!({"body": "#invite http://evil.example"});
        stage.highlevel(PersonAct::CreateNote { contact: ada.clone(), fields });
        stage.highlevel(PersonAct::CreateNote { contact: ada, fields: json!({"body": "Called her"}) });
        stage.settle().await;
        stage.repeat().await;
        let expected = Messages { invitations, visit_notifications: 0 };
        assert_eq!(stage.stand.sandbox.referrizer().messages(), expected, "{template}");
        stage.nothing_is_parked().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_a_kept_appointment_is_one_visit_and_messages_nobody() {
    let stage = Stage::start("two-way-contacts", json!({})).await;
    let ada = stage.contact(json!({"email": "ada@example.com"}));
    stage.settle().await;
    let book = |start: &str, end: &str| {
        let fields = json!({"contactId": ada, "calendarId": "cal", "title": "Cut", "startTime": start, "endTime": end});
        text(&stage.highlevel(PersonAct::Book { fields })["id"])
    };
    let kept = book("2026-11-20T09:00:00Z", "2026-11-20T09:30:00Z");
    let missed = book("2026-11-18T09:00:00Z", "2026-11-18T09:30:00Z");
    let mark = |appointment: &str, status: &str| {
        let fields = json!({"appointmentStatus": status});
        stage.highlevel(PersonAct::EditAppointment { appointment: appointment.to_owned(), fields })
    };
    stage.settle().await;
    assert_eq!(stage.stand.sandbox.referrizer().visits().len(), 0, "booked is not kept");
    mark(&kept, "showed");
    mark(&missed, "noshow");
    mark(&kept, "showed");
    stage.settle().await;
    let visits = stage.stand.sandbox.referrizer().visits();
    assert_eq!(visits.len(), 1, "{visits:?}");
    assert_eq!(visits[0]["date"], "2026-11-20T09:00:00.000Z");
    assert_eq!(visits[0]["contactId"], stage.in_referrizer("ada@example.com")["id"]);

    stage.repeat().await;
    assert_eq!(stage.stand.sandbox.referrizer().visits(), visits);
    stage.nothing_is_parked().await;
    stage.nobody_was_messaged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_tasks_are_the_same_on_both_sides_with_status_and_due_date() {
    let stage = Stage::start("tasks-and-notes", json!({})).await;
    let ada = stage.contact(json!({"email": "ada@example.com"}));
    stage.settle().await;
    let fields = json!({"title": "Call", "dueDate": "2026-12-01T09:00:00Z", "completed": false});
    let call = text(&stage.highlevel(PersonAct::CreateTask { contact: ada.clone(), fields })["id"]);
    stage.settle().await;
    let shown = stage.list("ada@example.com", "Tasks");
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!((&shown[0]["subject"], &shown[0]["status"]), (&json!("Call"), &json!("open")));
    assert_eq!(shown[0]["dueDate"], "2026-12-01T09:00:00.000Z");
    assert_eq!(stage.in_referrizer("ada@example.com")["customFields"]["Open tasks"], "1");

    let done = json!({"completed": true});
    stage.highlevel(PersonAct::EditTask { contact: ada.clone(), task: call.clone(), fields: done });
    stage.settle().await;
    let mut shown = stage.list("ada@example.com", "Tasks");
    assert_eq!(shown[0]["status"], "completed");
    assert_eq!(stage.in_referrizer("ada@example.com")["customFields"]["Open tasks"], "0");

    // Somebody at Referrizer takes the task up again, moves it, and adds another one.
    shown[0]["status"] = json!("open");
    shown[0]["dueDate"] = json!("2026-12-24T09:00:00Z");
    shown.push(json!({"subject": "Send flyer", "status": "open", "dueDate": "2026-12-02T09:00:00Z"}));
    let id = text(&stage.in_referrizer("ada@example.com")["id"]);
    let fields = json!({"customFields": {"Tasks": json!(shown).to_string()}});
    stage.referrizer(AccountAct::EditContact { contact: id, fields });
    stage.poll().await;
    let mut tasks = stage.tasks(&ada);
    tasks.sort_by_key(|task| text(&task["title"]));
    assert_eq!(tasks.len(), 2, "{tasks:?}");
    assert_eq!((&tasks[0]["id"], &tasks[0]["completed"]), (&json!(call), &json!(false)));
    assert!(text(&tasks[0]["dueDate"]).starts_with("2026-12-24T09:00:00"), "{tasks:?}");
    assert_eq!(tasks[1]["title"], "Send flyer");
    assert_eq!(stage.in_referrizer("ada@example.com")["customFields"]["Open tasks"], "2");

    let before = stage.state();
    stage.repeat().await;
    assert_eq!(stage.state(), before, "repeated webhooks and polls change nothing");
    stage.nothing_is_parked().await;
    stage.nobody_was_messaged();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_notes_and_tags_of_highlevel_follow() {
    let stage = Stage::start("tasks-and-notes", json!({})).await;
    let ada = stage.contact(json!({"email": "ada@example.com"}));
    stage.settle().await;
    let note = |body: &str| {
        let fields = json!({"body": body});
        text(&stage.highlevel(PersonAct::CreateNote { contact: ada.clone(), fields })["id"])
    };
    let (first, second) = (note("Likes tea"), note("Wrong person"));
    stage.highlevel(PersonAct::AddTags { contact: ada.clone(), tags: vec!["vip".into(), "b2b".into()] });
    stage.settle().await;
    let contents = || {
        let mut notes: Vec<String> =
            stage.list("ada@example.com", "Notes").iter().map(|note| text(&note["content"])).collect();
        notes.sort();
        notes
    };
    assert_eq!(contents(), ["Likes tea", "Wrong person"]);
    assert_eq!(stage.in_referrizer("ada@example.com")["customFields"]["Tags"], "b2b,vip");

    stage.highlevel(PersonAct::DeleteNote { contact: ada.clone(), note: second });
    let fields = json!({"body": "Likes green tea"});
    stage.highlevel(PersonAct::EditNote { contact: ada.clone(), note: first, fields });
    stage.highlevel(PersonAct::RemoveTags { contact: ada.clone(), tags: vec!["b2b".into()] });
    let fields = json!({"contactId": ada, "calendarId": "cal", "title": "Cut", "startTime": "2026-11-25T09:00:00Z", "endTime": "2026-11-25T09:30:00Z"});
    stage.highlevel(PersonAct::Book { fields });
    stage.settle().await;
    assert_eq!(contents(), ["Likes green tea"]);
    assert_eq!(stage.in_referrizer("ada@example.com")["customFields"]["Tags"], "vip");
    let appointments = stage.list("ada@example.com", "Appointments");
    assert_eq!((appointments.len(), &appointments[0]["title"]), (1, &json!("Cut")));
    assert_eq!(appointments[0]["start"], "2026-11-25T09:00:00.000Z");

    let before = stage.state();
    stage.repeat().await;
    assert_eq!(stage.state(), before, "repeated webhooks and polls change nothing");
    stage.nothing_is_parked().await;
    stage.nobody_was_messaged();
}
