//! What can be chosen about the Referrizer double. The vendor's reference could be read in part only, so most of this answers
//! what its sources leave open; a default is the answer that is hardest on a client.

use serde::{Deserialize, Serialize};

/// How the Referrizer double behaves.
#[derive(Clone, Debug)]
pub struct ReferrizerConfig {
    /// The account's API token.
    pub token: String,
    /// Custom fields that exist from the start, by name.
    pub custom_fields: Vec<String>,
    /// Behaviour that is not known.
    pub guesses: ReferrizerGuesses,
}

impl Default for ReferrizerConfig {
    fn default() -> Self {
        Self {
            token: "referrizer-sandbox-not-a-real-token".into(),
            custom_fields: Vec::new(),
            guesses: ReferrizerGuesses::default(),
        }
    }
}

impl ReferrizerConfig {
    /// No limits.
    pub fn free_of_cost() -> Self {
        Self {
            guesses: ReferrizerGuesses { per_minute: None, ..ReferrizerGuesses::default() },
            ..Self::default()
        }
    }
}

/// Answers to what the available sources leave open.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferrizerGuesses {
    /// Where the API answers: the vendor's page writes no prefix, a published connector writes `/v1`.
    pub prefix: Prefix,
    /// Requests allowed in a minute; `None`: any number. A limit is not documented.
    pub per_minute: Option<u32>,
    /// Method and path that create a contact.
    pub create: Route,
    /// Method and path that change a contact; `{id}` stands for its id.
    pub update: Route,
    /// A change replaces the contact: what the body leaves out is cleared. It is so with loyalty rewards.
    pub update_replaces: bool,
    /// `GET /contacts/{id}` exists.
    pub reads_one: bool,
    /// `DELETE /contacts/{id}` exists.
    pub deletes: bool,
    /// `POST /contacts/{id}/invite` exists.
    pub invites: bool,
    /// A query parameter that searches contacts by their exact email; without one any such parameter is ignored.
    pub search_parameter: Option<String>,
    /// The order of the list of contacts.
    pub order: ContactOrder,
    /// The error of a second contact with the same email.
    pub duplicate_code: DuplicateCode,
    /// Two contacts cannot have the same phone either.
    pub unique_phone: bool,
    /// Members that a contact cannot be without.
    pub required: Vec<String>,
    /// Members of a body that nobody knows are refused rather than ignored.
    pub refuses_unknown: bool,
    /// The contact's member that holds the phone.
    pub phone_key: String,
    /// The contact's member that says whether it is a lead or a customer.
    pub status_key: String,
    /// The contact's member that holds custom fields.
    pub custom_key: String,
    /// How custom fields are written.
    pub custom_shape: CustomShape,
    /// The longest value of a custom field, in characters.
    pub custom_length: usize,
    /// Contacts show `createdAt` and `updatedAt`.
    pub shows_times: bool,
    /// A visit with both `points` and `amountSpent` is refused.
    pub visit_refuses_both: bool,
    /// A contact cannot check in again within this many hours.
    pub visit_window_hours: u32,
}

impl Default for ReferrizerGuesses {
    fn default() -> Self {
        Self {
            prefix: Prefix::Both,
            per_minute: Some(600),
            create: Route { method: "POST".into(), path: "/contacts".into() },
            update: Route { method: "PUT".into(), path: "/contacts/{id}".into() },
            update_replaces: true,
            reads_one: true,
            deletes: false,
            invites: true,
            search_parameter: None,
            order: ContactOrder::ChangedLast,
            duplicate_code: DuplicateCode::NotUnique,
            unique_phone: false,
            required: vec!["email".into()],
            refuses_unknown: true,
            phone_key: "phone".into(),
            status_key: "status".into(),
            custom_key: "customFields".into(),
            custom_shape: CustomShape::Object,
            custom_length: 10_000,
            shows_times: false,
            visit_refuses_both: true,
            visit_window_hours: 24,
        }
    }
}

/// A method and a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// In capitals.
    pub method: String,
    /// Below the base; `{id}` stands for one segment.
    pub path: String,
}

impl Route {
    /// The id in `path`, or an empty text when the route has none; `None` when this is another route.
    pub(super) fn fits<'p>(&self, method: &str, path: &'p str) -> Option<&'p str> {
        if self.method != method {
            return None;
        }
        match self.path.split_once("{id}") {
            None => (self.path == path).then_some(""),
            Some((before, after)) => {
                let id = path.strip_prefix(before)?.strip_suffix(after)?;
                (!id.is_empty() && !id.contains('/')).then_some(id)
            }
        }
    }
}

/// Where the API answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefix {
    /// With and without `/v1`.
    Both,
    /// Without `/v1` only.
    None,
    /// Below `/v1` only.
    V1,
}

/// The order of the list of contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactOrder {
    /// Oldest first: a page never moves.
    Created,
    /// Newest first: a new contact moves every page.
    CreatedLast,
    /// What was changed last comes first: every change moves pages under a reader's feet.
    ChangedLast,
}

/// The error of a second contact with the same email; both codes are documented, not which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DuplicateCode {
    /// `NOT_UNIQUE`
    NotUnique,
    /// `RESOURCE_ALREADY_EXISTS`
    ResourceAlreadyExists,
}

/// How custom fields are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustomShape {
    /// `{"name": "value"}`
    Object,
    /// `[{"name": …, "value": …}]`
    List,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_finds_the_id_of_one_segment() {
        let route = Route { method: "PUT".into(), path: "/contacts/{id}/details".into() };
        assert_eq!(route.fits("PUT", "/contacts/a1/details"), Some("a1"));
        assert_eq!(route.fits("PUT", "/contacts/a1/b/details"), None);
        assert_eq!(route.fits("POST", "/contacts/a1/details"), None);
        let plain = Route { method: "POST".into(), path: "/contacts".into() };
        assert_eq!(plain.fits("POST", "/contacts"), Some(""));
        assert_eq!(plain.fits("POST", "/contacts/a1"), None);
    }
}
