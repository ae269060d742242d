//! Actions by name, with JSON in and out: what `contactor run` does, against the doubles.

use contactor_engine::{ActionReport, EngineError};
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::prefinery::ProjectAct;
use contactor_store::{ConnectionId, RunFilter, RunKind, RunOutcome, WorkspaceId};
use contactor_tests::engine::{Stand, WORKSPACE};
use serde_json::{Value, json};

async fn run(stand: &Stand, action: &str, input: Value, preview: bool) -> Result<ActionReport, EngineError> {
    stand.engine.run_named(&WorkspaceId::new(WORKSPACE), action, input, preview).await
}

async fn done(stand: &Stand, action: &str, input: Value) -> Value {
    run(stand, action, input, false).await.unwrap_or_else(|error| panic!("{action}: {error}")).output
}

#[tokio::test]
async fn an_operation_of_the_vendor_runs_by_name_and_leaves_its_requests_behind() {
    let stand = Stand::start().await.unwrap();
    let created = done(
        &stand,
        "highlevel.contacts.create",
        json!({ "firstName": "Ann", "email": "ann@example.com", "tags": ["Lead"] }),
    )
    .await;
    assert_eq!((&created["firstName"], &created["tags"]), (&json!("Ann"), &json!(["lead"])));
    let id = created["id"].as_str().unwrap();

    let task = json!({ "contactId": id, "title": "Call", "dueDate": "2026-12-01T09:00:00Z" });
    let task = done(&stand, "highlevel.tasks.create", task).await;
    let key = json!({ "contactId": id, "taskId": task["id"], "completed": true });
    assert_eq!(done(&stand, "highlevel.tasks.set-completed", key).await["completed"], true);
    assert_eq!(done(&stand, "highlevel.tags.list", json!({ "contactId": id })).await, json!(["lead"]));

    let own = ConnectionId::of_highlevel(&WorkspaceId::new(WORKSPACE));
    let filter = RunFilter { connection: Some(own.clone()), limit: 10, ..RunFilter::default() };
    let runs = stand.engine.runs(filter).await.unwrap();
    assert_eq!(runs.len(), 4);
    assert!(runs.iter().all(|run| run.kind == RunKind::Action && run.connection == own));
    let first = stand.engine.run_detail(&runs[3].id).await.unwrap();
    assert_eq!(
        (first.outcome, first.summary.as_str()),
        (RunOutcome::Applied, "action highlevel.contacts.create")
    );
    assert_eq!(first.calls.len(), 1);
    assert_eq!((first.calls[0].operation.as_str(), first.calls[0].status), ("contacts.create", Some(201)));
    assert_eq!(runs[0].outcome, RunOutcome::Unchanged, "a read changes nothing");
}

#[tokio::test]
async fn custom_fields_are_named_by_their_keys_in_both_directions() {
    let stand = Stand::start().await.unwrap();
    let location = stand.sandbox.highlevel().first_location();
    let define = PersonAct::DefineCustomField { name: "Plan".into(), data_type: "TEXT".into() };
    stand.sandbox.highlevel().act(&location, define).unwrap();
    let input = json!({ "email": "ann@example.com", "customFields.plan": "gold" });
    let created = done(&stand, "highlevel.contacts.create", input).await;
    assert_eq!(created["customFields.plan"], "gold");
    let input = json!({ "contactId": created["id"], "customFields.plam": "gold" });
    let refused = run(&stand, "highlevel.contacts.update", input, false).await.unwrap_err();
    assert!(refused.to_string().contains("customFields.plam"), "{refused}");
}

