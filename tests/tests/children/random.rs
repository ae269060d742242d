//! Whatever people do on both sides, with faults: both sides agree in the end.

use std::collections::BTreeMap;

use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::random::Random;
use contactor_store::WorkspaceId;
use contactor_tests::engine::WORKSPACE;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::world::World;

impl World {
    /// One edit by somebody, on either side.
    fn edit_at_random(&self, dice: &mut Random, contacts: &[String], number: usize) {
        let contact = contacts[dice.below(contacts.len())].clone();
        let word = format!("text {number}");
        let tasks = self.tasks(&contact);
        let notes = self.stand.sandbox.highlevel().notes(&self.location, &contact);
        let one = |list: &[Value], dice: &mut Random| {
            list[dice.below(list.len())]["id"].as_str().unwrap().to_owned()
        };
        match dice.below(9) {
            0 => drop(self.task(&contact, &word)),
            1 => drop(self.note(&contact, &word)),
            2 if !tasks.is_empty() => {
                let fields = json!({ "title": word });
                self.edit_task(&contact, &one(&tasks, dice), fields);
            }
            3 if !tasks.is_empty() => {
                let fields = json!({ "completed": dice.below(2) == 0 });
                self.edit_task(&contact, &one(&tasks, dice), fields);
            }
            4 if !notes.is_empty() => {
                let (note, fields) = (one(&notes, dice), json!({ "body": word }));
                self.act(PersonAct::EditNote { contact, note, fields });
            }
            5 if !tasks.is_empty() => {
                let task = one(&tasks, dice);
                self.act(PersonAct::DeleteTask { contact, task });
            }
            side => {
                let Some(person) = self.people.state(|state| {
                    let all: Vec<_> = state.people.keys().cloned().collect();
                    (!all.is_empty()).then(|| all[dice.below(all.len())].clone())
                }) else {
                    return;
                };
                let (field, name) = if side == 8 { ("memos", "text") } else { ("todos", "subject") };
                let list = self.people.state(|state| state.people[&person].get(field).cloned());
                let mut list = list.and_then(|list| list.as_array().cloned()).unwrap_or_default();
                let at = dice.below(list.len() + 1);
                match list.get_mut(at) {
                    Some(item) => item[name] = json!(word),
                    None => list.push(json!({ name: word })),
                }
                self.people.edit(&person, field, Value::Array(list));
            }
        }
    }

    /// What both sides show of every person's tasks and notes, by email.
    fn shown(&self) -> (BTreeMap<String, Vec<String>>, BTreeMap<String, Vec<String>>) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let highlevel = self.stand.sandbox.highlevel();
        let ours = highlevel.contacts(&self.location).into_iter().map(|contact| {
            let id = contact["id"].as_str().unwrap();
            let tasks = highlevel.tasks(&self.location, id);
            let tasks = tasks.iter().map(|t| format!("task {} {}", text(&t["title"]), t["completed"]));
            let notes = highlevel.notes(&self.location, id);
            let notes = notes.iter().map(|note| format!("note {}", text(&note["body"])));
            let mut all: Vec<_> = tasks.chain(notes).collect();
            all.sort();
            (text(&contact["email"]), all)
        });
        let ours = ours.collect();
        let theirs = self.people.state(|state| {
            let of = |person: &serde_json::Map<String, Value>| {
                let list =
                    |field: &str| person.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
                let tasks = list("todos").into_iter();
                let tasks = tasks.map(|t| format!("task {} {}", text(&t["subject"]), t["done"]));
                let notes = list("memos").into_iter().map(|note| format!("note {}", text(&note["text"])));
                let mut all: Vec<_> = tasks.chain(notes).collect();
                all.sort();
                (text(&person["email"]), all)
            };
            state.people.values().map(of).collect()
        });
        (ours, theirs)
    }

    fn writes(&self) -> u64 {
        let recorder = self.stand.sandbox.recorder();
        let kinds = ["tasks.create", "tasks.update", "tasks.complete", "notes.create", "notes.update"];
        kinds.iter().map(|kind| recorder.requests(&format!("highlevel.{kind}"))).sum::<u64>()
            + self.people.state(|state| state.writes)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_edits_on_both_sides_with_faults_converge_with_bounded_writes_and_nothing_doubled() {
    let world = World::set().await;
    let contacts: Vec<_> = (0..4).map(|n| world.contact(&format!("person{n}@example.com"))).collect();
    for contact in &contacts {
        for n in 0..3 {
            world.task(contact, &format!("first task {n}"));
            world.note(contact, &format!("first note {n}"));
        }
    }
    world.settle().await;
    let (ours, theirs) = world.shown();
    assert_eq!(ours, theirs);
    let before = world.writes();

    let mut dice = Random::new(7, "children");
    let mut edits = 0;
    for round in 0..12 {
        world.people.state(|state| state.trouble = 15);
        world.stand.sandbox.faults().add(Fault {
            operation: "highlevel.*".to_owned(),
            effect: Effect::Answer { status: 503, body: None, retry_after: None, after: round % 2 == 0 },
            when: When::Probability(0.1),
            skip: 0,
        });
        for _ in 0..5 {
            edits += 1;
            world.edit_at_random(&mut dice, &contacts, edits);
            world.webhooks().await;
            world.poll().await;
            world.engine().run_until_idle().await.unwrap();
        }
        world.people.state(|state| state.trouble = 0);
        world.stand.sandbox.faults().clear();
        // What failed is tried again after its back-off; what no webhook told is found by the walks.
        for _ in 0..4 {
            world.later(SignedDuration::from_mins(16));
            world.settle().await;
        }
        let (ours, theirs) = world.shown();
        assert_eq!(ours, theirs, "round {round}");
    }
    let parked = world.engine().store().parked(&WorkspaceId::new(WORKSPACE)).await.unwrap();
    assert!(parked.is_empty(), "{parked:#?}");
    // An edit is one write on the other side, one more for a count or an id, and as much again for each lost answer.
    let writes = world.writes() - before;
    assert!(writes <= 5 * edits as u64, "{writes} writes for {edits} edits");
    let rest = world.writes();
    world.later(SignedDuration::from_mins(16));
    world.settle().await;
    assert_eq!(world.writes(), rest, "it rests");
}
