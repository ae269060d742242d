//! Versions that the host takes back, and that nobody is left undone.

use contactor_tests::host::PATIENCE;
use futures_util::FutureExt as _;

use super::*;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_run_waits_for_a_change_under_way_to_judge_and_the_verdict_comes_after_it() {
    let world = World::new(12).await;
    world.install(faulty()).await;
    world.upgrade(live(100)).await.unwrap();
    // An admin's change that got as far as to the store, and comes to no end. What it asks of the store may be done: the share stays.
    let mut change = Box::pin(world.upgrade(live(100)));
    assert!(change.as_mut().now_or_never().is_none());
    for contact in &world.contacts {
        let act = PersonAct::AddTags { contact: contact.clone(), tags: vec!["vip".to_owned()] };
        world.stand.sandbox.highlevel().act(&world.location, act).unwrap();
    }
    for outbox in world.stand.sandbox.outboxes() {
        outbox.flush(Order::Queued).await;
    }
    let ran = tokio::time::timeout(PATIENCE, world.stand.engine.run_until_idle()).await;
    assert!(ran.is_ok_and(|runs| runs.unwrap() >= 12), "the runs wait for the change");
    let rollout = world.rollout().await;
    assert_eq!(rollout.state, RolloutState::Running);
    assert!(rollout.reason.starts_with("is taken back"), "{}", rollout.reason);

    drop(change);
    world.stand.engine.walk_until_rest().await;
    assert_eq!(world.rollout().await.state, RolloutState::Reverted);
    world.stand.settle().await.unwrap();
    assert_eq!(world.seen(), 12, "the pinned version did what the other one left");
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

/// The answer of its call is lost, and it is taken back before it tries again; the version before would do the like.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_happened_is_not_done_once_more_by_the_version_before_until_a_person_decides() {
    let note = |body: &str| json!({ "function": "notes.create", "input": { "contact-id": "$contact", "body": body, "fields": {} } });
    let post = |project: u64, who: &str| {
        let body = json!({ "tester": { "email": format!("{who}@example.com") } }).to_string();
        json!({ "function": "partner.send", "succeeds": true, "input": {
            "method": "post", "path": format!("/betas/{project}/testers"), "query": [], "body": body,
            "headers": [{ "name": "content-type", "value": "application/json" }],
        } })
    };
    for operation in ["highlevel.notes.create", "prefinery.testers.create"] {
        let world = World::new(1).await;
        let engine = &world.stand.engine;
        let project = world.stand.sandbox.prefinery().first_project();
        let call = |which: &str| match operation {
            "highlevel.notes.create" => note(which),
            _ => post(project, which),
        };
        let request = EnableConnection { settings: settings(&json!([call("one")])), ..enable() };
        engine.enable_connection(request).await.unwrap();
        let second = world.install(version("0.2.0", |manifest| manifest)).await;
        let settings = Some(settings(&json!([call("two")])));
        world.upgrade(NewUpgrade { settings, ..live(100) }).await.unwrap();
        world.stand.sandbox.faults().add(Fault::next(1, operation, Effect::Drop { after: true }));
        let act = PersonAct::AddTags { contact: world.contacts[0].clone(), tags: vec!["vip".to_owned()] };
        world.stand.sandbox.highlevel().act(&world.location, act).unwrap();
        for outbox in world.stand.sandbox.outboxes() {
            outbox.flush(Order::Queued).await;
        }
        engine.run_until_idle().await.unwrap();
        let lost = world.runs().await.remove(0);
        assert_eq!((lost.outcome, lost.component), (RunOutcome::Retrying, Some(second)), "{}", lost.summary);

        engine.roll_back(&world.connection.id, None).await.unwrap();
        world.stand.settle().await.unwrap();
        let carried_out = || world.stand.sandbox.recorder().count_of(operation).carried_out;
        assert_eq!(carried_out(), 1, "{operation}");
        let parked = engine.parked(&world.connection.workspace).await.unwrap();
        assert_eq!(parked.len(), 1, "{operation}: {parked:#?}");
        assert_eq!(parked[0].class, FailureClass::Unsure);
        assert!(parked[0].reason.contains("may have happened"), "{}", parked[0].reason);
        assert_eq!(world.runs().await[0].component, Some(world.connection.digest.clone()));

        assert!(engine.retry_parked(&parked[0].key).await.unwrap());
        world.stand.settle().await.unwrap();
        assert_eq!(carried_out(), 2, "{operation}: a person wanted it");
        assert!(engine.parked(&world.connection.workspace).await.unwrap().is_empty());
    }
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
