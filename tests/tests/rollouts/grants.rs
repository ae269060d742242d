//! What another version asks for beyond the one before, and that what was not granted, or a policy forbids, is not there.

use super::*;

fn withhold(names: &[&str]) -> EnableConnection {
    EnableConnection { withhold: names.iter().map(|name| (*name).to_owned()).collect(), ..enable() }
}

/// Gives a connection by name all that it had.
fn everything_of(connection: &ConnectionView) -> EnableConnection {
    EnableConnection { grants: Some(connection.grants.clone()), ..enable() }
}

fn new_of(connection: &ConnectionView) -> Vec<String> {
    connection.newly_granted.iter().map(|one| one.name.clone()).collect()
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
    world.stand.engine.roll_back(id, None).await.unwrap();

    let begun = world.upgrade(NewUpgrade { approve: true, ..live(100) }).await.unwrap();
    assert_eq!(
        (begun.state, begun.mode, begun.candidate.digest),
        (RolloutState::Running, RolloutMode::Live, second)
    );
    let connection = world.stand.engine.connection(id).await.unwrap();
    assert_eq!(connection.digest, world.connection.digest, "it is pinned until the other one is adopted");
    assert!(!connection.grants.contains(&"notifications".to_owned()));
    world.stand.engine.adopt(id, None).await.unwrap();
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
    // Nor a timer's, until it is given back by its name.
    engine.set_policy(workspace, Policy::default()).await.unwrap();
    for (how, outcome) in [
        (withhold(&["event:timer:reminder"]), RunOutcome::Skipped),
        (withhold(&["notifications"]), RunOutcome::Skipped),
        (everything_of(&world.connection), RunOutcome::Applied),
    ] {
        engine.enable_connection(how).await.unwrap();
        engine.deliver_sample(&world.connection.id, "timer:reminder", None).await.unwrap();
        world.stand.settle().await.unwrap();
        assert_eq!(world.runs().await[0].outcome, outcome);
    }
    world.tag("vip3").await;
    assert_eq!(world.seen(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_was_begun_is_given_nothing_back_that_was_withheld_since() {
    const SAMPLE: &str = "sample = { calls = [] }";
    const TAGS: &str = "sample = { calls = [{ function = \"tags.add\", \
        input = { contact-id = \"$contact\", tags = [\"seen\"] } }] }";
    const BASE: &str = "base_url = \"https://partner.example/v1\"";
    let tags = |manifest: String| {
        assert!(manifest.contains(SAMPLE));
        manifest.replacen(SAMPLE, TAGS, 1)
    };
    let hosts = format!("{BASE}\nhosts = [\"partner.example\", \"other.example\"]");
    let moves = |manifest: String| manifest.replacen(BASE, &hosts, 1);
    let world = World::of(version("0.1.0", tags), 1, EngineConfig::default()).await;
    let (engine, id) = (&world.stand.engine, &world.connection.id);
    world.stand.sandbox.faults().add(Fault::next(1, "highlevel.tags.add", Effect::refuse(503)));
    let contact = RecordId::new(world.contacts[0].clone());
    engine.deliver_sample(id, "timer:reminder", Some(&contact)).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let begun = world.runs().await.remove(0);
    assert_eq!(begun.outcome, RunOutcome::Retrying, "{}", begun.summary);

    // The only host of the version that began it is withheld, and with it the event.
    let second = world.install(version("0.2.0", moves)).await;
    let request = EnableConnection {
        digest: Some(second.to_string()),
        approve: true,
        withhold: vec!["host:partner.example".to_owned(), "event:timer:reminder".to_owned()],
        ..enable()
    };
    engine.enable_connection(request).await.unwrap();
    world.stand.settle().await.unwrap();
    let run = world.runs().await.remove(0);
    assert_eq!((run.outcome, run.component), (RunOutcome::Skipped, Some(second)), "{}", run.summary);
    assert_eq!(world.seen(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_are_withheld_are_not_carried() {
    let stand = Stand::serve().await.unwrap();
    let connection = stand.enable("prefinery", None).await.unwrap();
    let of_prefinery = |how: EnableConnection| EnableConnection { connector: "prefinery".to_owned(), ..how };
    let withhold = |names: &[&str]| of_prefinery(withhold(names));
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
    assert_eq!(testers(), 0, "to withhold something else gives nothing back");
    let all = stand.engine.enable_connection(of_prefinery(everything_of(&connection))).await.unwrap();
    assert_eq!(new_of(&all), ["notifications", "records:contact:both"]);
    stand.sandbox.highlevel().act(&location, ada("hedy@example.com")).unwrap();
    stand.settle().await.unwrap();
    assert_eq!(testers(), 1, "{}", connection.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_withhold_one_thing_gives_back_no_other_and_what_is_given_back_is_told() {
    let world = World::new(0).await;
    let engine = &world.stand.engine;
    let after = async |how: EnableConnection| {
        let connection = engine.enable_connection(how).await.unwrap();
        (connection.withheld.clone(), new_of(&connection))
    };
    let nothing: Vec<String> = Vec::new();
    let withheld = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(after(withhold(&["contacts.write"])).await, (withheld(&["contacts.write"]), nothing.clone()));
    let both = withheld(&["contacts.write", "notifications"]);
    assert_eq!(after(withhold(&["notifications"])).await, (both.clone(), nothing.clone()));
    assert_eq!(after(enable()).await, (both, nothing.clone()));

    // Nor with another version, of which something is withheld as well.
    let digest = Some(world.install(version("0.2.0", |manifest| manifest)).await.to_string());
    let three = withheld(&["contacts.write", "notifications", "event:happened"]);
    let upgraded = EnableConnection { digest, ..withhold(&["event:happened"]) };
    assert_eq!(after(upgraded).await, (three, nothing));

    // Whoever names one kind gives of that kind alone.
    let scopes = Some(withheld(&["contacts.readonly", "contacts.write"]));
    let given = after(EnableConnection { grants: scopes, ..enable() }).await;
    assert_eq!(given, (withheld(&["notifications", "event:happened"]), withheld(&["contacts.write"])));
    let given = after(everything_of(&world.connection)).await;
    assert_eq!(given, (Vec::new(), withheld(&["notifications", "event:happened"])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_back_gives_nothing_back_that_was_withheld_since() {
    let world = World::new(3).await;
    let (engine, id) = (&world.stand.engine, &world.connection.id);
    let without_messages = |manifest: String| manifest.replacen(MORE, "", 1);
    world.install(version("0.2.0", without_messages)).await;
    world.upgrade(live(100)).await.unwrap();
    engine.adopt(id, None).await.unwrap();
    engine.enable_connection(withhold(&["contacts.write"])).await.unwrap();
    engine.roll_back(id, None).await.unwrap();
    let back = engine.connection(id).await.unwrap();
    assert_eq!(back.digest, world.connection.digest);
    assert_eq!(back.withheld, ["contacts.write"], "what the other one did not ask for nobody withheld");
    world.tag("vip").await;
    assert_eq!(world.seen(), 0);

    let given = engine.enable_connection(everything_of(&world.connection)).await.unwrap();
    assert_eq!((given.withheld.len(), new_of(&given)), (0, vec!["contacts.write".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_that_ends_leaves_withheld_what_was_withheld() {
    let world = World::new(0).await;
    let (engine, id) = (&world.stand.engine, &world.connection.id);
    world.install(version("0.2.0", |manifest| manifest)).await;
    engine.enable_connection(withhold(&["contacts.write"])).await.unwrap();
    for adopted in [false, true] {
        world.upgrade(live(100)).await.unwrap();
        if adopted {
            engine.adopt(id, None).await.unwrap();
        }
        assert_eq!(engine.connection(id).await.unwrap().withheld, ["contacts.write"]);
        engine.roll_back(id, None).await.unwrap();
        assert_eq!(engine.connection(id).await.unwrap().withheld, ["contacts.write"]);
    }
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
