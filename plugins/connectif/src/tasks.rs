//! Completed tasks, both ways: one that is completed in HighLevel sets an event off at Connectif, so that workflows run there; a
//! workflow completes a task of HighLevel by its id.

use contactor_sdk::notifications::Message;
use contactor_sdk::{
    Error, Event, Named, Outcome, Result, ResultExt, Source, contacts, notifications, tasks,
};
use serde_json::{Map, Value as Json, json};

use crate::settings::Settings;
use crate::{actions, contact};

pub(crate) fn handle(settings: &Settings, event: &Event) -> Result<Option<Outcome>> {
    match (event.source, event.kind.as_str()) {
        (Source::Highlevel, "TaskComplete") => completed(settings, event).map(Some),
        (Source::Partner, "task.completed") => complete(event).map(Some),
        _ => Ok(None),
    }
}

fn completed(settings: &Settings, event: &Event) -> Result<Outcome> {
    let targets = (&settings.task_event_path, &settings.task_event_destination);
    if matches!(targets, (None, None)) {
        return Ok(Outcome::ignored("no event of Connectif is set up for completed tasks"));
    }
    let Some(email) = email(event)? else {
        return Ok(Outcome::ignored("the contact has no email address, so Connectif does not know it"));
    };
    let mut body = Map::from_iter([
        ("email".to_owned(), Json::from(email)),
        ("completed_at".to_owned(), json!(event.at)),
    ]);
    for (theirs, ours) in [("task_id", ["id", "taskId"]), ("title", ["title", "name"])] {
        if let Some(text) = ours.into_iter().find_map(|name| event.fields.text(name)) {
            body.insert(theirs.to_owned(), Json::from(text));
        }
    }
    if let Some(path) = &settings.task_event_path {
        actions::send_event(path, false, &body)?;
    }
    if let Some(destination) = &settings.task_event_destination {
        let title = body.get("title").and_then(Json::as_str).unwrap_or("A task").to_owned();
        let data = Json::Object(body).to_string();
        let message = Message { kind: "task.completed".into(), text: title.clone(), title, data };
        notifications::send(destination, &message)?;
    }
    Ok(Outcome::done("told Connectif of the completed task"))
}

/// The contact's address at Connectif is its id there.
fn email(event: &Event) -> Result<Option<String>> {
    if let Some(email) = event.partner_id.as_deref().filter(|id| id.contains('@')) {
        return Ok(Some(email.to_owned()));
    }
    let Some(id) = &event.contact_id else { return Ok(None) };
    let contact = contacts::get(id).found()?;
    Ok(contact.as_ref().and_then(Named::email).map(contact::id))
}

fn complete(event: &Event) -> Result<Outcome> {
    let (Some(contact), Some(task)) = (&event.contact_id, event.fields.text("task_id")) else {
        return Ok(Outcome::ignored("the event names no task, or its contact is not in HighLevel"));
    };
    match tasks::set_completed(contact, task, true) {
        Ok(_) => Ok(Outcome::done(format!("completed the task {task}"))),
        Err(Error::NotFound(_)) => Ok(Outcome::ignored(format!("the contact has no task {task} any more"))),
        Err(error) => Err(error),
    }
}
