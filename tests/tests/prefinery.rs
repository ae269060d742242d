//! Prefinery's flows, each end to end: the real component, an engine, and the doubles of both sides.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use contactor_engine::{ConnectionView, NewDestination};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{Order, Outbox};
use contactor_sandbox::prefinery::{Guesses, Mails, ProfileClears, ProfileUpdates, ProjectAct};
use contactor_store::{ConflictFilter, DestinationKind, RecordId, RunFilter, RunOutcome, Side};
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use serde_json::{Value, json};

/// A host with Prefinery connected, whose webhooks come to it.
struct Stage {
    stand: Stand,
    connection: ConnectionView,
    location: String,
    project: u64,
}

impl Stage {
    async fn start(template: Option<&str>, settings: Value) -> Self {
        let stand = Stand::serve().await.unwrap();
        let prefinery = stand.sandbox.prefinery();
        let project = prefinery.first_project();
        let mut all = json!({ "beta_id": project.to_string() });
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let connection = stand
            .connect(Partner {
                component: "prefinery".into(),
                base_url: stand.sandbox.prefinery_url(),
                credentials: [("key".to_owned(), prefinery.api_key().to_owned())].into(),
                webhook_secret: prefinery.signing_secret(project),
                template: template.map(str::to_owned),
                settings: all,
                ..Partner::default()
            })
            .await
            .unwrap();
        prefinery.set_webhook_target(project, Some(stand.webhook_url(&connection).unwrap().parse().unwrap()));
        let location = stand.sandbox.highlevel().first_location();
        Self { stand, connection, location, project }
    }

