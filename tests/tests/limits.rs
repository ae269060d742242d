//! What nobody can use up for others, and what ends although a rule would go on for ever.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use contactor_engine::{Capabilities, EnableConnection, EngineConfig, Guest, NewDestination, NewWorkspace};
use contactor_manifest::embed;
use contactor_runtime::bindings::triggers::PollPage;
use contactor_runtime::{CallError, Invocation, Reply};
use contactor_sandbox::SandboxConfig;
use contactor_sandbox::highlevel::{LocationConfig, PersonAct};
use contactor_store::{ConnectionId, DestinationKind, Parked, Run, RunFilter, RunOutcome, WorkspaceId};
use contactor_tests::artefacts;
use contactor_tests::engine::{Stand, WORKSPACE};
use contactor_tests::host::PATIENCE;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

const MANIFEST: &str = include_str!("../guest-operations/connector.toml");
/// That of a connector with a stream.
const STREAMING: &str = include_str!("../guest-dishonest/connector.toml");
const TAGGED: &str = "ContactTagUpdate";

/// Connects a connector that does what its scripts say, by the kind of event, under an id of its own.
async fn connect(stand: &Stand, workspace: &str, id: &str, scripts: &Value) -> ConnectionId {
    let manifest = MANIFEST.replace("id = \"operations\"", &format!("id = \"{id}\""));
    let component = embed(&artefacts::component("guest-operations").unwrap(), &manifest).unwrap();
    let installed = stand.engine.install_connector(component).await.unwrap();
    let scripts = scripts.as_object().unwrap();
    let kinds: Vec<&String> = scripts.keys().collect();
    let texts: serde_json::Map<_, _> = scripts
        .iter()
        .map(|(kind, calls)| (kind.clone(), json!({ "calls": calls }).to_string().into()))
        .collect();
    let rules = json!([{ "name": "all", "on": kinds, "do": [{ "add-tags": ["unused"] }] }]);
    let token = stand.sandbox.prefinery().api_key().to_owned();
    let request = EnableConnection {
        workspace: workspace.to_owned(),
        connector: installed.id,
        base_url: Some(stand.sandbox.prefinery_url()),
        credentials: [("token".to_owned(), token.into())].into(),
        settings: json!({ "scripts": texts, "rules": rules }),
        ..EnableConnection::default()
    };
    stand.engine.enable_connection(request).await.unwrap().id
}

fn create_task(title: &str) -> Value {
    let fields = json!({ "title": title, "dueDate": "2030-01-01T09:00:00Z" });
    json!({ "function": "tasks.create", "input": { "contact-id": "$contact", "completed": false, "fields": fields } })
}

fn notify(to: &str) -> Value {
    json!({ "function": "notifications.send", "input": {
        "destination": to, "kind": "contact.tagged", "title": "Tagged", "text": "", "data": "{}",
    } })
}

fn timer(name: &str, at: &str) -> Value {
    let input = json!({ "name": name, "at": at, "contact-id": "$contact", "payload": "{}" });
    json!({ "function": "timers.set", "input": input })
}

fn contact(stand: &Stand, location: &str, email: &str) -> String {
    let fields = json!({ "firstName": "Ada", "email": email });
    let saved = stand.sandbox.highlevel().act(location, PersonAct::CreateContact { fields }).unwrap();
    saved["id"].as_str().unwrap().to_owned()
}

fn tag(stand: &Stand, location: &str, contact: &str, tag: &str) {
    let act = PersonAct::AddTags { contact: contact.to_owned(), tags: vec![tag.to_owned()] };
    stand.sandbox.highlevel().act(location, act).unwrap();
}

fn person_makes_a_task(stand: &Stand, location: &str, contact: &str) {
    let fields = json!({ "title": "By hand", "dueDate": "2030-01-01T09:00:00Z", "completed": false });
    let act = PersonAct::CreateTask { contact: contact.to_owned(), fields };
    stand.sandbox.highlevel().act(location, act).unwrap();
}

async fn runs(stand: &Stand, connection: &ConnectionId) -> Vec<Run> {
    let filter = RunFilter { connection: Some(connection.clone()), limit: 500, ..RunFilter::default() };
    stand.engine.runs(filter).await.unwrap()
}

/// What is parked but for the contacts, which these connectors know nothing of.
async fn parked(stand: &Stand) -> Vec<Parked> {
    let parked = stand.engine.parked(&WorkspaceId::new(WORKSPACE)).await.unwrap();
    parked.into_iter().filter(|parked| parked.key.entity != "contact").collect()
}

