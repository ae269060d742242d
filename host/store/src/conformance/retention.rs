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

pub(super) async fn each_workspace_keeps_its_history_as_long_as_it_says(engine: Arc<dyn Engine>) {
    let world = World::new(engine).await;
    let other = world.add("other", "prefinery").await;
    let (long, short) = (acme(), WorkspaceId::new("other"));
    for (id, days) in [(&long, Some(90)), (&short, Some(2))] {
        let workspace = world.store.workspace(id).await.unwrap().unwrap();
        world.store.update_workspace(Workspace { retention_days: days, ..workspace }).await.unwrap();
    }
    let of = |id: &WorkspaceId| if *id == long { (0, prefinery()) } else { (1_000, other.clone()) };
    let mut events = Vec::new();
    for id in [&long, &short] {
        let (first, connection) = of(id);
        for day in [0, 20, 38] {
            let started_at = days(day);
            let entry =
                Run { workspace: id.clone(), connection: connection.clone(), started_at, ..run(first + day) };
            world.store.put_run(entry).await.unwrap();
            let kept = NewRecording {
                run: run(first + day).id,
                connection: connection.clone(),
                at: started_at,
                size: 1,
                sealed: None,
            };
            world.store.put_recording(kept).await.unwrap();
            let received = NewEvent {
                workspace: Some(id.clone()),
                received_at: started_at,
                ..event(&format!("{id}-{day}"), Vec::new())
            };
            events.push((id.clone(), day, world.append(received).await));
        }
    }
    let held = NewEvent {
        workspace: None,
        location: Some(LocationId::new("nowhere")),
        received_at: days(0),
        ..event("held", Vec::new())
    };
    world.store.append_event(held).await.unwrap();
    let world = world.restart().await;

    world.store.expire(days(40), DAY * 30).await.unwrap();
    for (id, kept) in [(&long, [true, true, true]), (&short, [false, false, true])] {
        for (day, kept) in [0, 20, 38].into_iter().zip(kept) {
            let run = run(of(id).0 + day).id;
            assert_eq!(world.store.run(&run).await.unwrap().is_some(), kept, "{id} {day}");
            // Recordings are kept for seven days at most.
            let recorded = world.store.recording(&run).await.unwrap().is_some();
            assert_eq!(recorded, kept && day == 38, "{id} {day}");
        }
    }
    for (id, day, seq) in events {
        // A key is remembered for four days.
        let kept = world.store.event(seq).await.unwrap();
        assert_eq!(kept.is_some(), id == long || day == 38, "{id} {day}");
    }
    assert_eq!(world.store.counts(None).await.unwrap().held, 0, "held events are kept as the host says");
    assert_eq!(world.store.expire(days(40), DAY * 30).await.unwrap(), 0);

    // Back to the host's own.
    let workspace = world.store.workspace(&long).await.unwrap().unwrap();
    world.store.update_workspace(Workspace { retention_days: None, ..workspace }).await.unwrap();
    world.store.expire(days(40), DAY * 30).await.unwrap();
    let kept = [0, 20, 38].map(|day| run(day).id);
    let mut found = Vec::new();
    for id in &kept {
        found.push(world.store.run(id).await.unwrap().is_some());
    }
    assert_eq!(found, [false, true, true]);
}
