//! Searches: typed requests, opaque cursors, pages of hits.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::draft::FieldProblem;
use crate::ids::{BusinessId, ContactId, LocationId, UserId};
use crate::model::{ContactHit, wire_instant};

/// Contacts per page of `POST /contacts/search`, at most.
pub const MAX_PAGE: u32 = 500;

/// Contacts per page of the deprecated `GET /contacts/`, at most.
pub const MAX_LIST_PAGE: u32 = 100;

/// Characters of a filter's value or of the free text, at most.
const MAX_TEXT: usize = 75;

/// What a search can be sorted by.
const SORT_FIELDS: &[&str] = &[
    "firstNameLowerCase",
    "lastNameLowerCase",
    "businessName",
    "dateAdded",
    "dateUpdated",
    "email",
    "dnd",
    "source",
];

/// Where a walk continues. Opaque: the vendor's array (search) or pair (list) is passed back whole, because a cursor
/// that was rebuilt from its id fails on the second page.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor(Value);

impl Cursor {
    pub(crate) fn from_value(value: Value) -> Self {
        Self(value)
    }

    pub(crate) fn as_value(&self) -> &Value {
        &self.0
    }

    /// Reads a cursor that [`Cursor::to_text`] wrote. None when it is no JSON.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    /// The cursor as one text, for storing and for passing through other interfaces.
    pub fn to_text(&self) -> String {
        self.0.to_string()
    }
}

/// Comparison of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal.
    NotEq,
    /// Contains the text; special characters are not handled by the vendor.
    Contains,
    /// Does not contain the text.
    NotContains,
    /// Has a value.
    Exists,
    /// Has no value.
    NotExists,
    /// Between bounds: the value is an object of `gt`, `gte`, `lt`, `lte`.
    Range,
}

impl Operator {
    /// The vendor's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::NotEq => "not_eq",
            Self::Contains => "contains",
            Self::NotContains => "not_contains",
            Self::Exists => "exists",
            Self::NotExists => "not_exists",
            Self::Range => "range",
        }
    }
}

/// One condition, or several joined.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// A field compared with a value.
    Field {
        /// A field that the vendor can filter: `id`, `email`, `phone`, `tags`, `dateUpdated`, `customFields.<id>`, ….
        field: String,
        /// The comparison.
        operator: Operator,
        /// The value; ignored by `Exists` and `NotExists`.
        value: Value,
    },
    /// All of these must hold.
    All(Vec<Self>),
    /// One of these must hold.
    Any(Vec<Self>),
}

impl Filter {
    /// Changed at or after an instant. Allow an overlap of at least two minutes: the index lags.
    pub fn updated_since(since: Timestamp) -> Self {
        let value = json!({ "gte": wire_instant(since) });
        Self::Field { field: "dateUpdated".to_owned(), operator: Operator::Range, value }
    }

    fn to_json(&self) -> Value {
        let group = |name: &str, filters: &[Self]| json!({ "group": name, "filters": filters.iter().map(Self::to_json).collect::<Vec<_>>() });
        match self {
            Self::All(filters) => group("AND", filters),
            Self::Any(filters) => group("OR", filters),
            Self::Field { field, operator, .. }
                if matches!(operator, Operator::Exists | Operator::NotExists) =>
            {
                json!({ "field": field, "operator": operator.as_str() })
            }
            Self::Field { field, operator, value } => {
                json!({ "field": field, "operator": operator.as_str(), "value": value })
            }
        }
    }

    fn check(&self, problems: &mut Vec<FieldProblem>) {
        match self {
            Self::All(filters) | Self::Any(filters) => {
                for filter in filters {
                    filter.check(problems);
                }
            }
            Self::Field { field, value, .. } => {
                if field.is_empty() {
                    problems.push(FieldProblem::new("filters", "a filter needs a field"));
                }
                if value.as_str().is_some_and(too_long) {
                    problems.push(FieldProblem::new(
                        field,
                        format!("a filter's value has at most {MAX_TEXT} characters"),
                    ));
                }
            }
        }
    }
}

fn too_long(text: &str) -> bool {
    text.chars().count() > MAX_TEXT
}

/// A sort key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// `dateAdded`, `dateUpdated`, `email`, `firstNameLowerCase`, `lastNameLowerCase`, `businessName`, `dnd`, `source`.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// `POST /contacts/search`. The vendor's index lags behind writes by seconds: never use a search to check one's own
/// write. Always walks by cursor; page numbers end at 10,000 contacts.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    /// Free text, at most 75 characters.
    pub query: Option<String>,
    /// Conditions, all of which must hold.
    pub filters: Vec<Filter>,
    /// At most two keys.
    pub sort: Vec<Sort>,
    /// Contacts per page, 1 to [`MAX_PAGE`].
    pub limit: u32,
    /// The cursor of the page before.
    pub cursor: Option<Cursor>,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self { query: None, filters: Vec::new(), sort: Vec::new(), limit: MAX_PAGE, cursor: None }
    }
}

impl SearchRequest {
    /// The incremental feed: everything that changed at or after an instant, oldest change first. A contact that is
    /// edited during the walk moves to the end and is seen again.
    pub fn changes_since(since: Timestamp) -> Self {
        Self {
            filters: vec![Filter::updated_since(since)],
            sort: vec![Sort { field: "dateUpdated".to_owned(), descending: false }],
            ..Self::default()
        }
    }

