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

/// What a text that begins with this asks an export for, instead of its answer.
const ATTACK: &str = "attack:";
/// `check` is asked for nothing; at this time it loops.
const NOON: u64 = 12;

/// Attacks when the text says so.
fn attacked(by: &str) {
    if let Some(attack) = by.strip_prefix(ATTACK) {
        let (name, input) = attack.split_once(' ').unwrap_or((attack, ""));
        let _ = super::attacks::run(name, input.to_owned());
    }
}

impl adapter::Guest for Misbehave {
    fn check() -> Result<adapter::Account, Error> {
        if clock::now() == NOON {
            attacked("attack:loop");
        }
        Ok(adapter::Account { id: "1".into(), name: "Nobody".into(), details: Vec::new() })
    }

    fn admit(entity: String, direction: Direction, _: Vec<NamedValue>) -> Result<adapter::Decision, Error> {
        attacked(&entity);
        Ok(match direction {
            Direction::ToPartner => adapter::Decision::Accept,
            Direction::ToHighlevel => adapter::Decision::Skip(entity),
        })
    }

    fn read(entity: String, id: String) -> Result<adapter::PartnerRecord, Error> {
        attacked(&id);
        if id.is_empty() { Err(Error::NotFound(entity)) } else { Ok(record(id, Vec::new())) }
    }

    fn find(_: String, key: NamedValue) -> Result<Vec<adapter::PartnerRecord>, Error> {
        attacked(&key.name);
        Ok(vec![record("1".into(), vec![key])])
    }

    fn create(entity: String, fields: Vec<NamedValue>) -> Result<adapter::PartnerRecord, Error> {
        attacked(&entity);
        Ok(record("new".into(), fields))
    }

    fn update(_: String, id: String, fields: Vec<NamedValue>) -> Result<adapter::PartnerRecord, Error> {
        attacked(&id);
        Ok(record(id, fields))
    }

    fn delete(_: String, id: String) -> Result<(), Error> {
        attacked(&id);
        if id.is_empty() { Err(Error::Unsupported("delete".into())) } else { Ok(()) }
    }
}

impl triggers::Guest for Misbehave {
    fn receive(webhook: Webhook) -> Result<Received, Error> {
        let body = String::from_utf8_lossy(&webhook.body).into_owned();
        attacked(&body);
        Ok(Received::Rejected(body))
    }

    fn poll(stream: String, cursor: Option<String>) -> Result<PollPage, Error> {
        attacked(&stream);
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
        attacked(&event.id);
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
