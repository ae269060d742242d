//! Trials: of a share of the records, in shadow, until a version is adopted.

use contactor_store::ConnectionId;
use futures_util::FutureExt as _;

use super::*;

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
    assert_eq!(rollout.counts.candidate.runs, told().filter(by_second).count() as u64);
    assert_eq!(rollout.counts.former.runs, told().filter(|run| !by_second(run)).count() as u64);

    // A larger share has those of the smaller one too.
    let larger = world.upgrade(live(100)).await.unwrap();
    assert_eq!((larger.id, larger.share), (rollout.id, 100));
    world.tag("vip3").await;
    let newest = world.runs().await.into_iter().take(40);
    assert!(newest.into_iter().all(|run| run.component.as_ref() == Some(&second)));
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
    world.stand.engine.roll_back(&world.connection.id, None).await.unwrap();

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

    let back = world.stand.engine.roll_back(&world.connection.id, None).await.unwrap();
    assert_eq!((back.id, back.state), (rollout.id, RolloutState::Ended));
    assert_eq!(world.pinned().await, world.connection.digest);
    world.tag("vip2").await;
    assert_eq!(world.runs().await[0].component, Some(world.connection.digest.clone()));
    let nothing = world.stand.engine.roll_back(&world.connection.id, None).await.unwrap_err();
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
    world.stand.engine.adopt(&world.connection.id, None).await.unwrap();
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
    engine.roll_back(&world.connection.id, None).await.unwrap();
    let connection = engine.enable_connection(EnableConnection { withhold, ..enable() }).await.unwrap();
    assert_eq!(connection.withheld, ["contacts.write"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_looks_and_hangs_up_takes_no_counts_along() {
    let world = World::new(1).await;
    let others = |manifest: String| manifest.replacen("id = \"operations\"", "id = \"others\"", 1);
    world.install(version("0.1.0", others)).await;
    let request = EnableConnection {
        connector: "others".to_owned(),
        base_url: Some(world.stand.sandbox.prefinery_url()),
        credentials: [("token".to_owned(), world.stand.sandbox.prefinery().api_key().to_owned().into())]
            .into(),
        settings: settings(&tags()),
        ..enable()
    };
    let other = world.stand.engine.enable_connection(request).await.unwrap().id;
    world.install(version("0.2.0", |manifest| manifest)).await;
    world.install(version("0.2.0", others)).await;
    let both: [ConnectionId; 2] = [world.connection.id.clone(), other];
    for id in &both {
        world.stand.engine.upgrade(Actor::AdminTokenFile, id, live(100)).await.unwrap();
    }
    world.tag("vip").await;
    // Too few runs to be judged: the counts of both trials are in memory until somebody looks.
    assert!(world.stand.engine.rollout(&both[0]).now_or_never().is_none(), "it was on its way to the store");
    for id in &both {
        let rollout = world.stand.engine.rollout(id).await.unwrap();
        let filter = RunFilter { connection: Some(id.clone()), limit: 500, ..RunFilter::default() };
        let runs = world.stand.engine.runs(filter).await.unwrap();
        let counted = |run: &&Run| {
            run.kind == RunKind::Automation && run.class.is_none_or(|class| class.blames_connector(true))
        };
        let counted = runs.iter().filter(counted).count() as u64;
        assert!(counted > 0, "{runs:#?}");
        assert_eq!(rollout.counts.candidate.runs, counted, "{rollout:#?}");
    }
}