/// A connector whose actions wait until somebody lets them end.
struct Waits {
    under_way: watch::Sender<usize>,
    most: AtomicUsize,
    goes_on: Semaphore,
}

impl Waits {
    fn letting(permits: usize) -> Arc<Self> {
        let (under_way, _) = watch::channel(0);
        Arc::new(Self { under_way, most: AtomicUsize::new(0), goes_on: Semaphore::new(permits) })
    }
}

#[async_trait]
impl Guest for Waits {
    async fn call(&self, _: Capabilities, _: Invocation) -> Result<Reply, CallError> {
        self.under_way.send_modify(|under_way| {
            *under_way += 1;
            self.most.fetch_max(*under_way, Ordering::SeqCst);
        });
        self.goes_on.acquire().await.unwrap().forget();
        self.under_way.send_modify(|under_way| *under_way -= 1);
        Ok(Reply::Run(Ok("{}".to_owned())))
    }
}

/// A connector whose streams are always empty; tells how often they were read.
#[derive(Default)]
struct Polled {
    times: watch::Sender<usize>,
}

#[async_trait]
impl Guest for Polled {
    async fn call(&self, _: Capabilities, call: Invocation) -> Result<Reply, CallError> {
        assert!(
            matches!(call, Invocation::Poll { .. }),
            "there is nothing to be asked for but the stream: {call:?}"
        );
        self.times.send_modify(|times| *times += 1);
        Ok(Reply::Poll(Ok(PollPage { changes: Vec::new(), cursor: None, more: false })))
    }
}

/// Connects a connector with a stream that is read every five minutes, under an id of its own.
async fn connect_streaming(stand: &Stand, id: &str, guest: Arc<dyn Guest>) {
    let manifest = STREAMING.replace("id = \"dishonest\"", &format!("id = \"{id}\""));
    let component = embed(&artefacts::component("guest-dishonest").unwrap(), &manifest).unwrap();
    let installed = stand.engine.install_connector(component).await.unwrap();
    let request = EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: installed.id,
        base_url: Some(stand.sandbox.prefinery_url()),
        credentials: [("token".to_owned(), "not-a-real-token".to_owned().into())].into(),
        ..EnableConnection::default()
    };
    let connection = stand.engine.enable_connection(request).await.unwrap().id;
    stand.engine.replace_guest(&connection, guest);
}

/// A receiver that takes connections and never answers; tells how many it holds.
async fn hanging() -> (String, Arc<AtomicUsize>) {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", socket.local_addr().unwrap());
    let held = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&held);
    tokio::spawn(async move {
        let mut connections = Vec::new();
        while let Ok((connection, _)) = socket.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            connections.push(connection);
        }
    });
    (url, held)
}

/// A receiver that answers, and tells of each message.
async fn answering() -> (String, tokio::sync::mpsc::UnboundedReceiver<()>) {
    let (told, arrived) = tokio::sync::mpsc::unbounded_channel();
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", socket.local_addr().unwrap());
    let router = axum::Router::new().fallback(move || {
        let told = told.clone();
        async move { told.send(()).unwrap() }
    });
    tokio::spawn(async move { axum::serve(socket, router).await });
    (url, arrived)
}

