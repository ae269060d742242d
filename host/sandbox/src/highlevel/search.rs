//! `POST /contacts/search` and the two lists, all answered from the index.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::filter::Filter;
use super::refusal::{Answer, Refusal, text};
use super::state::Contact;
use super::tx::{Request, Tx};
use super::{schema, validate, wire};

/// Page mode reaches no further.
const PAGE_MODE_MAX: usize = 10_000;
/// The largest `pageLimit`.
const PAGE_LIMIT_MAX: usize = 500;
/// The longest `query`.
const QUERY_MAX: usize = 75;
const SORTABLE: &[&str] = &[
    "firstNameLowerCase",
    "lastNameLowerCase",
    "businessName",
    "dateAdded",
    "dateUpdated",
    "email",
    "dnd",
    "source",
];

/// One value of a cursor. Missing values come last in either direction.
#[derive(Clone, Debug, PartialEq)]
enum Key {
    Number(i64),
    Text(String),
    Missing,
}

#[derive(Clone, Debug)]
struct Sort {
    field: String,
    descending: bool,
}

/// Where a contact stands in the order: one key per sort entry, then the id.
#[derive(Clone, Debug)]
struct Position {
    keys: Vec<Key>,
    id: String,
}

pub(super) fn search(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body = validate::body(request.call, schema::SEARCH)?;
    tx.same_location(validate::text(&body, "locationId").unwrap_or_default())?;
    let page_limit = whole(&body, "pageLimit").unwrap_or_default();
    if !(1..=PAGE_LIMIT_MAX).contains(&page_limit) {
        return Err(Refusal::invalid(vec![format!("pageLimit must be between 1 and {PAGE_LIMIT_MAX}")]));
    }
    let query = validate::text(&body, "query").unwrap_or_default().to_lowercase();
    if query.chars().count() > QUERY_MAX {
        return Err(Refusal::invalid(vec![format!(
            "query must be shorter than or equal to {QUERY_MAX} characters"
        )]));
    }
    let sorts = sorts(body.get("sort"))?;
    let filter = Filter::parse(body.get("filters"))?;
    let after = cursor(body.get("searchAfter"), sorts.len())?;
    if after.is_some() && body.contains_key("page") {
        return Err(Refusal::bad(text::SEARCH));
    }
    let page = whole(&body, "page").unwrap_or(1).max(1);
    if after.is_none() && page.saturating_mul(page_limit) > PAGE_MODE_MAX {
        return Err(Refusal::bad(text::SEARCH));
    }

    let location_id = tx.location_id();
    let (now, skew) = (tx.now, tx.habits.search_date_skew_millis);
    let mut total = 0;
    let mut hits: Vec<(Position, Arc<Contact>)> = Vec::new();
    for contact in tx.state.index.at(now) {
        if !filter.fits(contact) || !mentions(contact, &query) {
            continue;
        }
        total += 1;
        let position = position(contact, &sorts);
        let seen = after.as_ref().is_some_and(|after| compare(&position, after, &sorts) != Ordering::Greater);
        if !seen {
            hits.push((position, Arc::clone(contact)));
        }
    }
    let skip = if after.is_some() { 0 } else { (page - 1) * page_limit };
    let wanted = skip + page_limit;
    let order = |a: &(Position, Arc<Contact>), b: &(Position, Arc<Contact>)| compare(&a.0, &b.0, &sorts);
    if hits.len() > wanted {
        // Only the wanted page has to be in order; a backfill would otherwise sort everything for every page.
        hits.select_nth_unstable_by(wanted, order);
        hits.truncate(wanted);
    }
    hits.sort_unstable_by(order);
    let contacts: Vec<Value> = hits
        .into_iter()
        .skip(skip)
        .map(|(position, contact)| {
            let mut hit = wire::hit(&contact, &location_id, skew);
            hit.insert("searchAfter".into(), position.to_json());
            Value::Object(hit)
        })
        .collect();
    request.reply(200, json!({"contacts": contacts, "total": total}))
}

