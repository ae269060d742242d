//! Bulk reading and writing: export jobs that end in a file, and imports of a CSV file.

use serde_json::{Map, Value, json};

use super::Change;
use super::archive;
use super::config::{ExportDates, ExportFile, FieldKind};
use super::contacts::{Route, upsert};
use super::error::{Answer, Fault};
use super::state::{Account, Contact};
use crate::clock::{Millis, iso_millis};
use crate::http::{Call, Reply};

/// An export under way.
#[derive(Clone, Debug)]
pub(super) struct Export {
    /// How often it was asked for.
    polls: u32,
    /// Lines of the file, without its heading.
    total: usize,
    csv: String,
    /// The part of the file's address that cannot be guessed.
    token: String,
}

/// An import that was carried out.
#[derive(Clone, Debug)]
pub(super) struct Import {
    total: usize,
    refused: usize,
}

/// Longest range of a data explorer export.
const LONGEST_RANGE: Millis = 31 * 86_400_000;

pub(super) fn export(change: &mut Change<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    let rows: Vec<Vec<String>> = match body.get("exportType").and_then(Value::as_str) {
        Some("contacts") => contact_rows(change, &body)?,
        Some("activities") => {
            let heading = ["email", "type", "date"].map(str::to_owned).to_vec();
            let events = change.account.events.iter();
            let line = |event: &super::ReceivedEvent| {
                vec![event.email.clone(), format!("custom-event:{}", event.event), event.at.clone()]
            };
            std::iter::once(heading).chain(events.map(line)).collect()
        }
        _ => return Err(Fault::invalid("exportType", "must be one of contacts, activities")),
    };
    begin(change, &body, &rows)
}

/// The report's content is not known: one line a day.
pub(super) fn explore(change: &mut Change<'_>, call: &Call) -> Answer {
    let body = object(call)?;
    let filter = |name: &str| body.get("filters").and_then(|filters| filters[name].as_str());
    if filter("reportId").is_none() {
        return Err(Fault::invalid("filters.reportId", "is missing"));
    }
    let range = (date(&body, "fromDate")?, date(&body, "toDate")?);
    let (Some(from), Some(to)) = range else {
        return Err(Fault::invalid("filters.fromDate", "a range is needed"));
    };
    if to < from || to - from > LONGEST_RANGE {
        return Err(Fault::invalid("filters.toDate", "a range has at most 31 days"));
    }
    let heading = ["date", "purchases", "amount"].map(str::to_owned).to_vec();
    let total = change.account.contacts.values().flat_map(|stored| &stored.contact.purchases);
    let within: Vec<f64> =
        total.filter(|purchase| (from..=to).contains(&purchase.at)).map(|purchase| purchase.amount).collect();
    let line = vec![iso_millis(from), within.len().to_string(), within.iter().sum::<f64>().to_string()];
    begin(change, &body, &[heading, line])
}

fn begin(change: &mut Change<'_>, body: &Map<String, Value>, rows: &[Vec<String>]) -> Answer {
    let delimiter = delimiter(body)?;
    let csv = rows.iter().map(|row| archive::line(row, delimiter)).collect();
    let (id, token) = (change.account.export_ids.hex(24), change.account.random.hex(32));
    let export = Export { polls: 0, total: rows.len().saturating_sub(1), csv, token };
    change.account.exports.insert(id.clone(), export);
    Ok(Reply::json(201, &json!({"id": id})))
}