async fn destination(stand: &Stand, workspace: &str, name: &str, url: String) {
    let new = NewDestination {
        workspace: workspace.to_owned(),
        name: name.to_owned(),
        kind: DestinationKind::Chat,
        to: Vec::new(),
        url: Some(url.into()),
        secret: None,
    };
    stand.engine.put_destination(new).await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_never_answers_keeps_nobody_else_waiting() {
    let mut config = SandboxConfig::for_tests();
    config.highlevel.limits = None;
    let other = LocationConfig {
        id: "SandboxLocation00002".to_owned(),
        private_token: "pit-sandbox-of-the-second-location".to_owned(),
        ..LocationConfig::default()
    };
    config.highlevel.locations.push(other.clone());
    let stand = Stand::serve_with(config).await.unwrap();
    let new = NewWorkspace {
        id: "other".to_owned(),
        name: None,
        location: other.id.clone(),
        token: Some(other.private_token.clone().into()),
        country: None,
        timezone: None,
    };
    stand.engine.create_workspace(new).await.unwrap();
    let ((dead, held), (alive, mut arrived)) = (hanging().await, answering().await);
    destination(&stand, WORKSPACE, "dead", dead).await;
    destination(&stand, WORKSPACE, "alive", alive.clone()).await;
    destination(&stand, "other", "alive", alive).await;
    // More messages than there are places for work, to a receiver that never answers.
    let many: Vec<Value> = std::iter::repeat_n(notify("dead"), 100).chain([notify("alive")]).collect();
    connect(&stand, WORKSPACE, "one", &json!({ TAGGED: many })).await;
    connect(&stand, "other", "two", &json!({ TAGGED: [create_task("Welcome"), notify("alive")] })).await;
    let location = stand.sandbox.highlevel().first_location();
    let (ada, eve) =
        (contact(&stand, &location, "ada@example.com"), contact(&stand, &other.id, "eve@example.com"));

    let stop = CancellationToken::new();
    let engine = stand.engine.clone();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { engine.run(stop).await }
    });
    tag(&stand, &location, &ada, "vip");
    flush(&stand).await;
    let first = tokio::time::timeout(PATIENCE, arrived.recv());
    assert_eq!(first.await.unwrap(), Some(()), "another destination of the same workspace");
    assert!(held.load(Ordering::SeqCst) <= 2, "{held:?} messages hang");
    tag(&stand, &other.id, &eve, "vip");
    flush(&stand).await;
    let second = tokio::time::timeout(PATIENCE, arrived.recv());
    assert_eq!(second.await.unwrap(), Some(()), "the automation of another workspace, and its message");
    assert!(held.load(Ordering::SeqCst) <= 2, "{held:?} messages hang");
    assert_eq!(stand.sandbox.highlevel().tasks(&other.id, &eve).len(), 1);
    running.abort();
}

async fn flush(stand: &Stand) {
    stand.sandbox.highlevel().webhooks().flush(contactor_sandbox::outbox::Order::Queued).await;
}

#[tokio::test]
async fn a_rule_that_answers_its_own_writes_ends_after_one() {
    let stand = Stand::serve().await.unwrap();
    let id = connect(&stand, WORKSPACE, "one", &json!({ "TaskCreate": [create_task("Follow up")] })).await;
    let location = stand.sandbox.highlevel().first_location();
    let ada = contact(&stand, &location, "ada@example.com");
    stand.settle().await.unwrap();
    person_makes_a_task(&stand, &location, &ada);
    stand.settle().await.unwrap();
    assert_eq!(stand.sandbox.highlevel().tasks(&location, &ada).len(), 2);
    let skipped: Vec<_> =
        runs(&stand, &id).await.into_iter().filter(|run| run.summary.contains("left alone")).collect();
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert_eq!(skipped[0].outcome, RunOutcome::Skipped);
    assert!(skipped[0].summary.contains("created the task itself"), "{}", skipped[0].summary);
    // Another task by hand is answered like the first.
    person_makes_a_task(&stand, &location, &ada);
    stand.settle().await.unwrap();
    assert_eq!(stand.sandbox.highlevel().tasks(&location, &ada).len(), 4);
}

#[tokio::test]
async fn tags_that_a_rule_sets_because_of_tags_are_not_answered_again() {
    let stand = Stand::serve().await.unwrap();
    let add = json!({ "function": "tags.add", "input": { "contact-id": "$contact", "tags": ["Seen"] } });
    let id = connect(&stand, WORKSPACE, "one", &json!({ TAGGED: [add, create_task("Welcome")] })).await;
    let location = stand.sandbox.highlevel().first_location();
    let ada = contact(&stand, &location, "ada@example.com");
    stand.settle().await.unwrap();
    tag(&stand, &location, &ada, "vip");
    stand.settle().await.unwrap();
    assert_eq!(stand.sandbox.highlevel().tasks(&location, &ada).len(), 1, "{:?}", runs(&stand, &id).await);
    tag(&stand, &location, &ada, "another");
    stand.settle().await.unwrap();
    assert_eq!(stand.sandbox.highlevel().tasks(&location, &ada).len(), 2);
}

#[tokio::test]
async fn a_rule_may_answer_what_another_rule_of_its_connection_wrote() {
    let stand = Stand::serve().await.unwrap();
    let note = json!({ "function": "notes.create", "input": { "contact-id": "$contact", "body": "A task was made" } });
    connect(&stand, WORKSPACE, "one", &json!({ TAGGED: [create_task("Welcome")], "TaskCreate": [note] }))
        .await;
    let location = stand.sandbox.highlevel().first_location();
    let ada = contact(&stand, &location, "ada@example.com");
    stand.settle().await.unwrap();
    tag(&stand, &location, &ada, "vip");
    stand.settle().await.unwrap();
    let highlevel = stand.sandbox.highlevel();
    assert_eq!((highlevel.tasks(&location, &ada).len(), highlevel.notes(&location, &ada).len()), (1, 1));
}

