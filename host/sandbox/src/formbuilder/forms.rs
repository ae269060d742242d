//! Forms and their fields.

use serde_json::Value;

use super::config::FormConfig;
use super::error::{Answer, Fault};
use super::params::Params;
use super::state::{Account, Form};
use super::{Change, page};
use crate::http::Call;

pub(super) fn list(change: &mut Change<'_>, call: &Call) -> Answer {
    let part = call.query("search").unwrap_or_default().to_lowercase();
    let forms: Vec<&Form> =
        change.account.forms.values().filter(|form| form.name.to_lowercase().contains(&part)).collect();
    page::reply(call, &forms, |form| form.to_json(change.guesses))
}

pub(super) fn create(change: &mut Change<'_>, call: &Call) -> Answer {
    let params = Params::of(call);
    let name = params.text("name").ok_or_else(|| Fault::invalid("name", "The name field is required."))?;
    let edit = edits(change.account, &params)?;
    let id = change.account.add_form(&FormConfig { name: name.to_owned(), controls: Vec::new() });
    let form = known_mut(change.account, id)?;
    edit(form);
    Ok(page::one(201, &form.to_json(change.guesses)))
}

pub(super) fn get(change: &mut Change<'_>, id: &str) -> Answer {
    let form = known(change.account, id)?;
    Ok(page::one(200, &form.to_json(change.guesses)))
}

pub(super) fn fields(change: &mut Change<'_>, id: &str) -> Answer {
    let form = known(change.account, id)?;
    Ok(page::one(200, &form.with_controls(change.guesses)))
}

pub(super) fn update(change: &mut Change<'_>, call: &Call, id: &str) -> Answer {
    let params = Params::of(call);
    let id = known(change.account, id)?.id;
    if params.given("name").is_some_and(|name| name.trim().is_empty()) {
        return Err(Fault::invalid("name", "The name field is required."));
    }
    let edit = edits(change.account, &params)?;
    let form = known_mut(change.account, id)?;
    edit(form);
    Ok(page::one(200, &form.to_json(change.guesses)))
}

pub(super) fn delete(change: &mut Change<'_>, id: &str) -> Answer {
    let id = known(change.account, id)?.id;
    change.account.forms.remove(&id);
    Ok(page::message("Form successfully deleted"))
}

/// All or none.
pub(super) fn delete_several(change: &mut Change<'_>, call: &Call) -> Answer {
    let params = Params::of(call);
    let ids = params
        .text("form_ids")
        .ok_or_else(|| Fault::invalid("form_ids", "The form ids field is required."))?;
    let ids: Vec<u64> =
        ids.split(',').map(|id| Ok(known(change.account, id.trim())?.id)).collect::<Result<_, Fault>>()?;
    for id in ids {
        change.account.forms.remove(&id);
    }
    Ok(page::message("Forms successfully deleted"))
}

pub(super) fn known<'a>(account: &'a Account, id: &str) -> Result<&'a Form, Fault> {
    id.parse().ok().and_then(|id: u64| account.forms.get(&id)).ok_or(Fault::NotFound("Form not found"))
}

pub(super) fn known_mut(account: &mut Account, id: u64) -> Result<&mut Form, Fault> {
    account.forms.get_mut(&id).ok_or(Fault::NotFound("Form not found"))
}

/// The parameters of a form, checked all together.
fn edits<'p>(account: &Account, params: &'p Params) -> Result<impl FnOnce(&mut Form) + use<'p>, Fault> {
    let mut problems = Vec::new();
    let mut number = |name: &'static str, most: u64| -> Option<u64> {
        let value = params.text(name)?;
        let number = value.parse().ok().filter(|number| *number <= most);
        if number.is_none() {
            problems.push((name, format!("The {} is invalid.", name.replace('_', " "))));
        }
        number
    };
    let (active, group) = (number("active", 4), number("group_id", u64::MAX));
    if group.is_some_and(|group| !account.groups.contains_key(&group)) {
        problems.push(("group_id", "The selected group id is invalid.".into()));
    }
    if !problems.is_empty() {
        return Err(Fault::Invalid(problems));
    }
    Ok(move |form: &mut Form| {
        if let Some(name) = params.text("name") {
            name.clone_into(&mut form.name);
        }
        if let Some(active) = active {
            form.active = u8::try_from(active).unwrap_or_default();
        }
        form.group = group.or(form.group);
        for (own, name) in form.period.iter_mut().zip(["active_date_from", "active_date_to", "active_days"]) {
            if let Some(value) = params.given(name) {
                *own = Some(value.to_owned()).filter(|value| !value.is_empty());
            }
        }
    })
}

/// A form as the API shows it, with its fields.
pub(super) fn shown(change: &Change<'_>, id: u64) -> Result<Value, Fault> {
    Ok(known(change.account, &id.to_string())?.with_controls(change.guesses))
}