/// `GET /contacts/`: newest first, by the pair `startAfter` (epoch milliseconds) and `startAfterId`.
pub(super) fn list(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let call = request.call;
    validate::query(call, schema::LIST_QUERY)?;
    let location_id = call.query("locationId").unwrap_or_default();
    tx.same_location(location_id)?;
    let limit = validate::limit(call, 20)?;
    let query = call.query("query").unwrap_or_default().to_lowercase();
    let start: Option<(i64, &str)> = match (call.query("startAfter"), call.query("startAfterId")) {
        (Some(at), Some(id)) => {
            let at = at.parse().map_err(|_| Refusal::invalid(vec!["startAfter must be a number".into()]))?;
            Some((at, id))
        }
        (None, None) => None,
        _ => return Err(Refusal::bad("startAfter and startAfterId belong together")),
    };
    let (now, skew) = (tx.now, tx.habits.search_date_skew_millis);
    let mut found: Vec<Arc<Contact>> =
        tx.state.index.at(now).filter(|c| mentions(c, &query)).cloned().collect();
    let total = found.len();
    let newest_first = |c: &Contact| (-c.date_added, c.id.clone());
    if let Some((at, id)) = start {
        found.retain(|contact| newest_first(contact) > (-at, id.to_owned()));
    }
    found.sort_unstable_by_key(|contact| newest_first(contact));
    let more = found.len() > limit;
    found.truncate(limit);
    let mut meta = json!({"total": total, "currentPage": 1, "nextPage": null, "prevPage": null});
    if let Some(last) = found.last().filter(|_| more) {
        meta["startAfter"] = json!(last.date_added);
        meta["startAfterId"] = json!(last.id);
        meta["nextPage"] = json!(2);
        meta["nextPageUrl"] = json!(format!(
            "http://services.leadconnectorhq.com/contacts/?locationId={location_id}&limit={limit}&startAfter={}&startAfterId={}",
            last.date_added, last.id
        ));
    }
    let contacts: Vec<_> = found.iter().map(|contact| wire::hit(contact, location_id, skew)).collect();
    request.reply(200, json!({"contacts": contacts, "count": total, "meta": meta}))
}

/// `GET /contacts/business/{businessId}`.
pub(super) fn by_business(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let call = request.call;
    validate::query(call, schema::BUSINESS_QUERY)?;
    let location_id = call.query("locationId").unwrap_or_default();
    tx.same_location(location_id)?;
    let limit = validate::limit(call, 25)?;
    let skip = validate::query_number(call, "skip", 0)?;
    let query = call.query("query").unwrap_or_default().to_lowercase();
    let business = request.id(0);
    let (now, skew) = (tx.now, tx.habits.search_date_skew_millis);
    let of_business = |c: &&Arc<Contact>| c.business_id.as_deref() == Some(business) && mentions(c, &query);
    let mut found: Vec<Arc<Contact>> = tx.state.index.at(now).filter(of_business).cloned().collect();
    found.sort_unstable_by(|a, b| (a.date_added, &a.id).cmp(&(b.date_added, &b.id)));
    let contacts: Vec<_> =
        found.iter().skip(skip).take(limit).map(|c| wire::hit(c, location_id, skew)).collect();
    request.reply(200, json!({"contacts": contacts, "count": found.len()}))
}

/// Free text over name, email, phone and company.
fn mentions(contact: &Contact, query: &str) -> bool {
    query.is_empty()
        || contact.name().to_lowercase().contains(query)
        || ["email", "phone", "companyName"]
            .iter()
            .any(|name| contact.get(name).is_some_and(|value| value.to_lowercase().contains(query)))
}

fn whole(body: &Map<String, Value>, name: &str) -> Option<usize> {
    body.get(name).and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok())
}