#[tokio::test]
async fn two_connections_that_feed_each_other_are_stopped_and_named() {
    let stand = Stand::serve().await.unwrap();
    for id in ["one", "two"] {
        connect(&stand, WORKSPACE, id, &json!({ "TaskCreate": [create_task(&format!("By {id}"))] })).await;
    }
    let location = stand.sandbox.highlevel().first_location();
    let ada = contact(&stand, &location, "ada@example.com");
    stand.settle().await.unwrap();
    person_makes_a_task(&stand, &location, &ada);
    // It comes to rest by itself, and nobody else is stopped.
    stand.settle().await.unwrap();
    let tasks = stand.sandbox.highlevel().tasks(&location, &ada).len();
    assert!((50..=101).contains(&tasks), "{tasks}");
    let parked = parked(&stand).await;
    assert!(!parked.is_empty() && parked.len() <= 4, "{parked:?}");
    for entry in &parked {
        for words in [
            "acme/one",
            "acme/two",
            "50 times",
            "within 10 minutes",
            "feed each other",
            "contactor parked retry",
        ] {
            assert!(entry.reason.contains(words), "`{words}` is not in: {}", entry.reason);
        }
    }
    let eve = contact(&stand, &location, "eve@example.com");
    stand.settle().await.unwrap();
    assert_eq!(stand.sandbox.highlevel().tasks(&location, &eve).len(), 0);

    // The admin takes the rule out of one of them, and what was parked is done.
    connect(&stand, WORKSPACE, "two", &json!({ TAGGED: [] })).await;
    for entry in &parked {
        assert!(stand.engine.retry_parked(&entry.key).await.unwrap());
    }
    stand.settle().await.unwrap();
    assert_eq!(self::parked(&stand).await, []);
    assert!(stand.sandbox.highlevel().tasks(&location, &ada).len() <= tasks + parked.len());
}

#[tokio::test]
async fn a_timer_that_sets_itself_in_the_past_waits_a_minute_each_time() {
    let stand = Stand::serve().await.unwrap();
    let past = timer("x", "2020-01-01T00:00:00Z");
    connect(&stand, WORKSPACE, "one", &json!({ TAGGED: [past], "timer:x": [past, create_task("Tick")] }))
        .await;
    let location = stand.sandbox.highlevel().first_location();
    let ada = contact(&stand, &location, "ada@example.com");
    stand.settle().await.unwrap();
    tag(&stand, &location, &ada, "vip");
    flush(&stand).await;
    stand.engine.run_until_idle().await.unwrap();
    let tasks = || stand.sandbox.highlevel().tasks(&location, &ada).len();
    assert_eq!(tasks(), 1, "it went off at once, and no more until time passes");
    stand.advance(SignedDuration::from_secs(59));
    stand.engine.run_until_idle().await.unwrap();
    assert_eq!(tasks(), 1);
    stand.advance(SignedDuration::from_secs(1));
    stand.engine.run_until_idle().await.unwrap();
    assert_eq!(tasks(), 2);
}

#[tokio::test]
async fn what_is_sent_to_a_destination_that_is_gone_is_refused_with_the_reason() {
    let stand = Stand::serve().await.unwrap();
    let gone = format!("{}/gone/team", stand.sandbox.inbox_url());
    destination(&stand, WORKSPACE, "team", gone).await;
    connect(&stand, WORKSPACE, "one", &json!({ TAGGED: [notify("team")] })).await;
    let location = stand.sandbox.highlevel().first_location();
    let ada = contact(&stand, &location, "ada@example.com");
    stand.settle().await.unwrap();
    for name in ["first", "second"] {
        tag(&stand, &location, &ada, name);
        stand.settle().await.unwrap();
    }
    let parked = parked(&stand).await;
    assert_eq!(parked.len(), 2, "the message, and the automation after it: {parked:?}");
    assert!(
        parked.iter().any(|entry| entry.reason.contains("answered 410, and nothing is sent there")),
        "{parked:?}"
    );
    assert_eq!(stand.engine.store().counts(None).await.unwrap().messages, 0);
}

