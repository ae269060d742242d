//! Partners whose API is made with Django REST Framework: its pages, and its errors.
//!
//! ```
//! # use contactor_sdk::testing::MockHost;
//! # let answer = serde_json::json!({ "count": 1, "next": null, "previous": null, "results": [{ "id": 7 }] });
//! # let _host = MockHost::new().answer("GET /people/", answer).install();
//! use contactor_sdk::{partner, rest_framework::Page};
//!
//! let page = Page::read(partner::get("/people/"), 1)?;
//! let people: Vec<serde_json::Value> = page.rows()?;
//! assert_eq!((people[0]["id"].as_u64(), page.next), (Some(7), None));
//! # Ok::<(), contactor_sdk::Error>(())
//! ```

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::partner::{Request, Response};
use crate::{Error, Result, json, paging};

/// One page of a list: `{"count", "next", "previous", "results"}`. Its rows are unparsed: whoever looks for one among thousands parses
/// only that one.
pub type Page = paging::Page<Box<RawValue>>;

impl Page {
    /// Reads page `number` of a list, from 1. Beyond the last page the framework answers 404, which is the end and no error; at the
    /// first page it means that there is no such list.
    ///
    /// # Errors
    /// What the partner answers, by [`meaning`].
    pub fn read(list: Request, number: u64) -> Result<Self> {
        #[derive(Deserialize)]
        struct Envelope {
            results: Vec<Box<RawValue>>,
            next: Option<String>,
            count: Option<u64>,
        }
        let response = list.query("page", number).send()?;
        if response.status == 404 && number > 1 {
            return Ok(Self { items: Vec::new(), next: None, total: None });
        }
        let Envelope { results, next, count } = response.ok_or_else(meaning)?.json()?;
        // Only the number is taken from the address: where requests go is the host's to say.
        let page = |address: String| paging::parameter(&address, "page").and_then(|page| page.parse().ok());
        let next = next.map(|address| page(address).unwrap_or(number + 1)).filter(|next| *next > number);
        Ok(Self { items: results, next, total: count })
    }

    /// All rows.
    ///
    /// # Errors
    /// [`Error::Other`] for a row of another shape.
    pub fn rows<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        self.items.iter().map(|item| Ok(serde_json::from_str(item.get())?)).collect()
    }
}

/// The meaning of `{"<field>": ["<problem>"]}`, which counts more than the status 400; a value that has to be unique and is taken makes
/// a duplicate. None for anything else: the usual meaning of the status applies.
pub fn meaning(response: &Response) -> Option<Error> {
    if response.status != 400 {
        return None;
    }
    let mut problems = json::problems(&serde_json::from_slice::<Json>(&response.body).ok()?);
    problems.retain(|problem| problem.field != "detail");
    let is_taken = |text: &str| text.contains("already exists") || text.contains("must be unique");
    if problems.iter().any(|problem| is_taken(&problem.problem)) {
        return Some(Error::Duplicate(String::new()));
    }
    (!problems.is_empty()).then_some(Error::Invalid(problems))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partner;
    use crate::testing::{MockHost, json as answer, status};
    use serde_json::json;

    fn read(response: Response, number: u64) -> Result<Page> {
        let _host = MockHost::new().reply("GET /people/", response).install();
        Page::read(partner::get("/people/"), number)
    }

    #[test]
    fn a_page_beyond_the_last_is_the_end_and_a_missing_first_page_is_not() {
        assert!(read(status(404), 2).is_ok_and(|page| page.items.is_empty() && page.next.is_none()));
        assert!(matches!(read(status(404), 1), Err(Error::NotFound(_))));
    }

    #[test]
    fn the_next_page_is_taken_from_the_address_and_never_lies_behind() {
        let next = |address: &str| {
            let body = json!({ "count": 9, "next": address, "results": [] });
            read(answer(200, body), 2).map(|page| page.next)
        };
        assert_eq!(next("https://elsewhere.example/people/?page_size=1&page=3"), Ok(Some(3)));
        assert_eq!(next("https://elsewhere.example/people/?cursor=x"), Ok(Some(3)));
        assert_eq!(
            next("https://elsewhere.example/people/?page=2"),
            Ok(None),
            "a list that goes in a circle ends"
        );
    }

    #[test]
    fn field_errors_name_their_fields_and_a_taken_value_is_a_duplicate() {
        let of = |status, body: Json| meaning(&answer(status, body));
        let refused = of(400, json!({ "phone": ["Too long.", "No phone."] })).map(|error| error.message());
        assert_eq!(refused.as_deref(), Some("refused: phone: Too long.; phone: No phone."));
        let taken = json!({ "email": ["person with this email already exists."] });
        assert_eq!(of(400, taken), Some(Error::Duplicate(String::new())));
        assert_eq!(of(400, json!({ "detail": "JSON parse error." })), None);
        assert_eq!(of(403, json!({ "email": ["x"] })), None);
    }
}
