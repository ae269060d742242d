#![expect(clippy::needless_pass_by_value, reason = "tests write json!(…) in place")]

use serde_json::json;

use super::{
    APPOINTMENTS, CONTACTS, Effects, NOTES, NOTIFICATIONS, Rule, TAGS, TASKS, TIMERS, WORKFLOWS, actions,
};
use crate::appointments::Appointment;
use crate::prelude::*;
use crate::testing::{InstalledHost, MockHost, contact, event};

const ALL: Effects = Effects::new(&[
    CONTACTS,
    APPOINTMENTS,
    TAGS,
    TASKS,
    NOTES,
    WORKFLOWS,
    NOTIFICATIONS,
    TIMERS,
    actions(greet),
]);

fn greet(action: &str, input: serde_json::Value) -> Result<serde_json::Value> {
    log::info!("{action} {input}");
    if action == "fail" { Err(Error::Unavailable("closed".into())) } else { Ok(json!({})) }
}

fn rule(rule: serde_json::Value) -> Rule {
    serde_json::from_value(rule).unwrap()
}

/// A rule on `sign_up` without a condition.
fn doing(effects: serde_json::Value) -> Vec<Rule> {
    vec![rule(json!({ "name": "r", "on": ["sign_up"], "do": effects }))]
}

fn host() -> MockHost {
    // 2026-01-01T00:00:00Z
    MockHost::new().now(1_767_225_600_000).destination("team").contact(contact(
        "c1",
        Fields::new().with("firstName", "Ada").with("email", "ada@example.com"),
        &["old"],
    ))
}

fn sign_up() -> Event {
    event("sign_up").of_contact("c1").of_partner("7").with("score", 5).with("groups", ["a", "b"])
}

fn run(rules: &[Rule]) -> Result<Outcome> {
    automation::run(&sign_up(), rules, &ALL)
}

fn operations(host: &InstalledHost) -> Vec<&'static str> {
    host.calls().into_iter().map(|call| call.operation).collect()
}

#[test]
fn tags_are_added_and_removed_and_a_list_counts_as_its_elements() {
    let host = host().install();
    let outcome = run(&doing(
        json!([{ "add-tags": ["{{ groups }}", "plain", "{{ nothing }}"] }, { "remove-tags": ["old"] }]),
    ));
    assert_eq!(outcome, Ok(Outcome::done("r: added the tags a, b, plain, removed the tag old")));
    assert_eq!(host.stored_contact("c1").unwrap().tags, ["a", "b", "plain"]);
}

#[test]
fn literal_texts_cost_no_call_and_nothing_is_read_that_nobody_mentions() {
    let host = host().install();
    run(&doing(json!([{ "add-tags": ["lead"] }, { "add-note": { "body": "hello" } }]))).unwrap();
    assert_eq!(operations(&host), ["tags.add", "notes.create"]);
}

#[test]
fn only_a_rule_on_this_kind_of_event_mentions_a_name() {
    let rules = doing(json!([{ "add-note": { "body": "of {{ event_name }}", "title": "plan" } }]));
    assert!(automation::mentions(&rules, &rules[0].on[0], "event_name"));
    assert!(!automation::mentions(&rules, &rules[0].on[0], "plan"), "a plain text is no mention");
    assert!(!automation::mentions(&rules, "other", "event_name"));
}

#[test]
fn a_task_gets_its_due_date_from_the_runs_clock_or_from_a_value() {
    let host = host().install();
    let event = sign_up().with("until", "2026-02-03");
    let rules = doing(json!([
        { "create-task": { "title": "Welcome {{ contact.firstName }}", "due": "1d 12h", "assigned-to": "u1", "body": "{{ nothing }}" } },
        { "create-task": { "title": "Second", "due": "{{ until }}", "body": "b" } },
        { "create-task": { "title": "Third", "due": "{{ nothing }}" } },
    ]));
    let outcome = automation::run(&event, &rules, &ALL).unwrap();
    assert_eq!(
        outcome,
        Outcome::done(
            "r: created a task, created a task, created a task, due in a day because its `due` is empty"
        )
    );
    assert_eq!(
        host.writes(),
        [
            r#"tasks.create("c1", false, {title="Welcome Ada", dueDate="2026-01-02T12:00:00Z", assignedTo="u1"})"#,
            r#"tasks.create("c1", false, {title="Second", dueDate="2026-02-03T00:00:00Z", body="b"})"#,
            r#"tasks.create("c1", false, {title="Third", dueDate="2026-01-02T00:00:00Z"})"#,
        ]
    );
}

