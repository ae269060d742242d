//! Polling: Connectif lists nothing, so all contacts, or those of a segment, are exported to a file. The export takes its time: a poll
//! begins it and looks a few times, the next poll goes on. Of the file's lines only those that are new or different count; their
//! contacts are read again, so no value of the file itself is relied on, and purchases count, which do not touch `_updatedAt`.

use contactor_sdk::partner::Request;
use contactor_sdk::seen::Seen;
use contactor_sdk::{Change, ChangeKind, Error, PollPage, Result, ResultExt, log, paging, partner, table};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::api::meaning;
use crate::contact;
use crate::settings::Settings;

/// Lines of the file for one page.
const LINES: usize = 500;
const DELIMITER: char = ',';

#[derive(Serialize, Deserialize)]
struct Place {
    /// The export.
    job: String,
    /// The next line of its file.
    #[serde(default)]
    line: usize,
}

pub(crate) fn poll(settings: &Settings, stream: &str, cursor: Option<&str>) -> Result<PollPage> {
    let mut seen = Seen::open(stream, cursor)?;
    let Place { job, line } = match paging::place::<Option<_>>(seen.position())? {
        Some(place) => place,
        None => Place { job: begin(settings)?, line: 0 },
    };
    let progress = look(settings, &job)?;
    match progress["status"].as_str() {
        Some("finished") => {}
        Some("error") => {
            log::warn!("Connectif could not finish the export {job}: the next poll begins a new one");
            return seen.last(Vec::new(), None);
        }
        _ => return seen.last(Vec::new(), Some(paging::cursor(&Place { job, line })?)),
    }
    let rows = rows(&progress)?;
    let mut changes = Vec::new();
    for row in rows.iter().skip(line).take(LINES) {
        let Some(email) = email(row) else { continue };
        if seen.is_news(&email, &Json::Object(row.clone()))? {
            changes.push(Change::new(ChangeKind::Updated, "contact", email));
        }
    }
    if line + LINES < rows.len() {
        return seen.more(changes, paging::cursor(&Place { job, line: line + LINES })?);
    }
    seen.last(changes, None)
}

/// Looks a few times how far an export is. One that is not there any more counts as failed.
fn look(settings: &Settings, job: &str) -> Result<Json> {
    let mut progress = json!({ "status": "error" });
    for _ in 0..settings.export_attempts {
        let request = partner::get(format!("/exports/{}", partner::segment(job)));
        let Some(response) = request.answer(meaning).found()? else { break };
        progress = response.json()?;
        if matches!(progress["status"].as_str(), Some("finished" | "error")) {
            break;
        }
    }
    Ok(progress)
}

fn begin(settings: &Settings) -> Result<String> {
    let mut body = json!({ "exportType": "contacts", "delimiter": DELIMITER });
    if let Some(segment) = &settings.export_segment_id {
        body["filters"] = json!({ "segmentId": segment });
    }
    let begun: Json = partner::post("/exports").json(&body)?.answer(meaning)?.json()?;
    contactor_sdk::json::required_id(&begun, "/id")
}

/// The lines of a finished export by the names of its columns.
pub(crate) fn rows(progress: &Json) -> Result<Vec<Map<String, Json>>> {
    let address = progress["fileUrl"].as_str().unwrap_or_default();
    let response = file(address)?.send()?;
    if matches!(response.status, 401 | 403 | 404) {
        // The connector reaches the API's own host alone, whatever host the address names.
        return Err(Error::Unsupported(format!(
            "the export's file cannot be read below the connection's base address (answer {}): it may lie at another host, {}",
            response.status,
            address.split(['?', '#']).next().unwrap_or_default(),
        )));
    }
    let rows = table::rows(&response.ok_or_else(meaning)?.body, DELIMITER)?;
    match rows.first() {
        Some(first) if !first.keys().any(|column| is_email(column)) => {
            let columns: Vec<_> = first.keys().map(String::as_str).collect();
            Err(Error::other(format!("the export has no column for the email, only {}", columns.join(", "))))
        }
        _ => Ok(rows),
    }
}

/// The request for a file by its address. Its path counts from the API's own host, where everything else of Connectif lies; what stands
/// before it may be a path of the connection's base address.
fn file(address: &str) -> Result<Request> {
    let (place, query) = address.split_once('?').unwrap_or((address, ""));
    let start = ["/files/", "/exports/"].iter().find_map(|folder| place.find(folder));
    let start = start.or_else(|| Some(place.find("://")? + 3 + place.split_once("://")?.1.find('/')?));
    let none = || Error::other(format!("the export's file has no address but `{address}`"));
    let start = start.ok_or_else(none)?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Ok(pairs.fold(partner::get(&place[start..]), |request, (name, value)| {
        request.query(&paging::decode(name), paging::decode(value))
    }))
}

/// The columns' names are not documented: `_email` in the API, perhaps `Email` in a file.
fn is_email(column: &str) -> bool {
    column.trim_start_matches('_').eq_ignore_ascii_case("email")
}

fn email(row: &Map<String, Json>) -> Option<String> {
    let cell = row.iter().find(|(name, _)| is_email(name))?.1.as_str()?;
    Some(contact::id(cell)).filter(|email| email.contains('@'))
}
