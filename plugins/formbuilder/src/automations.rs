//! What happens by itself: the admin's rules, and what no rule can say.

use contactor_sdk::automation::{
    self, CONTACTS, Effects, NOTES, NOTIFICATIONS, Part, TAGS, TASKS, TIMERS, WORKFLOWS, actions,
};
use contactor_sdk::{Connector, Event, Named, Outcome, Result, ResultExt, contacts, tags, tasks};

use crate::settings::{Settings, split};
use crate::{FormBuilder, actions as own};

/// What rules may do; the manifest's setting `rules` lists the same.
pub const EFFECTS: Effects =
    Effects::new(&[CONTACTS, TAGS, TASKS, NOTES, WORKFLOWS, NOTIFICATIONS, TIMERS, RUN]);
const RUN: Part = actions(<FormBuilder as Connector>::run);

/// Stands before the id of the submission in the text of a task that belongs to it.
const REFERENCE: &str = "123FormBuilder submission ";

pub(crate) fn handle(settings: &Settings, event: &Event) -> Result<Outcome> {
    let own = match event.kind.as_str() {
        "TaskComplete" => completed(settings, event)?,
        "ContactCreate" | "ContactTagUpdate" => match &event.contact_id {
            Some(contact) => automation::route(contact, &settings.tag_workflows, &settings.tag_tags)?,
            None => None,
        },
        "submission_deleted" => soft_deleted(settings, event)?,
        _ => None,
    };
    let ruled = automation::run(event, &settings.rules, &EFFECTS)?;
    Ok(ruled.behind(own.map(Outcome::Done)))
}

/// The submission's `approved` or `payed` follows the completion of its task.
fn completed(settings: &Settings, event: &Event) -> Result<Option<String>> {
    let sets = settings.completion_sets.as_str();
    if sets == "none" {
        return Ok(None);
    }
    let body = match (event.text("body"), event.contact_id.as_deref(), event.text("id")) {
        (Some(body), _, _) => Some(body.to_owned()),
        (None, Some(contact), Some(task)) => tasks::get(contact, task)?.text("body").map(str::to_owned),
        _ => None,
    };
    let Some(id) = body.as_deref().and_then(reference) else { return Ok(None) };
    let (form, _) = split(id)?;
    if !settings.form_ids.iter().any(|own| own == form) || !belongs(id, event)? {
        return Ok(None);
    }
    own::mark(id, sets != "payed", sets != "approved")?;
    Ok(Some(format!("marked the submission {id} after its task was completed")))
}

/// The submission that a line of the task names, if the line is nothing else: the words of a form may be in a task as well.
fn reference(body: &str) -> Option<&str> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut named = body.lines().filter_map(|line| line.trim().strip_prefix(REFERENCE));
    named.find(|id| split(id).is_ok_and(|(form, own)| is_number(form) && is_number(own)))
}

/// Whether a submission is of the event's contact: the linked one, or another one of the same person. Whoever can write a task's text
/// must not thereby approve what somebody else sent.
fn belongs(id: &str, event: &Event) -> Result<bool> {
    if event.partner_id.as_deref() == Some(id) {
        return Ok(true);
    }
    let Some(contact) = &event.contact_id else { return Ok(false) };
    let (Some(contact), Some(submission)) =
        (contacts::get(contact).found()?, FormBuilder::read("contact", id).found()?)
    else {
        return Ok(false);
    };
    let same = |name: &str| {
        let own = contact.text(name).map(str::trim).filter(|own| !own.is_empty());
        own.is_some_and(|own| submission.text(name).is_some_and(|told| told.trim().eq_ignore_ascii_case(own)))
    };
    Ok(same("email") || same("phone"))
}

/// A deleted submission never deletes a contact: it is tagged, and the host lets the link rest.
fn soft_deleted(settings: &Settings, event: &Event) -> Result<Option<String>> {
    match &event.contact_id {
        Some(contact) if !settings.soft_delete_tag.is_empty() => {
            tags::add(contact, std::slice::from_ref(&settings.soft_delete_tag))?;
            Ok(Some(format!("added the tag {}", settings.soft_delete_tag)))
        }
        _ => Ok(None),
    }
}
