//! What the host answered, as JSON.

use contactor_sdk::appointments::Appointment;
use contactor_sdk::bulk::BulkOutcome;
use contactor_sdk::contacts::{Contact, ContactPage, UpsertOutcome};
use contactor_sdk::notes::Note;
use contactor_sdk::partner::{Pair, Response};
use contactor_sdk::state::Entry;
use contactor_sdk::tags::TagChange;
use contactor_sdk::tasks::Task;
use contactor_sdk::{Error, Fields, NamedValue, Result, Value};
use serde_json::{Value as Json, json};

/// `{"ok": …}` or `{"error": …}`.
pub(crate) fn outcome<T: Show>(answer: Result<T>) -> Result<Json> {
    match answer {
        Ok(answer) => Ok(json!({ "ok": answer.show()? })),
        Err(error) => Ok(json!({ "error": of_error(error) })),
    }
}

fn of_error(error: Error) -> Json {
    let (case, detail) = match error {
        Error::NotFound(text) => ("not-found", json!(text)),
        Error::Invalid(problems) => {
            let each = problems.into_iter().map(|one| json!({ "field": one.field, "problem": one.problem }));
            ("invalid", each.collect())
        }
        Error::Duplicate(id) => ("duplicate", json!(id)),
        Error::Denied(what) => ("denied", json!(what)),
        Error::Unauthorized(text) => ("unauthorized", json!(text)),
        Error::Limited(millis) => ("limited", json!(millis)),
        Error::Unavailable(text) => ("unavailable", json!(text)),
        Error::Conflict(text) => ("conflict", json!(text)),
        Error::Unsupported(text) => ("unsupported", json!(text)),
        Error::Other(text) => ("other", json!(text)),
    };
    json!({ "case": case, "detail": detail })
}

/// A host's answer that a test can read.
pub(crate) trait Show {
    /// The answer under the names of `wit/`; named values become one object.
    fn show(self) -> Result<Json>;
}

/// What JSON can hold as it is.
macro_rules! plain {
    ($($Type:ty),*) => {
        $(impl Show for $Type {
            fn show(self) -> Result<Json> {
                Ok(json!(self))
            }
        })*
    };
}

plain!((), String, u64);

impl<T: Show> Show for Vec<T> {
    fn show(self) -> Result<Json> {
        self.into_iter().map(Show::show).collect()
    }
}

impl<T: Show> Show for Option<T> {
    fn show(self) -> Result<Json> {
        self.map_or(Ok(Json::Null), Show::show)
    }
}

fn fields(values: Vec<NamedValue>) -> Result<Json> {
    Fields::from(values).to_json().map(Json::Object)
}

impl Show for Value {
    fn show(self) -> Result<Json> {
        self.to_json()
    }
}

impl Show for Contact {
    fn show(self) -> Result<Json> {
        Ok(json!({ "id": self.id, "tags": self.tags, "fields": fields(self.fields)? }))
    }
}

impl Show for ContactPage {
    fn show(self) -> Result<Json> {
        Ok(json!({ "contacts": self.contacts.show()?, "next": self.next, "total": self.total }))
    }
}

impl Show for UpsertOutcome {
    fn show(self) -> Result<Json> {
        Ok(json!({ "created": self.created, "contact": self.contact.show()? }))
    }
}

impl Show for Task {
    fn show(self) -> Result<Json> {
        let Self { id, contact_id, completed, fields: values } = self;
        Ok(json!({ "id": id, "contact-id": contact_id, "completed": completed, "fields": fields(values)? }))
    }
}

impl Show for Note {
    fn show(self) -> Result<Json> {
        let Self { id, contact_id, body, fields: values } = self;
        Ok(json!({ "id": id, "contact-id": contact_id, "body": body, "fields": fields(values)? }))
    }
}

impl Show for Appointment {
    fn show(self) -> Result<Json> {
        let Self { id, contact_id, start, end, status, fields: values } = self;
        let values = fields(values)?;
        Ok(json!({
            "id": id, "contact-id": contact_id, "start": start, "end": end, "status": status, "fields": values,
        }))
    }
}

impl Show for TagChange {
    fn show(self) -> Result<Json> {
        Ok(json!({ "tags": self.tags, "changed": self.changed }))
    }
}

impl Show for BulkOutcome {
    fn show(self) -> Result<Json> {
        let responses = self.responses.iter().map(|response| Ok(serde_json::from_str(response)?));
        Ok(json!({ "errors": self.errors, "responses": responses.collect::<Result<Vec<Json>>>()? }))
    }
}

impl Show for Entry {
    fn show(self) -> Result<Json> {
        Ok(json!({ "value": String::from_utf8_lossy(&self.value), "version": self.version }))
    }
}

impl Show for Response {
    fn show(self) -> Result<Json> {
        let headers: Fields = self.headers.into_iter().map(|Pair { name, value }| (name, value)).collect();
        let body = String::from_utf8_lossy(&self.body);
        Ok(json!({ "status": self.status, "headers": headers.to_json()?, "body": body }))
    }
}
