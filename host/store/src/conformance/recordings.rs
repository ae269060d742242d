//! What is kept of runs so that they can be run again.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::Engine;
use super::world::*;
use crate::*;

fn recording(number: i64, bytes: usize) -> NewRecording {
    let sealed = Sealed { key_id: KeyId::from_stored("00ff"), bytes: vec![7; bytes] };
    NewRecording {
        run: run(number).id,
        connection: prefinery(),
        at: at(number),
        size: 5_000,
        sealed: Some(sealed),
    }
}

impl World {
    async fn recorded(&self, number: i64) -> bool {
        self.store.recording(&run(number).id).await.unwrap().is_some()
    }
}

pub(super) async fn a_recording_is_kept_with_its_run_or_after_it(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    world.mark(Side::Highlevel, "h1", Priority::Webhook).await;
    let claim = world.claim_one().await;
    let done = Completion {
        run: Some(run(1)),
        recording: Some(recording(1, 100)),
        ..completion(claim, Disposition::Done)
    };
    world.store.complete_record(&world.lease, done).await.unwrap();
    let too_large = NewRecording { sealed: None, size: 9_000_000, ..recording(2, 0) };
    world.store.put_recording(too_large.clone()).await.unwrap();
    let nowhere = NewRecording { connection: ConnectionId::new("acme/nobody"), ..recording(3, 1) };
    assert!(matches!(world.store.put_recording(nowhere).await, Err(StoreError::NotFound { .. })));

    let world = world.restart().await;
    assert_eq!(world.store.recording(&run(1).id).await.unwrap(), Some(recording(1, 100)));
    assert_eq!(world.store.recording(&run(2).id).await.unwrap(), Some(too_large));
    assert_eq!(world.store.recording(&run(3).id).await.unwrap(), None);
}

pub(super) async fn recordings_are_forgotten_before_their_runs_and_beyond_a_share(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let days = |days: i64| at(0) + SignedDuration::from_hours(24 * days);
    let retention = Duration::from_hours(24 * 30);
    for number in 0..3 {
        let run = Run { started_at: days(number * 4), ..run(number) };
        world.store.put_run(run).await.unwrap();
        let kept = NewRecording { at: days(number * 4), ..recording(number, 10) };
        world.store.put_recording(kept).await.unwrap();
    }
    world.store.expire(days(9), retention).await.unwrap();
    assert_eq!(
        [world.recorded(0).await, world.recorded(1).await, world.recorded(2).await],
        [false, true, true]
    );
    assert!(world.store.run(&run(0).id).await.unwrap().is_some(), "the run stays");

    // Five of 15 MiB are beyond 64 MiB: the oldest goes, and everything before it.
    for number in 10..15 {
        let kept = NewRecording { at: days(9), ..recording(number, 15 * 1024 * 1024) };
        world.store.put_recording(kept).await.unwrap();
    }
    world.store.expire(days(9), retention).await.unwrap();
    assert_eq!(
        [world.recorded(2).await, world.recorded(10).await, world.recorded(11).await],
        [false, false, true]
    );
}

pub(super) async fn recordings_cannot_be_searched_and_go_with_anybody_who_is_forgotten(
    engine: Arc<dyn Engine>,
) {
    let world = World::new(engine).await;
    world.store.put_recording(recording(1, 100)).await.unwrap();
    let other = NewRecording { connection: world.add("other", "prefinery").await, ..recording(2, 100) };
    world.store.put_recording(other).await.unwrap();
    let person = Person { words: vec!["ann@example.com".to_owned()], ..Person::default() };
    let found = world.store.erase(&acme(), person.clone(), true).await.unwrap();
    assert!(found.recordings == 1 && found.is_empty(), "{found:?}");
    assert!(world.recorded(1).await, "nothing goes when somebody only looks");
    assert_eq!(world.store.erase(&acme(), person, false).await.unwrap(), found);
    assert!(!world.recorded(1).await && world.recorded(2).await, "another workspace keeps its own");
}
