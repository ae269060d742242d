//! Two versions of a connector in one connection: what another one asks for, its trial in shadow and on a share of the records, that a
//! faulty one is taken back by the host, and the way back by one command. What was not granted, or a policy forbids, is not there.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

use contactor_engine::{
    ConnectionView, EnableConnection, EngineConfig, EngineError, NewUpgrade, RolloutView,
};
use contactor_manifest::embed;
use contactor_sandbox::SandboxConfig;
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::outbox::Order;
use contactor_store::{
    Actor, Alert, AlertKind, ConnectionState, Digest, FailureClass, Policy, RolloutMode, RolloutState, Run,
    RunFilter, RunKind, RunOutcome, Tally,
};
use contactor_tests::artefacts;
use contactor_tests::engine::{Stand, WORKSPACE};
use contactor_tests::host::Host;
use jiff::SignedDuration;
use serde_json::{Value, json};

const MANIFEST: &str = include_str!("../guest-operations/connector.toml");
const MORE: &str = "[[scope]]\nname = \"notifications\"\nwhy = \"Messages are among the functions.\"\n";
/// The tag by which a contact shows that its handler did its work.
const SEEN: &str = "seen";

/// A version of the one connector: its code is the same, its manifest is not.
fn version(number: &str, change: impl Fn(String) -> String) -> Vec<u8> {
    let manifest = MANIFEST.replacen("version = \"0.1.0\"", &format!("version = \"{number}\""), 1);
    assert!(number == "0.1.0" || manifest != MANIFEST);
    embed(&artefacts::component("guest-operations").unwrap(), &change(manifest)).unwrap()
}

/// One that its author allows too few calls: it ends in the middle of its work.
fn faulty() -> Vec<u8> {
    version("0.2.0", |manifest| format!("{manifest}\n[limits]\nhost_calls = 1\n"))
}

fn settings(calls: &Value) -> Value {
    json!({
        "scripts": { "ContactTagUpdate": json!({ "calls": calls }).to_string() },
        "rules": [{ "name": "all", "on": ["ContactTagUpdate"], "do": [{ "add-tags": ["unused"] }] }],
    })
}

/// Looks, and tags the contact once.
fn tags() -> Value {
    json!([
        { "function": "contacts.get", "input": { "id": "$contact" } },
        { "function": "tags.add", "input": { "contact-id": "$contact", "tags": [SEEN] } },
    ])
}

struct World {
    stand: Stand,
    connection: ConnectionView,
    location: String,
    contacts: Vec<String>,
}

impl World {
    /// A connection to version 0.1.0, whose handler tags everybody who is tagged.
    async fn new(contacts: usize) -> Self {
        Self::of(version("0.1.0", |manifest| manifest), contacts, EngineConfig::default()).await
    }

    async fn of(component: Vec<u8>, contacts: usize, config: EngineConfig) -> Self {
        let mut sandbox = SandboxConfig::for_tests();
        sandbox.highlevel.limits = None;
        let stand = Stand::serve_engine(sandbox, config).await.unwrap();
        stand.engine.install_connector(component).await.unwrap();
        let request = EnableConnection {
            base_url: Some(stand.sandbox.prefinery_url()),
            credentials: [("token".to_owned(), stand.sandbox.prefinery().api_key().to_owned().into())].into(),
            settings: settings(&tags()),
            ..enable()
        };
        let connection = stand.engine.enable_connection(request).await.unwrap();
        let location = stand.sandbox.highlevel().first_location();
        let people = (0..contacts).map(|number| {
            let fields = json!({ "firstName": "Ada", "email": format!("ada{number}@example.com") });
            let saved =
                stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
            saved["id"].as_str().unwrap().to_owned()
        });
        let contacts = people.collect();
        stand.settle().await.unwrap();
        Self { stand, connection, location, contacts }
    }

    async fn install(&self, component: Vec<u8>) -> Digest {
        self.stand.engine.install_connector(component).await.unwrap().digest
    }

    async fn upgrade(&self, new: NewUpgrade) -> Result<RolloutView, EngineError> {
        self.stand.engine.upgrade(Actor::AdminTokenFile, &self.connection.id, new).await
    }

    /// Tags everybody and waits until all of it is done.
    async fn tag(&self, tag: &str) {
        for contact in &self.contacts {
            let act = PersonAct::AddTags { contact: contact.clone(), tags: vec![tag.to_owned()] };
            self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
        }
        self.stand.settle().await.unwrap();
    }

    fn seen(&self) -> usize {
        let has = |contact: &&String| {
            let contact = self.stand.sandbox.highlevel().contact(&self.location, contact).unwrap();
            contact["tags"].as_array().unwrap().iter().any(|tag| tag == SEEN)
        };
        self.contacts.iter().filter(has).count()
    }

    fn notes(&self) -> usize {
        let notes = |contact: &String| self.stand.sandbox.highlevel().notes(&self.location, contact).len();
        self.contacts.iter().map(notes).sum()
    }

