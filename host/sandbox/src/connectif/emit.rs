//! A trigger by its name: the double does what sets it off, on a contact that is there already or is added.

use serde_json::{Value, json};

use super::contacts::{Route, upsert};
use super::error::Fault;
use super::{AccountAct, Connectif};
use crate::SandboxError;
use crate::recorder::lock;

impl Connectif {
    /// Makes a trigger of the connector's manifest happen, and returns the contact that it is about. Events that Connectif has no
    /// word for are calls of a workflow.
    ///
    /// # Errors
    /// When nothing here sets such a trigger off.
    pub fn emit(&self, trigger: &str) -> Result<Value, SandboxError> {
        let fields = match trigger {
            "contact.created" | "contact.updated" | "contact.deleted" | "purchase" => json!({}),
            "contact.unsubscribed" => json!({"list": "newsletter"}),
            "cart.abandoned" => json!({"id": "cart-77", "amount": 20}),
            "segment.entered" => json!({"segment": "vip"}),
            "task.completed" => json!({"task_id": "wYb2kAPiFH5eVu0XcXhq"}),
            _ => return Err(SandboxError::NoTrigger(trigger.to_owned())),
        };
        let known = lock(&self.account).contacts.values().next().map(|stored| stored.contact.email.clone());
        let fresh = || format!("sample-{}@example.com", lock(&self.account).contacts.len() + 1);
        let email = match known {
            _ if trigger == "contact.created" => fresh(),
            Some(email) => email,
            None => self.quietly_added(&fresh())?,
        };
        self.act(match trigger {
            "contact.created" => AccountAct::CreateContact { email, fields: json!({"_name": "Sample"}) },
            "contact.updated" => {
                let name = format!("Sample {}", self.clock.millis());
                AccountAct::EditContact { email, fields: json!({"_name": name}) }
            }
            "contact.deleted" => AccountAct::DeleteContact { email },
            "purchase" => AccountAct::Purchase { email, amount: 49.9 },
            _ => {
                if trigger == "contact.unsubscribed" {
                    self.act(AccountAct::Unsubscribe { email: email.clone() })?;
                }
                let fields = fields.as_object().cloned().unwrap_or_default();
                AccountAct::RunWorkflow { email, event: trigger.to_owned(), fields }
            }
        })
    }

    fn quietly_added(&self, email: &str) -> Result<String, SandboxError> {
        let fields = json!({"_name": "Sample"}).as_object().cloned().unwrap_or_default();
        let added = self.change(false, true, |change| upsert(change, email, &fields, Route::Person));
        added.map(|_| email.to_owned()).map_err(|fault: Fault| SandboxError::Refused(fault.detail()))
    }
}
