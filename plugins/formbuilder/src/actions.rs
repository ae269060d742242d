//! 123FormBuilder's own operations, and those on HighLevel that belong to a form's follow-up. The input fits the manifest's
//! schema: the host has checked an admin's, the SDK a rule's.

use contactor_sdk::json::text;
use contactor_sdk::operations::{Operation, request};
use contactor_sdk::{Error, Result, follow_up, marks, tags};
use serde_json::{Value as Json, json};

use crate::api::meaning;
use crate::settings::{Settings, split};

const PAGE: &[&str] = &["page", "per_page"];
const FORM: &[&str] = &["name", "group_id", "active", "active_date_from", "active_date_to", "active_days"];
const GROUP: &[&str] = &["name", "webhook_url", "parent_id"];
const USER: &[&str] = &["username", "email", "password"];
const SUBUSER: &[&str] = &["subuser_id", "subuser_email"];
const SUBMISSIONS: &[&str] = &["page", "per_page", "start_date", "start_submission_id", "include_recipients"];
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
    Operation::get("submissions.list", "/forms/{form_id}/submissions").query(SUBMISSIONS),
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

/// The marks of submissions that an admin took out of the synchronisation.
pub(crate) const UNLINKED: &str = "unlinked";

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
        "contacts.get" => follow_up::contact_with_tasks(input),
        "tasks.create" => follow_up::create_task(input),
        "tasks.update" => follow_up::update_task(input),
        _ => request(&OPERATIONS, action, input)?.answer(meaning)?.json(),
    }
}

/// Sets `approved` or `payed`, the only fields of a submission that the API can write.
pub(crate) fn mark(id: &str, approved: bool, payed: bool) -> Result<()> {
    let (form, id) = split(id)?;
    let mut input = json!({ "form_id": form, "submission_id": id });
    if approved {
        input["approved"] = json!(1);
    }
    if payed {
        input["payed"] = json!("yes");
    }
    request(&OPERATIONS, "submissions.update", &input)?.answer(meaning).map(drop)
}

/// A soft delete: the contact keeps everything and gets a tag; the submission counts as gone, so the host lets the link rest.
fn unlink(settings: &Settings, input: &Json) -> Result<Json> {
    let contact = text(input, "contact_id")?;
    let id = format!("{}/{}", text(input, "form_id")?, text(input, "submission_id")?);
    marks::put(UNLINKED, &id)?;
    if !settings.soft_delete_tag.is_empty() {
        tags::add(contact, std::slice::from_ref(&settings.soft_delete_tag))?;
    }
    Ok(json!({ "unlinked": id, "contact_id": contact }))
}