    async fn runs(&self) -> Vec<Run> {
        let filter =
            RunFilter { connection: Some(self.connection.id.clone()), limit: 500, ..RunFilter::default() };
        let runs = self.stand.engine.runs(filter).await.unwrap();
        runs.into_iter().filter(|run| run.kind == RunKind::Automation).collect()
    }

    async fn rollout(&self) -> RolloutView {
        self.stand.engine.rollout(&self.connection.id).await.unwrap()
    }

    /// The open alert that a version was taken back.
    async fn alert(&self) -> Option<Alert> {
        // An alert is over when it stayed away for a while.
        for _ in 0..15 {
            self.stand.advance(SignedDuration::from_mins(1));
            self.stand.engine.walk_until_rest().await;
        }
        let alerts = self.stand.engine.alerts(&self.connection.workspace).await.unwrap().alerts;
        alerts.into_iter().find(|alert| alert.kind == AlertKind::Reverted && alert.ended_at.is_none())
    }

    async fn pinned(&self) -> Digest {
        self.stand.engine.connection(&self.connection.id).await.unwrap().digest
    }
}

fn enable() -> EnableConnection {
    EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: "operations".to_owned(),
        ..EnableConnection::default()
    }
}

fn live(share: u8) -> NewUpgrade {
    NewUpgrade { share, ..NewUpgrade::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_version_that_asks_for_more_is_shown_in_plain_words_and_needs_approval() {
    let first = version("0.1.0", |manifest| manifest.replacen(MORE, "", 1));
    let world = World::of(first, 0, EngineConfig::default()).await;
    let asks: Vec<_> = world.connection.asks.iter().map(|one| (one.name.as_str(), one.granted)).collect();
    assert!(
        asks.contains(&("contacts.write", true)) && asks.contains(&("host:partner.example", true)),
        "{asks:?}"
    );
    let hosts =
        "base_url = \"https://partner.example/v1\"\nhosts = [\"partner.example\", \"*.evil.example\"]";
    let wants = |manifest: String| manifest.replacen("base_url = \"https://partner.example/v1\"", hosts, 1);
    let second = world.install(version("0.2.0", wants)).await;

    let id = &world.connection.id;
    let plan = world.stand.engine.upgrade_plan(id, None).await.unwrap();
    let more: Vec<_> = plan.more.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(more, ["notifications", "host:*.evil.example"]);
    assert_eq!(
        (plan.from.version.as_str(), plan.to.version.as_str(), plan.problem),
        ("0.1.0", "0.2.0", None)
    );
    let digest = Some(second.to_string());
    for refused in [
        world.upgrade(live(100)).await.map(|_| ()),
        world
            .stand
            .engine
            .enable_connection(EnableConnection { digest: digest.clone(), ..enable() })
            .await
            .map(|_| ()),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, EngineError::Conflict(_)), "{refused}");
        let words = refused.to_string();
        assert!(words.contains("host:*.evil.example (Speaks with *.evil.example"), "{words}");
        assert!(words.contains("Messages are among the functions"), "{words}");
    }
    assert_eq!(world.pinned().await, world.connection.digest);

    // Whoever names what is granted approves of that, and of nothing else.
    let named = Some(vec!["contacts.readonly".to_owned(), "host:partner.example".to_owned()]);
    let request = EnableConnection { digest: digest.clone(), grants: named, ..enable() };
    let connection = world.stand.engine.enable_connection(request).await.unwrap();
    assert!(connection.withheld.contains(&"host:*.evil.example".to_owned()), "{:?}", connection.withheld);
    assert!(!connection.hosts.iter().any(|host| host.contains("evil")), "{:?}", connection.hosts);
    world.stand.engine.roll_back(id).await.unwrap();

    let begun = world.upgrade(NewUpgrade { approve: true, ..live(100) }).await.unwrap();
    assert_eq!(
        (begun.state, begun.mode, begun.candidate.digest),
        (RolloutState::Running, RolloutMode::Live, second)
    );
    let connection = world.stand.engine.connection(id).await.unwrap();
    assert_eq!(connection.digest, world.connection.digest, "it is pinned until the other one is adopted");
    assert!(!connection.grants.contains(&"notifications".to_owned()));
    world.stand.engine.adopt(id).await.unwrap();
    let connection = world.stand.engine.connection(id).await.unwrap();
    assert!(connection.grants.contains(&"notifications".to_owned()), "{:?}", connection.grants);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_way_to_send_the_credential_needs_approval_and_shows_none_of_it() {
    const BEARER: &str = "kind = \"bearer\"\ntoken = \"{token}\"\n\
        credential = [{ name = \"token\", title = \"Access token\" }]";
    const ECHOED: &str = "kind = \"prefixed-header\"\nheader = \"X-Request-Id\"\nvalue = \"{token}\"\n\
        credential = [{ name = \"token\", title = \"Access token\", secret = false }]";
    let world = World::new(0).await;
    let (engine, id) = (&world.stand.engine, &world.connection.id);
    let second = world.install(version("0.2.0", |manifest| manifest.replacen(BEARER, ECHOED, 1))).await;
    let plan = engine.upgrade_plan(id, None).await.unwrap();
    let more: Vec<_> = plan.more.iter().map(|one| (one.name.as_str(), one.words.as_str())).collect();
    let words = "Sends your credential in a header: \"X-Request-Id\" = \"{token}\". It may read what is no secret of it: token.";
    assert_eq!((more, plan.less.len(), plan.problem), (vec![("auth:token", words)], 1, None));

    let second_by =
        |request: EnableConnection| EnableConnection { digest: Some(second.to_string()), ..request };
    let withhold = vec!["auth:token".to_owned()];
    let refused = engine.enable_connection(second_by(EnableConnection { withhold, ..enable() })).await;
    assert!(refused.unwrap_err().to_string().contains("cannot be withheld"));
    // To name something else is no approval of this.
    let grants = Some(vec!["contacts.readonly".to_owned()]);
    for request in [enable(), EnableConnection { grants, ..enable() }] {
        let refused = engine.enable_connection(second_by(request)).await.unwrap_err();
        assert!(matches!(&refused, EngineError::Conflict(why) if why.contains(words)), "{refused}");
    }
    assert!(matches!(world.upgrade(live(100)).await.unwrap_err(), EngineError::Conflict(_)));

    // Whoever approves of it gives it another header, and not the key.
    let approved = EnableConnection { approve: true, ..enable() };
    let connection = engine.enable_connection(second_by(approved)).await.unwrap();
    assert_eq!(connection.digest, second);
    assert!(connection.grants.contains(&"auth:token".to_owned()), "{:?}", connection.grants);
    let key = world.stand.sandbox.prefinery().api_key().to_owned();
    let body = Some(json!({ "request": key }));
    let echo = Effect::Answer { status: 200, body, retry_after: None, after: false };
    world.stand.sandbox.faults().add(Fault::always("prefinery.*", echo));
    let request = json!({ "method": "get", "path": "/betas/1/testers.json" });
    let read = world.stand.run(id, "partner.send", &request).await.unwrap().to_string();
    assert!(read.contains("[redacted]") && !read.contains(&key), "{read}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_version_is_taken_back_by_the_host_and_nobody_is_left_undone() {
    let world = World::new(40).await;
    let second = world.install(faulty()).await;
    let begun = world.upgrade(live(50)).await.unwrap();
    assert_eq!(begun.state, RolloutState::Running);
    world.tag("vip").await;

    let rollout = world.rollout().await;
    assert_eq!(rollout.state, RolloutState::Reverted, "{rollout:#?}");
    assert!(rollout.reason.contains("runs failed, of the version before 0 in"), "{}", rollout.reason);
    assert_eq!(
        (rollout.candidate.digest, world.pinned().await),
        (second.clone(), world.connection.digest.clone())
    );
    let runs = world.runs().await;
    let of_second: Vec<_> = runs.iter().filter(|run| run.component.as_ref() == Some(&second)).collect();
    assert!((5..40).contains(&of_second.len()), "{}", of_second.len());
    assert!(of_second.iter().all(|run| run.outcome != RunOutcome::Applied), "{of_second:#?}");
    let crashed = of_second.iter().filter(|run| run.class == Some(FailureClass::GuestBug)).count();
    assert!(crashed >= 5, "{crashed}");
    assert_eq!(world.seen(), 40, "the pinned version did what the other one left");
    let parked = world.stand.engine.parked(&world.connection.workspace).await.unwrap();
    assert!(parked.is_empty(), "{parked:#?}");
    assert!(world.stand.engine.rests(&world.connection.workspace).await.unwrap().is_empty());

    // Whoever answers for the workspace is told, until somebody begins with another version.
    let told = world.alert().await.unwrap();
    assert!(told.text.contains(&rollout.reason), "{}", told.text);
    assert!(told.text.ends_with("contactor connection rollout acme operations"), "{}", told.text);
    world.install(version("0.3.0", |manifest| manifest)).await;
    world.upgrade(live(10)).await.unwrap();
    assert_eq!(world.alert().await, None);
}

/// Whatever fails is parked at once, by runs that are under way when it is taken back as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_version_parked_that_was_taken_back_is_done_by_the_one_before() {
    const WRITES: &str = "[[scope]]\nname = \"contacts.write\"\nwhy = \"The other half writes.\"\n";
    let world = World::new(40).await;
    let second = world
        .install(version("0.2.0", |manifest| {
            assert!(manifest.contains(WRITES));
            manifest.replacen(WRITES, "", 1)
        }))
        .await;
    world.upgrade(live(50)).await.unwrap();
    world.tag("vip").await;
    let rollout = world.rollout().await;
    assert_eq!(rollout.state, RolloutState::Reverted, "{rollout:#?}");
    let runs = world.runs().await;
    let denied = runs.iter().filter(|run| run.class == Some(FailureClass::Denied));
    let parked: Vec<_> = denied.filter(|run| run.outcome == RunOutcome::Parked).collect();
    assert!(parked.len() >= 5 && parked.iter().all(|run| run.component.as_ref() == Some(&second)));
    let left = world.stand.engine.parked(&world.connection.workspace).await.unwrap();
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(world.seen(), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_a_version_left_in_the_middle_is_ended_by_the_one_before_and_writes_once() {
    let world = World::new(30).await;
    let calls = json!([
        { "function": "notes.create", "input": { "contact-id": "$contact", "body": "Hello", "fields": {} } },
        { "function": "contacts.get", "input": { "id": "$contact" } },
        { "function": "tags.add", "input": { "contact-id": "$contact", "tags": [SEEN] } },
    ]);
    let request = EnableConnection { settings: settings(&calls), ..enable() };
    world.stand.engine.enable_connection(request).await.unwrap();
    // It ends after its first call, which is done and noted.
    world.install(faulty()).await;
    world.upgrade(live(50)).await.unwrap();
    world.tag("vip").await;
    assert_eq!(world.rollout().await.state, RolloutState::Reverted);
    let left = world.stand.engine.parked(&world.connection.workspace).await.unwrap();
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!((world.seen(), world.notes()), (30, 30), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_says_that_its_credential_was_refused_is_taken_back_and_stops_nothing() {
    let world = World::new(20).await;
    world.install(version("0.2.0", |manifest| manifest)).await;
    let unauthorized = json!([{ "fails": { "case": "unauthorized", "detail": "made up" } }]);
    let settings = Some(settings(&unauthorized));
    world.upgrade(NewUpgrade { settings, ..live(50) }).await.unwrap();
    world.tag("vip").await;
    let rollout = world.rollout().await;
    assert_eq!(rollout.state, RolloutState::Reverted, "{rollout:#?}");
    assert!(rollout.reason.contains("credential"), "{}", rollout.reason);
    let connection = world.stand.engine.connection(&world.connection.id).await.unwrap();
    assert_eq!(connection.state, ConnectionState::Enabled);
    assert_eq!(world.seen(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_of_the_records_is_done_by_the_version_on_trial_and_always_the_same() {
    let world = World::new(40).await;
    let second = world.install(version("0.2.0", |manifest| manifest)).await;
    world.upgrade(live(25)).await.unwrap();
    world.tag("vip").await;
    world.tag("vip2").await;
    let runs = world.runs().await;
    let by_second = |run: &&Run| run.component.as_ref() == Some(&second);
    let its: std::collections::BTreeSet<_> =
        runs.iter().filter(by_second).map(|run| run.highlevel_id.clone()).collect();
    let others: std::collections::BTreeSet<_> =
        runs.iter().filter(|run| !by_second(run)).map(|run| run.highlevel_id.clone()).collect();
    assert!((2..20).contains(&its.len()), "{}", its.len());
    assert!(its.is_disjoint(&others), "a record stays with one version");
    assert_eq!(world.seen(), 40);
    let rollout = world.rollout().await;
    assert_eq!(rollout.state, RolloutState::Running, "{}", rollout.reason);
    // What others fail at tells nothing of either.
    let told = || runs.iter().filter(|run| run.class.is_none_or(|class| class.blames_connector(true)));
    assert_eq!(rollout.counts.candidate.runs as usize, told().filter(by_second).count());
    assert_eq!(rollout.counts.former.runs as usize, told().filter(|run| !by_second(run)).count());

    // A larger share has those of the smaller one too.
    let larger = world.upgrade(live(100)).await.unwrap();
    assert_eq!((larger.id, larger.share), (rollout.id, 100));
    world.tag("vip3").await;
    let newest = world.runs().await.into_iter().take(40);
    assert!(newest.into_iter().all(|run| run.component.as_ref() == Some(&second)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_writes_much_more_is_taken_back() {
    let world = World::new(40).await;
    world.tag("before").await;
    world.install(version("0.2.0", |manifest| manifest)).await;
    let note = json!({ "function": "notes.create", "input": { "contact-id": "$contact", "body": "Hello", "fields": {} } });
    let settings = Some(settings(&json!([note, note, note, note])));
    world.upgrade(NewUpgrade { settings, ..live(100) }).await.unwrap();
    world.tag("vip").await;
    let rollout = world.rollout().await;
    assert_eq!(rollout.state, RolloutState::Reverted, "{rollout:#?}");
    assert!(rollout.reason.contains("writes in"), "{}", rollout.reason);
    assert!(world.notes() >= 80, "{}", world.notes());
    let settings = world.stand.engine.connection(&world.connection.id).await.unwrap().settings;
    assert_eq!(settings, world.connection.settings, "the settings of the other one went with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_shadow_nothing_is_done_and_what_differs_is_listed() {
    let world = World::new(12).await;
    let second = world.install(version("0.2.0", |manifest| manifest)).await;
    world.upgrade(NewUpgrade { shadow: true, ..live(100) }).await.unwrap();
    let followed = async |until: u64| loop {
        let rollout = world.rollout().await;
        let counts = rollout.counts;
        if counts.same + counts.differing + counts.unseen >= until {
            return rollout;
        }
        tokio::task::yield_now().await;
    };
    world.tag("vip").await;
    // Of what the handler's own tag brings about, no connector is asked.
    let rollout = followed(12).await;
    assert_eq!((rollout.counts.differing, rollout.counts.candidate), (0, Tally::default()), "{rollout:#?}");
    assert!(rollout.counts.same > 0, "{rollout:#?}");
    world.stand.engine.roll_back(&world.connection.id).await.unwrap();

    let calls = json!([
        { "function": "contacts.get", "input": { "id": "$contact" } },
        { "function": "notes.create", "input": { "contact-id": "$contact", "body": "Hello", "fields": {} } },
    ]);
    world.upgrade(NewUpgrade { shadow: true, settings: Some(settings(&calls)), ..live(100) }).await.unwrap();
    let requests = world.stand.sandbox.recorder().requests("highlevel");
    world.tag("vip2").await;
    let rollout = followed(12).await;
    assert_eq!(rollout.counts.same, 0, "{rollout:#?}");
    assert!(rollout.counts.differing > 0, "{rollout:#?}");
    let difference = &rollout.differences[0];
    assert_eq!(difference.what, "automations.handle: call 2 would be notes.create in place of tags.add");
    let run = world.stand.engine.run_detail(difference.run.as_ref().unwrap()).await.unwrap();
    assert_eq!(run.component, Some(world.connection.digest.clone()), "it was done by the pinned version");
    assert_ne!(run.component, Some(second));
    assert_eq!((world.notes(), rollout.state), (0, RolloutState::Running));
    assert!(world.stand.sandbox.recorder().requests("highlevel") > requests, "the pinned version worked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_holds_is_adopted_after_its_watch_and_rolled_back_by_one_command() {
    let world = World::new(4).await;
    let second = world.install(version("0.2.0", |manifest| manifest)).await;
    world.upgrade(live(100)).await.unwrap();
    world.tag("vip").await;
    world.stand.walk().await.unwrap();
    assert_eq!(world.rollout().await.state, RolloutState::Running, "not after so short a time");
    world.stand.advance(SignedDuration::from_hours(24));
    world.stand.walk().await.unwrap();
    let rollout = world.rollout().await;
    assert_eq!(rollout.state, RolloutState::Adopted, "{rollout:#?}");
    assert_eq!(world.pinned().await, second);

    let back = world.stand.engine.roll_back(&world.connection.id).await.unwrap();
    assert_eq!((back.id, back.state), (rollout.id, RolloutState::Ended));
    assert_eq!(world.pinned().await, world.connection.digest);
    world.tag("vip2").await;
    assert_eq!(world.runs().await[0].component, Some(world.connection.digest.clone()));
    let nothing = world.stand.engine.roll_back(&world.connection.id).await.unwrap_err();
    assert!(matches!(nothing, EngineError::Conflict(_)), "{nothing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_was_begun_goes_on_with_the_component_that_began_it() {
    let world = World::new(1).await;
    let second = world.install(version("0.2.0", |manifest| manifest)).await;
    // The write is noted and may have happened; the handler comes back.
    world.stand.sandbox.faults().add(Fault::next(1, "highlevel.tags.add", Effect::refuse(503)));
    let act = PersonAct::AddTags { contact: world.contacts[0].clone(), tags: vec!["vip".to_owned()] };
    world.stand.sandbox.highlevel().act(&world.location, act).unwrap();
    for outbox in world.stand.sandbox.outboxes() {
        outbox.flush(Order::Queued).await;
    }
    world.stand.engine.run_until_idle().await.unwrap();
    let failed = world.runs().await.remove(0);
    assert_eq!(failed.outcome, RunOutcome::Retrying, "{}", failed.summary);

    let other = settings(
        &json!([{ "function": "log.write", "input": { "level": "info", "message": "x", "fields": {} } }]),
    );
    world.upgrade(NewUpgrade { settings: Some(other), ..live(100) }).await.unwrap();
    world.stand.engine.adopt(&world.connection.id).await.unwrap();
    world.stand.settle().await.unwrap();
    let runs = world.runs().await;
    let again =
        runs.iter().find(|run| run.highlevel_id == failed.highlevel_id && run.outcome == RunOutcome::Applied);
    assert_eq!(
        again.unwrap_or_else(|| panic!("{runs:#?}")).component,
        Some(world.connection.digest.clone()),
        "{runs:#?}"
    );
    assert_eq!(world.seen(), 1);
    world.tag("vip2").await;
    assert_eq!(world.runs().await[0].component, Some(second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grants_and_settings_are_not_changed_under_a_version_on_trial() {
    let world = World::new(0).await;
    world.install(version("0.2.0", |manifest| manifest)).await;
    world.upgrade(live(10)).await.unwrap();
    let engine = &world.stand.engine;
    let withhold = vec!["contacts.write".to_owned()];
    let refused = engine.enable_connection(EnableConnection { withhold: withhold.clone(), ..enable() }).await;
    assert!(matches!(refused.unwrap_err(), EngineError::Conflict(why) if why.contains("on trial")));
    let other = engine.upgrade(
        Actor::AdminTokenFile,
        &world.connection.id,
        NewUpgrade { digest: Some(world.install(faulty()).await.to_string()), ..live(10) },
    );
    assert!(matches!(other.await.unwrap_err(), EngineError::Conflict(_)));
    engine.roll_back(&world.connection.id).await.unwrap();
    let connection = engine.enable_connection(EnableConnection { withhold, ..enable() }).await.unwrap();
    assert_eq!(connection.withheld, ["contacts.write"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_withheld_or_forbidden_is_not_there_whatever_the_component_tries() {
    let world = World::new(3).await;
    let engine = &world.stand.engine;
    let workspace = &world.connection.workspace;
    let deny = |names: &[&str]| Policy {
        connectors: None,
        deny: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    engine.set_policy(workspace, deny(&["contacts.write"])).await.unwrap();
    world.tag("vip").await;
    assert_eq!(world.seen(), 0);
    let run = world.runs().await.remove(0);
    assert_eq!(run.class, Some(FailureClass::Denied), "{}", run.summary);
    let view = engine.connection(&world.connection.id).await.unwrap();
    let ask = view.asks.iter().find(|one| one.name == "contacts.write").unwrap();
    assert!(ask.granted && ask.forbidden && view.withheld.contains(&ask.name), "{ask:?}");

    let others = Policy { connectors: Some(vec!["prefinery".to_owned()]), deny: Vec::new() };
    engine.set_policy(workspace, others).await.unwrap();
    let refused = world.stand.run(&world.connection.id, "clock.now", &json!({})).await.unwrap_err();
    assert!(refused.to_string().contains("policy of acme"), "{refused}");
    assert!(engine.set_policy(workspace, deny(&["a*b"])).await.is_err());
    engine.set_policy(workspace, Policy::default()).await.unwrap();
    world.stand.run(&world.connection.id, "clock.now", &json!({})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_withheld_or_denied_is_not_told_whoever_wants_it() {
    let world = World::new(3).await;
    let engine = &world.stand.engine;
    let workspace = &world.connection.workspace;
    let deny = |name: &str| Policy { connectors: None, deny: vec![name.to_owned()] };
    // An admin's rule is on it, and what came before it was denied waits.
    engine.set_policy(workspace, deny("event:ContactTagUpdate")).await.unwrap();
    world.tag("vip").await;
    assert_eq!((world.seen(), world.runs().await.len()), (0, 0));
    engine.set_policy(workspace, Policy::default()).await.unwrap();
    for contact in &world.contacts {
        let act = PersonAct::AddTags { contact: contact.clone(), tags: vec!["vip2".to_owned()] };
        world.stand.sandbox.highlevel().act(&world.location, act).unwrap();
    }
    for outbox in world.stand.sandbox.outboxes() {
        outbox.flush(Order::Queued).await;
    }
    engine.set_policy(workspace, deny("event:*")).await.unwrap();
    world.stand.settle().await.unwrap();
    let runs = world.runs().await;
    assert!(runs.iter().all(|run| run.outcome == RunOutcome::Skipped), "{runs:#?}");
    assert!(runs[0].summary.contains("not granted any more"), "{}", runs[0].summary);
    assert_eq!(world.seen(), 0);
    // Nor a timer's.
    engine.set_policy(workspace, Policy::default()).await.unwrap();
    let withhold = |names: &[&str]| EnableConnection {
        withhold: names.iter().map(|name| (*name).to_owned()).collect(),
        ..enable()
    };
    for (withheld, outcome) in
        [(&["event:timer:reminder"][..], RunOutcome::Skipped), (&["notifications"], RunOutcome::Applied)]
    {
        engine.enable_connection(withhold(withheld)).await.unwrap();
        engine.deliver_sample(&world.connection.id, "timer:reminder", None).await.unwrap();
        world.stand.settle().await.unwrap();
        assert_eq!(world.runs().await[0].outcome, outcome, "{withheld:?}");
    }
    world.tag("vip3").await;
    assert_eq!(world.seen(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_withheld_are_not_carried() {
    let stand = Stand::serve().await.unwrap();
    let connection = stand.enable("prefinery", None).await.unwrap();
    let withhold = |names: &[&str]| EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: "prefinery".to_owned(),
        withhold: names.iter().map(|name| (*name).to_owned()).collect(),
        ..EnableConnection::default()
    };
    stand.engine.enable_connection(withhold(&["records:contact:both"])).await.unwrap();
    let location = stand.sandbox.highlevel().first_location();
    let ada =
        |email: &str| PersonAct::CreateContact { fields: json!({ "firstName": "Ada", "email": email }) };
    stand.sandbox.highlevel().act(&location, ada("ada@example.com")).unwrap();
    stand.settle().await.unwrap();
    let testers = || stand.sandbox.prefinery().testers(stand.sandbox.prefinery().first_project()).len();
    assert_eq!((testers(), stand.sandbox.recorder().requests("prefinery")), (0, 0));
    stand.engine.enable_connection(withhold(&["notifications"])).await.unwrap();
    stand.sandbox.highlevel().act(&location, ada("grace@example.com")).unwrap();
    stand.settle().await.unwrap();
    assert_eq!(testers(), 1, "{}", connection.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_in_something_forbidden_is_forbidden_as_a_whole() {
    let deny = |name: &str| Policy { connectors: None, deny: vec![name.to_owned()] };
    let hosts =
        "base_url = \"https://partner.example/v1\"\nhosts = [\"partner.example\", \"*.partner.example\"]";
    let below = |manifest: String| manifest.replacen("base_url = \"https://partner.example/v1\"", hosts, 1);
    let world = World::of(version("0.1.0", below), 0, EngineConfig::default()).await;
    let engine = &world.stand.engine;
    engine.set_policy(&world.connection.workspace, deny("host:evil.partner.example")).await.unwrap();
    let view = engine.connection(&world.connection.id).await.unwrap();
    assert_eq!(view.withheld, ["host:*.partner.example"]);
    assert!(!view.hosts.iter().any(|host| host.starts_with('*')), "{:?}", view.hosts);
    let refused = engine.set_policy(&world.connection.workspace, deny("auth:token")).await.unwrap_err();
    assert!(refused.to_string().contains("comes with a connector"), "{refused}");

    let stand = Stand::serve().await.unwrap();
    let connection = stand.enable("prefinery", None).await.unwrap();
    stand.engine.set_policy(&connection.workspace, deny("records:contact:to-highlevel")).await.unwrap();
    let view = stand.engine.connection(&connection.id).await.unwrap();
    assert!(view.withheld.contains(&"records:contact:both".to_owned()), "{:?}", view.withheld);
    let location = stand.sandbox.highlevel().first_location();
    let fields = json!({ "firstName": "Ada", "email": "ada@example.com" });
    stand.sandbox.highlevel().act(&location, PersonAct::CreateContact { fields }).unwrap();
    stand.settle().await.unwrap();
    assert_eq!(stand.sandbox.recorder().requests("prefinery"), 0);
}

#[tokio::test]
async fn the_commands_show_approve_try_adopt_and_go_back() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = contactor_sandbox::Sandbox::start(SandboxConfig::default()).await.unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    let enabled = host.enable_prefinery(&sandbox, json!({})).await.unwrap();
    let first = enabled["digest"].as_str().unwrap();

    let component = artefacts::component("prefinery").unwrap();
    let manifest = contactor_manifest::extract(&component).unwrap().unwrap();
    let wants = manifest.replacen("version = \"0.1.0\"", "version = \"0.2.0\"", 1);
    let wants = wants.replacen("hosts = [", "hosts = [\"files.prefinery.example\", ", 1);
    let file = dir.path().join("prefinery-0.2.0.wasm");
    std::fs::write(&file, embed(&component, &wants).unwrap()).unwrap();
    let run = async |arguments: &[&str]| {
        let output = Host::run(dir.path(), &[&["--json", "--server", host.url()], arguments].concat(), &[])
            .await
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        if output.status.success() {
            Ok(serde_json::from_slice::<Value>(&output.stdout).unwrap())
        } else {
            Err(said)
        }
    };
    let of = |command: &'static str, options: &[&'static str]| -> Vec<&'static str> {
        [&["connection", command, "acme", "prefinery"], options].concat()
    };
    run(&["connector", "install", file.to_str().unwrap()]).await.unwrap();

    let plan = run(&of("upgrade", &["--dry-run"])).await.unwrap();
    assert_eq!(plan["more"][0]["name"], "host:files.prefinery.example");
    assert_eq!((&plan["from"]["version"], &plan["to"]["version"]), (&json!("0.1.0"), &json!("0.2.0")));
    let refused = run(&of("upgrade", &[])).await.unwrap_err();
    assert!(
        refused.contains("Speaks with files.prefinery.example") && refused.contains("--approve"),
        "{refused}"
    );
    let begun = run(&of("upgrade", &["--share", "10", "--approve"])).await.unwrap();
    assert_eq!(
        (&begun["state"], &begun["share"], &begun["mode"]),
        (&json!("running"), &json!(10), &json!("live"))
    );
    let shadow = run(&of("upgrade", &["--shadow"])).await.unwrap();
    assert_eq!(
        (&shadow["id"], &shadow["mode"], &shadow["share"]),
        (&begun["id"], &json!("shadow"), &json!(100))
    );
    let shown = run(&of("show", &[])).await.unwrap();
    assert_eq!((&shown["digest"], &shown["on_trial"]["digest"]), (&json!(first), &plan["to"]["digest"]));
    let adopted = run(&of("adopt", &[])).await.unwrap();
    assert_eq!(adopted["state"], "adopted");
    assert_eq!(run(&of("show", &[])).await.unwrap()["version"], "0.2.0");
    let back = run(&of("rollback", &[])).await.unwrap();
    assert_eq!((&back["id"], &back["state"]), (&begun["id"], &json!("ended")));
    let shown = run(&of("show", &[])).await.unwrap();
    assert_eq!((&shown["digest"], &shown["on_trial"]), (&json!(first), &Value::Null));
    assert_eq!(run(&of("rollout", &["--history"])).await.unwrap().as_array().unwrap().len(), 1);
    let nothing = run(&of("rollback", &[])).await.unwrap_err();
    assert!(nothing.contains("nothing to go back to"), "{nothing}");
    assert!(run(&of("adopt", &[])).await.unwrap_err().contains("no version on trial"));

    let second = plan["to"]["digest"].as_str().unwrap();
    let audit = run(&["audit", "list", "--workspace", "acme"]).await.unwrap();
    let of_rollouts =
        audit.as_array().unwrap().iter().rev().filter(|entry| {
            entry["status"] == 200 && entry["action"].as_str().unwrap().starts_with("rollouts.")
        });
    let told: Vec<_> = of_rollouts
        .map(|entry| format!("{} {}", entry["action"].as_str().unwrap(), entry["detail"].as_str().unwrap()))
        .collect();
    let begin = format!("rollouts.begin version=0.2.0 digest={second} former={first}");
    assert_eq!(
        told,
        [
            format!("{begin} mode=live share=10 approve=true"),
            format!("{begin} mode=shadow share=100 approve=false"),
            format!("rollouts.adopt version=0.2.0 digest={second} before={first}"),
            format!("rollouts.rollback version=0.1.0 digest={first} before={second}"),
        ]
    );

    let policy = run(&["workspace", "policy", "acme", "--deny", "contacts.write"]).await.unwrap();
    assert_eq!(policy["policy"]["deny"], json!(["contacts.write"]));
    let checked = run(&["connection", "check", "acme", "prefinery"]).await.unwrap_err();
    assert!(checked.contains("does not work"), "{checked}");
    run(&["workspace", "policy", "acme"]).await.unwrap();
    host.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_survives_kill_9_and_is_taken_back_all_the_same() {
    const PEOPLE: usize = 30;
    let mut config = SandboxConfig::default();
    config.highlevel.limits = None;
    let sandbox = contactor_sandbox::Sandbox::start(config).await.unwrap();
    let (highlevel, location) = (sandbox.highlevel(), sandbox.highlevel().first_location());
    let dir = tempfile::tempdir().unwrap();
    Host::init(dir.path(), &sandbox, "").await.unwrap();
    let host = Host::start(dir.path()).await.unwrap();
    let new = json!({ "id": "acme", "location": location, "token": highlevel.private_token() });
    host.post("/workspaces", &new).await.unwrap();
    host.install("guest-operations").await.unwrap();
    let connection = json!({
        "base_url": sandbox.prefinery_url(),
        "credentials": { "token": sandbox.prefinery().api_key() },
        "settings": settings(&tags()),
    });
    host.put("/workspaces/acme/connections/operations", &connection).await.unwrap();
    highlevel.set_webhook_target(Some(host.webhooks().parse().unwrap()));

    let file = dir.path().join("operations-0.2.0.wasm");
    std::fs::write(&file, faulty()).unwrap();
    let run = async |host: &Host, arguments: &[&str]| {
        let arguments = [&["--json", "--server", host.url()], arguments].concat();
        let output = Host::run(dir.path(), &arguments, &[]).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    run(&host, &["connector", "install", file.to_str().unwrap()]).await;
    let begun = run(&host, &["connection", "upgrade", "acme", "operations", "--share", "90"]).await;

    let contacts: Vec<String> = (0..PEOPLE)
        .map(|number| {
            let fields = json!({ "firstName": "Ada", "email": format!("ada{number}@example.com") });
            let saved = highlevel.act(&location, PersonAct::CreateContact { fields }).unwrap();
            saved["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let tag = |contacts: &[String]| {
        for contact in contacts {
            let act = PersonAct::AddTags { contact: contact.clone(), tags: vec!["vip".to_owned()] };
            highlevel.act(&location, act).unwrap();
        }
    };
    const ROLLOUT: &str = "/workspaces/acme/connections/operations/rollout";
    // Fewer than make it fail.
    tag(&contacts[..3]);
    let has_run = async || Ok(host.get(ROLLOUT).await?["of_candidate"]["runs"].as_u64() > Some(0));
    host.until("the version on trial has done something", has_run).await.unwrap();
    host.kill9().await.unwrap();

    let host = Host::start(dir.path()).await.unwrap();
    highlevel.set_webhook_target(Some(host.webhooks().parse().unwrap()));
    let kept = host.get(ROLLOUT).await.unwrap();
    assert_eq!((&kept["id"], &kept["share"], &kept["state"]), (&begun["id"], &json!(90), &json!("running")));
    assert!(kept["of_candidate"]["runs"].as_u64() > Some(0), "what was counted is kept: {kept}");
    tag(&contacts[3..]);
    let has = |contact: &String| {
        let contact = highlevel.contact(&location, contact).unwrap();
        contact["tags"].as_array().unwrap().iter().any(|tag| tag == SEEN)
    };
    host.until("it was taken back", async || Ok(host.get(ROLLOUT).await?["state"] == "reverted"))
        .await
        .unwrap();
    host.until("everybody is tagged", async || Ok(contacts.iter().all(has))).await.unwrap();
    host.stop().await.unwrap();
}
