//! Appointments: listed by contact in the contacts API, everything else in the calendars API.

use jiff::Timestamp;
use serde_json::Map;

use crate::client::Location;
use crate::draft::{AppointmentDraft, AppointmentPatch};
use crate::error::Error;
use crate::ids::{AppointmentId, CalendarId, ContactId, UserId};
use crate::model::Appointment;
use crate::operation as op;
use crate::transport::Call;

/// Whose events to list; the vendor wants one of the three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalendarScope {
    /// Of one calendar.
    Calendar(CalendarId),
    /// Of one user.
    User(UserId),
    /// Of a group of calendars.
    Group(String),
}

/// Create and update answer with the bare record, a read with `event`; all are read either way.
const WRAPPERS: &[&str] = &["event", "appointment"];

impl CalendarScope {
    fn query(&self) -> (&'static str, &str) {
        match self {
            Self::Calendar(id) => ("calendarId", id.as_str()),
            Self::User(id) => ("userId", id.as_str()),
            Self::Group(id) => ("groupId", id),
        }
    }
}

impl Location {
    /// `GET /contacts/{contactId}/appointments`. Times come without a zone; see [`crate::EventTime`].
    pub async fn appointments_of(&self, contact: &ContactId) -> Result<Vec<Appointment>, Error> {
        self.call(Call::new(&op::CONTACT_APPOINTMENTS, &[contact.as_str()])).await?.list("events")
    }

    /// `GET /calendars/events`: events that begin within a window. There is no "changed since".
    pub async fn calendar_events(
        &self,
        scope: &CalendarScope,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Appointment>, Error> {
        let (name, id) = scope.query();
        let call = Call::new(&op::EVENTS_LIST, &[])
            .query("locationId", &self.id)
            .query(name, id)
            .query("startTime", from.as_millisecond())
            .query("endTime", until.as_millisecond());
        self.call(call).await?.list("events")
    }

    /// `GET /calendars/events/appointments/{eventId}`. A deleted one is answered too: check
    /// [`Appointment::is_deleted`].
    pub async fn appointment(&self, id: &AppointmentId) -> Result<Appointment, Error> {
        let mut answer = self.call(Call::new(&op::APPOINTMENTS_GET, &[id.as_str()])).await?;
        answer.whole(WRAPPERS)
    }

    /// `POST /calendars/events/appointments`. The answer lacks the times: read it again when they matter.
    pub async fn create_appointment(&self, draft: &AppointmentDraft) -> Result<Appointment, Error> {
        let call = Call::new(&op::APPOINTMENTS_CREATE, &[]).body(draft.body(self.version(), &self.id));
        self.call(call).await?.whole(WRAPPERS)
    }

    /// `PUT /calendars/events/appointments/{eventId}` with just these fields. A patch without fields reads the
    /// appointment instead.
    pub async fn update_appointment(
        &self,
        id: &AppointmentId,
        patch: &AppointmentPatch,
    ) -> Result<Appointment, Error> {
        if patch.is_empty() {
            return self.appointment(id).await;
        }
        let call = Call::new(&op::APPOINTMENTS_UPDATE, &[id.as_str()]).body(patch.body(self.version()));
        self.call(call).await?.whole(WRAPPERS)
    }

    /// `DELETE /calendars/events/{eventId}`.
    pub async fn delete_appointment(&self, id: &AppointmentId) -> Result<(), Error> {
        let call = Call::new(&op::APPOINTMENTS_DELETE, &[id.as_str()]).body(Map::new());
        self.call(call).await?.succeeded()
    }
}