#[tokio::test]
async fn a_preview_says_what_would_be_sent_and_writes_nothing() {
    let stand = Stand::start().await.unwrap();
    stand.enable("prefinery", None).await.unwrap();
    let before = stand.records();
    stand.sandbox.recorder().clear();

    let input = json!({ "firstName": "Ann", "email": "ann@example.com", "tags": ["lead"] });
    let report = run(&stand, "highlevel.contacts.create", input, true).await.unwrap();
    assert_eq!((report.preview, &report.output), (true, &Value::Null));
    let call = &report.calls[0];
    assert_eq!((call.request.as_str(), call.held_back, call.status), ("POST /contacts/", true, None));
    let body: Value = serde_json::from_str(call.body.as_deref().unwrap()).unwrap();
    assert_eq!((&body["email"], &body["tags"]), (&json!("ann@example.com"), &json!(["lead"])));

    let input = json!({ "email": "ann@example.com", "quantity": 5 });
    let report = run(&stand, "prefinery.points.award", input, true).await.unwrap();
    let held: Vec<_> = report.calls.iter().filter(|call| call.held_back).collect();
    assert_eq!(held.len(), 1, "{report:?}");
    assert!(held[0].request.starts_with("POST /betas/"), "{report:?}");
    assert!(held[0].body.as_deref().unwrap().contains("ann@example.com"));

    assert_eq!(stand.records(), before);
    let sent = stand.sandbox.recorder().recent();
    assert!(sent.iter().all(|request| request.method == "GET"), "{sent:?}");
}

#[tokio::test]
async fn an_action_of_a_connector_runs_by_its_name_in_the_catalogue() {
    let stand = Stand::start().await.unwrap();
    stand.enable("prefinery", None).await.unwrap();
    let project = stand.sandbox.prefinery().first_project();
    let join = ProjectAct::CreateTester { fields: json!({ "email": "ann@example.com" }) };
    stand.sandbox.prefinery().act(project, join).unwrap();
    done(&stand, "prefinery.points.award", json!({ "email": "ann@example.com", "quantity": 5 })).await;
    let points = done(&stand, "prefinery.points.list", json!({})).await;
    assert_eq!(points["items"].as_array().map(Vec::len), Some(1), "{points}");
}

#[tokio::test]
async fn an_input_that_does_not_fit_is_refused_with_place_expectation_and_finding_before_anything_is_called()
{
    let stand = Stand::start().await.unwrap();
    stand.enable("prefinery", None).await.unwrap();
    stand.sandbox.recorder().clear();
    let table = [
        ("highlevel.contacts.get", json!({}), "\"contactId\" is a required property"),
        ("highlevel.tags.add", json!({ "contactId": "c", "tags": [] }), "/tags: [] has less than 1 item"),
        (
            "highlevel.contacts.create",
            json!({ "email": "a@b.example", "phone": "0123" }),
            "/phone: \"0123\" does not match",
        ),
        ("highlevel.contacts.create", json!({ "city": "Rome" }), "an email or a phone"),
        (
            "highlevel.tasks.create",
            json!({ "contactId": "c", "title": "x", "dueDate": "tomorrow" }),
            "/dueDate: \"tomorrow\" is not a \"date-time\"",
        ),
        (
            "prefinery.points.award",
            json!({ "email": "ann@example.com", "quantity": "five" }),
            "/quantity: \"five\" is not of type \"integer\"",
        ),
        (
            "prefinery.points.award",
            json!({ "email": "ann@example.com", "quantity": 1, "colour": 1 }),
            "('colour' was unexpected)",
        ),
    ];
    for (action, input, expected) in table {
        let refused = run(&stand, action, input, false).await.unwrap_err();
        assert!(matches!(refused, EngineError::Invalid(_)), "{action}: {refused:?}");
        assert!(refused.to_string().contains(expected), "{action}: {refused}");
    }
    for unknown in ["highlevel.contacts.explode", "prefinery.explode", "nonsense"] {
        let refused = run(&stand, unknown, json!({}), false).await.unwrap_err();
        assert!(matches!(refused, EngineError::NotFound { .. }), "{unknown}: {refused:?}");
    }
    assert!(stand.sandbox.recorder().recent().is_empty());
}

#[tokio::test]
async fn what_the_vendor_refuses_is_said_in_its_words_and_written_down() {
    let stand = Stand::start().await.unwrap();
    let refused =
        run(&stand, "highlevel.contacts.get", json!({ "contactId": "nobody" }), false).await.unwrap_err();
    assert!(matches!(refused, EngineError::HighLevel(_)), "{refused:?}");
    let own = ConnectionId::of_highlevel(&WorkspaceId::new(WORKSPACE));
    let run = stand.last_run(&own).await.unwrap();
    assert_eq!(run.outcome, RunOutcome::Parked);
    assert_eq!(run.highlevel_id.map(|id| id.to_string()).as_deref(), Some("nobody"));
    assert_eq!(run.calls.len(), 1);
}
