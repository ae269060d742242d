//! 123FormBuilder's own operations, and those on HighLevel that belong to a form's follow-up. The host has checked the input
//! against the manifest's schema.

use contactor_sdk::operations::{Operation, request};
use contactor_sdk::{Error, Fields, Named, Result, clock, contacts, instant, state, tags, tasks};
use serde_json::{Value as Json, json};

use crate::api::answer;
use crate::settings::{Id, Settings};

const PAGE: &[&str] = &["page", "per_page"];
const FORM: &[&str] = &["name", "group_id", "active", "active_date_from", "active_date_to", "active_days"];
const GROUP: &[&str] = &["name", "webhook_url", "parent_id"];
const USER: &[&str] = &["username", "email", "password"];
const SUBUSER: &[&str] = &["subuser_id", "subuser_email"];
const SUBMISSION: &str = "/forms/{form_id}/submissions/{submission_id}";

/// Bodies are forms, as the specification has it; only an update of a submission goes into the query.
const OPERATIONS: [Operation; 23] = [
    Operation::get("forms.list", "/forms").query(&["page", "per_page", "search"]),
    Operation::get("forms.get", "/forms/{form_id}"),
    Operation::get("forms.fields", "/forms/{form_id}/fields"),
    Operation::post("forms.create", "/forms").form(FORM),
    Operation::put("forms.update", "/forms/{form_id}").form(FORM),
    Operation::delete("forms.delete", "/forms/{form_id}"),
    Operation::delete("forms.delete_several", "/forms/bulk").query(&["form_ids"]),
    Operation::get("submissions.list", "/forms/{form_id}/submissions").query(&[
        "page",
        "per_page",
        "start_date",
        "start_submission_id",
        "include_recipients",
    ]),
    Operation::get("submissions.get", SUBMISSION).query(&["include_recipients"]),
    Operation::put("submissions.update", SUBMISSION).query(&["approved", "payed"]),
    Operation::delete("submissions.delete", SUBMISSION),
    Operation::get("groups.list", "/groups").query(PAGE),
    Operation::get("groups.get", "/groups/{group_id}"),
    Operation::get("groups.forms", "/groups/{group_id}/forms").query(PAGE),
    Operation::post("groups.create", "/groups").form(GROUP),
    Operation::put("groups.update", "/groups/{group_id}").form(GROUP),
    Operation::post("groups.share", "/groups/{group_id}/share").form(SUBUSER),
    Operation::post("groups.unshare", "/groups/{group_id}/unshare").form(SUBUSER),
    Operation::get("users.list", "/users").query(PAGE),
    Operation::post("users.create", "/users").form(USER),
    Operation::put("users.update", "/users/{user}").form(USER),
    Operation::post("accounts.create", "/accounts").form(USER),
    Operation::put("accounts.update", "/accounts/{account_id}").form(USER),
];

/// The vendor may mail somebody: a person whose submission is approved or paid, a user who is created or shared with.
const MAILING: [&str; 4] = ["submissions.update", "groups.share", "users.create", "accounts.create"];

pub(crate) fn run(settings: &Settings, action: &str, input: &Json) -> Result<Json> {
    if MAILING.contains(&action) && !settings.allow_mails {
        return Err(Error::Denied("123FormBuilder may mail somebody; the setting allow_mails is off".into()));
    }
    if (action.contains(".delete") || action == "submissions.unlink") && input["confirm"] != true {
        return Err(Error::invalid(
            "confirm",
            "say `true`: what this takes away does not come back by itself",
        ));
    }
    match action {
        "submissions.unlink" => unlink(settings, input),
        "contacts.get" => contact_with_tasks(text(input, "contact_id")?),
        "tasks.create" => {
            let mut values = task_fields(input)?;
            if values.text("dueDate").is_none() {
                values.set("dueDate", instant::text(clock::now() + 86_400_000));
            }
            shown(tasks::create(text(input, "contact_id")?, false, &values)?)
        }
        "tasks.update" => update_task(input),
        _ => answer(&request(&OPERATIONS, action, input)?),
    }
}

/// Sets `approved` or `payed`, the only fields of a submission that the API can write.
pub(crate) fn mark(id: &Id, approved: bool, payed: bool) -> Result<()> {
    let mut input = json!({ "form_id": id.form, "submission_id": id.submission });
    if approved {
        input["approved"] = json!(1);
    }
    if payed {
        input["payed"] = json!("yes");
    }
    answer(&request(&OPERATIONS, "submissions.update", &input)?).map(drop)
}

/// A soft delete: the contact keeps everything and gets a tag; the submission counts as gone, so the host lets the link rest.
fn unlink(settings: &Settings, input: &Json) -> Result<Json> {
    let id = Id::new(text(input, "form_id")?, text(input, "submission_id")?);
    state::update_json(&unlinked(&id.to_string()), |_| Ok(true))?;
    let contact = text(input, "contact_id")?;
    if !settings.soft_delete_tag.is_empty() {
        tags::add(contact, std::slice::from_ref(&settings.soft_delete_tag))?;
    }
    Ok(json!({ "unlinked": id.to_string(), "contact_id": contact }))
}

/// Where it is remembered that an admin took a submission out of the synchronisation.
pub(crate) fn unlinked(id: &str) -> String {
    format!("unlinked/{id}")
}

fn contact_with_tasks(id: &str) -> Result<Json> {
    let contact = contacts::get(id)?;
    let tasks: Vec<Json> = tasks::list_all(id)?.into_iter().map(shown).collect::<Result<_>>()?;
    let mut fields = Fields::from(contact.fields).to_json()?;
    fields.extend([("id".into(), json!(contact.id)), ("tags".into(), json!(contact.tags))]);
    Ok(json!({ "contact": fields, "tasks": tasks }))
}

fn update_task(input: &Json) -> Result<Json> {
    let (contact, id) = (text(input, "contact_id")?, text(input, "task_id")?);
    let values = task_fields(input)?;
    let mut task =
        if values.is_empty() { tasks::get(contact, id) } else { tasks::update(contact, id, &values) }?;
    if let Some(completed) = input["completed"].as_bool() {
        task = tasks::set_completed(contact, id, completed)?;
    }
    shown(task)
}

fn task_fields(input: &Json) -> Result<Fields> {
    let names = [("title", "title"), ("body", "body"), ("due", "dueDate"), ("assigned_to", "assignedTo")];
    Ok(names.iter().filter_map(|(own, name)| Some((*name, input[*own].as_str()?))).collect())
}

fn shown(task: tasks::Task) -> Result<Json> {
    let mut fields = Fields::from(task.fields).to_json()?;
    fields.extend([("id".into(), json!(task.id)), ("completed".into(), json!(task.completed))]);
    Ok(Json::Object(fields))
}

fn text<'i>(input: &'i Json, name: &str) -> Result<&'i str> {
    input[name].as_str().ok_or_else(|| Error::invalid(name, "is missing"))
}
