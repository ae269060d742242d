//! What no webhook tells, because HighLevel has none or because it was lost.

use contactor_sandbox::highlevel::PersonAct;
use serde_json::json;

use super::world::World;

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
