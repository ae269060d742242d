//! Deleted records end to end: the real component, an engine and the doubles of both sides.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli;
mod policies;
mod previews;
mod stage;
mod stuck;
mod survivors;

use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{DeletionState, LinkState, Side};
use jiff::SignedDuration;
use serde_json::json;

use stage::{EMAIL, Stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_at_first_sight_and_a_restored_contact_is_in_step_again() {
    let stage = Stage::set().await;
    let tester = stage.tester().unwrap();
    let before = stage.writes();
    stage.delete_contact();
    stage.hear().await;
    assert_eq!(stage.state().await, LinkState::HighlevelMissing);
    let lost = stage.newest().await;
    assert_eq!((lost.stored.state, lost.stored.side), (DeletionState::Quarantined, Side::Highlevel));
    assert_eq!(lost.label.as_deref(), Some(EMAIL));
    assert!(lost.next.contains("looked for again") && lost.next.contains("stays"), "{}", lost.next);
    assert!(stage.told("not found in HighLevel").await);

    // What is edited meanwhile waits, and comes to nobody's harm.
    stage.edit_tester("King");
    stage.hear().await;
    assert_eq!(stage.contact(), None, "an edit of the other record brings nobody back");
    assert!(stage.told("still not found").await);
    assert_eq!(stage.writes(), before);

    stage.restore_contact();
    stage.pass(11);
    stage.hear().await;
    assert_eq!(stage.state().await, LinkState::Active);
    assert_eq!(stage.contact().unwrap()["lastName"], "King", "the edit is kept");
    assert_eq!((stage.tester().unwrap()["id"].clone(), stage.testers()), (tester["id"].clone(), 1));
    let ended = stage.newest().await;
    assert_eq!(ended.stored.state, DeletionState::Ended);
    assert_eq!(ended.next, "both are there again");
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_meets_nobody_looks_again_and_asks_no_person() {
    let stage = Stage::set().await;
    let faults = stage.stand.sandbox.faults();
    faults.add(Fault::next(1, "highlevel.contacts.update", Effect::refuse(404)));
    stage.edit_tester("King");
    stage.settle().await;
    assert_eq!(stage.contact().unwrap()["lastName"], "King");
    stage.stand.sandbox.faults().add(Fault::next(1, "prefinery.testers.update", Effect::refuse(404)));
    stage.edit_contact(json!({ "firstName": "Augusta" }));
    stage.settle().await;
    assert_eq!(stage.tester().unwrap()["profile"]["first_name"], "Augusta");
    assert_eq!(stage.stand.sandbox.faults().rules().len(), 0, "both struck");
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_about_a_deletion_of_a_record_that_is_there_does_nothing() {
    let stage = Stage::set().await;
    stage.delete_contact();
    stage.restore_contact();
    let before = stage.writes();
    stage.hear().await;
    assert_eq!(stage.state().await, LinkState::Active);
    assert!(stage.deletions().await.is_empty());
    assert_eq!(stage.writes(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_contact_stays_deleted_and_a_restored_one_finds_its_tester() {
    let stage = Stage::set().await;
    stage.delete_contact();
    stage.settle().await;
    assert_eq!(stage.state().await, LinkState::HighlevelDeleted);
    let done = stage.newest().await;
    assert_eq!(done.stored.state, DeletionState::Done);
    assert!(stage.tester().is_some(), "the other record stays");

    // Neither an edit of the other record nor a look at everything brings it back.
    stage.edit_tester("King");
    stage.settle().await;
    stage.engine().start_sync(&stage.connection.id, true).await.unwrap();
    stage.stand.walk().await.unwrap();
    assert_eq!(stage.contact(), None);
    assert_eq!(stage.state().await, LinkState::HighlevelDeleted);

    // Weeks later a person restores it. Nobody tells, but the next edit does.
    stage.stand.advance(SignedDuration::from_hours(24 * 40));
    stage.restore_contact();
    stage.edit_contact(json!({ "firstName": "Augusta" }));
    stage.settle().await;
    assert_eq!(stage.state().await, LinkState::Active);
    let (contact, tester) = (stage.contact().unwrap(), stage.tester().unwrap());
    assert_eq!(stage.testers(), 1);
    assert_eq!((&contact["firstName"], &contact["lastName"]), (&json!("Augusta"), &json!("King")));
    assert_eq!(tester["profile"]["first_name"], "Augusta", "each side's own change travelled");
    assert_eq!(tester["profile"]["last_name"], "King");
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_sixty_days_nothing_is_known_but_that_it_was_deleted() {
    let stage = Stage::set().await;
    stage.delete_contact();
    stage.settle().await;
    stage.stand.advance(SignedDuration::from_hours(24 * 61));
    let month = std::time::Duration::from_hours(24 * 30);
    stage.engine().store().expire(stage.engine().now(), month).await.unwrap();
    assert!(stage.link().await.unwrap().base.is_empty());
    stage.edit_tester("King");
    stage.settle().await;
    assert_eq!(stage.contact(), None, "a deleted record does not come back");
    // The person comes back as a new contact, and is met by the email.
    let fields = json!({ "firstName": "Ada", "email": EMAIL });
    let anew = stage.in_highlevel(PersonAct::CreateContact { fields });
    stage.settle().await;
    assert_eq!(stage.testers(), 1);
    let id = contactor_store::RecordId::new(anew["id"].as_str().unwrap());
    let store = stage.engine().store();
    let link = store.link(&stage.connection.id, "contact", Side::Highlevel, &id).await.unwrap().unwrap();
    assert_eq!(link.state, LinkState::Active);
    assert_eq!(stage.contact().unwrap()["lastName"], "King", "what only the tester had fills the contact");
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merged_contact_hands_its_link_to_the_survivor() {
    let stage = Stage::set().await;
    let fields = json!({ "firstName": "Augusta", "phone": "+12025550177" });
    let master = stage.in_highlevel(PersonAct::CreateContact { fields });
    let master = master["id"].as_str().unwrap().to_owned();
    stage.settle().await;
    let tester = stage.tester().unwrap();
    let merge = PersonAct::MergeContacts { master: master.clone(), losers: vec![stage.id()] };
    stage.in_highlevel(merge);
    stage.settle().await;
    let id = contactor_store::RecordId::new(master.clone());
    let store = stage.engine().store();
    let link = store.link(&stage.connection.id, "contact", Side::Highlevel, &id).await.unwrap().unwrap();
    assert_eq!((link.state, link.partner_id.to_string()), (LinkState::Active, tester["id"].to_string()));
    assert_eq!(stage.link().await, None);
    assert_eq!(stage.testers(), 1);
    let ended = stage.newest().await;
    assert_eq!(ended.stored.state, DeletionState::Ended);
    assert!(ended.next.contains(&master), "{}", ended.next);
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partner_that_loses_everything_for_a_while_costs_nothing() {
    let stage =
        Stage::with(contactor_engine::WantedPolicy::Unlink, contactor_engine::WantedPolicy::Delete).await;
    let people = ["bob", "cyd", "dee"];
    let ids: Vec<String> = people
        .iter()
        .map(|name| {
            let fields = json!({ "firstName": name, "email": format!("{name}@example.com") });
            let contact = stage.in_highlevel(PersonAct::CreateContact { fields });
            contact["id"].as_str().unwrap().to_owned()
        })
        .collect();
    stage.settle().await;
    let blank = Effect::Answer { status: 404, body: None, retry_after: None, after: false };
    stage.stand.sandbox.faults().add(Fault::always("prefinery.testers.get", blank));
    let before = stage.writes();
    for contact in &ids {
        let fields = json!({ "lastName": "Edited" });
        stage.in_highlevel(PersonAct::EditContact { contact: contact.clone(), fields });
    }
    stage.hear().await;
    // What a busy machine kept from its run is tried again.
    stage.pass(1);
    stage.hear().await;
    let lost = stage.deletions().await;
    assert_eq!(lost.len(), people.len());
    assert!(lost.iter().all(|one| one.stored.state == DeletionState::Quarantined));
    assert_eq!(stage.writes(), before);

    stage.stand.sandbox.faults().clear();
    stage.settle().await;
    assert!(stage.deletions().await.iter().all(|one| one.stored.state == DeletionState::Ended));
    for name in people {
        let tester = stage.stand.sandbox.prefinery().tester(stage.project, &format!("{name}@example.com"));
        assert_eq!(tester.unwrap()["profile"]["last_name"], "Edited");
    }
    assert_eq!((stage.contacts().len(), stage.testers()), (4, 4));
    stage.is_clean().await;
}
