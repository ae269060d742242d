//! What Referrizer's answers mean.

use contactor_sdk::paging::{self, Page};
use contactor_sdk::partner::{self, Response};
use contactor_sdk::{Error, Result};
use serde::Deserialize;
use serde_json::Value as Json;

/// Most items of a page that Referrizer gives.
pub(crate) const MOST: u64 = 100;

/// One page of a list, by its number from 1, with a query parameter if there is one: a bare array, and the number of all items in the
/// header `X-Total-Count`.
pub(crate) fn list(path: String, page: u64, per_page: u64, query: Option<(&str, &str)>) -> Result<Page> {
    let mut request = partner::get(path).query("page", page).query("perPage", per_page);
    if let Some((name, value)) = query {
        request = request.query(name, value);
    }
    let response = request.answer(meaning)?;
    let total = response.header("x-total-count").and_then(|total| total.trim().parse().ok());
    let items = match response.json()? {
        Json::Array(items) => items,
        other => {
            let excerpt: String = other.to_string().chars().take(200).collect();
            return Err(Error::other(format!("expected a list at the top of the answer, found {excerpt}")));
        }
    };
    // Without a total only an incomplete page is known to be the last.
    let full = items.len() as u64 >= per_page;
    let next = paging::next_by_total(page, per_page, items.len(), total.unwrap_or(u64::MAX));
    Ok(Page { items, next: next.filter(|_| total.is_some() || full), total })
}

/// The meaning of `{"errorCode", "message"}`. A duplicate is a 400 like any other fault of the data, so the code decides. The codes
/// of other statuses are not documented: there the status decides.
pub(crate) fn meaning(response: &Response) -> Option<Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        error_code: String,
        #[serde(default)]
        message: String,
    }
    let Body { error_code: code, message } = serde_json::from_slice(&response.body).ok()?;
    if response.status != 400 {
        return None;
    }
    Some(match code.as_str() {
        // Referrizer does not say whose it is.
        "NOT_UNIQUE" | "RESOURCE_ALREADY_EXISTS" => Error::Duplicate(String::new()),
        "CONTACT_ALREADY_CHECKED_IN" => Error::Conflict(format!("{code}: {message}")),
        "INVALID_CUSTOM_FIELD_NAME" => {
            let advice = "create the custom field in Referrizer, or correct the setting custom_fields";
            Error::invalid("", format!("{code}: {message}; {advice}"))
        }
        _ => Error::invalid("", format!("{code}: {message}")),
    })
}
