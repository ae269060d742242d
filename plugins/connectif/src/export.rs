//! Polling: Connectif lists nothing, so all contacts, or those of a segment, are exported to a file. The export takes its time: a poll
//! begins it and looks a few times, the next poll goes on. Of the file's lines only those that are new or different count; their
//! contacts are read again, so no value of the file itself is relied on, and purchases count, which do not touch `_updatedAt`.

use contactor_sdk::partner::Request;
use contactor_sdk::seen::Seen;
use contactor_sdk::table::{Row, Table};
use contactor_sdk::{Change, ChangeKind, Error, PollPage, Result, ResultExt, log, paging, partner};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::api::meaning;
use crate::contact;
use crate::settings::Settings;

/// Changes of one page: the host takes no more.
const CHANGES: usize = 1_000;
/// Lines that one page looks at, so that none takes longer than a call may.
const LINES: usize = 20_000;
const DELIMITER: char = ',';

#[derive(Serialize, Deserialize)]
struct Place {
    /// The export.
    job: String,
    /// Where the next line of its file begins, in bytes of the unpacked file.
    #[serde(default)]
    byte: Option<usize>,
}

pub(crate) fn poll(settings: &Settings, stream: &str, cursor: Option<&str>) -> Result<PollPage> {
    let mut seen = Seen::open(stream, cursor)?;
    let Place { job, byte } = match paging::place::<Option<_>>(seen.position())? {
        Some(place) => place,
        None => Place { job: begin(settings)?, byte: None },
    };
    let progress = look(settings, &job)?;
    match progress["status"].as_str() {
        Some("finished") => {}
        Some("error") => {
            log::warn!("Connectif could not finish the export {job}: the next poll begins a new one");
            return seen.last(Vec::new(), None);
        }
        _ => return seen.last(Vec::new(), Some(paging::cursor(&Place { job, byte })?)),
    }
    let table = table(&progress)?;
    let mut changes = Vec::new();
    for (looked, (row, behind)) in table.rows(byte).enumerate() {
        let row = Json::Object(row);
        changes.extend(seen.changes(
            "contact",
            std::slice::from_ref(&row),
            |_| None,
            |seen, row| {
                let Some(email) = email(row)? else { return Ok(None) };
                let is_news = seen.is_news(&email, row)?;
                Ok(is_news.then(|| Change::new(ChangeKind::Updated, "contact", email)))
            },
        )?);
        if changes.len() == CHANGES || looked + 1 == LINES {
            return seen.more(changes, paging::cursor(&Place { job, byte: Some(behind) })?);
        }
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

/// The file of a finished export.
pub(crate) fn table(progress: &Json) -> Result<Table> {
    let address = progress["fileUrl"].as_str().unwrap_or_default();
    let response = file(address)?.send().map_err(too_large)?;
    if matches!(response.status, 401 | 403 | 404) {
        // The connector reaches the API's own host alone, whatever host the address names.
        return Err(Error::Unsupported(format!(
            "the export's file cannot be read below the connection's base address (answer {}): it may lie at another host, {}",
            response.status,
            address.split(['?', '#']).next().unwrap_or_default(),
        )));
    }
    let table = Table::open(&response.ok_or_else(meaning)?.body, DELIMITER).map_err(too_large)?;
    let columns = table.heading();
    if columns.is_empty() || columns.iter().any(|column| is_email(column)) {
        return Ok(table);
    }
    Err(Error::other(format!("the export has no column for the email, only {}", columns.join(", "))))
}

/// The lines of a finished export by the names of its columns.
pub(crate) fn rows(progress: &Json) -> Result<Vec<Row>> {
    Ok(table(progress)?.rows(None).map(|(row, _)| row).collect())
}

/// A file that is larger than the host hands over, or than fits here, is so at every attempt: an admin has to make it smaller.
fn too_large(error: Error) -> Error {
    match error {
        Error::Other(said) if said.contains("larger than") => Error::Unsupported(format!(
            "the export's file is too large ({said}): name a smaller segment in the setting export_segment_id, or switch the \
             export off and let workflows call the webhook address"
        )),
        error => error,
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

/// The address of a line; none in a line without one, which is nobody's.
fn email(row: &Json) -> Result<Option<String>> {
    let cell = row.as_object().into_iter().flatten().find(|(name, _)| is_email(name));
    let cell = cell.and_then(|(_, cell)| cell.as_str()).unwrap_or_default();
    match contact::id(cell) {
        email if email.is_empty() => Ok(None),
        email if email.contains('@') => Ok(Some(email)),
        _ => Err(Error::other(format!("`/_email`: expected an address, found {cell:?}"))),
    }
}
