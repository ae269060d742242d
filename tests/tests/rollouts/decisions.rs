//! What an admin decides about a trial that the host has ended meanwhile: it is refused with what became of it, and never does something
//! else.

use super::*;

/// Another version of the one connector that fails.
fn failing(number: &str) -> Vec<u8> {
    version(number, |manifest| format!("{manifest}\n[limits]\nhost_calls = 1\n"))
}

/// It was refused because nothing stands as whoever asked has seen it, with these words.
fn refused<T: std::fmt::Debug>(answer: Result<T, EngineError>, words: &[&str]) {
    let error = answer.unwrap_err();
    let EngineError::Conflict(why) = &error else { panic!("{error}") };
    for words in words {
        assert!(why.contains(words), "{words}: {why}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_that_comes_after_the_hosts_own_goes_no_further_unless_it_names_what_it_takes_back() {
    let world = World::new(40).await;
    let (engine, id) = (&world.stand.engine, &world.connection.id);
    let second = world.install(version("0.2.0", |manifest| manifest)).await;
    let adopted = world.upgrade(live(100)).await.unwrap();
    engine.adopt(id, Some(adopted.id)).await.unwrap();
    world.install(failing("0.3.0")).await;
    let trial = world.upgrade(live(50)).await.unwrap();
    world.tag("vip").await;
    assert_eq!(world.rollout().await.state, RolloutState::Reverted);

    let took = format!("the host took 0.3.0 back at {}", world.rollout().await.ended_at.unwrap());
    let further = format!("from 0.2.0 to 0.1.0, say --rollout {}", adopted.id);
    refused(engine.roll_back(id, None).await, &[&took, "nothing was changed", &further]);
    refused(engine.roll_back(id, Some(trial.id)).await, &[&took, "no version is on trial"]);
    refused(engine.adopt(id, Some(trial.id)).await, &[&took, "no version is on trial"]);
    refused(engine.roll_back(id, Some(999)).await, &["has no rollout 999"]);
    assert_eq!(world.pinned().await, second);

    let back = engine.roll_back(id, Some(adopted.id)).await.unwrap();
    assert_eq!((back.id, back.state), (adopted.id, RolloutState::Ended));
    assert_eq!(world.pinned().await, world.connection.digest);
    refused(engine.roll_back(id, None).await, &[&took, "nothing to go back to further"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_larger_share_for_a_version_that_the_host_took_back_begins_it_for_nobody() {
    let world = World::new(40).await;
    let (engine, id) = (&world.stand.engine, &world.connection.id);
    let second = world.install(failing("0.2.0")).await;
    let trial = world.upgrade(live(50)).await.unwrap();
    world.tag("vip").await;
    assert_eq!(world.rollout().await.state, RolloutState::Reverted);

    let named = format!("--digest {second}");
    refused(world.upgrade(live(100)).await, &["the host took 0.2.0 back at", &named]);
    refused(engine.upgrade_plan(id, None).await, &["the host took 0.2.0 back at", &named]);
    let more = |rollout: u64, share: u8| NewUpgrade { rollout: Some(rollout), ..live(share) };
    refused(world.upgrade(more(trial.id, 100)).await, &["the host took 0.2.0 back at"]);
    let digest = Some(second.to_string());
    let both = NewUpgrade { digest: digest.clone(), ..more(trial.id, 100) };
    refused(world.upgrade(both).await, &["the host took 0.2.0 back at"]);
    assert_eq!(world.rollout().await.id, trial.id, "nothing was begun");

    // Whoever names it, and no rollout, means to try it again.
    let again = world.upgrade(NewUpgrade { digest, ..live(10) }).await.unwrap();
    assert_ne!(again.id, trial.id);
    let under_way = format!("rollout {} is under way", again.id);
    refused(world.upgrade(more(trial.id, 100)).await, &["the host took 0.2.0 back at", &under_way]);
    refused(engine.roll_back(id, Some(trial.id)).await, &[&under_way]);
    refused(engine.adopt(id, Some(trial.id)).await, &[&under_way]);
    let larger = world.upgrade(more(again.id, 20)).await.unwrap();
    assert_eq!((larger.id, larger.share, larger.state), (again.id, 20, RolloutState::Running));
    engine.roll_back(id, Some(again.id)).await.unwrap();
    assert_eq!(world.pinned().await, world.connection.digest);
}
