//! What HighLevel answers: every record is read or refused, a cursor is passed back as it came, and no header makes the host wait for
//! longer than a day.
//!
//! Input: a line with what it is, then its JSON, or lines of headers.

use std::time::Duration;

use contactor_highlevel::error::{Wait, classify};
use contactor_highlevel::{
    ApiVersion, Appointment, Contact, ContactHit, Cursor, CustomFieldDefinition, DndSettings,
    InboundDndSettings, LocationInfo, Note, Quota, Task, operation, quota,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use crate::input::lines;

const DAY: Duration = Duration::from_hours(24);
/// Bytes of a reason that is kept with a run.
const REASON: usize = 32 * 1_024;

pub(crate) fn run(input: &[u8]) {
    let ([kind], body) = lines::<1>(input);
    match kind {
        b"headers" => headers(body),
        b"cursor" => cursor(body),
        _ if kind.starts_with(b"status ") => refusal(&kind[7..], body),
        _ => {
            let Ok(json) = serde_json::from_slice::<Value>(body) else { return };
            record(kind, json);
        }
    }
}

fn record(kind: &[u8], json: Value) {
    let id = json.get("id").cloned();
    let fields = match kind {
        b"contact" => Contact::from_json(json).map(|record| record.fields()),
        b"hit" => ContactHit::from_json(json).map(|record| record.fields()),
        b"task" => Task::from_json(json).map(|record| record.fields()),
        b"note" => Note::from_json(json).map(|record| record.fields()),
        b"appointment" => Appointment::from_json(json).map(|record| record.fields()),
        b"location" => LocationInfo::from_json(json).map(|record| record.fields()),
        b"field" => CustomFieldDefinition::from_json(json).map(|record| record.fields()),
        _ => return consent(&json),
    };
    match fields {
        Ok(fields) => assert!(fields.values().all(|value| !value.is_null()), "no value is no field"),
        Err(_) => assert!(
            id.as_ref().and_then(|id| id.as_str()).is_none_or(|id| id.trim().is_empty()),
            "a record with an id is one"
        ),
    }
}

fn consent(json: &Value) {
    if let Some(settings) = DndSettings::from_value(json) {
        for version in [ApiVersion::V20210728, ApiVersion::V3] {
            let again = DndSettings::from_value(&settings.to_value(version)).expect("an object");
            assert_eq!(again, settings, "no channel is lost or made looser on its way");
        }
    }
    if let Some(settings) = InboundDndSettings::from_value(json) {
        assert_eq!(InboundDndSettings::from_value(&settings.to_value()), Some(settings));
    }
}

fn cursor(body: &[u8]) {
    let Ok(text) = std::str::from_utf8(body) else { return };
    if let Some(cursor) = Cursor::from_text(text) {
        assert_eq!(Cursor::from_text(&cursor.to_text()), Some(cursor));
    }
}

fn headers(body: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in body.split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
    assert!(quota::retry_after(&headers, now).is_none_or(|wait| wait <= DAY));
    if let Some(quota) = Quota::from_headers(&headers) {
        let day = u64::try_from(DAY.as_millis()).unwrap();
        assert!(
            quota.interval_ms.is_none_or(|ms| ms <= day) && quota.daily_reset_ms.is_none_or(|ms| ms <= day)
        );
    }
}

fn refusal(status: &[u8], body: &[u8]) {
    let Ok(status) = StatusCode::from_bytes(status) else { return };
    let kind = classify(&operation::CONTACTS_UPDATE, status, body, Wait::default());
    let said = kind.to_string();
    assert!(!said.is_empty() && said.len() <= REASON, "{} bytes", said.len());
}
