//! What people do in forms and in 123FormBuilder's own interface.

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::config::FormConfig;
use super::state::Form;
use super::{FormBuilder, forms, submissions, webhooks};
use crate::SandboxError;
use crate::recorder::lock;

/// One act. Answers go by label (`Email`), part (`Name/First`), control id or `fieldid`; a list gives several choices.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are ids and answers")]
pub enum FormAct {
    /// Somebody fills in the form.
    Submit { answers: Value },
    /// Answers are edited; those not named stay.
    EditSubmission { submission: u64, answers: Value },
    /// A submission goes to the bin.
    BinSubmission { submission: u64 },
    /// A submission is deleted for good.
    DeleteSubmission { submission: u64 },
    /// A submission is approved (1), rejected (2) or neither (0).
    Approve { submission: u64, approved: u8 },
    /// A payment is noted: 0 no, 1 yes, 2 invoiced, 3 pending, 4 declined.
    MarkPayed { submission: u64, payed: u8 },
    /// Another form is made.
    CreateForm { form: FormConfig },
    /// A form is deleted with everything in it.
    DeleteForm {},
}

impl FormBuilder {
    /// Does what a person would do with a form, and returns the submission (or form) as the API would show it; null when it
    /// is gone.
    ///
    /// # Errors
    /// When the form is unknown, or the interface would refuse.
    pub fn act(&self, form: u64, act: FormAct) -> Result<Value, SandboxError> {
        let done = self.change(true, |change| {
            let id = match act {
                FormAct::Submit { answers } => submissions::submit(change, form, &answers)?,
                FormAct::EditSubmission { submission, answers } => {
                    submissions::edit(change, form, submission, &answers)?;
                    submission
                }
                FormAct::BinSubmission { submission } => {
                    change.submission(form, submission)?.deleted = true;
                    submission
                }
                FormAct::DeleteSubmission { submission } => {
                    submissions::remove(change, form, submission)?;
                    return Ok(Value::Null);
                }
                FormAct::Approve { submission, approved } => {
                    submissions::mark(change, form, submission, None, Some(approved.min(2)))?;
                    submission
                }
                FormAct::MarkPayed { submission, payed } => {
                    submissions::mark(change, form, submission, Some(payed.min(4)), None)?;
                    submission
                }
                FormAct::CreateForm { form } => {
                    let id = change.account.add_form(&form);
                    return forms::shown(change, id);
                }
                FormAct::DeleteForm {} => {
                    forms::known_mut(change.account, form)?;
                    change.account.forms.remove(&form);
                    return Ok(Value::Null);
                }
            };
            submissions::shown(change, form, id)
        });
        done.map_err(|fault| SandboxError::Refused(fault.message()))
    }

    /// Adds a webhook to a form, as a person does in its settings: the vendor asks the address with HEAD first.
    ///
    /// # Errors
    /// When the form is unknown, has ten or the same already, or the address does not answer HEAD with 2xx.
    pub async fn add_webhook(&self, form: u64, address: Url) -> Result<(), SandboxError> {
        let refused = |text: String| Err(SandboxError::Refused(text));
        if !self.form_ids().contains(&form) {
            return Err(SandboxError::Unknown { what: "form", id: form.to_string() });
        }
        let answer = self.client.request(Method::HEAD, address.clone()).send().await;
        match answer.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => {}
            Ok(status) => return refused(format!("the webhook's address answered HEAD with {status}")),
            Err(error) => return refused(format!("the webhook's address does not answer: {error}")),
        }
        let _turn = lock(&self.account);
        let places = 1..=webhooks::PER_FORM;
        let taken = |place: &usize| self.outbox.target(&webhooks::form_target(form, *place));
        if places.clone().filter_map(|place| taken(&place)).any(|own| own == address) {
            return refused("the form has this webhook already".into());
        }
        let Some(free) = places.into_iter().find(|place| taken(place).is_none()) else {
            return refused(format!("a form has at most {} webhooks", webhooks::PER_FORM));
        };
        self.outbox.set_target(&webhooks::form_target(form, free), Some(address));
        Ok(())
    }

    /// Adds a webhook to the first form, unless it has it already.
    pub(crate) async fn listen(&self, address: Url) -> Result<(), SandboxError> {
        let form = self.first_form();
        let listens =
            |place: usize| self.outbox.target(&webhooks::form_target(form, place)).as_ref() == Some(&address);
        if (1..=webhooks::PER_FORM).any(listens) {
            return Ok(());
        }
        self.add_webhook(form, address).await
    }

    /// Puts a form into a group, whose webhook then hears of it too.
    ///
    /// # Errors
    /// When one of them is unknown.
    pub fn group_form(&self, form: u64, group: u64) -> Result<(), SandboxError> {
        let mut account = lock(&self.account);
        if !account.groups.contains_key(&group) {
            return Err(SandboxError::Unknown { what: "group", id: group.to_string() });
        }
        let unknown = SandboxError::Unknown { what: "form", id: form.to_string() };
        let form: &mut Form = account.forms.get_mut(&form).ok_or(unknown)?;
        form.group = Some(group);
        Ok(())
    }
}
