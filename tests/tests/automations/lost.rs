//! Answers that were lost: what happened is not done again, what did not happen is done, and what nobody can know a person decides.

use contactor_sandbox::SandboxConfig;
use contactor_store::Policy;

use super::*;

fn due() -> Value {
    json!({ "title": "Welcome", "body": "", "dueDate": "2030-01-01T09:00:00Z", "completed": false })
}

impl Scripted {
    fn act(&self, act: PersonAct) {
        self.stand.sandbox.highlevel().act(&self.location, act).unwrap();
    }

    /// The one parked event.
    async fn waits_for_a_person(&self) -> Parked {
        let mut parked = self.parked().await;
        assert_eq!(parked.len(), 1, "{parked:?}");
        parked.remove(0)
    }

    async fn retry(&self, parked: &Parked) {
        assert!(self.stand.engine.retry_parked(&parked.key).await.unwrap());
        self.settle().await;
    }
}

#[tokio::test]
async fn an_older_task_or_note_of_the_same_contents_is_not_taken_for_the_one_whose_answer_was_lost() {
    // Whether the create happened is known by nothing but what is there.
    for after in [false, true] {
        let script = json!({ "ContactTagUpdate": [create_task("Welcome"), add_note("Hello")] });
        let scripted = Scripted::new(script).await;
        let contact = scripted.contact.clone();
        scripted.act(PersonAct::CreateTask { contact: contact.clone(), fields: due() });
        scripted.act(PersonAct::CreateNote { contact, fields: json!({ "body": "Hello" }) });
        scripted.settle().await;
        scripted.stand.advance(SignedDuration::from_hours(1));
        scripted.fail("highlevel.tasks.create", Effect::Drop { after });
        scripted.fail("highlevel.notes.create", Effect::Drop { after });
        scripted.tag("vip");
        scripted.settle().await;
        assert_eq!((scripted.tasks().len(), scripted.notes()), (2, 2), "after: {after}");
        for operation in ["highlevel.tasks.create", "highlevel.notes.create"] {
            assert_eq!(scripted.carried_out(operation), 1, "{operation}, after: {after}");
        }
        assert_eq!(scripted.parked().await, []);
    }
}

#[tokio::test]
async fn an_older_contact_with_the_same_email_is_not_taken_for_the_one_whose_answer_was_lost() {
    let fields = json!({ "email": "ada@example.com", "firstName": "Ada" });
    let create = json!({ "function": "contacts.create", "input": { "fields": fields, "tags": [] } });
    let upsert = json!({
        "function": "contacts.upsert",
        "input": { "fields": fields, "create-new-if-duplicate-allowed": true },
    });
    for call in [create, upsert] {
        let operation = format!("highlevel.{}", call["function"].as_str().unwrap());
        for after in [false, true] {
            let mut config = SandboxConfig::for_tests();
            config.highlevel.limits = None;
            config.highlevel.locations[0].allow_duplicate_contact = true;
            let stand = Stand::serve_with(config).await.unwrap();
            let scripted = Scripted::on(stand, json!({ "ContactTagUpdate": [call] })).await;
            scripted.stand.advance(SignedDuration::from_hours(1));
            scripted.fail(&operation, Effect::Drop { after });
            scripted.tag("vip");
            scripted.settle().await;
            let contacts = scripted.stand.sandbox.highlevel().contacts(&scripted.location);
            let adas = contacts.iter().filter(|contact| contact["email"] == "ada@example.com").count();
            assert_eq!(adas, 2, "{operation}, after: {after}");
            assert_eq!(scripted.carried_out(&operation), 1, "{operation}, after: {after}");
            assert_eq!(scripted.parked().await, []);
        }
    }
}

