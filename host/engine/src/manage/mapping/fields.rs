//! Whether the two fields of a row are there, and what they hold.

use std::collections::{BTreeMap, BTreeSet};

use contactor_highlevel::{ContactDraft, ContactPatch, CustomFieldDefinition, CustomFields};
use contactor_manifest::Manifest;
use contactor_store::Workspace;
use contactor_sync::{FieldType, Mapping, RowSpec, Side};

use crate::active::{field_type, owner_of};
use crate::engine::Engine;
use crate::error::EngineError;

/// How a custom field is addressed: `customFields.<key>`.
const CUSTOM: &str = "customFields.";
/// Names that a message lists at most.
const LISTED: usize = 60;

/// HighLevel's fields of a contact beside those that can be written; all of them can be read.
const READ_ONLY: [&str; 11] = [
    "id",
    "tags",
    "type",
    "dateAdded",
    "dateUpdated",
    "businessId",
    "followers",
    "additionalEmails",
    "additionalPhones",
    "attributionSource",
    "lastAttributionSource",
];
const TASK: [&str; 6] = ["id", "title", "body", "dueDate", "completed", "assignedTo"];
const NOTE: [&str; 3] = ["id", "body", "title"];
const APPOINTMENT: [&str; 8] = ["id", "title", "start", "end", "status", "calendarId", "notes", "address"];

/// A field of the partner's.
pub(in crate::manage) struct PartnerField {
    pub(in crate::manage) kind: FieldType,
    pub(in crate::manage) read_only: bool,
}

/// The partner's field of this name.
pub(in crate::manage) fn of_partner(
    manifest: &Manifest,
    entity: &str,
    name: &str,
) -> Result<PartnerField, EngineError> {
    let owner = owner_of(manifest, entity).unwrap_or(entity);
    if let Some(field) = manifest.field(owner, name) {
        return Ok(PartnerField { kind: field_type(field.kind), read_only: field.read_only });
    }
    let known: Vec<&str> = manifest.fields_of(owner).map(|field| field.name.as_str()).collect();
    Err(EngineError::Invalid(format!(
        "{} has no field `{name}` of a {owner}; it has {}",
        manifest.partner.name,
        listed(&known)
    )))
}

/// The type of HighLevel's field of this name, where it says one.
pub(in crate::manage) async fn of_highlevel(
    engine: &Engine,
    workspace: &Workspace,
    entity: &str,
    name: &str,
) -> Result<Option<FieldType>, EngineError> {
    let unknown = |known: &[&str]| {
        Err(EngineError::Invalid(format!(
            "HighLevel has no field `{name}` of a {entity}; it has {}",
            listed(known)
        )))
    };
    match entity {
        "contact" => match name.strip_prefix(CUSTOM) {
            Some(key) => custom_field(engine, workspace, key).await,
            None => {
                let known: Vec<&str> = ContactDraft::writable().chain(READ_ONLY).collect();
                if known.contains(&name) { Ok(Some(of_contact(name))) } else { unknown(&known) }
            }
        },
        "task" if TASK.contains(&name) => Ok(Some(of_child(name))),
        "task" => unknown(&TASK),
        "note" if NOTE.contains(&name) => Ok(Some(of_child(name))),
        "note" => unknown(&NOTE),
        "appointment" if APPOINTMENT.contains(&name) => Ok(Some(of_child(name))),
        "appointment" => unknown(&APPOINTMENT),
        // The list as a whole has one field, which is called like the list.
        list if name == list => Ok(Some(FieldType::Json)),
        list => unknown(&[list]),
    }
}

async fn custom_field(
    engine: &Engine,
    workspace: &Workspace,
    key: &str,
) -> Result<Option<FieldType>, EngineError> {
    let location = engine.location(workspace);
    let fields = engine.custom_fields_anew(workspace, &location).await.map_err(|failure| {
        EngineError::Invalid(format!("custom fields cannot be read: {}", failure.message))
    })?;
    match fields.get(key) {
        Some(definition) => Ok(Some(of_definition(definition))),
        None => Err(no_custom_fields(&[key], &fields)),
    }
}

fn no_custom_fields(keys: &[&str], fields: &CustomFields) -> EngineError {
    let mut known: Vec<String> =
        fields.iter().filter_map(CustomFieldDefinition::key).map(|key| format!("{CUSTOM}{key}")).collect();
    known.sort();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    EngineError::Invalid(format!(
        "the location has no custom field {}; it has {}",
        keys.iter().map(|key| format!("`{CUSTOM}{key}`")).collect::<Vec<_>>().join(", "),
        if known.is_empty() { "none: define it in HighLevel first".to_owned() } else { listed(&known) }
    ))
}

