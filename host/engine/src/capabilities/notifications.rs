//! `notifications`: messages to destinations that an admin set up. Here they are checked and handed over; [`crate::notify`]
//! delivers them.

use contactor_runtime::bindings::notifications::{Host, Message};
use contactor_runtime::bindings::types::Error;
use contactor_store::{LocalWrite, NewMessage, StoreError};

use super::{Direct, errors};
use crate::access::Access;
use crate::notify::{Content, message_id};

/// Bytes of a kind, a title, a text and the data.
const KIND: usize = 128;
const TITLE: usize = 512;
pub(super) const TEXT: usize = 16 * 1024;
pub(super) const DATA: usize = 64 * 1024;
/// Milliseconds after which a connection whose messages wait may try again.
const FULL: u64 = 60_000;

impl Host for Direct {
    async fn send(&mut self, destination: String, message: Message) -> Result<(), Error> {
        self.may(Access::Notify)?;
        self.may_change(|| format!("notifications.send {destination}"))?;
        let content = self.checked(message)?;
        let message = serde_json::to_value(content).map_err(|error| Error::Other(error.to_string()))?;
        let new = NewMessage { id: message_id(), destination, message };
        if let Err(error) = self.write_locally(LocalWrite::Send(new)).await {
            if let StoreError::Limited(why) = &error {
                // The guest's error has no room for words.
                self.run.recorder.line(format!("notifications.send: {why}"));
                return Err(Error::Limited(Some(FULL)));
            }
            return Err(errors::of_store(error));
        }
        self.run.engine.wake().wake();
        Ok(())
    }
}

impl Direct {
    fn checked(&self, message: Message) -> Result<Content, Error> {
        for (name, text, most) in [
            ("kind", &message.kind, KIND),
            ("title", &message.title, TITLE),
            ("text", &message.text, TEXT),
            ("data", &message.data, DATA),
        ] {
            if text.len() > most {
                return Err(errors::invalid(name, format!("at most {most} bytes, these are {}", text.len())));
            }
        }
        // One line, whatever a contact's name holds.
        let line =
            |text: String| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let title = line(message.title);
        if title.trim().is_empty() {
            return Err(errors::invalid("title", "a message has a title"));
        }
        let data = if message.data.is_empty() { "{}" } else { &message.data };
        let data = serde_json::from_str(data)
            .map_err(|error| errors::invalid("data", format!("expected a JSON object: {error}")))?;
        Ok(Content { kind: line(message.kind), title, text: message.text, data, at: self.run.started_at })
    }
}
