//! A trigger by its name: the double does what sets it off, on a submission that is there already or is made for it.

use serde_json::{Value, json};

use super::{FormAct, FormBuilder};
use crate::SandboxError;
use crate::recorder::lock;

impl FormBuilder {
    /// Makes a trigger of the connector's manifest happen in a form, and returns the submission that it is about.
    ///
    /// # Errors
    /// When the form is unknown, or nothing here sets such a trigger off.
    pub fn emit(&self, form: u64, trigger: &str) -> Result<Value, SandboxError> {
        match trigger {
            "submission" => {
                let count = lock(&self.account).forms.get(&form).map_or(0, |form| form.submissions.len());
                let answers = json!({ "Name/First": "Sam", "Name/Last": "Sample", "Email": format!("sample-{}@example.com", count + 1) });
                self.act(form, FormAct::Submit { answers })
            }
            "submission_approved" => {
                self.act(form, FormAct::Approve { submission: self.some(form)?, approved: 1 })
            }
            "submission_rejected" => {
                self.act(form, FormAct::Approve { submission: self.some(form)?, approved: 2 })
            }
            "submission_payed" => {
                self.act(form, FormAct::MarkPayed { submission: self.some(form)?, payed: 1 })
            }
            // Into the bin: one that is deleted for good is seen by nobody.
            "submission_deleted" => self.act(form, FormAct::BinSubmission { submission: self.some(form)? }),
            _ => Err(SandboxError::NoTrigger(trigger.to_owned())),
        }
    }

    /// A submission that is there, or a new one.
    fn some(&self, form: u64) -> Result<u64, SandboxError> {
        let newest = || {
            let account = lock(&self.account);
            let submissions = account.forms.get(&form).map(|form| &form.submissions);
            submissions.and_then(|all| all.values().rev().find(|one| !one.deleted).map(|one| one.id))
        };
        if newest().is_none() {
            self.emit(form, "submission")?;
        }
        newest().ok_or_else(|| SandboxError::Unknown { what: "form", id: form.to_string() })
    }
}
