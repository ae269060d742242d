//! What a person does in Connectif's own interface, and what happens to contacts without us.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::contacts::{self, Route};
use super::error::Fault;
use super::state::Purchase;
use super::{Change, Connectif};
use crate::SandboxError;

/// One act. `fields` are those of the API's contact. What a person does can be read at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are bodies by the names of the API")]
pub enum AccountAct {
    /// Somebody is entered, or registers in the shop.
    CreateContact { email: String, fields: Value },
    /// Edits a contact; null clears a field.
    EditContact { email: String, fields: Value },
    /// Gives a contact another email.
    ChangeEmail { email: String, to: String },
    /// Deletes a contact.
    DeleteContact { email: String },
    /// The contact unsubscribes from the newsletter.
    Unsubscribe { email: String },
    /// The contact buys something.
    Purchase { email: String, amount: f64 },
    /// A workflow calls out, with these values beside the email.
    RunWorkflow {
        email: String,
        event: String,
        #[serde(default)]
        fields: Map<String, Value>,
    },
}

impl Connectif {
    /// Does what a person would do, and returns the contact as the API would show it.
    ///
    /// # Errors
    /// When the interface would refuse.
    pub fn act(&self, act: AccountAct) -> Result<Value, SandboxError> {
        let done = self.change(true, true, |change| {
            let email = match act {
                AccountAct::CreateContact { email, fields } => {
                    if change.account.contact(&email).is_some() {
                        return Err(Fault::invalid("email", "exists already"));
                    }
                    contacts::upsert(change, &email, &object(&fields), Route::Person)?;
                    email
                }
                AccountAct::EditContact { email, fields } => edit(change, email, &object(&fields))?,
                AccountAct::Unsubscribe { email } => {
                    let fields = serde_json::json!({"_newsletterSubscriptionStatus": "unsubscribed"});
                    edit(change, email, &object(&fields))?
                }
                AccountAct::ChangeEmail { email, to } => return change_email(change, &email, &to),
                AccountAct::DeleteContact { email } => {
                    let contact = known(change, &email)?;
                    change.account.contacts.remove(&email.trim().to_lowercase());
                    change.emit("contact.deleted", &contact);
                    return Ok(contact);
                }
                AccountAct::Purchase { email, amount } => purchase(change, email, amount)?,
                AccountAct::RunWorkflow { email, event, fields } => {
                    let contact = known(change, &email)?;
                    change.events.push((event, contact, fields));
                    email
                }
            };
            known(change, &email)
        });
        done.map_err(|fault| SandboxError::Refused(fault.detail()))
    }
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn known(change: &Change<'_>, email: &str) -> Result<Value, Fault> {
    let contact = change.account.contact(email).map(|contact| contact.to_json(change.now));
    contact.ok_or_else(|| Fault::NotFound("The contact does not exist".into()))
}

fn edit(change: &mut Change<'_>, email: String, fields: &Map<String, Value>) -> Result<String, Fault> {
    known(change, &email)?;
    contacts::upsert(change, &email, fields, Route::Person)?;
    Ok(email)
}

fn change_email(change: &mut Change<'_>, email: &str, to: &str) -> Result<Value, Fault> {
    known(change, email)?;
    if !contacts::is_email(to) || change.account.contact(to).is_some() {
        return Err(Fault::invalid("email", "is no email, or taken"));
    }
    let stored = change.account.contacts.remove(&email.trim().to_lowercase());
    let mut contact = stored.ok_or_else(|| Fault::NotFound("The contact does not exist".into()))?.contact;
    to.clone_into(&mut contact.email);
    contact.updated_at = change.now;
    let shown = contact.to_json(change.now);
    change.put(contact);
    change.emit("contact.updated", &shown);
    Ok(shown)
}

fn purchase(change: &mut Change<'_>, email: String, amount: f64) -> Result<String, Fault> {
    known(change, &email)?;
    let now = change.now;
    let Some(mut contact) = change.account.contact(&email).cloned() else { return Ok(email) };
    contact.purchases.push(Purchase { at: now, amount });
    if change.guesses.purchases_touch {
        contact.updated_at = now;
    }
    let shown = contact.to_json(now);
    change.put(contact);
    let fields = Map::from_iter([("amount".to_owned(), amount.into())]);
    change.events.push(("purchase".into(), shown, fields));
    Ok(email)
}
