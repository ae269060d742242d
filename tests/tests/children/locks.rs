//! Runs of one person that begin on either side at the same moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use contactor_engine::{Capabilities, Guest};
use contactor_runtime::bindings::types::Direction;
use contactor_runtime::{CallError, Invocation, Reply};
use contactor_store::LinkState;
use contactor_tests::host::PATIENCE;
use serde_json::json;
use tokio::sync::{Barrier, Notify};

use super::partner::People;
use super::world::World;

/// Holds the run that began in HighLevel, which has locked the contact, until the partner's has locked the email address.
struct Meeting {
    people: People,
    both: Barrier,
    go: Notify,
    came: AtomicUsize,
}

#[async_trait]
impl Guest for Meeting {
    async fn call(&self, host: Capabilities, call: Invocation) -> Result<Reply, CallError> {
        if let Invocation::Admit { direction, .. } = &call
            && self.came.fetch_add(1, Ordering::SeqCst) < 2
        {
            self.both.wait().await;
            if *direction == Direction::ToPartner {
                self.go.notified().await;
            }
        }
        self.people.call(host, call).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_of_one_person_that_begin_on_either_side_do_not_wait_for_each_other() {
    let world = World::set_with("many_to_one = true", "").await;
    let (both, go) = (Barrier::new(2), Notify::new());
    let meeting = Arc::new(Meeting { people: world.people.clone(), both, go, came: AtomicUsize::new(0) });
    world.engine().replace_guest(&world.connection, Arc::clone(&meeting) as Arc<dyn Guest>);
    let contact = world.contact("ann@example.com");
    world.people.state(|state| {
        let fields = json!({ "email": "ann@example.com", "first": "Ann" });
        state.people.insert("7".to_owned(), fields.as_object().unwrap().clone());
        state.changed.push("7".to_owned());
    });
    world.webhooks().await;
    world.poll().await;
    let recorder = world.stand.sandbox.recorder();
    let searches = || recorder.requests("highlevel.contacts.duplicate");
    let before = searches();
    // The partner's run searches HighLevel for the address that it has locked.
    let release = async {
        while searches() == before {
            tokio::task::yield_now().await;
        }
        meeting.go.notify_one();
    };
    let runs = async { tokio::join!(world.engine().run_until_idle(), release).0.unwrap() };
    let runs = tokio::time::timeout(PATIENCE, runs).await;
    assert!(runs.is_ok_and(|runs| runs >= 2), "the two runs wait for each other");
    world.settle().await;
    let links = world.engine().store().links(&world.connection, "contact", None, 10).await.unwrap();
    assert_eq!(links.len(), 1);
    assert_eq!((links[0].highlevel_id.as_str(), links[0].partner_id.as_str()), (contact.as_str(), "7"));
    assert_eq!(links[0].state, LinkState::Active);
    assert_eq!(world.people.only(), "7");
    assert_eq!(world.stand.sandbox.highlevel().contacts(&world.location).len(), 1);
}
