//! What a person does in HighLevel's own interface, and what it sets off.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::config::MatchBy;
use super::refusal::Refusal;
use super::schema;
use super::state::Contact;
use super::tx::{Actor, Tx, object};
use super::wire::{self, Version};
use super::{HighLevel, appointments, contacts, locations, normal, notes, relations, tasks, validate};
use crate::SandboxError;

/// Deleted contacts can be restored this long (help article 48001211386).
const RESTORABLE_MILLIS: i64 = 60 * 86_400_000;
/// A merge takes at most ten contacts, the master among them.
const MERGE_MAX: usize = 10;

/// One act of a person. `fields` carry the names of the API's bodies (without `locationId`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are ids and bodies by the names of the API")]
pub enum PersonAct {
    /// Saves a new contact; a bare name is enough.
    CreateContact { fields: Value },
    /// Changes a contact; `tags` replace all.
    EditContact { contact: String, fields: Value },
    /// Adds a secondary email, which the API cannot.
    AddEmail { contact: String, email: String },
    /// Adds a secondary phone, which the API cannot.
    AddPhone { contact: String, phone: String },
    /// The contact itself opts out of everything: inbound DND, of which no webhook tells (vendor issue 264).
    OptOut { contact: String },
    /// Adds tags.
    AddTags { contact: String, tags: Vec<String> },
    /// Removes tags.
    RemoveTags { contact: String, tags: Vec<String> },
    /// Deletes softly.
    DeleteContact { contact: String },
    /// Brings a deleted contact back under its old id, within 60 days. Fires nothing.
    RestoreContact { contact: String },
    /// Keeps the master, deletes the others and moves their tasks, notes and appointments to the master. Fires
    /// ContactDelete for each loser and ContactUpdate for the master; there is no merge event.
    MergeContacts { master: String, losers: Vec<String> },
    /// Creates a task.
    CreateTask { contact: String, fields: Value },
    /// Edits a task; fires nothing unless it completes the task.
    EditTask { contact: String, task: String, fields: Value },
    /// Deletes a task.
    DeleteTask { contact: String, task: String },
    /// Writes a note.
    CreateNote { contact: String, fields: Value },
    /// Edits a note.
    EditNote { contact: String, note: String, fields: Value },
    /// Deletes a note.
    DeleteNote { contact: String, note: String },
    /// Books an appointment; `fields` as in the calendars API.
    Book { fields: Value },
    /// Moves or edits an appointment.
    EditAppointment { appointment: String, fields: Value },
    /// Deletes an appointment.
    DeleteAppointment { appointment: String },
    /// Changes settings of the location; what is absent stays. Fires LocationUpdate.
    ChangeSettings {
        #[serde(default)]
        allow_duplicate_contact: Option<bool>,
        #[serde(default)]
        match_by: Option<Vec<MatchBy>>,
        #[serde(default)]
        country: Option<String>,
        #[serde(default)]
        timezone: Option<String>,
    },
    /// Defines a custom field of contacts (`TEXT`, `NUMERICAL`, `MONETORY`, `CHECKBOX`, …). Fires nothing.
    DefineCustomField { name: String, data_type: String },
}

impl HighLevel {
    /// Does what a person would do in the vendor's own interface, and returns the record as the API would show it.
    ///
    /// # Errors
    /// When the location is unknown, or the interface would refuse (an unknown record, a malformed field).
    pub fn act(&self, location: &str, act: PersonAct) -> Result<Value, SandboxError> {
        let location = self.location(location)?;
        let now = self.clock.millis();
        let done = self.change(&location, now, Actor::Person, |tx| perform(tx, act));
        done.map_err(|refusal| SandboxError::Refused(refusal.message()))
    }
}

