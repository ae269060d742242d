//! A trigger by its name: the double does what sets it off, on an attendee that is there already or registers for it.

use serde_json::{Value, json};

use super::{EventAct, PheedLoop};
use crate::SandboxError;
use crate::recorder::lock;

impl PheedLoop {
    /// Makes a trigger of the connector's manifest happen at the first event, and returns the record that it is about.
    ///
    /// # Errors
    /// When nothing here sets such a trigger off.
    pub fn emit(&self, trigger: &str) -> Result<Value, SandboxError> {
        let event = None;
        match trigger {
            "signup" => self.act(EventAct::Register { event, fields: self.somebody() }),
            "cancellation" => {
                let registration = match self.first_code(|event| {
                    event.registrations.iter().next().map(|row| super::state::text(row, "code").to_owned())
                }) {
                    Some(code) => code,
                    None => code(&self.act(EventAct::Register { event: None, fields: self.somebody() })?),
                };
                self.act(EventAct::CancelRegistration { event, registration })
            }
            // With the mark of the connector's own attendees: anybody else's is a sign-up.
            "attendee.created" => {
                let mut fields = self.somebody();
                fields["code_internal"] =
                    json!(format!("highlevel:{}", fields["email"].as_str().unwrap_or_default()));
                self.act(EventAct::CreateAttendee { event, fields })
            }
            "attendee.updated" => {
                let fields = json!({ "title": format!("Sample {}", self.clock.millis()) });
                self.act(EventAct::EditAttendee { event, attendee: self.some_attendee()?, fields })
            }
            "attendee.deleted" => {
                self.act(EventAct::DeleteAttendee { event, attendee: self.some_attendee()? })
            }
            "checkin" => self.act(EventAct::CheckIn { event, attendee: self.some_attendee()? }),
            _ => Err(SandboxError::NoTrigger(trigger.to_owned())),
        }
    }

    fn first_code(&self, of: impl Fn(&super::state::Event) -> Option<String>) -> Option<String> {
        let first = self.first_event();
        lock(&self.organization).events.get(&first).and_then(of)
    }

    /// An attendee that is there, or a new one.
    fn some_attendee(&self) -> Result<String, SandboxError> {
        match self.first_code(|event| {
            event.attendees.iter().next().map(|row| super::state::text(row, "code").to_owned())
        }) {
            Some(code) => Ok(code),
            None => Ok(code(&self.act(EventAct::CreateAttendee { event: None, fields: self.somebody() })?)),
        }
    }

    /// A person who is nobody's yet.
    fn somebody(&self) -> Value {
        let count = lock(&self.organization)
            .events
            .values()
            .map(|event| event.attendees.iter().count())
            .sum::<usize>();
        json!({ "first_name": "Sam", "last_name": "Sample", "email": format!("sample-{}@example.com", count + 1) })
    }
}

fn code(record: &Value) -> String {
    record["code"].as_str().unwrap_or_default().to_owned()
}
