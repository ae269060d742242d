//! A trigger by its name: the double does what sets it off, on a contact that is there already or is added.

use serde_json::{Map, Value, json};

use super::error::Fault;
use super::state::Contact;
use super::{Change, Referrizer, contacts, rewards};
use crate::SandboxError;

impl Referrizer {
    /// Makes a trigger of the connector's manifest happen, and returns the record that it is about. A poll shows it.
    ///
    /// # Errors
    /// When nothing here sets such a trigger off.
    pub fn emit(&self, trigger: &str) -> Result<Value, SandboxError> {
        let done = self.change(|change| match trigger {
            "lead_created" => Some(add(change).map(|contact| contact.to_json(change.guesses))),
            "status_changed" => Some(change_status(change)),
            "reward_redeemed" => Some(redeem(change)),
            _ => None,
        });
        let done = done.ok_or_else(|| SandboxError::NoTrigger(trigger.to_owned()))?;
        done.map_err(|fault| SandboxError::Refused(fault.message()))
    }
}

fn change_status(change: &mut Change<'_>) -> Result<Value, Fault> {
    let contact = oldest(change)?;
    let key = change.guesses.status_key.as_str();
    let status = if contact.text(key) == "CUSTOMER" { "LEAD" } else { "CUSTOMER" };
    let fields = fields(json!({ key: status }));
    contacts::edit(change, &contact.id, &fields, false).map(|contact| contact.to_json(change.guesses))
}

fn redeem(change: &mut Change<'_>) -> Result<Value, Fault> {
    let contact = oldest(change)?.id;
    let reward = rewards::insert(change, &fields(json!({"title": "Sample reward", "points": 0})))?;
    rewards::redeem(change, reward["id"].as_str().unwrap_or_default(), &contact, None, None)
}

fn oldest(change: &mut Change<'_>) -> Result<Contact, Fault> {
    let known = change.state.contacts.values().min_by_key(|contact| contact.created).cloned();
    known.map_or_else(|| add(change), Ok)
}

fn add(change: &mut Change<'_>) -> Result<Contact, Fault> {
    let number = change.state.tick();
    let email = format!("sample-{number}@example.com");
    contacts::insert(change, &fields(json!({"firstName": "Sample", "email": email})))
}

fn fields(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}
