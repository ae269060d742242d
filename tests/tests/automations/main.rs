//! Automations end to end: a real component handles events of both systems and timers, each exactly once, whatever fails.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

mod consent;
mod lost;
mod rests;
mod shown;

use contactor_engine::{ConnectionView, NewDestination, ParkedAction, Unsure};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::{Sandbox, SandboxConfig};
use contactor_store::{
    AUTOMATION_ENTITY, DestinationKind, FailureClass, MESSAGE_ENTITY, Parked, RunFilter, RunKind, RunOutcome,
    WorkspaceId,
};
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use contactor_tests::host::Host;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// A stand whose one connector does what its scripts say.
struct Scripted {
    stand: Stand,
    connection: ConnectionView,
    location: String,
    contact: String,
}

impl Scripted {
    /// `scripts`: what is to be done, by the kind of event; each kind is also one that a rule is on.
    async fn new(scripts: Value) -> Self {
        Self::on(Stand::serve().await.unwrap(), scripts).await
    }

    async fn on(stand: Stand, scripts: Value) -> Self {
        let connection = stand.connect(partner(&stand, &scripts)).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let fields = json!({ "firstName": "Ada", "email": "ada@example.com" });
        let saved = stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
        let contact = saved["id"].as_str().unwrap().to_owned();
        stand.settle().await.unwrap();
        stand.sandbox.recorder().clear();
        Self { stand, connection, location, contact }
    }

    async fn rescript(&self, scripts: Value) {
        self.stand.connect(partner(&self.stand, &scripts)).await.unwrap();
    }

    /// The partner tells that something happened.
    async fn happened(&self, webhook: &Value) {
        let url = self.stand.webhook_url(&self.connection).unwrap();
        let answer = reqwest_client().post(url).body(webhook.to_string()).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }

    /// A person adds a tag, of which HighLevel tells.
    fn tag(&self, tag: &str) {
        let act = PersonAct::AddTags { contact: self.contact.clone(), tags: vec![tag.to_owned()] };
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
    }

    fn fail(&self, operation: &str, effect: Effect) {
        self.stand.sandbox.faults().add(Fault::next(1, operation, effect));
    }

    fn tasks(&self) -> Vec<String> {
        let tasks = self.stand.sandbox.highlevel().tasks(&self.location, &self.contact);
        tasks.iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
    }

    fn carried_out(&self, operation: &str) -> u64 {
        self.stand.sandbox.recorder().count_of(operation).carried_out
    }

    fn notes(&self) -> usize {
        self.stand.sandbox.highlevel().notes(&self.location, &self.contact).len()
    }

    fn city(&self) -> Value {
        self.stand.sandbox.highlevel().contact(&self.location, &self.contact).unwrap()["city"].clone()
    }

    /// Parked deliveries; the guest has no records, so contacts are parked besides.
    async fn parked(&self) -> Vec<Parked> {
        let parked = self.stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap();
        parked.into_iter().filter(|parked| parked.key.entity != "contact").collect()
    }

    async fn outcomes(&self) -> Vec<(RunOutcome, String)> {
        let filter =
            RunFilter { connection: Some(self.connection.id.clone()), limit: 100, ..RunFilter::default() };
        let runs = self.stand.engine.runs(filter).await.unwrap();
        let automations = runs.into_iter().rev().filter(|run| run.kind == RunKind::Automation);
        automations.map(|run| (run.outcome, run.summary)).collect()
    }

    async fn settle(&self) {
        self.stand.settle().await.unwrap();
    }
}

fn reqwest_client() -> reqwest::Client {
    contactor_highlevel::http::client(&contactor_highlevel::http::Options::default()).unwrap()
}

