//! Prefinery's own operations. The input fits the manifest's schema: the host has checked an admin's, the SDK a rule's.

use contactor_sdk::json::{join_set, split_set, text};
use contactor_sdk::partner::Request;
use contactor_sdk::{Error, Result, Value, partner};
use serde_json::{Value as Json, json};

use crate::api::{self, meaning};
use crate::settings::Settings;

pub(crate) fn run(settings: &Settings, action: &str, input: &Json) -> Result<Json> {
    let tester = |below: &str| {
        Ok::<_, Error>(format!("/testers/{}{below}", partner::segment(text(input, "tester_id")?)))
    };
    match action {
        "projects.list" => list(partner::get(settings.projects_path()), input, &["page"]),
        "projects.get" => partner::get(settings.project_path()).answer(meaning)?.json(),
        "testers.get" => partner::get(settings.path(&tester("")?)).answer(meaning)?.json(),
        "testers.list" => {
            let parameters = ["email_is", "email_contains", "name", "referral_code", "custom_vars", "page"];
            list(partner::get(settings.path("/testers")), input, &parameters)
        }
        "testers.groups" => groups(&settings.path(&tester("")?), input),
        "rewards.list" => list(partner::get(settings.path("/rewards")), input, &["email", "status", "page"]),
        "points.list" => list(partner::get(settings.path("/points")), input, &["email", "page"]),
        "testers.checkin" => {
            partner::post(settings.path(&tester("/checkin")?)).answer(meaning)?;
            Ok(json!({ "accepted": true }))
        }
        "testers.verify" => {
            let code = text(input, "invitation_code")?;
            let request = partner::get(settings.path(&tester("/verify")?)).query("invitation_code", code);
            request.answer(meaning)?.json()
        }
        // Unlike a tester, a point and an invitation are not wrapped.
        "points.award" => partner::post(settings.path("/points")).json(input)?.answer(meaning)?.json(),
        "friends.invite" if !settings.allow_email_side_effects => Err(Error::Denied(
            "Prefinery would mail the friend; the setting allow_email_side_effects is off".into(),
        )),
        "friends.invite" => {
            let request = partner::post(settings.path("/friend_invitations")).json(input)?;
            // The answer's body is not documented.
            Ok(request.answer(meaning)?.json_or_status())
        }
        other => Err(Error::no_such("action", other)),
    }
}

/// Puts a tester into groups and takes it out of others; what it is in beside these stays.
fn groups(path: &str, input: &Json) -> Result<Json> {
    let names = |json: &Json| match split_set(json) {
        Value::Texts(names) => names,
        _ => Vec::new(),
    };
    let tester: Json = partner::get(path).answer(meaning)?.json()?;
    let (present, add, remove) = (names(&tester["groups"]), names(&input["add"]), names(&input["remove"]));
    let same = |a: &String, b: &String| a.to_lowercase() == b.to_lowercase();
    let mut groups = present.clone();
    groups.retain(|group| !remove.iter().any(|gone| same(gone, group)));
    for group in add {
        if !groups.iter().any(|present| same(present, &group)) {
            groups.push(group);
        }
    }
    let changed = groups != present;
    if changed {
        let body = json!({ "tester": { "groups": join_set("groups", &Value::Texts(groups.clone()))? } });
        partner::put(path).json(&body)?.answer(meaning)?;
    }
    Ok(json!({ "groups": groups, "changed": changed }))
}

fn list(mut request: Request, input: &Json, parameters: &[&str]) -> Result<Json> {
    for name in parameters {
        match &input[name] {
            Json::Null => {}
            Json::String(text) => request = request.query(name, text),
            other => request = request.query(name, other),
        }
    }
    let page = api::page(&request)?;
    Ok(json!({ "items": page.items, "next_page": page.next }))
}
