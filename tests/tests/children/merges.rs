//! Contacts that HighLevel merges take their children along.

use contactor_sandbox::highlevel::PersonAct;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::world::{World, subjects};

impl World {
    /// A list of the person with this email.
    fn list(&self, email: &str, field: &str) -> Vec<Value> {
        self.people.state(|state| {
            let person = state.people.values().find(|fields| fields["email"] == email).unwrap();
            person.get(field).and_then(Value::as_array).cloned().unwrap_or_default()
        })
    }

    pub(super) fn book(&self, contact: &str, title: &str) -> String {
        let start = (self.stand.clock.now() + SignedDuration::from_hours(48)).to_string();
        let fields = json!({ "calendarId": "SandboxCalendar00001", "contactId": contact, "title": title, "startTime": start });
        self.act(PersonAct::Book { fields })["id"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_of_contacts_takes_their_children_along_and_leaves_no_copy_behind() {
    let world = World::set().await;
    let (master, loser) = (world.contact("ann@example.com"), world.contact("anna@example.com"));
    world.task(&master, "Call");
    let moved = world.task(&loser, "Write");
    world.note(&loser, "Likes tea");
    world.book(&loser, "Visit");
    world.settle().await;
    // The partner named this one itself.
    let person = world.people.state(|state| {
        let found = state.people.iter().find(|(_, fields)| fields["email"] == "anna@example.com");
        found.unwrap().0.clone()
    });
    let mut todos = world.list("anna@example.com", "todos");
    todos.push(json!({ "id": "own-1", "subject": "Theirs" }));
    world.people.edit(&person, "todos", Value::Array(todos));
    world.settle().await;
    assert_eq!(world.tasks(&loser).len(), 2);
    assert_eq!(world.list("anna@example.com", "memos").len(), 1);
    assert_eq!(world.list("anna@example.com", "visits").len(), 1);

    world.act(PersonAct::MergeContacts { master: master.clone(), losers: vec![loser] });
    world.settle().await;
    let of = |field: &str| subjects(&Value::Array(world.list("ann@example.com", field)));
    assert_eq!(of("todos"), ["Call", "Theirs", "Write"]);
    assert_eq!(of("memos"), ["Likes tea"]);
    assert_eq!(world.list("ann@example.com", "visits").len(), 1);
    for field in ["todos", "memos", "visits"] {
        assert_eq!(world.list("anna@example.com", field), [] as [Value; 0], "{field}");
    }
    world.people.state(|state| assert_eq!(state.people[&person]["open"], json!(0)));
    assert_eq!(world.tasks(&master).len(), 3);

    // From then on it is one task, and the walks find nothing more to do.
    world.edit_task(&master, &moved, json!({ "completed": true }));
    world.settle().await;
    let done: Vec<_> = world.list("ann@example.com", "todos");
    let done: Vec<_> = done.iter().filter(|item| item["subject"] == "Write").collect();
    assert_eq!((done.len(), &done[0]["done"]), (1, &json!(true)));
    world.sweep().await;
    let writes = world.people.state(|state| state.writes);
    world.sweep().await;
    assert_eq!(world.people.state(|state| state.writes), writes);
    assert_eq!(world.tasks(&master).len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_that_is_only_deleted_keeps_its_lists_at_the_partner() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.task(&contact, "Call");
    world.settle().await;
    world.act(PersonAct::DeleteContact { contact });
    // Somebody else has the address now.
    let other = world.contact("ann@example.com");
    world.task(&other, "Write");
    world.settle().await;
    let shown = world.list("ann@example.com", "todos");
    assert!(subjects(&Value::Array(shown)).contains(&"Call".to_owned()));
}
