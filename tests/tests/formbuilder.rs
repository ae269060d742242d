//! 123FormBuilder end to end: the built component in an engine behind the real server, beside the doubles.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use contactor_engine::{ConnectionView, NewDestination};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::formbuilder::{Content, FormAct, Guesses, Mails, WebhookBody};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::{DeliveryEffect, DeliveryFault, Order};
use contactor_store::{ConnectionState, DestinationKind, FailureClass, RunOutcome, WorkspaceId};
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use jiff::SignedDuration;
use serde_json::{Value, json};

struct Stage {
    stand: Stand,
    connection: ConnectionView,
    form: u64,
    location: String,
}

impl Stage {
    /// A connection with these settings, whose webhook the form has accepted, and whose first poll is over.
    async fn start(settings: Value) -> Self {
        let stage = Self::quiet(settings, None).await;
        let url = stage.stand.webhook_url(&stage.connection).unwrap().parse().unwrap();
        stage.stand.sandbox.formbuilder().add_webhook(stage.form, url).await.unwrap();
        stage
    }

    /// The same without a webhook.
    async fn quiet(settings: Value, auth: Option<&str>) -> Self {
        Self::on(Stand::serve().await.unwrap(), settings, auth).await
    }

    async fn on(stand: Stand, settings: Value, auth: Option<&str>) -> Self {
        let double = stand.sandbox.formbuilder();
        let form = double.first_form();
        let mut all = json!({ "form_ids": [form.to_string()], "utc_offset": "-05:00" });
        all.as_object_mut().unwrap().extend(settings.as_object().cloned().unwrap());
        let credentials = [("username", double.username()), ("password", double.password())];
        let connection = stand
            .connect(Partner {
                component: "formbuilder".into(),
                base_url: stand.sandbox.formbuilder_url(),
                auth: auth.map(str::to_owned),
                credentials: credentials.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                settings: all,
                ..Partner::default()
            })
            .await
            .unwrap();
        stand.walk().await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        Self { stand, connection, form, location }
    }

    fn guess(&self, change: impl FnOnce(&mut Guesses)) {
        let mut guesses = self.stand.sandbox.formbuilder().guesses();
        change(&mut guesses);
        self.stand.sandbox.formbuilder().set_guesses(guesses);
    }

    /// Every webhook of either side from now on is sent five times.
    fn five_times(&self) {
        for outbox in self.stand.sandbox.outboxes() {
            let effect = DeliveryEffect::Copies(5);
            outbox.add_fault(DeliveryFault { event: "*".into(), times: u32::MAX, effect });
        }
    }

    fn submit(&self, answers: Value) -> u64 {
        let shown = self.at_the_form(FormAct::Submit { answers });
        shown["id"].as_str().unwrap().parse().unwrap()
    }

    fn at_the_form(&self, act: FormAct) -> Value {
        self.stand.sandbox.formbuilder().act(self.form, act).unwrap()
    }

    fn person(&self, act: PersonAct) -> Value {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap()
    }

    fn contacts(&self) -> Vec<Value> {
        self.stand.sandbox.highlevel().contacts(&self.location)
    }

    fn contact(&self) -> Value {
        let contacts = self.contacts();
        assert_eq!(contacts.len(), 1, "{contacts:?}");
        contacts.into_iter().next().unwrap()
    }

    fn tasks(&self, contact: &Value) -> Vec<Value> {
        self.stand.sandbox.highlevel().tasks(&self.location, contact["id"].as_str().unwrap())
    }

    fn submission(&self, id: u64) -> Value {
        self.stand.sandbox.formbuilder().submission(self.form, id).unwrap()
    }

    /// A day later, when the walk through everything is due.
    async fn next_day(&self) {
        self.stand.advance(SignedDuration::from_hours(25));
        self.stand.walk().await.unwrap();
    }

