//! The walk over the appointments about now, for bookings and changes whose webhook was lost.
//!
//! HighLevel lists no changes of appointments and, in the API of contacts, no calendars. The calendars that a webhook or the list
//! of a contact has named are read for a window around now, at the sweep interval and once per workspace, and each appointment
//! is compared with what was last known of it. What differs marks the list of its contact and is an event `AppointmentCreate` or
//! `AppointmentUpdate`, as HighLevel's webhook would have been.
//!
//! A webhook is stored together with what it shows, so the walk does not tell it again; and a webhook that comes after the walk
//! with what the walk told is no event any more. What is known is only the last state, so that an appointment that is moved
//! there and back is told both times.

use std::collections::{BTreeMap, HashMap};

use contactor_highlevel::webhook::{Change, Envelope, Event as HlEvent};
use contactor_highlevel::{Appointment, CalendarId, CalendarScope, EventTime};
use contactor_store::{
    ConnectionId, Cursor, FailureClass, LinkState, Mark, Priority, RecordId, Seen, SeenPage, Side,
    WorkspaceId,
};
use contactor_sync::Fields;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::convert;
use crate::deliver::HostEvent;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::failure::{self, Failure, of_engine, of_store};
use crate::reconcile::RunContext;
use crate::reconcile::children::{self, Kind};
use crate::walk::{APPOINTMENTS_AHEAD, APPOINTMENTS_BACK};
use crate::workspace_walk::Walkers;

/// The stream's name in the store, and the name of its cursor.
const STREAM: &str = "appointments";
/// The stream that keeps the calendars that are known.
const CALENDARS: &str = "calendars";
const CREATED: &str = "AppointmentCreate";
const UPDATED: &str = "AppointmentUpdate";
/// Clocks differ, and a calendar may show a booking late: what is this much older than the last walk still counts as new.
const OVERLAP: SignedDuration = SignedDuration::from_mins(2);

/// Who told of a state of an appointment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Teller {
    Webhook,
    Walk,
}

impl Teller {
    fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Walk => "walk",
        }
    }
}

/// What is known of an appointment: who told, when it begins, and a digest of what makes it what it is.
fn seen(one: &Appointment, teller: Teller, zone: Option<&TimeZone>) -> Option<Seen> {
    let contact = one.contact_id.as_ref()?;
    let instant = |time: Option<EventTime>| instant(time, zone).map(|at| at.to_string()).unwrap_or_default();
    let start = instant(one.start);
    // Members that not every way of reading shows are left out, or the ways would differ.
    let content = json!([
        contact.as_str(),
        one.calendar_id.as_ref().map(CalendarId::as_str),
        one.title,
        one.status,
        start,
        instant(one.end),
    ]);
    let digest = hex::encode(crate::journal::digest(&content));
    Some(Seen {
        record: RecordId::new(one.id.as_str()),
        parent: RecordId::new(contact.as_str()),
        fingerprint: format!("{} {start} {digest}", teller.name()),
    })
}

fn instant(time: Option<EventTime>, zone: Option<&TimeZone>) -> Option<Timestamp> {
    match time? {
        EventTime::Instant(instant) => Some(instant),
        local @ EventTime::Local(_) => local.at(zone?),
    }
}

/// Start and contents, whoever told of them.
fn content(seen: &Seen) -> &str {
    seen.fingerprint.split_once(' ').map_or("", |(_, content)| content)
}

/// Whether it began before this instant, as far as that is known.
fn began_before(seen: &Seen, instant: Timestamp) -> bool {
    let start = content(seen).split(' ').next().and_then(|start| start.parse::<Timestamp>().ok());
    start.is_none_or(|start| start < instant)
}

/// What the calendars show, compared with what is known.
#[derive(Default)]
struct Found<'a> {
    seen: Vec<Seen>,
    /// The event that nobody told, and the appointment.
    told: Vec<(&'static str, &'a Appointment)>,
    /// Contacts whose list is to be looked at, with the appointment that is the reason; true when it changed.
    lists: Vec<(RecordId, RecordId, bool)>,
}

