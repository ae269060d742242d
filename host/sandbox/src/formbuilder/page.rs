//! Envelopes: `{data, status_code}`, and `meta.pagination` around lists.

use serde_json::{Value, json};

use super::error::Answer;
use crate::http::{Call, Reply};

/// Items of a page when the call does not say.
const PER_PAGE: usize = 100;
/// The most that a page holds, whatever the call says.
const MOST: usize = 1000;

/// The page of `items` that the call asks for. A page past the end is empty.
#[expect(clippy::unnecessary_wraps, reason = "handlers end with it, and a handler may refuse")]
pub(super) fn reply<T>(call: &Call, items: &[T], show: impl Fn(&T) -> Value) -> Answer {
    let number = |name| call.query(name).and_then(|text| text.parse::<usize>().ok()).filter(|n| *n > 0);
    let (page, per_page) = (number("page").unwrap_or(1), number("per_page").unwrap_or(PER_PAGE).min(MOST));
    let pages = items.len().div_ceil(per_page).max(1);
    let shown: Vec<Value> =
        items.iter().skip((page - 1).saturating_mul(per_page)).take(per_page).map(show).collect();
    let link = |page: usize| format!("https://api.123formbuilder.com/v2{}?page={page}", call.path);
    let mut links = json!({});
    if page < pages {
        links["next"] = json!(link(page + 1));
    }
    if page > 1 {
        links["previous"] = json!(link(page - 1));
    }
    let pagination = json!({
        "total": items.len(), "count": shown.len(), "per_page": per_page, "current_page": page,
        "total_pages": pages, "links": links,
    });
    let body = json!({"data": shown, "meta": {"pagination": pagination}, "status_code": 200});
    Ok(Reply::json(200, &body))
}

/// One record.
pub(super) fn one(status: u16, data: &Value) -> Reply {
    Reply::json(status, &json!({"data": data, "status_code": status}))
}

/// No record, only that it was done.
pub(super) fn message(text: &str) -> Reply {
    Reply::json(200, &json!({"message": text, "status_code": 200}))
}
