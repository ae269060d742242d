//! Other versions of connectors on trial.

use std::sync::Arc;

use serde_json::json;

use super::Engine;
use super::automations::delivery;
use super::world::*;
use crate::*;

fn digest(letter: &str) -> Digest {
    Digest::new(letter.repeat(64))
}

fn version(letter: &str) -> Pinned {
    Pinned {
        digest: digest(letter),
        grants: vec!["contacts.readonly".to_owned(), format!("host:{letter}.example")],
        settings: json!({ "of": letter }),
    }
}

fn trial(letter: &str) -> NewRollout {
    NewRollout {
        connection: prefinery(),
        candidate: version(letter),
        mode: RolloutMode::Live,
        share: 10,
        by: Actor::User(UserId::new("wanda")),
    }
}

fn installed(letter: &str) -> InstalledConnector {
    InstalledConnector {
        digest: digest(letter),
        id: "prefinery".to_owned(),
        version: "0.1.0".to_owned(),
        manifest: String::new(),
        size: 1,
        installed_at: at(1),
        approved: true,
        publisher: None,
    }
}

async fn present(world: &World) -> Pinned {
    let Connection { digest, grants, settings, .. } =
        world.store.connection(&prefinery()).await.unwrap().unwrap();
    Pinned { digest, grants, settings }
}

pub(super) async fn one_version_is_on_trial_and_what_is_counted_survives_a_restart(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let store = &world.store;
    let read = Call { write: false, ..run(1).calls[0].clone() };
    let refused = Call { error: Some("400".to_owned()), ..run(1).calls[0].clone() };
    store.put_run(run(1)).await.unwrap();
    store
        .put_run(Run { class: Some(FailureClass::GuestBug), calls: vec![read, refused.clone()], ..run(2) })
        .await
        .unwrap();
    let again = Run { outcome: RunOutcome::Retrying, class: Some(FailureClass::GuestBug), ..run(3) };
    store.put_run(again).await.unwrap();
    // One that a call shows, and one that only the connector says.
    store
        .put_run(Run { class: Some(FailureClass::Transient), calls: vec![refused], ..run(4) })
        .await
        .unwrap();
    store.put_run(Run { class: Some(FailureClass::Transient), ..run(6) }).await.unwrap();
    store.put_run(Run { kind: RunKind::Poll, ..run(5) }).await.unwrap();
    let begun = store.begin_rollout(trial("b")).await.unwrap();
    assert_eq!(begun.counts.before, Tally { runs: 4, failed: 3, others: 1, writes: 3 });
    assert_eq!((begun.state, begun.former.clone()), (RolloutState::Running, present(&world).await));
    assert!(matches!(store.begin_rollout(trial("c")).await, Err(StoreError::Conflict { .. })));

    let one = Tally { runs: 5, failed: 1, others: 2, writes: 4 };
    let news = RolloutNews { former: one, candidate: one, same: 2, unseen: 1, ..RolloutNews::default() };
    store.count_rollout(begun.id, news.clone()).await.unwrap();
    store.count_rollout(begun.id, news).await.unwrap();
    assert!(store.set_rollout(begun.id, RolloutMode::Shadow, 50).await.unwrap());

    let world = world.restart().await;
    let running = world.store.running_rollout(&prefinery()).await.unwrap().unwrap();
    assert_eq!((running.mode, running.share, running.began_at), (RolloutMode::Shadow, 50, begun.began_at));
    let two = one.and(one);
    let counts = RolloutCounts { former: two, candidate: two, same: 4, unseen: 2, ..begun.counts };
    assert_eq!(running.counts, counts);
    assert_eq!(running.begun_by, Actor::User(UserId::new("wanda")));

    assert!(world.store.end_rollout(begun.id, RolloutEnd::Revert, "it failed".to_owned()).await.unwrap());
    assert!(
        !world.store.end_rollout(begun.id, RolloutEnd::Adopt, String::new()).await.unwrap(),
        "it is over"
    );
    assert!(!world.store.set_rollout(begun.id, RolloutMode::Live, 100).await.unwrap());
    world.store.count_rollout(begun.id, RolloutNews { same: 1, ..RolloutNews::default() }).await.unwrap();
    let ended = world.store.rollouts(&prefinery(), 10).await.unwrap().remove(0);
    assert_eq!((ended.state, ended.reason.as_str()), (RolloutState::Reverted, "it failed"));
    assert_eq!(ended.counts, counts, "what comes late counts no more");
    assert_eq!(present(&world).await, begun.former);
    assert_eq!(world.store.running_rollout(&prefinery()).await.unwrap(), None);
}

