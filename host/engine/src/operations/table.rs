//! What there is: the 32 operations of the Contacts API, the reading of a contact's tags, and what a host needs of locations and
//! calendars beside them.

use contactor_highlevel::search::{MAX_LIST_PAGE, MAX_PAGE};
use contactor_highlevel::{
    AppointmentDraft, AppointmentPatch, ContactDraft, ContactPatch, NoteDraft, NotePatch, TaskDraft,
    TaskPatch, operation as op,
};
use serde_json::{Map, Value, json};

use super::VendorOperation;

/// An id of the vendor's in examples.
const CONTACT: &str = "ocQHyuzHvysMo5N5VsXc";
const TASK: &str = "5HrB1IbmnKMBXloldFuP";
const NOTE: &str = "otg8dTQqGLh3Q6iQI55w";

macro_rules! operations {
    ($($name:literal $request:ident $title:literal $help:literal $parameters:expr => $example:expr;)*) => {
        /// Every operation.
        pub(crate) static ALL: &[VendorOperation] = &[$(VendorOperation {
            name: $name,
            title: $title,
            help: $help,
            request: &op::$request,
            parameters: || $parameters,
            example: || $example,
        }),*];
    };
}

operations! {
    // --- contacts
    "contacts.search" CONTACTS_SEARCH "Search contacts"
        "The vendor's index lags behind writes by seconds. Custom fields are filtered by id. `cursor` is the `next` of the page before."
        search() => json!({ "filters": [{ "field": "email", "operator": "eq", "value": "ann@example.com" }], "limit": 20 });
    "contacts.find-duplicate" CONTACTS_FIND_DUPLICATE "Find the contact that HighLevel takes for the same person"
        "Null when there is none. With both an email and a phone, the location's setting decides which counts."
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "email": { "type": "string", "format": "email" }, "phone": { "type": "string" } },
            "anyOf": [{ "required": ["email"] }, { "required": ["phone"] }],
        }) => json!({ "email": "ann@example.com" });
    "contacts.get" CONTACTS_GET "Read a contact" ""
        ids(&["contactId"]) => json!({ "contactId": CONTACT });
    "contacts.create" CONTACTS_CREATE "Create a contact"
        "Needs an email or a phone. Custom fields are named `customFields.<key>`."
        with(ContactDraft::schema(), &[], &[("tags", texts())])
        => json!({ "firstName": "Ann", "lastName": "Miller", "email": "ann.miller@example.com", "tags": ["lead"] });
    "contacts.update" CONTACTS_UPDATE "Change fields of a contact"
        "Tags are not among them: they are added and removed. Null clears a field, where the vendor can."
        with(ContactPatch::schema(), &["contactId"], &[]) => json!({ "contactId": CONTACT, "city": "Berlin" });
    "contacts.delete" CONTACTS_DELETE "Delete a contact" "It can be restored at the vendor within 60 days."
        ids(&["contactId"]) => json!({ "contactId": CONTACT });
    "contacts.upsert" CONTACTS_UPSERT "Create a contact or change the one that matches"
        "When email and phone match two contacts, the vendor changes the first and silently leaves the other field out."
        with(ContactDraft::schema(), &[], &[("createNewIfDuplicateAllowed", json!({ "type": "boolean" }))])
        => json!({ "firstName": "Bob", "email": "bob@example.com" });
    "contacts.list" CONTACTS_LIST "List contacts by their creation" "The vendor calls this listing deprecated in favour of the search."
        object(&[], &[("query", text()), ("limit", whole(1, MAX_LIST_PAGE)), ("cursor", text())]) => json!({ "limit": 20 });
    "contacts.list-by-business" CONTACTS_BY_BUSINESS "List the contacts of a business" ""
        object(&["businessId"], &[
            ("businessId", id()), ("query", text()), ("limit", whole(1, MAX_LIST_PAGE)), ("skip", whole(0, 1_000_000)),
        ]) => json!({ "businessId": "641c094001436dbc2081e642", "limit": 20 });
    "contacts.add-followers" FOLLOWERS_ADD "Let users follow a contact" ""
        object(&["contactId", "followers"], &[("contactId", id()), ("followers", some_texts())])
        => json!({ "contactId": CONTACT, "followers": ["sx6wyHhbFdRXh302Lunr"] });
    "contacts.remove-followers" FOLLOWERS_REMOVE "Let users no longer follow a contact" ""
        object(&["contactId", "followers"], &[("contactId", id()), ("followers", some_texts())])
        => json!({ "contactId": CONTACT, "followers": ["sx6wyHhbFdRXh302Lunr"] });
    // --- many contacts at once
    "bulk.set-business" BULK_BUSINESS "Put contacts into a business, or out of any" "At most 50 at once."
        object(&["contactIds"], &[
            ("contactIds", json!({ "type": "array", "items": id(), "minItems": 1, "maxItems": 50 })),
            ("businessId", json!({ "type": ["string", "null"] })),
        ]) => json!({ "contactIds": [CONTACT], "businessId": "641c094001436dbc2081e642" });
    "bulk.update-tags" BULK_TAGS "Add or remove tags of many contacts"
        "At most 50 at once. The answer says for each contact whether it worked: the request succeeds even when some fail."
        object(&["mode", "contactIds"], &[
            ("mode", json!({ "enum": ["add", "remove", "remove-all"] })),
            ("contactIds", json!({ "type": "array", "items": id(), "minItems": 1, "maxItems": 50 })),
            ("tags", texts()),
        ]) => json!({ "mode": "add", "contactIds": [CONTACT], "tags": ["fair"] });
    // --- tasks
    "tasks.list" TASKS_LIST "List the tasks of a contact" ""
        ids(&["contactId"]) => json!({ "contactId": CONTACT });
    "tasks.create" TASKS_CREATE "Create a task for a contact" ""
        with(TaskDraft::schema(), &["contactId"], &[])
        => json!({ "contactId": CONTACT, "title": "Call back", "dueDate": "2026-12-01T09:00:00Z" });
    "tasks.get" TASKS_GET "Read a task" ""
        ids(&["contactId", "taskId"]) => json!({ "contactId": CONTACT, "taskId": TASK });
    "tasks.update" TASKS_UPDATE "Change fields of a task" "No webhook tells of it."
        with(TaskPatch::schema(), &["contactId", "taskId"], &[])
        => json!({ "contactId": CONTACT, "taskId": TASK, "title": "Call again" });
    "tasks.delete" TASKS_DELETE "Delete a task" ""
        ids(&["contactId", "taskId"]) => json!({ "contactId": CONTACT, "taskId": TASK });
    "tasks.set-completed" TASKS_SET_COMPLETED "Mark a task as done or open" "Reopening fires no webhook."
        object(&["contactId", "taskId", "completed"], &[("contactId", id()), ("taskId", id()), ("completed", flag())])
        => json!({ "contactId": CONTACT, "taskId": TASK, "completed": true });
    // --- notes
    "notes.list" NOTES_LIST "List the notes of a contact" ""
        ids(&["contactId"]) => json!({ "contactId": CONTACT });
    "notes.create" NOTES_CREATE "Write a note about a contact" "The body may hold HTML."
        with(NoteDraft::schema(), &["contactId"], &[]) => json!({ "contactId": CONTACT, "body": "Met at the fair" });
    "notes.get" NOTES_GET "Read a note" ""
        ids(&["contactId", "noteId"]) => json!({ "contactId": CONTACT, "noteId": NOTE });
    "notes.update" NOTES_UPDATE "Change a note" ""
        with(NotePatch::schema(), &["contactId", "noteId"], &[])
        => json!({ "contactId": CONTACT, "noteId": NOTE, "body": "Met at the fair, wants a demo" });
    "notes.delete" NOTES_DELETE "Delete a note" ""
        ids(&["contactId", "noteId"]) => json!({ "contactId": CONTACT, "noteId": NOTE });
    // --- tags, campaigns, workflows, appointments of a contact
    "tags.list" CONTACTS_GET "List the tags of a contact" "The vendor has no such request: the contact is read."
        ids(&["contactId"]) => json!({ "contactId": CONTACT });
    "tags.add" TAGS_ADD "Add tags to a contact" "Other tags stay. The vendor trims and lower-cases them."
        object(&["contactId", "tags"], &[("contactId", id()), ("tags", some_texts())])
        => json!({ "contactId": CONTACT, "tags": ["vip"] });
    "tags.remove" TAGS_REMOVE "Remove tags from a contact" "Other tags stay."
        object(&["contactId", "tags"], &[("contactId", id()), ("tags", some_texts())])
        => json!({ "contactId": CONTACT, "tags": ["vip"] });
    "campaigns.add" CAMPAIGNS_ADD "Add a contact to a campaign" ""
        ids(&["contactId", "campaignId"]) => json!({ "contactId": CONTACT, "campaignId": "2hxvXh8Fjc69SvujEWMD" });
    "campaigns.remove" CAMPAIGNS_REMOVE "Remove a contact from a campaign" ""
        ids(&["contactId", "campaignId"]) => json!({ "contactId": CONTACT, "campaignId": "2hxvXh8Fjc69SvujEWMD" });
    "campaigns.remove-all" CAMPAIGNS_REMOVE_ALL "Remove a contact from every campaign" ""
        ids(&["contactId"]) => json!({ "contactId": CONTACT });
    "workflows.add" WORKFLOWS_ADD "Add a contact to a workflow" "`eventStartTime` is when it starts; at once if left out."
        object(&["contactId", "workflowId"], &[("contactId", id()), ("workflowId", id()), ("eventStartTime", instant())])
        => json!({ "contactId": CONTACT, "workflowId": "f61c2e4a-1b1c-4f4e-9c1d-2a0c7d7e9a11" });
    "workflows.remove" WORKFLOWS_REMOVE "Remove a contact from a workflow" ""
        object(&["contactId", "workflowId"], &[("contactId", id()), ("workflowId", id()), ("eventStartTime", instant())])
        => json!({ "contactId": CONTACT, "workflowId": "f61c2e4a-1b1c-4f4e-9c1d-2a0c7d7e9a11" });
    "appointments.list" CONTACT_APPOINTMENTS "List the appointments of a contact" "Times come without a zone; they are the location's."
        ids(&["contactId"]) => json!({ "contactId": CONTACT });
    // --- the location
    "location.get" LOCATION_GET "Read the location: name, time zone, country, settings" ""
        ids(&[]) => json!({});
    "location.tags.list" LOCATION_TAGS_LIST "List the tags that the location knows" ""
        ids(&[]) => json!({});
    "location.tags.create" LOCATION_TAGS_CREATE "Make a tag known to the location" "Seldom needed: adding a tag to a contact does it as well."
        object(&["name"], &[("name", id())]) => json!({ "name": "vip" });
    "location.custom-fields.list" LOCATION_CUSTOM_FIELDS "List the custom fields of contacts" ""
        ids(&[]) => json!({});
    "location.tasks.search" LOCATION_TASKS_SEARCH "List tasks across contacts" "There is no \"changed since\" and no order; pages are counted by offset."
        object(&[], &[
            ("contactIds", texts()), ("assignedTo", texts()), ("completed", flag()), ("query", text()),
            ("businessId", text()), ("limit", whole(1, 100)), ("skip", whole(0, 1_000_000)),
        ]) => json!({ "completed": false, "limit": 25 });
    // --- calendars
    "calendar.events.list" EVENTS_LIST "List calendar events of a calendar, a user or a group" "There is no \"changed since\"."
        json!({
            "type": "object", "required": ["startTime", "endTime"], "additionalProperties": false,
            "properties": {
                "calendarId": text(), "userId": text(), "groupId": text(), "startTime": instant(), "endTime": instant(),
            },
            "oneOf": [{ "required": ["calendarId"] }, { "required": ["userId"] }, { "required": ["groupId"] }],
        }) => json!({
            "calendarId": "BqTwX8QFwXzpegMve9EQ",
            "startTime": "2026-12-01T00:00:00Z", "endTime": "2026-12-08T00:00:00Z",
        });
    "appointments.get" APPOINTMENTS_GET "Read an appointment" "A deleted one is answered, too, and says so."
        ids(&["appointmentId"]) => json!({ "appointmentId": "0007BWpSzSwfiuSl0tR2" });
    "appointments.create" APPOINTMENTS_CREATE "Book an appointment"
        "Unless given, `toNotify` is false and `ignoreFreeSlotValidation` true."
        AppointmentDraft::schema() => json!({
            "calendarId": "BqTwX8QFwXzpegMve9EQ", "contactId": CONTACT, "title": "Demo",
            "startTime": "2026-12-01T10:00:00Z", "endTime": "2026-12-01T10:30:00Z",
        });
    "appointments.update" APPOINTMENTS_UPDATE "Change an appointment" ""
        with(AppointmentPatch::schema(), &["appointmentId"], &[])
        => json!({ "appointmentId": "0007BWpSzSwfiuSl0tR2", "title": "Demo, moved" });
    "appointments.delete" APPOINTMENTS_DELETE "Delete an appointment" ""
        ids(&["appointmentId"]) => json!({ "appointmentId": "0007BWpSzSwfiuSl0tR2" });
}

