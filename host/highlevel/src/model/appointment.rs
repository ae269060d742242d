//! An appointment, from the contact's list or from the calendars API.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::wire::{Wire, record, wire_instant};
use crate::ids::{AppointmentId, CalendarId, ContactId, LocationId, UserId};

record! {
    /// An appointment. Create and update answers lack the times: read it again. A deleted one is still answered with
    /// status 200 and `deleted: true`.
    Appointment("appointment", AppointmentId, outside ["contactId", "locationId"]) {
        /// The contact that it belongs to.
        contact_id: ContactId = "contactId",
        /// The location that it belongs to.
        location_id: LocationId = "locationId",
        /// The calendar that it is in.
        calendar_id: CalendarId = "calendarId",
        /// Title.
        title: String = "title",
        /// `new`, `confirmed`, `cancelled`, `showed`, `noshow`, `invalid`, `active` or `completed`. The vendor sends
        /// the misspelt `appoinmentStatus` as well.
        status: String = "appointmentStatus" | "appoinmentStatus",
        /// The user in charge.
        assigned_user_id: UserId = "assignedUserId",
        /// Begin.
        start: EventTime = "startTime",
        /// End.
        end: EventTime = "endTime",
        /// Where it takes place.
        address: String = "address",
        /// Notes.
        notes: String = "notes",
        /// It was deleted.
        deleted: bool = "deleted",
        /// When it was created.
        date_added: EventTime = "dateAdded",
        /// When it changed last.
        date_updated: EventTime = "dateUpdated",
    }
    also {}
}

impl Appointment {
    /// Every field with a value, under the vendor's names, without `id`, `contactId` and `locationId`.
    pub fn fields(&self) -> BTreeMap<String, Value> {
        self.flat()
    }

    /// Whether it was deleted.
    pub fn is_deleted(&self) -> bool {
        self.deleted.unwrap_or(false)
    }
}

/// A time of an appointment. The calendars API sends an offset; the contact's list sends local time of the location
/// without one, which means nothing until the location's zone is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTime {
    /// An instant.
    Instant(Timestamp),
    /// Local time of the location.
    Local(DateTime),
}

impl EventTime {
    /// The instant. A local time in a gap or fold of daylight saving is taken as calendars do: the later offset in a
    /// gap, the earlier in a fold. None only at the very ends of time.
    pub fn at(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Instant(instant) => Some(instant),
            Self::Local(local) => zone.to_timestamp(local).ok(),
        }
    }

    /// Whether it needs the location's zone.
    pub fn is_local(self) -> bool {
        matches!(self, Self::Local(_))
    }
}

impl Wire for EventTime {
    fn read(value: &Value) -> Option<Self> {
        if let Some(instant) = Timestamp::read(value) {
            return Some(Self::Instant(instant));
        }
        value.as_str()?.parse().ok().map(Self::Local)
    }

    fn write(&self) -> Value {
        Value::String(match self {
            Self::Instant(instant) => wire_instant(*instant),
            Self::Local(local) => local.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn appointment(value: Value) -> Appointment {
        Appointment::from_json(value).unwrap()
    }

    #[test]
    fn the_misspelt_status_is_read_and_the_right_one_wins() {
        assert_eq!(appointment(json!({"id": "a", "appoinmentStatus": "new"})).status.as_deref(), Some("new"));
        let both = appointment(json!({"id": "a", "appoinmentStatus": "new", "appointmentStatus": "showed"}));
        assert_eq!(both.status.as_deref(), Some("showed"));
        assert!(both.unknown.is_empty());
        assert_eq!(both.fields()["appointmentStatus"], "showed");
    }

    #[test]
    fn a_time_without_a_zone_needs_the_location() {
        let read = appointment(
            json!({"id": "a", "startTime": "2026-07-01 09:00:00", "endTime": "2026-07-01T10:00:00+02:00"}),
        );
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert!(read.start.unwrap().is_local());
        assert!(!read.end.unwrap().is_local());
        assert_eq!(read.start.unwrap().at(&zone), "2026-07-01T07:00:00Z".parse().ok());
        assert_eq!(read.end.unwrap().at(&zone), "2026-07-01T08:00:00Z".parse().ok());
    }

    #[test]
    fn a_deleted_appointment_says_so() {
        assert!(appointment(json!({"id": "a", "deleted": true})).is_deleted());
        assert!(!appointment(json!({"id": "a"})).is_deleted());
    }
}