/// `since` is when the last walk was; without it nothing can be told from what was there before.
fn compare<'a>(
    shown: &'a [Appointment],
    known: &HashMap<RecordId, Seen>,
    since: Option<Timestamp>,
    zone: Option<&TimeZone>,
) -> Found<'a> {
    let mut found = Found::default();
    for one in shown.iter().filter(|one| !one.is_deleted()) {
        let Some(now) = seen(one, Teller::Walk, zone) else { continue };
        let before = known.get(&now.record);
        if before.is_some_and(|before| content(before) == content(&now)) {
            continue;
        }
        let after = |time| instant(time, zone).zip(since).is_some_and(|(at, since)| at >= since - OVERLAP);
        let kind = match before {
            Some(_) => Some(UPDATED),
            None if after(one.date_added) => Some(CREATED),
            None if after(one.date_updated) => Some(UPDATED),
            None => None,
        };
        found.told.extend(kind.map(|kind| (kind, one)));
        found.lists.push((now.parent.clone(), now.record.clone(), before.is_some()));
        found.seen.push(now);
    }
    found
}

/// The event as HighLevel's webhook would have been.
fn event(kind: &'static str, one: &Appointment, location: &str) -> HostEvent {
    let mut members = one.fields();
    members.insert("id".to_owned(), one.id.as_str().into());
    let contact = one.contact_id.as_ref().map(|id| id.as_str().to_owned());
    members.extend(contact.iter().map(|id| ("contactId".to_owned(), id.as_str().into())));
    let payload = json!({ "type": kind, "locationId": location, "appointment": members });
    let fields: Fields = convert::fields_from_json(members);
    HostEvent { kind, contact: contact.map(RecordId::new), fields, payload }
}

/// The appointment in a webhook that tells that it is new or changed.
fn of_webhook(envelope: &Envelope) -> Option<Appointment> {
    let HlEvent::Appointment { change: Change::Created | Change::Updated, .. } = envelope.event() else {
        return None;
    };
    Appointment::from_json(envelope.body.get("appointment")?.clone()).ok()
}

impl Engine {
    /// The walk over a workspace's appointments, when it is due.
    pub(crate) async fn appointment_walk_step(&self, workspace: &WorkspaceId) -> Result<(), Failure> {
        let walkers = self.walkers(workspace, Kind::Appointment, &[CREATED, UPDATED]).await?;
        let Some(walkers) = walkers else { return Ok(()) };
        let id = &walkers.carrier.connection.id;
        let now = self.now();
        let last = self.store().cursor(id, STREAM).await.map_err(of_store)?;
        if !walkers.is_due(last.as_ref(), now) {
            return Ok(());
        }
        let run = self.context(&walkers.carrier, Priority::Sweep, false);
        let fresh = Cursor {
            connection: id.clone(),
            stream: STREAM.to_owned(),
            cursor: None,
            done: true,
            seen: 0,
            total: None,
            updated_at: now,
            trouble: None,
        };
        // The cursor's text is the last walk that ended: a walk that fails at first has none.
        let since = last.as_ref().and_then(|cursor| cursor.cursor.as_deref()?.parse().ok());
        match self.look_at_calendars(&run, &walkers, since, now).await {
            Ok(seen) => {
                let done = Cursor { cursor: Some(now.to_string()), seen, ..fresh };
                self.store().put_cursor(done).await.map_err(of_store)
            }
            Err(failure) => self.troubled(&run, last.unwrap_or(fresh), walkers.interval, failure).await,
        }
    }

