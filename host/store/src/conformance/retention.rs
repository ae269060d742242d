//! Forgetting.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Engine;
use super::world::*;
use crate::*;

const DAY: Duration = Duration::from_hours(24);

fn days(days: i64) -> Timestamp {
    at(0) + SignedDuration::from_hours(24 * days)
}

pub(super) async fn what_is_past_its_time_is_forgotten_and_the_rest_is_not(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let on_day = |key: &str, day, marks| NewEvent { received_at: days(day), ..event(key, marks) };
    let finished = world.append(on_day("finished", 0, vec![mark(Side::Highlevel, "h1")])).await;
    world.complete(world.claim_one().await, Disposition::Done).await;
    let waiting = world.append(on_day("waiting", 0, vec![mark(Side::Highlevel, "h2")])).await;
    let unread = world.append(NewEvent { received_at: days(0), ..webhook("unread") }).await;
    let held = NewEvent {
        workspace: None,
        location: Some(LocationId::new("nowhere")),
        ..on_day("held", 1, Vec::new())
    };
    let Accepted::Held(held) = world.store.append_event(held).await.unwrap() else { panic!("not held") };
    let recent = world.append(on_day("recent", 25, Vec::new())).await;
    for number in [0, 25] {
        let day = days(number);
        world.store.put_run(Run { started_at: day, ..run(number) }).await.unwrap();
    }

    assert_eq!(world.store.expire(days(40), DAY * 30).await.unwrap(), 3);
    for (seq, kept) in [(finished, false), (held, false), (waiting, true), (unread, true), (recent, true)] {
        assert_eq!(world.store.event(seq).await.unwrap().is_some(), kept, "{seq:?}");
    }
    assert_eq!(world.store.run(&run(0).id).await.unwrap(), None);
    assert!(world.store.run(&run(25).id).await.unwrap().is_some());
    assert_eq!(world.store.counts(None).await.unwrap().held, 0);
    assert_eq!(world.store.expire(days(40), DAY * 30).await.unwrap(), 0);

    // What was kept for its run goes once the run is over.
    world.complete(world.claim_one().await, Disposition::Done).await;
    assert_eq!(world.store.expire(days(40), DAY * 30).await.unwrap(), 1);
    let next = world.append(on_day("next", 40, Vec::new())).await;
    assert!(next > recent, "numbers are not given twice");
}

pub(super) async fn a_key_is_remembered_for_four_days_without_its_body(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let appended = NewEvent { received_at: days(0), ..event("e1", Vec::new()) };
    let seq = world.append(appended.clone()).await;
    assert_eq!(world.store.expire(days(2), DAY).await.unwrap(), 1);
    assert_eq!(world.store.expire(days(2), DAY).await.unwrap(), 0);
    let emptied = world.store.event(seq).await.unwrap().unwrap();
    assert_eq!((emptied.body.len(), emptied.headers), (0, serde_json::Value::Null));
    assert_eq!(world.store.append_event(appended.clone()).await.unwrap(), Accepted::Duplicate);

    assert_eq!(world.store.expire(days(5), DAY).await.unwrap(), 1);
    assert_eq!(world.store.event(seq).await.unwrap(), None);
    assert!(matches!(world.store.append_event(appended).await.unwrap(), Accepted::New(_)));
}
