//! Notes of a contact.

use serde_json::{Map, Value, json};

use super::refusal::{Answer, Refusal};
use super::state::Note;
use super::tx::{Request, Tx};
use super::{schema, validate, wire};

pub(super) fn list(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let contact_id = request.id(0);
    tx.contact(contact_id)?;
    let location_id = tx.location_id();
    let notes = tx.state.notes.get(contact_id).map(Vec::as_slice).unwrap_or_default();
    let notes: Vec<_> = notes.iter().rev().map(|note| wire::note(note, contact_id, &location_id)).collect();
    request.reply(200, json!({"notes": notes}))
}

pub(super) fn create(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = validate::body(request.call, schema::CREATE_NOTE)?;
    let note = insert(tx, request.id(0), &body)?;
    request.reply(201, json!({"note": wire::note(&note, request.id(0), &tx.location_id())}))
}

pub(super) fn get(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let (contact_id, id) = (request.id(0), request.id(1));
    tx.contact(contact_id)?;
    let notes = tx.state.notes.get(contact_id).map(Vec::as_slice).unwrap_or_default();
    let note = notes.iter().find(|note| note.id == id).ok_or_else(|| no_note(id))?;
    request.reply(200, json!({"note": wire::note(note, contact_id, &tx.location_id())}))
}

pub(super) fn update(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = validate::body(request.call, schema::UPDATE_NOTE)?;
    let note = change(tx, request.id(0), request.id(1), &body)?;
    request.reply(200, json!({"note": wire::note(&note, request.id(0), &tx.location_id())}))
}

pub(super) fn delete(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    remove(tx, request.id(0), request.id(1))?;
    request.success(200)
}

fn no_note(id: &str) -> Refusal {
    Refusal::bad(format!("Note with id {id} not found"))
}

pub(super) fn insert(tx: &mut Tx<'_>, contact_id: &str, body: &Map<String, Value>) -> Result<Note, Refusal> {
    tx.contact(contact_id)?;
    let text = |name| validate::text(body, name).map(str::to_owned);
    let note = Note {
        id: tx.state.new_id(),
        body: text("body").unwrap_or_default(),
        user_id: text("userId"),
        title: text("title"),
        color: text("color"),
        pinned: body.get("pinned").and_then(Value::as_bool),
        added: tx.now,
    };
    tx.state.notes.entry(contact_id.to_owned()).or_default().push(note.clone());
    tx.emit_note("NoteCreate", &note, contact_id);
    Ok(note)
}

pub(super) fn change(
    tx: &mut Tx<'_>,
    contact_id: &str,
    id: &str,
    body: &Map<String, Value>,
) -> Result<Note, Refusal> {
    tx.contact(contact_id)?;
    let notes = tx.state.notes.entry(contact_id.to_owned()).or_default();
    let note = notes.iter_mut().find(|note| note.id == id).ok_or_else(|| no_note(id))?;
    let text = |name| validate::text(body, name).map(str::to_owned);
    note.body = text("body").unwrap_or_else(|| note.body.clone());
    note.user_id = text("userId").or_else(|| note.user_id.clone());
    note.title = text("title").or_else(|| note.title.clone());
    note.color = text("color").or_else(|| note.color.clone());
    note.pinned = body.get("pinned").and_then(Value::as_bool).or(note.pinned);
    let note = note.clone();
    tx.emit_note("NoteUpdate", &note, contact_id);
    Ok(note)
}

pub(super) fn remove(tx: &mut Tx<'_>, contact_id: &str, id: &str) -> Result<(), Refusal> {
    tx.contact(contact_id)?;
    let notes = tx.state.notes.entry(contact_id.to_owned()).or_default();
    let at = notes.iter().position(|note| note.id == id).ok_or_else(|| no_note(id))?;
    let note = notes.remove(at);
    tx.emit_note("NoteDelete", &note, contact_id);
    Ok(())
}
