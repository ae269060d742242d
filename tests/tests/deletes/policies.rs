//! What policies do to the record that is left, and how that is undone.

use contactor_engine::{DeletionDecision, EngineError, PolicyChange, WantedPolicy};
use contactor_sandbox::faults::{Effect, Fault};
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{AlertKind, DeletionState, LinkState, RecordId, Side};
use jiff::SignedDuration;
use serde_json::json;

use super::stage::{EMAIL, Stage};

const TAG: &str = "deleted-in-highlevel";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tester_whose_contact_was_deleted_is_tagged_until_the_contact_is_back() {
    let stage = Stage::with(WantedPolicy::Tag(None), WantedPolicy::Unlink).await;
    stage.edit_contact(json!({ "tags": ["vip"] }));
    stage.settle().await;
    stage.delete_contact();
    stage.settle().await;
    assert!(stage.groups().contains(TAG) && stage.groups().contains("vip"), "{}", stage.groups());
    assert_eq!(stage.newest().await.stored.state, DeletionState::Done);
    assert!(stage.newest().await.next.contains("can be undone until"));

    stage.restore_contact();
    stage.edit_contact(json!({ "lastName": "Noel" }));
    stage.settle().await;
    assert_eq!(stage.state().await, LinkState::Active);
    assert!(!stage.groups().contains(TAG), "{}", stage.groups());
    let contact = stage.contact().unwrap();
    assert!(!contact["tags"].to_string().contains(TAG), "{contact}");
    assert!(contact["tags"].to_string().contains("vip"), "{contact}");
    assert_eq!(stage.tester().unwrap()["profile"]["last_name"], "Noel");
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_is_taken_off_by_an_undo_and_one_that_was_there_stays() {
    for was_there in [false, true] {
        let stage = Stage::with(WantedPolicy::Unlink, WantedPolicy::Tag(Some("Former".to_owned()))).await;
        if was_there {
            stage.edit_contact(json!({ "tags": ["former"] }));
            stage.settle().await;
        }
        stage.delete_tester();
        stage.settle().await;
        let tags = || stage.contact().unwrap()["tags"].to_string();
        assert!(tags().contains("former"), "{}", tags());
        let undone = stage.decide(DeletionDecision::Undo).await;
        assert_eq!(undone.stored.state, DeletionState::Ended);
        assert!(undone.next.starts_with("undone by ann (admin)"), "{}", undone.next);
        assert_eq!(tags().contains("former"), was_there, "{}", tags());
        assert_eq!(stage.testers(), 0, "what somebody deleted stays deleted");
        stage.is_clean().await;
    }
}

fn archive(field: &str, value: &str) -> WantedPolicy {
    WantedPolicy::Archive { field: field.to_owned(), value: value.to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tester_whose_contact_was_deleted_is_archived_until_the_contact_is_back() {
    let stage = Stage::with(archive("profile.custom_var2", " left "), WantedPolicy::Unlink).await;
    let variable = || stage.tester().unwrap()["profile"]["custom_var2"].clone();
    let before = variable();
    stage.delete_contact();
    stage.settle().await;
    assert_eq!((variable(), stage.newest().await.stored.state), (json!("left"), DeletionState::Done));
    // Looks at everything change nothing more.
    stage.engine().start_sync(&stage.connection.id, true).await.unwrap();
    stage.stand.walk().await.unwrap();
    stage.restore_contact();
    stage.edit_contact(json!({ "lastName": "Noel" }));
    stage.settle().await;
    assert_eq!((stage.state().await, variable()), (LinkState::Active, before));
    assert_eq!(stage.tester().unwrap()["profile"]["last_name"], "Noel");
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archived_contact_is_as_it_was_after_an_undo_unless_somebody_changed_it_since() {
    for changes in [false, true] {
        let stage = Stage::with(WantedPolicy::Unlink, archive("source", "former tester")).await;
        stage.edit_contact(json!({ "source": "fair" }));
        stage.settle().await;
        stage.delete_tester();
        stage.settle().await;
        let source = || stage.contact().unwrap()["source"].clone();
        assert_eq!(source(), "former tester");
        if changes {
            stage.edit_contact(json!({ "source": "a friend" }));
            stage.settle().await;
        }
        let undone = stage.decide(DeletionDecision::Undo).await;
        assert_eq!(undone.stored.state, DeletionState::Ended);
        assert_eq!(undone.next.contains("changed since"), changes, "{}", undone.next);
        assert_eq!(source(), if changes { "a friend" } else { "fair" });
        assert_eq!(stage.testers(), 0, "what somebody deleted stays deleted");
        stage.is_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custom_field_that_no_row_of_the_mapping_names_says_so_and_is_taken_back() {
    let stage = Stage::set().await;
    stage.in_highlevel(PersonAct::DefineCustomField { name: "Plan".into(), data_type: "TEXT".into() });
    let named =
        PolicyChange { highlevel_gone: None, partner_gone: Some(archive("customFields.plan", "gold")) };
    stage.engine().set_delete_policies(&stage.connection.id, "contact", named).await.unwrap();
    let fields = || stage.contact().unwrap()["customFields"].to_string();
    let before = fields();
    stage.delete_tester();
    stage.settle().await;
    assert!(fields().contains("gold"), "{}", fields());
    let undone = stage.decide(DeletionDecision::Undo).await;
    assert!(undone.next.contains("taken back"), "{}", undone.next);
    assert!(!fields().contains("gold"), "{before} before, {} now", fields());
    let unknown =
        PolicyChange { highlevel_gone: None, partner_gone: Some(archive("customFields.plam", "gold")) };
    let refused = stage.engine().set_delete_policies(&stage.connection.id, "contact", unknown).await;
    assert!(refused.unwrap_err().to_string().contains("no custom field `customFields.plam`"));
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_waits_for_a_person_and_can_be_undone() {
    let stage = Stage::with(WantedPolicy::Delete, WantedPolicy::Unlink).await;
    let before = stage.tester().unwrap();
    stage.delete_contact();
    stage.settle().await;
    assert!(stage.tester().is_some(), "nobody confirmed");
    let waiting = stage.newest().await;
    assert_eq!(waiting.stored.state, DeletionState::Waiting);
    assert!(waiting.next.contains("contactor deletes confirm"), "{}", waiting.next);
    // What is wrong is looked at once a minute.
    stage.stand.advance(SignedDuration::from_mins(1));
    stage.stand.walk().await.unwrap();
    let alerts = stage.engine().alerts(&Stage::workspace()).await.unwrap().alerts;
    assert!(alerts.iter().any(|alert| alert.kind == AlertKind::Deletes), "{alerts:#?}");
    // What waits is not decided by an edit.
    stage.edit_tester("King");
    stage.settle().await;
    assert_eq!((stage.newest().await.stored.state, stage.contact()), (DeletionState::Waiting, None));

    let done = stage.decide(DeletionDecision::Confirm).await;
    assert_eq!((done.stored.state, stage.testers()), (DeletionState::Done, 0));
    assert_eq!(stage.stand.sandbox.recorder().requests("prefinery.testers.delete"), 1);
    let sealed = done.stored.kept.unwrap();
    assert!(!String::from_utf8_lossy(&sealed.bytes).contains("King"));
    // Its own webhook, and a look at everything, bring nobody back.
    stage.engine().start_sync(&stage.connection.id, true).await.unwrap();
    stage.stand.walk().await.unwrap();
    assert_eq!((stage.testers(), stage.contact()), (0, None));

    let undone = stage.decide(DeletionDecision::Undo).await;
    assert_eq!(undone.stored.state, DeletionState::Ended);
    assert!(undone.next.contains("new id"), "{}", undone.next);
    let again = stage.tester().unwrap();
    assert_ne!(again["id"], before["id"]);
    assert_eq!((&again["profile"]["last_name"], stage.contact()), (&json!("King"), None));

    stage.restore_contact();
    stage.edit_contact(json!({ "firstName": "Augusta" }));
    stage.settle().await;
    assert_eq!((stage.state().await, stage.testers()), (LinkState::Active, 1));
    assert_eq!(stage.link().await.unwrap().partner_id.to_string(), again["id"].to_string());
    assert_eq!(stage.tester().unwrap()["profile"]["first_name"], "Augusta");
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_whose_tester_was_deleted_is_kept_or_deleted_and_made_again() {
    let stage = Stage::with(WantedPolicy::Unlink, WantedPolicy::Delete).await;
    stage.delete_tester();
    stage.settle().await;
    let kept = stage.decide(DeletionDecision::Keep).await;
    assert_eq!(kept.stored.state, DeletionState::Done);
    assert!(stage.contact().is_some());
    assert_eq!(stage.state().await, LinkState::PartnerDeleted);
    stage.edit_contact(json!({ "firstName": "Augusta" }));
    stage.settle().await;
    assert_eq!(stage.testers(), 0, "an edit does not make the deleted tester anew");

    let stage = Stage::with(WantedPolicy::Unlink, WantedPolicy::Delete).await;
    stage.edit_contact(json!({ "tags": ["vip"], "city": "London" }));
    stage.settle().await;
    stage.delete_tester();
    stage.settle().await;
    let done = stage.decide(DeletionDecision::Confirm).await;
    assert_eq!((done.stored.state, stage.contact()), (DeletionState::Done, None));
    let undone = stage.decide(DeletionDecision::Undo).await;
    let again = stage.contact().unwrap();
    assert!(undone.next.contains(again["id"].as_str().unwrap()), "{}", undone.next);
    assert_ne!(again["id"], json!(stage.id()));
    assert_eq!((&again["city"], &again["firstName"]), (&json!("London"), &json!("Ada")));
    assert!(again["tags"].to_string().contains("vip"));
    assert_eq!(stage.testers(), 0);
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_that_is_back_before_the_confirmation_is_carried_out_keeps_its_tester() {
    let stage = Stage::with(WantedPolicy::Delete, WantedPolicy::Unlink).await;
    stage.delete_contact();
    stage.settle().await;
    stage.restore_contact();
    let ended = stage.decide(DeletionDecision::Confirm).await;
    assert_eq!(ended.stored.state, DeletionState::Ended);
    assert_eq!((stage.state().await, stage.testers()), (LinkState::Active, 1));
    assert_eq!(stage.stand.sandbox.recorder().requests("prefinery.testers.delete"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_that_is_restored_after_its_tester_was_deleted_gets_a_new_one() {
    let stage = Stage::with(WantedPolicy::Delete, WantedPolicy::Unlink).await;
    stage.delete_contact();
    stage.settle().await;
    stage.decide(DeletionDecision::Confirm).await;
    assert_eq!(stage.testers(), 0);
    stage.restore_contact();
    stage.edit_contact(json!({ "firstName": "Augusta" }));
    stage.settle().await;
    assert_eq!((stage.state().await, stage.testers()), (LinkState::Active, 1));
    assert_eq!(stage.tester().unwrap()["profile"]["first_name"], "Augusta");
    stage.is_clean().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_whose_answer_was_lost_is_made_once_and_can_be_undone() {
    let stage = Stage::with(WantedPolicy::Delete, WantedPolicy::Unlink).await;
    stage.delete_contact();
    stage.settle().await;
    let lost = Fault::next(1, "prefinery.testers.delete", Effect::Drop { after: true });
    stage.stand.sandbox.faults().add(lost);
    let done = stage.decide(DeletionDecision::Confirm).await;
    assert_eq!((done.stored.state, stage.testers()), (DeletionState::Done, 0));
    assert_eq!(stage.stand.sandbox.recorder().requests("prefinery.testers.delete"), 1);
    stage.decide(DeletionDecision::Undo).await;
    assert_eq!(stage.tester().unwrap()["profile"]["last_name"], "Byron");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_undo_is_possible_for_three_days_only_and_nothing_is_kept_longer() {
    let stage = Stage::with(WantedPolicy::Delete, WantedPolicy::Unlink).await;
    stage.delete_contact();
    stage.settle().await;
    let id = stage.decide(DeletionDecision::Confirm).await.stored.id;
    stage.stand.advance(SignedDuration::from_hours(73));
    let undo = DeletionDecision::Undo;
    let late = stage.engine().decide_deletion(&Stage::workspace(), id, undo, "ann").await.unwrap_err();
    assert!(matches!(&late, EngineError::Conflict(why) if why.contains("forgotten")), "{late}");
    let month = std::time::Duration::from_hours(24 * 30);
    stage.engine().store().expire(stage.engine().now(), month).await.unwrap();
    assert_eq!(stage.newest().await.stored.kept, None);
    let twice = DeletionDecision::Confirm;
    let twice = stage.engine().decide_deletion(&Stage::workspace(), id, twice, "ann").await.unwrap_err();
    assert!(twice.to_string().contains("carried out already"), "{twice}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_what_a_delete_would_do_and_writes_nothing() {
    let stage = Stage::with(WantedPolicy::Tag(None), WantedPolicy::Delete).await;
    let tester = RecordId::new(stage.tester().unwrap()["id"].to_string());
    let before = stage.writes();
    let id = &stage.connection.id;
    let tagged = stage.engine().preview_deletion(id, Side::Highlevel, &stage.contact).await.unwrap();
    assert_eq!((tagged.label.as_deref(), &tagged.partner_id), (Some(EMAIL), &tester));
    let [change] = tagged.changes.as_slice() else { panic!("{tagged:#?}") };
    assert!(change.side == Side::Partner && change.after.to_string().contains(TAG), "{change:?}");
    let writing: Vec<_> = tagged.calls.iter().filter(|call| call.write).collect();
    assert_eq!((writing.len(), writing[0].operation.as_str()), (1, "adapter.update"));
    let deleted = stage.engine().preview_deletion(id, Side::Partner, &tester).await.unwrap();
    assert!(deleted.steps.iter().any(|step| step.contains("confirms")), "{deleted:#?}");
    assert!(deleted.calls.iter().any(|call| call.write && call.operation == "contacts.delete"));
    let change = PolicyChange { highlevel_gone: Some(archive("status", "active")), partner_gone: None };
    stage.engine().set_delete_policies(id, "contact", change).await.unwrap();
    let archived = stage.engine().preview_deletion(id, Side::Highlevel, &stage.contact).await.unwrap();
    assert_eq!(
        (archived.changes[0].field.as_str(), &archived.changes[0].after),
        ("status", &json!("active"))
    );
    assert_eq!(stage.writes(), before);
    assert!(stage.deletions().await.is_empty());
    let unknown = stage.engine().preview_deletion(id, Side::Partner, &RecordId::new("nobody")).await;
    assert!(matches!(unknown, Err(EngineError::NotFound { .. })), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_is_not_possible_is_refused_with_the_reason() {
    let stage = Stage::set().await;
    let id = &stage.connection.id;
    let set = async |entity: &str, wanted: WantedPolicy| {
        let change = PolicyChange { highlevel_gone: Some(wanted), partner_gone: None };
        stage.engine().set_delete_policies(id, entity, change).await
    };
    for (entity, wanted, reason) in [
        ("task", WantedPolicy::Delete, "follow the list of their contact"),
        ("contact", WantedPolicy::Tag(Some("a,b".to_owned())), "no comma"),
        ("contact", WantedPolicy::Tag(Some("  ".to_owned())), "1 to 100 characters"),
        ("contact", archive("nowhere", "gone"), "has no field `nowhere`"),
        ("contact", archive("email", "gone"), "is found by it"),
        ("contact", archive("groups", "gone"), "the policy `tag` adds one"),
        ("contact", archive("referral_code", "gone"), "can only be read"),
        ("contact", archive("status", " "), "an empty value"),
    ] {
        let refused = set(entity, wanted).await.unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    for (field, value, reason) in [
        ("dnd", "true", "what a person agreed to"),
        ("phone", "0", "is found by it"),
        ("dateAdded", "2026-01-01", "can only be read"),
        ("dateOfBirth", "gone", "cannot say that a record is archived"),
    ] {
        let change = PolicyChange { highlevel_gone: None, partner_gone: Some(archive(field, value)) };
        let refused = stage.engine().set_delete_policies(id, "contact", change).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    // What a person agreed to is nothing that a delete decides, on neither side and under no name.
    for row in [
        json!({ "highlevel": "dnd", "partner": "profile.custom_var2", "direction": "to-highlevel",
            "to_highlevel": "value == 'out'" }),
        json!({ "highlevel": "dndSettings", "partner": "profile.custom_var3", "direction": "to-highlevel",
            "to_highlevel": "{'SMS': {'status': 'active'}} if profile.custom_var1 else none" }),
    ] {
        stage.engine().set_mapping_row(id, "contact", row).await.unwrap();
    }
    for field in ["profile.custom_var1", "profile.custom_var2", "profile.custom_var3"] {
        let refused = set("contact", archive(field, "out")).await.unwrap_err().to_string();
        assert!(refused.contains("what a person agreed to"), "{field}: {refused}");
    }
    let row = json!({ "highlevel": "tags", "partner": "groups", "off": true });
    stage.engine().set_mapping_row(id, "contact", row).await.unwrap();
    let refused = set("contact", WantedPolicy::Tag(None)).await.unwrap_err().to_string();
    assert!(refused.contains("no field of Prefinery's"), "{refused}");
    let policies = stage.engine().delete_policies(id, "contact").await.unwrap();
    assert_eq!(policies, contactor_sync::DeletePolicies::default(), "nothing was set");
}
