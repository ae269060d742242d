//! Loyalty rewards and redemptions.

use serde_json::{Map, Value};

use super::error::{Answer, Fault};
use super::state::{Redemption, Reward};
use super::{Change, contacts, page};
use crate::http::{Call, Reply};

/// Members that can be written.
const MEMBERS: [&str; 10] = [
    "title",
    "points",
    "quantity",
    "startDate",
    "expiredDate",
    "expires",
    "type",
    "value",
    "itemId",
    "itemName",
];
const TYPES: [&str; 3] = ["ITEM", "CASH_DISCOUNT", "PERCENT_DISCOUNT"];

pub(super) fn list(change: &Change<'_>, call: &Call) -> Answer {
    page::reply(call, &change.state.rewards, |reward| change.state.reward_json(reward))
}

pub(super) fn get(change: &Change<'_>, id: &str) -> Answer {
    let reward = change.state.rewards.iter().find(|reward| reward.id == id);
    let reward = reward.ok_or(Fault::NotFound("Loyalty reward"))?;
    Ok(Reply::json(200, &change.state.reward_json(reward)))
}

pub(super) fn create(change: &mut Change<'_>, call: &Call) -> Answer {
    let body = contacts::json_body(call)?;
    Ok(Reply::json(201, &insert(change, &body)?))
}

/// The body replaces the reward.
pub(super) fn update(change: &mut Change<'_>, call: &Call, id: &str) -> Answer {
    let fields = checked(&contacts::json_body(call)?)?;
    let reward = change.state.rewards.iter_mut().find(|reward| reward.id == id);
    let reward = reward.ok_or(Fault::NotFound("Loyalty reward"))?;
    reward.fields = fields;
    let reward = reward.clone();
    Ok(Reply::json(200, &change.state.reward_json(&reward)))
}

/// Newest first.
pub(super) fn list_redeems(change: &Change<'_>, call: &Call) -> Answer {
    let redemptions: Vec<&Redemption> = change.state.redemptions.iter().rev().collect();
    page::reply(call, &redemptions, |redemption| redemption.to_json())
}

pub(super) fn insert(change: &mut Change<'_>, body: &Map<String, Value>) -> Result<Value, Fault> {
    let reward = Reward { id: change.state.new_reward_id(), fields: checked(body)? };
    change.state.rewards.push(reward.clone());
    Ok(change.state.reward_json(&reward))
}

fn checked(body: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    if body.get("title").and_then(Value::as_str).is_none_or(|title| title.trim().is_empty()) {
        return Err(Fault::missing("title"));
    }
    match body.get("points") {
        None | Some(Value::Null) => return Err(Fault::missing("points")),
        Some(points) if points.as_i64().is_none_or(|points| points < 0) => {
            return Err(Fault::illegal("points must be a whole number"));
        }
        Some(_) => {}
    }
    let kind = body.get("type").filter(|kind| !kind.is_null());
    if kind.is_some_and(|kind| kind.as_str().is_none_or(|kind| !TYPES.contains(&kind))) {
        return Err(Fault::illegal(format!("type must be one of {}", TYPES.join(", "))));
    }
    let known = body.iter().filter(|(name, value)| MEMBERS.contains(&name.as_str()) && !value.is_null());
    Ok(known.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// A customer redeems a reward at the counter.
pub(super) fn redeem(
    change: &mut Change<'_>,
    reward: &str,
    contact: &str,
    employee: Option<String>,
    note: Option<String>,
) -> Result<Value, Fault> {
    let found = change.state.rewards.iter().find(|one| one.id == reward);
    let shown = change.state.reward_json(found.ok_or(Fault::NotFound("Loyalty reward"))?);
    let points = shown["points"].as_i64().unwrap_or_default();
    let owned = contacts::known(change.state, contact)?.points;
    let own_limit = shown["quantity"]["perContact"].as_u64();
    if shown["available"] == 0
        || own_limit.is_some_and(|most| change.state.redeemed(reward, Some(contact)) >= most)
    {
        return Err(Fault::Refused("NOT_AVAILABLE", "the reward is used up".into()));
    }
    if owned < points {
        return Err(Fault::Refused("INSUFFICIENT_LOYALTY_POINTS", format!("{owned} points of {points}")));
    }
    if let Some(contact) = change.state.contacts.get_mut(contact) {
        contact.points -= points;
    }
    let redemption = Redemption {
        reward: reward.to_owned(),
        contact: contact.to_owned(),
        points,
        at: change.now,
        employee,
        note,
    };
    change.state.redemptions.push(redemption.clone());
    Ok(redemption.to_json())
}
