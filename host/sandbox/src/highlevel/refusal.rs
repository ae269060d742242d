//! The error bodies HighLevel answers with: the shapes of its specification, the texts as integrators quote them.

use serde_json::{Value, json};

use crate::http::Reply;

/// Texts a client has to match, because the status alone does not tell.
pub(crate) mod text {
    pub(crate) const INVALID_JWT: &str = "Invalid JWT";
    pub(crate) const SCOPE: &str = "The token is not authorized for this scope.";
    pub(crate) const NO_VERSION: &str = "version header was not found.";
    pub(crate) const BAD_VERSION: &str = "version header is invalid";
    pub(crate) const WRONG_LOCATION: &str = "The token does not have access to this location.";
    pub(crate) const DUPLICATE: &str = "This location does not allow duplicated contacts.";
    pub(crate) const SEARCH: &str = "Error occurred while searching for contact";
    pub(crate) const INACTIVE: &str = "Location is not active";
}

/// A request that is not carried out.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    body: Value,
    /// The contact that this location does not have.
    missing_contact: Option<String>,
}

pub(crate) type Answer = Result<Reply, Refusal>;

impl Refusal {
    fn new(status: u16, message: impl Into<Value>, error: &str) -> Self {
        let body = json!({"statusCode": status, "message": message.into(), "error": error});
        Self { status, body, missing_contact: None }
    }

    /// A business rule is broken, or an id is unknown.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message.into(), "Bad Request")
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(401, message, "Unauthorized")
    }

    pub(crate) fn forbidden(message: &str) -> Self {
        Self::new(403, message, "Forbidden")
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, message.into(), "Not Found")
    }

    /// The body or the query failed the schema.
    pub(crate) fn invalid(messages: Vec<String>) -> Self {
        Self::new(422, messages, "Unprocessable Entity")
    }

    pub(crate) fn too_many() -> Self {
        Self::new(429, "Too Many Requests", "Too Many Requests")
    }

    /// An unknown contact answers 400, not 404.
    pub(crate) fn no_contact(id: &str) -> Self {
        Self { missing_contact: Some(id.to_owned()), ..Self::bad(format!("Contact with id {id} not found")) }
    }

    /// The contact that was asked for and is not in this location.
    pub(crate) fn missing_contact(&self) -> Option<&str> {
        self.missing_contact.as_deref()
    }

    /// Names the contact that is already there; undocumented, but quoted by several integrators.
    pub(crate) fn duplicate(id: &str, name: &str, field: &str) -> Self {
        let meta = json!({"contactId": id, "contactName": name, "matchingField": field});
        let body = json!({"statusCode": 400, "message": text::DUPLICATE, "meta": meta});
        Self { status: 400, body, missing_contact: None }
    }

    /// The message, for a person.
    pub(crate) fn message(&self) -> String {
        self.body["message"].as_str().map_or_else(|| self.body["message"].to_string(), str::to_owned)
    }

    pub(crate) fn into_reply(mut self, trace_id: &str) -> Reply {
        self.body["traceId"] = json!(trace_id);
        Reply::json(self.status, &self.body)
    }
}