#[tokio::test]
async fn a_secret_that_an_action_is_given_stays_in_no_run() {
    let stand = Stand::start().await.unwrap();
    let id = connect(&stand, WORKSPACE, "one", &json!({ TAGGED: [] })).await;
    let body = |text: &str| json!({ "method": "post", "path": "/nowhere", "body": text });
    for (input, kept) in [
        (body("user=ada&password=hunter2-plain&x=1"), "user=ada&password=[redacted]&x=1"),
        (body(r#"{"user":{"client-secret":"hunter2-plain"}}"#), r#"{"user":{"client-secret":"[redacted]"}}"#),
    ] {
        // The double refuses the path; the run is what counts.
        let _ = stand.run(&id, "partner.send", &input).await;
        let run = stand.last_run(&id).await.unwrap();
        assert!(!format!("{run:?}").contains("hunter2"), "{run:?}");
        let requests: Vec<_> = run.calls.iter().filter_map(|call| call.request.as_deref()).collect();
        assert_eq!(requests, [kept]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_actions_of_one_workspace_leave_room_to_the_others() {
    let other = LocationConfig::numbered(2);
    let mut config = SandboxConfig::for_tests();
    config.highlevel.limits = None;
    config.highlevel.locations.push(other.clone());
    let own = EngineConfig { concurrency_per_workspace: 2, ..EngineConfig::default() };
    let stand = Stand::serve_engine(config, own).await.unwrap();
    let new = NewWorkspace {
        id: "other".to_owned(),
        name: None,
        location: other.id,
        token: Some(other.private_token.into()),
        country: None,
        timezone: None,
    };
    stand.engine.create_workspace(new).await.unwrap();
    let scripts = json!({ TAGGED: [create_task("Welcome")] });
    let slow = connect(&stand, WORKSPACE, "one", &scripts).await;
    let quick = connect(&stand, "other", "two", &scripts).await;
    let (waits, answers) = (Waits::letting(0), Waits::letting(100));
    stand.engine.replace_guest(&slow, Arc::clone(&waits) as Arc<dyn Guest>);
    stand.engine.replace_guest(&quick, answers as Arc<dyn Guest>);
    let act = |id: &ConnectionId| {
        let (engine, id) = (stand.engine.clone(), id.clone());
        tokio::spawn(async move { engine.run_action(&id, "partner.send", &json!({}), false).await })
    };
    let asked: Vec<_> = (0..5).map(|_| act(&slow)).collect();
    waits.under_way.subscribe().wait_for(|under_way| *under_way == 2).await.unwrap();
    // Each of these is a call and a commit: the others had every chance to begin meanwhile.
    for _ in 0..5 {
        assert_eq!(act(&quick).await.unwrap().unwrap(), json!({}));
    }
    assert_eq!(*waits.under_way.borrow(), 2, "no more than a workspace may have");
    waits.goes_on.add_permits(asked.len());
    for asked in asked {
        assert_eq!(asked.await.unwrap().unwrap(), json!({}));
    }
    assert_eq!(waits.most.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poll_that_does_not_end_delays_no_other_connection_and_not_what_the_host_does_for_itself() {
    let stand = Stand::start().await.unwrap();
    let (waits, polled) = (Waits::letting(0), Arc::new(Polled::default()));
    connect_streaming(&stand, "slow", Arc::clone(&waits) as Arc<dyn Guest>).await;
    connect_streaming(&stand, "quick", Arc::clone(&polled) as Arc<dyn Guest>).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (engine, stop) = (stand.engine.clone(), stop.clone());
        async move { engine.run(stop).await }
    });
    let polls = async {
        waits.under_way.subscribe().wait_for(|under_way| *under_way == 1).await.unwrap();
        for count in 1..=4 {
            polled.times.subscribe().wait_for(|times| *times >= count).await.unwrap();
            stand.advance(SignedDuration::from_mins(5));
        }
    };
    assert!(tokio::time::timeout(PATIENCE, polls).await.is_ok(), "{} polls", *polled.times.borrow());
    let workspace = WorkspaceId::new(WORKSPACE);
    let usage = async {
        // The sweeps made calls, which are kept every ten seconds.
        while stand.engine.store().usage(&workspace, Timestamp::UNIX_EPOCH).await.unwrap().is_empty() {
            stand.advance(SignedDuration::from_secs(10));
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, usage).await.is_ok(), "the host does not keep house");
    assert_eq!(*waits.under_way.borrow(), 1, "and the slow one is not asked again meanwhile");
    stop.cancel();
    running.await.unwrap().unwrap();
}