    /// What the vendor would refuse, found before asking.
    pub(crate) fn problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        if !(1..=MAX_PAGE).contains(&self.limit) {
            problems.push(FieldProblem::new("limit", format!("must be 1 to {MAX_PAGE}")));
        }
        if self.query.as_deref().is_some_and(too_long) {
            problems.push(FieldProblem::new("query", format!("has at most {MAX_TEXT} characters")));
        }
        if self.sort.len() > 2 {
            problems.push(FieldProblem::new("sort", "has at most two keys"));
        }
        for sort in self.sort.iter().filter(|sort| !SORT_FIELDS.contains(&sort.field.as_str())) {
            problems.push(FieldProblem::new(
                &sort.field,
                format!("cannot be sorted by; use {}", SORT_FIELDS.join(", ")),
            ));
        }
        if self.cursor.as_ref().is_some_and(|cursor| !cursor.as_value().is_array()) {
            problems.push(FieldProblem::new("cursor", "is not the cursor of a search"));
        }
        for filter in &self.filters {
            filter.check(&mut problems);
        }
        problems
    }

    pub(crate) fn body(&self, location: &LocationId) -> Map<String, Value> {
        let mut body = Map::new();
        body.insert("locationId".to_owned(), json!(location));
        body.insert("pageLimit".to_owned(), json!(self.limit));
        if let Some(query) = &self.query {
            body.insert("query".to_owned(), json!(query));
        }
        if !self.filters.is_empty() {
            body.insert("filters".to_owned(), self.filters.iter().map(Filter::to_json).collect());
        }
        if !self.sort.is_empty() {
            let key = |sort: &Sort| json!({ "field": sort.field, "direction": if sort.descending { "desc" } else { "asc" } });
            body.insert("sort".to_owned(), self.sort.iter().map(key).collect());
        }
        if let Some(cursor) = &self.cursor {
            body.insert("searchAfter".to_owned(), cursor.as_value().clone());
        }
        body
    }
}

/// One page of hits.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactPage {
    /// The hits, in order.
    pub hits: Vec<ContactHit>,
    /// Where to continue; none on the last page.
    pub next: Option<Cursor>,
    /// Number of matches in all, when the vendor says so.
    pub total: Option<u64>,
}

/// `POST /locations/{id}/tasks/search`: the only listing of tasks across contacts. There is no "changed since" and no
/// sort, and pages are counted by offset: walk until a full pass finds nothing new.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskQuery {
    /// Only tasks of these contacts; empty for all.
    pub contacts: Vec<ContactId>,
    /// Only done, or only open ones.
    pub completed: Option<bool>,
    /// Only tasks of these users; empty for all.
    pub assigned_to: Vec<UserId>,
    /// Free text.
    pub query: Option<String>,
    /// Only tasks of contacts of this business.
    pub business: Option<BusinessId>,
    /// Tasks per page; the vendor's default is 25.
    pub limit: Option<u32>,
    /// Tasks to skip.
    pub skip: u32,
}

impl TaskQuery {
    pub(crate) fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if !self.contacts.is_empty() {
            body.insert("contactId".to_owned(), json!(self.contacts));
        }
        if let Some(completed) = self.completed {
            body.insert("completed".to_owned(), json!(completed));
        }
        if !self.assigned_to.is_empty() {
            body.insert("assignedTo".to_owned(), json!(self.assigned_to));
        }
        if let Some(query) = &self.query {
            body.insert("query".to_owned(), json!(query));
        }
        if let Some(business) = &self.business {
            body.insert("businessId".to_owned(), json!(business));
        }
        if let Some(limit) = self.limit {
            body.insert("limit".to_owned(), json!(limit));
        }
        body.insert("skip".to_owned(), json!(self.skip));
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_names_the_location_and_the_page_size_and_never_a_page_number() {
        let mut request = SearchRequest::changes_since("2026-11-20T00:00:00Z".parse().unwrap());
        request.cursor = Cursor::from_text(r#"[1795000000000,"c"]"#);
        let body = Value::Object(request.body(&LocationId::new("l")));
        assert_eq!(
            body,
            json!({"locationId": "l", "pageLimit": 500, "searchAfter": [1_795_000_000_000_i64, "c"],
                "sort": [{"field": "dateUpdated", "direction": "asc"}],
                "filters": [{"field": "dateUpdated", "operator": "range", "value": {"gte": "2026-11-20T00:00:00.000Z"}}]})
        );
    }

    #[test]
    fn groups_nest_and_exists_has_no_value() {
        let filter = Filter::Any(vec![
            Filter::Field { field: "email".into(), operator: Operator::Exists, value: Value::Null },
            Filter::All(vec![Filter::Field {
                field: "dnd".into(),
                operator: Operator::Eq,
                value: json!(true),
            }]),
        ]);
        assert_eq!(
            filter.to_json(),
            json!({"group": "OR", "filters": [{"field": "email", "operator": "exists"},
                {"group": "AND", "filters": [{"field": "dnd", "operator": "eq", "value": true}]}]})
        );
    }

    #[test]
    fn what_the_vendor_would_refuse_is_found_before_asking() {
        let long = "x".repeat(76);
        let request = SearchRequest {
            query: Some(long.clone()),
            filters: vec![Filter::Field {
                field: "email".into(),
                operator: Operator::Eq,
                value: json!(long),
            }],
            sort: vec![Sort { field: "phone".into(), descending: true }],
            limit: 501,
            cursor: Some(Cursor::from_value(json!("c"))),
        };
        let fields: Vec<_> = request.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["limit", "query", "phone", "cursor", "email"]);
        assert!(SearchRequest::default().problems().is_empty());
    }
}
