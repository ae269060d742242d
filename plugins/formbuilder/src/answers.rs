//! The answers of a submission, and which of them is which field of a person.

use std::collections::BTreeMap;

use contactor_sdk::json::id as any_id;
use contactor_sdk::{Result, log, partner, state};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::api::{many, one};
use crate::settings::{self, Settings};

/// Answers by `fieldid`: the control's id, for a part of a control with `_{n}` behind it.
pub(crate) type Answers = BTreeMap<String, String>;

/// The answers in `content`: an object, or (as the specification has it) the JSON text of one. Fields stand in
/// `fields.field[]`, or are members by their id.
pub(crate) fn of_content(content: &Json) -> Answers {
    let parsed = content.as_str().map(|text| serde_json::from_str::<Json>(text).unwrap_or_default());
    let content = parsed.as_ref().unwrap_or(content);
    let fields = match &content["fields"]["field"] {
        Json::Null => content.get("fields").unwrap_or(content),
        fields => fields,
    };
    let pair = |field: Json| Some((any_id(&field["fieldid"])?, text(&field["fieldvalue"])));
    match fields {
        Json::Object(members) if !members.contains_key("fieldid") => {
            members.iter().map(|(id, value)| (id.clone(), text(value))).collect()
        }
        fields => many(fields.clone()).into_iter().filter_map(pair).collect(),
    }
}

fn text(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.trim().to_owned(),
        Json::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Labels of a form's controls, remembered, because each call counts against the day's quota.
#[derive(Default, Serialize, Deserialize)]
struct Labels {
    known: BTreeMap<String, String>,
    /// Controls that old submissions still have and the form has no more.
    missing: Vec<String>,
}

fn labels(form: &str, answers: &Answers) -> Result<Labels> {
    let key = format!("controls/{form}");
    let labels: Labels = state::get_json(&key)?.unwrap_or_default();
    let control = |id: &String| id.split('_').next().unwrap_or_default().to_owned();
    let is_new = |id: &String| !labels.known.contains_key(id) && !labels.missing.contains(id);
    let new: Vec<String> = answers.keys().map(control).filter(is_new).collect();
    if new.is_empty() {
        return Ok(labels);
    }
    let mut form = one(&partner::get(format!("{}/fields", settings::form(form))))?;
    let controls = many(form["controls"]["data"].take());
    let named = |control: &Json| Some((any_id(&control["id"])?, control["name"].as_str()?.to_owned()));
    let known: BTreeMap<String, String> = controls.iter().filter_map(named).collect();
    let mut missing = labels.missing;
    missing.extend(new.into_iter().filter(|id| !known.contains_key(id)));
    let labels = state::update_json(&key, |_| Ok(Labels { known: known.clone(), missing: missing.clone() }));
    Ok(labels.unwrap_or_else(|error| {
        log::debug!("the form's fields could not be remembered: {}", error.message());
        Labels { known, missing }
    }))
}

/// Values of a person by field, each with its answers in their order.
pub(crate) fn person(
    settings: &Settings,
    form: &str,
    answers: &Answers,
) -> Result<BTreeMap<String, Vec<String>>> {
    let labels = if settings.auto_map { labels(form, answers)? } else { Labels::default() };
    let mut person: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut sorted: Vec<_> = answers.iter().filter(|(_, value)| !value.is_empty()).collect();
    // `7_10` comes after `7_9`.
    sorted.sort_by_key(|(id, _)| (id.split('_').next(), part(id)));
    for (id, value) in sorted {
        let control = id.split('_').next().unwrap_or_default();
        let mapped = [format!("{form}/{id}"), id.clone(), format!("{form}/{control}"), control.to_owned()]
            .iter()
            .find_map(|key| settings.field_map.get(key).map(String::as_str));
        let field = mapped.or_else(|| guess(labels.known.get(control)?, part(id)));
        if let Some(field) = field.filter(|field| *field != "ignore") {
            person.entry(field.to_owned()).or_default().push(value.clone());
        }
    }
    Ok(person)
}

fn part(id: &str) -> Option<u32> {
    id.split_once('_')?.1.parse().ok()
}

/// The field that a label speaks of, in the words of the vendor's standard fields.
fn guess(label: &str, part: Option<u32>) -> Option<&'static str> {
    let label = label.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| label.contains(word));
    Some(match part {
        _ if has(&["email", "e-mail"]) => "email",
        _ if has(&["phone", "mobile"]) => "phone",
        _ if has(&["first name", "given name"]) => "first_name",
        _ if has(&["last name", "surname", "family name"]) => "last_name",
        _ if has(&["company", "organisation", "organization"]) => "company",
        Some(1) if label.trim_end_matches([' ', '*', ':']).ends_with("name") => "first_name",
        Some(2) if label.trim_end_matches([' ', '*', ':']).ends_with("name") => "last_name",
        None if ["name", "full name", "your name"].contains(&label.trim_matches([' ', '*', ':'])) => {
            "full_name"
        }
        _ if has(&["website"]) => "website",
        None if has(&["city"]) => "city",
        None if has(&["postal", "zip"]) => "postal_code",
        None if has(&["address"]) => "address",
        _ if has(&["message", "comment"]) => "message",
        _ => return None,
    })
}
