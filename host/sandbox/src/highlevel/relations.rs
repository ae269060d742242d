//! What hangs on a contact by name or id: tags, followers, campaigns, workflows; and the two bulk operations.

use serde_json::{Map, Value, json};

use super::refusal::{Answer, Refusal};
use super::state::Contact;
use super::tx::{Request, Tx};
use super::{normal, schema, validate};

/// The most contacts of one bulk business update (v3 text of the specification).
const BULK_BUSINESS_MAX: usize = 50;

pub(super) fn add_tags(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let (tags, added) = change_tags(tx, request.id(0), &body_tags(request)?, true)?;
    request.reply(201, json!({"tags": tags, "tagsAdded": added}))
}

pub(super) fn remove_tags(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let (tags, removed) = change_tags(tx, request.id(0), &body_tags(request)?, false)?;
    request.reply(200, json!({"tags": tags, "tagsRemoved": removed}))
}

fn body_tags(request: &Request<'_>) -> Result<Vec<String>, Refusal> {
    let body = validate::body(request.call, schema::TAGS)?;
    Ok(normal::tag_list(&body["tags"]))
}

/// Adds or removes tags; returns all that are there now and those that changed. Nothing changed, nothing fires.
pub(super) fn change_tags(
    tx: &mut Tx<'_>,
    id: &str,
    tags: &[String],
    add: bool,
) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let before = tx.contact(id)?;
    let touched: Vec<String> = tags.iter().filter(|tag| before.tags.contains(tag) != add).cloned().collect();
    if touched.is_empty() {
        return Ok((before.tags.clone(), touched));
    }
    let mut contact = Contact::clone(&before);
    if add {
        tx.state.know_tags(&touched);
        contact.tags.extend(touched.iter().cloned());
    } else {
        contact.tags.retain(|tag| !touched.contains(tag));
    }
    let after = tx.store_changed(contact);
    tx.emit_change(&before, &after);
    Ok((after.tags.clone(), touched))
}

pub(super) fn add_followers(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let (followers, added) = change_followers(tx, request, true)?;
    request.reply(201, json!({"followers": followers, "followersAdded": added}))
}

pub(super) fn remove_followers(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let (followers, removed) = change_followers(tx, request, false)?;
    request.reply(200, json!({"followers": followers, "followersRemoved": removed}))
}

fn change_followers(
    tx: &mut Tx<'_>,
    request: &Request<'_>,
    add: bool,
) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let body = validate::body(request.call, schema::FOLLOWERS)?;
    let mut contact = Contact::clone(&*tx.contact(request.id(0))?);
    let mut touched = Vec::new();
    for user in body["followers"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if contact.followers.iter().any(|known| known == user) != add {
            touched.push(user.to_owned());
            if add {
                contact.followers.push(user.to_owned());
            }
        }
    }
    if !add {
        contact.followers.retain(|user| !touched.contains(user));
    }
    Ok((tx.store_changed(contact).followers.clone(), touched))
}

pub(super) fn add_campaign(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    validate::body(request.call, schema::EMPTY)?;
    let mut contact = Contact::clone(&*tx.contact(request.id(0))?);
    contact.campaigns.insert(request.id(1).to_owned());
    tx.store_changed(contact);
    request.success(201)
}

pub(super) fn remove_campaign(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let mut contact = Contact::clone(&*tx.contact(request.id(0))?);
    contact.campaigns.remove(request.id(1));
    tx.store_changed(contact);
    request.success(200)
}

pub(super) fn remove_all_campaigns(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let mut contact = Contact::clone(&*tx.contact(request.id(0))?);
    contact.campaigns.clear();
    tx.store_changed(contact);
    request.success(200)
}

pub(super) fn add_workflow(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    validate::body(request.call, schema::WORKFLOW)?;
    let mut contact = Contact::clone(&*tx.contact(request.id(0))?);
    contact.workflows.insert(request.id(1).to_owned());
    tx.store_changed(contact);
    request.success(200)
}

pub(super) fn remove_workflow(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    validate::body(request.call, schema::WORKFLOW)?;
    let mut contact = Contact::clone(&*tx.contact(request.id(0))?);
    contact.workflows.remove(request.id(1));
    tx.store_changed(contact);
    request.success(200)
}

/// 201 whatever happened to the single contacts: each has its own line.
pub(super) fn bulk_tags(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let add = match request.id(0) {
        "add" => true,
        "remove" => false,
        _ => {
            return Err(Refusal::invalid(vec![
                "type must be one of the following values: add, remove".into(),
            ]));
        }
    };
    let body = validate::body(request.call, schema::BULK_TAGS)?;
    tx.same_location(validate::text(&body, "locationId").unwrap_or_default())?;
    let remove_all = body.get("removeAllTags") == Some(&json!(true));
    if remove_all && add {
        return Err(Refusal::bad("removeAllTags can only be used with remove type"));
    }
    let tags = normal::tag_list(&body["tags"]);
    let ids: Vec<&str> =
        body["contacts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let responses: Vec<Value> =
        ids.into_iter().map(|id| bulk_tag_one(tx, id, &tags, add, remove_all)).collect();
    let errors = responses.iter().filter(|response| response["type"] == "error").count();
    let body = json!({"succeded": true, "succeeded": true, "errorCount": errors, "responses": responses});
    request.reply(201, body)
}

fn bulk_tag_one(tx: &mut Tx<'_>, id: &str, tags: &[String], add: bool, remove_all: bool) -> Value {
    let error = |message: &str| json!({"contactId": id, "message": message, "type": "error"});
    let Some(contact) = tx.state.contact_or_tombstone(id).cloned() else {
        let is_id = id.len() == 20 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let message = if is_id {
            "contact does not belong to location"
        } else {
            "contact id is not a valid firebase id"
        };
        return error(message);
    };
    if contact.deleted {
        return error("contact is deleted");
    }
    let old = contact.tags.clone();
    let chosen = if remove_all { old.clone() } else { tags.to_vec() };
    match change_tags(tx, id, &chosen, add) {
        Ok((_, touched)) => {
            let (added, removed) = if add { (touched, Vec::new()) } else { (Vec::new(), touched) };
            json!({
                "contactId": id, "message": "Tags updated", "type": "success", "oldTags": old, "tagsAdded": added,
                "tagsRemoved": removed,
            })
        }
        Err(_) => error("contact is deleted"),
    }
}

/// Puts contacts into a business, or takes them out with `null`. Fires nothing (vendor issue 276).
pub(super) fn bulk_business(tx: &mut Tx<'_>, request: &Request<'_>) -> Answer {
    let body: Map<String, Value> = validate::body(request.call, schema::BULK_BUSINESS)?;
    tx.same_location(validate::text(&body, "locationId").unwrap_or_default())?;
    let ids: Vec<String> =
        body["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    if ids.len() > BULK_BUSINESS_MAX {
        return Err(Refusal::invalid(vec![format!(
            "ids must contain no more than {BULK_BUSINESS_MAX} elements"
        )]));
    }
    let business = validate::text(&body, "businessId").map(str::to_owned);
    let mut changed = Vec::new();
    for id in ids {
        if let Some(contact) = tx.state.contact(&id) {
            let contact = Contact { business_id: business.clone(), ..Contact::clone(contact) };
            tx.store_changed(contact);
            changed.push(id);
        }
    }
    request.reply(200, json!({"success": true, "ids": changed}))
}
