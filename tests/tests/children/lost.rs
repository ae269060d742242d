//! What no webhook tells, because HighLevel has none or because it was lost.

use contactor_sandbox::highlevel::PersonAct;
use serde_json::json;

use super::world::{World, subjects};

const CREATED: &str = "AppointmentCreate";
const UPDATED: &str = "AppointmentUpdate";

impl World {
    fn edit_appointment(&self, appointment: &str, fields: serde_json::Value) {
        self.act(PersonAct::EditAppointment { appointment: appointment.to_owned(), fields });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_returns_to_what_it_was_is_told_each_time() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    let task = world.task(&contact, "A");
    world.settle().await;
    world.sweep().await;
    for (number, title) in [(1, "B"), (2, "A"), (3, "B"), (4, "A")] {
        world.edit_task(&contact, &task, json!({ "title": title }));
        world.sweep().await;
        assert_eq!(world.told("TaskUpdate"), number, "{title}");
    }
    for number in 5..=6 {
        world.edit_task(&contact, &task, json!({ "completed": true }));
        world.sweep().await;
        world.edit_task(&contact, &task, json!({ "completed": false }));
        world.sweep().await;
        assert_eq!(world.told("TaskUpdate"), number, "it was opened again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_booking_and_a_change_whose_webhook_was_lost_are_found_and_told_once() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.settle().await;
    world.book(&contact, "First");
    world.settle().await;
    assert_eq!((world.told(CREATED), world.told(UPDATED)), (1, 0));
    world.sweep().await;
    world.sweep().await;
    assert_eq!((world.told(CREATED), world.told(UPDATED)), (1, 0), "the webhook told, and the walk does not");

    let second = world.book(&contact, "Second");
    world.lose_webhooks();
    world.settle().await;
    assert_eq!(world.people.field("visits").as_array().unwrap().len(), 1);
    world.sweep().await;
    assert_eq!(world.people.field("visits").as_array().unwrap().len(), 2);
    assert_eq!((world.told(CREATED), world.told(UPDATED)), (2, 0));
    world.sweep().await;
    assert_eq!((world.told(CREATED), world.told(UPDATED)), (2, 0));

    // There and back: each is a change.
    for (number, status) in [(1, "showed"), (2, "confirmed"), (3, "showed")] {
        world.edit_appointment(&second, json!({ "appointmentStatus": status }));
        world.lose_webhooks();
        world.sweep().await;
        world.sweep().await;
        assert_eq!((world.told(CREATED), world.told(UPDATED)), (2, number), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_comes_after_the_walk_tells_nothing_again() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.settle().await;
    let booked = world.book(&contact, "Visit");
    world.settle().await;
    world.sweep().await;
    world.edit_appointment(&booked, json!({ "appointmentStatus": "showed" }));
    // The webhook is on its way while the walk looks.
    world.later(jiff::SignedDuration::from_mins(16));
    world.engine().walk_until_rest().await;
    world.engine().run_until_idle().await.unwrap();
    assert_eq!(world.told(UPDATED), 1);
    world.settle().await;
    assert_eq!(world.told(UPDATED), 1);
    // The next change is one again, whoever tells it.
    world.edit_appointment(&booked, json!({ "appointmentStatus": "confirmed" }));
    world.settle().await;
    assert_eq!(world.told(UPDATED), 2);
    world.sweep().await;
    assert_eq!(world.told(UPDATED), 2);
}

/// What a walk saw, what a webhook then told, and what the walk sees again.
async fn there_and_back(include: &str) {
    let world = World::set_with("", include).await;
    let contact = world.contact("ann@example.com");
    let task = world.task(&contact, "Call");
    world.settle().await;
    world.sweep().await;
    for number in 1..=2 {
        world.edit_task(&contact, &task, json!({ "completed": true }));
        world.settle().await;
        assert_eq!(world.people.field("open"), json!(0), "{include}");
        // That it is open again is told by nothing, and it is again as the walk saw it.
        world.edit_task(&contact, &task, json!({ "completed": false }));
        world.sweep().await;
        assert_eq!(world.people.field("open"), json!(1), "{include}");
        assert_eq!(world.people.field("todos")[0]["done"], json!(false), "{include}");
        assert_eq!(world.told("TaskUpdate"), number, "{include}");
        let reads = || world.stand.sandbox.recorder().requests("highlevel.tasks.list");
        let before = reads();
        world.sweep().await;
        assert_eq!(reads(), before, "what is in step is not read");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_a_webhook_closed_and_nothing_opened_again_is_open_at_the_partner() {
    there_and_back("").await;
    there_and_back("include = \"not completed\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_partner_wrote_and_a_person_took_back_is_taken_back_at_the_partner() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    let task = world.task(&contact, "Call");
    world.settle().await;
    world.sweep().await;
    let mut todos = world.people.field("todos");
    todos[0]["subject"] = json!("Ring");
    world.people.edit(&world.people.only(), "todos", todos);
    world.settle().await;
    assert_eq!(world.tasks(&contact)[0]["title"], "Ring");
    world.edit_task(&contact, &task, json!({ "title": "Call" }));
    world.sweep().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call"]);
    assert_eq!(world.tasks(&contact)[0]["title"], "Call");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notes_whose_webhook_was_lost_are_found_within_a_day_for_one_call_a_contact() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    let note = world.note(&contact, "First");
    world.settle().await;
    world.sweep().await;
    world.note(&contact, "Second");
    let fields = json!({ "body": "First of all" });
    world.act(PersonAct::EditNote { contact: contact.clone(), note, fields });
    world.lose_webhooks();
    world.sweep().await;
    assert_eq!(subjects(&world.people.field("memos")), ["First"]);
    let day = jiff::SignedDuration::from_hours(24);
    world.later(day);
    world.settle().await;
    assert_eq!(subjects(&world.people.field("memos")), ["First of all", "Second"]);

    let reads = || world.stand.sandbox.recorder().requests("highlevel.notes.list");
    let before = reads();
    for _ in 0..20 {
        world.sweep().await;
    }
    assert_eq!(reads(), before, "once a day");
    world.later(day);
    world.settle().await;
    assert_eq!(reads(), before + 1);
}
