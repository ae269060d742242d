//! `appointments`: a contact's appointments. The vendor lists their times as the location's clock shows them, without a zone;
//! a connector gets instants.

use contactor_highlevel as highlevel;
use contactor_highlevel::{ContactId, EventTime};
use contactor_runtime::bindings::appointments::{Appointment, Host};
use contactor_runtime::bindings::types::Error;
use jiff::tz::TimeZone;

use super::fields::JsonFields;
use super::{Direct, errors};
use crate::access::Access;
use crate::convert;

impl Host for Direct {
    async fn list_all(&mut self, contact_id: String) -> Result<Vec<Appointment>, Error> {
        self.may(Access::Read)?;
        let contact = ContactId::new(contact_id);
        let appointments = self.run.location.appointments_of(&contact).await.map_err(errors::of_highlevel)?;
        let zone = zone(self.run.active.workspace.timezone.as_deref());
        Ok(appointments.iter().map(|one| record(&contact, one, zone.as_ref())).collect())
    }
}

/// None when the workspace has no zone, or one that this build does not know: a time in the wrong zone is worse than none.
fn zone(name: Option<&str>) -> Option<TimeZone> {
    TimeZone::get(name?).ok()
}

/// The vendor's answers do not always name the contact: it is the one that was asked for.
fn record(asked: &ContactId, one: &highlevel::Appointment, zone: Option<&TimeZone>) -> Appointment {
    let mut fields = one.fields();
    fields.remove("appointmentStatus");
    Appointment {
        id: one.id.to_string(),
        contact_id: one.contact_id.as_ref().unwrap_or(asked).to_string(),
        start: take_instant(one.start, "startTime", zone, &mut fields),
        end: take_instant(one.end, "endTime", zone, &mut fields),
        status: one.status.clone().unwrap_or_default(),
        fields: convert::json_fields_to_wit(&fields),
    }
}

/// RFC 3339 in UTC. A time that cannot be told stays among the fields as the vendor wrote it.
fn take_instant(
    time: Option<EventTime>,
    name: &str,
    zone: Option<&TimeZone>,
    fields: &mut JsonFields,
) -> Option<String> {
    let instant = match (time?, zone) {
        (EventTime::Instant(instant), _) => instant,
        (local, Some(zone)) => local.at(zone)?,
        (EventTime::Local(_), None) => return None,
    };
    fields.remove(name);
    Some(instant.to_string())
}

#[cfg(test)]
mod tests {
    use contactor_runtime::bindings::types::{NamedValue, Value};
    use serde_json::json;

    use super::*;

    fn appointment(json: serde_json::Value) -> highlevel::Appointment {
        highlevel::Appointment::from_json(json).unwrap()
    }

    fn names(fields: &[NamedValue]) -> Vec<&str> {
        fields.iter().map(|field| field.name.as_str()).collect()
    }

    #[test]
    fn local_times_become_instants_by_the_rules_of_the_day() {
        let new_york = zone(Some("America/New_York"));
        for (local, instant) in [
            ("2026-07-01 09:00:00", "2026-07-01T13:00:00Z"),
            ("2026-12-01 09:00:00", "2026-12-01T14:00:00Z"),
            ("2026-12-01T09:00:00-05:00", "2026-12-01T14:00:00Z"),
        ] {
            let read =
                record(&"c".into(), &appointment(json!({"id": "a", "startTime": local})), new_york.as_ref());
            assert_eq!(read.start.as_deref(), Some(instant), "{local}");
            assert!(read.fields.is_empty(), "{:?}", read.fields);
        }
    }

    #[test]
    fn without_a_known_zone_a_local_time_stays_raw_and_an_instant_is_one_all_the_same() {
        let read = appointment(
            json!({"id": "a", "startTime": "2026-07-01 09:00:00", "endTime": "2026-07-01T10:00:00Z"}),
        );
        for unknown in [zone(None), zone(Some("Mars/Olympus_Mons"))] {
            let read = record(&"c".into(), &read, unknown.as_ref());
            assert_eq!(read.start, None);
            assert_eq!(read.end.as_deref(), Some("2026-07-01T10:00:00Z"));
            assert_eq!(names(&read.fields), ["startTime"]);
            assert_eq!(read.fields[0].value, Value::Text("2026-07-01T09:00:00".into()));
        }
    }

    #[test]
    fn the_status_is_said_once_under_either_spelling_and_the_rest_is_kept() {
        let json = json!({"id": "a", "contactId": "c2", "appoinmentStatus": "showed", "title": "Visit", "groupId": "g"});
        let read = record(&"c".into(), &appointment(json), None);
        assert_eq!((read.contact_id.as_str(), read.status.as_str()), ("c2", "showed"));
        assert_eq!(names(&read.fields), ["groupId", "title"]);
    }
}
