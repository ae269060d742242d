//! Paging: a bare array, and the page data as JSON in the `X-Pagination` header (<https://www.prefinery.com/api/v2/docs>).

use serde_json::{Value, json};

use super::error::Answer;
use crate::http::{Call, Reply};

/// The vendor's example; whether a client may change it is unknown, so `per_page` is ignored.
const PER_PAGE: usize = 25;

/// The page of `items` that the call asks for.
#[expect(clippy::unnecessary_wraps, reason = "handlers end with it, and a handler may refuse")]
pub(super) fn reply<T>(call: &Call, items: &[T], show: impl Fn(&T) -> Value) -> Answer {
    let page = call.query("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
    let pages = items.len().div_ceil(PER_PAGE).max(1);
    let shown: Vec<Value> = items.iter().skip((page - 1) * PER_PAGE).take(PER_PAGE).map(show).collect();
    let pagination = json!({
        "previous_page": (page > 1).then(|| page - 1),
        "next_page": (page < pages).then(|| page + 1),
        "current_page": page,
        "per_page": PER_PAGE,
        "count": shown.len(),
        "pages": pages,
        "total": items.len(),
    });
    Ok(Reply::json(200, &Value::Array(shown)).with("x-pagination", &pagination))
}