fn id() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn texts() -> Value {
    json!({ "type": "array", "items": { "type": "string", "minLength": 1 } })
}

fn some_texts() -> Value {
    json!({ "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

fn instant() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn whole(minimum: u32, maximum: u32) -> Value {
    json!({ "type": "integer", "minimum": minimum, "maximum": maximum })
}

/// An object with exactly these ids.
fn ids(names: &[&str]) -> Value {
    let properties: Vec<_> = names.iter().map(|name| (*name, id())).collect();
    object(names, &properties)
}

fn object(required: &[&str], properties: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> =
        properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// The schema of a body with the ids of the path, and other parameters, beside its fields.
fn with(mut body: Value, ids: &[&str], more: &[(&str, Value)]) -> Value {
    let mut required: Vec<Value> = ids.iter().map(|name| json!(name)).collect();
    required.extend(body["required"].as_array().cloned().unwrap_or_default());
    for name in ids {
        body["properties"][*name] = id();
    }
    for (name, schema) in more {
        body["properties"][*name] = schema.clone();
    }
    if !required.is_empty() {
        body["required"] = Value::Array(required);
    }
    body
}

fn search() -> Value {
    let filter = json!({
        "type": "object", "required": ["field", "operator"], "additionalProperties": false,
        "properties": {
            "field": id(),
            "operator": { "enum": ["eq", "not_eq", "contains", "not_contains", "exists", "not_exists", "range"] },
            "value": {},
        },
    });
    let sort = json!({
        "type": "object", "required": ["field"], "additionalProperties": false,
        "properties": { "field": id(), "direction": { "enum": ["asc", "desc"] } },
    });
    object(
        &[],
        &[
            ("query", text()),
            ("filters", json!({ "type": "array", "items": filter })),
            ("sort", json!({ "type": "array", "items": sort, "maxItems": 2 })),
            ("limit", whole(1, MAX_PAGE)),
            ("cursor", text()),
        ],
    )
}