    /// Reads the calendars that are known and stores what they show; answers how many appointments that is.
    async fn look_at_calendars(
        &self,
        run: &RunContext,
        walkers: &Walkers,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<u64, Failure> {
        let workspace = &run.active.workspace;
        let (from, until) = (now - APPOINTMENTS_BACK, now + APPOINTMENTS_AHEAD);
        let before = self.appointments_seen(&workspace.id).await?;
        let mut shown = Vec::new();
        for calendar in self.store().seen(&workspace.id, CALENDARS).await.map_err(of_store)? {
            let scope = CalendarScope::Calendar(calendar.record.as_str().into());
            match run.location.calendar_events(&scope, from, until).await {
                Ok(events) => shown.extend(events),
                Err(error) => {
                    let failure = failure::of_highlevel(&error);
                    if failure.class != FailureClass::Data {
                        return Err(failure);
                    }
                    // A calendar that is gone; a webhook that names it makes it known again.
                    let page = SeenPage { gone: vec![calendar.record], ..SeenPage::default() };
                    self.store().put_seen(&workspace.id, CALENDARS, page).await.map_err(of_store)?;
                }
            }
        }
        // What a webhook told while the calendars were read is newer than what they showed: it is for the next walk.
        let mut known = self.appointments_seen(&workspace.id).await?;
        shown.retain(|one| {
            let id = RecordId::new(one.id.as_str());
            before.get(&id) == known.get(&id)
        });
        let zone = workspace.timezone.as_deref().and_then(|name| TimeZone::get(name).ok());
        let found = compare(&shown, &known, since, zone.as_ref());
        for one in &shown {
            known.remove(&RecordId::new(one.id.as_str()));
        }
        let missing = known.into_values().filter(|seen| before.get(&seen.record) == Some(seen));
        let missing: Vec<Seen> = missing.collect();
        let mut lists = found.lists;
        // What lies behind the window is over; anything else was moved out of it, or deleted.
        let moved = missing.iter().filter(|seen| !began_before(seen, from));
        lists.extend(moved.map(|seen| (seen.parent.clone(), seen.record.clone(), true)));
        let mut deliveries = Vec::new();
        for (kind, one) in found.told {
            let event = event(kind, one, workspace.location.as_str());
            deliveries.extend(self.host_deliveries(&workspace.id, &event).await.map_err(of_engine)?);
        }
        let marks = self.appointment_marks(walkers, &lists).await?;
        let wakes = !marks.is_empty() || !deliveries.is_empty();
        let gone = missing.into_iter().map(|seen| seen.record).collect();
        let page = SeenPage { seen: found.seen, gone, marks, deliveries };
        self.store().put_seen(&workspace.id, STREAM, page).await.map_err(of_store)?;
        if wakes {
            self.wake().wake();
        }
        Ok(shown.len() as u64)
    }

    async fn appointments_seen(&self, workspace: &WorkspaceId) -> Result<HashMap<RecordId, Seen>, Failure> {
        let seen = self.store().seen(workspace, STREAM).await.map_err(of_store)?;
        Ok(seen.into_iter().map(|seen| (seen.record.clone(), seen)).collect())
    }

    /// Marks on the lists of contacts: an appointment that is seen for the first time and linked already needs none.
    async fn appointment_marks(
        &self,
        walkers: &Walkers,
        lists: &[(RecordId, RecordId, bool)],
    ) -> Result<Vec<(ConnectionId, Mark)>, Failure> {
        let mut marks = BTreeMap::new();
        for keeper in &walkers.keepers {
            let id = &keeper.connection.id;
            for (contact, appointment, changed) in lists {
                let entity = Kind::Appointment.entity();
                let linked = !changed && {
                    let link = self.store().link(id, entity, Side::Highlevel, appointment).await;
                    link.map_err(of_store)?.is_some_and(|link| link.state == LinkState::Active)
                };
                if !linked {
                    let mark = children::mark(Kind::Appointment.list(), Side::Highlevel, contact);
                    marks.insert((id.clone(), contact.clone()), mark);
                }
            }
        }
        Ok(marks.into_iter().map(|((connection, _), mark)| (connection, mark)).collect())
    }

    /// Makes the calendars known that the list of a contact names.
    pub(crate) async fn know_calendars(
        &self,
        workspace: &WorkspaceId,
        named: impl Iterator<Item = &str>,
    ) -> Result<(), Failure> {
        let mut new: BTreeMap<&str, Seen> = named.map(|calendar| (calendar, of_calendar(calendar))).collect();
        if new.is_empty() {
            return Ok(());
        }
        for known in self.store().seen(workspace, CALENDARS).await.map_err(of_store)? {
            new.remove(known.record.as_str());
        }
        if !new.is_empty() {
            let page = SeenPage { seen: new.into_values().collect(), ..SeenPage::default() };
            self.store().put_seen(workspace, CALENDARS, page).await.map_err(of_store)?;
        }
        Ok(())
    }

    /// What a webhook shows of an appointment, to be stored with it, and whether the walk has told it already.
    pub(crate) async fn appointment_of_webhook(
        &self,
        workspace: &WorkspaceId,
        envelope: &Envelope,
        now: Timestamp,
    ) -> Result<(Vec<(String, Seen)>, bool), EngineError> {
        let Some(one) = of_webhook(envelope) else { return Ok((Vec::new(), false)) };
        let Some(shown) = seen(&one, Teller::Webhook, None) else { return Ok((Vec::new(), false)) };
        let known = self.store().seen_of(workspace, STREAM, &shown.record).await?;
        let told = known.as_ref().is_some_and(|known| {
            known.fingerprint.starts_with(Teller::Walk.name()) && content(known) == content(&shown)
        });
        let mut all = Vec::new();
        let calendar = one.calendar_id.as_ref().map(|id| of_calendar(id.as_str()));
        all.extend(calendar.map(|seen| (CALENDARS.to_owned(), seen)));
        // The walk looks at what is about now, and forgets the rest.
        let ahead =
            !began_before(&shown, now - APPOINTMENTS_BACK) && began_before(&shown, now + APPOINTMENTS_AHEAD);
        if ahead || known.is_some() {
            all.push((STREAM.to_owned(), shown));
        }
        Ok((all, told))
    }
}

fn of_calendar(id: &str) -> Seen {
    Seen { record: RecordId::new(id), parent: RecordId::new(id), fingerprint: String::new() }
}

/// The calendar of an appointment as a list of a contact shows it.
pub(crate) fn calendar_of(fields: &Fields) -> Option<&str> {
    fields.get("calendarId")?.as_text().filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn appointment(status: &str, start: &str) -> Appointment {
        let body: serde_json::Value = json!({"id": "a1", "contactId": "c1", "calendarId": "k1", "title": "Visit",
            "appointmentStatus": status, "startTime": start, "endTime": "2026-12-01T12:00:00Z",
            "dateAdded": "2026-11-20T10:00:00Z", "dateUpdated": "2026-11-25T10:00:00Z"});
        Appointment::from_json(body).unwrap()
    }

    fn kinds(shown: &Appointment, known: Option<Seen>, since: Option<&str>) -> Vec<&'static str> {
        let known = known.into_iter().map(|seen| (seen.record.clone(), seen)).collect();
        let shown = std::slice::from_ref(shown);
        compare(shown, &known, since.map(at), None).told.into_iter().map(|(kind, _)| kind).collect()
    }

