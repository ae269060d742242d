//! Streams that fail, and connections that want nothing of a walk.

use contactor_engine::EnableConnection;
use contactor_runtime::bindings::types::Error;
use contactor_store::{RunKind, Schedule};
use contactor_tests::engine::WORKSPACE;
use jiff::SignedDuration;
use serde_json::json;

use super::partner::{MANIFEST, People};
use super::world::{World, enable};

impl World {
    async fn noted(&self) -> usize {
        self.runs().await.iter().filter(|run| run.kind == RunKind::Poll).count()
    }

    /// Time passes in the steps in which the walker looks.
    async fn pass(&self, seconds: i64) {
        for _ in 0..seconds / 5 {
            self.later(SignedDuration::from_secs(5));
            self.engine().walk_until_rest().await;
        }
    }

    fn polls(&self, stream: &str) -> u32 {
        self.people.state(|state| state.polls.get(stream).copied().unwrap_or_default())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_fails_rests_longer_each_time_and_keeps_no_other_from_being_read() {
    let first = "[[stream]]\nname = \"ill\"\nentity = \"contact\"\ninterval_seconds = 60\n\n[[stream]]\nname = \"people\"";
    let manifest = MANIFEST.replace("[[stream]]\nname = \"people\"", first);
    let world = World::set_from(&manifest.replace("#CONTACT", "").replace("#TASK", "")).await;
    world.people.state(|state| {
        state.ill.insert("ill".to_owned(), Error::Unavailable("answered 503".to_owned()));
        let person = json!({ "email": "ann@example.com", "first": "Ann" });
        state.people.insert("p1".to_owned(), person.as_object().unwrap().clone());
        state.changed.push("p1".to_owned());
    });
    world.engine().walk_until_rest().await;
    world.engine().run_until_idle().await.unwrap();
    assert_eq!(world.stand.sandbox.highlevel().contacts(&world.location).len(), 1, "the second was read");

    let asked = world.polls("people");
    world.pass(600).await;
    assert!(world.polls("people") - asked >= 9, "{} of 10", world.polls("people") - asked);
    // 2 s, 4 s, 8 s … are nine attempts in ten minutes; every five seconds would be 120.
    assert!((4..=10).contains(&world.polls("ill")), "{}", world.polls("ill"));
    assert_eq!(world.noted().await, 1);

    // Another reason is news.
    world
        .people
        .state(|state| state.ill.insert("ill".to_owned(), Error::Unavailable("answered 504".to_owned())));
    world.pass(1_500).await;
    assert_eq!(world.noted().await, 2);
    let cursor = world.engine().store().cursor(&world.connection, "poll:ill").await.unwrap().unwrap();
    assert!(cursor.trouble.unwrap().failures > 4);

    world.people.state(|state| state.ill.clear());
    world.pass(800).await;
    let cursor = world.engine().store().cursor(&world.connection, "poll:ill").await.unwrap().unwrap();
    assert_eq!(cursor.trouble, None);
    let asked = world.polls("ill");
    world.pass(600).await;
    assert!(world.polls("ill") - asked >= 9, "it has its own pace again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_waits_as_long_as_the_partner_asks() {
    let world = World::set().await;
    let hour = 3_600_000;
    world.people.state(|state| state.ill.insert("people".to_owned(), Error::Limited(Some(hour))));
    world.engine().walk_until_rest().await;
    world.pass(3_500).await;
    assert_eq!((world.polls("people"), world.noted().await), (1, 0));
    world.pass(200).await;
    assert_eq!(world.polls("people"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_are_walked_as_often_as_those_want_who_keep_them() {
    let world = World::set().await;
    world.settle().await;
    // Another connection keeps contacts only and is swept every minute.
    let foreign = ["\"task\"", "\"tasks\"", "\"note\"", "\"appointment\"", "[[trigger]]"];
    let tables = MANIFEST.split("\n\n").filter(|table| !foreign.iter().any(|name| table.contains(name)));
    let manifest = tables.collect::<Vec<_>>().join("\n\n").replace("id = \"people\"", "id = \"others\"");
    enable(&world.stand, &manifest, &People::default()).await;
    let schedule = Schedule { sweep_seconds: Some(60), ..Schedule::default() };
    let hasty = EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: "others".to_owned(),
        schedule: Some(schedule),
        ..EnableConnection::default()
    };
    world.engine().enable_connection(hasty).await.unwrap();
    let walked = || world.stand.sandbox.recorder().requests("highlevel.location_tasks.search");
    world.engine().walk_until_rest().await;
    let before = walked();
    assert!(before > 0);
    world.pass(840).await;
    assert_eq!(walked(), before);
    world.pass(120).await;
    assert_eq!(walked(), before + 1);
}
