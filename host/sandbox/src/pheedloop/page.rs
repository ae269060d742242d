//! Paging: `page` and `page_size`, an envelope with absolute addresses, and 404 beyond the last page.

use serde_json::{Value, json};

use super::config::Guesses;
use super::error::{Answer, Fault};
use crate::http::{Call, Reply};

/// The vendor's documented default for lists of data, and the most for reports.
const DEFAULT: usize = 500;
pub(super) const REPORT_MAX: usize = 100;

/// The page of `rows` that the call asks for. `path` is the whole path, for the addresses of the neighbours.
pub(super) fn reply(call: &Call, guesses: &Guesses, path: &str, mut rows: Vec<Value>) -> Answer {
    if guesses.newest_first {
        rows.reverse();
    }
    sized(call, path, &rows, DEFAULT, guesses.page_size_max)
}

/// As [`reply`], with another default and another maximum.
pub(super) fn sized(call: &Call, path: &str, rows: &[Value], default: usize, max: usize) -> Answer {
    let number = |name: &str| call.query(name).map(|text| text.parse::<usize>().ok());
    let size = number("page_size").flatten().filter(|size| *size > 0).unwrap_or(default).min(max.max(1));
    let pages = rows.len().div_ceil(size).max(1);
    let page = match number("page") {
        None => 1,
        Some(Some(page)) if (1..=pages).contains(&page) => page,
        Some(_) => return Err(Fault::InvalidPage),
    };
    let address = |page: usize| {
        let host = call.header("host").unwrap_or("api.pheedloop.com");
        let mut query = vec![format!("page={page}")];
        let others = call.query.iter().filter(|(name, _)| name != "page");
        query.extend(others.map(|(name, value)| format!("{name}={value}")));
        format!("http://{host}{path}?{}", query.join("&"))
    };
    let shown: Vec<&Value> = rows.iter().skip((page - 1) * size).take(size).collect();
    Ok(Reply::json(
        200,
        &json!({
            "count": rows.len(),
            "next": (page < pages).then(|| address(page + 1)),
            "previous": (page > 1).then(|| address(page - 1)),
            "results": shown,
        }),
    ))
}