pub(super) async fn a_version_is_adopted_and_rolled_back_with_its_grants_and_settings(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let first = present(&world).await;
    for letter in ["b", "c"] {
        let begun = world.store.begin_rollout(trial(letter)).await.unwrap();
        assert!(world.store.end_rollout(begun.id, RolloutEnd::Adopt, "it held".to_owned()).await.unwrap());
        assert_eq!(present(&world).await, version(letter));
    }
    let roll_back = async |grants: &[String]| {
        world.store.roll_back(&prefinery(), grants.to_vec(), "rolled back".to_owned()).await.unwrap()
    };
    let running = world.store.begin_rollout(trial("d")).await.unwrap();
    // Something was withheld since.
    let left = Pinned { grants: vec!["host:b.example".to_owned()], ..version("b") };
    let back = roll_back(&left.grants).await.unwrap();
    assert_eq!((back.candidate, back.state), (version("c"), RolloutState::Ended));
    assert_eq!(present(&world).await, left);
    let ended = world.store.rollouts(&prefinery(), 1).await.unwrap().remove(0);
    assert_eq!(
        (ended.id, ended.state),
        (running.id, RolloutState::Ended),
        "nothing else is on trial after it"
    );
    assert!(roll_back(&first.grants).await.is_some());
    assert_eq!(present(&world).await, first);
    assert_eq!(roll_back(&[]).await, None);
    assert_eq!(present(&world).await, first);
}

pub(super) async fn a_connection_that_gets_another_component_remembers_the_one_before(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    let first = present(&world).await;
    let same = connection("acme", "prefinery");
    world.store.put_connection(same.clone()).await.unwrap();
    assert_eq!(world.store.rollouts(&prefinery(), 9).await.unwrap(), [], "nothing was replaced");
    let running = world.store.begin_rollout(trial("d")).await.unwrap();
    let Pinned { digest, grants, settings } = version("b");
    world.store.put_connection(Connection { digest, grants, settings, ..same }).await.unwrap();
    let listed = world.store.rollouts(&prefinery(), 9).await.unwrap();
    let states: Vec<_> = listed.iter().map(|one| (one.candidate.clone(), one.state)).collect();
    assert_eq!(states, [(version("b"), RolloutState::Adopted), (running.candidate, RolloutState::Ended)]);
    assert_eq!(listed[0].former, first);
    world.store.roll_back(&prefinery(), first.grants.clone(), String::new()).await.unwrap().unwrap();
    assert_eq!(present(&world).await, first);
}

pub(super) async fn the_newest_differences_of_a_shadow_are_kept(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let begun = world.store.begin_rollout(trial("b")).await.unwrap();
    let difference = |number: u32| ShadowDifference {
        run: Some(RunId::new(format!("run-{number}"))),
        at: at(i64::from(number)),
        what: "adapter.read answers otherwise".to_owned(),
    };
    for page in 0..3 {
        let differences = (page * 50..page * 50 + 50).map(difference).collect();
        world
            .store
            .count_rollout(begun.id, RolloutNews { differences, ..RolloutNews::default() })
            .await
            .unwrap();
    }
    let kept = world.store.rollout_differences(begun.id).await.unwrap();
    let expected: Vec<_> = (150 - KEPT_DIFFERENCES..150).rev().map(difference).collect();
    assert_eq!(kept, expected);
    let counts = world.store.running_rollout(&prefinery()).await.unwrap().unwrap().counts;
    assert_eq!(counts.differing, 150);
}

pub(super) async fn runs_and_handlers_know_the_component_that_they_ran(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    for letter in ["b", "c"] {
        world.store.install_connector(installed(letter)).await.unwrap();
    }
    world.store.put_run(Run { component: Some(digest("c")), ..run(1) }).await.unwrap();
    let ran = world.store.run(&run(1).id).await.unwrap().unwrap();
    assert_eq!(ran.component, Some(digest("c")));

    world.store.deliver(vec![delivery("one")]).await.unwrap();
    let claimed = world.store.claim_deliveries(&world.lease, LATER, 1, 1).await.unwrap().remove(0);
    assert_eq!(claimed.component, None);
    let note = |position, letter| JournalSlot {
        component: Some(digest(letter)),
        ..world.slot(claimed.id, position, "tags.add")
    };
    world.store.journal_intent(note(0, "b")).await.unwrap();
    world.store.journal_intent(note(1, "c")).await.unwrap();
    let world = world.restart().await;
    let claimed = world.store.claim_deliveries(&world.lease, LATER, 1, 1).await.unwrap().remove(0);
    assert_eq!(claimed.component, Some(digest("b")), "it goes on with the one that began it");
}

