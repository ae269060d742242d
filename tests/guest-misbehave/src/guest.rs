//! The exports. Without the SDK on purpose: it would keep the guest from the worst.

#[allow(missing_docs, reason = "generated from wit/")]
#[allow(clippy::all, clippy::pedantic, clippy::mem_forget, reason = "generated from wit/")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "connector" });
}

pub(crate) use bindings::contactor::connector::{
    clock, contacts, log,
    types::{Direction, Error, NamedValue, Value},
};
use bindings::exports::contactor::connector::{
    actions, adapter,
    automations::{self, Event, Outcome},
    triggers::{self, Change, ChangeKind, PollPage, Received, Webhook},
};

struct Misbehave;

impl adapter::Guest for Misbehave {
    fn check() -> Result<adapter::Account, Error> {
        Ok(adapter::Account { id: "1".into(), name: "Nobody".into(), details: Vec::new() })
    }

    fn admit(entity: String, direction: Direction, _: Vec<NamedValue>) -> Result<adapter::Decision, Error> {
        Ok(match direction {
            Direction::ToPartner => adapter::Decision::Accept,
            Direction::ToHighlevel => adapter::Decision::Skip(entity),
        })
    }

    fn read(entity: String, id: String) -> Result<adapter::PartnerRecord, Error> {
        if id.is_empty() { Err(Error::NotFound(entity)) } else { Ok(record(id, Vec::new())) }
    }

    fn find(_: String, key: NamedValue) -> Result<Vec<adapter::PartnerRecord>, Error> {
        Ok(vec![record("1".into(), vec![key])])
    }

    fn create(_: String, fields: Vec<NamedValue>) -> Result<adapter::PartnerRecord, Error> {
        Ok(record("new".into(), fields))
    }

    fn update(_: String, id: String, fields: Vec<NamedValue>) -> Result<adapter::PartnerRecord, Error> {
        Ok(record(id, fields))
    }

    fn delete(_: String, id: String) -> Result<(), Error> {
        if id.is_empty() { Err(Error::Unsupported("delete".into())) } else { Ok(()) }
    }
}

impl triggers::Guest for Misbehave {
    fn receive(webhook: Webhook) -> Result<Received, Error> {
        Ok(Received::Rejected(String::from_utf8_lossy(&webhook.body).into_owned()))
    }

    fn poll(stream: String, cursor: Option<String>) -> Result<PollPage, Error> {
        let change = Change {
            entity: stream,
            id: "1".into(),
            kind: ChangeKind::Updated,
            event: String::new(),
            snapshot: None,
            fields: Vec::new(),
        };
        Ok(PollPage { changes: vec![change], cursor, more: true })
    }
}

impl automations::Guest for Misbehave {
    fn handle(event: Event) -> Result<Outcome, Error> {
        Ok(Outcome::Done(event.id))
    }
}

impl actions::Guest for Misbehave {
    fn run(name: String, input: String) -> Result<String, Error> {
        super::attacks::run(&name, input)
    }
}

fn record(id: String, fields: Vec<NamedValue>) -> adapter::PartnerRecord {
    adapter::PartnerRecord { id, fields, updated_at: None }
}

bindings::export!(Misbehave with_types_in bindings);