fn contact_rows(change: &Change<'_>, body: &Map<String, Value>) -> Result<Vec<Vec<String>>, Fault> {
    let account = &*change.account;
    let (from, to) = (date(body, "fromDate")?, date(body, "toDate")?);
    let compared = |contact: &Contact| match change.guesses.export_dates {
        ExportDates::Created => contact.created_at,
        ExportDates::Updated => contact.updated_at,
    };
    let within = |contact: &&Contact| {
        from.is_none_or(|from| compared(contact) >= from) && to.is_none_or(|to| compared(contact) <= to)
    };
    // A segment is taken to hold everybody who bought; another one than that is not known.
    let segment = body.get("filters").and_then(|filters| filters["segmentId"].as_str());
    let chosen = |contact: &&Contact| segment.is_none() || !contact.purchases.is_empty();
    let shown: Vec<Value> = account
        .visible(change.now)
        .filter(within)
        .filter(chosen)
        .map(|contact| contact.to_json(change.now))
        .collect();
    let columns = columns(account);
    let line = |contact: &Value| columns.iter().map(|column| cell(&contact[column])).collect();
    Ok(std::iter::once(columns.clone()).chain(shown.iter().map(line)).collect())
}

/// The columns' names are not known; these are the API's.
fn columns(account: &Account) -> Vec<String> {
    let built_in = [
        "_email",
        "_name",
        "_surname",
        "_mobilePhone",
        "_birthdate",
        "_emailStatus",
        "_newsletterSubscriptionStatus",
        "_smsSubscriptionStatus",
        "_points",
        "_totalPurchases",
        "_totalPurchasesAmount",
        "_rfm",
        "_createdAt",
        "_updatedAt",
    ];
    let custom = account.custom_fields.iter().map(|field| field.id.clone());
    built_in.into_iter().map(str::to_owned).chain(custom).collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        other => other.to_string(),
    }
}

pub(super) fn progress(change: &mut Change<'_>, call: &Call, id: &str) -> Answer {
    let (polls, own_host) = (change.guesses.export_polls, change.guesses.export_at_own_host);
    let unknown = || Fault::NotFound("The export does not exist".into());
    let export = change.account.exports.get_mut(id).ok_or_else(unknown)?;
    export.polls += 1;
    if export.polls < polls {
        let body = json!({"id": id, "status": "running", "total": export.total, "progress": 0});
        return Ok(Reply::json(200, &body));
    }
    let host = call.header("host").unwrap_or("localhost");
    let base = if own_host { format!("http://{host}/connectif") } else { "https://files.example.com".into() };
    let address = format!("{base}/files/{id}?signature={}", export.token);
    let body = json!({
        "id": id, "status": "finished", "total": export.total, "progress": export.total, "fileUrl": address,
    });
    Ok(Reply::json(200, &body))
}

/// The file. Its address is the credential, as with signed addresses of a file store.
pub(super) fn file(change: &Change<'_>, call: &Call, id: &str) -> Answer {
    let own_host = change.guesses.export_at_own_host;
    let export = change.account.exports.get(id).filter(|_| own_host);
    let export = export.filter(|export| call.query("signature") == Some(&*export.token));
    let export = export.ok_or_else(|| Fault::NotFound("The file does not exist".into()))?;
    let (content_type, body) = match change.guesses.export_file {
        ExportFile::Zip => ("application/zip", archive::zip("contacts.csv", export.csv.as_bytes())),
        ExportFile::Csv => ("text/csv; charset=utf-8", export.csv.clone().into_bytes()),
    };
    Ok(Reply { status: 200, headers: Vec::new(), content_type, body })
}

