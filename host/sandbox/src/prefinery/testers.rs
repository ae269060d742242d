//! Testers: list and search, create, update, delete, check-in, verify; friend invitations.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::config::{Guesses, ProfileClears, ProfileUpdates};
use super::error::{Answer, Fault};
use super::state::{PROFILE, Project, Tester};
use super::{Change, page};
use crate::clock::Millis;
use crate::http::{Call, Reply};

/// Statuses that can be written; the last three are known from one client only.
const STATUSES: &[&str] =
    &["imported", "applied", "invited", "active", "rejected", "unconfirmed", "suspended", "unsuspended"];

pub(super) fn list(change: &mut Change<'_>, call: &Call) -> Answer {
    let project = &*change.project;
    let now = change.now;
    let visible = |tester: &&Tester| tester.visible_from.is_some_and(|from| from <= now);
    let exact = call.query("email_is").or_else(|| call.query("email"));
    let candidates: Vec<&Tester> = match exact {
        Some(email) => project.by_email(email).into_iter().collect(),
        None => project.testers.values().collect(),
    };
    let contains = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
    let found = candidates.into_iter().filter(visible).filter(|tester| {
        let name = || {
            let of = |name| tester.profile.get(name).map(String::as_str).unwrap_or_default();
            format!("{} {}", of("first_name"), of("last_name"))
        };
        let custom = ["custom_var1", "custom_var2", "custom_var3"];
        call.query("email_contains").is_none_or(|part| contains(&tester.email, part))
            && call.query("name").is_none_or(|part| contains(&name(), part))
            && call.query("referral_code").is_none_or(|code| tester.referral_code == code)
            && call.query("custom_vars").is_none_or(|value| {
                custom.iter().any(|name| tester.profile.get(name).is_some_and(|own| own == value))
            })
    });
    page::reply(call, found.collect::<Vec<_>>().as_slice(), |tester| project.tester_json(tester))
}

pub(super) fn get(change: &mut Change<'_>, id: &str) -> Answer {
    let tester = known(change.project, id)?;
    Ok(Reply::json(200, &change.project.tester_json(&tester)))
}

pub(super) fn create(change: &mut Change<'_>, call: &Call) -> Answer {
    let fields = wrapped(call)?;
    let tester = insert(change, &fields)?;
    Ok(Reply::json(201, &change.project.tester_json(&tester)))
}

pub(super) fn update(change: &mut Change<'_>, call: &Call, id: &str, guesses: &Guesses) -> Answer {
    let mut fields = wrapped(call)?;
    if let Some(Value::Object(profile)) = fields.get_mut("profile") {
        take_profile(profile, guesses);
    }
    let tester = edit(change, id, &fields)?;
    Ok(Reply::json(200, &change.project.tester_json(&tester)))
}

/// A profile as the vendor may understand it: what clears nothing is passed over, what is left out may be gone.
fn take_profile(profile: &mut Map<String, Value>, guesses: &Guesses) {
    profile.retain(|_, value| match guesses.profile_clears {
        ProfileClears::Either => true,
        ProfileClears::Null => *value != "",
        ProfileClears::Empty => !value.is_null(),
    });
    if guesses.profile_updates == ProfileUpdates::Replaces {
        for name in PROFILE {
            profile.entry(*name).or_insert(Value::Null);
        }
    }
}

pub(super) fn delete(change: &mut Change<'_>, id: &str) -> Answer {
    let tester = remove(change, id)?;
    Ok(Reply::json(200, &change.project.tester_json(&tester)))
}

/// Answers 202 (accepted), not 200.
pub(super) fn check_in(change: &mut Change<'_>, id: &str) -> Answer {
    known(change.project, id)?;
    Ok(Reply::json(202, &json!({})))
}

pub(super) fn verify(change: &mut Change<'_>, call: &Call, id: &str) -> Answer {
    let tester = known(change.project, id)?;
    let fits = tester.invitation_code.is_some()
        && tester.invitation_code.as_deref() == call.query("invitation_code");
    if !fits {
        return Err(Fault::invalid(2309, "Invitation code is invalid"));
    }
    Ok(Reply::json(200, &change.project.tester_json(&tester)))
}

/// Not wrapped; mails the friend. What it answers is unknown: 201 with what was sent.
pub(super) fn invite_friend(change: &mut Change<'_>, call: &Call) -> Answer {
    let body = json_body(call)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    if change.project.by_email(text("sender_email")).is_none() || text("recipient_email").is_empty() {
        return Err(Fault::invalid(2501, "Sender or recipient is invalid"));
    }
    change.project.mails.friend_invitations += 1;
    Ok(Reply::json(201, &Value::Object(body.clone())))
}

pub(super) fn known(project: &Project, id: &str) -> Result<Tester, Fault> {
    project.tester(id).cloned().ok_or_else(|| Fault::not_found("Tester not found"))
}

/// The body of a create or update. Without `Content-Type: application/json` the vendor breaks with a 500.
fn wrapped(call: &Call) -> Result<Map<String, Value>, Fault> {
    match json_body(call)?.remove("tester") {
        Some(Value::Object(fields)) => Ok(fields),
        _ => Err(Fault::invalid(2300, "tester is missing")),
    }
}

