//! Every trigger, set off: something comes of it.

use std::collections::BTreeMap;

use contactor_engine::{CatalogueEntry, CatalogueKind, CatalogueWay, ConnectionView};
use contactor_sandbox::SandboxError;
use contactor_sandbox::pheedloop::Envelope;
use contactor_store::{Run, RunFilter, RunKind, RunOutcome, WorkspaceId};
use contactor_tests::engine::{Partner, Stand, WORKSPACE};
use contactor_tests::partners;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{CONNECTORS, of};

/// The runs of a connection's automations, newest first.
async fn automations(stand: &Stand, connection: &ConnectionView) -> Vec<Run> {
    let filter = RunFilter { connection: Some(connection.id.clone()), limit: 200, ..RunFilter::default() };
    let runs = stand.engine.runs(filter).await.unwrap();
    runs.into_iter().filter(|run| run.kind == RunKind::Automation).collect()
}

/// A connector that listens to these kinds and, for each, writes a note about the contact if there is one.
async fn listener(stand: &Stand, kinds: &[&str]) -> ConnectionView {
    let calls = json!({ "calls": [] }).to_string();
    let scripts: BTreeMap<&str, &str> = kinds.iter().map(|kind| (*kind, calls.as_str())).collect();
    let partner = Partner {
        component: "guest-operations".to_owned(),
        base_url: stand.sandbox.prefinery_url(),
        credentials: [("token".to_owned(), stand.sandbox.prefinery().api_key().to_owned())].into(),
        settings: json!({
            "scripts": scripts,
            "rules": [{ "name": "all", "on": kinds, "do": [{ "add-tags": ["unused"] }] }],
        }),
        ..Partner::default()
    };
    stand.connect(partner).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_on_any_event_of_highlevel_is_run_when_the_event_comes() {
    let events = of("highlevel", CatalogueKind::Trigger);
    assert_eq!(events.len(), 58);
    let stand = Stand::serve().await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    let connection = listener(&stand, &kinds).await;
    let location = stand.sandbox.highlevel().first_location();
    for event in &events {
        let before = automations(&stand, &connection).await.len();
        let sent = stand.sandbox.highlevel().emit(&location, &event.name, event.example.clone()).unwrap();
        assert_eq!(sent["webhooks"].as_array().map(Vec::len), Some(1), "{}", event.id);
        stand.settle().await.unwrap();
        let runs = automations(&stand, &connection).await;
        assert_eq!(runs.len(), before + 1, "{}", event.id);
        assert_eq!(runs[0].outcome, RunOutcome::Applied, "{}: {}", event.id, runs[0].summary);
        assert!(
            runs[0].summary.starts_with(&format!("{}:", event.name)),
            "{}: {}",
            event.id,
            runs[0].summary
        );
        assert!(runs[0].event.is_some(), "{}", event.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_host_finds_by_itself_and_its_timers_are_events_as_well() {
    let host: Vec<String> = of("host", CatalogueKind::Trigger).into_iter().map(|entry| entry.name).collect();
    assert_eq!(host, ["TaskUpdate", "timer"]);
    let stand = Stand::serve().await.unwrap();
    let location = stand.sandbox.highlevel().first_location();
    let connection = listener(&stand, &["TaskUpdate"]).await;
    let edit = || stand.sandbox.highlevel().emit(&location, "TaskUpdate", Value::Null).unwrap();
    edit();
    stand.walk().await.unwrap();
    // Shorter than the walk rests.
    stand.advance(SignedDuration::from_mins(1));
    edit();
    stand.engine.look_at_tasks(&WorkspaceId::new(WORKSPACE)).await.unwrap();
    stand.walk().await.unwrap();
    let runs = automations(&stand, &connection).await;
    assert!(runs[0].summary.starts_with("TaskUpdate:"), "{}", runs[0].summary);

    let pheedloop = partners::connect(&stand, partners::pheedloop(&stand.sandbox)).await.unwrap();
    stand.engine.receive_sample(&pheedloop.id, "timer:appointment").await.unwrap();
    stand.settle().await.unwrap();
    assert!(!automations(&stand, &pheedloop).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trigger_of_every_connector_is_set_off_and_a_rule_on_it_is_run() {
    let mut faults = Vec::new();
    for connector in CONNECTORS {
        for trigger in of(connector, CatalogueKind::Trigger) {
            if let Err(fault) = set_off(connector, &trigger).await {
                faults.push(format!("{}: {fault}", trigger.id));
            }
        }
    }
    assert!(faults.is_empty(), "{} of them:\n{}", faults.len(), faults.join("\n"));
}

/// Triggers that no double sets off, as nothing is known of how the vendor would: what the manifest shows is received instead.
const WITHOUT_SENDER: [&str; 1] = ["referrizer.contact_hint"];

/// Triggers whose sample names a contact that is nowhere: the rule is run, and says that it has nobody to work on.
const WITHOUT_CONTACT: [&str; 2] = ["pheedloop.timer:appointment", "referrizer.contact_hint"];

async fn set_off(connector: &str, trigger: &CatalogueEntry) -> Result<(), String> {
    let stand = Stand::serve_with(partners::sandbox()).await.unwrap();
    let partner = partners::all(&stand.sandbox).into_iter().find(|partner| partner.component == connector);
    let mut partner = partner.unwrap();
    partner.settings["rules"] =
        json!([{ "name": "seen", "on": [trigger.name], "do": [{ "add-tags": ["seen"] }] }]);
    let connection = partners::connect(&stand, partner).await.unwrap();
    let location = stand.sandbox.highlevel().first_location();
    // Of the bodies that a REST hook may have, the one that names its action.
    let mut guesses = stand.sandbox.pheedloop().guesses();
    guesses.envelope = Envelope::Named;
    stand.sandbox.pheedloop().set_guesses(guesses);
    stand.walk().await.unwrap();
    // Something to begin with, of which an earlier look has seen everything.
    // A day: the longest interval of a stream.
    let later = async || {
        stand.advance(SignedDuration::from_hours(25));
        stand.walk().await.unwrap();
    };
    match trigger.way {
        CatalogueWay::HighlevelWebhook => {
            let sent = stand.sandbox.highlevel().emit(&location, &trigger.name, trigger.example.clone());
            sent.map_err(|error| error.to_string())?;
            stand.settle().await.unwrap();
        }
        CatalogueWay::PartnerWebhook | CatalogueWay::PartnerPoll => {
            if let Some(first) = first(&trigger.name) {
                by_double(&stand, connector, first).map_err(|error| error.to_string())?;
                stand.settle().await.unwrap();
                later().await;
            }
            if WITHOUT_SENDER.contains(&trigger.id.as_str()) {
                let told = by_double(&stand, connector, &trigger.name);
                if !matches!(told, Err(SandboxError::NoTrigger(_))) {
                    return Err(format!("the double has a sender: {told:?}"));
                }
                // What its manifest shows comes.
                let received = stand.engine.receive_sample(&connection.id, &trigger.name).await;
                received.map_err(|error| error.to_string())?;
            } else {
                by_double(&stand, connector, &trigger.name).map_err(|error| error.to_string())?;
            }
            stand.settle().await.unwrap();
            later().await;
        }
        CatalogueWay::Timer => {
            let received = stand.engine.receive_sample(&connection.id, &trigger.name).await;
            received.map_err(|error| error.to_string())?;
            stand.settle().await.unwrap();
        }
        other => return Err(format!("nobody knows how {other:?} is set off")),
    }
    let runs = automations(&stand, &connection).await;
    if let Some(bad) =
        runs.iter().find(|run| matches!(run.outcome, RunOutcome::Parked | RunOutcome::Retrying))
    {
        return Err(format!("{:?}: {}", bad.outcome, bad.summary));
    }
    if WITHOUT_CONTACT.contains(&trigger.id.as_str()) {
        let line = format!("{}: seen: add-tags: no contact of HighLevel is known", trigger.name);
        let told = runs.iter().any(|run| run.outcome == RunOutcome::Skipped && run.summary == line);
        return if told { Ok(()) } else { Err(format!("none of {} runs says `{line}`", runs.len())) };
    }
    let its_own = |run: &&Run| {
        run.outcome == RunOutcome::Applied && run.summary.starts_with(&format!("{}:", trigger.name))
    };
    let Some(run) = runs.iter().find(its_own) else {
        let filter = RunFilter { connection: Some(connection.id.clone()), limit: 20, ..RunFilter::default() };
        let all = stand.engine.runs(filter).await.unwrap();
        let all: Vec<_> =
            all.iter().map(|run| format!("{:?} {:?} {}", run.kind, run.outcome, run.summary)).collect();
        return Err(format!("its rule did nothing; {all:#?}"));
    };
    effect_is_seen(&stand, run)
}

/// The tag that the rule puts on its contact is there.
fn effect_is_seen(stand: &Stand, run: &Run) -> Result<(), String> {
    let highlevel = stand.sandbox.highlevel();
    let tagged =
        |contact: &Value| contact["tags"].as_array().is_some_and(|tags| tags.contains(&json!("seen")));
    let seen = match &run.highlevel_id {
        Some(id) => {
            highlevel.contact(&highlevel.first_location(), id.as_str()).is_some_and(|one| tagged(&one))
        }
        // The rule looked for its contact, or made it.
        None => highlevel.contacts(&highlevel.first_location()).iter().any(tagged),
    };
    if seen { Ok(()) } else { Err(format!("{}, and no contact has the tag", run.summary)) }
}

/// What has to be there before, so that the trigger changes it.
fn first(trigger: &str) -> Option<&'static str> {
    Some(match trigger {
        "submission_approved" | "submission_rejected" | "submission_payed" | "submission_deleted" => {
            "submission"
        }
        "status_changed" | "reward_redeemed" => "lead_created",
        "contact.updated"
        | "contact.deleted"
        | "contact.unsubscribed"
        | "purchase"
        | "cart.abandoned"
        | "segment.entered"
        | "task.completed" => "contact.created",
        "cancellation" | "checkin" => "signup",
        "attendee.updated" | "attendee.deleted" => "attendee.created",
        "tester_updated" | "tester_deleted" | "reward_earned" | "reward_delivered" | "reward_revoked"
        | "points_earned" | "points_revoked" => "tester_created",
        _ => return None,
    })
}

fn by_double(stand: &Stand, connector: &str, trigger: &str) -> Result<Value, SandboxError> {
    let sandbox = &stand.sandbox;
    match connector {
        "connectif" => sandbox.connectif().emit(trigger),
        "formbuilder" => sandbox.formbuilder().emit(sandbox.formbuilder().first_form(), trigger),
        "pheedloop" => sandbox.pheedloop().emit(trigger),
        "prefinery" => sandbox.prefinery().emit(sandbox.prefinery().first_project(), trigger),
        _ => sandbox.referrizer().emit(trigger),
    }
}