#[tokio::test]
async fn a_workflow_whose_start_may_have_happened_waits_for_a_person() {
    let start =
        json!({ "function": "workflows.add", "input": { "contact-id": "$contact", "workflow-id": "w1" } });
    let script = json!({ "ContactTagUpdate": [create_task("Welcome"), start, add_note("Hello")] });
    let scripted = Scripted::new(script).await;
    scripted.fail("highlevel.workflows.add", Effect::Drop { after: true });
    scripted.tag("vip");
    scripted.settle().await;
    let parked = scripted.waits_for_a_person().await;
    for words in ["workflows.add", "may have happened", "retry", "discard", &scripted.contact, "w1"] {
        assert!(parked.reason.contains(words), "{words}: {}", parked.reason);
    }
    assert_eq!(scripted.carried_out("highlevel.workflows.add"), 1, "it was not repeated");
    assert_eq!((scripted.tasks().len(), scripted.notes()), (1, 0), "nothing more was written");

    // The person's word holds for this once: if the answer is lost again, a person is asked again.
    scripted.fail("highlevel.workflows.add", Effect::Drop { after: true });
    scripted.retry(&parked).await;
    assert_eq!(scripted.carried_out("highlevel.workflows.add"), 2);
    let parked = scripted.waits_for_a_person().await;
    scripted.retry(&parked).await;
    assert_eq!(scripted.carried_out("highlevel.workflows.add"), 3);
    assert_eq!((scripted.tasks().len(), scripted.notes()), (1, 1));
    assert_eq!(scripted.parked().await, []);
}

#[tokio::test]
async fn whoever_has_everything_done_again_repeats_nothing_that_may_have_happened_unless_that_is_asked_for() {
    let start =
        json!({ "function": "workflows.add", "input": { "contact-id": "$contact", "workflow-id": "w1" } });
    let scripted = Scripted::new(json!({ "ContactTagUpdate": [start] })).await;
    scripted.fail("highlevel.workflows.add", Effect::Drop { after: true });
    scripted.tag("vip");
    scripted.settle().await;
    let parked = scripted.waits_for_a_person().await;
    assert_eq!(parked.class, FailureClass::Unsure);
    let groups = scripted.stand.engine.parked_groups(&WorkspaceId::new(WORKSPACE)).await.unwrap();
    let group = groups.iter().find(|group| group.group.of.class == FailureClass::Unsure).unwrap();
    assert!(group.fix.contains("look at the other system whether it was done"), "{}", group.fix);

    let everything = async |unsure| {
        let id = &scripted.connection.id;
        let answer = scripted.stand.engine.release_all(id, ParkedAction::Retry, unsure).await.unwrap();
        scripted.settle().await;
        answer.left_out
    };
    assert_eq!(everything(Unsure::LeaveOut).await, 1);
    assert_eq!(scripted.carried_out("highlevel.workflows.add"), 1, "it was not repeated");
    assert_eq!(scripted.waits_for_a_person().await.key, parked.key);
    assert_eq!(everything(Unsure::Repeat).await, 0);
    assert_eq!(scripted.carried_out("highlevel.workflows.add"), 2);
    assert_eq!(scripted.parked().await, []);
}

#[tokio::test]
async fn a_refused_start_of_a_workflow_is_no_doubt() {
    let start =
        json!({ "function": "workflows.add", "input": { "contact-id": "$contact", "workflow-id": "w1" } });
    let scripted = Scripted::new(json!({ "ContactTagUpdate": [start] })).await;
    scripted.fail("highlevel.workflows.add", Effect::refuse(400));
    scripted.tag("vip");
    scripted.settle().await;
    let parked = scripted.waits_for_a_person().await;
    assert!(!parked.reason.contains("may have happened"), "{}", parked.reason);
    scripted.retry(&parked).await;
    assert_eq!(scripted.carried_out("highlevel.workflows.add"), 1);
    assert_eq!(scripted.parked().await, []);
}

/// Creates a tester at the Prefinery double. The guest's manifest says that the path with `.json` may be sent twice.
fn create_tester(scripted: &Scripted, path: &str) -> Value {
    let project = scripted.stand.sandbox.prefinery().first_project();
    let body = json!({ "tester": { "email": "new@example.com" } }).to_string();
    json!({ "function": "partner.send", "succeeds": true, "input": {
        "method": "post", "path": format!("/betas/{project}/{path}"), "query": [], "body": body,
        "headers": [{ "name": "content-type", "value": "application/json" }],
    } })
}

#[tokio::test]
async fn a_post_to_the_partner_that_may_have_happened_waits_for_a_person() {
    for effect in [Effect::Drop { after: true }, Effect::lie(502)] {
        let scripted = Scripted::new(json!({})).await;
        scripted.rescript(json!({ "ContactTagUpdate": [create_tester(&scripted, "testers")] })).await;
        scripted.fail("prefinery.testers.create", effect.clone());
        scripted.tag("vip");
        scripted.settle().await;
        let parked = scripted.waits_for_a_person().await;
        assert!(parked.reason.contains("the partner gave no answer"), "{effect:?}: {}", parked.reason);
        assert!(parked.reason.contains("new@example.com"), "{effect:?}: {}", parked.reason);
        assert_eq!(scripted.carried_out("prefinery.testers.create"), 1, "{effect:?}");
    }
}