fn partner(stand: &Stand, scripts: &Value) -> Partner {
    let kinds: Vec<&String> = scripts.as_object().unwrap().keys().collect();
    let texts: serde_json::Map<_, _> = scripts
        .as_object()
        .unwrap()
        .iter()
        .map(|(kind, calls)| (kind.clone(), json!({ "calls": calls }).to_string().into()))
        .collect();
    let rules = if kinds.is_empty() {
        json!([])
    } else {
        json!([{ "name": "all", "on": kinds, "do": [{ "add-tags": ["unused"] }] }])
    };
    Partner {
        component: "guest-operations".to_owned(),
        base_url: stand.sandbox.prefinery_url(),
        credentials: [("token".to_owned(), stand.sandbox.prefinery().api_key().to_owned())].into(),
        settings: json!({ "scripts": texts, "rules": rules }),
        ..Partner::default()
    }
}

fn create_task(title: &str) -> Value {
    let fields = json!({ "title": title, "dueDate": "2030-01-01T09:00:00Z" });
    json!({ "function": "tasks.create", "input": { "contact-id": "$contact", "completed": false, "fields": fields } })
}

fn add_note(body: &str) -> Value {
    json!({ "function": "notes.create", "input": { "contact-id": "$contact", "body": body } })
}

fn set_city(city: &str) -> Value {
    json!({ "function": "contacts.update", "input": { "id": "$contact", "fields": { "city": city } } })
}