    async fn action(&self, name: &str, input: Value) -> Value {
        self.stand
            .run(&self.connection.id, name, &input)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    async fn parked(&self) -> Vec<String> {
        let parked = self.stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap();
        parked.into_iter().map(|parked| format!("{parked:?}")).collect()
    }

    fn mails(&self) -> Mails {
        self.stand.sandbox.formbuilder().mails()
    }
}

fn ada() -> Value {
    json!({
        "Name/First": "Ada", "Name/Last": "Lovelace", "Email": "Ada@Example.com", "Phone": "+1 202-555-0101",
        "Interests": ["Trees", "Ponds"], "Message": "Hello",
    })
}

fn tags(contact: &Value) -> Vec<&str> {
    let mut tags: Vec<_> =
        contact["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    tags.sort_unstable();
    tags
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_a_submission_becomes_a_contact_with_one_welcome_task_however_often_it_is_delivered() {
    let bodies = [WebhookBody::Form, WebhookBody::Json, WebhookBody::Multipart, WebhookBody::Xml];
    for (index, webhook_body) in bodies.into_iter().enumerate() {
        let stage = Stage::start(json!({})).await;
        let interests = stage.stand.sandbox.formbuilder().field_id(stage.form, "Interests").unwrap();
        assert!(!interests.is_empty());
        stage.guess(|guesses| {
            guesses.webhook_body = webhook_body;
            // Half of them name the submission, the others make the connector read what is new.
            guesses.webhook_submission_key = (index % 2 == 0).then(|| "submission_id".into());
        });
        stage.five_times();
        let id = stage.submit(ada());
        stage.stand.settle_in(Order::Shuffled).await.unwrap();
        for webhook in stage.stand.sandbox.formbuilder().webhooks().webhooks() {
            stage.stand.sandbox.formbuilder().webhooks().redeliver(webhook.sequence);
        }
        stage.stand.advance(SignedDuration::from_hours(1));
        stage.stand.walk().await.unwrap();
        stage.next_day().await;

        let contact = stage.contact();
        assert_eq!((&contact["firstName"], &contact["lastName"]), (&json!("Ada"), &json!("Lovelace")));
        assert_eq!(
            (&contact["email"], &contact["phone"]),
            (&json!("ada@example.com"), &json!("+12025550101"))
        );
        let tasks = stage.tasks(&contact);
        assert_eq!(tasks.len(), 1, "{webhook_body:?}: {tasks:?}");
        assert_eq!(tasks[0]["title"], "Welcome Ada");
        assert_eq!(tasks[0]["body"], format!("123FormBuilder submission {}/{id}", stage.form));
        assert!(tasks[0]["dueDate"].as_str().unwrap().starts_with("2026-11-22"), "{}", tasks[0]["dueDate"]);
        assert_eq!(stage.mails(), Mails::default());
        assert!(stage.parked().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_a_poll_alone_finds_what_is_new_and_the_past_gets_no_welcome() {
    let stand = Stand::serve().await.unwrap();
    let form = stand.sandbox.formbuilder().first_form();
    let past = json!({ "Name/First": "Grace", "Email": "grace@example.com" });
    stand.sandbox.formbuilder().act(form, FormAct::Submit { answers: past }).unwrap();
    let stage = Stage::on(stand, json!({}), None).await;
    assert_eq!(stage.tasks(&stage.contact()).len(), 0, "it was submitted before");
    stage.guess(|guesses| (guesses.start_is_inclusive, guesses.newest_first) = (false, false));
    stage.submit(ada());
    stage.stand.advance(SignedDuration::from_mins(31));
    stage.stand.walk().await.unwrap();
    let contacts = stage.contacts();
    let ada = contacts.iter().find(|contact| contact["firstName"] == "Ada").unwrap();
    assert_eq!((contacts.len(), stage.tasks(ada).len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_fields_are_mapped_per_form_and_choices_become_tags() {
    let stand = Stand::serve().await.unwrap();
    let double = stand.sandbox.formbuilder();
    let form = double.first_form();
    let field = |label: &str| double.field_id(form, label).unwrap();
    let map = json!({
        field("Interests"): "tags", format!("{form}/{}", field("Message")): "company", field("Phone"): "ignore",
    });
    drop(stand);
    let stage = Stage::start(json!({ "field_map": map })).await;
    stage.guess(|guesses| guesses.content = Content::Text);
    stage.submit(ada());
    stage.stand.settle().await.unwrap();
    let contact = stage.contact();
    assert_eq!((tags(&contact), &contact["companyName"]), (vec!["ponds", "trees"], &json!("Hello")));
    assert!(contact["phone"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_a_submission_without_email_and_phone_is_parked_as_no_identifier_and_not_retried() {
    let stage = Stage::start(json!({})).await;
    stage.submit(json!({ "Name/First": "Nobody", "Message": "Hi" }));
    stage.submit(ada());
    stage.stand.settle().await.unwrap();
    let parked = stage.parked().await;
    assert!(parked.iter().any(|parked| parked.contains("no identifier")), "{parked:?}");
    assert_eq!(stage.tasks(&stage.contact()).len(), 1, "the others go on");
    let reads =
        |stage: &Stage| stage.stand.sandbox.recorder().count_of("formbuilder.submissions.get").requests;
    let before = reads(&stage);
    stage.stand.advance(SignedDuration::from_hours(2));
    stage.stand.settle().await.unwrap();
    assert_eq!(reads(&stage), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_a_contact_is_retrieved_together_with_its_tasks() {
    let stage = Stage::start(json!({})).await;
    stage.submit(ada());
    stage.stand.settle().await.unwrap();
    let id = stage.contact()["id"].clone();
    let fields = json!({ "title": "Call", "dueDate": "2026-12-01T09:00:00Z", "completed": false });
    stage.person(PersonAct::CreateTask { contact: id.as_str().unwrap().into(), fields });
    let shown = stage.action("contacts.get", json!({ "contact_id": id })).await;
    assert_eq!(shown["contact"]["firstName"], "Ada");
    let mut titles: Vec<_> =
        shown["tasks"].as_array().unwrap().iter().map(|task| task["title"].clone()).collect();
    titles.sort_by_key(ToString::to_string);
    assert_eq!(titles, ["Call", "Welcome Ada"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f3_edits_of_a_submission_reach_the_contact_and_the_contacts_own_edits_stay() {
    let stage = Stage::start(json!({})).await;
    let id = stage.submit(ada());
    stage.stand.settle().await.unwrap();
    let contact = stage.contact()["id"].as_str().unwrap().to_owned();
    stage.next_day().await;
    stage.person(PersonAct::EditContact { contact, fields: json!({ "lastName": "King" }) });
    stage
        .at_the_form(FormAct::EditSubmission { submission: id, answers: json!({ "Name/First": "Augusta" }) });
    stage.next_day().await;
    let contact = stage.contact();
    assert_eq!((&contact["firstName"], &contact["lastName"]), (&json!("Augusta"), &json!("King")));
    assert_eq!(stage.tasks(&contact).len(), 1, "an edit is no new submission");
    // The sweep looks once at what was just written.
    stage.next_day().await;
    let reads =
        |stage: &Stage| stage.stand.sandbox.recorder().count_of("formbuilder.submissions.get").requests;
    let before = reads(&stage);
    stage.next_day().await;
    assert_eq!(reads(&stage), before, "an unchanged submission costs no call of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f3_approved_and_payed_follow_the_completion_of_the_welcome_task_if_a_setting_says_so() {
    for (sets, approved, payed, notices) in
        [("none", "0", "0", 0), ("approved", "1", "0", 1), ("both", "1", "1", 1)]
    {
        let stage = Stage::start(json!({ "completion_sets": sets })).await;
        stage.five_times();
        let id = stage.submit(ada());
        stage.stand.settle_in(Order::Reversed).await.unwrap();
        let contact = stage.contact();
        let task = stage.tasks(&contact)[0]["id"].as_str().unwrap().to_owned();
        let other = json!({ "title": "Call", "dueDate": "2026-12-01T09:00:00Z", "completed": false });
        let owner = contact["id"].as_str().unwrap().to_owned();
        let other = stage.person(PersonAct::CreateTask { contact: owner.clone(), fields: other });
        let done = json!({ "completed": true });
        let other = other["id"].as_str().unwrap().to_owned();
        stage.person(PersonAct::EditTask { contact: owner.clone(), task: other, fields: done.clone() });
        stage.stand.settle_in(Order::Shuffled).await.unwrap();
        assert_eq!(stage.submission(id)["approved"], "0", "another task says nothing about the submission");
        stage.person(PersonAct::EditTask { contact: owner, task, fields: done });
        stage.stand.settle_in(Order::Shuffled).await.unwrap();
        let submission = stage.submission(id);
        assert_eq!(
            (&submission["approved"], &submission["payed"]),
            (&json!(approved), &json!(payed)),
            "{sets}"
        );
        let mails = stage.mails();
        assert_eq!((mails.approval_notices, mails.invitations), (notices, 0), "{sets}");
        assert_eq!(stage.tasks(&contact).len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f3_an_approval_at_the_vendor_completes_the_welcome_task() {
    let welcome = "Welcome {{ contact.firstName }}";
    let rules = json!([
        { "name": "welcome", "on": ["submission"], "do": [{ "create-task": { "title": welcome } }] },
        { "name": "approved", "on": ["submission_approved"], "do": [{ "complete-tasks": { "title": welcome } }] },
    ]);
    let stage = Stage::start(json!({ "rules": rules })).await;
    let id = stage.submit(ada());
    stage.stand.settle().await.unwrap();
    stage.next_day().await;
    stage.at_the_form(FormAct::Approve { submission: id, approved: 1 });
    stage.next_day().await;
    let tasks = stage.tasks(&stage.contact());
    assert_eq!((tasks.len(), &tasks[0]["completed"]), (1, &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f4_a_task_is_created_for_a_contact_by_an_action_and_by_a_rule() {
    let call = json!({ "title": "Quote for {{ first_name }}", "body": "{{ message }}", "due": "2d" });
    let rules = json!([{ "name": "quote", "on": ["submission"], "when": "form_id == '4100001'",
                         "do": [{ "create-task": call }] }]);
    let stage = Stage::start(json!({ "rules": rules })).await;
    stage.five_times();
    stage.submit(ada());
    stage.stand.settle_in(Order::Shuffled).await.unwrap();
    let contact = stage.contact();
    let input = json!({ "contact_id": contact["id"], "title": "Call back", "due": "2026-12-01T09:00:00Z" });
    let created = stage.action("tasks.create", input).await;
    assert_eq!(created["title"], "Call back");
    let change =
        json!({ "contact_id": contact["id"], "task_id": created["id"], "body": "soon", "completed": true });
    stage.action("tasks.update", change).await;
    stage.stand.settle().await.unwrap();
    let mut tasks = stage.tasks(&contact);
    tasks.sort_by_key(|task| task["title"].to_string());
    let shown: Vec<_> =
        tasks.iter().map(|task| (&task["title"], &task["body"], &task["completed"])).collect();
    let expected = [("Call back", "soon", true), ("Quote for Ada", "Hello", false)];
    let expected = expected.map(|(title, body, done)| (json!(title), json!(body), json!(done)));
    assert_eq!(shown, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f5_every_change_of_a_task_is_pushed_once_to_a_board_and_as_a_signed_webhook() {
    let kinds =
        [("TaskCreate", "New"), ("TaskUpdate", "Changed"), ("TaskComplete", "Done"), ("TaskDelete", "Gone")];
    let rule = |(kind, verb): (&str, &str)| {
        let tell = |to: &str| json!({ "notify": { "to": to, "title": "{{ title }}", "text": verb } });
        json!({ "name": kind, "on": [kind], "do": [tell("board"), tell("hook")] })
    };
    let rules: Vec<Value> = kinds.into_iter().map(rule).collect();
    let stand = Stand::serve().await.unwrap();
    for (name, kind) in [("board", DestinationKind::Board), ("hook", DestinationKind::Webhook)] {
        let path = if name == "hook" { "webhook" } else { name };
        let new = NewDestination {
            workspace: WORKSPACE.to_owned(),
            name: name.to_owned(),
            kind,
            to: Vec::new(),
            url: Some(format!("{}/{path}/{name}", stand.sandbox.inbox_url()).into()),
            secret: Some(stand.sandbox.inbox().secret().into()),
        };
        stand.engine.put_destination(new).await.unwrap();
    }
    let stage = Stage::on(stand, json!({ "rules": rules }), None).await;
    stage.submit(ada());
    stage.stand.advance(SignedDuration::from_mins(31));
    stage.stand.walk().await.unwrap();
    stage.five_times();
    let contact = stage.contact()["id"].as_str().unwrap().to_owned();
    let fields = json!({ "title": "Call", "dueDate": "2026-12-01T09:00:00Z", "completed": false });
    let task = stage.person(PersonAct::CreateTask { contact: contact.clone(), fields });
    stage.stand.settle_in(Order::Shuffled).await.unwrap();
    // Long enough for the task search, through which the host finds edits that no webhook tells.
    let look = async || {
        stage.stand.sandbox.highlevel().refresh_index();
        stage.stand.advance(SignedDuration::from_hours(2));
        stage.stand.walk().await.unwrap();
        stage.stand.settle_in(Order::Shuffled).await.unwrap();
    };
    look().await;
    let task = task["id"].as_str().unwrap().to_owned();
    let edit = |fields: Value| PersonAct::EditTask { contact: contact.clone(), task: task.clone(), fields };
    stage.person(edit(json!({ "title": "Call at noon" })));
    look().await;
    stage.person(edit(json!({ "completed": true })));
    look().await;
    stage.person(PersonAct::DeleteTask { contact: contact.clone(), task: task.clone() });
    look().await;
    let arrived = stage.stand.sandbox.inbox().messages();
    let cards: Vec<_> =
        arrived.iter().filter(|one| one.kind == "board").map(|one| one.body["desc"].clone()).collect();
    assert_eq!(cards, ["New", "Changed", "Done", "Gone"]);
    let hooks: Vec<_> =
        arrived.iter().filter(|one| one.kind == "webhook").map(|one| one.body["type"].clone()).collect();
    assert_eq!(hooks, ["TaskCreate", "TaskUpdate", "TaskComplete", "TaskDelete"]);
    assert_eq!(
        arrived.iter().find(|one| one.body["desc"] == "Changed").unwrap().body["name"],
        "Call at noon"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_two_submissions_of_one_person_are_one_contact_with_two_welcome_tasks_in_any_order() {
    for order in [Order::Queued, Order::Reversed, Order::Shuffled] {
        let stage = Stage::start(json!({})).await;
        stage.guess(|guesses| guesses.webhook_submission_key = Some("submission_id".into()));
        stage.five_times();
        stage.submit(json!({ "Name/First": "Ada", "Email": "ada@example.com", "Phone": "+12025550101" }));
        stage.stand.advance(SignedDuration::from_mins(5));
        stage.submit(json!({ "Name/First": "Augusta", "Email": "ada@example.com" }));
        stage.stand.settle_in(order).await.unwrap();
        stage.next_day().await;
        let contact = stage.contact();
        assert_eq!(contact["firstName"], "Augusta", "{order:?}: the newest counts");
        assert_eq!(contact["phone"], "+12025550101", "{order:?}: an older one fills what is empty");
        let tasks = stage.tasks(&contact);
        assert_eq!(tasks.len(), 2, "{order:?}: {tasks:?}");
        assert!(stage.parked().await.is_empty(), "{order:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_tags_route_the_contact_to_a_workflow_once_and_to_further_tags() {
    let stage = Stage::start(json!({
        "rules": [{ "name": "lead", "on": ["submission"], "do": [{ "add-tags": ["Form Lead"] }] }],
        "tag_workflows": { "form lead": "wf1" }, "tag_tags": { "form lead": "nurture, spring" },
    }))
    .await;
    stage.five_times();
    stage.submit(ada());
    stage.stand.settle_in(Order::Shuffled).await.unwrap();
    let contact = stage.contact();
    assert_eq!(tags(&contact), ["form lead", "nurture", "routed: form lead", "spring"]);
    let id = contact["id"].as_str().unwrap().to_owned();
    let starts = |stage: &Stage| stage.stand.sandbox.recorder().carried_out("highlevel.workflows.add");
    assert_eq!(starts(&stage), 1);
    stage.person(PersonAct::AddTags { contact: id.clone(), tags: vec!["vip".into()] });
    stage.stand.settle_in(Order::Shuffled).await.unwrap();
    assert_eq!(starts(&stage), 1, "another tag starts nothing again");
    stage.person(PersonAct::RemoveTags { contact: id.clone(), tags: vec!["form lead".into()] });
    stage.stand.settle().await.unwrap();
    stage.person(PersonAct::AddTags { contact: id, tags: vec!["form lead".into()] });
    stage.stand.settle().await.unwrap();
    assert_eq!(starts(&stage), 2, "it came again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_submission_tags_its_contact_and_lets_the_link_rest() {
    let stage = Stage::start(json!({})).await;
    let id = stage.submit(ada());
    stage.stand.settle().await.unwrap();
    stage.next_day().await;
    stage.at_the_form(FormAct::BinSubmission { submission: id });
    stage.next_day().await;
    assert_eq!(tags(&stage.contact()), ["form submission deleted"]);
    stage.at_the_form(FormAct::DeleteSubmission { submission: id });
    stage.next_day().await;
    stage.contact();
    assert!(stage.parked().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_soft_delete_asks_for_confirmation_tags_the_contact_and_ends_the_synchronisation() {
    let stage = Stage::start(json!({})).await;
    let id = stage.submit(ada());
    stage.stand.settle().await.unwrap();
    stage.next_day().await;
    let contact = stage.contact();
    let mut input = json!({ "form_id": stage.form.to_string(), "submission_id": id.to_string(), "contact_id": contact["id"] });
    stage.stand.run(&stage.connection.id, "submissions.unlink", &input).await.unwrap_err();
    input["confirm"] = json!(true);
    stage.action("submissions.unlink", input).await;
    stage.stand.settle().await.unwrap();
    stage
        .at_the_form(FormAct::EditSubmission { submission: id, answers: json!({ "Name/First": "Augusta" }) });
    stage.next_day().await;
    let contact = stage.contact();
    assert_eq!((&contact["firstName"], tags(&contact)), (&json!("Ada"), vec!["form submission deleted"]));
    assert_eq!(stage.submission(id)["deleted"], 0, "nothing is deleted on either side");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_is_renewed_when_its_token_ends_or_is_forgotten() {
    for (auth, jwt) in [(None, false), (Some("login-form"), false), (Some("login-jwt"), true)] {
        let stage = Stage::quiet(json!({}), auth).await;
        stage.guess(|guesses| (guesses.bearer, guesses.jwt) = (!jwt, jwt));
        let double = stage.stand.sandbox.formbuilder();
        let list = || stage.action("forms.list", json!({}));
        let create = || stage.action("forms.create", json!({ "name": "A & B" }));
        list().await;
        double.expire_tokens();
        list().await;
        double.forget_tokens();
        assert_eq!(create().await["data"]["name"], "A & B", "{auth:?}");
        let logins = stage.stand.sandbox.recorder().count_of("formbuilder.oauth.login").requests;
        list().await;
        let again = stage.stand.sandbox.recorder().count_of("formbuilder.oauth.login").requests;
        assert_eq!(again, logins, "a good token is kept");
        double.revoke_login();
        let refused = stage.stand.run(&stage.connection.id, "forms.list", &json!({})).await.unwrap_err();
        assert!(refused.to_string().contains("403"), "{refused}");
        let recorded = format!("{:?}", stage.stand.sandbox.recorder().recent());
        assert!(!recorded.contains(double.password()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_used_up_quota_waits_for_the_next_day_and_loses_nothing() {
    let asked = |stage: &Stage| stage.stand.sandbox.recorder().requests("formbuilder.");
    for status in [429, 403] {
        let stage = Stage::quiet(json!({}), None).await;
        let double = stage.stand.sandbox.formbuilder();
        stage.guess(|guesses| guesses.quota_status = status);
        double.set_daily_quota(Some(0));
        let address = format!("p{status}@example.com");
        stage.submit(json!({ "Email": address }));
        let before = asked(&stage);
        for _ in 0..90 {
            stage.stand.advance(SignedDuration::from_mins(1));
            stage.stand.walk().await.unwrap();
        }
        assert!(
            asked(&stage) - before <= 4,
            "it rests for half an hour each time: {}",
            asked(&stage) - before
        );
        assert!(stage.contacts().iter().all(|contact| contact["email"] != json!(address)));
        double.set_daily_quota(Some(100));
        stage.next_day().await;
        assert!(stage.contacts().iter().any(|contact| contact["email"] == json!(address)), "{status}");
        let state = stage.stand.engine.connection(&stage.connection.id).await.unwrap().state;
        assert_eq!(state, ConnectionState::Enabled);
    }
}

/// The answer of a list whose middle submission has a `content` of another shape.
fn broken_page(stage: &Stage, ids: [u64; 3]) -> Value {
    let mut items = ids.map(|id| stage.submission(id));
    items[1]["content"] = json!(7);
    json!({ "data": items, "meta": { "pagination": { "current_page": 1, "total_pages": 1 } }, "status_code": 200 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submission_that_cannot_be_read_is_parked_alone_until_a_good_answer_releases_it() {
    let stage = Stage::quiet(json!({}), None).await;
    let person = |email: &str| stage.submit(json!({ "Name/First": "Ada", "Email": email }));
    let ids = ["a@example.com", "b@example.com", "c@example.com"].map(person);
    let body = Some(broken_page(&stage, ids));
    let effect = Effect::Answer { status: 200, body, retry_after: None, after: false };
    stage.stand.sandbox.faults().add(Fault::next(1, "formbuilder.submissions.list", effect));
    stage.stand.advance(SignedDuration::from_mins(31));
    stage.stand.walk().await.unwrap();
    let emails = || {
        stage
            .contacts()
            .iter()
            .map(|one| one["email"].as_str().unwrap_or_default().to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(emails(), BTreeSet::from(["a@example.com", "c@example.com"].map(String::from)));

    let workspace = WorkspaceId::new(WORKSPACE);
    let parked = stage.stand.engine.parked(&workspace).await.unwrap();
    assert_eq!(parked.len(), 1, "{parked:?}");
    let (key, reason) = (&parked[0].key, &parked[0].reason);
    assert_eq!(key.record.as_str(), format!("{}/{}", stage.form, ids[1]));
    assert!(reason.contains("`/content`: expected an object, found 7"), "{reason}");
    assert!(reason.contains("the record begins {") && reason.len() < 600, "{reason}");
    let run = parked[0].run.clone().unwrap();
    let run = stage.stand.engine.run_detail(&run).await.unwrap();
    assert_eq!((run.outcome, run.class), (RunOutcome::Parked, Some(FailureClass::Data)));

    // The walk of a day later finds it in order.
    stage.next_day().await;
    assert_eq!(emails().len(), 3, "{:?}", emails());
    assert_eq!(stage.parked().await, Vec::<String>::new());
}
