//! The location itself, its tag dictionary and its custom field definitions.

use serde_json::{Value, json};

use super::config::COMPANY_ID;
use super::refusal::{Answer, Refusal};
use super::state::{Contact, CustomField, LocationState};
use super::tx::{Request, Tx};
use super::{normal, schema, validate};

pub(super) fn get(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    tx.same_location(request.id(0))?;
    let config = &tx.state.config;
    // The order of match fields is not exposed.
    let location = json!({
        "id": config.id, "companyId": COMPANY_ID, "name": config.name, "country": config.country,
        "timezone": config.timezone, "address": "1 Example Street", "email": "office@example.com",
        "settings": {
            "allowDuplicateContact": config.allow_duplicate_contact, "allowDuplicateOpportunity": false,
            "allowFacebookNameMerge": false, "disableContactTimezone": false,
        },
    });
    request.reply(200, json!({"location": location}))
}

pub(super) fn list_tags(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    tx.same_location(request.id(0))?;
    let tags: Vec<_> = tx.state.tags.iter().map(|(name, id)| tag(&tx.state.config.id, name, id)).collect();
    request.reply(200, json!({"tags": tags}))
}

pub(super) fn create_tag(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    tx.same_location(request.id(0))?;
    let name = tag_name(request)?;
    if tx.state.tags.contains_key(&name) {
        return Err(Refusal::bad("The tag name is already exist."));
    }
    tx.state.know_tags(std::slice::from_ref(&name));
    let shown = tag(&tx.state.config.id, &name, &tx.state.tags[&name]);
    request.reply(200, json!({"tag": shown}))
}

pub(super) fn get_tag(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    tx.same_location(request.id(0))?;
    let name = tag_by_id(tx.state, request.id(1))?;
    request.reply(200, json!({"tag": tag(&tx.state.config.id, &name, request.id(1))}))
}

/// Renames a tag, in the dictionary and on every contact; no webhook tells of it.
pub(super) fn update_tag(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    tx.same_location(request.id(0))?;
    let old = tag_by_id(tx.state, request.id(1))?;
    let new = tag_name(request)?;
    tx.state.tags.remove(&old);
    tx.state.tags.insert(new.clone(), request.id(1).to_owned());
    retag(tx, &old, Some(&new));
    request.reply(200, json!({"tag": tag(&tx.state.config.id, &new, request.id(1))}))
}

/// Removes a tag, from the dictionary and from every contact; no webhook tells of it.
pub(super) fn delete_tag(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    tx.same_location(request.id(0))?;
    let name = tag_by_id(tx.state, request.id(1))?;
    tx.state.tags.remove(&name);
    retag(tx, &name, None);
    request.success(200)
}

fn retag(tx: &mut Tx<'_>, old: &str, new: Option<&str>) {
    let tagged: Vec<Contact> = tx
        .state
        .contacts()
        .into_iter()
        .filter(|contact| contact.tags.iter().any(|tag| tag == old))
        .map(|contact| Contact::clone(contact))
        .collect();
    for mut contact in tagged {
        contact.tags.retain(|tag| tag != old);
        contact.tags.extend(new.map(str::to_owned));
        tx.store_changed(contact);
    }
}

fn tag_name(request: &Request<'_>) -> Result<String, Refusal> {
    let body = validate::body(request.call, schema::LOCATION_TAG)?;
    normal::tags(validate::text(&body, "name"))
        .pop()
        .ok_or_else(|| Refusal::invalid(vec!["name should not be empty".into()]))
}

fn tag_by_id(state: &LocationState, id: &str) -> Result<String, Refusal> {
    let found = state.tags.iter().find(|(_, known)| *known == id);
    found.map(|(name, _)| name.clone()).ok_or_else(|| Refusal::bad(format!("Tag with id {id} not found")))
}

fn tag(location_id: &str, name: &str, id: &str) -> Value {
    json!({"id": id, "name": name, "locationId": location_id})
}

pub(super) fn list_custom_fields(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    tx.same_location(request.id(0))?;
    let model = request.call.query("model").unwrap_or("contact");
    if !matches!(model, "contact" | "opportunity" | "all") {
        return Err(Refusal::invalid(vec![
            "model must be one of the following values: contact, opportunity, all".into(),
        ]));
    }
    let fields: Vec<_> = tx
        .state
        .custom_fields
        .iter()
        .filter(|field| model == "all" || field.model == model)
        .map(|field| field.to_json(&tx.state.config.id))
        .collect();
    request.reply(200, json!({"customFields": fields}))
}

pub(super) fn create_custom_field(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    tx.same_location(request.id(0))?;
    let body = validate::body(request.call, schema::CREATE_CUSTOM_FIELD)?;
    let text = |name| validate::text(&body, name);
    let options = body.get("textBoxListOptions").and_then(Value::as_array).into_iter().flatten();
    let options = options.filter_map(|option| option.as_str().or_else(|| option["label"].as_str()));
    let options = options.map(str::to_owned).collect();
    let (name, data_type) = (text("name").unwrap_or_default(), text("dataType").unwrap_or_default());
    let field = define(tx.state, name, data_type, text("model").unwrap_or("contact"), options)?;
    request.reply(201, json!({"customField": field.to_json(&tx.state.config.id)}))
}

/// Adds a definition; its key is the name in lower case with underscores.
pub(super) fn define(
    state: &mut LocationState,
    name: &str,
    data_type: &str,
    model: &str,
    options: Vec<String>,
) -> Result<CustomField, Refusal> {
    let slug: String =
        name.trim().to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
    let key = format!("{model}.{slug}");
    if state.custom_fields.iter().any(|field| field.key == key) {
        return Err(Refusal::bad(format!("A custom field with key {key} already exists")));
    }
    let field = CustomField {
        id: state.new_id(),
        name: name.trim().to_owned(),
        key,
        data_type: data_type.to_owned(),
        model: model.to_owned(),
        options,
        position: state.custom_fields.len() * 50,
    };
    state.custom_fields.push(field.clone());
    Ok(field)
}