fn sorts(value: Option<&Value>) -> Result<Vec<Sort>, Refusal> {
    let entries = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if entries.len() > 2 {
        return Err(Refusal::invalid(vec!["sort must contain no more than 2 elements".into()]));
    }
    let mut sorts = Vec::new();
    for entry in entries {
        let field = entry.get("field").and_then(Value::as_str).unwrap_or_default();
        let direction = entry.get("direction").and_then(Value::as_str).unwrap_or_default();
        if !SORTABLE.contains(&field) {
            return Err(Refusal::invalid(vec![format!(
                "sort.field must be one of: {}",
                SORTABLE.join(", ")
            )]));
        }
        if !matches!(direction, "asc" | "desc") {
            return Err(Refusal::invalid(vec!["sort.direction must be one of: asc, desc".into()]));
        }
        sorts.push(Sort { field: field.to_owned(), descending: direction == "desc" });
    }
    if sorts.is_empty() {
        sorts.push(Sort { field: "dateAdded".into(), descending: true });
    }
    Ok(sorts)
}

/// The cursor of the last contact seen, verbatim: one value per sort entry and the id. The id alone is refused.
fn cursor(value: Option<&Value>, sorts: usize) -> Result<Option<Position>, Refusal> {
    let Some(parts) = value.and_then(Value::as_array) else { return Ok(None) };
    let Some((id, keys)) = parts.split_last().filter(|(_, keys)| keys.len() == sorts) else {
        return Err(Refusal::bad(text::SEARCH));
    };
    let keys = keys.iter().map(|key| match key {
        Value::Number(number) => number.as_i64().map(Key::Number),
        Value::String(text) => Some(Key::Text(text.clone())),
        Value::Null => Some(Key::Missing),
        _ => None,
    });
    match (keys.collect::<Option<Vec<_>>>(), id.as_str()) {
        (Some(keys), Some(id)) => Ok(Some(Position { keys, id: id.to_owned() })),
        _ => Err(Refusal::bad(text::SEARCH)),
    }
}

impl Position {
    fn to_json(&self) -> Value {
        let keys = self.keys.iter().map(|key| match key {
            Key::Number(number) => json!(number),
            Key::Text(text) => json!(text),
            Key::Missing => Value::Null,
        });
        keys.chain([json!(self.id)]).collect()
    }
}

fn position(contact: &Contact, sorts: &[Sort]) -> Position {
    let text = |value: Option<&str>| value.map_or(Key::Missing, |value| Key::Text(value.to_lowercase()));
    let keys = sorts.iter().map(|sort| match sort.field.as_str() {
        "dateUpdated" => Key::Number(contact.date_updated),
        "dateAdded" => Key::Number(contact.date_added),
        "dnd" => Key::Number(i64::from(contact.dnd)),
        "firstNameLowerCase" => text(contact.get("firstName")),
        "lastNameLowerCase" => text(contact.get("lastName")),
        "businessName" => text(contact.get("companyName")),
        field => text(contact.get(field)),
    });
    Position { keys: keys.collect(), id: contact.id.clone() }
}

fn compare(a: &Position, b: &Position, sorts: &[Sort]) -> Ordering {
    for ((a, b), sort) in a.keys.iter().zip(&b.keys).zip(sorts) {
        let order = match (a, b) {
            (Key::Missing, Key::Missing) => Ordering::Equal,
            // Before the direction is applied: missing values stay last.
            (Key::Missing, _) => return Ordering::Greater,
            (_, Key::Missing) => return Ordering::Less,
            (Key::Number(a), Key::Number(b)) => a.cmp(b),
            (Key::Text(a), Key::Text(b)) => a.cmp(b),
            (Key::Number(_), Key::Text(_)) => Ordering::Less,
            (Key::Text(_), Key::Number(_)) => Ordering::Greater,
        };
        let order = if sort.descending { order.reverse() } else { order };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.id.cmp(&b.id)
}
