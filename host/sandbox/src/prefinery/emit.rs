//! A trigger by its name: the double does what sets it off, on a tester that is there already or is added without notice.

use serde_json::{Map, Value, json};

use super::state::Tester;
use super::{Change, Fault, Prefinery, rewards, testers};
use crate::SandboxError;

/// What is set off here.
const TRIGGERS: [&str; 8] = [
    "tester_created",
    "tester_updated",
    "tester_deleted",
    "reward_earned",
    "reward_delivered",
    "reward_revoked",
    "points_earned",
    "points_revoked",
];

impl Prefinery {
    /// Makes a trigger of the connector's manifest happen, and returns the record that it is about.
    ///
    /// # Errors
    /// When the project is unknown, or nothing here sets such a trigger off.
    pub fn emit(&self, project: u64, trigger: &str) -> Result<Value, SandboxError> {
        if !TRIGGERS.contains(&trigger) {
            return Err(SandboxError::NoTrigger(trigger.to_owned()));
        }
        let before = self.change(project, false, |change| prepare(change, trigger)).map_err(refused)?;
        let done = self.change(project, true, |change| {
            let tester = match trigger {
                "tester_created" => testers::insert(change, &fields(json!({ "email": before.email })))?,
                "tester_updated" => {
                    let name = format!("Sample {}", change.now);
                    testers::edit(change, &before.id, &fields(json!({ "profile": { "first_name": name } })))?
                }
                "tester_deleted" => testers::remove(change, &before.id)?,
                "reward_earned" => return rewards::earn(change, &before.id, "Sample reward"),
                "reward_delivered" => return rewards::settle(change, before.reward, true),
                "reward_revoked" => return rewards::settle(change, before.reward, false),
                "points_earned" => {
                    return Ok(rewards::award(change, &before.email, Some(5), None)?.to_json());
                }
                // The last of them: others were refused above.
                _ => return rewards::revoke_points(change),
            };
            Ok(change.project.tester_json(&tester))
        });
        done.map_err(refused)
    }
}

/// What a trigger needs, there without anybody having been told.
struct Before {
    id: String,
    email: String,
    reward: u64,
}

fn prepare(change: &mut Change<'_>, trigger: &str) -> Result<Before, Fault> {
    if trigger == "tester_created" {
        let email = format!("sample-{}@example.com", change.project.testers.len() + 1);
        return Ok(Before { id: String::new(), email, reward: 0 });
    }
    let known: Option<Tester> = change.project.testers.values().next_back().cloned();
    let tester = match known {
        Some(tester) => tester,
        None => testers::insert(change, &fields(json!({ "email": "sample-0@example.com" })))?,
    };
    let (id, email) = (tester.id.to_string(), tester.email);
    let reward = match trigger {
        "reward_delivered" | "reward_revoked" => {
            rewards::earn(change, &id, "Sample reward")?["id"].as_u64().unwrap_or_default()
        }
        "points_revoked" => {
            rewards::award(change, &email, Some(5), None)?;
            0
        }
        _ => 0,
    };
    Ok(Before { id, email, reward })
}

fn fields(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

#[expect(clippy::needless_pass_by_value, reason = "fits `map_err`")]
fn refused(fault: Fault) -> SandboxError {
    SandboxError::Refused(fault.message().to_owned())
}