fn perform(tx: &mut Tx<'_>, act: PersonAct) -> Result<Value, Refusal> {
    let location_id = tx.location_id();
    let show = |contact: &Contact| Value::Object(wire::contact(contact, &location_id, Version::Dated));
    match act {
        PersonAct::CreateContact { fields } => {
            let fields = checked(fields, schema::PERSON_CONTACT)?;
            contacts::insert(tx, &fields).map(|contact| show(&contact))
        }
        PersonAct::EditContact { contact, fields } => {
            let fields = checked(fields, schema::PERSON_CONTACT)?;
            contacts::change(tx, &contact, &fields).map(|contact| show(&contact))
        }
        PersonAct::AddEmail { contact, email } => {
            edit(tx, &contact, |contact| contact.additional_emails.push(email)).map(|contact| show(&contact))
        }
        PersonAct::AddPhone { contact, phone } => {
            let phone =
                normal::phone(&phone, &tx.state.config.country).ok_or_else(|| Refusal::bad("no digits"))?;
            edit(tx, &contact, |contact| contact.additional_phones.push(phone)).map(|contact| show(&contact))
        }
        PersonAct::OptOut { contact } => {
            let mut contact = Contact::clone(&*tx.contact(&contact)?);
            contact.inbound_dnd.insert("all".into(), json!({"status": "active", "message": "Unsubscribed"}));
            Ok(show(&tx.store_changed(contact)))
        }
        PersonAct::AddTags { contact, tags } => tag(tx, &contact, &tags, true),
        PersonAct::RemoveTags { contact, tags } => tag(tx, &contact, &tags, false),
        PersonAct::DeleteContact { contact } => contacts::remove(tx, &contact).map(|()| Value::Null),
        PersonAct::RestoreContact { contact } => restore(tx, &contact).map(|contact| show(&contact)),
        PersonAct::MergeContacts { master, losers } => {
            merge(tx, &master, &losers).map(|contact| show(&contact))
        }
        PersonAct::CreateTask { contact, fields } => {
            let task = tasks::insert(tx, &contact, &checked(fields, schema::CREATE_TASK)?)?;
            Ok(wire::task(&task, &contact))
        }
        PersonAct::EditTask { contact, task, fields } => {
            let task = tasks::change(tx, &contact, &task, &checked(fields, schema::UPDATE_TASK)?)?;
            Ok(wire::task(&task, &contact))
        }
        PersonAct::DeleteTask { contact, task } => tasks::remove(tx, &contact, &task).map(|()| Value::Null),
        PersonAct::CreateNote { contact, fields } => {
            let note = notes::insert(tx, &contact, &checked(fields, schema::CREATE_NOTE)?)?;
            Ok(wire::note(&note, &contact, &location_id))
        }
        PersonAct::EditNote { contact, note, fields } => {
            let note = notes::change(tx, &contact, &note, &checked(fields, schema::UPDATE_NOTE)?)?;
            Ok(wire::note(&note, &contact, &location_id))
        }
        PersonAct::DeleteNote { contact, note } => notes::remove(tx, &contact, &note).map(|()| Value::Null),
        PersonAct::Book { fields } => {
            let mut fields = object(fields);
            fields.insert("locationId".into(), json!(location_id));
            validate::check(&fields, schema::CREATE_APPOINTMENT)?;
            let event = appointments::insert(tx, &fields)?;
            Ok(wire::calendar_event(&event, &tx.state.config))
        }
        PersonAct::EditAppointment { appointment, fields } => {
            let fields = checked(fields, schema::UPDATE_APPOINTMENT)?;
            let event = appointments::change(tx, &appointment, &fields)?;
            Ok(wire::calendar_event(&event, &tx.state.config))
        }
        PersonAct::DeleteAppointment { appointment } => {
            appointments::remove(tx, &appointment).map(|()| Value::Null)
        }
        PersonAct::ChangeSettings { allow_duplicate_contact, match_by, country, timezone } => {
            let config = &mut tx.state.config;
            config.allow_duplicate_contact =
                allow_duplicate_contact.unwrap_or(config.allow_duplicate_contact);
            config.match_by = match_by.unwrap_or_else(|| config.match_by.clone());
            config.country = country.unwrap_or_else(|| config.country.clone());
            config.timezone = timezone.unwrap_or_else(|| config.timezone.clone());
            tx.events.push((
                "LocationUpdate".into(),
                object(json!({"id": location_id, "name": tx.state.config.name})),
            ));
            Ok(Value::Null)
        }
        PersonAct::DefineCustomField { name, data_type } => {
            let field = locations::define(tx.state, &name, &data_type, "contact", Vec::new())?;
            Ok(field.to_json(&location_id))
        }
    }
}

