//! Between Prefinery's tester and the fields of the manifest.

use contactor_sdk::json::{id as any_id, join_set, members, overlaid, required_id, split_set};
use contactor_sdk::{Error, Fields, Named, NamedValue, PartnerRecord, Result, Value};
use serde_json::{Map, Value as Json, json};

use crate::settings::Settings;

/// Fields of a tester that are texts and have the same name on both sides.
const PLAIN: [&str; 7] =
    ["email", "status", "referral_code", "share_link", "share_status_link", "unsubscribed_at", "joined_at"];

/// Fields of a tester's profile.
const PROFILE: [&str; 5] = ["first_name", "last_name", "custom_var1", "custom_var2", "custom_var3"];

/// Writing one of these makes Prefinery mail the person (API v1 documentation).
const MAILING: [&str; 2] = ["invited", "rejected"];

/// A tester as a record. What the answer does not mention stays unknown.
pub(crate) fn record(settings: &Settings, tester: &Json) -> Result<PartnerRecord> {
    let id = id(tester).map_or_else(|| required_id(tester, "/id"), Ok)?;
    let mut record = PartnerRecord::new(id)
        .updated_at(tester["updated_at"].as_str())
        .with_all(members(tester, PLAIN))
        .with_all(members(tester, ["groups"]).map(|(name, groups)| (name, split_set(groups))));
    for name in PROFILE {
        // Whether a list shows names beside the profile is not documented, so both places are read.
        let Some(value) = tester["profile"].get(name).or_else(|| tester.get(name)) else { continue };
        record = match settings.phone_field() {
            Some(phone) if phone == name => record.with("phone", value),
            _ => record.with(format!("profile.{name}"), value),
        };
    }
    Ok(record)
}

/// A tester's id: a number, or the `uuid` that some clients use in its place.
pub(crate) fn id(tester: &Json) -> Option<String> {
    ["id", "uuid"].into_iter().find_map(|name| any_id(&tester[name]))
}

/// Whether this is a whole tester and not just a mention of one.
pub(crate) fn is_complete(tester: &Json) -> bool {
    ["email", "status", "groups", "profile"].into_iter().all(|name| tester.get(name).is_some())
}

/// Fields as the body of a create or an update.
pub(crate) fn to_json(settings: &Settings, fields: &Fields) -> Result<Json> {
    let mut tester = Map::new();
    let mut profile = Map::new();
    for NamedValue { name, value } in fields.values() {
        match (name.as_str(), settings.phone_field()) {
            ("email", _) => tester.insert(name.clone(), value.to_json()?),
            ("status", _) => tester.insert(name.clone(), status(settings, value)?),
            ("groups", _) => tester.insert(name.clone(), join_set(name, value)?),
            ("phone", Some(phone)) => profile.insert(phone.to_owned(), in_profile(settings, value)?),
            (_, phone) => match name.strip_prefix("profile.") {
                Some(field) if PROFILE.contains(&field) && phone != Some(field) => {
                    profile.insert(field.to_owned(), in_profile(settings, value)?)
                }
                _ => {
                    let problem =
                        "it cannot be written at Prefinery, or the setting phone_field gives it away";
                    return Err(Error::invalid(name, problem));
                }
            },
        };
    }
    if !profile.is_empty() {
        tester.insert("profile".into(), Json::Object(profile));
    }
    Ok(json!({ "tester": tester }))
}

/// A value of the profile.
fn in_profile(settings: &Settings, value: &Value) -> Result<Json> {
    if *value == Value::Empty { Ok(settings.cleared()) } else { value.to_json() }
}

/// The body of an update with every field that the tester's profile has: whether one that is left out stays is not documented.
pub(crate) fn with_whole_profile(mut body: Json, present: &Json) -> Json {
    let own = members(&present["profile"], PROFILE).filter(|(_, value)| !value.is_null());
    let own = own.map(|(name, value)| (name.to_owned(), value.clone())).collect();
    let changed = body["tester"]["profile"].take();
    body["tester"]["profile"] = overlaid(Json::Object(own), changed);
    body
}

fn status(settings: &Settings, value: &Value) -> Result<Json> {
    let Value::Text(status) = value else {
        return Err(Error::invalid("status", "a tester's status is a text and cannot be cleared"));
    };
    if MAILING.contains(&status.as_str()) && !settings.allow_email_side_effects {
        let problem = format!("Prefinery mails the person for `{status}`: allow_email_side_effects is off");
        return Err(Error::invalid("status", problem));
    }
    Ok(Json::from(status.as_str()))
}