    fn highlevel(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    fn prefinery(&self, act: ProjectAct) -> Value {
        self.stand.sandbox.prefinery().act(self.project, act).unwrap()
    }

    /// Creates a contact in HighLevel; answers its id.
    fn contact(&self, fields: Value) -> String {
        text(&self.highlevel(PersonAct::CreateContact { fields })["id"])
    }

    fn in_highlevel(&self, email: &str) -> Value {
        let contacts = self.stand.sandbox.highlevel().contacts(&self.location);
        contacts.into_iter().find(|contact| contact["email"] == email).unwrap_or_default()
    }

    fn tester(&self, email: &str) -> Value {
        self.stand.sandbox.prefinery().tester(self.project, email).unwrap_or_default()
    }

    fn groups(&self, email: &str) -> Vec<String> {
        let mut groups: Vec<String> =
            text(&self.tester(email)["groups"]).split(',').map(str::to_owned).collect();
        groups.retain(|group| !group.is_empty());
        groups.sort();
        groups
    }

    fn notes(&self, contact: &str) -> Vec<Value> {
        self.stand.sandbox.highlevel().notes(&self.location, contact)
    }

    async fn settle(&self) {
        self.stand.settle().await.unwrap();
    }

    /// Every webhook of both sides four times more, in any order.
    async fn repeat(&self) {
        let known =
            |outbox: &Outbox| outbox.webhooks().iter().map(|webhook| webhook.sequence).collect::<Vec<_>>();
        let outboxes: Vec<_> =
            self.stand.sandbox.outboxes().into_iter().map(|outbox| (outbox, known(outbox))).collect();
        for round in 0..4 {
            for (outbox, sequences) in &outboxes {
                assert!(sequences.iter().all(|sequence| outbox.redeliver(*sequence)));
            }
            let order = if round % 2 == 0 { Order::Shuffled } else { Order::Reversed };
            self.stand.settle_in(order).await.unwrap();
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

    /// Both sides' records.
    fn state(&self) -> Value {
        let mut contacts = self.stand.sandbox.highlevel().contacts(&self.location);
        for contact in &mut contacts {
            let id = text(&contact["id"]);
            contact["tasks"] = json!(self.stand.sandbox.highlevel().tasks(&self.location, &id));
            contact["notes"] = json!(self.notes(&id));
        }
        json!([contacts, self.stand.sandbox.prefinery().snapshot()])
    }

    /// Repeated webhooks change nothing, nothing waits for a person, and nobody got a mail.
    async fn is_stable_and_quiet(&self) {
        let before = self.state();
        self.repeat().await;
        assert_eq!(self.state(), before, "repeated webhooks change nothing");
        let parked = self.stand.engine.parked(&self.connection.workspace).await.unwrap();
        assert!(parked.is_empty(), "{parked:#?}\n{}", self.runs().await);
        assert_eq!(self.stand.sandbox.prefinery().mails(self.project), Mails::default());
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
async fn p1_a_contact_becomes_a_tester_and_one_that_is_there_already_is_linked() {
    let stage = Stage::start(None, json!({})).await;
    stage.prefinery(ProjectAct::CreateTester { fields: json!({"email": "ben@example.com"}) });
    stage.stand.sandbox.prefinery().webhooks().clear();
    stage.contact(
        json!({"firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "phone": "+12025550101"}),
    );
    let ben = stage.contact(json!({"firstName": "Ben", "email": "ben@example.com"}));
    stage.settle().await;
    let ada = stage.tester("ada@example.com");
    assert_eq!(
        (&ada["profile"]["first_name"], &ada["profile"]["custom_var1"]),
        (&json!("Ada"), &json!("+12025550101"))
    );
    assert_eq!(
        stage.tester("ben@example.com")["profile"]["first_name"],
        "Ben",
        "error 2310 links instead of failing"
    );
    assert_eq!(stage.stand.sandbox.prefinery().testers(stage.project).len(), 2);

    // An operator asks for one contact.
    let (side, record) = (Side::Highlevel, RecordId::new(ben));
    stage.stand.engine.sync_record(&stage.connection.id, "contact", side, &record).await.unwrap();
    stage.settle().await;
    stage.is_stable_and_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_all_contacts_are_pulled_and_tagged_on_both_sides() {
    let stage = Stage::start(Some("two-way-waitlist"), json!({})).await;
    for number in 0..60 {
        let tags = if number % 2 == 0 { json!(["vip"]) } else { json!([]) };
        stage.contact(json!({"email": format!("p{number}@example.com"), "tags": tags}));
    }
    // Nobody heard of them: the pull has to find them.
    stage.stand.sandbox.highlevel().webhooks().clear();
    stage.stand.sandbox.highlevel().refresh_index();
    stage.stand.engine.start_sync(&stage.connection.id, true).await.unwrap();
    stage.stand.walk().await.unwrap();
    assert_eq!(stage.stand.sandbox.prefinery().testers(stage.project).len(), 60);
    assert_eq!(
        (stage.groups("p0@example.com"), stage.groups("p1@example.com").len()),
        (vec!["vip".to_owned()], 0)
    );
    assert_eq!(tags(&stage.in_highlevel("p0@example.com")), ["prefinery", "vip"]);
    assert_eq!(tags(&stage.in_highlevel("p1@example.com")), ["prefinery"]);
    stage.is_stable_and_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_a_change_in_prefinery_writes_only_what_changed_and_conflicts_are_shown() {
    let stage = Stage::start(None, json!({})).await;
    let ada = stage.contact(json!({"firstName": "Ada", "lastName": "Byron", "email": "ada@example.com"}));
    stage.settle().await;
    let tester = stage.tester("ada@example.com")["id"].to_string();
    let edit = |name: &str| ProjectAct::EditTester {
        tester: tester.clone(),
        fields: json!({"profile": {"last_name": name}}),
    };
    stage.stand.sandbox.recorder().clear();
    stage.prefinery(edit("Lovelace"));
    stage.settle().await;
    assert_eq!(stage.in_highlevel("ada@example.com")["lastName"], "Lovelace");
    let written: Vec<_> = stage
        .stand
        .sandbox
        .recorder()
        .recent()
        .into_iter()
        .filter(|seen| seen.operation == "highlevel.contacts.update")
        .collect();
    assert_eq!(written.len(), 1);
    let body: Value = serde_json::from_str(written[0].body.as_deref().unwrap()).unwrap();
    assert_eq!(body, json!({"lastName": "Lovelace"}));

    stage.prefinery(edit("King"));
    stage.highlevel(PersonAct::EditContact { contact: ada, fields: json!({"lastName": "Noel"}) });
    stage.settle().await;
    let name = text(&stage.in_highlevel("ada@example.com")["lastName"]);
    assert_eq!(stage.tester("ada@example.com")["profile"]["last_name"], json!(name), "both sides agree");
    let filter = ConflictFilter {
        workspace: stage.connection.workspace.clone(),
        connection: None,
        record: None,
        open: false,
        limit: 10,
    };
    let conflicts = stage.stand.engine.conflicts(filter).await.unwrap();
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    stage.is_stable_and_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_clean_up_rules_leave_contacts_alone_and_say_why() {
    let stage = Stage::start(None, json!({"blocked_domains": ["spam.example"]})).await;
    stage.contact(json!({"firstName": "No", "phone": "+12025550100"}));
    stage.contact(json!({"email": "a@mail.spam.example"}));
    let quiet = stage.contact(json!({"email": "quiet@example.com"}));
    stage.highlevel(PersonAct::EditContact { contact: quiet, fields: json!({"dnd": true}) });
    stage.contact(json!({"email": "good@example.com"}));
    stage.settle().await;
    let testers = stage.stand.sandbox.prefinery().testers(stage.project);
    assert_eq!(testers.iter().map(|tester| text(&tester["email"])).collect::<Vec<_>>(), ["good@example.com"]);
    let filter =
        RunFilter { connection: Some(stage.connection.id.clone()), limit: 50, ..RunFilter::default() };
    let runs = stage.stand.engine.runs(filter).await.unwrap();
    let reasons: Vec<_> = runs
        .iter()
        .filter(|run| run.outcome == RunOutcome::Skipped)
        .map(|run| run.summary.as_str())
        .collect();
    for reason in ["no email address", "spam.example", "do not disturb"] {
        assert!(reasons.iter().any(|shown| shown.contains(reason)), "{reason}: {reasons:?}");
    }
    stage.is_stable_and_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_groups_follow_tags_and_open_and_completed_tasks() {
    let stage = Stage::start(Some("groups-by-tasks"), json!({})).await;
    let ada = stage.contact(json!({"email": "ada@example.com", "tags": ["vip"]}));
    let ben = stage.contact(json!({"email": "ben@example.com"}));
    stage.settle().await;
    assert_eq!(stage.groups("ada@example.com"), ["priority", "vip"]);
    let task = |contact: &str| {
        let fields = json!({"title": "Call", "dueDate": "2026-12-01T09:00:00Z", "completed": false});
        text(&stage.highlevel(PersonAct::CreateTask { contact: contact.to_owned(), fields })["id"])
    };
    let call = task(&ada);
    task(&ben);
    stage.settle().await;
    assert_eq!(stage.groups("ada@example.com"), ["open tasks", "priority", "vip"], "{}", stage.runs().await);
    let done = json!({"completed": true});
    stage.highlevel(PersonAct::EditTask { contact: ada, task: call, fields: done });
    stage.settle().await;
    assert_eq!(stage.groups("ada@example.com"), ["priority", "tasks done", "vip"]);
    assert_eq!(stage.groups("ben@example.com"), ["open tasks"]);
    stage.is_stable_and_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_a_reward_is_tagged_and_noted_once_for_each_of_its_stages() {
    let stage = Stage::start(None, json!({})).await;
    let ada = stage.contact(json!({"email": "ada@example.com"}));
    stage.settle().await;
    let tester = stage.tester("ada@example.com")["id"].to_string();
    let earn = |name: &str| {
        let act = ProjectAct::EarnReward { tester: tester.clone(), name: name.to_owned() };
        stage.prefinery(act)["id"].as_u64().unwrap()
    };
    let (mug, shirt) = (earn("Mug"), earn("Shirt"));
    stage.prefinery(ProjectAct::DeliverReward { reward: mug });
    stage.prefinery(ProjectAct::RevokeReward { reward: shirt });
    stage.stand.settle_in(Order::Reversed).await.unwrap();
    let contact = stage.in_highlevel("ada@example.com");
    assert_eq!(tags(&contact), ["prefinery", "reward delivered", "reward earned", "reward revoked"]);
    let mut notes: Vec<String> = stage.notes(&ada).iter().map(|note| text(&note["body"])).collect();
    notes.sort();
    let expected = [
        "Mug (referrer): reward delivered.",
        "Mug (referrer): reward earned.",
        "Shirt (referrer): reward earned.",
        "Shirt (referrer): reward revoked.",
    ];
    assert_eq!(notes, expected);
    assert_eq!(stage.groups("ada@example.com"), ["reward delivered", "reward earned", "reward revoked"]);
    stage.is_stable_and_quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p6_the_team_is_told_once_of_new_contacts_sign_ups_and_rewards() {
    let stage = Stage::start(Some("team-notifications"), json!({})).await;
    let engine = &stage.stand.engine;
    let team = NewDestination {
        workspace: WORKSPACE.to_owned(),
        name: "team".to_owned(),
        kind: DestinationKind::Chat,
        to: Vec::new(),
        url: Some(format!("{}/chat/team", stage.stand.sandbox.inbox_url()).into()),
        secret: None,
    };
    engine.put_destination(team).await.unwrap();
    stage.contact(json!({"email": "ada@example.com", "firstName": "Ada", "lastName": "Byron"}));
    stage.settle().await;
    let tester = stage.tester("ada@example.com")["id"].to_string();
    stage.prefinery(ProjectAct::EarnReward { tester, name: "Mug".to_owned() });
    stage.prefinery(ProjectAct::CreateTester { fields: json!({"email": "ben@example.com"}) });
    stage.settle().await;
    let arrived = || {
        let messages = stage.stand.sandbox.inbox().messages();
        let mut texts: Vec<String> = messages.iter().map(|message| text(&message.body["text"])).collect();
        texts.sort();
        texts
    };
    let told = arrived();
    for expected in ["New contact: ada@example.com", "Sign-up: ben@example.com", "Mug: reward earned"] {
        let times = told.iter().filter(|text| text.contains(expected)).count();
        assert_eq!(times, 1, "{expected}: {told:#?}\n{}", stage.runs().await);
    }
    stage.is_stable_and_quiet().await;
    assert_eq!(arrived(), told, "repeated webhooks tell nobody again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_is_wiped_by_the_change_of_another_one_and_a_cleared_one_is_cleared() {
    use ProfileClears::{Empty, Null};
    use ProfileUpdates::{Merges, Replaces};
    for (sends, clear_with, profile_updates, profile_clears) in [
        ("whole", "null", Replaces, Null),
        ("whole", "empty", Merges, Empty),
        ("changed", "null", Merges, Null),
    ] {
        let stage = Stage::start(None, json!({ "profile_updates": sends, "clear_with": clear_with })).await;
        let prefinery = stage.stand.sandbox.prefinery();
        prefinery.set_guesses(Guesses { profile_updates, profile_clears, ..prefinery.guesses() });
        let fields = json!({"firstName": "Ada", "lastName": "Byron", "email": "ada@example.com", "phone": "+12025550101"});
        let ada = stage.contact(fields);
        stage.settle().await;
        let edit = |fields: Value| {
            stage.highlevel(PersonAct::EditContact { contact: ada.clone(), fields });
        };
        edit(json!({"lastName": "King"}));
        stage.settle().await;
        let profile = stage.tester("ada@example.com")["profile"].clone();
        assert_eq!(profile["first_name"], "Ada", "{sends}: {profile}");
        assert_eq!(
            (&profile["last_name"], &profile["custom_var1"]),
            (&json!("King"), &json!("+12025550101"))
        );
        edit(json!({"lastName": ""}));
        stage.settle().await;
        let profile = stage.tester("ada@example.com")["profile"].clone();
        let is_empty = profile["last_name"].as_str().unwrap_or_default().is_empty();
        assert!(is_empty && profile["first_name"] == "Ada", "{clear_with}: {profile}");
        stage.is_stable_and_quiet().await;
    }
}
