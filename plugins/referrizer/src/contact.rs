//! Between Referrizer's contact and the fields of the manifest. What Referrizer has no place for (tags, tasks, notes, appointments)
//! lies in the custom fields that the setting `custom_fields` names.

use contactor_sdk::json::{id as any_id, join_set, overlaid, required_id, split_set};
use contactor_sdk::{Error, Fields, Named, NamedValue, PartnerRecord, Result, Value, paging, partner};
use serde_json::{Map, Value as Json, json};

use crate::api::{self, MOST, meaning};
use crate::settings::Settings;

/// The manifest's plain fields with the contact's members.
fn members(settings: &Settings) -> impl Iterator<Item = (&'static str, &str)> {
    let (phone, status) = (settings.phone_key.as_str(), settings.status_key.as_str());
    let known = [("email", "email"), ("firstName", "firstName"), ("lastName", "lastName")];
    known.into_iter().chain([("phone", phone), ("status", status)]).filter(|(_, key)| !key.is_empty())
}

/// A contact as a record. What the answer does not mention stays unknown.
pub(crate) fn record(settings: &Settings, contact: &Json) -> Result<PartnerRecord> {
    let custom = customs(settings, contact);
    let read = |name: &str, field: &str| read_custom(field, custom.get(name).unwrap_or(&Json::Null));
    Ok(PartnerRecord::new(required_id(contact, "/id")?)
        .updated_at(contact["updatedAt"].as_str())
        .with_all(members(settings).filter_map(|(field, key)| Some((field, contact.get(key)?))))
        .with_all(settings.custom_fields.pairs().map(|(field, name)| (field, read(name, field)))))
}

/// The contact's custom fields by name, in whichever of the two shapes they come.
fn customs(settings: &Settings, contact: &Json) -> Map<String, Json> {
    match contact.get(&settings.custom_fields_key) {
        Some(Json::Object(members)) => members.clone(),
        Some(Json::Array(items)) => {
            let pair = |item: &Json| Some((item["name"].as_str()?.to_owned(), item["value"].clone()));
            items.iter().filter_map(pair).collect()
        }
        _ => Map::new(),
    }
}

fn read_custom(field: &str, value: &Json) -> Value {
    let text = value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned());
    let inside = serde_json::from_str::<Json>(&text).ok();
    let is_blank = value.is_null() || text.is_empty();
    match (field, inside) {
        // Names that a person can read, or JSON when one of them holds a comma.
        ("tags", Some(list @ Json::Array(_))) => split_set(&list),
        ("tags", _) => split_set(value),
        ("tasks" | "notes" | "appointments", _) if is_blank => Value::Json("[]".into()),
        ("tasks" | "notes" | "appointments", Some(_)) => Value::Json(text),
        // What a person broke is passed on as it is: the host names the field and shows an excerpt.
        ("tasks" | "notes" | "appointments", None) => Value::Json(value.to_string()),
        ("open_tasks", Some(Json::Number(number))) => Value::from(Json::Number(number)),
        _ if is_blank => Value::Empty,
        _ => Value::from(text),
    }
}

/// A custom field holds a text.
fn write_custom(field: &str, value: &Value) -> Result<Json> {
    Ok(match (field, value) {
        ("tags", Value::Texts(names)) if names.iter().any(|name| name.contains(',')) => {
            json!(json!(names).to_string())
        }
        ("tags", _) => join_set(field, value)?,
        _ => match value.to_json()? {
            plain @ (Json::Null | Json::String(_)) => plain,
            other => json!(other.to_string()),
        },
    })
}

/// The fields as members of a contact, put over `present`, the contact as it is.
fn body(settings: &Settings, present: Map<String, Json>, fields: &Fields) -> Result<Json> {
    let mut custom = customs(settings, &Json::Object(present.clone()));
    let mut body = present;
    for NamedValue { name, value } in fields.values() {
        if let Some((_, key)) = members(settings).find(|(field, _)| field == name) {
            body.insert(key.to_owned(), value.to_json()?);
        } else if let Some(custom_name) = settings.custom_fields.partner_name(name) {
            custom.insert(custom_name.to_owned(), write_custom(name, value)?);
        } else {
            let problem =
                "Referrizer has no place for it until the settings name one (phone_key, custom_fields)";
            return Err(Error::invalid(name, problem));
        }
    }
    body.remove("id");
    if !custom.is_empty() {
        let custom = if settings.custom_fields_shape == "list" {
            custom.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
        } else {
            Json::Object(custom)
        };
        body.insert(settings.custom_fields_key.clone(), custom);
    }
    Ok(Json::Object(body))
}

pub(crate) fn read(settings: &Settings, id: &str) -> Result<Json> {
    if let Some(path) = settings.read_path(id) {
        return partner::get(path).answer(meaning)?.json();
    }
    let found = search(settings, "id", id)?.into_iter().next();
    found.ok_or_else(|| Error::NotFound(format!("Referrizer's list has no contact {id}")))
}

/// The contacts of one page whose member has this text, ignoring case. No search is documented: unless a setting names one, the
/// list is walked until one is found.
pub(crate) fn search(settings: &Settings, key: &str, text: &str) -> Result<Vec<Json>> {
    let parameter = settings.contact_search_parameter.as_str();
    let query = (key == "email" && !parameter.is_empty()).then_some((parameter, text));
    let same = |contact: &Json| {
        any_id(&contact[key]).is_some_and(|own| own.trim().eq_ignore_ascii_case(text.trim()))
    };
    for page in paging::pages(u64::MAX, |number| api::list(settings.path("/contacts"), number, MOST, query)) {
        let found: Vec<Json> = page?.items.into_iter().filter(same).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

pub(crate) fn create(settings: &Settings, fields: &Fields) -> Result<Json> {
    let sent = body(settings, Map::new(), fields)?;
    let answer = settings.create_request().json(&sent)?.answer(meaning)?.json_or_null();
    let contact = overlaid(sent, answer);
    if any_id(&contact["id"]).is_some() {
        return Ok(contact);
    }
    // What the create answers is not documented.
    let found = search(settings, "email", fields.email().unwrap_or_default())?.into_iter().next();
    found.ok_or_else(|| Error::other("Referrizer answered a create without the new contact's id"))
}

pub(crate) fn update(settings: &Settings, id: &str, fields: &Fields) -> Result<Json> {
    // A body that leaves something out may clear it, as it does with loyalty rewards; and custom fields may travel as a whole.
    let present = read(settings, id)?;
    let whole = settings.contact_update_replaces;
    let part = |name: &String| whole || *name == settings.custom_fields_key;
    let kept = present.as_object().cloned().unwrap_or_default().into_iter().filter(|(name, _)| part(name));
    let sent = body(settings, kept.collect(), fields)?;
    let answer = settings.update_request(id).json(&sent)?.answer(meaning)?.json_or_null();
    let mut contact = overlaid(overlaid(present, sent), answer);
    contact["id"] = json!(id);
    Ok(contact)
}