#[tokio::test]
async fn an_event_of_highlevel_is_handled_once_with_its_contact_and_its_values() {
    let scripted = Scripted::new(json!({ "ContactTagUpdate": [create_task("Welcome")] })).await;
    scripted.tag("vip");
    scripted.settle().await;
    assert_eq!(scripted.tasks(), ["Welcome"]);
    let [(RunOutcome::Applied, summary)] = &scripted.outcomes().await[..] else { panic!("not one run") };
    assert!(summary.starts_with("ContactTagUpdate: 1 calls"), "{summary}");
    assert!(
        summary.contains(r#""source":"Source::Highlevel""#) || summary.contains("Highlevel"),
        "{summary}"
    );
    assert!(summary.contains(r#""tags":["vip"]"#) && summary.contains("ada@example.com"), "{summary}");

    // The vendor repeats itself: nothing more happens.
    let webhooks = scripted.stand.sandbox.highlevel().webhooks();
    for webhook in webhooks.webhooks() {
        for _ in 0..4 {
            webhooks.redeliver(webhook.sequence);
        }
    }
    scripted.settle().await;
    assert_eq!(scripted.tasks(), ["Welcome"]);
}

#[tokio::test]
async fn an_event_that_nobody_wants_leads_to_nothing() {
    let scripted = Scripted::new(json!({})).await;
    scripted.tag("vip");
    scripted.settle().await;
    assert_eq!(scripted.outcomes().await, []);
}

#[tokio::test]
async fn a_partners_event_is_handled_once_per_key_however_often_it_is_delivered() {
    let contact = |scripted: &Scripted| json!(scripted.contact);
    let scripted = Scripted::new(json!({})).await;
    let script = |key: &str, attempt: u32| {
        // Each delivery is another body, so that only the key tells that it is the same happening.
        let mut task = create_task("Welcome");
        task["input"]["contact-id"] = contact(&scripted);
        json!({ "event": "happened", "id": "s1", "key": key, "attempt": attempt, "colour": "red", "calls": [task] })
    };
    for attempt in 0..5 {
        scripted.happened(&script("submission-1", attempt)).await;
        scripted.settle().await;
    }
    assert_eq!(scripted.tasks(), ["Welcome"]);
    scripted.happened(&script("submission-2", 0)).await;
    scripted.settle().await;
    assert_eq!(scripted.tasks().len(), 2);
    let summary = &scripted.outcomes().await[0].1;
    assert!(summary.contains(r#""partner":"s1""#) && summary.contains(r#""colour":"red""#), "{summary}");
    // An event that the manifest does not announce is nobody's.
    scripted.happened(&json!({ "event": "unheard-of", "id": "s1", "calls": [] })).await;
    scripted.settle().await;
    assert_eq!(scripted.outcomes().await.len(), 2);
}

#[tokio::test]
async fn a_retry_repeats_no_call_that_had_finished() {
    let script = json!({ "ContactTagUpdate": [create_task("Welcome"), add_note("Hello"), set_city("Rome")] });
    let scripted = Scripted::new(script).await;
    scripted.fail("highlevel.contacts.update", Effect::refuse(503));
    scripted.fail("highlevel.contacts.update", Effect::refuse(503));
    scripted.tag("vip");
    scripted.settle().await;
    let outcomes: Vec<_> = scripted.outcomes().await.into_iter().map(|(outcome, _)| outcome).collect();
    assert_eq!(outcomes.last(), Some(&RunOutcome::Applied), "{outcomes:?}");
    assert_eq!((scripted.tasks().len(), scripted.notes()), (1, 1));
    assert_eq!(scripted.city(), "Rome");
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_looked_for_before_it_is_made_again() {
    for effect in [Effect::lie(500), Effect::Drop { after: true }] {
        let script = json!({ "ContactTagUpdate": [create_task("Welcome"), add_note("Hello")] });
        let scripted = Scripted::new(script).await;
        scripted.fail("highlevel.tasks.create", effect.clone());
        scripted.fail("highlevel.notes.create", effect);
        scripted.tag("vip");
        scripted.settle().await;
        assert_eq!((scripted.tasks().len(), scripted.notes()), (1, 1));
        let created = scripted.stand.sandbox.recorder().count_of("highlevel.tasks.create");
        assert_eq!(created.carried_out, 1, "it was found, not made again");
        let outcomes = scripted.outcomes().await;
        assert_eq!(outcomes.len(), 3, "{outcomes:?}");
        assert_eq!(outcomes[2].0, RunOutcome::Applied);
    }
}

#[tokio::test]
async fn a_look_that_fails_leaves_open_whether_the_record_was_created() {
    let scripted = Scripted::new(json!({ "ContactTagUpdate": [create_task("Welcome")] })).await;
    scripted.fail("highlevel.tasks.create", Effect::Drop { after: true });
    // Before the create it is seen what is there already; the look for it comes second.
    let look = Fault { skip: 1, ..Fault::next(1, "highlevel.tasks.list", Effect::refuse(400)) };
    scripted.stand.sandbox.faults().add(look);
    scripted.tag("vip");
    scripted.settle().await;
    let parked = scripted.parked().await;
    assert_eq!(parked.len(), 1);
    scripted.stand.engine.retry_parked(&parked[0].key).await.unwrap();
    scripted.settle().await;
    assert_eq!(scripted.tasks(), ["Welcome"]);
}

#[tokio::test]
async fn the_record_of_another_handler_is_not_taken_for_ones_own() {
    let script = json!({ "ContactTagUpdate": [create_task("Welcome")] });
    let scripted = Scripted::new(script).await;
    scripted.tag("first");
    scripted.settle().await;
    // The second never reached the vendor: the task of the same contents that is there is the first's.
    scripted.fail("highlevel.tasks.create", Effect::Drop { after: false });
    scripted.tag("second");
    scripted.settle().await;
    assert_eq!(scripted.tasks().len(), 2);
}

#[tokio::test]
async fn a_handler_that_does_not_repeat_itself_is_parked_and_keeps_what_was_done() {
    let before = json!({ "ContactTagUpdate": [create_task("Welcome"), add_note("Hello")] });
    let scripted = Scripted::new(before).await;
    scripted.fail("highlevel.notes.create", Effect::refuse(503));
    scripted.tag("vip");
    scripted.stand.sandbox.highlevel().webhooks().flush(contactor_sandbox::outbox::Order::Queued).await;
    scripted.stand.engine.run_until_idle().await.unwrap();
    assert_eq!(scripted.outcomes().await[0].0, RunOutcome::Retrying);
    // Meanwhile an admin changes what it does.
    let after = json!({ "ContactTagUpdate": [add_note("Hello"), create_task("Welcome"), set_city("Rome")] });
    scripted.rescript(after).await;
    scripted.settle().await;
    let parked = scripted.parked().await;
    let [entry] = &parked[..] else { panic!("{parked:?}") };
    assert_eq!(entry.key.entity, AUTOMATION_ENTITY);
    assert!(
        entry.reason.contains("tasks.create") && entry.reason.contains("notes.create"),
        "{}",
        entry.reason
    );
    assert_eq!((scripted.tasks().len(), scripted.notes()), (1, 0), "nothing more was written");

    assert!(scripted.stand.engine.retry_parked(&entry.key).await.unwrap());
    scripted.settle().await;
    assert_eq!((scripted.tasks().len(), scripted.notes()), (1, 1), "the task was there already");
    assert_eq!(scripted.city(), "Rome");
    assert_eq!(scripted.parked().await, []);
}

#[tokio::test]
async fn a_refusal_is_parked_at_once_and_later_events_of_the_contact_go_on() {
    let script = json!({
        "ContactTagUpdate": [{ "function": "tasks.get", "input": { "contact-id": "$contact", "id": "gone" } }],
        "NoteCreate": [create_task("Read the note")],
    });
    let scripted = Scripted::new(script).await;
    scripted.tag("vip");
    let fields = json!({ "body": "By a person" });
    let act = PersonAct::CreateNote { contact: scripted.contact.clone(), fields };
    scripted.stand.sandbox.highlevel().act(&scripted.location, act).unwrap();
    scripted.settle().await;
    let outcomes = scripted.outcomes().await;
    assert_eq!((outcomes[0].0, outcomes[1].0), (RunOutcome::Parked, RunOutcome::Applied), "{outcomes:?}");
    assert_eq!(scripted.tasks(), ["Read the note"]);
}

#[tokio::test]
async fn a_timer_goes_off_at_its_time_with_its_payload_and_contact() {
    let at = "2031-05-01T08:00:00Z";
    let timer = |name: &str, at: &str, title: &str| {
        let payload = json!({ "calls": [create_task(title)] }).to_string();
        let input = json!({ "name": name, "at": at, "contact-id": "$contact", "payload": payload });
        json!({ "function": "timers.set", "input": input })
    };
    let cancel = json!({ "function": "timers.cancel", "input": { "name": "reminder/b" } });
    let script = json!({ "ContactTagUpdate": [
        timer("reminder/a", "2031-04-01T08:00:00Z", "Too early"),
        timer("reminder/a", at, "Call"),
        timer("reminder/b", at, "Never"),
        cancel,
        timer("past", "2020-01-01T00:00:00Z", "At once"),
    ] });
    let scripted = Scripted::new(script).await;
    scripted.tag("vip");
    scripted.settle().await;
    assert_eq!(scripted.tasks(), ["At once"]);
    let due = scripted.stand.engine.store().next_due().await.unwrap().unwrap();
    assert_eq!(due, at.parse().unwrap());
    let wait = due.duration_since(scripted.stand.engine.now());
    scripted.stand.advance(wait - SignedDuration::from_secs(1));
    scripted.stand.engine.run_until_idle().await.unwrap();
    assert_eq!(scripted.tasks().len(), 1);
    scripted.stand.advance(SignedDuration::from_secs(1));
    scripted.stand.engine.run_until_idle().await.unwrap();
    let mut tasks = scripted.tasks();
    tasks.sort();
    assert_eq!(tasks, ["At once", "Call"]);
}

/// The signed part of the sandbox's inbox, by name.
fn destination(stand: &Stand, name: &str, kind: DestinationKind, path: &str) -> NewDestination {
    let signed = matches!(kind, DestinationKind::Webhook | DestinationKind::Board);
    NewDestination {
        workspace: WORKSPACE.to_owned(),
        name: name.to_owned(),
        kind,
        to: Vec::new(),
        url: Some(format!("{}/{path}/{name}", stand.sandbox.inbox_url()).into()),
        secret: signed.then(|| stand.sandbox.inbox().secret().into()),
    }
}

fn notify(to: &str, title: &str) -> Value {
    let data = json!({ "due": "2030-01-01T09:00:00Z", "labels": ["lead"] }).to_string();
    json!({ "function": "notifications.send", "input": {
        "destination": to, "kind": "contact.tagged", "title": title, "text": "By a rule", "data": data,
    } })
}

#[tokio::test]
async fn messages_reach_chat_webhook_and_board_once_and_signed() {
    let script = json!({ "ContactTagUpdate": [notify("team", "Tagged"), notify("hook", "Tagged"), notify("cards", "Call Ada")] });
    let scripted = Scripted::new(script).await;
    let engine = &scripted.stand.engine;
    for (name, kind, path) in [
        ("team", DestinationKind::Chat, "chat"),
        ("hook", DestinationKind::Webhook, "webhook"),
        ("cards", DestinationKind::Board, "board"),
    ] {
        let shown = engine.put_destination(destination(&scripted.stand, name, kind, path)).await.unwrap();
        assert!(
            !format!("{shown:?}").contains("inbox") && !format!("{shown:?}").contains("whsec_"),
            "{shown:?}"
        );
    }
    // The webhook's answer is lost twice; its message arrives again under the same id.
    let lost = Fault::next(2, "inbox.webhook", Effect::Drop { after: true });
    scripted.stand.sandbox.faults().add(lost);
    scripted.tag("vip");
    scripted.settle().await;
    let arrived = scripted.stand.sandbox.inbox().messages();
    let mut kinds: Vec<_> = arrived.iter().map(|one| (one.kind.as_str(), one.repeated)).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("board", 0), ("chat", 0), ("webhook", 2)]);
    let of = |kind: &str| arrived.iter().find(|one| one.kind == kind).unwrap().body.clone();
    assert_eq!(of("chat"), json!({ "text": "*Tagged*\nBy a rule" }));
    assert_eq!(
        of("board"),
        json!({ "name": "Call Ada", "desc": "By a rule", "due": "2030-01-01T09:00:00Z", "labels": ["lead"] })
    );
    assert_eq!(of("webhook")["type"], "contact.tagged");
    assert_eq!(engine.store().counts(None).await.unwrap().messages, 0);
}

#[tokio::test]
async fn a_receiver_that_is_gone_stops_its_destination_and_one_that_is_unknown_is_told() {
    let script = json!({
        "ContactTagUpdate": [notify("hook", "Tagged")],
        "NoteCreate": [notify("nobody", "Noted")],
    });
    let scripted = Scripted::new(script).await;
    let engine = &scripted.stand.engine;
    engine
        .put_destination(destination(&scripted.stand, "hook", DestinationKind::Webhook, "gone"))
        .await
        .unwrap();
    scripted.tag("vip");
    scripted.settle().await;
    let workspace = WorkspaceId::new(WORKSPACE);
    let stopped = engine.destinations(&workspace).await.unwrap()[0].stopped.clone();
    assert_eq!(stopped.as_deref(), Some("answered 410"));
    let parked = scripted.parked().await;
    assert_eq!((parked.len(), parked[0].key.entity.as_str()), (1, MESSAGE_ENTITY));
    // The admin gives it another address, and what was parked is sent.
    engine
        .put_destination(destination(&scripted.stand, "hook", DestinationKind::Webhook, "webhook"))
        .await
        .unwrap();
    assert!(engine.retry_parked(&parked[0].key).await.unwrap());
    scripted.settle().await;
    assert_eq!(scripted.stand.sandbox.inbox().messages().len(), 1);
    assert_eq!(scripted.parked().await, []);
    engine.test_destination(&workspace, "hook").await.unwrap();
    assert_eq!(scripted.stand.sandbox.inbox().messages()[1].body["type"], "contactor.test");

    let act = PersonAct::CreateNote { contact: scripted.contact.clone(), fields: json!({ "body": "Hi" }) };
    scripted.stand.sandbox.highlevel().act(&scripted.location, act).unwrap();
    scripted.settle().await;
    let parked = scripted.parked().await;
    assert!(parked[0].reason.contains("nobody"), "{}", parked[0].reason);
    engine.remove_destination(&workspace, "hook").await.unwrap();
    assert!(engine.test_destination(&workspace, "hook").await.is_err());
}

#[tokio::test]
async fn a_timers_sample_is_handled_as_if_it_had_gone_off_and_a_real_partner_gets_none() {
    let scripted = Scripted::new(json!({})).await;
    let (engine, id) = (&scripted.stand.engine, &scripted.connection.id);
    for _ in 0..2 {
        engine.receive_sample(id, "timer:reminder").await.unwrap();
    }
    scripted.settle().await;
    let outcomes = scripted.outcomes().await;
    assert_eq!(outcomes.len(), 2, "each is an event of its own: {outcomes:?}");
    assert!(outcomes[0].1.starts_with("timer:reminder: 0 calls"), "{outcomes:?}");
    let unknown = engine.receive_sample(id, "timer:unknown").await.unwrap_err().to_string();
    assert!(unknown.contains("timer:unknown"), "{unknown}");

    let elsewhere =
        Partner { base_url: "https://partner.example".to_owned(), ..partner(&scripted.stand, &json!({})) };
    scripted.stand.connect(elsewhere).await.unwrap();
    let refused = engine.receive_sample(id, "timer:reminder").await.unwrap_err().to_string();
    assert!(refused.contains("sandbox only"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_in_the_middle_of_a_handler_does_everything_once_and_keeps_its_timers() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(SandboxConfig::default()).await.unwrap();
    let location = sandbox.highlevel().first_location();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    let token = sandbox.highlevel().private_token();
    host.post("/workspaces", &json!({ "id": "acme", "location": location, "token": token })).await.unwrap();
    host.install("guest-operations").await.unwrap();
    let in_a_moment = sandbox.clock().now() + SignedDuration::from_secs(5);
    let timer = json!({ "function": "timers.set", "input": {
        "name": "reminder/a", "at": in_a_moment.to_string(), "contact-id": "$contact",
        "payload": json!({ "calls": [create_task("Remind")] }).to_string(),
    } });
    let calls = json!({ "calls": [create_task("Welcome"), add_note("Hello"), timer, set_city("Rome")] });
    let settings = json!({
        "scripts": { "ContactTagUpdate": calls.to_string() },
        "rules": [{ "name": "all", "on": ["ContactTagUpdate"], "do": [{ "add-tags": ["unused"] }] }],
    });
    let enable = json!({
        "base_url": sandbox.prefinery_url(),
        "credentials": { "token": sandbox.prefinery().api_key() },
        "settings": settings,
    });
    host.put("/workspaces/acme/connections/operations", &enable).await.unwrap();
    let fields = json!({ "firstName": "Ada", "email": "ada@example.com" });
    let saved = sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    let contact = saved["id"].as_str().unwrap().to_owned();

    // The last call hangs; the host dies while it waits for it.
    let hang = Fault::always("highlevel.contacts.update", Effect::Delay { millis: 600_000 });
    sandbox.faults().add(hang);
    sandbox.highlevel().set_webhook_target(Some(host.webhooks().parse().unwrap()));
    let act = PersonAct::AddTags { contact: contact.clone(), tags: vec!["vip".to_owned()] };
    sandbox.highlevel().act(&location, act).unwrap();
    let notes = async || Ok(!sandbox.highlevel().notes(&location, &contact).is_empty());
    host.until("the handler has written its note", notes).await.unwrap();
    host.kill9().await.unwrap();
    sandbox.faults().clear();

    let host = Host::start(dir.path()).await.unwrap();
    let done = async || {
        let city = sandbox.highlevel().contact(&location, &contact).unwrap_or_default()["city"] == "Rome";
        Ok(city && sandbox.highlevel().tasks(&location, &contact).len() >= 2)
    };
    host.until("the handler is done and the timer went off", done).await.unwrap();
    let idle = async || Ok(host.get("/health").await?["counts"]["deliveries"] == 0);
    host.until("nothing is left to handle", idle).await.unwrap();
    let tasks = sandbox.highlevel().tasks(&location, &contact);
    let mut titles: Vec<_> = tasks.iter().map(|task| task["title"].as_str().unwrap()).collect();
    titles.sort_unstable();
    assert_eq!(titles, ["Remind", "Welcome"]);
    assert_eq!(sandbox.highlevel().notes(&location, &contact).len(), 1);
    host.stop().await.unwrap();
    sandbox.shutdown().await;
}