#[test]
fn a_due_date_that_is_none_is_refused_before_it_reaches_highlevel() {
    let host = host().install();
    let error = run(&doing(json!([{ "create-task": { "title": "t", "due": "soon" } }]))).unwrap_err();
    assert!(error.message().contains("rule `r`, create-task: `soon` is no instant"), "{}", error.message());
    host.assert_no_writes();
}

#[test]
fn open_tasks_of_a_title_are_completed() {
    let host = host().install();
    let due = Fields::new().with("dueDate", "2026-01-01T00:00:00Z");
    for title in ["Call", "Call", "Other"] {
        tasks::create("c1", false, &due.clone().with("title", title)).unwrap();
    }
    tasks::create("c1", true, &due.with("title", "Call")).unwrap();
    let rules = doing(json!([{ "complete-tasks": { "title": "Call" } }]));
    assert_eq!(run(&rules), Ok(Outcome::done("r: completed 2 tasks")));
    assert_eq!(run(&rules), Ok(Outcome::ignored("r: complete-tasks: no open task has this title")));
    assert_eq!(operations(&host).iter().filter(|operation| **operation == "tasks.set_completed").count(), 2);
}

#[test]
fn a_note_carries_its_values_and_its_title() {
    let host = host().install();
    run(&doing(
        json!([{ "add-note": { "body": "{{ score }} of {{ groups }}: {{ score > 3 }}", "title": "Score" } }]),
    ))
    .unwrap();
    assert_eq!(host.writes(), [r#"notes.create("c1", "5 of a, b: true", {title="Score"})"#]);
}

#[test]
fn workflows_are_started_and_stopped_and_an_empty_id_is_none() {
    let host = host().install();
    let outcome = run(&doing(
        json!([{ "start-workflow": "w1" }, { "stop-workflow": "w2" }, { "start-workflow": "{{ nothing }}" }]),
    ));
    assert_eq!(
        outcome,
        Ok(Outcome::done(
            "r: started the workflow w1, stopped the workflow w2, start-workflow: there is none"
        ))
    );
    assert_eq!(
        host.writes(),
        [r#"workflows.add("c1", "w1", None)"#, r#"workflows.remove("c1", "w2", None)"#]
    );
}

#[test]
fn a_notification_carries_the_event_and_an_unknown_destination_is_told() {
    let host = host().install();
    let outcome =
        run(&doing(json!([{ "notify": { "to": "team", "title": "New: {{ partner_id }}", "text": "x" } }])));
    assert_eq!(outcome, Ok(Outcome::done("r: told team")));
    let (destination, message) = host.messages().remove(0);
    assert_eq!(
        (destination.as_str(), message.title.as_str(), message.kind.as_str()),
        ("team", "New: 7", "sign_up")
    );
    let data: serde_json::Value = serde_json::from_str(&message.data).unwrap();
    assert_eq!(data["fields"]["score"], 5);
    assert_eq!((&data["contact_id"], &data["rule"]), (&json!("c1"), &json!("r")));

    let error = run(&doing(json!([{ "notify": { "to": "nobody", "title": "t" } }]))).unwrap_err();
    assert!(
        matches!(&error, Error::NotFound(text) if text.contains("rule `r`, notify") && text.contains("nobody"))
    );
}

#[test]
fn a_reminder_goes_off_before_its_instant_and_brings_the_events_fields_back() {
    let host = host().install();
    let rules = vec![
        rule(json!({ "name": "set", "on": ["AppointmentCreate"],
            "do": [{ "remind": { "name": "soon", "about": "{{ id }}", "at": "{{ start }}", "before": "2h" } }] })),
        rule(json!({ "name": "tell", "on": ["timer:soon"], "when": "event.title == 'Demo'",
            "do": [{ "add-note": { "body": "{{ title }} {{ about }} at {{ at }} for {{ partner_id }}" } }] })),
    ];
    let created = event("AppointmentCreate").of_contact("c1").of_partner("7");
    let created = created.with("id", "a1").with("title", "Demo").with("start", "2026-01-03T10:00:00Z");
    assert_eq!(automation::run(&created, &rules, &ALL), Ok(Outcome::done("set: set the reminder soon")));
    let timer = host.timers().remove(0);
    assert_eq!((timer.name.as_str(), timer.at.as_str()), ("soon/a1", "2026-01-03T08:00:00Z"));

    let gone_off = Event { payload: timer.payload, ..event("timer:soon").of_contact("c1") };
    assert_eq!(automation::run(&gone_off, &rules, &ALL), Ok(Outcome::done("tell: wrote a note")));
    assert!(host.writes()[0].contains(r#""Demo a1 at 2026-01-03T10:00:00Z for 7""#), "{:?}", host.writes());
}

#[test]
fn a_reminder_of_what_is_over_is_not_set_and_a_former_one_is_taken_back() {
    let host = host().install();
    let remind =
        |at: &str| doing(json!([{ "remind": { "name": "soon", "about": "a1", "at": at, "before": "1h" } }]));
    run(&remind("2026-01-01T00:30:00Z")).unwrap();
    assert_eq!(host.timers().len(), 1, "the hour before has begun, but it is not over");
    assert_eq!(run(&remind("2025-12-31")), Ok(Outcome::ignored("r: remind: it is too late for soon")));
    assert!(host.timers().is_empty());
    assert!(
        matches!(run(&remind("{{ nothing }}")), Ok(Outcome::Ignored(line)) if line.contains("no instant"))
    );
}

#[test]
fn a_reminder_is_cancelled_by_its_name_and_subject() {
    let host = host().install();
    let set = json!({ "remind": { "name": "soon", "about": "a1", "at": "2026-01-03" } });
    run(&doing(json!([set, { "cancel-reminder": { "name": "soon", "about": "{{ 'a2' }}" } }]))).unwrap();
    assert_eq!(host.timers().len(), 1);
    run(&doing(json!([{ "cancel-reminder": { "name": "soon", "about": "a1" } }]))).unwrap();
    assert!(host.timers().is_empty());
}

#[test]
fn a_timer_keeps_what_fits_and_its_name_is_held_to_the_limits() {
    let host = host().install();
    let large = "x".repeat(70_000);
    let rules = doing(json!([{ "remind": { "name": "soon", "about": "a1", "at": "2026-01-03" } }]));
    automation::run(&sign_up().with("large", large.as_str()), &rules, &ALL).unwrap();
    let payload = host.timers().remove(0).payload;
    assert!(payload.len() < 64 * 1024 && payload.contains("score"), "{} bytes", payload.len());
    for (name, about) in [("a/b", "x"), ("", "x"), ("a", large.as_str())] {
        let rules = doing(json!([{ "remind": { "name": name, "about": about, "at": "2026-01-03" } }]));
        assert!(matches!(run(&rules), Err(Error::Invalid(_))), "{name}");
    }
}

#[test]
fn an_action_gets_values_with_their_types_and_its_failure_passes_through() {
    let host = host().install();
    let outcome = run(&doing(
        json!([{ "run-action": { "action": "greet", "input": { "n": "{{ score }}", "t": "n {{ score }}" } } }]),
    ));
    assert_eq!(outcome, Ok(Outcome::done("r: ran greet")));
    assert_eq!(host.logs()[0].message, r#"greet {"n":5,"t":"n 5"}"#);
    let error = run(&doing(json!([{ "run-action": { "action": "fail" } }]))).unwrap_err();
    assert_eq!(error, Error::Unavailable("rule `r`, run-action: closed".into()));
}

#[test]
fn without_a_contact_an_effect_that_needs_one_is_ignored_and_says_so() {
    let host = host().install();
    let rules = doing(json!([
        { "add-tags": ["x"] }, { "create-task": { "title": "{{ contact.firstName }}" } }, { "add-note": { "body": "b" } },
        { "complete-tasks": { "title": "t" } }, { "start-workflow": "w" }
    ]));
    let outcome = automation::run(&event("sign_up"), &rules, &ALL).unwrap();
    let Outcome::Ignored(line) = outcome else { panic!("{outcome:?}") };
    assert_eq!(line.matches("no contact of HighLevel is known").count(), 5, "{line}");
    host.assert_no_writes();
}

#[test]
fn the_contact_is_read_once_and_only_for_a_rule_that_mentions_it() {
    let host = host().install();
    let rules = [
        rule(
            json!({ "name": "other", "on": ["else"], "when": "contact.email", "do": [{ "add-tags": ["no"] }] }),
        ),
        rule(
            json!({ "name": "one", "on": ["sign_up"], "when": "'old' in contact.tags", "do": [{ "add-tags": ["one"] }] }),
        ),
        rule(
            json!({ "name": "two", "on": ["sign_up"], "when": "contact.email == 'x'", "do": [{ "add-tags": ["two"] }] }),
        ),
    ];
    assert_eq!(run(&rules), Ok(Outcome::done("one: added the tag one; two: its condition does not hold")));
    assert_eq!(operations(&host), ["contacts.get", "tags.add"]);
}

#[test]
fn tasks_and_appointments_are_lists_of_objects() {
    let visit = Appointment {
        id: "a1".into(),
        contact_id: "c1".into(),
        start: Some("2026-01-03T10:00:00Z".into()),
        end: None,
        status: "showed".into(),
        fields: Fields::new().with("title", "Visit").into(),
    };
    let host = host().appointment(visit).install();
    tasks::create("c1", false, &Fields::new().with("title", "Call").with("dueDate", "2026-01-01T00:00:00Z"))
        .unwrap();
    let when = "contact.tasks|selectattr('completed', 'eq', false)|map(attribute='title')|first == 'Call' \
                and contact['appointments'][0].status == 'showed'";
    let rules =
        [rule(json!({ "name": "r", "on": ["sign_up"], "when": when, "do": [{ "add-tags": ["x"] }] }))];
    assert_eq!(run(&rules), Ok(Outcome::done("r: added the tag x")));
    assert_eq!(operations(&host)[1..], ["tasks.list_all", "appointments.list_all", "tags.add"]);

    let none = [rule(
        json!({ "name": "r", "on": ["x"], "when": "contact.tasks|length == 0", "do": [{ "add-tags": ["x"] }] }),
    )];
    let outcome = automation::run(&event("x"), &none, &ALL).unwrap();
    assert!(
        matches!(outcome, Outcome::Ignored(line) if line.contains("no contact")),
        "no contact has no tasks"
    );
}

#[test]
fn a_field_gives_way_to_a_name_of_the_scope_and_stays_in_reach() {
    let _host = host().install();
    let event =
        sign_up().with("source", "ad").with("contact", "x").with_payload(json!({ "deep": [{ "n": 1 }] }));
    let when = "source == 'partner' and event.source == 'ad' and contact.firstName == 'Ada' and payload.deep[0].n == 1 \
                and kind == 'sign_up' and contact_id == 'c1' and contact.id == 'c1'";
    let rules =
        [rule(json!({ "name": "r", "on": ["sign_up"], "when": when, "do": [{ "add-tags": ["x"] }] }))];
    assert_eq!(automation::run(&event, &rules, &ALL), Ok(Outcome::done("r: added the tag x")));
}

#[test]
fn a_contact_that_is_gone_has_no_values() {
    let _host = host().install();
    let rules = [rule(json!({ "name": "r", "on": ["ContactDelete"], "when": "not contact.email",
        "do": [{ "notify": { "to": "team", "title": "gone" } }] }))];
    let outcome = automation::run(&event("ContactDelete").of_contact("gone"), &rules, &ALL);
    assert_eq!(outcome, Ok(Outcome::done("r: told team")));
}

#[test]
fn an_effect_on_a_contact_that_was_deleted_meanwhile_is_left_out() {
    let _host = host().install();
    for effect in [
        json!({ "add-tags": ["x"] }),
        json!({ "create-task": { "title": "Call" } }),
        json!({ "add-note": { "body": "Called" } }),
        json!({ "complete-tasks": { "title": "Call" } }),
    ] {
        let rules = [rule(json!({ "name": "r", "on": ["ContactCreate"], "do": [effect] }))];
        let outcome = automation::run(&event("ContactCreate").of_contact("gone"), &rules, &ALL);
        let Ok(Outcome::Ignored(line)) = &outcome else { panic!("{outcome:?}") };
        assert!(line.contains("does not have the contact any more"), "{line}");
    }
}

#[test]
fn an_expression_that_fails_names_rule_effect_text_and_reason_and_nothing_was_written() {
    let host = host().install();
    let rules = [
        rule(json!({ "name": "good", "on": ["sign_up"], "do": [{ "add-tags": ["x"] }] })),
        rule(
            json!({ "name": "bad", "on": ["sign_up"], "do": [{ "add-note": { "body": "n {{ score|nope }}" } }] }),
        ),
    ];
    let error = run(&rules).unwrap_err();
    let Error::Invalid(problems) = &error else { panic!("{error:?}") };
    assert_eq!(problems[0].field, "rule `bad`");
    assert!(problems[0].problem.starts_with("add-note: `score|nope`: "), "{}", problems[0].problem);
    assert!(problems[0].problem.contains("there is no filter `nope`"), "{}", problems[0].problem);
    host.assert_no_writes();

    let when =
        [rule(json!({ "name": "bad", "on": ["sign_up"], "when": "1 +", "do": [{ "add-tags": ["x"] }] }))];
    assert!(run(&when).unwrap_err().message().contains("rule `bad`: when: `1 +`"));
}

#[test]
fn what_a_connector_does_not_link_is_refused_by_name() {
    let host = host().install();
    let few = Effects::new(&[TAGS]);
    assert_eq!(few.names(), ["add-tags", "remove-tags"]);
    let error =
        automation::run(&sign_up(), &doing(json!([{ "add-note": { "body": "b" } }])), &few).unwrap_err();
    assert!(
        error.message().contains("offers no `add-note`, only add-tags, remove-tags"),
        "{}",
        error.message()
    );
    let error = automation::run(&sign_up(), &doing(json!([{ "add-tags": ["{{ contact.city }}"] }])), &few)
        .unwrap_err();
    assert!(error.message().contains("cannot read `contact`"), "{}", error.message());
    host.assert_no_writes();
}

#[test]
fn a_call_that_fails_says_which_rule_made_it_and_keeps_its_case() {
    let _host = host()
        .fail("tags.add", Error::Limited(Some(1000)))
        .fail("contacts.get", Error::Unavailable("down".into()))
        .install();
    assert_eq!(run(&doing(json!([{ "add-tags": ["x"] }]))), Err(Error::Limited(Some(1000))));
    let error = run(&doing(json!([{ "add-note": { "body": "{{ contact.city }}" } }]))).unwrap_err();
    assert_eq!(error, Error::Unavailable("rule `r`, add-note: down".into()));
}

#[test]
fn an_event_that_no_rule_is_on_is_ignored() {
    let _host = host().install();
    let outcome = automation::run(&event("else"), &doing(json!([{ "add-tags": ["x"] }])), &ALL);
    assert_eq!(outcome, Ok(Outcome::ignored("no rule is on `else`")));
}
