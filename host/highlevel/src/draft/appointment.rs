//! Appointments. They belong to the calendars API; the contacts API only lists them.

use serde_json::{Map, Value};

use super::checked_fields;
use super::rules::{Kind, Rule, Rules, field};
use crate::ids::LocationId;
use crate::version::ApiVersion;

/// Statuses that can be written. Answers may also say `active` and `completed`.
const STATUSES: &[&str] = &["new", "confirmed", "cancelled", "showed", "noshow", "invalid"];

const PLACES: &[&str] = &["custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google"];

const fn common() -> [Rule; 15] {
    [
        field("calendarId", Kind::Text),
        field("startTime", Kind::Instant),
        field("endTime", Kind::Instant),
        field("title", Kind::Text),
        field("appointmentStatus", Kind::OneOf(STATUSES)),
        field("assignedUserId", Kind::Text),
        field("description", Kind::Text),
        field("address", Kind::Text),
        field("meetingLocationType", Kind::OneOf(PLACES)),
        field("meetingLocationId", Kind::Text),
        field("overrideLocationConfig", Kind::Flag),
        field("ignoreDateRange", Kind::Flag),
        field("ignoreFreeSlotValidation", Kind::Flag),
        field("toNotify", Kind::Flag),
        field("rrule", Kind::Text),
    ]
}

const UPDATE: &[Rule] = &common();

const CREATE: &[Rule] = &{
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = common();
    [field("contactId", Kind::Text), a, b, c, d, e, f, g, h, i, j, k, l, m, n, o]
};

const CREATE_RULES: Rules = Rules {
    subject: "an appointment's create",
    fields: CREATE,
    required: &["calendarId", "contactId", "startTime"],
    custom_fields: false,
    skip_null: true,
    refused: &[
        ("locationId", "the host sets it: a connection is bound to one location"),
        ("status", "write `appointmentStatus`"),
        ("id", "HighLevel sets it"),
    ],
};

const UPDATE_RULES: Rules = Rules {
    subject: "an appointment's update",
    fields: UPDATE,
    required: &[],
    custom_fields: false,
    skip_null: false,
    refused: &[
        ("contactId", "an appointment cannot move to another contact"),
        ("locationId", "an appointment cannot move to another location"),
        ("status", "write `appointmentStatus`"),
        ("id", "HighLevel sets it"),
    ],
};

checked_fields!(
    /// A new appointment: `calendarId`, `contactId` and `startTime` (RFC 3339 with a zone) are required.
    ///
    /// Unless given, `toNotify` is false, so that a mirrored appointment does not set off the location's automations,
    /// and `ignoreFreeSlotValidation` is true, because the booking already happened elsewhere.
    AppointmentDraft,
    CREATE_RULES
);

checked_fields!(
    /// Changed fields of an appointment. None can be cleared. Unless given, `toNotify` is false and
    /// `ignoreFreeSlotValidation` is true, as for a new one.
    AppointmentPatch,
    UPDATE_RULES
);

fn with_mirror_defaults(mut body: Map<String, Value>) -> Map<String, Value> {
    body.entry("toNotify").or_insert(Value::Bool(false));
    body.entry("ignoreFreeSlotValidation").or_insert(Value::Bool(true));
    body
}

impl AppointmentDraft {
    pub(crate) fn body(&self, version: ApiVersion, location: &LocationId) -> Map<String, Value> {
        let mut body = with_mirror_defaults(self.0.body(version));
        body.insert("locationId".to_owned(), Value::String(location.as_str().to_owned()));
        body
    }
}

impl AppointmentPatch {
    pub(crate) fn body(&self, version: ApiVersion) -> Map<String, Value> {
        with_mirror_defaults(self.0.body(version))
    }
}
