//! HighLevel's operations, each with its example.

use contactor_engine::CatalogueKind;
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{RunOutcome, WorkspaceId};
use contactor_tests::engine::{Stand, WORKSPACE};
use contactor_tests::partners;
use serde_json::{Map, Value, json};

use super::{bound, of};

/// What has to be done before, so that there is something to undo.
fn before(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "highlevel.contacts.remove-followers" => "highlevel.contacts.add-followers",
        "highlevel.tags.remove" => "highlevel.tags.add",
        "highlevel.campaigns.remove" | "highlevel.campaigns.remove-all" => "highlevel.campaigns.add",
        "highlevel.workflows.remove" => "highlevel.workflows.add",
        "highlevel.contacts.list-by-business" => "highlevel.bulk.set-business",
        _ => return None,
    })
}

/// A contact with a task, a note and an appointment, and how examples name them.
fn records(stand: &Stand) -> Map<String, Value> {
    let location = stand.sandbox.highlevel().first_location();
    let act = |act: PersonAct| stand.sandbox.highlevel().act(&location, act).unwrap();
    let id = |record: Value| record["id"].clone();
    let fields =
        json!({ "firstName": "Ann", "email": "ann@example.com", "phone": "+12025550101", "tags": ["lead"] });
    let contact = id(act(PersonAct::CreateContact { fields }));
    let own = || contact.as_str().unwrap().to_owned();
    let task = json!({ "title": "Call", "dueDate": "2026-12-01T09:00:00Z", "completed": false });
    let task = id(act(PersonAct::CreateTask { contact: own(), fields: task }));
    let note = id(act(PersonAct::CreateNote { contact: own(), fields: json!({ "body": "Met" }) }));
    let appointment = json!({
        "calendarId": "BqTwX8QFwXzpegMve9EQ", "contactId": contact, "title": "Demo",
        "startTime": "2026-12-01T10:00:00Z", "endTime": "2026-12-01T10:30:00Z",
    });
    let appointment = id(act(PersonAct::Book { fields: appointment }));
    stand.sandbox.highlevel().refresh_index();
    let known = json!({
        "contactId": contact, "contactIds": [contact], "taskId": task, "noteId": note, "appointmentId": appointment,
    });
    known.as_object().unwrap().clone()
}

/// Whether a request is the operation, for example `GET /contacts/{contactId}`.
fn fits(operation: &str, request: &str) -> bool {
    let (wanted, template) = operation.split_once(' ').unwrap();
    let (method, path) = request.split_once(' ').unwrap();
    let path = path.split('?').next().unwrap_or_default();
    let (template, parts): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    wanted == method
        && template.len() == parts.len()
        && template.iter().zip(&parts).all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_of_highlevel_runs_with_its_example_and_does_what_it_says() {
    let entries = of("highlevel", CatalogueKind::Action);
    let workspace = WorkspaceId::new(WORKSPACE);
    for entry in &entries {
        // Each on a location of its own: the order in which they stand does not matter.
        let stand = Stand::start_with(partners::sandbox()).await.unwrap();
        let known = records(&stand);
        let run = async |id: &str| {
            let example = &entries.iter().find(|entry| entry.id == id).unwrap().example;
            let report = stand.engine.run_named(&workspace, id, bound(example, &known), false).await;
            report.unwrap_or_else(|error| panic!("{id}: {error}"))
        };
        if let Some(first) = before(&entry.id) {
            run(first).await;
            stand.sandbox.highlevel().refresh_index();
        }
        let records = stand.sandbox.highlevel().snapshot();

        let preview =
            stand.engine.run_named(&workspace, &entry.id, bound(&entry.example, &known), true).await;
        let preview = preview.unwrap_or_else(|error| panic!("preview of {}: {error}", entry.id));
        assert_eq!(stand.sandbox.highlevel().snapshot(), records, "a preview of {} writes", entry.id);
        let held = preview.calls.iter().filter(|call| call.held_back).count();
        assert_eq!(held, usize::from(entry.writes), "{}: {preview:?}", entry.id);

        let report = run(&entry.id).await;
        let call = &report.calls[0];
        assert!(fits(&entry.name, &call.request), "{} made {}", entry.id, call.request);
        assert!(call.status.is_some_and(|status| (200..300).contains(&status)), "{}: {report:?}", entry.id);
        assert!(!report.output.is_null(), "{} answers nothing", entry.id);
        let changed = stand.sandbox.highlevel().snapshot() != records;
        // The double counts enrolments and keeps no record of them.
        let enrols =
            ["highlevel.campaigns.", "highlevel.workflows."].iter().any(|of| entry.id.starts_with(of));
        assert_eq!(changed, entry.writes && !enrols, "{}: {}", entry.id, report.output);
        let kept = stand.engine.run_detail(&report.run).await.unwrap();
        let outcome = if entry.writes { RunOutcome::Applied } else { RunOutcome::Unchanged };
        assert_eq!((kept.outcome, kept.calls.len()), (outcome, report.calls.len()), "{}", entry.id);
    }
}