    #[test]
    fn what_is_new_or_changed_since_the_last_walk_is_told_and_what_was_there_before_is_not() {
        let one = appointment("confirmed", "2026-12-01T11:00:00Z");
        assert_eq!(kinds(&one, None, None), [] as [&str; 0], "the first walk only learns");
        assert_eq!(kinds(&one, None, Some("2026-11-20T09:00:00Z")), [CREATED]);
        assert_eq!(kinds(&one, None, Some("2026-11-25T09:00:00Z")), [UPDATED]);
        assert_eq!(kinds(&one, None, Some("2026-11-26T09:00:00Z")), [] as [&str; 0]);
    }

    #[test]
    fn a_state_that_anybody_told_is_not_told_again_and_any_other_is() {
        let since = Some("2026-11-26T09:00:00Z");
        let one = appointment("confirmed", "2026-12-01T11:00:00Z");
        for teller in [Teller::Webhook, Teller::Walk] {
            let known = |of: &Appointment| seen(of, teller, None);
            // The same instant under another offset is the same.
            let same = appointment("confirmed", "2026-12-01T12:00:00+01:00");
            assert_eq!(kinds(&one, known(&same), since), [] as [&str; 0]);
            assert_eq!(kinds(&appointment("showed", "2026-12-01T11:00:00Z"), known(&one), since), [UPDATED]);
            assert_eq!(
                kinds(&one, known(&appointment("confirmed", "2026-12-01T10:00:00Z")), since),
                [UPDATED]
            );
        }
    }

    #[test]
    fn the_event_has_the_shape_of_the_webhook() {
        let told = event(UPDATED, &appointment("showed", "2026-12-01T11:00:00Z"), "loc");
        let envelope = Envelope::parse(told.payload.to_string().as_bytes()).unwrap();
        let read = of_webhook(&envelope).unwrap();
        assert_eq!((read.id.as_str(), read.status.as_deref()), ("a1", Some("showed")));
        assert_eq!(told.fields["appointmentStatus"].as_text(), Some("showed"));
        assert_eq!(told.fields["contactId"].as_text(), Some("c1"));
    }
}
