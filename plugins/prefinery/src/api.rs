//! What Prefinery's answers mean.

use contactor_sdk::paging::Page;
use contactor_sdk::partner::{Request, Response};
use contactor_sdk::{Error, FieldProblem, Result};
use serde::Deserialize;
use serde_json::Value as Json;

/// One page of a list: a bare array, and the paging in the header `X-Pagination`.
pub(crate) fn page(list: &Request) -> Result<Page> {
    #[derive(Deserialize)]
    struct Pagination {
        next_page: Option<u64>,
    }
    let response = list.answer(meaning)?;
    let header = response.header("x-pagination").map(str::to_owned);
    let items: Vec<Json> = response.json()?;
    let next = match header {
        Some(header) => serde_json::from_str::<Pagination>(&header)?.next_page,
        None if items.is_empty() => None,
        // To stop here would silently leave out every further page.
        None => return Err(Error::other("Prefinery's list came without the header X-Pagination")),
    };
    Ok(Page { items, next, total: None })
}

/// The meaning of `{"errors": [{"code", "message"}]}`, which counts more than the status. Where the body has no such list, or the
/// status is about the key or the quota, the usual meaning of the status applies.
pub(crate) fn meaning(response: &Response) -> Option<Error> {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Problem>,
    }
    #[derive(Deserialize)]
    struct Problem {
        code: Option<u32>,
        #[serde(default)]
        message: String,
    }
    let errors = serde_json::from_slice::<Body>(&response.body).ok()?.errors;
    let has = |code| errors.iter().any(|error| error.code == Some(code));
    if has(2310) {
        // The email is taken. Prefinery does not say by whom, and a search may not find it yet.
        return Some(Error::Duplicate(String::new()));
    }
    if has(2803) {
        return Some(Error::NotFound("Prefinery has no tester with this email".into()));
    }
    if errors.is_empty() || matches!(response.status, 401 | 403 | 404 | 408 | 429 | 500..) {
        return None;
    }
    let problem = |error: Problem| {
        let field = match error.code {
            Some(2802) => "email",
            Some(2804) => "quantity",
            _ => "",
        };
        let code = error.code.map(|code| format!(" (code {code})")).unwrap_or_default();
        FieldProblem { field: field.into(), problem: format!("{}{code}", error.message) }
    };
    Some(Error::Invalid(errors.into_iter().map(problem).collect()))
}
