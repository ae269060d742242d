//! What a person does in Referrizer's own back office or at the counter.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Referrizer, contacts, rewards, visits};
use crate::SandboxError;

/// One act. `fields` are the members of the API's objects; an edit changes what it names and nothing else.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are ids and bodies by the names of the API")]
pub enum AccountAct {
    /// A lead comes in, or somebody enters a customer.
    CreateContact { fields: Value },
    /// Edits a contact.
    EditContact { contact: String, fields: Value },
    /// Deletes a contact.
    DeleteContact { contact: String },
    /// Gives a contact loyalty points.
    GivePoints { contact: String, points: i64 },
    /// Defines a custom field.
    AddCustomField { name: String },
    /// The customer checks in at the counter.
    CheckIn { contact: String },
    /// Offers a loyalty reward.
    CreateReward { fields: Value },
    /// A customer redeems a reward.
    RedeemReward {
        reward: String,
        contact: String,
        #[serde(default)]
        employee: Option<String>,
        #[serde(default)]
        note: Option<String>,
    },
}

impl Referrizer {
    /// Does what a person would do, and returns the record as the API would show it.
    ///
    /// # Errors
    /// When the record is unknown, or the interface would refuse.
    pub fn act(&self, act: AccountAct) -> Result<Value, SandboxError> {
        let done = self.change(|change| {
            let fields = |value: Value| value.as_object().cloned().unwrap_or_default();
            let contact = match act {
                AccountAct::CreateContact { fields: value } => contacts::insert(change, &fields(value))?,
                AccountAct::EditContact { contact, fields: value } => {
                    contacts::edit(change, &contact, &fields(value), false)?
                }
                AccountAct::DeleteContact { contact } => contacts::remove(change, &contact)?,
                AccountAct::GivePoints { contact, points } => {
                    let mut found = contacts::known(change.state, &contact)?.clone();
                    found.points += points;
                    change.state.contacts.insert(contact, found.clone());
                    found
                }
                AccountAct::AddCustomField { name } => {
                    change.state.custom_fields.insert(name.clone());
                    return Ok(json!({"name": name}));
                }
                AccountAct::CheckIn { contact } => return visits::check_in(change, &contact),
                AccountAct::CreateReward { fields: value } => return rewards::insert(change, &fields(value)),
                AccountAct::RedeemReward { reward, contact, employee, note } => {
                    return rewards::redeem(change, &reward, &contact, employee, note);
                }
            };
            Ok(contact.to_json(change.guesses))
        });
        done.map_err(|fault| SandboxError::Refused(fault.message()))
    }
}
