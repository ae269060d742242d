//! Tasks, notes and appointments of contacts, kept in step with a partner that keeps them in fields of its people.

#![expect(clippy::unwrap_used, reason = "helpers of the tests fail like the tests themselves")]

mod locks;
mod lost;
mod merges;
mod partner;
mod random;
mod streams;
mod world;

use contactor_engine::EnableConnection;
use contactor_sandbox::faults::{Effect, Fault, When};
use contactor_sandbox::highlevel::PersonAct;
use contactor_store::{RunFilter, RunOutcome, Schedule};
use contactor_tests::engine::WORKSPACE;
use jiff::SignedDuration;
use serde_json::{Value, json};

use partner::{MANIFEST, People};
use world::{World, enable, subjects};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contact_that_is_linked_brings_its_tasks_notes_and_appointments() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.task(&contact, "Call");
    let done = world.task(&contact, "Write");
    world.edit_task(&contact, &done, json!({ "completed": true }));
    world.note(&contact, "Likes tea");
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call", "Write"]);
    assert_eq!(subjects(&world.people.field("memos")), ["Likes tea"]);
    assert_eq!(world.people.field("open"), json!(1));
    let written = world.people.field("todos");
    let call = written.as_array().unwrap().iter().find(|item| item["subject"] == "Call").unwrap();
    assert_eq!(call["due"], "2026-12-01T10:00:00.000Z");
    assert_eq!(call["done"], json!(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completed_task_is_done_at_the_partner_and_its_count_follows() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    let task = world.task(&contact, "Call");
    world.settle().await;
    let (reads, writes) = world.people.state(|state| (state.reads, state.writes));
    let requests = world.requests();
    world.edit_task(&contact, &task, json!({ "completed": true }));
    world.settle().await;
    assert_eq!(world.people.field("todos")[0]["done"], json!(true));
    assert_eq!(world.people.field("open"), json!(0));
    assert_eq!(world.requests() - requests, 1, "one read of the list");
    assert_eq!(world.people.state(|state| (state.reads, state.writes)), (reads + 1, writes + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_partner_adds_becomes_a_task_once_and_its_echo_costs_no_call() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.settle().await;
    let person = world.people.only();
    world.people.edit(&person, "todos", json!([{ "subject": "Ring back", "colour": "red" }]));
    world.poll().await;
    world.engine().run_until_idle().await.unwrap();
    let tasks = world.tasks(&contact);
    assert_eq!((tasks.len(), &tasks[0]["title"]), (1, &json!("Ring back")));
    let element = &world.people.field("todos")[0];
    assert_eq!(element["id"], tasks[0]["id"], "the host names what has no name");
    assert_eq!(element["colour"], "red", "what nobody maps is kept");
    assert_eq!(element["done"], json!(false));

    assert_eq!(world.people.field("open"), json!(1), "what was just created counts");

    // The vendor's TaskCreate names no contact; the link knows whose task it is.
    let (requests, runs) = (world.requests(), world.runs().await.len());
    let reads = world.people.state(|state| state.reads);
    world.people.state(|state| state.changed.push(person.clone()));
    world.settle().await;
    assert_eq!(world.requests(), requests, "calls to HighLevel");
    assert_eq!(world.people.state(|state| state.reads), reads, "reads of the partner");
    assert_eq!(world.runs().await.len(), runs, "an echo leaves no run");

    // Done at the partner, done in HighLevel.
    let mut list = world.people.field("todos");
    list[0]["done"] = json!(true);
    world.people.edit(&person, "todos", list);
    world.settle().await;
    assert_eq!(world.tasks(&contact)[0]["completed"], json!(true));
    assert_eq!(world.tasks(&contact).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_highlevel_lost_goes_and_one_that_the_partner_lost_is_only_let_go() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    let call = world.task(&contact, "Call");
    let write = world.task(&contact, "Write");
    world.settle().await;
    world.act(PersonAct::DeleteTask { contact: contact.clone(), task: call });
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Write"]);

    let person = world.people.only();
    world.people.edit(&person, "todos", json!([]));
    world.settle().await;
    world.settle().await;
    assert_eq!(world.tasks(&contact).len(), 1);
    assert_eq!(world.people.field("todos"), json!([]));
    // It comes back when somebody works on it.
    world.edit_task(&contact, &write, json!({ "completed": true }));
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Write"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_the_condition_includes_is_shown() {
    let world = World::set_with("", "include = \"not completed\"").await;
    let contact = world.contact("ann@example.com");
    let task = world.task(&contact, "Call");
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call"]);
    world.edit_task(&contact, &task, json!({ "completed": true }));
    world.settle().await;
    assert_eq!(world.people.field("todos"), json!([]));
    assert_eq!(world.tasks(&contact).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_completed_task_leaves_the_list_and_its_count_although_no_row_of_the_task_says_whether_it_is_done()
{
    const ROW: &str = "[[mapping]]\nentity = \"task\"\npartner = \"done\"\nhighlevel = \"completed\"\n";
    for (include, shown) in [("include = \"not completed\"", 0), ("", 1)] {
        let manifest = MANIFEST.replace("#CONTACT", "").replace("#TASK", include);
        assert!(manifest.contains(ROW));
        let world = World::set_from(&manifest.replace(ROW, "")).await;
        let contact = world.contact("ann@example.com");
        let task = world.task(&contact, "Call");
        world.settle().await;
        assert_eq!(world.people.field("open"), json!(1));
        world.edit_task(&contact, &task, json!({ "completed": true }));
        world.settle().await;
        assert_eq!(subjects(&world.people.field("todos")).len(), shown, "{include}");
        assert_eq!(world.people.field("open"), json!(0), "{include}");
        assert_eq!(world.tasks(&contact).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_the_wrong_shape_parks_that_list_alone_and_names_the_place() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.task(&contact, "Call");
    world.note(&contact, "Likes tea");
    world.settle().await;
    let person = world.people.only();
    world.people.edit(&person, "todos", json!([{ "id": "1", "subject": "Fine" }, 7]));
    world.note(&contact, "And cake");
    world.settle().await;
    let parked: Vec<_> = world.runs().await.into_iter().filter(|r| r.outcome == RunOutcome::Parked).collect();
    assert_eq!(parked.len(), 1, "{parked:#?}");
    assert_eq!(parked[0].entity.as_deref(), Some("tasks"));
    assert!(parked[0].summary.contains("a number at `$.todos[1]`"), "{}", parked[0].summary);
    assert_eq!(subjects(&world.people.field("memos")), ["And cake", "Likes tea"]);
    assert_eq!(world.tasks(&contact).len(), 1, "nothing was written on a guess");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_the_connection_does_not_keep_leaves_no_trace() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.settle().await;
    let runs = world.runs().await.len();
    let counts = world.engine().store().counts(None).await.unwrap();
    assert_eq!((counts.dirty, counts.links), (0, 1), "lists and children are no links of their own");
    // Another connection sees the same events and keeps contacts only.
    let children = ["\"task\"", "\"tasks\"", "\"note\"", "\"appointment\""];
    let tables = MANIFEST.split("\n\n").filter(|table| !children.iter().any(|name| table.contains(name)));
    let manifest = tables.collect::<Vec<_>>().join("\n\n").replace("id = \"people\"", "id = \"others\"");
    let others = enable(&world.stand, &manifest, &People::default()).await;
    world.task(&contact, "Call");
    world.settle().await;
    assert!(world.runs().await.len() > runs);
    let filter = RunFilter { connection: Some(others), limit: 10, ..RunFilter::default() };
    let theirs = world.engine().store().runs(filter).await.unwrap();
    assert!(theirs.iter().all(|run| run.entity.as_deref() != Some("tasks")), "{theirs:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_an_id_changes_with_its_value_the_link_and_the_lists_follow() {
    let world = World::set_with("rekeys = true", "").await;
    world.people.state(|state| state.by_email = true);
    let contact = world.contact("ann@example.com");
    world.task(&contact, "Call");
    world.settle().await;
    assert_eq!(world.people.only(), "ann@example.com");
    let edit = |email: &str| {
        let fields = json!({ "email": email });
        world.act(PersonAct::EditContact { contact: contact.clone(), fields })
    };
    edit("anna@example.com");
    world.settle().await;
    assert_eq!(world.people.only(), "anna@example.com");
    world.task(&contact, "Write");
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call", "Write"]);

    // The answer of an update is lost: the record is found again by the value that it is known by.
    edit("ann@example.org");
    world.people.state(|state| state.lose_next_update = true);
    world.settle().await;
    world.later(SignedDuration::from_mins(20));
    world.settle().await;
    world.task(&contact, "Third");
    world.settle().await;
    assert_eq!(world.people.only(), "ann@example.org");
    assert_eq!(subjects(&world.people.field("todos")), ["Call", "Third", "Write"]);
    assert_eq!(world.stand.sandbox.highlevel().contacts(&world.location).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_records_of_one_person_the_newest_is_linked_and_an_older_one_fills_what_is_empty() {
    let world = World::set_with("many_to_one = true", "").await;
    let submit = |id: &str, at: &str, fields: Value| {
        world.people.state(|state| {
            state.people.insert(id.to_owned(), fields.as_object().unwrap().clone());
            state.times.insert(id.to_owned(), at.to_owned());
            state.changed.push(id.to_owned());
        });
    };
    let first = |expected: &str| {
        let contacts = world.stand.sandbox.highlevel().contacts(&world.location);
        assert_eq!(contacts.len(), 1);
        assert_eq!(contacts[0]["firstName"], expected);
    };
    submit("7", "2026-11-20T10:00:00Z", json!({ "email": "ann@example.com", "first": "Ann" }));
    world.settle().await;
    first("Ann");
    // A newer one takes the link and says what changed; what it does not say stays.
    submit("8", "2026-11-21T10:00:00Z", json!({ "email": "ann@example.com", "first": "Anna" }));
    // One after the other: which of two that come at once goes first is not fixed.
    world.settle().await;
    submit("9", "2026-11-22T10:00:00Z", json!({ "email": "ann@example.com" }));
    world.settle().await;
    first("Anna");
    // An older one changes nothing that is there.
    submit("6", "2026-11-19T10:00:00Z", json!({ "email": "ann@example.com", "first": "Old" }));
    world.settle().await;
    first("Anna");
    let contact = world.stand.sandbox.highlevel().contacts(&world.location)[0]["id"].clone();
    let linked = world.engine().store().links(&world.connection, "contact", None, 10).await.unwrap();
    assert_eq!(linked.len(), 1);
    assert_eq!((json!(linked[0].highlevel_id), linked[0].partner_id.as_str()), (contact, "9"));

    // Nobody knows whose this is: that is told once, and not tried again.
    submit("10", "2026-11-23T10:00:00Z", json!({ "first": "Nobody" }));
    world.settle().await;
    let parked: Vec<_> = world.runs().await.into_iter().filter(|r| r.outcome == RunOutcome::Parked).collect();
    assert_eq!(parked.len(), 1);
    assert!(parked[0].summary.contains("no identifier"), "{}", parked[0].summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_record_of_a_person_fills_in_is_a_change_of_the_contact_to_the_guard() {
    let world = World::set_with("many_to_one = true", "").await;
    for (id, at, fields) in [
        ("7", "2026-11-20T10:00:00Z", json!({ "email": "ann@example.com" })),
        ("6", "2026-11-19T10:00:00Z", json!({ "email": "ann@example.com", "first": "Ann" })),
    ] {
        world.people.state(|state| {
            state.people.insert(id.to_owned(), fields.as_object().unwrap().clone());
            state.times.insert(id.to_owned(), at.to_owned());
            state.changed.push(id.to_owned());
        });
        world.settle().await;
    }
    let contacts = world.stand.sandbox.highlevel().contacts(&world.location);
    assert_eq!((contacts.len(), &contacts[0]["firstName"]), (1, &json!("Ann")));
    let report = world.engine().guard(&world.connection).await.unwrap();
    assert_eq!(report.guarded.in_highlevel, 1);
    let ids: Vec<_> = report.latest.iter().map(|changed| json!(changed.record)).collect();
    assert!(ids.iter().all(|id| *id == contacts[0]["id"]), "it is the contact that counts: {ids:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_no_webhook_announces_is_found_by_the_walk_and_is_an_event() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    let task = world.task(&contact, "Call");
    world.settle().await;
    world.later(SignedDuration::from_mins(16));
    world.settle().await;
    assert_eq!(world.people.state(|state| state.events.clone()), [], "nothing was edited so far");
    let runs = world.runs().await.len();

    world.edit_task(&contact, &task, json!({ "title": "Call twice" }));
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call"], "nobody told yet");
    world.later(SignedDuration::from_mins(16));
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call twice"]);
    let told = world.people.state(|state| state.events.clone());
    assert_eq!(told, [("TaskUpdate".to_owned(), Some(contact.clone()))]);

    // A walk that finds nothing costs one page and no run.
    let (after, requests) = (world.runs().await.len(), world.requests());
    assert!(after > runs);
    world.later(SignedDuration::from_mins(16));
    world.settle().await;
    assert_eq!(world.runs().await.len(), after);
    assert!(world.requests() - requests <= 3, "{}", world.requests() - requests);

    // What the partner changes is written to HighLevel and is no news to the partner.
    let person = world.people.only();
    let mut list = world.people.field("todos");
    list[0]["subject"] = json!("Call thrice");
    world.people.edit(&person, "todos", list);
    world.settle().await;
    assert_eq!(world.tasks(&contact)[0]["title"], json!("Call thrice"));
    let (reads, lists) = (world.people.state(|state| state.reads), world.runs_of("tasks").await);
    assert!(lists > 0);
    world.later(SignedDuration::from_mins(16));
    world.settle().await;
    assert_eq!(world.people.state(|state| state.reads), reads);
    assert_eq!(world.runs_of("tasks").await, lists, "an echo of our own write leaves no run of the list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appointments_follow_their_contact_and_go_one_way() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.settle().await;
    let start = (world.stand.clock.now() + SignedDuration::from_hours(48)).to_string();
    let fields = json!({ "calendarId": "SandboxCalendar00001", "contactId": contact, "title": "Visit", "startTime": start });
    let booked = world.act(PersonAct::Book { fields })["id"].as_str().unwrap().to_owned();
    world.settle().await;
    let visits = world.people.field("visits");
    assert_eq!((visits.as_array().unwrap().len(), &visits[0]["what"]), (1, &json!("Visit")));
    let person = world.people.only();
    world.people.edit(
        &person,
        "visits",
        json!([{ "id": booked, "what": "Changed there" }, { "what": "Made there" }]),
    );
    world.settle().await;
    let appointments = world.stand.sandbox.highlevel().appointments(&world.location);
    assert_eq!((appointments.len(), &appointments[0]["title"]), (1, &json!("Visit")));
    // It is moved, and the webhook is lost: the next sweep looks at what is about to come.
    let fields = json!({ "title": "Moved visit" });
    world.act(PersonAct::EditAppointment { appointment: booked, fields });
    world.lose_webhooks();
    world.later(SignedDuration::from_mins(16));
    world.settle().await;
    let visits = world.people.field("visits");
    assert_eq!(visits[0]["what"], json!("Moved visit"), "{visits}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_what_follows_a_contact_and_writes_nothing() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    let task = world.task(&contact, "Call");
    world.stand.sandbox.highlevel().refresh_index();
    let report = world.engine().preview(&world.connection, 10).await.unwrap();
    let fields: Vec<&str> = report.items[0].changes.iter().map(|change| change.field.as_str()).collect();
    assert!(fields.contains(&format!("tasks[{task}].subject").as_str()), "{fields:?}");
    assert!(fields.contains(&"open"), "{fields:?}");
    assert_eq!(report.items[0].lists, 3);
    assert_eq!(world.people.state(|state| (state.writes, state.people.len())), (0, 0));
    world.settle().await;
    let report = world.engine().preview(&world.connection, 10).await.unwrap();
    assert_eq!((report.updates, report.unchanged), (0, 1), "{:#?}", report.items);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_with_a_cadence_waits_for_it() {
    let world = World::set().await;
    let contact = world.contact("ann@example.com");
    world.settle().await;
    let schedule = Schedule { realtime: false, sweep_seconds: Some(3_600), ..Schedule::default() };
    let request = |schedule| EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: "people".to_owned(),
        schedule: Some(schedule),
        ..EnableConnection::default()
    };
    let view = world.engine().enable_connection(request(schedule.clone())).await.unwrap();
    assert_eq!(view.schedule, schedule);
    world.task(&contact, "Call");
    world.settle().await;
    assert_eq!(world.people.field("todos"), json!(null), "its hour has not come");
    world.later(SignedDuration::from_mins(61));
    world.settle().await;
    assert_eq!(subjects(&world.people.field("todos")), ["Call"]);

    let unknown = Schedule { poll_seconds: [("nobody".to_owned(), 60)].into(), ..Schedule::default() };
    let refused = world.engine().enable_connection(request(unknown)).await.unwrap_err();
    assert!(refused.to_string().contains("no stream `nobody`; it has people"), "{refused}");
    let hasty = Schedule { sweep_seconds: Some(1), ..Schedule::default() };
    assert!(world.engine().enable_connection(request(hasty)).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custom_field_that_does_not_exist_is_told_once_with_those_that_do() {
    let world = World::set().await;
    world.act(PersonAct::DefineCustomField { name: "Tier".to_owned(), data_type: "TEXT".to_owned() });
    let row =
        json!({ "partner": "first", "highlevel": "customFields.nickname", "direction": "to-highlevel" });
    let read = json!({ "partner": "first", "highlevel": "firstName", "to_partner": "firstName or customFields.titel" });
    let mapping = || EnableConnection {
        workspace: WORKSPACE.to_owned(),
        connector: "people".to_owned(),
        mapping: json!({ "contact": [row, read] }),
        ..EnableConnection::default()
    };
    let refused = world.engine().enable_connection(mapping()).await.unwrap_err().to_string();
    assert!(
        refused.contains(
            "no custom field `customFields.nickname`, `customFields.titel`; it has customFields.tier"
        ),
        "{refused}"
    );
    // While HighLevel cannot be asked, the admin goes on; the first run that misses a field tells.
    world.stand.sandbox.faults().add(Fault {
        operation: "highlevel.*".to_owned(),
        effect: Effect::Answer { status: 503, body: None, retry_after: None, after: false },
        when: When::Probability(1.0),
        skip: 0,
    });
    world.engine().enable_connection(mapping()).await.unwrap();
    world.stand.sandbox.faults().clear();
    for n in 0..3 {
        let fields = json!({ "email": format!("person{n}@example.com"), "first": "Annie" });
        world.people.state(|state| {
            state.people.insert(format!("p{n}"), fields.as_object().unwrap().clone());
            state.changed.push(format!("p{n}"));
        });
    }
    world.settle().await;
    let runs = world.runs().await;
    for name in ["nickname", "titel"] {
        let what = format!("no custom field `{name}`");
        assert_eq!(runs.iter().filter(|run| run.summary.contains(&what)).count(), 1, "{runs:#?}");
    }
    let told: Vec<_> = runs.iter().filter(|run| run.summary.contains("no custom field `nickname`")).collect();
    assert!(told[0].summary.contains("it has tier"), "{}", told[0].summary);
    assert!(runs.iter().all(|run| run.outcome != RunOutcome::Parked), "the rest of each record goes on");
    assert_eq!(world.stand.sandbox.highlevel().contacts(&world.location).len(), 3);
}
