//! Rewards and points.

use serde_json::{Value, json};

use super::error::{Answer, Fault};
use super::state::{Point, Reward};
use super::{Change, page, testers};
use crate::http::{Call, Reply};

pub(super) fn list(change: &mut Change<'_>, call: &Call) -> Answer {
    let user = call.query("email").map(|email| change.project.by_email(email).map(|tester| tester.id));
    let rewards: Vec<&Reward> = change
        .project
        .rewards
        .iter()
        .filter(|reward| user.is_none_or(|user| user == Some(reward.user_id)))
        .filter(|reward| call.query("status").is_none_or(|status| reward.status == status))
        .collect();
    page::reply(call, &rewards, |reward| reward.to_json())
}

pub(super) fn list_points(change: &mut Change<'_>, call: &Call) -> Answer {
    let user = call.query("email").map(|email| change.project.by_email(email).map(|tester| tester.id));
    let points: Vec<&Point> = change
        .project
        .points
        .iter()
        .filter(|point| user.is_none_or(|user| user == Some(point.user_id)))
        .collect();
    page::reply(call, &points, |point| point.to_json())
}

/// Not wrapped; the error codes are the vendor's (2802 to 2804).
pub(super) fn award_points(change: &mut Change<'_>, call: &Call) -> Answer {
    let body = testers::json_body(call)?;
    let email = body.get("email").and_then(Value::as_str).unwrap_or_default();
    let quantity = body.get("quantity").and_then(Value::as_i64);
    let reason = body.get("reason").and_then(Value::as_str).map(str::to_owned);
    let point = award(change, email, quantity, reason)?;
    Ok(Reply::json(201, &point.to_json()))
}

pub(super) fn award(
    change: &mut Change<'_>,
    email: &str,
    quantity: Option<i64>,
    reason: Option<String>,
) -> Result<Point, Fault> {
    if email.is_empty() {
        return Err(Fault::invalid(2802, "Email is required"));
    }
    let user_id =
        change.project.by_email(email).ok_or(Fault::Invalid { code: 2803, message: "Email not found" })?.id;
    let quantity = quantity.ok_or(Fault::Invalid { code: 2804, message: "Quantity is required" })?;
    let id = change.project.new_id();
    let point = Point { id, user_id, quantity, activity: "bonus", reason, created_at: change.now };
    change.project.points.push(point.clone());
    change.emit("points_earned", "point", &point.to_json());
    Ok(point)
}

/// The newest points are taken back. Whether the vendor keeps them with a mark is not known; here they go.
pub(super) fn revoke_points(change: &mut Change<'_>) -> Result<Value, Fault> {
    let point = change.project.points.pop().ok_or(Fault::NotFound("There are no points"))?;
    change.emit("points_revoked", "point", &point.to_json());
    Ok(point.to_json())
}

/// A tester earns a reward.
pub(super) fn earn(change: &mut Change<'_>, tester: &str, name: &str) -> Result<Value, Fault> {
    let user_id = testers::known(change.project, tester)?.id;
    let id = change.project.new_id();
    let reward = Reward {
        id,
        user_id,
        name: name.to_owned(),
        status: "earned",
        earned_at: change.now,
        delivered_at: None,
        revoked_at: None,
    };
    change.project.rewards.push(reward.clone());
    emit(change, "reward_earned", &reward);
    Ok(reward.to_json())
}

/// A reward is delivered or revoked.
pub(super) fn settle(change: &mut Change<'_>, id: u64, delivered: bool) -> Result<Value, Fault> {
    let now = change.now;
    let found = change.project.rewards.iter_mut().find(|reward| reward.id == id);
    let reward = found.ok_or(Fault::NotFound("Reward not found"))?;
    let event = if delivered {
        (reward.status, reward.delivered_at) = ("delivered", Some(now));
        "reward_delivered"
    } else {
        (reward.status, reward.revoked_at) = ("revoked", Some(now));
        "reward_revoked"
    };
    let reward = reward.clone();
    emit(change, event, &reward);
    Ok(reward.to_json())
}

fn emit(change: &mut Change<'_>, event: &'static str, reward: &Reward) {
    let mut shown = reward.to_json();
    if let Some(tester) = change.project.testers.get(&reward.user_id) {
        shown["user"] = json!({"id": tester.id, "email": tester.email});
    }
    change.emit(event, "reward", &shown);
}