fn checked(fields: Value, schema: schema::Schema) -> Result<Map<String, Value>, Refusal> {
    let fields = object(fields);
    validate::check(&fields, schema).map(|()| fields)
}

fn edit(tx: &mut Tx<'_>, id: &str, change: impl FnOnce(&mut Contact)) -> Result<Arc<Contact>, Refusal> {
    let before = tx.contact(id)?;
    let mut contact = Contact::clone(&before);
    change(&mut contact);
    let after = tx.store_changed(contact);
    tx.emit_change(&before, &after);
    Ok(after)
}

fn tag(tx: &mut Tx<'_>, contact: &str, tags: &[String], add: bool) -> Result<Value, Refusal> {
    let tags = normal::tags(tags.iter().map(String::as_str));
    relations::change_tags(tx, contact, &tags, add).map(|(all, _)| json!({"tags": all}))
}

fn restore(tx: &mut Tx<'_>, id: &str) -> Result<Arc<Contact>, Refusal> {
    let gone = tx.state.contact_or_tombstone(id).filter(|contact| contact.deleted).cloned();
    let contact = gone.ok_or_else(|| Refusal::bad(format!("there is no deleted contact {id}")))?;
    if contact.merged_into.is_some() {
        return Err(Refusal::bad("a merge cannot be undone"));
    }
    if tx.now - contact.date_updated > RESTORABLE_MILLIS {
        return Err(Refusal::bad("a contact can be restored within 60 days only"));
    }
    Ok(tx.store_changed(Contact { deleted: false, ..Contact::clone(&contact) }))
}

fn merge(tx: &mut Tx<'_>, master: &str, losers: &[String]) -> Result<Arc<Contact>, Refusal> {
    if losers.is_empty() || losers.len() + 1 > MERGE_MAX || losers.iter().any(|loser| loser == master) {
        return Err(Refusal::bad("a merge takes two to ten different contacts"));
    }
    let before = tx.contact(master)?;
    let gone = losers.iter().map(|id| tx.contact(id)).collect::<Result<Vec<_>, _>>()?;
    let mut merged = Contact::clone(&before);
    for loser in gone {
        take_over(&mut merged, &loser);
        move_children(tx, &loser.id, master);
        tx.emit_contact("ContactDelete", &loser);
        let tombstone =
            Contact { deleted: true, merged_into: Some(master.to_owned()), ..Contact::clone(&loser) };
        tx.store_changed(tombstone);
    }
    let after = tx.store_changed(merged);
    tx.emit_contact("ContactUpdate", &after);
    Ok(after)
}

/// Values only where the master's are blank; further addresses become secondary ones; tags are joined.
fn take_over(master: &mut Contact, loser: &Contact) {
    for (secondary, name) in
        [(&mut master.additional_emails, "email"), (&mut master.additional_phones, "phone")]
    {
        let primary = master.text.get(name);
        if let Some(value) = loser.text.get(name).filter(|value| primary.is_some_and(|own| own != *value)) {
            secondary.push(value.clone());
        }
    }
    for (name, value) in &loser.text {
        master.text.entry(name).or_insert_with(|| value.clone());
    }
    for (id, value) in &loser.custom {
        master.custom.entry(id.clone()).or_insert_with(|| value.clone());
    }
    let tags: Vec<String> = master.tags.iter().chain(&loser.tags).cloned().collect();
    master.tags = normal::tags(tags.iter().map(String::as_str));
}

/// Tasks, notes and appointments keep their ids and get another contact.
fn move_children(tx: &mut Tx<'_>, from: &str, to: &str) {
    if let Some(tasks) = tx.state.tasks.remove(from) {
        tx.state.tasks.entry(to.to_owned()).or_default().extend(tasks);
    }
    if let Some(notes) = tx.state.notes.remove(from) {
        tx.state.notes.entry(to.to_owned()).or_default().extend(notes);
    }
    for event in tx.state.appointments.values_mut().filter(|event| event.contact_id == from) {
        to.clone_into(&mut event.contact_id);
    }
}
