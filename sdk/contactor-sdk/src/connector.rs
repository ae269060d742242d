//! What an author implements.

use crate::{
    Account, Decision, Direction, Error, Event, Fields, NamedValue, Outcome, PartnerRecord, PollPage,
    Received, Result, Webhook,
};

/// A connector for one partner. Each method runs in a fresh instance: nothing is left in memory from one call to the next.
///
/// Only [`check`](Self::check) has to be there. The other methods answer that the connector does not offer them, except
/// [`admit`](Self::admit), which accepts every record, and [`handle`](Self::handle), which ignores every event.
pub trait Connector {
    /// Is the credential good, and whose is it?
    fn check() -> Result<Account>;

    /// Clean-up rules: may this record be written in this direction? Asked with the complete source record. A preview asks as
    /// well, so it must not call the partner.
    fn admit(entity: &str, direction: Direction, fields: &Fields) -> Result<Decision> {
        let _ = (entity, direction, fields);
        Ok(Decision::Accept)
    }

    /// Reads one record; [`Error::NotFound`] when it is gone.
    fn read(entity: &str, id: &str) -> Result<PartnerRecord> {
        let _ = id;
        Err(not_offered("reading", entity))
    }

    /// Finds records by a natural key that the manifest declares. Several mean that a person decides.
    fn find(entity: &str, key: &NamedValue) -> Result<Vec<PartnerRecord>> {
        let _ = key;
        Err(not_offered("finding", entity))
    }

    /// Creates a record from all mapped fields; [`Error::Duplicate`] when the partner has it already.
    fn create(entity: &str, fields: &Fields) -> Result<PartnerRecord> {
        let _ = fields;
        Err(not_offered("creating", entity))
    }

    /// Writes just these fields. Sets arrive whole. Answers the record as it is afterwards.
    fn update(entity: &str, id: &str, fields: &Fields) -> Result<PartnerRecord> {
        let _ = (id, fields);
        Err(not_offered("updating", entity))
    }

    /// Removes a record.
    fn delete(entity: &str, id: &str) -> Result<()> {
        let _ = id;
        Err(not_offered("deleting", entity))
    }

    /// Turns a webhook that the host has verified into changes. Must not write anything.
    fn receive(webhook: &Webhook) -> Result<Received> {
        let _ = webhook;
        Err(Error::Unsupported("this connector receives no webhooks".into()))
    }

    /// Reads one page of a stream that the manifest declares; the cursor is what the previous page answered.
    fn poll(stream: &str, cursor: Option<&str>) -> Result<PollPage> {
        let _ = cursor;
        Err(not_offered("polling", stream))
    }

    /// Reacts to an event. Calls that write are journalled by the host: after a crash this runs again from its beginning, and
    /// the calls that had finished are answered from the journal.
    fn handle(event: &Event) -> Result<Outcome> {
        let _ = event;
        Ok(Outcome::Ignored("this connector has no automations".into()))
    }

    /// Runs an action that the manifest declares. The input is a JSON object.
    fn run(action: &str, input: serde_json::Value) -> Result<serde_json::Value> {
        let _ = input;
        Err(not_offered("running", action))
    }
}

fn not_offered(what: &str, of: &str) -> Error {
    Error::Unsupported(format!("this connector does not offer {what} `{of}`"))
}