/// The custom fields that rows or their expressions name, by key.
fn custom_fields_of(mappings: &BTreeMap<String, Mapping>) -> BTreeSet<String> {
    let Some(contact) = mappings.get("contact") else { return BTreeSet::new() };
    let rows = contact.rows().map(|row| row.highlevel.clone());
    let names = contact.inputs(Side::Highlevel).into_iter().chain(rows);
    names.filter_map(|name| name.strip_prefix(CUSTOM).map(str::to_owned)).collect()
}

/// Whether the location has every custom field that a mapping names and the one before it did not. When HighLevel cannot be
/// asked, nothing is refused: the first run that misses a field tells.
pub(in crate::manage) async fn check_custom_fields(
    engine: &Engine,
    workspace: &Workspace,
    before: &BTreeMap<String, Mapping>,
    after: &BTreeMap<String, Mapping>,
) -> Result<(), EngineError> {
    let (before, after) = (custom_fields_of(before), custom_fields_of(after));
    if after.is_subset(&before) {
        return Ok(());
    }
    let fields = match engine.custom_fields_anew(workspace, &engine.location(workspace)).await {
        Ok(fields) => fields,
        Err(failure) => {
            tracing::warn!(workspace = %workspace.id, reason = failure.message, "custom fields of a mapping were not looked up");
            return Ok(());
        }
    };
    let missing = after.difference(&before).filter(|key| !is_known(&fields, key));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    if missing.is_empty() { Ok(()) } else { Err(no_custom_fields(&missing, &fields)) }
}

/// An expression may reach into the value of a field.
pub(crate) fn is_known(fields: &CustomFields, key: &str) -> bool {
    let outer = key.split('.').next().unwrap_or(key);
    fields.get(key).or_else(|| fields.get(outer)).is_some()
}

pub(crate) fn of_definition(definition: &CustomFieldDefinition) -> FieldType {
    match definition.data_type.as_deref() {
        Some("NUMERICAL" | "MONETORY" | "FLOAT") => FieldType::Number,
        Some("DATE") => FieldType::Date,
        Some("PHONE") => FieldType::Phone,
        Some("EMAIL") => FieldType::Email,
        _ if definition.is_multiple() => FieldType::Set,
        _ => FieldType::Text,
    }
}

pub(crate) fn of_contact(name: &str) -> FieldType {
    match name {
        "email" => FieldType::Email,
        "phone" => FieldType::Phone,
        "tags" => FieldType::Tags,
        "followers" => FieldType::Set,
        "dnd" => FieldType::Boolean,
        "dateOfBirth" => FieldType::Date,
        "dateAdded" | "dateUpdated" => FieldType::Instant,
        "dndSettings"
        | "inboundDndSettings"
        | "additionalEmails"
        | "additionalPhones"
        | "attributionSource"
        | "lastAttributionSource" => FieldType::Json,
        _ => FieldType::Text,
    }
}

fn of_child(name: &str) -> FieldType {
    match name {
        "dueDate" | "start" | "end" => FieldType::Instant,
        "completed" => FieldType::Boolean,
        _ => FieldType::Text,
    }
}

/// Whether values may go where the row sends them.
pub(super) fn check_direction(
    row: &RowSpec,
    partner: &PartnerField,
    entity: &str,
) -> Result<(), EngineError> {
    let key = row.key();
    if partner.read_only && row.direction.flows_from(Side::Highlevel) && !row.off {
        return Err(EngineError::Invalid(format!(
            "mapping row {key}: `{}` can only be read at the partner; give the row the direction `to-highlevel`",
            row.partner
        )));
    }
    let name = row.highlevel.as_str();
    let writable = match entity {
        "contact" => name == "tags" || ContactDraft::accepts(name) || ContactPatch::accepts(name),
        "task" | "note" => name != "id",
        // Appointments and whole lists are only shown to the partner.
        _ => false,
    };
    if !writable && row.direction.flows_from(Side::Partner) && !row.off {
        return Err(EngineError::Invalid(format!(
            "mapping row {key}: `{name}` cannot be written in HighLevel; give the row the direction `to-partner`"
        )));
    }
    Ok(())
}

fn listed(names: &[&str]) -> String {
    let mut text = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        text.push_str(", …");
    }
    text
}
