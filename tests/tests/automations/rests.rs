//! Automations that keep failing are left alone by the kind of event that they handle.

use contactor_sandbox::faults::When;
use contactor_sandbox::outbox::Order;
use contactor_store::automation_subject;

use super::*;

/// As many as have to fail in a row, and some.
const PEOPLE: usize = 8;

/// Delivers webhooks and does what is due, without letting time pass.
async fn work(stand: &Stand) {
    while {
        for outbox in stand.sandbox.outboxes() {
            outbox.flush(Order::Queued).await;
        }
        stand.engine.run_until_idle().await.unwrap() > 0
    } {}
}

async fn resting(stand: &Stand) -> Vec<Option<String>> {
    let rests = stand.engine.rests(&WorkspaceId::new(WORKSPACE)).await.unwrap();
    rests.into_iter().map(|rest| rest.subject).collect()
}

#[tokio::test]
async fn a_handler_that_keeps_failing_on_one_kind_of_event_stops_no_other_kind() {
    let scripts = json!({ "ContactTagUpdate": [set_city("Rome")], "TaskCreate": [add_note("Seen")] });
    let scripted = Scripted::new(scripts).await;
    let act = |act| scripted.stand.sandbox.highlevel().act(&scripted.location, act).unwrap();
    let people: Vec<String> = (0..PEOPLE)
        .map(|number| {
            let fields = json!({ "firstName": "Ann", "email": format!("ann{number}@example.com") });
            act(PersonAct::CreateContact { fields })["id"].as_str().unwrap().to_owned()
        })
        .collect();
    scripted.settle().await;
    scripted.stand.sandbox.faults().add(Fault {
        operation: "highlevel.contacts.update".to_owned(),
        effect: Effect::refuse(503),
        when: When::Always,
        skip: 0,
    });
    for contact in &people {
        act(PersonAct::AddTags { contact: contact.clone(), tags: vec!["vip".to_owned()] });
    }
    work(&scripted.stand).await;
    assert_eq!(resting(&scripted.stand).await, [Some(automation_subject("ContactTagUpdate"))]);

    let fields = json!({ "title": "Call", "dueDate": "2030-01-01T09:00:00Z", "completed": false });
    act(PersonAct::CreateTask { contact: scripted.contact.clone(), fields });
    work(&scripted.stand).await;
    assert_eq!(scripted.notes(), 1, "the other kind goes on");
    assert_eq!(resting(&scripted.stand).await.len(), 1);

    scripted.stand.sandbox.faults().clear();
    scripted.stand.advance(SignedDuration::from_mins(11));
    scripted.settle().await;
    assert_eq!(resting(&scripted.stand).await, []);
    for contact in &people {
        let shown = scripted.stand.sandbox.highlevel().contact(&scripted.location, contact).unwrap();
        assert_eq!(shown["city"], "Rome", "nothing was lost");
    }
}
