//! The answers of a submission, and which of them is which field of a person.

use std::collections::BTreeMap;

use contactor_sdk::json::{excerpt, id as any_id, many, unpacked};
use contactor_sdk::labels::{Labels, person_field};
use contactor_sdk::{Error, Result, partner};
use serde_json::Value as Json;

use crate::api::{self, one};
use crate::settings::{self, Settings};

/// Answers by `fieldid`: the control's id, for a part of a control with `_{n}` behind it.
pub(crate) type Answers = BTreeMap<String, String>;

/// The answers in `content`: an object, or (as the specification has it) the JSON text of one. Fields stand in
/// `fields.field[]`, or are members by their id.
pub(crate) fn of_content(content: &Json) -> Result<Answers> {
    let content = unpacked(content);
    if !(content.is_object() || content.is_array() || content.is_null() || content == "") {
        return Err(Error::other(format!("`/content`: expected an object, found {}", excerpt(&content))));
    }
    let fields = match &content["fields"]["field"] {
        Json::Null => content.get("fields").unwrap_or(&content),
        fields => fields,
    };
    let pair = |field: Json| Some((any_id(&field["fieldid"])?, text(&field["fieldvalue"])));
    Ok(match fields {
        Json::Object(members) if !members.contains_key("fieldid") => {
            members.iter().map(|(id, value)| (id.clone(), text(value))).collect()
        }
        fields => many(fields.clone()).into_iter().filter_map(pair).collect(),
    })
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
fn labels(form: &str, answers: &Answers) -> Result<Labels> {
    let read = || {
        let mut form = one(&partner::get(format!("{}/fields", settings::form(form))))?;
        let controls = many(api::part(&mut form, "/controls/data"));
        let named = |control: &Json| Some((any_id(&control["id"])?, control["name"].as_str()?.to_owned()));
        Ok(controls.iter().filter_map(named).collect())
    };
    Labels::of(&format!("controls/{form}"), answers.keys().map(|id| control(id)), read)
}

/// The control of a `fieldid`.
fn control(id: &str) -> &str {
    id.split('_').next().unwrap_or(id)
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
    sorted.sort_by_key(|(id, _)| (control(id), part(id)));
    for (id, value) in sorted {
        let control = control(id);
        let mapped = [format!("{form}/{id}"), id.clone(), format!("{form}/{control}"), control.to_owned()]
            .iter()
            .find_map(|key| settings.field_map.get(key).map(String::as_str));
        let field = mapped.or_else(|| person_field(labels.get(control)?, part(id)));
        if let Some(field) = field.filter(|field| *field != "ignore") {
            person.entry(field.to_owned()).or_default().push(value.clone());
        }
    }
    Ok(person)
}

fn part(id: &str) -> Option<u32> {
    id.split_once('_')?.1.parse().ok()
}
