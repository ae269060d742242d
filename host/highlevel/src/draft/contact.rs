//! Contacts: create and upsert share one list, update has a shorter one.

use serde_json::{Map, Value};

use super::checked_fields;
use super::rules::{Kind, Rule, Rules, clearable, field};
use crate::ids::LocationId;
use crate::version::ApiVersion;

const READ_ONLY: &str = "HighLevel sets it; it cannot be written";
const TAGS: &str = "tags change by adding and removing them; sending the set would wipe other people's tags";

/// Fields that a create or an upsert takes (`CreateContactDto`, `UpsertContactDto`).
const CREATE: &[Rule] = &[
    field("firstName", Kind::Text),
    field("lastName", Kind::Text),
    field("name", Kind::Text),
    field("email", Kind::Text),
    field("gender", Kind::Text),
    field("phone", Kind::Phone),
    field("address1", Kind::Text),
    field("city", Kind::Text),
    field("state", Kind::Text),
    field("postalCode", Kind::Text),
    field("website", Kind::Text),
    field("timezone", Kind::Text),
    field("dnd", Kind::Flag),
    field("dndSettings", Kind::Dnd),
    field("inboundDndSettings", Kind::InboundDnd),
    field("source", Kind::Text),
    field("dateOfBirth", Kind::Date),
    field("country", Kind::Country),
    field("companyName", Kind::Text),
    field("assignedTo", Kind::Text),
];

/// Fields that an update takes (`UpdateContactDto`): no `locationId`, `gender` or `companyName`. Clearable is what the
/// vendor marks as nullable there.
const UPDATE: &[Rule] = &[
    clearable("firstName", Kind::Text),
    clearable("lastName", Kind::Text),
    clearable("name", Kind::Text),
    clearable("email", Kind::Text),
    clearable("phone", Kind::Phone),
    clearable("address1", Kind::Text),
    clearable("city", Kind::Text),
    clearable("state", Kind::Text),
    field("postalCode", Kind::Text),
    clearable("website", Kind::Text),
    clearable("timezone", Kind::Text),
    field("dnd", Kind::Flag),
    field("dndSettings", Kind::Dnd),
    field("inboundDndSettings", Kind::InboundDnd),
    clearable("source", Kind::Text),
    clearable("dateOfBirth", Kind::Date),
    field("country", Kind::Country),
    clearable("assignedTo", Kind::Text),
];

const CREATE_RULES: Rules = Rules {
    subject: "a contact's create",
    fields: CREATE,
    required: &[],
    custom_fields: true,
    skip_null: true,
    refused: &[
        ("tags", "give the first tags beside the fields; later ones are added and removed"),
        ("locationId", "the host sets it: a connection is bound to one location"),
        ("customFields", "name each custom field as `customFields.<id>`"),
        ("id", READ_ONLY),
        ("dateAdded", READ_ONLY),
        ("dateUpdated", READ_ONLY),
        ("type", READ_ONLY),
        ("businessId", "a contact joins a business through the bulk operation"),
        ("followers", "followers change by adding and removing them"),
        ("additionalEmails", "HighLevel returns additional emails and does not accept them"),
        ("additionalPhones", "HighLevel returns additional phones and does not accept them"),
    ],
};

const UPDATE_RULES: Rules = Rules {
    subject: "a contact's update",
    fields: UPDATE,
    required: &[],
    custom_fields: true,
    skip_null: false,
    refused: &[
        ("tags", TAGS),
        ("locationId", "a contact cannot move to another location"),
        ("gender", "HighLevel refuses it on update; it can be set when the contact is created"),
        (
            "companyName",
            "HighLevel does not document it for update; it can be set when the contact is created",
        ),
        ("customFields", "name each custom field as `customFields.<id>`"),
        ("id", READ_ONLY),
        ("dateAdded", READ_ONLY),
        ("dateUpdated", READ_ONLY),
        ("type", READ_ONLY),
        ("businessId", "a contact joins a business through the bulk operation"),
        ("followers", "followers change by adding and removing them"),
        ("additionalEmails", "HighLevel returns additional emails and does not accept them"),
        ("additionalPhones", "HighLevel returns additional phones and does not accept them"),
    ],
};

checked_fields!(
    /// The fields of a new contact, for a create or an upsert. `null` means: leave it out.
    ContactDraft,
    CREATE_RULES
);

checked_fields!(
    /// Changed fields of a contact. `null` clears a field, where the vendor can; a custom field is cleared with an empty
    /// text (or an empty list, see [`crate::CustomFields::to_ids`]).
    ContactPatch,
    UPDATE_RULES
);

impl ContactDraft {
    /// Whether it carries an email or a phone. The vendor refuses a create without either (400).
    pub fn has_identifier(&self) -> bool {
        ["email", "phone"].iter().any(|name| {
            self.0.fields.get(*name).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty())
        })
    }

    pub(crate) fn body(&self, version: ApiVersion, location: &LocationId) -> Map<String, Value> {
        let mut body = self.0.body(version);
        body.insert("locationId".to_owned(), Value::String(location.as_str().to_owned()));
        body
    }
}

impl ContactPatch {
    /// Whether `null` clears this field at the vendor.
    pub fn can_clear(field: &str) -> bool {
        UPDATE.iter().any(|rule| rule.name == field && rule.clearable)
    }

    pub(crate) fn body(&self, version: ApiVersion) -> Map<String, Value> {
        self.0.body(version)
    }
}
