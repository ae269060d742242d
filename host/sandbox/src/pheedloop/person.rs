//! What people do in PheedLoop's own interface and on its registration pages.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::records::MEMBERS;
use super::{PheedLoop, attendees, checkin, hooks};
use crate::SandboxError;

/// One act. `event` may be left out and means the first one; `fields` are those of the API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are codes and bodies by the names of the API")]
pub enum EventAct {
    /// Somebody registers: an order and an attendee. Answers the order.
    Register { event: Option<String>, fields: Value },
    /// An order is cancelled.
    CancelRegistration { event: Option<String>, registration: String },
    /// The organiser adds an attendee.
    CreateAttendee { event: Option<String>, fields: Value },
    /// Edits an attendee.
    EditAttendee { event: Option<String>, attendee: String, fields: Value },
    /// Removes an attendee from the event.
    DeleteAttendee { event: Option<String>, attendee: String },
    /// Somebody arrives.
    CheckIn { event: Option<String>, attendee: String },
    /// The organiser adds a member of the organisation.
    CreateMember { fields: Value },
    /// A ticket goes to somebody else.
    TransferTicket { event: Option<String>, registration: String, to: String },
}

impl PheedLoop {
    /// Does what a person would do, and returns the record as the API would show it.
    ///
    /// # Errors
    /// When the event is unknown, or the interface would refuse.
    pub fn act(&self, act: EventAct) -> Result<Value, SandboxError> {
        let first = self.first_event();
        let of = |event: Option<String>| event.unwrap_or_else(|| first.clone());
        let object = super::state::object;
        let done = self.change("", false, |change| {
            let row = match act {
                EventAct::Register { event, fields } => {
                    attendees::register(change, &of(event), &object(fields))?
                }
                EventAct::CancelRegistration { event, registration } => {
                    attendees::cancel(change, &of(event), &registration)?
                }
                EventAct::CreateAttendee { event, fields } => {
                    attendees::insert(change, &of(event), &object(fields))?
                }
                EventAct::EditAttendee { event, attendee, fields } => {
                    attendees::edit(change, &of(event), &attendee, &object(fields))?
                }
                EventAct::DeleteAttendee { event, attendee } => {
                    attendees::remove(change, &of(event), &attendee)?
                }
                EventAct::CheckIn { event, attendee } => {
                    return checkin::mark(change, &of(event), &attendee, true);
                }
                EventAct::CreateMember { fields } => MEMBERS.insert(change, &object(fields))?,
                EventAct::TransferTicket { event, registration, to } => {
                    let now = super::state::instant(change.now);
                    let log = json!({ "registration_code": registration, "transferred_to": to, "date": now });
                    change.event_mut(&of(event))?.transfers.push(log.clone());
                    return Ok(log);
                }
            };
            Ok(attendees::shown(&row, change.guesses.tags))
        });
        done.map_err(|fault| SandboxError::Refused(fault.message()))
    }

    /// Subscribes an address to everything that the first event tells.
    pub(crate) fn listen(&self, address: &Url) -> Result<(), SandboxError> {
        let first = self.first_event();
        let done = self.change("", false, |change| hooks::subscribe(change, &first, address));
        done.map_err(|fault| SandboxError::Refused(fault.message()))
    }
}
