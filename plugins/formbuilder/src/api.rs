//! What 123FormBuilder's answers mean: `{data, meta, status_code}` and `{"error": {"message", "status_code"}}`.

use contactor_sdk::json::{many, problems};
use contactor_sdk::paging::Page;
use contactor_sdk::partner::{Request, Response};
use contactor_sdk::{Error, Result};
use serde_json::Value as Json;

/// How long to wait when the plan's calls are used up, in milliseconds. When its day begins is not documented.
const QUOTA_PAUSE: u64 = 30 * 60 * 1000;

/// A part of an answer; null when the answer has another shape.
pub(crate) fn part(answer: &mut Json, pointer: &str) -> Json {
    answer.pointer_mut(pointer).map(Json::take).unwrap_or_default()
}

/// One record: the specification wraps it into an array, a working client does not expect that.
pub(crate) fn one(request: &Request) -> Result<Json> {
    match part(&mut request.answer(meaning)?.json()?, "/data") {
        Json::Array(mut items) if !items.is_empty() => Ok(items.swap_remove(0)),
        Json::Array(_) | Json::Null => {
            Err(Error::NotFound("123FormBuilder answered without a record".into()))
        }
        record => Ok(record),
    }
}

/// One page of a list.
pub(crate) fn page(list: Request, page: u64, per_page: u32) -> Result<Page> {
    let list = list.query("page", page).query("per_page", per_page);
    let mut body: Json = list.answer(meaning)?.json()?;
    let pagination = part(&mut body, "/meta/pagination");
    let items = many(part(&mut body, "/data"));
    let count = items.len();
    let more = match (pagination["current_page"].as_u64(), pagination["total_pages"].as_u64()) {
        (Some(current), Some(pages)) => current < pages,
        // Without paging a full page may be followed by another.
        _ => count >= per_page as usize,
    };
    Ok(Page { items, next: more.then_some(page + 1), total: None })
}

/// Where the vendor's words say more than its status.
pub(crate) fn meaning(response: &Response) -> Option<Error> {
    let body: Json = serde_json::from_slice(&response.body).ok()?;
    let problems = problems(&body["error"]["message"]);
    let words = problems.iter().map(|problem| problem.problem.as_str()).collect::<Vec<_>>().join(" ");
    let has = |word: &str| words.to_lowercase().contains(word);
    match response.status {
        // The status of a used-up quota is not documented.
        429 if response.header("retry-after").is_none() => Some(Error::Limited(Some(QUOTA_PAUSE))),
        400 | 401 | 403 if has("quota") || has("limit") => Some(Error::Limited(Some(QUOTA_PAUSE))),
        // The host has logged in anew before this is seen.
        400 if has("token") => Some(Error::Unauthorized(words)),
        400 | 422 if !problems.is_empty() => Some(Error::Invalid(problems)),
        _ => None,
    }
}
