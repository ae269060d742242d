//! Operations on many contacts at once.

use serde_json::{Map, Value, json};

use crate::client::Location;
use crate::draft::FieldProblem;
use crate::error::Error;
use crate::ids::{BusinessId, ContactId};
use crate::operation as op;
use crate::transport::Call;

/// Contacts per request. The vendor documents 50 for businesses and nothing for tags; callers split longer lists.
pub const BULK_LIMIT: usize = 50;

/// What to do with the tags of many contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BulkTags {
    /// Add these; others stay.
    Add(Vec<String>),
    /// Remove these; others stay.
    Remove(Vec<String>),
    /// Remove every tag.
    RemoveAll,
}

/// The outcome for many contacts. The vendor answers 201 even when some, or all, failed.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkOutcome {
    /// Number of contacts that failed.
    pub errors: u32,
    /// What the vendor says about each contact, in its order.
    pub items: Vec<BulkItem>,
}

/// The outcome for one contact.
#[derive(Clone, Debug, PartialEq)]
pub struct BulkItem {
    /// The contact, when the vendor names it.
    pub contact: Option<ContactId>,
    /// It worked.
    pub ok: bool,
    /// The vendor's words, for example `contact is deleted`.
    pub message: String,
    /// The vendor's whole element.
    pub raw: Value,
}

impl BulkItem {
    fn from_value(raw: Value) -> Self {
        let text = |name: &str| raw.get(name).and_then(Value::as_str).map(str::to_owned);
        let ok =
            raw.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("success"));
        Self {
            contact: text("contactId").map(ContactId::new),
            ok,
            message: text("message").unwrap_or_default(),
            raw,
        }
    }
}

impl Location {
    /// `POST /contacts/bulk/tags/update/{type}`, for at most [`BULK_LIMIT`] contacts. Read the items: success of the
    /// request says nothing about a contact.
    pub async fn bulk_update_tags(
        &self,
        change: &BulkTags,
        contacts: &[ContactId],
    ) -> Result<BulkOutcome, Error> {
        let (kind, tags): (_, &[String]) = match change {
            BulkTags::Add(tags) => ("add", tags),
            BulkTags::Remove(tags) => ("remove", tags),
            BulkTags::RemoveAll => ("remove", &[]),
        };
        let call = Call::new(&op::BULK_TAGS, &[kind]);
        let mut problems = check_count("contacts", contacts);
        if tags.is_empty() && *change != BulkTags::RemoveAll {
            problems.push(FieldProblem::new("tags", "name at least one tag"));
        }
        if !problems.is_empty() {
            return Err(call.refuse(problems));
        }
        let mut body = Map::from_iter([
            ("contacts".to_owned(), json!(contacts)),
            ("tags".to_owned(), json!(tags)),
            ("locationId".to_owned(), json!(self.id)),
        ]);
        if *change == BulkTags::RemoveAll {
            body.insert("removeAllTags".to_owned(), json!(true));
        }
        let mut answer = self.call(call.body(body)).await?;
        answer.succeeded()?;
        let Value::Array(items) = answer.take("responses") else {
            return Err(answer.error("`responses` should be a list"));
        };
        let items: Vec<_> = items.into_iter().map(BulkItem::from_value).collect();
        let failed = items.iter().filter(|item| !item.ok).count();
        let errors = answer.take("errorCount").as_u64().and_then(|count| u32::try_from(count).ok());
        Ok(BulkOutcome { errors: errors.unwrap_or_else(|| u32::try_from(failed).unwrap_or(u32::MAX)), items })
    }

    /// `POST /contacts/bulk/business`: puts at most [`BULK_LIMIT`] contacts into a business, or out of any. Returns the
    /// contacts that changed.
    pub async fn bulk_set_business(
        &self,
        contacts: &[ContactId],
        business: Option<&BusinessId>,
    ) -> Result<Vec<ContactId>, Error> {
        let call = Call::new(&op::BULK_BUSINESS, &[]);
        let problems = check_count("ids", contacts);
        if !problems.is_empty() {
            return Err(call.refuse(problems));
        }
        let body = Map::from_iter([
            ("locationId".to_owned(), json!(self.id)),
            ("ids".to_owned(), json!(contacts)),
            ("businessId".to_owned(), json!(business)),
        ]);
        let mut answer = self.call(call.body(body)).await?;
        answer.succeeded()?;
        let ids = answer.texts("ids").ok_or_else(|| answer.error("`ids` should be a list"))?;
        Ok(ids.into_iter().map(ContactId::new).collect())
    }
}

fn check_count(field: &str, contacts: &[ContactId]) -> Vec<FieldProblem> {
    match contacts.len() {
        0 => vec![FieldProblem::new(field, "name at least one contact")],
        1..=BULK_LIMIT => Vec::new(),
        _ => vec![FieldProblem::new(field, format!("at most {BULK_LIMIT} contacts in one request"))],
    }
}