#[tokio::test]
async fn a_post_that_may_be_sent_twice_is_sent_again_and_its_failure_is_no_answer() {
    let scripted = Scripted::new(json!({})).await;
    scripted.rescript(json!({ "ContactTagUpdate": [create_tester(&scripted, "testers.json")] })).await;
    scripted.fail("prefinery.testers.create", Effect::Drop { after: false });
    scripted.fail("prefinery.testers.create", Effect::refuse(503));
    scripted.tag("vip");
    scripted.settle().await;
    assert_eq!(scripted.carried_out("prefinery.testers.create"), 1);
    let outcomes: Vec<_> = scripted.outcomes().await.into_iter().map(|(outcome, _)| outcome).collect();
    assert_eq!(outcomes, [RunOutcome::Retrying, RunOutcome::Retrying, RunOutcome::Applied]);
    assert_eq!(scripted.parked().await, []);
}

#[tokio::test]
async fn a_post_whose_repeating_was_forbidden_waits_for_a_person_whatever_the_manifest_says() {
    let scripted = Scripted::new(json!({})).await;
    scripted.rescript(json!({ "ContactTagUpdate": [create_tester(&scripted, "testers.json")] })).await;
    let policy = Policy { connectors: None, deny: vec!["repeat:*".to_owned()] };
    scripted.stand.engine.set_policy(&WorkspaceId::new(WORKSPACE), policy).await.unwrap();
    scripted.fail("prefinery.testers.create", Effect::Drop { after: true });
    scripted.tag("vip");
    scripted.settle().await;
    scripted.waits_for_a_person().await;
    assert_eq!(scripted.carried_out("prefinery.testers.create"), 1);
}

#[tokio::test]
async fn a_handler_of_a_newer_build_that_makes_fewer_calls_is_parked_with_both_shown() {
    let before = json!({ "ContactTagUpdate": [create_task("Welcome"), add_note("Hello"), set_city("Rome")] });
    let scripted = Scripted::new(before).await;
    scripted.fail("highlevel.contacts.update", Effect::refuse(503));
    scripted.tag("vip");
    scripted.stand.sandbox.highlevel().webhooks().flush(contactor_sandbox::outbox::Order::Queued).await;
    scripted.stand.engine.run_until_idle().await.unwrap();
    assert_eq!(scripted.outcomes().await[0].0, RunOutcome::Retrying);
    scripted.rescript(json!({ "ContactTagUpdate": [create_task("Welcome")] })).await;
    scripted.settle().await;
    let parked = scripted.waits_for_a_person().await;
    let reason = &parked.reason;
    assert!(reason.contains("its call 2 was notes.create, and now it ends after 1 calls"), "{reason}");
    assert!(reason.contains("Hello") && reason.contains("Now: nothing"), "{reason}");
    let (_, summary) = scripted.outcomes().await.pop().unwrap();
    assert!(summary.contains("Hello"), "the run shows it as well: {summary}");
    scripted.retry(&parked).await;
    assert_eq!((scripted.tasks().len(), scripted.notes()), (1, 1), "what was done stays");
    assert_eq!(scripted.parked().await, []);
}

#[tokio::test]
async fn a_handler_that_makes_another_call_is_parked_with_the_values_of_both() {
    let scripted = Scripted::new(json!({ "ContactTagUpdate": [add_note("Hello"), set_city("Rome")] })).await;
    scripted.fail("highlevel.contacts.update", Effect::refuse(503));
    scripted.tag("vip");
    scripted.stand.sandbox.highlevel().webhooks().flush(contactor_sandbox::outbox::Order::Queued).await;
    scripted.stand.engine.run_until_idle().await.unwrap();
    scripted.rescript(json!({ "ContactTagUpdate": [add_note("Goodbye")] })).await;
    scripted.settle().await;
    let reason = scripted.waits_for_a_person().await.reason;
    let (noted, now) = reason.split_once(". Now: ").unwrap();
    assert!(noted.contains("Noted: notes.create [") && noted.contains("Hello"), "{reason}");
    assert!(now.starts_with("notes.create [") && now.contains("Goodbye"), "{reason}");
}