/// `POST /imports`: multipart with `type`, `delimiter`, `overrideExisting`, `updateOnlyEmptyFields` and `file`.
pub(super) fn import(change: &mut Change<'_>, call: &Call) -> Answer {
    let parts = multipart(call).ok_or_else(|| Fault::invalid("", "multipart/form-data is needed"))?;
    let part = |name: &str| parts.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
    if part("type") != Some("contacts") {
        return Err(Fault::invalid("type", "must be contacts"));
    }
    let delimiter = part("delimiter").and_then(|text| text.chars().next()).unwrap_or(',');
    let text = part("file").ok_or_else(|| Fault::invalid("file", "is missing"))?;
    let mut rows = archive::parse(text, delimiter).into_iter();
    let heading = rows.next().unwrap_or_default();
    let Some(email_at) = heading.iter().position(|name| name == "_email" || name == "email") else {
        return Err(Fault::invalid("file", "has no column for the email"));
    };
    let overrides = part("overrideExisting") == Some("true");
    let only_empty = part("updateOnlyEmptyFields") == Some("true");
    let (mut total, mut refused) = (0, 0);
    for row in rows {
        total += 1;
        let email = row.get(email_at).cloned().unwrap_or_default();
        let known = change.account.contact(&email).cloned();
        if known.is_some() && !overrides && !only_empty {
            continue;
        }
        let empty = |name: &str| known.as_ref().is_none_or(|contact| !contact.values.contains_key(name));
        let cells = heading
            .iter()
            .zip(&row)
            .enumerate()
            .filter(|(at, (_, cell))| *at != email_at && !cell.is_empty());
        let fields: Map<String, Value> = cells
            .filter(|(_, (name, _))| !only_empty || empty(name))
            .map(|(_, (name, cell))| (name.clone(), typed(change.account, name, cell)))
            .collect();
        refused += usize::from(upsert(change, &email, &fields, Route::Plain).is_err());
    }
    let id = change.account.import_ids.hex(24);
    change.account.imports.insert(id.clone(), Import { total, refused });
    Ok(Reply::json(201, &json!({"id": id, "total": total})))
}

/// The names of the progress fields are not known.
pub(super) fn import_progress(change: &Change<'_>, id: &str) -> Answer {
    let import = change.account.imports.get(id);
    let import = import.ok_or_else(|| Fault::NotFound("The import does not exist".into()))?;
    let body = json!({
        "id": id, "status": "finished", "total": import.total, "success": import.total - import.refused,
        "errors": import.refused,
    });
    Ok(Reply::json(200, &body))
}

/// A cell as the API would take it.
fn typed(account: &Account, name: &str, cell: &str) -> Value {
    let kind = account.custom_fields.iter().find(|field| field.id == name).map(|field| &field.kind);
    match kind {
        Some(FieldKind::Boolean) => cell.parse().map_or(json!(cell), Value::Bool),
        Some(FieldKind::Integer | FieldKind::Decimal) => serde_json::from_str(cell).unwrap_or(json!(cell)),
        Some(FieldKind::Checkbox(_)) => cell.split('|').collect(),
        _ if name == "_points" => serde_json::from_str(cell).unwrap_or(json!(cell)),
        _ => json!(cell),
    }
}

fn object(call: &Call) -> Result<Map<String, Value>, Fault> {
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Fault::invalid("", "a JSON object is needed")),
    }
}

fn delimiter(body: &Map<String, Value>) -> Result<char, Fault> {
    match body.get("delimiter") {
        None => Ok(','),
        Some(Value::String(text)) if text.chars().count() == 1 => Ok(text.chars().next().unwrap_or(',')),
        Some(_) => Err(Fault::invalid("delimiter", "must be one character")),
    }
}

fn date(body: &Map<String, Value>, name: &str) -> Result<Option<Millis>, Fault> {
    let Some(value) = body.get("filters").and_then(|filters| filters.get(name)) else { return Ok(None) };
    let instant = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let instant =
        instant.ok_or_else(|| Fault::invalid(format!("filters.{name}"), "must be an ISO 8601 date"))?;
    Ok(Some(instant.as_millisecond()))
}

/// Name and text of each part.
fn multipart(call: &Call) -> Option<Vec<(String, String)>> {
    let kind = call.header("content-type")?.strip_prefix("multipart/form-data")?;
    let boundary = kind.split_once("boundary=")?.1.trim_matches('"');
    let text = String::from_utf8_lossy(&call.body).into_owned();
    let separator = format!("--{boundary}");
    let parts = text.split(&separator).filter_map(|part| {
        let (head, body) = part.split_once("\r\n\r\n")?;
        let name = head.split_once("name=\"")?.1.split_once('"')?.0;
        Some((name.to_owned(), body.strip_suffix("\r\n").unwrap_or(body).to_owned()))
    });
    Some(parts.collect())
}
