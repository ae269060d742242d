//! What a person does in Prefinery's own interface, and what happens to testers without us.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Prefinery, rewards, testers};
use crate::SandboxError;

/// One act. `fields` are those of the API's `tester` object.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the members are ids and bodies by the names of the API")]
pub enum ProjectAct {
    /// Somebody joins the waitlist or is imported.
    CreateTester { fields: Value },
    /// Edits a tester (id or UUID).
    EditTester { tester: String, fields: Value },
    /// Deletes a tester.
    DeleteTester { tester: String },
    /// The tester unsubscribes from mail.
    Unsubscribe { tester: String },
    /// A tester earns a reward.
    EarnReward { tester: String, name: String },
    /// A reward is delivered.
    DeliverReward { reward: u64 },
    /// A reward is revoked.
    RevokeReward { reward: u64 },
    /// Points are awarded.
    AwardPoints { email: String, quantity: i64 },
}

impl Prefinery {
    /// Does what a person would do, and returns the record as the API would show it.
    ///
    /// # Errors
    /// When the project is unknown, or the interface would refuse.
    pub fn act(&self, project: u64, act: ProjectAct) -> Result<Value, SandboxError> {
        let done = self.change(project, true, |change| {
            let fields = |value: Value| value.as_object().cloned().unwrap_or_default();
            let tester = match act {
                ProjectAct::CreateTester { fields: value } => testers::insert(change, &fields(value))?,
                ProjectAct::EditTester { tester, fields: value } => {
                    testers::edit(change, &tester, &fields(value))?
                }
                ProjectAct::DeleteTester { tester } => testers::remove(change, &tester)?,
                ProjectAct::Unsubscribe { tester } => {
                    let mut tester = testers::known(change.project, &tester)?;
                    tester.unsubscribed_at = Some(change.now);
                    tester.updated_at = change.now;
                    change.project.put(tester.clone());
                    change.emit_tester("tester_updated", &tester);
                    tester
                }
                ProjectAct::EarnReward { tester, name } => return rewards::earn(change, &tester, &name),
                ProjectAct::DeliverReward { reward } => return rewards::settle(change, reward, true),
                ProjectAct::RevokeReward { reward } => return rewards::settle(change, reward, false),
                ProjectAct::AwardPoints { email, quantity } => {
                    let point = rewards::award(change, &email, Some(quantity), None)?;
                    return Ok(json!(point.to_json()));
                }
            };
            Ok(change.project.tester_json(&tester))
        });
        done.map_err(|fault| SandboxError::Refused(fault.message().to_owned()))
    }
}
