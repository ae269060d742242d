//! Paging (<https://api.referrizer.com/static/docs/index.html>): a bare array, `page` from 1, `perPage` 30 unless asked and at
//! most 100, the number of all items in the header `X-Total-Count`.

use serde_json::Value;

use super::error::{Answer, Fault};
use crate::http::{Call, Reply};

const PER_PAGE: usize = 30;
const MOST: usize = 100;

/// The page of `items` that the call asks for.
pub(super) fn reply<T>(call: &Call, items: &[T], show: impl Fn(&T) -> Value) -> Answer {
    let number = |name: &str, unless: usize| match call.query(name) {
        None => Ok(unless),
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| Fault::illegal(format!("{name} must be a positive number"))),
    };
    let (page, per_page) = (number("page", 1)?, number("perPage", PER_PAGE)?.min(MOST));
    let shown = items.iter().skip((page - 1).saturating_mul(per_page)).take(per_page).map(show);
    Ok(Reply::json(200, &Value::Array(shown.collect())).with("x-total-count", &items.len()))
}