pub(super) fn json_body(call: &Call) -> Result<Map<String, Value>, Fault> {
    if !call.is_json() {
        return Err(Fault::Broken);
    }
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Fault::Broken),
    }
}

/// Creates a tester; the email must be new to the project.
pub(super) fn insert(change: &mut Change<'_>, fields: &Map<String, Value>) -> Result<Tester, Fault> {
    let email = text(fields, "email").map(str::trim).unwrap_or_default();
    if email.is_empty() {
        return Err(Fault::invalid(2302, "Email is required"));
    }
    let now = change.now;
    let referrer_id =
        fields.get("referrer_id").and_then(|id| id.as_u64().or_else(|| id.as_str()?.parse().ok()));
    let blank = Tester {
        id: change.project.new_id(),
        uuid: change.project.new_uuid(),
        referral_code: change.project.new_code(),
        referrer_id,
        created_at: now,
        visible_from: change.visible_from(),
        ..Tester::default()
    };
    let mut tester = checked(change.project, blank, fields)?;
    if tester.status.is_empty() {
        tester.status = "imported".into();
    }
    take_status(change.project, &mut tester, None, now);
    if let Some(by) = referrer_id.and_then(|id| change.project.testers.get_mut(&id)) {
        by.share_signups += 1;
    }
    change.project.put(tester.clone());
    change.emit_tester("tester_created", &tester);
    Ok(tester)
}

/// Changes what `fields` name; the rest stays.
pub(super) fn edit(change: &mut Change<'_>, id: &str, fields: &Map<String, Value>) -> Result<Tester, Fault> {
    let before = known(change.project, id)?;
    let mut tester = checked(change.project, before.clone(), fields)?;
    take_status(change.project, &mut tester, Some(&before.status), change.now);
    tester.updated_at = change.now;
    change.project.put(tester.clone());
    change.emit_tester("tester_updated", &tester);
    Ok(tester)
}

pub(super) fn remove(change: &mut Change<'_>, id: &str) -> Result<Tester, Fault> {
    let tester = known(change.project, id)?;
    change.project.remove(tester.id);
    change.emit_tester("tester_deleted", &tester);
    Ok(tester)
}

/// `tester` with the members of `fields` put over it; unknown members are ignored.
fn checked(project: &Project, mut tester: Tester, fields: &Map<String, Value>) -> Result<Tester, Fault> {
    if let Some(email) = text(fields, "email").map(str::trim) {
        if !email.contains('@') || email.contains(' ') {
            return Err(Fault::invalid(2303, "Email is invalid"));
        }
        if project.by_email(email).is_some_and(|other| other.id != tester.id) {
            return Err(Fault::invalid(2310, "Email has already been taken"));
        }
        email.clone_into(&mut tester.email);
    }
    if let Some(status) = text(fields, "status") {
        if !STATUSES.contains(&status) {
            return Err(Fault::invalid(2305, "Status is invalid"));
        }
        status.clone_into(&mut tester.status);
    }
    if let Some(code) = text(fields, "invitation_code") {
        tester.invitation_code = Some(code.to_owned());
    }
    if let Some(groups) = fields.get("groups") {
        let groups =
            groups.as_str().unwrap_or_default().split(',').map(str::trim).filter(|group| !group.is_empty());
        tester.groups = groups.collect::<Vec<_>>().join(",");
    }
    if let Some(Value::Object(profile)) = fields.get("profile") {
        put_profile(&mut tester.profile, profile);
    }
    if let Some(responses) = fields.get("responses") {
        tester.responses = Some(responses.clone());
    }
    if tester.updated_at == 0 {
        tester.updated_at = tester.created_at;
    }
    Ok(tester)
}

fn put_profile(profile: &mut BTreeMap<&'static str, String>, fields: &Map<String, Value>) {
    for name in PROFILE {
        match fields.get(*name) {
            None => {}
            Some(Value::String(value)) if !value.is_empty() => {
                profile.insert(name, value.clone());
            }
            Some(Value::Null | Value::String(_)) => {
                profile.remove(name);
            }
            Some(other) => {
                profile.insert(name, other.to_string());
            }
        }
    }
}

/// What entering a status does: dates, a code, and mail to the person (<http://app.prefinery.com/api/v1/docs/testers>).
fn take_status(project: &mut Project, tester: &mut Tester, before: Option<&str>, now: Millis) {
    if before == Some(tester.status.as_str()) {
        return;
    }
    match tester.status.as_str() {
        "imported" => tester.imported_at = Some(now),
        "applied" => {
            tester.applied_at = Some(now);
            project.waiting += 1;
            tester.waitlist_position = Some(project.waiting);
        }
        "invited" => {
            tester.invited_at = Some(now);
            if tester.invitation_code.is_none() {
                tester.invitation_code = Some(project.new_code());
            }
            project.mails.invitations += 1;
        }
        "rejected" => project.mails.rejections += 1,
        "active" => tester.joined_at = Some(now),
        _ => {}
    }
}

fn text<'f>(fields: &'f Map<String, Value>, name: &str) -> Option<&'f str> {
    fields.get(name).and_then(Value::as_str)
}
