//! Visits. Quirks (Pipedream's published connector and the vendor's error names): `points` and `amountSpent` exclude each
//! other; a date in the future and a second check-in are errors; without a date the vendor may message the customer.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::error::{Answer, Fault};
use super::state::Visit;
use super::{Change, contacts};
use crate::clock::{Millis, iso_millis};
use crate::http::{Call, Reply};

/// What a visit is worth without points and amount; at the vendor an account's own setting.
const POINTS: i64 = 10;
/// Points for each unit of money; at the vendor an account's own setting.
const POINTS_PER_DOLLAR: i64 = 1;

pub(super) fn create(change: &mut Change<'_>, call: &Call) -> Answer {
    let body = contacts::json_body(call)?;
    let visit = insert(change, &body)?;
    Ok(Reply::json(201, &visit.to_json()))
}

/// Records a visit.
pub(super) fn insert(change: &mut Change<'_>, body: &Map<String, Value>) -> Result<Visit, Fault> {
    let contact =
        body.get("contactId").and_then(Value::as_str).ok_or_else(|| Fault::missing("contactId"))?.to_owned();
    contacts::known(change.state, &contact)?;
    let number = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .filter(|number| *number >= 0)
            .map(Some)
            .ok_or_else(|| Fault::illegal(format!("{name} must be a whole number"))),
    };
    let (points, amount) = (number("points")?, number("amountSpent")?);
    if change.guesses.visit_refuses_both && points.is_some() && amount.is_some() {
        return Err(Fault::illegal("points and amountSpent exclude each other"));
    }
    let date = match body.get("date") {
        None | Some(Value::Null) => None,
        Some(date) => Some(
            instant(date).ok_or_else(|| Fault::illegal("date must be written YYYY-MM-DDTHH:MM:SS.SSSZ"))?,
        ),
    };
    let at = date.unwrap_or(change.now);
    if at > change.now {
        return Err(Fault::Refused("VISIT_DATE_IN_FUTURE", "date lies in the future".into()));
    }
    let window = i64::from(change.guesses.visit_window_hours) * 3_600_000;
    if change.state.visits.iter().any(|other| other.contact == contact && (other.at - at).abs() < window) {
        let message = "the contact has checked in already".into();
        return Err(Fault::Refused("CONTACT_ALREADY_CHECKED_IN", message));
    }
    if date.is_none() {
        change.state.messages.visit_notifications += 1;
    }
    let points = points.or(amount.map(|amount| amount * POINTS_PER_DOLLAR)).unwrap_or(POINTS);
    let visit = Visit { id: change.state.new_visit_id(), contact: contact.clone(), points, at };
    change.state.visits.push(visit.clone());
    if let Some(contact) = change.state.contacts.get_mut(&contact) {
        contact.points += points;
    }
    Ok(visit)
}

/// An instant exactly as the vendor writes one: UTC with milliseconds.
fn instant(value: &Value) -> Option<Millis> {
    let text = value.as_str()?;
    let at = text.parse::<Timestamp>().ok()?.as_millisecond();
    (iso_millis(at) == text).then_some(at)
}

/// A check-in at the counter, where the customer stands: no message is called for.
pub(super) fn check_in(change: &mut Change<'_>, contact: &str) -> Result<Value, Fault> {
    let body = json!({"contactId": contact, "date": iso_millis(change.now)});
    let body = body.as_object().cloned().unwrap_or_default();
    insert(change, &body).map(|visit| visit.to_json())
}
