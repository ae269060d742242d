//! Referrizer's own operations. The input fits the manifest's schema: the host has checked an admin's, the SDK a rule's.

use contactor_sdk::json::text;
use contactor_sdk::partner::{self, segment};
use contactor_sdk::{Error, Result, clock, instant};
use serde_json::{Map, Value as Json, json};

use crate::api::{self, meaning};
use crate::settings::Settings;
use crate::{contact, visits};

/// Members of a loyalty reward that can be written.
const REWARD: &str = "title points quantity startDate expiredDate expires type value itemId itemName";

pub(crate) fn run(settings: &Settings, action: &str, input: &Json) -> Result<Json> {
    let reward_path =
        || Ok::<_, Error>(settings.path(&format!("/loyalty-rewards/{}", segment(text(input, "reward_id")?))));
    match action {
        "contacts.list" => list(settings, "/contacts", input),
        "contacts.get" => contact::read(settings, text(input, "contact_id")?),
        "contacts.find" => Ok(json!({ "items": contact::search(settings, "email", text(input, "email")?)? })),
        "contacts.invite" => invite(settings, text(input, "contact_id")?, text(input, "message")?),
        "visits.create" => visit(settings, input),
        "rewards.list" => list(settings, "/loyalty-rewards", input),
        "rewards.get" => partner::get(reward_path()?).answer(meaning)?.json(),
        "rewards.create" => {
            let body = reward(Map::new(), input);
            partner::post(settings.path("/loyalty-rewards")).json(&body)?.answer(meaning)?.json()
        }
        // An update replaces the reward: read it, change it, write it.
        "rewards.update" => {
            let path = reward_path()?;
            let present = partner::get(path.as_str()).answer(meaning)?.json()?;
            partner::put(path).json(&reward(present, input))?.answer(meaning)?.json()
        }
        "redeems.list" => list(settings, "/loyalty-rewards/redeems", input),
        other => Err(Error::no_such("action", other)),
    }
}

fn list(settings: &Settings, path: &str, input: &Json) -> Result<Json> {
    let number = |name: &str, unless: u64| input[name].as_u64().unwrap_or(unless);
    let page = api::list(settings.path(path), number("page", 1), number("per_page", 30), None)?;
    Ok(json!({ "items": page.items, "total": page.total, "next_page": page.next }))
}

/// Sends the contact a message.
fn invite(settings: &Settings, id: &str, message: &str) -> Result<Json> {
    if !settings.allow_messages {
        let why = "Referrizer would message the contact; the setting allow_messages is off";
        return Err(Error::Denied(why.into()));
    }
    let request = partner::post(settings.invite_path(id)).json(&json!({ "message": message }))?;
    // The answer's body is not documented.
    Ok(json!({ "status": request.answer(meaning)?.status }))
}

fn visit(settings: &Settings, input: &Json) -> Result<Json> {
    let mut body = Map::from_iter([("contactId".into(), json!(text(input, "contact_id")?))]);
    for (name, member) in [("points", "points"), ("amount_spent", "amountSpent")] {
        if let Some(number) = input.get(name) {
            body.insert(member.into(), number.clone());
        }
    }
    if body.len() > 2 {
        return Err(Error::invalid("points", "points and amount_spent exclude each other"));
    }
    if input["notify"] != true {
        let at = match input["date"].as_str() {
            Some(date) => instant::parse(date).ok_or_else(|| Error::invalid("date", "is no instant"))?,
            None => clock::now(),
        };
        body.insert("date".into(), json!(visits::date(at)));
    }
    let recorded = visits::record(settings, &body)?;
    Ok(json!({ "recorded": recorded.is_some(), "id": recorded.map(|visit| visit["id"].clone()) }))
}

/// A reward's members with those of the input over them.
fn reward(mut present: Map<String, Json>, input: &Json) -> Map<String, Json> {
    let known = |name: &String| REWARD.split(' ').any(|known| known == name);
    present.extend(input.as_object().cloned().unwrap_or_default());
    present.into_iter().filter(|(name, _)| known(name)).collect()
}
