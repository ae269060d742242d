//! One story for each of the other partners, played after Prefinery's in the same workspace.

use anyhow::{Context as _, Result, ensure};
use contactor_sandbox::formbuilder::FormAct;
use contactor_sandbox::highlevel::PersonAct;
use contactor_sandbox::pheedloop::{Envelope, EventAct};
use serde_json::{Value, json};

use super::play::Stage;
use crate::partners;

/// A contact of HighLevel with a task becomes a contact of Connectif with a task list; a completed task leaves the list.
pub(super) async fn connectif(stage: &Stage) -> Result<String> {
    let hook = stage.connect(partners::connectif(&stage.sandbox)).await?;
    stage.sandbox.connectif().set_webhook_target(Some(hook.parse()?));
    let id = stage
        .new_contact(json!({ "firstName": "Hedy", "email": "hedy@example.com", "tags": ["inventor"] }))?;
    let fields = json!({ "title": "Call Hedy", "dueDate": "2027-01-15T09:00:00Z", "completed": false });
    let task = stage.highlevel(PersonAct::CreateTask { contact: id.clone(), fields })?;
    stage.settled().await?;
    let there = || stage.sandbox.connectif().contact("hedy@example.com").unwrap_or_default();
    let open = || {
        serde_json::from_str::<Vec<Value>>(there()["hl_tasks"].as_str().unwrap_or("[]")).unwrap_or_default()
    };
    ensure!(there()["_name"] == "Hedy", "Connectif shows {}", there());
    ensure!(
        open().len() == 1 && open()[0]["title"] == "Call Hedy",
        "the task list is {}",
        there()["hl_tasks"]
    );
    let task = task["id"].as_str().context("a task without an id")?.to_owned();
    stage.highlevel(PersonAct::EditTask { contact: id, task, fields: json!({ "completed": true }) })?;
    stage.settled().await?;
    ensure!(open().is_empty(), "the completed task is still listed: {}", there()["hl_tasks"]);
    ensure!(there()["hl_done_tasks"] == 1, "{} tasks are counted as done", there()["hl_done_tasks"]);
    Ok("contact with tags and one open task; completed, it left the list and is counted".to_owned())
}

/// A form is submitted: a contact with one welcome task, however often the webhook comes.
pub(super) async fn formbuilder(stage: &Stage) -> Result<String> {
    let hook = stage.connect(partners::formbuilder(&stage.sandbox)).await?;
    let double = stage.sandbox.formbuilder();
    let form = double.first_form();
    double.add_webhook(form, hook.parse()?).await?;
    stage.first_poll("formbuilder.submissions.list").await?;
    let answers = json!({ "Name/First": "Mary", "Name/Last": "Shelley", "Email": "mary@example.com" });
    double.act(form, FormAct::Submit { answers })?;
    stage.settled().await?;
    for webhook in double.webhooks().webhooks() {
        double.webhooks().redeliver(webhook.sequence);
    }
    stage.settled().await?;
    let contact = stage.find("mary@example.com")?;
    let tasks = stage.tasks(&contact);
    ensure!(tasks == ["Welcome Mary"], "the tasks are {tasks:?}");
    Ok("a contact with one task, Welcome Mary; the webhook came twice".to_owned())
}

/// A kept appointment is one visit, and nobody is messaged.
pub(super) async fn referrizer(stage: &Stage) -> Result<String> {
    stage.connect(partners::referrizer(&stage.sandbox)).await?;
    let id = stage.new_contact(json!({ "firstName": "Rosa", "email": "rosa@example.com" }))?;
    stage.settled().await?;
    let fields = json!({
        "contactId": id, "calendarId": "cal", "title": "Fitting",
        "startTime": "2026-01-20T09:00:00Z", "endTime": "2026-01-20T09:30:00Z",
    });
    let booked = stage.highlevel(PersonAct::Book { fields })?;
    let appointment = booked["id"].as_str().context("an appointment without an id")?.to_owned();
    let fields = json!({ "appointmentStatus": "showed" });
    stage.highlevel(PersonAct::EditAppointment { appointment, fields })?;
    stage.settled().await?;
    let double = stage.sandbox.referrizer();
    let visits = double.visits();
    ensure!(visits.len() == 1, "{} visits", visits.len());
    ensure!(visits[0]["date"] == "2026-01-20T09:00:00.000Z", "the visit is {}", visits[0]);
    let messages = double.messages();
    ensure!(
        messages.invitations + messages.visit_notifications == 0,
        "customers were messaged: {messages:?}"
    );
    Ok(format!("one visit on {}, with its date, so that nobody is messaged", visits[0]["date"]))
}

/// A sign-up is tagged for its event and gets its onboarding tasks; no welcome mail leaves.
pub(super) async fn pheedloop(stage: &Stage) -> Result<String> {
    let partner = partners::pheedloop(&stage.sandbox);
    let hook = stage.connect(partner).await?;
    let double = stage.sandbox.pheedloop();
    // Of the bodies that a hook may have, the one that names the registration: the others are found by the poll, minutes later.
    let mut guesses = double.guesses();
    guesses.envelope = Envelope::Named;
    double.set_guesses(guesses);
    for action in ["registration.created", "attendee.created", "attendee.updated"] {
        let input = json!({ "event": double.first_event(), "action": action, "endpoint": hook });
        stage
            .host
            .post("/workspaces/acme/actions/pheedloop.resthooks.subscribe", &json!({ "input": input }))
            .await?;
    }
    stage.first_poll("pheedloop.registrations.list").await?;
    let fields = json!({ "first_name": "Ida", "last_name": "Rhodes", "email": "ida@example.com" });
    double.act(EventAct::Register { event: None, fields })?;
    stage.settled().await?;
    let contact = stage.find("ida@example.com")?;
    let tasks = stage.tasks(&contact);
    ensure!(tasks.len() == 2 && tasks.iter().all(|title| title.contains("Ida")), "the tasks are {tasks:?}");
    let tags: Vec<&str> =
        contact["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    ensure!(tags.iter().any(|tag| tag.starts_with("event ")), "the tags are {tags:?}");
    let welcomes = double.welcomes();
    ensure!(
        welcomes == contactor_sandbox::pheedloop::Welcomes::default(),
        "welcome mails left: {welcomes:?}"
    );
    Ok(format!("tags {}; tasks {}", tags.join(", "), tasks.join(", ")))
}