pub(super) async fn what_a_version_left_undone_is_done_again_when_it_is_taken_back(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let store = &world.store;
    store.install_connector(installed("b")).await.unwrap();
    let begun = store.begin_rollout(trial("b")).await.unwrap();
    let park = async |claim: ClaimedRecord, number: i64, component: &str, class: FailureClass| {
        let run = Run {
            component: Some(digest(component)).filter(|_| component == "b"),
            outcome: RunOutcome::Parked,
            class: Some(class),
            ..run(number)
        };
        let disposition = Disposition::Parked { class, reason: "it failed".to_owned() };
        let parking = Completion { run: Some(run), ..completion(claim, disposition) };
        store.complete_record(&world.lease, parking).await.unwrap();
    };
    for (number, record, component, class) in [
        (1, "own", "a", FailureClass::Data),
        (2, "data", "b", FailureClass::Data),
        (3, "conflict", "b", FailureClass::Conflict),
        (4, "unsure", "b", FailureClass::Unsure),
    ] {
        world.mark(Side::Highlevel, record, Priority::Webhook).await;
        park(world.claim_one().await, number, component, class).await;
    }
    world.mark(Side::Highlevel, "late", Priority::Webhook).await;
    let late = world.claim_one().await;

    store.deliver(vec![delivery("begun")]).await.unwrap();
    let claimed = store.claim_deliveries(&world.lease, LATER, 1, 1).await.unwrap().remove(0);
    let slot = JournalSlot { component: Some(digest("b")), ..world.slot(claimed.id, 0, "tags.add") };
    store.journal_intent(slot).await.unwrap();
    let again = DeliveryCompletion {
        delivery: claimed.id,
        disposition: Disposition::Retry { at: at(1), counts: true },
        ignored: false,
        run: None,
        recording: None,
    };
    store.complete_delivery(&world.lease, again).await.unwrap();
    let rest = |class, subject: &str| Rest {
        connection: prefinery(),
        subject: Some(subject.to_owned()),
        class,
        reason: "it keeps failing".to_owned(),
        failures: 5,
        since: at(1),
        until: LATER,
    };
    store.put_rest(rest(FailureClass::GuestBug, "contact")).await.unwrap();
    store.put_rest(rest(FailureClass::Transient, "task")).await.unwrap();

    assert!(store.end_rollout(begun.id, RolloutEnd::Revert, "it failed".to_owned()).await.unwrap());
    let listed = async || {
        let parked = store.parked(&acme()).await.unwrap().into_iter();
        parked.map(|parked| parked.key.record.to_string()).collect::<Vec<_>>()
    };
    let mut left = listed().await;
    left.sort();
    assert_eq!(
        left,
        ["own", "unsure"],
        "what it parked itself, and what may have happened, waits for a person"
    );
    let rests = store.rests(None).await.unwrap();
    assert_eq!(rests.iter().map(|rest| rest.class).collect::<Vec<_>>(), [FailureClass::Transient]);
    let claimed = store.claim_deliveries(&world.lease, LATER, 1, 1).await.unwrap().remove(0);
    assert_eq!((claimed.retried, claimed.attempts), (true, 0), "the version before goes on with it");
    let open = &claimed.journal[0];
    assert!(
        open.result.is_none() && !open.released,
        "whoever goes on sees what may have happened, and that nobody decided about it"
    );

    // It was under way when its version was taken back.
    park(late, 5, "b", FailureClass::Data).await;
    assert_eq!(listed().await.len(), 2);
    let mut again: Vec<_> =
        world.claim().await.into_iter().map(|claim| claim.key.record.to_string()).collect();
    again.sort();
    assert_eq!(again, ["conflict", "data", "late"]);
}

pub(super) async fn a_policy_is_set_by_itself(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let policy = Policy { connectors: Some(vec!["prefinery".to_owned()]), deny: vec!["event:*".to_owned()] };
    world.store.set_policy(&acme(), policy.clone()).await.unwrap();
    world.store.update_workspace(Workspace { name: "Acme 2".to_owned(), ..workspace("acme") }).await.unwrap();
    let world = world.restart().await;
    let kept = world.store.workspace(&acme()).await.unwrap().unwrap();
    assert_eq!((kept.policy, kept.name.as_str()), (policy, "Acme 2"));
    let unknown = world.store.set_policy(&WorkspaceId::new("nobody"), Policy::default()).await;
    assert!(matches!(unknown, Err(StoreError::NotFound { .. })));
}
